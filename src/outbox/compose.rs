//! From subject, text and HTML to the octets of a notice. The only place of `notify` that writes header
//! fields and MIME; every other one hands it text. Lines stay under 998 octets and 7-bit (RFC 5322
//! 2.1.1, RFC 2045), so that no next hop has to change anything.

use mail_builder::headers::Header;
use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;

use super::NoticeError;
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::id::{QueueId, TransferId};
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::message::name::is_invisible;
use crate::settings::Organisation;

/// The longest name or subject that is shown, in characters (M07).
const LONGEST_LINE: usize = 200;

/// A notice before it is a mail.
pub struct Notice<'a> {
    /// The word in `X-Zegel-Notice`.
    pub kind: &'static str,
    /// Of subject, text and HTML.
    pub language: Language,
    /// What it is about.
    pub transfer: &'a TransferId,
    /// One line of plain text.
    pub subject: &'a str,
    /// The text part.
    pub text: &'a str,
    /// The HTML part: a whole document.
    pub html: &'a str,
}

impl Notice<'_> {
    /// Puts the notice below `fields`, which are whole header fields with their line ends.
    pub fn compose(&self, fields: &[u8]) -> Result<CrlfBytes, NoticeError> {
        let mut out = self.header(fields)?;
        // "=_" cannot stand in quoted-printable, and user text never starts a line of ours.
        self.body(format!("=_zegel_{}", self.transfer)).write_part(&mut out);
        Ok(CrlfBytes::check(out)?)
    }

    /// The same with files behind it. What somebody outside wrote is in the text, so `random` makes boundaries that
    /// nobody can have guessed. The octets of the files are for the caller to put in: they may be larger than memory.
    pub fn compose_with_files(
        &self,
        fields: &[u8],
        random: &QueueId,
        files: &[Attachment<'_>],
    ) -> Result<Vec<Segment>, NoticeError> {
        // Neither may begin like the other (RFC 2046 5.1.2).
        let boundary = format!("=_zegel_{random}");
        let mut out = self.header(fields)?;
        let mixed = ContentType::new("multipart/mixed").attribute("boundary", boundary.as_str());
        write_field(&mut out, "Content-Type", &mixed);
        out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        self.body(format!("=_text_{random}")).write_part(&mut out);
        let mut segments = Vec::with_capacity(2 * files.len() + 1);
        for (number, file) in files.iter().enumerate() {
            out.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            file.write_header(&mut out);
            segments.push(Segment::Octets(CrlfBytes::check(std::mem::take(&mut out))?));
            segments.push(Segment::File(number));
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        segments.push(Segment::Octets(CrlfBytes::check(out)?));
        Ok(segments)
    }

    fn header(&self, fields: &[u8]) -> Result<Vec<u8>, NoticeError> {
        if !is_header(fields) {
            return Err(NoticeError::Fields);
        }
        let mut out = fields.to_vec();
        write_field(&mut out, "Subject", &Text::new(one_line(self.subject)));
        write_field(&mut out, "X-Zegel-Transfer", &Text::new(self.transfer.as_str()));
        write_field(&mut out, "X-Zegel-Notice", &Text::new(self.kind));
        write_field(&mut out, "MIME-Version", &Text::new("1.0"));
        write_field(&mut out, "Content-Language", &Text::new(self.language.as_str()));
        Ok(out)
    }

    fn body(&self, boundary: String) -> MimePart<'_> {
        let html = MimePart::new("text/html", with_crlf(self.html));
        MimePart::new(
            ContentType::new("multipart/alternative").attribute("boundary", boundary),
            vec![text_part(self.text), html],
        )
    }
}

/// A file that goes along with a notice, in base64.
#[derive(Clone, Debug)]
pub struct Attachment<'a> {
    /// A safe name.
    pub name: &'a str,
    /// As somebody declared it.
    pub media_type: &'a str,
}

/// A mail that is larger than memory, in its order.
#[derive(Debug)]
pub enum Segment {
    /// These octets.
    Octets(CrlfBytes),
    /// The file of this number, in base64 with lines of 76 characters (RFC 2045 6.8).
    File(usize),
}

impl Attachment<'_> {
    fn write_header(&self, out: &mut Vec<u8>) {
        let media_type = ContentType::new(self.media_type()).attribute("name", self.name);
        write_field(out, "Content-Type", &media_type);
        write_field(out, "Content-Transfer-Encoding", &Raw::new("base64"));
        let disposition = ContentType::new("attachment").attribute("filename", self.name);
        write_field(out, "Content-Disposition", &disposition);
        out.extend_from_slice(b"\r\n");
    }

    /// What is no plain media type, and what may not be in base64 (RFC 2046 5.1, 5.2.1), is just octets.
    fn media_type(&self) -> &str {
        let token = |text: &str| {
            !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&c))
        };
        let allowed = self.media_type.split_once('/').is_some_and(|(kind, subtype)| {
            let composite = ["multipart", "message"].iter().any(|name| kind.eq_ignore_ascii_case(name));
            token(kind) && token(subtype) && !composite && self.media_type.len() <= 127
        });
        if allowed { self.media_type } else { "application/octet-stream" }
    }
}

