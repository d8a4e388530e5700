//! The audit trail. Most events are kept in the transaction of the change that they tell of; this is for the others.

use async_trait::async_trait;

use super::Result;
use crate::audit::Event;

/// Keeps events.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Keeps an event that goes with no other change.
    async fn append_audit(&self, event: Event) -> Result<()>;
}
