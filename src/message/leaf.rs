//! One part of a message that has no parts of its own; made by `walk`, read by everybody who looks at a message.

use std::borrow::Cow;

use super::header::Header;
use super::opened::Form;
use super::parameter::Structured;
use super::{decode, uuencode};

/// Parts that say only that the others were not changed (RFC 1847).
pub const SIGNATURES: &[&str] =
    &["application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"];

/// A part that has no parts.
#[derive(Debug)]
pub struct Leaf<'a> {
    /// `type/subtype` in lower case.
    pub media_type: String,
    /// The header of the part.
    pub header: Header<'a>,
    pub content_type: Structured,
    /// Content-Disposition
    pub disposition: Structured,
    /// Belongs to the message as a program shows it that prefers plain text.
    pub in_text: bool,
    /// Belongs to the message as a program shows it that prefers HTML.
    pub in_html: bool,
    /// A reader gets it as a file. What is shown may be a file as well.
    pub is_file: bool,
    /// It is a message in another form than MIME.
    pub form: Option<Form>,
    /// It is the text of a winmail.dat: to be shown where there is no other.
    pub is_spare: bool,
    /// Levels above it.
    pub depth: usize,
    encoding: String,
    body: &'a [u8],
}

impl<'a> Leaf<'a> {
    /// A part that is not placed yet: neither shown nor a file.
    pub fn new(
        header: Header<'a>,
        media_type: String,
        content_type: Structured,
        disposition: Structured,
        body: &'a [u8],
        depth: usize,
    ) -> Self {
        let encoding = header.structured("Content-Transfer-Encoding").value;
        let (in_text, in_html, is_file) = (false, false, false);
        Self {
            media_type,
            header,
            content_type,
            disposition,
            in_text,
            in_html,
            is_file,
            form: None,
            is_spare: false,
            depth,
            encoding,
            body,
        }
    }

    /// The content without its transfer encoding, and whether that could be undone.
    pub fn content(&self) -> (Cow<'a, [u8]>, bool) {
        decoded(self.body, &self.encoding)
    }

    /// The same for the first bytes only, as many as `length` of them make.
    pub fn start(&self, length: usize) -> Cow<'a, [u8]> {
        decoded(self.body.get(..length).unwrap_or(self.body), &self.encoding).0
    }

    /// The content as it came, in its transfer encoding.
    pub fn encoded(&self) -> &'a [u8] {
        self.body
    }

    /// Bytes of the content as it came.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The file name that the sender gave, or else the one that uuencode kept with the file.
    pub fn name(&self) -> Option<String> {
        let declared = self.disposition.text("filename").or_else(|| self.content_type.text("name"));
        declared.or_else(|| if is_uuencode(&self.encoding) { uuencode::name(self.body) } else { None })
    }

    /// Whether it is, or is said to be, a message in another form than MIME.
    pub fn may_hide_text(&self) -> bool {
        const TYPES: &[&str] = &[
            "application/ms-tnef",
            "application/vnd.ms-tnef",
            "application/pkcs7-mime",
            "application/x-pkcs7-mime",
        ];
        self.form.is_some() || TYPES.contains(&self.media_type.as_str())
    }

    /// Whether it is a message of its own.
    pub fn is_message(&self) -> bool {
        matches!(self.media_type.as_str(), "message/rfc822" | "message/global")
    }

    /// Whether it is HTML; any other text is read as plain text (RFC 2046 4.1.4).
    pub fn is_html(&self) -> bool {
        self.media_type == "text/html"
    }

    /// Whether it belongs to the text of the message.
    pub fn is_shown(&self) -> bool {
        self.in_text || self.in_html
    }
}

/// Content without its transfer encoding, and whether that could be undone.
fn decoded<'a>(body: &'a [u8], encoding: &str) -> (Cow<'a, [u8]>, bool) {
    match encoding {
        "base64" => {
            let (bytes, sound) = decode::base64_body(body);
            (bytes.into(), sound)
        }
        "quoted-printable" => (decode::quoted_printable(body).into(), true),
        "" | "7bit" | "8bit" | "binary" => (body.into(), true),
        other if is_uuencode(other) => match uuencode::body(body) {
            Some((bytes, sound)) => (bytes.into(), sound),
            None => (body.into(), false),
        },
        _ => (body.into(), false),
    }
}

/// No RFC has this encoding: programs differ in what they call it.
fn is_uuencode(encoding: &str) -> bool {
    matches!(encoding, "x-uuencode" | "uuencode" | "x-uue" | "uue")
}
