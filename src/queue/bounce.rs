//! Failure reports (H05): one for each attempt that gave recipients up, to the reverse path, from the null sender. Mail
//! with a null reverse path has none, so that no report answers a report (H08); the postmaster gets a notice of it instead
//! (C38). Called by `worker`.

use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::envelope::Ret;
use crate::id::TransferId;
use crate::message::header::Header;
use crate::outbox::body::Opener;
use crate::outbox::compose::Original;
use crate::outbox::notices::failure::{About, FailedRecipient, FailureReport};
use crate::outbox::notices::undelivered::Undelivered;
use crate::outbox::{Context, NoticeError, Outbox};
use crate::queue::routing;
use crate::secret::{ActionKey, Secret};
use crate::settings::{Organisation, Settings};
use crate::store::{Item, NewItem, PendingRecipient, QueueItemKind};
use crate::transfer::action;

/// Bytes of a returned header; a longer one is cut at a line.
const MOST_HEADER: usize = 32 * 1024;
/// A message up to this size is returned whole when RET=FULL asks for it.
const MOST_WHOLE: u64 = 64 * 1024;

/// A recipient that was just given up, and why.
pub type Failed<'a> = (&'a PendingRecipient, &'a Diagnostic);

/// The recipients that were given up in this attempt and whose failure is to be reported.
pub fn to_report<'a>(item: &'a Item, outcomes: &'a [(u32, Outcome)]) -> Vec<Failed<'a>> {
    if item.reverse_path == ReversePath::Null {
        return Vec::new();
    }
    let wanted = |(pending, _): &Failed<'_>| pending.recipient.parameters.wants_failure_report();
    given_up(item, outcomes).filter(wanted).collect()
}

fn given_up<'a>(item: &'a Item, outcomes: &'a [(u32, Outcome)]) -> impl Iterator<Item = Failed<'a>> {
    let reason = |pending: &'a PendingRecipient| {
        outcomes.iter().find_map(|(number, outcome)| match outcome {
            Outcome::Failed(why) if *number == pending.number => Some((pending, why)),
            _ => None,
        })
    };
    item.recipients.iter().filter_map(reason)
}

/// The recipients of mail from the null sender that were given up in this attempt.
pub fn untold<'a>(item: &'a Item, outcomes: &'a [(u32, Outcome)]) -> Vec<Failed<'a>> {
    match item.reverse_path {
        ReversePath::Null => given_up(item, outcomes).collect(),
        ReversePath::Address(_) => Vec::new(),
    }
}

/// Writes the mails about failures: by these settings, sealed by this outbox, at this moment.
#[derive(Clone, Copy)]
pub struct Reporter<'a> {
    pub settings: &'a Settings,
    /// The next hop, as `host:port`.
    pub server: &'a str,
    pub outbox: Outbox<'a>,
    /// Makes the sender's link to the status page.
    pub action_key: &'a ActionKey,
    pub now: Timestamp,
}

impl Reporter<'_> {
    /// The notice to the postmaster about these recipients; `None` when it cannot be made, and about such a notice itself,
    /// so that there is no end of them. `kept`: the mail is frozen.
    pub fn notice(&self, item: &Item, failed: &[Failed<'_>], kept: bool) -> Option<NewItem> {
        let organisation = routing::organisation(self.settings, item);
        let postmaster =
            Some(&organisation.postmaster).filter(|_| item.kind != QueueItemKind::Undelivered)?;
        let failed: Vec<(&Address, String)> =
            failed.iter().map(|(pending, why)| (&pending.recipient.address, why.for_log())).collect();
        let notice = Undelivered {
            to: postmaster,
            item: &item.id,
            kind: item.kind.as_str(),
            arrived: item.created,
            smarthost: self.server,
            failed: &failed,
            kept,
        };
        made(self.outbox.item(&Context::new(organisation, None, self.now), &notice))
    }

    /// The report on these recipients; `None` when nobody can be told. `original` is the item's body, if it can still be
    /// read. Blocking.
    pub fn report(&self, item: &Item, failed: &[Failed<'_>], original: Option<Opener>) -> Option<NewItem> {
        let to = item.reverse_path.address()?;
        let failed: Vec<FailedRecipient<'_>> = failed.iter().copied().map(describe).collect();
        if failed.is_empty() {
            return None;
        }
        let organisation = routing::organisation(self.settings, item);
        let returned = original.and_then(|opener| returned(item, opener));
        let octets = returned.as_ref().map_or(&[][..], |returned| &returned.octets);
        let message_id = Header::parse(octets).message_id();
        let report = FailureReport {
            to,
            arrived: item.created,
            envid: item.parameters.envid.as_deref(),
            smarthost: self.server,
            about: about(item.kind),
            // A reminder has an id of its own, which its sender has never seen.
            message_id: message_id.as_deref().filter(|_| item.kind != QueueItemKind::Reminder),
            transfer: self.sealed(organisation, item, to),
            failed: &failed,
            original: returned.as_ref().map(|Returned { whole, octets }| match whole {
                true => Original::Whole(octets),
                false => Original::Header(octets),
            }),
        };
        made(self.outbox.item(&Context::new(organisation, None, self.now), &report))
    }

    /// The transfer that a notification or a reminder is about, with the link of its sender, who must be inside.
    fn sealed<'i>(
        &self,
        organisation: &Organisation,
        item: &'i Item,
        to: &Address,
    ) -> Option<(&'i TransferId, Secret)> {
        let link = item.link.as_ref().filter(|_| about(item.kind) != About::Message)?;
        let status = action::status_link(self.action_key, &organisation.public_url, &link.transfer);
        to.is_internal(&organisation.domains).then_some((&link.transfer, status))
    }
}

