//! What is left of a subject, and what its tags ask for.

use super::super::finding::Finding;
use super::super::fold::skeleton;
use super::super::options::TagPassword;
use super::*;

fn tags() -> Tags {
    Tags::new(["vertrouwelijk", "secure", "niet vertrouwelijk"])
}

fn cleaned(subject: &str) -> String {
    clean(&tags(), &Tags::new(["open"]), subject)
}

fn texts(subject: &str) -> Vec<&str> {
    let tags = tags();
    let parts = SubjectParts::of(&tags, subject);
    parts.asked.into_iter().map(|asked| subject[asked.text].trim()).filter(|text| !text.is_empty()).collect()
}

fn without(subject: &str) -> String {
    without_options(&tags(), subject)
}

fn chosen(subject: &str) -> Option<String> {
    match options(&tags(), subject).password {
        Some(TagPassword::Chosen(password)) => Some(password.reveal().to_owned()),
        _ => None,
    }
}

#[test]
fn takes_tags_away() {
    for (subject, expected) in [
        ("[vertrouwelijk] Zaak 12", "Zaak 12"),
        ("RE: [Vertrouwelijk] Zaak  12", "RE: Zaak 12"),
        ("secure: Re: secure: [secure 14d] Zaak", "Re: Zaak"),
        ("Ａntw: ［secure］ Z\u{e9}ak", "Ａntw: Z\u{e9}ak"),
        ("Аntw: [vеrtrouvveIijk] Wіm", "Аntw: Wіm"),
        ("[secure]", ""),
        ("[[sec\u{301}ure]] [spoed, secure] Zaak", "Zaak"),
        ("Zaak [secure]", "Zaak"),
        ("Zaak [secure] 12", "Zaak 12"),
        ("İ: [secure] x", "İ: x"),
        ("Re: \u{200b}[sec\u{200b}ure] x", "Re: \u{200b} x"),
        ("[secure wachtwoord=a[b]c 14d] Zaak", "Zaak"),
        ("[x [secure] y] Zaak", "Zaak"),
        ("(vertrouwelijk) Zaak", "Zaak"),
        ("[vertrouwelijk Uw aanvraag", "Uw aanvraag"),
        ("[vertrouwelijk 14d taal=fy Uw aanvraag", "Uw aanvraag"),
        ("[vertrouwelijk) Uw aanvraag", "Uw aanvraag"),
        ("VERTROUWELIJK - Zaak", "Zaak"),
        ("Spoed: vertouwelijk | Zaak", "Spoed: Zaak"),
        ("Zaak - vertrouwelijk", "Zaak"),
        ("vertrouwelijk] Zaak", "Zaak"),
        ("[vertrouwelijke]: Zaak", "Zaak"),
        ("Zaak #vertrouwelijk", "Zaak"),
        ("[vertrouwelijk] wachtwoord=Zomer-2026 Zaak", "Zaak"),
        ("[open] [secure] Zaak (open)", "Zaak (open)"),
        ("open: RE: [secure] Zaak", "RE: Zaak"),
        ("[secure] Zaak open: dinsdag", "Zaak open: dinsdag"),
    ] {
        assert_eq!(cleaned(subject), expected, "{subject}");
    }
    assert_eq!(cleaned(&"[secure] x ".repeat(2000)), "", "more than is looked at");
}

#[test]
fn finds_what_stands_behind_a_tag() {
    for (subject, expected) in [
        ("[secure] x", vec![]),
        ("secure: 14d", vec![]),
        ("[other 14d] x", vec![]),
        ("[secure 14d] x", vec!["14d"]),
        ("RE: [x] [ Sec\u{200b}ure \u{a0} Wachtwoord=Ab\u{e9} 14D ] x", vec!["Wachtwoord=Ab\u{e9} 14D"]),
        ("［ｓｅｃｕｒｅ １４ｄ］ x", vec!["１４ｄ"]),
        ("[urgent, secure, 14d] x", vec![", 14d"]),
        ("[niet  vertrouwelijk 14d] x", vec!["14d"]),
        ("[secure a=b[c]d] x", vec!["a=b[c]d"]),
        ("[secure a=b[c]] x", vec!["a=b[c]"]),
        ("[[secure a=b[c]]] x", vec!["a=b[c]"]),
        ("[[secure 14d]] [secure 7d] x", vec!["14d", "7d"]),
        ("[secure(14d)] x", vec!["(14d)"]),
        ("(secure 14d) x", vec!["14d"]),
        ("[secure 14d :)] x", vec!["14d :)"]),
        ("[[secure 14d] [secure a=b]] x", vec!["14d", "a=b"]),
        ("[[secure a=[secure 14d]] y [secure 7d]] x", vec!["a=[secure 14d]", "7d"]),
        ("[secure 14d geen wachtwoord Uw zaak 7d", vec!["14d geen wachtwoord"]),
        ("[secure wachtwoord=a[b] x", vec!["wachtwoord=a[b]"]),
    ] {
        assert_eq!(texts(subject), expected, "{subject}");
    }
}

