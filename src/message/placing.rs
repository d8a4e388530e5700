//! Which parts of a message are its text, in plain and in HTML, and which are files (RFC 8621 4.1.4, RFC 2387, RFC 2046 5.1.4);
//! used by `walk`. Nothing may get lost between the two: what is not shown is a file, but for another form of what is shown.

use super::blank;
use super::header::Header;
use super::kind::FileKind;
use super::leaf::Leaf;
use super::parameter::Structured;

/// Texts that a program reads, and not a person.
const FILE_TEXTS: &[&str] = &[
    "text/calendar",
    "text/x-vcalendar",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "text/rtf",
    "text/rfc822",
    "text/rfc822-headers",
];

/// Texts that may be all that a message says, but are a file even then.
const DATA_TEXTS: &[&str] =
    &["text/csv", "text/tab-separated-values", "text/xml", "text/css", "text/javascript", "text/ecmascript"];

/// Forms of an alternative for other devices: the message again, with less of it.
const RENDITIONS: &[&str] = &["text/x-amp-html", "text/watch-html"];

/// Bytes of a part, as it came, by which it is known that it is no text at all.
const START: usize = 1 << 10;

/// Parts of a related multipart among which its root is looked for.
const MAX_RELATED: usize = 1000;

/// Where a part stands.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub parent: PartKind,
    /// It is the first of its multipart, or the root of a related one.
    pub first: bool,
    pub in_alternative: bool,
    pub for_text: bool,
    pub for_html: bool,
    /// Its text is shown only where there is no other.
    pub is_spare: bool,
    /// Levels above it.
    pub depth: usize,
}

impl Position {
    pub const TOP: Self = Self {
        parent: PartKind::Mixed,
        first: true,
        in_alternative: false,
        for_text: true,
        for_html: true,
        is_spare: false,
        depth: 0,
    };
}

/// What a multipart says of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Mixed,
    Alternative,
    Related,
    Digest,
    Encrypted,
}

impl PartKind {
    pub fn of(media_type: &str) -> Self {
        match media_type {
            "multipart/alternative" => Self::Alternative,
            "multipart/related" => Self::Related,
            "multipart/digest" => Self::Digest,
            "multipart/encrypted" => Self::Encrypted,
            _ => Self::Mixed,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Html,
    /// Unknown, and read as plain text (RFC 2046 4.1.4).
    Other,
    Data,
    None,
}

impl Form {
    fn of(media_type: &str) -> Self {
        match media_type {
            "text/plain" => Self::Plain,
            "text/html" => Self::Html,
            file if FILE_TEXTS.contains(&file) || RENDITIONS.contains(&file) => Self::None,
            data if DATA_TEXTS.contains(&data) => Self::Data,
            other if other.starts_with("text/") => Self::Other,
            _ => Self::None,
        }
    }
}

/// Decides of one part what its position alone decides.
pub fn place(leaf: &mut Leaf, position: &Position) {
    let form = Form::of(&leaf.media_type);
    let is_named = leaf.name().is_some();
    // The forms of an alternative are the message, even where a program gives them names.
    let is_later = match position.parent {
        PartKind::Related => false,
        PartKind::Alternative => true,
        _ => !is_named && form != Form::Data,
    };
    if (position.first || is_later) && may_be_shown(leaf) {
        (leaf.in_text, leaf.in_html) = match form {
            Form::None => (false, false),
            Form::Plain if position.in_alternative => (position.for_text, false),
            Form::Html if position.in_alternative => (false, position.for_html),
            Form::Other | Form::Data if position.in_alternative => (false, false),
            _ => (position.for_text, position.for_html),
        };
    }
    // It says only how the other part is encrypted (RFC 3156 4).
    let is_control = position.parent == PartKind::Encrypted && leaf.media_type == "application/pgp-encrypted";
    leaf.is_file = (!leaf.is_shown() || is_named || form == Form::Data) && !is_control;
}

/// Not sent as a file only, and no picture or PDF that is called a text.
fn may_be_shown(leaf: &Leaf) -> bool {
    leaf.disposition.value != "attachment" && (leaf.name().is_none() || is_text(leaf))
}

fn is_text(leaf: &Leaf) -> bool {
    let start = leaf.start(START);
    let is_wide = leaf.content_type.text("charset").is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        charset.contains("utf-16") || charset.contains("utf-32")
    });
    FileKind::of(&start).is_none() && (is_wide || !start.contains(&0))
}

/// The parts of a related multipart that are its text (RFC 2387 3.2), by their number.
#[derive(Debug, Default)]
pub struct Root {
    pub at: usize,
    /// Plain text in front of it.
    before: Vec<usize>,
    /// That is the same in another form.
    pub is_alternative: bool,
}

impl Root {
    /// By the identifier in `start=`, else by the type in `type=`, else the first part that can be one. Some programs send
    /// plain text, HTML and its pictures side by side: both texts count then.
    pub fn of(sections: &[&[u8]], content_type: &Structured) -> Self {
        let heads: Vec<Head> = sections.iter().take(MAX_RELATED).map(|section| Head::of(section)).collect();
        let at = |found: &dyn Fn(&Head) -> bool| heads.iter().position(found);
        let start = content_type.text("start").map(|start| bare(&start).to_owned());
        let root_type = content_type.text("type").map(|value| value.trim().to_lowercase());
        let is_html = |head: &Head| head.media_type == "text/html" && !head.is_attachment;
        let is_multipart = |head: &Head| head.media_type.starts_with("multipart/");
        let is_text = |head: &Head| Form::of(&head.media_type) != Form::None && !head.is_attachment;
        let found = start
            .and_then(|start| {
                at(&|head| head.id == start).or_else(|| at(&|head| head.id.eq_ignore_ascii_case(&start)))
            })
            .or_else(|| root_type.and_then(|root_type| at(&|head| head.media_type == root_type)))
            .or_else(|| at(&|head| is_html(head) || is_multipart(head)))
            .or_else(|| at(&is_text))
            .unwrap_or_default();
        let root = heads.get(found);
        let takes_text = root.is_some_and(|root| is_html(root) || is_multipart(root));
        let plain = |head: &Head| head.media_type == "text/plain" && !head.is_attachment && !head.is_named;
        let before = heads.iter().take(found).enumerate().filter(|(_, head)| takes_text && plain(head));
        let before: Vec<usize> = before.map(|(at, _)| at).collect();
        Self { at: found, is_alternative: !before.is_empty() && root.is_some_and(is_html), before }
    }