fn about(kind: QueueItemKind) -> About {
    match kind {
        QueueItemKind::Notification => About::Notification,
        QueueItemKind::Reminder => About::Reminder,
        _ => About::Message,
    }
}

/// Without the mail nobody is told, and the caller keeps the item that failed.
fn made(item: Result<NewItem, NoticeError>) -> Option<NewItem> {
    item.inspect_err(|error| tracing::error!(%error, "a mail about a failure could not be made")).ok()
}

fn describe<'a>((pending, diagnostic): Failed<'a>) -> FailedRecipient<'a> {
    let orcpt = pending.recipient.parameters.orcpt.as_deref();
    FailedRecipient { address: &pending.recipient.address, orcpt, diagnostic }
}

struct Returned {
    whole: bool,
    octets: Vec<u8>,
}

/// Only mail that passes may be returned whole: the text of a notification holds the recipient's link, which
/// is not the sender's, and that of a receipt a password.
fn returned(item: &Item, opener: Opener) -> Option<Returned> {
    // The header of an answer has the subject of what was sealed in it, and its author is outside.
    if item.kind == QueueItemKind::Reply {
        return None;
    }
    let wanted = item.kind == QueueItemKind::Message && item.parameters.ret == Some(Ret::Full);
    let whole = wanted && opener.traits().size <= MOST_WHOLE;
    let mut octets = Vec::new();
    for chunk in opener {
        octets.extend_from_slice(&chunk.ok()?);
        if !whole {
            break;
        }
    }
    if !whole {
        cut_to_header(&mut octets);
    }
    Some(Returned { whole, octets })
}

