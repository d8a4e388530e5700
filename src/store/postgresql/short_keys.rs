//! The keys of short life that one node takes for new rows, and those of which it does not know yet whether their row was
//! committed. Used by every transaction ([`super::change`]); destroyed by [`super::keys`].

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::secret::keyring::{KeyRef, Keyring};
use crate::secret::wrap;
use crate::store::Result;

/// How long a commit of which nobody heard may take to show, by a database that answers: longer than any statement may.
const DOUBT: Duration = Duration::from_secs(30);

/// The keys of short life of one node.
pub(super) struct ShortKeys {
    pub ring: Keyring,
    doubtful: Mutex<Vec<Doubtful>>,
}

/// Keys of rows of which nobody knows whether they were committed.
struct Doubtful {
    /// When the database first answered after that.
    answered: Option<Instant>,
    _keys: Vec<KeyRef>,
}

impl ShortKeys {
    pub fn new(ring: Keyring) -> Self {
        Self { ring, doubtful: Mutex::default() }
    }

    /// Seals a key packet for its row. Whoever inserts the row keeps the [`KeyRef`] until it is committed.
    pub fn wrap(&self, packet: &[u8]) -> Result<(Vec<u8>, KeyRef)> {
        Ok(wrap::wrap(&self.ring, packet)?)
    }

    /// Whether rows with these keys were committed will show: they stay until then.
    pub fn keep_in_doubt(&self, keys: Vec<KeyRef>) {
        if !keys.is_empty() {
            self.doubtful().push(Doubtful { answered: None, _keys: keys });
        }
    }

    /// The database answers: what was sent to it before is done soon, and shows when it is asked after that.
    pub fn answered(&self, now: Instant) {
        self.doubtful().retain_mut(|keys| now.duration_since(*keys.answered.get_or_insert(now)) < DOUBT);
    }

    fn doubtful(&self) -> MutexGuard<'_, Vec<Doubtful>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
