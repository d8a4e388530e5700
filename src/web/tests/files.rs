//! What comes out of a transfer: downloads, previews, the message and the ZIP.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{PNG, Sealed, Site, content};
use crate::address::Address;
use crate::config::PasswordMode;
use crate::message::mailbox::Mailbox;
use crate::message::note::{Meeting, MeetingKind, Note};
use crate::transfer::sealing::SealRequest;
use crate::web::recipient::zip::strict;

/// A site with an opened transfer; paths are relative to it.
struct Opened {
    site: Site,
    sealed: Sealed,
    cookie: String,
}

impl Opened {
    fn new() -> Self {
        let site = Site::start();
        let sealed = site.seal();
        let cookie = site.unlock(&sealed.tokens[0], &sealed.password);
        Self { site, sealed, cookie }
    }

    fn get(&self, rest: &str) -> super::Answer {
        self.send("GET", rest, &[])
    }

    fn send(&self, method: &str, rest: &str, fields: &[(&str, &str)]) -> super::Answer {
        let mut fields = fields.to_vec();
        fields.push(("Cookie", &self.cookie));
        self.site.send(&format!("{method} /t/{}/{rest}", self.sealed.tokens[0]), &fields, "")
    }
}

/// What a message is besides its text is said in the language and the time of its reader.
#[test]
fn the_page_says_what_was_signed_and_when_a_meeting_is() {
    let page = |notes: Vec<Note>, language: &str| {
        let site = Site::start();
        let change = |request: &mut SealRequest<'_>| {
            (request.text, request.html, request.notes) = (None, None, notes);
        };
        let sealed = site.seal_with(PasswordMode::None, change);
        let cookie = site.unlock(&sealed.tokens[0], "");
        site.get_with(&format!("/t/{}/files?lang={language}", sealed.tokens[0]), &cookie).text().to_string()
    };
    let meeting = |start: &str, end: &str, is_whole_day| {
        Note::Meeting(Meeting {
            kind: MeetingKind::Request,
            subject: Some("Gesprek <b>".into()),
            start: Some(start.parse().unwrap()),
            end: Some(end.parse().unwrap()),
            is_whole_day,
            place: Some("Kamer 3".into()),
        })
    };
    let hours = || meeting("2026-12-01T09:30:00Z", "2026-12-01T10:30:00Z", false);
    let text = page(vec![hours()], "nl");
    for expected in ["Uitnodiging voor een afspraak", "Gesprek &#60;b&#62;", "10:30 tot 11:30", "Kamer 3"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains("Dit bericht heeft geen tekst"));
    assert!(page(vec![hours()], "fy").contains("10:30 oant 11:30"));
    assert!(page(vec![hours()], "en").contains("10:30 until 11:30"));
    let night = page(vec![meeting("2026-12-01T22:30:00Z", "2026-12-01T23:30:00Z", false)], "nl");
    assert!(night.contains("23:30 tot ") && night.contains("2 december 2026 om 00:30"), "{night}");
    let days = page(vec![meeting("2026-11-30T23:00:00Z", "2026-12-02T23:00:00Z", true)], "nl");
    assert!(days.contains("1 december 2026 tot en met ") && days.contains("2 december 2026<"), "{days}");
    let day = page(vec![meeting("2026-11-30T23:00:00Z", "2026-12-01T23:00:00Z", true)], "nl");
    assert!(!day.contains("tot en met ma") && !day.contains("tot en met di"), "{day}");

    let signed = page(vec![Note::Signed { by: vec!["Jan & co".into(), "Piet".into()] }], "nl");
    let sentence = "ondertekend met een certificaat op naam van Jan &#38; co, Piet. Wij hebben de handtekening niet gecontroleerd.";
    assert!(signed.contains(sentence) && signed.contains("Dit bericht heeft geen tekst"), "{signed}");
    let encrypted = page(vec![Note::Encrypted], "en");
    assert!(encrypted.contains("encrypted for the owner of a certificate"), "{encrypted}");
}

