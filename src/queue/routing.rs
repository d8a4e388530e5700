//! Which way a mail goes, which mail nobody on the way may read (C30), and which is kept for good (C38). Pure. Called by
//! `worker`.

use std::sync::Arc;

use crate::config::Direction;
use crate::settings::{Organisation, Settings};
use crate::store::{Item, PendingRecipient, QueueItemKind};

/// The organisation that a mail is of.
pub(super) fn organisation<'a>(settings: &'a Settings, item: &Item) -> &'a Arc<Organisation> {
    settings.responsible(item.organisation.as_ref())
}

/// Inside goes what zegel itself writes to people in the `domains` of the organisation that it writes for; messages that pass go the way they always
/// went, whoever they are to.
pub(super) fn direction(settings: &Settings, item: &Item) -> Direction {
    let domains = &organisation(settings, item).domains;
    let is_ours = |pending: &PendingRecipient| pending.recipient.address.is_internal(domains);
    let is_inside = || item.recipients.iter().all(is_ours);
    match item.kind {
        QueueItemKind::Message => Direction::Outside,
        _ if is_inside() => Direction::Inside,
        _ => Direction::Outside,
    }
}

/// Whether a mail carries a password, a link, a code, or something of an answer.
pub(super) fn is_secret(item: &Item) -> bool {
    match item.kind {
        // The recipient's link.
        QueueItemKind::Notification | QueueItemKind::Reminder => true,
        // The password, and the sender's link.
        QueueItemKind::Receipt => true,
        // The sender's link.
        QueueItemKind::Ask | QueueItemKind::Unopened | QueueItemKind::Download => true,
        // The answer, the link to one, the names of its files.
        QueueItemKind::Reply | QueueItemKind::Confirmation => true,
        // The code.
        QueueItemKind::Verification => true,
        // The sender's link, where it is about something that was sealed.
        QueueItemKind::Report => item.track.transfer.is_some(),
        // As its peer gave it to us; and what tells of a delivery or a recall without a word of the content.
        QueueItemKind::Message | QueueItemKind::Recall | QueueItemKind::Undelivered | QueueItemKind::Lost => {
            false
        }
    }
}

/// Whether a mail that has no sender to tell is kept when it cannot be delivered. What others have written is theirs to
/// write again, and a code is of no use after ten minutes; the postmaster is told of both.
pub(super) fn is_kept(kind: QueueItemKind) -> bool {
    !matches!(kind, QueueItemKind::Message | QueueItemKind::Verification)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Address, ReversePath};
    use crate::clock::Timestamp;
    use crate::envelope::MailParameters;
    use crate::id::{FolderId, QueueId};
    use crate::store::{Body, BodyData, ByHand, Claim, Track};

    fn item(kind: QueueItemKind, to: &[&str]) -> Item {
        let recipient = |(number, to): (u32, &&str)| PendingRecipient {
            number,
            recipient: Address::parse(to).unwrap().into(),
        };
        Item {
            id: QueueId::random(),
            kind,
            organisation: None,
            reverse_path: ReversePath::Null,
            parameters: MailParameters::default(),
            recipients: (1..).zip(to).map(recipient).collect(),
            body: Body { key: None, data: BodyData::Inline(Vec::new()) },
            link: None,
            track: Track::default(),
            created: Timestamp::UNIX_EPOCH,
            attempts: 0,
            by_hand: ByHand::default(),
            claim: Claim { owner: FolderId::random(), token: 1, until: Timestamp::UNIX_EPOCH, lease: 0 },
        }
    }

    #[test]
    fn what_zegel_writes_to_people_inside_goes_inside() {
        let settings = crate::settings::testing::settings("");
        for (kind, to, expected) in [
            (QueueItemKind::Receipt, &["jan@voorbeeld.nl"][..], Direction::Inside),
            (QueueItemKind::Report, &["jan@Voorbeeld.NL"], Direction::Inside),
            (QueueItemKind::Reply, &["jan@voorbeeld.nl", "mien@voorbeeld.nl"], Direction::Inside),
            (QueueItemKind::Verification, &["mien@voorbeeld.nl"], Direction::Inside),
            (QueueItemKind::Notification, &["mien@voorbeeld.nl"], Direction::Inside),
            (QueueItemKind::Message, &["mien@voorbeeld.nl"], Direction::Outside),
            (QueueItemKind::Verification, &["piet@example.org"], Direction::Outside),
            (QueueItemKind::Report, &["piet@example.org"], Direction::Outside),
            (QueueItemKind::Notification, &["piet@voorbeeld.nl.example.org"], Direction::Outside),
            (QueueItemKind::Reply, &["jan@voorbeeld.nl", "piet@example.org"], Direction::Outside),
        ] {
            assert_eq!(direction(&settings, &item(kind, to)), expected, "{kind:?} to {to:?}");
        }
    }
}
