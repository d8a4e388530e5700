//! The messages within a message: forwarded as attachments, in a digest, returned in a report, as an `.eml` or in a
//! winmail.dat. `policy` reads their headers as it reads the outer one (C31). A message of one text holds
//! none but where uuencode wrote files into it, and costs a look at its header and for those.

use memchr::memchr2_iter;

use super::crlf::CrlfBytes;
use super::header::{Header, split};
use super::name::safe_name;
use super::opened::{self, Form};
use super::parameter::Structured;
use super::tnef::{self, Content, Inner};
use super::uuencode;
use super::walk::{Leaf, MAX_DEPTH, Survey, leaves};

/// Messages that are looked for.
const MAX_MESSAGES: usize = 500;

/// Bytes that are looked at for each of the whole message: those of a message in a message count on every level.
const MAX_LOOKS: usize = 16;
const LEAST_ROOM: usize = 1 << 20;
const SIGNED_COST: usize = 4;

/// Bytes of an attachment, as it came, in which the header of a message is looked for.
const START: usize = 4 << 10;

/// Fields of which a file that is a message has two.
const USUAL_FIELDS: &[&str] = &[
    "ARC-Seal",
    "Authentication-Results",
    "Date",
    "DKIM-Signature",
    "From",
    "Message-ID",
    "MIME-Version",
    "Received",
    "Return-Path",
    "Subject",
    "Thread-Index",
    "To",
];

/// What a file with a message in it is called.
const MESSAGE_NAMES: &[&str] = &[".eml", ".emlx", ".mht", ".mhtml", ".mbox", ".mbx", ".nws"];

/// Parts of a report that tell of a message and are none (RFC 3464, RFC 6533, RFC 8098, RFC 5965, RFC 3886).
pub(super) const REPORTS: &[&str] = &[
    "message/delivery-status",
    "message/global-delivery-status",
    "message/disposition-notification",
    "message/global-disposition-notification",
    "message/feedback-report",
    "message/tracking-status",
];

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Attached {
    /// On all levels, in their order.
    pub messages: Vec<AttachedMessage>,
    /// There may be more: one could not be decoded, or a limit was reached.
    pub cut: bool,
}

/// A message within another.
#[derive(Clone, Debug)]
pub struct AttachedMessage {
    block: Vec<u8>,
    /// There is more of it than its header.
    pub has_body: bool,
}

impl AttachedMessage {
    /// Its header.
    pub fn header(&self) -> Header<'_> {
        Header::parse(&self.block)
    }
}

/// Looks for messages in `message`, on every level.
pub fn attached(message: &CrlfBytes) -> Attached {
    let octets = message.as_slice();
    if is_one_text(&Header::parse(octets)) && !leaves(octets, 0, &mut Survey::default()).iter().any(has_files)
    {
        return Attached::default();
    }
    let room = octets.len().saturating_mul(MAX_LOOKS).saturating_add(LEAST_ROOM);
    let mut search = Search { found: Attached::default(), survey: Survey::default(), room };
    search.within(octets, 0);
    let Search { mut found, survey, .. } = search;
    // Where programs may see other parts than we do, there may be a message among them.
    found.cut |= survey.limited || survey.damaged && mentions_message(octets);
    found
}

/// Whether uuencode wrote files into a text.
fn has_files(leaf: &Leaf) -> bool {
    leaf.is_shown() && !leaf.is_html() && uuencode::is_in(&leaf.content().0)
}

/// Nothing but text, and no file.
fn is_one_text(header: &Header) -> bool {
    let is_text = |value: &str| matches!(value, "" | "text" | "text/plain" | "text/html");
    let fields = |name| header.all(name).map(|field| Structured::parse(field.body()));
    fields("Content-Type").all(|field| is_text(&field.value) && field.text("name").is_none())
        && fields("Content-Disposition")
            .all(|field| matches!(field.value.as_str(), "" | "inline") && field.text("filename").is_none())
}

struct Search {
    found: Attached,
    survey: Survey,
    /// Bytes that may still be looked at.
    room: usize,
}

