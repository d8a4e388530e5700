//! The way of an answer through the real binary: from the button in the notification to the mail that staff find,
//! and everything that must not get on it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::Write;
use std::net::TcpStream;

use aws_lc_rs::digest::{SHA256, digest};
use support::client::submit;
use support::gateway::wait_for;
use support::mail::{Notice, link_of, password_of};
use support::resident::{
    RESIDENT, Resident, STAFF, Scene, attachments, base64, code_to, form, multipart, noise, seal,
};
use support::smarthost::Taken;
use support::web::{Answer, get, get_as, post, send, send_octets};

const PARTNER: &str = "bob@example.net";

/// Every address of these pages that shows something.
const SCREENS: [&str; 6] =
    ["/reply", "/reply/code", "/reply/message", "/reply/check", "/reply/preview", "/reply/sent"];

fn scene(extra: &str) -> Scene {
    Scene::new(extra, &[RESIDENT])
}

impl Scene {
    fn link(&self) -> &str {
        &self.links[0]
    }

    /// The mail with this in its header, once it has come.
    fn mail_with(&self, field: &str) -> Taken {
        let has = |taken: &&Taken| head(taken).contains(field);
        let seen = self.smarthost.wait(|seen| seen.taken.iter().any(|taken| has(&taken)));
        seen.taken.iter().rfind(has).unwrap().clone()
    }

    /// The answer as staff get it.
    fn staff_mail(&self) -> Taken {
        self.mail_with("\nReply-To:")
    }

    /// Every row of every table, as text.
    fn everything(&self) -> Vec<String> {
        let db = self.database();
        let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut all = Vec::new();
        for name in names {
            let mut statement = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let value = |column| row.get::<_, rusqlite::types::Value>(column).unwrap();
                all.push(format!("{name}: {:?}", (0..columns).map(value).collect::<Vec<_>>()));
            }
        }
        all
    }
}

