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
impl SenderStore for Postgres {
    async fn recall(&self, _recall: Recall) -> Result<Vec<u16>> {
        Err(StoreError::Closed)
    }
    async fn extend(&self, _extension: Extension) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn clear_tries(&self, _link: Link, _event: Event) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn enqueue_limited(&self, _notice: LimitedNotice, _now: Timestamp) -> Result<EnqueueOutcome> {
        Err(StoreError::Closed)
    }
    async fn enqueue_follow_up(
        &self,
        _link: Link,
        _notice: NewItem,
        _quiet_since: Timestamp,
    ) -> Result<bool> {
        Err(StoreError::Closed)
    }
    async fn note_lost_part(
        &self,
        _transfer: TransferId,
        _part: u32,
        _event: Event,
        _notice: Option<NewItem>,
    ) -> Result<bool> {
        Err(StoreError::Closed)
    }
}
