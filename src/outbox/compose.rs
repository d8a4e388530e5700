//! From header fields, text and HTML to the bytes of a mail, and nothing else knows mail-builder (docs/decisions/0013).
//! Lines stay under 998 bytes and are 7-bit (RFC 5322 2.1.1, RFC 2045), so that no next hop has to change anything.

use mail_builder::headers::Header;
use mail_builder::headers::address::Address as AddressField;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};

mod mailboxes;

pub(super) use mailboxes::writable;

use super::NoticeError;
use super::attachment::{Attachment, StreamedMail};
use super::context::{Context, Logo};
use super::text::one_line;
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::id::{QueueId, TransferId};
use crate::message::crlf::CrlfBytes;

/// The field that ties a delivery report to a link: a report quotes the header of what did not arrive.
pub const RETURN_MARK: &str = "X-Zegel-Return";

/// The fields of a header in their order, each folded and encoded where it must be (RFC 5322 2.2.3, RFC 2047).
#[derive(Clone, Default)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// Begins with whole fields of another mail, which stay as they are. Nothing in them may end the header.
    pub fn copied(fields: &[u8]) -> Result<Self, NoticeError> {
        let is_whole = fields.is_empty() || fields.ends_with(b"\r\n");
        let ends_header = fields.starts_with(b"\r\n") || fields.windows(4).any(|at| at == b"\r\n\r\n");
        if is_whole && !ends_header { Ok(Self(fields.to_vec())) } else { Err(NoticeError::Fields) }
    }

    /// From the organisation to one person, and made by a machine. `id` is the part of the Message-ID before our domain.
    pub fn own(context: &Context<'_>, to: &Address, id: &str, in_reply_to: Option<&str>) -> Self {
        let name = context.organisation_name();
        Self::default()
            .mailbox("From", Some(&name), &format!("noreply@{}", context.organisation.hostname))
            .addresses("To", std::slice::from_ref(to))
            .date(context.now)
            .message_id(id, &context.organisation.hostname)
            .thread(in_reply_to)
            .automatic()
            // For Exchange, which answers such mail otherwise.
            .free_text("X-Auto-Response-Suppress", "All")
    }

    /// Free text.
    pub fn free_text(self, name: &str, value: &str) -> Self {
        self.field(name, &Text::new(value))
    }

    /// What needs no encoding, as it is.
    pub fn exact(self, name: &str, value: &str) -> Self {
        self.field(name, &Raw::new(value))
    }

    /// The same, or nothing.
    pub fn optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.exact(name, value),
            None => self,
        }
    }

    /// One value a line; nothing where there are none.
    pub fn list(mut self, name: &str, values: &[String], separator: &str) -> Self {
        if !values.is_empty() {
            let lines = values.join(&format!("{separator}\r\n\t"));
            self.0.extend_from_slice(format!("{name}: {lines}\r\n").as_bytes());
        }
        self
    }

    /// One mailbox, with the name that is shown beside it.
    pub fn mailbox(self, name: &str, shown: Option<&str>, address: &str) -> Self {
        self.field(name, &AddressField::new_address(shown, address))
    }

    /// Addresses without names; nothing where there are none.
    pub fn addresses(self, name: &str, addresses: &[Address]) -> Self {
        let listed: Vec<String> = addresses.iter().map(|address| format!("<{address}>")).collect();
        self.list(name, &listed, ",")
    }

    /// When the mail was written.
    pub fn date(self, now: Timestamp) -> Self {
        self.exact("Date", &rfc5322(now))
    }

    /// `id` is unique, and of letters, digits and dots.
    pub fn message_id(self, id: &str, hostname: &str) -> Self {
        self.exact("Message-ID", &format!("<{id}@{hostname}>"))
    }

    /// Makes the mail an answer to the one with this Message-ID, if it can be in a header (RFC 5322 3.6.4).
    pub fn thread(self, in_reply_to: Option<&str>) -> Self {
        let id = in_reply_to.and_then(message_id);
        self.optional("In-Reply-To", id.as_deref()).optional("References", id.as_deref())
    }

    /// Message-IDs, one a line; none where none of them can stand in a header.
    pub fn identifiers(self, name: &str, ids: &[String]) -> Self {
        let ids: Vec<String> = ids.iter().filter_map(|id| message_id(id)).collect();
        self.list(name, &ids, "")
    }

    /// The mark of a link (`transfer/link`), in mail about it.
    pub fn return_mark(self, mark: &str) -> Self {
        self.exact(RETURN_MARK, mark)
    }

    /// Nobody answers this automatically (RFC 3834 5).
    pub fn automatic(self) -> Self {
        self.free_text("Auto-Submitted", "auto-generated")
    }

    /// What every mail of ours says of itself, below all that is its own. `name` tells our mails apart.
    pub fn about(
        self,
        name: &str,
        context: &Context<'_>,
        transfer: Option<&TransferId>,
        subject: &str,
    ) -> Self {
        let fields = self.free_text("Subject", &one_line(subject));
        let fields = match transfer {
            Some(transfer) => fields.free_text("X-Zegel-Transfer", transfer.as_str()),
            None => fields,
        };
        fields
            .free_text("X-Zegel-Notice", name)
            .free_text("MIME-Version", "1.0")
            .free_text("Content-Language", context.language.as_str())
    }

    /// Whole fields, with their line ends.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn field(mut self, name: &str, value: &impl Header) -> Self {
        self.0.extend_from_slice(format!("{name}: ").as_bytes());
        value.write_header(&mut self.0, name.len() + 2);
        self
    }
}

