//! Deadlines, and how responses are written.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, ReadBuf};

use super::*;
use crate::smtp::fixture::{self, Anything};
use crate::smtp::session::Common;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn half_a_command_buys_no_time() {
    let mut pace = Pace::new(10 * SECOND);
    let first = pace.deadline(false, false);
    pace.progress(0, false, Instant::now());
    assert_eq!(pace.deadline(false, false), first);
    pace.progress(6, false, Instant::now());
    assert!(pace.deadline(false, false) >= first);
}

#[test]
fn a_small_message_is_not_hurried() {
    let mut pace = Pace::new(300 * SECOND);
    let start = Instant::now();
    for minute in 0..29 {
        pace.progress(100, true, start + minute * MINUTE);
        assert!(pace.deadline(true, false) > start + (minute + 1) * MINUTE, "minute {minute}");
    }
    assert_eq!(pace.deadline(true, false), start + MAX_MESSAGE, "but it has an end");
}

/// H41: 50 MiB at once buy a minute, and not the hours that they would take at the lowest rate.
#[test]
fn what_came_fast_buys_a_minute() {
    let mut pace = Pace::new(300 * SECOND);
    let start = Instant::now();
    for _ in 0..800 {
        pace.progress(64 << 10, true, start);
    }
    assert_eq!(pace.deadline(true, false), start + MINUTE);
    // A byte now and then does not move it.
    for second in 1..60 {
        pace.progress(1, true, start + second * SECOND);
    }
    assert!(pace.deadline(true, false) < start + MINUTE + SECOND);
}

#[test]
fn a_message_needs_a_rate() {
    let mut pace = Pace::new(300 * SECOND);
    let start = Instant::now();
    pace.progress(1 << 20, true, start);
    for second in 1..1700 {
        let now = start + second * SECOND;
        assert!(pace.deadline(true, false) > now, "{second}");
        pace.progress(MIN_RATE as usize, true, now);
    }
    assert_eq!(pace.deadline(true, false), start + 1699 * SECOND + MINUTE);
    for second in 1700..1790 {
        pace.progress(MIN_RATE as usize, true, start + second * SECOND);
    }
    assert_eq!(pace.deadline(true, false), start + MAX_MESSAGE, "however fast it comes");
}

#[test]
fn stopping_sets_an_end() {
    let mut pace = Pace::new(300 * SECOND);
    pace.progress(1, true, Instant::now());
    let end = pace.deadline(true, true);
    assert!(end <= Instant::now() + DRAIN);
    pace.progress(1, true, Instant::now());
    assert_eq!(pace.deadline(true, true), end, "progress does not move it");
}

#[test]
fn a_session_ends_between_messages() {
    let mut pace = Pace::new(300 * SECOND);
    pace.session_end = pace.waiting;
    assert_eq!(pace.deadline(false, false), pace.waiting);
    pace.progress(1, true, Instant::now());
    assert!(pace.deadline(true, false) > pace.session_end);
}

/// Counts the writes.
struct Counted(DuplexStream, usize);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.1 += 1;
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn connection(stop: CancellationToken) -> Connection<Anything> {
    let settings = SmtpSettings { max_message_size: 1 << 20, ..fixture::settings() };
    let pace = Pace::new(settings.idle_timeout);
    let client = "127.0.0.1:1000".parse().unwrap();
    let inbox = Arc::new(Anything);
    let session = Session::new(Arc::clone(&inbox), Arc::new(settings), Common::new(1 << 20), client);
    Connection {
        session,
        inbox,
        pace,
        metrics: Metrics::default(),
        stop,
        buffer: BytesMut::new(),
        large: false,
        out: Vec::new(),
    }
}

#[tokio::test]
async fn a_pipelined_batch_is_answered_in_one_write() {
    let (mut client, server) = tokio::io::duplex(64 << 10);
    let mut server = Counted(server, 0);
    let batch = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<piet@example.org>\r\nNOOP\r\nQUIT\r\n";
    client.write_all(batch.as_bytes()).await.unwrap();
    let mut connection = connection(CancellationToken::new());
    assert!(connection.converse(&mut server).await.unwrap() == End::Closed);
    assert_eq!(server.1, 1);
    drop(server);
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.unwrap();
    assert!(answers.contains("250 2.1.5 ") && answers.ends_with("221 2.0.0 Bye\r\n"), "{answers}");
}

#[tokio::test]
async fn an_idle_connection_gives_its_large_buffer_back() {
    let (mut client, mut server) = tokio::io::duplex(1 << 20);
    let batch = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<piet@example.org>\r\nDATA\r\n";
    client.write_all(batch.as_bytes()).await.unwrap();
    client.write_all(&vec![b'x'; 500 << 10]).await.unwrap();
    let stop = CancellationToken::new();
    let mut connection = connection(stop.clone());
    let talk = async {
        let mut answers = [0; 1024];
        let read = client.read(&mut answers).await.unwrap();
        assert!(read > 0);
        client.write_all(b"\r\n.\r\n").await.unwrap();
        while !String::from_utf8_lossy(&answers).contains("queued as kept") {
            assert!(client.read(&mut answers).await.unwrap() > 0);
        }
        stop.cancel();
    };
    let (end, ()) = tokio::join!(connection.converse(&mut server), talk);
    assert!(end.unwrap() == End::Closed);
    assert!(!connection.large && connection.buffer.capacity() <= SMALL_READ, "H11");
}
