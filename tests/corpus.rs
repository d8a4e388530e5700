//! Every sample mail of the project, taken apart and sealed: `tests/corpus`, the policy cases and the seeds of the fuzz
//! targets. What is taken out of each is in `tests/golden/corpus.txt`, to be read when it changes
//! (`UPDATE_GOLDEN=1 cargo test --test corpus`); what leaves in the place of each is a message that parsers find no fault
//! with (RFC 5322).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use mail_parser::{HeaderName, Message, MessageParser};
use support::client::SmtpClient;
use support::gateway::Site;
use support::mail::text_of;
use support::smarthost::{Script, Smarthost};
use zegel::message::crlf::CrlfBytes;
use zegel::message::mime::{MimePart, parts};

const SANNE: &str = "sanne@voorbeeld.nl";

/// The folders of the samples. Seeds are of targets that read messages.
const FOLDERS: &[&str] = &[
    "tests/corpus",
    "policies/cases",
    "fuzz/seeds/data",
    "fuzz/seeds/decision",
    "fuzz/seeds/header",
    "fuzz/seeds/mime",
    "fuzz/seeds/rewrite",
];

/// All samples that are messages, by their path.
fn samples() -> BTreeMap<String, CrlfBytes> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut samples = BTreeMap::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_seed = folder.starts_with("fuzz/");
            if !path.is_file() || !is_seed && path.extension().is_none_or(|extension| extension != "eml") {
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let bytes = fs::read(&path).unwrap();
            let message = match is_seed {
                true => CrlfBytes::normalised(&bytes),
                false => CrlfBytes::check(bytes).unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            samples.insert(name, message);
        }
    }
    assert!(samples.len() > 280, "{}", samples.len());
    samples
}

/// What was taken out of one sample: a line for each text and file.
fn table(message: &CrlfBytes) -> String {
    let parts = parts(message);
    let line = |kind: &str, part: &MimePart<'_>| {
        let hash: String =
            digest(&SHA256, &part.data).as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("  {kind:<6} {:>7} {hash} {} {}\n", part.data.len(), part.media_type, part.name)
    };
    let mut table = String::new();
    table.extend(parts.text.iter().map(|part| line("text", part)));
    table.extend(parts.html.iter().map(|part| line("html", part)));
    table.extend(parts.files.iter().map(|part| line(if part.inline { "inline" } else { "file" }, part)));
    if parts.damaged {
        table.push_str("  damaged\n");
    }
    table
}

#[test]
fn what_is_taken_out_of_every_sample() {
    let mut written = String::new();
    for (name, message) in samples() {
        written.push_str(&format!("{name}\n{}", table(&message)));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/corpus.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &written).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<_> =
        written.lines().zip(golden.lines()).filter(|(new, old)| new != old).take(20).collect();
    assert!(
        written == golden,
        "tests/golden/corpus.txt differs; look at the change, then run with UPDATE_GOLDEN=1\n{differing:#?}"
    );
}

/// M26
#[test]
fn every_notification_parses_strictly() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"alles.toml\"]\n");
    let all = "[[rule]]\nname = \"alles\"\nthen = \"seal\"\npassword = \"none\"\n";
    fs::write(site.config().with_file_name("alles.toml"), all).unwrap();
    let gateway = site.start();
    let mut sent = Vec::new();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    for (number, (name, message)) in samples().into_iter().enumerate() {
        let recipient = format!("anna{number}@example.org");
        let mut bytes = message.into_vec();
        if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        let reply = client.send(SANNE, &[&recipient], &bytes).unwrap();
        assert!(reply.starts_with("250 "), "{name}: {reply}");
        sent.push((name, recipient));
    }
    let seen = smarthost.wait(|seen| sent.iter().all(|(_, recipient)| seen.copies(recipient) == 1));
    let folder = tempfile::tempdir().unwrap();
    for (number, (name, recipient)) in sent.iter().enumerate() {
        let taken = seen.taken.iter().find(|taken| taken.addresses() == [recipient.as_str()]).unwrap();
        assert_is_message(name, &taken.message);
        assert!(!text_of(taken).contains("KANARIE"), "{name}");
        let file = format!("{number:03} {}", name.replace('/', " "));
        fs::write(folder.path().join(file), &taken.message).unwrap();
    }
    assert_python_agrees(folder.path());
}

/// What RFC 5322 asks of a message, and what makes it travel everywhere.
fn assert_is_message(name: &str, bytes: &[u8]) {
    assert!(bytes.is_ascii(), "{name}: 7 bits");
    assert!(CrlfBytes::check(bytes.to_vec()).is_ok(), "{name}: lines");
    assert!(bytes.split(|c| *c == b'\n').all(|line| line.len() <= 999), "{name}: long lines");
    let message = MessageParser::new().parse(bytes).unwrap();
    let count = |field: HeaderName<'_>| message.headers().iter().filter(|one| one.name == field).count();
    for field in [HeaderName::From, HeaderName::Date, HeaderName::MessageId, HeaderName::Subject] {
        assert_eq!(count(field.clone()), 1, "{name}: {field:?}");
    }
    for field in [
        HeaderName::Sender,
        HeaderName::To,
        HeaderName::Cc,
        HeaderName::ReplyTo,
        HeaderName::References,
        HeaderName::InReplyTo,
    ] {
        assert!(count(field.clone()) <= 1, "{name}: {field:?}");
    }
    assert!(count(HeaderName::Bcc) == 0 && count(HeaderName::DispositionNotificationTo) == 0, "{name}");
    assert!(message.date().is_some_and(|date| date.is_valid()), "{name}: date");
    assert!(message.message_id().is_some_and(|id| id.contains('@')), "{name}: Message-ID");
    assert!(authors(&message) >= 1, "{name}: From");
    assert!(authors(&message) == 1 || count(HeaderName::Sender) == 1, "{name}: Sender");
    assert!(message.text_body_count() == 1 && message.html_body_count() == 1, "{name}: parts");
}

fn authors(message: &Message<'_>) -> usize {
    message.from().map_or(0, |from| {
        from.iter().filter(|one| one.address().is_some_and(|one| one.contains('@'))).count()
    })
}

/// The parser of Python, where there is one.
fn assert_python_agrees(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/strict.py");
    match Command::new("python3").arg(script).arg(folder).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => eprintln!("python3 is not there: not tried"),
        Err(error) => panic!("python3: {error}"),
    }
}
