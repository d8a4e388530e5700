//! The life of a transfer through the real binary: what a sender may ask for, what stays sealed, who is reminded,
//! and the end. Time is moved by moving the dates in the database while the gateway is down.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use support::client::submit;
use support::gateway::{Gateway, Site, all_bytes};
use support::mail::{Notice, link_of, text_of};
use support::smarthost::{Script, Smarthost, Taken};
use support::web::{get_as, post};

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
    let expected = format!("To: {RESIDENT}\r\nSubject: Zaak\r\n\r\nkanarie\r\n");
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
    assert_eq!(zegel::clock::days_later(time("created"), 14), time("expires"));
}

#[test]
fn an_option_in_doubt_seals_with_the_defaults_and_says_so() {
    let (smarthost, _site, gateway) = start("");
    for (options, said) in [
        ("geen-wachtwoord 400d", "niet gebruikt: 400d"),
        ("wachtwoord=welkom01", "te makkelijk te raden"),
        ("wachtwoord=Zomer in Gent", "niet gebruikt: wachtwoord=\u{2026}"),
        ("binnen veertien dagen graag", "niet gebruikt: binnen, veertien, dagen, graag"),
    ] {
        let mail = mail(&format!("Subject: [vertrouwelijk {options}] Zaak"), RESIDENT);
        let taken = send(&smarthost, &gateway, &[RESIDENT], &mail, 2);
        let receipt = notice(&taken, "receipt").text;
        assert!(receipt.contains(said), "{options}: {receipt}");
        assert_eq!(receipt.contains("Wachtwoord: "), !options.contains("geen"), "{receipt}");
        let mails: String = taken.iter().map(text_of).collect();
        assert!(!mails.contains("Zomer") && !mails.contains("welkom01"), "{mails}");
    }
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
