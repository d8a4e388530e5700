//! What a message says when the rules ask, found once and kept for all its recipients: a thousand of them
//! must not have the same megabyte read a thousand times (H13).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bsn;
use super::fold::{fold, skeleton};
use super::rules::Answer;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::mime;

/// Readings of all fields of one name that are looked at.
const MAX_READINGS: usize = 1000;

/// Octets of all of them: a field in many readings, each of characters that become many, would take too long (H13).
const MAX_OCTETS: usize = 2 << 20;

/// One message as the rules see it. Only what a rule asks for is read.
#[derive(Debug)]
pub struct Content<'a> {
    header: &'a Header<'a>,
    message: &'a CrlfBytes,
    fields: Mutex<HashMap<String, Arc<Readings>>>,
    bsn: OnceLock<Answer>,
}

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

impl<'a> Content<'a> {
    /// `header` is that of `message`.
    pub fn new(header: &'a Header<'a>, message: &'a CrlfBytes) -> Self {
        Self { header, message, fields: Mutex::default(), bsn: OnceLock::new() }
    }

    /// Octets of the message.
    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.message.as_slice().len()).unwrap_or(u64::MAX)
    }

    /// Every reading of every field of this name.
    pub(super) fn readings(&self, name: &str) -> Arc<Readings> {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fields.entry(name.to_lowercase()).or_insert_with(|| {
            let charset = || self.header.charset();
            let mut readings = self.header.all(name).flat_map(|field| field.readings(charset));
            let mut room = MAX_OCTETS;
            let both = readings.by_ref().take(MAX_READINGS).map_while(|reading| {
                room = room.checked_sub(reading.len())?;
                Some((fold(&reading), skeleton(&reading)))
            });
            let (texts, skeletons): (Vec<String>, Vec<String>) = both.unzip();
            let unreadable = self.header.all(name).take(MAX_READINGS).any(|field| field.is_unreadable());
            let cut = unreadable || self.header.is_oversized() || readings.next().is_some();
            Arc::new(Readings { texts, skeletons, cut })
        });
        Arc::clone(known)
    }

    /// Whether a citizen service number stands in the subject or in a text of the message.
    pub(super) fn has_bsn(&self) -> Answer {
        *self.bsn.get_or_init(|| {
            let subjects = self.readings("Subject");
            let mut found =
                subjects.texts.iter().any(|text| bsn::mentions(text)) || bsn::mentions(&self.header.text());
            let mut damaged = subjects.cut;
            if !found {
                damaged |= mime::texts(self.message, &mut |text| found = found || bsn::mentions(text));
            }
            match (found, damaged) {
                (true, _) => Answer::Yes,
                (false, true) => Answer::Unknown,
                (false, false) => Answer::No,
            }
        })
    }
}
