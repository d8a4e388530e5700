//! The header of a message (RFC 5322 2.2), read from the bytes as they are asked for and nothing more:
//! a message that passes costs one look at a few fields. Broken headers are read as every mail program
//! might read them, so that no field can be hidden (C06).

use std::collections::HashSet;

use memchr::{memchr2, memmem};

use super::mailbox::{Mailbox, Mailboxes};
use super::parameter::Structured;
use super::{decode, encoded};

/// Bytes of a header that are looked at. What is longer is no ordinary mail: see [`Header::is_oversized`].
pub const MAX_HEADER: usize = 4 << 20;

/// Bytes of an address field that are looked at.
const MAX_STRUCTURED: usize = 64 << 10;

/// Mailboxes of one list that are looked at.
const MAX_MAILBOXES: usize = 100;

/// Message-IDs of one thread that are looked at: the first and the last ones. Nobody answers that often.
const MAX_IDS: usize = 1000;

/// Bytes of an identifier that fits on a line.
const MAX_IDENTIFIER: usize = 900;

/// Bytes of a Thread-Index that name the conversation, and fields of that name that are looked at.
const CONVERSATION: usize = 22;
const MAX_INDEXES: usize = 10;

/// The header block of a message or of a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    block: &'a [u8],
    oversized: bool,
}

/// One field, with its folding.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    raw: &'a [u8],
    colon: usize,
}

impl<'a> Header<'a> {
    /// The header of a message: everything before the first empty line.
    pub fn parse(message: &'a [u8]) -> Self {
        let (block, _) = split(message);
        let kept = block.get(..MAX_HEADER).unwrap_or(block);
        Self { block: kept, oversized: kept.len() < block.len() }
    }

    /// The header is longer than [`MAX_HEADER`], and fields beyond that are not seen.
    pub fn is_oversized(&self) -> bool {
        self.oversized
    }

    /// All of it as text, lines that are no field included: some programs show those.
    pub fn text(&self) -> String {
        encoded::text(self.block)
    }

