//! `[relay]`: the next hop, and how mail is tried again.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::units::{duration, durations};

/// The next hop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// `host:port`; an IPv6 address in brackets.
    pub smarthost: String,
    /// How to encrypt the way there.
    #[serde(default)]
    pub tls: RelayTls,
    /// For AUTH; empty: none.
    #[serde(default)]
    pub username: String,
    /// File whose first line is the password for AUTH.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Connections to the smarthost at once.
    #[serde(default = "default::max_connections")]
    pub max_connections: usize,
    /// Waits between attempts; the last one repeats as 4 hours.
    #[serde(default = "default::retry", deserialize_with = "durations")]
    pub retry: Vec<Duration>,
    /// After this long a failure is reported to the sender.
    #[serde(default = "default::give_up_after", deserialize_with = "duration")]
    pub give_up_after: Duration,
}

/// `[relay] tls`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayTls {
    /// Never.
    Off,
    /// STARTTLS when it is offered; the certificate is not checked.
    #[default]
    Opportunistic,
    /// STARTTLS with a checked certificate, or nothing is sent.
    Required,
    /// TLS from the first byte, with a checked certificate.
    Implicit,
}

mod default {
    use super::Duration;

    pub fn max_connections() -> usize {
        20
    }
    pub fn retry() -> Vec<Duration> {
        [1, 5, 15, 60, 120, 240].map(|minutes| Duration::from_secs(minutes * 60)).to_vec()
    }
    pub fn give_up_after() -> Duration {
        Duration::from_secs(5 * 86_400)
    }
}
