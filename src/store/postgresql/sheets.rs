//! The sheets of keys of short life of several nodes: each is an object of the blob store, and a row that says which object
//! and whose it is. No key is ever in the database, whose log is archived (C29).
//!
//! An object is never changed. New keys in the place of old ones are another object; then, in one transaction, the sheet's
//! row names that and the old object is `doomed`; then the old one is removed, again and again until the blob store says
//! that it is gone. Each object has a row from before it is written until then, so that whatever is cut off by a crash is
//! found by the node that takes over.
//!
//! - A sheet belongs to one node. Those of a node whose lease has ended long enough ago are taken over by another. The
//!   database takes a row with a key only from the node that has the key's sheet (trigger `keys_still_ours`); after taking
//!   over, a node waits for as long as a transaction may last before it asks which keys no row needs.
//! - Keys of other nodes' sheets are read from their objects, of which some are held in memory for as long as they are current.
//!
//! What must never happen: that two nodes give out keys of one sheet, or that an object with keys is forgotten.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Postgres;
use super::change::{Change, database};
use super::columns::{Number, get, number};
use super::kept::is_kept;
use super::locks::Lock;
use crate::id::FolderId;
use crate::secret::keyring::KeyId;
use crate::secret::sheet::{Changes, Destroying, KEY, SheetKeys, SheetStore, key_at, random_number};
use crate::store::{Result, SheetObjects};

/// No step takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often objects are searched for that no row names.
const SEARCH: Duration = Duration::from_hours(1);
/// Objects that are removed in one step.
const AT_ONCE: i64 = 100;
/// Sheets of other nodes that are held in memory at most: 128 KiB each.
const HELD: usize = 128;
/// In the numbers of sheets that are kept here; those of keys in memory are below (trigger `keys_still_ours`).
const OF_NODES: u32 = 1 << 30;
/// Tries to read a sheet whose object is replaced meanwhile.
const TRIES: usize = 5;

/// The database's clock, in microseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
    };
}
/// Which rows are of nobody any more. After a trouble that kept all nodes from the database, each has time to come back
/// before the others take what it has; a command line tool is no node, and has a minute.
macro_rules! of_nobody {
    () => {
        concat!(
            "owner <> $1 AND since < ",
            now!(),
            " - 60000000 AND NOT EXISTS (SELECT 1 FROM nodes WHERE id = owner AND lease > ",
            now!(),
            " - 30000000)"
        )
    };
}
/// For so long after it was taken over, a transaction of the node that had a sheet may still be committed.
macro_rules! settled {
    () => {
        "120000000"
    };
}

pub(super) const BEGUN: &str =
    concat!("INSERT INTO sheet_objects (object, owner, since) VALUES ($1, $2, ", now!(), ")");
pub(super) const CREATED: &str =
    concat!("INSERT INTO sheets (number, owner, object, since) VALUES ($1, $2, $3, ", now!(), ")");
pub(super) const OWNED: &str = "SELECT object FROM sheets WHERE number = $1 AND owner = $2 FOR UPDATE";
pub(super) const REPLACED: &str = "UPDATE sheets SET object = $2 WHERE number = $1";
pub(super) const REMOVED: &str = "DELETE FROM sheets WHERE number = ANY($1) AND owner = $2 RETURNING object";
pub(super) const WRITTEN: &str = "
    UPDATE sheet_objects SET state = 'current' WHERE object = $1 AND owner = $2 AND state = 'writing'";
pub(super) const DOOM: &str = "UPDATE sheet_objects SET state = 'doomed' WHERE object = ANY($1)";
pub(super) const ABANDONED: &str = "
    UPDATE sheet_objects SET state = 'doomed' WHERE owner = $1 AND state = 'writing'";
pub(super) const DOOMED: &str =
    "SELECT object FROM sheet_objects WHERE owner = $1 AND state = 'doomed' LIMIT $2";
pub(super) const GONE: &str = "DELETE FROM sheet_objects WHERE object = ANY($1) AND state = 'doomed'";
pub(super) const KNOWN: &str = "SELECT object FROM sheet_objects WHERE object = ANY($1)";
pub(super) const TAKE_SHEETS: &str =
    concat!("UPDATE sheets SET owner = $1, since = ", now!(), " WHERE ", of_nobody!());
