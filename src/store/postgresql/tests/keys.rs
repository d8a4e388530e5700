//! Keys of short life of several nodes: none is lost that a row needs, none stays that no row needs (C29), whichever node
//! ends where.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::runtime::Runtime;
use tokio::task::spawn_blocking;

use super::objects::{Call, MemoryObjects, Stop};
use super::*;
use crate::clock::Clock;
use crate::config::Bucket;
use crate::id::{Link, TransferId};
use crate::secret::keyring::{Destroyed, KeyId, KeyRef};
use crate::secret::wrap;
use crate::store::Whose;
use crate::store::conformance::sample::{address, days, item, message, recall, sealed, transfer};
use crate::store::objects::ObjectBlobs;
use crate::store::objects::tests::radosgw;
use crate::store::{
    BodyKeys, MessageStore, NewRecipient, NewTransfer, RetentionStore, SenderStore, Transfer, TransferStore,
};

type Secret = [u8; 32];

/// A database, a blob store, and nodes on both.
struct Scene {
    database: TestDatabase,
    objects: Arc<MemoryObjects>,
}

impl Scene {
    async fn new() -> Self {
        let (store, database) = fresh().await;
        drop(store);
        Self { database, objects: Arc::default() }
    }

    async fn node(&self) -> Postgres {
        node(&self.database).with_keys(self.objects.clone()).await
    }

    fn one(&self, sql: &str) -> String {
        self.database.sql(sql)
    }

    /// As if all that nodes have done was long ago: none of them is among the living.
    fn long_ago(&self) {
        self.one("UPDATE sheets SET since = since - 600000000");
        self.one("UPDATE sheet_objects SET since = since - 600000000");
    }

    /// A mail of which this is the key: waits in the queue.
    async fn mail(&self, store: &Postgres) -> (KeyId, Secret) {
        let (name, secret) = store.keyring().take().unwrap();
        let id = name.id();
        queue(store, name).await.unwrap();
        (id, *secret)
    }

    fn deliver(&self, key: KeyId) {
        assert_eq!(self.one(&format!("DELETE FROM items WHERE key = {} RETURNING 1", key.number())), "1");
    }

    /// The objects that are there are those that the rows name, and no others.
    fn assert_tidy(&self) {
        let named = self.one("SELECT object FROM sheets ORDER BY object");
        assert_eq!(self.one("SELECT object FROM sheet_objects ORDER BY object"), named);
        assert_eq!(self.objects.names().join("\n"), named);
        assert_eq!(self.one("SELECT count(*) FROM ended_keys"), "0");
    }
}

async fn queue(store: &Postgres, key: KeyRef) -> Result<()> {
    let mut waiting = item();
    waiting.body.key = Some(key);
    store.commit(message(vec![waiting])).await.map(drop)
}

/// Of a mail that never got so far as to be a row.
fn refused(store: &Postgres) -> (KeyId, Secret) {
    let (name, secret) = store.keyring().take().unwrap();
    (name.id(), *secret)
}

async fn find(store: &Postgres, key: KeyId) -> Option<Secret> {
    let ring = store.keyring();
    spawn_blocking(move || ring.find(key)).await.unwrap().ok().map(|secret| *secret)
}

async fn turn(store: &Postgres) {
    assert_eq!(store.destroy_keys().await.unwrap(), Destroyed::All);
}

fn secret_of(store: &Postgres, key: KeyId) -> Secret {
    *store.keyring().find_here(key).unwrap().unwrap()
}

/// A transfer with one recipient, and the key of its key packet.
async fn one_transfer(scene: &Scene, store: &Postgres) -> (TransferId, KeyId) {
    let new = transfer();
    let name = new.id.clone();
    store.commit(sealed(new)).await.unwrap();
    let key = scene.one(&format!(
        "SELECT key FROM transfer_recipients r JOIN transfers t ON t.number = r.transfer WHERE t.id = '{name}' AND r.number = 1"
    ));
    (name, KeyId::from_number(key.parse().unwrap()))
}

