//! C37: what is missing or damaged for good is told as gone, once, to the recipient, the sender and the administrator;
//! nobody is told to try again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};
use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::{Notice, link_of, password_of, tagged, text_of};
use support::smarthost::{Script, Smarthost, Stage, say};
use support::web::{Answer, get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// A transfer that is open in a browser.
struct Opened {
    link: String,
    cookie: String,
}

impl Opened {
    fn new(site: &Site, gateway: &Gateway, smarthost: &Smarthost) -> Self {
        Self::of(&tagged(STAFF, RESIDENT), site, gateway, smarthost)
    }

    fn of(message: &[u8], site: &Site, gateway: &Gateway, smarthost: &Smarthost) -> Self {
        submit(gateway.smtp, STAFF, &[RESIDENT], message);
        let seen = smarthost.wait(|seen| seen.taken.len() == 2);
        let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
        let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
        let link = link_of(text("notification"), &site.public_url());
        let opened = post(&link, &format!("password={}", password_of(text("receipt"))));
        assert_eq!(opened.status, 303);
        Self { cookie: opened.cookie(), link }
    }

    fn get(&self, path: &str) -> Answer {
        get_as(&format!("{}/{path}", self.link), &self.cookie)
    }
}

/// The file of part `number` of the only transfer.
fn part(site: &Site, number: u32) -> PathBuf {
    let name = query(site, &format!("SELECT blob FROM parts WHERE number = {number}"));
    site.data().join("blobs").join(&name[..2]).join(&name)
}

fn query(site: &Site, sql: &str) -> String {
    let database = site.data().join("zegel.db");
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn assert_gone(answer: &Answer, path: &str) {
    let text = answer.text();
    assert_eq!(answer.status, 410, "{path}: {text}");
    assert!(text.contains("verloren gegaan") && !text.contains("Probeer het over"), "{path}: {text}");
}

#[test]
fn a_part_that_is_missing_or_damaged_is_gone_and_told_once() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let opened = Opened::new(&site, &gateway, &smarthost);
    fs::remove_file(part(&site, 1)).unwrap();
    for path in ["files/1", "files/1", "files/1/view", "zip"] {
        assert_gone(&opened.get(path), path);
    }
    // The rest is there.
    assert_eq!(opened.get("files").status, 200);
    assert_eq!(opened.get("message.eml").status, 200);
    let seen = smarthost.wait(|seen| seen.taken.iter().any(|taken| text_of(taken).contains("Notice: lost")));
    let mail = seen.taken.iter().map(Notice::of).find(|notice| notice.kind == "lost").unwrap();
    assert_eq!(mail.to, [STAFF]);
    assert!(mail.text.contains("verloren gegaan") && mail.text.contains(RESIDENT), "{}", mail.text);

    // A part that cannot be all of it is as good as missing; and without its table of contents nothing is left.
    fs::write(part(&site, 0), "short").unwrap();
    for path in ["files", "message.eml", "files/1", "zip", "message"] {
        assert_gone(&opened.get(path), path);
    }
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    let lost = smarthost.seen().taken.iter().filter(|taken| text_of(taken).contains("Notice: lost")).count();
    assert_eq!(lost, 1, "the sender hears once");
    assert_eq!(query(&site, "SELECT CAST(count(*) AS TEXT) FROM audit WHERE action = 'lost'"), "2");
    assert_eq!(query(&site, "SELECT CAST(count(*) AS TEXT) FROM audit WHERE action = 'download'"), "1");
    let mut lines = gateway.log();
    lines.retain(|line| line.contains("a part of a transfer is lost"));
    assert_eq!(lines.len(), 2, "once for each part: {lines:?}");
    assert!(
        lines.iter().all(|line| line.contains(r#""level":"ERROR""#) && line.contains(r#""transfer":"#)),
        "{lines:?}"
    );
    assert!(lines[0].contains(r#""part":1"#) && lines[0].contains("it is missing"), "{lines:?}");
    assert!(lines[1].contains(r#""part":0"#) && lines[1].contains("it cannot be 5 bytes long"), "{lines:?}");
}

/// A part that is as long as it was, with another byte in it.
#[test]
fn a_part_that_was_changed_is_gone_and_told_once() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let message = String::from_utf8(tagged(STAFF, RESIDENT)).unwrap();
    let large = message.replace("a2FuYXJpZS1pbmhvdWQ=", &"a2FuYXJpZS1pbmhvdWQh\r\n".repeat(40_000));
    let opened = Opened::of(large.as_bytes(), &site, &gateway, &smarthost);
    let change = |number, at: usize| {
        let mut bytes = fs::read(part(&site, number)).unwrap();
        bytes[at] ^= 1;
        fs::write(part(&site, number), bytes).unwrap();
    };
    let told = |count: usize| {
        let is_lost = |line: &&String| line.contains("a part of a transfer is lost");
        wait_for("the word to the administrator", || {
            (gateway.log().iter().filter(is_lost).count() == count).then_some(())
        });
    };
    // Far behind what has been handed out when it is found: the download breaks off.
    change(1, 400_000);
    let mut stream = TcpStream::connect(gateway.web).unwrap();
    let (_, token) = opened.link.rsplit_once('/').unwrap();
    let host = site.public_url().replace("http://", "");
    let fields = format!("Host: {host}\r\nCookie: {}\r\nConnection: close", opened.cookie);
    write!(stream, "GET /t/{token}/files/1 HTTP/1.1\r\n{fields}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.len() < 500_000, "{} bytes came", answer.len());
    told(1);
    // At its beginning; and with the table of contents nothing is left.
    change(1, 60);
    assert_gone(&opened.get("files/1"), "files/1");
    change(0, 60);
    for path in ["files", "message.eml", "zip", "reply"] {
        assert_gone(&opened.get(path), path);
    }
    told(2);
    wait_for("an idle gateway", || gateway.is_idle().then_some(()));
    let lost = smarthost.seen().taken.iter().filter(|taken| text_of(taken).contains("Notice: lost")).count();
    assert_eq!(lost, 1, "the sender hears once");
}

#[test]
fn a_queued_mail_whose_body_is_missing_is_reported_at_once() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, say("421 4.3.2 not now")));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let head = format!("From: <{STAFF}>\r\nTo: <{RESIDENT}>\r\nSubject: gewone post\r\n\r\n");
    let large = [head.as_bytes(), &b"regel\r\n".repeat(60_000)].concat();
    submit(gateway.smtp, STAFF, &[RESIDENT], &large);
    let name = query(&site, "SELECT blob FROM items");
    fs::remove_file(site.data().join("blobs").join(&name[..2]).join(&name)).unwrap();
    smarthost.change(Script::usual());
    let seen = smarthost.wait(|seen| !seen.taken.is_empty());
    let report = text_of(&seen.taken[0]);
    assert_eq!(seen.taken[0].addresses(), [STAFF]);
    assert!(report.contains("5.3.0") && report.contains(RESIDENT), "{report}");
    wait_for("an empty queue", || gateway.is_idle().then_some(()));
    assert!(gateway.log().iter().any(|line| line.contains("a queued body cannot be read")));
}