fn head(taken: &Taken) -> String {
    let text = String::from_utf8_lossy(&taken.message).into_owned();
    text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

fn sha256(octets: &[u8]) -> String {
    digest(&SHA256, octets).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn from_the_button_to_the_mailbox_without_a_browser() {
    let scene = scene("");
    let start = get(&format!("{}/", scene.site.public_url()));
    assert!(start.text().contains("Hier kunt u niet uit uzelf iets versturen"), "{}", start.text());
    // The button in the mail, before the transfer was ever opened: the password first, then the answer.
    let asked = get(&format!("{}/reply", scene.link()));
    assert_eq!(asked.status, 303);
    let token = scene.link().rsplit('/').next().unwrap();
    assert_eq!(asked.field("location"), format!("/t/{token}?next=reply"));
    assert!(get(&format!("{}?next=reply", scene.link())).text().contains("name=\"next\" value=\"reply\""));
    assert!(!get(&format!("{}?next=//evil.example", scene.link())).text().contains("evil.example"));
    let elsewhere = post(scene.link(), &format!("password={}&next=//evil.example", scene.password));
    assert_eq!(elsewhere.field("location"), format!("/t/{token}/files"));

    let mut anna = scene.verified();
    let page = anna.get("/reply/message");
    assert_eq!(page.status, 200);
    for expected in ["Anna de Vries", RESIDENT, STAFF, "1,0 GB"] {
        assert!(page.text().contains(expected), "{expected} is missing in {}", page.text());
    }
    let picture = noise(100_000);
    let files: [(&str, &str, &[u8]); 3] = [
        ("foto 1.jpg", "image/jpeg", &picture),
        ("C:\\fakepath\\café \u{202e}gpj.dat", "application/octet-stream", b"MZ\r\n--gren\r\n.\r\n"),
        ("brief.txt", "text/plain", b"regel een\nregel twee\n"),
    ];
    let answer = anna.message(STAFF, "Beste Jan,\r\n\r\nHierbij de <b>foto's</b>.", &files, "next");
    assert_eq!((answer.status, anna.tail(&answer)), (303, "/reply/check"), "{}", answer.text());

    let page = anna.get("/reply/message").text();
    assert_eq!(
        page.matches("De naam is aangepast").count(),
        1 + 1,
        "the one with a path, and the script's word"
    );

    let check = anna.get("/reply/check");
    assert_eq!(check.status, 200, "{}", check.text());
    for expected in ["foto 1.jpg", "brief.txt", STAFF, "Stuur mij een bevestigingsmail voor deze upload"] {
        assert!(check.text().contains(expected), "{expected} is missing in {}", check.text());
    }
    assert!(!check.text().contains('\u{202e}') && !check.text().contains("fakepath"));
    let preview = anna.get("/reply/preview");
    assert!(preview.text().contains("Hierbij de &#60;b&#62;foto&#39;s"), "{}", preview.text());
    let policy = preview.field("content-security-policy");
    assert!(policy.starts_with("sandbox; default-src 'none'") && !policy.contains("unsafe"), "{policy}");

    let sent = anna.send("confirm=1&names=1");
    assert_eq!((sent.status, anna.tail(&sent)), (303, "/reply/sent"), "{}", sent.text());
    let summary = anna.get("/reply/sent");
    for file in &files {
        assert!(summary.text().contains(&sha256(file.2)), "{} in {}", file.0, summary.text());
    }
    // Pressed twice, it is sent once.
    let again = anna.send("confirm=1&names=1");
    assert_eq!(anna.tail(&again), "/reply/sent");

    let mail = scene.staff_mail();
    assert_eq!(mail.addresses(), [STAFF]);
    // What a server behind the smarthost refuses is reported inside, and never to somebody outside (H08).
    assert!(mail.mail.starts_with("MAIL FROM:<postmaster@voorbeeld.nl>"), "{}", mail.mail);
    assert!(head(&mail).contains("In-Reply-To: <canary-1@voorbeeld.nl>"), "{}", head(&mail));
    let arrived = attachments(&mail);
    assert_eq!(arrived.len(), 3);
    for ((name, octets), file) in arrived.iter().zip(files) {
        assert!(octets == file.2, "{name} is another");
        assert!(!name.contains(['\\', '/', ':', '\u{202e}']), "{name}");
    }
    let confirmation = Notice::of(&scene.mail_with("X-Zegel-Notice: reply-confirmation"));
    assert_eq!(confirmation.to, [RESIDENT]);
    for file in &files {
        assert!(confirmation.text.contains(&sha256(file.2)), "{}", confirmation.text);
    }
    assert_eq!(scene.smarthost.seen().copies(STAFF), 2, "the receipt and one answer");
}

/// M22: who answers writes to the mailbox of the case, not to the program that sent the message.
#[test]
fn an_answer_goes_where_the_message_wants_it() {
    let scene = scene("");
    let before = scene.smarthost.seen().taken.len();
    let message = format!(
        "From: Zaaksysteem <noreply@voorbeeld.nl>\r\nTo: {RESIDENT}\r\n\
         Reply-To: \"Zaak 12, bezwaar\" <zaak-12@voorbeeld.nl>, elders@example.org,\r\n\
         \tzaken@voorbeeld.nl, ZAKEN@voorbeeld.nl, uit%example.org@voorbeeld.nl\r\n\
         Subject: [vertrouwelijk] Zaak\r\n\r\ntekst\r\n"
    );
    submit(scene.gateway.smtp, "noreply@voorbeeld.nl", &[RESIDENT], message.as_bytes());
    let seen = scene.smarthost.wait(|seen| seen.taken.len() == before + 2);
    let notices: Vec<Notice> = seen.taken[before..].iter().map(Notice::of).collect();
    let of = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap();
    let notification = of("notification");
    let unfolded = notification.raw.replace("\r\n\t", " ").replace("\r\n ", " ");
    let field = unfolded.lines().find(|line| line.starts_with("Reply-To:")).unwrap();
    assert!(field.contains("\"Zaak 12, bezwaar\" <zaak-12@voorbeeld.nl>"), "{field}");
    assert!(field.contains(" zaken@voorbeeld.nl") && field.matches('@').count() == 2, "{field}");
    assert!(
        notification.text.contains("Zaaksysteem"),
        "whom to ask is who it is from: {}",
        notification.text
    );

    let link = link_of(&notification.text, &scene.site.public_url());
    let mut anna = Resident::verified(&link, &password_of(&of("receipt").text), &scene.smarthost);
    let page = anna.get("/reply/message").text();
    assert!(page.contains("zaak-12@voorbeeld.nl, zaken@voorbeeld.nl"), "{page}");
    let answer = anna.message("zaak-12@voorbeeld.nl, zaken@voorbeeld.nl", "Dank u", &[], "next");
    assert_eq!((answer.status, anna.tail(&answer)), (303, "/reply/check"), "{}", answer.text());
    assert_eq!(anna.send("confirm=1").status, 303);
    scene
        .smarthost
        .wait(|seen| seen.copies("zaak-12@voorbeeld.nl") == 1 && seen.copies("zaken@voorbeeld.nl") == 1);
}

#[test]
fn the_password_for_staff_is_shown_in_its_session_only() {
    let scene = scene("[reply]\ndelivery = \"transfer\"\n");
    let mut anna = scene.verified();
    anna.message(STAFF, "kanarie-antwoord", &[("a.txt", "text/plain", b"kanarie-bijlage")], "next");
    assert!(anna.get("/reply/check").text().contains("name=\"password_by\""));

    let weak = anna.send(&form(&[
        ("password_by", "choose"),
        ("password", "wachtwoord"),
        ("password_again", "wachtwoord"),
    ]));
    assert_eq!(weak.status, 400);
    assert!(weak.text().contains("id=\"password-error\""), "{}", weak.text());
    let typo = anna.send("password_by=choose&password=vier+losse+woorden+hier&password_again=anders");
    assert_eq!(typo.status, 400);
    assert!(typo.text().contains("niet hetzelfde"), "{}", typo.text());

    let sent = anna.send("password_by=generate&confirm=1&downloaded=1");
    assert_eq!((sent.status, anna.tail(&sent)), (303, "/reply/sent"), "{}", sent.text());
    let page = anna.get("/reply/sent").text();
    let password = page.split("<code class=\"password\" id=\"password\">").nth(1).unwrap();
    let password = password.split('<').next().unwrap();
    for again in ["/reply/sent", "/reply/sent?lang=fy", "/reply/sent?lang=nl"] {
        assert!(anna.get(again).text().contains(password), "{again}");
    }
    // Another session, with the same link, password and browser, does not see it.
    let mut later = Resident { link: anna.link.clone(), cookies: anna.cookies.clone() };
    assert_eq!(later.post("", &form(&[("password", &scene.password)])).status, 303);
    let page = later.get("/reply/sent");
    assert_eq!(page.status, 200);
    assert!(!page.text().contains(password), "{}", page.text());
    assert!(page.text().contains("Wij kunnen het niet nog een keer laten zien"), "{}", page.text());

    let notice = Notice::of(&scene.mail_with("X-Zegel-Notice: reply\r\n"));
    assert_eq!(notice.to, [STAFF]);
    for secret in ["kanarie-antwoord", "kanarie-bijlage", password] {
        assert!(!notice.raw.contains(secret), "{secret} in {}", notice.raw);
    }
    let link = link_of(&notice.text, &scene.site.public_url());
    assert_eq!(post(&link, "password=fout").status, 403);
    let opened = post(&link, &form(&[("password", password)]));
    assert_eq!(opened.status, 303, "{}", opened.text());
    let files = get_as(&format!("{link}/files"), &opened.cookie());
    assert!(files.text().contains("kanarie-antwoord") && files.text().contains("a.txt"), "{}", files.text());
    assert_eq!(get_as(&format!("{link}/files/1"), &opened.cookie()).body, b"kanarie-bijlage");
    let told = Notice::of(&scene.mail_with("X-Zegel-Notice: download\r\n"));
    assert_eq!(told.to, [RESIDENT]);
    assert!(told.text.contains(STAFF) && !told.text.contains("a.txt"), "{}", told.text);
    // Staff answer the mail itself; from here nothing could reach Anna (C12).
    assert!(!files.text().contains("/reply\""), "{}", files.text());
    let refused = get_as(&format!("{link}/reply"), &opened.cookie());
    assert_eq!(refused.status, 403);
    for words in [files.text(), refused.text()] {
        assert!(words.contains("Beantwoord dan de e-mail met de link"), "{words}");
    }
    assert!(notice.text.contains("Dan wordt uw antwoord ook beveiligd verzonden"), "{}", notice.text);
    assert!(scene.gateway.log().iter().all(|line| !line.contains(password)), "C24");
}

#[test]
fn a_chosen_password_that_was_shown_is_typed_once() {
    let scene = scene("[reply]\ndelivery = \"transfer\"\n");
    let mut anna = scene.verified();
    anna.message(STAFF, "tekst", &[], "next");
    let sent = anna
        .send("password_by=choose&password=paard+batterij+nietje+correct&password_shown=1&password_again=");
    assert_eq!((sent.status, anna.tail(&sent)), (303, "/reply/sent"), "{}", sent.text());
    let notice = Notice::of(&scene.mail_with("X-Zegel-Notice: reply\r\n"));
    let link = link_of(&notice.text, &scene.site.public_url());
    assert_eq!(post(&link, "password=paard+batterij+nietje+correct").status, 303);
}

/// C40: the mail of a stranger who has got hold of the link, name and files as they come.
#[test]
fn a_resident_cannot_pose_as_staff() {
    let scene = scene("");
    let mut evil = Resident::open(scene.link(), &scene.password);
    evil.prove(&scene.smarthost, "burgemeester@voorbeeld.nl Sanne de Vries", "evil@example.net");
    for (name, kind, octets) in [
        ("nota.html", "text/html", &b"<script>"[..]),
        ("nota.pdf.exe", "application/pdf", b"x"),
        ("nota.pdf", "application/pdf", b"MZ\x90\0\x03\0\0\0"),
    ] {
        let refused = evil.message(STAFF, "Beste collega", &[(name, kind, octets)], "next");
        assert_eq!(refused.status, 415, "{}", refused.text());
        let words = format!("{name} is een programma of een webpagina");
        assert!(refused.text().contains(&words), "{words} is missing in {}", refused.text());
    }
    let many: Vec<String> = (0..11).map(|number| format!("lijst{number}@voorbeeld.nl")).collect();
    let refused = evil.message(&many.join(", "), "Beste collega", &[], "next");
    assert_eq!(refused.status, 400, "{}", refused.text());
    let taken = evil.message(STAFF, "Beste collega", &[], "next");
    assert_eq!(evil.tail(&taken), "/reply/check", "{}", taken.text());
    let check = evil.get("/reply/check");
    assert!(check.text().contains("evil@example.net (via"), "{}", check.text());
    assert!(!check.text().contains("[vertrouwelijk]"), "the subject is shown without its tag");
    evil.send("");
    let mail = scene.staff_mail();
    let head = head(&mail);
    assert!(head.contains("From: \"evil@example.net (via "), "{head}");
    assert!(!head.contains("burgemeester") && head.contains("\nSubject: Re: [vertrouwelijk] "), "{head}");
    let text = Notice::of(&mail).text;
    assert!(text.contains("evil@example.net is gecontroleerd"), "{text}");
    assert!(text.contains(&format!("de link was gemaakt voor {RESIDENT}, niet voor dit adres")), "{text}");
}

/// H42: every POST without the cookie is another browser to us.
#[test]
fn posts_without_a_cookie_make_few_drafts() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, "kanarie-tekst", &[], "keep");
    let session = Resident::open(scene.link(), &scene.password).cookie();
    for _ in 0..60 {
        let form = form(&[("name", ""), ("email", ""), ("phone", "")]);
        let url = format!("{}/reply", scene.link());
        let answer = send("POST", &url, &[("Cookie", &session)], Some(&form));
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    let drafts = scene.everything().iter().filter(|row| row.starts_with("drafts:")).count();
    assert_eq!(drafts, 20);
    assert!(anna.get("/reply/message").text().contains("kanarie-tekst"), "hers is among them");
}

/// tus 1.0: core, creation, creation-with-upload, creation-defer-length, termination.
#[test]
fn files_come_in_pieces() {
    let scene = scene("");
    let mut anna = scene.verified();
    let file = noise(300_000);

    let options = anna.tus("OPTIONS", "", &[], None);
    assert_eq!(options.status, 204);
    assert_eq!((options.field("tus-version"), options.field("tus-max-size")), ("1.0.0", "1073741824"));
    assert!(options.field("tus-extension").contains("creation-with-upload"));

    let id = anna.begin("foto.jpg", file.len());
    assert_eq!(anna.offset(&id), 0);
    let first = anna.piece(&id, 0, &file[..100_000]);
    assert_eq!((first.status, first.field("upload-offset")), (204, "100000"));
    assert_eq!(first.field("tus-resumable"), "1.0.0");
    let status = anna.tus("HEAD", &id, &[], None);
    assert_eq!((status.field("upload-offset"), status.field("upload-length")), ("100000", "300000"));
    assert_eq!(status.field("cache-control"), "no-store");
    assert!(status.field("upload-metadata").contains(&base64(b"foto.jpg")));

    let again = anna.piece(&id, 0, &file[..100_000]);
    assert_eq!((again.status, again.field("upload-offset")), (409, "100000"));
    assert_eq!(anna.piece(&id, 200_000, &file[200_000..]).status, 409);
    let page = anna.get("/reply/message");
    assert!(page.text().contains("33%") && page.text().contains("foto.jpg"), "{}", page.text());
    let refused = anna.message(STAFF, "tekst", &[], "next");
    assert_eq!(refused.status, 400, "an unfinished file is not sent");
    assert!(refused.text().contains("foto.jpg is nog niet helemaal binnen"), "{}", refused.text());
    assert_eq!(anna.piece(&id, 100_000, &file[100_000..]).field("upload-offset"), "300000");

    let metadata = format!("filename {}", base64(b"klein.txt"));
    let with_upload = [
        ("Upload-Length", "5"),
        ("Upload-Metadata", metadata.as_str()),
        ("Content-Type", "application/offset+octet-stream"),
    ];
    let created = anna.tus("POST", "", &with_upload, Some(b"klein"));
    assert_eq!((created.status, created.field("upload-offset")), (201, "5"));

    let deferred = anna.tus("POST", "", &[("Upload-Defer-Length", "1")], Some(b""));
    let later = format!("/{}", deferred.field("location").rsplit('/').next().unwrap());
    assert_eq!(anna.tus("HEAD", &later, &[], None).field("upload-defer-length"), "1");
    let piece = [
        ("Upload-Offset", "0"),
        ("Upload-Length", "4"),
        ("Content-Type", "application/offset+octet-stream"),
        ("X-HTTP-Method-Override", "PATCH"),
    ];
    assert_eq!(anna.tus("POST", &later, &piece, Some(b"vier")).status, 204);
    assert_eq!(anna.tus("DELETE", &later, &[], None).status, 204);
    assert_eq!(anna.tus("HEAD", &later, &[], None).status, 404);
    assert_eq!(anna.tus("DELETE", &later, &[], None).status, 404);

    anna.message(STAFF, "", &[], "next");
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    let arrived = attachments(&scene.staff_mail());
    assert_eq!(arrived.len(), 2);
    assert!(arrived[0] == ("foto.jpg".to_owned(), file));
    assert!(arrived[1] == ("klein.txt".to_owned(), b"klein".to_vec()));
}

#[test]
fn what_is_not_tus_is_refused() {
    let scene = scene("[reply]\nmax_size = \"1MiB\"\n");
    let anna = scene.verified();
    let id = anna.begin("a", 10);
    let piece = ("Content-Type", "application/offset+octet-stream");
    let url = format!("{}/reply/files", scene.link());
    let cookie = anna.cookie();
    let bare = |method: &str, rest: &str, fields: &[(&str, &str)]| {
        let fields = [&[("Cookie", cookie.as_str())], fields].concat();
        send_octets(method, &format!("{url}{rest}"), &fields, Some(b"x"))
    };
    for version in [vec![], vec![("Tus-Resumable", "0.2.2")]] {
        let answer = bare("PATCH", &id, &version);
        assert_eq!((answer.status, answer.field("tus-version")), (412, "1.0.0"));
    }
    for (method, rest, fields, expected) in [
        ("PATCH", id.as_str(), vec![("Upload-Offset", "0")], 415),
        ("PATCH", &id, vec![("Upload-Offset", "0"), ("Content-Type", "text/plain")], 415),
        ("PATCH", &id, vec![piece], 400),
        ("PATCH", &id, vec![piece, ("Upload-Offset", "-1")], 400),
        ("PATCH", &id, vec![piece, ("Upload-Offset", "+0")], 400),
        ("PATCH", &id, vec![piece, ("Upload-Offset", "1")], 409),
        ("PATCH", "/0123456789012345", vec![piece, ("Upload-Offset", "0")], 404),
        ("PATCH", "/x", vec![piece, ("Upload-Offset", "0")], 404),
        ("POST", &id, vec![], 405),
        ("GET", &id, vec![], 405),
        ("PUT", "", vec![], 405),
        ("POST", "", vec![], 400),
        ("POST", "", vec![("Upload-Length", "x")], 400),
        ("POST", "", vec![("Upload-Length", "0")], 400),
        ("POST", "", vec![("Upload-Length", "5"), ("Upload-Metadata", "filename =")], 400),
        ("POST", "", vec![("Upload-Length", "1048577")], 413),
        ("POST", "", vec![("Upload-Length", "18446744073709551615")], 413),
    ] {
        let answer = anna.tus(method, rest, &fields, Some(b"x"));
        assert_eq!(answer.status, expected, "{method} {rest} {fields:?}: {}", answer.text());
    }
    let large = anna.tus("POST", "", &[("Upload-Length", "1048577")], Some(b""));
    assert_eq!(large.field("content-type"), "text/plain; charset=utf-8");
    assert!(large.text().contains("samen te groot"), "{}", large.text());
    let elsewhere = bare("PATCH", &id, &[("Tus-Resumable", "1.0.0"), ("Sec-Fetch-Site", "cross-site")]);
    assert_eq!(elsewhere.status, 403, "H22");
    assert_eq!(
        bare("PATCH", &id, &[("Tus-Resumable", "1.0.0"), ("Host", "evil.example")]).status,
        421,
        "C22"
    );
    assert_eq!(anna.offset(&id), 0);
}

/// C12: whatever is wrong is said beside its field, and what was typed is still there.
#[test]
fn bad_input_is_named_and_kept() {
    let scene = scene("[reply]\nmax_size = \"1MiB\"\n");
    let mut anna = Resident::open(scene.link(), &scene.password);
    for (name, email, field, words) in [
        ("", RESIDENT, "name", "Vul uw naam in"),
        ("Anna\r\nBcc: x@evil.example", RESIDENT, "name", "één regel"),
        ("<script>alert(1)</script>", RESIDENT, "name", "Gebruik geen"),
        ("Anna", "", "email", "Vul uw e-mailadres in"),
        ("Anna", "anna", "email", "geen goed e-mailadres"),
        ("Anna", "anna@example.org\r\nRCPT TO:<x@y.nl>", "email", "geen goed e-mailadres"),
    ] {
        let answer =
            anna.post("/reply", &form(&[("name", name), ("email", email), ("phone", "0511 123456")]));
        let page = answer.text();
        assert_eq!(answer.status, 400, "{name:?} {email:?}");
        assert!(page.contains(words) && page.contains(&format!("id=\"{field}-error\"")), "{page}");
        assert!(page.contains(&format!("href=\"#{field}\"")) && page.contains("role=\"alert\""), "{page}");
        assert!(page.contains("value=\"0511 123456\""), "what was typed is kept: {page}");
        assert!(!page.contains("<script>alert"));
    }
    let asked = get_as(&format!("{}/reply?lang=en", scene.link()), &anna.cookie());
    assert!(asked.text().contains("0511 123456") && asked.text().contains("Who are you?"));

    let before = scene.smarthost.seen().taken.len();
    anna.post("/reply", &form(&[("name", "Anna"), ("email", RESIDENT), ("phone", "")]));
    let code = code_to(&scene.smarthost, RESIDENT, before);
    let wrong = anna.post("/reply/code", "code=00000000");
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("nog 4 keer"), "{}", wrong.text());
    assert_eq!(anna.post("/reply/code", "code=").status, 400);
    // People copy more than the digits.
    let right = anna.post("/reply/code", &form(&[("code", &format!(" {} {} ", &code[..4], &code[4..]))]));
    assert_eq!(anna.tail(&right), "/reply/message", "{}", right.text());

    let large = noise(1_100_000);
    let many: Vec<String> = (0..101).map(|n| format!("{n}.txt")).collect();
    let many: Vec<(&str, &str, &[u8])> =
        many.iter().map(|name| (name.as_str(), "text/plain", &b"x"[..])).collect();
    for (to, text, files, status, field, words) in [
        ("x@example.org", "mijn tekst", vec![], 400, "to", "x@example.org is geen adres van"),
        ("jan@voorbeeld.nl, x@evil.example", "mijn tekst", vec![], 400, "to", "x@evil.example is geen adres"),
        ("jan", "mijn tekst", vec![], 400, "to", "jan is geen goed e-mailadres"),
        ("", "mijn tekst", vec![], 400, "to", "Vul een adres in"),
        (STAFF, "  ", vec![], 400, "message", "Schrijf een bericht of voeg een bestand toe"),
        (STAFF, "mijn tekst", vec![("leeg.txt", "text/plain", &b""[..])], 400, "files", "leeg.txt is leeg"),
        (STAFF, "mijn tekst", vec![("groot.bin", "a/b", &large[..])], 413, "files", "groot.bin is te groot"),
        (STAFF, "mijn tekst", many, 413, "files", "hooguit 100 bestanden"),
    ] {
        let answer = anna.message(to, text, &files, "next");
        let page = answer.text();
        assert_eq!(answer.status, status, "{to} {text}: {page}");
        assert!(page.contains(words) && page.contains(&format!("id=\"{field}-error\"")), "{words}: {page}");
        assert!(page.contains(text.trim()) && page.contains(to), "what was typed is kept: {page}");
    }
    assert_eq!(scene.smarthost.seen().copies(STAFF), 1, "only the receipt");
}