/// C29
#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_in_no_object_after_the_next_turn() {
    let scene = Scene::new().await;
    let store = scene.node().await;
    let (waits, of_waits) = scene.mail(&store).await;
    let (left, of_left) = scene.mail(&store).await;
    let (refused, of_refused) = refused(&store);
    let (link, recalled) = one_transfer(&scene, &store).await;
    let (_, lasts) = one_transfer(&scene, &store).await;
    let (of_recalled, of_lasts) = (secret_of(&store, recalled), secret_of(&store, lasts));
    turn(&store).await;
    assert!(!scene.objects.holds(&of_refused));
    for secret in [&of_waits, &of_left, &of_recalled, &of_lasts] {
        assert!(scene.objects.holds(secret));
    }
    scene.deliver(left);
    scene.one(&format!("UPDATE transfer_recipients SET key_packet = NULL WHERE key = {}", recalled.number()));
    turn(&store).await;
    for secret in [&of_left, &of_recalled, &of_refused] {
        assert!(scene.objects.ever_held(secret) && !scene.objects.holds(secret));
    }
    assert_eq!(find(&store, waits).await, Some(of_waits));
    assert_eq!(find(&store, lasts).await, Some(of_lasts));
    assert_eq!(find(&store, refused).await, None);
    let transfer = store.transfer(link).await.unwrap().unwrap();
    assert!(transfer.recipients[0].key_packet.is_none() && transfer.recipients[1].key_packet.is_some());
    turn(&store).await;
    assert!(scene.objects.holds(&of_lasts));
    scene.assert_tidy();
}

/// What transfers need costs nothing while they last, and is noticed when they end.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_transfers_are_not_asked_for_again_and_again() {
    let scene = Scene::new().await;
    let store = scene.node().await;
    let (_, key) = one_transfer(&scene, &store).await;
    let ring = store.keyring();
    assert!(spawn_blocking(move || ring.unheld()).await.unwrap().unwrap().contains(&key));
    turn(&store).await;
    let ring = store.keyring();
    assert!(!spawn_blocking(move || ring.unheld()).await.unwrap().unwrap().contains(&key));
    let secret = secret_of(&store, key);
    scene.one("DELETE FROM parts; DELETE FROM transfer_recipients");
    turn(&store).await;
    assert!(!scene.objects.holds(&secret), "whichever way its row goes");
    scene.assert_tidy();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_reads_a_key_while_a_row_needs_it() {
    let scene = Scene::new().await;
    let (one, other) = (scene.node().await, scene.node().await);
    let (first, of_first) = scene.mail(&one).await;
    let (second, of_second) = scene.mail(&one).await;
    let (link, packet_key) = one_transfer(&scene, &one).await;
    assert_eq!(find(&other, first).await, Some(of_first));
    let packet = |found: Option<Transfer>| found.unwrap().recipients[0].key_packet.clone();
    let there = packet(one.transfer(link.clone()).await.unwrap());
    assert_eq!(there.as_deref(), Some(&b"key packet of a@example.org"[..]));
    assert_eq!(packet(other.transfer(link.clone()).await.unwrap()), there);
    scene.deliver(first);
    turn(&one).await;
    assert_eq!(find(&other, second).await, Some(of_second), "it is in another object now");
    assert_ne!(find(&other, first).await, Some(of_first));
    let secret = secret_of(&one, packet_key);
    let sealed = scene.one(&format!(
        "SELECT encode(key_packet, 'hex') FROM transfer_recipients WHERE key = {}",
        packet_key.number()
    ));
    scene.one("UPDATE transfer_recipients SET key_packet = NULL");
    turn(&one).await;
    turn(&other).await;
    assert!(one.unwrap(&hex(&sealed), packet_key).await.unwrap().is_none());
    assert!(other.unwrap(&hex(&sealed), packet_key).await.unwrap().is_none(), "nor from memory");
    assert!(wrap::unwrap(packet_key, &secret, &hex(&sealed)).is_some(), "with the key it would be");
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_node_had_is_taken_over() {
    let scene = Scene::new().await;
    let dead = scene.node().await;
    let (waits, of_waits) = scene.mail(&dead).await;
    let (_, of_lost) = dead.keyring().take().unwrap();
    let (_, lasts) = one_transfer(&scene, &dead).await;
    let of_lasts = secret_of(&dead, lasts);
    drop(dead);
    let store = scene.node().await;
    turn(&store).await;
    assert!(scene.objects.holds(&*of_lost), "nobody knows yet that it is dead");
    scene.long_ago();
    turn(&store).await;
    assert!(scene.objects.holds(&*of_lost), "what it began may still be committed");
    assert_eq!(find(&store, waits).await, Some(of_waits));
    scene.one("UPDATE sheets SET since = since - 200000000");
    turn(&store).await;
    assert!(!scene.objects.holds(&*of_lost));
    for (key, secret) in [(waits, of_waits), (lasts, of_lasts)] {
        assert_eq!(find(&store, key).await, Some(secret));
    }
    scene.deliver(waits);
    scene.one("UPDATE transfer_recipients SET key_packet = NULL");
    turn(&store).await;
    assert!(!scene.objects.holds(&of_waits) && !scene.objects.holds(&of_lasts));
    scene.assert_tidy();
}

/// The fence: a node that was stopped for longer than its lease gives out no key that others destroy.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_brings_no_row_with_a_key_that_was_taken_over() {
    let scene = Scene::new().await;
    let away = scene.node().await;
    let (before, of_before) = scene.mail(&away).await;
    let (begun, _) = away.keyring().take().unwrap();
    let other = scene.node().await;
    scene.long_ago();
    turn(&other).await;
    assert!(queue(&away, begun).await.is_err());
    let new = transfer();
    assert!(away.commit(sealed(new)).await.is_err());
    let ring = away.keyring();
    spawn_blocking(move || ring.destroy(&[])).await.unwrap().unwrap();
    let objects = scene.objects.names();
    turn(&away).await;
    assert!(
        objects.iter().all(|object| scene.objects.names().contains(object)),
        "it leaves alone what is not its own"
    );
    assert_eq!(find(&away, before).await, Some(of_before));
    let (after, of_after) = scene.mail(&away).await;
    assert_eq!(find(&other, after).await, Some(of_after));
}

