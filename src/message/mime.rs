//! A message taken apart as a mail program shows it (RFC 2045, RFC 2046): text, HTML and files. `transfer`
//! seals what [`parts`] gives, next to the message itself; `policy` searches what [`texts`] gives. Nothing in
//! the message is lost here: what is not shown as text is a file, and what cannot be read is in the message.

use std::borrow::Cow;
use std::collections::HashSet;

use super::crlf::CrlfBytes;
use super::decode;
use super::header::Header;
use super::name::Names;
use super::tnef;
use super::walk::{Leaf, Survey, leaves};

/// A message as its reader sees it.
#[derive(Clone, Debug, Default)]
pub struct Parts<'a> {
    /// The plain text, in UTF-8.
    pub text: Option<MimePart<'a>>,
    /// The HTML as sent, in UTF-8. Not sanitised.
    pub html: Option<MimePart<'a>>,
    /// Attachments, then pictures that stand in the HTML.
    pub files: Vec<MimePart<'a>>,
    /// Not everything could be read; the message itself has the rest.
    pub damaged: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct MimePart<'a> {
    /// A file name: a single safe path component that no other part of the message has.
    pub name: String,
    /// `type/subtype` in lower case, without parameters. As the sender says, so not to be trusted.
    pub media_type: String,
    /// What the HTML calls it by, without angle brackets.
    pub content_id: Option<String>,
    /// The HTML shows it.
    pub inline: bool,
    /// The content without its transfer encoding.
    pub data: Cow<'a, [u8]>,
}

/// Takes a message apart.
pub fn parts(message: &CrlfBytes) -> Parts<'_> {
    let mut survey = Survey::default();
    let leaves = leaves(message.as_slice(), 0, &mut survey);
    let mut names = Names::default();
    let shown = |data: Option<String>, name: &str, media_type: &str, names: &mut Names| {
        let name = names.give(name);
        data.map(|data| MimePart {
            name,
            media_type: media_type.to_owned(),
            content_id: None,
            inline: false,
            data: data.into_bytes().into(),
        })
    };
    let text = shown(plain_text(&leaves, &mut survey), "bericht.txt", "text/plain", &mut names);
    let html_text = html_text(&leaves, &mut survey);
    let pictures = html_text.as_deref().map(content_ids).unwrap_or_default();
    let html = shown(html_text, "bericht.html", "text/html", &mut names);
    names.give("bericht.eml");
    let mut files = Vec::new();
    for leaf in leaves.iter().filter(|leaf| !leaf.in_text && !leaf.in_html && !leaf.is_control) {
        add_files(leaf, &pictures, &mut names, &mut survey, &mut files);
    }
    files.sort_by_key(|file| file.inline);
    Parts { text, html, files, damaged: survey.damaged }
}

/// Hands every text in the message to `each`, those of attachments and of messages in it included, HTML
/// without its tags. Gives whether something could not be read.
pub fn texts(message: &CrlfBytes, each: &mut dyn FnMut(&str)) -> bool {
    let mut survey = Survey::default();
    texts_within(message.as_slice(), 0, &mut survey, each);
    survey.damaged
}

fn texts_within(message: &[u8], depth: usize, survey: &mut Survey, each: &mut dyn FnMut(&str)) {
    for leaf in leaves(message, depth, survey) {
        if leaf.is_message() {
            let (content, sound) = leaf.content();
            survey.damaged |= !sound;
            if leaf.depth < super::walk::MAX_DEPTH {
                each(&Header::parse(&content).subject());
                texts_within(&content, leaf.depth + 1, survey, each);
            } else {
                survey.damaged = true;
            }
        } else if let Some(text) = leaf_text(&leaf, survey) {
            each(&text);
        }
    }
}

