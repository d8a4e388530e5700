//! Answers while they are written. What people typed is sealed before it comes here. Used by `reply`.

use std::time::Duration;

use async_trait::async_trait;

use super::{Author, Result, UploadRow};
use crate::clock::{Timestamp, later};
use crate::limits::Rate;

/// Drafts behind one link, and in all: each is up to a mebibyte (H42).
const DRAFTS_PER_LINK: u32 = 20;
pub(super) const DRAFTS_IN_ALL: u32 = 10_000;
/// Answers that are taken from everybody within an hour.
pub(super) const ANSWERS_IN_ALL: Rate = Rate::per(1000, Duration::from_secs(3600));
/// An author who finds no room for a draft is told to come back after this long.
pub(super) const WAIT_FOR_ROOM: Duration = Duration::from_secs(3600);
/// Answers to one transfer are counted over this long, and a summary is kept as long.
pub(super) const ANSWER_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Drafts, and what was sent of them.
#[async_trait]
pub trait DraftStore: Send + Sync + 'static {
    /// The draft, if there is one.
    async fn draft(&self, author: Author) -> Result<Option<DraftRow>>;
    /// Keeps what was typed in place of `former`, what was read before: [`super::StoreError::Changed`] where something else
    /// lies there by now, [`super::StoreError::Gone`] when the link is closed.
    async fn save_draft(
        &self,
        author: Author,
        typed: Vec<u8>,
        former: Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<()>;
    /// The summary of what this author sent last, since then.
    async fn last_reply(&self, author: Author, since: Timestamp) -> Result<Option<Vec<u8>>>;
}

/// A draft as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// What was typed, sealed; `None`: only files so far.
    pub typed: Option<Vec<u8>>,
    /// Counts every change.
    pub revision: u64,
    /// In the order in which they were begun.
    pub uploads: Vec<UploadRow>,
}

/// The end of a draft, in the transaction of the answer that it becomes.
#[derive(Debug)]
pub struct EndedDraft {
    /// The author
    pub author: Author,
    /// As it was read: one that changed since is not ended ([`super::StoreError::Changed`]).
    pub revision: u64,
    /// Now
    pub time: Timestamp,
    /// Sealed: what the page tells of it, kept for a day
    pub summary: Vec<u8>,
    /// Hashes of the Message-IDs of what staff get: an answer to it is sealed as well.
    pub thread: Vec<[u8; 32]>,
    /// The most answers to one transfer within 24 hours; over it: [`super::StoreError::TooMany`].
    pub per_day: u32,
}

impl EndedDraft {
    /// When another answer to this transfer may be sent, if there may be none now: so many were sent within
    /// [`ANSWER_WINDOW`], the first of them at `first`.
    pub fn wait(&self, sent: u32, first: Option<Timestamp>) -> Option<Timestamp> {
        (sent >= self.per_day).then(|| later(first.unwrap_or(self.time), ANSWER_WINDOW))
    }
}

/// Whether another draft may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftRoom {
    /// It may.
    Free,
    /// It may, if the draft behind the same link goes that was not touched for longest and is of a browser that has
    /// proved nothing: so nobody takes an answer away from its author.
    InPlaceOfStalest,
    /// It may not.
    Full,
}

impl DraftRoom {
    /// With so many drafts behind the link, and in all. A client without a cookie makes one each time.
    pub fn of(behind_link: u32, in_all: u32) -> Self {
        match (behind_link >= DRAFTS_PER_LINK, in_all >= DRAFTS_IN_ALL) {
            (true, _) => Self::InPlaceOfStalest,
            (false, true) => Self::Full,
            (false, false) => Self::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Link, TransferId};
    use crate::store::conformance::noon;

    /// H18
    #[test]
    fn the_next_answer_comes_a_day_after_the_first() {
        let author = Author { link: Link { transfer: TransferId::random(), recipient: 1 }, browser: [1; 32] };
        let (summary, thread) = (Vec::new(), Vec::new());
        let ended = EndedDraft { author, revision: 1, time: noon(), summary, thread, per_day: 2 };
        assert_eq!(ended.wait(0, None), None);
        assert_eq!(ended.wait(1, Some(noon())), None);
        assert_eq!(ended.wait(2, Some(noon())), Some(later(noon(), ANSWER_WINDOW)));
    }

    /// H42
    #[test]
    fn a_link_gives_way_to_itself_and_to_nobody_else() {
        assert_eq!(DraftRoom::of(19, 9_999), DraftRoom::Free);
        assert_eq!(DraftRoom::of(20, 20), DraftRoom::InPlaceOfStalest);
        assert_eq!(DraftRoom::of(20, 10_000), DraftRoom::InPlaceOfStalest);
        assert_eq!(DraftRoom::of(0, 10_000), DraftRoom::Full);
    }
}