/// H40: as many readers of one link as there ever were places, none of whom takes anything.
#[test]
fn slow_readers_of_one_link_leave_downloads_to_others() {
    let site = Site::start();
    let large = vec![b'k'; 8 << 20];
    let sealed = site.seal_with(PasswordMode::None, |request| request.files[0].data = large.into());
    let [one, other] = [0, 1].map(|number| (&sealed.tokens[number], site.unlock(&sealed.tokens[number], "")));
    let mut readers: Vec<_> = (0..140).map(|_| TcpStream::connect(site.address).unwrap()).collect();
    for reader in &mut readers {
        let (token, cookie) = &one;
        let host = "Host: veilig.voorbeeld.nl";
        let request = format!("GET /t/{token}/files/1 HTTP/1.1\r\n{host}\r\nCookie: {cookie}\r\n\r\n");
        reader.write_all(request.as_bytes()).unwrap();
    }
    let answers = readers.iter_mut().map(|reader| {
        let mut start = [0; 12];
        reader.read_exact(&mut start).unwrap();
        String::from_utf8_lossy(&start).into_owned()
    });
    let (served, others): (Vec<_>, Vec<_>) = answers.partition(|start| start == "HTTP/1.1 200");
    assert!((1..=20).contains(&served.len()) && others.iter().all(|start| start == "HTTP/1.1 429"));
    let (token, cookie) = &other;
    let answer = site.get_with(&format!("/t/{token}/files/1"), cookie);
    assert_eq!((answer.status, answer.body.len(), answer.is_whole), (200, 8 << 20, true));
    drop(readers);
}

/// H17: what is made for a client ends with it; nothing of the transfer stays open.
#[test]
fn a_client_that_leaves_ends_its_zip() {
    let site = Site::start();
    let large = vec![b'k'; 24 << 20];
    let sealed = site.seal_with(PasswordMode::None, |request| request.files[0].data = large.into());
    let cookie = site.unlock(&sealed.tokens[0], "");
    let blobs = site.dir.path().join("blobs");
    let open_blobs = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        targets.filter(|target| target.starts_with(&blobs)).count()
    };
    for path in ["zip", "files/1"] {
        let mut stream = TcpStream::connect(site.address).unwrap();
        let (token, host) = (&sealed.tokens[0], "Host: veilig.voorbeeld.nl");
        let request = format!("GET /t/{token}/{path} HTTP/1.1\r\n{host}\r\nCookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
        assert!(open_blobs() > 0, "{path}");
        drop(stream);
        let begun = Instant::now();
        while open_blobs() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{path} goes on for nobody");
            std::thread::yield_now();
        }
    }
}

#[test]
fn downloads_are_attachments_in_a_sandbox() {
    let opened = Opened::new();
    for (rest, bytes) in [
        ("files/1", b"%PDF-1.7 KANARIE".as_slice()),
        ("files/2", PNG),
        ("files/4", b"<svg onload=alert(4)/>"),
        ("message.eml", b"Subject: Besluit\r\n\r\nKANARIE\r\n"),
    ] {
        let answer = opened.get(rest);
        assert_eq!((answer.status, answer.body.as_slice()), (200, bytes), "{rest}");
        assert_eq!(answer.field("content-length"), bytes.len().to_string());
        assert!(answer.field("content-disposition").starts_with("attachment; filename=\""), "{rest}");
        assert!(answer.field("content-security-policy").starts_with("sandbox;"), "{rest}");
        assert!(["application/octet-stream", "message/rfc822"].contains(&answer.field("content-type")));
    }
    let name = opened.get("files/3").field("content-disposition").to_owned();
    let expected = "attachment; filename=\"\
        ___script_alert(3)__script__.html\"; \
        filename*=UTF-8''%22%3E%3Cscript%3Ealert%283%29%3C%2Fscript%3E%C3%A9.html";
    assert_eq!(name, expected);
    for rest in ["files/0", "files/5", "files/6", "files/99", "files/x", "files/-1", "files/99999999999"] {
        assert_eq!(opened.get(rest).status, 404, "{rest}");
    }
}

#[test]
fn downloads_resume() {
    let opened = Opened::new();
    let range = |value: &str, method: &str| opened.send(method, "files/1", &[("Range", value)]);
    let answer = range("bytes=5-7", "GET");
    assert_eq!((answer.status, answer.text()), (206, "1.7"));
    assert_eq!(answer.field("content-range"), "bytes 5-7/16");
    assert_eq!(range("bytes=-7", "GET").text(), "KANARIE");
    let answer = range("bytes=16-", "GET");
    assert_eq!((answer.status, answer.field("content-range")), (416, "bytes */16"));
    let whole = opened.send("HEAD", "files/1", &[]);
    assert_eq!((whole.status, whole.field("content-length"), whole.body.len()), (200, "16", 0));
    assert_eq!(whole.field("accept-ranges"), "bytes");
    let tag = whole.field("etag");
    let again =
        |tag: &str| opened.send("GET", "files/1", &[("Range", "bytes=0-0"), ("If-Range", tag)]).status;
    assert_eq!((again(tag), again("\"other\"")), (206, 200));
}

