//! Looks after next hops that took no mail: asks whether they are back, and makes due what waited for them.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Shared, TROUBLE, WakeHandle};
use crate::clock::jittered;
use crate::config::Direction;
use crate::id::OrganisationId;
use crate::queue::outage::{HopName, PROBE_LIMIT, Task};
use crate::store::StoreError;

impl Shared {
    /// Starts what is to be done; it goes on beside the deliveries.
    pub(super) fn look_after_next_hops(self: &Arc<Self>, probes: &mut JoinSet<()>, wake: &WakeHandle) {
        while let Some(ended) = probes.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a probe of a next hop broke down; there is another one later");
            }
        }
        if !self.parts.store.has_lease() {
            return;
        }
        let settings = self.parts.settings.get();
        let server = |of: &OrganisationId, direction| {
            settings.of(Some(of)).map(|organisation| self.parts.next_hop.name(organisation, direction))
        };
        for task in self.next_hops.tasks(server, Instant::now()) {
            let (shared, wake) = (Arc::clone(self), wake.clone());
            probes.spawn(async move {
                match task {
                    Task::Probe(hop, direction) => shared.probe(&hop, direction).await,
                    Task::Hurry => {
                        while shared.make_due().await.is_err() {
                            sleep(jittered(TROUBLE)).await;
                        }
                    }
                }
                wake.wake();
            });
        }
    }

    async fn probe(&self, hop: &HopName, direction: Direction) {
        let settings = self.parts.settings.get();
        let probe = self.parts.next_hop.probe(settings.responsible(Some(&hop.organisation)), direction);
        let probed = timeout(PROBE_LIMIT, probe).await;
        let why = match &probed {
            Ok(Ok(())) => match self.make_due().await {
                Ok(due) => return self.next_hops.is_back(hop, due, Instant::now()),
                Err(_) => None,
            },
            Ok(Err(failed)) => failed.deferred(),
            Err(_) => None,
        };
        self.next_hops.is_still_away(hop, why, Instant::now());
    }

    /// What waits because a next hop took no mail is due now.
    pub(super) async fn make_due(&self) -> Result<u64, StoreError> {
        let due = self.parts.store.make_unreached_due(self.parts.clock.now()).await;
        due.inspect_err(|error| tracing::error!(%error, "what waits for a next hop cannot be made due yet"))
    }
}
