//! Whether the database can be reached, as this node found it the last time.
//!
//! A sign of life that fails says that it is *away*: whoever waits for it is told so, and whoever comes is, at once, until a
//! sign of life succeeds again, which is tried about once a second. So nobody waits behind many who wait for nothing, and a
//! database that comes back is met by one. A caller that could not connect, or waits long, only *suspects*: it has the next
//! sign of life given at once, and for a moment the others do not try to connect.

use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_postgres::error::SqlState;

use crate::clock::jittered;
use crate::store::{Result, StoreError};

/// How long nobody knocks after a failure, at most.
const PAUSE: Duration = Duration::from_millis(500);

/// The memory of it.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    state: Mutex<State>,
    /// Why it is away, while it is.
    away: watch::Sender<Option<String>>,
    suspected: Notify,
}

#[derive(Debug, Default)]
struct State {
    last: Option<(String, Instant)>,
    is_away: bool,
    knock: Option<Instant>,
}

impl Trouble {
    /// A caller could not reach it.
    pub fn note(&self, error: &StoreError) {
        self.remember(in_full(error));
        self.suspect();
    }

    /// A caller waits for it.
    pub fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Waits until somebody suspects it.
    pub async fn suspected(&self) {
        self.suspected.notified().await;
    }

    /// A sign of life has failed.
    pub fn begin(&self, error: &StoreError) {
        let reason = in_full(error);
        self.remember(reason.clone());
        self.away.send_replace(Some(reason));
    }

    /// A sign of life was given.
    pub fn over(&self) {
        let mut state = self.state();
        state.is_away = false;
        state.knock = None;
        self.away.send_replace(None);
    }

    fn remember(&self, reason: String) {
        let mut state = self.state();
        state.last = Some((reason, Instant::now()));
        state.is_away = true;
        state.knock = Instant::now().checked_add(jittered(PAUSE));
    }

    /// Whether it is away.
    pub fn is_away(&self) -> bool {
        self.away.borrow().is_some()
    }

    /// Fails where it is away.
    pub fn refuse_while_away(&self) -> Result<()> {
        match &*self.away.borrow() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Database(reason.clone().into())),
        }
    }

    /// Waits until it is away, and tells why.
    pub async fn begins(&self) -> StoreError {
        let mut away = self.away.subscribe();
        let reason = away.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.map_or(StoreError::Closed, |reason| StoreError::Database(reason.into()))
    }

    /// Fails as long as nobody is to connect.
    pub fn refuse(&self) -> Result<()> {
        let state = self.state();
        match (&state.last, state.knock) {
            (Some((reason, _)), Some(knock)) if Instant::now() < knock => {
                Err(StoreError::Database(reason.clone().into()))
            }
            _ => Ok(()),
        }
    }

    /// What it was the last time and how long ago, and whether that is over.
    pub fn last(&self) -> (Option<(String, Duration)>, bool) {
        let state = self.state();
        let last = state.last.as_ref().map(|(reason, at)| (reason.clone(), at.elapsed()));
        (last, !state.is_away)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With its causes: what the driver says first is only that there was an error.
fn in_full(error: &StoreError) -> String {
    let mut cause: Option<&dyn Error> = match error {
        StoreError::Database(error) => Some(error.as_ref()),
        error => Some(error),
    };
    let mut reasons = Vec::new();
    while let Some(error) = cause {
        reasons.push(error.to_string());
        cause = error.source();
    }
    reasons.join(": ")
}

/// Whether the server said that it ends or only reads, or the connection broke: what else leads there is worth nothing.
pub(super) fn is_about_the_server(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return matches!(error, StoreError::Unclear(_)) };
    let Some(error) = error.downcast_ref::<tokio_postgres::Error>() else { return false };
    let ends = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
    ];
    error.is_closed() || error.code().is_some_and(|code| ends.contains(code))
}

/// Whether it may be that the server only starts, is exchanged for another, or cannot be reached just now.
pub(super) fn may_pass(error: &StoreError) -> bool {
    let StoreError::Database(error) = error else { return false };
    let Some(error) = error.downcast_ref::<tokio_postgres::Error>() else { return true };
    match error.code() {
        Some(code) => [
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::TOO_MANY_CONNECTIONS,
        ]
        .contains(code),
        // The rest is wrong here: a name, a certificate, a password that is missing.
        None => error
            .source()
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .is_some_and(|cause| cause.kind() != io::ErrorKind::InvalidData),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_nobody_knocks_for_a_moment() {
        let trouble = Trouble::default();
        trouble.refuse().unwrap();
        assert_eq!(trouble.last(), (None, true));
        trouble.note(&StoreError::Database("connection refused".into()));
        assert!(trouble.refuse().unwrap_err().to_string().contains("connection refused"));
        let (last, answers) = trouble.last();
        assert!(last.unwrap().0.contains("connection refused") && !answers);
        trouble.over();
        trouble.refuse().unwrap();
        assert!(trouble.last().1);
    }

    #[tokio::test]
    async fn whoever_waits_hears_that_it_is_away() {
        let trouble = Trouble::default();
        trouble.note(&StoreError::Database("connection refused".into()));
        trouble.suspected().await;
        trouble.refuse_while_away().expect("it is only suspected");
        let begin = async { trouble.begin(&StoreError::Database("no answer".into())) };
        let (heard, ()) = tokio::join!(trouble.begins(), begin);
        assert!(heard.to_string().contains("no answer"));
        assert!(
            trouble.refuse_while_away().unwrap_err().to_string().contains("no answer") && trouble.is_away()
        );
        trouble.over();
        trouble.refuse_while_away().unwrap();
    }
}