/// What people read of a mail.
pub struct Wording {
    /// One line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part: a whole document.
    pub html: String,
}

impl Wording {
    /// The mail with these fields on top. `name` tells our mails apart.
    pub fn mail(
        &self,
        name: &str,
        context: &Context<'_>,
        transfer: &TransferId,
        fields: Fields,
    ) -> Result<CrlfBytes, NoticeError> {
        let mut out = fields.about(name, context, Some(transfer), &self.subject).0;
        // "=_" cannot be in quoted-printable, and user text never starts a line of ours.
        self.part(context, ["zegel", "html"].map(|name| format!("=_{name}_{transfer}"))).write_part(&mut out);
        Ok(CrlfBytes::check(out)?)
    }

    /// The same with files behind it. What somebody outside wrote is in the text, so `random` makes boundaries that
    /// nobody can have guessed.
    pub fn mail_with_files(
        &self,
        name: &str,
        context: &Context<'_>,
        transfer: &TransferId,
        fields: Fields,
        (random, files): (&QueueId, Vec<Attachment>),
    ) -> Result<StreamedMail, NoticeError> {
        let fields = fields.about(name, context, Some(transfer), &self.subject);
        // Neither may begin like the other (RFC 2046 5.1.2).
        let boundary = format!("=_zegel_{random}");
        let mixed = ContentType::new("multipart/mixed").attribute("boundary", boundary.as_str());
        let mut start = fields.field("Content-Type", &mixed).0;
        start.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        self.part(context, ["text", "html"].map(|name| format!("=_{name}_{random}"))).write_part(&mut start);
        // Behind the text and behind each file: the header of the next file, and at last the closing boundary.
        let headers: Vec<_> = files.iter().map(|file| file_header(&boundary, file)).collect();
        let mut behind = headers.into_iter().chain([format!("\r\n--{boundary}--\r\n").into_bytes()]);
        start.extend(behind.next().unwrap_or_default());
        let files = files.into_iter().zip(behind).map(|(file, text)| Ok((file, CrlfBytes::check(text)?)));
        Ok(StreamedMail {
            files: files.collect::<Result<_, NoticeError>>()?,
            start: CrlfBytes::check(start)?,
        })
    }

    /// Text and HTML, and with the HTML the picture that it shows (RFC 2387). No boundary may begin like another.
    fn part<'a>(&'a self, context: &Context<'a>, [boundary, within]: [String; 2]) -> MimePart<'a> {
        let html = MimePart::new("text/html", with_crlf(&self.html));
        let is_shown = |logo: &Logo<'_>| self.html.contains(&format!("\"cid:{}\"", logo.id));
        let html = match context.logo().filter(is_shown) {
            Some(logo) => MimePart::new(
                ContentType::new("multipart/related")
                    .attribute("type", "text/html")
                    .attribute("boundary", within),
                vec![html, logo_part(logo)],
            ),
            None => html,
        };
        MimePart::new(
            ContentType::new("multipart/alternative").attribute("boundary", boundary),
            vec![text_part(&self.text), html],
        )
    }
}

