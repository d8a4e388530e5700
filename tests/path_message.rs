//! The message path through the real binary: what comes in, and what leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]

mod support;

use mail_parser::MessageParser;
use support::client::{SmtpClient, submit};
use support::gateway::{Site, all_bytes, wait_for};
use support::mail::{Notice, canaries, link_of, password_of, tagged, text_of};
use support::smarthost::{Script, Smarthost, Stage, Taken, say};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// One `Received` on top, the rest as it was (H03).
fn assert_untouched(taken: &Taken, sent: &[u8]) {
    let received = taken.message.strip_suffix(sent).expect("the message arrives byte for byte");
    let text = String::from_utf8(received.to_vec()).unwrap();
    assert!(text.starts_with("Received: from mail.voorbeeld.nl (") && text.ends_with("\r\n"), "{text}");
    let fields = text.lines().filter(|line| !line.starts_with([' ', '\t'])).count();
    assert_eq!(fields, 1, "{text}");
}

#[test]
fn ordinary_mail_passes_byte_for_byte() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let mails: [&[u8]; 5] = [
        b"Subject: hallo\r\n\r\ntekst\r\n",
        b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n\r\n.\r\n",
        b"no header at all",
        "Subject: =?utf-8?q?caf=C3=A9?=\r\nX: \t odd\r\n folded\r\n\r\nr\u{00e9}sum\u{00e9}\r\n".as_bytes(),
        b"",
    ];
    for (number, mail) in mails.iter().enumerate() {
        let sent = if mail.ends_with(b"\r\n") { mail.to_vec() } else { [mail, &b"\r\n"[..]].concat() };
        submit(gateway.smtp, STAFF, &[RESIDENT], &sent);
        let seen = smarthost.wait(|seen| seen.taken.len() == number + 1);
        let taken = seen.taken.last().unwrap();
        assert_untouched(taken, &sent);
        assert_eq!(taken.addresses(), [RESIDENT]);
        assert!(taken.mail.starts_with(&format!("MAIL FROM:<{STAFF}>")), "{}", taken.mail);
    }
    assert_eq!(gateway.stop(), 0);
}

#[test]
fn the_envelope_travels_on() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    for command in [
        "MAIL FROM:<> BODY=8BITMIME RET=HDRS ENVID=zaak+2B42",
        "RCPT TO:<anna@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;anna@example.org",
        "RCPT TO:<bob@example.org> NOTIFY=NEVER",
    ] {
        assert!(client.command(command).unwrap().starts_with("250 "), "{command}");
    }
    assert!(client.command("DATA").unwrap().starts_with("354 "));
    assert!(client.command("Subject: x\r\n\r\n\u{e9}\r\n.").unwrap().starts_with("250 "));
    let taken = smarthost.wait(|seen| !seen.taken.is_empty()).taken.remove(0);
    assert!(taken.mail.starts_with("MAIL FROM:<> "), "{}", taken.mail);
    for parameter in ["BODY=8BITMIME", "RET=HDRS", "ENVID=zaak+2B42"] {
        assert!(taken.mail.contains(parameter), "{}", taken.mail);
    }
    assert!(taken.recipients[0].contains("NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;anna@example.org"));
    assert!(taken.recipients[1].contains("NOTIFY=NEVER"));
}

