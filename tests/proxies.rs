//! The documented reverse proxies, as they stand in docs/operations.md, before a real gateway: that a resident comes
//! through them with Chromium and with Firefox, that they compress no page, and that no log of theirs holds the token
//! of a link, whatever goes wrong behind them (C35).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use support::browser::Browser;
use support::client::submit;
use support::gateway::{Gateway, Site, free_port, wait_for};
use support::mail::{Notice, link_of};
use support::proxy::{Proxy, documented, with};
use support::resident::{RESIDENT, STAFF, attachments, code_to, noise, seal};
use support::smarthost::{Script, Smarthost, Taken};
use support::web::{get, get_as, post, send, send_octets};

/// Debian's own nginx with the documented server: what is in its configuration, `gzip on` for one, is there too.
fn nginx(gateway: SocketAddr, port: u16) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
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
        ],
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .concat();
    let debian = std::fs::read_to_string("/etc/nginx/nginx.conf").expect("Debian's nginx is installed");
    let config = with(
        debian,
        &[
            ("pid /run/nginx.pid;", format!("pid {path}/pid;\ndaemon off;")),
            // Their paths are from Debian's prefix, and none of them is needed.
            ("include /etc/nginx/modules-enabled/*.conf;", String::new()),
            ("worker_processes auto;", "worker_processes 1;".to_owned()),
            ("/var/log/nginx/", format!("{path}/")),
            ("http {", format!("http {{\n{temporary}")),
            ("include /etc/nginx/sites-enabled/*;", format!("include {path}/server;")),
        ],
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(folder.path().join("server"), server).unwrap();
    std::fs::write(&file, config).unwrap();
    // Its workers are another user where it was started by root.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-e").arg(folder.path().join("error.log")).arg("-p").arg(folder.path()).arg("-c").arg(file);
    Proxy::start(folder, port, &mut command)
}

fn caddy(gateway: SocketAddr, port: u16) -> Proxy {
    let (folder, admin) = (tempfile::tempdir().unwrap(), free_port());
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

/// A proxy before this gateway, on this port.
type Start = fn(SocketAddr, u16) -> Proxy;

/// A gateway whose pages are named as the proxy before it is, port included.
struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Gateway,
    proxy: Proxy,
}

impl Scene {
    fn new(scheme: &str, start: Start) -> Self {
        let (smarthost, port) = (Smarthost::start(Script::usual()), free_port());
        let site = Site::new(smarthost.address(), "");
        site.publish_at(&format!("{scheme}://127.0.0.1:{port}"));
        let gateway = site.start();
        let proxy = start(gateway.web, port);
        Self { smarthost, site, gateway, proxy }
    }

    /// A link and its password.
    fn seal(&self) -> (String, String) {
        let (links, password) = seal(&self.smarthost, &self.site, &self.gateway, &[RESIDENT]);
        (links[0].clone(), password)
    }
}

