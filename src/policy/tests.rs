//! Policy files: what they may say, and what an administrator is told when they cannot be used.

use super::*;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;

fn policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse("rules.toml".as_ref(), text)
}

/// One rule, named `a`.
fn one_rule(then: &str, when: &str) -> Policy {
    policy(&format!("[[rule]]\nname = \"a\"\nthen = \"{then}\"\nwhen = {{ {when} }}\n")).unwrap()
}

fn decides(policy: &Policy, message: &str) -> bool {
    with_facts(message, |facts| policy.decide(facts).rule().is_some())
}

fn with_facts<T>(message: &str, ask: impl FnOnce(&RuleInput) -> T) -> T {
    with_facts_from(&ReversePath::Null, message, ask)
}

fn with_facts_from<T>(sender: &ReversePath, message: &str, ask: impl FnOnce(&RuleInput) -> T) -> T {
    let message = CrlfBytes::check(message.replace('\n', "\r\n").into_bytes()).unwrap();
    let header = Header::parse(message.as_slice());
    let recipient = Address::parse("burger@example.org").unwrap();
    ask(&RuleInput {
        content: &MessageContent::new(&header, &message),
        sender,
        recipient: &recipient,
        internal: false,
        sealed_thread: false,
    })
}

#[test]
fn the_shipped_rules_can_be_read() {
    let shipped = policy(SHIPPED).unwrap();
    assert_eq!(shipped.rules.len(), Policy::shipped().rule_count());
    assert!(shipped.needs_thread() && !policy("").unwrap().needs_thread());
    assert_eq!(shipped.clean_subject("RE: [Vertrouwelijk] Zaak 12"), "RE: Zaak 12");
}

#[test]
fn every_option_arrives() {
    let policy = policy(
        "[[rule]]\nname = \"a\"\nthen = \"seal\"\nexpiry_days = 365\npassword = \"none\"\nsubject = \"keep\"\n\
         download_notice = false\nfile_names = true\n",
    );
    let decision = with_facts("Subject: x\n\n", |facts| policy.unwrap().decide(facts));
    let options = SealOptions {
        expiry_days: Some(365),
        password: Some(PasswordMode::None),
        subject: Some(SubjectMode::Keep),
        download_notice: Some(false),
        file_names: Some(true),
    };
    assert_eq!((decision.rule(), decision.verdict()), (Some("a"), &Verdict::Seal(options)));
}

#[test]
fn a_verdict_has_the_word_of_the_file() {
    for then in ["pass", "seal", "reject"] {
        let policy = policy(&format!("[[rule]]\nname = \"a\"\nthen = \"{then}\"\n")).unwrap();
        let decision = with_facts("Subject: x\n\n", |facts| policy.decide(facts));
        assert_eq!(decision.verdict().as_str(), then);
        if let Verdict::Reject { text } = decision.verdict() {
            assert_eq!(text, "refused by the policy of this organisation");
        }
    }
}

#[test]
fn only_tags_that_seal_have_options() {
    let policy = policy(
        "[[rule]]\nname = \"a\"\nwhen = { subject_tag = \"open\" }\nthen = \"pass\"\n\
         [[rule]]\nname = \"b\"\nwhen = { subject_tag = \"x\" }\nthen = \"seal\"\n",
    );
    let policy = policy.unwrap();
    let days = |subject: &str| policy.tag_options(subject).expiry_days;
    assert_eq!((days("[x 14d] y"), days("[open 14d] y")), (Some(14), None));
    let password = "[x 14d wachtwoord=Zomer-2026] y";
    assert_eq!(policy.subject_without_options(password), "[x] y");
    assert_eq!(policy.clean_subject(password), "y");
}

