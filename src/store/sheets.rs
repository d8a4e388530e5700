//! Where nodes that share one store keep their keys of short life: small objects with names of ours in the blob store.
//! Used by `store/postgresql/sheets`.

use std::io;

use async_trait::async_trait;
use zeroize::Zeroizing;

/// Objects that are written once, under names that were never used before. Every call retries for a while what may be
/// trouble of the moment, and ends in bounded time.
#[async_trait]
pub trait SheetObjects: Send + Sync + 'static {
    /// Writes an object; it is durable when this returns. After an error it may be there, now or later.
    async fn put(&self, name: &str, octets: Zeroizing<Vec<u8>>) -> io::Result<()>;
    /// Reads an object; `None` where it is not there.
    async fn get(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>>;
    /// Removes an object; one that is gone already is fine.
    async fn delete(&self, name: &str) -> io::Result<()>;
    /// The names of all of them.
    async fn list(&self) -> io::Result<Vec<String>>;
}
