//! The text of a message as its readers see it, out of all parts that belong to it: one form for those who prefer plain
//! text, one for those who prefer HTML. Used by `mime`.

use std::borrow::Cow;

use super::blank::is_blank;
use super::html::{self, without_tags};
use super::leaf::Leaf;
use super::walk::Survey;
use super::{decode, flowed, uuencode};

/// Both forms of the text.
#[derive(Debug, Default)]
pub struct Shown {
    /// None where there is only HTML.
    pub plain: Option<String>,
    /// As sent, not sanitised. None where there is only plain text, or nothing to see but in that.
    pub html: Option<String>,
    /// Files that uuencode wrote into the text, by name and content.
    pub files: Vec<(String, Vec<u8>)>,
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
        let mut files = Vec::new();
        let pieces: Vec<Piece> = shown.map(|leaf| Piece::of(leaf, survey, &mut files)).collect();
        let has_plain = pieces.iter().any(|piece| piece.in_text && !piece.is_html);
        let has_html = pieces.iter().any(|piece| piece.in_html && piece.is_html);
        let (mut plain, mut html) = (Vec::new(), Vec::new());
        for Piece { is_html, in_text, in_html, text } in pieces {
            let (in_plain, in_html) = (in_text && has_plain, in_html && has_html);
            if is_html {
                plain.extend(in_plain.then(|| without_tags(&text)));
                html.extend(in_html.then_some(text));
            } else {
                html.extend((in_html && !text.trim().is_empty()).then(|| preformatted(&text)));
                plain.extend(in_plain.then_some(text));
            }
        }
        // What programs put between files, or before the HTML, may be an empty line.
        if plain.len() > 1 {
            plain.retain(|text: &String| !text.trim().is_empty());
        }
        let plain = has_plain.then(|| joined(plain, "\r\n\r\n"));
        let html = has_html.then(|| joined(html, "\r\n<hr>\r\n"));
        let says_something = plain.as_deref().is_some_and(|text| !text.trim().is_empty());
        let html = html.filter(|html| !says_something || !is_blank(html));
        Self { plain, html, files }
    }
}

/// Hides the text of a winmail.dat where there is another; where there is none, shows it alone.
pub fn hide_spare(leaves: &mut [Leaf]) {
    if leaves.iter().any(|leaf| leaf.is_spare) {
        let has_text = leaves.iter().any(|leaf| leaf.is_shown() && !leaf.is_spare && says_something(leaf));
        for leaf in leaves.iter_mut().filter(|leaf| leaf.is_spare == has_text) {
            (leaf.in_text, leaf.in_html) = (false, false);
        }
    }
}

/// Whether a reader sees something of it.
fn says_something(leaf: &Leaf) -> bool {
    let piece = Piece::of(leaf, &mut Survey::default(), &mut Vec::new());
    if piece.is_html { !is_blank(&piece.text) } else { !piece.text.trim().is_empty() }
}

impl Piece {
    /// The one place where the bytes of a part become a text to show; its parameters are in `leaf.content_type`.
    fn of(leaf: &Leaf, survey: &mut Survey, files: &mut Vec<(String, Vec<u8>)>) -> Self {
        let (mut content, sound) = leaf.content();
        survey.damaged |= !sound;
        let is_html = leaf.is_html();
        if !is_html {
            content = without_files(content, survey, files);
        }
        let charset = leaf.content_type.text("charset");
        let text = match flow(leaf) {
            _ if is_html => html::decoded(&content, charset.as_deref()),
            Some(delsp) => flowed::joined(&decode::charset(&content, charset.as_deref()), delsp),
            None => decode::charset(&content, charset.as_deref()),
        };
        Self { is_html, in_text: leaf.in_text, in_html: leaf.in_html, text }
    }
}

/// Whether the lines of the part were broken for a screen (RFC 3676 4), and if so whether a blank was added for it.
pub fn flow(leaf: &Leaf) -> Option<bool> {
    let says = |name: &str, value: &str| {
        leaf.content_type.text(name).is_some_and(|said| said.trim().eq_ignore_ascii_case(value))
    };
    let is_flowed = leaf.media_type == "text/plain" && says("format", "flowed");
    is_flowed.then(|| says("delsp", "yes"))
}

/// The text without the files in it.
fn without_files<'a>(
    content: Cow<'a, [u8]>,
    survey: &mut Survey,
    files: &mut Vec<(String, Vec<u8>)>,
) -> Cow<'a, [u8]> {
    let split = uuencode::split(&content, uuencode::MAX_FILES.saturating_sub(files.len()));
    if split.files.is_empty() {
        return content;
    }
    survey.damaged |= split.files.iter().any(|file| !file.is_whole);
    files.extend(split.files.into_iter().map(|file| (decode::charset(file.name, None), file.data)));
    split.text.into_owned().into()
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
