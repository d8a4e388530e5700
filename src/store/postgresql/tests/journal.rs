//! Ordinary mail in the journal of a node: what is not delivered at once becomes a row, once and no more than once, and opens
//! with the keys that nodes share.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::nodes::facts;
use super::queue::{Lossy, delivered};
use super::*;
use crate::clock::Clock;
use crate::diagnostic::Outcome;
use crate::message::crlf::CrlfBytes;
use crate::outbox::body;
use crate::secret::Keys;
use crate::secret::keyring::KeyRef;
use crate::store::conformance::sample::{attempt, item, message, minutes, noon, said};
use crate::store::journal::Found;
use crate::store::*;
use crate::transfer::testing::MemoryBlobs;

const TEXT: &[u8] = b"Subject: besluit\r\n\r\nKANARIE\r\n";

/// A database, and a data folder for a node.
struct Scene {
    database: TestDatabase,
    dir: tempfile::TempDir,
    store: FolderId,
}

/// A node with a journal, and its keys.
struct Node {
    rows: Postgres,
    keys: Keys,
}

impl Scene {
    async fn new() -> Self {
        let (_, database) = fresh().await;
        Self { database, dir: tempfile::tempdir().unwrap(), store: FolderId::random() }
    }

    fn folder(&self) -> NodeFolder {
        NodeFolder::open(self.dir.path(), &self.store).unwrap()
    }

    /// With `store.journal = "local"`.
    async fn node(&self) -> Node {
        self.node_at(&self.database.url()).await
    }

    async fn node_at(&self, url: &str) -> Node {
        let Node { rows, keys } = self.shared_at(url);
        let ring = Keyring::of_server(self.folder().keys());
        let keys = keys.with_ordinary_keyring(ring.clone());
        let rows = rows.with_journal(&self.folder(), ring, reseal(&keys)).await.unwrap();
        rows.release_claims(rows.node()).await.unwrap();
        Node { rows, keys }
    }

    /// With `store.journal = "shared"`.
    fn shared(&self) -> Node {
        self.shared_at(&self.database.url())
    }

    fn shared_at(&self, url: &str) -> Node {
        let settings = Database { url: url.to_owned(), password_file: None, connections: 4 };
        let rows = Postgres::new(&settings, FolderId::random()).unwrap();
        let keys = Keys::derive(&[7; 32]).with_keyring(rows.keyring());
        Node { rows, keys }
    }

    async fn drain(&self, node: &Node) {
        let ring = Keyring::of_tool(self.folder().keys());
        let keys = node.keys.clone().with_ordinary_keyring(ring.clone());
        node.rows.drain_journal(&self.folder(), ring, &reseal(&keys)).await.unwrap();
    }

    fn rows(&self) -> String {
        self.database.sql("SELECT count(*) FROM items")
    }

    /// What is in the journal, as a tool sees it beside the node.
    async fn journalled(&self) -> usize {
        let folder = self.folder().journal();
        crate::store::journal::peek_from(folder).await.unwrap().len()
    }
}

fn reseal(keys: &Keys) -> Reseal {
    let (from, to) = (keys.ordinary.clone(), keys.body.clone());
    Arc::new(move |sealed| body::reseal(&from, &to, sealed))
}

impl Node {
    /// Takes in an ordinary mail.
    async fn keep(&self) -> QueueId {
        let text = CrlfBytes::check(TEXT.to_vec()).unwrap();
        let body = body::store_ordinary(&self.keys, &MemoryBlobs::default(), &text).unwrap();
        let mail = NewItem { id: QueueId::random(), body, ..item() };
        let id = mail.id.clone();
        self.rows.commit(message(vec![mail])).await.unwrap();
        id
    }

    async fn claim(&self, limit: usize) -> Vec<Item> {
        self.rows.claim_due(self.rows.node(), minutes(1), minutes(60), limit).await.unwrap()
    }

    /// What the mail says, to the keys of this node.
    fn read(&self, item: &Item) -> Vec<u8> {
        let chunks = body::open(&self.keys.body, &MemoryBlobs::default(), &item.body).unwrap();
        chunks.collect::<io::Result<Vec<_>>>().unwrap().concat()
    }
}

fn deferred(item: &Item) -> Attempt {
    let outcome = |number| (number, Outcome::Deferred(said(451, "4.3.0 later")));
    attempt(item, vec![outcome(1), outcome(2)])
}

