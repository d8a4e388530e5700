//! Balancers that pass TCP on, before a real gateway: HAProxy as docs/operations.md configures it, and what version 1 of
//! the protocol comes to. Each client has an address of loopback of its own, and so has the balancer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use support::client::{SmtpClient, stream_from};
use support::gateway::{Gateway, Site, free_port, wait_for};
use support::proxy::{Proxy, documented, with};
use support::resident::{RESIDENT, STAFF, seal};
use support::smarthost::{Script, Smarthost};

/// From where HAProxy connects to the gateway.
const BALANCER: &str = "127.0.0.9";
/// A mail server that may relay, and a client that may not.
const PEER: &str = "127.0.0.7";
const STRANGER: &str = "127.0.0.8";

/// Mail and pages over TLS behind a balancer, and the ports at which that takes both.
struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Gateway,
    mail: SocketAddr,
    pages: SocketAddr,
}

impl Scene {
    fn new() -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Site::new(smarthost.address(), "");
        let folder = site.config().parent().unwrap().to_owned();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("c.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("k.pem"), made.signing_key.serialize_pem()).unwrap();
        for section in ["smtp", "web"] {
            site.set(section, "tls_certificate = \"c.pem\"\ntls_key = \"k.pem\"");
            site.set(section, &format!("proxy_protocol = true\ntrusted_proxies = [\"{BALANCER}/32\"]"));
        }
        // The tests themselves bring mail past the balancer, from 127.0.0.1.
        site.set(
            "smtp",
            &format!("allow = [\"{PEER}/32\", \"127.0.0.1/32\"]\nmax_connections_per_client = 2"),
        );
        let [mail, pages] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        site.publish_at(&format!("https://localhost:{}", pages.port()));
        let gateway = site.start();
        Self { smarthost, site, gateway, mail, pages }
    }

    /// HAProxy as it is documented, on these ports.
    fn haproxy(&self, options: &str) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let send = format!("{options} source {BALANCER}");
        let config = with(
            documented("HAProxy:"),
            &[
                ("defaults\n", "defaults\n    default-server inter 200ms\n".to_owned()),
                ("bind :25", format!("bind {}", self.mail)),
                ("bind :443", format!("bind {}", self.pages)),
                ("10.0.0.5:25", self.gateway.smtp.to_string()),
                ("10.0.0.5:443", self.gateway.web.to_string()),
                ("veilig.voorbeeld.nl", format!("localhost:{}", self.pages.port())),
                ("send-proxy-v2", send),
            ],
        );
        let status = folder.path().join("status");
        let config = format!("global\n    stats socket {} mode 600\n\n{config}", status.display());
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(file);
        Proxy::start(folder, self.mail.port(), &mut command)
    }
}