#[test]
fn faults_name_file_rule_key_and_reason() {
    let rule = "[[rule]]\nname = \"a\"\nthen = \"seal\"\n";
    for (text, said) in [
        ("rules = 1", "unknown key rules; did you mean rule?"),
        ("rule = 1", "rule: each rule starts with [[rule]]"),
        ("[[rule]]\nthen = \"seal\"", "rule 1: name: is missing"),
        ("[[rule]]\nname = \"a\"", "rule \"a\": then: is missing"),
        ("[[rule]]\nname = \" \"\nthen = \"seal\"", "name: must be one short line"),
        ("[[rule]]\nname = \"a\\nb\"\nthen = \"seal\"", "name: must be one short line"),
        (
            "[[rule]]\nname = \"a\"\nthen = \"drop\"",
            "then: must be \"pass\", \"seal\" or \"reject\", not \"drop\"",
        ),
        (&format!("{rule}{rule}"), "rule \"a\": name: another rule has this name already"),
        (&format!("{rule}expire_days = 3"), "rule \"a\": unknown key expire_days; did you mean expiry_days?"),
        (&format!("{rule}expiry_days = 0"), "expiry_days: must be from 1 to 365"),
        (&format!("{rule}expiry_days = 366"), "expiry_days: must be from 1 to 365"),
        (&format!("{rule}expiry_days = \"x\""), "expiry_days: invalid type"),
        (&format!("{rule}password = \"weak\""), "password: unknown variant `weak`"),
        (&format!("{rule}text = \"x\""), "text: does not go with then = \"seal\""),
        (
            &format!("{rule}when = {{ subject_tags = [] }}"),
            "when: unknown key subject_tags; did you mean subject_tag?",
        ),
        (&format!("{rule}when = {{ subject_tag = [] }}"), "when.subject_tag: must not be empty"),
        (&format!("{rule}when = {{ subject_tag = \"[x]\" }}"), "write the tag without brackets"),
        (&format!("{rule}when = {{ subject_tag = \"a∶b\" }}"), "write the tag without brackets or colon"),
        (&format!("{rule}when = {{ subject_tag = \"\u{200b}-\" }}"), "is no tag"),
        (&format!("{rule}when = {{ header = {{ name = \"X\" }} }}"), "when.header: any: is missing"),
        (
            &format!("{rule}when = {{ header = {{ name = \"\" }} }}"),
            "when.header: name: \"\" is no field name",
        ),
        (&format!("{rule}when = {{ header = {{ name = \"X:\" }} }}"), "name: \"X:\" is no field name"),
        (&format!("{rule}when = {{ header = {{ name = \"X Y\" }} }}"), "name: \"X Y\" is no field name"),
        (
            &format!("{rule}when = {{ sender = \"voorbeeld.nl\" }}"),
            "when.sender: \"voorbeeld.nl\" is no address",
        ),
        (&format!("{rule}when = {{ internal = \"yes\" }}"), "when.internal: invalid type"),
        (&format!("{rule}when = {{ min_size = \"10MB\" }}"), "when.min_size: invalid value"),
        (&format!("{rule}when = {{ automatic = \"yes\" }}"), "when.automatic: invalid type"),
        (&format!("{rule}when = {{ thread = \"open\" }}"), "when.thread: must be \"sealed\""),
        ("[[rule]]\nname = \"a\"\nthen = \"reject\"\ntext = \"a\\r\\nb\"", "text: must be one line"),
        ("[[rule]\n", "TOML parse error at line 1"),
    ] {
        let error = policy(text).unwrap_err().to_string();
        assert!(error.starts_with("rules.toml: ") && error.contains(said), "{text}\n{error}");
    }
    let missing = Policy::load(&["/nonexistent/rules.toml".into()]).unwrap_err().to_string();
    assert!(missing.starts_with("/nonexistent/rules.toml: "), "{missing}");
}

#[test]
fn what_is_written_may_be_as_long_as_its_limit() {
    for (most, rule) in [
        (100, "name = \"LONG\"\nthen = \"seal\""),
        (100, "name = \"a\"\nthen = \"seal\"\nwhen = { subject_tag = \"LONG\" }"),
        (400, "name = \"a\"\nthen = \"reject\"\ntext = \"LONG\""),
    ] {
        let reads =
            |length: usize| policy(&format!("[[rule]]\n{}\n", rule.replace("LONG", &"x".repeat(length))));
        assert!(reads(most).is_ok(), "{rule}");
        assert!(reads(most + 1).is_err(), "{rule}");
    }
}

