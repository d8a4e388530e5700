//! A TNEF file as a MIME entity (RFC 2045), which everything else that reads mail can read; used by `tnef`. All bodies
//! are in base64: a file comes out as it was, and nothing in it can end a part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::media_type::media_type_of;
use super::super::name::safe_name;
use super::header::written;
use super::message::{Attachment, Content, Message, read};

/// Messages within one another. Outlook goes no deeper, and each is a part of all that it is in.
const MAX_DEPTH: usize = 8;

/// Bytes that are written for each of the file: base64 takes a third more, and what is in an attached message is
/// written with it and beside it.
const GROWTH: usize = 4;
const LEAST_ROOM: usize = 64 << 10;

/// Bytes of a line of base64 before they are encoded.
const LINE: usize = 57;

/// What a part takes besides its header and its content.
const DELIMITER: usize = 100;

/// Writes a file as an entity: its text, its attachments, an attached message as a message; nothing, where it has neither
/// text nor file. `Beside` what is in such messages comes once more, after all else. The flag tells that something was
/// left out.
pub fn entity(file: &[u8], inner: Inner) -> (Vec<u8>, bool) {
    let room = file.len().saturating_mul(GROWTH).saturating_add(LEAST_ROOM);
    let mut writer = Writer { output: Vec::new(), room, boundaries: 0, cut: false };
    let message = read(file);
    if message.is_blank() {
        return (Vec::new(), message.is_unread);
    }
    writer.message(&message, inner, 0);
    (writer.output, writer.cut)
}

/// What becomes of the text and the files of attached messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// They are in the message alone.
    Within,
    /// They are files as well, for readers whose program opens no messages.
    Beside,
}

