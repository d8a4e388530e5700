//! Failure reports for those who must hear (H05): one for each attempt that gave recipients up, to the
//! reverse path, from the null sender. Never about mail that has a null reverse path, so that no report
//! answers a report (H08): of that the postmaster gets a notice (C38). Called by `worker`.

use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::diagnostic::{Diagnostic, Outcome};
use crate::envelope::{BodyType, Envelope, EnvelopeRecipient, MailParameters, Ret};
use crate::id::QueueId;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::outbox::body::{self, Opener};
use crate::outbox::notices::failure::{About, FailedRecipient, FailureFacts, Original, failure};
use crate::outbox::notices::undelivered::{UndeliveredFacts, undelivered};
use crate::outbox::origin;
use crate::queue::way;
use crate::secret::{BodyKey, LinkKey};
use crate::settings::Settings;
use crate::store::{Body, Item, Kind, NewItem, PendingRecipient};

/// Octets of a returned header; what is longer is cut at a line.
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

/// The notice to the postmaster about these recipients; `None` when it cannot be made, and about such a notice itself, so
/// that there is no end of them. `kept`: the mail is frozen.
pub fn notice(
    settings: &Settings,
    (key, link_key): (&BodyKey, &LinkKey),
    now: Timestamp,
    item: &Item,
    failed: &[Failed<'_>],
    kept: bool,
) -> Option<NewItem> {
    let organisation = way::organisation(settings, item);
    let postmaster = Some(&organisation.postmaster).filter(|_| item.kind != Kind::Undelivered)?;
    let id = QueueId::random();
    let failed: Vec<(&Address, String)> =
        failed.iter().map(|(pending, why)| (&pending.recipient.address, why.for_log())).collect();
    let mail = undelivered(&UndeliveredFacts {
        language: organisation.language,
        organisation,
        hostname: &organisation.hostname,
        to: postmaster,
        item: &item.id,
        kind: item.kind.as_str(),
        arrived: item.created,
        smarthost: &settings.relay.next_hop(way::direction(settings, item)).smarthost,
        failed: &failed,
        kept,
        id: &id,
        now,
    });
    let mail = mail
        .inspect_err(|error| tracing::error!(%error, "the notice to the postmaster could not be made"))
        .ok()?;
    let envelope = Envelope {
        reverse_path: ReversePath::Null,
        parameters: MailParameters { smtputf8: postmaster.needs_smtputf8(), ..MailParameters::default() },
        recipients: vec![EnvelopeRecipient::from(postmaster.clone())],
    };
    let body = seal(key, &origin::marked(link_key, &id, &mail))?;
    Some(NewItem { id, kind: Kind::Undelivered, envelope, body, link: None, created: now })
}

/// Without a key for it there is no mail, and what it is about is kept.
fn seal(key: &BodyKey, mail: &CrlfBytes) -> Option<Body> {
    body::seal(key, mail)
        .inspect_err(|error| tracing::error!(%error, "a mail about a failure could not be sealed"))
        .ok()
}

/// The report on these recipients; `None` when nobody can be told. `original` is the item's body, if it can
/// still be read. Blocking.
pub fn report(
    settings: &Settings,
    keys: (&BodyKey, &LinkKey),
    now: Timestamp,
    item: &Item,
    failed: &[Failed<'_>],
    original: Option<Opener>,
) -> Option<NewItem> {
    let to = item.reverse_path.address()?;
    let failed: Vec<FailedRecipient<'_>> = failed.iter().copied().map(describe).collect();
    if failed.is_empty() {
        return None;
    }
    let (organisation, id) = (way::organisation(settings, item), QueueId::random());
    let returned = original.and_then(|opener| returned(item, opener));
    let octets = returned.as_ref().map_or(&[][..], |returned| &returned.octets);
    let message_id = Header::parse(octets).message_id();
    let message = failure(&FailureFacts {
        id: &id,
        hostname: &organisation.hostname,
        organisation: &organisation.name,
        time: now,
        to,
        arrived: item.created,
        envid: item.parameters.envid.as_deref(),
        smarthost: &settings.relay.next_hop(way::direction(settings, item)).smarthost,
        about: match item.kind {
            Kind::Notification => About::Notification,
            Kind::Reminder => About::Reminder,
            _ => About::Message,
        },
        // A reminder has an id of its own, which its sender has never seen.
        message_id: message_id.as_deref().filter(|_| item.kind != Kind::Reminder),
        failed: &failed,
        original: match &returned {
            None => Original::Lost,
            Some(Returned { whole: true, octets }) => Original::Whole(octets),
            Some(Returned { whole: false, octets }) => Original::Header(octets),
        },
    });
    let body = (!message.as_slice().is_ascii()).then_some(BodyType::EightBitMime);
    let envelope = Envelope {
        reverse_path: ReversePath::Null,
        parameters: MailParameters { body, smtputf8: to.needs_smtputf8(), ..MailParameters::default() },
        recipients: vec![EnvelopeRecipient::from(to.clone())],
    };
    // In the row whatever its size: a disk without room for a blob must not cost the sender the report.
    let (body_key, link_key) = keys;
    let body = seal(body_key, &origin::marked(link_key, &id, &message))?;
    Some(NewItem { id, kind: Kind::Report, envelope, body, link: None, created: now })
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
    if item.kind == Kind::Reply {
        return None;
    }
    let wanted = item.kind == Kind::Message && item.parameters.ret == Some(Ret::Full);
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
    use crate::envelope::{Notify, RcptParameters};
    use crate::secret::Keys;
    use crate::settings::testing::settings;
    use crate::store::BodyData;
    use crate::transfer::testing::MemoryBlobs;

    const MESSAGE: &[u8] =
        b"Message-ID: <1@voorbeeld.nl>\r\nSubject: hallo\r\n\r\nhttps://veilig.voorbeeld.nl/t/secret\r\n";

    fn item(kind: Kind, from: Option<&str>, notify: &[Option<Notify>]) -> Item {
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
            reverse_path: from
                .map_or(ReversePath::Null, |from| ReversePath::Address(Address::parse(from).unwrap())),
            parameters: MailParameters { ret: Some(Ret::Full), ..MailParameters::default() },
            recipients: (1..).zip(notify).map(recipient).collect(),
            body: Body { key: None, data: BodyData::Inline(Vec::new()) },
            link: None,
            created: Timestamp::UNIX_EPOCH,
            attempts: 0,
        }
    }

    fn key() -> BodyKey {
        static KEY: LazyLock<BodyKey> = LazyLock::new(|| Keys::derive(&[7; 32]).body);
        KEY.clone()
    }

    fn link_key() -> LinkKey {
        Keys::derive(&[7; 32]).link
    }

    fn opener(message: &[u8]) -> Opener {
        let sealed = body::seal(&key(), &CrlfBytes::check(message.to_vec()).unwrap()).unwrap();
        body::open(&key(), &MemoryBlobs::default(), &sealed).unwrap()
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
        let sent = item(Kind::Message, Some("jan@voorbeeld.nl"), &[None, never, only_failure, None]);
        let numbers: Vec<u32> =
            to_report(&sent, &outcomes).iter().map(|(pending, _)| pending.number).collect();
        assert_eq!(numbers, [1, 3]);
        assert!(to_report(&item(Kind::Report, None, &[None]), &outcomes).is_empty());
    }

    #[test]
    fn comes_from_nobody_and_goes_to_the_sender() {
        let sent = item(Kind::Message, Some("jan@voorbeeld.nl"), &[None]);
        let outcomes = failed(&[1]);
        let failed = to_report(&sent, &outcomes);
        let report =
            report(&settings(""), (&key(), &link_key()), Timestamp::UNIX_EPOCH, &sent, &failed, None)
                .unwrap();
        assert_eq!(report.envelope.reverse_path, ReversePath::Null);
        assert_eq!(report.envelope.recipients[0].address.as_str(), "jan@voorbeeld.nl");
        assert_eq!(report.kind, Kind::Report);
    }

    fn text_of(kind: Kind) -> String {
        let sent = item(kind, Some("jan@voorbeeld.nl"), &[None]);
        let outcomes = failed(&[1]);
        let failed = to_report(&sent, &outcomes);
        let report = report(
            &settings(""),
            (&key(), &link_key()),
            Timestamp::UNIX_EPOCH,
            &sent,
            &failed,
            Some(opener(MESSAGE)),
        );
        let chunks = body::open(&key(), &MemoryBlobs::default(), &report.unwrap().body).unwrap();
        String::from_utf8(chunks.collect::<Result<Vec<_>, _>>().unwrap().concat()).unwrap()
    }

    #[test]
    fn returns_the_whole_message_only_where_that_gives_nothing_away() {
        assert!(text_of(Kind::Message).contains("/t/secret"));
        let sealed = text_of(Kind::Notification);
        assert!(sealed.contains("In-Reply-To: <1@voorbeeld.nl>\r\n"), "{sealed}");
        assert!(sealed.contains("Dan is hij nu gesloten."), "{sealed}");
        let reminder = text_of(Kind::Reminder);
        assert!(!reminder.contains("In-Reply-To: ") && !reminder.contains("gesloten"), "{reminder}");
        assert!(sealed.contains("Subject: hallo") && !sealed.contains("/t/secret"), "{sealed}");
    }

    #[test]
    fn cuts_endless_headers_at_a_line() {
        let mut octets = b"X: y\r\n".repeat(20_000);
        cut_to_header(&mut octets);
        assert!(octets.len() <= MOST_HEADER && octets.ends_with(b"X: y\r\n"));
    }
}