#[test]
fn what_cannot_be_found_out_goes_to_the_strictest() {
    let rules = |order: [&str; 3]| {
        let rule = |then: &str| match then {
            "open" => "[[rule]]\nname = \"open\"\nwhen = { bsn = true }\nthen = \"pass\"\n",
            "seal" => "[[rule]]\nname = \"seal\"\nwhen = { bsn = true }\nthen = \"seal\"\n",
            "rest" => "[[rule]]\nname = \"rest\"\nthen = \"pass\"\n",
            _ => "[[rule]]\nname = \"reject\"\nthen = \"reject\"\n",
        };
        policy(&order.map(rule).concat()).unwrap()
    };
    let damaged = "Content-Type: multipart/mixed\n\nx\n";
    for (order, expected) in [
        (["open", "seal", "rest"], "seal"),
        (["open", "rest", "seal"], "open"),
        (["rest", "seal", "open"], "rest"),
        (["seal", "open", "reject"], "reject"),
    ] {
        let decision = with_facts(damaged, |facts| rules(order).decide(facts));
        assert_eq!(decision.rule(), Some(expected), "{order:?}");
    }
}

#[test]
fn an_explanation_says_nothing_of_the_text() {
    let policy = policy(
        "[[rule]]\nname = \"a\"\nwhen = { bsn = true, subject_tag = \"x\", header = { name = \"X-A\", any = \"1\" } }\nthen = \"seal\"\n",
    );
    let message = "Subject: [x] Overlijden\nX-A: 1\n\nbsn 123456782\n";
    let traces = with_facts(message, |facts| policy.unwrap().explain(facts));
    let said = serde_json::to_string(&traces).unwrap();
    assert!(traces[0].decides && traces[0].conditions.len() == 3, "{said}");
    assert!(traces[0].conditions.iter().all(|condition| condition.matched), "{said}");
    assert!(!said.contains("123456782") && !said.contains("Overlijden"), "{said}");
}

#[test]
fn an_explanation_names_each_condition_the_cheap_ones_first() {
    let policy = policy(
        "[[rule]]\nname = \"a\"\nthen = \"seal\"\nwhen = { bsn = false, automatic = true, subject_tag = \"x\", thread = \"sealed\", \
         min_size = 1, internal = false, recipient = \"@example.org\", sender = \"@voorbeeld.nl\", \
         header = { name = \"X-A\", any = \"1\" } }\n",
    );
    let traces = with_facts("Subject: [x] y\n\n", |facts| policy.unwrap().explain(facts));
    let mut said: Vec<_> = traces[0].conditions.iter().map(|one| (one.condition, one.matched)).collect();
    assert_eq!(said[said.len() - 2..], [("automatic", false), ("bsn", true)], "the body is read last");
    said.sort_unstable();
    let expected = [
        ("automatic", false),
        ("bsn", true),
        ("header", false),
        ("internal", true),
        ("min_size", true),
        ("recipient", true),
        ("sender", false),
        ("subject_tag", true),
        ("thread", false),
    ];
    assert_eq!(said, expected);
    assert!(!traces[0].matched && !traces[0].decides);
}

/// C06: what lies beyond a limit, or is in a charset that nobody here knows, may be a tag.
#[test]
fn a_subject_that_cannot_be_read_may_bear_a_tag() {
    let rule = |then: &str, when: &str, message: &str| decides(&one_rule(then, when), message);
    let long = |octets: usize| format!("Subject: y\nX: {}\n\n", "y".repeat(octets));
    let many = |tag: &str, count: usize| format!("{}\n", format!("Subject: {tag}\n").repeat(count));
    for (y, x, unread) in [
        (long(100), "Subject: [x]\n\n".to_owned(), long(4 << 20)),
        (many("y", 1000), many("[x]", 1000), many("y", 1001)),
        (many("y", 1), many("[x]", 1), many("=?cp037?B?reWFmaOZlqSmhZOJkZK9?=", 1)),
    ] {
        for when in ["subject_tag = \"x\"", "header = { name = \"Subject\", any = \"[x]\" }"] {
            let seals = |message| rule("seal", when, message);
            assert_eq!((seals(&y), seals(&x), seals(&unread)), (false, true, true), "{when}");
        }
    }
    let pass = |message: &str| rule("pass", "subject_tag = \"x\"", message);
    assert!(pass(&many("[x]", 1000)) && !pass(&many("[x]", 1001)));
}

#[test]
fn a_message_is_as_large_as_its_octets() {
    let rule = |least: usize| decides(&one_rule("seal", &format!("min_size = {least}")), "Subject: x\n\ny\n");
    assert_eq!((rule(17), rule(18)), (true, false));
}

