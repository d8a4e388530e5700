//! When the next row of the queue is due, remembered: the worker asks after every delivery, and mostly nothing
//! has changed. Another process may change rows as well (the command line tool), so it is not believed for long.
//! And whose row was claimed last: the next organisation has the next turn.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Item, turns};
use crate::clock::Timestamp;

/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(2);

/// How long rows count as writable after they were.
const WRITABLE: Duration = Duration::from_millis(100);

/// The memory of it, and of whether rows could be written.
#[derive(Default)]
pub(super) struct Due {
    changes: AtomicU64,
    known: Mutex<Option<Known>>,
    turn: AtomicU64,
    writable: Mutex<Option<Instant>>,
    served: Mutex<String>,
}

#[derive(Clone, Copy)]
struct Known {
    due: Option<Timestamp>,
    read: Instant,
    changes: u64,
}

impl Due {
    /// Does work that may change what is due: what was known before it no longer counts.
    pub async fn changes<T>(&self, work: impl Future<Output = T>) -> T {
        let done = work.await;
        self.changed();
        done
    }

    /// What was known before no longer counts.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether rows could be written a moment ago; else `probe` tells.
    pub async fn is_writable<E>(&self, probe: impl Future<Output = Result<(), E>>) -> Result<(), E> {
        let known = *self.writable.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|known| known.elapsed() < WRITABLE) {
            return Ok(());
        }
        probe.await?;
        *self.writable.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// How many of `limit` turns are for rows: half of them, the odd one every other time.
    pub fn share(&self, limit: usize) -> usize {
        let odd = self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        if odd { limit.div_ceil(2) } else { limit / 2 }
    }

    /// The organisation whose row was claimed last, as [`turns::name`] writes it.
    pub fn served(&self) -> String {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These were claimed, in this order.
    pub fn serve(&self, items: &[Item]) {
        if let Some(last) = items.last() {
            let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
            turns::name(&last.organisation).clone_into(&mut served);
        }
    }

    /// What is known, or what `read` finds.
    pub async fn get<E>(
        &self,
        read: impl Future<Output = Result<Option<Timestamp>, E>>,
    ) -> Result<Option<Timestamp>, E> {
        let changes = self.changes.load(Ordering::SeqCst);
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.filter(|known| known.changes == changes && known.read.elapsed() < BELIEVED)
        {
            return Ok(known.due);
        }
        let started = Instant::now();
        let due = read.await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Known { due, read: started, changes });
        Ok(due)
    }
}
