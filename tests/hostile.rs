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

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use support::client::{SmtpClient, stream_from, submit};
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
        ("RTF that grows", WINMAIL, winmail(&bomb(600_000))),
        (
            "RTF of groups",
            WINMAIL,
            winmail(&rtf(b"MELA", 0, &[b"{\\rtf1 ", "{".repeat(3 << 20).as_bytes()].concat())),
        ),
        (
            "RTF of fonts",
            WINMAIL,
            winmail(&rtf(b"MELA", 0, &[b"{\\rtf1 ", "\\f1 x\\u1".repeat(300_000).as_bytes()].concat())),
        ),
        ("40 messages in one another", WINMAIL, nested_winmail(40)),
        (
            "1,000,000 properties",
            WINMAIL,
            base64(&tnef(&attribute(
                0x9003,
                &[[0xff; 4].as_slice(), &[3, 0, 1, 0, 0, 0, 0, 0].repeat(1_000_000)].concat(),
            ))),
        ),
        ("300,000 attachments", WINMAIL, base64(&tnef(&attribute(0x9002, b"").repeat(300_000)))),
        (
            "signed 30 times",
            "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n",
            signed(30),
        ),
        (
            "an element that never ends",
            "Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n",
            base64(&[&CMS[..], &[0x24, 0x80].repeat(3_000_000)].concat()),
        ),
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

/// A balancer that went mad: it begins headers and never ends them.
#[test]
fn proxy_headers_that_never_end_hold_nothing() {
    const BALANCER: &str = "127.0.0.9";
    const EACH: usize = 150;
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    for section in ["smtp", "web"] {
        site.set(section, &format!("proxy_protocol = true\ntrusted_proxies = [\"{BALANCER}/32\"]"));
    }
    let mut gateway = site.start();
    // Up to the longest header there may be, but for its last byte.
    let half = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x0f\xf0"[..], &[4; 4079]].concat();
    let begin = |door| {
        let mut stream = stream_from(BALANCER, door).unwrap();
        stream.write_all(&half).unwrap();
        stream
    };
    let doors = [gateway.smtp, gateway.web].into_iter();
    let held: Vec<TcpStream> = doors.flat_map(|door| (0..EACH).map(move |_| begin(door))).collect();
    submit(gateway.smtp, STAFF, &["els@example.com"], b"Subject: gewoon\r\n\r\nx\r\n");
    for mut stream in held {
        let mut said = Vec::new();
        // It ends by itself, with a reset where bytes were left unread.
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty() || said.starts_with(b"421 4.3.5 "), "{}", String::from_utf8_lossy(&said));
    }
    let lines = gateway.log().iter().filter(|line| line.contains(BALANCER)).count();
    assert!(lines <= 2, "one of each door, and not of each connection: {lines}");
    assert!(gateway.is_alive());
    assert!(gateway.peak_memory() < MEMORY / 2, "{} MiB", gateway.peak_memory() >> 20);
    smarthost.wait(|seen| seen.copies("els@example.com") == 1);
}

fn answer(gateway: &Gateway, mail: &[u8]) -> (String, Duration) {
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    let begun = Instant::now();
    let reply = client.send(STAFF, &[ANNA], mail).unwrap();
    (reply, begun.elapsed())
}

const WINMAIL: &str = "Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n";

/// Signed data as they begin, without lengths, as far as their content.
const CMS: [u8; 42] = [
    0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2, 0xa0, 0x80, 0x30, 0x80, 2, 1, 1, 0x31, 0,
    0x30, 0x80, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 0x80, 0x24, 0x80, 0x24, 0x80, 4,
];

fn base64(octets: &[u8]) -> String {
    let line = |octets: &[u8]| STANDARD.encode(octets) + "\r\n";
    octets.chunks(57).map(line).collect()
}

fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

fn tnef(attributes: &[u8]) -> Vec<u8> {
    [&[0x78, 0x9f, 0x3e, 0x22, 1, 0][..], attributes].concat()
}

fn attribute(id: u16, data: &[u8]) -> Vec<u8> {
    [&[1][..], &u32::from(id).to_le_bytes(), &number(data.len()), data, &[0, 0]].concat()
}

/// One property, of bytes or an object.
fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    let mut list =
        [&number(1)[..], &kind.to_le_bytes(), &id.to_le_bytes(), &number(1), &number(value.len()), value]
            .concat();
    list.resize(list.len().next_multiple_of(4), 0);
    list
}

fn winmail(rtf: &[u8]) -> String {
    base64(&tnef(&attribute(0x9003, &property(0x102, 0x1009, rtf))))
}

fn rtf(kind: &[u8; 4], checksum: u32, content: &[u8]) -> Vec<u8> {
    [&number(content.len() + 12)[..], &number(content.len()), kind, &checksum.to_le_bytes(), content].concat()
}

/// Compressed RTF in which each two bytes say that the last seventeen come again.
fn bomb(references: usize) -> Vec<u8> {
    let mut content = b"\0{\\rtf1  ".to_vec();
    let mut at = 207 + 8;
    for number in 0..references {
        if number % 8 == 0 {
            content.push(0xff);
        }
        content.extend(u16::to_be_bytes(u16::try_from(((at + 4095) % 4096) << 4 | 0xf).unwrap()));
        at += 17;
    }
    let crc = content.iter().fold(0, |crc: u32, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    });
    rtf(b"LZFu", crc, &content)
}

fn nested_winmail(depth: usize) -> String {
    let interface = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let file = [attribute(0x9002, b""), attribute(0x800f, &vec![7; 2 << 20])].concat();
    let mut message = tnef(&file);
    for _ in 0..depth {
        let object = property(0x0d, 0x3701, &[&interface, &message[..]].concat());
        message = tnef(&[attribute(0x9002, b""), attribute(0x9005, &object)].concat());
    }
    base64(&message)
}

/// Mail that is signed again and again.
fn signed(times: usize) -> String {
    let mut content = b"Content-Type: text/plain\r\n\r\nx\r\n".to_vec();
    let element = |tag: u8, content: &[u8]| {
        [&[tag, 0x84][..], &u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
    };
    for _ in 0..times {
        let fields = [
            &[2, 1, 1, 0x31, 0][..],
            &element(0x30, &[&CMS[24..35], &element(0xa0, &element(4, &content))].concat()),
        ];
        let file = element(0x30, &[&CMS[2..13], &element(0xa0, &element(0x30, &fields.concat()))].concat());
        let header =
            b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n".as_slice();
        content = [header, base64(&file).as_bytes()].concat();
    }
    String::from_utf8(content).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned()
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