    /// The bytes that it was read from.
    pub(super) fn as_bytes(&self) -> &'a [u8] {
        self.block
    }

    /// Every field, from the top. Lines that are no field are skipped.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        Fields { rest: self.block }
    }

    /// Every field with where it starts in the message.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, Field<'a>)> + use<'a> {
        let (block, mut fields) = (self.block, Fields { rest: self.block });
        std::iter::from_fn(move || {
            let field = fields.next()?;
            Some((block.len() - fields.rest.len() - field.raw.len(), field))
        })
    }

    /// Every field of this name, from the top; letter case and stray blanks aside.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = Field<'a>> + use<'a, 'n> {
        self.fields().filter(move |field| field.is_named(name))
    }

    /// The topmost field of this name.
    pub fn first(&self, name: &str) -> Option<Field<'a>> {
        self.all(name).next()
    }

    /// The topmost field of this name, which has parameters; empty where there is none.
    pub(super) fn structured(&self, name: &str) -> Structured {
        self.first(name).map(|field| Structured::parse(field.body())).unwrap_or_default()
    }

    /// The charset that Content-Type names.
    pub fn charset(&self) -> Option<String> {
        self.structured("Content-Type").text("charset")
    }

    /// The subject as a mail program shows it; empty where there is none.
    pub fn subject(&self) -> String {
        self.first("Subject").map(|field| field.value()).unwrap_or_default()
    }

    /// The first author that has an address, or else the first.
    pub fn from(&self) -> Mailbox {
        let first = || self.first("From").map(|field| Mailbox::parse(field.structured()));
        self.mailboxes("From").find(|author| author.address.is_some()).or_else(first).unwrap_or_default()
    }

    /// The authors besides [`Header::from`].
    pub fn co_authors(&self) -> Vec<Mailbox> {
        let mut authors: Vec<Mailbox> = self.mailboxes("From").take(MAX_MAILBOXES).collect();
        let from = self.from();
        if let Some(at) = authors.iter().position(|author| *author == from) {
            authors.remove(at);
        }
        authors
    }

    /// Who sent the message for its author (RFC 5322 3.6.2), where that is somebody else.
    pub fn agent(&self) -> Option<Mailbox> {
        let agent = self.mailboxes("Sender").find(|one| one.address.is_some())?;
        let address = agent.address.as_ref()?;
        let is_same = |one: Mailbox| one.address.is_some_and(|other| other.is_same_mailbox(address));
        (!self.mailboxes("From").any(is_same)).then_some(agent)
    }

    /// The mailboxes in all fields of this name, in their order. What has no address has a name.
    pub fn mailboxes<'n>(&self, name: &'n str) -> impl Iterator<Item = Mailbox> + use<'a, 'n> {
        self.all(name).flat_map(|field| Mailboxes::of(field.body()))
    }

    /// The mailboxes to answer in place of the author's (RFC 5322 3.6.2).
    pub fn reply_to(&self) -> Vec<Mailbox> {
        self.mailboxes("Reply-To").take(MAX_MAILBOXES).collect()
    }

    /// The Message-ID, in its angle brackets.
    pub fn message_id(&self) -> Option<String> {
        self.ids(&["Message-ID"]).into_iter().next()
    }

    /// What later messages of the thread name it by: its own Message-ID, and the thread that Outlook counts it to. What
    /// it answers is not among them: others have chosen those Message-IDs.
    pub fn thread_ids(&self) -> Vec<String> {
        self.with_conversations(self.ids(&["Message-ID"]))
    }

    /// What names the thread that this message goes on with: the Message-IDs it answers or forwards, and the
    /// thread that Outlook counts it to.
    pub fn answers(&self) -> Vec<String> {
        self.with_conversations(self.ids(&["In-Reply-To", "References", "X-Forwarded-Message-Id"]))
    }

    fn with_conversations(&self, mut ids: Vec<String>) -> Vec<String> {
        for index in self.all("Thread-Index").take(MAX_INDEXES).filter_map(|field| field.conversation()) {
            if !ids.contains(&index) {
                ids.push(index);
            }
        }
        ids
    }

    /// The identifiers in all fields of this name, in their order, each once; of very many the first and the last ones.
    pub fn identifiers(&self, name: &str) -> Vec<String> {
        self.ids(&[name])
    }

    /// What an answer to this message carries in its References field (RFC 5322 3.6.4): the thread so far, then the
    /// message itself.
    pub fn references_of_answer(&self) -> Vec<String> {
        let mut ids = self.ids(&["References", "In-Reply-To"]);
        let own = self.message_id();
        ids.retain(|id| Some(id) != own.as_ref());
        ids.extend(own);
        ids
    }

    /// Whether the message must not be answered by a program (RFC 3834 2, H09).
    pub fn is_automatic(&self) -> bool {
        let says = |name, words: &[&str]| {
            self.all(name).any(|field| words.contains(&field.word().to_ascii_lowercase().as_str()))
        };
        self.all("Auto-Submitted")
            .any(|field| !matches!(field.word().to_ascii_lowercase().as_str(), "" | "no"))
            || says("Precedence", &["bulk", "list", "junk"])
            || self.first("List-Id").is_some()
    }

    /// How many hops the message has made (RFC 5321 6.3, H07).
    pub fn received_count(&self) -> usize {
        self.all("Received").count()
    }

    /// Whether a hop of this name has seen the message before (H07).
    pub fn was_received_by(&self, hostname: &str) -> bool {
        self.hops().any(|hop| hop.host.eq_ignore_ascii_case(hostname))
    }

    /// The hops that the message has made, the last one first.
    pub fn hops(&self) -> impl Iterator<Item = Hop> + use<'a> {
        self.all("Received").map(|field| Hop::parse(&field.value()))
    }

    /// The identifiers in all fields of these names, in their order, each once.
    fn ids(&self, names: &[&str]) -> Vec<String> {
        let mut seen = HashSet::new();
        let mut ids: Vec<String> = Vec::new();
        for field in names.iter().flat_map(|name| self.all(name)) {
            ids.extend(field.ids().into_iter().filter(|id| seen.insert(id.clone())));
        }
        if ids.len() > MAX_IDS {
            ids.drain(MAX_IDS / 2..ids.len() - MAX_IDS / 2);
        }
        ids
    }
}

