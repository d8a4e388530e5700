//! The store on PostgreSQL, which any number of nodes share: statements in the files named after the role that they implement,
//! and the two ways to run them in [`change`]. Made for PostgreSQL 13 and later.
//!
//! All that one node must know of another is a row: nothing is kept in memory that another node could change, and what
//! a node has claimed is its own only while its lease lasts ([`nodes`]).

mod access;
mod audit;
mod batches;
mod blobs;
mod chain;
mod change;
mod columns;
mod connection;
mod downloads;
mod drafts;
mod gauges;
mod handover;
mod held;
mod identity;
mod intake;
mod items;
mod kept;
mod keys;
mod lent;
mod limits;
mod locks;
mod lost;
mod migrate;
mod moving;
mod new_transfers;
mod node_folder;
mod nodes;
mod ordinary;
mod person;
mod queue;
mod queue_admin;
mod recall;
mod reminders;
mod retention;
mod sender;
mod sheets;
mod short_keys;
mod small_blobs;
mod status;
#[cfg(test)]
#[cfg(feature = "system-tests")]
pub(crate) mod tests;
mod tracking;
mod transfers;
mod trouble;
mod unclear;
mod uploads;
mod verification;

use std::path::PathBuf;
use std::sync::Arc;

use deadpool_postgres::Pool;

use self::batches::Batches;
use self::handover::NodeJournal;
pub use self::handover::Reseal;
use self::held::Held;
pub use self::kept::Kept;
pub use self::migrate::Schema;
pub use self::moving::{Direction, Moving};
pub use self::node_folder::NodeFolder;
use self::nodes::Own;
use self::sheets::Sheets;
use self::short_keys::ShortKeys;
pub use self::small_blobs::SmallBlobs;
use self::trouble::Trouble;
use super::due::Due;
use super::tracking::Behind;
use super::{Acceptance, NewItem, Result};
use crate::config::Database;
use crate::id::{FolderId, QueueId};
use crate::secret::keyring::Keyring;

/// So many commits of one kind are on their way side by side; what comes meanwhile shares the next one.
const SIDE_BY_SIDE: usize = 2;

/// The rows of a gateway of several nodes, as one of them sees them. Clones are the same store.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    /// For signs of life and for the lock of the timer, which no crowd of callers may keep waiting.
    aside: Pool,
    node: FolderId,
    keys: Arc<ShortKeys>,
    /// `None`: keys are in memory, and end with the process.
    sheets: Option<Sheets>,
    own: Arc<Own>,
    trouble: Arc<Trouble>,
    /// What this node holds of the queue.
    held: Arc<Held>,
    due: Arc<Due>,
    /// With `store.journal = "local"`.
    journal: Option<Arc<NodeJournal>>,
    /// Where a node here may have one.
    journal_folder: Option<PathBuf>,
    /// Rows of ordinary mail that are still to be written.
    behind: Arc<Behind>,
    new_mail: Arc<Batches<NewItem, ()>>,
    messages: Arc<Batches<Acceptance, ()>>,
    delivered: Arc<Batches<(QueueId, u64), bool>>,
}

/// Connections of a node that its callers have no part in.
const ASIDE: usize = 2;

impl Postgres {
    /// For the node `node`. Connects when it is first used, and again whenever it has to; an error is of the configuration.
    /// Keys that are taken end with the process, until [`Postgres::with_keys`] says where they are kept.
    pub fn new(database: &Database, node: FolderId) -> Result<Self> {
        let pool = |most| connection::pool(database, most, &node);
        let (pool, aside) = (pool(database.connections)?, pool(ASIDE)?);
        Ok(Self {
            pool,
            aside,
            node,
            keys: Arc::new(ShortKeys::new(Keyring::in_memory())),
            sheets: None,
            own: Arc::default(),
            trouble: Arc::default(),
            held: Arc::default(),
            due: Arc::default(),
            journal: None,
            journal_folder: None,
            behind: Arc::default(),
            new_mail: Batches::new(SIDE_BY_SIDE),
            messages: Batches::new(SIDE_BY_SIDE),
            delivered: Batches::new(SIDE_BY_SIDE),
        })
    }

    /// The same node on the same connections, for what is needed before there are keys. It takes none that last.
    pub fn beside(&self) -> Self {
        Self { keys: Arc::new(ShortKeys::new(Keyring::in_memory())), sheets: None, ..self.clone() }
    }
}
