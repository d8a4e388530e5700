//! [`Blobs`] as objects of a bucket, which any number of gateways share: `<prefix>/blobs/<name>`, beside `folder-<id>` that says
//! whose they are and `keys/` for keys of short life. The only place that knows names of objects.
//!
//! An object is there whole or not at all, and never changed. A name is written down before the upload begins ([`names`]), so that what a
//! gateway left that died is found without a look at what others write. Nothing depends on conditional requests, which
//! some services ignore: names are random. Every call is bounded in time and memory, and made again while its fault may
//! pass ([`retry`]); what failed is an error that says which object it was and what the service said ([`service`]).

mod connect;
mod credentials;
mod health;
mod keys;
mod names;
mod read;
mod remote;
mod retry;
mod service;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod versions;
mod write;

use std::future::Future;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use self::names::{Intended, Names};
use self::remote::Remote;
use self::versions::Told;
use self::write::{LARGE_AT_ONCE, Writer};
use super::{BlobFacts, BlobIntents, BlobWriter, Blobs};
use crate::clock::{Clock, Timestamp};
use crate::config::Bucket;
use crate::id::{BlobName, FolderId};

/// Beneath which blobs are.
const BLOBS: &str = "blobs/";

/// Uploads that nobody ended are looked for no more often: they are rare, and a look is a request that costs.
const BETWEEN_LOOKS: Duration = Duration::from_hours(1);

/// The blobs of a gateway of several nodes, as one of them sees them.
pub struct ObjectBlobs {
    inner: Arc<Inner>,
}

struct Inner {
    remote: Remote,
    names: Names,
    /// When uploads were last looked for that nobody ended.
    looked: Mutex<Option<Instant>>,
    /// When it was last told that old versions of keys stay.
    versions_told: Told,
    /// Turns of the writers that hold much.
    large: Arc<Semaphore>,
    runtime: Handle,
}

impl ObjectBlobs {
    /// Objects in this bucket. Requests run on `runtime`, which must have threads of its own. Nothing is connected yet; an error is
    /// of the configuration.
    pub fn new(
        bucket: &Bucket,
        intents: Arc<dyn BlobIntents>,
        clock: Clock,
        runtime: Handle,
    ) -> io::Result<Self> {
        let inner = Inner {
            remote: Remote::new(bucket)?,
            names: Names::new(intents, clock),
            looked: Mutex::default(),
            versions_told: Told::default(),
            large: Arc::new(Semaphore::new(LARGE_AT_ONCE)),
            runtime,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which installation the blobs are of; `None` where nothing says so.
    pub async fn id(&self) -> io::Result<Option<FolderId>> {
        self.inner.remote.id().await
    }

    /// Says which installation the blobs are of, in place of what was said before. Durable when it returns. Before that, no
    /// blob is believed to be missing.
    pub async fn set_id(&self, id: &FolderId) -> io::Result<()> {
        self.inner.remote.set_id(id).await
    }
}

impl Inner {
    /// Waits on a thread that may. On one that runs tasks, the others go on elsewhere.
    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        block_in_place(|| self.runtime.block_on(work))
    }
}

fn key_of(name: &BlobName) -> String {
    format!("{BLOBS}{name}")
}

impl Blobs for ObjectBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        let name = self.inner.wait(self.inner.names.next())?;
        Ok(Box::new(Writer::new(Arc::clone(&self.inner), name)))
    }

    fn create_as(&self, name: &BlobName) -> io::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer::new(Arc::clone(&self.inner), Intended::given(name.clone()))))
    }

    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let key = self.inner.remote.key(key_of(name));
        self.inner.wait(read::open(Arc::clone(&self.inner), key, offset))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.inner.wait(self.inner.remote.remove(&self.inner.remote.key(key_of(name))))
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        let after = after.map(BlobName::as_str);
        self.inner.wait(self.inner.remote.list(BLOBS, after, limit, |name| name.parse().ok()))
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let remote = &self.inner.remote;
        let Some(object) = self.inner.wait(remote.look(&remote.key(key_of(name))))? else { return Ok(None) };
        let written = Timestamp::from_microsecond(object.last_modified.timestamp_micros());
        Ok(Some(BlobFacts { size: object.size, written: written.map_err(io::Error::other)? }))
    }

    fn end_unfinished(&self, before: Timestamp, stop: &CancellationToken) -> io::Result<usize> {
        let mut looked = self.inner.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < BETWEEN_LOOKS) {
            return Ok(0);
        }
        *looked = Some(Instant::now());
        drop(looked);
        self.inner.wait(async {
            tokio::select! {
                ended = self.end_uploads(before) => ended,
                () = stop.cancelled() => Err(io::ErrorKind::Interrupted.into()),
            }
        })
    }
}
