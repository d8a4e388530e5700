//! Cheap rate limits in memory, in front of those that the store counts: what is far beyond any use is turned away
//! before it costs anything (H40). They begin anew with the process, so nothing that must hold longer is left to them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::clock::{Timestamp, later};
use crate::limits::Rate;

/// From so many keys on, those that are as good as new are forgotten now and then.
const FEW: usize = 1024;

/// A rate for each of many keys: clients, or links.
#[derive(Debug)]
pub struct Throttle {
    rate: Rate,
    start: Instant,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    arrivals: HashMap<String, Timestamp>,
    /// How many there may be before the next look.
    most: usize,
}

impl Throttle {
    /// So much for each key.
    pub fn new(rate: Rate) -> Self {
        let buckets = Buckets { arrivals: HashMap::new(), most: FEW };
        Self { rate, start: Instant::now(), buckets: Mutex::new(buckets) }
    }

    /// Takes one, or gives `false` where there is none just now.
    pub fn allows(&self, key: &str) -> bool {
        // Not the wall clock, which an administrator may set.
        self.allows_at(key, later(Timestamp::UNIX_EPOCH, self.start.elapsed()))
    }

    fn allows_at(&self, key: &str, now: Timestamp) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.arrivals.len() >= buckets.most {
            buckets.arrivals.retain(|_, arrival| *arrival > now);
            buckets.most = FEW.max(2 * buckets.arrivals.len());
        }
        let taken = self.rate.take(buckets.arrivals.get(key).copied(), now);
        if let Ok(arrival) = taken {
            buckets.arrivals.insert(key.to_owned(), arrival);
        }
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_key_has_its_own_rate() {
        let throttle = Throttle::new(Rate { interval: Duration::from_secs(1), burst: 3 });
        let at = |seconds| later(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let allowed = |key: &str, seconds| (0..10).filter(|_| throttle.allows_at(key, at(seconds))).count();
        assert_eq!((allowed("a", 0), allowed("b", 0)), (3, 3));
        assert_eq!((allowed("a", 1), allowed("a", 3)), (1, 2));
    }

    #[test]
    fn what_is_as_good_as_new_is_forgotten() {
        let throttle = Throttle::new(Rate { interval: Duration::from_secs(1), burst: 3 });
        for number in 0..20_000 {
            let now = later(Timestamp::UNIX_EPOCH, Duration::from_millis(number));
            assert!(throttle.allows_at(&number.to_string(), now));
        }
        let kept = throttle.buckets.into_inner().unwrap().arrivals.len();
        assert!(kept <= 2 * FEW, "{kept}: those of the last second, and as many again");
    }
}