impl<'a> Field<'a> {
    /// The bytes as they came, with folding and line ends.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The name as it was written, without blanks around it.
    pub fn name(&self) -> String {
        encoded::text(self.raw.get(..self.colon).unwrap_or_default()).trim().to_owned()
    }

    /// What stands after the colon, as it came.
    pub fn body(&self) -> &'a [u8] {
        self.raw.get(self.colon + 1..).unwrap_or_default()
    }

    /// The value as a mail program shows it: unfolded, encoded words decoded (RFC 2047). It never holds a
    /// line end or another control character (C13).
    pub fn value(&self) -> String {
        encoded::decode(self.body())
    }

    /// The value in every way that a mail program may read it; the first is [`Field::value`] (C06). `charset` is that
    /// of the message.
    pub fn readings(&self, charset: impl FnOnce() -> Option<String>) -> Vec<String> {
        encoded::readings(self.body(), charset)
    }

    /// Whether another program may read something else.
    pub fn is_unreadable(&self) -> bool {
        encoded::is_unreadable(self.body())
    }

    /// Whether this is the field of that name. What cannot be in a name (RFC 5322 3.6.8) is ignored: blanks,
    /// control characters, a byte order mark. Some programs do so.
    pub fn is_named(&self, name: &str) -> bool {
        let written = self.raw.get(..self.colon).unwrap_or_default();
        let mut letters = written.iter().filter(|c| c.is_ascii_graphic());
        let mut wanted = name.bytes();
        loop {
            match (letters.next(), wanted.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(&b) => {}
                _ => return false,
            }
        }
    }

    /// The identifiers in angle brackets (RFC 5322 3.6.4), or one that lacks them.
    fn ids(&self) -> Vec<String> {
        let text = encoded::text(self.body());
        let mut ids = Vec::new();
        for piece in text.split('<').skip(1) {
            let id: String = piece.split('>').next().unwrap_or("").split_whitespace().collect();
            if piece.contains('>') && !id.is_empty() {
                ids.push(format!("<{id}>"));
            }
        }
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some(word), None) if !text.contains(['<', '>']) => vec![format!("<{word}>")],
            _ => ids,
        }
    }

    /// The conversation in a Thread-Index, in a form that no Message-ID has: the first 22 bytes stay the same
    /// through all answers, 5 more are added with each (MS-OXOMSG 2.2.1.3).
    fn conversation(&self) -> Option<String> {
        let (index, _) = decode::base64(self.structured());
        let root = index.get(..CONVERSATION)?;
        let hex: String = root.iter().map(|octet| format!("{octet:02x}")).collect();
        Some(format!("thread-index {hex}"))
    }

    /// As much of the value as an address may take.
    fn structured(&self) -> &'a [u8] {
        let body = self.body();
        body.get(..MAX_STRUCTURED).unwrap_or(body)
    }

    /// The first word of the value, before comments and parameters.
    pub(super) fn word(&self) -> String {
        let value = encoded::text(self.structured());
        let end = |c: char| c.is_whitespace() || c == ';' || c == '(';
        value.trim().split(end).next().unwrap_or("").to_owned()
    }
}

/// A server that a message went through, as its `Received` field has it (RFC 5321 4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Its name; empty where the field has none.
    pub host: String,
    /// The time; empty where the field has none.
    pub time: String,
}