/// What lets mail pass is believed only where all of it says so.
#[test]
fn a_rule_that_lets_pass_wants_every_field_to_agree() {
    let rule = |then: &str, any: &str, fields: &str| {
        let when = format!("header = {{ name = \"X-A\", any = \"{any}\" }}");
        decides(&one_rule(then, &when), &format!("{fields}Subject: x\n\n"))
    };
    for (fields, pass, seal) in [
        ("X-A: 1\n", true, true),
        ("X-A: 1\nX-A: 1\n", true, true),
        ("X-A: 1\nX-A: 2\n", false, true),
        ("X-A: 2\n", false, false),
        ("", false, false),
    ] {
        assert_eq!((rule("pass", "1", fields), rule("seal", "1", fields)), (pass, seal), "{fields}");
    }
    for (any, matches) in
        [("*aba*ba", false), ("*ab*ba", false), ("ab*a", true), ("a*b*", true), ("*b*c", false)]
    {
        assert_eq!(rule("seal", any, "X-A: aba\n"), matches, "{any}");
    }
}

#[test]
fn quotes_hide_nobody_from_a_rule_that_seals_and_let_nobody_pass() {
    let sender = ReversePath::Address(Address::parse("\"piet de\"@voorbeeld.nl").unwrap());
    let rule = |then: &str| {
        let policy = one_rule(then, "sender = \"piet*@voorbeeld.nl\"");
        with_facts_from(&sender, "Subject: x\n\n", |facts| policy.decide(facts).rule().is_some())
    };
    assert_eq!((rule("seal"), rule("pass")), (true, false));
}

#[test]
fn an_explanation_says_how_sure_it_is() {
    let why = |then: &str, message: &str| {
        let policy = one_rule(then, "subject_tag = \"x\"");
        with_facts(message, |facts| policy.explain(facts)[0].conditions[0].why.clone())
    };
    assert_eq!(why("seal", "Subject: Re: [x]\n\n"), "the subject is tagged with [x]");
    assert_eq!(why("seal", "Subject: y\n\n"), "the subject is not tagged with [x]");
    assert_eq!(why("pass", "Subject: [x]\n\n"), "the subject starts with [x]");
    assert_eq!(why("pass", "Subject: y\n\n"), "the subject does not start, in every reading, with [x]");
}

/// C31, H38: what a rule makes of automatic answers, and of what may be one.
#[test]
fn an_automatic_answer_must_be_one_for_sure() {
    let sure = "Auto-Submitted: auto-replied\n\nIk ben er niet.\n";
    let quoting = "Auto-Submitted: auto-replied\n\n> Geachte\n";
    let unsure = "Auto-Submitted: auto-replied\nContent-Type: multipart/mixed\n\nIk ben er niet.\n";
    for (then, wanted, expected) in [
        ("pass", true, [true, false, false]),
        ("pass", false, [false, true, false]),
        ("seal", true, [true, false, true]),
        ("seal", false, [false, true, true]),
    ] {
        let policy = one_rule(then, &format!("automatic = {wanted}"));
        let found = [sure, quoting, unsure].map(|message| decides(&policy, message));
        assert_eq!(found, expected, "{then} {wanted}");
    }
}

#[test]
fn only_empty_angles_are_the_null_sender() {
    let rule = |sender: &str| decides(&one_rule("seal", &format!("sender = {sender}")), "Subject: x\n\n");
    assert!(rule("\"<>\"") && rule("[\"@voorbeeld.nl\", \"<>\"]"));
    assert!(!rule("\"@voorbeeld.nl\"") && !rule("\"*\""));
}

#[test]
fn the_examples_of_the_manual_can_be_read() {
    let manual = include_str!("../../policies/README.md");
    let mut examples: Vec<String> = vec![String::new()];
    for line in manual.lines() {
        match (line.strip_prefix("    "), line.is_empty()) {
            (Some(code), _) => examples.last_mut().unwrap().extend([code, "\n"]),
            (None, true) => {}
            (None, false) => examples.push(String::new()),
        }
    }
    let rules: Vec<_> = examples.iter().filter(|example| example.contains("[[rule]]")).collect();
    assert!(rules.len() >= 4);
    for example in rules {
        policy(example).unwrap();
    }
}