/// The text of a leaf that is one, by its type or by its name.
fn leaf_text(leaf: &Leaf, survey: &mut Survey) -> Option<String> {
    const TEXT_TYPES: &[&str] =
        &["application/json", "application/xml", "application/csv", "application/rtf"];
    const TEXT_NAMES: &[&str] =
        &[".txt", ".csv", ".tsv", ".log", ".xml", ".json", ".md", ".rtf", ".ics", ".vcf"];
    const HTML_NAMES: &[&str] = &[".html", ".htm", ".xhtml"];
    let name = leaf.name().unwrap_or_default().to_lowercase();
    let is_named = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_html = leaf.media_type == "text/html" || is_named(HTML_NAMES);
    let is_text = leaf.media_type.starts_with("text/") || TEXT_TYPES.contains(&leaf.media_type.as_str());
    if !is_text && !is_html && !is_named(TEXT_NAMES) {
        return None;
    }
    let text = decoded(leaf, survey);
    Some(if is_html { without_tags(&text) } else { text })
}

fn decoded(leaf: &Leaf, survey: &mut Survey) -> String {
    let (content, sound) = leaf.content();
    survey.damaged |= !sound;
    decode::charset(&content, leaf.content_type.text("charset").as_deref())
}

/// The message for who prefers plain text; none where it has only HTML.
fn plain_text(leaves: &[Leaf], survey: &mut Survey) -> Option<String> {
    let shown: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.in_text).collect();
    if shown.iter().all(|leaf| leaf.media_type == "text/html") {
        return None;
    }
    let pieces: Vec<String> = shown
        .iter()
        .map(|leaf| {
            let text = decoded(leaf, survey);
            if leaf.media_type == "text/html" { without_tags(&text) } else { text }
        })
        .collect();
    Some(joined(pieces, "\r\n\r\n"))
}

/// The message for who prefers HTML; none where it has only plain text.
fn html_text(leaves: &[Leaf], survey: &mut Survey) -> Option<String> {
    let shown: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.in_html).collect();
    if !shown.iter().any(|leaf| leaf.media_type == "text/html") {
        return None;
    }
    let pieces: Vec<String> = shown
        .iter()
        .map(|leaf| {
            let text = decoded(leaf, survey);
            if leaf.media_type == "text/html" { text } else { format!("<pre>{}</pre>", escaped(&text)) }
        })
        .collect();
    Some(joined(pieces, "\r\n<hr>\r\n"))
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

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The file that a leaf is, and those that a winmail.dat hides.
fn add_files<'a>(
    leaf: &Leaf<'a>,
    pictures: &HashSet<String>,
    names: &mut Names,
    survey: &mut Survey,
    files: &mut Vec<MimePart<'a>>,
) {
    let (data, sound) = leaf.content();
    survey.damaged |= !sound;
    let content_id = leaf.header.first("Content-ID").map(|field| field.value());
    let content_id = content_id.map(|id| id.trim_matches(['<', '>', ' ']).to_owned());
    let name = names.give(&file_name(leaf, &data, files.len() + 1));
    let is_winmail = matches!(leaf.media_type.as_str(), "application/ms-tnef" | "application/vnd.ms-tnef")
        || name.eq_ignore_ascii_case("winmail.dat");
    let hidden = if is_winmail { tnef::attachments(&data) } else { Vec::new() };
    files.push(MimePart {
        name,
        media_type: leaf.media_type.clone(),
        inline: content_id.as_ref().is_some_and(|id| pictures.contains(id)),
        content_id,
        data,
    });
    for attachment in hidden {
        let name = Some(attachment.name).filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("bijlage-{}.bin", files.len() + 1));
        files.push(MimePart {
            name: names.give(&name),
            media_type: "application/octet-stream".to_owned(),
            content_id: None,
            inline: false,
            data: attachment.data.into(),
        });
    }
}

/// The name that the sender gave, or one by the media type. A name without an extension gets one, or the
/// file could not be opened.
fn file_name(leaf: &Leaf, data: &[u8], number: usize) -> String {
    let extension = extension(&leaf.media_type);
    if leaf.is_message() {
        let named = leaf.name().filter(|name| name.to_lowercase().ends_with(".eml"));
        return named.unwrap_or_else(|| {
            let subject = Header::parse(data).subject();
            let stem = if subject.is_empty() { format!("bericht-{number}") } else { subject };
            format!("{stem}.eml")
        });
    }
    match leaf.name() {
        Some(name) if name.contains('.') || extension == "bin" => name,
        Some(name) => format!("{name}.{extension}"),
        None => match leaf.media_type.as_str() {
            "application/ms-tnef" | "application/vnd.ms-tnef" => "winmail.dat".to_owned(),
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => "smime.p7m".to_owned(),
            "application/pkcs7-signature" | "application/x-pkcs7-signature" => "smime.p7s".to_owned(),
            "application/pgp-signature" => "signature.asc".to_owned(),
            _ if data.starts_with(b"-----BEGIN PGP MESSAGE") => "encrypted.asc".to_owned(),
            _ => format!("bijlage-{number}.{extension}"),
        },
    }
}