/// What is noted of piet: what was shown, and what was fetched.
fn noted(opened: &Opened) -> (serde_json::Value, Vec<serde_json::Value>) {
    let facts = opened.site.status(&opened.site.status_token(&opened.sealed));
    let piet = &facts["recipients"][0];
    (piet["read"].clone(), piet["downloads"].as_array().unwrap().clone())
}

/// C39: whichever way something goes out, and whatever the request says of itself, it is noted. Every route, read from the
/// source.
#[test]
fn whatever_hands_out_content_is_noted() {
    let routes = [include_str!("../recipient/mod.rs"), include_str!("../reply/mod.rs")].concat();
    let routes = routes.lines().filter_map(|line| line.split("\"/t/{token}/").nth(1));
    let routes: Vec<String> =
        routes.map(|rest| rest.split('"').next().unwrap().replace("{number}", "1")).collect();
    assert!(routes.len() > 8 && routes.contains(&"files/1".to_owned()), "{routes:?}");
    let ranges: [&[(&str, &str)]; 5] = [
        &[],
        &[("Range", "bytes=1-")],
        &[("Range", "bytes=-9")],
        &[("Range", "bytes=3-5"), ("If-Range", "\"other\"")],
        &[("Range", "lines=1-2"), ("Cache-Control", "only-if-cached")],
    ];
    let mut handed_out = 0;
    for route in &routes {
        for fields in ranges {
            let opened = Opened::new();
            let answer = opened.send("GET", route, fields);
            let content: [&[u8]; 3] = [b"ANARIE", b"Regel", b"%PDF"];
            if !content.iter().any(|content| memchr::memmem::find(&answer.body, content).is_some()) {
                continue;
            }
            handed_out += 1;
            let (read, downloads) = noted(&opened);
            assert!(!read.is_null() || !downloads.is_empty(), "{route} {fields:?}");
            assert_eq!(
                opened.site.audited("download") + opened.site.audited("read"),
                1,
                "{route} {fields:?}"
            );
        }
    }
    // The last bytes of a ZIP are none of a file.
    assert!(
        handed_out >= 6 * ranges.len() - 1,
        "page, message, file, preview, ZIP and original: {handed_out}"
    );
}

/// C39: what says that nobody has asked for it yet gets nothing, and HEAD gets no body.
#[test]
fn what_nobody_asked_for_hands_out_nothing_and_is_not_noted() {
    let opened = Opened::new();
    let paths = ["files", "files/1", "files/1/preview", "files/3/preview", "message", "message.eml", "zip"];
    for path in paths {
        for guess in [
            ("Sec-Purpose", "prefetch"),
            ("Sec-Purpose", "prefetch;prerender"),
            ("Sec-Purpose", "Prefetch; anonymous-client-ip"),
            ("sec-purpose", "x;y=1, PREFETCH"),
            ("Purpose", "prefetch"),
            ("X-Moz", "prefetch"),
            ("X-Purpose", "preview"),
            ("X-Purpose", ": Preview"),
        ] {
            let answer = opened.send("GET", path, &[guess, ("Range", "bytes=1-")]);
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{path} {guess:?}");
            assert_eq!(answer.field("cache-control"), "no-store", "{path} {guess:?}");
        }
        let answer = opened.send("HEAD", path, &[]);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "HEAD {path}");
    }
    assert_eq!(opened.send("GET", "files/1", &[("Sec-Fetch-Purpose", "x")]).status, 200, "no such field");
    let (guess, token) = ([("Sec-Purpose", "prefetch")], &opened.sealed.tokens[0]);
    assert_eq!(
        opened.site.send(&format!("GET /t/{token}"), &guess, "").status,
        200,
        "nothing of the message"
    );
    assert_eq!(
        opened.site.send(&format!("GET /t/{token}/files"), &guess, "").status,
        303,
        "nor without a session"
    );
    let (read, downloads) = noted(&opened);
    assert_eq!((read.is_null(), downloads.len()), (true, 1), "{downloads:?}");
    assert_eq!(opened.site.audited("read"), 0);
}

