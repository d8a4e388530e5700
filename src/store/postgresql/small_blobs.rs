//! Blobs of which small ones are rows: an object store takes some milliseconds for each object, of its own time and of ours,
//! however small it is, and most messages have no large part. Wired by `home`, in front of the bucket.
//!
//! A small blob is sealed as any other, and what opens it is in objects beneath `keys/`: nothing can be done with what the
//! database's log holds of one whose keys are gone (C29).

use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use super::Postgres;
use super::batches::Batches;
use super::change::same;
use super::columns::{Time, get, limit, number, time};
use crate::clock::{Clock, Timestamp};
use crate::id::BlobName;
use crate::store::{BlobFacts, BlobWriter, Blobs, Result, StoreError};

/// What has no more bytes is a row: a message without attachments, and the list of the files of any.
const SMALL: usize = 32 * 1024;
/// So many statements are on their way side by side.
const SIDE_BY_SIDE: usize = 2;

/// Of one node.
pub struct SmallBlobs {
    inner: Arc<Inner>,
}

struct Inner {
    rows: Postgres,
    large: Arc<dyn Blobs>,
    clock: Clock,
    runtime: Handle,
    /// Named, and not settled yet.
    closed: Mutex<HashMap<BlobName, Bytes>>,
    batches: Arc<Batches<Vec<SmallBlob>, ()>>,
}

#[derive(Clone)]
struct SmallBlob {
    name: BlobName,
    content: Bytes,
}

impl SmallBlobs {
    /// In front of `large`, which has the others. Statements run on `runtime`, which must have threads of its own.
    pub fn new(rows: Postgres, large: Arc<dyn Blobs>, clock: Clock, runtime: Handle) -> Self {
        let batches = Batches::new(SIDE_BY_SIDE);
        Self { inner: Arc::new(Inner { rows, large, clock, runtime, closed: Mutex::default(), batches }) }
    }
}

/// With an intent, as before any blob: what no row comes to name is given up.
pub(super) const INSERT: &str = "
    WITH new AS (SELECT * FROM unnest($1::text[], $3::bytea[]) AS new (blob, content)),
    intended AS (INSERT INTO intents (blob, made) SELECT blob, $2 FROM new)
    INSERT INTO small_blobs (blob, written, content) SELECT blob, $2, content FROM new";
pub(super) const REPLACE: &str = "
    INSERT INTO small_blobs (blob, written, content) VALUES ($1, $2, $3)
    ON CONFLICT (blob) DO UPDATE SET written = excluded.written, content = excluded.content";
pub(super) const CONTENT: &str = "SELECT content FROM small_blobs WHERE blob = $1";
pub(super) const FACTS: &str =
    "SELECT octet_length(content)::bigint AS size, written FROM small_blobs WHERE blob = $1";
pub(super) const REMOVE: &str = "DELETE FROM small_blobs WHERE blob = $1";
pub(super) const NAMES: &str = "SELECT blob FROM small_blobs WHERE blob > $1 ORDER BY blob LIMIT $2";

impl Inner {
    /// Waits on a thread that may. On one that runs tasks, the others go on elsewhere.
    fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> io::Result<T> {
        block_in_place(|| self.runtime.block_on(work)).map_err(io::Error::other)
    }

    /// Writes them down, together with those of others.
    fn insert(&self, blobs: Vec<SmallBlob>) -> io::Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let octets = blobs.iter().map(|blob| blob.content.len()).sum();
        let (rows, clock) = (self.rows.clone(), self.clock.clone());
        let work = move |jobs| insert_all(rows.clone(), clock.now(), jobs);
        self.wait(self.batches.run(blobs, octets, work))
    }

    fn replace(&self, SmallBlob { name, content }: SmallBlob) -> io::Result<()> {
        let now = Time(self.clock.now());
        self.wait(self.rows.read(move |db| {
            async move { db.execute(REPLACE, &[&name, &now, &&content[..]]).await.map(drop) }.boxed()
        }))
    }

    fn content(&self, name: &BlobName) -> io::Result<Option<Bytes>> {
        if let Some(content) = self.closed().get(name) {
            return Ok(Some(content.clone()));
        }
        let name = name.clone();
        let row =
            self.wait(self.rows.read(move |db| async move { db.row(CONTENT, &[&name]).await }.boxed()))?;
        let content: Option<Vec<u8>> =
            row.map(|row| get(&row, "content")).transpose().map_err(io::Error::other)?;
        Ok(content.map(Bytes::from))
    }

    fn closed(&self) -> MutexGuard<'_, HashMap<BlobName, Bytes>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All or none.
