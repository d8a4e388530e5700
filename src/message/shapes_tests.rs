//! The shapes that mail programs give a message, and what its reader sees of each: text, HTML, and files under their names.

use super::tests::{message, multipart, show};
use super::*;

const PLAIN: &str = "Content-Type: text/plain\n\nplat";
const HTML: &str = "Content-Type: text/html\n\n<p>rijk <img src=\"cid:a@b\">";
const PICTURE: &str = "Content-Type: image/png; name=a.png\nContent-ID: <a@b>\n\nPNG";
const PDF: &str = "Content-Type: application/pdf; name=a.pdf\n\n%PDF";

/// Text, HTML and files of a multipart.
#[track_caller]
fn shows(mail: &str, text: Option<&str>, html: Option<&str>, files: &[&str]) {
    let (found_text, found_html, found_files) = show(mail);
    let found_files: Vec<&str> = found_files.iter().map(String::as_str).collect();
    assert_eq!(
        (found_text.as_deref(), found_html.as_deref(), &found_files[..]),
        (text, html, files),
        "{mail}"
    );
}

const RICH: Option<&str> = Some("<p>rijk <img src=\"cid:a@b\">");
const INLINE: &str = "a.png image/png inline: PNG";

/// RFC 2387 3.2
#[test]
fn the_root_of_a_related_multipart_is_its_text() {
    let html = "Content-Type: text/html\nContent-ID: <Root@x>\n\n<p>rijk <img src=\"cid:a@b\">";
    for parameters in [
        "; start=\"<Root@x>\"",
        "; start=\"Root@x\"",
        "; start=\"<root@X>\"; type=\"image/png\"",
        "; type=\"text/html\"",
        "; type=\"TEXT/HTML\"; start=\"<nowhere@x>\"",
        "",
    ] {
        let related = multipart("related", "r", &[PICTURE, html]).replacen(
            "boundary=\"r\"",
            &format!("boundary=\"r\"{parameters}"),
            1,
        );
        shows(&related, None, RICH, &[INLINE]);
        let mixed = multipart("mixed", "m", &[&related, PDF]);
        shows(&mixed, None, RICH, &["a.pdf application/pdf: %PDF", INLINE]);
        let alternative = multipart("alternative", "a", &[PLAIN, &related]);
        shows(&alternative, Some("plat"), RICH, &[INLINE]);
    }
    let second = "Content-Type: text/html\nContent-ID: <tweede@x>\n\n<p>tweede";
    let two = multipart("related", "r", &[html, second]).replacen(
        "boundary=\"r\"",
        "boundary=\"r\"; start=\"<tweede@x>\"",
        1,
    );
    shows(&two, None, Some("<p>tweede"), &["bijlage-1.html text/html: <p>rijk <img src=\"cid:a@b\">"]);
    let plain = multipart("related", "r", &[PICTURE, "Content-Type: text/plain\n\nplat"]);
    shows(&plain, Some("plat"), None, &["a.png image/png: PNG"]);
}

#[test]
fn text_html_and_pictures_are_found_in_any_order_of_nesting() {
    let side_by_side = multipart("related", "r", &[PLAIN, HTML, PICTURE]);
    shows(&side_by_side, Some("plat"), RICH, &[INLINE]);
    let mixed = multipart("mixed", "m", &[&side_by_side, PDF, "Content-Type: text/plain\n\nvoet"]);
    shows(
        &mixed,
        Some("plat||voet"),
        Some("<p>rijk <img src=\"cid:a@b\">|<hr>|<pre>voet</pre>"),
        &["a.pdf application/pdf: %PDF", INLINE],
    );
    let alternative = multipart("alternative", "a", &[PLAIN, HTML]);
    for nested in [
        multipart("related", "r", &[&alternative, PICTURE]),
        multipart("related", "r", &[PICTURE, &alternative]),
        multipart("related", "r", &[&multipart("mixed", "m", &[&alternative]), PICTURE]),
        multipart("alternative", "b", &[PLAIN, &multipart("related", "r", &[HTML, PICTURE])]),
        multipart("alternative", "b", &[PLAIN, &multipart("mixed", "m", &[HTML, PICTURE])]),
        multipart("alternative", "b", &[&multipart("related", "r", &[HTML, PICTURE]), PLAIN]),
        multipart("mixed", "m", &[&multipart("related", "r", &[&alternative, PICTURE])]),
        multipart("mixed", "m", &[PICTURE, &alternative]),
    ] {
        shows(&nested, Some("plat"), RICH, &[INLINE]);
    }
    // What a program puts before the alternative belongs to the text.
    let before = multipart("related", "r", &["Content-Type: text/plain\n\neerst", &alternative, PICTURE]);
    shows(
        &before,
        Some("eerst||plat"),
        Some("<pre>eerst</pre>|<hr>|<p>rijk <img src=\"cid:a@b\">"),
        &[INLINE],
    );
    // Telephones put empty lines around files.
    let empty = "Content-Type: text/plain\n\n\n";
    shows(
        &multipart("mixed", "m", &[empty, HTML, empty, "Content-Type: text/plain\n\nvoet"]),
        Some("rijk  ||voet"),
        Some("<p>rijk <img src=\"cid:a@b\">|<hr>|<pre>voet</pre>"),
        &[],
    );
    let order =
        multipart("mixed", "m", &["\neen", PDF, "\ntwee", PICTURE, "Content-Type: text/x-odd\n\ndrie"]);
    shows(&order, Some("een||twee||drie"), None, &["a.pdf application/pdf: %PDF", "a.png image/png: PNG"]);
}