/// C12, C13: a field that is not in the form is refused, and reaches nobody.
#[test]
fn no_field_can_be_added() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, "tekst", &[], "next");
    for (rest, body) in [
        ("/reply/sent", "to=x@evil.example"),
        ("/reply/sent", "cc=jan@voorbeeld.nl&recipient=x@evil.example"),
        ("/reply/check", "from=x@evil.example"),
        ("/reply/code", "code=12345678&address=x@evil.example"),
        ("/reply", "name=x&email=a@b.nl&to=x@evil.example"),
        ("/reply/strength", "password=x&to=y"),
    ] {
        let answer = anna.post(rest, body);
        assert_eq!(answer.status, 400, "{rest} {body}: {}", answer.text());
    }
    let extra = multipart(&[("to", STAFF), ("message", "x"), ("bcc", "x@evil.example")], &[], &[]);
    assert_eq!(anna.multipart(&extra).status, 400);
    for (field, value) in [("cc", "x@evil.example"), ("bcc", "jan@voorbeeld.nl; x@voorbeeld.nl.evil.example")]
    {
        let answer = anna.send(&form(&[(field, value)]));
        assert_eq!(answer.status, 400);
        let page = answer.text();
        assert!(
            page.contains(&format!("id=\"{field}-error\"")) && page.contains("is geen adres van"),
            "{page}"
        );
        assert!(page.contains("<details class=\"settings\" open"), "the field can be seen");
    }
    // On the way back nothing of the settings is lost.
    let back = anna.post("/reply/check", &form(&[("cc", "els@voorbeeld.nl"), ("back", "1")]));
    assert_eq!(anna.tail(&back), "/reply/message", "{}", back.text());
    assert!(anna.get("/reply/check").text().contains("els@voorbeeld.nl"));
    let sent = anna.send(&form(&[("cc", "\"Piet, de\" <piet@voorbeeld.nl>;\n els@VOORBEELD.nl")]));
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    let seen = scene.smarthost.wait(|seen| {
        seen.copies(STAFF) == 2
            && seen.copies("piet@voorbeeld.nl") == 1
            && seen.copies("els@voorbeeld.nl") == 1
    });
    assert!(!seen.commands.iter().any(|(_, line)| line.contains("evil.example")));
}

