//! The recipient path through the real binary: from the notices at the smarthost to the last byte of a
//! file, and everything that must stay closed on the way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::{Cursor, Read};
use std::path::Path;

use pgp::composed::Message;
use rusqlite::types::Value as Column;
use serde_json::Value;
use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes, wait_for};
use support::mail::{Notice, as_opened, canaries, link_of, password_of, tagged, text_of};
use support::smarthost::{Script, Smarthost};
use support::web::{Answer, get, get_as, post, send};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";
const PARTNER: &str = "bob@example.net";

/// What of an opened transfer can be asked for, behind its link.
const INSIDE: [&str; 7] =
    ["/files", "/files/1", "/files/1/view", "/files/1/preview", "/message", "/message.eml", "/zip"];

/// A sealed mail, as its recipients and its sender were told of it.
struct Sealed {
    mail: Vec<u8>,
    /// In the order of the recipients.
    links: Vec<String>,
    /// Empty where none is needed.
    password: String,
}

impl Sealed {
    fn token(&self, recipient: usize) -> &str {
        self.links[recipient].rsplit('/').next().unwrap()
    }

    fn id(&self) -> &str {
        &self.token(0)[..10]
    }

    /// Gives the right password and returns the cookie.
    fn open(&self, recipient: usize) -> String {
        let link = &self.links[recipient];
        let answer = post(link, &format!("password={}", self.password));
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.field("location"), format!("/t/{}/files", self.token(recipient)));
        answer.cookie()
    }

    fn guess(&self, recipient: usize) -> Answer {
        post(&self.links[recipient], "password=0000-0000-0000")
    }
}

/// A gateway with a next hop behind it.
fn start(extra: &str) -> (Smarthost, Site, Gateway) {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), extra);
    let gateway = site.start();
    (smarthost, site, gateway)
}

/// Sends a mail that is to be sealed, and reads the notices; the queue is empty afterwards.
fn seal(smarthost: &Smarthost, site: &Site, gateway: &Gateway, to: &[&str]) -> Sealed {
    seal_mail(smarthost, site, gateway, to, tagged(STAFF, RESIDENT))
}

fn seal_mail(smarthost: &Smarthost, site: &Site, gateway: &Gateway, to: &[&str], mail: Vec<u8>) -> Sealed {
    let before = smarthost.seen().taken.len();
    submit(gateway.smtp, STAFF, to, &mail);
    let seen = smarthost.wait(|seen| seen.taken.len() == before + to.len() + 1);
    let notices: Vec<Notice> = seen.taken[before..].iter().map(Notice::of).collect();
    let notice_to = |address: &str| notices.iter().find(|notice| notice.to == [address]).unwrap();
    let links = to.iter().map(|to| link_of(&notice_to(to).text, &site.public_url())).collect();
    let receipt = &notice_to(STAFF).text;
    let password = if receipt.contains("Wachtwoord:") { password_of(receipt) } else { String::new() };
    wait_for("an empty queue", || rows(site, "items").is_empty().then_some(()));
    Sealed { mail, links, password }
}

fn database(site: &Site) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    db.busy_timeout(support::gateway::PATIENCE).unwrap();
    db
}

