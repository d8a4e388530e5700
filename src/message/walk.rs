//! The tree of a MIME message (RFC 2046), walked once from the top; used by `mime` only.
//!
//! Own code and not a parser library: parts whose delimiter never comes make every library we tried look
//! for it to the end of the message, part after part. Here each level of nesting costs one look at the
//! bytes in it, and the levels and parts are counted (H13).

use std::borrow::Cow;

use memchr::memmem;

use super::decode;
use super::header::{Header, split};
use super::parameter::Structured;

/// Levels of multiparts and messages within one another.
pub const MAX_DEPTH: usize = 100;

/// Parts of one message, those of messages in it included.
const MAX_PARTS: usize = 10_000;

/// What has been seen so far of one message and all that is in it.
#[derive(Debug, Default)]
pub struct Survey {
    parts: usize,
    /// Something could not be read: over a limit, or not as its header says.
    pub damaged: bool,
    /// It was over a limit: there may be parts that nobody has looked at.
    pub limited: bool,
}

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
    /// The part says only how another is encrypted (RFC 3156 4).
    pub is_control: bool,
    /// Levels above it.
    pub depth: usize,
    encoding: String,
    body: &'a [u8],
}

impl<'a> Leaf<'a> {
    /// The content without its transfer encoding, and whether that could be undone.
    pub fn content(&self) -> (Cow<'a, [u8]>, bool) {
        decoded(self.body, &self.encoding)
    }

    /// The same for the first bytes only, as many as `length` of them make.
    pub fn start(&self, length: usize) -> Cow<'a, [u8]> {
        decoded(self.body.get(..length).unwrap_or(self.body), &self.encoding).0
    }

    /// Bytes of the content as it came.
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// The file name that the sender gave.
    pub fn name(&self) -> Option<String> {
        self.disposition.text("filename").or_else(|| self.content_type.text("name"))
    }

    /// Whether it is a message of its own.
    pub fn is_message(&self) -> bool {
        matches!(self.media_type.as_str(), "message/rfc822" | "message/global")
    }
}

/// Content without its transfer encoding, and whether that could be undone.
fn decoded<'a>(body: &'a [u8], encoding: &str) -> (Cow<'a, [u8]>, bool) {
    match encoding {
        "base64" => {
            let (bytes, sound) = decode::base64(body);
            (bytes.into(), sound)
        }
        "quoted-printable" => (decode::quoted_printable(body).into(), true),
        "" | "7bit" | "8bit" | "binary" => (body.into(), true),
        _ => (body.into(), false),
    }
}

/// The leaves of `message` in their order. `depth` is how many levels `message` itself lies below the top.
pub fn leaves<'a>(message: &'a [u8], depth: usize, survey: &mut Survey) -> Vec<Leaf<'a>> {
    let mut walk = Walk { leaves: Vec::new(), survey };
    walk.part(message, &Position { depth, ..Position::TOP });
    walk.leaves
}

/// Where a part stands: what decides whether it is text to show or a file (RFC 8621 4.1.4).
#[derive(Clone, Copy)]
struct Position {
    parent: PartKind,
    first: bool,
    in_alternative: bool,
    for_text: bool,
    for_html: bool,
    depth: usize,
}

impl Position {
    const TOP: Self = Self {
        parent: PartKind::Mixed,
        first: true,
        in_alternative: false,
        for_text: true,
        for_html: true,
        depth: 0,
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Mixed,
    Alternative,
    Related,
    Digest,
    Encrypted,
}

struct Walk<'a, 's> {
    leaves: Vec<Leaf<'a>>,
    survey: &'s mut Survey,
}

impl<'a> Walk<'a, '_> {
    fn part(&mut self, part: &'a [u8], place: &Position) {
        self.survey.parts += 1;
        let header = Header::parse(part);
        self.survey.limited |= header.is_oversized();
        self.survey.damaged |= header.is_oversized() || is_ambiguous(&header);
        let (_, body) = split(part);
        let content_type = header.structured("Content-Type");
        let media_type = media_type(&content_type.value, place.parent);
        if media_type.starts_with("multipart/") {
            let sections = content_type.raw("boundary").filter(|boundary| !boundary.trim_ascii().is_empty());
            let sections = sections.map(|boundary| sections_of(body, boundary)).unwrap_or_default();
            if !sections.is_empty() && place.depth < MAX_DEPTH {
                return self.multipart(&sections, kind(&media_type), place);
            }
            // No delimiter, or too deep: shown as it stands.
            self.survey.damaged = true;
            self.survey.limited |= !sections.is_empty();
            return self.leaf(header, body, "text/plain".to_owned(), content_type, place);
        }
        self.leaf(header, body, media_type, content_type, place);
    }

