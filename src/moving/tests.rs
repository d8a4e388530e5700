//! A gateway with everything in it, there and back.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::audit::{Action, Actor, Recorded};
use crate::config::Database;
use crate::data_folder::DataFolder;
use crate::diagnostic::Outcome;
use crate::id::{FolderId, Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::outbox::body;
use crate::secret::{BodyKey, Keys};
use crate::store::conformance::*;
use crate::store::files::LocalBlobs;
use crate::store::postgresql::tests::TestDatabase;
use crate::store::postgresql::tests::objects::MemoryObjects;
use crate::store::sqlite::Still;
use crate::store::tables::{Digest, TABLES};
use crate::store::*;

struct Silent;

impl Progress for Silent {
    fn at(&self, _: &str, _: u64, _: u64) {}
}

/// A data folder in which everything has happened once, and what is to be found again.
struct Before {
    folder: TempDir,
    link: Link,
    author: Author,
    transfer: Transfer,
    draft: DraftRow,
    mails: Vec<Vec<u8>>,
    bytes: Vec<(BlobName, Vec<u8>)>,
    /// One is held, and one frozen.
    stays: [QueueId; 2],
}

fn written(blobs: &dyn Blobs, bytes: &[u8]) -> BlobName {
    let mut writer = blobs.create().unwrap();
    writer.write_all(bytes).unwrap();
    writer.commit().unwrap()
}

fn fill(runtime: &Runtime) -> Before {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let before = runtime.block_on(async {
        let DataFolder { store, blobs, keys, .. } = DataFolder::open(&path).unwrap();
        store.check_clock(noon()).await.unwrap();
        let mut bytes: Vec<(BlobName, Vec<u8>)> = Vec::new();
        let mut new = transfer();
        new.thread = vec![[3; 32]];
        for (part, size) in new.parts.iter_mut().zip([10, 70_000, 300_000]) {
            let content = vec![size as u8; size];
            part.blob = written(blobs.as_ref(), &content);
            bytes.push((part.blob.clone(), content));
        }
        let link = Link { transfer: new.id.clone(), recipient: 1 };
        let over = NewTransfer { expires: noon(), parts: Vec::new(), ..transfer() };
        for one in [new, over] {
            store.commit(sealed(one)).await.unwrap();
        }
        store.expire(Whose::everybody(), noon(), noon()).await.unwrap();
        open(store.as_ref(), session(1, &link)).await.unwrap();
        store.note_download(fetch_of(&link, 1)).await.unwrap();

        let author = Author { link: link.clone(), browser: [1; 32] };
        ask(store.as_ref(), &author, 1, noon()).await;
        try_code(store.as_ref(), &author, 7, noon()).await;
        let mut mails = vec![b"sealed body".to_vec()];
        store.save_draft(author.clone(), b"typed".to_vec(), None, noon()).await.unwrap();
        store.commit(Acceptance { items: Vec::new(), ..ended(&author, 1, noon()) }).await.unwrap();
        store.save_draft(author.clone(), b"again".to_vec(), None, noon()).await.unwrap();
        let (id, _) = begin(store.as_ref(), &author, None).await;
        let piece = PieceRow { blob: written(blobs.as_ref(), b"piece"), size: 5 };
        bytes.push((piece.blob.clone(), b"piece".to_vec()));
        store.add_piece(author.clone(), id, 0, piece, LIMITS, noon()).await.unwrap();

        // One in its row, one as a blob, and one that is in the journal when the gateway ends.
        for size in [100, 200_000] {
            let mail = vec![b'm'; size];
            let sealed =
                body::store_body(&keys.body, blobs.as_ref(), &CrlfBytes::check(mail.clone()).unwrap());
            let body = sealed.unwrap();
            if let BodyData::Blob(name) = &body.data {
                bytes.push((name.clone(), read(blobs.as_ref(), name).unwrap()));
            }
            let item = NewItem { body, kind: QueueItemKind::Receipt, link: Some(link.clone()), ..item() };
            store.commit(message(vec![item])).await.unwrap();
            mails.push(mail);
        }
        let stays = [QueueId::random(), QueueId::random()];
        for id in &stays {
            let kind = QueueItemKind::Receipt;
            store.commit(message(vec![NewItem { id: id.clone(), kind, ..item() }])).await.unwrap();
        }
        let ruling =
            Ruling { since: noon(), by: Recorded::Known(Actor::Zegel), reason: Some("wacht".into()) };
        let held = vec![(stays[0].clone(), event(Action::Hold))];
        store.take_step(Step::Hold(ruling), held, noon()).await.unwrap();
        let claimed = store.claim_due(&owner(), noon(), minutes(10), 100).await.unwrap();
        let frozen = claimed.iter().find(|item| item.id == stays[1]).unwrap();
        let no = (1..=2).map(|number| (number, Outcome::Deferred(said(550, "5.1.1 no")))).collect();
        let end = Attempt { problem: Some(Problem::Frozen), ..attempt(frozen, no) };
        store.finish_attempt(end).await.unwrap();
        store.release_claims(&owner()).await.unwrap();

        let journalled = b"in the journal".to_vec();
        let sealed = body::seal(&keys.body, &CrlfBytes::check(journalled.clone()).unwrap()).unwrap();
        store.commit(message(vec![NewItem { body: sealed, ..item() }])).await.unwrap();
        mails.push(journalled);
        let (transfer, draft) = (
            store.transfer(link.transfer.clone()).await.unwrap().unwrap(),
            store.draft(author.clone()).await.unwrap().unwrap(),
        );
        (link, author, transfer, draft, mails, bytes, stays)
    });
    let (link, author, transfer, draft, mails, bytes, stays) = before;
    Before { folder, link, author, transfer, draft, mails, bytes, stays }
}

impl Before {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// All of it is in this store.
    fn check(&self, runtime: &Runtime, store: &dyn Store, blobs: &dyn Blobs, key: &BodyKey) {
        for (name, bytes) in &self.bytes {
            assert_eq!(&read(blobs, name).unwrap(), bytes);
        }
        runtime.block_on(async {
            let found = store.transfer(self.link.transfer.clone()).await.unwrap().unwrap();
            assert_eq!(format!("{found:?}"), format!("{:?}", self.transfer));
            assert!(found.recipients[0].key_packet.is_some());
            assert_eq!(store.draft(self.author.clone()).await.unwrap().as_ref(), Some(&self.draft));
            let session = live(store, 1, noon()).await.unwrap();
            assert_eq!((session.link, session.wrapped_key), (self.link.clone(), vec![1; 48]));
            assert!(store.browser([1; 32], noon()).await.unwrap().is_some());
            assert!(store.is_sealed_thread(vec![[3; 32]]).await.unwrap());
            assert!(!store.audit_log(self.link.transfer.clone()).await.unwrap().is_empty());
            assert!(
                store
                    .last_reply(self.author.clone(), hours(0).saturating_sub(HOUR).unwrap())
                    .await
                    .unwrap()
                    .is_some()
            );
            let items = store.claim_due(&owner(), minutes(1), minutes(10), 100).await.unwrap();
            let mut mails: Vec<_> = items.iter().map(|item| mail(key, blobs, &item.body)).collect();
            mails.sort();
            let mut wanted = self.mails.clone();
            wanted.sort();
            assert_eq!(mails, wanted);
            store.release_claims(&owner()).await.unwrap();
            let problems: Vec<_> = store.queue().await.unwrap();
            let problem = |id: &QueueId| problems.iter().find(|entry| entry.id == *id).unwrap().problem;
            let [held, frozen] = &self.stays;
            assert_eq!((problem(held), problem(frozen)), (Some(Problem::Held), Some(Problem::Frozen)));
            let reason = store.held().await.unwrap().remove(0).1.reason;
            assert_eq!(reason.as_deref(), Some("wacht"));
        });
    }
}

/// Sample mails are not sealed.
fn mail(key: &BodyKey, blobs: &dyn Blobs, body: &Body) -> Vec<u8> {
    match (&body.key, &body.data) {
        (None, BodyData::Inline(bytes)) => bytes.clone(),
        _ => body::open(key, blobs, body).unwrap().collect::<io::Result<Vec<_>>>().unwrap().concat(),
    }
}

fn digests(rows: &Still) -> Vec<(&'static str, Digest)> {
    let digest = |table| {
        let mut digest = Digest::default();
        rows.rows(table, |row| {
            digest.add(&row);
            Ok(())
        })
        .unwrap();
        digest
    };
    // Keys have other names.
    TABLES.iter().filter(|table| table.name != "items").map(|table| (table.name, digest(table))).collect()
}

struct Target {
    database: TestDatabase,
    rows: Postgres,
    bucket: LocalBlobs,
    runtime: Handle,
}

impl Target {
    fn new(before: &Before, runtime: &Runtime) -> Self {
        let database = TestDatabase::new();
        let settings = Database { url: database.url(), password_file: None, connections: 4 };
        let _inside = runtime.enter();
        let rows = Postgres::new(&settings, FolderId::random()).unwrap();
        let rows = rows.with_keys_of_move(Arc::new(MemoryObjects::default()));
        let bucket = LocalBlobs::open(&before.folder.path().join("bucket")).unwrap();
        Self { database, rows, bucket, runtime: runtime.handle().clone() }
    }

    fn take(&self, before: &Before) -> Result<Moved> {
        self.take_into(before, &self.bucket)
    }

    fn take_into(&self, before: &Before, bucket: &dyn Blobs) -> Result<Moved> {
        let folder = DataFolder::open_still(&before.data())?;
        let mark = |identity: &Identity| self.bucket.set_id(&identity.id);
        let shared = Shared { rows: &self.rows, blobs: bucket, mark: &mark, runtime: self.runtime.clone() };
        to_shared(&before.data(), &folder, &shared, "s3://zegel", &Silent)
    }

    fn give(&self, before: &Before, to: &Path) -> Result<Moved> {
        let mark = |identity: &Identity| self.bucket.set_id(&identity.id);
        let shared =
            Shared { rows: &self.rows, blobs: &self.bucket, mark: &mark, runtime: self.runtime.clone() };
        to_folder(&shared, to, &before.data().join(MASTER_KEY), DataFolder::create_still, &Silent)
    }
}

#[test]
fn a_gateway_is_moved_there_and_back() {
    let runtime = Runtime::new().unwrap();
    let before = fill(&runtime);
    let target = Target::new(&before, &runtime);
    let moved = target.take(&before).unwrap();
    assert_eq!((moved.blobs, moved.lost.len()), (before.bytes.len() as u64, 0));
    assert!(moved.rows > 20);
    let keys = Keys::open(&before.data(), false).unwrap().with_keyring(target.rows.keyring());
    before.check(&runtime, &target.rows, &target.bucket, &keys.body);
    let packet = "SELECT count(*) FROM transfer_recipients WHERE position('key packet' in encode(key_packet, 'escape')) > 0";
    assert_eq!(target.database.sql(packet), "0", "sealed on the way");
    // New rows follow those that came.
    runtime.block_on(target.rows.commit(sealed(transfer()))).unwrap();
    assert!(
        !runtime.block_on(target.rows.expire(Whose::everybody(), days(31), days(31))).unwrap().is_empty()
    );

    let refused = DataFolder::open(&before.data()).err().unwrap().to_string();
    assert!(refused.contains("was moved to s3://zegel"), "{refused}");
    assert!(DataFolder::open_existing(&before.data()).is_err());
    assert!(target.take(&before).unwrap().before, "once");
    std::fs::remove_file(before.data().join(MOVED)).unwrap();
    let used_since = target.take(&before).unwrap_err().to_string();
    assert!(used_since.contains("was used since"), "{used_since}");
}

#[test]
fn a_gateway_comes_back_as_it_went() {
    let runtime = Runtime::new().unwrap();
    let before = fill(&runtime);
    let first = digests(&DataFolder::open_still(&before.data()).unwrap().rows);
    let target = Target::new(&before, &runtime);
    target.take(&before).unwrap();

    let back = before.folder.path().join("back");
    std::fs::create_dir(&back).unwrap();
    let moved = target.give(&before, &back).unwrap();
    assert_eq!((moved.blobs, moved.lost.len()), (before.bytes.len() as u64, 0));
    assert_eq!(digests(&DataFolder::open_still(&back).unwrap().rows), first);
    let DataFolder { store, blobs, keys, .. } = DataFolder::open(&back).unwrap();
    before.check(&runtime, store.as_ref(), blobs.as_ref(), &keys.body);
    let refused = runtime.block_on(target.rows.identity()).unwrap_err();
    assert!(matches!(refused, StoreError::Moved(to) if to == back.display().to_string()));
}

/// A bucket that takes so many blobs and no more.
struct Failing(LocalBlobs, AtomicUsize);

impl Blobs for Failing {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        self.0.create()
    }
    fn create_as(&self, name: &BlobName) -> io::Result<Box<dyn BlobWriter>> {
        if self.1.fetch_add(1, Ordering::SeqCst) >= 2 {
            return Err(io::Error::other("the bucket is away"));
        }
        self.0.create_as(name)
    }
    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn io::Read + Send>> {
        self.0.open_at(name, offset)
    }
    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.0.remove(name)
    }
    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        self.0.names(after, limit)
    }
    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        self.0.look(name)
    }
}

