//! Writes the sealed parts of one transfer. Called by `sealing`, on a thread that may block.
//!
//! Each part is a blob of its own, and to make one durable takes a disk or an object store some milliseconds however small it
//! is. So several are written at once, and all are settled together.
//!
//! What must never happen: a part that stays behind after an error, or a transfer whose parts are not durable (C02).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::mem::take;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crc32fast::Hasher;

use super::index::sealed_name;
use crate::seal::keys::TransferKey;
use crate::seal::{Result, write::write};
use crate::store::{Blobs, Part, discard};

/// Parts of a transfer that are written at once.
const WRITERS: usize = 16;
/// Threads that all transfers together have for that, besides their own.
const MOST_HELPERS: usize = 64;

/// The bytes of a file: in memory, or as they come.
pub enum FileData<'a> {
    /// All of them.
    Bytes(Cow<'a, [u8]>),
    /// They are read once, when the part is written.
    Stream(Box<dyn Read + Send + 'a>),
}

impl<'a, T: Into<Cow<'a, [u8]>>> From<T> for FileData<'a> {
    fn from(octets: T) -> Self {
        Self::Bytes(octets.into())
    }
}

impl fmt::Debug for FileData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(octets) => write!(f, "{} bytes", octets.len()),
            Self::Stream(_) => f.write_str("a stream"),
        }
    }
}

/// A part that is to be written.
pub(super) struct NewPart<'a> {
    pub number: u32,
    pub name: String,
    pub data: FileData<'a>,
}

/// What is known of a part once it is written.
#[derive(Clone, Copy)]
pub(super) struct PartFacts {
    pub size: u64,
    pub crc32: u32,
}

/// Writes parts, and takes them back unless it comes to [`PartWriter::finish`].
pub(super) struct PartWriter<'a> {
    blobs: &'a dyn Blobs,
    key: &'a TransferKey,
    written: Mutex<Vec<(Part, u32)>>,
}

impl<'a> PartWriter<'a> {
    pub fn new(blobs: &'a dyn Blobs, key: &'a TransferKey) -> Self {
        Self { blobs, key, written: Mutex::default() }
    }

