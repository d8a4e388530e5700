//! Whether the service answers. Where no request was answered for some seconds it is *away*: then none is made but one small
//! one at a time, about once a second, and whoever comes is told at once. So nobody waits for what cannot come, and a service
//! that comes back is met by one request. Any answer counts, a refusal too, but not one that asks to come again.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::service::Fault;
use crate::clock::jittered;

/// Without an answer for so long, and to so many requests, it is away. A restart is bridged over, and a packet that was lost.
const TOLERANCE: Duration = Duration::from_secs(4);
const FAILURES: u32 = 2;
/// Between two questions whether it is back, at most.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// What was heard of the service.
#[derive(Default)]
pub(super) struct Health {
    state: Mutex<State>,
    away: tokio::sync::watch::Sender<Option<Fault>>,
}

#[derive(Default)]
struct State {
    /// When the last answer came.
    answered: Option<Instant>,
    /// Since when requests have failed that may pass, and how many.
    failing: Option<(Instant, u32)>,
    /// It is away, and nobody asks yet whether it is back.
    is_unwatched: bool,
}

impl Health {
    /// An answer came.
    pub fn answered(&self) {
        let mut state = self.state();
        state.answered = Some(Instant::now());
        state.failing = None;
    }

    /// A request that was made then has failed, and it may pass.
    pub fn failed(&self, begun: Instant, fault: &Fault) {
        let mut state = self.state();
        let begun = state.answered.map_or(begun, |answered| answered.max(begun));
        let (since, failures) = state.failing.map_or((begun, 1), |(since, failures)| (since, failures + 1));
        state.failing = Some((since, failures));
        if since.elapsed() < TOLERANCE || failures < FAILURES || self.away.borrow().is_some() {
            return;
        }
        tracing::error!(%fault, "the object store is away: until it answers, requests fail at once");
        state.is_unwatched = true;
        self.away.send_replace(Some(fault.clone()));
    }

    /// Fails where the service is away.
    pub fn refuse_while_away(&self) -> Result<(), Fault> {
        match &*self.away.borrow() {
            None => Ok(()),
            Some(fault) => Err(fault.clone()),
        }
    }

    /// Waits until it is away.
    pub async fn away(&self) {
        // An error is that of a service which nobody asks any more.
        let _ = self.away.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether it has just begun to be away: true for the one caller that must have it watched.
    pub fn begins_to_be_away(&self) -> bool {
        std::mem::take(&mut self.state().is_unwatched)
    }

    fn is_back(&self) {
        self.answered();
        self.away.send_replace(None);
        tracing::info!("the object store answers again");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks again and again until the service answers, or nobody wants to know.
pub(super) async fn watch<F>(health: Weak<Health>, probe: impl Fn() -> F + Send)
where
    F: Future<Output = object_store::Result<()>> + Send,
{
    loop {
        sleep(jittered(PAUSE)).await;
        if health.strong_count() == 0 {
            return;
        }
        let is_back = match timeout(ANSWER, probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => !Fault::of(&error).may_pass(),
            Err(_) => false,
        };
        if is_back && let Some(health) = health.upgrade() {
            return health.is_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn long_ago() -> Instant {
        Instant::now() - TOLERANCE
    }

    #[tokio::test]
    async fn it_is_away_when_nothing_is_answered_for_a_while() {
        let health = Health::default();
        let fail = |begun| health.failed(begun, &Fault::silent());
        let begun = long_ago();
        health.answered();
        fail(begun);
        fail(begun);
        health.refuse_while_away().expect("something was answered meanwhile");
        let health = Health::default();
        let fail = |begun| health.failed(begun, &Fault::silent());
        fail(begun);
        health.refuse_while_away().expect("one request may be lost");
        fail(Instant::now());
        assert!(health.refuse_while_away().is_err());
        assert!(health.begins_to_be_away() && !health.begins_to_be_away(), "one caller has it watched");
        health.away().await;
        health.is_back();
        health.refuse_while_away().unwrap();
    }

    #[tokio::test]
    async fn it_is_back_when_it_answers() {
        let health = Arc::new(Health::default());
        for _ in 0..FAILURES {
            health.failed(long_ago(), &Fault::silent());
        }
        assert!(health.begins_to_be_away());
        let asked = AtomicUsize::new(0);
        let probe = || {
            let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            let trouble = || object_store::Error::Generic { store: "S3", source: "no way there".into() };
            async move { if is_first { Err(trouble()) } else { Ok(()) } }
        };
        watch(Arc::downgrade(&health), probe).await;
        health.refuse_while_away().unwrap();
        assert_eq!(asked.into_inner(), 2);
    }
}
