//! What a message says when the rules ask, found once and kept for all its recipients: a thousand of them
//! must not have the same megabyte read a thousand times (H13).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bsn;
use super::finding::Finding;
use super::fold::{fold, skeleton};
use crate::message::attached::{Attached, attached};
use crate::message::automatic::is_automatic;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::mime;

/// Readings of all fields of one name that are looked at.
const MAX_READINGS: usize = 1000;

/// Bytes of all of them: a field in many readings, each of characters that become many, would take too long (H13).
const MAX_OCTETS: usize = 2 << 20;

/// Message-IDs of what an attached message answers that are looked at, the first and the last ones.
const MAX_ATTACHED_IDS: usize = 50;

/// One message as the rules see it. Only what a rule asks for is read.
#[derive(Debug)]
pub struct MessageContent<'a> {
    header: &'a Header<'a>,
    message: &'a CrlfBytes,
    attached: OnceLock<Attached>,
    fields: Mutex<Fields>,
    attached_fields: Mutex<Fields>,
    automatic: OnceLock<Finding>,
    bsn: OnceLock<Finding>,
}

/// What was read so far, by the name of the field.
type Fields = HashMap<String, Arc<Readings>>;

/// What the fields of one name say.
#[derive(Debug)]
pub(super) struct Readings {
    /// Each reading, folded (see [`fold`]).
    pub texts: Vec<String>,
    /// What a reader sees of each.
    pub skeletons: Vec<String>,
    /// There is more than was looked at, or something that could not be read.
    pub cut: bool,
}

impl<'a> MessageContent<'a> {
    /// `header` is that of `message`.
    pub fn new(header: &'a Header<'a>, message: &'a CrlfBytes) -> Self {
        Self {
            header,
            message,
            attached: OnceLock::new(),
            fields: Mutex::default(),
            attached_fields: Mutex::default(),
            automatic: OnceLock::new(),
            bsn: OnceLock::new(),
        }
    }

    /// The same, where the messages attached to it were found before.
    pub fn with_attached(header: &'a Header<'a>, message: &'a CrlfBytes, attached: Attached) -> Self {
        Self { attached: attached.into(), ..Self::new(header, message) }
    }

    /// What names the threads that this message goes on with, and those of the messages attached to it.
    pub fn answers(&self) -> Vec<String> {
        let mut ids = self.header.answers();
        for message in &self.attached().messages {
            let header = message.header();
            let mut answers = header.answers();
            if answers.len() > MAX_ATTACHED_IDS {
                answers.drain(MAX_ATTACHED_IDS / 2..answers.len() - MAX_ATTACHED_IDS / 2);
            }
            ids.extend(header.thread_ids().into_iter().take(MAX_ATTACHED_IDS).chain(answers));
        }
        ids
    }

    /// The messages attached to it.
    pub(super) fn attached(&self) -> &Attached {
        self.attached.get_or_init(|| attached(self.message))
    }

    /// Bytes of the message.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.message.as_slice().len()).unwrap_or(u64::MAX)
    }

    /// Every reading of every field of this name.
    pub(super) fn readings(&self, name: &str) -> Arc<Readings> {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fields.entry(name.to_lowercase());
        Arc::clone(known.or_insert_with(|| Arc::new(Readings::of(&[*self.header], name, false))))
    }

    /// The same of the messages attached to it.
    pub(super) fn attached_readings(&self, name: &str) -> Arc<Readings> {
        let attached = self.attached();
        let mut fields = self.attached_fields.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fields.entry(name.to_lowercase()).or_insert_with(|| {
            let headers: Vec<Header<'_>> = attached.messages.iter().map(|message| message.header()).collect();
            Arc::new(Readings::of(&headers, name, attached.cut))
        });
        Arc::clone(known)
    }

    /// Whether a program answers, with nothing of what it answers. Of one message the sender is always the same.
    pub(super) fn is_automatic(&self, from_nobody: bool) -> Finding {
        *self.automatic.get_or_init(|| {
            is_automatic(self.message, self.attached(), from_nobody).map_or(Finding::Unknown, Finding::from)
        })
    }

    /// Whether a citizen service number is in the subject or in a text of the message.
    pub(super) fn has_bsn(&self) -> Finding {
        *self.bsn.get_or_init(|| {
            let subjects = self.readings("Subject");
            let mut found =
                subjects.texts.iter().any(|text| bsn::mentions(text)) || bsn::mentions(&self.header.text());
            let mut damaged = subjects.cut;
            if !found {
                damaged |= mime::texts(self.message, &mut |text| found = found || bsn::mentions(text));
            }
            match (found, damaged) {
                (true, _) => Finding::Yes,
                (false, true) => Finding::Unknown,
                (false, false) => Finding::No,
            }
        })
    }
}

impl Readings {
    /// Of all these headers together; `cut`: there are more.
    fn of(headers: &[Header<'_>], name: &str, cut: bool) -> Self {
        let all = || headers.iter().flat_map(|header| header.all(name).map(move |field| (header, field)));
        let mut readings = all().flat_map(|(header, field)| field.readings(|| header.charset()));
        let mut room = MAX_OCTETS;
        let both = readings.by_ref().take(MAX_READINGS).map_while(|reading| {
            room = room.checked_sub(reading.len())?;
            Some((fold(&reading), skeleton(&reading)))
        });
        let (texts, skeletons): (Vec<String>, Vec<String>) = both.unzip();
        let unreadable = all().take(MAX_READINGS).any(|(_, field)| field.is_unreadable());
        let oversized = headers.iter().any(Header::is_oversized);
        let cut = cut || unreadable || oversized || readings.next().is_some();
        Self { texts, skeletons, cut }
    }
}