#[test]
fn confidential_mail_becomes_notification_and_receipt() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT, "bob@example.net"], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);

    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let receipt = notices.iter().find(|notice| notice.kind == "receipt").unwrap();
    let password = password_of(&receipt.text);
    assert_eq!(receipt.to, [STAFF]);
    assert!(receipt.mail.starts_with("MAIL FROM:<>"), "{}", receipt.mail);
    assert!(receipt.raw.contains("Auto-Submitted: auto-generated"));
    assert!(receipt.raw.contains("In-Reply-To: <canary-1@voorbeeld.nl>"));

    let mut links = Vec::new();
    for notice in notices.iter().filter(|notice| notice.kind == "notification") {
        assert_eq!(notice.to.len(), 1);
        for field in [
            "From: Jan Jansen <j.jansen@voorbeeld.nl>\r\n",
            "To: Anna <anna@example.org>\r\n",
            "Cc: bob@example.net\r\n",
            "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n",
            "Message-ID: <canary-1@voorbeeld.nl>\r\n",
            "References: <eerder@example.org>\r\n",
            "X-Zegel-Transfer: ",
        ] {
            assert!(notice.raw.contains(field), "{field:?} is missing in {}", notice.raw);
        }
        let link = link_of(&notice.text, &site.public_url());
        assert!(!notice.raw.contains(&password) && !receipt.raw.contains(&link));
        links.push(link);
    }
    assert_eq!(links.len(), 2);
    assert_ne!(links[0], links[1], "every recipient has an own link");

    // Nothing of it anywhere but in memory (C04, C24); its subject goes to its sender, inside the receipt.
    for canary in canaries() {
        for (taken, notice) in seen.taken.iter().zip(&notices) {
            let is_told = notice.kind == "receipt" && canary == "kanarie-onderwerp";
            assert_eq!(text_of(taken).contains(canary), is_told, "{canary} in the {}", notice.kind);
        }
    }
    let parsed = MessageParser::default().parse(receipt.raw.as_bytes()).unwrap();
    let subject = parsed.subject().unwrap();
    assert!(!subject.contains("kanarie") && subject.contains(RESIDENT), "{subject}");
    let log = gateway.log().join("\n");
    gateway.kill();
    let secrets: Vec<String> = links.iter().map(|link| link.rsplit('/').next().unwrap().to_owned()).collect();
    let hidden = canaries().into_iter().chain([password.as_str()]).chain(secrets.iter().map(String::as_str));
    for secret in hidden {
        assert!(!log.contains(secret), "{secret} is in the log");
        for (path, bytes) in all_bytes(&site.data()) {
            assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{secret} is in {path:?}");
        }
    }
}

#[test]
fn one_message_may_pass_and_be_sealed() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let mail = tagged(STAFF, RESIDENT);
    submit(gateway.smtp, STAFF, &["collega@voorbeeld.nl", RESIDENT], &mail);
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);
    let passed = seen.taken.iter().find(|taken| taken.addresses() == ["collega@voorbeeld.nl"]).unwrap();
    assert_untouched(passed, &mail);
    assert_eq!(seen.copies(RESIDENT), 1);
    assert_eq!(seen.copies(STAFF), 1);
}

#[test]
fn broken_mail_is_sealed_as_a_whole() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let mail = b"Subject: [vertrouwelijk] x\r\nContent-Type: multipart/mixed; boundary=\"weg\"\r\n\r\n\
        geheim-kanarie\r\n--weg\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%%\r\n";
    submit(gateway.smtp, STAFF, &[RESIDENT], mail);
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    assert!(seen.taken.iter().all(|taken| !text_of(taken).contains("geheim-kanarie")));
}

/// M26: whatever came, what leaves is a message (RFC 5322 3.6).
#[test]
fn a_notification_is_a_message_whatever_came() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let long = "n".repeat(1200);
    let to: Vec<String> = (0..150).map(|n| format!("Inwoner {n} <i{n}@example.org>")).collect();
    let ids: Vec<String> = (0..60).map(|n| format!("<{n:030}@voorbeeld.nl>")).collect();
    let cases = [
        (String::new(), "j.jansen@voorbeeld.nl"),
        ("From: root@\r\nDate: gisteren\r\nMessage-ID: <geen id>".to_owned(), "j.jansen@voorbeeld.nl"),
        (
            "From: J\u{fc}rgen <jurgen@voorbeeld.nl>".to_owned(),
            "=?utf-8?Q?J=C3=BCrgen?= <jurgen@voorbeeld.nl>",
        ),
        (format!("From: \"{long}\" <a@voorbeeld.nl>"), "<a@voorbeeld.nl>"),
        (
            format!("From: a@voorbeeld.nl\r\nTo: {}\r\nReferences: {}", to.join(", "), ids.join(" ")),
            "a@voorbeeld.nl",
        ),
        (
            "From: a@voorbeeld.nl, b@voorbeeld.nl\r\nSender: sec@voorbeeld.nl".to_owned(),
            "a@voorbeeld.nl, b@voorbeeld.nl",
        ),
    ];
    for (number, (fields, from)) in cases.iter().enumerate() {
        let fields = if fields.is_empty() { String::new() } else { format!("{fields}\r\n") };
        let mail = format!("{fields}Subject: [vertrouwelijk] x\r\n\r\nkanarie\r\n");
        submit(gateway.smtp, STAFF, &[RESIDENT], mail.as_bytes());
        let seen = smarthost.wait(|seen| seen.taken.len() == 2 * (number + 1));
        let notices: Vec<Notice> = seen.taken[2 * number..].iter().map(Notice::of).collect();
        let notice = notices.iter().find(|notice| notice.kind == "notification").unwrap();
        let (header, _) = notice.raw.split_once("\r\n\r\n").unwrap();
        let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", " ");
        let field = |name: &str| {
            let found: Vec<&str> = unfolded.lines().filter_map(|line| line.strip_prefix(name)).collect();
            assert!(found.len() <= 1, "{name} {found:?}");
            found.first().copied()
        };
        assert!(notice.raw.is_ascii() && notice.raw.lines().all(|line| line.len() <= 998));
        assert!(field("From: ").unwrap().ends_with(from), "{header}");
        assert!(field("Date: ").is_some() && field("Message-ID: <").unwrap().contains('@'), "{header}");
        assert_eq!(field("To: ").map_or(0, |to| to.matches('@').count()), if number == 4 { 150 } else { 0 });
        assert_eq!(field("References: "), Some(ids.join(" ").as_str()).filter(|_| number == 4));
        assert_eq!(field("Sender: "), Some("sec@voorbeeld.nl").filter(|_| number == 5));
    }
}

