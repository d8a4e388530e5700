//! `[relay]`: the next hop, another one for mail to people inside, and when a delivery is tried again.
//!
//! What the administrator set for one server is never used for another: neither its user name and password, nor the consent to
//! `tls = "off"`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::load::is_host_and_port;
use super::rules::{Fault, broken};
use super::units::{duration, durations};

/// `[relay]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// `host:port`; an IPv6 address in brackets.
    pub smarthost: String,
    /// How to encrypt the connection.
    #[serde(default)]
    pub tls: RelayTls,
    /// For AUTH; empty: none.
    #[serde(default)]
    pub username: String,
    /// File whose first line is the password for AUTH.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// What differs for mail to people inside.
    #[serde(default)]
    pub inside: Inside,
    /// The most connections at once, to both servers together.
    #[serde(default = "default::max_connections")]
    pub max_connections: usize,
    /// The waits between attempts. After the last of them each wait is four hours.
    #[serde(default = "default::retry", deserialize_with = "durations")]
    pub retry: Vec<Duration>,
    /// While this is set, mail that is refused for good is kept and tried again. Meant for the first weeks.
    #[serde(default)]
    pub soft_bounce: bool,
    /// After this time a failure is reported to the sender.
    #[serde(default = "default::give_up_after", deserialize_with = "duration")]
    pub give_up_after: Duration,
}

/// `[relay.inside]`: for mail that zegel itself writes to people inside. What is unset is as in `[relay]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inside {
    /// `host:port`
    pub smarthost: Option<String>,
    /// How to encrypt the connection.
    pub tls: Option<RelayTls>,
    /// For AUTH; empty: none.
    pub username: Option<String>,
    /// File whose first line is the password for AUTH.
    pub password_file: Option<PathBuf>,
}

/// Which of the two servers a mail goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Everything that is not [`Direction::Inside`].
    Outside,
    /// What zegel itself writes to people inside.
    Inside,
}

/// A server that takes mail from the gateway, and how to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHopSettings {
    /// `host:port`
    pub smarthost: String,
    /// How to encrypt the connection.
    pub tls: RelayTls,
    /// For AUTH; empty: none.
    pub username: String,
    /// File whose first line is the password for AUTH.
    pub password_file: Option<PathBuf>,
}

impl Relay {
    /// The server that mail of this direction is handed to.
    pub fn next_hop(&self, direction: Direction) -> NextHopSettings {
        let outside = NextHopSettings {
            smarthost: self.smarthost.clone(),
            tls: self.tls,
            username: self.username.clone(),
            password_file: self.password_file.clone(),
        };
        let Inside { smarthost, tls, username, password_file } = self.inside.clone();
        match direction {
            Direction::Outside => outside,
            Direction::Inside if self.is_one_server() => NextHopSettings {
                smarthost: outside.smarthost,
                tls: tls.unwrap_or(outside.tls),
                username: username.unwrap_or(outside.username),
                password_file: password_file.or(outside.password_file),
            },
            Direction::Inside => NextHopSettings {
                smarthost: smarthost.unwrap_or(outside.smarthost),
                tls: tls.unwrap_or(if outside.tls == RelayTls::Off {
                    RelayTls::default()
                } else {
                    outside.tls
                }),
                username: username.unwrap_or_default(),
                password_file,
            },
        }
    }

    fn is_one_server(&self) -> bool {
        let is_same = |smarthost: &String| smarthost.eq_ignore_ascii_case(&self.smarthost);
        self.inside.smarthost.as_ref().is_none_or(is_same)
    }

