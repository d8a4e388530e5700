//! What a TNEF file says: the message that it came with, its text, its attachments, and the messages among those; used
//! by the rest of `tnef`. What is broken is left out: the file itself is always there too.

use super::code_page::CodePages;
use super::meeting::{Meeting, MeetingBuilder};
use super::property::{Property, id as property, properties};
use super::stream::{attributes, id, is_tnef};
use super::{lzfu, rtf};
use crate::clock::Timestamp;

/// Attachments that are looked for.
pub(super) const MAX_ATTACHMENTS: usize = 1000;

/// The interface of an attachment that is a message (MS-OXTNEF 2.1.3.4).
const MESSAGE_INTERFACE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// What Exchange calls an attachment that has no name.
const UNTITLED: &str = "Untitled Attachment";

/// `PidTagAttachMethod` of an object of another program.
const OLE: u32 = 6;

/// A message.
#[derive(Debug, Default)]
pub struct Message<'a> {
    /// What it says as plain text.
    pub text: Option<String>,
    /// What it says as HTML.
    pub html: Option<String>,
    /// In their order.
    pub attachments: Vec<Attachment<'a>>,
    /// It is about a meeting.
    pub meeting: Option<Meeting>,
    /// It has a text that could not be read.
    pub is_unread: bool,
}

impl Message<'_> {
    /// There is neither a text nor a file in it.
    pub fn is_blank(&self) -> bool {
        let is_missing = |attachment: &Attachment| matches!(attachment.content, Content::Missing);
        self.text.is_none() && self.html.is_none() && self.attachments.iter().all(is_missing)
    }
}

/// An attachment.
#[derive(Debug, Default)]
pub struct Attachment<'a> {
    /// The file name, empty where there is none.
    pub name: String,
    /// As the sender's program declared it.
    pub media_type: Option<String>,
    /// What the HTML calls it by.
    pub content_id: Option<String>,
    /// Where the HTML says that it is.
    pub location: Option<String>,
    pub content: Content<'a>,
}

/// What an attachment is.
#[derive(Debug, Default)]
pub enum Content<'a> {
    /// It is somewhere else, or was left out.
    #[default]
    Missing,
    File(&'a [u8]),
    /// A message, as a TNEF file of its own.
    Message(&'a [u8]),
}

/// Reads a file, without opening the messages that are attached.
pub fn read(file: &[u8]) -> Message<'_> {
    let pages = code_pages(file);
    let mut body = Body::default();
    let mut meeting = MeetingBuilder::default();
    let mut attachments: Vec<RawAttachment> = Vec::new();
    for (id, data) in attributes(file) {
        if id == id::ATTACHMENT_START {
            if attachments.len() >= MAX_ATTACHMENTS {
                break;
            }
            attachments.push(RawAttachment::default());
            continue;
        }
        match attachments.last_mut() {
            Some(attachment) => attachment.take(id, data, &pages),
            None => {
                body.take(id, data, &pages);
                meeting.take(id, data, &pages);
            }
        }
    }
    let (text, html, is_unread) = body.finish(&pages);
    let attachments = attachments.into_iter().map(RawAttachment::finish).collect();
    Message { text, html, attachments, meeting: meeting.finish(), is_unread }
}

