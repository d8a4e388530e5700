//! Bytes to and from a server: bounded replies, one write per batch, a time limit on everything.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::reply::{Garbage, MAX_LINE, Reply, ReplyReader};
use crate::delivery::outcome::Cause;

/// A TCP connection, or TLS over one.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A connection and what was read from it but not yet understood.
pub struct Wire {
    socket: Box<dyn Socket>,
    unread: Vec<u8>,
}

impl Wire {
    /// Over a fresh socket.
    pub fn new(socket: Box<dyn Socket>) -> Self {
        Self { socket, unread: Vec::new() }
    }

    /// The socket, to be wrapped in TLS. Bytes that came too early are an attack, not an answer (C10).
    pub fn into_socket(self) -> Result<Box<dyn Socket>, Cause> {
        if self.unread.is_empty() { Ok(self.socket) } else { Err(Cause::Injection) }
    }

    /// Writes all of it at once.
    pub async fn write(&mut self, octets: &[u8], limit: Duration) -> Result<(), Cause> {
        let write = async {
            self.socket.write_all(octets).await?;
            self.socket.flush().await
        };
        Ok(timeout(limit, write).await.map_err(|_| Cause::TimedOut)??)
    }

    /// Reads one reply; `limit` is for all of it, so that dripping bytes win nothing.
    pub async fn reply(&mut self, limit: Duration) -> Result<Reply, Cause> {
        timeout(limit, self.read_reply()).await.map_err(|_| Cause::TimedOut)?
    }

    /// Sends one command and reads its reply.
    pub async fn ask(&mut self, command: &str, limit: Duration) -> Result<Reply, Cause> {
        self.write(format!("{command}\r\n").as_bytes(), limit).await?;
        self.reply(limit).await
    }

    /// Whether the server has said nothing that was not asked for, and has not closed the connection.
    /// Does not wait.
    pub async fn is_quiet(&mut self) -> bool {
        let mut octet = [0; 1];
        let socket = &mut self.socket;
        let silent = poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut octet);
            Poll::Ready(Pin::new(&mut *socket).poll_read(context, &mut buffer).is_pending())
        });
        self.unread.is_empty() && silent.await
    }

    async fn read_reply(&mut self) -> Result<Reply, Cause> {
        let mut reader = ReplyReader::default();
        loop {
            let line = self.read_line().await?;
            if let Some(reply) = reader.line(&line)? {
                return Ok(reply);
            }
        }
    }

    /// A line without its end. An LF alone ends it as well: we only read codes here.
    async fn read_line(&mut self) -> Result<Vec<u8>, Cause> {
        loop {
            if let Some(end) = memchr(b'\n', &self.unread) {
                let mut line: Vec<u8> = self.unread.drain(..=end).collect();
                line.truncate(end);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.unread.len() > MAX_LINE {
                return Err(Garbage::TooLong.into());
            }
            match self.socket.read_buf(&mut self.unread).await {
                Ok(0) => return Err(Cause::Closed),
                Ok(_) => {}
                Err(error) if is_closed(&error) => return Err(Cause::Closed),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// TLS without a farewell, and a reset, are both just the end.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn replies_are_bounded_in_length_and_time() {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut wire = Wire::new(Box::new(near));
        far.write_all(b"220-a\r\n220 b\r\n250 c\n").await.unwrap();
        assert_eq!(wire.reply(SHORT).await.unwrap().lines, ["a", "b"]);
        assert!(!wire.is_quiet().await);
        assert_eq!(wire.reply(SHORT).await.unwrap().code, 250);
        assert!(wire.is_quiet().await);
        assert!(matches!(wire.reply(SHORT).await, Err(Cause::TimedOut)));
        far.write_all(&[b'2'; MAX_LINE + 10]).await.unwrap();
        assert!(matches!(wire.reply(SHORT).await, Err(Cause::Garbage(Garbage::TooLong))));
        drop(far);
        assert!(!wire.is_quiet().await);
    }

    #[tokio::test]
    async fn nothing_may_follow_the_last_clear_answer() {
        let (near, mut far) = tokio::io::duplex(100);
        let mut wire = Wire::new(Box::new(near));
        far.write_all(b"220 go\r\n250 evil\r\n").await.unwrap();
        wire.reply(SHORT).await.unwrap();
        assert!(matches!(wire.into_socket(), Err(Cause::Injection)));
    }
}
