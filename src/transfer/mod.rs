//! Transfers: what a sealed message becomes for its recipients.
//!
//! [`sealing`] makes one out of a message; [`access`] is the only place where a link and a password are
//! checked, and gives the [`access::Grant`] without which nothing can be opened; [`export`] hands out
//! the sealed parts as they are stored. Here: the states that a recipient's link can be in.

pub mod access;
pub mod action;
mod error;
pub mod export;
pub mod grant;
pub mod index;
pub mod link;
mod part_writer;
pub mod password;
pub mod pasted;
pub mod recall;
pub mod schedule;
pub mod sealing;
mod session;
pub mod status;
pub mod strength;
#[cfg(test)]
pub(crate) mod testing;

use crate::clock::Timestamp;
use crate::store::{Recipient, Transfer};

/// What a recipient's link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Nobody has opened it yet.
    Waiting,
    /// It was opened, and can be opened again.
    Opened,
    /// Its date has passed. For good: the key packet is gone, or goes now.
    Expired,
    /// The sender took it back. For good as well.
    Recalled,
    /// Its notification did not arrive. Closed until another one is sent.
    Bounced,
}

/// What can happen to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStep {
    /// Somebody gives the right password.
    Open,
    /// The date passes.
    Expire,
    /// The sender or an administrator takes it back.
    Recall,
}

impl LinkState {
    /// The state at `now`. A date that has passed counts at once, not only when retention has come
    /// by to destroy the key packet (C25).
    pub fn of(transfer: &Transfer, recipient: &Recipient, now: Timestamp) -> Self {
        if recipient.recalled.is_some() {
            Self::Recalled
        } else if transfer.expires <= now || recipient.key_packet.is_none() {
            Self::Expired
        } else if recipient.bounced.is_some() {
            Self::Bounced
        } else if recipient.opened.is_some() {
            Self::Opened
        } else {
            Self::Waiting
        }
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Opened => "opened",
            Self::Expired => "expired",
            Self::Recalled => "recalled",
            Self::Bounced => "bounced",
        }
    }

    /// The state after `step`; `None` where that step is not possible any more.
    pub fn after(self, step: LinkStep) -> Option<Self> {
        match (self, step) {
            (Self::Waiting | Self::Opened, LinkStep::Open) => Some(Self::Opened),
            (Self::Waiting | Self::Opened | Self::Bounced, LinkStep::Expire) => Some(Self::Expired),
            (Self::Waiting | Self::Opened | Self::Bounced, LinkStep::Recall) => Some(Self::Recalled),
            (Self::Bounced, LinkStep::Open) | (Self::Expired | Self::Recalled, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::FailureCause;
    use crate::store::Bounce;
    use crate::transfer::testing;

    #[test]
    fn a_link_is_open_until_its_date_or_a_recall() {
        let mut transfer = testing::transfer_row();
        let mut recipient = transfer.recipients[0].clone();
        let start = transfer.created;
        assert_eq!(LinkState::of(&transfer, &recipient, start), LinkState::Waiting);

        recipient.opened = Some(start);
        assert_eq!(LinkState::of(&transfer, &recipient, start), LinkState::Opened);
        assert_eq!(LinkState::of(&transfer, &recipient, transfer.expires), LinkState::Expired);

        recipient.bounced =
            Some(Bounce { time: start, cause: FailureCause::Other, reason: "550 5.1.1 no such user".into() });
        assert_eq!(
            LinkState::of(&transfer, &recipient, start),
            LinkState::Bounced,
            "whoever opened it before"
        );
        assert_eq!(LinkState::of(&transfer, &recipient, transfer.expires), LinkState::Expired);

        recipient.key_packet = None;
        assert_eq!(LinkState::of(&transfer, &recipient, start), LinkState::Expired, "its key is gone");

        recipient.recalled = Some(start);
        assert_eq!(LinkState::of(&transfer, &recipient, start), LinkState::Recalled);
        transfer.expires = start;
        assert_eq!(LinkState::of(&transfer, &recipient, start), LinkState::Recalled);
    }

    #[test]
    fn nothing_comes_back_from_expiry_or_recall() {
        for step in [LinkStep::Open, LinkStep::Expire, LinkStep::Recall] {
            assert_eq!(LinkState::Expired.after(step), None);
            assert_eq!(LinkState::Recalled.after(step), None);
            assert_eq!(LinkState::Waiting.after(step), LinkState::Opened.after(step));
        }
        assert_eq!(LinkState::Bounced.after(LinkStep::Open), None);
        assert_eq!(LinkState::Bounced.after(LinkStep::Recall), Some(LinkState::Recalled));
        assert_eq!(LinkState::Waiting.after(LinkStep::Open), Some(LinkState::Opened));
        assert_eq!(LinkState::Opened.after(LinkStep::Recall), Some(LinkState::Recalled));
        assert_eq!(LinkState::Opened.after(LinkStep::Expire), Some(LinkState::Expired));
    }
}
