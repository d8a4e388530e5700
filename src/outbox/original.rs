//! The fields of a message on the notification that takes its place, written anew: whatever the original has, the
//! notification is a correct message (RFC 5322 3.6) in the same thread. What is missing or broken is made of the envelope
//! and the clock. Used by `intake`.

use super::NoticeError;
use super::compose::{Fields, writable};
use super::sender_card::SenderCard;
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::envelope::Envelope;
use crate::id::QueueId;
use crate::message::date;
use crate::message::header::{Header, is_identifier};
use crate::message::mailbox::Mailbox;
use crate::settings::Organisation;

/// Authors of one message that are named.
const MAX_AUTHORS: usize = 100;

/// Bytes of a References field. Threads of some hundred messages stay whole.
const MAX_REFERENCES: usize = 32 << 10;

/// A message whose place a notification takes.
pub struct Original<'a> {
    /// Its header.
    pub header: &'a Header<'a>,
    /// What it came in.
    pub envelope: &'a Envelope,
    /// Whose message it is.
    pub organisation: &'a Organisation,
    /// Who sent it, as its recipients are shown them.
    pub sender: &'a SenderCard,
    /// Who is answered in the author's place.
    pub reply_to: &'a [Mailbox],
    /// When it came.
    pub now: Timestamp,
}

/// The Message-ID of the notification of a message: the message's own, or one of ours where it has none that others may
/// answer to.
pub fn message_id(header: &Header<'_>, id: &QueueId, hostname: &str) -> String {
    header
        .message_id()
        .filter(|own| is_identifier(own))
        .unwrap_or_else(|| format!("<{id}.original@{hostname}>"))
}

impl Original<'_> {
    /// The fields, below those in `trace`.
    pub fn fields(&self, trace: &[u8], message_id: &str) -> Result<Fields, NoticeError> {
        let Self { header, envelope, .. } = self;
        let utf8 = envelope.parameters.smtputf8
            || envelope.reverse_path.address().is_some_and(Address::needs_smtputf8);
        let authors = self.authors(utf8);
        let sender = self.agent(&authors, utf8);
        let date = header.all("Date").find_map(|field| date::canonical(&field.value()));
        let fields = Fields::copied(trace)?
            .mailboxes("From", authors, utf8)
            .mailboxes("Sender", sender, utf8)
            .mailboxes("Reply-To", self.reply_to.iter().cloned(), utf8);
        let fields = self.recipients(self.recipients(fields, "To", utf8), "Cc", utf8);
        let references = within(header.identifiers("References"), MAX_REFERENCES);
        Ok(fields
            .exact("Date", &date.unwrap_or_else(|| rfc5322(self.now)))
            .exact("Message-ID", message_id)
            .identifiers("In-Reply-To", &within(header.identifiers("In-Reply-To"), MAX_REFERENCES))
            .identifiers("References", &references))
    }

    fn recipients(&self, fields: Fields, name: &str, utf8: bool) -> Fields {
        let mut mailboxes = self.header.mailboxes(name).peekable();
        let is_empty = mailboxes.peek().is_none();
        match is_empty && self.header.first(name).is_some_and(|field| !field.body().trim_ascii().is_empty()) {
            true => fields.nobody(name),
            false => fields.mailboxes(name, mailboxes, utf8),
        }
    }

    /// The authors that the message names, or else who sent it.
    fn authors(&self, utf8: bool) -> Vec<Mailbox> {
        let mut authors: Vec<Mailbox> = Vec::new();
        for author in self.header.mailboxes("From").take(MAX_AUTHORS) {
            let Some(address) = author.address.as_ref().filter(|address| writable(address, utf8).is_some())
            else {
                continue;
            };
            let is_known = |other: &Mailbox| is_of(other, address);
            if !authors.iter().any(is_known) {
                authors.push(author);
            }
        }
        if authors.is_empty() {
            let address = self.envelope.reverse_path.address().unwrap_or(&self.organisation.postmaster);
            let mut names =
                self.header.mailboxes("From").take(MAX_AUTHORS).filter(|one| one.address.is_none());
            let name = names.find_map(|one| one.name.filter(|name| !name.contains('@')));
            let card = Some(self.sender.name.clone())
                .filter(|name| self.sender.email.is_same_mailbox(address) && name != address.as_str());
            authors.push(Mailbox { name: name.or(card), address: Some(address.clone()) });
        }
        authors
    }

    /// Who sent it, where that is not its one author (RFC 5322 3.6.2): as it says itself, or else as the envelope says
    /// where it has several authors, or one from outside.
    fn agent(&self, authors: &[Mailbox], utf8: bool) -> Option<Mailbox> {
        let [first, others @ ..] = authors else { return None };
        let is_usable =
            |one: &Mailbox| one.address.as_ref().is_some_and(|address| writable(address, utf8).is_some());
        let domains = &self.organisation.domains;
        let is_ours = first.address.as_ref().is_some_and(|address| address.is_internal(domains));
        let of_envelope = || self.envelope.reverse_path.address().cloned().map(Mailbox::from);
        let named = self.header.mailboxes("Sender").find(is_usable);
        let agent = match (others.is_empty(), is_ours) {
            (true, true) => named,
            _ => named.or_else(of_envelope).or_else(|| Some(first.clone())),
        };
        agent.filter(|agent| {
            !others.is_empty() || !agent.address.as_ref().is_some_and(|address| is_of(first, address))
        })
    }
}

