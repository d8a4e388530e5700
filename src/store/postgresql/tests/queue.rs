//! The queue of several nodes: who holds what, and what becomes of it when a node or an answer is lost.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{TestDatabase, fresh};
use crate::audit::Action;
use crate::config::Database;
use crate::diagnostic::Outcome;
use crate::id::{FolderId, QueueId};
use crate::store::conformance::{
    attempt, event, item, message, noon, organisation, owner, said, store_conformance, transfer,
};
use crate::store::postgresql::{Postgres, queue};
use crate::store::*;

/// What a worker of this node does not see otherwise than one of SQLite. Its claims last longer than those cases ask for
/// that are not among them.
mod conformance_with_a_worker {
    use super::*;
    store_conformance! { with_a_worker().await =>
        queue: a_message_comes_back_as_it_went_in, an_item_is_claimed_by_one, a_released_claim_ends_nothing, the_oldest_goes_first_and_no_more_than_asked, an_attempt_is_recorded_per_recipient, a_finished_item_goes_with_its_blob, a_report_is_queued_with_the_failure, an_attempt_on_a_dropped_item_is_no_error;
        queue_admin: what_is_frozen_waits_for_somebody, a_dropped_item_is_gone, the_queue_can_be_looked_at;
        intake: one_refusal_spoils_no_other;
        tracking: ordinary_mail_is_found_once_it_is_gone;
    }
}

async fn with_a_worker() -> (Postgres, TestDatabase) {
    let (_, database) = fresh().await;
    let store = node(&database.url(), owner());
    store.release_claims(&owner()).await.unwrap();
    (store, database)
}

fn node(url: &str, name: FolderId) -> Postgres {
    let settings = Database { url: url.to_owned(), password_file: None, connections: 4 };
    Postgres::new(&settings, name).unwrap()
}

/// Two nodes with a worker each.
async fn two() -> ([Postgres; 2], TestDatabase) {
    let (_, database) = fresh().await;
    let nodes = [(); 2].map(|()| node(&database.url(), FolderId::random()));
    for node in &nodes {
        node.release_claims(node.node()).await.unwrap();
    }
    (nodes, database)
}

fn minutes(count: u64) -> crate::clock::Timestamp {
    crate::clock::later(noon(), Duration::from_secs(60 * count))
}

async fn claim(node: &Postgres, limit: usize) -> Vec<Item> {
    node.claim_due(node.node(), minutes(1), minutes(60), limit).await.unwrap()
}

pub(super) fn delivered() -> Vec<(u32, Outcome)> {
    vec![(1, Outcome::Delivered), (2, Outcome::Delivered)]
}

async fn plain(node: &Postgres) -> QueueId {
    let mail = item();
    let id = mail.id.clone();
    node.commit(message(vec![mail])).await.unwrap();
    id
}

/// Mail that has just been taken in is handed out in turn as well.
#[tokio::test]
async fn new_mail_of_an_organisation_does_not_wait_for_a_flood_of_anothers() {
    let ([node, _], _database) = two().await;
    let of = |domain: &str| NewItem { organisation: organisation(domain), ..item() };
    for _ in 0..300 {
        node.commit(message(vec![of("noorderveen.nl")])).await.unwrap();
    }
    let late = of("zuiderveen.nl");
    let id = late.id.clone();
    node.commit(message(vec![late])).await.unwrap();
    let mut claimed = claim(&node, 1).await;
    claimed.extend(claim(&node, 1).await);
    assert!(claimed.iter().any(|item| item.id == id), "it is among the first two");
}

#[tokio::test]
async fn two_nodes_claim_each_item_once() {
    let (nodes, _database) = two().await;
    for domain in ["noorderveen.nl", "zuiderveen.nl", "noorderveen.nl", "westerveen.nl", "noorderveen.nl"] {
        let of = |_| NewItem { organisation: organisation(domain), ..item() };
        nodes[0].commit(message((0..100).map(of).collect())).await.unwrap();
    }
    let work = |node: &Postgres| {
        let node = node.clone();
        async move {
            let mut ids = Vec::new();
            loop {
                let claimed = claim(&node, 7).await;
                if claimed.is_empty() {
                    return ids;
                }
                ids.extend(claimed.into_iter().map(|item| item.id));
            }
        }
    };
    let claimed = join_all(nodes.iter().flat_map(|node| (0..4).map(|_| work(node)))).await;
    let claimed: Vec<_> = claimed.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 500);
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), 500);
}

