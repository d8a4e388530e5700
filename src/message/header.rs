//! The header of a message (RFC 5322 2.2), read tolerantly and in one pass: whatever some mail client
//! would take for a field is a field here (C06). Used by `policy`, `transfer`, `notify` and `rewrite`.
//! Never builds a table, so a header of a megabyte costs no memory (H13).

use std::collections::HashSet;

use memchr::memchr;

use super::encoded;
pub use super::mailbox::Mailbox;
use super::names::is_invisible;

/// More identifiers than this in a thread are not remembered: the first and the newest ones are.
const MOST_THREAD_IDS: usize = 500;

/// The header fields of a message.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    block: &'a [u8],
}

/// One field: `name: body`, over one line or more.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    name: &'a str,
    raw: &'a [u8],
    body: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads up to the first empty line, or to the end if there is none.
    pub fn parse(message: &'a [u8]) -> Self {
        let mut end = 0;
        let mut rest = message;
        while let Some((line, after)) = line(rest) {
            if matches!(line, b"\r\n" | b"\n") {
                break;
            }
            end += line.len();
            rest = after;
        }
        Self { block: message.get(..end).unwrap_or(message) }
    }

    /// Reads a message or a part of one into its header and its body.
    pub fn split(message: &'a [u8]) -> (Self, &'a [u8]) {
        let header = Self::parse(message);
        let rest = message.get(header.block.len()..).unwrap_or_default();
        let empty_line = line(rest).map_or(0, |(line, _)| line.len());
        (header, rest.get(empty_line..).unwrap_or_default())
    }

    /// Every field, from top to bottom. Lines that are none are skipped, such as the `From ` of an mbox.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut rest = self.block;
        std::iter::from_fn(move || {
            while let Some((raw, after)) = folded(rest) {
                rest = after;
                if let Some(field) = Field::parse(raw) {
                    return Some(field);
                }
            }
            None
        })
    }

    /// Every field of this name, letter case aside.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Field<'a>> {
        let name = name.to_owned();
        self.fields().filter(move |field| field.name.eq_ignore_ascii_case(&name))
    }

    /// The topmost field of this name.
    pub fn first(&self, name: &str) -> Option<Field<'a>> {
        self.all(name).next()
    }

    /// The subject, decoded; empty if there is none.
    pub fn subject(&self) -> String {
        self.first("Subject").map(|field| field.value()).unwrap_or_default()
    }

    /// The first mailbox of the first `From`.
    pub fn from(&self) -> Mailbox {
        self.first("From").map(|field| Mailbox::parse(&field.undecoded())).unwrap_or_default()
    }

    /// The message's own identifier, in angle brackets.
    pub fn message_id(&self) -> Option<String> {
        let value = self.first("Message-ID")?.value();
        let bare =
            || Some(format!("<{value}>")).filter(|_| !value.is_empty() && !value.contains([' ', '<', '>']));
        identifiers(&value).next().or_else(bare)
    }

    /// Every identifier of the thread: this message and all that it names, in angle brackets.
    pub fn thread_ids(&self) -> Vec<String> {
        self.identifiers(&["Message-ID", "In-Reply-To", "References"])
    }

    /// The identifiers of the messages that this one answers, in angle brackets.
    pub fn answers(&self) -> Vec<String> {
        self.identifiers(&["In-Reply-To", "References"])
    }

    /// Whether a machine or a list sent this, so that no machine may answer it (RFC 3834 2, H09).
    pub fn is_automatic(&self) -> bool {
        let word =
            |field: Field<'_>| field.value().split([';', '(']).next().unwrap_or("").trim().to_lowercase();
        let precedence = ["bulk", "list", "junk", "auto_reply"];
        self.all("Auto-Submitted").any(|field| !matches!(word(field).as_str(), "" | "no"))
            || self.all("Precedence").any(|field| precedence.contains(&word(field).as_str()))
            || ["List-Id", "List-Unsubscribe"].iter().any(|name| self.first(name).is_some())
    }

    /// How many servers the message has passed (RFC 5321 6.3, H07).
    pub fn received_count(&self) -> usize {
        self.all("Received").count()
    }

    /// Whether this is a mail that we wrote ourselves (H07).
    pub fn is_own_notice(&self) -> bool {
        self.first("X-Zegel-Notice").is_some()
    }

    fn identifiers(&self, names: &[&str]) -> Vec<String> {
        let values = names.iter().flat_map(|name| self.all(name)).map(|field| field.value());
        let mut seen = HashSet::new();
        let mut ids: Vec<String> = values
            .flat_map(|value| identifiers(&value).collect::<Vec<_>>())
            .filter(|id| seen.insert(id.clone()))
            .collect();
        if ids.len() > MOST_THREAD_IDS {
            ids.drain(MOST_THREAD_IDS / 2..ids.len() - MOST_THREAD_IDS / 2);
        }
        ids
    }
}

