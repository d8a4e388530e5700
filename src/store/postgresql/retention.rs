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
impl RetentionStore for Postgres {
    async fn check_clock(&self, _now: Timestamp) -> Result<ClockVerdict> {
        Err(StoreError::Closed)
    }
    async fn expire(&self, _closed: Timestamp, _now: Timestamp) -> Result<Vec<TransferId>> {
        Err(StoreError::Closed)
    }
    async fn sweep_sessions(&self, _idle_since: Timestamp) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn sweep_drafts(&self, _idle_since: Timestamp, _now: Timestamp) -> Result<u64> {
        Err(StoreError::Closed)
    }
    async fn forget(&self, _before: Forget) -> Result<usize> {
        Err(StoreError::Closed)
    }
}