    fn multipart(&mut self, sections: &[&'a [u8]], kind: PartKind, place: &Position) {
        let start = self.leaves.len();
        let mut inner = Position {
            parent: kind,
            in_alternative: place.in_alternative || kind == PartKind::Alternative,
            depth: place.depth + 1,
            ..*place
        };
        for (index, section) in sections.iter().enumerate() {
            if self.survey.parts >= MAX_PARTS {
                (self.survey.damaged, self.survey.limited) = (true, true);
                break;
            }
            inner.first = index == 0;
            let before = self.leaves.len();
            self.part(section, &inner);
            // Within an alternative, what one text shows the other need not (RFC 8621 4.1.4).
            if kind != PartKind::Alternative && inner.in_alternative {
                for leaf in self.leaves.iter().skip(before).filter(|leaf| leaf.in_text || leaf.in_html) {
                    inner.for_html &= leaf.media_type != "text/plain";
                    inner.for_text &= leaf.media_type != "text/html";
                }
            }
        }
        if kind == PartKind::Alternative && place.for_text && place.for_html {
            self.show_only_text_twice(start);
        }
    }

    /// An alternative that has only HTML, or only plain text, shows it whatever the program prefers.
    fn show_only_text_twice(&mut self, start: usize) {
        let Some(leaves) = self.leaves.get_mut(start..) else { return };
        let (text, html) = (leaves.iter().any(|leaf| leaf.in_text), leaves.iter().any(|leaf| leaf.in_html));
        if text != html {
            for leaf in leaves.iter_mut().filter(|leaf| leaf.in_text || leaf.in_html) {
                (leaf.in_text, leaf.in_html) = (true, true);
            }
        }
    }

    fn leaf(
        &mut self,
        header: Header<'a>,
        body: &'a [u8],
        media_type: String,
        content_type: Structured,
        place: &Position,
    ) {
        let mut leaf = Leaf {
            is_control: place.parent == PartKind::Encrypted && media_type == "application/pgp-encrypted",
            media_type,
            disposition: header.structured("Content-Disposition"),
            encoding: header.structured("Content-Transfer-Encoding").value,
            header,
            content_type,
            in_text: false,
            in_html: false,
            depth: place.depth,
            body,
        };
        (leaf.in_text, leaf.in_html) = shown(&leaf, place);
        self.leaves.push(leaf);
    }
}

/// Whether a leaf belongs to the text of the message, and to which form of it.
fn shown(leaf: &Leaf, place: &Position) -> (bool, bool) {
    let is_plain = leaf.media_type == "text/plain";
    if !is_plain && leaf.media_type != "text/html" || leaf.disposition.value == "attachment" {
        return (false, false);
    }
    if !place.first && (place.parent == PartKind::Related || leaf.name().is_some()) {
        return (false, false);
    }
    if place.in_alternative {
        return (place.for_text && is_plain, place.for_html && !is_plain);
    }
    (place.for_text, place.for_html)
}

/// Two fields that say different things: programs differ in which of them they believe.
fn is_ambiguous(header: &Header) -> bool {
    ["Content-Type", "Content-Transfer-Encoding"].iter().any(|name| {
        let mut fields = header.all(name);
        let first = fields.next();
        fields.any(|other| first.is_some_and(|first| first.body().trim_ascii() != other.body().trim_ascii()))
    })
}

/// The media type, with the defaults of RFC 2045 5.2 and RFC 2046 5.1.5.
fn media_type(value: &str, parent: PartKind) -> String {
    match value.split_once('/') {
        Some((kind, subtype)) if !kind.is_empty() && !subtype.is_empty() => value.to_owned(),
        None if value.is_empty() && parent == PartKind::Digest => "message/rfc822".to_owned(),
        None if value.is_empty() || value == "text" => "text/plain".to_owned(),
        _ => "application/octet-stream".to_owned(),
    }
}

fn kind(media_type: &str) -> PartKind {
    match media_type {
        "multipart/alternative" => PartKind::Alternative,
        "multipart/related" => PartKind::Related,
        "multipart/digest" => PartKind::Digest,
        "multipart/encrypted" => PartKind::Encrypted,
        _ => PartKind::Mixed,
    }
}

/// The parts between the delimiter lines of a multipart (RFC 2046 5.1.1). The last needs no end; a part
/// after the closing delimiter still counts.
fn sections_of<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let marker = [b"--".as_slice(), boundary.trim_ascii_end()].concat();
    let mut sections = Vec::new();
    let mut open: Option<usize> = None;
    for at in memmem::find_iter(body, &marker) {
        let at_line_start = at == 0 || body.get(at - 1) == Some(&b'\n');
        let after = body.get(at + marker.len()..).unwrap_or_default();
        let closing = if after.starts_with(b"--") { 2 } else { 0 };
        let padding = after.get(closing..).unwrap_or_default();
        let blanks = closing + padding.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        let end = after.get(blanks..).unwrap_or_default();
        if !at_line_start || !(end.is_empty() || end.starts_with(b"\r\n")) {
            continue;
        }
        if let Some(start) = open {
            let section = body.get(start..at).unwrap_or_default();
            sections.push(section.strip_suffix(b"\r\n").unwrap_or(section));
        }
        open = (closing == 0).then_some((at + marker.len() + blanks + 2).min(body.len()));
        if sections.len() > MAX_PARTS {
            return sections;
        }
    }
    if let Some(start) = open {
        sections.push(body.get(start..).unwrap_or_default());
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_what_stands_between_delimiter_lines() {
        let body = b"preamble\r\n--x\r\na\r\n--x \t\r\nb\r\n\r\n--x--\r\nepilogue\r\n--x\r\nc";
        assert_eq!(sections_of(body, b"x "), [&b"a"[..], b"b\r\n", b"c"]);
        assert!(sections_of(b"--x--\r\n", b"x").is_empty());
        let longer = b"--x\r\na\r\n--x--y\r\nb\r\n--x-- \r\nepilogue";
        assert_eq!(sections_of(longer, b"x"), [&b"a\r\n--x--y\r\nb"[..]]);
    }

    /// RFC 2045 5.2, RFC 2046 5.1.5
    #[test]
    fn a_media_type_that_is_none_becomes_one() {
        for (value, parent, expected) in [
            ("text/html", PartKind::Digest, "text/html"),
            ("", PartKind::Mixed, "text/plain"),
            ("", PartKind::Digest, "message/rfc822"),
            ("text", PartKind::Digest, "text/plain"),
            ("pdf", PartKind::Mixed, "application/octet-stream"),
            ("text/", PartKind::Mixed, "application/octet-stream"),
            ("/html", PartKind::Digest, "application/octet-stream"),
        ] {
            assert_eq!(media_type(value, parent), expected, "{value}");
        }
    }
}
