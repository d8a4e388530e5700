//! A request is made again until it is answered, its time is up, or the service is believed to be away.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::health::Health;
use super::service::Fault;
use crate::secret;

/// How long a request without a body may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Bytes that a connection carries in a second, at the least.
const SLOWEST: u64 = 512 * 1024;
/// A call takes so many times as long as one of its requests, at the most.
const REQUESTS: u32 = 3;
/// The pause after the first request; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer, so that all is well again soon after the service is.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The service may ask for a longer one; no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long a request may take that sends or fetches so many bytes.
pub(super) fn patience(bytes: u64) -> Duration {
    ANSWER + Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST)
}

/// Makes a request with so many bytes, and makes it again while its fault may pass. While the service is away it is not made.
pub(super) async fn call<T, F>(
    health: &Health,
    bytes: u64,
    mut request: impl FnMut() -> F,
) -> Result<T, Fault>
where
    F: Future<Output = object_store::Result<T>>,
{
    let (patience, mut pauses) = (patience(bytes), Pauses::default());
    let end = Instant::now() + patience * REQUESTS;
    loop {
        health.refuse_while_away()?;
        let begun = Instant::now();
        let fault = match timeout(patience.min(end.saturating_duration_since(begun)), request()).await {
            Ok(Ok(done)) => {
                health.answered();
                return Ok(done);
            }
            Ok(Err(error)) => Fault::of(&error),
            Err(_) => Fault::silent(),
        };
        let pause = pauses.after(&fault);
        if !fault.may_pass() {
            health.answered();
            return Err(fault);
        }
        health.failed(begun, &fault);
        if Instant::now() + pause >= end {
            return Err(fault);
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = health.away() => return Err(fault),
        }
    }
}

/// Pauses between requests.
#[derive(Default)]
pub(super) struct Pauses {
    made: u32,
}

impl Pauses {
    /// From half of what it is to all of it, so that those who failed together do not come together again.
    pub fn after(&mut self, fault: &Fault) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.made.min(16)).min(LONGEST_PAUSE);
        self.made += 1;
        let [dice] = secret::random::<1>();
        let pause = longest / 2 + longest * u32::from(dice) / 512;
        pause.max(fault.wait.unwrap_or_default().min(LONGEST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_short() {
        let (mut pauses, mut fault) = (Pauses::default(), Fault::silent());
        let first = pauses.after(&fault);
        assert!((FIRST_PAUSE / 2..=FIRST_PAUSE).contains(&first), "{first:?}");
        for _ in 0..100 {
            pauses.after(&fault);
        }
        let last = pauses.after(&fault);
        assert!((LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(&last), "{last:?}");
        fault.wait = Some(Duration::from_hours(1));
        assert_eq!(pauses.after(&fault), LONGEST_WAIT);
    }

    #[test]
    fn a_part_has_the_time_that_it_needs() {
        assert_eq!(patience(0), Duration::from_secs(5));
        assert_eq!(patience(8 * 1024 * 1024), Duration::from_secs(21));
    }
}
