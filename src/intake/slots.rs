//! How many messages are sealed at once: more than there are cores, because sealing waits for the disk most of the time; but
//! large work leaves slots to small mail, which would otherwise wait for all of it (H40). Argon2 has turns of its own.

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

/// The slots.
#[derive(Clone)]
pub(super) struct SealingSlots {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A slot that is taken, and whether it is one of those for large work.
pub(super) struct SealingSlot {
    _any: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
}

impl SealingSlots {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let slots = |per_core| Arc::new(Semaphore::new(cores * per_core));
        Self { all: slots(PER_CORE), large: slots(PER_CORE - SMALL_PER_CORE) }
    }

    /// Waits for a slot.
    pub(super) async fn take(&self, is_large: bool) -> SealingSlot {
        // Nobody closes these.
        let large = if is_large { self.large.clone().acquire_owned().await.ok() } else { None };
        SealingSlot { _any: self.all.clone().acquire_owned().await.ok(), _large: large }
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

    async fn try_take(slots: &SealingSlots, is_large: bool) -> Option<SealingSlot> {
        timeout(Duration::ZERO, slots.take(is_large)).await.ok()
    }

    #[tokio::test]
    async fn large_work_leaves_slots_to_small_mail() {
        let slots = SealingSlots::new();
        let mut taken = Vec::new();
        while let Some(slot) = try_take(&slots, true).await {
            taken.push(slot);
        }
        let small = try_take(&slots, false).await;
        assert!(small.is_some());
        while let Some(slot) = try_take(&slots, false).await {
            taken.push(slot);
        }
        taken.clear();
        assert!(try_take(&slots, true).await.is_some(), "what ends makes room");
    }
}