#[test]
fn an_empty_form_gives_way_to_the_other() {
    let empty = "Content-Type: text/html\n\n<html><head><style>p{}</style></head><body>&nbsp;</body></html>";
    for html in [empty, "Content-Type: text/html\n\n", "Content-Type: text/html; name=x.html\n\n<br>"] {
        let (text, shown, _) = show(&multipart("alternative", "a", &[PLAIN, html]));
        assert_eq!((text.as_deref(), shown), (Some("plat"), None), "{html}");
    }
    let picture = multipart("alternative", "a", &[PLAIN, "Content-Type: text/html\n\n<img src=\"cid:a@b\">"]);
    assert_eq!(show(&picture).1.as_deref(), Some("<img src=\"cid:a@b\">"));
    let no_text = multipart("alternative", "a", &["Content-Type: text/plain\n\n", HTML]);
    assert_eq!(show(&no_text).1.as_deref(), RICH);
}

/// RFC 2046 5.1.4: the last is the best.
#[test]
fn of_two_forms_of_one_type_the_last_is_shown_and_the_other_a_file() {
    let second = "Content-Type: text/plain\n\nbeter";
    let two = multipart("alternative", "a", &[PLAIN, second, HTML]);
    shows(&two, Some("beter"), RICH, &["bijlage-1.txt text/plain: plat"]);
    let blank = multipart("alternative", "a", &[PLAIN, HTML, "Content-Type: text/html\n\n<br>"]);
    shows(&blank, Some("plat"), RICH, &[]);
    let amp = "Content-Type: text/x-amp-html\n\n<html amp4email>";
    let watch = "Content-Type: text/watch-html\n\n<b>kort";
    let devices = multipart("alternative", "a", &[PLAIN, watch, amp, HTML]);
    shows(&devices, Some("plat"), RICH, &[]);
    let attached = "Content-Type: text/x-amp-html; name=ontwerp.html\n\n<html amp4email>";
    shows(
        &multipart("mixed", "m", &[PLAIN, attached]),
        Some("plat"),
        None,
        &["ontwerp.html text/x-amp-html: <html amp4email>"],
    );
    let markdown = "Content-Type: text/markdown\n\n**vet**";
    shows(&multipart("alternative", "a", &[markdown, HTML]), Some("**vet**"), RICH, &[]);
    let third = multipart("alternative", "a", &[PLAIN, markdown, HTML]);
    shows(&third, Some("plat"), RICH, &["bijlage-1.md text/markdown: **vet**"]);
}

