//! What counts as an automatic answer, and what does not.

use super::*;
use crate::message::attached::attached;

fn ask(text: &str, from_nobody: bool) -> Option<bool> {
    let message = CrlfBytes::normalised(text.as_bytes());
    is_automatic(&message, &attached(&message), from_nobody)
}

fn answer(field: &str, kind: &str, body: &str) -> Option<bool> {
    ask(&format!("Subject: Automatisch antwoord: [x] y\n{field}\nContent-Type: {kind}\n\n{body}\n"), false)
}

fn away(kind: &str, body: &str) -> Option<bool> {
    answer("Auto-Submitted: auto-replied", kind, body)
}

fn report(report_type: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
    format!(
        "Subject: Onbestelbaar: [x] y\nContent-Type: multipart/report; boundary=b{report_type}\n\n{parts}--b--\n"
    )
}

const TEXT: &str = "Content-Type: text/plain\n\nUw bericht is niet bezorgd.";
const STATUS: &str = "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nAction: failed";
const READ: &str = "Content-Type: message/disposition-notification\n\nDisposition: manual-action; displayed";

#[test]
fn reports_from_nobody_are() {
    let (delivery, reading) = ("; report-type=delivery-status", "; report-type=\"disposition-notification\"");
    let headers = "Content-Type: text/rfc822-headers\n\nSubject: [x] y";
    let header_alone = "Content-Type: message/rfc822\n\nSubject: [x] y\n";
    for (kind, parts) in [
        (delivery, &[TEXT, STATUS][..]),
        (delivery, &[TEXT, STATUS, headers]),
        (delivery, &[TEXT, STATUS, header_alone]),
        (reading, &[TEXT, READ]),
        ("", &[TEXT, STATUS]),
    ] {
        let text = report(kind, parts);
        assert_eq!(ask(&text, true), Some(true), "{text}");
        assert_eq!(ask(&text, false), Some(false), "a person: {text}");
    }
    let whole = "Content-Type: message/rfc822\n\nFrom: a\nSubject: [x] y\n\ntekst";
    let hidden = "Content-Type: application/octet-stream\n\nFrom: a\nSubject: [x] y\n\ntekst";
    let long = format!("Content-Type: text/plain\n\n{}", "woord ".repeat(10_000));
    for (kind, parts) in [
        (delivery, &[TEXT, STATUS, whole][..]),
        (delivery, &[TEXT, STATUS, hidden]),
        (delivery, &[TEXT, STATUS, "Content-Type: application/pdf; name=a.pdf\n\n%PDF"]),
        (delivery, &[TEXT]),
        (delivery, &[&long, STATUS]),
        (
            "; report-type=feedback-report",
            &[TEXT, "Content-Type: message/feedback-report\n\nFeedback-Type: abuse"],
        ),
    ] {
        assert_eq!(ask(&report(kind, parts), true), Some(false), "{parts:?}");
    }
    let broken = report(delivery, &[TEXT, STATUS]).replace("boundary=b", "boundary=weg");
    assert_eq!(ask(&broken, true), None);
}

#[test]
fn who_is_away_answers_with_own_words() {
    let html = "<style>p { margin: 0 }</style><p>Ik ben er <b>niet</b>. Bel 14 0511.</p>";
    for (kind, body) in [
        ("text/plain", "Ik ben er niet.\n\nVan maandag tot vrijdag: 14 0511\n-- \nJan"),
        ("text/plain; charset=iso-8859-1", "Ik ben er niet."),
        ("text/html", html),
        ("text/plain", ""),
    ] {
        assert_eq!(away(kind, body), Some(true), "{body}");
    }
    for (kind, body) in [
        ("text/plain", "Ik ben er niet.\n\n> Geachte heer,"),
        ("text/plain", "Ik ben er niet.\n\n-----Oorspronkelijk bericht-----\nGeachte heer,"),
        ("text/plain", "Ik ben er niet.\n\nVan: Jan\nVerzonden: nu\nAan: Piet\nOnderwerp: x\n\nGeachte"),
        ("text/plain", "Ik ben er niet.\n\nOp ma 23 nov 2026 om 10:00 schreef Jan <jan@x.nl>:\nGeachte"),
        ("text/plain", "On Monday Jan wrote:\nDear"),
        ("text/html", "<p>Ik ben er niet</p><blockquote>Geachte</blockquote>"),
        ("text/html", "<p>Weg</p><p><b>From:</b> Jan<br><b>Sent:</b> nu<br><b>To:</b> Piet</p>Geachte"),
        ("text/html", "<div class=\"gmail_quote\">Geachte</div>"),
        ("text/plain", &"woord ".repeat(3000)),
        ("application/pdf; name=a.pdf", "%PDF"),
    ] {
        assert_eq!(away(kind, body), Some(false), "{body}");
    }
    assert_eq!(away("text/plain; charset=x-odd", "\u{e9}"), None);
    for field in [
        "Auto-Submitted: auto-forwarded",
        "Auto-Submitted: auto-generated",
        "Auto-Submitted: no",
        "Auto-Submitted: auto-replied\nAuto-Submitted: auto-generated",
        "Precedence: auto_reply",
        "X-Odd: auto-replied",
    ] {
        assert_eq!(answer(field, "text/plain", "Ik ben er niet."), Some(false), "{field}");
    }
    for field in
        ["auto-submitted:\n Auto-Replied (away)", "Auto-Submitted: auto-replied; owner-email=\"a@b\""]
    {
        assert_eq!(answer(field, "text/plain", "Ik ben er niet."), Some(true), "{field}");
    }
}