    /// The rules that are broken, of what the types cannot express.
    pub(super) fn check(&self) -> Vec<Fault> {
        let is_address = |smarthost: &String| is_host_and_port(smarthost);
        let form = "must have the form host:port";
        let remedy =
            "write name and port, such as smarthost.voorbeeld.nl:25; an IPv6 address stands in brackets";
        let inside = self.next_hop(Direction::Inside);
        let is_half = !self.is_one_server() && inside.username.is_empty() == inside.password_file.is_some();
        broken(&[
            (is_address(&self.smarthost), &["relay.smarthost"], &format!("relay.smarthost {form}"), remedy),
            (
                self.inside.smarthost.as_ref().is_none_or(is_address),
                &["relay.inside.smarthost"],
                &format!("relay.inside.smarthost {form}"),
                remedy,
            ),
            (
                !is_half,
                &["relay.inside.username", "relay.inside.password_file"],
                "relay.inside.username and relay.inside.password_file go together; those of [relay] are not for another \
                 server",
                "set both below [relay.inside], or none",
            ),
        ])
    }

    /// Settings that work but are not safe for ever, for the log and for monitoring.
    pub fn notes(&self) -> Vec<String> {
        let soft = self.soft_bounce.then(|| {
            "relay.soft_bounce is on: what the next hop refuses waits, and its sender hears only after \
             relay.give_up_after"
                .to_owned()
        });
        let off = |(key, hop): (&str, NextHopSettings)| {
            let notes = "is not encrypted, passwords, links, codes and answers included";
            (hop.tls == RelayTls::Off).then(|| format!("{key} is \"off\": mail to {} {notes}", hop.smarthost))
        };
        self.ways().into_iter().filter_map(off).chain(soft).collect()
    }

    /// What could be safer, for an administrator who checks the configuration.
    pub fn advice(&self) -> Vec<String> {
        let unchecked = |(key, hop): (&str, NextHopSettings)| {
            let weak = hop.tls == RelayTls::Opportunistic && !hop.is_on_loopback();
            weak.then(|| {
                format!(
                    "{key} is \"opportunistic\": the certificate of {0} is not checked, and while {0} offers no TLS, \
                     mail with a password, link, code or answer waits; \"required\" is safer",
                    hop.smarthost
                )
            })
        };
        self.ways().into_iter().filter_map(unchecked).collect()
    }

    /// The next hops, each with the key that says how its connections are encrypted. There is one if both are the same.
    fn ways(&self) -> Vec<(&'static str, NextHopSettings)> {
        let [outside, inside] = [Direction::Outside, Direction::Inside].map(|way| self.next_hop(way));
        let key = if self.inside.tls.is_some() { "relay.inside.tls" } else { "relay.tls" };
        let second = (inside != outside).then_some((key, inside));
        [("relay.tls", outside)].into_iter().chain(second).collect()
    }
}

impl NextHopSettings {
    /// Judged by its name only. For a mail the address that the connection goes to counts.
    fn is_on_loopback(&self) -> bool {
        let host = self.smarthost.rsplit_once(':').map_or("", |(host, _)| host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.to_canonical().is_loopback())
    }
}

/// `[relay] tls`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayTls {
    /// No encryption.
    Off,
    /// STARTTLS when it is offered; the certificate is not checked.
    #[default]
    Opportunistic,
    /// STARTTLS with a checked certificate, or nothing is sent.
    Required,
    /// TLS from the first byte, with a checked certificate.
    Implicit,
}

