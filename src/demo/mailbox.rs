//! The catch-all mailbox of the demo: keeps in memory whatever the gateway relays, and shows it.
//! Stands where a municipality's smarthost and everybody's mailboxes would be.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::mime;
use crate::smtp::inbox::{Inbox, Refusal};

/// Mails kept; the oldest goes when one more comes.
const CAPACITY: usize = 500;

/// The mailbox: an [`Inbox`] like the gateway's, without a disk.
#[derive(Debug, Default)]
pub struct Mailbox(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    last_id: u64,
    mails: VecDeque<Mail>,
}

/// One mail as it came in.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Counts from 1.
    pub id: u64,
    /// The envelope's sender, `<>` for null.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The octets after dot-unstuffing.
    pub raw: CrlfBytes,
}

/// The parts of a mail that the page shows.
pub struct View {
    /// The decoded subject.
    pub subject: String,
    /// The sender's name, else the address.
    pub author: String,
    /// `X-Zegel-Notice`, where the mail is one of ours.
    pub notice: Option<String>,
    /// The text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
    /// The header block as it came.
    pub header: String,
}

/// The number of a kept mail.
pub struct MailNumber(u64);

impl fmt::Display for MailNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Mailbox {
    /// Every mail, newest first.
    pub fn all(&self) -> Vec<Mail> {
        self.lock().mails.iter().rev().cloned().collect()
    }

    /// One mail.
    pub fn get(&self, id: u64) -> Option<Mail> {
        self.lock().mails.iter().find(|mail| mail.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for Mailbox {
    type Kept = MailNumber;

    fn sender(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    #[allow(clippy::expect_used, reason = "the text is an address")]
    fn postmaster(&self) -> Address {
        Address::parse("postmaster@localhost").expect("a valid address")
    }

    async fn keep(&self, _: Peer, envelope: Envelope, message: CrlfBytes) -> Result<MailNumber, Refusal> {
        let mut kept = self.lock();
        kept.last_id += 1;
        let id = kept.last_id;
        let from = envelope.reverse_path.address().map_or("<>".to_owned(), Address::to_string);
        let to = envelope.recipients.iter().map(|recipient| recipient.address.to_string()).collect();
        kept.mails.push_back(Mail { id, from, to, raw: message });
        if kept.mails.len() > CAPACITY {
            kept.mails.pop_front();
        }
        Ok(MailNumber(id))
    }
}

impl Mail {
    /// What the page shows of it.
    pub fn view(&self) -> View {
        let raw = self.raw.as_slice();
        let header = Header::parse(raw);
        let from = header.from();
        let mime::Parts { text, html, .. } = mime::parts(&self.raw);
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