#[test]
fn a_move_that_was_cut_off_begins_again() {
    let runtime = Runtime::new().unwrap();
    let before = fill(&runtime);
    let target = Target::new(&before, &runtime);
    let failed = target
        .take_into(
            &before,
            &Failing(LocalBlobs::existing(&before.folder.path().join("bucket")), AtomicUsize::new(0)),
        )
        .unwrap_err();
    assert!(format!("{failed:#}").contains("the bucket is away"), "{failed:#}");
    assert_eq!(target.database.sql("SELECT count(*) FROM audit"), "0");
    drop(DataFolder::open(&before.data()).unwrap());
    // A blob that was torn, or is another's content of the same size, is written anew.
    let torn = &before.bytes[2].0;
    let mut writer = target.bucket.create_as(torn).unwrap();
    writer.write_all(&[7; 300_000]).unwrap();
    writer.commit().unwrap();

    // Killed after the folder was marked, before the commit: only the move itself goes on.
    mark_folder(&before.data(), "s3://zegel").unwrap();
    assert!(DataFolder::open(&before.data()).is_err());
    target.take(&before).unwrap();
    let keys = Keys::open(&before.data(), false).unwrap().with_keyring(target.rows.keyring());
    before.check(&runtime, &target.rows, &target.bucket, &keys.body);
}

