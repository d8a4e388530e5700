//! A blob on its way to the bucket: with one request where it is small, else in parts, each of which is sent again by itself
//! when it fails. A writer holds one part in memory.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, ObjectStoreExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::names::Intended;
use super::service::Fault;
use super::{Inner, key_of};
use crate::id::BlobName;
use crate::store::BlobWriter;

/// Bytes of a part; what has no more is sent at once. S3 has up to 10,000 parts of 5 MiB and more, so a blob up to 80 GiB.
pub(super) const PART: usize = 8 * 1024 * 1024;
/// Beyond so many bytes a writer waits until few others are as large.
const SMALL: usize = 1024 * 1024;
/// How many may be.
pub(super) const LARGE_AT_ONCE: usize = 16;
/// How long a writer waits for that.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Writer {
    inner: Arc<Inner>,
    name: Intended,
    key: Path,
    buffer: Vec<u8>,
    /// While it is held, the buffer may be large.
    large: Option<OwnedSemaphorePermit>,
    upload: Option<Upload>,
    /// A part was not taken: nothing more is written.
    failed: bool,
}

/// An upload in parts, which has begun and must be ended.
struct Upload {
    id: MultipartId,
    parts: Vec<PartId>,
    size: u64,
}

impl Writer {
    pub fn new(inner: Arc<Inner>, name: Intended) -> Self {
        let key = inner.remote.key(key_of(&name.name));
        Self { inner, name, key, buffer: Vec::new(), large: None, upload: None, failed: false }
    }

    fn grow(&mut self, more: &[u8]) -> io::Result<()> {
        if self.large.is_none() && self.buffer.len() + more.len() > SMALL {
            let turns = Arc::clone(&self.inner.large);
            let turn = self.inner.wait(async { timeout(PATIENCE, turns.acquire_owned()).await });
            let Ok(Ok(turn)) = turn else {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "too many large blobs are being written",
                ));
            };
            self.large = Some(turn);
        }
        self.buffer.extend_from_slice(more);
        Ok(())
    }

    /// Sends what is in the buffer as the next part.
    fn send_part(&mut self) -> io::Result<()> {
        let bytes = Bytes::from(mem::take(&mut self.buffer));
        let inner = Arc::clone(&self.inner);
        let sent = inner.wait(self.send(bytes));
        self.failed = sent.is_err();
        sent.map_err(|fault| inner.remote.error(fault, &self.key))
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let Self { inner, key, .. } = self;
        let (remote, s3) = (&inner.remote, &inner.remote.s3);
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let id = remote.call(0, || s3.create_multipart(key)).await?;
                none.insert(Upload { id, parts: Vec::new(), size: 0 })
            }
        };
        let (size, number) = (bytes.len() as u64, upload.parts.len());
        let part = remote.call(size, || s3.put_part(key, &upload.id, number, bytes.clone().into())).await?;
        upload.parts.push(part);
        upload.size += size;
        Ok(())
    }

    /// Makes one object of the parts. Where the answer got lost, the object itself says whether it was done.
    async fn complete(&mut self) -> Result<(), Fault> {
        let Some(upload) = &self.upload else { return Ok(()) };
        let (remote, s3) = (&self.inner.remote, &self.inner.remote.s3);
        let done =
            remote.call(0, || s3.complete_multipart(&self.key, &upload.id, upload.parts.clone())).await;
        if let Err(fault) = done {
            let whole =
                remote.call(0, || s3.head(&self.key)).await.is_ok_and(|object| object.size == upload.size);
            if !whole {
                return Err(fault);
            }
        }
        self.upload = None;
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("a part of the blob was not taken"));
        }
        // Only once there is more: the last part is sent by the commit.
        if self.buffer.len() == PART && !bytes.is_empty() {
            self.send_part()?;
        }
        let room = PART - self.buffer.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.grow(taken)?;
        Ok(taken.len())
    }

    /// Nothing is there before the commit.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for Writer {
    fn commit(mut self: Box<Self>) -> io::Result<BlobName> {
        if self.failed {
            return Err(io::Error::other("a part of the blob was not taken"));
        }
        let inner = Arc::clone(&self.inner);
        if self.upload.is_some() {
            self.send_part()?;
            let done = inner.wait(self.complete());
            done.map_err(|fault| inner.remote.error(fault, &self.key))?;
        } else {
            let bytes = Bytes::from(mem::take(&mut self.buffer));
            let put = inner.wait(inner.remote.put(&self.key, bytes));
            put.map_err(|fault| inner.remote.error(fault, &self.key))?;
        }
        self.name.check()?;
        Ok(self.name.name.clone())
    }
}

impl Drop for Writer {
    /// Parts that were sent are given up. Where that fails, or the process ends before, they are found a day later
    /// (see `super::sweep`).
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let (inner, key) = (Arc::clone(&self.inner), self.key.clone());
        self.inner.runtime.spawn(async move {
            let ended = inner.remote.call(0, || inner.remote.s3.abort_multipart(&key, &upload.id)).await;
            if let Err(fault) = ended {
                let error = inner.remote.error(fault, &key);
                tracing::warn!(%error, "parts of a blob that was given up stay behind for a day");
            }
        });
    }
}
