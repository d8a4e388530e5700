//! Messages as mail programs write them, and as those who mean harm do.

use std::time::{Duration, Instant};

use super::*;

pub(super) fn message(text: &str) -> CrlfBytes {
    CrlfBytes::check(text.replace('\n', "\r\n").into_bytes()).unwrap()
}

/// Text, HTML and `name type inline: data` of each file, on one line each.
pub(super) fn show(text: &str) -> (Option<String>, Option<String>, Vec<String>) {
    let message = message(text);
    let parts = parts(&message);
    let shown = |part: &MimePart| String::from_utf8_lossy(&part.data).trim().replace("\r\n", "|");
    let file = |part: &MimePart| {
        let inline = if part.inline { " inline" } else { "" };
        format!("{} {}{inline}: {}", part.name, part.media_type, shown(part))
    };
    (parts.text.as_ref().map(shown), parts.html.as_ref().map(shown), parts.files.iter().map(file).collect())
}

pub(super) fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
    format!(
        "Content-Type: multipart/{kind}; boundary=\"{boundary}\"\n\npreamble\n{parts}--{boundary}--\nepilogue\n"
    )
}

#[test]
fn plain_and_html_alone() {
    assert_eq!(show("Subject: x\n\nhallo\n"), (Some("hallo".into()), None, vec![]));
    assert_eq!(show("Content-Type: text/html\n\n<p>a\n"), (None, Some("<p>a".into()), vec![]));
    assert_eq!(show(""), (Some(String::new()), None, vec![]));
    let base64 =
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nY2Fm6Q==\n";
    assert_eq!(show(base64).0.as_deref(), Some("café"));
    let pdf = "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n";
    assert_eq!(show(pdf), (None, None, vec!["bijlage-1.pdf application/pdf: %PDF".into()]));
}

#[test]
fn outlook_with_a_picture_and_an_attachment() {
    let alternative = multipart(
        "alternative",
        "a",
        &["Content-Type: text/plain\n\nhallo", "Content-Type: text/html\n\n<img src=\"cid:logo%40x\">"],
    );
    let related = multipart(
        "related",
        "r",
        &[
            &alternative,
            "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\nPNG",
            "Content-Type: image/png\nContent-ID: <other@x>\nContent-Disposition: inline\n\nPNG2",
        ],
    );
    let mixed = multipart(
        "mixed",
        "m",
        &[
            &related,
            "Content-Type: application/pdf\nContent-Disposition: attachment;\n filename*0*=utf-8''%e2%82;\n filename*1*=%ac.pdf\n\n%PDF",
            "Content-Type: text/plain; name=\"../logo.png\"\n\ntekst",
        ],
    );
    let (text, html, files) = show(&mixed);
    assert_eq!(text.as_deref(), Some("hallo"));
    assert_eq!(html.as_deref(), Some("<img src=\"cid:logo%40x\">"));
    assert_eq!(
        files,
        [
            "bijlage-2.png image/png: PNG2",
            "€.pdf application/pdf: %PDF",
            "_logo.png text/plain: tekst",
            "logo.png image/png inline: PNG",
        ]
    );
}

#[test]
fn nothing_that_is_shown_gets_lost() {
    let footer = multipart(
        "mixed",
        "m",
        &[
            &multipart(
                "alternative",
                "a",
                &["Content-Type: text/plain\n\nhallo", "Content-Type: text/html\n\n<p>hallo"],
            ),
            "Content-Type: text/plain\n\nvoet <x>",
        ],
    );
    let (text, html, files) = show(&footer);
    assert_eq!(text.as_deref(), Some("hallo||voet <x>"));
    assert_eq!(html.as_deref(), Some("<p>hallo|<hr>|<pre>voet &lt;x&gt;</pre>"));
    assert!(files.is_empty());

    let apple = multipart(
        "alternative",
        "a",
        &[
            "Content-Type: text/plain\n\neen twee",
            &multipart(
                "mixed",
                "m",
                &[
                    "Content-Type: text/html\n\neen",
                    "Content-Type: application/pdf; name=x.pdf\n\n%PDF",
                    "Content-Type: text/html\n\ntwee",
                ],
            ),
        ],
    );
    let (text, html, files) = show(&apple);
    assert_eq!((text.as_deref(), html.as_deref()), (Some("een twee"), Some("een|<hr>|twee")));
    assert_eq!(files, ["x.pdf application/pdf: %PDF"]);

    let html_only = multipart(
        "mixed",
        "m",
        &[
            &multipart("alternative", "a", &["Content-Type: text/html\n\n<p>hallo &amp; dag"]),
            "Content-Type: text/plain\n\nvoet",
        ],
    );
    let (text, html, _) = show(&html_only);
    assert_eq!(text.as_deref(), Some("hallo & dag||voet"));
    assert!(html.unwrap().starts_with("<p>hallo"));
}

