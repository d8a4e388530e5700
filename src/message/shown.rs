//! The text of a message as its readers see it, out of all parts that belong to it: one form for those who prefer plain
//! text, one for those who prefer HTML. Used by `mime`.

use std::collections::HashSet;

use super::decode;
use super::html::without_tags;
use super::walk::{Leaf, Survey};

/// Both forms of the text.
#[derive(Debug, Default)]
pub struct Shown {
    /// None where there is only HTML.
    pub plain: Option<String>,
    /// As sent, not sanitised. None where there is only plain text.
    pub html: Option<String>,
}

/// The text of one part, in UTF-8.
#[derive(Debug)]
struct Piece {
    is_html: bool,
    in_text: bool,
    in_html: bool,
    text: String,
}

impl Shown {
    /// Reads the parts that are shown.
    pub fn of(leaves: &[Leaf], survey: &mut Survey) -> Self {
        let shown = leaves.iter().filter(|leaf| leaf.in_text || leaf.in_html);
        let pieces: Vec<Piece> = shown.map(|leaf| Piece::of(leaf, survey)).collect();
        let has_plain = pieces.iter().any(|piece| piece.in_text && !piece.is_html);
        let has_html = pieces.iter().any(|piece| piece.in_html && piece.is_html);
        let (mut plain, mut html) = (Vec::new(), Vec::new());
        for Piece { is_html, in_text, in_html, text } in pieces {
            let (in_plain, in_html) = (in_text && has_plain, in_html && has_html);
            if is_html {
                plain.extend(in_plain.then(|| without_tags(&text)));
                html.extend(in_html.then_some(text));
            } else {
                html.extend(in_html.then(|| preformatted(&text)));
                plain.extend(in_plain.then_some(text));
            }
        }
        Self {
            plain: has_plain.then(|| joined(plain, "\r\n\r\n")),
            html: has_html.then(|| joined(html, "\r\n<hr>\r\n")),
        }
    }
}

impl Piece {
    /// The one place where the bytes of a part become a text to show; its parameters are in `leaf.content_type`.
    fn of(leaf: &Leaf, survey: &mut Survey) -> Self {
        let (content, sound) = leaf.content();
        survey.damaged |= !sound;
        Self {
            is_html: leaf.media_type == "text/html",
            in_text: leaf.in_text,
            in_html: leaf.in_html,
            text: decode::charset(&content, leaf.content_type.text("charset").as_deref()),
        }
    }
}

/// Mostly there is one, and it may be large: that one is not copied.
fn joined(mut pieces: Vec<String>, between: &str) -> String {
    match pieces.pop() {
        Some(only) if pieces.is_empty() => only,
        last => {
            pieces.extend(last);
            pieces.join(between)
        }
    }
}

fn preformatted(text: &str) -> String {
    format!("<pre>{}</pre>", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// What an HTML text refers to as `cid:...` (RFC 2392).
pub fn content_ids(html: &str) -> HashSet<String> {
    let ends = |c: &u8| c.is_ascii_whitespace() || b"\"'<>)".contains(c);
    let mut ids = HashSet::new();
    let mut rest = html.as_bytes();
    while let Some(at) = memchr::memmem::find(rest, b"cid:") {
        rest = rest.get(at + 4..).unwrap_or_default();
        // Longer ones do not exist.
        let id: Vec<u8> = rest.iter().take(256).take_while(|c| !ends(c)).copied().collect();
        rest = rest.get(id.len()..).unwrap_or_default();
        ids.insert(unescaped_id(&id));
    }
    ids
}

/// An identifier without the escapes of URLs and of HTML.
fn unescaped_id(id: &[u8]) -> String {
    decode::charset(&decode::percent(id), None).replace("&amp;", "&")
}