/// C17: link, browser and session belong together.
#[test]
fn a_session_answers_only_its_own_transfer() {
    let scene = Scene::new("", &[RESIDENT, PARTNER]);
    let (others, _) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[RESIDENT]);
    let mut anna = scene.verified();
    let id = anna.begin("geheim.txt", 10);
    anna.message(STAFF, "kanarie-concept", &[], "add");

    let tus = [("Tus-Resumable", "1.0.0")];
    for foreign in [&scene.links[1], &others[0]] {
        for screen in SCREENS {
            let answer = get_as(&format!("{foreign}{screen}"), &anna.cookie());
            assert_eq!(answer.status, 303, "{screen}");
            assert!(answer.field("location").ends_with("?next=reply"), "{}", answer.field("location"));
        }
        for screen in
            ["/reply", "/reply/code", "/reply/check", "/reply/sent", "/reply/other", "/reply/strength"]
        {
            let fields = [("Cookie", anna.cookie())];
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = send("POST", &format!("{foreign}{screen}"), &fields, Some("code=1"));
            assert_eq!(answer.status, 303, "{screen}");
        }
        for (method, rest) in [("POST", ""), ("HEAD", &id), ("PATCH", &id), ("DELETE", &id)] {
            let cookie = anna.cookie();
            let fields = [&[("Cookie", cookie.as_str())], &tus[..]].concat();
            let answer = send_octets(method, &format!("{foreign}/reply/files{rest}"), &fields, Some(b""));
            assert_eq!(answer.status, 403, "{method} {rest}");
        }
    }
    // The same link with the right password, in another browser: a draft of its own, and no right to upload.
    let mut other = Resident::open(scene.link(), &scene.password);
    assert_eq!(other.tus("HEAD", &id, &[], None).status, 403);
    assert_eq!(other.tus("POST", "", &[("Upload-Length", "1")], Some(b"")).status, 403);
    other.prove(&scene.smarthost, "Eva", "eva@example.org");
    for method in ["HEAD", "DELETE"] {
        assert_eq!(other.tus(method, &id, &[], None).status, 404, "{method}");
    }
    assert_eq!(other.piece(&id, 0, b"x").status, 404);
    let page = other.get("/reply/message");
    assert!(!page.text().contains("kanarie-concept") && !page.text().contains("geheim.txt"));
    // The browser alone, without the session, is nothing.
    anna.cookies.retain(|name, _| name == "zegel-browser");
    assert_eq!(anna.tus("HEAD", &id, &[], None).status, 403);
    assert_eq!(anna.get("/reply/message").status, 303);
}