/// C39: a download is one however many requests it takes, and costs one row; after a pause it is another.
#[test]
fn a_thousand_ranges_are_one_download() {
    let opened = Opened::new();
    let octet = |opened: &Opened| opened.send("GET", "files/1", &[("Range", "bytes=0-0")]).status;
    for _ in 0..300 {
        assert_eq!(octet(&opened), 206);
    }
    assert_eq!(opened.site.audited("download"), 1);
    let (_, downloads) = noted(&opened);
    assert_eq!((&downloads[0]["count"], &downloads[0]["partial"]), (&1.into(), &true.into()));
    let page = opened.site.get(&format!("/s/{}", opened.site.status_token(&opened.sealed)));
    assert!(page.text().contains("Bestand 1 van 4 gedownload (een deel, of in delen)"), "{}", page.text());

    opened.get("files/1");
    opened.site.clock.advance(Duration::from_mins(9));
    octet(&opened);
    let (_, downloads) = noted(&opened);
    assert_eq!((&downloads[0]["count"], &downloads[0]["partial"]), (&1.into(), &false.into()));
    assert_eq!(downloads[0]["last"], "2026-11-23T10:09:00Z");
    opened.site.clock.advance(Duration::from_mins(10));
    octet(&opened);
    assert_eq!((noted(&opened).1[0]["count"].clone(), opened.site.audited("download")), (2.into(), 2));

    // Another session is another download, whoever's it is.
    let again = opened.site.unlock(&opened.sealed.tokens[0], &opened.sealed.password);
    opened.site.get_with(&format!("/t/{}/files/1", opened.sealed.tokens[0]), &again);
    assert_eq!((noted(&opened).1[0]["count"].clone(), opened.site.audited("download")), (3.into(), 3));
}

/// C39: what a proof does not name was not fetched: after the recall nothing goes out, noted or not.
#[test]
fn a_proof_is_complete() {
    let opened = Opened::new();
    let link = crate::id::Link { transfer: opened.sealed.tokens[0][..10].parse().unwrap(), recipient: 1 };
    opened.get("files");
    let token = opened.site.status_token(&opened.sealed);
    let post = format!("POST /s/{token}/recall/1");
    assert_eq!(opened.site.send(&post, &[("Content-Length", "0")], "").status, 303);
    let proof = opened.site.get(&format!("/s/{token}/proof"));
    assert!(proof.text().contains("Pagina met het bericht opgevraagd"), "{}", proof.text());
    let proof: serde_json::Value =
        serde_json::from_slice(&opened.site.get(&format!("/s/{token}/proof.json")).body).unwrap();
    assert_eq!(proof["recalled"][0]["read"]["count"], 1);
    assert_eq!(proof["recalled"][0]["downloads"].as_array().unwrap().len(), 0);

    // A request that came in before, and notes only now.
    let event = crate::audit::Initiator::zegel().event(
        opened.site.now(),
        crate::audit::Action::Download,
        link.to_string(),
        crate::audit::EventResult::Ok,
    );
    let fetch = crate::store::Fetch {
        link,
        session: [1; 32],
        what: "1".into(),
        parts: vec![1],
        whole: true,
        event,
        notice: None,
    };
    let late = opened.site.runtime.block_on(opened.site.store.note_download(fetch));
    assert!(matches!(late, Err(crate::store::StoreError::Gone)));
    assert!(noted(&opened).1.is_empty());
}

#[test]
fn large_files_stream_and_damage_breaks_them_off() {
    let site = Site::start();
    let large: Vec<u8> = (0..5_000_000u32).flat_map(|n| [(n % 251) as u8]).collect();
    let data = large.clone();
    let sealed = site.seal_with(PasswordMode::None, |request| {
        request.files = vec![content("groot.bin", "application/octet-stream", data.into())];
    });
    let token = &sealed.tokens[0];
    let form = [("Content-Length", "0"), ("Content-Type", "application/x-www-form-urlencoded")];
    let answer = site.send(&format!("POST /t/{token}"), &form, "");
    let cookie = answer.field("set-cookie").split(';').next().unwrap().to_owned();
    let path = format!("/t/{token}/files/1");
    let answer = site.get_with(&path, &cookie);
    assert!(answer.is_whole && answer.body == large);
    let tail = site.send(&format!("GET {path}"), &[("Cookie", &cookie), ("Range", "bytes=4999990-")], "");
    assert_eq!(tail.body, &large[4_999_990..]);

    damage_largest(&site.dir.path().join("blobs"));
    let answer = site.get_with(&path, &cookie);
    assert!(!answer.is_whole && answer.body.len() < large.len());
    assert!(large.starts_with(&answer.body), "what did come out is genuine");
    // What is not damaged can be fetched: nothing before a range is read for it.
    let tail = site.send(&format!("GET {path}"), &[("Cookie", &cookie), ("Range", "bytes=4900000-")], "");
    assert!(tail.status == 206 && tail.is_whole && tail.body == large[4_900_000..]);
    let over = site.send(&format!("GET {path}"), &[("Cookie", &cookie), ("Range", "bytes=3600000-")], "");
    assert!(!over.is_whole && large[3_600_000..].starts_with(&over.body));
    assert!(!site.get_with(&format!("/t/{token}/zip"), &cookie).is_whole);
}

