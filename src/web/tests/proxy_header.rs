//! Behind a balancer that passes TCP on: the client is whom its header names, and nobody else's header is read.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::tls::secure_site;
use super::{Answer, Site};
use crate::proxy_protocol::HeaderSenders;
use crate::proxy_protocol::testing::{CHECK, header};
use crate::tls;

const GET: &[u8] = b"GET /help HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nConnection: close\r\n\r\n";

/// Has these peers send a header.
fn balance(site: &Site, proxies: &str) {
    let proxies = [proxies.parse().unwrap()];
    site.settings.change_all(|settings| {
        settings.web.header_senders = HeaderSenders::new(true, &proxies);
        settings.web.trusted_proxies = proxies.to_vec();
    });
}

/// All that comes back for these bytes.
fn answer(site: &Site, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(site.address).unwrap();
    // A connection that has been refused may be gone already.
    let _ = stream.write_all(bytes);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    said
}

#[test]
fn the_audit_trail_names_the_client_of_the_header() {
    let site = Site::start();
    balance(&site, "127.0.0.1/32");
    let sealed = site.seal();
    let body = "password=fout";
    let post = format!(
        "POST /t/{} HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.9\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        sealed.tokens[0],
        body.len()
    );
    let said = site.raw(&[&header([192, 0, 2, 7]), post.as_bytes()].concat());
    assert_eq!(said.status, 403);
    let query = "SELECT origin FROM audit WHERE origin <> 'local' ORDER BY number DESC LIMIT 1";
    let origin: String = site.database().query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(origin, "192.0.2.7", "and not whom the client names itself");
}

#[test]
fn a_health_check_is_served_as_the_proxy() {
    let site = Site::start();
    balance(&site, "127.0.0.1/32");
    assert_eq!(site.raw(&[CHECK, GET].concat()).status, 200);
}

#[test]
fn tls_begins_behind_the_header() {
    let site = secure_site();
    balance(&site, "127.0.0.1/32");
    let mut tcp = TcpStream::connect(site.address).unwrap();
    tcp.write_all(&header([192, 0, 2, 7])).unwrap();
    let name = ServerName::try_from("veilig.voorbeeld.nl").unwrap();
    let client = ClientConnection::new(tls::opportunistic_client().unwrap(), name).unwrap();
    let mut stream = StreamOwned::new(client, tcp);
    stream.write_all(GET).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).status, 200);
}

#[test]
fn a_proxy_without_a_header_gets_nothing() {
    let site = Site::start();
    balance(&site, "127.0.0.1/32");
    let version_1 = [&b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n"[..], GET].concat();
    for bytes in [GET, &version_1, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"] {
        assert_eq!(answer(&site, bytes), b"", "{bytes:?}");
    }
    assert_eq!(site.raw(&[&header([192, 0, 2, 7]), GET].concat()).status, 200);
}

#[test]
fn a_header_of_anybody_else_is_not_read() {
    let site = Site::start();
    balance(&site, "10.0.0.9/32");
    assert_eq!(site.raw(GET).status, 200);
    assert!(answer(&site, &[&header([192, 0, 2, 7]), GET].concat()).starts_with(b"HTTP/1.1 400 "));
}

/// H40: the balancer has no limit, but each client behind it has its own.
#[test]
fn a_client_behind_the_balancer_is_limited_by_itself() {
    const MANY: usize = 3000;
    let site = Site::start();
    balance(&site, "127.0.0.1/32");
    let is_served = |client| !answer(&site, &[&header(client), GET].concat()).is_empty();
    assert!((0..MANY).any(|_| !is_served([192, 0, 2, 7])), "one client may come as often as it likes");
    assert!(is_served([192, 0, 2, 8]), "and the others pay for it");
}