/// Somebody else sits down at the same computer.
#[test]
fn the_browser_is_remembered_until_somebody_says_not_me() {
    let scene = scene("");
    let mut anna = scene.verified();
    anna.message(STAFF, "kanarie-concept", &[], "add");
    let (others, password) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[RESIDENT]);
    let mut second = Resident::open(&others[0], &password);
    second.cookies.extend(anna.cookies.clone());
    let first = second.get("/reply");
    assert_eq!((first.status, second.tail(&first)), (303, "/reply/message"), "no second code");

    let set = anna.post("/reply/other", "");
    assert_eq!(anna.tail(&set), "/reply");
    let page = anna.get("/reply");
    assert!(page.status == 200 && !page.text().contains("Anna de Vries"), "{}", page.text());
    assert_eq!(anna.get("/reply/message").status, 303);
    assert_eq!(second.get("/reply/message").status, 303, "the old cookie is worth nothing");
}

/// H21
#[test]
fn looking_changes_nothing() {
    let scene = scene("");
    let mut anna = Resident::open(scene.link(), &scene.password);
    // The first page behind the password is what tells that the message was opened.
    anna.get("/reply");
    let look = |scene: &Scene, anna: &mut Resident| {
        let before = scene.everything();
        for screen in SCREENS {
            anna.get(screen);
            anna.get(&format!("{screen}?lang=fy"));
            send("HEAD", &format!("{}{screen}", scene.link()), &[("Cookie", &anna.cookie())], None);
        }
        let is_session = |row: &&String| row.starts_with("sessions:");
        let rest = |rows: &[String]| rows.iter().filter(|row| !is_session(row)).cloned().collect::<Vec<_>>();
        assert_eq!(rest(&before), rest(&scene.everything()));
    };
    look(&scene, &mut anna);
    anna.prove(&scene.smarthost, "Anna", RESIDENT);
    scene.smarthost.wait(|seen| seen.taken.len() == 3);
    wait_for("an empty queue", || {
        (!scene.everything().iter().any(|row| row.starts_with("items:"))).then_some(())
    });
    look(&scene, &mut anna);
    anna.message(STAFF, "tekst", &[("a.txt", "text/plain", b"a")], "next");
    look(&scene, &mut anna);
}