/// The code pages that the file names, wherever it does so.
pub fn code_pages(file: &[u8]) -> CodePages {
    let mut pages = CodePages::default();
    for (id, data) in attributes(file).take_while(|(id, _)| *id != id::ATTACHMENT_START) {
        match id {
            id::OEM_CODE_PAGE => pages.oem = super::stream::Reader(data).u32(),
            id::MESSAGE_PROPERTIES => {
                for found in properties(data) {
                    match found.id {
                        property::INTERNET_CODE_PAGE => pages.internet = found.number(),
                        property::MESSAGE_CODE_PAGE => pages.message = found.number(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    pages
}

/// When the message was sent.
pub fn date_sent(file: &[u8]) -> Option<Timestamp> {
    let mut sent = None;
    for (id, data) in attributes(file).take_while(|(id, _)| *id != id::ATTACHMENT_START) {
        match id {
            id::DATE_SENT => sent = sent.or(super::meeting::date(data)),
            id::MESSAGE_PROPERTIES => {
                let list = properties(data);
                let time = |wanted| list.iter().find(|found| found.id == wanted).and_then(Property::time);
                sent = time(property::SUBMIT_TIME).or(sent).or(time(property::DELIVERY_TIME));
            }
            _ => {}
        }
    }
    sent
}

/// The forms in which the text of a message was found.
#[derive(Default)]
struct Body<'a> {
    attribute: Option<String>,
    text: Option<String>,
    html: Option<String>,
    rtf: Option<&'a [u8]>,
}

impl<'a> Body<'a> {
    fn take(&mut self, id: u16, data: &'a [u8], pages: &CodePages) {
        match id {
            id::BODY => self.attribute = Some(pages.attribute(data)),
            id::MESSAGE_PROPERTIES => {
                for found in properties(data) {
                    match found.id {
                        property::BODY => self.text = found.text(pages),
                        property::HTML => {
                            let bytes = found.bytes().map(|html| pages.html(html));
                            self.html = bytes.or_else(|| found.text(pages));
                        }
                        property::RTF => self.rtf = found.bytes(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Plain text and HTML, and whether there is neither though there is RTF; which is read only for what is not there otherwise.
    fn finish(self, pages: &CodePages) -> (Option<String>, Option<String>, bool) {
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (mut text, mut html) = (some(self.text).or_else(|| some(self.attribute)), some(self.html));
        if html.is_none()
            && let Some(rtf) = self.rtf
        {
            let read = lzfu::decompressed(rtf).and_then(|rtf| rtf::read(&rtf, pages.message.or(pages.oem)));
            match read {
                Some(rtf::Text::Html(found)) => html = some(Some(found)),
                Some(rtf::Text::Plain(found)) => text = text.or_else(|| some(Some(found))),
                None if text.is_none() => return (None, None, true),
                None => {}
            }
        }
        (text, html, false)
    }
}

/// An attachment and all that it may be called by.
#[derive(Default)]
struct RawAttachment<'a> {
    attachment: Attachment<'a>,
    long_name: String,
    name: String,
    transport_name: String,
    title: String,
    display_name: String,
    extension: String,
    is_object: bool,
}

impl<'a> RawAttachment<'a> {
    fn take(&mut self, id: u16, data: &'a [u8], pages: &CodePages) {
        match id {
            id::ATTACHMENT_TITLE => self.title = pages.attribute(data),
            id::ATTACHMENT_TRANSPORT_NAME => self.transport_name = pages.attribute(data),
            id::ATTACHMENT_DATA => self.attachment.content = Content::File(data),
            id::ATTACHMENT_PROPERTIES => {
                properties(data).into_iter().for_each(|found| self.take_property(&found, pages));
            }
            _ => {}
        }
    }

    fn take_property(&mut self, found: &Property<'a>, pages: &CodePages) {
        let text = || found.text(pages).unwrap_or_default();
        let some = || found.text(pages).filter(|text| !text.is_empty());
        match found.id {
            property::ATTACHMENT_LONG_NAME => self.long_name = text(),
            property::ATTACHMENT_NAME => self.name = text(),
            property::DISPLAY_NAME => self.display_name = text(),
            property::ATTACHMENT_EXTENSION => self.extension = text(),
            property::ATTACHMENT_TYPE => self.attachment.media_type = some(),
            property::ATTACHMENT_CONTENT_ID => self.attachment.content_id = some(),
            property::ATTACHMENT_LOCATION => self.attachment.location = some(),
            property::ATTACHMENT_METHOD => self.is_object |= found.number() == Some(OLE),
            property::ATTACHMENT_DATA => {
                if let Some((interface, data)) = found.object() {
                    let is_message = interface == MESSAGE_INTERFACE || is_tnef(data);
                    self.is_object |= !is_message;
                    self.attachment.content =
                        if is_message { Content::Message(data) } else { Content::File(data) };
                } else if let Some(data) = found.bytes() {
                    self.attachment.content = Content::File(data);
                }
            }
            _ => {}
        }
    }

    fn finish(self) -> Attachment<'a> {
        let name = self.best_name();
        let extension = match (&self.attachment.content, name.contains('.')) {
            (Content::File(_), false) if !name.is_empty() && !self.extension.is_empty() => {
                format!(".{}", self.extension.trim_start_matches('.'))
            }
            (Content::File(data), false) if self.is_object => format!(".{}", object_extension(data)),
            _ => String::new(),
        };
        Attachment { name: format!("{name}{extension}"), ..self.attachment }
    }

    /// The long name, or the name of eight and three characters, or the title, which is either; what is shown to the
    /// reader only where there is no more, for it needs not be a file name. A message has no file name.
    fn best_name(&self) -> String {
        let is_message = matches!(self.attachment.content, Content::Message(_));
        let is_cut = |name: &str| name.contains('~');
        let names = [
            (&self.display_name, is_message),
            (&self.long_name, true),
            (&self.name, !is_cut(&self.name)),
            (&self.title, self.title != UNTITLED && !is_cut(&self.title)),
            (&self.transport_name, !is_cut(&self.transport_name)),
            (&self.name, true),
            (&self.title, self.title != UNTITLED),
            (&self.display_name, true),
            (&self.title, !is_message),
        ];
        let named = names.into_iter().find(|(name, counts)| *counts && !name.trim().is_empty());
        named.map(|(name, _)| name.trim().to_owned()).unwrap_or_default()
    }
}

/// What an object of another program is, as far as its first bytes tell.
fn object_extension(data: &[u8]) -> &'static str {
    const KINDS: &[(&[u8], &str)] = &[
        (b"%PDF-", "pdf"),
        (b"\x89PNG", "png"),
        (b"\xff\xd8\xff", "jpg"),
        (b"GIF8", "gif"),
        (b"BM", "bmp"),
        (b"PK\x03\x04", "zip"),
        (b"{\\rtf", "rtf"),
    ];
    KINDS.iter().find(|(start, _)| data.starts_with(start)).map_or("ole", |(_, kind)| kind)
}