/// kill -9 between any two steps of making a sheet and of renewing one.
#[test]
fn a_node_may_end_between_any_two_steps() {
    let test = Runtime::new().unwrap();
    for call in [Call::Put, Call::Delete] {
        for is_done in [false, true] {
            for begins in [false, true] {
                if call == Call::Delete && begins {
                    continue;
                }
                let scene = test.block_on(Scene::new());
                let stop = Stop { call, is_done };
                let (needed, ended) = kill(&test, &scene, stop, begins);
                test.block_on(assert_recovered(&scene, needed, ended, stop));
            }
        }
    }
}

/// A node that is killed where `stop` says, while it makes its first sheet or renews one; keys that mail needs, and such
/// as none does.
fn kill(test: &Runtime, scene: &Scene, stop: Stop, begins: bool) -> (Vec<(KeyId, Secret)>, Vec<Secret>) {
    let node = Runtime::new().unwrap();
    let (mut needed, mut ended) = (Vec::new(), Vec::new());
    if begins {
        scene.objects.stop_at(stop);
        let (database, objects) = (super::node(&scene.database), scene.objects.clone());
        node.spawn(async move { database.with_keys(objects).await });
    } else {
        let store = node.block_on(scene.node());
        for place in 0..20 {
            let (key, secret) = node.block_on(scene.mail(&store));
            if place % 2 == 0 {
                needed.push((key, secret));
            } else {
                scene.deliver(key);
                ended.push(secret);
            }
        }
        scene.objects.stop_at(stop);
        node.spawn(async move { store.destroy_keys().await });
    }
    test.block_on(scene.objects.has_stopped());
    node.shutdown_background();
    (needed, ended)
}

