//! A message taken apart as a mail program shows it (RFC 2045, RFC 2046): text, HTML and files. `transfer`
//! seals what [`parts`] gives, next to the message itself; `policy` searches what [`texts`] gives. Nothing in
//! the message is lost here: what is not shown as text is a file, and what cannot be read is in the message.

use std::borrow::Cow;

use super::crlf::CrlfBytes;
use super::header::Header;
use super::html::{self, without_tags};
use super::media_type::{extension, media_type_of, with_extension};
use super::name::{NAMELESS, Names, safe_name};
use super::note::Note;
use super::opened::Arena;
use super::references::References;
use super::shown::{Shown, flow, hide_spare};
use super::tnef::{self, Inner};
use super::walk::{Leaf, Survey, leaves, opened_leaves};
use super::{decode, flowed, uuencode};

/// A message as its reader sees it.
#[derive(Clone, Debug, Default)]
pub struct MimeParts<'a> {
    /// The plain text, in UTF-8.
    pub text: Option<MimePart<'a>>,
    /// The HTML as sent, in UTF-8. Not sanitised.
    pub html: Option<MimePart<'a>>,
    /// Attachments, then pictures that are in the HTML.
    pub files: Vec<MimePart<'a>>,
    /// What is to be said of the message besides.
    pub notes: Vec<Note>,
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
    /// Where it would be found on the web (RFC 2557), as it was written.
    pub content_location: Option<String>,
    /// The HTML shows it.
    pub inline: bool,
    /// The content without its transfer encoding.
    pub data: Cow<'a, [u8]>,
}

/// Takes a message apart.
pub fn parts(message: &CrlfBytes) -> MimeParts<'_> {
    let mut survey = Survey::default();
    let closed = leaves(message.as_slice(), 0, &mut survey);
    if closed.iter().all(|leaf| leaf.form.is_none()) {
        return assembled(&closed, survey);
    }
    let arena = Arena::new(message.as_slice().len(), Inner::Beside);
    let mut survey = Survey::default();
    let mut leaves = opened_leaves(message.as_slice(), 0, &arena, &mut survey);
    hide_spare(&mut leaves);
    assembled(&leaves, survey).into_owned()
}

impl MimeParts<'_> {
    fn into_owned(self) -> MimeParts<'static> {
        MimeParts {
            text: self.text.map(MimePart::into_owned),
            html: self.html.map(MimePart::into_owned),
            files: self.files.into_iter().map(MimePart::into_owned).collect(),
            ..self
        }
    }
}

impl MimePart<'_> {
    fn into_owned(self) -> MimePart<'static> {
        MimePart { data: Cow::Owned(self.data.into_owned()), ..self }
    }
}

fn assembled<'a>(leaves: &[Leaf<'a>], mut survey: Survey) -> MimeParts<'a> {
    let mut names = Names::default();
    let Shown { plain, html, files: uuencoded } = Shown::of(leaves, &mut survey);
    let pictures = html.as_deref().map(References::of).unwrap_or_default();
    // The files first: what the sender calls "bericht.txt" keeps its name.
    let mut files = Vec::new();
    for (name, data) in uuencoded {
        let name = if name.is_empty() { format!("bijlage-{}.bin", files.len() + 1) } else { name };
        let (media_type, name) = (media_type_of(&name).to_owned(), names.give(&name));
        let hidden = winmail_files(&data, &mut names, &mut survey);
        let data = data.into();
        files.push(MimePart {
            name,
            media_type,
            content_id: None,
            content_location: None,
            inline: false,
            data,
        });
        files.extend(hidden);
    }
    for leaf in leaves.iter().filter(|leaf| leaf.is_file) {
        add_files(leaf, &pictures, &mut names, &mut survey, &mut files);
    }
    files.sort_by_key(|file| file.inline);
    let part = |data: Option<String>, name: &str, media_type: &str, names: &mut Names| {
        let name = names.give(name);
        data.map(|data| MimePart {
            name,
            media_type: media_type.to_owned(),
            content_id: None,
            content_location: None,
            inline: false,
            data: data.into_bytes().into(),
        })
    };
    let text = part(plain, "bericht.txt", "text/plain", &mut names);
    let html = part(html, "bericht.html", "text/html", &mut names);
    MimeParts { text, html, files, notes: survey.notes, damaged: survey.damaged }
}