/// Every row of a table.
fn rows(site: &Site, table: &str) -> Vec<Vec<Column>> {
    let db = database(site);
    let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every row of every table.
fn everything(site: &Site) -> Vec<(String, Vec<Vec<Column>>)> {
    let tables: Vec<String> = {
        let db = database(site);
        let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    tables.into_iter().map(|table| (table.clone(), rows(site, &table))).collect()
}

fn show(site: &Site, sealed: &Sealed) -> Value {
    let (status, out, error) = site.command(&["transfer", "show", sealed.id(), "--json"]);
    assert_eq!(status, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// H21: link scanners and browsers that guess may come as often as they like.
#[test]
fn looking_at_a_link_changes_nothing() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let before = everything(&site);
    let shown = show(&site, &sealed);
    let link = &sealed.links[0];
    for (method, fields) in [
        ("GET", vec![]),
        ("HEAD", vec![]),
        ("GET", vec![("Sec-Purpose", "prefetch;prerender"), ("Purpose", "prefetch")]),
        ("GET", vec![("User-Agent", "Mozilla/5.0 (compatible; MailScanner/5.4; SafeLinks)")]),
        ("GET", vec![("Range", "bytes=0-9")]),
    ] {
        for url in [link.clone(), format!("{link}?password={}", sealed.password)] {
            let answer = send(method, &url, &fields, None);
            assert_eq!((answer.status, answer.field("set-cookie")), (200, ""), "{method} {url} {fields:?}");
        }
        for rest in INSIDE {
            let answer = send(method, &format!("{link}{rest}"), &fields, None);
            let is_download = ["/files/1", "/files/1/preview", "/message.eml", "/zip"].contains(&rest);
            // Whoever has a part of a file already has no use for a page.
            if is_download && fields.iter().any(|(name, _)| *name == "Range") {
                assert_eq!((answer.status, answer.field("location")), (403, ""), "{method} {rest}");
                continue;
            }
            assert_eq!(answer.status, 303, "{method} {rest} {fields:?}");
            assert_eq!(answer.field("location"), format!("/t/{}", sealed.token(0)));
        }
        assert_eq!(send(method, &format!("{link}/finish"), &fields, None).status, 405);
    }
    assert!(everything(&site) == before, "a row has changed");
    assert_eq!(show(&site, &sealed), shown);
    assert_eq!(shown["recipients"][0]["tries"], 0);
    assert!(shown["recipients"][0]["opened"].is_null());

    // What does count is seen in the same places.
    assert_eq!(sealed.guess(0).status, 403);
    assert_eq!(show(&site, &sealed)["recipients"][0]["tries"], 1);
    let cookie = sealed.open(0);
    let shown = show(&site, &sealed);
    assert_eq!(shown["recipients"][0]["tries"], 0);
    assert!(shown["recipients"][0]["opened"].is_null(), "nobody has come with the cookie");
    assert_eq!(get_as(&format!("{link}/files"), &cookie).status, 200);
    assert!(show(&site, &sealed)["recipients"][0]["opened"].is_string());
    assert!(everything(&site) != before);
}

#[test]
fn the_password_opens_message_files_and_zip() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    let link = &sealed.links[0];

    let wrong = sealed.guess(0);
    assert_eq!((wrong.status, wrong.field("set-cookie")), (403, ""));
    let right = post(link, &format!("password={}", sealed.password));
    assert_eq!(right.status, 303);
    let set_cookie = right.field("set-cookie");
    let (cookie, attributes) = set_cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/; Max-Age=43200");

    let page = get_as(&format!("{link}/files"), cookie);
    assert_eq!(page.status, 200);
    for shown in ["kanarie-onderwerp", "kanarie-tekst", "kanarie-bestandsnaam.txt", "Jan Jansen"] {
        assert!(page.text().contains(shown), "{shown} is missing");
    }
    let html = get_as(&format!("{link}/message"), cookie);
    assert!(html.text().contains("kanarie-opmaak"), "{}", html.text());

    let file = get_as(&format!("{link}/files/1"), cookie);
    assert_eq!((file.status, file.body.as_slice()), (200, &b"kanarie-inhoud"[..]));
    let disposition = file.field("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"kanarie-bestandsnaam.txt\""), "{disposition}");
    assert_eq!(get_as(&format!("{link}/files/2"), cookie).status, 404);

    let original = get_as(&format!("{link}/message.eml"), cookie);
    assert_eq!((original.status, original.field("content-type")), (200, "message/rfc822"));
    assert!(original.body == as_opened(&sealed.mail), "the .eml is what was sent");

    let zip = get_as(&format!("{link}/zip"), cookie);
    assert_eq!((zip.status, zip.field("content-type")), (200, "application/zip"));
    let members = unzip(&zip.body);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["kanarie-bestandsnaam.txt", "message.html", "message.txt", "message.eml"]);
    assert_eq!(members[0].1, b"kanarie-inhoud");
    assert!(members[3].1 == as_opened(&sealed.mail));
}

fn unzip(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = zip.len();
    let read = |at| {
        let mut member = zip.by_index(at).unwrap();
        let mut content = Vec::new();
        member.read_to_end(&mut content).unwrap();
        (member.name().unwrap().into_owned(), content)
    };
    (0..count).map(read).collect()
}