/// Everything that makes a proxy write: a page, a body that is too large, a gateway that is not there.
fn nothing_of_a_token_is_logged(start: Start) {
    let scene = Scene::new("http", start);
    let (url, _) = scene.seal();
    let token = url.rsplit('/').next().unwrap();
    let Scene { gateway, proxy, .. } = scene;
    assert_eq!(get(&url).status, 200, "{}", proxy.written());
    let large = send_octets("POST", &url, &[], Some(&vec![b'x'; 2 << 20]));
    assert_eq!(large.status, 413, "{}", proxy.written());
    gateway.kill();
    assert_eq!(get(&url).status, 502, "{}", proxy.written());
    let answer = send_octets("POST", &url, &[], Some(b"password=KANARIE"));
    assert_eq!(answer.status, 502, "{}", proxy.written());
    let written = proxy.written();
    for secret in [token, "KANARIE"] {
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

/// BREACH: the size of a compressed page tells of the secrets in it.
fn no_page_is_compressed(start: Start) {
    let scene = Scene::new("http", start);
    let (link, password) = scene.seal();
    let cookie = post(&link, &format!("password={password}")).cookie();
    let fields = [("Accept-Encoding", "gzip, deflate, br, zstd"), ("Cookie", cookie.as_str())];
    for url in [format!("{}/help", scene.site.public_url()), link.clone(), format!("{link}/files")] {
        let page = send("GET", &url, &fields, None);
        assert_eq!((page.status, page.field("content-encoding")), (200, ""), "{url}");
        assert!(page.text().contains("</html>") && page.head().contains("no-transform"), "{url}");
    }
}

#[test]
fn nginx_compresses_no_page() {
    no_page_is_compressed(nginx);
}

#[test]
fn caddy_compresses_no_page() {
    no_page_is_compressed(caddy);
}

/// One browser opens so many transfers that their cookies would fill what nginx takes as a header.
#[test]
fn a_hundred_transfers_open_in_one_browser() {
    const TRANSFERS: usize = 105;
    let scene = Scene::new("https", nginx);
    for number in 0..TRANSFERS {
        let mail = format!(
            "From: Jan Jansen <{STAFF}>\r\nTo: {RESIDENT}\r\nSubject: [vertrouwelijk geen-wachtwoord] {number}\r\n\
             Message-ID: <{number}@voorbeeld.nl>\r\n\r\nBeste Anna\r\n"
        );
        submit(scene.gateway.smtp, STAFF, &[RESIDENT], mail.as_bytes());
    }
    let seen = scene.smarthost.wait(|seen| seen.taken.len() == 2 * TRANSFERS);
    let notices = seen.taken.iter().map(Notice::of).filter(|notice| notice.kind == "notification");
    let url = scene.site.public_url();
    // As far as the pages know, the proxy speaks HTTPS; the oldest cookie first, as browsers send them.
    let links: Vec<String> =
        notices.map(|notice| link_of(&notice.text, &url).replace("https://", "http://")).collect();
    let mut cookies: Vec<(String, String)> = Vec::new();
    let field = |cookies: &[(String, String)]| {
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    };
    for link in &links {
        let opened = send("POST", link, &[("Cookie", &field(&cookies))], Some(""));
        assert_eq!(opened.status, 303, "with {} cookies: {}", cookies.len(), opened.text());
        for cookie in opened.cookies() {
            let (name, value) = cookie.split_once('=').unwrap();
            cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    assert!(cookies.len() <= 20, "{} cookies", cookies.len());
    let page = get_as(&format!("{}/files", links.last().unwrap()), &field(&cookies));
    assert_eq!(page.status, 200, "{}", page.text());
}

const NEXT: &str = "main form#reply-form .actions button.button";
const FILE: &str = "kanarie-bestandsnaam.txt";

/// From the link to the answer that was sent: password, message, file, and an answer with a photo.
fn walk(start: Start, browser: &Browser) {
    let scene = Scene::new("http", start);
    let (link, password) = scene.seal();
    let at = |rest: &str| format!("{link}{rest}");
    browser.goto(&at(").?lang=nl"));
    browser.wait_for_url(&at("?lang=nl"));
    browser.type_into("input[name=password]", &format!("\u{201c}{}\u{201d} ", password.to_uppercase()));
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&at("/files"));
    assert!(browser.text("main").contains("kanarie-onderwerp") && browser.text("main").contains(FILE));
    browser.enter_frame("iframe");
    assert!(browser.text("body").contains("kanarie-opmaak"));
    browser.leave_frame();
    browser.click("a[href$='/files/1']");
    assert_eq!(browser.downloaded(FILE), b"kanarie-inhoud");

    browser.click("a[href$='/reply']");
    browser.wait_for_url(&at("/reply"));
    browser.type_into("#name", "Anna de Vries");
    let before = scene.smarthost.seen().taken.len();
    browser.click(NEXT);
    browser.wait_for_url(&at("/reply/code"));
    browser.type_into("#code", &code_to(&scene.smarthost, RESIDENT, before));
    browser.click(NEXT);
    browser.wait_for_url(&at("/reply/message"));
    browser.type_into("#message", "Hierbij de foto.");
    let photo = noise(300_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foto.jpg");
    std::fs::write(&path, &photo).unwrap();
    browser.type_into("#files", &path.display().to_string());
    wait_for("the photo", || browser.text("#uploads").contains("Binnen").then_some(()));
    browser.click("main .actions button[name=next]");
    browser.wait_for_url(&at("/reply/check"));
    browser.click("button[formaction]");
    browser.wait_for_url(&at("/reply/sent"));
    assert!(browser.text("main").contains("foto.jpg"));
    let is_answer = |taken: &&Taken| attachments(taken) == [("foto.jpg".to_owned(), photo.clone())];
    scene.smarthost.wait(|seen| seen.taken.iter().any(|taken| is_answer(&taken)));
}

#[test]
fn chromium_walks_through_nginx() {
    walk(nginx, &Browser::open(1280, 900, true));
}

#[test]
fn chromium_walks_through_caddy() {
    walk(caddy, &Browser::open(1280, 900, true));
}

#[test]
fn firefox_walks_through_nginx() {
    walk(nginx, &Browser::open_firefox(1280, 900));
}

#[test]
fn firefox_walks_through_caddy() {
    walk(caddy, &Browser::open_firefox(1280, 900));
}
