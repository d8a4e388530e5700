//! Mail that is built to cost more than it should: the gateway answers each within the time that a mail server
//! in front of it waits, lives on, and stays small (H13).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fmt::Write;
use std::time::{Duration, Instant};

use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site};
use support::smarthost::{Script, Smarthost};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const ANNA: &str = "anna@example.org";
/// The longest that one of them may take.
const MOST: Duration = Duration::from_secs(8);
/// Bytes of memory for all of them together, of which the largest alone has ten million.
const MEMORY: usize = 400 << 20;

#[test]
fn hostile_structure_is_answered_soon_and_costs_little() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let mut gateway = site.start();
    for (name, header, body) in [
        ("10,000 levels", "Content-Type: multipart/mixed; boundary=b\r\n", levels(10_000)),
        ("1,000,000 parts", "Content-Type: multipart/mixed; boundary=b\r\n", parts(1_000_000)),
        (
            "parts of parts",
            "Content-Type: multipart/mixed; boundary=b\r\n",
            "--b\r\n--bb\r\n".repeat(300_000),
        ),
        ("a header of 1 MiB", &format!("X-Long: {}\r\n", "x".repeat(1 << 20)), String::new()),
        ("1 MiB of fields", &"X: y\r\n".repeat(180_000), String::new()),
        ("100,000 addresses", &addresses(100_000), String::new()),
        ("100,000 references", &references(100_000), String::new()),
        ("100,000 encoded words", &format!("Subject: {}\r\n", "=?a?q?b?= ".repeat(100_000)), String::new()),
        ("100,000 brackets", &format!("Subject: {}\r\n", "[x (y] ".repeat(100_000)), String::new()),
        ("80,000 near misses", &format!("Subject: [{}]\r\n", "vertrouwelij ".repeat(80_000)), String::new()),
        ("80,000 prefixes", &format!("Subject: {}\r\n", "veilige x: ".repeat(80_000)), String::new()),
        ("200,000 uuencoded files", "", "begin 644 a\r\n#86)C\r\n`\r\nend\r\n".repeat(200_000)),
        ("uuencode of nothing", "", format!("begin 644 a\r\n{}", "M\r\n".repeat(2_000_000))),
        ("begin, and never an end", "", "begin 644 a\r\nM\r\n".repeat(100_000)),
        ("1,000,000 alternatives", "Content-Type: multipart/alternative; boundary=b\r\n", parts(1_000_000)),
        ("broken base64", "Content-Transfer-Encoding: base64\r\n", "=A=".repeat(1_000_000)),
    ] {
        for tag in ["[vertrouwelijk] ", ""] {
            let mail = format!("Subject: {tag}x\r\n{header}\r\n{body}\r\n");
            let (reply, took) = answer(&gateway, mail.as_bytes());
            println!("{name} {tag}: {took:?} {}", reply.trim_end());
            assert!(reply.starts_with("250 ") || reply.starts_with("554 "), "{name}: {reply}");
            assert!(took < MOST, "{name} took {took:?}");
        }
    }
    assert!(gateway.is_alive());
    assert!(gateway.peak_memory() < MEMORY, "{} MiB", gateway.peak_memory() >> 20);
    submit(gateway.smtp, STAFF, &["els@example.com"], b"Subject: gewoon\r\n\r\nx\r\n");
    smarthost.wait(|seen| seen.copies("els@example.com") == 1);
}

fn answer(gateway: &Gateway, mail: &[u8]) -> (String, Duration) {
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    let begun = Instant::now();
    let reply = client.send(STAFF, &[ANNA], mail).unwrap();
    (reply, begun.elapsed())
}

/// Multiparts within one another.
fn levels(depth: usize) -> String {
    let mut text = "--b\r\n".to_owned();
    for level in 0..depth {
        write!(text, "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").unwrap();
    }
    text
}

fn parts(count: usize) -> String {
    "--b\r\n\r\n\r\n".repeat(count)
}

fn addresses(count: usize) -> String {
    let mut field = "To: ".to_owned();
    for number in 0..count {
        write!(field, "\"Naam {number}\" <a{number}@example.org>,\r\n ").unwrap();
    }
    field + "a@example.org\r\n"
}

fn references(count: usize) -> String {
    let mut field = "References:".to_owned();
    for number in 0..count {
        write!(field, " <{number}@example.org>\r\n").unwrap();
    }
    field
}