/// M26: the thread of a message without a Message-ID is that of its notification.
#[test]
fn an_answer_to_a_message_without_an_id_is_sealed() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: [vertrouwelijk] scan\r\n\r\nx\r\n");
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let notification = notices.iter().find(|notice| notice.kind == "notification").unwrap();
    let id = notification.raw.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap();
    let answer =
        format!("Message-ID: <2@voorbeeld.nl>\r\nIn-Reply-To: {id}\r\nSubject: RE: bericht\r\n\r\nx\r\n");
    submit(gateway.smtp, STAFF, &[RESIDENT], answer.as_bytes());
    let seen = smarthost.wait(|seen| seen.copies(RESIDENT) == 2);
    let last = seen.taken.iter().rev().find(|taken| taken.addresses() == [RESIDENT]).unwrap();
    assert_eq!(Notice::of(last).kind, "notification");
}

/// M27: only people of the organisation are shown as such.
#[test]
fn whoever_sent_it_is_of_the_organisation() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    for (number, (fields, shown, hidden)) in [
        (
            "From: Wethouder Bos <bos@voorbeeld.nl>\r\nSender: Secretariaat <sec@voorbeeld.nl>",
            "Secretariaat namens Wethouder Bos van",
            None,
        ),
        (
            "From: Bos <bos@voorbeeld.nl>, Inwoner <i@example.net>, Vos <vos@voorbeeld.nl>, Bos <BOS@voorbeeld.nl>,\r\n \
             Das <das@voorbeeld.nl>\r\nSender: Secretariaat <sec@voorbeeld.nl>",
            "Secretariaat namens Bos, Vos en Das van",
            Some("Inwoner"),
        ),
        ("From: Jan <jan@gmail.example>", "j.jansen@voorbeeld.nl van", Some("Jan van")),
        (
            "From: Inwoner <inwoner@example.net>\r\nResent-From: Jan Jansen <j.jansen@voorbeeld.nl>",
            "Jan Jansen van",
            Some("Inwoner van"),
        ),
        ("From: Bos <bos@voorbeeld.nl>\r\nSender: Bos <BOS@voorbeeld.nl>", "Bos van", Some("namens")),
        (
            "From: Bos <bos@voorbeeld.nl>\r\nSender: Bureau <bureau@example.net>",
            "Bos van",
            Some("Bureau van"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mail = format!("{fields}\r\nSubject: [vertrouwelijk] x\r\n\r\nx\r\n");
        submit(gateway.smtp, STAFF, &[RESIDENT], mail.as_bytes());
        let seen = smarthost.wait(|seen| seen.copies(RESIDENT) == number + 1);
        let last = seen.taken.iter().rev().find(|taken| taken.addresses() == [RESIDENT]).unwrap();
        let text = Notice::of(last).text;
        assert!(text.contains(shown), "{fields}: {text}");
        assert!(hidden.is_none_or(|hidden| !text.contains(hidden)), "{fields}: {text}");
    }
}

#[test]
fn mail_waits_for_the_smarthost() {
    let down = say("421 4.3.2 not now");
    let smarthost = Smarthost::start(Script::usual().at(Stage::Connect, down));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: wacht\r\n\r\nwachtwoord-kanarie\r\n");
    smarthost.wait(|seen| seen.connections > 0);
    wait_for("a first attempt", || {
        let (_, out, _) = site.command(&["queue", "list", "--json"]);
        out.contains("421").then_some(())
    });
    gateway.kill();
    for (path, bytes) in all_bytes(&site.data()) {
        assert!(memchr::memmem::find(&bytes, b"wachtwoord-kanarie").is_none(), "plaintext in {path:?}");
    }
    smarthost.change(Script::usual());
    let _gateway = site.start();
    site.command(&["queue", "retry", "--all"]);
    smarthost.wait(|seen| seen.copies(RESIDENT) == 1);
    wait_for("an empty queue", || {
        site.command(&["queue", "list"]).1.contains("0 in the queue").then_some(())
    });
}

#[test]
fn a_locked_store_is_451_and_nothing_is_relayed() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let lock = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for mail in [&b"Subject: gewoon\r\n\r\nx\r\n"[..], b"Subject: [veilig] x\r\n\r\nx\r\n"] {
        let mut client = SmtpClient::connect(gateway.smtp).unwrap();
        let reply = client.send(STAFF, &[RESIDENT], mail).unwrap();
        assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    }
    lock.execute_batch("ROLLBACK").unwrap();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: weer\r\n\r\nx\r\n");
    let seen = smarthost.wait(|seen| !seen.taken.is_empty());
    assert_eq!(seen.taken.len(), 1);
    assert!(text_of(&seen.taken[0]).contains("Subject: weer"));
}

