//! The next hop: connections are kept for the next mail and used by one delivery at a time. Called by
//! `queue/worker`, which also bounds how many deliveries there are at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use super::connection::{Settings, TlsClients};

use super::Timeouts;
use super::connection::{Connection, open};
use super::content::{Content, Mail};
use super::extensions::Size;
use super::outcome::Failure;
use super::transaction::{self, Ended};
use crate::store::Delivery;

/// Mails over one connection: servers that balance their load like to see us again.
const MOST_MAILS: u32 = 100;
/// Idle connections are the server's memory too.
const MOST_IDLE: Duration = Duration::from_secs(15);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The largest message that the next hop takes, as it said when it was last asked (RFC 1870). Cheap to clone; all
/// clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct LargestMail(Arc<AtomicU64>);

impl LargestMail {
    /// Octets; `None` while the next hop has not been asked, or names no limit.
    pub fn octets(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|octets| *octets > 0)
    }

    fn note(&self, size: Size) {
        let octets = if let Size::AtMost(octets) = size { octets } else { 0 };
        self.0.store(octets, Ordering::Relaxed);
    }
}

/// The next hop and the idle connections to it.
pub struct Smarthost {
    largest: LargestMail,
    tls: TlsClients,
    timeouts: Timeouts,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    settings: Settings,
    since: Instant,
}

impl Smarthost {
    /// Without a connection yet.
    pub fn new(tls: TlsClients, timeouts: Timeouts) -> Self {
        Self { largest: LargestMail::default(), tls, timeouts, idle: Mutex::new(Vec::new()) }
    }

    /// For who writes mail that may be too large.
    pub fn largest_mail(&self) -> LargestMail {
        self.largest.clone()
    }

    /// Sends one mail: an outcome for each of its recipients, in order.
    pub async fn deliver(&self, settings: &Settings, mail: &Mail<'_>, mut content: Content) -> Vec<Delivery> {
        match self.try_deliver(settings, mail, &mut content).await {
            Ok(deliveries) => deliveries,
            Err(failure) => vec![failure.delivery(); mail.recipients.len()],
        }
    }

    /// Says goodbye on connections that have idled too long. Called now and then.
    pub async fn sweep(&self) {
        let idle = |kept: &mut Idle| kept.since.elapsed() > MOST_IDLE;
        let gone: Vec<Idle> = self.lock().extract_if(.., idle).collect();
        farewell(gone).await;
    }

    /// Says goodbye on all idle connections.
    pub async fn close(&self) {
        let gone = std::mem::take(&mut *self.lock());
        farewell(gone).await;
    }

    /// A connection that the server has closed in the meantime, as it may, costs no attempt: the mail goes
    /// over a fresh one at once.
    async fn try_deliver(
        &self,
        settings: &Settings,
        mail: &Mail<'_>,
        content: &mut Content,
    ) -> Result<Vec<Delivery>, Failure> {
        if let Some(mut used) = self.take(settings).await {
            match transaction::run(&mut used, mail, content, &self.timeouts).await {
                Ok(ended) => return Ok(self.keep(used, settings, ended)),
                Err(failure) => tracing::debug!(cause = %failure.cause, "an idle connection was closed"),
            }
        }
        let mut fresh = open(settings, &self.tls, &self.timeouts).await?;
        self.largest.note(fresh.offered.size);
        let ended = transaction::run(&mut fresh, mail, content, &self.timeouts).await?;
        Ok(self.keep(fresh, settings, ended))
    }

    /// An idle connection of these settings that is still silent.
    async fn take(&self, settings: &Settings) -> Option<Connection> {
        loop {
            let found = {
                let mut idle = self.lock();
                let at = idle.iter().rposition(|kept| kept.settings == *settings)?;
                idle.remove(at)
            };
            let mut connection = found.connection;
            // Closed, or answers that nobody asked for: out of step either way.
            if connection.wire.is_quiet().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection, settings: &Settings, ended: Ended) -> Vec<Delivery> {
        if ended.reusable && connection.mails < MOST_MAILS {
            let settings = settings.clone();
            self.lock().push(Idle { connection, settings, since: Instant::now() });
        }
        ended.deliveries
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// QUIT, without waiting for the answer.
async fn farewell(gone: Vec<Idle>) {
    for mut idle in gone {
        // The server closes an idle connection by itself as well: nothing depends on this.
        if let Err(cause) = idle.connection.wire.write(b"QUIT\r\n", FAREWELL).await {
            tracing::debug!(%cause, "an idle connection was closed already");
        }
    }
}
