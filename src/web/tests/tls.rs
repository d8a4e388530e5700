//! HTTPS, HTTP/2 by ALPN, and the end of a server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::{Answer, Site};
use crate::settings::PROTOCOLS;
use crate::tls;
use crate::web::http::activity::Patience;

pub fn secure_site() -> Site {
    secure_patient_site(Patience::default())
}

pub fn secure_patient_site(patience: Patience) -> Site {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["veilig.voorbeeld.nl".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Site::start_patient(
        Some(tls::server(&tls::Pair { certificate, key, names: Vec::new() }, &[], PROTOCOLS).unwrap()),
        patience,
    )
}

pub fn connect(site: &Site, protocol: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let mut config = tls::opportunistic_client().unwrap();
    Arc::make_mut(&mut config).alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("veilig.voorbeeld.nl").unwrap();
    let client = ClientConnection::new(config, name).unwrap();
    StreamOwned::new(client, TcpStream::connect(site.address).unwrap())
}

#[test]
fn serves_https() {
    let site = secure_site();
    let mut stream = connect(&site, b"http/1.1");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).status, 200);
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
}

#[test]
fn speaks_http_2_when_it_is_agreed_on() {
    let site = secure_site();
    let mut stream = connect(&site, b"h2");
    // RFC 9113 3.4: the preface, and an empty SETTINGS frame from either side.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "the first frame is SETTINGS: {frame:?}");
    assert_eq!(stream.conn.alpn_protocol(), Some(b"h2".as_slice()));
}

#[test]
fn plain_text_to_the_tls_port_is_no_page() {
    let site = secure_site();
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(!bytes.starts_with(b"HTTP"));
}

#[test]
fn a_stopped_server_takes_nobody_and_lets_go() {
    let site = Site::start();
    let mut kept = TcpStream::connect(site.address).unwrap();
    let request = b"GET /help HTTP/1.1\r\nHost: veilig.voorbeeld.nl\r\n\r\n";
    kept.write_all(request).unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    site.stop.cancel();
    let mut rest = Vec::new();
    // Ends without waiting for a deadline: the idle connection is closed.
    kept.read_to_end(&mut rest).unwrap();
}