impl Hop {
    fn parse(value: &str) -> Self {
        let mut words = value.split_ascii_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("by"));
        let host = words.nth(1).unwrap_or("").trim_end_matches(';').to_owned();
        let time = value.rsplit_once(';').map_or("", |(_, time)| time.trim()).to_owned();
        Self { host, time }
    }
}

/// Whether this is an identifier as messages bear it today (RFC 5322 3.6.4): `<left@right>`, without quoted strings.
pub fn is_identifier(id: &str) -> bool {
    let is_atom = |atom: &str| {
        let is_text = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
        !atom.is_empty() && atom.bytes().all(is_text)
    };
    let is_dot_atom = |text: &str| text.split('.').all(is_atom);
    let is_literal = |text: &str| {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        inner.is_some_and(|inner| inner.bytes().all(|c| c.is_ascii_graphic() && !b"[]\\<>".contains(&c)))
    };
    let inner =
        id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).filter(|_| id.len() <= MAX_IDENTIFIER);
    inner
        .and_then(|id| id.split_once('@'))
        .is_some_and(|(left, right)| is_dot_atom(left) && (is_dot_atom(right) || is_literal(right)))
}

/// Header block (with the line end of its last field) and body of a message or part.
pub(super) fn split(message: &[u8]) -> (&[u8], &[u8]) {
    if let Some(body) = message.strip_prefix(b"\r\n") {
        return (b"", body);
    }
    match memmem::find(message, b"\r\n\r\n") {
        Some(at) => {
            let (block, rest) = message.split_at_checked(at + 2).unwrap_or((message, b""));
            (block, rest.get(2..).unwrap_or_default())
        }
        None => (message, b""),
    }
}

/// Walks over the lines of a header.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        while !self.rest.is_empty() {
            let (raw, rest) =
                self.rest.split_at_checked(folded_length(self.rest)).unwrap_or((self.rest, b""));
            self.rest = rest;
            // A line without a colon, or with nothing before it, is no field. (The first line of an mbox
            // entry becomes a field of a name that nobody asks for.)
            let separator = memchr2(b':', b'\n', raw).filter(|&at| raw.get(at) == Some(&b':'));
            let Some(colon) = separator else { continue };
            let name = raw.get(..colon).unwrap_or_default().trim_ascii();
            if !name.is_empty() {
                return Some(Field { raw, colon });
            }
        }
        None
    }
}