impl Search {
    fn within(&mut self, message: &[u8], depth: usize) {
        for leaf in leaves(message, depth, &mut self.survey) {
            let name = leaf.name().unwrap_or_default();
            let is_declared =
                leaf.form.is_some() || is_message_type(&leaf.media_type) || is_message_name(&name);
            let has_files = has_files(&leaf);
            let is_one = is_declared || !leaf.is_shown() && begins_like_message(&leaf.start(START));
            if !is_one && !has_files {
                continue;
            }
            // What is signed is copied on every level.
            let copies = if leaf.form == Some(Form::Signed) { SIGNED_COST } else { 1 };
            let Some(room) = self.room.checked_sub(leaf.size().saturating_mul(copies)) else {
                self.found.cut = true;
                return;
            };
            self.room = room;
            let (content, sound) = leaf.content();
            self.found.cut |= !sound;
            match leaf.form {
                Some(Form::Tnef) => self.winmail(&content, leaf.depth),
                Some(Form::Signed) => self.signed(&content, &name, leaf.depth),
                Some(Form::Encrypted) => {}
                None if is_one => self.message(&content, leaf.depth),
                None => self.uuencoded(&content, leaf.depth),
            }
        }
    }

    /// What uuencode wrote into a text.
    fn uuencoded(&mut self, text: &[u8], depth: usize) {
        for (name, data) in uuencode::files(text) {
            if tnef::is_tnef(&data) {
                self.winmail(&data, depth);
            } else if is_message_name(&name) || begins_like_message(&data) {
                self.message(&data, depth);
            }
        }
    }

    fn message(&mut self, content: &[u8], depth: usize) {
        let (block, body) = split(content);
        self.add(block.to_vec(), !body.trim_ascii().is_empty());
        match depth < MAX_DEPTH {
            true => self.within(content, depth + 1),
            false => self.found.cut = true,
        }
    }

    fn signed(&mut self, content: &[u8], name: &str, depth: usize) {
        let Some(opened) = opened::open(Form::Signed, content, Some(name), Inner::Within) else { return };
        match depth < MAX_DEPTH {
            true => self.within(&opened.entity, depth + 1),
            false => self.found.cut = true,
        }
    }

    /// What Outlook keeps of a message, the one that the file came with included, and of those in it.
    fn winmail(&mut self, file: &[u8], depth: usize) {
        self.add(tnef::fields(file), true);
        for attachment in tnef::read(file).attachments {
            let data = match attachment.content {
                Content::Message(data) | Content::File(data) => data,
                Content::Missing => continue,
            };
            let Some(room) = self.room.checked_sub(data.len()).filter(|_| depth < MAX_DEPTH) else {
                self.found.cut = true;
                return;
            };
            self.room = room;
            if tnef::is_tnef(data) {
                self.winmail(data, depth + 1);
            } else if is_message_name(&attachment.name) || begins_like_message(data) {
                self.message(data, depth + 1);
            }
        }
    }

    fn add(&mut self, block: Vec<u8>, has_body: bool) {
        match self.found.messages.len() < MAX_MESSAGES {
            true => self.found.messages.push(AttachedMessage { block, has_body }),
            false => self.found.cut = true,
        }
    }
}

/// `message/rfc822`, `message/global`, and whatever else says that it is one, or the header of one.
fn is_message_type(media_type: &str) -> bool {
    media_type.starts_with("message/") && !REPORTS.contains(&media_type)
        || matches!(media_type, "text/rfc822-headers" | "text/rfc822" | "application/mbox")
}

fn is_message_name(name: &str) -> bool {
    let name = safe_name(name).to_lowercase();
    MESSAGE_NAMES.iter().any(|ending| name.ends_with(ending))
}

fn begins_like_message(start: &[u8]) -> bool {
    let start = start.get(..START).unwrap_or(start);
    let header = Header::parse(start);
    let mut seen =
        header.fields().filter_map(|field| USUAL_FIELDS.iter().position(|name| field.is_named(name)));
    seen.next().is_some_and(|first| seen.any(|other| other != first))
}

/// Whether a message, or a file that may hold one, is spoken of anywhere.
fn mentions_message(octets: &[u8]) -> bool {
    let starts = |rest: Option<&[u8]>, text: &str| {
        rest.and_then(|rest| rest.get(..text.len()))
            .is_some_and(|rest| rest.eq_ignore_ascii_case(text.as_bytes()))
    };
    memchr2_iter(b'/', b'.', octets).any(|at| {
        let (before, after) = (octets.get(at.saturating_sub(7)..at), octets.get(at + 1..));
        starts(before, "message")
            || ["eml", "ms-tnef", "pkcs7-mime", "x-pkcs7-mime", "rfc822"]
                .iter()
                .any(|text| starts(after, text))
    })
}

#[cfg(test)]
#[path = "attached_tests.rs"]
mod tests;
