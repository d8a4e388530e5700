//! One connection: moves bytes between the socket and its `session`, does the TLS handshake, and ends what
//! takes too long (H10). Started by `listener`. What must never happen: a read without a deadline, or
//! a byte that came before the handshake read after it (C09).

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::SmtpSettings;
use super::response::Response;
use super::session::{Delivery, MAX_LINE, Next, Session};
use crate::metrics::Metrics;
use crate::smtp::inbox::Inbox;

/// No connection gets new commands after this long.
const MAX_SESSION: Duration = Duration::from_hours(1);
/// Slower than this, in bytes a second over a minute, no message may come in that holds more than [`UNHURRIED`].
const MIN_RATE: u64 = 4 << 10;
const MINUTE: Duration = Duration::from_mins(1);
/// A message may hold so much memory without being hurried: somebody may be typing it.
const UNHURRIED: u64 = 64 << 10;
/// After this long every message must have come to its end.
const MAX_MESSAGE: Duration = Duration::from_mins(30);
/// How long a message that is coming in may take when we stop.
const DRAIN: Duration = Duration::from_secs(20);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long, and for how many bytes, we listen to a client that we have said goodbye to.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 1 << 20;
/// Bytes read at once: for commands and small messages, and at most.
const SMALL_READ: usize = 2 * MAX_LINE;
const LARGE_READ: usize = 64 << 10;

/// Serves one client until it, or we, close the connection.
pub async fn serve<I: Inbox>(
    mut tcp: TcpStream,
    session: Session<I>,
    inbox: Arc<I>,
    settings: Arc<SmtpSettings>,
    metrics: Metrics,
    stop: CancellationToken,
) -> io::Result<()> {
    let pace = Pace::new(settings.idle_timeout);
    let (buffer, large, out) = (BytesMut::new(), false, Vec::new());
    let mut connection = Connection { session, inbox, pace, metrics, stop, buffer, large, out };
    connection.session.greet(&mut connection.out);
    if connection.converse(&mut tcp).await? == End::Closed {
        return goodbye(&mut tcp).await;
    }
    let Some(config) = settings.tls.clone() else { return Ok(()) };
    let handshake = timeout(HANDSHAKE.min(settings.idle_timeout), TlsAcceptor::from(config).accept(tcp));
    let shaken = handshake.await.map_err(io::Error::from).flatten();
    let mut tls = shaken
        .inspect_err(|error| connection.session.broken_off(format!("TLS handshake failed: {error}")))?;
    connection.session.secured(description(&tls));
    connection.pace.restart();
    connection.converse(&mut tls).await?;
    goodbye(&mut tls).await
}

struct Connection<I: Inbox> {
    session: Session<I>,
    inbox: Arc<I>,
    pace: Pace,
    metrics: Metrics,
    stop: CancellationToken,
    buffer: BytesMut,
    /// The buffer has grown to [`LARGE_READ`].
    large: bool,
    out: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum End {
    Closed,
    StartTls,
}

enum Event {
    Octets,
    Closed,
    Timeout,
    Stop,
}

impl<I: Inbox> Connection<I> {
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<End> {
        loop {
            let (used, next) = self.session.receive(&self.buffer, &mut self.out);
            self.buffer.advance(used);
            self.pace.progress(used, self.session.in_message(), Instant::now());
            // What was pipelined is answered in one write.
            self.flush(stream).await?;
            match next {
                Next::Read => {}
                Next::Close => return Ok(End::Closed),
                Next::StartTls => return Ok(End::StartTls),
                Next::Keep(delivery) => {
                    self.keep(*delivery).await;
                    continue;
                }
            }
            match self.read(stream).await.inspect_err(|_| self.note_loss())? {
                Event::Octets => {}
                Event::Closed => {
                    self.note_loss();
                    return Ok(End::Closed);
                }
                Event::Timeout => {
                    self.session.give_up(&Response::TIMEOUT, &mut self.out);
                    self.flush(stream).await?;
                    return Ok(End::Closed);
                }
                Event::Stop => {
                    Response::SHUTDOWN.write_to(&mut self.out);
                    self.flush(stream).await?;
                    return Ok(End::Closed);
                }
            }
        }
    }

    /// A client that leaves between messages owes nobody a reason.
    fn note_loss(&self) {
        if self.session.in_message() {
            self.session.broken_off("the client left within a message".to_owned());
        }
    }

    /// Runs to its end even when the client has gone or we are stopping: once kept is kept.
    async fn keep(&mut self, delivery: Delivery<I::Snapshot>) {
        let Delivery { snapshot, peer, envelope, message, share } = delivery;
        let (begun, ended) = (self.pace.begun(), Instant::now());
        let result = self.inbox.keep(snapshot, peer, envelope, message).await;
        drop(share);
        if result.is_ok() {
            self.metrics.kept(begun.elapsed(), ended.elapsed());
        }
        self.session.kept(result, &mut self.out);
        self.pace.restart();
    }