fn cut_to_header(octets: &mut Vec<u8>) {
    if let Some(end) = memchr::memmem::find(octets, b"\r\n\r\n") {
        octets.truncate(end + 2);
    }
    if octets.len() > MOST_HEADER {
        octets.truncate(MOST_HEADER);
        let end = memchr::memmem::rfind(octets, b"\r\n").map_or(0, |at| at + 2);
        octets.truncate(end);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::diagnostic::Stage;
    use crate::envelope::{EnvelopeRecipient, MailParameters, Notify, RcptParameters};
    use crate::id::{FolderId, Link, QueueId};
    use crate::message::crlf::CrlfBytes;
    use crate::outbox::body;
    use crate::secret::Keys;
    use crate::settings::testing::settings;
    use crate::store::{Body, BodyData, ByHand, Claim, Track};
    use crate::transfer::testing::MemoryBlobs;

    const MESSAGE: &[u8] =
        b"Message-ID: <1@voorbeeld.nl>\r\nSubject: hallo\r\n\r\nhttps://veilig.voorbeeld.nl/t/secret\r\n";

    fn item(kind: QueueItemKind, from: Option<&str>, notify: &[Option<Notify>]) -> Item {
        let recipient = |(number, notify): (u32, &Option<Notify>)| PendingRecipient {
            number,
            recipient: EnvelopeRecipient {
                address: Address::parse(&format!("r{number}@example.org")).unwrap(),
                parameters: RcptParameters { notify: *notify, orcpt: None },
            },
        };
        Item {
            id: QueueId::random(),
            kind,
            organisation: None,
            reverse_path: from
                .map_or(ReversePath::Null, |from| ReversePath::Address(Address::parse(from).unwrap())),
            parameters: MailParameters { ret: Some(Ret::Full), ..MailParameters::default() },
            recipients: (1..).zip(notify).map(recipient).collect(),
            body: Body { key: None, data: BodyData::Inline(Vec::new()) },
            link: None,
            track: Track::default(),
            created: Timestamp::UNIX_EPOCH,
            attempts: 0,
            by_hand: ByHand::default(),
            claim: Claim { owner: FolderId::random(), token: 1, until: Timestamp::UNIX_EPOCH, lease: 0 },
        }
    }

    fn keys() -> &'static Keys {
        static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::derive(&[7; 32]));
        &KEYS
    }

    fn outbox() -> Outbox<'static> {
        Outbox { body_key: &keys().body, link_key: &keys().link, blobs: None }
    }

    fn reporter<'a>(settings: &'a Settings, server: &'a str) -> Reporter<'a> {
        let (outbox, action_key) = (outbox(), &keys().action);
        Reporter { settings, server, outbox, action_key, now: Timestamp::UNIX_EPOCH }
    }

    fn opener(message: &[u8]) -> Opener {
        let sealed = body::seal(&keys().body, &CrlfBytes::check(message.to_vec()).unwrap()).unwrap();
        body::open(&keys().body, &MemoryBlobs::default(), &sealed).unwrap()
    }

    fn failed(numbers: &[u32]) -> Vec<(u32, Outcome)> {
        let why = Diagnostic::remote(Stage::Recipient, 550, "5.1.1 no");
        numbers.iter().map(|n| (*n, Outcome::Failed(why.clone()))).collect()
    }

    #[test]
    fn asks_who_wants_to_hear() {
        let never = Some(Notify::default());
        let only_failure = Some(Notify { failure: true, ..Notify::default() });
        let mut outcomes = failed(&[1, 2, 3]);
        outcomes.push((4, Outcome::Delivered));
        let sent = item(QueueItemKind::Message, Some("jan@voorbeeld.nl"), &[None, never, only_failure, None]);
        let numbers: Vec<u32> =
            to_report(&sent, &outcomes).iter().map(|(pending, _)| pending.number).collect();
        assert_eq!(numbers, [1, 3]);
        assert!(to_report(&item(QueueItemKind::Report, None, &[None]), &outcomes).is_empty());
    }

    #[test]
    fn comes_from_nobody_and_goes_to_the_sender() {
        let report = report_on(QueueItemKind::Message, None);
        assert_eq!(report.envelope.reverse_path, ReversePath::Null);
        assert_eq!(report.envelope.recipients[0].address.as_str(), "jan@voorbeeld.nl");
        assert_eq!(report.kind, QueueItemKind::Report);
    }

    /// The report on a mail that reached none of its recipients.
    fn report_on(kind: QueueItemKind, opener: Option<Opener>) -> NewItem {
        let sent = item(kind, Some("jan@voorbeeld.nl"), &[None]);
        let outcomes = failed(&[1]);
        let failed = to_report(&sent, &outcomes);
        let next_hop = "smarthost.voorbeeld.nl:25";
        let settings = settings("");
        reporter(&settings, next_hop).report(&sent, &failed, opener).unwrap()
    }

    fn text_of(kind: QueueItemKind) -> String {
        text_in(&report_on(kind, Some(opener(MESSAGE))))
    }

    fn text_in(report: &NewItem) -> String {
        let chunks = body::open(&keys().body, &MemoryBlobs::default(), &report.body).unwrap();
        String::from_utf8(chunks.collect::<Result<Vec<_>, _>>().unwrap().concat()).unwrap()
    }

    #[test]
    fn returns_the_whole_message_only_where_that_gives_nothing_away() {
        assert!(text_of(QueueItemKind::Message).contains("/t/secret"));
        let sealed = text_of(QueueItemKind::Notification);
        assert!(sealed.contains("In-Reply-To: <1@voorbeeld.nl>\r\n"), "{sealed}");
        assert!(sealed.contains("Dan is hij nu gesloten."), "{sealed}");
        let reminder = text_of(QueueItemKind::Reminder);
        assert!(!reminder.contains("In-Reply-To: ") && !reminder.contains("gesloten"), "{reminder}");
        assert!(sealed.contains("Subject: hallo") && !sealed.contains("/t/secret"), "{sealed}");
    }

    /// The sender's own link, which can recall the message: to nobody else, and not about other mail.
    #[test]
    fn the_status_page_is_named_to_the_sender_of_what_was_sealed() {
        let settings = settings("");
        let link = Link { transfer: "3k7wp9hmxt".parse().unwrap(), recipient: 1 };
        let status = action::status_link(&keys().action, "https://veilig.voorbeeld.nl", &link.transfer);
        for (kind, from, named) in [
            (QueueItemKind::Notification, "jan@voorbeeld.nl", true),
            (QueueItemKind::Reminder, "jan@voorbeeld.nl", true),
            (QueueItemKind::Notification, "anna@example.org", false),
            (QueueItemKind::Reply, "anna@example.org", false),
            (QueueItemKind::Message, "jan@voorbeeld.nl", false),
        ] {
            let sent = Item { link: Some(link.clone()), ..item(kind, Some(from), &[None]) };
            let outcomes = failed(&[1]);
            let failed = to_report(&sent, &outcomes);
            let report = reporter(&settings, "mx.example.org:25").report(&sent, &failed, None).unwrap();
            let text = text_in(&report);
            assert_eq!(text.contains(status.reveal()), named, "{kind:?} {from}: {text}");
            assert_eq!(text.contains("Kenmerk: 3k7wp-9hmxt"), named, "{kind:?} {from}");
            assert_eq!(report.track.transfer.as_ref(), named.then_some(&link.transfer));
            assert!(!text.contains("/t/3k7wp9hmxt"), "the recipient's link is in none");
        }
    }

    #[test]
    fn cuts_endless_headers_at_a_line() {
        let mut octets = b"X: y\r\n".repeat(20_000);
        cut_to_header(&mut octets);
        assert!(octets.len() <= MOST_HEADER && octets.ends_with(b"X: y\r\n"));
    }
}
