//! Limits that outlive a restart and are shared by all nodes. The arithmetic is in [`crate::limits`].

use async_trait::async_trait;

use super::Result;
use crate::clock::Timestamp;
use crate::limits::Rate;

/// Rate limits.
#[async_trait]
pub trait RateStore: Send + Sync + 'static {
    /// Takes one from the bucket named `bucket`; `Some` is when there will be one again.
    async fn check_rate(&self, bucket: String, rate: Rate, now: Timestamp) -> Result<Option<Timestamp>>;
}