impl<'a> Field<'a> {
    /// The name without blanks, in the spelling it came in.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The whole field: name, folding and line end.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// What follows the colon, folding and line end included.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The text: unfolded, decoded (RFC 2047), trimmed, on one line and without control characters.
    pub fn value(&self) -> String {
        clean(&encoded::decode_words(&self.undecoded()))
    }

    /// Every text that some reader may see here (C06): the value; the bare text; the value if the folds
    /// were put in the middle of words; the value if it was encoded twice on the way; and what is
    /// visible of these.
    pub fn readings(&self) -> Vec<String> {
        let decoded = |text: &str| clean(&encoded::decode_words(text));
        let bare = self.undecoded();
        let joined: Vec<u8> = lines(self.body).flat_map(|line| line.trim_ascii()).copied().collect();
        let value = decoded(&bare);
        let twice = decoded(&value);
        let mut readings = vec![value, clean(&bare), decoded(&encoded::text(&joined)), twice];
        let visible = |text: &String| text.chars().filter(|c| !is_invisible(*c)).collect();
        readings.extend(readings.iter().map(visible).collect::<Vec<String>>());
        let mut seen = HashSet::new();
        readings.retain(|reading| seen.insert(reading.clone()));
        readings
    }

    /// The text after unfolding alone (RFC 5322 2.2.3).
    pub(super) fn undecoded(&self) -> String {
        let unfolded: Vec<u8> = self.body.iter().copied().filter(|c| !matches!(c, b'\r' | b'\n')).collect();
        encoded::text(&unfolded)
    }

    /// A name, blanks (RFC 5322 4.5 allows them), a colon.
    fn parse(raw: &'a [u8]) -> Option<Self> {
        // Some programs put a byte order mark in front of the very first field.
        let text = raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw);
        let (name, body) = text.split_at_checked(memchr(b':', text)?)?;
        let name = std::str::from_utf8(name.trim_ascii_end()).ok()?;
        let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic());
        is_name.then_some(Self { name, raw, body: body.get(1..)? })
    }
}

/// One line of clean text: control characters and line separators become blanks.
pub(super) fn clean(text: &str) -> String {
    let blank = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if blank(c) { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// Takes one line with its end.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b'\n', text).map_or(text.len(), |at| at + 1);
    text.split_at_checked(end).filter(|(line, _)| !line.is_empty())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&c| c == b'\n')
}

/// Takes a line and those that continue it.
fn folded(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, mut rest) = line(text)?;
    let mut end = first.len();
    while let (Some(b' ' | b'\t'), Some((more, after))) = (rest.first(), line(rest)) {
        end += more.len();
        rest = after;
    }
    text.split_at_checked(end)
}

