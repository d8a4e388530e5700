//! STUB.
#![allow(clippy::all, unused_imports)]
use super::Postgres;
use crate::address::Address;
use crate::audit::{Entry, Event};
use crate::clock::Timestamp;
use crate::id::*;
use crate::limits::{Rate, TryRule};
use crate::secret::keyring::Destroyed;
use crate::store::retention::*;
use crate::store::room::Disk;
use crate::store::*;
use async_trait::async_trait;
use std::time::Duration;

#[async_trait]
impl BlobIndex for Postgres {
    async fn named_blobs(&self, _after: Option<BlobName>, _limit: usize) -> Result<Vec<NamedBlob>> {
        Err(StoreError::Closed)
    }
    async fn unreferenced_blobs(&self, _names: Vec<BlobName>) -> Result<Vec<BlobName>> {
        Err(StoreError::Closed)
    }
    async fn others_at_work(&self, _owner: &FolderId, _since: Timestamp) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn pending_deletion(&self, _limit: usize) -> Result<Vec<BlobName>> {
        Err(StoreError::Closed)
    }
    async fn forget_blobs(&self, _names: Vec<BlobName>) -> Result<()> {
        Err(StoreError::Closed)
    }
}