#[test]
fn an_upload_goes_on_after_a_kill() {
    let scene = scene("");
    let mut anna = scene.verified();
    let file = noise(12_000_000);
    let id = anna.begin("film.mp4", file.len());
    assert_eq!(anna.piece(&id, 0, &file[..1_000_000]).field("upload-offset"), "1000000");

    // More is on its way, and not all of it has come, when the server dies.
    let (host, path) = scene.link().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut half = TcpStream::connect(scene.gateway.web).unwrap();
    let head = format!(
        "PATCH /{path}/reply/files{id} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\n\
         Upload-Offset: 1000000\r\nContent-Type: application/offset+octet-stream\r\n\
         Content-Length: 11000000\r\n\r\n",
        anna.cookie()
    );
    half.write_all(head.as_bytes()).unwrap();
    half.write_all(&file[1_000_000..11_000_000]).unwrap();
    let durable = wait_for("a durable piece", || Some(anna.offset(&id)).filter(|at| *at > 1_000_000));
    let Scene { smarthost, site, gateway, links, password } = scene;
    gateway.kill();
    let scene = Scene { gateway: site.start(), smarthost, site, links, password };

    let at = anna.offset(&id);
    assert!((durable..=11_000_000).contains(&at), "{at}: what was durable is there");
    assert_eq!(anna.piece(&id, at, &file[at..]).field("upload-offset"), file.len().to_string());
    let answer = anna.message(STAFF, "de film", &[], "next");
    assert_eq!(anna.tail(&answer), "/reply/check", "{}", answer.text());
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    let arrived = attachments(&scene.staff_mail());
    assert!(arrived.len() == 1 && arrived[0].1 == file);
}

