//! A winmail.dat (MS-OXTNEF), which only Outlook can open: what is in it, as a MIME entity that is read like any other,
//! and what it says of the message that it came with. Used by `opened`, `mime` and `attached`. What is broken is left out:
//! the file itself is always there too.

mod code_page;
mod entity;
mod header;
mod lzfu;
mod meeting;
mod message;
mod property;
mod rtf;
mod stream;

pub use entity::{Inner, entity};
pub use header::fields;
pub use message::{Content, read};
pub use stream::is_tnef;

use super::note::Meeting;

/// The meeting that the message is about.
pub fn meeting(file: &[u8]) -> Option<Meeting> {
    message::read(file).meeting
}

#[cfg(test)]
pub(super) mod tests;
