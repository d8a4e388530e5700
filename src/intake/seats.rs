//! Who may seal just now. More at once than there are cores, because sealing waits for the disk most of the time; but
//! large work leaves seats to small mail, which would otherwise wait for all of it (H40). Argon2 has turns of its own.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Arrival;
use crate::policy::TagPassword;
use crate::seal::keys::{Cost, Urgency};

/// Messages that are sealed at once, for each core; of these, how many are for small ones only.
const PER_CORE: usize = 4;
const SMALL_PER_CORE: usize = 1;
/// A message over this is large work.
const SMALL: usize = 1 << 20;

/// The seats.
#[derive(Clone)]
pub(super) struct Seats {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A seat that is taken, and whether it is one of those for large work.
pub(super) struct Seat {
    _any: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
}

impl Seats {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let seats = |per_core| Arc::new(Semaphore::new(cores * per_core));
        Self { all: seats(PER_CORE), large: seats(PER_CORE - SMALL_PER_CORE) }
    }

    /// Waits for a seat.
    pub(super) async fn take(&self, is_large: bool) -> Seat {
        // Nobody closes these.
        let large = if is_large { self.large.clone().acquire_owned().await.ok() } else { None };
        Seat { _any: self.all.clone().acquire_owned().await.ok(), _large: large }
    }
}

/// Whether there is much to seal, or much to lock.
pub(super) fn is_large(arrival: &Arrival) -> bool {
    let cost = match arrival.options.password {
        Some(TagPassword::Chosen(_)) => Cost::Chosen,
        _ => Cost::Generated,
    };
    arrival.message.as_slice().len() > SMALL || cost.urgency(arrival.seal.len()) == Urgency::Bulk
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn seated(seats: &Seats, is_large: bool) -> Option<Seat> {
        timeout(Duration::ZERO, seats.take(is_large)).await.ok()
    }

    #[tokio::test]
    async fn large_work_leaves_seats_to_small_mail() {
        let seats = Seats::new();
        let mut taken = Vec::new();
        while let Some(seat) = seated(&seats, true).await {
            taken.push(seat);
        }
        let small = seated(&seats, false).await;
        assert!(small.is_some());
        while let Some(seat) = seated(&seats, false).await {
            taken.push(seat);
        }
        taken.clear();
        assert!(seated(&seats, true).await.is_some(), "what ends makes room");
    }
}
