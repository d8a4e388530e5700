//! A password that a sender wrote beside the brackets of the tag: `[tag] [wachtwoord=...]`, `[tag] ww=...`. It counts as
//! if it stood in them, and leaves as little.

use super::super::options::{self, Word};
use super::super::trigger::Found;
use super::Asked;
use crate::message::name::is_invisible;

const BRACKETS: [(char, char); 4] = [('[', ']'), ('(', ')'), ('{', '}'), ('<', '>')];

/// Where passwords are in a subject that bears these tags, but for what is `read` already.
pub(super) fn passwords(subject: &str, tags: &[Found<'_>], read: &[Asked]) -> Vec<Asked> {
    let mut passwords: Vec<Asked> = Vec::new();
    for word in options::words(subject) {
        let is_read = |asked: &Asked| word.start < asked.span.end && asked.span.start < word.end;
        if read.iter().chain(&passwords).any(is_read) {
            continue;
        }
        passwords.extend(password(subject, tags, &word));
    }
    passwords
}

/// The password that a word is, or a group in brackets that it starts.
fn password(subject: &str, tags: &[Found<'_>], word: &Word) -> Option<Asked> {
    let written = subject.get(word.start..word.end)?;
    let is_of_key = |c: char| c.is_alphanumeric() || is_invisible(c);
    let sign = written.find(options::EQUALS).unwrap_or(written.len());
    let key = written.get(..sign)?.trim_end();
    let key = word.start + key.len()
        - key.chars().rev().take_while(|c| is_of_key(*c)).map(char::len_utf8).sum::<usize>();
    let text = subject.get(key..word.end)?;
    let before = subject.get(..key)?;
    let holds_tag =
        |at: usize, end: usize| tags.iter().any(|found| found.span.start < end && at < found.span.end);
    let group = before
        .chars()
        .next_back()
        .and_then(|open| Some((key - open.len_utf8(), partner(subject, key, open)?)));
    // Beside a tag in the same brackets it ends at the next blank.
    let group = group.filter(|(at, end)| !holds_tag(*at, *end));
    let is_beside = |at: usize| {
        let is_behind =
            |found: &Found<'_>| subject.get(found.span.end..at).is_some_and(|text| text.trim().is_empty());
        tags.iter().any(is_behind)
    };
    match group {
        Some((at, end))
            if options::is_password_anywhere(text) || is_beside(at) && options::is_password_key(text) =>
        {
            Some(Asked { span: at..end, text: key..end - 1, is_closed: true })
        }
        _ if options::is_password_anywhere(text) => {
            Some(Asked { span: key..word.end, text: key..word.end, is_closed: false })
        }
        _ => None,
    }
}

/// Where the group ends that `open` opens in front of `from`.
fn partner(subject: &str, from: usize, open: char) -> Option<usize> {
    let (_, close) = BRACKETS.into_iter().find(|(opening, _)| *opening == open)?;
    let mut depth = 0usize;
    for (at, c) in subject.get(from..)?.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(from + at + 1),
            }
        }
    }
    None
}
