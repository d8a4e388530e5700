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
impl AccessStore for Postgres {
    async fn begin_try(&self, _link: Link, _rule: TryRule, _now: Timestamp) -> Result<Try> {
        Err(StoreError::Closed)
    }
    async fn withdraw_try(&self, _link: Link, _locked: Option<Timestamp>) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn open(&self, _session: Session, _event: Event) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn note_opened(&self, _link: Link, _now: Timestamp) -> Result<()> {
        Err(StoreError::Closed)
    }
    async fn session_link(&self, _id: [u8; 32], _idle_since: Timestamp) -> Result<Option<Link>> {
        Err(StoreError::Closed)
    }
    async fn session(
        &self,
        _id: [u8; 32],
        _now: Timestamp,
        _idle_since: Timestamp,
    ) -> Result<Option<Session>> {
        Err(StoreError::Closed)
    }
    async fn end_session(&self, _id: [u8; 32], _event: Event) -> Result<()> {
        Err(StoreError::Closed)
    }
}