#[test]
fn a_download_can_be_taken_up_again() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let cookie = sealed.open(0);
    let url = format!("{}/files/1", sealed.links[0]);
    let ranged = |range: &str| send("GET", &url, &[("Cookie", &cookie), ("Range", range)], None);
    let whole = get_as(&url, &cookie);
    assert_eq!((whole.field("accept-ranges"), whole.field("content-length")), ("bytes", "14"));
    for (range, content, octets) in [
        ("bytes=8-", "bytes 8-13/14", &b"inhoud"[..]),
        ("bytes=0-6", "bytes 0-6/14", b"kanarie"),
        ("bytes=-6", "bytes 8-13/14", b"inhoud"),
    ] {
        let answer = ranged(range);
        assert_eq!((answer.status, answer.field("content-range")), (206, content));
        assert_eq!(answer.body, octets);
    }
    let beyond = ranged("bytes=14-");
    assert_eq!((beyond.status, beyond.field("content-range")), (416, "bytes */14"));
    let other = [("Cookie", cookie.as_str()), ("Range", "bytes=8-"), ("If-Range", "\"other\"")];
    assert_eq!(send("GET", &url, &other, None).body, b"kanarie-inhoud");
}

#[test]
fn finish_ends_the_session() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let link = &sealed.links[0];
    let (cookie, elsewhere) = (sealed.open(0), sealed.open(0));
    assert_ne!(cookie, elsewhere, "a new session after every unlock");
    let end = send("POST", &format!("{link}/finish"), &[("Cookie", &cookie)], Some(""));
    assert_eq!((end.status, end.field("location")), (303, "/"));
    assert!(end.field("set-cookie").contains("Max-Age=0"), "{}", end.field("set-cookie"));
    for rest in INSIDE {
        let answer = get_as(&format!("{link}{rest}"), &cookie);
        assert_eq!(answer.status, 303, "{rest}");
        assert_eq!(answer.field("location"), format!("/t/{}", sealed.token(0)), "{rest}");
    }
    assert_eq!(get_as(&format!("{link}/files"), &elsewhere).status, 200, "the other window stays open");
    sealed.open(0);
}

/// C17, also where the cookie is renamed to what the other link expects.
#[test]
fn a_session_opens_only_its_own_link() {
    let (smarthost, site, gateway) = start("");
    let first = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    let second = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let cookie = first.open(0);
    let (name, value) = cookie.split_once('=').unwrap();
    assert_eq!(name, format!("zegel-{}", &first.token(0)[..13]));
    for link in [&first.links[1], &second.links[0]] {
        let renamed = format!("zegel-{}={value}", &link.rsplit('/').next().unwrap()[..13]);
        for cookie in [cookie.as_str(), &renamed, &format!("{cookie}; {renamed}")] {
            for rest in INSIDE {
                assert_eq!(get_as(&format!("{link}{rest}"), cookie).status, 303, "{rest}");
            }
            send("POST", &format!("{link}/finish"), &[("Cookie", cookie)], Some(""));
        }
    }
    for rest in INSIDE {
        let answer = get_as(&format!("{}{rest}", first.links[0]), &cookie);
        assert!([200, 415].contains(&answer.status), "nobody else ended it: {rest} {}", answer.status);
    }
    assert_eq!(post(&second.links[0], &format!("password={}", first.password)).status, 403);
}

/// C15, H20
#[test]
fn unknown_and_malformed_tokens_are_alike() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let token = sealed.token(0);
    let last = if token.ends_with('0') { '1' } else { '0' };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    let other_recipient = format!("{}002{}", &token[..10], &token[13..]);
    let unknown = "0".repeat(token.len());
    let (cut, long) = (&token[..38], format!("{token}0"));
    let tokens = [&forged, &other_recipient, &unknown, cut, &long, "x", "%00", "a.b"];
    let known = get(&format!("{}/t/{unknown}", site.public_url()));
    assert_eq!(known.status, 404);
    for token in tokens {
        for rest in [&[""], &INSIDE[..], &["/finish", "/reply"]].concat() {
            let url = format!("{}/t/{token}{rest}", site.public_url());
            let answers = match rest {
                "/finish" => vec![post(&url, "")],
                "" => vec![get(&url), post(&url, "password=x"), post(&url, "")],
                _ => vec![get(&url)],
            };
            for answer in answers {
                assert_eq!(answer.status, 404, "{url}");
                assert!(answer.body == known.body, "{url}: {}", answer.text());
            }
        }
    }
}

