//! The life of a transfer through the real binary: what a sender may ask for, what stays sealed, who is reminded,
//! and the end. Time is moved by moving the dates in the database while the gateway is down.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use zegel::calendar::Zone;
use zegel::clock::Timestamp;
use zegel::locale::{Language, long_date};

use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, PATIENCE, Site, all_bytes, wait_for};
use support::mail::{Notice, link_of, text_of};
use support::smarthost::{Script, Smarthost, Stage, Taken, say};
use support::web::{get, get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const COLLEAGUE: &str = "k.klaassen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// A gateway with a next hop behind it.
fn start(extra: &str) -> (Smarthost, Site, Gateway) {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), extra);
    let gateway = site.start();
    (smarthost, site, gateway)
}

fn mail(fields: &str, to: &str) -> Vec<u8> {
    format!("From: Jan <{STAFF}>\r\nTo: {to}\r\n{fields}\r\n\r\nkanarie\r\n").into_bytes()
}

/// Sends one mail and gives what the next hop then has more, `count` mails.
fn send(smarthost: &Smarthost, gateway: &Gateway, to: &[&str], mail: &[u8], count: usize) -> Vec<Taken> {
    let before = smarthost.seen().taken.len();
    submit(gateway.smtp, STAFF, to, mail);
    let mut seen = smarthost.wait(|seen| seen.taken.len() == before + count);
    seen.taken.split_off(before)
}

/// Opens the link with the password of the receipt: the cookie.
fn open(link: &str, password: &str) -> String {
    let answer = post(link, &format!("password={password}"));
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.cookie();
    assert_eq!(get_as(&format!("{link}/files"), &cookie).status, 200);
    cookie
}

/// Moves all dates of transfers so many days into the past.
fn let_days_pass(site: &Site, days: i64) {
    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    db.busy_timeout(PATIENCE).unwrap();
    let past = days * 86_400_000_000;
    for column in ["created", "expires", "first_reminder", "reminded", "shredded", "announced"] {
        db.execute(&format!("UPDATE transfers SET {column} = {column} - ?1"), [past]).unwrap();
    }
}

/// Kinds and recipients of the notices at the next hop after the first `before`, once there are `count`.
fn notices(smarthost: &Smarthost, before: usize, count: usize) -> Vec<String> {
    let seen = smarthost.wait(|seen| seen.taken.len() >= before + count);
    let notices = seen.taken[before..].iter().map(Notice::of);
    let mut notices: Vec<String> =
        notices.map(|notice| format!("{} {}", notice.kind, notice.to[0])).collect();
    notices.sort();
    notices
}

fn notice(taken: &[Taken], kind: &str) -> Notice {
    let is_notice = |taken: &&Taken| text_of(taken).contains("\r\nX-Zegel-Notice: ");
    let mut notices = taken.iter().filter(is_notice).map(Notice::of);
    notices.find(|notice| notice.kind == kind).unwrap()
}

#[test]
fn a_tag_says_how_a_message_is_sealed() {
    let (smarthost, site, gateway) = start("");
    let mail = mail(
        "Subject: [vertrouwelijk 14d wachtwoord=\"Kamperfoelie 7\" taal=en] Zaak\r\n\
         Thread-Topic: [vertrouwelijk 14d wachtwoord=\"Kamperfoelie 7\" taal=en] Zaak",
        RESIDENT,
    );
    let taken = send(&smarthost, &gateway, &[RESIDENT, COLLEAGUE], &mail, 3);

    let notification = notice(&taken, "notification");
    assert!(notification.raw.contains("Content-Language: en"), "{}", notification.raw);
    let receipt = notice(&taken, "receipt");
    assert!(receipt.text.contains("wachtwoord nodig dat u zelf hebt gekozen"), "{}", receipt.text);
    assert!(!receipt.text.contains("niet gebruikt"), "{}", receipt.text);
    let passed = taken.iter().find(|taken| taken.addresses() == [COLLEAGUE]).unwrap();
    let expected = format!("To: {RESIDENT}\r\nSubject: [vertrouwelijk] Zaak\r\n\r\nkanarie\r\n");
    assert!(text_of(passed).ends_with(&expected), "{}", text_of(passed));

    let link = link_of(&notification.text, &site.public_url());
    assert_eq!(post(&link, "password=Kamperfoelie+8").status, 403);
    let opened = post(&link, "password=Kamperfoelie+7");
    assert_eq!(opened.status, 303, "{}", opened.text());
    let original = get_as(&format!("{link}/message.eml"), &opened.cookie());
    assert!(original.text().contains("kanarie"), "{}", original.text());

    // C24, and more: the sender's own password is not even in the receipt.
    let log = gateway.log().join("\n");
    let mails: String = taken.iter().map(text_of).collect();
    let stored: Vec<u8> = all_bytes(&site.data()).into_iter().flat_map(|(_, bytes)| bytes).collect();
    for place in [log, mails, original.text(), String::from_utf8_lossy(&stored).into_owned()] {
        assert!(!place.contains("Kamperfoelie"), "{place}");
    }
    let (_, shown, _) = site.command(&["transfer", "list", "--json"]);
    let transfer = &serde_json::from_str::<serde_json::Value>(&shown).unwrap()[0];
    let time = |key: &str| transfer[key].as_str().unwrap().parse::<zegel::clock::Timestamp>().unwrap();
    assert_eq!(Zone::default().end_of_day(time("created"), 14), time("expires"));
}

