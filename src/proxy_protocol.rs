//! The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt; the numbers in comments are its sections): a load
//! balancer that passes TCP on says before everything else whom a connection comes from. Used by `smtp/listener` and
//! `web/http/server`, each for the proxies that its settings name.
//!
//! What must never happen: a header believed of anybody else, a byte behind it taken off the connection, or a wait for it
//! that does not end.

mod header;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

pub use header::{HeaderError, MAX_HEADER, Origin, Progress, parse};

/// How long a proxy may take. It has the header when it connects: more than a lost packet sent again (2) means that it
/// sends none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The proxies whose connections begin with a header; nobody where the protocol is off.
#[derive(Clone, Debug, Default)]
pub struct HeaderSenders(Vec<IpNet>);

/// Why the client of a connection is not known.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Closed before the first byte: a health check that only connects.
    #[error("the proxy closed the connection at once")]
    Nothing,
    /// Closed within the header.
    #[error("the proxy closed the connection within the PROXY header")]
    Torn,
    /// Not whole in time.
    #[error("the proxy sent no whole PROXY header within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    /// Not a header that we go by.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HeaderSenders {
    /// These, where the protocol is on.
    pub fn new(is_on: bool, trusted: &[IpNet]) -> Self {
        Self(if is_on { trusted.to_vec() } else { Vec::new() })
    }

    /// Whether this peer must send a header. An IPv4 peer of an IPv6 socket counts as IPv4.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let canonical = peer.to_canonical();
        self.0.iter().any(|network| network.contains(&canonical) || network.contains(&peer))
    }
}

/// Reads the header that `peer` must send, and nothing behind it. Gives the client that it names, or the peer where that
/// speaks for itself.
pub async fn client<S: AsyncRead + Unpin>(
    stream: &mut S,
    peer: SocketAddr,
) -> Result<SocketAddr, ProxyError> {
    // The loopback of another machine is not ours: whoever comes from there comes from the proxy.
    let is_of_proxy =
        |client: SocketAddr| client.ip().is_loopback() && !peer.ip().to_canonical().is_loopback();
    Ok(match origin_within(PATIENCE, stream).await? {
        Origin::Client(client) if !is_of_proxy(client) => client,
        Origin::Client(_) | Origin::Proxy => peer,
    })
}

async fn origin_within<S: AsyncRead + Unpin>(
    patience: Duration,
    stream: &mut S,
) -> Result<Origin, ProxyError> {
    timeout(patience, origin(stream)).await.map_err(|_| ProxyError::TooSlow)?
}

async fn origin<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Origin, ProxyError> {
    let mut bytes = Vec::new();
    loop {
        let more = match parse(&bytes)? {
            Progress::Whole(origin) => return Ok(origin),
            Progress::Needs(more) => more,
        };
        if stream.take(more as u64).read_buf(&mut bytes).await? == 0 {
            return Err(if bytes.is_empty() { ProxyError::Nothing } else { ProxyError::Torn });
        }
    }
}

/// Headers for tests.
#[cfg(test)]
pub mod testing {
    /// A LOCAL command.
    pub const CHECK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

    /// A PROXY command for port 4711 of this client.
    pub fn header(client: [u8; 4]) -> Vec<u8> {
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &client, &[10, 0, 0, 1, 0x12, 0x67, 0, 25]].concat()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::testing::{CHECK, header};
    use super::*;

    const BALANCER: &str = "10.0.0.9:50000";

    /// What these bytes, sent by this proxy one by one, make of the connection.
    async fn named(peer: &str, bytes: &[u8]) -> Result<SocketAddr, ProxyError> {
        let (mut proxy, mut server) = tokio::io::duplex(1);
        let send = async {
            for byte in bytes {
                proxy.write_all(&[*byte]).await.unwrap_or_default();
            }
            drop(proxy);
        };
        // A connection that is refused is closed.
        let read = async move { client(&mut server, peer.parse().unwrap()).await };
        tokio::join!(read, send).0
    }

    #[tokio::test]
    async fn a_header_may_come_in_pieces() {
        let client = named(BALANCER, &header([192, 0, 2, 7])).await.unwrap();
        assert_eq!(client.to_string(), "192.0.2.7:4711");
        let check = named(BALANCER, CHECK).await.unwrap();
        assert_eq!(check.to_string(), BALANCER);
    }

    #[tokio::test]
    async fn what_follows_is_left_alone() {
        let (mut proxy, mut server) = tokio::io::duplex(1024);
        let sent = [&header([192, 0, 2, 7])[..], b"EHLO a\r\n"].concat();
        proxy.write_all(&sent).await.unwrap();
        client(&mut server, BALANCER.parse().unwrap()).await.unwrap();
        let mut rest = [0; 8];
        server.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"EHLO a\r\n");
    }

    #[tokio::test]
    async fn a_torn_header_is_none() {
        let whole = header([192, 0, 2, 7]);
        assert!(matches!(named(BALANCER, b"").await, Err(ProxyError::Nothing)));
        for length in 1..whole.len() {
            assert!(matches!(named(BALANCER, &whole[..length]).await, Err(ProxyError::Torn)), "{length}");
        }
        let text = named(BALANCER, b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 25\r\n").await;
        assert!(matches!(text, Err(ProxyError::Header(HeaderError::Version1))));
    }

    #[tokio::test]
    async fn the_wait_has_an_end() {
        let (mut proxy, mut server) = tokio::io::duplex(1024);
        proxy.write_all(&header([192, 0, 2, 7])[..20]).await.unwrap();
        let waited = origin_within(Duration::from_millis(50), &mut server).await;
        assert!(matches!(waited, Err(ProxyError::TooSlow)));
    }

    #[tokio::test]
    async fn loopback_is_of_the_machine_that_says_so() {
        let local = header([127, 0, 0, 1]);
        assert_eq!(named(BALANCER, &local).await.unwrap().to_string(), BALANCER);
        for own in ["127.0.0.1:50000", "[::1]:50000", "[::ffff:127.0.0.1]:50000"] {
            assert_eq!(named(own, &local).await.unwrap().to_string(), "127.0.0.1:4711");
        }
    }

    #[test]
    fn only_the_named_ones_send_a_header() {
        let trusted = ["10.0.0.9/32".parse().unwrap(), "::ffff:192.0.2.0/120".parse().unwrap()];
        let senders = HeaderSenders::new(true, &trusted);
        for (peer, must) in [
            ("10.0.0.9", true),
            ("::ffff:10.0.0.9", true),
            ("::ffff:192.0.2.9", true),
            ("10.0.0.8", false),
            ("::1", false),
        ] {
            assert_eq!(senders.contains(peer.parse().unwrap()), must, "{peer}");
        }
        assert!(!HeaderSenders::new(false, &trusted).contains("10.0.0.9".parse().unwrap()));
        assert!(!HeaderSenders::default().contains("127.0.0.1".parse().unwrap()));
    }
}