#[tokio::test]
async fn what_a_lost_node_had_ready_goes_to_another_and_nothing_it_says_counts() {
    let ([lost, other], _database) = two().await;
    for _ in 0..3 {
        plain(&lost).await;
    }
    assert!(claim(&other, 10).await.is_empty(), "it is the first node's");
    let dead = [lost.node().clone()];
    let freed = other
        .write(move |change| async move { queue::free_claims_of(&change.db, &dead).await }.boxed())
        .await
        .unwrap();
    assert_eq!(freed, 3);
    let taken = claim(&other, 10).await;
    assert_eq!(taken.len(), 3);
    // The first node is not dead, only late.
    let late = claim(&lost, 10).await;
    assert_eq!(late.len(), 3);
    for item in &late {
        let report = NewItem { kind: QueueItemKind::Report, ..new() };
        let end = Attempt { reports: vec![report], ..attempt(item, delivered()) };
        assert_eq!(lost.finish_attempt(end).await.unwrap(), AttemptEnd::ClaimLost);
        assert_eq!(lost.finish_attempt(attempt(item, delivered())).await.unwrap(), AttemptEnd::ClaimLost);
    }
    let later = vec![(1, Outcome::Deferred(said(451, "4.3.0"))), (2, Outcome::Delivered)];
    assert_eq!(other.finish_attempt(attempt(&taken[0], later)).await.unwrap(), AttemptEnd::Recorded);
    let ends = taken[1..].iter().map(|item| other.finish_attempt(attempt(item, delivered())));
    assert!(join_all(ends).await.into_iter().all(|end| end.unwrap() == AttemptEnd::Recorded));
    let left = other.queue().await.unwrap();
    assert_eq!(left.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&taken[0].id]);
}

#[tokio::test]
async fn new_mail_is_handed_out_once_while_others_come_and_end() {
    let ([one, _], database) = two().await;
    let arrivals = join_all((0..200).map(|_| plain(&one)));
    let work = async {
        let mut ids = Vec::new();
        while ids.len() < 200 {
            let items = claim(&one, 16).await;
            let ends = items.iter().map(|item| one.finish_attempt(attempt(item, delivered())));
            assert!(join_all(ends).await.into_iter().all(|end| end.unwrap() == AttemptEnd::Recorded));
            ids.extend(items.into_iter().map(|item| item.id));
            tokio::task::yield_now().await;
        }
        ids
    };
    let (mut came, mut went) =
        timeout(Duration::from_secs(60), async { tokio::join!(arrivals, work) }).await.unwrap();
    came.sort();
    went.sort();
    assert_eq!(came, went);
    assert_eq!(database.sql("SELECT count(*) FROM items"), "0");
    assert_eq!(database.sql("SELECT count(*) FROM item_recipients"), "0");
}

#[tokio::test]
async fn of_a_batch_one_that_is_refused_spoils_no_other() {
    let ([one, _], database) = two().await;
    let known = plain(&one).await;
    let results = join_all((0..60).map(|number| {
        let id = if number % 3 == 0 { known.clone() } else { QueueId::random() };
        one.commit(message(vec![NewItem { id, ..item() }]))
    }))
    .await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number % 3 == 0, "{number}: {result:?}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM items"), "41");
    assert_eq!(claim(&one, 100).await.len(), 41);
}