/// Mails, pages, status, command line and database agree on the last second of the day that was promised.
#[test]
fn a_promised_day_lasts_to_its_end_everywhere() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.replace("\nphone", "\ntime_zone = \"America/Curacao\"\nphone");
    std::fs::write(site.config(), config).unwrap();
    let gateway = site.start();
    let mail = mail("Subject: [vertrouwelijk 3d geen-wachtwoord] Zaak", RESIDENT);
    let taken = send(&smarthost, &gateway, &[RESIDENT], &mail, 2);

    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    let times = |row: &rusqlite::Row<'_>| Ok((row.get("created")?, row.get("expires")?));
    let (created, expires) = db.query_row("SELECT created, expires FROM transfers", [], times).unwrap();
    let [created, expires] = [created, expires].map(|time| Timestamp::from_microsecond(time).unwrap());
    let zone = Zone::try_from("America/Curacao".to_owned()).unwrap();
    assert_eq!(expires, zone.end_of_day(created, 3));
    assert_eq!(zone.local(expires).strftime("%H:%M:%S %:z").to_string(), "23:59:59 -04:00");

    let day = format!("tot en met {}", long_date(Language::Nl, &zone, expires));
    let notification = notice(&taken, "notification");
    let receipt = notice(&taken, "receipt").text;
    let link = link_of(&notification.text, &site.public_url());
    for text in [&notification.text, &receipt, &get(&link).text()] {
        assert!(text.contains(&day), "{day} is missing in {text}");
    }
    let status = receipt.lines().find(|line| line.contains("/s/")).unwrap().trim();
    let json: serde_json::Value =
        serde_json::from_str(&get(&format!("{status}/status.json")).text()).unwrap();
    assert_eq!(json["expires"], expires.to_string());
    let page = get(status).text();
    assert!(page.contains(&long_date(Language::Nl, &zone, expires)) && !page.contains("om 23:59"), "{page}");
    let (_, shown, _) = site.command(&["transfer", "list"]);
    assert!(shown.contains(&format!("until {expires}")), "{shown}");
}

#[test]
fn an_option_in_doubt_seals_with_the_defaults_and_says_so() {
    let (smarthost, _site, gateway) = start("");
    for (options, said) in [
        ("geen-wachtwoord 400d", "niet gebruikt: 400d"),
        ("wachtwoord=welkom01", "te makkelijk te raden"),
        ("wachtwoord=qwerty123", "te makkelijk te raden"),
        ("wachtwoord=Voorbeeld2026", "te makkelijk te raden"),
        ("wachtwoord=Zomer in Gent", "niet gebruikt: wachtwoord=\u{2026}"),
        ("binnen veertien dagen graag", "niet gebruikt: binnen, veertien, dagen, graag"),
    ] {
        let mail = mail(&format!("Subject: [vertrouwelijk {options}] Zaak"), RESIDENT);
        let taken = send(&smarthost, &gateway, &[RESIDENT], &mail, 2);
        let receipt = notice(&taken, "receipt").text;
        assert!(receipt.contains(said), "{options}: {receipt}");
        assert_eq!(receipt.contains("Wachtwoord: "), !options.contains("geen"), "{receipt}");
        let mails: String = taken.iter().map(text_of).collect();
        assert!(
            ["Zomer", "welkom01", "qwerty123", "Voorbeeld2026"].iter().all(|chosen| !mails.contains(chosen)),
            "{mails}"
        );
    }
}

