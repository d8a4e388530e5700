//! The same text for a page of ours, where no HTML of a mail may be: words that stay escaped, in elements of a short
//! list, without any attribute of the mail. It is what is printed, because a frame is cut at its height.

use super::look::Look;
use super::tags::Tag;

/// Elements that tell what a text means. Their names come from here, not from the mail.
const KEPT: [&str; 37] = [
    "p",
    "div",
    "br",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "th",
    "caption",
    "blockquote",
    "pre",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "strike",
    "del",
    "sub",
    "sup",
    "center",
];
/// Those in which only certain others may be.
const STRUCTURE: [&str; 8] = ["table", "thead", "tbody", "tfoot", "tr", "ul", "ol", "dl"];

/// A page as it grows.
#[derive(Debug, Default)]
pub struct PlainPage {
    html: String,
    is_bidirectional: bool,
    /// The end tags of each element that is open, in the order in which they will be written.
    ends: Vec<Vec<&'static str>>,
}

impl PlainPage {
    /// An empty one; whether its elements find their own direction.
    pub fn new(is_bidirectional: bool) -> Self {
        Self { is_bidirectional, ..Self::default() }
    }

    /// Escaped text.
    pub fn text(&mut self, text: &str) {
        self.html.push_str(text);
    }

    /// An element whose like is closed by [`close`](Self::close), but for those without content.
    pub fn open(&mut self, name: &str, tag: &Tag<'_>, look: &Look) {
        let kept = KEPT.into_iter().find(|kept| *kept == name);
        if let Some(kept) = kept {
            self.html.extend(["<", kept]);
            for span in ["colspan", "rowspan"] {
                if let Some(span_of) = tag.raw(span).and_then(|value| value.trim().parse::<u8>().ok()) {
                    self.html.push_str(&format!(" {span}=\"{span_of}\""));
                }
            }
            if self.is_bidirectional && !tag.is_void() {
                self.html.push_str(" dir=\"auto\"");
            }
            self.html.push('>');
        }
        if tag.name == "img" {
            self.picture(tag);
        }
        if tag.is_void() {
            return;
        }
        let mut ends: Vec<&'static str> = kept.into_iter().collect();
        if !STRUCTURE.contains(&name) {
            for mark in look.plain_marks() {
                self.html.extend(["<", mark, ">"]);
                ends.push(mark);
            }
        }
        ends.reverse();
        self.ends.push(ends);
    }

    /// An element of which nothing is shown.
    pub fn skip(&mut self) {
        self.ends.push(Vec::new());
    }

    pub fn close(&mut self) {
        for end in self.ends.pop().unwrap_or_default() {
            self.html.extend(["</", end, ">"]);
        }
    }

    pub fn finish(mut self) -> String {
        while !self.ends.is_empty() {
            self.close();
        }
        self.html
    }

    /// The words that stand for a picture.
    fn picture(&mut self, tag: &Tag<'_>) {
        if let Some(words) = tag.raw("alt").filter(|words| !words.trim().is_empty()) {
            self.html.extend(["[", words, "]"]);
        }
    }
}
