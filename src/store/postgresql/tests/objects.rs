//! A blob store for the sheets of keys, in memory. It remembers every version of every object, can be away, and can stop in
//! the middle of a call: whoever made it hears nothing any more, as if it had been killed there.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::store::SheetObjects;

/// The blob store.
#[derive(Default)]
pub struct MemoryObjects {
    state: Mutex<State>,
    stopped: Notify,
}

#[derive(Default)]
struct State {
    there: BTreeMap<String, Vec<u8>>,
    ever: Vec<Vec<u8>>,
    away: bool,
    stop: Option<Stop>,
}

/// Where a call stops: at the first of its kind, before or after it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub call: Call,
    pub is_done: bool,
}

/// A kind of call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Put,
    Delete,
}

impl MemoryObjects {
    pub fn names(&self) -> Vec<String> {
        self.state().there.keys().cloned().collect()
    }

    /// Whether any object that is there holds these octets.
    pub fn holds(&self, octets: &[u8]) -> bool {
        self.state().there.values().any(|object| memchr::memmem::find(object, octets).is_some())
    }

    /// Whether any that ever was there held them.
    pub fn ever_held(&self, octets: &[u8]) -> bool {
        self.state().ever.iter().any(|object| memchr::memmem::find(object, octets).is_some())
    }

    /// Every key in every object that is there.
    pub fn keys(&self) -> Vec<[u8; 32]> {
        let state = self.state();
        let chunks = state.there.values().flat_map(|object| object.chunks_exact(32));
        chunks.map(|key| key.try_into().unwrap()).collect()
    }

    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    pub fn stop_at(&self, stop: Stop) {
        self.state().stop = Some(stop);
    }

    /// Waits until a call has stopped where it was told to.
    pub async fn has_stopped(&self) {
        self.stopped.notified().await;
    }

    /// Something that nobody knows of.
    pub fn add(&self, name: &str, octets: &[u8]) {
        self.state().there.insert(name.to_owned(), octets.to_vec());
    }

    async fn call<T>(&self, call: Option<Call>, work: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        let stop = self.state().stop.filter(|stop| Some(stop.call) == call);
        if stop.is_some() {
            self.state().stop = None;
        }
        let done = match stop {
            Some(Stop { is_done: false, .. }) => None,
            _ if self.state().away => return Err(io::Error::other("the blob store is away")),
            _ => Some(work(&mut self.state())),
        };
        match done {
            Some(done) if stop.is_none() => Ok(done),
            _ => {
                self.stopped.notify_one();
                std::future::pending().await
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SheetObjects for MemoryObjects {
    async fn put(&self, name: &str, octets: Zeroizing<Vec<u8>>) -> io::Result<()> {
        let put = |state: &mut State| {
            state.ever.push(octets.to_vec());
            assert!(
                state.there.insert(name.to_owned(), octets.to_vec()).is_none(),
                "a name is never used twice"
            );
        };
        self.call(Some(Call::Put), put).await
    }

    async fn get(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.call(None, |state| state.there.get(name).cloned().map(Zeroizing::new)).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        self.call(Some(Call::Delete), |state| state.there.remove(name)).await.map(drop)
    }

    async fn list(&self) -> io::Result<Vec<String>> {
        self.call(None, |state| state.there.keys().cloned().collect()).await
    }
}
