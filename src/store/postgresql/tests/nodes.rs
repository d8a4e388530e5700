//! Several nodes on one database, and a database that fails them.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::time::timeout;

use super::server::Server;
use super::*;
use crate::clock::Clock;
use crate::store::conformance::{attempt, delivered, item, message, minutes, noon};
use crate::store::nodes::{Difference, Heartbeat, NodeFacts, NodeState, SettingsDigests};
use crate::store::{AttemptEnd, Item, MessageStore, NodeStore, QueueAdmin, QueueStore, StoreError};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn facts() -> NodeFacts {
    let (host, version) = ("post".to_owned(), "0.1.0".to_owned());
    let (settings, master_keys) = (SettingsDigests::new(), vec!["5b0c".to_owned()]);
    NodeFacts { host, version, started: noon(), draining: false, settings, master_keys }
}

fn going_by(host: &str, version: &str, policy: &str) -> NodeFacts {
    let settings = [("policy".to_owned(), policy.to_owned()), ("seal".to_owned(), "0".to_owned())].into();
    NodeFacts { host: host.to_owned(), version: version.to_owned(), settings, ..facts() }
}

#[tokio::test]
async fn a_node_with_other_settings_is_noticed_by_all() {
    let (a, database) = fresh().await;
    let (b, c, newer) = (node(&database), node(&database), node(&database));
    let told = |of: &Postgres| Difference::list(&of.health().unwrap().differs);
    let beat = async |node: &Postgres, facts: &NodeFacts| {
        node.heartbeat(facts, &Clock::system()).await.unwrap();
        told(node)
    };
    let (of_a, of_b, of_c) = (going_by("a", "1", "x"), going_by("b", "1", "y"), going_by("c", "1", "x"));
    assert_eq!(beat(&a, &of_a).await, "", "it is alone");
    assert_eq!(beat(&b, &of_b).await, "a: policy");
    assert_eq!(beat(&c, &of_c).await, "b: policy");
    assert_eq!(
        beat(&newer, &going_by("d", "2", "z")).await,
        "",
        "another release writes them down in its own way"
    );
    assert_eq!(beat(&a, &of_a).await, "b: policy");
    let listed = a.nodes().await.unwrap();
    let differing = listed.iter().filter(|node| !node.differs.is_empty());
    assert_eq!(
        differing.map(|node| (&*node.host, &*node.differs)).collect::<Vec<_>>(),
        [("b", &["policy".to_owned()][..])]
    );
    beat(&b, &of_c).await;
    assert_eq!(beat(&a, &of_a).await, "", "until it is mended");
    // A node of the release before knows nothing of it.
    database.sql(&format!("UPDATE nodes SET settings = NULL WHERE id = '{}'", c.node()));
    assert_eq!(beat(&a, &of_a).await, "");
    assert!(a.nodes().await.unwrap().iter().all(|node| node.differs.is_empty()));
}

async fn beat(node: &Postgres) -> Heartbeat {
    node.heartbeat(&facts(), &Clock::system()).await.unwrap()
}

async fn claim(node: &Postgres) -> Vec<Item> {
    node.claim_due(node.node(), noon(), minutes(120), 10).await.unwrap()
}