/// Inline, and with a name: some programs list a picture that has none as an unnamed attachment.
fn logo_part(logo: Logo<'_>) -> MimePart<'_> {
    let disposition = ContentType::new("inline").attribute("filename", "logo.png");
    MimePart::new(ContentType::new("image/png").attribute("name", "logo.png"), logo.octets)
        .header("Content-Disposition", disposition)
        .cid(logo.id)
}

/// A mail of plain text alone.
pub fn plain_mail(fields: Fields, text: &str) -> CrlfBytes {
    let mut out = fields.into_bytes();
    MimePart::new("text/plain", text).write_part(&mut out);
    CrlfBytes::normalised(&out)
}

/// How much of a mail goes back to its sender (RFC 3461 4.3).
#[derive(Clone, Copy, Debug)]
pub enum Original<'a> {
    /// Its header.
    Header(&'a [u8]),
    /// All of it.
    Whole(&'a [u8]),
}

/// A delivery report (RFC 6522): text and HTML for people, fields of ASCII for machines (RFC 3464 2.1), and what is returned.
pub fn report_mail(
    fields: Fields,
    random: &QueueId,
    (wording, context): (&Wording, &Context<'_>),
    status: &str,
    original: Option<Original<'_>>,
) -> CrlfBytes {
    let mut parts = vec![
        wording.part(context, ["text", "html"].map(|name| format!("=_{name}_{random}"))),
        MimePart::new("message/delivery-status", BodyPart::Binary(status.as_bytes().into()))
            .transfer_encoding("7bit"),
    ];
    parts.extend(original.map(|original| {
        match original {
            // Encoded where need be, so that the report itself travels everywhere.
            Original::Header(header) => {
                MimePart::new("text/rfc822-headers", String::from_utf8_lossy(header).into_owned())
            }
            // RFC 2046 5.2.1: no encoding is allowed here.
            Original::Whole(message) => MimePart::new("message/rfc822", BodyPart::Binary(message.into()))
                .transfer_encoding(if message.is_ascii() { "7bit" } else { "8bit" }),
        }
    }));
    // `random` makes a boundary that the author of the original cannot have guessed.
    let kind = ContentType::new("multipart/report")
        .attribute("report-type", "delivery-status")
        .attribute("boundary", format!("=_zegel_{random}"));
    let mut out = fields.0;
    MimePart::new(kind, parts).write_part(&mut out);
    CrlfBytes::normalised(&out)
}

/// The line that begins the part of a file, and the header of that part.
fn file_header(boundary: &str, file: &Attachment) -> Vec<u8> {
    let part = |kind, parameter| ContentType::new(kind).attribute(parameter, file.name.as_str());
    let mut out = format!("\r\n--{boundary}\r\n").into_bytes();
    let fields = Fields::default()
        .field("Content-Type", &part(media_type(&file.media_type), "name"))
        .exact("Content-Transfer-Encoding", "base64")
        .field("Content-Disposition", &part("attachment", "filename"));
    out.extend(fields.into_bytes());
    out.extend_from_slice(b"\r\n");
    out
}

/// What is no plain media type, and what may not be in base64 (RFC 2046 5.1, 5.2.1), is just bytes.
fn media_type(declared: &str) -> &str {
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&c))
    };
    let allowed = declared.split_once('/').is_some_and(|(kind, subtype)| {
        let composite = ["multipart", "message"].iter().any(|name| kind.eq_ignore_ascii_case(name));
        token(kind) && token(subtype) && !composite && declared.len() <= 127
    });
    if allowed { declared } else { "application/octet-stream" }
}

/// ASCII goes as it is, however long the link: soft line breaks would tear it apart for readers of the
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

/// The Message-ID in angle brackets, if it can be in a header of ours.
pub(super) fn message_id(id: &str) -> Option<String> {
    let id = id.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = !id.is_empty() && id.len() <= 900;
    (fits && id.chars().all(|c| c.is_ascii_graphic() && c != '<' && c != '>')).then(|| format!("<{id}>"))
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
}
