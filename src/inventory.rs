//! Rows against blobs: what is missing, of a wrong size, or known to nobody. Taken by `zegel check --data` beside a
//! running gateway or without one, and by `backup` of what it has put together. Changes nothing.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::clock::Timestamp;
use crate::id::BlobName;
use crate::seal;
use crate::store::{BlobContent, BlobFacts, BlobIndex, Blobs, NamedBlob, Result, StoreError};

/// Rows that are read at once.
const PAGE: usize = 1000;

/// What there is.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Blobs that rows name.
    pub named: u64,
    /// Those that are not there.
    pub missing: Vec<NamedBlob>,
    /// Those that cannot be whole, and how many bytes there are.
    pub damaged: Vec<(NamedBlob, u64)>,
    /// Blobs that no row knows, and when they were written.
    pub unknown: Vec<(BlobName, Timestamp)>,
}

impl Inventory {
    /// Takes it. A blob written after `until` may belong to a message that is being taken in just now; it does not
    /// count as unknown.
    pub async fn take(store: &dyn BlobIndex, blobs: Arc<dyn Blobs>, until: Timestamp) -> Result<Self> {
        let mut inventory = Self::default();
        inventory.find_missing(store, &blobs).await?;
        inventory.find_unknown(store, &blobs, until).await?;
        Ok(inventory)
    }

    /// Whether rows and blobs fit together.
    pub fn is_fine(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty() && self.unknown.is_empty()
    }

    async fn find_missing(&mut self, store: &dyn BlobIndex, blobs: &Arc<dyn Blobs>) -> Result<()> {
        let mut after = None;
        loop {
            let page = store.named_blobs(after.clone(), PAGE).await?;
            let Some(last) = page.last().map(|named| named.blob.clone()) else { return Ok(()) };
            self.named += page.len() as u64;
            let looked = look(blobs, page).await?;
            if looked.iter().any(|(_, facts)| facts.is_none()) {
                // A row may have gone since it was read, and its blob with it.
                let again = store.named_blobs(after, PAGE).await?;
                let absent = looked.iter().filter(|(_, facts)| facts.is_none());
                self.missing
                    .extend(absent.map(|(named, _)| named.clone()).filter(|named| again.contains(named)));
            }
            self.damaged.extend(looked.into_iter().filter_map(|(named, facts)| {
                let size = facts?.size;
                (!fits(&named.content, size)).then_some((named, size))
            }));
            after = Some(last);
        }
    }

    /// The blobs are listed before rows are asked for: what becomes known meanwhile is not unknown.
    async fn find_unknown(
        &mut self,
        store: &dyn BlobIndex,
        blobs: &Arc<dyn Blobs>,
        until: Timestamp,
    ) -> Result<()> {
        let mut after = None;
        loop {
            let listed = Arc::clone(blobs);
            let page = waited(spawn_blocking(move || Ok(listed.names(after.as_ref(), PAGE)?)).await)?;
            let Some(last) = page.last().cloned() else { return Ok(()) };
            after = Some(last);
            let unknown = store.unreferenced_blobs(page).await?;
            let looked = look(blobs, unknown).await?;
            let written = looked.into_iter().filter_map(|(name, facts)| Some((name, facts?.written)));
            self.unknown.extend(written.filter(|(_, written)| *written <= until));
        }
    }
}

/// Something that is about a blob.
trait Named: Send + 'static {
    fn blob(&self) -> &BlobName;
}

impl Named for NamedBlob {
    fn blob(&self) -> &BlobName {
        &self.blob
    }
}

impl Named for BlobName {
    fn blob(&self) -> &BlobName {
        self
    }
}

async fn look<T: Named>(blobs: &Arc<dyn Blobs>, page: Vec<T>) -> Result<Vec<(T, Option<BlobFacts>)>> {
    let blobs = Arc::clone(blobs);
    let looks = spawn_blocking(move || {
        let look = |named: T| {
            let facts = blobs.look(named.blob())?;
            Ok((named, facts))
        };
        page.into_iter().map(look).collect()
    });
    waited(looks.await)
}

fn waited<T>(ended: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    ended.unwrap_or_else(|error| Err(StoreError::File(std::io::Error::other(error))))
}

/// Whether so many bytes can be all of it. The body of a mail says its length only inside.
pub fn fits(content: &BlobContent, octets: u64) -> bool {
    match content {
        BlobContent::Part(_, _, size) => seal::write::sealed_sizes(*size).contains(&octets),
        BlobContent::Piece(_, _, size) => {
            usize::try_from(*size).is_ok_and(|size| seal::chunks::sealed_size(size) as u64 == octets)
        }
        BlobContent::Body(_) => octets > 0,
    }
}
