//! Between real servers: Postfix as the peer in front, Postfix as the smarthost behind, and no hand of
//! ours on the mail between them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]

mod support;

use support::client::submit;
use support::gateway::{Site, wait_for};
use support::mail::{canaries, link_of, password_of, tagged};
use support::postfix::Postfix;

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// The mails in the mailbox once there are `count`, with CRLF line ends again.
fn mails(behind: &Postfix, count: usize) -> Vec<String> {
    let mails = wait_for("mail in the mailbox", || Some(behind.mails()).filter(|mails| mails.len() >= count));
    assert_eq!(mails.len(), count);
    mails.iter().map(|mail| String::from_utf8_lossy(mail).replace('\n', "\r\n")).collect()
}

#[test]
fn ordinary_and_confidential_mail_between_two_postfixes() {
    let behind = Postfix::with_mailbox();
    let site = Site::new(behind.address, "");
    let gateway = site.start();
    let front = Postfix::in_front_of(gateway.smtp);

    // Postfix itself adds fields on top; what we were given must stand below them unchanged.
    let ordinary = b"From: j.jansen@voorbeeld.nl\r\nTo: anna@example.org\r\nSubject: gewoon\r\n\
        Message-ID: <gewoon@voorbeeld.nl>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\n.punt\r\n..\r\n\r\ntekst\r\n";
    submit(front.address, STAFF, &[RESIDENT], ordinary);
    let arrived = mails(&behind, 1).remove(0);
    let original = String::from_utf8_lossy(ordinary);
    assert!(arrived.ends_with(&*original), "{arrived}");
    let top = arrived.strip_suffix(&*original).unwrap();
    let unfolded = top.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(unfolded.matches("by veilig.voorbeeld.nl (zegel) with ESMTP id ").count(), 1, "{top}");

    submit(front.address, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let arrived = mails(&behind, 3);
    let receipt = arrived.iter().find(|mail| mail.contains("X-Zegel-Notice: receipt")).unwrap();
    let notification = arrived.iter().find(|mail| mail.contains("X-Zegel-Notice: notification")).unwrap();
    assert!(receipt.contains("Delivered-To: j.jansen@voorbeeld.nl"));
    assert!(notification.contains("Delivered-To: anna@example.org"));
    for canary in canaries() {
        assert!(!notification.contains(canary), "{canary} was relayed");
        assert_eq!(
            receipt.contains(canary),
            canary == "kanarie-onderwerp",
            "only the subject goes back to its sender"
        );
    }
    let (password, link) = (password_of(receipt), link_of(notification, &site.public_url()));
    assert!(!notification.contains(&password));
    let opened = ureq::Agent::config_builder().max_redirects(0).build().new_agent();
    let response = opened.post(&link).send_form([("password", password.as_str())]).unwrap();
    assert_eq!(response.status(), 303);
}

#[test]
fn postfix_keeps_what_the_gateway_cannot_take() {
    let behind = Postfix::with_mailbox();
    let site = Site::new(behind.address, "");
    let gateway = site.start();
    let front = Postfix::in_front_of(gateway.smtp);
    let lock = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    submit(front.address, STAFF, &[RESIDENT], b"Subject: later\r\n\r\nx\r\n");
    wait_for("a deferral", || front.log().contains("451 4.3.0").then_some(()));
    assert!(behind.mails().is_empty());
    lock.execute_batch("ROLLBACK").unwrap();
    assert!(mails(&behind, 1)[0].contains("Subject: later"));
}