/// C32: whatever the form, recipients do not see it, and the sender learns how it was read.
#[test]
fn the_receipt_says_how_a_misspelt_tag_was_read() {
    let (smarthost, site, gateway) = start("[seal]\nsubject = \"keep\"\n");
    for (subject, written, left) in [
        ("Spoed: (vertouwelijk) Zaak 12", Some("(vertouwelijk)"), "Spoed: Zaak 12"),
        ("[vertrouwelijk 14d Zaak 12", Some("[vertrouwelijk"), "Zaak 12"),
        ("VERTROUWELIJK - Zaak 12", Some("VERTROUWELIJK -"), "Zaak 12"),
        ("Z2026-001234: [vertrouwelijk] Zaak 12", None, "Z2026-001234: Zaak 12"),
    ] {
        let taken =
            send(&smarthost, &gateway, &[RESIDENT], &mail(&format!("Subject: {subject}"), RESIDENT), 2);
        let receipt = notice(&taken, "receipt").text;
        let said = written.map(|written| format!("In het onderwerp staat \"{written}\"."));
        assert_eq!(receipt.contains("In het onderwerp staat"), written.is_some(), "{receipt}");
        assert!(said.is_none_or(|said| receipt.contains(&said)), "{subject}: {receipt}");
        let notification = notice(&taken, "notification").raw;
        assert!(notification.contains(&format!("\r\nSubject: {left}\r\n")), "{subject}: {notification}");
    }
    let file = site.data().with_file_name("mail.eml");
    std::fs::write(&file, "Subject: Spoed: (vertouwelijk ww=Kamperfoelie-7) x\r\n\r\n").unwrap();
    let words = ["policy", "explain", "--from", STAFF, "--to", RESIDENT, file.to_str().unwrap()];
    let (_, said, _) = site.command(&words);
    assert!(said.contains("the subject was read as [vertrouwelijk]; it says (vertouwelijk)"), "{said}");
    let (_, json, _) = site.command(&[&words[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["subject_read_as"], "[vertrouwelijk]");
    assert!(!said.contains("Kamperfoelie") && !json.to_string().contains("Kamperfoelie"));
}

/// C33
#[test]
fn a_misplaced_password_is_nowhere_to_be_read() {
    let (smarthost, site, gateway) = start("[seal]\nsubject = \"keep\"\ndownload_notice = false\n");
    for subject in [
        "[vertrouwelijk] [wachtwoord=Kamperfoelie-7] Zaak",
        "[vertrouwelijk] ww=Kamperfoelie-7 Zaak",
        "Spoed: [vertrouwelijk] Zaak (wachtwoord: Kamperfoelie-7)",
        "[vertrouwelijk pass=Kamperfoelie-7 Zaak",
    ] {
        let mail = mail(&format!("Subject: {subject}\r\nThread-Topic: {subject}"), RESIDENT);
        let taken = send(&smarthost, &gateway, &[RESIDENT, COLLEAGUE], &mail, 3);
        let mails: String = taken.iter().map(text_of).collect();
        assert!(!mails.contains("Kamperfoelie") && mails.contains("Zaak"), "{subject}: {mails}");
        assert!(notice(&taken, "receipt").text.contains("dat u zelf hebt gekozen"), "{subject}");
        let link = link_of(&notice(&taken, "notification").text, &site.public_url());
        let opened = post(&link, "password=Kamperfoelie-7");
        assert_eq!(opened.status, 303, "{subject}: {}", opened.text());
        let original = get_as(&format!("{link}/message.eml"), &opened.cookie()).text();
        assert!(!original.contains("Kamperfoelie") && original.contains("kanarie"), "{subject}: {original}");
    }
}

/// RFC 8265 4.2: a Mac writes accents as characters of their own, a telephone does not; word processors change blanks.
#[test]
fn a_chosen_password_opens_in_every_spelling() {
    let (smarthost, site, gateway) = start("[seal]\nsubject = \"keep\"\n");
    // [vertrouwelijk wachtwoord="Frûlju yn Dronryp 8"] with a circumflex of its own.
    let subject = "=?utf-8?Q?[vertrouwelijk_wachtwoord=3D=22Fru=CC=82lju_yn_Dronryp_8=22]_Zaak?=";
    let taken = send(&smarthost, &gateway, &[RESIDENT], &mail(&format!("Subject: {subject}"), RESIDENT), 2);
    let link = link_of(&notice(&taken, "notification").text, &site.public_url());
    let forms = [
        "Fr%C3%BBlju+yn+Dronryp+8",
        "Fru%CC%82lju%C2%A0yn%E2%80%89Dronryp%C2%A08",
        "%EF%BB%BFFr%C3%BBlju+yn+Dronryp+8+",
    ];
    for typed in forms {
        assert_eq!(post(&link, &format!("password={typed}")).status, 303, "{typed}");
    }
    assert_eq!(post(&link, "password=fr%C3%BBlju+yn+Dronryp+8").status, 403, "capitals count");
    let page = get(&link).text();
    assert!(page.contains("Typ een ander wachtwoord precies zoals u het kreeg"), "{page}");
}

#[test]
fn a_sealed_thread_stays_sealed() {
    let (smarthost, _site, gateway) = start("");
    let index = "Thread-Index: AQHb3xMDAAECAwQFBgcICQoLDA0ODw";
    let first =
        mail(&format!("Message-ID: <1@voorbeeld.nl>\r\nSubject: [vertrouwelijk] a\r\n{index}=="), RESIDENT);
    send(&smarthost, &gateway, &[RESIDENT], &first, 2);
    for later in [
        // Outlook: an answer, and a forward that names no Message-ID.
        format!("Subject: RE: a\r\nIn-Reply-To: <1@voorbeeld.nl>\r\n{index}AAAQID=="),
        format!("Subject: FW: a\r\n{index}AAAQIDAAAEBQY="),
        // Thunderbird: an answer further down the thread, and a forward.
        "Subject: Re: a\r\nReferences: <0@x> <1@voorbeeld.nl> <2@x>\r\nIn-Reply-To: <2@x>".to_owned(),
        "Subject: Fwd: a\r\nX-Forwarded-Message-Id: <1@voorbeeld.nl>".to_owned(),
    ] {
        let taken = send(&smarthost, &gateway, &["bob@example.net"], &mail(&later, "bob@example.net"), 2);
        notice(&taken, "notification");
        assert!(!taken.iter().any(|taken| text_of(taken).contains("kanarie")), "{later}");
    }
    let other = mail("Subject: b\r\nThread-Index: AQHb3xMDAAECAwQFBgcICQoLDA0OWg==", RESIDENT);
    let taken = send(&smarthost, &gateway, &[RESIDENT], &other, 1);
    assert!(text_of(&taken[0]).contains("kanarie"));
}

/// C31: what was sealed does not leave as an attachment of something else.
#[test]
fn a_sealed_message_attached_to_another_stays_sealed() {
    let (smarthost, _site, gateway) = start("");
    let index = "Thread-Index: AQHb3xMDAAECAwQFBgcICQoLDA0ODw==";
    let first =
        mail(&format!("Message-ID: <1@voorbeeld.nl>\r\nSubject: [vertrouwelijk] a\r\n{index}"), RESIDENT);
    send(&smarthost, &gateway, &[RESIDENT], &first, 2);
    let forward = |fields: &str, filling: &str| {
        let text = format!(
            "Subject: ter informatie\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\n\r\nZie bijlage.{filling}\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
             From: Anna <{RESIDENT}>\r\nTo: {STAFF}\r\n{fields}\r\n\r\nkanarie\r\n--b--\r\n"
        );
        text.into_bytes()
    };
    let bob = "bob@example.net";
    let large = "x".repeat(70).repeat(3000);
    for (fields, filling) in [
        ("Subject: [vertrouwelijk] b", ""),
        ("Subject: a\r\nMessage-ID: <1@voorbeeld.nl>", ""),
        ("Subject: Re: a\r\nMessage-ID: <2@x>\r\nReferences: <1@voorbeeld.nl>", ""),
        (&format!("Subject: a\r\n{index}"), ""),
        ("Subject: a\r\nMessage-ID: <1@voorbeeld.nl>", &large),
    ] {
        let taken = send(&smarthost, &gateway, &[bob], &forward(fields, filling), 2);
        notice(&taken, "notification");
        assert!(!taken.iter().any(|taken| text_of(taken).contains("kanarie")), "{fields}");
    }
    let taken = send(&smarthost, &gateway, &[bob], &forward("Subject: b\r\nMessage-ID: <3@x>", &large), 1);
    assert!(text_of(&taken[0]).contains("kanarie"), "other mail passes, whatever is attached to it");
}

/// H38: an outsider who wrote with our tag in the subject reads that somebody is away, not that there is a link.
#[test]
fn what_programs_answer_is_no_notification() {
    let (smarthost, _site, gateway) = start("");
    let first = mail("Message-ID: <1@voorbeeld.nl>\r\nSubject: [vertrouwelijk] a", RESIDENT);
    send(&smarthost, &gateway, &[RESIDENT], &first, 2);
    let away = "Subject: Automatisch antwoord: [vertrouwelijk] a\r\nAuto-Submitted: auto-replied\r\n\
        In-Reply-To: <2@example.org>\r\nReferences: <1@voorbeeld.nl> <2@example.org>";
    let taken = send(&smarthost, &gateway, &[RESIDENT], &mail(away, RESIDENT), 1);
    assert!(text_of(&taken[0]).contains("kanarie"), "own words go as they are");
    let quoting = [mail(away, RESIDENT), b"> wat verzegeld was\r\n".to_vec()].concat();
    let taken = send(&smarthost, &gateway, &[RESIDENT], &quoting, 1);
    let notification = notice(&taken, "notification");
    assert!(!notification.raw.contains("wat verzegeld was"), "{}", notification.raw);
}

/// C34: whoever writes to us chooses what our answer refers to; that is no thread of ours.
#[test]
fn an_outsider_has_no_foreign_thread_sealed() {
    let (smarthost, _site, gateway) = start("");
    let answer = mail(
        "Message-ID: <2@voorbeeld.nl>\r\nSubject: RE: [vertrouwelijk] a\r\nIn-Reply-To: <1@example.org>\r\n\
         References: <newsletter@voorbeeld.nl> <1@example.org>\r\nX-Forwarded-Message-Id: <other@example.net>",
        RESIDENT,
    );
    send(&smarthost, &gateway, &[RESIDENT], &answer, 2);
    for foreign in ["<newsletter@voorbeeld.nl>", "<1@example.org>", "<other@example.net>"] {
        let later = mail(&format!("Subject: RE: b\r\nReferences: {foreign}"), "bob@example.net");
        let taken = send(&smarthost, &gateway, &["bob@example.net"], &later, 1);
        assert!(text_of(&taken[0]).contains("kanarie"), "{foreign} was never ours to seal");
    }
    // The resident's mail program answers our message: that one names the thread, as far down as it goes.
    for ours in [
        "In-Reply-To: <3@example.org>\r\nReferences: <1@example.org> <2@voorbeeld.nl> <3@example.org>",
        "In-Reply-To: <2@voorbeeld.nl>",
    ] {
        let later = mail(&format!("Message-ID: <4@voorbeeld.nl>\r\nSubject: RE: a\r\n{ours}"), RESIDENT);
        let taken = send(&smarthost, &gateway, &[RESIDENT], &later, 2);
        notice(&taken, "notification");
    }
}

/// As the notification did, by the names of the staff list.
#[test]
fn a_reminder_says_on_whose_behalf() {
    let folder = tempfile::tempdir().unwrap();
    let staff = folder.path().join("staff.csv");
    std::fs::write(&staff, "email,name\nbos@voorbeeld.nl,Wethouder Bos\n").unwrap();
    let (smarthost, site, gateway) = start("");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let with_staff = format!("[organisation]\nstaff = {:?}", staff.display().to_string());
    std::fs::write(site.config(), config.replacen("[organisation]", &with_staff, 1)).unwrap();
    assert_eq!(gateway.stop(), 0);
    let gateway = site.start();
    let mail = format!(
        "From: Bos <bos@voorbeeld.nl>, Vos <vos@voorbeeld.nl>, Inwoner <i@example.net>\r\nSender: Jan <{STAFF}>\r\n\
         To: {RESIDENT}\r\nSubject: [vertrouwelijk] a\r\n\r\nkanarie\r\n"
    );
    let taken = send(&smarthost, &gateway, &[RESIDENT], mail.as_bytes(), 2);
    let first = notice(&taken, "notification").text;
    assert!(first.contains("Jan namens Wethouder Bos en Vos van"), "{first}");
    assert_eq!(gateway.stop(), 0);
    let_days_pass(&site, 16);
    let _gateway = site.start();
    assert_eq!(notices(&smarthost, 2, 1), [format!("reminder {RESIDENT}")]);
    let reminder = Notice::of(&smarthost.seen().taken[2]).text;
    let names = format!("{STAFF} namens Wethouder Bos en vos@voorbeeld.nl");
    assert_eq!(reminder.matches(&names).count(), 2, "{reminder}");
    assert!(!reminder.contains("nwoner"), "{reminder}");
}

#[test]
fn who_has_not_opened_is_reminded_once() {
    let (smarthost, site, gateway) = start("");
    let bob = "bob@example.net";
    let taken = send(
        &smarthost,
        &gateway,
        &[RESIDENT, bob],
        &mail(
            "Message-ID: <a@voorbeeld.nl>\r\nReply-To: Zaak <zaak@voorbeeld.nl>\r\nSubject: [vertrouwelijk] a",
            RESIDENT,
        ),
        3,
    );
    let to_bob = taken.iter().map(Notice::of).find(|notice| notice.to == [bob]).unwrap();
    let link = link_of(&to_bob.text, &site.public_url());
    open(&link, &support::mail::password_of(&notice(&taken, "receipt").text));
    assert_eq!(gateway.stop(), 0);

    let_days_pass(&site, 16);
    let gateway = site.start();
    assert_eq!(notices(&smarthost, 3, 1), [format!("reminder {RESIDENT}")]);
    let reminder = Notice::of(&smarthost.seen().taken[3]);
    let again = link_of(&reminder.text, &site.public_url());
    assert!(taken.iter().any(|mail| text_of(mail).contains(&again)), "the same link as before");
    assert!(reminder.mail.starts_with(&format!("MAIL FROM:<{STAFF}>")), "{}", reminder.mail);
    assert!(reminder.raw.contains("\r\nReferences: <a@voorbeeld.nl>\r\n"), "{}", reminder.raw);
    assert!(reminder.raw.contains("\r\nReply-To: zaak@voorbeeld.nl\r\n"), "M22");
    assert_eq!(gateway.stop(), 0);

    let_days_pass(&site, 13);
    for _ in 0..2 {
        let gateway = site.start();
        let said = notices(&smarthost, 4, 2);
        assert_eq!(
            said,
            [format!("reminder {RESIDENT}"), format!("unopened {STAFF}")],
            "also after a restart"
        );
        assert_eq!(gateway.stop(), 0);
    }
}

/// H09, RFC 3834: neither a receipt nor a notice of the download; what comes next is the next mail.
#[test]
fn a_machine_hears_of_nothing() {
    let (smarthost, site, gateway) = start("");
    for (from, field) in [
        (STAFF, "Auto-Submitted: auto-generated"),
        (STAFF, "Precedence: list"),
        (STAFF, "Precedence: bulk"),
        (STAFF, "List-Id: <nieuws.voorbeeld.nl>"),
        ("", "X-Zegel-Test: nobody"),
    ] {
        let before = smarthost.seen().taken.len();
        let fields = format!("Subject: [vertrouwelijk] a\r\n{field}");
        submit(gateway.smtp, from, &[RESIDENT], &mail(&fields, RESIDENT));
        let notification = Notice::of(&smarthost.wait(|seen| seen.taken.len() > before).taken[before]);
        assert_eq!(notification.kind, "notification", "{field}");
        let link = link_of(&notification.text, &site.public_url());
        let cookie = post(&link, "").cookie();
        assert_eq!(get_as(&format!("{link}/message.eml"), &cookie).status, 200, "{field}");
        let next = send(&smarthost, &gateway, &["bob@example.net"], b"Subject: gewoon\r\n\r\nx\r\n", 1);
        assert!(text_of(&next[0]).contains("Subject: gewoon"), "{field}: {}", text_of(&next[0]));
    }
}

#[test]
fn the_sender_hears_of_a_download_once() {
    let (smarthost, site, gateway) = start("");
    let taken = send(&smarthost, &gateway, &[RESIDENT], &support::mail::tagged(STAFF, RESIDENT), 2);
    let link = link_of(&notice(&taken, "notification").text, &site.public_url());
    let cookie = open(&link, &support::mail::password_of(&notice(&taken, "receipt").text));
    for file in ["files/1", "files/1", "message.eml", "zip"] {
        assert_eq!(get_as(&format!("{link}/{file}"), &cookie).status, 200);
    }
    assert_eq!(notices(&smarthost, 2, 1), [format!("download {STAFF}")]);
    let told = Notice::of(&smarthost.seen().taken[2]);
    assert!(
        told.text.lines().any(|line| line == "- 1 van 1 bestand") && told.text.contains(RESIDENT),
        "{}",
        told.text
    );
    // It stays inside: the subject is the sender's own, and nothing else of the message is in it.
    let without_subject = told.raw.replace("kanarie-onderwerp", "");
    assert!(without_subject != told.raw && !without_subject.contains("kanarie"), "{}", told.raw);
    assert_eq!(gateway.stop(), 0);
    // What came within the hour is told when it has passed.
    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    db.execute("UPDATE transfer_recipients SET download_noticed = download_noticed - 3600000000", [])
        .unwrap();
    drop(db);
    let _gateway = site.start();
    assert_eq!(notices(&smarthost, 3, 1), [format!("download {STAFF}")]);
    let told = Notice::of(&smarthost.seen().taken[3]);
    assert!(told.text.contains("- het bericht zelf"), "{}", told.text);
}

/// What a report says of one recipient.
fn group(recipient: &str, action: &str) -> String {
    format!(
        "{recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
    )
}

/// A delivery report that quotes the header of the mail.
fn report_of(groups: &str, header: &str) -> String {
    format!(
        "From: MAILER-DAEMON@example.org\r\nTo: {STAFF}\r\nSubject: niet bezorgd\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nniet gelukt\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.org\r\n\r\n{groups}\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n--b--\r\n"
    )
}

/// H45: she sends it on, the copy fails, and whoever refused it reports to where the notification came from.
#[test]
fn a_report_about_a_forwarded_copy_closes_nothing() {
    let (smarthost, site, gateway) = start("");
    let taken = send(&smarthost, &gateway, &[RESIDENT], &support::mail::tagged(STAFF, RESIDENT), 2);
    let notification = notice(&taken, "notification");
    let link = link_of(&notification.text, &site.public_url());
    let header = notification.raw.split("\r\n\r\n").next().unwrap().to_owned();
    let own = format!("Final-Recipient: rfc822; {RESIDENT}");
    let copy = "Final-Recipient: rfc822; prive@example.net";
    let kept = format!("Original-Recipient: rfc822;{RESIDENT}\r\n{copy}");
    let reports = [
        group(copy, "failed"),
        group(&kept, "failed"),
        group(&own, "delivered") + &group(copy, "failed"),
        group(copy, "failed") + &group(&own, "expanded"),
        group(&own, "delivered") + &group(&own, "failed"),
        group(&own, "delayed"),
    ];
    let mut count = 2;
    let mut tell = |groups: &str| {
        let report = report_of(groups, &header);
        submit(gateway.smtp, "", &[STAFF], report.as_bytes());
        count += 1;
        let seen = smarthost.wait(|seen| seen.taken.len() == count);
        assert!(text_of(&seen.taken[count - 1]).ends_with(&report), "the sender gets it as it is");
    };
    for groups in reports {
        tell(&groups);
        assert_eq!(get(&link).status, 200, "{groups}");
    }
    let id = &link.rsplit('/').next().unwrap()[..10];
    let shown = || site.command(&["transfer", "show", id]).1;
    for line in ["reported failed (a forwarded copy) ", "reported delivered ", "reported delayed "] {
        assert!(shown().contains(line), "{}", shown());
    }
    assert!(!shown().contains("bounced") && !shown().contains("reported failed 2"), "{}", shown());

    let cookie = open(&link, &support::mail::password_of(&notice(&taken, "receipt").text));
    tell(&group(&own, "failed"));
    assert_eq!(get_as(&format!("{link}/files"), &cookie).status, 200, "it was opened");
    assert!(shown().contains("reported failed 2"), "{}", shown());
}

#[test]
fn a_delivery_report_closes_the_link() {
    let (smarthost, site, gateway) = start("");
    let bob = "bob@example.net";
    let taken =
        send(&smarthost, &gateway, &[RESIDENT, bob], &mail("Subject: [vertrouwelijk] a", RESIDENT), 3);
    let notices: Vec<Notice> = taken.iter().map(Notice::of).collect();
    let to = |address: &str| notices.iter().find(|notice| notice.to == [address]).unwrap();
    let links = [RESIDENT, bob].map(|address| link_of(&to(address).text, &site.public_url()));
    let header = to(RESIDENT).raw.split("\r\n\r\n").next().unwrap().to_owned();
    let failed = group(&format!("Final-Recipient: rfc822; {}", RESIDENT.to_uppercase()), "failed");
    let report = |header: &str| report_of(&failed, header);
    // Forged: another recipient's number under the same signature closes nothing, and goes on like any mail.
    let forged = header.replace(".1.", ".2.");
    assert_ne!(forged, header);
    for (number, report) in [report(&forged), report(&header)].into_iter().enumerate() {
        assert_eq!(get(&links[0]).status, 200);
        submit(gateway.smtp, "", &[STAFF], report.as_bytes());
        let seen = smarthost.wait(|seen| seen.taken.len() == 4 + number);
        assert!(text_of(&seen.taken[3 + number]).ends_with(&report), "the sender gets it as it is");
    }
    assert_eq!((get(&links[0]).status, get(&links[1]).status), (410, 200));
    let id = &links[0].rsplit('/').next().unwrap()[..10];
    let (_, shown, _) = site.command(&["transfer", "show", id, "--json"]);
    assert!(shown.contains("bounced") && shown.contains("550 5.1.1 no such user"), "{shown}");
}

/// What is written to the address that a notification came from.
fn write_back(gateway: &Gateway, address: &str, mail: &str) -> String {
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    client.send("", &[address], mail.as_bytes()).unwrap()
}

/// `seal.return_path`: a report need not quote anything, and need not be looked for on its way.
#[test]
fn a_report_to_the_gateway_closes_the_link_and_goes_on_to_the_sender() {
    let refused = "eva@example.com";
    let script = Script::usual().when(Stage::Rcpt, refused, say("550 5.1.1 no such user"), usize::MAX);
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "[seal]\nreturn_path = \"gateway\"");
    let gateway = site.start();
    let taken = send(&smarthost, &gateway, &[RESIDENT], &mail("Subject: [vertrouwelijk] a", RESIDENT), 2);
    let notification = notice(&taken, "notification");
    let path = notification.mail.strip_prefix("MAIL FROM:<").unwrap().split('>').next().unwrap();
    assert!(path.starts_with("return+") && path.ends_with("@veilig.voorbeeld.nl"), "{path}");
    let link = link_of(&notification.text, &site.public_url());

    let forged = path.replace(".1.", ".2.");
    assert!(write_back(&gateway, &forged, "Subject: x\r\n\r\n").starts_with("550 5.1.1 "));
    let away = "Auto-Submitted: auto-replied\r\nSubject: afwezig\r\n\r\nIk ben er niet.\r\n";
    let report = "From: MAILER-DAEMON@example.org\r\nContent-Type: multipart/report; boundary=b\r\n\r\n\
        --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n\
        Final-Recipient: rfc822; anna@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n";
    for (number, (mail, status)) in [(away, 200), (report, 410)].into_iter().enumerate() {
        assert!(write_back(&gateway, path, mail).starts_with("250 "));
        let seen = smarthost.wait(|seen| seen.taken.len() == 3 + number);
        assert_eq!(seen.taken[2 + number].addresses(), [STAFF]);
        assert!(text_of(&seen.taken[2 + number]).ends_with(mail), "as it is");
        assert_eq!(get(&link).status, status, "{mail}");
    }

    // What the next hop refuses is reported to the sender, not to ourselves.
    let taken = send(&smarthost, &gateway, &[refused], &mail("Subject: [vertrouwelijk] b", refused), 2);
    assert!(taken.iter().all(|mail| mail.addresses() == [STAFF]));
    assert!(taken.iter().any(|mail| text_of(mail).contains("delivery-status")));
}

#[test]
fn in_the_grace_a_link_is_closed_and_its_keys_are_there() {
    let (smarthost, site, gateway) = start("[seal]\ngrace_days = 14\nretention_days = 20");
    let taken = send(&smarthost, &gateway, &[RESIDENT], &mail("Subject: [vertrouwelijk] a", RESIDENT), 2);
    let link = link_of(&notice(&taken, "notification").text, &site.public_url());
    let id = link.rsplit('/').next().unwrap()[..10].to_owned();
    assert_eq!(gateway.stop(), 0);

    let_days_pass(&site, 31);
    let gateway = site.start();
    assert_eq!(get(&link).status, 410);
    assert!(
        !site
            .command(&["transfer", "export", &id, "--out", site.data().join("x").to_str().unwrap()])
            .1
            .is_empty()
    );
    assert_eq!(site.command(&["transfer", "extend", &id, "--days", "5"]).0, 0);
    assert_eq!(get(&link).status, 200, "renewed");
    assert_eq!(gateway.stop(), 0);

    let_days_pass(&site, 20);
    let gateway = site.start();
    let blobs = || all_bytes(&site.data().join("blobs")).is_empty().then_some(());
    wait_for("the blobs to go", blobs);
    assert_eq!(site.command(&["transfer", "extend", &id, "--days", "5"]).0, 1);
    assert_eq!(gateway.stop(), 0);

    let_days_pass(&site, 20);
    let gateway = site.start();
    let is_forgotten = || (site.command(&["transfer", "show", &id]).0 == 1).then_some(());
    wait_for("the transfer to be forgotten", is_forgotten);
    assert_eq!(get(&link).status, 410, "a link that was genuine is not called unknown");
    let log = gateway.log().join("\n");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn explain_shows_what_a_tag_asks_for_but_no_password() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let file = site.data().with_file_name("mail.eml");
    std::fs::write(&file, "Subject: [vertrouwelijk 14d taal=fy 400d wachtwoord=Kamperfoelie-7] x\r\n\r\n")
        .unwrap();
    let ask = |more: &[&str]| {
        let words = ["policy", "explain", "--from", STAFF, "--to", RESIDENT, file.to_str().unwrap()];
        let (status, said, _) = site.command(&[&words[..], more].concat());
        assert_eq!(status, 0);
        assert!(!said.contains("Kamperfoelie"), "{said}");
        said
    };
    let said = ask(&[]);
    let asked =
        "  the tag asks for: a chosen password (not shown), 14 days, language fy, not understood: 400d\n";
    assert!(said.contains(asked), "{said}");
    let json: serde_json::Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(json[0]["options"][1], "14 days");
}