/// RFC 8621 4.1.4
#[test]
fn what_belongs_to_another_form_of_the_text_is_a_file() {
    let related =
        multipart("related", "r", &["Content-Type: text/html\n\n<p>een", "Content-Type: text/plain\n\ntwee"]);
    assert_eq!(show(&related), (None, Some("<p>een".into()), vec!["bijlage-1.txt text/plain: twee".into()]));

    let (plain, html) = ("Content-Type: text/plain\n\nplain", "Content-Type: text/html\n\nhtml");
    for (mixed, whole, file) in [
        ([plain, html], "Content-Type: text/html\n\nhtml", "bijlage-1.html text/html: html"),
        ([html, plain], "Content-Type: text/plain\n\nplain", "bijlage-1.txt text/plain: plain"),
    ] {
        let alternative = multipart("alternative", "a", &[&multipart("mixed", "m", &mixed), whole]);
        assert_eq!(show(&alternative), (Some("plain".into()), Some("html".into()), vec![file.into()]));
    }
}

#[test]
fn special_parts_are_usable_files() {
    let mixed = multipart(
        "mixed",
        "m",
        &[
            "\ntekst",
            "Content-Type: message/rfc822\n\nSubject: =?utf-8?q?Vraag/antwoord?=\n\nnested",
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA0KDQp5",
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\nMIIB",
            "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR",
            "Content-Type: text/calendar; name=verslag\n\nBEGIN:VCALENDAR",
            "Content-Type: message/delivery-status\n\nAction: failed",
            "Content-Type: application/pkcs7-signature\n\nx",
            "Content-Type: application/pgp-signature\n\nx",
        ],
    );
    let (text, _, files) = show(&mixed);
    assert_eq!(text.as_deref(), Some("tekst"));
    let names: Vec<_> = files.iter().map(|file| file.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Vraag_antwoord.eml message/rfc822",
            "x.eml message/rfc822",
            "smime.p7m application/pkcs7-mime",
            "bijlage-4.ics text/calendar",
            "verslag.ics text/calendar",
            "bijlage-6.txt message/delivery-status",
            "smime.p7s application/pkcs7-signature",
            "signature.asc application/pgp-signature",
        ]
    );
    assert!(
        files[0].ends_with("Subject: =?utf-8?q?Vraag/antwoord?=||nested")
            && files[1].ends_with("Subject: x||y")
    );

    let pgp = multipart(
        "encrypted",
        "p",
        &[
            "Content-Type: application/pgp-encrypted\n\nVersion: 1",
            "Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----",
        ],
    );
    assert_eq!(show(&pgp).2, ["encrypted.asc application/octet-stream: -----BEGIN PGP MESSAGE-----"]);
    let digest = multipart("digest", "d", &["\nSubject: een\n\n1", "\nSubject: een\n\n2"]);
    assert_eq!(show(&digest).2.len(), 2);
    assert!(show(&digest).2[1].starts_with("een (2).eml message/rfc822: Subject: een||2"));
}

#[test]
fn a_winmail_dat_is_opened() {
    let file: String =
        crate::message::tnef::tests::sample().iter().map(|byte| format!("={byte:02X}")).collect();
    let mail = multipart(
        "mixed",
        "m",
        &[
            "\ntekst",
            &format!(
                "Content-Type: application/ms-tnef\nContent-Transfer-Encoding: quoted-printable\n\n{file}"
            ),
        ],
    );
    let files = show(&mail).2;
    assert!(files[0].starts_with("winmail.dat application/ms-tnef"), "{files:?}");
    let mut found = Vec::new();
    texts(&message(&mail), &mut |text| found.push(text.trim().to_owned()));
    assert!(found.contains(&"inhoud".to_owned()), "{found:?}");
    assert_eq!(files[1..], ["lange náám.txt text/plain: inhoud"]);
}

#[test]
fn a_text_is_searched_in_every_reading() {
    let found = |text: &str| {
        let mut found = Vec::new();
        texts(&message(text), &mut |text| found.push(text.trim().to_owned()));
        found.join("|")
    };
    assert!(found("Content-Type: text/plain; charset=utf-16\n\ngeheim\n").ends_with("|geheim"));
    assert_eq!(found("Content-Type: text/plain; charset=utf-8\n\ngeheim\n"), "geheim");
    let html = "<td>1<b>2</b></td><td>3<!-- x -->4</td> 5 < 6 &#55;<BR>8&ndash;9";
    assert_eq!(found(&format!("Content-Type: text/html\n\n{html}\n")), "12  34  5   6 7 8-9");
}