struct Writer {
    output: Vec<u8>,
    /// Bytes of content that may still be written.
    room: usize,
    boundaries: usize,
    cut: bool,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Begins a multipart. No field and no line of base64 begins like its boundary.
    fn multipart(&mut self, kind: &str) -> String {
        self.boundaries += 1;
        let boundary = format!("=_{}_", self.boundaries);
        self.line(&format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n"));
        boundary
    }

    fn message(&mut self, message: &Message, inner: Inner, depth: usize) {
        self.cut |= message.is_unread;
        let boundary = self.multipart("mixed");
        self.body(message, &boundary);
        for attachment in &message.attachments {
            self.attachment(attachment, &boundary, depth);
        }
        if inner == Inner::Beside {
            message.attachments.iter().for_each(|attachment| self.inner(attachment, &boundary, depth));
        }
        self.line(&format!("--{boundary}--"));
    }

    fn body(&mut self, message: &Message, boundary: &str) {
        match (&message.text, &message.html) {
            (Some(text), Some(html)) => {
                self.line(&format!("--{boundary}"));
                let alternative = self.multipart("alternative");
                self.text(&alternative, "plain", text, "");
                self.text(&alternative, "html", html, "");
                self.line(&format!("--{alternative}--"));
            }
            (Some(text), None) => self.text(boundary, "plain", text, ""),
            (None, Some(html)) => self.text(boundary, "html", html, ""),
            (None, None) => {}
        }
    }

    fn text(&mut self, boundary: &str, subtype: &str, text: &str, disposition: &str) {
        let header = format!("Content-Type: text/{subtype}; charset=utf-8\r\n{disposition}");
        self.leaf(boundary, &header, text.as_bytes());
    }

    fn leaf(&mut self, boundary: &str, header: &str, content: &[u8]) {
        if !self.takes(content.len() / 2 * 3 + header.len() + DELIMITER) {
            return;
        }
        self.line(&format!("--{boundary}\r\n{header}Content-Transfer-Encoding: base64\r\n"));
        let mut line = String::with_capacity(80);
        for piece in content.chunks(LINE) {
            STANDARD.encode_string(piece, &mut line);
            self.line(&line);
            line.clear();
        }
    }

    /// Whether there is room for so much more.
    fn takes(&mut self, size: usize) -> bool {
        match self.room.checked_sub(size) {
            Some(room) => {
                self.room = room;
                true
            }
            None => {
                self.cut = true;
                false
            }
        }
    }

    fn attachment(&mut self, attachment: &Attachment, boundary: &str, depth: usize) {
        match attachment.content {
            Content::Missing => {}
            Content::File(content) => self.leaf(boundary, &header(attachment), content),
            Content::Message(file) => self.inner_message(attachment, file, boundary, depth),
        }
    }

    /// An attached message. What is no mail (a contact, a list of addresses) or too deep is the file that it came as.
    fn inner_message(&mut self, attachment: &Attachment, file: &[u8], boundary: &str, depth: usize) {
        let message = read(file);
        let stem = attachment.name.strip_suffix(".msg").unwrap_or(&attachment.name);
        if depth >= MAX_DEPTH || message.is_blank() {
            self.cut |= depth >= MAX_DEPTH;
            let stem = if stem.is_empty() { "winmail" } else { stem };
            let header =
                format!("Content-Type: application/ms-tnef\r\n{}", disposition(&format!("{stem}.dat")));
            return self.leaf(boundary, &header, file);
        }
        let name = if stem.is_empty() { String::new() } else { disposition(&format!("{stem}.eml")) };
        let fields = written(file);
        if !self.takes(name.len() + fields.len() + DELIMITER * 2) {
            return;
        }
        self.line(&format!("--{boundary}\r\nContent-Type: message/rfc822\r\n{name}"));
        self.line(&format!("{fields}MIME-Version: 1.0"));
        self.message(&message, Inner::Within, depth + 1);
    }

    /// The text and the files of an attached message, on every level.
    fn inner(&mut self, attachment: &Attachment, boundary: &str, depth: usize) {
        let Content::Message(file) = attachment.content else { return };
        if depth >= MAX_DEPTH {
            return;
        }
        let message = read(file);
        let stem = if attachment.name.is_empty() { "bericht" } else { attachment.name.as_str() };
        let stem = stem.strip_suffix(".msg").unwrap_or(stem);
        match (&message.html, &message.text) {
            (Some(html), _) => self.text(boundary, "html", html, &disposition(&format!("{stem}.html"))),
            (None, Some(text)) => self.text(boundary, "plain", text, &disposition(&format!("{stem}.txt"))),
            (None, None) => {}
        }
        for attachment in &message.attachments {
            self.attachment(attachment, boundary, depth + 1);
            self.inner(attachment, boundary, depth + 1);
        }
    }
}

/// The header of a file.
fn header(attachment: &Attachment) -> String {
    let declared =
        attachment.media_type.as_deref().map(str::to_ascii_lowercase).filter(|kind| is_media_type(kind));
    let media_type = declared.unwrap_or_else(|| media_type_of(&attachment.name).to_owned());
    let is_plain =
        |text: &&str| text.len() < 500 && text.bytes().all(|c| c.is_ascii_graphic() && !b"<>\"".contains(&c));
    let content_id = attachment.content_id.as_deref().map(|id| id.trim_matches(['<', '>', ' ']));
    let content_id = content_id.filter(is_plain).map(|id| format!("Content-ID: <{id}>\r\n"));
    let location = attachment.location.as_deref().filter(is_plain);
    let location = location.map(|location| format!("Content-Location: {location}\r\n"));
    format!(
        "Content-Type: {media_type}\r\n{}{}{}",
        disposition(&attachment.name),
        content_id.unwrap_or_default(),
        location.unwrap_or_default()
    )
}

/// A type of a file: none that has parts, or says nothing.
fn is_media_type(declared: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.len() < 100
            && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"-+._".contains(&c))
    };
    let (kind, subtype) = declared.split_once('/').unwrap_or_default();
    is_token(kind)
        && is_token(subtype)
        && !matches!(kind, "multipart" | "message")
        && !matches!(declared, "application/octet-stream" | "application/ms-tnef")
}

/// A file, and its name where it has one (RFC 2231).
fn disposition(name: &str) -> String {
    if name.is_empty() {
        return "Content-Disposition: attachment\r\n".to_owned();
    }
    let name = safe_name(name);
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    format!("Content-Disposition: attachment;\r\n filename*=utf-8''{name}\r\n")
}