#[test]
fn takes_options_away_and_leaves_the_tag() {
    for (subject, expected) in [
        ("[secure] x", "[secure] x"),
        ("RE: [Secure 14d a=b] x", "RE: [Secure] x"),
        ("[x] [[secure a=b[c]]] [secure 7d] y", "[x] [[secure]] [secure] y"),
        ("[urgent, secure, 14d] x", "[urgent, secure] x"),
        ("secure: [14d]", "secure: [14d]"),
        ("[[secure 14d] [secure a=b]] x", "[[secure] [secure]] x"),
        ("[vertrouwelijk wachtwoord=Zomer-2026 Uw aanvraag", "[vertrouwelijk Uw aanvraag"),
        ("(vertrouwelijk wachtwoord=Zomer-2026)", "(vertrouwelijk)"),
    ] {
        assert_eq!(without(subject), expected, "{subject}");
    }
}

/// C33: beside the tag a password counts as in its brackets, and leaves as little.
#[test]
fn a_misplaced_password_is_one() {
    for subject in [
        "[vertrouwelijk] [wachtwoord=KANARIE-2026] Zaak",
        "[vertrouwelijk] wachtwoord=KANARIE-2026 Zaak",
        "[vertrouwelijk] ww=KANARIE-2026 Zaak",
        "[vertrouwelijk] pass=KANARIE-2026 Zaak",
        "[vertrouwelijk] password=KANARIE-2026 Zaak",
        "[vertrouwelijk] wachtwoord: KANARIE-2026 Zaak",
        "[vertrouwelijk] wachtwoord = KANARIE-2026 Zaak",
        "[vertrouwelijk] Zaak wachtwoord:KANARIE-2026",
        "[vertrouwelijk] Zaak (ww=KANARIE-2026)",
        "[vertrouwelijk] {wachtwurd: KANARIE-2026}Zaak",
        "[vertrouwelijk] wachtwoord=\"KANARIE-2026\" Zaak",
        "wachtwoord=KANARIE-2026 [vertrouwelijk] Zaak",
        "[wachtwoord=KANARIE-2026] [vertrouwelijk] Zaak",
        "[vertrouwelijk wachtwoord=KANARIE-2026 Zaak",
        "[vertrouwelijk pw=KANARIE-2026] Zaak",
        "[wachtwoord=KANARIE-2026 vertrouwelijk] Zaak",
        "[ww=KANARIE-2026, secure] Zaak",
        "[ww=KANARIE-2026 secure] Zaak",
        "[vertrouwelijk] wachtword=KANARIE-2026 Zaak",
        "[vertrouwelijk] Zaak/wachtwoord=KANARIE-2026",
        "VERTROUWELIJK - Zaak wachtwoord=KANARIE-2026",
        "Spoed: (vertouwelijk) ww=KANARIE-2026 Zaak",
    ] {
        assert_eq!(chosen(subject).as_deref(), Some("KANARIE-2026"), "{subject}");
        for rest in [cleaned(subject), without(subject)] {
            assert!(!rest.contains("KANARIE") && rest.contains("Zaak"), "{subject}: {rest}");
        }
        assert_eq!(tags().are_on(&skeleton(&without(subject))), Finding::Yes, "{subject}");
    }
    for subject in [
        "[vertrouwelijk] [wachtwoord KANARIE-2026] Zaak",
        "[vertrouwelijk] [wachtwoord=KANARIE in KANARIE] Zaak",
        "[vertrouwelijk] Zaak (zie wachtwoord=KANARIE-2026)",
        "[vertrouwelijk wachtwoord KANARIE-2026 Zaak",
        "[vertrouwelijk wachtwoord=KANARIE]2026 Zaak wachtwoord=KANARIE3",
        "[vertrouwelijk] ww=KANARIE-2026 ww=KANARIE-2027 Zaak",
    ] {
        let options = options(&tags(), subject);
        assert!(options.has_password && options.password.is_none(), "{subject}");
        for rest in [cleaned(subject), without(subject)] {
            assert!(!rest.contains("KANARIE") && rest.contains("Zaak"), "{subject}: {rest}");
        }
    }
}