#[tokio::test]
async fn what_is_delivered_at_once_never_becomes_a_row() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let id = node.keep().await;
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("0", 1));
    let items = node.claim(10).await;
    assert_eq!(items.len(), 1);
    assert_eq!((&items[0].id, node.read(&items[0]).as_slice()), (&id, TEXT));
    assert!(node.claim(10).await.is_empty(), "it is handed out once");
    let end = node.rows.finish_attempt(attempt(&items[0], delivered())).await.unwrap();
    assert_eq!((end, scene.journalled().await), (AttemptEnd::Recorded, 0));
    assert!(node.rows.queue().await.unwrap().is_empty());
    assert_eq!(scene.database.sql("SELECT count(*) FROM items"), "0");
}

/// Everything else is for all nodes at once.
#[tokio::test]
async fn only_ordinary_mail_is_in_the_journal() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.rows.commit(message(vec![item()])).await.unwrap();
    node.rows.commit(message(vec![item(), item()])).await.unwrap();
    let notice = NewItem { kind: QueueItemKind::Receipt, ..item() };
    node.rows.commit(message(vec![notice])).await.unwrap();
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("4", 0));
}

#[tokio::test]
async fn what_is_deferred_becomes_a_row_that_any_node_opens() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let id = node.keep().await;
    let first = node.claim(1).await.remove(0);
    assert_eq!(node.rows.finish_attempt(deferred(&first)).await.unwrap(), AttemptEnd::Recorded);
    assert_eq!(scene.journalled().await, 0);
    let entries = node.rows.queue().await.unwrap();
    assert_eq!((&entries[0].id, entries[0].attempts), (&id, 1));
    let again =
        node.rows.claim_due(&FolderId::random(), minutes(5), minutes(60), 10).await.unwrap().remove(0);
    assert_eq!((&again.id, again.attempts), (&id, 1));
    assert_eq!(node.read(&again), TEXT);
}

#[tokio::test]
async fn a_partly_delivered_mail_becomes_a_row_for_those_who_wait() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.keep().await;
    let first = node.claim(1).await.remove(0);
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Deferred(said(451, "4.3.0 later")))];
    node.rows.finish_attempt(attempt(&first, outcomes)).await.unwrap();
    let again = node.rows.claim_due(node.rows.node(), minutes(5), minutes(60), 10).await.unwrap().remove(0);
    assert_eq!(again.recipients.iter().map(|one| one.number).collect::<Vec<_>>(), [2]);
}

/// C01: what a crash leaves is in the queue of all nodes when the node is started again, or a command finds it, whatever
/// `store.journal` says by then.
#[tokio::test]
async fn what_a_crash_leaves_becomes_rows() {
    let scene = Scene::new().await;
    for restart in ["local", "shared"] {
        let node = scene.node().await;
        let kept = join_all((0..70).map(|_| node.keep())).await;
        let claimed = node.claim(3).await;
        node.rows.finish_attempt(attempt(&claimed[0], delivered())).await.unwrap();
        drop(node);
        assert_eq!(scene.journalled().await, 69, "{restart}");
        let ended = Found::read(&scene.folder().journal()).unwrap().map(|found| found.ended.len());
        assert_eq!(ended, Some(1), "{restart}");
        let node = match restart {
            "local" => scene.node().await,
            _ => scene.shared(),
        };
        scene.drain(&node).await;
        assert_eq!((scene.rows().as_str(), scene.journalled().await), ("69", 0), "{restart}");
        assert_eq!(scene.database.sql("SELECT count(*) FROM journal_moved"), "0");
        let tracks = node.rows.tracks(vec![claimed[0].tracking().clone()]).await.unwrap();
        let states: Vec<_> = tracks.iter().map(|row| row.state).collect();
        assert_eq!(states, [TrackState::Delivered; 2], "{restart}: nobody had written what was delivered");
        let items = node.claim(100).await;
        assert_eq!(items.len(), 69);
        assert!(items.iter().all(|item| kept.contains(&item.id) && node.read(item) == TEXT));
        for item in &items {
            node.rows.finish_attempt(attempt(item, delivered())).await.unwrap();
        }
    }
}

/// A node that stops for good leaves nothing behind.
#[tokio::test]
async fn a_node_that_stops_leaves_its_mail_to_the_others() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let kept = [node.keep().await, node.keep().await];
    assert_eq!(node.claim(1).await.len(), 1);
    node.rows.leave().await.unwrap();
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("2", 0));
    let other = scene.shared();
    let items = other.claim(10).await;
    assert!(items.len() == 2 && items.iter().all(|item| kept.contains(&item.id)));
}

