//! The documented reverse proxies, as they stand in docs/operations.md, before a real gateway: what they say, and that
//! no log of theirs holds the token of a link, whatever goes wrong behind them (C35).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, free_port, wait_for};
use support::mail::{Notice, link_of, tagged};
use support::smarthost::{Script, Smarthost};
use support::web::{get, send_octets};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const ANNA: &str = "anna@example.org";

/// A proxy that runs, and everything that it wrote.
struct Proxy {
    process: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Proxy {
    /// Runs this with its folder, to which standard error goes as well, until it listens.
    fn start(folder: tempfile::TempDir, port: u16, command: &mut Command) -> Self {
        let errors = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let output = errors.try_clone().unwrap();
        let process = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let proxy = Self { process: process.expect("the proxy is installed"), folder, address };
        wait_for("the proxy", || TcpStream::connect(address).ok());
        proxy
    }

    /// What it has written, wherever.
    fn written(&self) -> String {
        let files = all_bytes(self.folder.path());
        files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It ends its workers; killed, it could not.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// The block of docs/operations.md that follows this line.
fn documented(heading: &str) -> String {
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let (_, rest) = docs.split_once(&format!("\n{heading}\n\n")).expect("it is documented");
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect()
}

/// Says the same with these texts for those, each of which must be there.
fn with(mut text: String, changes: &[(&str, String)]) -> String {
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in {text}");
        text = text.replace(from, to);
    }
    text
}

fn nginx(gateway: SocketAddr) -> Proxy {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().display();
    let server = with(
        documented("nginx:"),
        &[
            ("listen 443 ssl;", format!("listen 127.0.0.1:{port};")),
            ("    listen [::]:443 ssl;\n", String::new()),
            ("    ssl_certificate     /etc/ssl/veilig.voorbeeld.nl.pem;\n", String::new()),
            ("    ssl_certificate_key /etc/ssl/private/veilig.voorbeeld.nl.key;\n", String::new()),
            ("client_max_body_size 1100m;", "client_max_body_size 1m;".to_owned()),
            ("http://127.0.0.1:8080", format!("http://{gateway}")),
            ("/var/log/nginx/", format!("{path}/")),
            // The pages are named with the port of the test.
            ("$host;", "$http_host;".to_owned()),
        ],
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .concat();
    // As Debian's nginx.conf has it, but for the places.
    let config = format!(
        "worker_processes 1;\ndaemon off;\npid {path}/pid;\nerror_log {path}/error.log;\nevents {{ worker_connections 64; }}\n\
         http {{\n{temporary}access_log {path}/access.log;\n{server}\n}}\n"
    );
    std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
    let file = folder.path().join("nginx.conf");
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-e").arg(folder.path().join("error.log")).arg("-p").arg(folder.path()).arg("-c").arg(file);
    Proxy::start(folder, port, &mut command)
}

fn caddy(gateway: SocketAddr) -> Proxy {
    let (folder, port, admin) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let config = with(
        documented("Caddy:"),
        &[
            ("veilig.voorbeeld.nl {", format!("http://127.0.0.1:{port} {{")),
            ("127.0.0.1:8080", gateway.to_string()),
            ("{\n    log default", format!("{{\n    admin 127.0.0.1:{admin}\n    log default")),
        ],
    );
    std::fs::write(folder.path().join("Caddyfile"), config).unwrap();
    let file = folder.path().join("Caddyfile");
    let mut command = Command::new("/usr/bin/caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file).env("HOME", folder.path());
    Proxy::start(folder, port, &mut command)
}

/// A gateway with a transfer, and its token. The pages are named as the proxy is.
fn gateway() -> (Site, Gateway, String) {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[ANNA], &tagged(STAFF, ANNA));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices = seen.taken.iter().map(Notice::of);
    let notification = notices.into_iter().find(|notice| notice.kind == "notification").unwrap();
    let link = link_of(&notification.text, &site.public_url());
    (site, gateway, link.rsplit('/').next().unwrap().to_owned())
}

/// Everything that makes a proxy write: a page, a body that is too large, a gateway that is not there.
fn nothing_of_a_token_is_logged(start: fn(SocketAddr) -> Proxy) {
    let (site, gateway, token) = gateway();
    let proxy = start(gateway.web);
    let url = format!("http://{}/t/{token}", proxy.address);
    let host = site.public_url().replace("http://", "");
    let as_ours = [("Host", host.as_str())];
    assert_eq!(support::web::send("GET", &url, &as_ours, None).status, 200, "{}", proxy.written());
    let large = send_octets("POST", &url, &as_ours, Some(&vec![b'x'; 2 << 20]));
    assert_eq!(large.status, 413, "{}", proxy.written());
    gateway.kill();
    assert_eq!(get(&url).status, 502, "{}", proxy.written());
    let answer = send_octets("POST", &url, &as_ours, Some(b"password=KANARIE"));
    assert_eq!(answer.status, 502, "{}", proxy.written());
    let written = proxy.written();
    for secret in [token.as_str(), "KANARIE"] {
        assert!(!written.contains(secret), "{written}");
    }
}

#[test]
fn nginx_logs_no_token() {
    nothing_of_a_token_is_logged(nginx);
}

#[test]
fn caddy_logs_no_token() {
    nothing_of_a_token_is_logged(caddy);
}