#[test]
fn refusals_of_the_gateway() {
    let smarthost = Smarthost::start(Script::usual());
    let rules = "[[rule]]\nname = \"nee\"\nwhen = { header = { name = \"X-Nee\", any = [\"ja\"] } }\n\
        then = \"reject\"\ntext = \"Dit mag niet naar buiten\"\n";
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"nee.toml\"]\n");
    std::fs::write(site.config().with_file_name("nee.toml"), rules).unwrap();
    let gateway = site.start();
    let looping = "Received: from a by b; now\r\n".repeat(101) + "\r\n";
    for (from, mail, answer) in [
        ("x@elders.nl", "", "550 5.7.1 "),
        (STAFF, looping.as_str(), "554 5.4.6 "),
        (STAFF, "Received: from a by veilig.voorbeeld.nl; now\r\n\r\n", "554 5.4.6 "),
        (STAFF, "X-Nee: ja\r\n\r\n", "550 5.7.1 Dit mag niet naar buiten"),
    ] {
        let mut client = SmtpClient::connect(gateway.smtp).unwrap();
        let reply = client.send(from, &[RESIDENT], mail.as_bytes()).unwrap();
        assert!(reply.starts_with(answer), "{reply}");
    }
    // H32
    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    let mut results = db.prepare("SELECT result FROM audit WHERE action = 'accept' AND actor = ?1").unwrap();
    let results: Vec<String> =
        results.query_map([STAFF], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(results, ["refused: loop", "refused: loop", "refused: policy"]);
    assert!(smarthost.seen().taken.is_empty());
}

/// The gateway of another organisation, at elders.nl.
fn site_elsewhere(smarthost: &Smarthost, extra: &str) -> Site {
    let site = Site::new(smarthost.address(), extra);
    let config = std::fs::read_to_string(site.config()).unwrap().replace("voorbeeld.nl", "elders.nl");
    std::fs::write(site.config(), config).unwrap();
    site
}