fn extension(media_type: &str) -> &'static str {
    match media_type {
        "application/pdf" => "pdf",
        "application/zip" | "application/x-zip-compressed" => "zip",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/vnd.ms-powerpoint" => "ppt",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "pptx",
        "application/vnd.oasis.opendocument.text" => "odt",
        "application/vnd.oasis.opendocument.spreadsheet" => "ods",
        "application/json" => "json",
        "application/rtf" | "text/rtf" => "rtf",
        "application/xml" | "text/xml" => "xml",
        "image/jpeg" | "image/jpg" | "image/pjpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/tiff" => "tif",
        "image/bmp" => "bmp",
        "image/svg+xml" => "svg",
        "image/heic" => "heic",
        "audio/mpeg" => "mp3",
        "video/mp4" => "mp4",
        "text/html" => "html",
        "text/csv" => "csv",
        "text/calendar" => "ics",
        "text/vcard" | "text/x-vcard" => "vcf",
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => "p7m",
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => "p7s",
        "application/pgp-signature" | "application/pgp-encrypted" => "asc",
        _ if media_type.starts_with("text/") || media_type.starts_with("message/") => "txt",
        _ => "bin",
    }
}

/// What an HTML text refers to as `cid:...` (RFC 2392).
fn content_ids(html: &str) -> HashSet<String> {
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

/// Tags within a word; every other one parts words.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "s",
    "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// The text of HTML for searching and for plain readers: tags become blanks, those within a word nothing, and
/// entities what they stand for. More is kept than a browser shows, scripts and styles for instance.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let last_end = html.rfind('>').unwrap_or(0);
    let mut at = 0;
    while let Some(found) = html.get(at..).and_then(|rest| rest.find(['<', '&'])) {
        let from = html.get(at + found..).unwrap_or("");
        text.push_str(html.get(at..at + found).unwrap_or(""));
        at += found;
        if from.starts_with('&') {
            let (c, length) = entity(from);
            text.push(c);
            at += length;
        } else {
            // A "<" that starts no tag is text; so is one that is never closed.
            let starts = |c: char| "/!?".contains(c) || c.is_ascii_alphabetic();
            let is_tag = at < last_end && from.get(1..).is_some_and(|tag| tag.starts_with(starts));
            let length = if is_tag { from.find('>').unwrap_or(0) + 1 } else { 1 };
            if !is_inline(from.get(1..length).unwrap_or("")) {
                text.push(' ');
            }
            at += length;
        }
    }
    text.push_str(html.get(at..).unwrap_or(""));
    text
}

/// Whether what follows a `<` is a tag within a word, or a comment.
fn is_inline(tag: &str) -> bool {
    let name = tag.strip_prefix('/').unwrap_or(tag);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or("");
    tag.starts_with("!--") || INLINE_TAGS.iter().any(|inline| name.eq_ignore_ascii_case(inline))
}

/// The character that an entity at the start of `from` stands for, and its length.
fn entity(from: &str) -> (char, usize) {
    let end = from.bytes().take(12).position(|c| c == b';');
    let name = end.and_then(|end| from.get(1..end)).unwrap_or("");
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        },
        None => None,
    };
    let c = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => Some(' '),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "shy" | "zwnj" | "zwj" | "ZeroWidthSpace" => Some('\u{200b}'),
        "hyphen" | "dash" | "ndash" => Some('-'),
        "period" => Some('.'),
        _ => number.and_then(char::from_u32),
    };
    match (c, end) {
        (Some(c), Some(end)) => (c, end + 1),
        _ => ('&', 1),
    }
}

#[cfg(test)]
#[path = "mime_tests.rs"]
mod tests;
