//! What the tests of this folder have in common.

use std::time::Duration;

use super::SmtpSettings;
use super::peers::Allowed;
use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;
use crate::proxy_protocol::HeaderSenders;
use crate::smtp::inbox::{Inbox, Refusal};

/// Loopback may relay, and small limits.
pub fn settings() -> SmtpSettings {
    SmtpSettings {
        hostname: "mx.voorbeeld.nl".into(),
        allowed: Allowed::new(vec!["127.0.0.0/8".parse().unwrap()]),
        header_senders: HeaderSenders::default(),
        max_message_size: 100,
        max_recipients: 3,
        max_connections: 200,
        max_connections_per_client: 200,
        idle_timeout: Duration::from_secs(300),
        memory_budget: 1 << 20,
        memory_budget_per_client: None,
        tls: None,
        require_tls: false,
    }
}

/// Takes everything and keeps nothing.
pub struct Anything;

impl Inbox for Anything {
    type Kept = &'static str;
    type Snapshot = ();

    fn begin(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@voorbeeld.nl").unwrap()
    }

    async fn keep(&self, (): (), _: Peer, _: Envelope, _: CrlfBytes) -> Result<&'static str, Refusal> {
        Ok("kept")
    }
}