#[test]
fn answers_can_be_switched_off() {
    let scene = scene("[reply]\nenabled = false\n");
    let page = get(&format!("{}/reply", scene.link()));
    assert_eq!(page.status, 403);
    assert!(page.text().contains("U kunt hier niet antwoorden"), "{}", page.text());
    let opened = post(scene.link(), &format!("password={}", scene.password));
    for screen in SCREENS {
        assert_eq!(get_as(&format!("{}{screen}", scene.link()), &opened.cookie()).status, 403, "{screen}");
    }
    let files = get_as(&format!("{}/files", scene.link()), &opened.cookie());
    assert!(!files.text().contains("/reply\""));
    assert_eq!(get(&format!("{}/t/onzin/reply", scene.site.public_url())).status, 404);
}

/// A transfer that ends while somebody writes: everything says so, nothing is sent.
#[test]
fn a_transfer_that_ends_halfway_takes_its_answer_along() {
    let scene = scene("");
    let mut anna = scene.verified();
    let id = anna.begin("a.txt", 10);
    anna.message(STAFF, "tekst", &[], "add");
    let expire = "UPDATE transfers SET expires = CAST(unixepoch('now', '-1 second') AS INTEGER) * 1000000";
    assert_eq!(scene.database().execute(expire, []).unwrap(), 1);
    for screen in SCREENS {
        assert_eq!(anna.get(screen).status, 410, "{screen}");
    }
    // What was typed comes back with the refusal, to be copied.
    let late = anna.message(STAFF, "een <lange> tekst", &[("a.txt", "text/plain", b"a")], "next");
    assert!(late.text().contains("Uw antwoord is niet verstuurd"), "{}", late.text());
    assert!(late.text().contains("een &#60;lange&#62; tekst"), "{}", late.text());
    let send = anna.send("");
    assert!(send.text().contains("Uw antwoord is niet verstuurd"), "{}", send.text());
    let gone: Vec<Answer> = vec![
        late,
        send,
        anna.tus("HEAD", &id, &[], None),
        anna.piece(&id, 0, b"x"),
        anna.tus("POST", "", &[("Upload-Length", "1")], Some(b"")),
    ];
    assert!(gone.iter().all(|answer| answer.status == 410));
    assert_eq!(scene.smarthost.seen().copies(STAFF), 1, "only the receipt");
}