/// C16, H19
#[test]
fn five_wrong_passwords_lock_one_link_and_a_restart_does_not_open_it() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    for number in 1..=5 {
        assert_eq!(sealed.guess(0).status, 403, "try {number}");
    }
    let right = format!("password={}", sealed.password);
    let assert_locked = |seconds: std::ops::RangeInclusive<u32>| {
        for form in ["password=0000-0000-0000", &right] {
            for fields in [&[][..], &[("X-Forwarded-For", "198.51.100.7")]] {
                let answer = send("POST", &sealed.links[0], fields, Some(form));
                assert_eq!((answer.status, answer.field("set-cookie")), (429, ""));
                let retry: u32 = answer.field("retry-after").parse().unwrap();
                assert!(seconds.contains(&retry), "{retry}");
            }
        }
    };
    assert_locked(800..=900);
    assert_eq!(get(&sealed.links[0]).status, 200, "the page itself stays");
    gateway.kill();
    let gateway = site.start();
    assert_locked(800..=900);
    let shown = show(&site, &sealed);
    assert!(shown["recipients"][0]["locked_until"].is_string());
    assert!(shown["recipients"][1]["locked_until"].is_null());
    sealed.open(1);

    // When the time is over it opens again; the next lock is twice as long.
    let forgive = "UPDATE transfer_recipients SET locked_until = 1 WHERE locked_until IS NOT NULL";
    assert_eq!(database(&site).execute(forgive, []).unwrap(), 1);
    for number in 1..=5 {
        assert_eq!(sealed.guess(0).status, 403, "try {number}");
    }
    assert_locked(1700..=1800);
    database(&site).execute(forgive, []).unwrap();
    sealed.open(0);
    assert_eq!(gateway.stop(), 0);
}

/// C16: a thousand at once are no more than one after the other.
#[test]
fn tries_at_the_same_time_are_counted_too() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..24).map(|_| scope.spawn(|| sealed.guess(0).status)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let tried = statuses.iter().filter(|status| **status == 403).count();
    assert!((1..=5).contains(&tried), "{statuses:?}");
    assert!(statuses.iter().all(|status| [403, 429].contains(status)), "{statuses:?}");
}

/// C25: 410 the moment the date has come; soon afterwards there is nothing left that could be opened.
#[test]
fn an_expired_transfer_is_gone_and_then_destroyed() {
    let (smarthost, site, gateway) = start("[seal]\nexpiry_days = 1\n");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    let cookie = sealed.open(0);
    let times = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?]);
    let times = database(&site).query_row("SELECT created, expires FROM transfers", [], times).unwrap();
    let [created, expires] = times.map(|time| zegel::clock::Timestamp::from_microsecond(time).unwrap());
    assert_eq!(zegel::calendar::Zone::default().end_of_day(created, 1), expires);
    assert!(!all_bytes(&site.data().join("blobs")).is_empty());
    let key_packets: Vec<Vec<u8>> = {
        let db = database(&site);
        let mut packets = db.prepare("SELECT key_packet FROM transfer_recipients").unwrap();
        packets.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(key_packets.len(), 2);

    let expire = "UPDATE transfers SET expires = CAST(unixepoch('now', '-1 second') AS INTEGER) * 1000000";
    assert_eq!(database(&site).execute(expire, []).unwrap(), 1);
    let assert_gone = || {
        for link in &sealed.links {
            for rest in [&[""], &INSIDE[..]].concat() {
                assert_eq!(get_as(&format!("{link}{rest}"), &cookie).status, 410, "{rest}");
            }
            assert_eq!(post(link, &format!("password={}", sealed.password)).status, 410);
        }
        assert_eq!(show(&site, &sealed)["recipients"][0]["state"], "expired");
    };
    assert_gone();

    gateway.kill();
    let gateway = site.start();
    wait_for("retention", || {
        let kept = "SELECT count(*) FROM transfer_recipients WHERE key_packet IS NOT NULL";
        let keys: i64 = database(&site).query_row(kept, [], |row| row.get(0)).unwrap();
        (keys == 0 && all_bytes(&site.data().join("blobs")).is_empty()).then_some(())
    });
    assert_gone();
    gateway.wait_for_log("\"action\":\"expire\"");
    for table in ["sessions", "parts", "doomed"] {
        assert!(rows(&site, table).is_empty(), "{table}");
    }
    for (path, bytes) in all_bytes(&site.data()) {
        for packet in &key_packets {
            assert!(memchr::memmem::find(&bytes, packet).is_none(), "a key packet is left in {path:?}");
        }
    }
    let out = site.data().join("export");
    let (status, _, error) =
        site.command(&["transfer", "export", sealed.id(), "--out", out.to_str().unwrap()]);
    assert_eq!(status, 1);
    assert!(error.contains("nothing is left to export"), "{error}");
}