impl fmt::Display for RelayTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Opportunistic => "opportunistic",
            Self::Required => "required",
            Self::Implicit => "implicit",
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(more: &str) -> Relay {
        let text = format!(
            "smarthost = \"buiten:25\"\nusername = \"zegel\"\npassword_file = \"buiten.txt\"\n{more}"
        );
        toml::from_str(&text).unwrap()
    }

    fn hop(smarthost: &str, tls: RelayTls, username: &str, password_file: Option<&str>) -> NextHopSettings {
        let password_file = password_file.map(PathBuf::from);
        NextHopSettings { smarthost: smarthost.into(), tls, username: username.into(), password_file }
    }

    #[test]
    fn what_is_unset_is_as_in_relay_for_the_same_server() {
        use RelayTls::{Implicit, Off, Opportunistic, Required};
        for (more, expected) in [
            ("", hop("buiten:25", Opportunistic, "zegel", Some("buiten.txt"))),
            ("tls = \"off\"", hop("buiten:25", Off, "zegel", Some("buiten.txt"))),
            ("[inside]\ntls = \"required\"", hop("buiten:25", Required, "zegel", Some("buiten.txt"))),
            (
                "[inside]\nsmarthost = \"BUITEN:25\"",
                hop("buiten:25", Opportunistic, "zegel", Some("buiten.txt")),
            ),
            ("[inside]\nusername = \"\"", hop("buiten:25", Opportunistic, "", Some("buiten.txt"))),
            (
                "[inside]\nusername = \"x\"\npassword_file = \"x.txt\"",
                hop("buiten:25", Opportunistic, "x", Some("x.txt")),
            ),
            ("[inside]\nsmarthost = \"binnen:25\"", hop("binnen:25", Opportunistic, "", None)),
            (
                "tls = \"implicit\"\n[inside]\nsmarthost = \"binnen:465\"",
                hop("binnen:465", Implicit, "", None),
            ),
            ("tls = \"off\"\n[inside]\nsmarthost = \"binnen:25\"", hop("binnen:25", Opportunistic, "", None)),
            (
                "[inside]\nsmarthost = \"buiten:587\"\nusername = \"x\"\npassword_file = \"x.txt\"\ntls = \"off\"",
                hop("buiten:587", Off, "x", Some("x.txt")),
            ),
        ] {
            let relay = relay(more);
            assert_eq!(relay.next_hop(Direction::Inside), expected, "{more}");
            assert_eq!(relay.next_hop(Direction::Outside).smarthost, "buiten:25");
            assert_eq!(relay.check(), [], "{more}");
        }
    }

    #[test]
    fn half_a_login_for_another_server_is_a_fault() {
        for half in ["username = \"x\"", "password_file = \"x.txt\""] {
            let relay = relay(&format!("[inside]\nsmarthost = \"binnen:25\"\n{half}"));
            assert!(relay.check()[0].reason.starts_with("relay.inside.username and"), "{half}");
        }
        assert!(
            relay("[inside]\nsmarthost = \"binnen\"").check()[0].reason.contains("relay.inside.smarthost")
        );
    }

    #[test]
    fn a_way_without_tls_is_told_by_its_key() {
        let keys = |texts: Vec<String>| -> Vec<String> {
            texts.iter().map(|text| text.split_once(" is ").unwrap().0.to_owned()).collect()
        };
        for (more, notes, advice) in [
            ("", &[][..], &["relay.tls"][..]),
            ("tls = \"off\"", &["relay.tls"], &[]),
            ("tls = \"required\"", &[], &[]),
            ("tls = \"required\"\nsoft_bounce = true", &["relay.soft_bounce"], &[]),
            ("tls = \"required\"\n[inside]\ntls = \"off\"", &["relay.inside.tls"], &[]),
            ("tls = \"off\"\n[inside]\nsmarthost = \"binnen:25\"", &["relay.tls"], &["relay.tls"]),
            ("tls = \"off\"\n[inside]\nsmarthost = \"[::1]:25\"", &["relay.tls"], &[]),
            ("tls = \"off\"\n[inside]\nsmarthost = \"localhost:25\"", &["relay.tls"], &[]),
            ("[inside]\nsmarthost = \"127.0.0.2:25\"\ntls = \"off\"", &["relay.inside.tls"], &["relay.tls"]),
        ] {
            let relay = relay(more);
            assert_eq!(
                (keys(relay.notes()), keys(relay.advice())),
                (
                    notes.iter().map(|n| (*n).to_owned()).collect(),
                    advice.iter().map(|n| (*n).to_owned()).collect()
                ),
                "{more}"
            );
        }
    }
}