/// Hands every text in the message to `each`, those of attachments and of messages in it included, HTML
/// without its tags. Gives whether something could not be read.
pub fn texts(message: &CrlfBytes, each: &mut dyn FnMut(&str)) -> bool {
    let mut survey = Survey::default();
    let arena = Arena::new(message.as_slice().len(), Inner::Within);
    texts_within(message.as_slice(), 0, &arena, &mut survey, each);
    survey.damaged
}

fn texts_within(
    message: &[u8],
    depth: usize,
    arena: &Arena,
    survey: &mut Survey,
    each: &mut dyn FnMut(&str),
) {
    for leaf in opened_leaves(message, depth, arena, survey) {
        if leaf.is_message() {
            let (content, sound) = leaf.content();
            survey.damaged |= !sound;
            if leaf.depth < super::walk::MAX_DEPTH {
                each(&Header::parse(&content).subject());
                texts_within(&content, leaf.depth + 1, arena, survey, each);
            } else {
                survey.damaged = true;
            }
        } else {
            let (content, sound) = leaf.content();
            let name = leaf.name().unwrap_or_default();
            if leaf.media_type.starts_with("text/") {
                uuencoded_texts(&content, leaf.depth, arena, survey, each);
            }
            let charset = leaf.content_type.text("charset");
            let is_text = text_of(&content, &leaf.media_type, &name, charset.as_deref(), each);
            if let Some(delsp) = flow(&leaf) {
                each(&flowed::joined(&decode::charset(&content, charset.as_deref()), delsp));
            }
            let is_unknown = charset.is_some_and(|charset| !decode::is_readable(&charset));
            survey.damaged |= (is_text || leaf.may_hide_text()) && !sound || is_text && is_unknown;
        }
    }
}

/// The texts of files that uuencode wrote into a text.
fn uuencoded_texts(
    text: &[u8],
    depth: usize,
    arena: &Arena,
    survey: &mut Survey,
    each: &mut dyn FnMut(&str),
) {
    for (name, data) in uuencode::files(text) {
        let media_type = media_type_of(&name);
        text_of(&data, media_type, &name, None, each);
        let (entity, cut) =
            if tnef::is_tnef(&data) { tnef::entity(&data, arena.inner) } else { (Vec::new(), false) };
        survey.damaged |= cut;
        let message = if media_type == "message/rfc822" { data } else { entity };
        if message.is_empty() {
            continue;
        }
        // What was a file has the line ends of the system that it comes from.
        let message = CrlfBytes::normalised(&message);
        each(&Header::parse(message.as_slice()).subject());
        match depth < super::walk::MAX_DEPTH {
            true => texts_within(message.as_slice(), depth + 1, arena, survey, each),
            false => survey.damaged = true,
        }
    }
}

