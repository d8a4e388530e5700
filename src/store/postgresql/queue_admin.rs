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
impl QueueAdmin for Postgres {
    async fn queue(&self) -> Result<Vec<QueueEntry>> {
        Err(StoreError::Closed)
    }
    async fn retry(&self, _item: Option<QueueId>, _now: Timestamp, _event: Option<Event>) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn drop_item(&self, _item: QueueId, _event: Event) -> Result<bool> {
        Err(StoreError::Closed)
    }
}
