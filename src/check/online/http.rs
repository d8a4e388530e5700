//! One GET over HTTP/1.0, with bounds: nothing is followed, nothing is kept, and the certificate must be right.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls;

const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer; the rest is not read.
const LONGEST: u64 = 256 << 10;

/// What came back.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The server's certificate, over HTTPS.
    #[cfg_attr(not(feature = "dns"), allow(dead_code, reason = "compared with what DNS says of it"))]
    pub certificate: Option<Vec<u8>>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Where to ask.
pub struct Target<'a> {
    pub is_https: bool,
    pub host: &'a str,
    pub port: u16,
    pub path: &'a str,
    /// Addresses of the host, where they are known already.
    pub addresses: Option<Vec<IpAddr>>,
}

impl<'a> Target<'a> {
    /// Of `scheme://host:port`.
    pub fn of(url: &'a str, path: &'a str) -> Option<Self> {
        let (scheme, authority) = url.split_once("://")?;
        let is_https = scheme == "https";
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, if is_https { 443 } else { 80 }),
        };
        let host = host.trim_matches(['[', ']']);
        Some(Self { is_https, host, port, path, addresses: None })
    }
}

/// Asks; an error is in words for an administrator.
pub async fn get(target: &Target<'_>) -> Result<Answer, String> {
    let answer = async {
        let stream = connect(target).await?;
        if !target.is_https {
            return exchange(stream, target).await;
        }
        let client = tls::verifying_client().map_err(|error| error.to_string())?;
        let name = ServerName::try_from(target.host.to_owned()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::clone(&client)).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("TLS: {error}"))?;
        let (_, session) = stream.get_ref();
        let certificate =
            session.peer_certificates().and_then(|chain| chain.first()).map(|first| first.to_vec());
        let answer = exchange(stream, target).await?;
        Ok(Answer { certificate, ..answer })
    };
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

async fn connect(target: &Target<'_>) -> Result<TcpStream, String> {
    let addresses: Vec<SocketAddr> = match &target.addresses {
        Some(known) => known.iter().map(|ip| SocketAddr::new(*ip, target.port)).collect(),
        None => lookup_host((target.host, target.port)).await.map_err(|error| error.to_string())?.collect(),
    };
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target<'_>,
) -> Result<Answer, String> {
    let Target { is_https, host, port, path, .. } = target;
    let shown = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
    let own_port = if *is_https { 443 } else { 80 };
    let authority = if *port == own_port { shown } else { format!("{shown}:{port}") };
    let request = format!(
        "GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: zegel-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut octets = Vec::new();
    let read = stream.take(LONGEST).read_to_end(&mut octets).await;
    match read {
        // A server need not say goodbye in TLS (RFC 8446 6.1) before it closes.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || octets.is_empty() => {
            Err(error.to_string())
        }
        _ => parse(&octets).ok_or_else(|| "what came is not HTTP".to_owned()),
    }
}

/// Reads a response; of one that is cut off what is there.
pub fn parse(octets: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(octets);
    let (head, body) = text.split_once("\r\n\r\n")?;
    // A line may end with LF alone (RFC 9112 2.2).
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    Some(Answer {
        status,
        headers: lines.filter_map(field).collect(),
        body: body.to_owned(),
        certificate: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_say_and_nothing_else() {
        let answer =
            parse(b"HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nDATE:  now\r\n\r\nbody\r\n\r\nmore")
                .unwrap();
        assert_eq!(
            (answer.status, answer.header("location"), answer.header("date")),
            (301, Some("https://x/"), Some("now"))
        );
        assert_eq!(answer.body, "body\r\n\r\nmore");
        let answer = parse(b"HTTP/1.1 200 OK\nDate: now\nx\n\ree\r\n\r\n").unwrap();
        assert_eq!(answer.header("date"), Some("now"));
        for wrong in [
            &b""[..],
            b"220 smtp\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(parse(wrong).is_none());
        }
    }

    #[test]
    fn urls_have_host_and_port() {
        let of = |url| Target::of(url, "/").map(|target| (target.is_https, target.host, target.port));
        assert_eq!(of("https://veilig.voorbeeld.nl"), Some((true, "veilig.voorbeeld.nl", 443)));
        assert_eq!(of("http://[::1]:8080"), Some((false, "::1", 8080)));
        assert_eq!(of("http://[::1]"), Some((false, "::1", 80)));
        assert_eq!(of("http://x:y"), None);
        assert_eq!(of("x"), None);
    }
}
