//! The second step of showing HTML, after the sanitizer: styles become rules of one sheet (no page of ours has `style`
//! attributes, H24), pictures are put in, and every text can be read on its ground. In one walk over the tags, with
//! what the elements around have said.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::cascade::{Cascade, Element};
use super::colour::Colour;
use super::long_words;
use super::look::Look;
use super::pictures::{Pictures, Room, Source};
use super::plain::PlainPage;
use super::tags::{Piece, Tag, pieces};
use crate::locale::direction::runs_from_the_right;

/// Different looks that one mail may have; further elements look as what is around them.
const MAX_LOOKS: usize = 2000;

/// Attributes that became something else.
const REPLACED: [&str; 9] =
    ["style", "class", "id", "bgcolor", "color", "text", "hidden", "src", "background"];

/// Elements whose text runs in a direction of its own where the mail names none.
const BLOCKS: [&str; 21] = [
    "p",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "ul",
    "ol",
    "dd",
    "dt",
    "dl",
    "td",
    "th",
    "blockquote",
    "pre",
    "caption",
    "center",
    "figcaption",
];

/// What is shown of an HTML text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dressed {
    /// Sanitised HTML: without `style`, script, and anything of elsewhere.
    pub html: String,
    /// The style sheet that belongs to it, in words of our own.
    pub style: String,
    /// The same in bare elements, for a page on which no HTML of others may be.
    pub plain: String,
    /// There were pictures of elsewhere.
    pub has_remote: bool,
    /// Something of it can be seen.
    pub is_visible: bool,
}

/// What holds within an element.
struct Frame<'a> {
    element: Element<'a>,
    /// The colour that was asked for, and the one that can be read.
    ink: Colour,
    shown_ink: Colour,
    ground: Colour,
    is_hidden: bool,
    has_direction: bool,
    /// It is a cell of a table, or in one.
    is_in_cell: bool,
}

struct Dresser<'a> {
    cascade: Cascade,
    pictures: &'a Pictures,
    room: Room,
    /// Hidden text is shown.
    reveals: bool,
    /// Some of the text runs from right to left: then each block finds its own direction.
    is_bidirectional: bool,
    around: Vec<Frame<'a>>,
    looks: HashMap<String, usize>,
    plain: PlainPage,
    dressed: Dressed,
}

/// Dresses what the sanitizer has left of a text. A text of which every word is hidden hides none: something went
/// wrong with it, and an empty page would help nobody.
pub fn dress(html: &str, pictures: &Pictures) -> Dressed {
    let dressed = dress_with(html, pictures, false);
    if dressed.is_visible { dressed } else { dress_with(html, pictures, true) }
}

fn dress_with(html: &str, pictures: &Pictures, reveals: bool) -> Dressed {
    let is_bidirectional = html.chars().any(runs_from_the_right);
    let mut dresser = Dresser {
        cascade: Cascade::of(pieces(html)),
        pictures,
        room: Room::default(),
        reveals,
        is_bidirectional,
        around: Vec::new(),
        looks: HashMap::new(),
        plain: PlainPage::new(is_bidirectional),
        dressed: Dressed::default(),
    };
    for piece in pieces(html) {
        match piece {
            Piece::Text(text) => dresser.text(text),
            Piece::Open(tag) => dresser.open(&tag),
            Piece::Close(name) => dresser.close(name),
            Piece::Style(_) => {}
        }
    }
    dresser.dressed.plain = dresser.plain.finish();
    dresser.dressed
}

impl<'a> Dresser<'a> {
    fn text(&mut self, text: &str) {
        match self.around.last() {
            Some(around) if around.is_in_cell => long_words::write(text, &mut self.dressed.html),
            _ => self.dressed.html.push_str(text),
        }
        if !self.around.last().is_some_and(|around| around.is_hidden) {
            self.dressed.is_visible |= !text.replace("&nbsp;", " ").trim().is_empty();
            self.plain.text(text);
        }
    }

    fn open(&mut self, tag: &Tag<'a>) {
        let element = Element::of(tag);
        let look = self.cascade.look(tag, &element, self.around.iter().rev().map(|frame| &frame.element));
        let around = self.around.last();
        let is_in_cell = ["td", "th"].contains(&tag.name) || around.is_some_and(|frame| frame.is_in_cell);
        let (ink, shown_ink, ground, is_hidden, has_direction) = match around {
            Some(frame) => (frame.ink, frame.shown_ink, frame.ground, frame.is_hidden, frame.has_direction),
            None => (Colour::INK, Colour::INK, Colour::PAPER, false, false),
        };
        let is_link = tag.name == "a" && tag.raw("href").is_some();
        let own_ground = look.ground.and_then(|paint| paint.over(ground));
        let below = own_ground.unwrap_or(ground);
        let usual = if is_link { Colour::LINK } else { ink };
        let ink = match look.ink {
            Some(own) => own.and_then(|paint| paint.over(below)).unwrap_or(ink),
            None => usual,
        };
        let mut frame = Frame {
            element,
            ink,
            shown_ink: ink.legible_on(below),
            ground: below,
            is_hidden: is_hidden || look.is_hidden() && !self.reveals,
            has_direction: has_direction || look.has_direction() || tag.raw("dir").is_some(),
            is_in_cell,
        };
        let inherited = if is_link { Colour::LINK } else { shown_ink };
        let css = self.css(&look, &frame, own_ground, inherited);
        let class = self.class(&css);
        if class.is_none() && !css.is_empty() {
            // One look too many: it takes no part in what is inside either.
            (frame.ink, frame.shown_ink, frame.ground) = (usual, inherited, ground);
        }
        self.write(tag, class, &look, &frame);
        if !tag.is_void() {
            self.around.push(frame);
        }
    }