    async fn read<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Event> {
        let in_message = self.session.in_message();
        self.make_room(in_message);
        loop {
            let stopping = self.stop.is_cancelled();
            if stopping && !in_message {
                return Ok(Event::Stop);
            }
            let deadline = self.pace.deadline(in_message, stopping);
            tokio::select! {
                biased;
                () = self.stop.cancelled(), if !stopping => {}
                read = timeout_at(deadline, stream.read_buf(&mut self.buffer)) => return match read {
                    Err(_) if stopping => Ok(Event::Stop),
                    Err(_) => Ok(Event::Timeout),
                    Ok(Ok(0)) => Ok(Event::Closed),
                    Ok(octets) => octets.map(|_| Event::Octets),
                },
            }
        }
    }

    /// An idle connection holds little memory (H11); a large message gets large reads.
    fn make_room(&mut self, in_message: bool) {
        let full = self.buffer.capacity() == self.buffer.len();
        if in_message && full {
            self.large = true;
            self.buffer.reserve(LARGE_READ);
        } else if !in_message && self.large && self.buffer.is_empty() {
            self.large = false;
            self.buffer = BytesMut::with_capacity(SMALL_READ);
        } else {
            self.buffer.reserve(SMALL_READ.saturating_sub(self.buffer.len()));
        }
    }

    async fn flush<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let idle = self.pace.idle;
        timeout(idle, async {
            stream.write_all(&self.out).await?;
            stream.flush().await
        })
        .await??;
        self.out.clear();
        Ok(())
    }
}

/// Closes in such a way that the client can still read our last response: a socket that is closed with
/// bytes unread sends a reset, which may overtake it.
pub(super) async fn goodbye<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let drain = async {
        stream.shutdown().await?;
        let mut octets = [0; 1024];
        let mut left = LINGER_OCTETS;
        while left > 0 {
            match stream.read(&mut octets).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        Ok(())
    };
    timeout(LINGER, drain).await.unwrap_or(Ok(()))
}

/// Protocol version and cipher suite, for `Received`.
fn description(tls: &TlsStream<TcpStream>) -> String {
    let (_, connection) = tls.get_ref();
    let version = connection.protocol_version().and_then(|version| version.as_str());
    let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    format!("{} {}", version.unwrap_or("TLS"), suite.unwrap_or("unknown cipher"))
}

/// How fast a client must be.
struct Pace {
    idle: Duration,
    session_end: Instant,
    /// Since when we wait for the command or bytes that come next.
    waiting: Instant,
    /// While a message is coming in.
    message: Option<MessagePace>,
    /// When the message that came in last had begun.
    begun: Option<Instant>,
    stopped: Option<Instant>,
}

impl Pace {
    fn new(idle: Duration) -> Self {
        let now = Instant::now();
        Self { idle, session_end: now + MAX_SESSION, waiting: now, message: None, begun: None, stopped: None }
    }

    /// The session used up so many bytes. A client that sends a line byte by byte makes no progress until the line
    /// is whole.
    fn progress(&mut self, used: usize, in_message: bool, now: Instant) {
        if used > 0 {
            self.waiting = now;
        }
        let begins = in_message && self.message.is_none();
        if begins {
            self.begun = Some(self.waiting);
        }
        self.message = in_message.then(|| {
            let pace = self.message.unwrap_or_else(|| MessagePace::begin(self.waiting));
            pace.progress(used as u64, now)
        });
    }

    /// When the message that is whole now had begun: one that came in one piece, with its command.
    fn begun(&mut self) -> Instant {
        self.begun.take().unwrap_or(self.waiting)
    }

    /// The wait was ours.
    fn restart(&mut self) {
        self.waiting = Instant::now();
    }

    /// When the bytes that are awaited now must be there.
    fn deadline(&mut self, in_message: bool, stopping: bool) -> Instant {
        let idle = self.waiting + self.idle;
        let deadline = match self.message {
            Some(message) if in_message => idle.min(message.deadline()),
            _ => idle.min(self.session_end),
        };
        if stopping {
            let stopped = *self.stopped.get_or_insert_with(Instant::now);
            return deadline.min(stopped + DRAIN);
        }
        deadline
    }
}

/// How fast a message must come in. Every byte buys the time that it would take at [`MIN_RATE`], but nobody is ever
/// more than a minute ahead: whoever has sent a lot at once may not hold it for long (H41).
#[derive(Clone, Copy)]
struct MessagePace {
    bytes: u64,
    /// Paid for until then.
    paid: Instant,
    /// When it must be whole.
    end: Instant,
}

impl MessagePace {
    fn begin(now: Instant) -> Self {
        let end = now + MAX_MESSAGE;
        Self { bytes: 0, paid: end, end }
    }

    fn progress(mut self, bytes: u64, now: Instant) -> Self {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > UNHURRIED {
            let bought = Duration::from_micros(bytes.saturating_mul(1_000_000) / MIN_RATE);
            self.paid = (self.paid + bought).min(now + MINUTE);
        }
        self
    }

    fn deadline(self) -> Instant {
        self.paid.min(self.end)
    }
}
