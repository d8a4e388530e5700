//! What an administrator must mend, in the log: each problem of each next hop at once, and then every ten minutes while
//! it lasts, not with every mail that waits for it. Used by `worker`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Timestamp, earlier};
use crate::store::Problem;

/// How long a line in the log stands for those that would follow.
const QUIET: Duration = Duration::from_secs(600);

/// When each was last told.
#[derive(Default)]
pub(super) struct Alarms(Mutex<HashMap<(String, Problem), Timestamp>>);

impl Alarms {
    /// Tells it, unless it was told a moment ago; whether it did.
    pub fn raise(&self, problem: Problem, smarthost: &str, reason: &str, now: Timestamp) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.entry((smarthost.to_owned(), problem)).or_insert(Timestamp::MIN);
        // A clock that was set back silences nothing.
        if (earlier(now, QUIET)..=now).contains(last) {
            return false;
        }
        *last = now;
        tracing::error!(smarthost, reason, "{}", problem.explanation());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::later;

    #[test]
    fn a_problem_is_told_at_once_and_then_now_and_then() {
        let (alarms, start) = (Alarms::default(), Timestamp::UNIX_EPOCH);
        let raise = |smarthost: &str, now| alarms.raise(Problem::NeedsTls, smarthost, "no", now);
        assert!(raise("a:25", start) && raise("b:25", start));
        let soon = later(start, QUIET);
        assert!(!raise("a:25", soon));
        assert!(raise("a:25", later(soon, Duration::from_micros(1))));
        assert!(raise("b:25", earlier(start, QUIET)), "the clock was set back");
    }
}
