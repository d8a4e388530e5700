//! The requests that write uploads at this moment, and how much of what they bring is not in the store yet. In memory:
//! after a crash there are no writers, and what they had begun is gone.
//!
//! What must never happen: two writers of one upload, of which all but one write for nothing, or pieces that pass the
//! limit of a link together before the first of them counts (H39).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::{ReplyError, Result};
use crate::id::{Link, UploadId};

/// Uploads that are written at once through one link, and in all: each may hold a piece or two that do not count yet.
const PER_LINK: usize = 16;
const IN_ALL: usize = 256;

/// All writers of this process.
#[derive(Clone, Default)]
pub(super) struct Writers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    uploads: HashMap<UploadId, Arc<Slot>>,
    links: HashMap<Link, Begun>,
}

/// What was begun through one link.
#[derive(Default)]
struct Begun {
    writers: usize,
    octets: u64,
}

/// One upload that is written.
struct Slot {
    /// Nothing more comes: what is there is being flushed.
    is_ending: AtomicBool,
    /// Closed at the end.
    end: Semaphore,
}

/// The right to write one upload. It ends when the last clone of its `Arc` is dropped.
pub(super) struct Writing {
    writers: Writers,
    link: Link,
    upload: UploadId,
    slot: Arc<Slot>,
}

/// Says that nothing more comes, however the request ends.
pub(super) struct Request(Arc<Slot>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.is_ending.store(true, Ordering::Release);
    }
}

impl Writers {
    /// Becomes the writer of an upload. Where there is one it is locked; one that has only to flush is waited for, so
    /// that a client can go on at once after its connection broke.
    pub async fn begin(&self, link: &Link, upload: &UploadId) -> Result<(Arc<Writing>, Request)> {
        loop {
            let former = {
                let mut state = self.state();
                match state.uploads.get(upload) {
                    None => return state.enter(self, link, upload),
                    Some(slot) if slot.is_ending.load(Ordering::Acquire) => Arc::clone(slot),
                    Some(_) => return Err(ReplyError::UploadLocked),
                }
            };
            // It has no permits: this ends when it is closed.
            former.end.acquire().await.ok();
        }
    }

    /// Bytes that were begun through a link and do not count yet.
    #[cfg(test)]
    pub fn begun(&self, link: &Link) -> u64 {
        self.state().links.get(link).map_or(0, |begun| begun.octets)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(
        &mut self,
        writers: &Writers,
        link: &Link,
        upload: &UploadId,
    ) -> Result<(Arc<Writing>, Request)> {
        let here = self.links.get(link).map_or(0, |begun| begun.writers);
        if here >= PER_LINK || self.uploads.len() >= IN_ALL {
            return Err(ReplyError::TooManyUploads);
        }
        self.links.entry(link.clone()).or_default().writers += 1;
        let slot = Arc::new(Slot { is_ending: AtomicBool::new(false), end: Semaphore::new(0) });
        self.uploads.insert(upload.clone(), Arc::clone(&slot));
        let request = Request(Arc::clone(&slot));
        let (writers, link, upload) = (writers.clone(), link.clone(), upload.clone());
        Ok((Arc::new(Writing { writers, link, upload, slot }), request))
    }
}

impl Writing {
    /// Takes at most `octets` of the `left` that the store has for this link, others' begun pieces aside. Each share
    /// goes back by [`Writing::release`].
    pub fn reserve(&self, octets: u64, left: u64) -> u64 {
        let mut state = self.writers.state();
        let begun = state.links.entry(self.link.clone()).or_default();
        let granted = octets.min(left.saturating_sub(begun.octets));
        begun.octets += granted;
        granted
    }

    /// A piece counts in the store now, or never will.
    pub fn release(&self, octets: u64) {
        if let Some(begun) = self.writers.state().links.get_mut(&self.link) {
            begun.octets = begun.octets.saturating_sub(octets);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.writers.state();
        state.uploads.remove(&self.upload);
        if let Some(begun) = state.links.get_mut(&self.link) {
            begun.writers -= 1;
            if begun.writers == 0 {
                state.links.remove(&self.link);
            }
        }
        self.slot.end.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransferId;

    fn link(recipient: u16) -> Link {
        Link { transfer: "3k7wp9hmxt".parse::<TransferId>().unwrap(), recipient }
    }

    #[tokio::test]
    async fn an_upload_has_one_writer() {
        let (writers, upload) = (Writers::default(), UploadId::random());
        let (writing, request) = writers.begin(&link(1), &upload).await.unwrap();
        let second = writers.begin(&link(1), &upload).await;
        assert!(matches!(second, Err(ReplyError::UploadLocked)));
        // The request is over, the flush is not: the next one waits for it.
        drop(request);
        let next = tokio::spawn({
            let (writers, upload) = (writers.clone(), upload.clone());
            async move { writers.begin(&link(1), &upload).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(writing);
        next.await.unwrap().unwrap();
        assert!(writers.state().uploads.is_empty() && writers.state().links.is_empty());
    }

    #[tokio::test]
    async fn writers_are_bounded_per_link_and_in_all() {
        let writers = Writers::default();
        let mut held = Vec::new();
        for number in 0..IN_ALL {
            let link = link(1 + (number / PER_LINK) as u16);
            held.push(writers.begin(&link, &UploadId::random()).await.unwrap());
            if number + 1 == PER_LINK {
                let more = writers.begin(&link, &UploadId::random()).await;
                assert!(matches!(more, Err(ReplyError::TooManyUploads)));
            }
        }
        let more = writers.begin(&link(999), &UploadId::random()).await;
        assert!(matches!(more, Err(ReplyError::TooManyUploads)));
        held.pop();
        assert!(writers.begin(&link(999), &UploadId::random()).await.is_ok());
    }

    #[tokio::test]
    async fn begun_pieces_share_what_is_left() {
        let writers = Writers::default();
        let (one, _request) = writers.begin(&link(1), &UploadId::random()).await.unwrap();
        let (two, _request) = writers.begin(&link(1), &UploadId::random()).await.unwrap();
        assert_eq!((one.reserve(8, 12), two.reserve(8, 12), one.reserve(8, 12)), (8, 4, 0));
        one.release(8);
        assert_eq!(two.reserve(8, 12), 8);
    }
}
