//! Every mail in `policies/cases` gets the decision that the file next to it names (C06).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use zegel::address::{Address, ReversePath};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::policy::{Decision, MessageContent, Policy, RuleInput};

/// `NAME.toml`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// A file in `policies/cases/policies`; else the shipped policy.
    policy: Option<PathBuf>,
    /// Empty: the null reverse path.
    sender: Option<String>,
    #[serde(default)]
    sealed_thread: bool,
    /// Recipient -> "pass", "seal by RULE", ...
    decisions: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/cases")
}

fn say(decision: &Decision) -> String {
    let verdict = decision.verdict().as_str();
    decision.rule().map_or_else(|| verdict.to_owned(), |rule| format!("{verdict} by {rule}"))
}

/// What the shipped policy, or another, makes of `message`.
fn decide(policy: &Policy, message: Vec<u8>, case: &Case) -> Vec<(String, String)> {
    let message = CrlfBytes::check(message).expect("cases have CRLF line ends");
    let header = Header::parse(message.as_slice());
    let content = MessageContent::new(&header, &message);
    let sender = match case.sender.as_deref() {
        Some("") => ReversePath::Null,
        sender => ReversePath::Address(Address::parse(sender.unwrap_or("jan@voorbeeld.nl")).unwrap()),
    };
    let decision_for = |address: &String| {
        let recipient = Address::parse(address).unwrap();
        let facts = RuleInput {
            content: &content,
            sender: &sender,
            recipient: &recipient,
            internal: recipient.is_internal(&["voorbeeld.nl".to_owned()]),
            sealed_thread: case.sealed_thread,
        };
        let decision = policy.decide(&facts);
        let deciding: Vec<_> = policy.explain(&facts).into_iter().filter(|trace| trace.decides).collect();
        assert_eq!(
            deciding.first().map(|trace| trace.rule.as_str()),
            decision.rule(),
            "explain and decide agree"
        );
        (address.clone(), say(&decision))
    };
    case.decisions.keys().map(decision_for).collect()
}

#[test]
fn every_case_gets_its_decision() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let text =
            fs::read_to_string(path.with_extension("toml")).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let case: Case = toml::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let files: Vec<_> = case.policy.iter().map(|file| folder().join("policies").join(file)).collect();
        let policy = Policy::load(&files).unwrap();
        let found = decide(&policy, fs::read(&path).unwrap(), &case);
        let expected: Vec<_> = case.decisions.clone().into_iter().collect();
        if found != expected {
            wrong.push(format!("{}: expected {expected:?}, got {found:?}", path.display()));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 40, "only {count} cases found");
}

/// One recipient outside, from jan@voorbeeld.nl, by the shipped policy.
fn decide_one(message: Vec<u8>) -> String {
    let decisions = BTreeMap::from([("burger@example.org".to_owned(), String::new())]);
    let case = Case { policy: None, sender: None, sealed_thread: false, decisions };
    decide(&Policy::shipped(), message, &case).remove(0).1
}

#[test]
fn a_tag_is_found_in_a_header_of_a_megabyte() {
    for filler in [
        format!("X-Filler: {}\r\n", "x".repeat(1 << 20)),
        "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(25_000),
        format!("X-Filler: y\r\n{}", " folded\r\n".repeat(110_000)),
        "a\r\n".repeat(350_000),
    ] {
        let before = format!("{filler}Subject: [vertrouwelijk] x\r\n\r\ntekst\r\n");
        assert_eq!(decide_one(before.into_bytes()), "seal by tagged");
    }
    let subject = format!("Subject: {}[vertrouwelijk] x\r\n\r\n", "=?utf-8?q??= ".repeat(80_000));
    assert_eq!(decide_one(subject.into_bytes()), "seal by tagged");
    let many = format!("{}Subject: [vertrouwelijk] x\r\n\r\n", "Subject: x\r\n".repeat(90_000));
    assert_eq!(decide_one(many.into_bytes()), "seal by tagged", "over the limit the stricter rule wins");
    let replies = format!("Subject: {}[vertrouwelijk] x\r\n\r\n", "Re: ".repeat(250_000));
    assert_eq!(decide_one(replies.into_bytes()), "seal by tagged");
}

#[test]
fn beyond_the_limit_of_a_header_nothing_passes() {
    let mut message = b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(100_000);
    message.extend_from_slice(b"Subject: gewoon\r\n\r\n");
    assert_eq!(decide_one(message), "seal by tagged");
}

#[test]
fn a_thousand_recipients_cost_one_look() {
    let header = "Subject: =?utf-8?q?x?= y\r\n".repeat(40_000);
    let message = CrlfBytes::check(format!("{header}\r\nbsn\r\n").into_bytes()).unwrap();
    let header = Header::parse(message.as_slice());
    let content = MessageContent::new(&header, &message);
    let sender = ReversePath::Null;
    let policy = Policy::load(&[folder().join("policies/bsn.toml")]).unwrap();
    let start = Instant::now();
    for number in 0..1000 {
        let recipient = Address::parse(&format!("a{number}@example.org")).unwrap();
        let facts = RuleInput {
            content: &content,
            sender: &sender,
            recipient: &recipient,
            internal: false,
            sealed_thread: false,
        };
        policy.decide(&facts);
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// The subjects in a file of `policies/cases/subjects`, one a line.
fn subjects(file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join("subjects").join(file)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn decide_subject(subject: &str) -> String {
    decide_one(format!("Subject: {subject}\r\n\r\ntekst\r\n").into_bytes())
}

/// C32: a slip of the pen is no way out.
#[test]
fn a_tag_in_any_form_seals() {
    let tagged = subjects("tagged.txt");
    assert!(tagged.len() >= 200);
    let missed: Vec<_> =
        tagged.iter().filter(|subject| decide_subject(subject) != "seal by tagged").collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// C32: what that costs. Whoever changes the number changes policies/README.md.
#[test]
fn of_500_ordinary_subjects_few_are_sealed_by_mistake() {
    let ordinary = subjects("ordinary.txt");
    assert_eq!(ordinary.iter().collect::<BTreeSet<_>>().len(), 500);
    let sealed: Vec<_> =
        ordinary.into_iter().filter(|subject| decide_subject(subject).starts_with("seal")).collect();
    assert_eq!(sealed, subjects("ordinary-sealed.txt"));
    let manual = fs::read_to_string(folder().join("../README.md")).unwrap();
    assert!(manual.contains(&format!("{} of 500", sealed.len())), "{} of 500", sealed.len());
}