/// C22, H22
#[test]
fn other_sites_and_other_names_get_nothing() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let right = format!("password={}", sealed.password);
    let before = everything(&site);
    for field in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://kwaad.example"),
        ("Origin", "https://127.0.0.1"),
    ] {
        let answer = send("POST", &sealed.links[0], &[field], Some(&right));
        assert_eq!((answer.status, answer.field("set-cookie")), (403, ""), "{field:?}");
    }
    for host in ["kwaad.example", "veilig.voorbeeld.nl", "127.0.0.1"] {
        for (method, form) in [("GET", None), ("POST", Some(right.as_str()))] {
            let answer = send(method, &sealed.links[0], &[("Host", host)], form);
            assert_eq!((answer.status, answer.field("set-cookie")), (421, ""), "{method} {host}");
            assert!(!answer.text().contains(host));
        }
    }
    assert!(everything(&site) == before, "a refused request counts as nothing");
    let own = [("Sec-Fetch-Site", "same-origin"), ("Origin", &site.public_url())];
    assert_eq!(send("POST", &sealed.links[0], &own, Some(&right)).status, 303);
}

/// M06: programs that leave `Bcc` in the header tell nobody here who else got it.
#[test]
fn nobody_sees_who_got_a_blind_copy() {
    let (smarthost, site, gateway) = start("");
    let plain = tagged(STAFF, RESIDENT);
    let blind = format!("Bcc: {PARTNER},\r\n\tc@example.net\r\nRESENT-BCC : c@example.net\r\n");
    let mail = [blind.as_bytes(), &plain].concat();
    let sealed = seal_mail(&smarthost, &site, &gateway, &[RESIDENT, PARTNER], mail);
    let seen = smarthost.seen().taken;
    let to_resident = seen.iter().map(Notice::of).find(|notice| notice.to == [RESIDENT]).unwrap();
    assert!(!to_resident.raw.contains("c@example.net") && !to_resident.raw.contains("Bcc"));
    let cookie = sealed.open(0);
    let original = get_as(&format!("{}/message.eml", sealed.links[0]), &cookie);
    assert!(original.body == as_opened(&plain), "{}", original.text());
    let page = get_as(&format!("{}/files", sealed.links[0]), &cookie);
    assert!(!page.text().contains("c@example.net"));
}

#[test]
fn without_a_password_the_link_is_enough() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"open.toml\"]\n");
    let rule = "[[rule]]\nname = \"tagged\"\nwhen = { subject_tag = [\"vertrouwelijk\"] }\n\
        then = \"seal\"\npassword = \"none\"\nexpiry_days = 7\n";
    std::fs::write(site.config().with_file_name("open.toml"), rule).unwrap();
    let gateway = site.start();
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    assert_eq!(sealed.password, "", "the receipt tells none");
    assert_eq!(show(&site, &sealed)["password"], false);
    let link = &sealed.links[0];
    let page = get(link);
    assert!(page.status == 200 && !page.text().contains("name=\"password\""), "{}", page.text());
    assert_eq!(get(&format!("{link}/files")).status, 303, "GET opens nothing");
    for form in [None, Some(""), Some("password=")] {
        let answer = send("POST", link, &[], form);
        assert_eq!(answer.status, 303, "{form:?}");
        let original = get_as(&format!("{link}/message.eml"), &answer.cookie());
        assert!(original.body == as_opened(&sealed.mail), "{form:?}");
    }

    let parts = export(&site, &sealed);
    let secret = &sealed.token(0)[13..];
    assert!(decrypt(parts.last().unwrap(), secret).unwrap() == as_opened(&sealed.mail));
}

