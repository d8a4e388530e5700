//! Bytes on their way to a browser: what is read from a part becomes a response's body. Used by every download; memory
//! is bounded (H15), no thread waits for a client, and no link and no client takes the downloads of all others (H40).

use std::future::ready;
use std::io::{self, Read};
use std::mem::replace;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{once, try_unfold};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::task::AbortOnDropHandle;

use super::error::WebError;
use super::visit::Visit;
use crate::fair::{FairLimits, FairPermit, FairSemaphore};
use crate::sender::{Actions, SenderService};
use crate::transfer::access::{Access, Grant};

/// What is read at once, and how many such pieces may wait for the client. When only a few wait reading goes on.
const PIECE: usize = 64 * 1024;
const WAITING: usize = 4;
const FEW: usize = 2;
/// Pieces that a fast client may have before another download gets the thread.
const MOST_PIECES: usize = 32;
/// How much may go out between two looks whether the transfer is still open.
const LOOK: usize = 1024 * 1024;
/// Downloads at once: a page with many pictures waits a little for the last of them, a whole town hall behind one
/// address does not.
const MOST: FairLimits = FairLimits { of_link: 16, of_client: 128, in_all: 512 };
/// Threads that read for them; the rest of the pool is for the store.
const THREADS: usize = 16;
/// How long a download waits for others of its link, or its client, before it is told to come back.
const QUEUE: Duration = Duration::from_secs(10);

/// All downloads that are under way.
#[derive(Clone)]
pub struct Streams {
    permits: FairSemaphore,
    threads: Arc<Semaphore>,
    access: Arc<Access>,
    sender: SenderService,
}

impl Streams {
    /// `access` knows whether a transfer is still open; `sender` is told of a part that turns out to be damaged.
    pub fn new(access: Arc<Access>, sender: SenderService) -> Self {
        let (permits, threads) = (FairSemaphore::new(MOST), Arc::new(Semaphore::new(THREADS)));
        Self { permits, threads, access, sender }
    }

    /// What `reader` gives of an opened transfer, as a body. It is read on a thread that may block, but never while that
    /// would have to wait for the client. An error of its beginning is one here; when reading fails half-way, or when
    /// the transfer is taken back meanwhile (C25), the body ends with an error, so that nobody takes a part for the
    /// whole (C14).
    pub async fn body(
        &self,
        visit: &Visit,
        grant: &Grant,
        reader: impl Read + Send + 'static,
    ) -> Result<Body, WebError> {
        let permit = self.permits.acquire(grant.link(), &visit.visitor(), QUEUE).await;
        let permit = permit.ok_or(WebError::Busy)?;
        let (sender, pieces) = mpsc::channel(WAITING);
        let mut download = Download {
            pieces,
            sender,
            state: State::Paused(reader),
            streams: self.clone(),
            grant: grant.clone(),
            actions: visit.actions(&self.sender),
            unwatched: 0,
            _permit: permit,
        };
        // Nothing has been said yet: what cannot be read from its beginning on gets a page.
        let first = download.next().await.map_err(WebError::unreadable)?;
        let Some(first) = first else { return Ok(Body::empty()) };
        let rest = try_unfold(download, |mut download| async move {
            match download.next().await {
                Ok(piece) => Ok(piece.map(|piece| (piece, download))),
                Err(error) => {
                    tracing::warn!(%error, "a download was broken off");
                    let broken = Err(io::Error::from(error.kind()));
                    if let WebError::Lost(lost) = WebError::unreadable(error) {
                        download.actions.lost(&lost).await;
                    }
                    broken
                }
            }
        });
        Ok(Body::from_stream(once(ready(Ok(first))).chain(rest)))
    }
}

/// One that is under way.
struct Download<R> {
    pieces: mpsc::Receiver<Bytes>,
    sender: mpsc::Sender<Bytes>,
    state: State<R>,
    streams: Streams,
    /// What was open when it began.
    grant: Grant,
    actions: Actions,
    /// Bytes since the last look.
    unwatched: usize,
    _permit: FairPermit,
}

/// What the reader does.
enum State<R> {
    /// Reads ahead; gives itself back when that has to wait for the client, nothing at its end.
    Reading(AbortOnDropHandle<io::Result<Option<R>>>),
    /// Waits for the client.
    Paused(R),
    /// Has nothing more.
    Ended(io::Result<()>),
}

impl<R: Read + Send + 'static> Download<R> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(piece) = self.piece().await? else { return Ok(None) };
        self.go_on();
        self.unwatched += piece.len();
        if self.unwatched >= LOOK {
            self.unwatched = 0;
            self.streams.access.check_open(&self.grant).await.map_err(io::Error::other)?;
        }
        Ok(Some(piece))
    }

    /// The next piece as soon as it is there. What was read before an error comes before the error.
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Ok(piece) = self.pieces.try_recv() {
                return Ok(Some(piece));
            }
            match &mut self.state {
                State::Reading(run) => tokio::select! {
                    biased;
                    piece = self.pieces.recv() => return Ok(piece),
                    ended = run => self.state = State::after(ended),
                },
                State::Paused(_) => self.go_on(),
                State::Ended(result) => return replace(result, Ok(())).map(|()| None),
            }
        }
    }

    /// Has more read where few pieces wait.
    fn go_on(&mut self) {
        if self.pieces.len() > FEW {
            return;
        }
        if let State::Reading(run) = &mut self.state
            && let Some(ended) = run.now_or_never()
        {
            self.state = State::after(ended);
        }
        self.state = match replace(&mut self.state, State::Ended(Ok(()))) {
            State::Paused(reader) => State::Reading(self.read(reader)),
            other => other,
        };
    }

    fn read(&self, reader: R) -> AbortOnDropHandle<io::Result<Option<R>>> {
        let (threads, sender) = (self.streams.threads.clone(), self.sender.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            let thread = threads.acquire_owned().await;
            let run = spawn_blocking(move || {
                let _thread = thread;
                read_ahead(reader, &sender)
            });
            run.await?
        }))
    }
}

impl<R> State<R> {
    fn after(ended: Result<io::Result<Option<R>>, JoinError>) -> Self {
        match ended.unwrap_or_else(|error| Err(error.into())) {
            Ok(Some(reader)) => Self::Paused(reader),
            Ok(None) => Self::Ended(Ok(())),
            Err(error) => Self::Ended(Err(error)),
        }
    }
}

/// Reads until there is no room for another piece, or somebody else should have the thread.
fn read_ahead<R: Read>(mut reader: R, pieces: &mpsc::Sender<Bytes>) -> io::Result<Option<R>> {
    for _ in 0..MOST_PIECES {
        let Ok(place) = pieces.try_reserve() else { break };
        let mut piece = vec![0; PIECE];
        let length = fill(&mut reader, &mut piece)?;
        piece.truncate(length);
        let is_last = length < PIECE;
        if !piece.is_empty() {
            place.send(piece.into());
        }
        if is_last {
            return Ok(None);
        }
    }
    Ok(Some(reader))
}

/// Reads until the buffer is full, or there is nothing more; gives how much it was.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Runs `work` in a thread that may block.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WebError> + Send + 'static,
) -> Result<T, WebError> {
    let ended = spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(WebError::Trouble(error.to_string())))
}