#[tokio::test]
async fn what_stays_ready_too_long_is_free_for_others() {
    let ([busy, other], _database) = two().await;
    let id = plain(&busy).await;
    let found = async {
        loop {
            // A worker that has no connection free asks for nothing, but it asks.
            assert!(claim(&busy, 0).await.is_empty());
            if let Some(item) = claim(&other, 1).await.pop() {
                return item.id;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(timeout(Duration::from_secs(30), found).await.unwrap(), id);
    assert!(claim(&busy, 10).await.is_empty());
}

#[tokio::test]
async fn an_administrator_elsewhere_drops_what_is_ready_here() {
    let ([one, other], _database) = two().await;
    let id = plain(&one).await;
    assert_eq!(other.queue().await.unwrap().len(), 1);
    assert_eq!(other.retry(Some(id.clone()), noon(), None).await.unwrap(), 1);
    assert!(claim(&other, 10).await.is_empty(), "it stays claimed");
    assert!(other.drop_item(id, event(Action::Drop)).await.unwrap().is_change());
    // It was being delivered: what became of it is told all the same, and it is gone.
    let item = claim(&one, 10).await.remove(0);
    assert_eq!(one.finish_attempt(attempt(&item, delivered())).await.unwrap(), AttemptEnd::Recorded);
    assert!(one.queue().await.unwrap().is_empty());
}

/// A connection to the server that can lose an answer: the statement is done, and nobody hears of it.
pub(super) struct Lossy {
    pub(super) url: String,
    loses: Arc<Mutex<Option<&'static str>>>,
}

impl Lossy {
    pub(super) async fn before(database: &TestDatabase) -> Self {
        let url = database.url();
        let (head, tail) = url.split_once("@127.0.0.1:").unwrap();
        let (port, tail) = tail.split_once('/').unwrap();
        let server: u16 = port.parse().unwrap();
        let mut ports = 29_000..32_000;
        let listener = loop {
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", ports.next().unwrap())).await {
                break listener;
            }
        };
        let here = listener.local_addr().unwrap().port();
        let loses = Arc::default();
        let told = Arc::clone(&loses);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, server, Arc::clone(&told)));
            }
        });
        Self { url: format!("{head}@127.0.0.1:{here}/{tail}"), loses }
    }

    /// Loses the next answer of the server that says this: `SELECT` the end of a query, `INSERT` of such a statement, and so on
    /// (CommandComplete).
    pub(super) fn lose_the_answer(&self, says: &'static str) {
        *self.loses.lock().unwrap() = Some(says);
    }

    pub(super) fn has_lost_it(&self) -> bool {
        self.loses.lock().unwrap().is_none()
    }
}

async fn pass_on(client: TcpStream, server: u16, loses: Arc<Mutex<Option<&'static str>>>) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async move {
        tokio::io::copy(&mut from_client, &mut to_server).await.ok();
    };
    let is_lost = |answer: &[u8]| {
        let mut loses = loses.lock().unwrap();
        let is_it = loses.is_some_and(|says| answer.windows(says.len()).any(|part| part == says.as_bytes()));
        if is_it {
            *loses = None;
        }
        is_it
    };
    let back = async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if is_lost(&buffer[..count]) || to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

/// A node with a worker whose answers can be lost, on one connection that is there already.
async fn lossy() -> (Postgres, Lossy, TestDatabase) {
    let (_, database) = fresh().await;
    let lossy = Lossy::before(&database).await;
    let settings = Database { url: lossy.url.clone(), password_file: None, connections: 1 };
    let node = Postgres::new(&settings, FolderId::random()).unwrap();
    node.release_claims(node.node()).await.unwrap();
    // Every statement is prepared.
    for _ in 0..2 {
        plain(&node).await;
        let item = claim(&node, 1).await.remove(0);
        assert_eq!(node.finish_attempt(attempt(&item, delivered())).await.unwrap(), AttemptEnd::Recorded);
        node.commit(message(vec![new(), new()])).await.unwrap();
        for item in claim(&node, 2).await {
            node.finish_attempt(attempt(&item, delivered())).await.unwrap();
        }
    }
    (node, lossy, database)
}

/// Where `item` is one that was claimed.
fn new() -> NewItem {
    item()
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_no_refusal_and_no_duplicate() {
    let (node, lossy, database) = lossy().await;
    lossy.lose_the_answer("INSERT 0");
    let id = plain(&node).await;
    assert!(lossy.has_lost_it());
    assert_eq!(database.sql("SELECT id FROM items"), id.as_str());
    assert_eq!(claim(&node, 10).await.len(), 1);
    assert!(claim(&node, 10).await.is_empty());
}

#[tokio::test]
async fn a_sealed_message_whose_commit_was_not_answered_is_found_again() {
    let (node, lossy, database) = lossy().await;
    let sealed = transfer();
    let id = sealed.id.clone();
    lossy.lose_the_answer("COMMIT");
    node.commit(Acceptance { transfer: Some(sealed), ..message(vec![new(), new()]) }).await.unwrap();
    assert!(lossy.has_lost_it());
    assert_eq!(database.sql("SELECT id FROM transfers"), id.as_str());
    assert_eq!(database.sql("SELECT count(*) FROM items"), "2");
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_made_again() {
    let (node, lossy, _database) = lossy().await;
    node.commit(message(vec![item(), item()])).await.unwrap();
    node.next_due().await.unwrap();
    lossy.lose_the_answer("SELECT 2");
    assert!(node.claim_due(node.node(), minutes(1), minutes(60), 10).await.is_err());
    assert!(lossy.has_lost_it());
    let items = claim(&node, 10).await;
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item.claim.token == 3), "nothing that the lost claim says would count");
}

