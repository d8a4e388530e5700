//! HTTP/2: many requests at once on one connection are no way around a limit, and what only costs is ended.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use futures_util::future::join_all;
use h2::client::{Connection, SendRequest};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{connect, secure_patient_site, secure_site};
use super::{Sealed, Site};
use crate::config::PasswordMode;
use crate::tls;
use crate::web::http::activity::Patience;

/// RFC 9113 3.4: the preface, and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// RFC 9113 6.1, 7
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0xb];
const END_STREAM_AND_HEADERS: u8 = 1 | 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /` in HPACK (RFC 7541): three fields of the static table, and the authority as a literal.
fn get_start() -> Vec<u8> {
    let host = b"veilig.voorbeeld.nl";
    [&[0x82, 0x87, 0x84, 0x41, host.len() as u8], &host[..]].concat()
}

/// Writes until the server has had enough: how much that was, and what it said.
fn flood(site: &Site, frames: impl Iterator<Item = Vec<u8>>) -> (usize, Vec<u8>) {
    let mut stream = connect(site, b"h2");
    stream.sock.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(PREFACE).unwrap();
    let mut sent = 0;
    for frame in frames {
        if stream.write_all(&frame).is_err() {
            break;
        }
        sent += frame.len();
    }
    (sent, rest(&mut stream))
}

/// Until the end, which may be a reset.
fn rest(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> Vec<u8> {
    let (mut said, mut some) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut some) {
        said.extend_from_slice(&some[..count]);
    }
    said
}

/// The reason in the GOAWAY frame, if there is one.
fn goodbye(mut said: &[u8]) -> Option<[u8; 4]> {
    while let Some(&[a, b, c, kind, ..]) = said.first_chunk::<9>() {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if kind == GOAWAY {
            return said.get(13..17)?.try_into().ok();
        }
        said = said.get(9 + length..)?;
    }
    None
}

/// Somebody else is served as ever.
fn assert_lives(site: &Site) {
    let mut stream = connect(site, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nConnection: close\r\n\r\n").unwrap();
    assert!(rest(&mut stream).starts_with(b"HTTP/1.1 200"));
}

/// H36, CVE-2023-44487
#[test]
fn rapid_resets_end_the_connection() {
    let site = secure_site();
    let pair = |number: u32| {
        let stream = 2 * number + 1;
        let open = frame(HEADERS, END_STREAM_AND_HEADERS, stream, &get_start());
        [open, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
    };
    // All in one TLS record: the server reads them before it can begin with any, and leaves nothing unread that would
    // make the system reset the connection before its goodbye is heard.
    let (_, said) = flood(&site, std::iter::once((0..200).flat_map(pair).collect()));
    assert_eq!(goodbye(&said), Some(ENHANCE_YOUR_CALM), "{} octets", said.len());
    assert_lives(&site);
}

/// H36, VU#421644
#[test]
fn an_endless_header_ends_the_connection() {
    const MOST: usize = 64 << 20;
    let site = secure_site();
    let fields = b"\0\x01a\x01b".repeat(16_000 / 5);
    let start = std::iter::once(frame(HEADERS, 0, 1, &get_start()));
    let more = std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, &fields)).take(MOST / fields.len());
    let (sent, _) = flood(&site, start.chain(more));
    assert!(sent < MOST / 4, "{sent} octets were taken");
    assert_lives(&site);
}

async fn client(site: &Site) -> SendRequest<Bytes> {
    let (client, connection) = handshake(site).await;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// The connection answers every PING for as long as it is awaited.
async fn handshake(site: &Site) -> (SendRequest<Bytes>, Connection<TlsStream<tokio::net::TcpStream>>) {
    let mut config = tls::opportunistic_client().unwrap();
    Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let name = ServerName::try_from("veilig.voorbeeld.nl").unwrap();
    let stream = TlsConnector::from(config).connect(name, stream).await.unwrap();
    h2::client::handshake(stream).await.unwrap()
}

const SECOND: Duration = Duration::from_secs(1);

/// H40: somebody who asks for nothing holds no place, however readily PING is answered.
#[test]
fn an_idle_connection_is_ended() {
    let site = secure_patient_site(Patience { idle: SECOND, reader: 60 * SECOND });
    let ended = site.runtime.block_on(async {
        let (_client, connection) = handshake(&site).await;
        timeout(30 * SECOND, connection).await
    });
    assert!(ended.is_ok(), "it goes on and on");
    assert_lives(&site);
}

/// H40: nor do a thousand such connections take every place of the pages.
#[test]
fn a_thousand_idle_connections_keep_nobody_out() {
    let files = Rlimit { current: Some(4096), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, files).unwrap();
    let site = secure_patient_site(Patience { idle: 600 * SECOND, reader: 60 * SECOND });
    let idle: Vec<_> = site.runtime.block_on(async {
        let one = || async {
            let (client, connection) = handshake(&site).await;
            (client, tokio::spawn(connection))
        };
        let mut all = Vec::new();
        for _ in 0..20 {
            all.extend(join_all(std::iter::repeat_with(one).take(50)).await);
        }
        all
    });
    let ended = idle.iter().filter(|(_, connection)| connection.is_finished()).count();
    assert!(ended < 200, "{ended} had to leave");
    assert_lives(&site);
    drop(idle);
}

/// H40: nor does somebody who asks for a file and takes nothing of it.
#[test]
fn a_reader_that_takes_nothing_is_ended() {
    let site = secure_patient_site(Patience { idle: 3 * SECOND, reader: SECOND });
    let large = vec![b'k'; 4 << 20];
    let sealed = site.seal_with(PasswordMode::None, |request| request.files[0].data = large.into());
    let token = &sealed.tokens[0];
    let ended = site.runtime.block_on(async {
        let (client, connection) = handshake(&site).await;
        let ask = async {
            let post = Request::post(format!("https://veilig.voorbeeld.nl/t/{token}")).body(()).unwrap();
            let (opened, _) = client.clone().ready().await.unwrap().send_request(post, true).unwrap();
            let opened = opened.await.unwrap();
            let cookie = opened.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
            let url = format!("https://veilig.voorbeeld.nl/t/{token}/files/1");
            let get = Request::get(url).header("cookie", cookie).body(()).unwrap();
            let (file, _) = client.clone().ready().await.unwrap().send_request(get, true).unwrap();
            let file = file.await.unwrap();
            assert_eq!(file.status(), 200);
            tokio::time::sleep(30 * SECOND).await;
            drop(file);
        };
        tokio::select! {
            ended = connection => ended.is_err(),
            () = ask => false,
        }
    });
    assert!(ended, "it goes on and on");
    assert_lives(&site);
}

/// All of these passwords at the same moment, each as from another address.
async fn guess_at_once(site: &Site, token: &str, passwords: &[&str]) -> Vec<u16> {
    let client = client(site).await;
    let answers = passwords.iter().enumerate().map(|(number, password)| {
        let request = Request::post(format!("https://veilig.voorbeeld.nl/t/{token}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-forwarded-for", format!("192.0.2.{number}"))
            .body(())
            .unwrap();
        let client = client.clone();
        async move {
            let (answer, mut body) = client.ready().await.unwrap().send_request(request, false).unwrap();
            body.send_data(format!("password={password}").into(), true).unwrap();
            answer.await.unwrap().status().as_u16()
        }
    });
    join_all(answers).await
}

/// C16
#[test]
fn streams_in_parallel_from_many_addresses_are_no_more_tries() {
    let site = secure_site();
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    site.settings.change_all(|settings| settings.web.trusted_proxies = proxies);
    let Sealed { tokens, password } = site.seal();
    let statuses = site.runtime.block_on(guess_at_once(&site, &tokens[0], &["fout"; 90]));
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 87, "{statuses:?}");
    let right = site.runtime.block_on(guess_at_once(&site, &tokens[0], &[&password]));
    assert_eq!(right, [429], "it is locked for the right one too");
    let other = site.runtime.block_on(guess_at_once(&site, &tokens[1], &[&password]));
    assert_eq!(other, [303], "and the other link is not");
}