/// Waits until it holds, as others see it.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_lost_node_has_claimed_is_anothers() {
    let (lost, database) = fresh().await;
    let other = node(&database);
    beat(&lost).await;
    lost.commit(message(vec![item()])).await.unwrap();
    let claimed = claim(&lost).await;
    assert_eq!((beat(&other).await.freed, claim(&other).await.len()), (0, 0), "its lease lasts");
    database.sql(&format!("UPDATE nodes SET lease = 0 WHERE id = '{}'", lost.node()));
    let nodes = other.nodes().await.unwrap();
    assert_eq!(nodes.iter().find(|node| node.id == *lost.node()).unwrap().state, NodeState::Lost);
    assert_eq!(beat(&other).await.freed, 1);
    assert_eq!(claim(&other).await.len(), 1);
    let late = lost.finish_attempt(attempt(&claimed[0], delivered())).await.unwrap();
    assert_eq!(late, AttemptEnd::ClaimLost, "the fence holds");
    assert_eq!(other.queue().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_nobody_is_known_to_hold_is_free() {
    let (gone, database) = fresh().await;
    gone.commit(message(vec![item()])).await.unwrap();
    assert_eq!(claim(&gone).await.len(), 1);
    let other = node(&database);
    assert_eq!(beat(&other).await.freed, 1);
    assert_eq!(claim(&other).await.len(), 1);
}

#[tokio::test]
async fn a_node_that_leaves_gives_everything_back() {
    let (leaving, database) = fresh().await;
    let other = node(&database);
    beat(&leaving).await;
    beat(&other).await;
    leaving.commit(message(vec![item()])).await.unwrap();
    assert_eq!(claim(&leaving).await.len(), 1);
    assert_eq!(other.nodes().await.unwrap().iter().map(|node| node.claimed).sum::<u64>(), 1);
    leaving.leave().await.unwrap();
    assert_eq!(claim(&other).await.len(), 1);
    let left: Vec<_> = other.nodes().await.unwrap().into_iter().map(|node| node.id).collect();
    assert_eq!(left, [other.node().clone()]);
    assert!(!leaving.holds_lease());
}

/// As after a pause that was longer than the lease.
#[tokio::test]
async fn a_node_whose_lease_has_ended_records_nothing_until_it_has_another() {
    let (node, _database) = fresh().await;
    node.commit(message(vec![item()])).await.unwrap();
    assert!(node.has_lease(), "who is no node has no lease to lose");
    assert!(!beat(&node).await.had_ended);
    let claimed = claim(&node).await;
    node.own.end();
    assert!(
        !node.has_lease() && !node.holds(&claimed[0].claim) && node.health().unwrap().not_ready().is_some()
    );
    let attempt = attempt(&claimed[0], delivered());
    assert!(matches!(node.finish_attempt(attempt.clone()).await, Err(StoreError::Database(_))));
    assert_eq!(node.queue().await.unwrap().len(), 1);
    assert!(beat(&node).await.had_ended);
    assert_eq!(node.finish_attempt(attempt).await.unwrap(), AttemptEnd::Recorded, "nobody had taken it");
}

/// It claims, is stopped, and on waking renews its lease before its worker asks.
#[tokio::test]
async fn a_claim_does_not_outlive_the_lease_that_it_was_made_under() {
    let (sleeper, database) = fresh().await;
    let other = node(&database);
    beat(&sleeper).await;
    sleeper.commit(message(vec![item()])).await.unwrap();
    let claimed = claim(&sleeper).await;
    assert!(sleeper.holds(&claimed[0].claim));
    sleeper.own.end();
    database.sql(&format!("UPDATE nodes SET lease = 0 WHERE id = '{}'", sleeper.node()));
    assert_eq!(beat(&other).await.freed, 1);
    assert_eq!(claim(&other).await.len(), 1);
    assert!(beat(&sleeper).await.had_ended);
    assert!(sleeper.has_lease() && !sleeper.holds(&claimed[0].claim), "another node delivers it");
    sleeper.commit(message(vec![item()])).await.unwrap();
    assert!(
        claim(&sleeper).await.iter().all(|item| sleeper.holds(&item.claim)),
        "what is claimed anew is its own"
    );
}

/// The sign of life is on its way while the lease ends: it was in time when it was sent, and too late when it arrived.
#[tokio::test]
async fn a_lease_that_ends_while_it_is_renewed_has_ended() {
    let (slow, database) = fresh().await;
    beat(&slow).await;
    slow.commit(message(vec![item()])).await.unwrap();
    let claimed = claim(&slow).await;
    let other = node(&database);
    let lock = "BEGIN; SELECT 1 FROM nodes FOR UPDATE; SELECT pg_sleep(1.5); COMMIT";
    let locked = other.read(|db| async move { db.batch(lock).await }.boxed());
    let late = async {
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        until("the row is locked", async || database.sql(asleep) == "1").await;
        slow.own.shorten_lease(Duration::from_millis(500));
        assert!(beat(&slow).await.had_ended);
        assert!(!slow.holds(&claimed[0].claim));
    };
    futures_util::join!(locked, late).0.unwrap();
}

/// As when the database's clock leaps: all others believe that this node is lost, though its own lease lasts.
#[tokio::test]
async fn a_node_that_others_believe_lost_takes_that_as_it_is() {
    let (node, database) = fresh().await;
    beat(&node).await;
    node.commit(message(vec![item()])).await.unwrap();
    let claimed = claim(&node).await;
    for lost in ["UPDATE nodes SET lease = 0", "DELETE FROM nodes"] {
        database.sql(lost);
        assert!(beat(&node).await.had_ended, "{lost}");
        assert!(!node.holds(&claimed[0].claim), "{lost}");
    }
    assert!(!beat(&node).await.had_ended);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed() {
    let (node, _database) = fresh().await;
    let clock = Clock::movable(crate::clock::later(Clock::system().now(), Duration::from_secs(90)));
    let skew = node.heartbeat(&facts(), &clock).await.unwrap().skew;
    assert!((60_000_000..=90_000_000).contains(&skew), "{skew}");
    assert!(node.health().unwrap().not_ready().unwrap().contains("clock"));
    beat(&node).await;
    assert_eq!(node.health().unwrap().not_ready(), None);
    assert!(node.nodes().await.unwrap()[0].skew_seconds.abs() < 1.0);
}

#[tokio::test]
async fn one_node_leads_and_another_takes_over() {
    let (first, database) = fresh().await;
    let second = node(&database);
    beat(&first).await;
    beat(&second).await;
    let lead = first.lead().await;
    assert!(first.leads() && !second.leads());
    assert!(timeout(Duration::from_millis(300), second.lead()).await.is_err(), "there is one");
    let timers = |nodes: Vec<crate::store::nodes::Node>| {
        nodes.into_iter().filter(|node| node.timer).map(|node| node.id).collect::<Vec<_>>()
    };
    assert_eq!(timers(second.nodes().await.unwrap()), [first.node().clone()]);

    let killed = Instant::now();
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    timeout(PATIENCE, lead.lost().cancelled()).await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    until("it knows", async || !first.leads()).await;
    let lead = timeout(PATIENCE, second.lead()).await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    drop(lead);
    timeout(PATIENCE, first.lead()).await.unwrap();
}

/// As when its process is stopped: the session is there, and nothing comes from it.
#[tokio::test]
async fn a_leader_that_is_silent_is_none_for_long() {
    let (silent, database) = fresh().await;
    let other = node(&database);
    let session = silent.try_to_lead().await.unwrap().unwrap();
    let begun = Instant::now();
    let _lead = timeout(PATIENCE, other.lead()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(session.simple_query("SELECT 1").await.is_err());
}

#[tokio::test]
async fn a_leader_that_cannot_reach_the_database_stops() {
    let server = Server::start(&["fsync=off"]);
    let settings = Database { url: server.url("postgres"), password_file: None, connections: 4 };
    let node = Postgres::new(&settings, FolderId::random()).unwrap();
    node.migrate().await.unwrap();
    let lead = node.lead().await;
    let stopped = Instant::now();
    server.signal_all("STOP");
    timeout(PATIENCE, lead.lost().cancelled()).await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert!(node.heartbeat(&facts(), &Clock::system()).await.is_err());
    assert!(!node.health().unwrap().answers);
    server.signal_all("CONT");
    let begun = Instant::now();
    drop(lead);
    timeout(PATIENCE, node.lead()).await.unwrap();
    beat(&node).await;
    node.commit(message(vec![item()])).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert!(node.health().unwrap().answers);
}

#[tokio::test]
async fn a_crowd_waits_in_vain_and_the_node_lives() {
    let (node, database) = fresh().await;
    beat(&node).await;
    let sleep = || node.read(|db| async move { db.batch("SELECT pg_sleep(8)").await }.boxed());
    let crowd = async { futures_util::join!(sleep(), sleep(), sleep(), sleep()) };
    let others = async {
        let asleep =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'
             AND datname = current_database()";
        until("all are lent", async || database.sql(asleep) == "4").await;
        let refused = node.commit(message(vec![item()])).await.unwrap_err().to_string();
        assert!(refused.contains("no connection"), "{refused}");
        assert!(!beat(&node).await.had_ended);
        assert!(node.health().unwrap().answers);
    };
    let ((one, ..), ()) = futures_util::join!(crowd, others);
    one.unwrap();
    node.commit(message(vec![item()])).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM items"), "1");
}

#[tokio::test]
async fn a_database_that_only_reads_takes_nothing_and_loses_nothing() {
    let (node, database) = fresh().await;
    node.commit(message(vec![item()])).await.unwrap();
    let name = database.sql("SELECT current_database()");
    database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'zegel %'
         AND datname = current_database()",
    );
    assert!(node.commit(message(vec![item()])).await.is_err());
    assert!(node.heartbeat(&facts(), &Clock::system()).await.is_err());
    database
        .sql(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"));
    let begun = Instant::now();
    until("it takes mail again", async || {
        node.heartbeat(&facts(), &Clock::system()).await.is_ok()
            && node.commit(message(vec![item()])).await.is_ok()
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(node.queue().await.unwrap().len(), 2);
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    let (node, database) = fresh().await;
    let commit = || node.commit(message(vec![item()]));
    let (one, two, three) = futures_util::join!(commit(), commit(), commit());
    assert!(one.and(two).and(three).is_ok());
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'zegel %'
         AND datname = current_database()",
    );
    let begun = Instant::now();
    until("it goes on", async || commit().await.is_ok()).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for_and_a_wrong_one_is_not() {
    let server = Server::start(&["fsync=off"]);
    let settings = |url: String| Database { url, password_file: None, connections: 4 };
    let begun = Instant::now();
    let wrong = Postgres::new(&settings(server.url("nothing")), FolderId::random()).unwrap();
    assert!(wrong.migrate().await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    let early = Postgres::new(&settings(server.url("postgres")), FolderId::random()).unwrap();
    server.signal_all("STOP");
    let start = async {
        until("it knocks", async || early.trouble.last().0.is_some()).await;
        server.signal_all("CONT");
    };
    let (migrated, ()) = futures_util::join!(early.migrate(), start);
    assert_eq!(migrated.unwrap(), migrate::MIGRATIONS.len() as u32);
}
