//! Everything that is known of the gateway at one moment: what its parts remember, and what the store and the scanner say when
//! they are asked now. `checks` and `figures` make something of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::AdminState;
use super::clock_watch::Jump;
use crate::clock::{Timestamp, since_boot};
use crate::queue::outage::NextHopStatus;
use crate::reply::ScannerStatus;
use crate::secret::masters::KeyTrouble;
use crate::settings::Settings;
use crate::store::nodes::NodeHealth;
use crate::store::room::Disk;
use crate::store::{Gauges, StoreError};

/// A store that takes longer is one that does not answer: whoever asks has a limit too.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gateway at one moment.
pub(super) struct Observed {
    pub now: Timestamp,
    /// How this node is, where there are several.
    pub node: Option<NodeHealth>,
    /// What is wrong with the master keys.
    pub key_trouble: Option<KeyTrouble>,
    /// What the store counts; none where it could not be asked.
    pub gauges: Option<Gauges>,
    /// The disk as new mail finds it.
    pub disk: Option<Disk>,
    /// Why new mail could not be written; none where the node has said already that the store is away.
    pub store_error: Option<String>,
    /// Bytes that are free where blobs are.
    pub room: Option<u64>,
    /// What the worker has learnt of the next hops.
    pub next_hops: Vec<NextHopStatus>,
    /// What the scanner says, if there is one.
    pub scanner: Option<Result<ScannerStatus, String>>,
    /// In force.
    pub settings: Arc<Settings>,
    /// The clock was set.
    pub jump: Option<Jump>,
    /// The configuration was not taken when it was last read.
    pub is_reload_refused: bool,
    /// Open connections of the SMTP listener, and of the pages.
    pub connections: [(&'static str, usize); 2],
}

impl Observed {
    /// Looks at everything now.
    pub async fn of(admin: &AdminState) -> Self {
        let now = admin.parts.clock.now();
        let (node, settings) = (admin.parts.node.health(), admin.parts.settings.get());
        let scanner = admin.scanner.look(settings.operator().reply.scanner.as_ref());
        let (asked, scanner) = tokio::join!(ask(admin, node.as_ref(), now), scanner);
        let (found, store_error) = match asked {
            Ok(found) => (found, None),
            Err(error) => (None, Some(error)),
        };
        let (gauges, disk) = found.unzip();
        Self {
            now,
            node,
            key_trouble: admin.parts.generations.trouble(),
            gauges,
            disk,
            store_error,
            // One call of the operating system, which asks no disk.
            room: admin.parts.blobs.room().ok().flatten(),
            next_hops: admin.parts.next_hops.status(),
            scanner,
            settings,
            jump: admin.clock_watch.look(now, since_boot()),
            is_reload_refused: admin.parts.metrics.is_reload_refused(),
            connections: [("smtp", admin.parts.smtp.open()), ("http", admin.parts.web.open())],
        }
    }
}

/// Nothing where the node knows that there is no answer to come.
async fn ask(
    admin: &AdminState,
    node: Option<&NodeHealth>,
    now: Timestamp,
) -> Result<Option<(Gauges, Disk)>, String> {
    if node.is_some_and(|node| !node.answers) {
        return Ok(None);
    }
    let asked = async {
        let gauges = admin.parts.store.gauges(now).await?;
        let disk = admin.parts.store.disk().await?;
        admin.parts.store.check_writable().await?;
        Ok::<_, StoreError>((gauges, disk))
    };
    let asked = timeout(PATIENCE, asked).await;
    let found = asked.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?;
    found.map(Some).map_err(|error| error.to_string())
}