#[test]
fn damage_is_told_and_what_can_be_read_is_read() {
    let open = "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhallo\n--x\nContent-Type: application/pdf\n\n%PDF\n";
    assert_eq!(show(open), (Some("hallo".into()), None, vec!["bijlage-1.pdf application/pdf: %PDF".into()]));
    assert!(!parts(&message(open)).damaged);
    for (text, shown) in [
        ("Content-Type: multipart/mixed\n\nhallo\n", "hallo"),
        ("Content-Type: multipart/mixed; boundary=x\n\nhallo\n", "hallo"),
        ("Content-Transfer-Encoding: base64\n\naGFs!!bG8=\n", "hallo"),
        ("Content-Transfer-Encoding: x-odd\n\nhallo\n", "hallo"),
        ("Content-Type: text/plain\nContent-Type: text/html\n\nhallo\n", "hallo"),
    ] {
        let message = message(text);
        let parts = parts(&message);
        assert!(parts.damaged, "{text}");
        assert_eq!(String::from_utf8_lossy(&parts.text.unwrap().data).trim(), shown);
    }
    // A file that is broken: told with the message, not where only texts are read.
    let file = message("Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\naGFs!!bG8=\n");
    assert!(parts(&file).damaged && !texts(&file, &mut |_| {}));
    let winmail = message("Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\naG!!=\n");
    assert!(texts(&winmail, &mut |_| {}));
}

#[test]
fn boundaries_are_whole_lines() {
    let tricky = "Content-Type: multipart/mixed; boundary=x\n\n--x  \n\neen\n--xy\n --x\nz--x\n--x\n\ntwee\n--x-- end\n--x\n\ndrie\n";
    assert_eq!(show(tricky).0.as_deref(), Some("een|--xy| --x|z--x||twee|--x-- end||drie"));
}

/// Runs within a time that only something worse than linear takes (H13).
fn in_time(what: &str, text: String) {
    let message = CrlfBytes::check(text.into_bytes()).unwrap();
    let start = Instant::now();
    parts(&message);
    texts(&message, &mut |_| {});
    assert!(start.elapsed() < Duration::from_secs(20), "{what}: {:?}", start.elapsed());
}

/// As many levels as are read, and one more (H13).
#[test]
fn levels_are_counted_through_messages_as_well() {
    let nested = |levels: usize| -> String {
        let multiparts =
            (0..levels).map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n"));
        multiparts.chain(["\nhallo\n".to_owned()]).collect()
    };
    let within = |levels: usize| format!("Content-Type: message/rfc822\n\n{}", nested(levels));
    let damaged = |text: &str| texts(&message(text), &mut |_| {});
    let most = super::super::walk::MAX_DEPTH;
    assert_eq!((damaged(&nested(most)), damaged(&nested(most + 1))), (false, true));
    assert_eq!((damaged(&within(most - 1)), damaged(&within(most))), (false, true));
    let letters = |levels: usize| "Content-Type: message/rfc822\n\n".repeat(levels) + "\nhallo\n";
    assert_eq!((damaged(&letters(most)), damaged(&letters(most + 1))), (false, true));
    assert!(damaged("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nSubjec=t?: x\n"));
}

/// RFC 3676, with whatever the policy reads.
#[test]
fn flowed_text_is_joined() {
    let text = "Content-Type: text/plain; charset=utf-8; Format=Flowed; DelSp=Yes\r\n\r\n\
        https://voorbeeld.nl/zaken/ \r\n1234\r\nBSN 1112 \r\n22333\r\n";
    let message = CrlfBytes::check(text.as_bytes().to_vec()).unwrap();
    let shown = parts(&message).text.unwrap();
    assert_eq!(shown.data.as_ref(), b"https://voorbeeld.nl/zaken/1234\r\nBSN 111222333\r\n");
    let mut read = String::new();
    texts(&message, &mut |text| read.push_str(text));
    assert!(read.contains("BSN 1112 \r\n22333") && read.contains("BSN 111222333"), "{read}");
}

/// A part without a charset has the one that its HTML names, for readers and for the policy.
#[test]
fn html_without_a_charset_names_its_own() {
    for head in ["Content-Type: text/html", "Content-Type: text/html; charset=none"] {
        let html = b"<meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4";
        let message = [head.as_bytes(), b"\r\n\r\n", html].concat();
        let message = CrlfBytes::check(message).unwrap();
        let shown = parts(&message).html.unwrap();
        assert_eq!(String::from_utf8_lossy(&shown.data), "<meta charset=koi8-r><p>Привет");
        let mut read = String::new();
        texts(&message, &mut |text| read.push_str(text));
        assert!(read.contains("Привет"), "{read}");
    }
}

