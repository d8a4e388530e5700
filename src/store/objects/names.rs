//! Names for new blobs, which are written down before a blob can be there: see [`BlobIntents`].
//!
//! They are taken many at once, so that a blob costs no round trip to the database.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::id::BlobName;
use crate::store::BlobIntents;

/// Names that are taken at once.
const AHEAD: usize = 64;
/// A name waits no longer for its blob, and a blob may take as long again to be written: far from the age at which what no
/// row names is given up ([`INTENT_LASTS`](crate::store::INTENT_LASTS)).
const FRESH: Duration = Duration::from_hours(1);
/// How long names may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Names {
    intents: Arc<dyn BlobIntents>,
    clock: Clock,
    ahead: Mutex<Vec<Intended>>,
}

/// A name that was written down.
pub(super) struct Intended {
    pub name: BlobName,
    since: Instant,
}

impl Names {
    pub fn new(intents: Arc<dyn BlobIntents>, clock: Clock) -> Self {
        Self { intents, clock, ahead: Mutex::default() }
    }

    /// A name that nobody else has.
    pub async fn next(&self) -> io::Result<Intended> {
        let late =
            |_| io::Error::new(io::ErrorKind::TimedOut, "names for blobs could not be written down in time");
        let mut ahead = timeout(PATIENCE, self.ahead.lock()).await.map_err(late)?;
        ahead.retain(Intended::is_fresh);
        if let Some(next) = ahead.pop() {
            return Ok(next);
        }
        let names: Vec<BlobName> = (0..AHEAD).map(|_| BlobName::random()).collect();
        let since = Instant::now();
        let written =
            timeout(PATIENCE, self.intents.intend(names.clone(), self.clock.now())).await.map_err(late)?;
        written.map_err(io::Error::other)?;
        ahead.extend(names.into_iter().map(|name| Intended { name, since }));
        ahead.pop().ok_or_else(|| io::Error::other("no names"))
    }
}

impl Intended {
    /// The name of a blob that is moved here: the move itself is what finds it again.
    pub fn given(name: BlobName) -> Self {
        Self { name, since: Instant::now() }
    }

    fn is_fresh(&self) -> bool {
        self.since.elapsed() < FRESH
    }

    /// Fails for a blob that took so long that its intent may be believed to be forgotten soon.
    pub fn check(&self) -> io::Result<()> {
        match self.since.elapsed() < FRESH * 2 {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, "the blob took too long to be written")),
        }
    }
}