/// Changes one byte in the second half of the largest file below `folder`.
fn damage_largest(folder: &std::path::Path) {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let to = if entry.file_type().unwrap().is_dir() { &mut folders } else { &mut files };
            to.push(entry.path());
        }
    }
    let largest = files.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(largest).unwrap();
    let at = bytes.len() * 3 / 4;
    bytes[at] ^= 1;
    std::fs::write(largest, bytes).unwrap();
}

#[test]
fn previews_by_content_and_only_in_a_sandbox() {
    let opened = Opened::new();
    for (number, media_type) in [(1, "application/pdf"), (2, "image/png"), (3, "text/html; charset=utf-8")] {
        let answer = opened.get(&format!("files/{number}/preview"));
        assert_eq!((answer.status, answer.field("content-type")), (200, media_type));
        assert!(answer.field("content-security-policy").starts_with("sandbox"), "{number}");
        assert_eq!(answer.field("content-disposition"), "");
        let page = opened.get(&format!("files/{number}/view"));
        assert_eq!(page.status, 200);
        assert!(page.text().contains(&format!("/files/{number}/preview\"")));
    }
    // A viewer of PDF asks for pieces.
    let piece = opened.send("GET", "files/1/preview", &[("Range", "bytes=-7")]);
    assert_eq!(
        (piece.status, piece.text(), piece.field("content-type")),
        (206, "KANARIE", "application/pdf")
    );
    assert_eq!(piece.field("content-range"), "bytes 9-15/16");
    let head = opened.send("HEAD", "files/1/preview", &[]);
    assert_eq!((head.status, head.field("content-length"), head.body.len()), (200, "16", 0));
    let html = opened.get("files/3/preview");
    assert!(html.text().contains("<b>hoi</b>") && !html.text().contains("onclick"));
    let svg = opened.get("files/4/preview");
    assert_eq!(svg.status, 415);
    assert!(!svg.text().contains("onload"));
    assert!(opened.get("files/4/view").text().contains("kunt u hier niet bekijken"));
}

#[test]
fn the_message_is_shown_without_its_script() {
    let opened = Opened::new();
    let page = opened.get("files");
    let text = page.text();
    assert!(
        !text.contains("<script>alert") && !text.contains("<i>een") && !text.contains("<b>zaak"),
        "{text}"
    );
    assert!(text.contains("Besluit &#60;b&#62;zaak&#60;/b&#62; &#38; co"));
    assert!(text.contains("href=\"https://voorbeeld.nl/x\" target=\"_blank\" rel=\"noopener"));
    assert!(text.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));

    let message = opened.get("message");
    assert!(message.text().contains("<p>KANARIE</p>") && !message.text().contains("alert(2)"));
    assert!(
        message.text().contains("src=\"data:image/png;base64,iVBORw0KGgpwbGFhdGpl\""),
        "{}",
        message.text()
    );
    let policy = message.field("content-security-policy");
    assert!(policy.starts_with("sandbox allow-popups") && policy.contains("style-src 'nonce-"), "{policy}");
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"));
    assert_eq!(message.field("cross-origin-opener-policy"), "");
}

#[test]
fn the_zip_holds_everything_under_safe_names() {
    let opened = Opened::new();
    let answer = opened.get("zip");
    assert_eq!((answer.status, answer.field("content-type")), (200, "application/zip"));
    assert!(answer.is_whole);
    assert!(
        answer
            .field("content-disposition")
            .contains(&format!("zegel-{}.zip", &opened.sealed.tokens[0][..10]))
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(&answer.body)).unwrap();
    let mut members = Vec::new();
    for index in 0..zip.len() {
        let mut member = zip.by_index(index).unwrap();
        let name = member.name().unwrap().into_owned();
        assert!(!name.contains(['/', '\\']) && member.enclosed_name().is_some(), "{name}");
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        members.push((name, bytes));
    }
    let find = |name: &str| members.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.as_slice());
    assert_eq!(members.len(), 7);
    assert_eq!(find("besluit.pdf"), Some(b"%PDF-1.7 KANARIE".as_slice()));
    assert_eq!(find("message.eml"), Some(b"Subject: Besluit\r\n\r\nKANARIE\r\n".as_slice()));
    assert!(find("message.txt").unwrap().starts_with(b"Regel"));
    let html = String::from_utf8_lossy(find("message.html").unwrap());
    assert!(html.contains("KANARIE") && html.contains("data:image/png") && !html.contains("alert"));
}