/// Whatever name the HTML gives it, a picture in the text is one, and stays a file.
#[test]
fn pictures_in_the_text_have_several_names() {
    for (source, field) in [
        ("CID:een%40x", "Content-ID: <een@x>"),
        ("cid:een@x", "Content-ID: <een%40x>"),
        ("logo.png", "Content-Location: http://intranet.voorbeeld.nl/\r\n brief/logo.png"),
        ("https://x.nl/logo.png", "Content-Location: logo.png"),
        ("map/logo.png", "Content-Disposition: inline; filename=Logo.png"),
    ] {
        let text = format!(
            "Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n\
             <img src=\"{source}\">\r\n--r\r\nContent-Type: image/png\r\n{field}\r\n\r\nx\r\n\
             --r\r\nContent-Type: image/png; name=a.png\r\n\r\ny\r\n--r--\r\n"
        );
        let message = CrlfBytes::check(text.into_bytes()).unwrap();
        let files = parts(&message).files;
        let inline: Vec<bool> = files.iter().map(|file| file.inline).collect();
        assert_eq!((inline, files[1].data.as_ref()), (vec![false, true], &b"x"[..]), "{source}");
    }
}

#[test]
fn hostile_structure_is_bounded() {
    let nested: String = (0..10_000)
        .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"))
        .collect();
    in_time("multiparts in one another", nested.clone());
    assert!(parts(&CrlfBytes::check(nested.into_bytes()).unwrap()).damaged);
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(40_000);
    assert!(texts(&CrlfBytes::check(messages.clone().into_bytes()).unwrap(), &mut |_| {}));
    in_time("messages in one another", messages);
    let top = "Content-Type: multipart/mixed; boundary=x\r\n\r\n";
    let many = format!("{top}{}", "--x\r\n\r\ny\r\n".repeat(1_000_000));
    assert!(parts(&CrlfBytes::check(many.clone().into_bytes()).unwrap()).damaged);
    in_time("a million parts", many);
    for kind in ["related; start=\"<nowhere>\"; type=\"a/b\"", "alternative"] {
        let top = format!("Content-Type: multipart/{kind}; boundary=x\r\n\r\n");
        in_time(kind, format!("{top}{}", "--x\r\nContent-ID: <a>\r\n\r\ny\r\n".repeat(300_000)));
        let levels: String = (0..99)
            .map(|i| format!("Content-Type: multipart/{kind}; boundary=b{i}\r\n\r\n--b{i}\r\n"))
            .collect();
        in_time(kind, format!("{levels}{top}{}", "--x\r\n\r\ny\r\n".repeat(300_000)));
    }
    let lost = "--x\r\nContent-Type: multipart/mixed; boundary=nowhere\r\n\r\n";
    in_time("delimiters that never come", format!("{top}{}{}", lost.repeat(9_000), "y\r\n".repeat(3 << 20)));
    in_time(
        "one part after the other within",
        format!("{top}{}", "--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n".repeat(50_000)),
    );
    in_time("a million parameters", format!("Content-Type: text/plain{}\r\n\r\n", "; a*1=b".repeat(1 << 17)));
    in_time("tags without an end", format!("Content-Type: text/html\r\n\r\n{}", "<a&#".repeat(1 << 20)));
    in_time("picture references", format!("Content-Type: text/html\r\n\r\n{}", "cid:".repeat(1 << 20)));
    in_time("more of them", format!("Content-Type: text/html\r\n\r\n{}", "src= cid : ".repeat(1 << 20)));
    in_time(
        "soft lines",
        format!("Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n{}", "> > \r\n".repeat(1 << 20)),
    );
    in_time(
        "soft breaks",
        format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{}", "= ".repeat(1 << 20)),
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]
    #[test]
    fn no_octets_break_it(
        pieces in proptest::collection::vec(proptest::prop_oneof![
            proptest::prelude::Just("\r\n".to_owned()),
            proptest::prelude::Just("--x\r\n".to_owned()),
            proptest::prelude::Just("--x--\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: multipart/mixed; boundary=x\r\n\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: multipart/alternative; boundary=\"x\"\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: message/rfc822\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: application/ms-tnef; name*0*=utf-8''%e2\r\n".to_owned()),
            proptest::prelude::Just("Content-Type: text/html; charset=utf-7\r\n\r\n<a href=cid:x>&#x;".to_owned()),
            proptest::prelude::Just("Content-Transfer-Encoding: base64\r\n\r\n".to_owned()),
            proptest::prelude::Just("Content-Disposition: attachment; filename=\"a/b\r\n c\"\r\n".to_owned()),
            "\\PC{0,20}",
        ], 0..30),
    ) {
        let text: String = pieces.concat();
        if let Ok(message) = CrlfBytes::check(text.into_bytes()) {
            let parts = parts(&message);
            texts(&message, &mut |_| {});
            let mut names: Vec<String> = parts.files.iter().map(|file| file.name.to_lowercase()).collect();
            assert!(names.iter().all(|name| super::super::rewrite::safe_name(name) == *name || !name.is_ascii()));
            names.sort();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
