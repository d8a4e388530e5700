//! The audit trail. Most events are kept in the transaction of the change that they tell of; this is for the others.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::audit::Event;
use crate::audit::chain::{Block, Head, Row, Tip};
use crate::audit::verify::{Verdict, Verifier};
use crate::clock::Timestamp;
use crate::limits::Rate;

/// Rows of the audit trail that visitors make of one kind and one link (H42).
pub const VISITOR_ROWS: Rate = Rate::per(100, Duration::from_secs(86_400));

/// Keeps events.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Keeps an event that goes with no other change.
    async fn append_audit(&self, event: Event) -> Result<()>;
}

/// The trail as it is read by itself, and the hash chain over it ([`crate::audit::chain`]). Nobody who writes a row waits for
/// the chain.
#[async_trait]
pub trait AuditTrail: Send + Sync + 'static {
    /// Puts rows that were committed since into one block, and tells how many those are: call again while it is
    /// [`crate::audit::chain::ROWS`].
    async fn extend_chain(&self, now: Timestamp) -> Result<usize>;
    /// The blocks behind this one, oldest first.
    async fn blocks(&self, after: u64, most: usize) -> Result<Vec<Block>>;
    /// The blocks that are not of new rows, oldest first; of those that say what was forgotten the newest alone.
    async fn block_notes(&self) -> Result<Vec<Block>>;
    /// The end of the chain.
    async fn newest_block(&self) -> Result<Option<Block>>;
    /// The rows whose numbers are behind `after` and not behind `until`, the oldest first.
    async fn audit_rows(&self, after: u64, until: u64, most: usize) -> Result<Vec<Row>>;
    /// Takes who it was, and from where, out of those of these rows that are in the chain. Tells how many they are.
    async fn erase_in_trail(&self, rows: Vec<u64>, now: Timestamp) -> Result<usize>;
}

/// Rows, and blocks, that are read at once.
const PAGE: usize = 1000;
const BLOCKS: usize = 50;

/// Whether the trail is what was written, and ends behind `head`, which somebody has written down. What a gateway that is
/// running forgets or erases meanwhile looks like a fault once, and is looked at again.
pub async fn verify_trail<S: AuditTrail + ?Sized>(store: &S, head: Option<Head>) -> Result<Verdict> {
    let verdict = verify_once(store, head).await?;
    match verdict.faults_in_all {
        0 => Ok(verdict),
        _ => verify_once(store, head).await,
    }
}

async fn verify_once<S: AuditTrail + ?Sized>(store: &S, head: Option<Head>) -> Result<Verdict> {
    let mut verifier = Verifier::new(&store.block_notes().await?, head);
    let (mut after, mut tip) = (0, Tip::default());
    loop {
        let blocks = store.blocks(after, BLOCKS).await?;
        let Some(last) = blocks.last() else { break };
        (after, tip) = (last.number, Tip::of(Some(last)));
        for block in &blocks {
            let rows = between(store, verifier.reach(), block.reach).await?;
            verifier.block(block, rows);
        }
    }
    let (mut unchained, mut behind) = (0, verifier.reach());
    loop {
        let rows = store.audit_rows(behind, u64::MAX, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(verifier.finish(unchained, &tip)) };
        behind = last.number;
        unchained += rows.len() as u64;
    }
}

/// All rows behind `after`, to `until`.
async fn between<S: AuditTrail + ?Sized>(store: &S, mut after: u64, until: u64) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    while after < until {
        let rows = store.audit_rows(after, until, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.number;
        all.extend(rows);
    }
    Ok(all)
}