async fn insert_all(rows: Postgres, now: Timestamp, jobs: Vec<Vec<SmallBlob>>) -> Vec<Result<()>> {
    let count = jobs.len();
    let insert = rows.read(move |db| {
        async move {
            let blobs = || jobs.iter().flatten();
            let names: Vec<&BlobName> = blobs().map(|blob| &blob.name).collect();
            let contents: Vec<&[u8]> = blobs().map(|blob| &blob.content[..]).collect();
            db.execute(INSERT, &[&names, &Time(now), &contents]).await.map(drop)
        }
        .boxed()
    });
    let done = insert.await;
    (0..count).map(|_| done.as_ref().map(|&()| ()).map_err(same)).collect()
}

impl Blobs for SmallBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer::new(&self.inner, None)))
    }

    fn create_as(&self, name: &BlobName) -> io::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer::new(&self.inner, Some(name.clone()))))
    }

    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let Some(content) = self.inner.content(name)? else { return self.inner.large.open_at(name, offset) };
        let mut content = Cursor::new(content);
        content.set_position(offset);
        Ok(Box::new(content))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        if self.inner.closed().remove(name).is_some() {
            return Ok(());
        }
        let (rows, asked) = (&self.inner.rows, name.clone());
        let work = rows.read(move |db| async move { db.execute(REMOVE, &[&asked]).await }.boxed());
        match self.inner.wait(work)? {
            0 => self.inner.large.remove(name),
            _ => Ok(()),
        }
    }

    fn settle(&self, names: &[BlobName]) -> io::Result<()> {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for name in names {
            match self.inner.closed().remove(name) {
                Some(content) => small.push(SmallBlob { name: name.clone(), content }),
                None => large.push(name.clone()),
            }
        }
        self.inner.insert(small)?;
        self.inner.large.settle(&large)
    }

    fn room(&self) -> io::Result<Option<u64>> {
        self.inner.large.room()
    }

    fn names(&self, after: Option<&BlobName>, most: usize) -> io::Result<Vec<BlobName>> {
        let (rows, from) = (&self.inner.rows, after.map(ToString::to_string).unwrap_or_default());
        let work = rows.read(move |db| {
            async move {
                let rows = db.query(NAMES, &[&from, &limit(most)]).await?;
                rows.iter().map(|row| get(row, "blob")).collect::<Result<Vec<BlobName>>>()
            }
            .boxed()
        });
        let mut names = self.inner.wait(work)?;
        names.extend(self.inner.large.names(after, most)?);
        names.sort_unstable();
        names.truncate(most);
        Ok(names)
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let (rows, asked) = (&self.inner.rows, name.clone());
        let row = rows.read(move |db| async move { db.row(FACTS, &[&asked]).await }.boxed());
        let Some(row) = self.inner.wait(row)? else { return self.inner.large.look(name) };
        let facts = || {
            Ok::<_, StoreError>(BlobFacts { size: number(&row, "size")?, written: time(&row, "written")? })
        };
        facts().map(Some).map_err(io::Error::other)
    }

    fn end_unfinished(&self, before: Timestamp, stop: &CancellationToken) -> io::Result<usize> {
        self.inner.large.end_unfinished(before, stop)
    }
}

/// A blob of which nobody knows yet how large it becomes.
struct Writer {
    inner: Arc<Inner>,
    /// `None`: it gets one of its own.
    name: Option<BlobName>,
    buffer: Vec<u8>,
    /// Once it has outgrown the buffer.
    large: Option<Box<dyn BlobWriter>>,
}

impl Writer {
    fn new(inner: &Arc<Inner>, name: Option<BlobName>) -> Self {
        Self { inner: Arc::clone(inner), name, buffer: Vec::new(), large: None }
    }

    fn outgrow(&mut self) -> io::Result<&mut Box<dyn BlobWriter>> {
        let mut large = match &self.name {
            Some(name) => self.inner.large.create_as(name)?,
            None => self.inner.large.create()?,
        };
        large.write_all(&mem::take(&mut self.buffer))?;
        Ok(self.large.insert(large))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.large.is_none() && self.buffer.len() + bytes.len() <= SMALL {
            self.buffer.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let large = match &mut self.large {
            Some(large) => large,
            None => self.outgrow()?,
        };
        large.write(bytes)
    }

    /// Nothing is there before the commit.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Writer {
    fn commit(self: Box<Self>) -> io::Result<BlobName> {
        let Self { inner, name, buffer, large } = *self;
        match (large, name) {
            (Some(large), _) => large.commit(),
            (None, Some(name)) => {
                inner.replace(SmallBlob { name: name.clone(), content: buffer.into() })?;
                Ok(name)
            }
            (None, None) => {
                let name = BlobName::random();
                inner.insert(vec![SmallBlob { name: name.clone(), content: buffer.into() }])?;
                Ok(name)
            }
        }
    }

    fn close(self: Box<Self>) -> io::Result<BlobName> {
        match self.large.is_some() || self.name.is_some() {
            true => self.commit(),
            false => {
                let name = BlobName::random();
                self.inner.closed().insert(name.clone(), self.buffer.into());
                Ok(name)
            }
        }
    }
}