/// What stands between angle brackets, blanks from folding left out (RFC 5322 3.6.4).
fn identifiers(text: &str) -> impl Iterator<Item = String> {
    text.split_inclusive('>').filter_map(|piece| {
        let (_, id) = piece.strip_suffix('>')?.rsplit_once('<')?;
        let id: String = id.split_whitespace().collect();
        (!id.is_empty() && id.len() < 998).then(|| format!("<{id}>"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"From jan Mon Nov 23 23:58:33 2026\r\n\
        Received: from a\r\n\tby b\r\n\
        Subject : eerste\r\n\
        sUBJECT:\r\n =?utf-8?q?twee=0D=0ABcc:_x?=\r\n =?utf-8?q?de?=\r\n\
        geen veld\r\n\
        8-bit: J\xFCrgen\r\n\
        \r\n\
        Subject: lichaam\r\n";

    fn header(text: &str) -> Header<'_> {
        Header::parse(text.as_bytes())
    }

    #[test]
    fn finds_every_field_and_no_more() {
        let header = Header::parse(MESSAGE);
        let names: Vec<_> = header.fields().map(|field| field.name()).collect();
        assert_eq!(names, ["Received", "Subject", "sUBJECT", "8-bit"]);
        let values: Vec<_> = header.all("subject").map(|field| field.value()).collect();
        assert_eq!(values, ["eerste", "twee  Bcc: xde"]);
        assert_eq!(header.subject(), "eerste");
        assert_eq!(header.first("8-BIT").unwrap().value(), "Jürgen");
        assert_eq!(header.first("received").unwrap().raw(), b"Received: from a\r\n\tby b\r\n");
        assert_eq!(header.received_count(), 1);
        assert!(header.first("Bcc").is_none());
    }

    #[test]
    fn odd_messages_are_no_trouble() {
        for (message, subjects) in [
            ("", 0),
            ("\r\nSubject: lichaam\r\n", 0),
            ("geen header\r\n", 0),
            (" Subject: vervolg van niets\r\n", 0),
            (": leeg\r\nSubject: x", 1),
            ("\u{feff}Subject: x\r\n\r\n", 1),
            ("Subject: x\r\n \r\nSubject: y\r\n\r\n", 2),
            ("Subject\t : x\r\n\r\n", 1),
        ] {
            assert_eq!(header(message).all("Subject").count(), subjects, "{message:?}");
        }
    }

    #[test]
    fn a_trigger_shows_in_some_reading() {
        for subject in [
            "[beveiligd] x",
            "[bev\r\n eiligd] x",
            "=?utf-8?q?=5Bbeveiligd=5D?= x",
            "=?utf-8?q?[bev?=\r\n =?utf-8?q?eiligd]?=",
            "=?utf-8?q?[bev\r\n eiligd]?=",
            "[bev\u{200b}eiligd]",
            "=?utf-8?q?=3D=3Futf-8=3Fq=3F=5Bbeveiligd=5D=3F=3D?=",
        ] {
            let message = format!("Subject: {subject}\r\n\r\n");
            let readings = header(&message).first("subject").unwrap().readings();
            assert!(
                readings.iter().any(|reading| reading.contains("[beveiligd]")),
                "{subject}: {readings:?}"
            );
        }
    }

    #[test]
    fn collects_identifiers() {
        let text = "Message-ID: <een@x>\r\nIn-Reply-To: Bericht van vrijdag <twee@x>\r\n\
            References: <drie\r\n @x> <twee@x>\r\n\t<vier@x>junk<vijf\r\n\r\n";
        let header = header(text);
        assert_eq!(header.message_id().as_deref(), Some("<een@x>"));
        assert_eq!(header.thread_ids(), ["<een@x>", "<twee@x>", "<drie@x>", "<vier@x>"]);
        assert_eq!(header.answers(), ["<twee@x>", "<drie@x>", "<vier@x>"]);
        assert_eq!(super::Header::parse(b"Message-ID: een@x\r\n").message_id().as_deref(), Some("<een@x>"));
        assert_eq!(super::Header::parse(b"Message-ID: \r\n").message_id(), None);
        let many: String = (0..100_000).map(|n| format!(" <{n}@x>")).collect();
        let many = format!("References:{many}\r\n");
        let ids = Header::parse(many.as_bytes()).answers();
        assert_eq!(ids.len(), MOST_THREAD_IDS);
        assert_eq!(ids.first().map(String::as_str), Some("<0@x>"));
        assert_eq!(ids.last().map(String::as_str), Some("<99999@x>"));
    }

    #[test]
    fn knows_machines_and_lists() {
        for (text, automatic) in [
            ("Subject: x", false),
            ("Auto-Submitted: no", false),
            ("Auto-Submitted: No (door mij)", false),
            ("Auto-Submitted: auto-replied; x=y", true),
            ("Auto-Submitted: auto-generated", true),
            ("Precedence: Bulk", true),
            ("Precedence: first-class", false),
            ("List-Id: <lijst.voorbeeld.nl>", true),
            ("List-Unsubscribe: <mailto:x@voorbeeld.nl>", true),
        ] {
            assert_eq!(header(text).is_automatic(), automatic, "{text}");
        }
        assert!(header("x-zegel-notice: 1\r\n\r\n").is_own_notice());
        assert!(!header("Subject: x\r\n\r\nX-Zegel-Notice: 1\r\n").is_own_notice());
    }

    #[test]
    fn a_huge_header_is_quick() {
        for line in ["a:\r\n", "Subject: x\r\n", "x\r\n", " \r\n", "References: <a@b>\r\n <c@d>\r\n"] {
            let started = std::time::Instant::now();
            let text = line.repeat((1 << 20) / line.len());
            let header = header(&text);
            header.subject();
            header.thread_ids();
            header.from();
            assert!(!header.is_automatic());
            header.all("subject").map(|field| field.readings().len()).sum::<usize>();
            assert!(started.elapsed().as_secs() < 8, "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn values_hold_no_line_end(octets: Vec<u8>, text in "(Subject|From| |\\n|\\r\\n|:|=\\?utf-8\\?q\\?=0[0AD]\\?=|<|>|@|\\PC){0,40}") {
            for message in [octets.as_slice(), text.as_bytes(), &[b"Subject:", octets.as_slice()].concat()] {
                let header = Header::parse(message);
                for field in header.fields() {
                    let texts = field.readings();
                    proptest::prop_assert!(texts.iter().all(|text| !text.contains(['\r', '\n', '\0'])));
                }
                header.from();
                header.thread_ids();
                header.is_automatic();
            }
        }
    }
}