#[test]
fn a_type_that_is_written_wrongly_is_read_as_it_was_meant() {
    for content_type in [
        "html; charset=utf-8",
        "text/html charset=utf-8",
        "text/html, charset=utf-8",
        "TEXT/HTML;",
        "/html",
        "text/html junk",
    ] {
        let mail = format!("Content-Type: {content_type}\n\n<p>één");
        shows(&mail, None, Some("<p>één"), &[]);
    }
    for content_type in [
        "text",
        "plain",
        "text/",
        "odd",
        "text/markdown",
        "text/x-web-markdown",
        "text/enriched",
        "text/plain charset=utf-8",
    ] {
        let mail = format!("Content-Type: {content_type}\n\néén");
        shows(&mail, Some("één"), None, &[]);
    }
    let latin =
        CrlfBytes::check(b"Content-Type: text/plain charset=iso-8859-5\r\n\r\n\xb4\xd0".to_vec()).unwrap();
    assert_eq!(parts(&latin).text.unwrap().data.as_ref(), "Да".as_bytes());
    let mixed = multipart("mixed", "m", &[PLAIN, PDF]).replacen("mixed; boundary", "mixed boundary", 1);
    shows(&mixed, Some("plat"), None, &["a.pdf application/pdf: %PDF"]);
    let data = "Content-Type: text/csv\n\na;b";
    shows(data, Some("a;b"), None, &["bijlage-1.csv text/csv: a;b"]);
    shows(&multipart("mixed", "m", &[PLAIN, data]), Some("plat"), None, &["bijlage-1.csv text/csv: a;b"]);
    let pdf = "Content-Type: pdf\nContent-Disposition: attachment filename=\"brief.pdf\"\n\n%PDF";
    shows(pdf, None, None, &["brief.pdf application/pdf: %PDF"]);
}

#[test]
fn a_text_with_a_name_is_a_file_as_well() {
    let csv = b"Content-Type: text/plain; charset=iso-8859-1; name=\"lijst.txt\"\r\n\
        Content-Disposition: inline; filename=\"lijst.txt\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=E9m=0A";
    let mail = CrlfBytes::check(csv.to_vec()).unwrap();
    let MimeParts { text, files, .. } = parts(&mail);
    assert_eq!(text.unwrap().data.as_ref(), "naém\n".as_bytes());
    assert_eq!(
        (files[0].name.as_str(), files[0].data.as_ref(), files.len()),
        ("lijst.txt", &b"na\xe9m\n"[..], 1)
    );

    let named = "Content-Type: text/html; name=rapport.html\n\n<p>rijk";
    let file = "rapport.html text/html: <p>rijk";
    shows(named, None, Some("<p>rijk"), &[file]);
    shows(
        &multipart("mixed", "m", &[named, PDF]),
        None,
        Some("<p>rijk"),
        &[file, "a.pdf application/pdf: %PDF"],
    );
    shows(
        &multipart("mixed", "m", &[PDF, named]),
        None,
        Some("<p>rijk"),
        &["a.pdf application/pdf: %PDF", file],
    );
    shows(&multipart("mixed", "m", &[PLAIN, named]), Some("plat"), None, &[file]);
    shows(&multipart("alternative", "a", &[PLAIN, named]), Some("plat"), Some("<p>rijk"), &[file]);
    let attachment = "Content-Type: text/plain\nContent-Disposition: attachment; filename=log.txt\n\nregel";
    shows(attachment, None, None, &["log.txt text/plain: regel"]);
    let only = "Content-Type: text/html\nContent-Disposition: attachment\n\n<p>rijk";
    shows(only, None, Some("<p>rijk"), &["bijlage-1.html text/html: <p>rijk"]);
    // What is called a text and is none is not shown.
    let scan = "Content-Type: text/plain; name=scan.pdf\n\n%PDF-1.7";
    shows(scan, None, None, &["scan.pdf text/plain: %PDF-1.7"]);
}

#[test]
fn files_keep_the_names_that_their_sender_gave() {
    let attached =
        |name: &str| format!("Content-Type: application/pdf\nContent-Disposition: attachment; {name}\n\nx");
    for (name, expected) in [
        ("filename=\"bericht.txt\"", "bericht.txt"),
        ("filename=\"bericht.html\"", "bericht.html"),
        ("filename=\"bericht.eml\"", "bericht.eml"),
        ("filename*0=\"Besluit op \";\n filename*1=\"bezwaar.pdf\"", "Besluit op bezwaar.pdf"),
        ("filename=\"Advies mr. De Boer\"", "Advies mr. De Boer.pdf"),
        ("filename=\"Nota 3.1\"", "Nota 3.1.pdf"),
    ] {
        let mail = multipart("mixed", "m", &[PLAIN, HTML, &attached(name)]);
        assert_eq!(show(&mail).2, [format!("{expected} application/pdf: x")]);
    }
    let long = format!("{} - definitief.pdf", "Besluit ".repeat(29).trim_end());
    assert!(long.len() > 230 && long.len() <= 255);
    let mail = multipart("mixed", "m", &[PLAIN, &attached(&format!("filename=\"{long}\""))]);
    assert_eq!(show(&mail).2, [format!("{long} application/pdf: x")]);
    let forwarded = "Content-Type: message/rfc822; name=\"Bericht van dhr. Wit\"\n\nSubject: x\n\ny";
    assert!(
        show(&multipart("mixed", "m", &[PLAIN, forwarded])).2[0].starts_with("Bericht van dhr. Wit.eml ")
    );
}

