//! Messages within messages, however they were put there.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::tnef::tests::{attachment, file, message_properties, number, text};
use super::*;

fn find(text: &str) -> Attached {
    attached(&CrlfBytes::normalised(text.as_bytes()))
}

/// The subjects that were found; `None` where there may be more.
fn subjects(text: &str) -> Option<Vec<String>> {
    let Attached { messages, cut } = find(text);
    (!cut).then(|| messages.iter().map(|message| message.header().subject()).collect())
}

fn mixed(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
    format!("Subject: FW\nContent-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n")
}

const INNER: &str = "From: jan@voorbeeld.nl\nSubject: binnen\n\ntekst\n";

/// The same as uuencode writes it.
const UUENCODED: &str =
    "begin 644 b.dat\nM1G)O;3H@:F%N0'9O;W)B965L9\"YN;`I3=6)J96-T.B!B:6YN96X*\"G1E:W-T\n!\"@``\n`\nend\n";

fn base64(text: &[u8]) -> String {
    STANDARD.encode(text)
}

#[test]
fn is_found_however_it_is_attached() {
    let encoded = base64(INNER.replace('\n', "\r\n").as_bytes());
    for part in [
        format!("Content-Type: message/rfc822\n\n{INNER}"),
        format!("Content-Type: Message/RFC822; name=x\nContent-Disposition: inline\n\n{INNER}"),
        format!("Content-Type: message/global\n\n{INNER}"),
        format!("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"),
        format!(
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n{}",
            INNER.replace("binnen", "bin=6Een").replace("Subject", "Sub=\nject")
        ),
        format!("Content-Type: application/octet-stream; name=\"b.EML\"\n\n{INNER}"),
        format!("Content-Type: application/pdf; name*=utf-8''b%2Eeml\n\n{INNER}"),
        format!("Content-Type: text/plain\nContent-Disposition: attachment; filename=\"b.eml \"\n\n{INNER}"),
        format!("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n{encoded}"),
        format!("Content-Type: application/x-odd; name=bericht.dat\n\n{INNER}"),
        format!("Content-Type: text/rfc822-headers\n\n{INNER}"),
        format!("Content-Type: multipart/digest; boundary=d\n\n--d\n\n{INNER}\n--d--"),
        format!("Content-Type: message/partial; number=1; total=2; id=x\n\n{INNER}"),
    ] {
        let text = mixed(&["Content-Type: text/plain\n\nhallo", &part]);
        assert_eq!(subjects(&text).unwrap(), ["binnen"], "{text}");
    }
    assert_eq!(subjects(&format!("Subject: FW\n\nhallo\n{UUENCODED}")).unwrap(), ["binnen"]);
    assert_eq!(subjects(&mixed(&["\nhallo", &format!("\n{UUENCODED}")])).unwrap(), ["binnen"]);
    for alone in ["message/rfc822", "application/octet-stream; name=b.eml", "text/plain; name=b.eml"] {
        assert_eq!(subjects(&format!("Content-Type: {alone}\n\n{INNER}")).unwrap(), ["binnen"], "{alone}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    for text in [
        "Subject: x\n\nSubject: y\nFrom: z\n".to_owned(),
        format!("Content-Type: text/html; charset=utf-8\n\n{INNER}"),
        mixed(&[
            "\nhallo",
            "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n%%%",
        ]),
        mixed(&["\nhallo", "Content-Type: text/csv; name=a.csv\n\nSubject: x;y\n"]),
        mixed(&[
            "\nhallo",
            "Content-Type: message/delivery-status\n\nReporting-MTA: dns; a\n\nAction: failed\n",
        ]),
        "Content-Type: multipart/mixed; boundary=weg\n\nhallo\n".to_owned(),
    ] {
        assert!(subjects(&text).unwrap().is_empty(), "{text}");
    }
}

#[test]
fn every_level_counts() {
    let inner =
        format!("Subject: een\n{}", mixed(&["\nhallo", &format!("Content-Type: message/rfc822\n\n{INNER}")]));
    let encoded = base64(inner.replace('\n', "\r\n").as_bytes());
    let part = format!("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}");
    assert_eq!(subjects(&mixed(&[&part])).unwrap(), ["een", "binnen"]);
}

#[test]
fn a_header_alone_has_no_body() {
    let has_body = |part: &str| find(&mixed(&[part])).messages[0].has_body;
    assert!(has_body(&format!("Content-Type: message/rfc822\n\n{INNER}")));
    assert!(!has_body("Content-Type: message/rfc822\n\nSubject: x\n\n \n"));
    assert!(!has_body("Content-Type: text/rfc822-headers\n\nSubject: x\n"));
}

/// What may be a message and cannot be read may be any message; what is only broken is not.
#[test]
fn what_cannot_be_read_is_told() {
    for text in [
        mixed(&["Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n%%%"]),
        mixed(&["Content-Type: message/rfc822\nContent-Transfer-Encoding: x-odd\n\nabc"]),
        mixed(&["Content-Type: application/x-odd; name=b.eml\nContent-Transfer-Encoding: base64\n\n%%%"]),
        format!("Content-Type: multipart/mixed\n\n--b\nContent-Type: message/rfc822\n\n{INNER}"),
        format!(
            "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: MESSAGE/RFC822\n\n{INNER}"
        ),
        mixed(&[&format!("Content-Type: text/plain\nContent-Type: text/html; name=b.eml\n\n{INNER}")]),
    ] {
        assert_eq!(subjects(&text), None, "{text}");
    }
}

#[test]
fn a_winmail_dat_holds_messages() {
    let embedded = file(&[message_properties(&[
        text(0x0037, "binnen"),
        text(0x1035, "<1@voorbeeld.nl>"),
        number(0x0036, &[3, 0, 0, 0]),
    ])]);
    let nested = [&[7; 16][..], &embedded].concat();
    let eml = INNER.replace('\n', "\r\n");
    let winmail = file(&[
        message_properties(&[text(0x0037, "buiten"), text(0x007d, "X-Zegel: seal\r\nReceived: x\r\n\r\n")]),
        attachment("Bericht", &nested, true),
        attachment("los.eml", eml.as_bytes(), false),
    ]);
    let part = format!(
        "Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n{}",
        base64(&winmail)
    );
    let text = mixed(&["\nhallo", &part]);
    assert_eq!(subjects(&text).unwrap(), ["buiten", "binnen", "binnen"]);
    let found = find(&text).messages;
    let value = |at: usize, name: &str| found[at].header().first(name).map(|field| field.value());
    assert_eq!(value(0, "X-Zegel").as_deref(), Some("seal"));
    assert_eq!(value(1, "Sensitivity").as_deref(), Some("Company-Confidential"));
    assert_eq!(found[1].header().message_id().as_deref(), Some("<1@voorbeeld.nl>"));
}

/// H13
#[test]
fn hostile_structure_is_bounded() {
    let in_time = |what: &str, text: String| {
        let start = Instant::now();
        let found = attached(&CrlfBytes::check(text.into_bytes()).unwrap());
        assert!(start.elapsed() < Duration::from_secs(20), "{what} took {:?}", start.elapsed());
        assert!(found.messages.len() <= MAX_MESSAGES);
        found.cut
    };
    let top = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
    assert!(in_time("messages in one another", "Content-Type: message/rfc822\r\n\r\n".repeat(40_000)));
    assert!(in_time(
        "many messages",
        format!("{top}{}", "--x\r\nContent-Type: message/rfc822\r\n\r\na\r\n".repeat(1000))
    ));
    assert!(in_time("a million parts", format!("{top}{}", "--x\r\n\r\ny\r\n".repeat(1_000_000))));
    let levels: String = (0..60)
        .map(|_| "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
        .collect();
    assert!(in_time("a large one on every level", format!("{levels}{}", "y\r\n".repeat(3 << 20))));
    let start = format!("{top}{}", "--x\r\nContent-Type: a/b\r\n\r\n: \r\nX: y\r\n".repeat(9_000));
    assert!(!in_time("many files", start));
}

proptest::proptest! {
    #[test]
    fn no_octets_break_it(
        pieces in proptest::collection::vec(proptest::prop_oneof![
            proptest::prelude::Just("\r\n".to_owned()),
            proptest::prelude::Just("--x\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: multipart/digest; boundary=x\r\n\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: message/rfc822\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: application/ms-tnef\r\n".to_owned()),
            proptest::prelude::Just("Content-Transfer-Encoding: base64\r\n\r\n".to_owned()),
            "\\PC{0,20}",
        ], 0..30),
    ) {
        attached(&CrlfBytes::normalised(pieces.concat().as_bytes()));
    }
}
