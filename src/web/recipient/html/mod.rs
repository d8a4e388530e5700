//! HTML of a mail for a reader: out of a kept library's allow-list (`ammonia`), then dressed in what is harmless of its
//! style ([`dress`]). Used by the pages of the message and of a file, and by the ZIP (C18, H24).

mod cascade;
mod colour;
mod css;
mod dress;
mod long_words;
mod look;
pub mod pictures;
mod plain;
mod tags;
mod value;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use ammonia::{Builder, UrlRelative};

pub use dress::Dressed;
use pictures::{Embedded, Pictures};
use tags::{Piece, pieces};

use crate::id::base32;
use crate::secret;

/// HTML beyond these is not shown: a parser's work grows with the square of what is nested or listed in it,
/// and the HTML may be a stranger's that somebody passed on (H13).
pub const MAX_HTML: u64 = 512 * 1024;
const MAX_TAGS: usize = 20_000;
/// As much of it is read: pictures may be in the HTML, each byte of them as more than one.
pub const MAX_READ: u64 = MAX_HTML + 2 * pictures::MAX_PICTURES;

/// HTML of which only text, structure and harmless attributes are left; no picture is in it yet.
pub struct CleanHtml {
    html: String,
    embedded: Embedded,
    /// What its `<img>` are called.
    pub sources: Vec<String>,
}

impl CleanHtml {
    /// `None` when it is too much.
    pub fn of(html: &str) -> Option<Self> {
        // Starts with a letter, as the name of an element must; no mail can know it.
        let mark = format!("z{}-", base32(&secret::random::<10>()));
        let (html, embedded) = Embedded::take(html, &base32(&secret::random::<10>()));
        if html.len() as u64 > MAX_HTML || memchr::memchr_iter(b'<', html.as_bytes()).count() > MAX_TAGS {
            return None;
        }
        let html = sanitised(&html, &mark);
        let mut seen = HashSet::new();
        let sources = pieces(&html).filter_map(|piece| match piece {
            Piece::Open(tag) if tag.name == "img" => tag.value("src"),
            _ => None,
        });
        let sources = sources.filter(|source| seen.insert(source.clone())).collect();
        Some(Self { html, embedded, sources })
    }

    /// The pictures that were in the HTML itself.
    pub fn take_embedded(&mut self) -> Embedded {
        std::mem::take(&mut self.embedded)
    }

    /// The whole of it, with its pictures.
    pub fn dress(&self, pictures: &Pictures) -> Dressed {
        dress::dress(&self.html, pictures)
    }
}

/// What is left by the allow-list. Style sheets and the attributes of style are in it still: [`dress`] takes them out.
fn sanitised(html: &str, mark: &str) -> String {
    let font = format!("{mark}font");
    // Its end tag is nothing to a parser, and it holds all that comes: its own pictures and colours are for all.
    let body = format!("{mark}body-");
    let marked: Vec<String> = MARKED.iter().map(|name| format!("{mark}{name}")).collect();
    let mut attributes: HashMap<&str, HashSet<&str>> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect();
    attributes.insert(&font, ["color", "face", "size"].into());
    attributes.insert(&body, ["bgcolor", "text"].into());
    let clean = Builder::default()
        .add_tags(marked.iter().map(String::as_str))
        .add_tags([body.as_str()])
        .rm_clean_content_tags(["style"])
        .add_tags(["style"])
        .rm_tags(["article", "aside", "header", "footer", "nav", "map", "area"])
        .tag_attributes(attributes)
        .generic_attributes(["lang", "dir", "style", "class", "id", "hidden"].into())
        .url_schemes(["http", "https", "mailto", "tel", "cid", "file"].into())
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(filter)
        .clean(&marked_html(html, mark))
        .to_string();
    clean.replace(&body, "body").replace(mark, "")
}

/// Elements that an HTML parser opens again in every paragraph after the one they were left open in: a mail
/// of 60 kB made of them grows to 200 MB. Under another name they are elements like any other, so
/// [`sanitised`] gives them one while it parses.
const MARKED: [&str; 12] =
    ["b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"];

/// What is kept besides the text itself.
const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href", "title"]),
    ("img", &["src", "alt", "title", "width", "height", "border"]),
    ("table", &["align", "bgcolor", "border", "cellpadding", "cellspacing", "width", "summary"]),
    ("tr", &["align", "bgcolor", "valign", "height"]),
    ("td", &["align", "bgcolor", "valign", "width", "height", "colspan", "rowspan"]),
    ("th", &["align", "bgcolor", "valign", "width", "height", "colspan", "rowspan", "scope"]),
    ("col", &["align", "span", "width"]),
    ("colgroup", &["align", "span", "width"]),
    ("p", &["align"]),
    ("div", &["align"]),
    ("h1", &["align"]),
    ("h2", &["align"]),
    ("h3", &["align"]),
    ("h4", &["align"]),
    ("h5", &["align"]),
    ("h6", &["align"]),
    ("hr", &["align", "size", "width"]),
    ("ol", &["start", "type", "reversed"]),
    ("li", &["type", "value"]),
    ("ul", &["type"]),
];

/// Puts `mark` before the name wherever one of these elements may begin or end. It does not matter whether it
/// really does: what is marked loses the mark again. `<body>` gets another name as well, because a parser of a piece of
/// HTML drops it, with its colours.
fn marked_html(html: &str, mark: &str) -> String {
    let mut marked = String::with_capacity(html.len() * 2);
    let mut pieces = html.split('<');
    marked.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let (slash, rest) = piece.strip_prefix('/').map_or(("", piece), |rest| ("/", rest));
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if name.eq_ignore_ascii_case("body") {
            marked.extend(["<", slash, mark, "body-", behind]);
            continue;
        }
        let is_marked = MARKED.iter().any(|marked| marked.eq_ignore_ascii_case(name));
        let mark = if is_marked { mark } else { "" };
        marked.extend(["<", slash, mark, rest]);
    }
    marked
}

/// A link leads to the web, to a mailbox or to a telephone, and never to the place of the page. What a picture is
/// called is read by [`pictures`]; nothing is fetched from anywhere.
fn filter<'a>(tag: &str, name: &str, value: &'a str) -> Option<Cow<'a, str>> {
    if name != "href" {
        return Some(Cow::Borrowed(value));
    }
    let value = value.trim();
    if tag == "a" && value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www.")) {
        return Some(Cow::Owned(format!("https://{value}")));
    }
    let scheme = value.split(':').next().unwrap_or("").to_ascii_lowercase();
    let leads_away = ["http", "https", "mailto", "tel"].contains(&scheme.as_str());
    (tag == "a" && leads_away).then_some(Cow::Borrowed(value))
}

#[cfg(test)]
mod tests;
