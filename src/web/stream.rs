//! Bytes on their way to a browser: what a blocking thread writes becomes a response's body, and a
//! client that stops reading is let go. Used by every download; memory is bounded (H15).

use std::future::Future as _;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::stream::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::error::WebError;
use crate::transfer::access::{Access, Grant};

/// What is handed over at once, and how much of it may wait.
const CHUNK: usize = 64 * 1024;
const WAITING: usize = 4;
/// How much may go out between two looks whether the transfer is still open.
const LOOK: usize = 1024 * 1024;
/// A client that takes nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Threads that may be busy with downloads; the rest of the pool is for the store.
const MAX_STREAMS: usize = 128;
/// How long a download waits for a thread before it is told to come back.
const QUEUE: Duration = Duration::from_secs(2);

/// Hands out threads for downloads.
#[derive(Clone)]
pub struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

impl Streams {
    /// Runs `produce` in a thread that may block; what it writes is the body. When it fails half-way, or when the
    /// transfer is taken back meanwhile (C25), the body ends with an error, so that nobody takes a part for the
    /// whole (C14).
    pub async fn body<F>(&self, watch: Watch, produce: F) -> Result<Body, WebError>
    where
        F: FnOnce(&mut ChunkWriter) -> io::Result<()> + Send + 'static,
    {
        let waited = timeout(QUEUE, self.0.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = waited else { return Err(WebError::Busy) };
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let is_complete = Arc::new(AtomicBool::new(false));
        let complete = is_complete.clone();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut writer = ChunkWriter { sender, runtime, chunk: BytesMut::new(), watch, unwatched: 0 };
            match produce(&mut writer).and_then(|()| writer.flush()) {
                Ok(()) => complete.store(true, Ordering::Release),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => tracing::warn!(%error, "a download was broken off"),
            }
        });
        Ok(Body::from_stream(poll_fn(move |context| match ready!(receiver.poll_recv(context)) {
            Some(chunk) => Poll::Ready(Some(Ok(chunk))),
            None if is_complete.swap(true, Ordering::Acquire) => Poll::Ready(None),
            None => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof)))),
        })))
    }
}

/// What a stream is of: it ends when that is closed.
pub struct Watch {
    /// Knows whether it is.
    pub access: Arc<Access>,
    /// What was open when the stream began.
    pub grant: Grant,
}

/// Runs `work` in a thread that may block.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WebError> + Send + 'static,
) -> Result<T, WebError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(WebError::Trouble(error.to_string())))
}

/// Reads `length` octets and drops them.
pub fn skip(source: &mut dyn Read, length: u64) -> io::Result<()> {
    whole(io::copy(&mut source.take(length), &mut io::sink())?, length)
}

/// Copies exactly `length` octets.
pub fn copy(source: &mut dyn Read, sink: &mut dyn Write, length: u64) -> io::Result<()> {
    whole(io::copy(&mut source.take(length), &mut *sink)?, length)
}

fn whole(copied: u64, length: u64) -> io::Result<()> {
    if copied == length {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a sealed part is shorter than its index says"))
    }
}

/// The blocking end of a body.
pub struct ChunkWriter {
    sender: mpsc::Sender<Bytes>,
    runtime: Handle,
    chunk: BytesMut,
    watch: Watch,
    /// Octets since the last look.
    unwatched: usize,
}

impl ChunkWriter {
    fn send(&mut self, chunk: Bytes) -> io::Result<()> {
        self.unwatched += chunk.len();
        if self.unwatched >= LOOK {
            self.unwatched = 0;
            let watch = &self.watch;
            let look = self.runtime.block_on(watch.access.check_open(&watch.grant));
            look.map_err(io::Error::other)?;
        }
        let sent = self.runtime.block_on(async { timeout(PATIENCE, self.sender.send(chunk)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")),
        }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.get(..CHUNK - self.chunk.len().min(CHUNK)).unwrap_or(bytes);
        self.chunk.extend_from_slice(fits);
        if self.chunk.len() >= CHUNK {
            self.flush()?;
        }
        Ok(fits.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = self.chunk.split().freeze();
        if chunk.is_empty() { Ok(()) } else { self.send(chunk) }
    }
}

/// A connection that fails once its peer has taken nothing for a minute: a client that opens downloads
/// and does not read them would otherwise hold its connection for ever (H36).
pub struct Stalling<S> {
    inner: S,
    deadline: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<S> Stalling<S> {
    /// Around a connection that was just accepted.
    pub fn new(inner: S) -> Self {
        Self { inner, deadline: Box::pin(sleep(PATIENCE)), waiting: false }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting = false;
            return result;
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, result)
    }
}