#[test]
fn only_files_of_the_listed_types_are_taken() {
    let scene = scene("[reply]\nfile_types = [\"pdf\", \"JPG\"]\n");
    let mut anna = scene.verified();
    let page = anna.get("/reply/message").text();
    assert!(
        page.contains("accept=\".pdf,.jpg\"") && page.contains("soorten bestanden sturen: pdf, jpg."),
        "{page}"
    );

    // By the name, before a byte has come.
    for name in ["spel.exe", "pdf", "foto.jpg.scr", "foto.jpeg"] {
        let metadata = format!("filename {}", base64(name.as_bytes()));
        let fields = [("Upload-Length", "2"), ("Upload-Metadata", metadata.as_str())];
        let answer = anna.tus("POST", "", &fields, Some(b""));
        let words = format!("{name} kan niet mee. U kunt deze soorten bestanden sturen: pdf, jpg");
        assert_eq!((answer.status, answer.text()), (415, words));
    }
    // By what is in it, as soon as it is complete.
    let words = " is een programma of een webpagina";
    let other = " is een ander soort bestand dan de naam zegt";
    for (name, octets, words) in
        [("verslag.pdf", &b"MZ\x90\0"[..], words), ("foto.JPG", &b"%PDF-1.7"[..], other)]
    {
        let id = anna.begin(name, octets.len());
        let answer = anna.piece(&id, 0, octets);
        assert_eq!(answer.status, 415);
        assert!(answer.text().starts_with(&format!("{name}{words}")), "{}", answer.text());
        assert_eq!(anna.tus("HEAD", &id, &[], None).status, 404, "it is gone");
    }
    // Without JavaScript; what may come is kept, and so is what was typed.
    let files: [(&str, &str, &[u8]); 4] = [
        ("spel.exe", "application/pdf", b"MZ"),
        ("script.jpg", "image/jpeg", b"#!/bin/sh"),
        ("FOTO.JPG", "image/jpeg", b"\xff\xd8\xff\xe0"),
        ("verslag.pdf", "application/pdf", b"%PDF-1.7"),
    ];
    let page = anna.message(STAFF, "kanarie-tekst", &files, "next");
    assert_eq!(page.status, 415);
    let text = page.text();
    assert!(text.contains("<p class=\"field-error\">spel.exe kan niet mee"), "{text}");
    assert!(text.contains(&format!("<p class=\"field-error\">script.jpg{words}")), "{text}");
    assert!(text.contains("kanarie-tekst") && text.contains("FOTO.JPG"), "{text}");
    let refused = |why: &str| {
        let rows = scene.everything();
        rows.iter().filter(|row| row.starts_with("audit:") && row.contains(why)).count()
    };
    assert_eq!((refused("program"), refused("other type")), (2, 1));
    assert!(!scene.gateway.log().iter().any(|line| line.contains("script.jpg")));

    // What came before the list got shorter is not sent either.
    let config = std::fs::read_to_string(scene.site.config()).unwrap();
    std::fs::write(scene.site.config(), config.replace("\"pdf\", ", "")).unwrap();
    scene.gateway.reload();
    wait_for("the reload", || anna.get("/reply/message").text().contains("sturen: jpg.").then_some(()));
    let page = anna.send("");
    assert_eq!(page.status, 415);
    assert!(page.text().contains("verslag.pdf kan niet mee"), "{}", page.text());
    let page = anna.get("/reply/message").text();
    let id = page.split("data-name=\"verslag.pdf\"").next().unwrap().rsplit("data-id=\"").next().unwrap();
    let id = id.split('"').next().unwrap();
    assert_eq!(anna.tus("DELETE", &format!("/{id}"), &[], None).status, 204);
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    let names: Vec<String> = attachments(&scene.staff_mail()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["FOTO.JPG"]);
}