/// The header above the subject of a notice that is ours alone: from the organisation, made by a machine.
pub struct OwnHeader<'a> {
    /// Whose name the notice is in.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
    /// Whom it goes to.
    pub to: &'a Address,
    /// The part of the Message-ID before our domain: unique, and of letters, digits and dots.
    pub message_id: &'a str,
    /// The Message-ID that it answers, with or without angle brackets.
    pub in_reply_to: Option<&'a str>,
    /// The moment of writing.
    pub now: Timestamp,
}

impl OwnHeader<'_> {
    /// Whole fields, for [`Notice::compose`].
    pub fn fields(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let name = Some(one_line(&self.organisation.name));
        let from = AddressField::new_address(name, format!("noreply@{}", self.hostname));
        write_field(&mut out, "From", &from);
        write_field(&mut out, "To", &Raw::new(format!("<{}>", self.to)));
        write_field(&mut out, "Date", &Raw::new(rfc5322(self.now)));
        let id = format!("<{}@{}>", self.message_id, self.hostname);
        write_field(&mut out, "Message-ID", &Raw::new(id));
        write_thread(&mut out, self.in_reply_to);
        // RFC 3834 5; the second is for Exchange, which answers such mail otherwise.
        write_field(&mut out, "Auto-Submitted", &Text::new("auto-generated"));
        write_field(&mut out, "X-Auto-Response-Suppress", &Text::new("All"));
        out
    }
}

/// Makes a mail an answer to the one with this Message-ID, if it can stand in a header of ours (RFC 5322 3.6.4).
pub fn write_thread(out: &mut Vec<u8>, in_reply_to: Option<&str>) {
    if let Some(id) = in_reply_to.and_then(message_id) {
        write_field(out, "In-Reply-To", &Raw::new(id.as_str()));
        write_field(out, "References", &Raw::new(id.as_str()));
    }
}

/// The Message-ID in angle brackets, if it can stand in a header of ours.
pub(super) fn message_id(id: &str) -> Option<String> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = !id.is_empty() && id.len() <= 900;
    (fits && id.chars().all(|c| c.is_ascii_graphic() && c != '<' && c != '>')).then(|| format!("<{id}>"))
}

/// Who is answered in the author's place (RFC 5322 3.6.2); nothing, where that is nobody.
pub fn write_reply_to(out: &mut Vec<u8>, mailboxes: &[(Option<&str>, &Address)]) {
    let field = |(name, address): &(Option<&str>, &Address)| {
        AddressField::new_address(name.map(one_line).filter(|name| !name.is_empty()), address.to_string())
    };
    if !mailboxes.is_empty() {
        write_field(out, "Reply-To", &AddressField::new_list(mailboxes.iter().map(field).collect()));
    }
}

/// A phone number as a `tel:` URI (RFC 3966): `+31 (0)511 54 81 00` is `tel:+31511548100`.
pub fn tel(phone: &str) -> Option<String> {
    let number: String =
        phone.replace("(0)", "").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    number.contains(|c: char| c.is_ascii_digit()).then(|| format!("tel:{number}"))
}

/// One header field, folded and encoded where it must be (RFC 5322 2.2.3, RFC 2047).
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &impl Header) {
    out.extend_from_slice(format!("{name}: ").as_bytes());
    value.write_header(out, name.len() + 2);
}

/// The field that ties a delivery report to a link: a report quotes the header of what did not arrive.
pub const RETURN_MARK: &str = "X-Zegel-Return";

/// Writes the mark of a link (`transfer/link`) into the header of mail about it.
pub fn write_return_mark(out: &mut Vec<u8>, mark: &str) {
    write_field(out, RETURN_MARK, &Raw::new(mark));
}

/// Text from a mail, a list or the configuration as one line that shows all that is in it (C13, M07):
/// no control characters, nothing invisible, nothing that turns the writing direction, not endless.
pub fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|&c| !is_invisible(c))
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default().trim_end()),
        None => words,
    }
}

/// ASCII goes as it is, however long the link: soft line breaks would tear it apart for whoever reads the
/// source. Other text is encoded.
fn text_part(text: &str) -> MimePart<'static> {
    let part = MimePart::new("text/plain", with_crlf(text));
    if text.is_ascii() && text.lines().all(|line| line.len() <= 998) {
        part.transfer_encoding("7bit")
    } else {
        part
    }
}

fn with_crlf(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\r\n"]).collect()
}

/// Whole fields and no empty line: nothing of ours may end up in a body.
fn is_header(fields: &[u8]) -> bool {
    let empty_line = |at: &[u8]| at == b"\r\n\r\n";
    fields.is_empty()
        || (fields.ends_with(b"\r\n") && !fields.starts_with(b"\r\n") && !fields.windows(4).any(empty_line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_only_to_a_sound_message_id() {
        assert_eq!(message_id("<a@voorbeeld.nl>").as_deref(), Some("<a@voorbeeld.nl>"));
        assert_eq!(message_id(" a@voorbeeld.nl ").as_deref(), Some("<a@voorbeeld.nl>"));
        for wrong in ["", "<>", "a b@x", "a@x>\r\nBcc: <b@x", "a\r\nBcc:b@x", "é@x", &"a".repeat(901)] {
            assert_eq!(message_id(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn makes_phone_numbers_dialable() {
        assert_eq!(tel("14 0511").as_deref(), Some("tel:140511"));
        assert_eq!(tel("+31 (0)511-54 81 00").as_deref(), Some("tel:+31511548100"));
        assert_eq!(tel("javascript:alert()"), None);
        assert_eq!(tel(""), None);
    }
}
