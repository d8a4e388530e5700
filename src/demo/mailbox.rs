//! The catch-all mailbox of the demo. It takes the place of a municipality's smarthost and of all mailboxes behind
//! it, and keeps in memory every mail that the gateway relays.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::mime;
use crate::smtp::inbox::{Inbox, Refusal};

/// When the mailbox is full, each new mail replaces the oldest one.
const CAPACITY: usize = 500;
/// The most pictures of a mail that are shown in its HTML.
const MAX_PICTURES: usize = 16;

/// The mailbox: an [`Inbox`] like the gateway's, without a disk.
#[derive(Debug, Default)]
pub struct DemoMailbox(Mutex<Contents>);

#[derive(Debug, Default)]
struct Contents {
    last_id: u64,
    mails: VecDeque<CaughtMail>,
}

/// A mail as the gateway delivered it.
#[derive(Clone, Debug)]
pub struct CaughtMail {
    pub id: u64,
    /// The reverse path; `<>` if it is null.
    pub from: String,
    /// The forward paths.
    pub to: Vec<String>,
    /// The message after dot-unstuffing.
    pub raw: CrlfBytes,
}

/// What the pages show of a mail, decoded.
pub struct View {
    pub subject: String,
    /// The sender's name, or the address if there is no name.
    pub author: String,
    /// The value of `X-Zegel-Notice` if the gateway wrote this mail.
    pub notice: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    pub header: String,
}

/// A mail's id, as the SMTP response gives it.
pub struct MailNumber(u64);

impl fmt::Display for MailNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl DemoMailbox {
    /// Newest first.
    pub fn all(&self) -> Vec<CaughtMail> {
        self.lock().mails.iter().rev().cloned().collect()
    }

    pub fn get(&self, id: u64) -> Option<CaughtMail> {
        self.lock().mails.iter().find(|mail| mail.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for DemoMailbox {
    type Kept = MailNumber;
    type Snapshot = ();

    fn begin(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    #[allow(clippy::expect_used, reason = "the text is an address")]
    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@localhost").expect("a valid address")
    }

    async fn keep(
        &self,
        (): (),
        _: Peer,
        envelope: Envelope,
        message: CrlfBytes,
    ) -> Result<MailNumber, Refusal> {
        let mut contents = self.lock();
        contents.last_id += 1;
        let id = contents.last_id;
        let from = envelope.reverse_path.address().map_or("<>".to_owned(), Address::to_string);
        let to = envelope.recipients.iter().map(|recipient| recipient.address.to_string()).collect();
        contents.mails.push_back(CaughtMail { id, from, to, raw: message });
        if contents.mails.len() > CAPACITY {
            contents.mails.pop_front();
        }
        Ok(MailNumber(id))
    }
}

impl CaughtMail {
    /// The HTML, with the pictures in it that the mail brings along.
    pub fn html(&self) -> Option<String> {
        let mime::MimeParts { html, files, .. } = mime::parts(&self.raw);
        let mut html = String::from_utf8_lossy(&html?.data).into_owned();
        for picture in files.iter().filter(|file| file.inline).take(MAX_PICTURES) {
            if let Some(id) = &picture.content_id {
                let data = format!("data:{};base64,{}", picture.media_type, STANDARD.encode(&picture.data));
                html = html.replace(&format!("\"cid:{id}\""), &format!("\"{data}\""));
            }
        }
        Some(html)
    }

    pub fn view(&self) -> View {
        let raw = self.raw.as_slice();
        let header = Header::parse(raw);
        let from = header.from();
        let mime::MimeParts { text, html, .. } = mime::parts(&self.raw);
        let end = memchr::memmem::find(raw, b"\r\n\r\n").unwrap_or(raw.len());
        let readable = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        View {
            subject: header.subject(),
            author: from
                .name
                .or_else(|| from.address.map(|address| address.to_string()))
                .unwrap_or_else(|| self.from.clone()),
            notice: header.first("X-Zegel-Notice").map(|field| field.value()),
            text: text.map(|part| readable(&part.data)),
            html: html.map(|part| readable(&part.data)),
            header: readable(raw.get(..end).unwrap_or_default()),
        }
    }
}