fn is_of(mailbox: &Mailbox, address: &Address) -> bool {
    mailbox.address.as_ref().is_some_and(|own| own.is_same_mailbox(address))
}

/// As many of the identifiers as take no more bytes than that: the first, which names the thread, and the last ones.
fn within(ids: Vec<String>, most: usize) -> Vec<String> {
    let length = |id: &String| id.len() + 3;
    if ids.iter().map(length).sum::<usize>() <= most {
        return ids;
    }
    let mut ids = ids.into_iter();
    let first = ids.next();
    let mut room = most.saturating_sub(first.as_ref().map_or(0, length));
    let mut last: Vec<String> = ids
        .rev()
        .map_while(|id| {
            room = room.checked_sub(length(&id))?;
            Some(id)
        })
        .collect();
    last.extend(first);
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ReversePath;
    use crate::envelope::MailParameters;

    fn organisation() -> Organisation {
        crate::settings::testing::organisation()
    }

    /// What a notification has of a message with this header, which came from `from`.
    fn fields_of(header: &str, from: &str) -> String {
        let reverse_path = Address::parse(from).map_or(ReversePath::Null, ReversePath::Address);
        let envelope =
            Envelope { reverse_path, parameters: MailParameters::default(), recipients: Vec::new() };
        let (organisation, header) = (organisation(), Header::parse(header.as_bytes()));
        let sender = SenderCard::of_message(&header, envelope.reverse_path.address(), &organisation);
        let original = Original {
            header: &header,
            envelope: &envelope,
            organisation: &organisation,
            sender: &sender,
            reply_to: &[],
            now: Timestamp::UNIX_EPOCH,
        };
        let id = message_id(&header, &"0123456789ab".parse().unwrap(), "veilig.voorbeeld.nl");
        String::from_utf8(original.fields(b"", &id).unwrap().into_bytes()).unwrap()
    }

    const SANNE: &str = "sanne@voorbeeld.nl";

    fn field(text: &str, name: &str) -> Option<String> {
        let header = Header::parse(text.as_bytes());
        let all: Vec<_> = header.all(name).collect();
        assert!(all.len() <= 1, "{text}");
        all.first().map(|field| {
            String::from_utf8_lossy(field.body()).split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn what_is_missing_is_made() {
        for header in
            ["", "Subject: x\r\n", "From: \r\nDate: soon\r\nMessage-ID: x y\r\n", "rubbish\r\n\x00: y\r\n"]
        {
            let text = fields_of(header, SANNE);
            assert_eq!(field(&text, "From").as_deref(), Some(SANNE), "{header}");
            assert_eq!(field(&text, "Date").as_deref(), Some("Thu, 01 Jan 1970 00:00:00 +0000"));
            assert_eq!(
                field(&text, "Message-ID").as_deref(),
                Some("<0123456789ab.original@veilig.voorbeeld.nl>")
            );
            for name in ["Sender", "To", "Cc", "Reply-To", "References", "In-Reply-To"] {
                assert_eq!(field(&text, name), None, "{header}");
            }
        }
    }

    #[test]
    fn authors_are_those_who_have_an_address() {
        for (header, from, sender) in [
            ("From: postmaster@\r\n", "sanne@voorbeeld.nl", None),
            ("From: Sanne\r\n", "Sanne <sanne@voorbeeld.nl>", None),
            ("From: \"Sanne de Vries\"\r\n", "Sanne de Vries <sanne@voorbeeld.nl>", None),
            ("From: Piet\u{eb} <p@voorbeeld.nl>\r\n", "=?utf-8?B?UGlldMOr?= <p@voorbeeld.nl>", None),
            ("From: j\u{f6}rg@voorbeeld.nl\r\n", "sanne@voorbeeld.nl", None),
            (
                "From: a@voorbeeld.nl\r\nFrom: b@voorbeeld.nl\r\n",
                "a@voorbeeld.nl, b@voorbeeld.nl",
                Some("sanne@voorbeeld.nl"),
            ),
            ("From: a@voorbeeld.nl, A@voorbeeld.nl\r\n", "a@voorbeeld.nl", None),
            (
                "From: a@voorbeeld.nl\r\nSender: Sec <s@voorbeeld.nl>\r\n",
                "a@voorbeeld.nl",
                Some("Sec <s@voorbeeld.nl>"),
            ),
            ("From: a@voorbeeld.nl\r\nSender: a@voorbeeld.nl\r\n", "a@voorbeeld.nl", None),
            ("From: a@voorbeeld.nl\r\nSender: nobody\r\n", "a@voorbeeld.nl", None),
            (
                "From: a@voorbeeld.nl, b@voorbeeld.nl\r\nSender: s@voorbeeld.nl\r\n",
                "a@voorbeeld.nl, b@voorbeeld.nl",
                Some("s@voorbeeld.nl"),
            ),
            (
                "From: a@voorbeeld.nl, b@voorbeeld.nl\r\nSender: b@voorbeeld.nl\r\n",
                "a@voorbeeld.nl, b@voorbeeld.nl",
                Some("b@voorbeeld.nl"),
            ),
            ("From: Jan <jan@gmail.example>\r\n", "Jan <jan@gmail.example>", Some("sanne@voorbeeld.nl")),
        ] {
            let text = fields_of(header, SANNE);
            assert_eq!(field(&text, "From").unwrap(), from, "{header}");
            assert_eq!(field(&text, "Sender").as_deref(), sender, "{header}");
        }
        let text = fields_of("From: x, y\r\nSender: q\r\n", "<>");
        assert_eq!(field(&text, "From").unwrap(), "\"x, y\" <postmaster@voorbeeld.nl>");
    }

    #[test]
    fn long_lists_are_folded() {
        let to: Vec<String> = (0..300).map(|n| format!("Bewoner {n} <b{n}@example.org>")).collect();
        let ids: Vec<String> = (0..400).map(|n| format!("<{n:040}@voorbeeld.nl>")).collect();
        let text = fields_of(
            &format!(
                "To: {}\r\nCc: undisclosed-recipients:;\r\nReferences: {}\r\n",
                to.join(","),
                ids.join(" ")
            ),
            SANNE,
        );
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        let header = Header::parse(text.as_bytes());
        assert_eq!(header.mailboxes("To").count(), 300);
        assert_eq!(header.identifiers("References"), ids);
        assert_eq!(field(&text, "Cc").as_deref(), Some("undisclosed-recipients:;"));
    }

    #[test]
    fn of_an_endless_thread_the_middle_goes() {
        let ids: Vec<String> = (0..5).map(|n| format!("<{n}@x>")).collect();
        assert_eq!(within(ids.clone(), 40), ids);
        assert_eq!(within(ids.clone(), 39), ["<0@x>", "<2@x>", "<3@x>", "<4@x>"]);
        assert_eq!(within(ids, 8), ["<0@x>"]);
        let many: String = (0..5000).map(|n| format!("<{n:060}@voorbeeld.nl> ")).collect();
        let text = fields_of(&format!("References: {many}\r\n"), SANNE);
        assert!(text.len() < 34_000 && text.contains("<00") && text.contains("4999@"), "{}", text.len());
    }
}
