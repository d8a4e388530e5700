//! Parts that are a message in another form than MIME, opened: a winmail.dat (MS-OXTNEF), and S/MIME that is only signed
//! (RFC 8551 3.5.2). Both need no key, and hide text and files from most readers. Used by `walk`, which takes what is in
//! them apart like all else, and by `attached`.

use std::cell::OnceCell;

use super::note::Note;
use super::signed::{self, Kind};
use super::tnef::{self, Inner};

/// Bytes that are opened for each of the whole message, and at least: what is opened may hold more of the kind.
const MAX_GROWTH: usize = 4;
const LEAST_ROOM: usize = 1 << 20;

/// Bytes of a part, as it came, that tell what it is.
pub const START: usize = 128;

/// What a part is besides a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A winmail.dat, whatever it is called.
    Tnef,
    /// Signed data with its content in it.
    Signed,
    /// Encrypted for the owner of a certificate.
    Encrypted,
}

impl Form {
    /// The type that such a file should have.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Tnef => "application/ms-tnef",
            Self::Signed | Self::Encrypted => "application/pkcs7-mime",
        }
    }

    /// By its first bytes; names and types are often lost.
    pub fn of(start: &[u8]) -> Option<Self> {
        if tnef::is_tnef(start) {
            return Some(Self::Tnef);
        }
        match signed::kind(start)? {
            Kind::Signed => Some(Self::Signed),
            Kind::Enveloped => Some(Self::Encrypted),
        }
    }
}

/// What was opened.
#[derive(Debug)]
pub struct Opened {
    /// What is in it, as a MIME entity.
    pub entity: Vec<u8>,
    /// Something of it was left out.
    pub cut: bool,
    /// What a page says of it.
    pub note: Option<Note>,
}

/// Opens the content of a part; `None` where it is not what it begins like.
pub fn open(form: Form, content: &[u8], name: Option<&str>, inner: Inner) -> Option<Opened> {
    match form {
        Form::Tnef => {
            let (entity, cut) = tnef::entity(content, inner);
            Some(Opened { entity, cut, note: tnef::meeting(content).map(Note::Meeting) })
        }
        Form::Signed => {
            let signed = signed::read(content)?;
            let note = Some(Note::Signed { by: signed.by });
            Some(Opened { entity: signed::entity(signed.content, name), cut: false, note })
        }
        Form::Encrypted => None,
    }
}

/// Keeps what was opened for as long as somebody reads in it, and counts it.
#[derive(Debug)]
pub struct Arena {
    first: OnceCell<Box<Kept>>,
    room: usize,
    /// What becomes of messages that are attached to a winmail.dat.
    pub inner: Inner,
}

#[derive(Debug)]
struct Kept {
    entity: Vec<u8>,
    next: OnceCell<Box<Kept>>,
}

impl Arena {
    /// For what is in a message of `size` bytes.
    pub fn new(size: usize, inner: Inner) -> Self {
        let room = size.saturating_mul(MAX_GROWTH).saturating_add(LEAST_ROOM);
        Self { first: OnceCell::new(), room, inner }
    }

    /// Keeps an entity; `None` where it would become too much.
    pub fn keep(&self, entity: Vec<u8>) -> Option<&[u8]> {
        let (mut slot, mut used) = (&self.first, entity.len());
        while let Some(kept) = slot.get() {
            used += kept.entity.len();
            slot = &kept.next;
        }
        if used > self.room {
            return None;
        }
        Some(&slot.get_or_init(|| Box::new(Kept { entity, next: OnceCell::new() })).entity)
    }
}

impl Drop for Kept {
    /// One after the other: dropped within each other, ten thousand of them would need a deep stack.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut kept) = next {
            next = kept.next.take();
        }
    }
}
