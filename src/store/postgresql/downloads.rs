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
impl DownloadStore for Postgres {
    async fn note_download(&self, _fetch: Fetch) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn is_download_noted(
        &self,
        _session: [u8; 32],
        _what: String,
        _whole: bool,
        _now: Timestamp,
    ) -> Result<bool> {
        Err(StoreError::Closed)
    }
}