/// Exchange: from nobody, "generated", and it says what it answers.
#[test]
fn who_is_away_behind_exchange_answers_too() {
    let text = "Auto-Submitted: auto-generated\nIn-Reply-To: <1@x>\nSubject: x\n\nIk ben er niet.\n";
    assert_eq!((ask(text, true), ask(text, false)), (Some(true), Some(false)));
    assert_eq!(
        ask(&text.replace("In-Reply-To: <1@x>\n", ""), true),
        Some(false),
        "an application's own mail"
    );
}

#[test]
fn a_yes_to_a_meeting_is_bare() {
    let calendar = |lines: &str| {
        format!(
            "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nATTENDEE;PARTSTAT=ACCEPTED:mailto:jan@voorbeeld.nl\n\
                 SUMMARY;LANGUAGE=nl:Geaccepteerd: [x] y\n{lines}END:VEVENT\nEND:VCALENDAR\n"
        )
    };
    let message = |text: &str, calendar: &str| {
        format!(
            "Subject: Geaccepteerd: [x] y\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\
                 Content-Type: text/plain\n\n{text}\n--b\nContent-Type: text/html\n\n<html><head><style>p {{}}</style>\
                 </head><body><p>&nbsp;</p></body></html>\n--b\nContent-Type: text/calendar; method=REPLY\n\n{calendar}\n--b--\n"
        )
    };
    for lines in ["", "COMMENT;LANGUAGE=nl-NL:\\n\n", "DESCRIPTION:\n", "X-COMMENT-COUNT:0\n"] {
        assert_eq!(ask(&message("", &calendar(lines)), false), Some(true), "{lines}");
    }
    let alone = format!("Subject: x\nContent-Type: text/calendar; method=REPLY\n\n{}", calendar(""));
    assert_eq!(ask(&alone, false), Some(true));
    for lines in [
        "COMMENT:Ik kom later\n",
        "comm\n ent;X=\"a:b\":Ik kom\n later\n",
        "DESCRIPTION:Wij bespreken de zaak\n",
        "X-ALT-DESC;FMTTYPE=text/html:<p>zaak</p>\n",
        "ATTACH:https://example.org/zaak.pdf\n",
        "ATTENDEE;X-RESPONSE-COMMENT=\"Ik kom\":mailto:a@b\n",
        "METHOD:REQUEST\n",
    ] {
        assert_eq!(ask(&message("", &calendar(lines)), false), Some(false), "{lines}");
    }
    assert_eq!(ask(&message("Ik kom later.", &calendar("")), false), Some(false));
    for method in ["REQUEST", "CANCEL", "COUNTER"] {
        let other = calendar("").replace("METHOD:REPLY", &format!("METHOD:{method}"));
        assert_eq!(ask(&message("", &other), false), Some(false), "{method}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "(?s).{0,200}", html in "(<style|</style>|<p>|van:|\\PC){0,20}") {
        quote::is_in(&text);
        quote::is_in_html(&html);
        proptest::prop_assert!(quote::without_styles(&html).len() <= html.len());
        calendar::is_bare_reply(&text);
    }
}
