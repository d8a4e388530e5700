//! A subject taken apart: its tags, what they ask for, and what is left for people to read. Used by `intake`, for the
//! receipt and for what leaves, and by `zegel policy explain`.
//!
//! What must never happen: that a tag, or a password, is in a subject that leaves (C33).

use std::ops::Range;

use super::options::{self, TagOptions, TagReading, Text};
use super::trigger::{Found, Tags};
use crate::message::name::is_invisible;

mod misplaced;
#[cfg(test)]
mod tests;

/// Bytes of a subject that are looked at; nothing behind them leaves.
const MAX_SUBJECT: usize = 64 << 10;

/// How often a subject is cleaned until nothing is found any more: what is left may read anew.
const MAX_ROUNDS: usize = 8;

/// Characters of a tag that are shown again.
const MAX_SHOWN: usize = 40;

/// What the tags in a subject ask for.
pub(super) fn options(tags: &Tags, subject: &str) -> TagOptions {
    let subject = bounded(subject);
    let parts = SubjectParts::of(tags, subject);
    let texts = parts.asked.iter().map(|asked| Text {
        text: subject.get(asked.text.clone()).unwrap_or("").trim_start_matches(|c: char| " :-|".contains(c)),
        is_closed: asked.is_closed,
    });
    let reading = parts.reading(subject);
    TagOptions { reading, ..TagOptions::parse(texts) }
}

/// The subject without tags and without what they ask for. Of `opening` tags, those of rules that let mail pass, only
/// the plain form goes.
pub(super) fn clean(tags: &Tags, opening: &Tags, subject: &str) -> String {
    let mut clean = bounded(subject).to_owned();
    let mut is_changed = false;
    for _ in 0..MAX_ROUNDS {
        let parts = SubjectParts::of(tags, &clean);
        if parts.cut {
            break;
        }
        let asked = parts.asked.iter().map(|asked| asked.span.clone());
        let plain = plain(opening, &clean);
        let spans: Vec<_> =
            parts.tags.iter().map(|found| found.span.clone()).chain(asked).chain(plain).collect();
        if spans.is_empty() {
            let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
            return if is_changed { trimmed(&words).to_owned() } else { words };
        }
        is_changed = true;
        clean = without(&clean, spans, " ");
    }
    String::new()
}

/// The subject with its tags, but without what they ask for.
pub(super) fn without_options(tags: &Tags, subject: &str) -> String {
    let mut clean = bounded(subject).to_owned();
    for _ in 0..MAX_ROUNDS {
        let asked: Vec<_> =
            SubjectParts::of(tags, &clean).asked.into_iter().map(|asked| asked.span).collect();
        if asked.iter().all(Range::is_empty) {
            break;
        }
        clean = without(&clean, asked, "");
    }
    clean
}

/// What a subject is made of.
struct SubjectParts<'t> {
    tags: Vec<Found<'t>>,
    asked: Vec<Asked>,
    /// There is more than was looked at.
    cut: bool,
}

/// Where something is asked for.
struct Asked {
    /// All that goes.
    span: Range<usize>,
    /// What is to be read.
    text: Range<usize>,
    /// A bracket says where it ends.
    is_closed: bool,
}

impl<'t> SubjectParts<'t> {
    fn of(tags: &'t Tags, subject: &str) -> Self {
        let (tags, cut) = tags.find(subject);
        let behind = tags.iter().map(|found| {
            let Range { start, end } = found.options;
            let end = match found.is_open() {
                true => start + options::leading(subject.get(start..end).unwrap_or("")),
                false => end,
            };
            Asked { span: start..end, text: start..end, is_closed: !found.is_open() }
        });
        let mut asked: Vec<Asked> = behind.filter(|asked| !asked.span.is_empty()).collect();
        if !tags.is_empty() {
            asked.extend(misplaced::passwords(subject, &tags, &asked));
        }
        Self { tags, asked, cut }
    }

    /// Of several tags, one that needs no explanation.
    fn reading(&self, subject: &str) -> Option<TagReading> {
        let found = self.tags.iter().find(|found| found.is_plain()).or_else(|| self.tags.first())?;
        let word = subject.get(found.word.clone()).unwrap_or("");
        let mut written: String = found.before.into_iter().collect();
        written.extend(word.trim().chars().filter(|c| !is_invisible(*c) && !c.is_control()).take(MAX_SHOWN));
        match found.after {
            Some(sign) if found.before.is_none() && sign != ':' => written.extend([' ', sign]),
            sign => written.extend(sign),
        }
        Some(TagReading { written, tag: format!("[{}]", found.tag.written()), is_plain: found.is_plain() })
    }
}

/// Tags in their plain form, without options: in brackets anywhere, before a colon only where the subject starts.
fn plain(tags: &Tags, subject: &str) -> Vec<Range<usize>> {
    let (found, _) = tags.find(subject);
    let is_plain = |found: &Found<'_>| {
        let before = subject.get(..found.span.start).unwrap_or("");
        let is_bare = subject.get(found.options.clone()).unwrap_or("").trim().is_empty();
        found.is_plain() && is_bare && (found.before.is_some() || !before.contains(char::is_alphanumeric))
    };
    found.iter().filter(|found| is_plain(found)).map(|found| found.span.clone()).collect()
}

fn bounded(subject: &str) -> &str {
    subject.get(..subject.floor_char_boundary(MAX_SUBJECT)).unwrap_or(subject)
}

/// The subject with `instead` in the place of these spans.
fn without(subject: &str, mut spans: Vec<Range<usize>>, instead: &str) -> String {
    spans.sort_by_key(|span| span.start);
    let (mut clean, mut from) = (String::new(), 0);
    for Range { start, end } in spans {
        if start >= from {
            clean.push_str(subject.get(from..start).unwrap_or(""));
            clean.push_str(instead);
        }
        from = from.max(end);
    }
    clean.push_str(subject.get(from..).unwrap_or(""));
    clean
}

/// Without the signs that a tag leaves behind.
fn trimmed(subject: &str) -> &str {
    let is_sign = |c: char| c == ' ' || c == '|' || c == '-' || ('\u{2010}'..='\u{2015}').contains(&c);
    subject.trim_start_matches(|c| is_sign(c) || ":,;".contains(c)).trim_end_matches(is_sign)
}