async fn assert_recovered(scene: &Scene, needed: Vec<(KeyId, Secret)>, ended: Vec<Secret>, stop: Stop) {
    scene.long_ago();
    let store = scene.node().await;
    scene.one("UPDATE sheets SET since = since - 200000000");
    turn(&store).await;
    turn(&store).await;
    for (key, secret) in needed {
        assert_eq!(find(&store, key).await, Some(secret), "{stop:?}");
    }
    assert!(ended.iter().all(|secret| !scene.objects.holds(secret)), "{stop:?}");
    scene.assert_tidy();
}

/// Mail goes on for as long as free keys last, and as soon as the blob store is back.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_blob_store_keys_last_for_a_while() {
    let scene = Scene::new().await;
    let store = scene.node().await;
    turn(&store).await;
    scene.objects.set_away(true);
    let mut taken = Vec::new();
    let refused = loop {
        match store.keyring().take() {
            Ok((name, _)) => taken.push(name),
            Err(error) => break error,
        }
    };
    assert!(taken.len() >= 4096, "{}", taken.len());
    assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
    let ended = taken.pop().map(|name| name.id()).unwrap();
    let secret = secret_of(&store, ended);
    assert!(store.destroy_keys().await.is_err());
    assert!(scene.objects.holds(&secret), "it is away");
    scene.objects.set_away(false);
    turn(&store).await;
    assert!(store.keyring().take().is_ok());
    assert!(!scene.objects.holds(&secret));
    assert_eq!(find(&store, ended).await, None);
    scene.assert_tidy();
}

/// Whether a commit got there may show late: its keys stay until it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_stays_while_nobody_knows_how_its_commit_ended() {
    let scene = Scene::new().await;
    let store = scene.node().await;
    let (name, secret) = store.keyring().take().unwrap();
    let id = name.id();
    let lost = store
        .write(move |change| {
            async move {
                change.db.hold(name);
                change.db.execute("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await.map(drop)
            }
            .boxed()
        })
        .await;
    assert!(lost.is_err());
    turn(&store).await;
    turn(&store).await;
    assert_eq!(find(&store, id).await, Some(*secret));
    store.keys.answered(Instant::now() + Duration::from_secs(31));
    turn(&store).await;
    assert!(!scene.objects.holds(&*secret));
}

/// An object that nobody knows of: a write that arrived after it was given up.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_row_names_is_searched_for() {
    let scene = Scene::new().await;
    let store = scene.node().await;
    scene.objects.add("40000000-late", b"keys");
    store.sheets.as_ref().unwrap().search().await.unwrap();
    scene.assert_tidy();
    assert!(!scene.objects.names().is_empty());
}

/// C29: neither the log of the database, which is archived, nor its tables ever hold a key, or what is under one.
#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_database_ever_holds_a_key() {
    let server = server::Server::start(&["wal_level=replica", "max_wal_size=1GB"]);
    let settings = Database { url: server.url("postgres"), password_file: None, connections: 4 };
    let objects = Arc::new(MemoryObjects::default());
    let store = Postgres::new(&settings, FolderId::random()).unwrap();
    store.migrate().await.unwrap();
    let store = store.with_keys(objects.clone()).await;

    let (name, body_secret) = store.keyring().take().unwrap();
    queue(&store, name).await.unwrap();
    let packet = b"KANARIE key packet KANARIE";
    let mut secrets = vec![*body_secret];
    let mut left = Vec::new();
    for is_recalled in [true, false] {
        let new = NewTransfer {
            recipients: vec![NewRecipient {
                number: 1,
                address: address("a@example.org"),
                key_packet: packet.to_vec(),
            }],
            ..transfer()
        };
        let id = new.id.clone();
        store.commit(sealed(new)).await.unwrap();
        let found = store.transfer(id.clone()).await.unwrap().unwrap();
        assert_eq!(found.recipients[0].key_packet.as_deref(), Some(&packet[..]));
        let row = server.sql(
            "postgres",
            "SELECT key || ' ' || encode(key_packet, 'hex') FROM transfer_recipients WHERE key IS NOT NULL",
        );
        let (key, sealed) = row.split_once(' ').unwrap();
        let key = KeyId::from_number(key.parse().unwrap());
        secrets.push(secret_of(&store, key));
        left.push((key, hex(sealed)));
        turn(&store).await;
        if is_recalled {
            let link = Link { transfer: id.clone(), recipient: 1 };
            assert_eq!(store.recall(recall(&link, Some(1))).await.unwrap(), [1]);
        } else {
            assert_eq!(
                store.expire(Whose::everybody(), days(31), days(31)).await.unwrap(),
                std::slice::from_ref(&id)
            );
        }
        turn(&store).await;
    }
    server.sql("postgres", "DELETE FROM items");
    turn(&store).await;
    server.sql("postgres", "CHECKPOINT");
    server.sql("postgres", "SELECT pg_switch_wal()");

    let data = server.folder().join("data");
    for (_, sealed) in &left {
        assert!(found_in(&data.join("pg_wal"), sealed), "the log does hold what was sealed");
    }
    for secret in secrets {
        assert!(objects.ever_held(&secret) && !objects.holds(&secret));
        assert!(!found_in(&data, &secret));
    }
    assert!(!found_in(&data, &packet[..]));
    for (key, sealed) in left {
        let opens = |secret: &Secret| wrap::unwrap(key, secret, &sealed).is_some();
        assert!(!objects.keys().iter().any(opens), "with everything that is left nothing is opened");
    }
}

