//! Figures for `/metrics` and `/readyz`. Used by `web/admin`.

use async_trait::async_trait;

use super::room::Disk;
use super::{Problem, Result};
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;

/// Figures for the administrator.
#[async_trait]
pub trait GaugeStore: Send + Sync + 'static {
    /// Figures for the administrator.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
    /// The disk as new mail finds it.
    async fn disk(&self) -> Result<Disk>;
}

/// Figures for `/metrics` and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Items in the queue.
    pub queued: u64,
    /// When the oldest of those that are not frozen was accepted.
    pub oldest_queued: Option<Timestamp>,
    /// Transfers whose keys still exist.
    pub transfers: u64,
    /// Links closed for tries just now.
    pub locked_links: u64,
    /// Items that an administrator has to do something for, by problem; those that there are.
    pub problems: Vec<ProblemGauge>,
}

/// Items with the same problem.
#[derive(Clone, Debug)]
pub struct ProblemGauge {
    /// What it is.
    pub problem: Problem,
    /// How many there are.
    pub items: u64,
    /// Why the newest of them waits.
    pub diagnostic: Option<Diagnostic>,
}
