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
impl BodyKeys for Postgres {
    async fn destroy_keys(&self) -> Result<Destroyed> {
        Err(StoreError::Closed)
    }
    async fn keys_run_low(&self) {
        std::future::pending().await
    }
    async fn shrink_log(&self) -> Result<()> {
        Err(StoreError::Closed)
    }
}
