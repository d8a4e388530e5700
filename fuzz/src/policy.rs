//! A policy file (TOML): refused with its name and a reason, or rules that decide every message, and that a rule behind
//! them does not change.

use std::path::Path;

use zegel::address::{Address, ReversePath};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::policy::{Decision, MessageContent, Policy, RuleInput, RuleTrace, Verdict};

const MAILS: &[&str] = &[
    "Subject: zaak 12\r\n\r\nBeste mevrouw,\r\n",
    "Subject: Re: [vertrouwelijk 14d] zaak\r\nSensitivity: Private\r\nX-Zegel: seal\r\n\r\nBSN 111222333\r\n",
    "Subject: =?utf-8?q?open=3A_x?=\r\nSubject: secure: y\r\n\r\n",
];

pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let file = Path::new("rules.toml");
    let policy = match Policy::parse(file, text) {
        Ok(policy) => policy,
        Err(error) => return assert!(error.to_string().starts_with("rules.toml: ")),
    };
    // In a file without rules of its own the text may end within a table.
    let last = format!("{text}\n[[rule]]\nname = \"the last one\"\nthen = \"pass\"\n");
    let longer = Policy::parse(file, &last).ok();
    for mail in MAILS {
        let (decision, traces) = decide(&policy, mail);
        is_explained(&decision, &traces);
        if let Verdict::Reject { text } = decision.verdict() {
            assert!(crate::is_one_line(text) && text.len() <= 400, "{text:?}");
        }
        if let Some(longer) = &longer {
            let (same, _) = decide(longer, mail);
            assert_eq!(same.verdict(), decision.verdict());
        }
        let subject = Header::parse(mail.as_bytes()).subject();
        let clean = policy.clean_subject(&subject);
        assert_eq!(policy.clean_subject(&clean), clean, "cleaner than clean");
    }
}

fn decide(policy: &Policy, mail: &str) -> (Decision, Vec<RuleTrace>) {
    let message = CrlfBytes::normalised(mail.as_bytes());
    let header = Header::parse(message.as_slice());
    let content = MessageContent::new(&header, &message);
    let recipient = Address::parse("anna@example.org").expect("it is one");
    let facts = RuleInput {
        content: &content,
        sender: &ReversePath::Null,
        recipient: &recipient,
        internal: false,
        sealed_thread: true,
    };
    (policy.decide(&facts), policy.explain(&facts))
}

/// The explanation names the rule that decides, and no other.
fn is_explained(decision: &Decision, traces: &[RuleTrace]) {
    let deciding: Vec<&str> =
        traces.iter().filter(|trace| trace.decides).map(|trace| trace.rule.as_str()).collect();
    assert_eq!(deciding, decision.rule().into_iter().collect::<Vec<_>>());
    assert!(traces.iter().all(|trace| trace.matched || !trace.decides));
}