#[test]
fn what_is_in_use_or_not_empty_is_not_moved_to() {
    let runtime = Runtime::new().unwrap();
    let before = fill(&runtime);
    let target = Target::new(&before, &runtime);
    let refused = |target: &Target| {
        let error = format!("{:#}", target.take(&before).unwrap_err());
        drop(DataFolder::open(&before.data()).unwrap());
        error
    };
    let stranger = written(&target.bucket, b"of somebody else");
    assert!(refused(&target).contains(stranger.as_str()));
    target.bucket.remove(&stranger).unwrap();

    runtime.block_on(target.rows.migrate()).unwrap();
    target.database.sql("INSERT INTO limits (bucket) VALUES ('x')");
    assert!(refused(&target).contains("not empty"));
    target.database.sql("DELETE FROM limits");

    target.database.sql(
        "INSERT INTO nodes (id, name, version, started, seen, lease) VALUES ('n', 'n', '1', 0, 0, \
         (extract(epoch FROM now()) * 1000000)::bigint + 30000000)",
    );
    assert!(refused(&target).contains("another zegel is running"));
    target.database.sql("DELETE FROM nodes");

    let at_work = DataFolder::open(&before.data()).unwrap();
    assert!(target.take(&before).is_err());
    drop(at_work);
    target.take(&before).unwrap();
    let occupied = tempfile::tempdir().unwrap();
    drop(DataFolder::open(occupied.path()).unwrap());
    assert!(target.give(&before, occupied.path()).is_err());
}

