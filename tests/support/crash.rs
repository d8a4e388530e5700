//! Kills gateways under load and counts: `tests/durability.rs` a few times, `benches/crash.rs` for as long as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use zegel::id::BlobName;

use super::gateway::{Gateway, Site, all_bytes, wait_for};
use super::load::{CANARY, Delivery, Load, Mail, Random, What, arrivals, assert_nothing_lost};
use super::mail::{Notice, as_opened, link_of, password_of};
use super::smarthost::{Act, Script, Seen, Smarthost, Stage, say};

pub const CLIENTS: u64 = 4;
const CONNECTIONS: usize = 3;
/// Deliveries in flight at once: two for each connection.
pub const FLIGHTS: usize = 6;
/// Transfers that are opened at the end.
const OPENED: usize = 8;

/// How one gateway is treated.
pub struct Plan {
    /// How often it is killed.
    pub kills: usize,
    /// Fewer mails than this are acknowledged between two kills.
    pub between: usize,
    /// The mails, the faults and the moments follow from it.
    pub seed: u64,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Count {
    pub sent: usize,
    pub acknowledged: usize,
    /// Items that were delivered twice because of a kill.
    pub doubled: usize,
}

/// Kills and starts the gateway under load, then counts (C01, C02, C04, H02).
pub fn kill_again_and_again(plan: &Plan, script: impl Fn(&mut Random) -> Script) -> Count {
    let mut random = Random::new(plan.seed);
    let smarthost = Smarthost::start(script(&mut random));
    let site = site(&smarthost);
    let load = Load::start(CLIENTS, random.below(1 << 20) as u64);
    let mut lives = Vec::new();
    for _ in 0..plan.kills {
        let gateway = site.start();
        load.gateway_is(Some(gateway.smtp));
        load.wait(random.below(plan.between));
        gateway.kill();
        load.gateway_is(None);
        lives.push(smarthost.seen_connections());
        assert_no_plaintext(&site.data());
        smarthost.change(script(&mut random));
    }
    let sent = load.end();
    let orphans = plant_orphans(&site.data());
    let gateway = site.start();
    smarthost.change(Script::usual());
    drain(&site);

    let seen = smarthost.seen();
    let arrivals = arrivals(&sent, &seen.taken);
    assert_nothing_lost(&sent, &arrivals);
    let doubled = doubled(&arrivals, &lives);
    assert!(doubled.iter().all(|count| *count <= FLIGHTS), "{doubled:?}");
    assert_transfers_open(&site, &sent, &seen);
    assert_swept(&site, gateway, &orphans);
    assert_no_plaintext(&site.data());
    let acknowledged = sent.iter().filter(|mail| mail.acknowledged).count();
    Count { sent: sent.len(), acknowledged, doubled: doubled.iter().sum() }
}

/// A site with little in flight.
pub fn site(smarthost: &Smarthost) -> Site {
    let site = Site::new(smarthost.address(), "");
    site.set("relay", &format!("max_connections = {CONNECTIONS}"));
    site
}

/// Trouble that passes, at any stage.
pub fn failing(random: &mut Random) -> Script {
    let mut script = Script::usual();
    let stages =
        [Stage::Connect, Stage::Ehlo, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Content, Stage::Dot];
    for _ in 0..8 {
        let stage = stages[random.below(stages.len())];
        let act = match random.below(3) {
            _ if stage == Stage::Content => Act::Close,
            0 => Act::Close,
            1 => Act::SayAndClose("421 4.3.2 not now".to_owned()),
            _ => say("451 4.3.0 not now"),
        };
        script = script.when(stage, "", act, 1 + random.below(3));
    }
    script
}

/// Waits until nothing is left in the queue.
pub fn drain(site: &Site) {
    wait_for("an empty queue", || {
        let (status, list, trouble) = site.command(&["queue", "list", "--json"]);
        assert_eq!(status, 0, "{trouble}");
        if list.trim() == "[]" {
            return Some(());
        }
        // What has failed twice would wait for hours.
        site.command(&["queue", "retry", "--all"]);
        None
    });
}

/// How many items each kill has doubled; `lives` holds the number of the last connection of each life.
fn doubled(arrivals: &BTreeMap<Delivery, Vec<usize>>, lives: &[usize]) -> Vec<usize> {
    let life = |connection: &usize| lives.partition_point(|last| last < connection);
    let mut doubled = vec![BTreeSet::new(); lives.len()];
    for (delivery, connections) in arrivals {
        for pair in connections.windows(2) {
            let (before, after) = (life(&pair[0]), life(&pair[1]));
            assert!(before < after, "{delivery:?} arrived twice without a kill between");
            // All recipients of a message are one item.
            let own = (delivery.what != What::Message).then_some(&delivery.to);
            doubled[before].insert((&delivery.id, delivery.what, own));
        }
    }
    doubled.iter().map(BTreeSet::len).collect()
}

fn assert_no_plaintext(data: &Path) {
    for (path, bytes) in all_bytes(data) {
        assert!(memchr::memmem::find(&bytes, CANARY.as_bytes()).is_none(), "plaintext in {path:?}");
    }
}

/// Every link answers, every transfer is there, and some are opened and compared with what was sent.
pub fn assert_transfers_open(site: &Site, sent: &[Mail], seen: &Seen) {
    let notices =
        seen.taken.iter().filter(|taken| memchr::memmem::find(&taken.message, b"X-Zegel-Notice").is_some());
    let notices: Vec<Notice> = notices.map(Notice::of).collect();
    let (_, list, _) = site.command(&["transfer", "list", "--json"]);
    let transfers: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let transfers: BTreeSet<&str> =
        transfers.iter().map(|transfer| transfer["id"].as_str().unwrap()).collect();
    let mut links = BTreeSet::new();
    for notice in notices.iter().filter(|notice| notice.kind == "notification") {
        let transfer = notice.raw.lines().find_map(|line| line.strip_prefix("X-Zegel-Transfer: ")).unwrap();
        assert!(transfers.contains(transfer), "{transfer} is not listed");
        links.insert(link_of(&notice.text, &site.public_url()));
    }
    for link in &links {
        assert_eq!(ureq::get(link).call().unwrap().status(), 200);
    }
    let sealed: Vec<&Mail> = sent.iter().filter(|mail| mail.confidential && mail.acknowledged).collect();
    for mail in sealed.iter().step_by(sealed.len().div_ceil(OPENED).max(1)) {
        let of = |kind: &str, field: &str| {
            let line = format!("\r\n{field}: <{}>\r\n", mail.id);
            notices.iter().find(|notice| notice.kind == kind && notice.raw.contains(&line)).unwrap()
        };
        let link = link_of(&of("notification", "Message-ID").text, &site.public_url());
        let password = password_of(&of("receipt", "In-Reply-To").text);
        assert!(open(&link, &password) == as_opened(&mail.bytes), "{} came out changed", mail.id);
    }
}

/// Gives the password and downloads the original message.
fn open(link: &str, password: &str) -> Vec<u8> {
    let agent = ureq::Agent::config_builder().max_redirects(0).build().new_agent();
    let unlocked = agent.post(link).send_form([("password", password)]).unwrap();
    assert_eq!(unlocked.status(), 303);
    let cookie = unlocked.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut message = agent.get(format!("{link}/message.eml")).header("Cookie", cookie).call().unwrap();
    message.body_mut().read_to_vec().unwrap()
}

/// Blobs as a crash leaves them: one that nobody knows, and one that was being written.
fn plant_orphans(data: &Path) -> [std::path::PathBuf; 2] {
    let name = BlobName::random();
    let unknown = data.join("blobs").join(&name.as_str()[..2]).join(name.as_str());
    let unfinished = data.join("blobs/tmp").join(BlobName::random().as_str());
    std::fs::create_dir_all(unknown.parent().unwrap()).unwrap();
    std::fs::write(&unknown, "orphan").unwrap();
    std::fs::write(&unfinished, "orphan").unwrap();
    [unknown, unfinished]
}

/// After a start there are as many blobs as the database knows, and no others.
fn assert_swept(site: &Site, gateway: Gateway, orphans: &[std::path::PathBuf]) {
    assert_eq!(gateway.stop(), 0);
    let _gateway = site.start();
    wait_for("the sweep", || orphans.iter().all(|orphan| !orphan.exists()).then_some(()));
    let database = site.data().join("zegel.db");
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    wait_for("no blob but those of transfers", || {
        let count = "SELECT count(*) FROM parts";
        let known: i64 = database.query_row(count, [], |row| row.get(0)).unwrap();
        (all_bytes(&site.data().join("blobs")).len() as i64 == known).then_some(())
    });
}