    /// Writes all of these, up to [`WRITERS`] at once. After the first error no other part is begun.
    pub fn write_all(&self, parts: Vec<NewPart<'_>>) -> Result<()> {
        let writers = WRITERS.min(parts.len());
        let (waiting, failure) = (Mutex::new(parts.into_iter()), OnceLock::new());
        let work = || {
            while failure.get().is_none() {
                // Taken out first: a guard in the condition would be held while the part is written.
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(part) = next else { return };
                if let Err(error) = self.write(part) {
                    // Of several errors one is told.
                    let _ = failure.set(error);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..writers {
                let Some(helper) = Helper::take() else { break };
                let work = move || {
                    let _helper = helper;
                    work();
                };
                // Without another thread this one writes them all.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        failure.into_inner().map_or(Ok(()), Err)
    }

    /// What is known of the parts so far, by their numbers.
    pub fn facts(&self) -> BTreeMap<u32, PartFacts> {
        let fact = |(part, crc32): &(Part, u32)| (part.number, PartFacts { size: part.size, crc32: *crc32 });
        self.written().iter().map(fact).collect()
    }

    /// Makes the parts durable; gives them in the order of their numbers.
    pub fn finish(self) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = self.written().iter().map(|(part, _)| part.clone()).collect();
        let names: Vec<_> = parts.iter().map(|part| part.blob.clone()).collect();
        self.blobs.settle(&names)?;
        take(&mut *self.written());
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    fn write(&self, part: NewPart<'_>) -> Result<()> {
        let NewPart { number, name, data } = part;
        match data {
            FileData::Bytes(octets) => self.write_from(number, &name, &mut &octets[..]),
            FileData::Stream(mut stream) => self.write_from(number, &name, &mut stream),
        }
    }

    fn write_from(&self, number: u32, name: &str, content: &mut dyn Read) -> Result<()> {
        let mut sink = self.blobs.create()?;
        let mut content = Checked { content, crc32: Hasher::new() };
        let size = write(self.key, &mut *sink, &sealed_name(number, name), &mut content)?;
        let blob = sink.close()?;
        self.written().push((Part { number, blob, size }, content.crc32.finalize()));
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, Vec<(Part, u32)>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PartWriter<'_> {
    fn drop(&mut self) {
        discard(self.blobs, self.written().iter().map(|(part, _)| &part.blob));
    }
}

/// One of [`MOST_HELPERS`].
struct Helper;

static HELPERS: AtomicUsize = AtomicUsize::new(0);

impl Helper {
    fn take() -> Option<Self> {
        let one_more = |helpers| (helpers < MOST_HELPERS).then_some(helpers + 1);
        HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the checksum of what is read from it.
struct Checked<'a> {
    content: &'a mut dyn Read,
    crc32: Hasher,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.crc32.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Condvar};
    use std::time::Duration;

    use super::*;
    use crate::id::BlobName;
    use crate::seal::SealError;
    use crate::store::{BlobFacts, BlobWriter};
    use crate::transfer::testing::MemoryBlobs;

    /// Blobs that take their time: none is there before as many are being written as ever will be.
    #[derive(Default)]
    struct SlowBlobs {
        blobs: MemoryBlobs,
        busy: Arc<(Mutex<Busy>, Condvar)>,
        /// What was settled.
        settled: Mutex<Vec<BlobName>>,
        is_broken: bool,
    }

    #[derive(Default)]
    struct Busy {
        now: usize,
        most: usize,
        awaited: usize,
    }

    struct SlowWriter(Box<dyn BlobWriter>, Arc<(Mutex<Busy>, Condvar)>);

    impl Blobs for SlowBlobs {
        fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
            Ok(Box::new(SlowWriter(self.blobs.create()?, Arc::clone(&self.busy))))
        }
        fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            self.blobs.open_at(name, offset)
        }
        fn remove(&self, name: &BlobName) -> io::Result<()> {
            self.blobs.remove(name)
        }
        fn settle(&self, names: &[BlobName]) -> io::Result<()> {
            self.settled.lock().unwrap().extend_from_slice(names);
            if self.is_broken { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
        fn room(&self) -> io::Result<Option<u64>> {
            Ok(None)
        }
        fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
            self.blobs.names(after, limit)
        }
        fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
            self.blobs.look(name)
        }
    }

    impl io::Write for SlowWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    impl BlobWriter for SlowWriter {
        fn commit(self: Box<Self>) -> io::Result<BlobName> {
            panic!("one of many is closed, and settled with the others");
        }
        fn close(self: Box<Self>) -> io::Result<BlobName> {
            let Self(writer, busy) = *self;
            let (busy, changed) = &*busy;
            let mut state = busy.lock().unwrap();
            state.now += 1;
            state.most = state.most.max(state.now);
            changed.notify_all();
            let limit = Duration::from_secs(20);
            let (mut state, waited) =
                changed.wait_timeout_while(state, limit, |state| state.most < state.awaited).unwrap();
            assert!(!waited.timed_out(), "only {} are written at once", state.most);
            state.now -= 1;
            drop(state);
            writer.close()
        }
    }

    fn parts<'a>(count: u32) -> Vec<NewPart<'a>> {
        let part = |number| NewPart { number, name: format!("{number}.txt"), data: vec![b'x'; 100].into() };
        (1..=count).map(part).collect()
    }

    /// A mail with thousands of files is answered in time where each flush takes a while.
    #[test]
    fn several_parts_are_written_at_once_and_no_more() {
        let (slow, key) = (SlowBlobs::default(), TransferKey::random());
        slow.busy.0.lock().unwrap().awaited = WRITERS;
        let writer = PartWriter::new(&slow, &key);
        writer.write_all(parts(500)).unwrap();
        assert_eq!(slow.busy.0.lock().unwrap().most, WRITERS);
        assert!(writer.facts().values().all(|fact| fact.size == 100) && writer.facts().len() == 500);
        assert!(slow.settled.lock().unwrap().is_empty());
        let written = writer.finish().unwrap();
        assert!(written.iter().map(|part| part.number).eq(1..=500));
        let names: BTreeSet<BlobName> = written.into_iter().map(|part| part.blob).collect();
        assert_eq!(names, slow.settled.lock().unwrap().drain(..).collect());
        assert_eq!(slow.blobs.contents().len(), 500, "what was finished stays");
    }

    /// C03
    #[test]
    fn whatever_fails_nothing_stays() {
        let key = TransferKey::random();
        for allowed in [0, 1, 40, 99] {
            let full = MemoryBlobs::failing_after(allowed);
            let error = PartWriter::new(&full, &key).write_all(parts(100)).unwrap_err();
            assert!(matches!(error, SealError::Io(_)), "{error:?}");
            assert!(full.contents().is_empty(), "after {allowed} parts");
        }
        let unsettled = SlowBlobs { is_broken: true, ..SlowBlobs::default() };
        let writer = PartWriter::new(&unsettled, &key);
        writer.write_all(parts(20)).unwrap();
        writer.finish().unwrap_err();
        assert!(unsettled.blobs.contents().is_empty());
    }
}
