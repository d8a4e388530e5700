//! Figures for `/metrics` and `/readyz`. Used by `web/admin`.

use async_trait::async_trait;

use super::room::Disk;
use super::{Problem, QueueItemKind, Result, Sharer};
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;

/// Figures for the administrator.
#[async_trait]
pub trait GaugeStore: Send + Sync + 'static {
    /// Figures for the administrator.
    async fn gauges(&self, now: Timestamp) -> Result<Gauges>;
    /// The disk as new mail finds it.
    async fn disk(&self) -> Result<Disk>;
    /// Whether new mail could be written just now.
    async fn check_writable(&self) -> Result<()> {
        Ok(())
    }
}

/// Figures for `/metrics` and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Items in the queue.
    pub queued: u64,
    /// When the oldest of those that are not frozen was accepted.
    pub oldest_queued: Option<Timestamp>,
    /// The queue by kind and organisation; what there is nothing of is left out.
    pub queue: Vec<QueueGauge>,
    /// Transfers whose keys still exist.
    pub transfers: u64,
    /// The same by organisation.
    pub transfers_of: Vec<(Sharer, u64)>,
    /// Links closed for tries just now.
    pub locked_links: u64,
    /// Items that an administrator has to do something for, by problem; those that there are.
    pub problems: Vec<ProblemGauge>,
}

/// Items of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueGauge {
    /// What they are.
    pub kind: QueueItemKind,
    /// Whose they are.
    pub organisation: Sharer,
    /// How many there are.
    pub items: u64,
    /// Since when, or from when on, the first of those that are not frozen should be on its way: what is tried again later
    /// waits on purpose.
    pub due: Option<Timestamp>,
}

impl Gauges {
    /// Adds items that have never been tried.
    pub(super) fn add_new(&mut self, new: QueueGauge) {
        self.queued += new.items;
        self.oldest_queued = self.oldest_queued.into_iter().chain(new.due).min();
        if new.items == 0 {
            return;
        }
        let is_same = |of: &&mut QueueGauge| of.kind == new.kind && of.organisation == new.organisation;
        match self.queue.iter_mut().find(is_same) {
            Some(of) => {
                of.items += new.items;
                of.due = of.due.into_iter().chain(new.due).min();
            }
            None => self.queue.push(new),
        }
    }
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
