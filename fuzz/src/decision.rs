//! The decision on any message (C06): never weaker because a field stands there twice, always "seal" with a tag in front
//! of it, and never undone by a second subject.

use std::sync::LazyLock;

use zegel::address::{Address, ReversePath};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::policy::{MessageContent, Policy, RuleInput, Verdict};

use crate::message;

/// Read once: it is the message that changes.
static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| [Policy::shipped(), strict()]);

/// Fields that are tried in a second place.
const MAX_FIELDS: usize = 6;

pub fn holds(input: &[u8]) {
    let message = message(input);
    let mail = message.as_slice();
    for policy in POLICIES.iter() {
        let strictness = decide(policy, mail);
        for field in Header::parse(mail).fields().take(MAX_FIELDS) {
            let mut line = field.raw().to_vec();
            if !line.ends_with(b"\r\n") {
                line.extend_from_slice(b"\r\n");
            }
            // An indented first line would become part of the field above it.
            if !mail.starts_with(b" ") && !mail.starts_with(b"\t") {
                assert!(decide(policy, &on_top(mail, &line)) >= strictness, "{field:?} twice");
            }
            assert!(decide(policy, &at_the_end(mail, &line)) >= strictness, "{field:?} twice");
        }
        let mail = on_top(mail, NO_ANSWER);
        let mail = mail.as_slice();
        for tag in TAGS.iter().map(|tag| tag.as_bytes()) {
            assert!(decide(policy, &on_top(mail, tag)) >= SEAL, "a tag on top");
            assert!(decide(policy, &at_the_end(mail, tag)) >= SEAL, "a tag at the end");
            let tagged = on_top(mail, tag);
            if let Some(forward) = forwarded(&tagged) {
                assert!(decide(policy, &forward) >= SEAL, "a tag on a message within");
            }
            assert!(
                decide(policy, &on_top(&tagged, b"Subject: [open] x\r\n")) >= SEAL,
                "a tag below another"
            );
        }
    }
}

const SEAL: u8 = 1;

/// What a program answers may pass with a tag; what is forwarded may not.
const NO_ANSWER: &[u8] = b"Auto-Submitted: auto-forwarded\r\n";

/// What must be found wherever it stands.
const TAGS: &[&str] = &[
    "Subject: [vertrouwelijk] x\r\n",
    "subject :\r\n =?utf-8?b?c2VjdXJlOiB4?=\r\n",
    "Subject\u{b}: [secure] x\r\n",
    "\u{feff}Sub\u{200b}ject\u{a0}: secure: x\r\n",
    "Subject: Spoed: x {vertouwelijke}\r\n",
    "Subject: [vertrouwelijk x\r\n",
];

/// Rules beside those that everybody has: that read the body, and that refuse.
fn strict() -> Policy {
    let rules = r#"
        [[rule]]
        name = "refused"
        when = { header = { name = "X-Class", any = ["secret*"] } }
        then = "reject"
        [[rule]]
        name = "tagged"
        when = { subject_tag = ["vertrouwelijk", "secure"] }
        then = "seal"
        [[rule]]
        name = "open"
        when = { subject_tag = ["open"] }
        then = "pass"
        [[rule]]
        name = "number"
        when = { bsn = true }
        then = "seal"
    "#;
    Policy::parse("strict.toml".as_ref(), rules).expect("these are rules")
}

/// 0 to pass, 1 to seal, 2 to refuse.
fn decide(policy: &Policy, mail: &[u8]) -> u8 {
    let message = CrlfBytes::check(mail.to_vec()).expect("lines were added to lines");
    let header = Header::parse(mail);
    let content = MessageContent::new(&header, &message);
    let sender = ReversePath::Address(Address::parse("j.jansen@voorbeeld.nl").expect("it is one"));
    let recipient = Address::parse("anna@example.org").expect("it is one");
    let facts = RuleInput {
        content: &content,
        sender: &sender,
        recipient: &recipient,
        internal: false,
        sealed_thread: false,
    };
    match policy.decide(&facts).verdict() {
        Verdict::Pass => 0,
        Verdict::Seal(_) => SEAL,
        Verdict::Reject { .. } => 2,
    }
}

fn on_top(mail: &[u8], line: &[u8]) -> Vec<u8> {
    [line, mail].concat()
}

/// Attached to another message; none where it would end there before it does.
fn forwarded(mail: &[u8]) -> Option<Vec<u8>> {
    const BOUNDARY: &[u8] = b"=_zegel_fuzz_7c1d";
    let (top, part) = (b"Content-Type: multipart/mixed; boundary=\"=_zegel_fuzz_7c1d\"\r\n\r\n--", b"--");
    let holds_boundary = mail.windows(BOUNDARY.len()).any(|window| window == BOUNDARY);
    let pieces: [&[u8]; 8] = [
        top,
        BOUNDARY,
        b"\r\nContent-Type: message/rfc822\r\n\r\n",
        mail,
        b"\r\n",
        part,
        BOUNDARY,
        b"--\r\n",
    ];
    (!holds_boundary).then(|| pieces.concat())
}

/// Below all other fields.
fn at_the_end(mail: &[u8], line: &[u8]) -> Vec<u8> {
    if mail.starts_with(b"\r\n") {
        return on_top(mail, line);
    }
    match mail.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => [&mail[..at + 2], line, &mail[at + 2..]].concat(),
        None if mail.is_empty() || mail.ends_with(b"\r\n") => [mail, line].concat(),
        None => [mail, b"\r\n", line].concat(),
    }
}