    /// Whether part number `at` is the root, or stands for it.
    pub fn has(&self, at: usize) -> bool {
        self.at == at || self.before.contains(&at)
    }
}

/// What the header of a part says of its place.
struct Head {
    media_type: String,
    id: String,
    is_attachment: bool,
    is_named: bool,
}

impl Head {
    fn of(part: &[u8]) -> Self {
        let header = Header::parse(part);
        let content_type = header.structured("Content-Type");
        let disposition = header.structured("Content-Disposition");
        let id = header.first("Content-ID").map(|field| field.value()).unwrap_or_default();
        Self {
            is_named: disposition.text("filename").or_else(|| content_type.text("name")).is_some(),
            is_attachment: disposition.value == "attachment",
            media_type: if content_type.value.is_empty() {
                "text/plain".to_owned()
            } else {
                content_type.value
            },
            id: bare(&id).to_owned(),
        }
    }
}

/// An identifier without angle brackets.
fn bare(id: &str) -> &str {
    id.trim_matches(['<', '>', ' '])
}

/// Settles which of the forms of an alternative are shown: of several of one type the last that says something, as it is the
/// best (RFC 2046 5.1.4). `leaves` are all parts in it, those that are `depth` levels down its own.
pub fn settle_alternative(leaves: &mut [Leaf], depth: usize) {
    for is_html in [false, true] {
        let is_same = |leaf: &Leaf| leaf.depth == depth && leaf.is_shown() && leaf.is_html() == is_html;
        if leaves.iter().filter(|leaf| is_same(leaf)).count() < 2 {
            continue;
        }
        let best = |leaf: &&Leaf| is_same(leaf) && !is_blank(leaf);
        let unnamed = leaves.iter().rposition(|leaf| best(&leaf) && leaf.name().is_none());
        let shown = unnamed.or_else(|| leaves.iter().rposition(|leaf| best(&leaf)));
        for (_, leaf) in
            leaves.iter_mut().enumerate().filter(|(at, leaf)| is_same(leaf) && Some(*at) != shown)
        {
            (leaf.in_text, leaf.in_html) = (false, false);
            leaf.is_file |= !is_blank(leaf);
        }
    }
    let (has_plain, has_html) = texts(leaves);
    let is_other = |leaf: &&mut Leaf| leaf.depth == depth && Form::of(&leaf.media_type) == Form::Other;
    let other =
        leaves.iter_mut().rev().find(|leaf| is_other(leaf) && may_be_shown(leaf) && leaf.name().is_none());
    if let Some(other) = other.filter(|_| !has_plain) {
        (other.in_text, other.in_html, other.is_file) = (true, !has_html, false);
    }
    if leaves.iter().any(Leaf::is_shown) {
        for leaf in leaves.iter_mut().filter(|leaf| leaf.depth == depth && leaf.name().is_none()) {
            leaf.is_file &= !RENDITIONS.contains(&leaf.media_type.as_str());
        }
    }
}

/// An alternative that has only HTML, or only plain text, shows it whatever the program prefers.
pub fn show_only_text_twice(leaves: &mut [Leaf]) {
    let (text, html) = (leaves.iter().any(|leaf| leaf.in_text), leaves.iter().any(|leaf| leaf.in_html));
    if text != html {
        for leaf in leaves.iter_mut().filter(|leaf| leaf.is_shown()) {
            (leaf.in_text, leaf.in_html) = (true, true);
        }
    }
}

/// A message in which no part is in the place of its text shows the first that could be. One that says "attachment" is shown
/// only where there is no other, and where nobody gave it a name.
pub fn show_something(leaves: &mut [Leaf]) {
    if leaves.iter().any(Leaf::is_shown) {
        return;
    }
    let is_text = |leaf: &Leaf| matches!(Form::of(&leaf.media_type), Form::Plain | Form::Html | Form::Other);
    let text = leaves.iter().position(|leaf| is_text(leaf) && may_be_shown(leaf));
    let text = text.or_else(|| leaves.iter().position(|leaf| is_text(leaf) && leaf.name().is_none()));
    if let Some(leaf) = text.and_then(|at| leaves.get_mut(at)) {
        (leaf.in_text, leaf.in_html) = (true, true);
        leaf.is_file = leaf.name().is_some() || leaf.disposition.value == "attachment";
    }
}

/// Whether there is plain text, and whether there is HTML.
fn texts(leaves: &[Leaf]) -> (bool, bool) {
    let has = |is_html| leaves.iter().any(|leaf| leaf.is_shown() && leaf.is_html() == is_html);
    (has(false), has(true))
}

fn is_blank(leaf: &Leaf) -> bool {
    let (content, _) = leaf.content();
    match leaf.is_html() {
        true => blank::is_blank(&String::from_utf8_lossy(&content)),
        false => content.trim_ascii().is_empty(),
    }
}
