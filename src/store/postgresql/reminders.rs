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
impl ReminderStore for Postgres {
    async fn due_reminders(
        &self,
        _now: Timestamp,
        _last_days: Timestamp,
        _quiet_since: Timestamp,
        _limit: usize,
    ) -> Result<Vec<DueReminder>> {
        Err(StoreError::Closed)
    }
    async fn enqueue_reminders(&self, _reminders: ReminderMails) -> Result<usize> {
        Err(StoreError::Closed)
    }
    async fn due_downloads(&self, _quiet_since: Timestamp, _limit: usize) -> Result<Vec<Link>> {
        Err(StoreError::Closed)
    }
}
