//! Tags in a subject: found wherever and however a sender may have written them, in whatever letters a reader would take
//! for them (C06, C32).
//!
//! What must never happen: that a slip of the pen makes a confidential message pass. Where it is not clear whether a word
//! is meant as a tag, it is one. For a rule that lets mail pass it is the other way round, see [`Tags::begin`].

mod scan;
mod tag;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::finding::Finding;
use super::fold::see;
pub(super) use scan::Found;
use scan::Scan;
use tag::Tag;
pub(super) use tag::{is_misspelt, unblanked};

/// Around a subject, or a part of it.
const QUOTES: [char; 9] = ['"', '\'', '“', '”', '„', '«', '»', '‘', '’'];

/// The tags of a rule, or of several.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    tags: Vec<Tag>,
    /// The skeletons of the tags of all rules: no misspelling of these is one of those.
    others: Vec<String>,
}

impl Tags {
    pub fn new<'a>(tags: impl IntoIterator<Item = &'a str>) -> Self {
        Self { tags: tags.into_iter().map(|tag| Tag::new(tag.to_owned())).collect(), others: Vec::new() }
    }

    /// As the policy has them.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(Tag::written)
    }

    /// Where a policy has tags that are like these, each stands for itself.
    pub fn tell_from(&mut self, others: &Self) {
        self.others = others.tags.iter().flat_map(Tag::skeletons).cloned().collect();
    }

    /// Whether the [`skeleton`](super::fold::skeleton) of a subject bears one.
    pub fn are_on(&self, seen: &str) -> Finding {
        match Scan::run(seen, &self.tags, &self.others) {
            (found, cut) if found.is_empty() => {
                if cut {
                    Finding::Unknown
                } else {
                    Finding::No
                }
            }
            _ => Finding::Yes,
        }
    }

    /// Whether the very first thing in a folded subject is one, `[tag]` or `tag:`, with nothing next to it in its
    /// brackets, and spelt as the policy has it: `[open data]` says nothing about the message, nor does what only looks
    /// like `[open]`.
    pub fn begin(&self, folded: &str) -> bool {
        let subject = folded.trim_start_matches(' ').trim_start_matches(QUOTES);
        let word = match subject.strip_prefix('[') {
            Some(rest) => rest.split_once(']'),
            None => subject.split_once(':'),
        };
        word.is_some_and(|(word, _)| {
            let word = unblanked(word);
            self.tags.iter().any(|tag| tag.is_folded(&word))
        })
    }

    /// Where they are in a subject, from left to right, and whether there may be more of them.
    pub fn find(&self, subject: &str) -> (Vec<Found<'_>>, bool) {
        let traced = Traced::of(subject);
        let (mut found, cut) = Scan::run(&traced.skeleton, &self.tags, &self.others);
        for one in &mut found {
            for range in [&mut one.span, &mut one.word, &mut one.options] {
                *range = traced.origin(range.clone());
            }
        }
        (found, cut)
    }
}

/// A skeleton moves offsets. Here each character is taken by itself and remembers where it came from.
struct Traced {
    skeleton: String,
    origins: Vec<usize>,
}

impl Traced {
    fn of(subject: &str) -> Self {
        let (mut skeleton, mut origins) = (String::new(), Vec::new());
        for (at, c) in subject.char_indices() {
            see(c.encode_utf8(&mut [0; 4]), &mut skeleton);
            origins.resize(skeleton.len(), at);
        }
        origins.push(subject.len());
        Self { skeleton, origins }
    }

    /// The same span in the subject.
    fn origin(&self, span: Range<usize>) -> Range<usize> {
        let end = self.origins.last().copied().unwrap_or(0);
        let origin = |at: usize| self.origins.get(at).copied().unwrap_or(end);
        origin(span.start)..origin(span.end)
    }
}