    /// The declarations of an element. Text and ground are named together, or neither.
    fn css(&self, look: &Look, frame: &Frame, ground: Option<Colour>, inherited: Colour) -> String {
        let mut css = look.css();
        if ground.is_some() || frame.shown_ink != inherited {
            css.push_str("color:");
            css.push_str(&frame.shown_ink.css());
            css.push(';');
        }
        if let Some(ground) = ground {
            css.push_str("background-color:");
            css.push_str(&ground.css());
            css.push(';');
        }
        if look.is_hidden() && !self.reveals {
            css.push_str("display:none;");
        }
        css
    }

    /// The class that stands for a look; none for the look of everything.
    fn class(&mut self, css: &str) -> Option<usize> {
        if css.is_empty() {
            return None;
        }
        let next = self.looks.len();
        if let Some(known) = self.looks.get(css) {
            return Some(*known);
        }
        if next >= MAX_LOOKS {
            return None;
        }
        self.looks.insert(css.to_owned(), next);
        // Writing to a string does not fail.
        let _written = writeln!(self.dressed.style, ".z{next}{{{css}}}");
        Some(next)
    }

    fn write(&mut self, tag: &Tag<'a>, class: Option<usize>, look: &Look, frame: &Frame) {
        let source = if tag.name == "img" { self.source(tag, look, frame) } else { None };
        if tag.name == "img" && source.is_none() {
            return self.words_for(tag, class, frame);
        }
        let html = &mut self.dressed.html;
        let name = if tag.name == "body" { "div" } else { tag.name };
        html.push('<');
        html.push_str(name);
        if let Some(class) = class {
            let _written = write!(html, " class=\"z{class}\"");
        }
        if self.is_bidirectional && BLOCKS.contains(&name) && !frame.has_direction {
            html.push_str(" dir=\"auto\"");
        }
        for (name, value) in tag.attributes.iter().filter(|(name, _)| !REPLACED.contains(name)) {
            html.extend([" ", name, "=\"", value, "\""]);
        }
        if let Some(source) = source {
            html.extend([" src=\"", &source, "\""]);
        }
        html.push('>');
        if !frame.is_hidden {
            self.plain.open(name, tag, look);
        } else if !tag.is_void() {
            self.plain.skip();
        }
    }

    /// What stands for a picture that is not there: a browser would draw a broken one.
    fn words_for(&mut self, tag: &Tag<'a>, class: Option<usize>, frame: &Frame) {
        let Some(words) = tag.raw("alt").filter(|words| !words.trim().is_empty()) else { return };
        let class = class.map(|class| format!(" class=\"z{class}\"")).unwrap_or_default();
        self.dressed.html.extend(["<span", &class, ">[", words, "]</span>"]);
        if !frame.is_hidden {
            self.plain.open(tag.name, tag, &Look::default());
        }
    }

    /// The picture of an `<img>`.
    fn source(&mut self, tag: &Tag<'a>, look: &Look, frame: &Frame) -> Option<Arc<str>> {
        let is_pixel = |name: &str| {
            tag.raw(name)
                .is_some_and(|size| ["0", "1", "2", "3"].contains(&size.trim().trim_end_matches("px")))
        };
        match self.pictures.get(&tag.value("src").unwrap_or_default()) {
            Source::Picture(url) if self.room.take(url.len()) => {
                self.dressed.is_visible |= !frame.is_hidden;
                Some(url.clone())
            }
            Source::Remote => {
                // Those that nobody would have seen are nobody's loss.
                let is_seen =
                    !frame.is_hidden && !is_pixel("width") && !is_pixel("height") && !look.is_pixel();
                self.dressed.has_remote |= is_seen;
                self.dressed.is_visible |= is_seen;
                None
            }
            _ => None,
        }
    }

    fn close(&mut self, name: &str) {
        self.around.pop();
        let name = if name == "body" { "div" } else { name };
        self.dressed.html.extend(["</", name, ">"]);
        self.plain.close();
    }
}