/// Whether any file in this folder, or below it, holds these octets.
fn found_in(folder: &Path, octets: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => found_in(&path, octets),
            false => fs::read(&path).is_ok_and(|file| memchr::memmem::find(&file, octets).is_some()),
        }
    })
}

/// The same on a real S3 service: of no object is there any version with the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_bucket_holds_no_version_of_a_destroyed_key() {
    let service = spawn_blocking(radosgw::shared).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().join("credentials");
    let text = format!("aws_access_key_id={}\naws_secret_access_key={}\n", radosgw::KEY_ID, radosgw::SECRET);
    fs::write(&credentials, text).unwrap();
    let bucket = Bucket {
        name: radosgw::BUCKET.to_owned(),
        prefix: "short".to_owned(),
        endpoint: Some(service.endpoint()),
        region: "us-east-1".to_owned(),
        credentials_file: Some(credentials),
    };
    let (store, _database) = fresh().await;
    let runtime = tokio::runtime::Handle::current();
    let blobs = ObjectBlobs::new(&bucket, Arc::new(store.beside()), Clock::system(), runtime).unwrap();
    let blobs = Arc::new(blobs);
    blobs.set_id(&FolderId::random()).await.unwrap();
    let store = store.with_keys(blobs.clone()).await;

    let (name, secret) = store.keyring().take().unwrap();
    let (waits, of_waits) = store.keyring().take().unwrap();
    queue(&store, waits.clone()).await.unwrap();
    drop(name);
    assert!(versions(service).iter().any(|object| holds(object, &secret)));
    turn(&store).await;
    let after = versions(service);
    assert!(!after.is_empty() && !after.iter().any(|object| holds(object, &secret)));
    assert!(after.iter().any(|object| holds(object, &of_waits)));
    assert_eq!(find(&store, waits.id()).await, Some(*of_waits));
}

fn holds(object: &[u8], secret: &Secret) -> bool {
    memchr::memmem::find(object, secret).is_some()
}

/// Every version of every object with keys.
fn versions(service: &radosgw::Radosgw) -> Vec<Vec<u8>> {
    let get = |what: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
        curl.args(["--aws-sigv4", "aws:amz:us-east-1:s3", "--user"]);
        curl.arg(format!("{}:{}", radosgw::KEY_ID, radosgw::SECRET));
        let output = curl.arg(format!("{}/{}{what}", service.endpoint(), radosgw::BUCKET)).output().unwrap();
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let list = String::from_utf8(get("?prefix=short%2Fkeys%2F&versions=")).unwrap();
    let objects = list.split("<Key>").skip(1).map(|rest| {
        let version = rest.split("<VersionId>").nth(1).unwrap();
        let text = |text: &str| text.split('<').next().unwrap().to_owned();
        get(&format!("/{}?versionId={}", text(rest), text(version)))
    });
    objects.collect()
}
