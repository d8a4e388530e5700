//! Ordinary mail that a node keeps itself (`store.journal = "local"`): where its journal is, and how what is left in it comes to
//! the queue that all nodes share. That is done whatever `store.journal` says now.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::id::FolderId;
use crate::outbox::body;
use crate::secret::Keys;
use crate::secret::keyring::Keyring;
use crate::store::postgresql::{NodeFolder, Postgres, Reseal};

/// For errors.
const JOURNAL: &str = "store.journal";

/// From now on this node has a journal; what an earlier life left in it is in the queue.
pub(super) async fn keep(
    rows: Postgres,
    keys: Keys,
    data_dir: &Path,
    store: &FolderId,
) -> Result<(Postgres, Keys)> {
    let folder = NodeFolder::open(data_dir, store).context(JOURNAL)?;
    let ring = Keyring::of_server(folder.keys());
    let keys = keys.with_ordinary_keyring(ring.clone());
    let rows = rows.with_journal(&folder, ring, reseal(&keys)).await.context(JOURNAL)?;
    Ok((rows, keys))
}

/// Puts into the queue what a node has left here, unless one is at work.
pub(super) async fn drain(rows: &Postgres, keys: &Keys, data_dir: &Path, store: &FolderId) -> Result<()> {
    let Some(folder) = NodeFolder::find(data_dir, store).context(JOURNAL)? else { return Ok(()) };
    let ring = Keyring::of_tool(folder.keys());
    let keys = keys.clone().with_ordinary_keyring(ring.clone());
    rows.drain_journal(&folder, ring, &reseal(&keys)).await.context(JOURNAL)
}

/// A command looks into the journal of the node here as well.
pub(super) fn beside(rows: Postgres, data_dir: &Path, store: &FolderId) -> Result<Postgres> {
    let folder = NodeFolder::find(data_dir, store).context(JOURNAL)?;
    Ok(match folder {
        Some(folder) => rows.beside_journal(&folder),
        None => rows,
    })
}

/// Whether there is any.
pub(super) fn is_here(data_dir: &Path) -> bool {
    NodeFolder::is_in(data_dir)
}

fn reseal(keys: &Keys) -> Reseal {
    let (from, to) = (keys.ordinary.clone(), keys.body.clone());
    Arc::new(move |sealed| body::reseal(&from, &to, sealed))
}
