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
impl TransferStore for Postgres {
    async fn transfer(&self, _id: TransferId) -> Result<Option<Transfer>> {
        Err(StoreError::Closed)
    }
}

#[async_trait]
impl TransferAdmin for Postgres {
    async fn transfers(&self) -> Result<Vec<Transfer>> {
        Err(StoreError::Closed)
    }
}
