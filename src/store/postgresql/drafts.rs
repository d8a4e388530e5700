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
impl DraftStore for Postgres {
    async fn draft(&self, _author: Author) -> Result<Option<DraftRow>> {
        Err(StoreError::Closed)
    }
    async fn save_draft(
        &self,
        _author: Author,
        _typed: Vec<u8>,
        _former: Option<Vec<u8>>,
        _now: Timestamp,
    ) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn last_reply(&self, _author: Author, _since: Timestamp) -> Result<Option<Vec<u8>>> {
        Err(StoreError::Closed)
    }
}