pub(super) const TAKE_OBJECTS: &str = concat!(
    "UPDATE sheet_objects SET owner = $1, since = ",
    now!(),
    ", state = CASE state WHEN 'writing' THEN 'doomed' ELSE state END WHERE ",
    of_nobody!()
);
pub(super) const OURS: &str = concat!(
    "SELECT number, object, since < ",
    now!(),
    " - ",
    settled!(),
    " AS is_settled FROM sheets WHERE owner = $1"
);
pub(super) const OBJECT: &str = "SELECT object FROM sheets WHERE number = $1";
pub(super) const CURRENT: &str = "SELECT number, object FROM sheets WHERE number = ANY($1)";

/// The sheets of one node, and those that it finds beside them. Clones are the same.
#[derive(Clone)]
pub(super) struct Sheets(Arc<Inner>);

struct Inner {
    rows: Postgres,
    objects: Arc<dyn SheetObjects>,
    runtime: Handle,
    /// Held while an object is written, from its row on: what is `writing` otherwise was cut off.
    writing: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// Sheets of other nodes.
    held: HashMap<u32, HeldSheet>,
    /// Sheets of ours whose object is not there: told once.
    missing: HashSet<u32>,
    searched: Option<Instant>,
}

struct HeldSheet {
    object: String,
    keys: SheetKeys,
}

impl Sheets {
    /// `rows` is used for nothing else. To be called within the runtime that does the work.
    pub fn new(rows: Postgres, objects: Arc<dyn SheetObjects>) -> Self {
        let (runtime, writing, memory) = (Handle::current(), tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { rows, objects, runtime, writing, memory }))
    }

    /// A key in an object that is held in memory, which may have been replaced since.
    pub fn held(&self, id: KeyId) -> Option<Zeroizing<[u8; KEY]>> {
        key_at(&self.0.memory().held.get(&id.sheet())?.keys, id.slot())
    }

    /// The key that this name stands for now, whosever sheet it is in; `None` where there is none.
    pub async fn read(&self, id: KeyId) -> io::Result<Option<Zeroizing<[u8; KEY]>>> {
        self.0.read(id).await
    }

    /// Removes every object that is doomed, and now and then such as no row names.
    pub async fn clear(&self) -> io::Result<()> {
        self.0.clear().await?;
        let now = Instant::now();
        let last = *self.0.memory().searched.get_or_insert(now);
        if now.duration_since(last) > SEARCH {
            self.search().await?;
            self.0.memory().searched = Some(now);
        }
        Ok(())
    }

    /// The names of all objects with keys.
    pub async fn listed(&self) -> io::Result<HashSet<String>> {
        Ok(self.0.objects.list().await?.into_iter().collect())
    }

    /// Removes objects that no row names: written by a call that was given up long before it got there.
    pub async fn search(&self) -> io::Result<()> {
        self.0.search().await
    }

    /// Waits, on this thread, for work that the runtime does. On one that runs tasks, the others go on elsewhere: all of them
    /// may wait for a key at once, and then nobody would be left to fetch it.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        let (done, outcome) = mpsc::sync_channel(1);
        self.0.runtime.spawn(async move {
            let late =
                |_| Err(io::Error::new(io::ErrorKind::TimedOut, "the keys could not be reached in time"));
            done.send(timeout(PATIENCE, work).await.unwrap_or_else(late)).ok();
        });
        let wait = || outcome.recv().unwrap_or_else(|_| Err(io::Error::other("the runtime has ended")));
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(wait),
            _ => wait(),
        }
    }
}

impl SheetStore for Sheets {
    fn create(&self, keys: &SheetKeys) -> io::Result<u32> {
        let (inner, keys) = (Arc::clone(&self.0), keys.clone());
        self.wait(async move {
            let number = random_number() | OF_NODES;
            inner.write(number, keys, Naming::New).await.map(|()| number)
        })
    }

    fn replace(&self, sheet: u32, keys: &SheetKeys) -> io::Result<()> {
        let (inner, keys) = (Arc::clone(&self.0), keys.clone());
        self.wait(async move { inner.write(sheet, keys, Naming::InPlace).await })
    }

    fn remove(&self, sheets: &[u32]) -> io::Result<()> {
        let (inner, sheets) = (Arc::clone(&self.0), sheets.to_vec());
        self.wait(async move { inner.remove(sheets).await })
    }

    fn look(&self, known: &HashSet<u32>) -> io::Result<Changes> {
        let (inner, known) = (Arc::clone(&self.0), known.clone());
        self.wait(async move { inner.look(known).await })
    }

    fn begin_destroying(&self) -> io::Result<Option<Destroying>> {
        let inner = Arc::clone(&self.0);
        let is_kept = self.wait(async move {
            let look = inner.rows.read(|db| is_kept(db, Lock::KeepKeys).boxed());
            look.await.map_err(io::Error::other)
        })?;
        Ok((!is_kept).then(Destroying::default))
    }