/// It became a row, another node has delivered that, and the journal never heard of it.
#[tokio::test]
async fn what_was_moved_before_a_crash_does_not_come_back() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let (moved, stays) = (node.keep().await, node.keep().await);
    let journal = scene.folder().journal;
    scene.database.sql(&format!("INSERT INTO journal_moved (item, journal) VALUES ('{moved}', '{journal}')"));
    drop(node);
    let node = scene.node().await;
    assert_eq!(scene.database.sql("SELECT id FROM items"), stays.as_str());
    assert_eq!(scene.database.sql("SELECT count(*) FROM journal_moved"), "0");
    assert_eq!(node.claim(10).await.len(), 1);
}

/// The commit that made rows of it was done, and nobody heard of it.
#[tokio::test]
async fn a_move_whose_answer_is_lost_makes_no_second_row() {
    let scene = Scene::new().await;
    let lossy = Lossy::before(&scene.database).await;
    let node = scene.node_at(&lossy.url).await;
    let (waits, in_delivery) = (node.keep().await, node.keep().await);
    let first = node.claim(1).await.remove(0);
    assert_eq!(first.id, waits);
    lossy.lose_the_answer("COMMIT");
    node.rows.move_to_rows(true).await.unwrap();
    assert!(lossy.has_lost_it());
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("2", 0));
    // What was in delivery is so still, and what was not is free.
    assert_eq!(scene.database.sql("SELECT id FROM items WHERE claimed"), first.id.as_str());
    let second = node.claim(10).await;
    assert_eq!(second.iter().map(|item| &item.id).collect::<Vec<_>>(), [&in_delivery]);
    for item in [&first, &second[0]] {
        assert_eq!(node.rows.finish_attempt(attempt(item, delivered())).await.unwrap(), AttemptEnd::Recorded);
    }
    assert_eq!(scene.rows(), "0");
}

/// The same of the commit that records an attempt with it.
#[tokio::test]
async fn an_attempt_whose_answer_is_lost_makes_no_second_row() {
    let scene = Scene::new().await;
    let lossy = Lossy::before(&scene.database).await;
    let node = scene.node_at(&lossy.url).await;
    node.keep().await;
    let first = node.claim(1).await.remove(0);
    lossy.lose_the_answer("COMMIT");
    assert!(node.rows.finish_attempt(deferred(&first)).await.is_err());
    assert!(lossy.has_lost_it());
    // Another node delivers the row before this one asks again.
    let other = scene.shared();
    let row = other.rows.claim_due(other.rows.node(), minutes(5), minutes(60), 10).await.unwrap().remove(0);
    other.rows.finish_attempt(attempt(&row, delivered())).await.unwrap();
    node.rows.finish_attempt(deferred(&first)).await.unwrap();
    node.rows.move_to_rows(true).await.unwrap();
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("0", 0));
    assert!(node.claim(10).await.is_empty());
}

/// Strays are looked for among rows that are claimed: what was in delivery when it became one is none.
#[tokio::test]
async fn what_becomes_a_row_in_delivery_stays_claimed() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.keep().await;
    let item = node.claim(1).await.remove(0);
    node.rows.move_to_rows(true).await.unwrap();
    node.rows.held.doubt();
    node.rows.release_what_waits().await.unwrap();
    assert_eq!(scene.database.sql("SELECT token FROM items WHERE claimed"), "1");
    assert_eq!(node.rows.finish_attempt(attempt(&item, delivered())).await.unwrap(), AttemptEnd::Recorded);
    assert_eq!(scene.rows(), "0");
}

/// What waits for long is seen by everybody.
#[tokio::test]
async fn what_waits_becomes_a_row_after_some_seconds() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.keep().await;
    let item = node.claim(1).await;
    assert_eq!(item.len(), 1);
    let moved = async {
        while scene.rows() == "0" {
            node.claim(1).await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(30), moved).await.unwrap();
}

/// Though the worker has all its connections taken, and asks for nothing.
#[tokio::test]
async fn what_waits_becomes_a_row_with_a_sign_of_life() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let id = node.keep().await;
    let moved = async {
        while scene.rows() == "0" {
            node.rows.heartbeat(&facts(), &Clock::system()).await.unwrap();
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(30), moved).await.unwrap();
    assert_eq!(scene.database.sql("SELECT id FROM items WHERE NOT claimed"), id.as_str());
}

/// C05: what cannot become a row when it must wait is not taken in.
#[tokio::test]
async fn a_node_without_a_lease_keeps_nothing_in_its_journal() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.rows.own.end();
    node.keep().await;
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("1", 0));
    let other = scene.shared();
    let row = other.claim(10).await.remove(0);
    assert_eq!(node.read(&row), TEXT, "under a key that nodes share");
}