/// M23: what one gateway wrote is mail like any other to another one, and a loop to itself.
#[test]
fn forwarding_between_two_gateways_works() {
    let refused = "eva@example.com";
    let script = Script::usual().when(Stage::Rcpt, refused, say("550 5.1.1 no such user"), usize::MAX);
    let (here, there) = (Smarthost::start(script), Smarthost::start(Script::usual()));
    let (site, elsewhere) = (Site::new(here.address(), ""), site_elsewhere(&there, ""));
    let (gateway, other) = (site.start(), elsewhere.start());
    let bob = "bob@elders.nl";
    submit(gateway.smtp, STAFF, &[bob], &tagged(STAFF, bob));
    submit(gateway.smtp, STAFF, &[refused], b"Subject: x\r\n\r\nx\r\n");
    let notices = here.wait(|seen| seen.taken.len() == 3).taken;
    let kinds: Vec<String> = notices.iter().map(text_of).collect();
    for kind in ["notification", "receipt", "failure"] {
        assert!(kinds.iter().any(|text| text.contains(&format!("\r\nX-Zegel-Notice: {kind}\r\n"))), "{kind}");
    }
    for (number, notice) in notices.iter().enumerate() {
        // Bob's mail server sends it on to his own address outside, in his name.
        submit(other.smtp, bob, &[RESIDENT], &notice.message);
        let passed = there.wait(|seen| seen.taken.len() > number).taken.remove(number);
        assert!(passed.message.ends_with(&notice.message), "byte for byte");
        let back = SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[bob], &notice.message).unwrap();
        assert!(back.starts_with("554 5.4.6 "), "our own comes back: {back}");
    }
    // A mark that proves nothing says nothing.
    let receipt = kinds.iter().find(|text| text.contains("X-Zegel-Notice: receipt")).unwrap();
    let at = receipt.find("X-Zegel-Origin: ").unwrap() + 20;
    let other_letter = if &receipt[at..=at] == "7" { "8" } else { "7" };
    let forged = [&receipt[..at], other_letter, &receipt[at + 1..]].concat();
    submit(gateway.smtp, STAFF, &["collega@voorbeeld.nl"], forged.as_bytes());
}

/// H07: two gateways that seal everything, and two mailboxes that send on everything to each other.
#[test]
fn two_gateways_do_not_seal_each_others_notices_for_ever() {
    let (here, there) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let rules = "[policy]\nfiles = [\"alles.toml\"]\n";
    let (site, elsewhere) = (Site::new(here.address(), rules), site_elsewhere(&there, rules));
    for site in [&site, &elsewhere] {
        let all = "[[rule]]\nname = \"alles\"\nthen = \"seal\"\n";
        std::fs::write(site.config().with_file_name("alles.toml"), all).unwrap();
    }
    let (gateway, other) = (site.start(), elsewhere.start());
    let bob = "bob@elders.nl";
    let notification = |smarthost: &Smarthost, to: &str| {
        let seen = smarthost.wait(|seen| seen.copies(to) == 1);
        seen.taken.into_iter().find(|taken| taken.addresses() == [to]).unwrap()
    };
    submit(gateway.smtp, STAFF, &[bob], &tagged(STAFF, bob));
    let first = notification(&here, bob);
    submit(other.smtp, bob, &[STAFF], &first.message);
    let second = notification(&there, STAFF);
    assert!(!text_of(&second).contains(&text_of(&first)), "sealed, not passed");
    let reply = SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[bob], &second.message).unwrap();
    assert!(reply.starts_with("554 5.4.6 "), "{reply}");
    // Of the inside the trace names servers and times, no client.
    assert!(
        text_of(&first).contains("\r\nReceived: by veilig.voorbeeld.nl (zegel) id "),
        "{}",
        text_of(&first)
    );
    assert!(!text_of(&first).contains("[127.0.0.1]"));
}

#[test]
fn failures_come_back_as_reports() {
    let script = Script::usual().when(Stage::Rcpt, RESIDENT, say("550 5.1.1 no such user"), usize::MAX);
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT, "bob@example.net"], b"Subject: x\r\n\r\nx\r\n");
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    assert_eq!(seen.copies("bob@example.net"), 1, "a refused recipient does not stop the others");
    let report = seen.taken.iter().find(|taken| taken.addresses() == [STAFF]).unwrap();
    assert!(report.mail.starts_with("MAIL FROM:<>"));
    let text = text_of(report);
    for part in ["delivery-status", "Final-Recipient: rfc822;anna@example.org", "Status: 5.1.1"] {
        assert!(text.replace("rfc822; ", "rfc822;").contains(part), "{part} is missing in {text}");
    }
}