/// Hands a content to `each` that is text by its type or by its name: in its charset, and, where that may be
/// a lie, without it. Gives whether it is text.
fn text_of(
    content: &[u8],
    media_type: &str,
    name: &str,
    charset: Option<&str>,
    each: &mut dyn FnMut(&str),
) -> bool {
    const TEXT_TYPES: &[&str] =
        &["application/json", "application/xml", "application/csv", "application/rtf", "application/pgp"];
    const HTML_TYPES: &[&str] = &["text/html", "text/x-amp-html", "application/xhtml+xml"];
    const TEXT_NAMES: &[&str] =
        &[".txt", ".csv", ".tsv", ".log", ".xml", ".json", ".md", ".rtf", ".ics", ".vcf"];
    const HTML_NAMES: &[&str] = &[".html", ".htm", ".xhtml"];
    let name = name.to_lowercase();
    let is_named = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_html = HTML_TYPES.contains(&media_type) || is_named(HTML_NAMES);
    let is_text = ["text/", "message/"].iter().any(|kind| media_type.starts_with(kind))
        || TEXT_TYPES.contains(&media_type);
    if !is_text && !is_html && !is_named(TEXT_NAMES) {
        return false;
    }
    let text = if is_html { html::decoded(content, charset) } else { decode::charset(content, charset) };
    let bare = charset.map(|_| decode::charset(content, None)).filter(|bare| *bare != text);
    for reading in std::iter::once(text).chain(bare) {
        each(&if is_html { without_tags(&reading) } else { reading });
    }
    true
}

/// The files in a winmail.dat that is no part of its own.
fn winmail_files(file: &[u8], names: &mut Names, survey: &mut Survey) -> Vec<MimePart<'static>> {
    if !tnef::is_tnef(file) {
        return Vec::new();
    }
    let (entity, cut) = tnef::entity(file, Inner::Beside);
    survey.damaged |= cut;
    let arena = Arena::new(entity.len(), Inner::Beside);
    let mut files = Vec::new();
    for leaf in opened_leaves(&entity, 1, &arena, survey).iter().filter(|leaf| leaf.is_file) {
        add_files(leaf, &References::default(), names, survey, &mut files);
    }
    files.into_iter().map(MimePart::into_owned).collect()
}

/// The file that a leaf is.
fn add_files<'a>(
    leaf: &Leaf<'a>,
    pictures: &References,
    names: &mut Names,
    survey: &mut Survey,
    files: &mut Vec<MimePart<'a>>,
) {
    let (data, sound) = leaf.content();
    survey.damaged |= !sound;
    let content_id = leaf.header.first("Content-ID").map(|field| field.value());
    let content_id = content_id.map(|id| id.trim_matches(['<', '>', ' ']).to_owned());
    let location = location(leaf);
    let name = names.give(&file_name(leaf, &data, files.len() + 1));
    files.push(MimePart {
        name,
        media_type: leaf.media_type.clone(),
        inline: pictures.mean(content_id.as_deref(), location.as_deref(), leaf.name().as_deref()),
        content_id,
        content_location: location,
        data,
    });
}

/// The name that the sender gave, or one by the media type; with an extension, or the file could not be opened.
fn file_name(leaf: &Leaf, data: &[u8], number: usize) -> String {
    let extension = extension(&leaf.media_type);
    if leaf.is_message() {
        let named = leaf.name().map(|name| safe_name(&name)).filter(|name| name != NAMELESS);
        let stem = named.unwrap_or_else(|| match Header::parse(data).subject() {
            subject if subject.is_empty() => format!("bericht-{number}"),
            subject => safe_name(&subject),
        });
        return if stem.to_lowercase().ends_with(".eml") { stem } else { format!("{stem}.eml") };
    }
    match leaf.name() {
        Some(name) => with_extension(&name, &leaf.media_type),
        None => match leaf.media_type.as_str() {
            "application/ms-tnef" | "application/vnd.ms-tnef" => "winmail.dat".to_owned(),
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => "smime.p7m".to_owned(),
            "application/pkcs7-signature" | "application/x-pkcs7-signature" => "smime.p7s".to_owned(),
            "application/pgp-signature" => "signature.asc".to_owned(),
            _ if data.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE") => "encrypted.asc".to_owned(),
            _ => format!("bijlage-{number}.{extension}"),
        },
    }
}

/// Its Content-Location, which may be folded between any two characters.
fn location(leaf: &Leaf) -> Option<String> {
    let location: String = leaf.header.first("Content-Location")?.value().split_whitespace().collect();
    Some(location).filter(|location| !location.is_empty())
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod shapes;
#[cfg(test)]
#[path = "mime_tests.rs"]
mod tests;
