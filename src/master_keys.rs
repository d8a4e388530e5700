//! Master keys in use: which is the current one, what still needs the older ones, and which of those nothing needs any more. Asked
//! by the gateway while it runs, and by `zegel key`.
//!
//! What must never happen: that a key is destroyed while something needs it. Where that cannot be told it stays.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::task::spawn_blocking;

use crate::clock::{DAY, Timestamp, days_later, later};
use crate::id::BlobName;
use crate::limits::REMEMBERED_DAYS;
use crate::outbox::body;
use crate::secret::masters::{Generation, KeyFile};
use crate::secret::{FolderKey, Keys};
use crate::store::nodes::{Node, NodeState};
use crate::store::{Blobs, BodyData, Identity, LinksInUse, Remembered, Store, key_name, key_names};

/// So long after a rotation an older key stays in any case: sessions, codes and messages that were being sealed then end
/// within it.
const STAYS: Duration = DAY;

/// What needs a key that is not the current one any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Transfers that can be opened, with links that are made with it.
    pub transfers: u64,
    /// When the last of them expires.
    pub transfers_until: Option<Timestamp>,
    /// Mail in the queue that is sealed with it.
    pub mail: u64,
    /// Browsers that are remembered with it, at most.
    pub browsers: u64,
    /// Until when.
    pub browsers_until: Option<Timestamp>,
    /// It was the current one less than a day ago; until then it stays.
    pub recent_until: Option<Timestamp>,
    /// Nodes that do not work with the current one yet.
    pub nodes: Vec<String>,
}

impl Needs {
    /// Whether nothing does.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What is looked through for them.
#[derive(Clone)]
pub struct Place {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    pub keys: Keys,
}

impl Place {
    /// What needs each of these keys, beside a store with this identity.
    pub async fn needs(
        &self,
        identity: &Identity,
        of: &[Generation],
        now: Timestamp,
    ) -> Result<Vec<(Generation, Needs)>> {
        let (links, mail) = (self.store.links_in_use().await?, self.mail().await?);
        let nodes = behind(&self.store.nodes().await?, &key_name(&identity.key_check));
        let mut needs = Vec::new();
        for generation in of {
            let ended = identity.ended(*generation);
            let remembered = match ended {
                Some(ended) => self.store.remembered(now, days_later(ended, REMEMBERED_DAYS)).await?,
                None => Remembered::default(),
            };
            let links = links.iter().find(|links| links.generation == *generation);
            needs.push((
                *generation,
                Needs {
                    transfers: links.map_or(0, |LinksInUse { transfers, .. }| *transfers),
                    transfers_until: links.map(|links| links.until),
                    mail: mail.iter().filter(|one| *one == generation).count() as u64,
                    browsers: remembered.browsers,
                    browsers_until: remembered.until,
                    recent_until: ended.map(|ended| later(ended, STAYS)).filter(|until| now < *until),
                    nodes: if ended.is_some() { nodes.clone() } else { Vec::new() },
                },
            ));
        }
        Ok(needs)
    }

    /// The generation of each mail in the queue. A blob that is lost needs no key.
    async fn mail(&self) -> Result<Vec<Generation>> {
        let bodies = self.store.queued_bodies(body::START as u32).await?;
        let blobs = Arc::clone(&self.blobs);
        let found = spawn_blocking(move || {
            let starts = bodies.into_iter().map(|body| match body {
                BodyData::Inline(start) => Ok(start),
                BodyData::Blob(name) => start_of(blobs.as_ref(), &name),
            });
            starts.collect::<io::Result<Vec<_>>>()
        });
        Ok(found.await??.iter().filter_map(|start| body::generation(start)).collect())
    }

    /// Retires every older key in the file that nothing needs; gives their generations.
    pub async fn retire(&self, now: Timestamp) -> Result<Vec<Generation>> {
        let generations = &self.keys.generations;
        let (Some(path), Some(identity)) = (generations.file(), self.store.known_identity().await?) else {
            return Ok(Vec::new());
        };
        let current = identity.generation();
        let whole = generations.whole();
        let older: Vec<_> = whole.into_iter().filter(|generation| *generation < current).collect();
        if older.is_empty() || !identity.select(&self.keys.folder) {
            return Ok(Vec::new());
        }
        let needs = self.needs(&identity, &older, now).await?;
        let unneeded = needs.into_iter().filter(|(_, needs)| needs.are_none());
        let mut unneeded: Vec<_> = unneeded.map(|(generation, _)| generation).collect();
        if !unneeded.is_empty() {
            KeyFile::change(path, |file| {
                unneeded.retain(|generation| file.retire(*generation));
                Ok::<_, io::Error>(())
            })
            .with_context(|| path.display().to_string())?;
            generations.refresh()?;
        }
        Ok(unneeded)
    }
}

fn start_of(blobs: &dyn Blobs, name: &BlobName) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    match blobs.open(name) {
        Ok(blob) => blob.take(body::START as u64).read_to_end(&mut start).map(|_| start),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(start),
        Err(error) => Err(error),
    }
}

/// Nodes at work that do not work with the key of this name.
fn behind(nodes: &[Node], name: &str) -> Vec<String> {
    let at_work = nodes.iter().filter(|node| node.state != NodeState::Lost);
    named(at_work.filter(|node| node.master_keys.first().is_none_or(|first| first != name)))
}

/// Nodes at work that do not have the key of this name.
pub fn without(nodes: &[Node], name: &str) -> Vec<String> {
    let at_work = nodes.iter().filter(|node| node.state != NodeState::Lost);
    named(at_work.filter(|node| node.master_keys.iter().all(|key| key != name)))
}

fn named<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<String> {
    nodes.map(|node| format!("{} ({})", node.host, node.id)).collect()
}

/// Works with the key that the store says is the current one, which may have changed since; an error says which is missing.
/// Tells whether it has changed.
pub fn follow(identity: &Identity, keys: &Keys) -> Result<bool, String> {
    let before = keys.generations.current();
    if identity.select(&keys.folder) {
        return Ok(before != identity.generation());
    }
    let read = keys.generations.refresh();
    if identity.select(&keys.folder) {
        return Ok(true);
    }
    let error = read.err().map(|error| format!(" ({error})")).unwrap_or_default();
    Err(format!(
        "the store works with master key {} now, and this gateway has {}: put that key into master.key here{error}",
        key_name(&identity.key_check),
        names(identity, &keys.folder)
    ))
}

fn names(identity: &Identity, key: &FolderKey) -> String {
    key_names(&identity.id, key).join(" and ")
}