#[test]
fn uuencoded_files_come_out_of_the_text() {
    let block = "begin 644 brief 1.txt\n#86)C\n`\nend\n";
    let file = "brief 1.txt text/plain: abc";
    shows(&format!("Subject: x\n\nZie\n{block}Groet\n"), Some("Zie|Groet"), None, &[file]);
    let mixed = multipart("mixed", "m", &[&format!("\nZie\n{block}"), PDF, &format!("\n{block}")]);
    let second = "brief 1 (2).txt text/plain: abc";
    shows(&mixed, Some("Zie"), None, &[file, second, "a.pdf application/pdf: %PDF"]);
    for encoding in ["x-uuencode", "uuencode", "X-UUE"] {
        let part = format!(
            "Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: {encoding}\n\n{block}"
        );
        shows(&multipart("mixed", "m", &[PLAIN, &part]), Some("plat"), None, &["a.pdf application/pdf: abc"]);
    }
    let nameless = format!(
        "Content-Type: text/csv\nContent-Disposition: attachment\nContent-Transfer-Encoding: x-uue\n\n{block}"
    );
    shows(&nameless, None, None, &["brief 1.txt text/csv: abc"]);
    // A file that holds a block is a file, and stays as it is.
    let attached =
        format!("Content-Type: text/plain\nContent-Disposition: attachment; filename=a.uue\n\n{block}");
    assert!(show(&attached).2[0].starts_with("a.uue text/plain: begin 644"), "{:?}", show(&attached));
    let prose = "Subject: x\n\nbegin 644 meter verderop\nGroet\n";
    shows(prose, Some("begin 644 meter verderop|Groet"), None, &[]);
    let cut = message("Subject: x\n\nbegin 644 a\nM".to_owned().as_str());
    assert!(!parts(&cut).damaged);

    let mut found = Vec::new();
    texts(&message(&format!("Subject: x\n\n{block}")), &mut |text| found.push(text.to_owned()));
    assert!(found.contains(&"abc".to_owned()), "{found:?}");
}

#[test]
fn what_is_in_a_uuencoded_file_is_found_as_well() {
    let mail = |name: &str, data: &[u8]| {
        format!("Subject: x\n\nZie\n{}", uuencode::encoded(name, data)).replace('\r', "")
    };
    let found = |mail: &str| {
        let mut found = Vec::new();
        texts(&message(mail), &mut |text| found.push(text.trim().to_owned()));
        found
    };
    let winmail = mail("winmail.dat", &crate::message::tnef::tests::sample());
    let files = show(&winmail).2;
    assert!(files[0].starts_with("winmail.dat "), "{files:?}");
    assert_eq!(files[1..], ["lange náám.txt text/plain: inhoud"]);
    assert!(found(&winmail).contains(&"inhoud".to_owned()));
    let inner = "Subject: =?utf-8?q?=C3=A9=C3=A9n?=\nContent-Transfer-Encoding: base64\n\naGFsbG8=\n";
    let found = found(&mail("b.eml", inner.as_bytes()));
    assert!(found.contains(&"één".to_owned()) && found.contains(&"hallo".to_owned()), "{found:?}");
}

/// RFC 2045 6.7, 6.8
#[test]
fn the_bytes_of_a_file_end_where_its_encoding_says() {
    let file = |encoding: &str, body: &str| {
        let part = format!(
            "Content-Type: application/x-odd; name=a\nContent-Transfer-Encoding: {encoding}\n\n{body}"
        );
        let mail = message(&multipart("mixed", "m", &[PLAIN, &part]));
        let parts = parts(&mail);
        (String::from_utf8_lossy(&parts.files[0].data).into_owned(), parts.damaged)
    };
    assert_eq!(file("base64", "aGFsbG8=\n\nGecontroleerd door de gemeente"), ("hallo".into(), true));
    assert_eq!(file("base64", "aGFs\n bG8=\n"), ("hallo".into(), false));
    assert_eq!(file("quoted-printable", "a;b \t\nc=\nd=3d "), ("a;b\r\ncd=".into(), false));
    assert_eq!(file("x-odd", "a"), ("a".into(), true));
}
