//! The audit trail. Most events are kept in the transaction of the change that they tell of; this is for the others.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::audit::Event;
use crate::limits::Rate;

/// Rows of the audit trail that visitors make of one kind and one link (H42).
pub const VISITOR_ROWS: Rate = Rate::per(100, Duration::from_secs(86_400));

/// Keeps events.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Keeps an event that goes with no other change.
    async fn append_audit(&self, event: Event) -> Result<()>;
}
