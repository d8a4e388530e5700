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
impl StatusStore for Postgres {
    async fn delivery_reports(&self, _transfer: TransferId) -> Result<Vec<(u16, DeliveryReport)>> {
        Err(StoreError::Closed)
    }
    async fn downloads(&self, _transfer: TransferId) -> Result<Vec<Download>> {
        Err(StoreError::Closed)
    }
    async fn audit_log(&self, _transfer: TransferId) -> Result<Vec<Entry>> {
        Err(StoreError::Closed)
    }
}
