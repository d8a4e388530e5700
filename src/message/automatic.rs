//! Automatic answers: delivery reports (RFC 3464), receipts of reading (RFC 8098), answers of people who are away (RFC 3834), a
//! yes or no to a meeting (RFC 5546). Asked by `policy`, which may let them pass although their subject repeats a tag.
//! What must never happen: that one counts which takes along a text, or a file, of the message that it answers.

mod calendar;
mod quote;

use super::attached::{Attached, REPORTS};
use super::crlf::CrlfBytes;
use super::decode;
use super::header::Header;
use super::html::{self, without_tags};
use super::leaf::SIGNATURES;
use super::uuencode;
use super::walk::{Leaf, Survey, leaves};

/// Characters that a program writes by itself; in a report, the header of what is reported among them.
const MAX_ANSWER: usize = 10_000;
const MAX_REPORT: usize = 32_000;

/// Whether `message` is such an answer and has nothing of what it answers but its header; `None` where that cannot be
/// read. `attached` are the messages in it, `from_nobody`: it has a null reverse path.
pub fn is_automatic(message: &CrlfBytes, attached: &Attached, from_nobody: bool) -> Option<bool> {
    let octets = message.as_slice();
    let header = Header::parse(octets);
    let Some(sort) = Sort::of(&header, from_nobody) else { return Some(false) };
    let mut survey = Survey::default();
    let leaves = leaves(octets, 0, &mut survey);
    if survey.damaged || attached.cut {
        return None;
    }
    if attached.messages.iter().any(|message| message.has_body) {
        return Some(false);
    }
    let mut parts = Findings::default();
    for leaf in &leaves {
        if !parts.take(leaf)? {
            return Some(false);
        }
    }
    Some(parts.are(sort))
}

/// What the header says that it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Report,
    Answer,
    Meeting,
}

impl Sort {
    fn of(header: &Header, from_nobody: bool) -> Option<Self> {
        let words: Vec<String> =
            header.all("Auto-Submitted").map(|field| field.word().to_ascii_lowercase()).collect();
        let all = |word: &str| !words.is_empty() && words.iter().all(|other| other == word);
        let content_type = header.structured("Content-Type");
        let reports = ["delivery-status", "disposition-notification"];
        let is_report = content_type.value == "multipart/report"
            && content_type
                .text("report-type")
                .is_none_or(|kind| reports.iter().any(|report| kind.trim().eq_ignore_ascii_case(report)));
        if from_nobody && is_report {
            return Some(Self::Report);
        }
        // Exchange says "generated" of the answer of somebody who is away (MS-OXCMAIL 2.1.3.2).
        let is_answer = all("auto-replied")
            || from_nobody && all("auto-generated") && header.first("In-Reply-To").is_some();
        if is_answer {
            return Some(Self::Answer);
        }
        let may_hold_calendar =
            content_type.value == calendar::TYPE || content_type.value.starts_with("multipart/");
        let is_forward = words.iter().any(|word| word == "auto-forwarded");
        (may_hold_calendar && !is_forward).then_some(Self::Meeting)
    }
}

/// What is in it.
#[derive(Default)]
struct Findings {
    has_status: bool,
    /// Replies to a meeting.
    replies: usize,
    /// Characters that a reader sees.
    length: usize,
    quotes: bool,
}

impl Findings {
    /// Takes up one part; gives whether an automatic answer may have it, `None` where it cannot be read.
    fn take(&mut self, leaf: &Leaf) -> Option<bool> {
        let kind = leaf.media_type.as_str();
        if REPORTS.contains(&kind) {
            self.has_status = true;
        } else if calendar::is_one(leaf) {
            self.replies += 1;
            return Some(calendar::is_bare_reply(&text(leaf)?));
        } else if leaf.in_text || leaf.in_html {
            let text = text(leaf)?;
            let is_html = kind == "text/html";
            if !is_html && uuencode::is_in(text.as_bytes()) {
                return Some(false);
            }
            let shown = if is_html { without_tags(&quote::without_styles(&text)) } else { text.clone() };
            self.quotes |= quote::is_in(&shown) || is_html && quote::is_in_html(&text);
            self.length += shown.split_whitespace().map(|word| word.chars().count()).sum::<usize>();
        } else {
            // What a message within has is asked of `attached`.
            let is_header = kind == "text/rfc822-headers" || kind.starts_with("message/");
            let is_logo = kind.starts_with("image/")
                && leaf.disposition.value != "attachment"
                && leaf.header.first("Content-ID").is_some();
            return Some(is_header || is_logo || SIGNATURES.contains(&kind));
        }
        Some(true)
    }

    fn are(&self, sort: Sort) -> bool {
        match sort {
            Sort::Report => self.has_status && self.length <= MAX_REPORT,
            Sort::Answer => !self.quotes && self.length <= MAX_ANSWER,
            Sort::Meeting => self.replies > 0 && self.length == 0,
        }
    }
}

/// The text of a part; `None` where its encoding or charset is not known.
fn text(leaf: &Leaf) -> Option<String> {
    let charset = leaf.content_type.text("charset");
    let (content, sound) = leaf.content();
    let is_known = sound && charset.as_deref().is_none_or(decode::is_readable);
    let is_html = leaf.media_type == "text/html";
    let decoded = if is_html { html::decoded } else { decode::charset };
    is_known.then(|| decoded(&content, charset.as_deref()))
}

#[cfg(test)]
mod tests;