/// H24, H25, L01
#[test]
fn every_answer_is_guarded_by_its_headers() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let (link, base) = (&sealed.links[0], site.public_url());
    let cookie = sealed.open(0);
    let mut urls: Vec<String> = INSIDE.iter().map(|rest| format!("{link}{rest}")).collect();
    urls.push(link.clone());
    urls.push(format!("{link}/nergens"));
    for path in ["/", "/help", "/privacy", "/accessibility", "/.well-known/security.txt", "/nergens"] {
        urls.push(format!("{base}{path}"));
    }
    let mut answers: Vec<(String, Answer)> =
        urls.into_iter().map(|url| (url.clone(), get_as(&url, &cookie))).collect();
    answers.push((link.clone(), sealed.guess(0)));
    answers.push((link.clone(), post(link, &format!("password={}", sealed.password))));
    answers.push((format!("{link}/finish"), post(&format!("{link}/finish"), "")));
    for (url, answer) in answers {
        let policy = answer.field("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{url}: {policy}");
        assert!(policy.contains("frame-ancestors '"), "{url}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("server", ""),
        ] {
            assert_eq!(answer.field(name), value, "{url}");
        }
        if url.starts_with(link.as_str()) {
            assert_eq!(answer.field("cache-control"), "no-store", "{url}");
            assert!(answer.field("x-robots-tag").contains("noindex"), "{url}");
        }
    }
}

/// C24, H31, H32: the password is told once, in the receipt, and the log names what happened only.
#[test]
fn the_log_tells_what_happened_and_no_secret() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let link = &sealed.links[0];
    assert_eq!(sealed.guess(0).status, 403);
    let cookie = sealed.open(0);
    let session = cookie.split_once('=').unwrap().1;
    for rest in INSIDE {
        let answer = get_as(&format!("{link}{rest}"), &cookie);
        assert!(!answer.text().contains(&sealed.password) && !answer.head().contains(&sealed.password));
        assert!(!answer.text().contains(session) && !answer.head().contains(session), "{rest}");
        for canary in canaries().into_iter().filter(|canary| *canary != "kanarie-bestandsnaam") {
            assert!(!answer.head().contains(canary), "{rest}: {}", answer.head());
        }
    }
    send("POST", &format!("{link}/finish"), &[("Cookie", &cookie)], Some(""));
    for _ in 0..5 {
        sealed.guess(0);
    }
    gateway.wait_for_log("\"action\":\"lock\"");

    let log = gateway.log();
    let events: Vec<Value> = log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let object = format!("{}/1", sealed.id());
    for (action, result) in
        [("open", "wrong password"), ("open", "ok"), ("download", "ok"), ("finish", "ok"), ("lock", "until ")]
    {
        let found = events
            .iter()
            .find(|event| event["action"] == action && event["result"].as_str().unwrap().starts_with(result));
        let event = found.unwrap_or_else(|| panic!("no {action} {result} in {log:#?}"));
        assert!(event["object"].as_str().unwrap().starts_with(&object), "{event}");
        assert_eq!((&event["actor"], &event["origin"]), (&"recipient".into(), &"127.0.0.1".into()));
        assert!(event["time"].is_string());
    }
    let token_secret = &sealed.token(0)[13..];
    let log = log.join("\n");
    gateway.kill();
    let files = all_bytes(&site.data());
    for secret in canaries().into_iter().chain([sealed.password.as_str(), token_secret, session]) {
        assert!(!log.contains(secret), "{secret} is in the log");
        for (path, bytes) in &files {
            assert!(memchr::memmem::find(bytes, secret.as_bytes()).is_none(), "{secret} is in {path:?}");
        }
    }
}

