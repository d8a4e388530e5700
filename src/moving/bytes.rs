//! Sealed bytes, several blobs at once, each compared by its hash.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{Context as Hash, Digest, SHA256};

use super::Progress;
use crate::id::BlobName;
use crate::store::{Blobs, all_names};

/// Blobs that are copied at once: a bucket takes its time for each.
const AT_ONCE: usize = 8;
/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// What became of the blobs that rows name.
#[derive(Default)]
pub struct Copied {
    pub blobs: u64,
    /// They were not there.
    pub lost: Vec<BlobName>,
}

/// Fails where a bucket holds what none of our rows names: it is another's, or not empty. What an earlier move has left is fine.
pub fn refuse_others(bucket: &dyn Blobs, named: &[BlobName]) -> Result<()> {
    let named: HashSet<_> = named.iter().collect();
    match all_names(bucket)?.iter().find(|name| !named.contains(name)) {
        Some(other) => {
            bail!("the bucket is not empty: blob {other} is none of this gateway's; name an empty one")
        }
        None => Ok(()),
    }
}

/// Copies all blobs in `named`, but for those that are there already.
pub fn copy(from: &dyn Blobs, to: &dyn Blobs, named: &[BlobName], progress: &dyn Progress) -> Result<Copied> {
    let (next, copied) = (AtomicUsize::new(0), Mutex::new(Copied::default()));
    let work = || -> Result<()> {
        while let Some(name) = named.get(next.fetch_add(1, Ordering::Relaxed)) {
            let is_there = copy_one(from, to, name).with_context(|| format!("blob {name}"));
            if is_there.is_err() {
                // The others stop as well.
                next.store(named.len(), Ordering::Relaxed);
            }
            let is_there = is_there?;
            let mut copied = copied.lock().unwrap_or_else(PoisonError::into_inner);
            match is_there {
                true => copied.blobs += 1,
                false => copied.lost.push(name.clone()),
            }
            progress.at("blobs", copied.blobs + copied.lost.len() as u64, named.len() as u64);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut ends = workers.into_iter().map(|worker| worker.join());
        ends.try_for_each(|end| end.unwrap_or_else(|_| bail!("a thread that copies blobs has died")))
    })?;
    to.settle(named)?;
    Ok(copied.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Whether there was one to copy.
fn copy_one(from: &dyn Blobs, to: &dyn Blobs, name: &BlobName) -> Result<bool> {
    let Some(facts) = from.look(name)? else { return Ok(false) };
    if to.look(name)?.is_some_and(|there| there.size == facts.size)
        && hash(&mut from.open(name)?, io::sink())?.as_ref()
            == hash(&mut to.open(name)?, io::sink())?.as_ref()
    {
        return Ok(true);
    }
    let mut writer = to.create_as(name)?;
    let sent = hash(&mut from.open(name)?, &mut writer)?;
    writer.commit()?;
    let found = hash(&mut to.open(name)?, io::sink())?;
    if sent.as_ref() != found.as_ref() {
        bail!("what was written is not what is read back");
    }
    Ok(true)
}

/// Reads to the end, writes it elsewhere, and tells the hash of it.
fn hash(from: &mut dyn Read, mut to: impl Write) -> io::Result<Digest> {
    let (mut hash, mut buffer) = (Hash::new(&SHA256), vec![0; BUFFER]);
    loop {
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(hash.finish());
        };
        hash.update(bytes);
        to.write_all(bytes)?;
    }
}