fn over_tls(stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let config = zegel::tls::opportunistic_client().unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// The first line that a client gets; empty where there is none.
fn first_line(client: &str, to: SocketAddr) -> String {
    let mut line = String::new();
    // A balancer may pass a reset on.
    let _ = BufReader::new(stream_from(client, to).unwrap()).read_line(&mut line);
    line
}

fn mail_through_haproxy(options: &str) {
    let scene = Scene::new();
    let _haproxy = scene.haproxy(options);
    let mut client = SmtpClient::connect_from(PEER, scene.mail).unwrap();
    assert!(client.command("STARTTLS").unwrap().starts_with("220 "));
    let mut client = SmtpClient::over(over_tls(client.into_stream()));
    client.command("EHLO mail.voorbeeld.nl").unwrap();
    let reply = client.send(STAFF, &["els@example.com"], b"Subject: gewoon\r\n\r\nx\r\n").unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    let seen = scene.smarthost.wait(|seen| seen.taken.len() == 1);
    let taken = String::from_utf8_lossy(&seen.taken[0].message).into_owned();
    let received = taken.split("\r\nSubject:").next().unwrap();
    assert!(received.contains(&format!("[{PEER}]")) && received.contains("ESMTPS"), "{received}");
    assert!(!received.contains(BALANCER), "{received}");

    let mut stranger = SmtpClient::connect_from(STRANGER, scene.mail).unwrap();
    let refused = stranger.command("MAIL FROM:<x@voorbeeld.nl>").unwrap();
    assert!(refused.starts_with("550 5.7.1 "), "{refused}");
    let line = scene.gateway.wait_for_log("SMTP refused");
    assert!(line.contains(STRANGER) && !line.contains(BALANCER), "{line}");

    let _second = SmtpClient::connect_from(PEER, scene.mail).unwrap();
    assert!(first_line(PEER, scene.mail).starts_with("421 4.7.0 "), "the first and the second are its two");
    assert!(first_line("127.0.0.6", scene.mail).starts_with("220 "));
}

#[test]
fn mail_comes_from_the_client_behind_haproxy() {
    mail_through_haproxy("send-proxy-v2");
}

/// The checksum is HAProxy's own.
#[test]
fn haproxy_may_add_a_checksum_and_more() {
    mail_through_haproxy("send-proxy-v2-ssl-cn proxy-v2-options crc32c,authority");
}

#[test]
fn a_password_is_tried_by_the_client_behind_haproxy() {
    let scene = Scene::new();
    let _haproxy = scene.haproxy("send-proxy-v2");
    let (links, _) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[RESIDENT]);
    let (path, body) = (links[0].strip_prefix(&scene.site.public_url()).unwrap(), "password=fout");
    let mut stream = over_tls(stream_from(STRANGER, scene.pages).unwrap());
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nX-Forwarded-For: 203.0.113.9\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        scene.pages.port(),
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
    let line = scene.gateway.wait_for_log("wrong password");
    assert!(line.contains(&format!("\"origin\":\"{STRANGER}\"")), "{line}");
}

/// Both backends are found to be well at the level of their protocol, and no check is a line of the log.
#[test]
fn haproxy_finds_the_gateway_well() {
    let scene = Scene::new();
    let haproxy = scene.haproxy("send-proxy-v2");
    let socket = haproxy.folder().join("status");
    let show = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(b"show stat\n").unwrap();
        let mut table = String::new();
        stream.read_to_string(&mut table).unwrap();
        table
    };
    let is_well = |table: &str, backend: &str| {
        table.lines().any(|line| line.starts_with(&format!("{backend},a,")) && line.contains(",L7OK,"))
    };
    wait_for("good health", || {
        let table = show();
        (is_well(&table, "zegel-mail") && is_well(&table, "zegel-pages")).then_some(())
    });
    let lines = scene.gateway.log();
    assert!(!lines.iter().any(|line| line.contains(BALANCER) || line.contains("WARN")), "{lines:#?}");
    drop(scene.gateway);
    wait_for("bad health", || {
        let table = show();
        (!is_well(&table, "zegel-mail") && !is_well(&table, "zegel-pages")).then_some(())
    });
}

/// The client hears it, and the log names balancer and reason.
fn version_1_is_refused(scene: &Scene) {
    let line = first_line(PEER, scene.mail);
    assert!(line.is_empty() || line.starts_with("421 4.3.5 "), "{line}");
    let line = scene.gateway.wait_for_log("SMTP refused");
    assert!(line.contains(BALANCER) && line.contains("of version 1, and only version 2"), "{line}");
    let mut stream = over_tls(stream_from(PEER, scene.pages).unwrap());
    assert!(stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_err(), "nothing is served");
    let line = scene.gateway.wait_for_log("whose web connection");
    assert!(line.contains(BALANCER) && line.contains("of version 1"), "{line}");
}

#[test]
fn version_1_of_haproxy_is_refused() {
    let scene = Scene::new();
    let _haproxy = scene.haproxy("send-proxy");
    version_1_is_refused(&scene);
}

/// Its stream module knows no other.
#[test]
fn nginx_as_a_balancer_is_refused() {
    let scene = Scene::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let server = |from: SocketAddr, to: SocketAddr| {
        format!("server {{ listen {from}; proxy_pass {to}; proxy_protocol on; proxy_bind {BALANCER}; }}\n")
    };
    let config = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\npid {path}/pid;\ndaemon off;\nmaster_process off;\n\
         events {{}}\nstream {{\n{}{}}}\n",
        server(scene.mail, scene.gateway.smtp),
        server(scene.pages, scene.gateway.web)
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(file);
    let _nginx = Proxy::start(folder, scene.mail.port(), &mut command);
    version_1_is_refused(&scene);
}
