//! The envelope of a message (RFC 5321 2.3.1): reverse path, forward paths, and the parameters that
//! must travel on with it. Made by `smtp/session` and by `notify`, kept by `store`, spoken by `relay`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::{Address, ReversePath};

/// One envelope; `recipients` is never empty once a message is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Whom a failure report goes to.
    pub reverse_path: ReversePath,
    pub parameters: MailParameters,
    /// Everyone the message is for, in the order of the RCPT commands.
    pub recipients: Vec<EnvelopeRecipient>,
}

/// The parameters of MAIL that we understand, all of them passed on to a next hop that offers them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailParameters {
    /// `BODY=` (RFC 6152)
    pub body: Option<BodyType>,
    /// `SMTPUTF8` (RFC 6531)
    pub smtputf8: bool,
    /// `SIZE=` as announced, in bytes (RFC 1870)
    pub size: Option<u64>,
    /// `RET=` (RFC 3461 4.3)
    pub ret: Option<Ret>,
    /// `ENVID=` as given, still in xtext (RFC 3461 4.4)
    pub envid: Option<String>,
}

/// What the body may hold (RFC 6152).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyType {
    /// `7BIT`
    SevenBit,
    /// `8BITMIME`
    EightBitMime,
}

/// How much of the message a failure report returns (RFC 3461 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// `FULL`
    Full,
    /// `HDRS`
    Headers,
}

/// One RCPT command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeRecipient {
    /// The forward path's mailbox.
    pub address: Address,
    pub parameters: RcptParameters,
}

/// The parameters of RCPT (RFC 3461).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RcptParameters {
    /// `NOTIFY=` (RFC 3461 4.1)
    pub notify: Option<Notify>,
    /// `ORCPT=` as given: type, semicolon, xtext (RFC 3461 4.2)
    pub orcpt: Option<String>,
}

/// When a delivery report is wanted (RFC 3461 4.1); all false is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

impl RcptParameters {
    /// Whether a failure must be reported: the default, unless NOTIFY leaves it out.
    pub fn wants_failure_report(&self) -> bool {
        self.notify.is_none_or(|notify| notify.failure)
    }
}

impl RcptParameters {
    /// Of two RCPT commands for one mailbox: NOTIFY of either counts; the first `ORCPT` stays.
    pub fn merge(&mut self, other: &Self) {
        self.notify = match (self.notify, other.notify) {
            (Some(one), Some(two)) => Some(Notify {
                success: one.success || two.success,
                failure: one.failure || two.failure,
                delay: one.delay || two.delay,
            }),
            // Without NOTIFY a failure is reported, and a delay if the next hop likes (RFC 3461 4.1).
            (Some(asked), None) | (None, Some(asked)) if asked.success || asked.delay => {
                Some(Notify { failure: true, ..asked })
            }
            _ => None,
        };
        if self.orcpt.is_none() {
            self.orcpt.clone_from(&other.orcpt);
        }
    }
}

/// Every mailbox once, in the spelling in which it was named first.
pub fn each_mailbox_once<'a>(
    recipients: impl IntoIterator<Item = &'a EnvelopeRecipient>,
) -> Vec<EnvelopeRecipient> {
    let (mut places, mut once) = (HashMap::new(), Vec::<EnvelopeRecipient>::new());
    for recipient in recipients {
        match places.entry(recipient.address.mailbox()) {
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push(recipient.clone());
            }
            Entry::Occupied(place) => {
                if let Some(first) = once.get_mut(*place.get()) {
                    first.parameters.merge(&recipient.parameters);
                }
            }
        }
    }
    once
}

impl From<Address> for EnvelopeRecipient {
    fn from(address: Address) -> Self {
        Self { address, parameters: RcptParameters::default() }
    }
}

/// What a delivery report says has become of a mail (RFC 3464 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reported {
    /// It did not arrive, and will not.
    Failed,
    /// It has not arrived yet.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It went on to a server that reports no delivery.
    Relayed,
    /// It went on to everybody on a list.
    Expanded,
}

impl Reported {
    const ALL: [Self; 5] = [Self::Failed, Self::Delayed, Self::Delivered, Self::Relayed, Self::Expanded];

    /// The word in a report, in the database and in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    /// Whether the mail has come as far as the server that reports could see.
    pub fn has_arrived(self) -> bool {
        matches!(self, Self::Delivered | Self::Relayed | Self::Expanded)
    }
}

/// The word is not one of RFC 3464 2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no action of a delivery report")]
pub struct UnknownAction;

impl FromStr for Reported {
    type Err = UnknownAction;
    /// Letter case aside.
    fn from_str(word: &str) -> Result<Self, UnknownAction> {
        let mut all = Self::ALL.into_iter();
        all.find(|reported| reported.as_str().eq_ignore_ascii_case(word)).ok_or(UnknownAction)
    }
}

/// The client that handed us a message, as far as `Received` (RFC 5321 4.4) and the audit trail tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection came from.
    pub address: SocketAddr,
    /// What it called itself in EHLO or HELO.
    pub helo: String,
    /// EHLO was used.
    pub extended: bool,
    /// The connection is encrypted: protocol version and cipher suite.
    pub tls: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3461 4.1
    #[test]
    fn failures_are_reported_unless_notify_leaves_them_out() {
        let wants = |notify| RcptParameters { notify, ..RcptParameters::default() }.wants_failure_report();
        assert!(wants(None));
        assert!(wants(Some(Notify { failure: true, ..Notify::default() })));
        assert!(!wants(Some(Notify { success: true, delay: true, ..Notify::default() })));
        assert!(!wants(Some(Notify::default())), "NEVER");
    }

    #[test]
    fn one_mailbox_is_named_once_and_nobody_hears_less() {
        let failure = Notify { failure: true, ..Notify::default() };
        let delay = Notify { delay: true, ..Notify::default() };
        let both = Notify { failure: true, delay: true, ..Notify::default() };
        for (one, two, merged) in [
            (None, None, None),
            (Some(Notify::default()), None, None),
            (Some(Notify::default()), Some(Notify::default()), Some(Notify::default())),
            (Some(Notify::default()), Some(failure), Some(failure)),
            (Some(delay), Some(failure), Some(both)),
            (None, Some(delay), Some(both)),
            (Some(failure), None, None),
        ] {
            let named = |address: &str, notify, orcpt: Option<&str>| EnvelopeRecipient {
                address: Address::parse(address).unwrap(),
                parameters: RcptParameters { notify, orcpt: orcpt.map(str::to_owned) },
            };
            let once = each_mailbox_once(&[
                named("Anna@example.org", one, None),
                named("bob@example.net", None, None),
                named("anna@EXAMPLE.org", two, Some("rfc822;a@example.org")),
            ]);
            let addresses: Vec<&str> = once.iter().map(|one| one.address.as_str()).collect();
            assert_eq!(addresses, ["Anna@example.org", "bob@example.net"]);
            assert_eq!(once[0].parameters.notify, merged, "{one:?} and {two:?}");
            assert_eq!(once[0].parameters.orcpt.as_deref(), Some("rfc822;a@example.org"));
        }
    }
}