/// Whoever adds a column says whether it is moved.
#[test]
fn every_column_is_moved_or_is_known_not_to_be() {
    const STAY: &[&str] = &[
        "bodies",
        "doomed",
        "folder",
        "intents",
        "journal_moved",
        "nodes",
        "sheets",
        "sheet_objects",
        "small_blobs",
        "ended_keys",
        "zegel_schema",
        "items.claimed",
        "items.owner",
        "items.token",
        "transfer_recipients.key",
        "items.body",
    ];
    let runtime = Runtime::new().unwrap();
    let before = fill(&runtime);
    let target = Target::new(&before, &runtime);
    runtime.block_on(target.rows.migrate()).unwrap();
    let moved = |column: &str| {
        let (table, name) = column.split_once('.').unwrap();
        TABLES.iter().any(|one| one.name == table && one.place(name).is_some())
    };
    let of_sqlite = DataFolder::open_still(&before.data()).unwrap().rows.columns().unwrap();
    let of_postgresql = target.database.sql(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let all = of_sqlite.iter().map(String::as_str).chain(of_postgresql.lines());
    let forgotten: Vec<_> = all
        .filter(|column| !moved(column) && !STAY.contains(column))
        .filter(|column| !STAY.contains(&column.split('.').next().unwrap()))
        .collect();
    assert_eq!(forgotten, Vec::<&str>::new());
}