#[tokio::test]
async fn the_end_of_a_delivery_is_recorded_though_its_answer_was_lost() {
    let (node, lossy, database) = lossy().await;
    plain(&node).await;
    let item = claim(&node, 10).await.remove(0);
    lossy.lose_the_answer("SELECT 1");
    assert!(node.finish_attempt(attempt(&item, delivered())).await.is_err());
    assert!(lossy.has_lost_it());
    assert_eq!(node.finish_attempt(attempt(&item, delivered())).await.unwrap(), AttemptEnd::Recorded);
    assert_eq!(database.sql("SELECT count(*) FROM items"), "0");

    // The report is there already when the worker tries to record the attempt again.
    plain(&node).await;
    let item = claim(&node, 10).await.remove(0);
    let report = NewItem { kind: QueueItemKind::Report, ..new() };
    let failed = |number| (number, Outcome::Failed(said(550, "5.1.1 no")));
    let end = Attempt { reports: vec![report.clone()], ..attempt(&item, vec![failed(1), failed(2)]) };
    lossy.lose_the_answer("COMMIT");
    assert!(node.finish_attempt(end.clone()).await.is_err());
    assert!(lossy.has_lost_it());
    assert_eq!(node.finish_attempt(end).await.unwrap(), AttemptEnd::Recorded);
    assert_eq!(database.sql("SELECT id FROM items"), report.id.as_str());
}

/// Holds everybody away from the queue until it is dropped.
async fn barrier(node: &Postgres) -> oneshot::Sender<()> {
    let (release, released) = oneshot::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let node = node.clone();
    tokio::spawn(async move {
        node.write(move |change| {
            async move {
                change.db.batch("LOCK TABLE items").await?;
                begin.send(()).unwrap();
                released.await.ok();
                Ok(())
            }
            .boxed()
        })
        .await
        .unwrap();
    });
    begun.await.unwrap();
    release
}

/// Ends the session that waits for a lock, as a failover or an administrator does.
async fn end_the_waiting_session(database: &TestDatabase) {
    let end = "
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let ended = async {
        while database.sql(end) == "0" {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), ended).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_session_is_ended_is_whole_or_not_there() {
    let ([one, other], database) = two().await;
    let held = barrier(&other).await;
    let sealed = transfer();
    let transfer_id = sealed.id.clone();
    let whole = Acceptance { transfer: Some(sealed), ..message(vec![item(), item()]) };
    let commit = tokio::spawn({
        let one = one.clone();
        async move { one.commit(whole).await }
    });
    end_the_waiting_session(&database).await;
    assert!(commit.await.unwrap().unwrap_err().is_certain());
    drop(held);
    assert!(one.queue().await.unwrap().is_empty());
    assert!(one.transfer(transfer_id).await.unwrap().is_none());
    assert_eq!(database.sql("SELECT count(*) FROM audit"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_mail_whose_session_is_ended_is_kept_by_the_next() {
    let ([one, other], database) = two().await;
    let held = barrier(&other).await;
    let commits: Vec<_> = (0..20)
        .map(|_| {
            let one = one.clone();
            tokio::spawn(async move { plain(&one).await })
        })
        .collect();
    end_the_waiting_session(&database).await;
    drop(held);
    let ids: HashSet<_> = join_all(commits).await.into_iter().map(|kept| kept.unwrap()).collect();
    assert_eq!(ids.len(), 20);
    assert_eq!(database.sql("SELECT count(*) FROM items"), "20");
    assert_eq!(claim(&one, 100).await.into_iter().map(|item| item.id).collect::<HashSet<_>>(), ids);
}

/// What was ready when the lease ended may be another node's: it is asked of the database again.
#[tokio::test]
async fn what_was_ready_before_the_lease_lapsed_is_claimed_anew() {
    let ([one, other], _database) = two().await;
    let ready = [plain(&one).await, plain(&one).await];
    let dead = [one.node().clone()];
    let free =
        other.write(move |change| async move { queue::free_claims_of(&change.db, &dead).await }.boxed());
    assert_eq!(free.await.unwrap(), 2);
    let taken = claim(&other, 1).await.remove(0);
    one.held.lapse();
    let items = claim(&one, 10).await;
    assert_eq!(items.len(), 1, "the other is not handed out twice");
    assert!(ready.contains(&items[0].id) && items[0].id != taken.id);
}
