//! The example mails in policies/cases/: each `NAME.eml` with a `NAME.toml` beside it that says who sends
//! it to whom and what must be decided. Anyone can add a pair without touching code.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use zegel::address::{Address, ReversePath};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::policy::{Decision, Facts, Policy};

/// Recipients here are internal, as with `organisation.domains` in a configuration.
const INTERNAL: &str = "gemeente.example";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Empty: the null reverse path.
    sender: String,
    #[serde(default)]
    sealed_thread: bool,
    /// A policy file in the same folder; absent: the shipped one.
    policy: Option<String>,
    recipient: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    address: String,
    then: String,
    /// Absent: no rule matches.
    rule: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/cases")
}

fn files(extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

fn reverse_path(text: &str) -> ReversePath {
    if text.is_empty() { ReversePath::Null } else { ReversePath::Address(Address::parse(text).unwrap()) }
}

/// The decisions for all recipients, made both ways, which must agree; so must the explanation.
fn decide(policy: &Policy, message: &CrlfBytes, case: &Case) -> Vec<Decision> {
    let header = Header::parse(message.as_slice());
    let sender = reverse_path(&case.sender);
    let recipients: Vec<Address> =
        case.recipient.iter().map(|r| Address::parse(&r.address).unwrap()).collect();
    let facts: Vec<Facts<'_>> = recipients
        .iter()
        .map(|recipient| Facts {
            header: &header,
            message,
            sender: &sender,
            recipient,
            internal: recipient.is_within(&[INTERNAL.to_owned()]),
            sealed_thread: case.sealed_thread,
        })
        .collect();
    let decisions = policy.decide_all(&facts);
    for (facts, decision) in facts.iter().zip(&decisions) {
        assert_eq!(&policy.decide(facts), decision);
        let traces = policy.explain(facts);
        let decides: Vec<&str> = traces.iter().filter(|t| t.decides).map(|t| t.rule.as_str()).collect();
        assert_eq!(decides, decision.rule().into_iter().collect::<Vec<_>>());
    }
    decisions
}

#[test]
fn every_case_gets_its_decision() {
    let mut failures = Vec::new();
    let mails = files("eml");
    assert!(mails.len() >= 40, "{} cases", mails.len());
    for mail in &mails {
        let text = std::fs::read_to_string(mail.with_extension("toml")).unwrap();
        let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", mail.display()));
        let policy = match &case.policy {
            Some(file) => Policy::load(&[folder().join(file)]).unwrap(),
            None => Policy::shipped(),
        };
        let message = CrlfBytes::check(std::fs::read(mail).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", mail.display()));
        for (expected, decision) in case.recipient.iter().zip(decide(&policy, &message, &case)) {
            let got = (decision.verdict().word(), decision.rule());
            if got != (expected.then.as_str(), expected.rule.as_deref()) {
                failures.push(format!("{} for {}: {got:?}", mail.display(), expected.address));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_expectation_has_its_mail() {
    for file in files("toml") {
        let is_policy = std::fs::read_to_string(&file).unwrap().contains("[[rule]]");
        assert!(is_policy || file.with_extension("eml").exists(), "{} has no mail", file.display());
    }
}

/// A header of 1 MiB, with the tag in its last field, hides nothing and takes no time (C06, H13).
#[test]
fn a_header_of_one_mebibyte() {
    let recipient = Address::parse("jan@voorbeeld.nl").unwrap();
    let fillers = [
        "X-Filler: x\r\n".to_owned(),
        format!("X-Long: {}\r\n", "x".repeat(900)),
        format!("X-Folded:{}\r\n", "\r\n x".repeat(2000)),
        "Subject: Notulen\r\n".to_owned(),
        "Subject: =?utf-8?q?Notulen?=\r\n".to_owned(),
        format!("Subject: {}\r\n", "Re: ".repeat(2000)),
        format!("Subject: {}\r\n", "[lijst] ".repeat(2000)),
    ];
    for filler in fillers {
        let mut text = filler.repeat((1 << 20) / filler.len());
        text.push_str("Subject : Fwd:\r\n\t=?iso-8859-1?Q?=5Bvertrouwelijk=5D?= Notulen\r\n\r\nTekst\r\n");
        let message = CrlfBytes::check(text.into_bytes()).unwrap();
        let begin = Instant::now();
        let header = Header::parse(message.as_slice());
        let facts = Facts {
            header: &header,
            message: &message,
            sender: &ReversePath::Null,
            recipient: &recipient,
            internal: false,
            sealed_thread: false,
        };
        let decision = Policy::shipped().decide(&facts);
        assert_eq!(decision.rule(), Some("tagged"), "{filler:.30}");
        assert!(begin.elapsed() < Duration::from_secs(8), "{filler:.30} took {:?}", begin.elapsed());
    }
}

/// A thousand recipients cost one reading of the message.
#[test]
fn many_recipients() {
    let recipients =
        (0..1000).map(|n| Address::parse(&format!("r{n}@voorbeeld.nl")).unwrap()).collect::<Vec<_>>();
    let filler = format!("Subject: {}\r\n", "Re: ".repeat(2000));
    let text = filler.repeat((1 << 20) / filler.len()) + "\r\nTekst\r\n";
    let message = CrlfBytes::check(text.into_bytes()).unwrap();
    let header = Header::parse(message.as_slice());
    let facts: Vec<Facts<'_>> = recipients
        .iter()
        .map(|recipient| Facts {
            header: &header,
            message: &message,
            sender: &ReversePath::Null,
            recipient,
            internal: false,
            sealed_thread: false,
        })
        .collect();
    let begin = Instant::now();
    let decisions = Policy::shipped().decide_all(&facts);
    assert!(decisions.iter().all(|decision| decision.rule().is_none()));
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}
