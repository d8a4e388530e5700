//! One part of a MIME message (RFC 2045, RFC 2046): its type, its name, its content, and the parts in it.
//! Used by `mime`. Splitting looks at every octet once for each level of nesting.

use std::borrow::Cow;

use memchr::memmem;

use super::encoded;
use super::header::Header;
use super::parameters::Parameters;

/// A part: header and body as they stand in the message.
pub struct Part<'a> {
    header: Header<'a>,
    body: &'a [u8],
    content_type: Parameters,
    disposition: Parameters,
    media_type: String,
}

impl<'a> Part<'a> {
    /// Reads a part; `default_type` holds where it names none (RFC 2046 5.1.5).
    pub fn parse(raw: &'a [u8], default_type: &str) -> Self {
        let (header, body) = Header::split(raw);
        let parameters = |name| {
            let field = header.first(name).map(|field| Parameters::parse(&field.undecoded()));
            field.unwrap_or_default()
        };
        let (content_type, disposition) = (parameters("Content-Type"), parameters("Content-Disposition"));
        let stated = content_type.value();
        let media_type = if is_media_type(stated) { stated } else { default_type }.to_owned();
        Self { header, body, content_type, disposition, media_type }
    }

    /// `type/subtype`, in lower case.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The name that the part brings, as it is.
    pub fn name(&self) -> Option<String> {
        let name = self.disposition.get("filename").or_else(|| self.content_type.get("name"))?;
        (!name.trim().is_empty()).then_some(name)
    }

    /// The identifier by which HTML refers to it (RFC 2392), without brackets.
    pub fn content_id(&self) -> Option<String> {
        let value = self.header.first("Content-ID")?.value();
        let id = value.trim_start_matches('<').trim_end_matches('>').trim();
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// Whether it wants to be a file of its own (RFC 2183 2.2).
    pub fn is_attachment(&self) -> bool {
        self.disposition.value() == "attachment"
    }

    /// Whether it asks to be shown in place (RFC 2183 2.1).
    pub fn is_inline(&self) -> bool {
        self.disposition.value() == "inline"
    }

    /// The content as octets, without its transfer encoding.
    pub fn content(&self) -> Cow<'a, [u8]> {
        let encoding =
            self.header.first("Content-Transfer-Encoding").map(|field| field.value().to_lowercase());
        match encoding.as_deref() {
            Some("base64") => Cow::Owned(encoded::from_base64(self.body)),
            Some("quoted-printable") => Cow::Owned(encoded::from_quoted_printable(self.body)),
            _ => Cow::Borrowed(self.body),
        }
    }

    /// The content as text in UTF-8.
    pub fn text(&self) -> Cow<'a, [u8]> {
        let content = self.content();
        let charset = self.content_type.get("charset").unwrap_or_default();
        match content {
            Cow::Borrowed(octets) if is_utf8(&charset, octets) => Cow::Borrowed(octets),
            octets => Cow::Owned(encoded::text_in(&charset, &octets).into_bytes()),
        }
    }

    /// The parts within, as they stand in the message; none if this is no multipart or not split.
    pub fn children(&self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let boundary = self.content_type.get("boundary").filter(|boundary| !boundary.is_empty())?;
        let is_multipart = self.media_type.starts_with("multipart/");
        let delimiter = format!("--{boundary}").into_bytes();
        let mut rest = (next_delimiter(self.body, &delimiter).filter(|_| is_multipart)?).after;
        Some(std::iter::from_fn(move || {
            let text = rest?;
            let next = next_delimiter(text, &delimiter);
            let end = next.as_ref().map_or(text.len(), |next| next.start);
            // Without a closing delimiter the last part runs to the end.
            rest = next.and_then(|next| next.after);
            text.get(..end)
        }))
    }
}

/// Where a delimiter line is.
struct Delimiter<'a> {
    /// Where the line end before it begins: that belongs to the delimiter (RFC 2046 5.1.1).
    start: usize,
    /// What follows; none after a closing delimiter.
    after: Option<&'a [u8]>,
}

fn next_delimiter<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<Delimiter<'a>> {
    memmem::find_iter(text, delimiter).find_map(|at| {
        let (before, after) = text.split_at_checked(at)?;
        let after = after.get(delimiter.len()..)?;
        let start = match before {
            [] => 0,
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            _ => return None,
        };
        let (is_last, after) = after.strip_prefix(b"--").map_or((false, after), |after| (true, after));
        let blanks = after.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        let after = after.get(blanks..)?;
        let line_end = [&b"\r\n"[..], b"\n"].iter().find_map(|end| after.strip_prefix(*end));
        // Anything else on the line makes it another, longer boundary, or no boundary at all.
        let after = line_end.or(after.is_empty().then_some(after))?;
        Some(Delimiter { start, after: (!is_last).then_some(after) })
    })
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&c))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

fn is_utf8(charset: &str, octets: &[u8]) -> bool {
    let plain = ["", "utf-8", "us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name));
    plain && std::str::from_utf8(octets).is_ok()
}