#[test]
fn other_words_beside_a_tag_are_no_password() {
    for subject in [
        "[vertrouwelijk] Wachtwoord vergeten",
        "[vertrouwelijk] WW: beoordeling",
        "[vertrouwelijk] Wachtwoordbeleid: concept",
        "[vertrouwelijk] Uw zaak (wachtwoord vergeten)",
        "[vertrouwelijk] Pass voor het zwembad",
        "Zaak wachtwoord=x",
    ] {
        assert!(!options(&tags(), subject).has_password, "{subject}");
    }
}

#[test]
fn says_how_the_subject_was_read() {
    let read =
        |subject: &str| options(&tags(), subject).reading.map(|one| (one.written, one.tag, one.is_plain));
    for (subject, written, tag, is_plain) in [
        ("[vertrouwelijk 14d] x", "[vertrouwelijk]", "[vertrouwelijk]", true),
        ("Spoed: [Secure] x", "[Secure]", "[secure]", true),
        ("secure: x", "secure:", "[secure]", true),
        ("[vertouwelijk wachtwoord=geheim123] x", "[vertouwelijk]", "[vertrouwelijk]", false),
        ("(vertrouwelijk) x", "(vertrouwelijk)", "[vertrouwelijk]", false),
        ("[vertrouwelijk Uw x", "[vertrouwelijk", "[vertrouwelijk]", false),
        ("VERTROUWELIJK - x", "VERTROUWELIJK -", "[vertrouwelijk]", false),
        ("(secure) [secure] x", "[secure]", "[secure]", true),
    ] {
        assert_eq!(read(subject), Some((written.to_owned(), tag.to_owned(), is_plain)), "{subject}");
    }
    assert_eq!(read("[open] x"), None);
}

proptest::proptest! {
    #[test]
    fn nothing_breaks_it(subject: String, prefix in "(re: |\\[|\\]|\\(|secure|ww=|\"|:| |-|İ|ﬃ){0,8}") {
        let subject = prefix + &subject;
        cleaned(&subject);
        without(&subject);
        options(&tags(), &subject);
    }

    /// C06: whatever stands behind the tag in its brackets, all of it goes.
    #[test]
    fn options_go_with_the_tag(options in "[^\\[\\]]{0,60}", rest in "[a-z ]{0,20}") {
        proptest::prop_assume!(!skeleton(&options).contains(['[', ']']));
        let subject = format!("[vertrouwelijk {options}] {rest}");
        let bare = without(&subject);
        proptest::prop_assert_eq!(tags().are_on(&skeleton(&bare)), Finding::Yes);
        proptest::prop_assert!(texts(&bare).is_empty(), "{}", bare);
        let words = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        proptest::prop_assert_eq!(cleaned(&subject), words);
    }

    /// H03: a password in brackets in brackets is none that stays.
    #[test]
    fn no_options_are_left(inside in "(\\[|\\]|\\(|\\)|secure|ww=|[a-z=, 0-9]){0,12}", rest in "[a-z ]{0,20}") {
        let bare = without(&format!("[{inside}] {rest}"));
        proptest::prop_assert!(texts(&bare).is_empty(), "{}", bare);
    }

    #[test]
    fn no_tag_is_left(
        start in "([sS]ecure|secrue|vertrouwelijk|[\\[\\]: ,()|#*-]|re:|\\[x\\]|é|\u{301}|\u{200b}|\u{a0}|ｓ){0,12}",
        rest: String,
    ) {
        let clean = cleaned(&(start + &rest));
        proptest::prop_assert_eq!(tags().are_on(&skeleton(&clean)), Finding::No, "{}", clean);
        proptest::prop_assert_eq!(cleaned(&clean), clean);
    }
}