/// Bytes of the first line and the lines folded into it (RFC 5322 2.2.3).
fn folded_length(lines: &[u8]) -> usize {
    for end in memchr::memchr_iter(b'\n', lines) {
        if !matches!(lines.get(end + 1), Some(b' ' | b'\t')) {
            return end + 1;
        }
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(message: &[u8]) -> String {
        Header::parse(message).subject()
    }

    #[test]
    fn reads_fields_however_they_are_written() {
        for message in [
            &b"Subject: een twee\r\n\r\nSubject: drie\r\n"[..],
            b"subject:een\r\n twee\r\n\r\n",
            b"SUBJECT \t : een\r\n\t twee",
            b"From jan@voorbeeld.nl Mon Nov 23 10:11:12 2026\r\nSubject: een twee\r\n\r\n",
            b"no field here\r\nSubject: een twee\r\n\r\n",
            b" Subject: een twee\r\nTo: x\r\n\r\n",
            b"Subject:\r\n een\r\n \r\n twee\r\n\r\n",
            b"\x80\xff: x\r\nSubject: een twee\r\n\r\n",
            b"\xef\xbb\xbfSubject: een twee\r\n\r\n",
            b"Subject\x0b: een twee\r\n\r\n",
            b"\x01Sub\xe2\x80\x8bject\xc2\xa0: een twee\r\n\r\n",
        ] {
            let words = subject(message).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(words, "een twee", "{}", message.escape_ascii());
        }
        assert_eq!(subject(b"\r\nSubject: body\r\n"), "");
        assert_eq!(subject(b""), "");
    }

    #[test]
    fn counts_and_keeps_duplicates() {
        let message = b"Received: a by x\r\nReceived: from b\r\n by Veilig.voorbeeld.nl; now\r\nSubject: 1\r\nSubject: 2\r\n\r\n";
        let header = Header::parse(message);
        assert_eq!(header.received_count(), 2);
        assert!(header.was_received_by("veilig.voorbeeld.nl"));
        assert!(!header.was_received_by("voorbeeld.nl"));
        let subjects: Vec<_> = header.all("subject").map(|field| field.value()).collect();
        assert_eq!(subjects, ["1", "2"]);
        assert_eq!(header.first("Received").unwrap().raw(), b"Received: a by x\r\n");
        let names: Vec<_> = header.fields().map(|field| field.name()).collect();
        assert_eq!(names, ["Received", "Received", "Subject", "Subject"]);
        let hops: Vec<_> = header.hops().map(|hop| (hop.host, hop.time)).collect();
        let expected =
            [("x", ""), ("Veilig.voorbeeld.nl", "now")].map(|(host, time)| (host.into(), time.into()));
        assert_eq!(hops, expected);
    }

    #[test]
    fn knows_the_thread_and_what_is_automatic() {
        let header = Header::parse(
            b"Message-ID: <1@x>\r\nIn-Reply-To: <2@x> (said)\r\nReferences: <3@x>\r\n <2@x>\r\n\r\n",
        );
        assert_eq!(header.message_id().as_deref(), Some("<1@x>"));
        assert_eq!(header.answers(), ["<2@x>", "<3@x>"]);
        assert_eq!(header.thread_ids(), ["<1@x>"], "the others are not its own");
        let odd = Header::parse(
            b"Message-ID: 1@x\r\nIn-Reply-To: letter of friday\r\nReferences: <3\r\n @x>y<2\r\n\r\n",
        );
        assert_eq!((odd.thread_ids(), odd.answers()), (vec!["<1@x>".into()], vec!["<3@x>".into()]));
        for (field, automatic) in [
            ("Auto-Submitted: auto-replied; x=y", true),
            ("Auto-Submitted: No", false),
            ("Auto-Submitted: no (by hand)", false),
            ("Auto-Submitted: no(by hand)", false),
            ("Auto-Submitted: no;x=y", false),
            ("Auto-Submitted:", false),
            ("Precedence: Bulk", true),
            ("Precedence: first-class", false),
            ("List-Id: <x.y>", true),
            ("X: y", false),
        ] {
            assert_eq!(
                Header::parse(format!("{field}\r\n\r\n").as_bytes()).is_automatic(),
                automatic,
                "{field}"
            );
        }
    }

    #[test]
    fn a_field_is_read_in_every_way() {
        let header =
            Header::parse(b"A: =?utf-16be?q?geheim?=\r\nB: =?cp037?B?reWFmaOZlqSmhZOJkZK9?=\r\n\r\n");
        let (a, b) = (header.first("A").unwrap(), header.first("B").unwrap());
        assert_eq!(a.readings(|| None).first(), Some(&a.value()));
        assert!(a.readings(|| None).contains(&"geheim".to_owned()), "C06");
        assert!(a.is_unreadable() && b.is_unreadable());
    }

    #[test]
    fn outlook_and_thunderbird_name_the_thread() {
        let first = "Thread-Index: AQHb3xMDAgEGBAUKCwwNDg8QERITFA==\r\n";
        let answer = "Thread-Index: AQHb3xMDAgEGBAUKCwwNDg8QERITFAAAAQID\r\n\r\n";
        let folded = "Thread-Index: AQHb3xMDAgEGBAUK\r\n CwwNDg8QERITFAAAAQIDAAABBAU=\r\n";
        let ids = |text: &str| Header::parse(text.as_bytes()).answers();
        assert_eq!(ids(first).len(), 1);
        assert_eq!((ids(first), ids(first)), (ids(answer), ids(folded)));
        assert!(ids(first)[0].starts_with("thread-index 01"));
        for other in [
            "Thread-Index: AQHb3xMDAgEGBAUKCwwNDg8QERITFQ==\r\n",
            "Thread-Index: AQHb\r\n",
            "Thread-Index:\r\n",
        ] {
            assert_ne!(ids(first), ids(other), "{other}");
        }
        let forwarded = "X-Forwarded-Message-Id: <1@x>\r\nReferences: <0@x> <1@x>\r\nMessage-ID: <2@x>\r\n";
        assert_eq!(ids(forwarded), ["<0@x>", "<1@x>"]);
        assert_eq!(Header::parse(forwarded.as_bytes()).thread_ids(), ["<2@x>"]);
        let own = format!("Message-ID: <2@x>\r\nReferences: <0@x>\r\n{first}");
        assert_eq!(Header::parse(own.as_bytes()).thread_ids()[1..], ids(first));
    }

    #[test]
    fn an_identifier_is_of_two_parts() {
        for id in ["<a@b>", "<a.b-c+1=2$@b_1.x>", "<a@[192.0.2.1]>", "<OF1.2-ON3@LocalDomain>"] {
            assert!(is_identifier(id), "{id}");
        }
        let long = format!("<{}@x>", "x".repeat(900));
        for id in [
            "",
            "<>",
            "<a>",
            "a@b",
            "<a@b@c>",
            "<a..b@c>",
            "<a@b.>",
            "<\"a\"@b>",
            "<a:b@c>",
            "<\u{e9}@b>",
            "<a@>",
            "<a@[>",
            &long,
        ] {
            assert!(!is_identifier(id), "{id}");
        }
    }

    /// RFC 5322 3.6.4
    #[test]
    fn an_answer_names_the_thread_and_the_message_last() {
        let references = |fields: &str| Header::parse(fields.as_bytes()).references_of_answer();
        let fields =
            "References: <a@x> <b@x>\r\n <own@x>\r\nIn-Reply-To: <b@x> <c@x>\r\nMessage-ID: <own@x>\r\n";
        assert_eq!(references(fields), ["<a@x>", "<b@x>", "<c@x>", "<own@x>"]);
        assert_eq!(references("In-Reply-To: <b@x>\r\n"), ["<b@x>"]);
        assert!(references("Subject: x\r\n").is_empty());
    }

    #[test]
    fn of_a_long_thread_both_ends_count() {
        let many: String = (0..100_000).map(|n| format!(" <{n}@x>")).collect();
        let message = format!("References:{many}\r\n\r\n");
        let ids = Header::parse(message.as_bytes()).answers();
        assert_eq!(ids.len(), MAX_IDS);
        assert_eq!((ids[0].as_str(), ids[MAX_IDS - 1].as_str()), ("<0@x>", "<99999@x>"));
    }

    #[test]
    fn an_oversized_header_says_so() {
        let mut message = b"X: ".repeat(MAX_HEADER / 3 + 1);
        message.extend_from_slice(b"\r\n\r\n");
        assert!(Header::parse(&message).is_oversized());
        assert!(!Header::parse(b"X: y\r\n\r\n").is_oversized());
    }

    proptest::proptest! {
        #[test]
        fn no_octets_break_it(message: Vec<u8>, tail: String) {
            for bytes in [message.clone(), format!("Subject: {tail}\r\nFrom: {tail}").into_bytes()] {
                let header = Header::parse(&bytes);
                header.from();
                header.thread_ids();
                header.is_automatic();
                for field in header.fields() {
                    field.name();
                    for reading in field.readings(|| None) {
                        assert!(!reading.contains(char::is_control), "{reading:?}");
                    }
                }
            }
        }
    }
}
