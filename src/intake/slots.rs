//! How many messages are sealed at once: more than there are cores, because sealing waits for the disk most of the time; but
//! large work leaves slots to small mail, which would otherwise wait for all of it, and one organisation leaves some to the
//! others (H40). Argon2 has turns of its own.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Arrival;
use crate::fair::{Share, Shares, of_organisation};
use crate::id::OrganisationId;
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
    /// What each of several organisations may have of both.
    shares: Shares,
    large_shares: Shares,
}

/// A slot that is taken, and whether it is one of those for large work.
pub(super) struct SealingSlot {
    _any: Option<OwnedSemaphorePermit>,
    _large: Option<OwnedSemaphorePermit>,
    _shares: [Option<Share>; 2],
}

impl SealingSlots {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let [all, large] = [PER_CORE, PER_CORE - SMALL_PER_CORE].map(|per_core| cores * per_core);
        let [shares, large_shares] = [all, large].map(|slots| Shares::new(of_organisation(slots)));
        let [all, large] = [all, large].map(|slots| Arc::new(Semaphore::new(slots)));
        Self { all, large, shares, large_shares }
    }

    /// Waits for a slot; `sharer` is one of several organisations.
    pub(super) async fn take(&self, is_large: bool, sharer: Option<&OrganisationId>) -> SealingSlot {
        let enter = async |shares: &Shares| match sharer {
            Some(sharer) => shares.enter(sharer.to_string()).await,
            None => None,
        };
        let of_large = if is_large { enter(&self.large_shares).await } else { None };
        let of_all = enter(&self.shares).await;
        // Nobody closes these.
        let large = if is_large { self.large.clone().acquire_owned().await.ok() } else { None };
        let any = self.all.clone().acquire_owned().await.ok();
        SealingSlot { _any: any, _large: large, _shares: [of_large, of_all] }
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
        timeout(Duration::ZERO, slots.take(is_large, None)).await.ok()
    }

    #[tokio::test]
    async fn one_organisation_leaves_slots_to_others() {
        let slots = SealingSlots::new();
        let take = async |domain: &str, is_large| {
            let sharer = OrganisationId::of_domain(domain);
            timeout(Duration::ZERO, slots.take(is_large, Some(&sharer))).await.ok()
        };
        let mut taken = Vec::new();
        for is_large in [true, false] {
            while let Some(slot) = take("noorderveen.nl", is_large).await {
                taken.push(slot);
            }
        }
        for is_large in [true, false] {
            taken.extend(Some(take("zuiderveen.nl", is_large).await.expect("a slot is left")));
        }
        drop(taken);
        assert!(take("noorderveen.nl", true).await.is_some());
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
