//! A blob on its way from the bucket: one request, whose connection is taken up again from the byte where it broke.
//!
//! A task fetches ahead of the reader, a few pieces as they come from the network, and stops with it. The end of the bytes is
//! the end of the blob only when as many have come as the blob has: whatever else ends them is an error.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use super::retry::Pauses;
use super::service::{Fault, Kind};

/// Pieces that are fetched ahead; the network gives at most some 400 KiB at once.
const AHEAD: usize = 2;
/// A connection that brings nothing for so long is given up for another.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the service may keep a reader waiting, all in all: so long, and longer for what is large.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that come in a second, at the least.
const SLOWEST: u64 = 64 * 1024;

type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

pub(super) struct Reader {
    inner: Arc<Inner>,
    place: String,
    pieces: Receiver<io::Result<Bytes>>,
    piece: Bytes,
    /// Bytes that must still come.
    left: u64,
    task: AbortHandle,
}

/// Opens a blob from a byte on. When it returns, the service has begun to answer.
pub(super) async fn open(inner: Arc<Inner>, key: Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let mut source = Source { inner: Arc::clone(&inner), key, next: offset, size: None };
    let first = match source.begin().await {
        Ok(first) => first,
        Err(fault) if fault.kind == Kind::Beyond => return Ok(Box::new(io::empty())),
        Err(fault) => return Err(inner.remote.certain(fault, &source.key).await),
    };
    let left = source.size.unwrap_or_default().saturating_sub(offset);
    let place = inner.remote.place(&source.key);
    let (to, pieces) = channel(AHEAD);
    let task = inner.runtime.spawn(source.fetch(first, to)).abort_handle();
    Ok(Box::new(Reader { inner, place, pieces, piece: Bytes::new(), left, task }))
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while self.piece.is_empty() {
            if self.left == 0 {
                return Ok(0);
            }
            let next = match self.pieces.try_recv() {
                Ok(next) => Some(next),
                Err(_) => self.inner.wait(self.pieces.recv()),
            };
            let broken =
                || io::Error::new(io::ErrorKind::UnexpectedEof, format!("{}: broken off", self.place));
            self.piece = next.ok_or_else(broken)??;
        }
        let count = into.len().min(self.piece.len());
        let (now, _) = into.split_at_mut(count);
        self.piece.copy_to_slice(now);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the bytes come from.
struct Source {
    inner: Arc<Inner>,
    key: Path,
    /// The byte that comes next.
    next: u64,
    /// Bytes of the whole blob, once the service has said so.
    size: Option<u64>,
}

impl Source {
    /// Asks for the blob from the next byte on.
    async fn begin(&mut self) -> Result<Pieces, Fault> {
        // An empty object has no range at all.
        let range = (self.next > 0).then_some(GetRange::Offset(self.next));
        let request = || {
            let options = GetOptions { range: range.clone(), ..GetOptions::default() };
            self.inner.remote.s3.get_opts(&self.key, options)
        };
        let answer = self.inner.remote.call(0, request).await?;
        let size = answer.meta.size;
        if self.size.is_some_and(|known| known != size) || answer.range != (self.next..size) {
            return Err(Fault::nonsense("other bytes than were asked for"));
        }
        self.size = Some(size);
        Ok(answer.into_stream())
    }

    /// Fetches until the blob is whole, or nobody reads it any more. An error is the last thing that comes.
    async fn fetch(mut self, first: Pieces, to: Sender<io::Result<Bytes>>) {
        if let Err(fault) = self.fetch_all(first, &to).await {
            // Without a reader nobody needs to hear of it.
            let _ = to.send(Err(self.inner.remote.certain(fault, &self.key).await)).await;
        }
    }

    async fn fetch_all(&mut self, mut pieces: Pieces, to: &Sender<io::Result<Bytes>>) -> Result<(), Fault> {
        let size = self.size.unwrap_or_default();
        let mut patience = PATIENCE + Duration::from_secs((size - self.next.min(size)) / SLOWEST);
        let mut pauses = Pauses::default();
        while self.next < size {
            let asked = Instant::now();
            let fault = match timeout(SILENCE, pieces.next()).await {
                Ok(Some(Ok(piece))) if self.next + piece.len() as u64 <= size => {
                    patience = patience.saturating_sub(asked.elapsed());
                    self.next += piece.len() as u64;
                    pauses = Pauses::default();
                    if to.send(Ok(piece)).await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
                Ok(Some(Ok(_))) => return Err(Fault::nonsense("more bytes than were asked for")),
                Ok(Some(Err(error))) => Fault::of(&error),
                Ok(None) => Fault::nonsense("broken off"),
                Err(_) => Fault::silent(),
            };
            if asked.elapsed() > patience {
                return Err(fault);
            }
            sleep(pauses.after(&fault)).await;
            pieces = self.begin().await?;
            patience = patience.saturating_sub(asked.elapsed());
        }
        Ok(())
    }
}
