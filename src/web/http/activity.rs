//! What one connection of the pages is doing: whether anything is under way on it, and whether its reader takes what
//! we send. `server` ends those that are idle and those that read too slowly (H40): with HTTP/2 a client may otherwise
//! hold its place for ever by answering PING, and a response by never opening its window.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

/// Bytes a second that a reader must take.
const MIN_RATE: u64 = 4 << 10;

/// How long a connection may go on without doing anything.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a request.
    pub idle: Duration,
    /// How far a reader may be behind the lowest rate.
    pub reader: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), reader: Duration::from_mins(1) }
    }
}

/// How it is with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It may go on.
    Fine,
    /// Nothing has been under way for too long.
    Idle,
    /// Somebody does not take what was asked for.
    TooSlow,
}

/// The requests of one connection.
#[derive(Debug)]
pub struct Activity {
    patience: Patience,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By number: until when the reader has paid for what it was given; none while the wait is ours.
    requests: HashMap<u64, Option<Instant>>,
    next: u64,
    idle_since: Instant,
}

impl Activity {
    /// Of a connection that begins now.
    pub fn new(patience: Patience) -> Arc<Self> {
        let state = State { requests: HashMap::new(), next: 0, idle_since: Instant::now() };
        Arc::new(Self { patience, state: Mutex::new(state) })
    }

    /// A request has come; it is under way until its response, or the body of that, is dropped.
    pub fn begin(self: &Arc<Self>) -> Underway {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.requests.insert(number, None);
        Underway { activity: Arc::clone(self), number, left: self.patience.reader }
    }

    /// Since when nothing has been under way.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.requests.is_empty().then_some(state.idle_since)
    }

    /// How it is at `now`.
    pub fn verdict(&self, now: Instant) -> ConnectionState {
        let state = self.lock();
        let is_idle = state.requests.is_empty() && now >= state.idle_since + self.patience.idle;
        match state.requests.values().flatten().any(|paid| *paid < now) {
            true => ConnectionState::TooSlow,
            false if is_idle => ConnectionState::Idle,
            false => ConnectionState::Fine,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request on its way.
#[derive(Debug)]
pub struct Underway {
    activity: Arc<Activity>,
    number: u64,
    /// How much time the reader has left, as of the moment when the wait was ours.
    left: Duration,
}

impl Underway {
    /// The reader has taken everything and waits for us.
    fn awaited(&mut self, now: Instant) {
        if let Some(paid) = self.set(None) {
            self.left = paid.saturating_duration_since(now);
        }
    }

    /// The reader was given so many bytes: each buys the time that it takes at the lowest rate.
    fn given(&mut self, bytes: usize, now: Instant) {
        self.awaited(now);
        let bought = Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / MIN_RATE);
        self.left = self.left.saturating_add(bought).min(self.activity.patience.reader);
        self.set(Some(now + self.left));
    }

    fn set(&self, paid: Option<Instant>) -> Option<Instant> {
        self.activity.lock().requests.insert(self.number, paid).flatten()
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.requests.remove(&self.number);
        state.idle_since = Instant::now();
    }
}

/// The body of a response, with its request under way until the end.
pub struct Outgoing {
    body: Body,
    underway: Underway,
}

impl Outgoing {
    /// Around the body of the response to this request.
    pub fn new(body: Body, underway: Underway) -> Self {
        Self { body, underway }
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Asked for more: what was given before has been taken.
        self.underway.awaited(Instant::now());
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.underway.given(bytes, Instant::now());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PIECE: usize = 64 << 10;

    #[test]
    fn a_connection_without_a_request_is_idle_after_a_while() {
        let activity = Activity::new(Patience::default());
        let now = Instant::now();
        assert_eq!(activity.verdict(now + 29 * SECOND), ConnectionState::Fine);
        assert_eq!(activity.verdict(now + 31 * SECOND), ConnectionState::Idle);
        let request = activity.begin();
        assert_eq!(activity.verdict(now + 3600 * SECOND), ConnectionState::Fine, "the wait is ours");
        drop(request);
        assert_eq!(activity.verdict(Instant::now() + 31 * SECOND), ConnectionState::Idle);
    }

    #[test]
    fn a_reader_needs_a_rate() {
        let activity = Activity::new(Patience::default());
        let (mut request, start) = (activity.begin(), Instant::now());
        for piece in 0..100 {
            let now = start + piece * 16 * SECOND;
            assert_eq!(activity.verdict(now), ConnectionState::Fine, "64 KiB in 16 seconds");
            request.given(PIECE, now);
        }
        let now = start + 99 * 16 * SECOND;
        assert_eq!(activity.verdict(now + 60 * SECOND), ConnectionState::Fine);
        assert_eq!(activity.verdict(now + 61 * SECOND), ConnectionState::TooSlow);
        // Half of that rate uses up the minute.
        let late = (0..20).find(|piece| {
            let now = now + piece * 32 * SECOND;
            let is_late = activity.verdict(now) == ConnectionState::TooSlow;
            request.given(PIECE, now);
            is_late
        });
        assert!(late.is_some_and(|piece| piece > 2), "{late:?}");
    }

    #[test]
    fn our_own_wait_costs_the_reader_nothing() {
        let activity = Activity::new(Patience::default());
        let (mut request, start) = (activity.begin(), Instant::now());
        request.given(1, start);
        request.awaited(start + 59 * SECOND);
        assert_eq!(activity.verdict(start + 3600 * SECOND), ConnectionState::Fine);
        request.given(1, start + 3600 * SECOND);
        assert_eq!(activity.verdict(start + 3600 * SECOND), ConnectionState::Fine);
        assert_eq!(activity.verdict(start + 3602 * SECOND), ConnectionState::TooSlow, "a second was left");
    }
}
