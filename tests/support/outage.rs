//! Thousands of mails for a next hop that is away, and what must have become of them when it is back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::client::SmtpClient;
use super::gateway::{Gateway, Site, wait_for};
use super::load::STAFF;
use super::smarthost::Seen;

/// Connections that bring the mails.
const CLIENTS: usize = 10;

/// Sends so many ordinary mails, each to a recipient of its own, to these gateways in turn.
pub fn submit_many(gateways: &[SocketAddr], mails: usize) {
    let client = |client: usize| {
        let gateway = gateways[client % gateways.len()];
        thread::spawn(move || {
            let mut connection = SmtpClient::connect(gateway).unwrap();
            for number in (client..mails).step_by(CLIENTS) {
                let message = format!("From: {STAFF}\r\nSubject: {number}\r\n\r\nTekst {number}\r\n");
                let to = format!("r{number}@example.org");
                let reply = connection.send(STAFF, &[&to], message.as_bytes()).unwrap();
                assert!(reply.starts_with("250 "), "{reply}");
            }
        })
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
}

/// Waits until each of so many mails has been tried and waits.
pub fn wait_until_all_wait(site: &Site, mails: usize) {
    wait_for("every mail to have been tried once", || {
        thread::sleep(Duration::from_millis(500));
        let (_, list, error) = site.command(&["queue", "list", "--json"]);
        let list: Vec<Value> =
            serde_json::from_str(&list).unwrap_or_else(|fault| panic!("{fault}: {list}{error}"));
        let tried = list.iter().filter(|item| item["attempts"].as_u64().unwrap() > 0).count();
        (tried == mails).then_some(())
    });
}

/// An outage that has lasted so long has a line for each minute of it, and its mails have none.
pub fn check_log(gateway: &Gateway, lasted: Duration) {
    let log = gateway.log();
    let lines = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(lines("the next hop takes no mail"), 1);
    let again = lines("the next hop still takes no mail");
    let minutes = lasted.as_secs() as usize / 60;
    assert!(again <= minutes, "{again} lines in {lasted:?}");
    let of_mails = lines("\"action\":\"relay\"");
    assert_eq!(of_mails, 0, "lines about single mails");
}

/// Each of so many mails has arrived once, and while the server was away it was left in peace.
pub fn check_all_once(seen: &Seen, mails: usize) {
    let mut copies = BTreeMap::<&str, usize>::new();
    seen.taken.iter().flat_map(|taken| taken.addresses()).for_each(|to| *copies.entry(to).or_default() += 1);
    assert_eq!(copies.len(), mails);
    let twice: Vec<_> = copies.iter().filter(|(_, copies)| **copies > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
