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
impl VerificationStore for Postgres {
    async fn add_code(&self, _code: NewCode, _limits: CodeLimits) -> Result<Option<Timestamp>> {
        Err(StoreError::Closed)
    }
    async fn code(&self, _author: Author) -> Result<Option<CodeRow>> {
        Err(StoreError::Closed)
    }
    async fn try_code(
        &self,
        _author: Author,
        _hash: [u8; 32],
        _tries: u32,
        _now: Timestamp,
        _browser: BrowserRow,
        _event: Event,
    ) -> Result<CodeTry> {
        Err(StoreError::Closed)
    }
    async fn browser(&self, _browser: [u8; 32], _now: Timestamp) -> Result<Option<BrowserRow>> {
        Err(StoreError::Closed)
    }
    async fn forget_browser(&self, _browser: [u8; 32]) -> Result<()> {
        Err(StoreError::Closed)
    }
}
