//! The mail in the journal, in memory: what can be claimed, and what is being delivered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::clock::Timestamp;
use crate::id::{FolderId, QueueId};
use crate::secret::keyring::KeyRef;
use crate::store::turns::{ClaimShares, Sharer, Turns};
use crate::store::{Claim, Item, NewItem};

/// All of it.
#[derive(Default)]
pub(super) struct Live(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order of acceptance; may name what is gone already.
    order: VecDeque<QueueId>,
    /// What is not claimed, of each organisation the oldest first; may name what is gone already.
    ready: Turns<VecDeque<QueueId>>,
    entries: HashMap<QueueId, Entry>,
}

struct Entry {
    item: NewItem,
    since: Instant,
    claim: Option<Claim>,
    /// It is on its way into the database.
    is_moving: bool,
    _place: OwnedSemaphorePermit,
}

/// A message that is to be moved into the database.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The message.
    pub item: NewItem,
    /// The claim that holds it.
    pub claim: Option<Claim>,
    /// It is on its way into the database, or may be there already.
    #[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "asked by nodes alone"))]
    pub is_moving: bool,
}

impl Live {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its record is on disk.
    pub fn add(&self, item: NewItem, place: OwnedSemaphorePermit) {
        let mut state = self.state();
        state.order.push_back(item.id.clone());
        state.ready.of(&item.organisation).push_back(item.id.clone());
        let entry = Entry { since: Instant::now(), claim: None, is_moving: false, _place: place, item };
        state.entries.insert(entry.item.id.clone(), entry);
    }

    /// They need no record any more; what keeps their keys, until that is on disk.
    pub fn close(&self, items: &[QueueId]) -> Vec<KeyRef> {
        let mut state = self.state();
        let closed = items.iter().filter_map(|item| state.entries.remove(item));
        let keys = closed.filter_map(|entry| entry.item.body.key).collect();
        state.forget_gone();
        keys
    }

    /// Nothing here is claimed twice: what waits longer than a claim lasts is a row by then.
    pub fn claim(
        &self,
        limit: usize,
        shares: &mut ClaimShares,
        owner: &FolderId,
        lease: Timestamp,
    ) -> Vec<Item> {
        let State { ready, entries, .. } = &mut *self.state();
        let mut claimed = Vec::new();
        while claimed.len() < limit {
            let item = ready.take(|sharer, queue| {
                while shares.of(sharer) > 0
                    && let Some(id) = queue.pop_front()
                {
                    let entry =
                        entries.get_mut(&id).filter(|entry| !entry.is_moving && entry.claim.is_none());
                    if let Some(entry) = entry {
                        let claim = Claim { owner: owner.clone(), token: 1, until: lease, lease: 0 };
                        entry.claim = Some(claim.clone());
                        shares.take(sharer);
                        return Some(Item::first_attempt(entry.item.clone(), claim));
                    }
                }
                None
            });
            match item {
                Some(item) => claimed.push(item),
                None => break,
            }
        }
        claimed
    }

    pub fn has_ready(&self) -> bool {
        self.state().ready.all().any(|(_, queue)| !queue.is_empty())
    }

    pub fn figures(&self) -> (u64, Option<Timestamp>) {
        let state = self.state();
        let oldest = state.order.front().and_then(|id| state.entries.get(id));
        (state.entries.len() as u64, oldest.map(|entry| entry.item.created))
    }

    /// The same of each organisation.
    pub fn figures_of_each(&self) -> HashMap<Sharer, (u64, Option<Timestamp>)> {
        let mut figures = HashMap::<Sharer, (u64, Option<Timestamp>)>::new();
        for Entry { item, .. } in self.state().entries.values() {
            let (count, oldest) = figures.entry(item.organisation.clone()).or_default();
            *count += 1;
            *oldest = oldest.iter().copied().chain([item.created]).min();
        }
        figures
    }

    pub fn has_older(&self, age: Duration) -> bool {
        let state = self.state();
        let oldest = state.order.front().and_then(|id| state.entries.get(id));
        oldest.is_some_and(|entry| entry.since.elapsed() >= age)
    }

    /// Takes them, the oldest first; they can no longer be claimed.
    pub fn take_older(&self, age: Duration) -> Vec<Waiting> {
        let State { order, entries, .. } = &mut *self.state();
        let mut taken = Vec::new();
        for id in order.iter() {
            match entries.get_mut(id) {
                Some(entry) if entry.since.elapsed() < age => break,
                Some(entry) => {
                    entry.is_moving = true;
                    taken.push(Waiting::of(entry));
                }
                None => {}
            }
        }
        taken
    }

    /// They stay here after all.
    pub fn give_back(&self, items: &[QueueId]) {
        let State { ready, entries, .. } = &mut *self.state();
        for id in items {
            if let Some(entry) = entries.get_mut(id) {
                entry.is_moving = false;
                if entry.claim.is_none() {
                    ready.of(&entry.item.organisation).push_back(id.clone());
                }
            }
        }
    }

    pub fn find(&self, item: &QueueId) -> Option<Waiting> {
        self.state().entries.get(item).map(Waiting::of)
    }
}

impl State {
    /// Keeps the front of each list true; what is gone further back goes when it gets there.
    fn forget_gone(&mut self) {
        let Self { order, ready, entries } = self;
        for list in std::iter::once(order).chain(ready.all_mut()) {
            while list.front().is_some_and(|id| !entries.contains_key(id)) {
                list.pop_front();
            }
        }
    }
}

impl Waiting {
    /// What an earlier life left.
    pub fn unclaimed(item: NewItem) -> Self {
        Self { item, claim: None, is_moving: true }
    }

    fn of(entry: &Entry) -> Self {
        Self { item: entry.item.clone(), claim: entry.claim.clone(), is_moving: entry.is_moving }
    }
}