/// The lease ends, and another begins: what is claimed from then on is begun, and what was claimed before is given back, once.
#[tokio::test]
async fn a_lease_that_lapses_costs_no_mail_of_the_journal() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let beat = async || node.rows.heartbeat(&facts(), &Clock::system()).await.unwrap();
    beat().await;
    node.keep().await;
    let before = node.claim(1).await.remove(0);
    assert!(node.rows.holds(&before.claim));
    node.rows.own.end();
    assert!(beat().await.had_ended);
    assert!(!node.rows.holds(&before.claim));
    let given_back = attempt(&before, Vec::new());
    assert_eq!(node.rows.finish_attempt(given_back).await.unwrap(), AttemptEnd::Recorded);
    assert_eq!((scene.rows().as_str(), scene.journalled().await), ("1", 0));
    let new = node.keep().await;
    let after = node.claim(10).await;
    assert_eq!(after.iter().map(|item| &item.id).collect::<Vec<_>>(), [&new]);
    assert!(node.rows.holds(&after[0].claim));
}

#[tokio::test]
async fn an_administrator_beside_the_node_sees_what_is_in_its_journal() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let id = node.keep().await;
    let tool = scene.shared().rows.beside_journal(&scene.folder());
    let seen = |entries: Vec<QueueEntry>| entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(seen(tool.queue().await.unwrap()), std::slice::from_ref(&id));
    assert_eq!(scene.rows(), "0");
    let moved = async {
        sleep(Duration::from_millis(200)).await;
        node.rows.move_to_rows(true).await.unwrap();
    };
    let (retried, ()) = tokio::join!(tool.retry(Some(id.clone()), noon(), None), moved);
    assert_eq!(retried.unwrap(), 1);
    assert_eq!(seen(tool.queue().await.unwrap()), [id]);
}

/// C29: the key goes with the mail, whether it was delivered or became a row.
#[tokio::test]
async fn keys_beside_the_journal_go_with_their_mail() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let keys = scene.dir.path().join("node/keys");
    node.keep().await;
    let at_once = node.claim(1).await.remove(0);
    node.keep().await;
    let waits = node.claim(1).await.remove(0);
    let secrets = [&at_once, &waits].map(|item| {
        let name = KeyRef::stored(item.body.key.as_ref().unwrap().id());
        *name.find(&Keyring::of_tool(scene.folder().keys())).unwrap()
    });
    node.rows.finish_attempt(attempt(&at_once, delivered())).await.unwrap();
    node.rows.finish_attempt(deferred(&waits)).await.unwrap();
    drop((at_once, waits));
    assert!(secrets.iter().all(|secret| holds(&keys, secret)));
    node.rows.destroy_keys().await.unwrap();
    assert!(!secrets.iter().any(|secret| holds(&keys, secret)));
}

#[tokio::test]
async fn a_damaged_message_is_told_of_and_holds_up_nothing() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    let text = CrlfBytes::check(TEXT.to_vec()).unwrap();
    let mut torn = body::seal(&node.keys.ordinary, &text).unwrap();
    if let BodyData::Inline(sealed) = &mut torn.data {
        *sealed.last_mut().unwrap() ^= 1;
    }
    node.rows.commit(message(vec![NewItem { body: torn, ..item() }])).await.unwrap();
    let whole = node.keep().await;
    node.rows.move_to_rows(true).await.unwrap();
    assert_eq!(scene.rows(), "2");
    for row in node.claim(10).await {
        let opened = body::open(&node.keys.body, &MemoryBlobs::default(), &row.body);
        let text = opened.and_then(|chunks| chunks.collect::<io::Result<Vec<_>>>());
        match row.id == whole {
            true => assert_eq!(text.unwrap().concat(), TEXT),
            // The worker gives it up, and tells its sender.
            false => assert_eq!(text.unwrap_err().kind(), io::ErrorKind::InvalidData),
        }
    }
}

#[tokio::test]
async fn a_journal_of_another_gateway_is_left_alone() {
    let scene = Scene::new().await;
    let node = scene.node().await;
    node.keep().await;
    drop(node);
    assert!(NodeFolder::open(scene.dir.path(), &FolderId::random()).is_err());
    assert_eq!(Found::read(&scene.folder().journal()).unwrap().unwrap().items.len(), 1);
}

fn holds(folder: &Path, octets: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.into_iter().any(|file| memchr::memmem::find(&file, octets).is_some())
}
