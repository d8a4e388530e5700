//! The connections of the pages that are open, so that an idle one can make room where all slots are about to be taken:
//! whoever asks for something goes before whoever does not (H40). Used by `server`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::activity::Activity;

/// All of them.
#[derive(Clone, Default)]
pub struct OpenConnections(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Connection>,
    next: u64,
}

struct Connection {
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// The slot of one connection; dropping it gives it back.
pub struct ConnectionSlot {
    slots: OpenConnections,
    number: u64,
    leave: CancellationToken,
}

impl OpenConnections {
    /// A slot for a connection that does this.
    pub fn enter(&self, activity: Arc<Activity>) -> ConnectionSlot {
        let leave = CancellationToken::new();
        let mut open = self.lock();
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Connection { activity, leave: leave.clone() });
        ConnectionSlot { slots: self.clone(), number, leave }
    }

    /// Where there are so many, the one that has been idle for longest has to leave.
    pub fn make_room(&self, crowded: usize) {
        let mut open = self.lock();
        if open.connections.len() < crowded {
            return;
        }
        let idle =
            open.connections.iter().filter_map(|(number, one)| Some((one.activity.idle_since()?, *number)));
        let longest = idle.min().map(|(_, number)| number);
        if let Some(one) = longest.and_then(|number| open.connections.remove(&number)) {
            one.leave.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionSlot {
    /// Until it has to leave.
    pub async fn lost(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.lock().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::http::activity::Patience;

    #[test]
    fn the_longest_idle_one_makes_room() {
        let slots = OpenConnections::default();
        let activities: Vec<_> = (0..3).map(|_| Activity::new(Patience::default())).collect();
        let entered: Vec<_> = activities.iter().map(|one| slots.enter(one.clone())).collect();
        let _busy = activities[0].begin();
        slots.make_room(4);
        assert!(entered.iter().all(|slot| !slot.leave.is_cancelled()), "it is not crowded");
        slots.make_room(3);
        assert_eq!([0, 1, 2].map(|number: usize| entered[number].leave.is_cancelled()), [false, true, false]);
        slots.make_room(1);
        slots.make_room(1);
        assert!(!entered[0].leave.is_cancelled(), "whoever is busy stays");
        drop(entered);
        assert!(slots.lock().connections.is_empty());
    }
}