    fn peek(&self, id: KeyId) -> io::Result<Zeroizing<[u8; KEY]>> {
        let inner = Arc::clone(&self.0);
        self.wait(async move { inner.read(id).await })?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// How the row of a sheet comes to name an object.
#[derive(Clone, Copy)]
enum Naming {
    New,
    InPlace,
}

impl Inner {
    /// Writes keys into a new object, and has the sheet's row name it.
    async fn write(&self, sheet: u32, keys: SheetKeys, naming: Naming) -> io::Result<()> {
        let _alone = self.writing.lock().await;
        let object = format!("{sheet:08x}-{}", FolderId::random());
        self.begin(&object).await?;
        // After an error nobody can tell whether it is there, or named: `clear` looks.
        self.objects.put(&object, keys).await?;
        self.name(sheet, &object, naming).await
    }

    async fn begin(&self, object: &str) -> io::Result<()> {
        let (object, owner) = (object.to_owned(), self.owner());
        let begun =
            self.rows.read(|db| async move { db.execute(BEGUN, &[&object, &owner]).await.map(drop) }.boxed());
        begun.await.map_err(io::Error::other)
    }

    async fn name(&self, sheet: u32, object: &str, naming: Naming) -> io::Result<()> {
        let (object, owner) = (object.to_owned(), self.owner());
        let named = self
            .rows
            .write(move |change| async move { name(change, sheet, &object, &owner, naming).await }.boxed());
        named.await.map_err(io::Error::other)
    }

    /// What is still being written under this node's name was cut off.
    async fn abandon(&self) -> io::Result<()> {
        let _alone = self.writing.lock().await;
        let owner = self.owner();
        let work =
            self.rows.read(move |db| async move { db.execute(ABANDONED, &[&owner]).await.map(drop) }.boxed());
        work.await.map_err(io::Error::other)
    }

    async fn remove(&self, sheets: Vec<u32>) -> io::Result<()> {
        let (sheets, owner): (Vec<_>, _) = (sheets.into_iter().map(i64::from).collect(), self.owner());
        let work = self.rows.write(move |change| {
            async move {
                let objects = texts(change.db.query(REMOVED, &[&sheets, &owner]).await?)?;
                change.db.execute(DOOM, &[&objects]).await?;
                Ok(())
            }
            .boxed()
        });
        work.await.map_err(io::Error::other)
    }

    /// Takes over what is of nobody, and reads what was taken over long enough ago.
    async fn look(&self, known: HashSet<u32>) -> io::Result<Changes> {
        self.let_go().await?;
        let owner = self.owner();
        let ours = self.rows.write(move |change| async move { ours(change, &owner).await }.boxed());
        let ours = ours.await.map_err(io::Error::other)?;
        let still: HashSet<u32> = ours.iter().map(|sheet| sheet.number).collect();
        let lost: Vec<u32> = known.difference(&still).copied().collect();
        if !lost.is_empty() {
            tracing::warn!(sheets = lost.len(), "another node has taken over keys of this one");
        }
        let mut taken = Vec::new();
        for sheet in ours.into_iter().filter(|sheet| sheet.is_settled && !known.contains(&sheet.number)) {
            match self.objects.get(&sheet.object).await? {
                Some(keys) => taken.push((sheet.number, whole(keys))),
                None if self.memory().missing.insert(sheet.number) => tracing::error!(
                    object = sheet.object,
                    "an object with keys is missing in the blob store: restore it from a version of the bucket"
                ),
                None => {}
            }
        }
        Ok(Changes { taken, lost })
    }

    /// Forgets sheets of other nodes that are in another object by now: they held keys that are to be nowhere.
    async fn let_go(&self) -> io::Result<()> {
        let numbers: Vec<_> = self.memory().held.keys().copied().map(i64::from).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        let work = self.rows.read(move |db| async move { db.query(CURRENT, &[&numbers]).await }.boxed());
        let rows = work.await.map_err(io::Error::other)?;
        let mut current = HashMap::new();
        for row in rows {
            let (sheet, object): (u32, String) = (
                number(&row, "number").map_err(io::Error::other)?,
                get(&row, "object").map_err(io::Error::other)?,
            );
            current.insert(sheet, object);
        }
        self.memory().held.retain(|sheet, held| current.get(sheet) == Some(&held.object));
        Ok(())
    }

    async fn read(&self, id: KeyId) -> io::Result<Option<Zeroizing<[u8; KEY]>>> {
        for _ in 0..TRIES {
            let sheet = i64::from(id.sheet());
            let work = self.rows.read(move |db| {
                async move { db.row(OBJECT, &[&sheet]).await?.map(|row| get(&row, "object")).transpose() }
                    .boxed()
            });
            let Some(object): Option<String> = work.await.map_err(io::Error::other)? else { return Ok(None) };
            if self.memory().held.get(&id.sheet()).is_none_or(|held| held.object != object) {
                let Some(keys) = self.objects.get(&object).await? else { continue };
                self.memory().hold(id.sheet(), HeldSheet { object, keys: whole(keys) });
            }
            let memory = self.memory();
            return Ok(memory.held.get(&id.sheet()).and_then(|held| key_at(&held.keys, id.slot())));
        }
        Ok(None)
    }

    async fn clear(&self) -> io::Result<()> {
        self.abandon().await?;
        loop {
            let owner = self.owner();
            let work = self
                .rows
                .read(move |db| async move { texts(db.query(DOOMED, &[&owner, &AT_ONCE]).await?) }.boxed());
            let doomed = work.await.map_err(io::Error::other)?;
            if doomed.is_empty() {
                return Ok(());
            }
            for object in &doomed {
                self.objects.delete(object).await?;
            }
            let work =
                self.rows.read(move |db| async move { db.execute(GONE, &[&doomed]).await.map(drop) }.boxed());
            work.await.map_err(io::Error::other)?;
        }
    }

    /// Objects that were listed had a row before they were written; those that have none any more were to be gone.
    async fn search(&self) -> io::Result<()> {
        let listed = self.objects.list().await?;
        let asked = listed.clone();
        let work = self.rows.read(move |db| async move { texts(db.query(KNOWN, &[&asked]).await?) }.boxed());
        let known: HashSet<String> = work.await.map_err(io::Error::other)?.into_iter().collect();
        for object in listed.iter().filter(|object| !known.contains(*object)) {
            self.objects.delete(object).await?;
        }
        Ok(())
    }

    fn owner(&self) -> FolderId {
        self.rows.node.clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn hold(&mut self, sheet: u32, held: HeldSheet) {
        if self.held.len() >= HELD
            && let Some(other) = self.held.keys().next().copied()
        {
            self.held.remove(&other);
        }
        self.held.insert(sheet, held);
    }
}

/// The order of the locks is that of [`ours`]: sheets, then objects.
async fn name(change: &mut Change, sheet: u32, object: &str, owner: &FolderId, naming: Naming) -> Result<()> {
    let sheet = Number(sheet);
    match naming {
        Naming::New => {
            change.db.execute(CREATED, &[&sheet, owner, &object]).await?;
        }
        Naming::InPlace => {
            let row = change.db.row(OWNED, &[&sheet, owner]).await?;
            let old: String = get(&row.ok_or_else(taken_over)?, "object")?;
            change.db.execute(REPLACED, &[&sheet, &object]).await?;
            change.db.execute(DOOM, &[&vec![old]]).await?;
        }
    }
    match change.db.execute(WRITTEN, &[&object, owner]).await? {
        1 => Ok(()),
        _ => Err(taken_over()),
    }
}

fn taken_over() -> crate::store::StoreError {
    database("another node has taken over keys of this one, which was away for too long")
}

struct OwnSheet {
    number: u32,
    object: String,
    is_settled: bool,
}

async fn ours(change: &mut Change, owner: &FolderId) -> Result<Vec<OwnSheet>> {
    let sheets = change.db.execute(TAKE_SHEETS, &[owner]).await?;
    change.db.execute(TAKE_OBJECTS, &[owner]).await?;
    if sheets > 0 {
        tracing::info!(sheets, "keys of a node that has ended are this one's now");
    }
    let rows = change.db.query(OURS, &[owner]).await?;
    let sheet = |row: &tokio_postgres::Row| {
        Ok(OwnSheet {
            number: number(row, "number")?,
            object: get(row, "object")?,
            is_settled: get(row, "is_settled")?,
        })
    };
    rows.iter().map(sheet).collect()
}

fn texts(rows: Vec<tokio_postgres::Row>) -> Result<Vec<String>> {
    rows.iter().map(|row| get(row, "object")).collect()
}

/// Whole keys only.
fn whole(mut keys: SheetKeys) -> SheetKeys {
    let whole = keys.len() - keys.len() % KEY;
    keys.truncate(whole);
    keys
}