/// `zegel transfer export`; the parts in the order of their numbers.
fn export(site: &Site, sealed: &Sealed) -> Vec<Vec<u8>> {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().join("new/folder");
    let arguments = ["transfer", "export", sealed.id(), "--json", "--out", folder.to_str().unwrap()];
    let (status, written, error) = site.command(&arguments);
    assert_eq!(status, 0, "{error}");
    let written: Vec<String> = serde_json::from_str(&written).unwrap();
    let expected = (0..written.len()).map(|number| folder.join(format!("part-{number}.pgp")));
    assert!(written.iter().map(Path::new).eq(expected), "{written:?}");
    written.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// With rPGP, which shares no code with what sealed it.
fn decrypt(message: &[u8], passphrase: &str) -> Result<Vec<u8>, pgp::errors::Error> {
    Ok(Message::from_bytes(message)?.decrypt_with_password(&passphrase.into())?.as_data_vec()?)
}

/// The format at rest, as docs/reference.md has it.
#[test]
fn an_export_opens_in_another_openpgp_program() {
    let (smarthost, site, gateway) = start("");
    let sealed = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    let parts = export(&site, &sealed);
    for recipient in 0..2 {
        let secret = &sealed.token(recipient)[13..];
        assert_eq!(secret.len(), 26);
        let passphrase = format!("{secret}-{}", sealed.password);
        let plain: Vec<Vec<u8>> = parts.iter().map(|part| decrypt(part, &passphrase).unwrap()).collect();
        let index: Value = serde_json::from_slice(&plain[0]).unwrap();
        let part = |number: &Value| &plain[number.as_u64().unwrap() as usize];
        assert_eq!(index["subject"], "kanarie-onderwerp");
        assert_eq!(index["from_address"], STAFF);
        assert_eq!(index["files"].as_array().unwrap().len(), 1);
        let file = &index["files"][0];
        assert_eq!((&file["part"], &file["name"]), (&1.into(), &"kanarie-bestandsnaam.txt".into()));
        assert_eq!(part(&file["part"]), b"kanarie-inhoud");
        assert_eq!(String::from_utf8_lossy(part(&index["text"])).trim_end(), "kanarie-tekst");
        assert_eq!(String::from_utf8_lossy(part(&index["html"])).trim_end(), "<p>kanarie-opmaak</p>");
        assert!(*part(&index["message"]) == as_opened(&sealed.mail));
        assert_eq!(plain.len(), 5, "index, file, text, HTML and message; nothing else");

        let wrong = [secret, &sealed.password, &format!("{secret}-0000-0000-0000"), ""];
        for passphrase in wrong {
            assert!(parts.iter().all(|part| decrypt(part, passphrase).is_err()), "{passphrase}");
        }
    }
    for part in &parts {
        for canary in canaries() {
            assert!(memchr::memmem::find(part, canary.as_bytes()).is_none(), "{canary} is readable");
        }
    }
}

/// An answer would quote in the open what was sealed before.
#[test]
fn an_answer_to_sealed_mail_is_sealed_without_a_tag() {
    let (smarthost, site, gateway) = start("");
    seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let answer = |number: u32, field: &str| {
        format!(
            "From: Jan Jansen <{STAFF}>\r\nTo: Anna <{RESIDENT}>\r\nSubject: Re: uw vraag\r\n\
             Message-ID: <answer-{number}@voorbeeld.nl>\r\n{field}\r\n> kanarie-citaat\r\n"
        )
    };
    let send_on = |mail: &str| {
        let before = smarthost.seen().taken.len();
        submit(gateway.smtp, STAFF, &[RESIDENT], mail.as_bytes());
        wait_for("an empty queue", || {
            (smarthost.seen().taken.len() > before && rows(&site, "items").is_empty()).then_some(())
        });
        let taken = smarthost.seen().taken.split_off(before);
        let shown = taken.iter().filter(|taken| text_of(taken).contains("kanarie-citaat")).count();
        (taken.len(), shown)
    };
    assert_eq!(send_on(&answer(1, "In-Reply-To: <canary-1@voorbeeld.nl>\r\n")), (2, 0));
    assert_eq!(send_on(&answer(2, "References: <x@y.nl>\r\n <canary-1@voorbeeld.nl>\r\n")), (2, 0));
    // The thread goes on from an answer that was itself sealed.
    assert_eq!(send_on(&answer(3, "In-Reply-To: <answer-1@voorbeeld.nl>\r\n")), (2, 0));
    assert_eq!(send_on(&answer(4, "In-Reply-To: <other@voorbeeld.nl>\r\n")), (1, 1));
    assert_eq!(send_on(&answer(5, "")), (1, 1));
}
