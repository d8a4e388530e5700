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
impl UploadStore for Postgres {
    async fn add_upload(
        &self,
        _author: Author,
        _upload: NewUploadRow,
        _limits: UploadLimits,
        _now: Timestamp,
    ) -> Result<UploadOutcome> {
        Err(StoreError::Closed)
    }
    async fn set_length(
        &self,
        _author: Author,
        _upload: UploadId,
        _length: u64,
        _limits: UploadLimits,
    ) -> Result<UploadOutcome> {
        Err(StoreError::Closed)
    }
    async fn add_piece(
        &self,
        _author: Author,
        _upload: UploadId,
        _offset: u64,
        _piece: PieceRow,
        _limits: UploadLimits,
        _now: Timestamp,
    ) -> Result<UploadOutcome> {
        Err(StoreError::Closed)
    }
    async fn upload_room(&self, _author: Author, _limits: UploadLimits) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn remove_upload(
        &self,
        _author: Author,
        _upload: UploadId,
        _now: Timestamp,
        _event: Option<Event>,
    ) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn mark_scanned(&self, _author: Author, _upload: UploadId, _now: Timestamp) -> Result<bool> {
        Err(StoreError::Closed)
    }
}
