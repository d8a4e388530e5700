//! The deliveries under way, and how many of them use a connection. Used by `worker` alone.

use std::collections::{HashMap, HashSet};
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use crate::id::QueueId;
use crate::store::Sharer;

/// The deliveries under way.
#[derive(Default)]
pub(super) struct InFlight {
    tasks: JoinSet<()>,
    /// Item and attempt number of each.
    items: HashMap<Id, (QueueId, u32)>,
    /// The same, to be found at once.
    known: HashSet<(QueueId, u32)>,
}

impl InFlight {
    /// Begins an attempt, named by item and number. One whose claim has run out while its outcome could not be recorded
    /// is not begun twice; the next attempt at the same item has another number, and may begin before the task of
    /// this one is cleared away.
    pub fn start<F>(&mut self, name: (QueueId, u32), attempt: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if !self.known.insert(name.clone()) {
            return;
        }
        let handle = self.tasks.spawn(attempt());
        self.items.insert(handle.id(), name);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Waits until one has ended; for ever while there is none.
    pub async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => pending().await,
        }
    }

    /// Waits until all have ended.
    pub async fn all_ended(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match &ended {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let Some(name) = self.items.remove(&task) else { return };
        self.known.remove(&name);
        if let (Err(error), (item, _)) = (ended, name) {
            tracing::error!(%item, %error, "a delivery broke down; it starts again when its claim runs out");
        }
    }
}

/// The connections in use, of `relay.max_connections`, and whose mail they are for. A delivery gives its own back before its
/// outcome is recorded: the next hop need not idle for a flush of our disk. All clones count together.
#[derive(Clone)]
pub(super) struct ConnectionSlots {
    taken: Arc<Mutex<HashMap<Sharer, usize>>>,
    wake: Arc<Notify>,
}

/// One of them; dropping it rings for the next delivery.
pub(super) struct ConnectionSlot(ConnectionSlots, Sharer);

impl ConnectionSlots {
    /// None in use; `wake` is rung when one is given back.
    pub fn new(wake: Arc<Notify>) -> Self {
        Self { taken: Arc::default(), wake }
    }

    /// How many are in use.
    pub fn taken(&self) -> usize {
        self.lock().values().sum()
    }

    /// How many of them each organisation has. Those with none are left out.
    pub fn held(&self) -> HashMap<Sharer, usize> {
        self.lock().clone()
    }

    /// One more.
    pub fn take(&self, sharer: Sharer) -> ConnectionSlot {
        *self.lock().entry(sharer.clone()).or_default() += 1;
        ConnectionSlot(self.clone(), sharer)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sharer, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut taken = self.0.lock();
        if let Some(count) = taken.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.1);
            }
        }
        drop(taken);
        self.0.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_is_begun_once_and_a_line_given_back() {
        let wake = Arc::new(Notify::new());
        let slots = ConnectionSlots::new(Arc::clone(&wake));
        let mut in_flight = InFlight::default();
        let first = (QueueId::random(), 0);
        for _ in 0..2 {
            in_flight.start(first.clone(), || {
                let slot = slots.take(None);
                async move { drop(slot) }
            });
        }
        assert_eq!((in_flight.count(), slots.taken()), (1, 1));
        in_flight.start((first.0.clone(), 1), pending);
        wake.notified().await;
        in_flight.ended().await;
        assert_eq!((in_flight.count(), slots.taken()), (1, 0));
        in_flight.start(first, || async {});
        assert_eq!(in_flight.count(), 2);
    }
}
