//! `zegel health`: asks the administrator's listener of the gateway on this machine, as monitoring does. For containers
//! without another program, and for scripts. The exit status says it: 0 ready, 1 not.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::ConfigArgs;
use crate::serve;

/// For each step: to connect, to ask, to hear.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Prints what the gateway says of itself.
pub fn run(args: &ConfigArgs, live: bool) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    let address = config.admin.listen.first().context("admin.listen is empty: there is nobody to ask")?;
    let address = on_this_machine(*address);
    let path = if live { "/healthz" } else { "/readyz" };
    let answer = get(address, path).with_context(|| format!("the gateway does not answer on {address}"))?;
    let (is_fine, text) = read(&answer).with_context(|| format!("no gateway answers on {address}"))?;
    if !is_fine {
        bail!("{}", text.trim_end());
    }
    text.lines().for_each(|line| say!("{line}"));
    Ok(())
}

/// Where a listener of this machine can be reached from it.
fn on_this_machine(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn get(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // HTTP/1.0: the answer ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/plain\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Whether the status is 200, and the body.
fn read(answer: &[u8]) -> Option<(bool, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?;
    Some((status == "200", body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let fine = b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nok\nnote: x\n";
        assert_eq!(read(fine), Some((true, "ok\nnote: x\n".to_owned())));
        let down = b"HTTP/1.1 503 Service Unavailable\r\n\r\nthe disk is full\n";
        assert_eq!(read(down), Some((false, "the disk is full\n".to_owned())));
        for other in [
            &b""[..],
            b"220 mail.example ESMTP\r\n\r\n",
            b"HTTP/1.1 20\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n",
            b"\xff\r\n\r\n",
        ] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        let asked = |text: &str| on_this_machine(text.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(asked("[::]:9090"), "[::1]:9090");
        assert_eq!(asked("10.0.0.5:9090"), "10.0.0.5:9090");
    }
}
