//! The two municipalities of `deploy/examples`: their configuration as it stands there, and as `zegel demo --two` runs it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::path::Path;

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;
use support::demo::Demo;
use support::gateway::zegel;
use support::mail::{Notice, link_of};
use support::web::{self, Answer};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/examples");

/// One of the two, as its mails and pages show it.
struct Expected {
    folder: &'static str,
    name: &'static str,
    staff: &'static str,
    resident: &'static str,
    phone: &'static str,
    /// What begins a notification, in its own language.
    word: &'static str,
}

const EXPECTED: [Expected; 2] = [
    Expected {
        folder: "voorbeeld",
        name: "Gemeente Voorbeeld",
        staff: "s.devries@voorbeeld.nl",
        resident: "anna.bakker@example.org",
        phone: "14 0511",
        word: "Wachtwoord",
    },
    Expected {
        folder: "zuiderveen",
        name: "Gemeente Zuiderveen",
        staff: "t.hoekstra@zuiderveen.nl",
        resident: "jelle.dijkstra@example.org",
        phone: "0512 987 600",
        word: "Wachtwurd",
    },
];

fn file(path: &str) -> Vec<u8> {
    fs::read(Path::new(EXAMPLES).join(path)).unwrap()
}

/// A page at a host: names below `localhost` are known to browsers, not to every system.
fn page(demo: &Demo, url: &str, host_of: usize) -> Answer {
    let (host, rest) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let port = host.rsplit_once(':').unwrap().1;
    let host = demo.web[host_of].strip_prefix("http://").unwrap();
    web::send("GET", &format!("http://127.0.0.1:{port}/{rest}"), &[("Host", host)], None)
}

#[test]
fn check_finds_no_fault_in_the_example() {
    let data = tempfile::tempdir().unwrap();
    let any = "[\"127.0.0.1:0\"]";
    let output = zegel()
        .args(["check", "--json", "--config"])
        .arg(Path::new(EXAMPLES).join("zegel.toml"))
        .env("ZEGEL_DATA_DIR", data.path().join("data"))
        .env("ZEGEL_SMTP__LISTEN", any)
        .env("ZEGEL_WEB__LISTEN", any)
        .env("ZEGEL_ADMIN__LISTEN", any)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["status"], output.status.code()), (&"ok".into(), Some(0)), "{found:#}");
    let faults = found["findings"].as_array().unwrap().iter().filter(|one| one["severity"] != "note");
    assert_eq!(faults.collect::<Vec<_>>(), [&Value::Null; 0]);
}

#[test]
fn the_demo_shows_each_of_the_two_in_its_own_face() {
    let demo = Demo::start(&["--two"]);
    assert_eq!(demo.send_sample(2).status, 404, "there is no third");
    for number in 0..2 {
        let sent = demo.send_sample(number);
        assert_eq!(sent.status, 303, "{}", sent.text());
    }
    let messages = demo.wait_for_messages(4);
    for (number, expected) in EXPECTED.iter().enumerate() {
        let Expected { folder, name, resident, staff, phone, word } = expected;
        let to = |address: &str| messages.iter().find(|message| message["to"][0] == address).unwrap();
        let notices = [resident, staff].map(|address| demo.notice(to(address)));
        assert_eq!(notices.each_ref().map(|notice| notice.kind.as_str()), ["notification", "receipt"]);
        for notice in &notices {
            assert!(notice.raw.contains(name), "{}", notice.raw);
            assert!(notice.text.contains(word), "in its own language: {}", notice.text);
            assert!(!notice.text.contains(EXPECTED[1 - number].name), "{}", notice.text);
            has_logo(notice, folder);
        }
        assert!(notices[0].text.contains(name) && notices[0].text.contains(phone), "{}", notices[0].text);
        let link = link_of(&notices[0].text, &demo.web[number]);
        let [own, other] = [number, 1 - number].map(|host| page(&demo, &link, host));
        assert_eq!((own.status, other.status), (200, 404), "a link is its own host's");
        assert!(own.text().contains(name) && own.text().contains(phone), "{}", own.text());
        for (asset, name) in [("logo", "logo.svg"), ("favicon", "favicon.svg")] {
            let shown = page(&demo, &format!("{}/assets/{asset}", demo.web[number]), number);
            assert!(shown.body == file(&format!("{folder}/{name}")), "{folder}: {asset}");
        }
        let theme = page(&demo, &format!("{}/assets/theme.css", demo.web[number]), number).text();
        let own = String::from_utf8(file(&format!("{folder}/theme.css"))).unwrap();
        let link = own.lines().find(|line| line.contains("--utrecht-link-color: ")).unwrap();
        assert!(theme.contains(link.trim().trim_end_matches(';')), "{theme}");
    }
    let list = web::get(&demo.mailbox).text();
    assert!(EXPECTED.iter().all(|one| list.contains(&format!("Send a sample of {}", one.name))), "{list}");
    assert_eq!(demo.stop().0, 0);
}

/// The picture on top, by its Content-ID, byte for byte.
fn has_logo(notice: &Notice, folder: &str) {
    let message = MessageParser::default().parse(notice.raw.as_bytes()).unwrap();
    let html = message.body_html(0).unwrap();
    let logo = message.attachments().find(|part| part.content_id().is_some()).unwrap();
    assert!(html.contains(&format!("\"cid:{}\"", logo.content_id().unwrap())), "{html}");
    assert!(logo.contents() == file(&format!("{folder}/logo.png")), "{folder}");
}

/// Each line that the demo prints names the sample of one of the two.
#[test]
fn the_demo_prints_a_line_for_each() {
    let demo = Demo::start(&["--two"]);
    for (line, expected) in demo.lines.iter().zip(&EXPECTED) {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let [_, "--mail-from", from, "--mail-rcpt", to, "--upload-file", sample] = words.as_slice() else {
            panic!("{words:?}")
        };
        assert_eq!((*from, *to), (expected.staff, expected.resident));
        assert!(fs::read_to_string(sample).unwrap().contains(from));
    }
}