/// Programs that read from a pipe see no directory; `strict` is one of them.
#[test]
fn the_zip_can_be_read_as_it_comes_and_taken_up_again() {
    let opened = Opened::new();
    let whole = opened.get("zip");
    assert_eq!(strict::read(&whole.body).len(), 7);
    assert_eq!(whole.field("content-length"), whole.body.len().to_string());
    let head = opened.send("HEAD", "zip", &[]);
    for name in ["content-length", "content-type", "content-disposition", "accept-ranges", "etag"] {
        assert_eq!(head.field(name), whole.field(name), "{name}");
    }
    let tag = whole.field("etag");
    let length = whole.body.len();
    for start in [0, 1, 29, 30, 40, 62, 70, length / 2, length - 23, length - 1] {
        let range = format!("bytes={start}-");
        let rest = opened.send("GET", "zip", &[("Range", &range), ("If-Range", tag)]);
        assert_eq!((rest.status, rest.is_whole), (206, true), "{start}");
        assert_eq!(rest.field("content-range"), format!("bytes {start}-{}/{length}", length - 1));
        assert!(rest.body == whole.body[start..], "from {start}");
    }
    let beyond = opened.send("GET", "zip", &[("Range", &format!("bytes={length}-"))]);
    assert_eq!((beyond.status, beyond.field("content-range")), (416, format!("bytes */{length}").as_str()));
    let other = opened.send("GET", "zip", &[("Range", "bytes=9-"), ("If-Range", "\"other\"")]);
    assert_eq!((other.status, other.body.len()), (200, length));
}

#[test]
fn the_files_of_the_zip_have_the_date_of_the_message() {
    let site = Site::start();
    for (date, expected) in [
        (Some("Fri, 20 Nov 2026 09:30:07 +0100"), (2026, 11, 20, 9, 30, 6)),
        (Some("Wed, 1 Jul 2026 10:00:00 +0000 (UTC)"), (2026, 7, 1, 12, 0, 0)),
        (Some("wo, 1 jul 2026 12:00:00 CEST"), (2026, 11, 23, 11, 0, 0)),
        (Some("Thu, 1 Jul 2026 12:00:00 CEST"), (2026, 7, 1, 12, 0, 0)),
        // Not a date: when it came.
        (Some("gisteren"), (2026, 11, 23, 11, 0, 0)),
        (None, (2026, 11, 23, 11, 0, 0)),
    ] {
        let sealed = site.seal_with(PasswordMode::None, |request| request.date = date.map(str::to_owned));
        let cookie = site.unlock(&sealed.tokens[0], "");
        let answer = site.get_with(&format!("/t/{}/zip", sealed.tokens[0]), &cookie);
        let mut zip = zip::ZipArchive::new(Cursor::new(&answer.body)).unwrap();
        let member = zip.by_name("besluit.pdf").unwrap();
        let is = member.last_modified().unwrap();
        let is = (is.year(), is.month(), is.day(), is.hour(), is.minute(), is.second());
        assert_eq!(is, expected, "{date:?}");
    }
}

#[test]
fn the_page_says_on_whose_behalf_a_message_was_sent() {
    let site = Site::start();
    let sealed = site.seal_with(PasswordMode::None, |request| {
        request.from_name = Some("Wethouder Bos".into());
        request.co_authors = vec![Mailbox { name: Some("Vos".into()), address: None }];
        request.agent = Some(Mailbox {
            name: Some("Secretariaat <b>".into()),
            address: Some(Address::parse("sec@voorbeeld.nl").unwrap()),
        });
    });
    let token = &sealed.tokens[0];
    let page = site.get_with(&format!("/t/{token}/files"), &site.unlock(token, ""));
    let plain = page
        .text()
        .replace("<bdi>", "")
        .replace("</bdi>", "")
        .replace("<span class=\"address\">", "")
        .replace("</span>", "");
    let expected = "Secretariaat &#60;b&#62; &lt;sec@voorbeeld.nl&gt; namens Wethouder Bos &lt;jan@voorbeeld.nl&gt;, Vos";
    assert!(plain.replace(" <", "<").contains(expected), "{plain}");
}
