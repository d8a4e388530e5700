//! The next hop of `[relay]` and `[relay.inside]`: one server that takes all mail. Connections are kept for the next mail and
//! used by one delivery at a time; `queue/worker` bounds how many deliveries there are at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use super::smtp_client::connection::TlsClients;

use super::outcome::{Cause, Delivery, Failure};
use super::smtp_client::connection::{Connection, ServerSettings, open};
use super::smtp_client::extensions::Size;
use super::smtp_client::transaction::{self, Ended};
use super::{NextHop, OutgoingMail, Timeouts};
use crate::config::Direction;
use crate::diagnostic::Stage;
use crate::settings::Organisation;
use crate::store::{HopReport, Problem};

/// Mails over one connection: servers that balance their load like to see us again.
const MOST_MAILS: u32 = 100;
/// Idle connections are the server's memory too.
const MOST_IDLE: Duration = Duration::from_secs(15);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The largest message that each next hop takes, as it said when it was last asked (RFC 1870). Cheap to clone; all
/// clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct LargestMail(Arc<Mutex<HashMap<String, u64>>>);

impl LargestMail {
    /// Bytes; `None` while this server has not been asked, or names no limit.
    pub fn octets(&self, smarthost: &str) -> Option<u64> {
        self.lock().get(smarthost).copied()
    }

    fn note(&self, smarthost: &str, size: Size) {
        match size {
            Size::AtMost(octets) => self.lock().insert(smarthost.to_owned(), octets),
            Size::Unknown | Size::Unlimited => self.lock().remove(smarthost),
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The servers of the configuration, and the idle connections to them.
pub struct Smarthost {
    largest: LargestMail,
    tls: TlsClients,
    timeouts: Timeouts,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    settings: ServerSettings,
    since: Instant,
}

impl Smarthost {
    /// Without a connection yet.
    pub fn new(tls: TlsClients, timeouts: Timeouts) -> Self {
        Self { largest: LargestMail::default(), tls, timeouts, idle: Mutex::new(Vec::new()) }
    }

    /// For those parts of zegel that write mail which may be too large.
    pub fn largest_mail(&self) -> LargestMail {
        self.largest.clone()
    }

    /// A connection that the server has closed in the meantime, as it may, costs no attempt: the mail goes
    /// over a fresh one at once.
    async fn try_deliver(
        &self,
        settings: &ServerSettings,
        mail: &OutgoingMail<'_>,
    ) -> Result<Delivery, Failure> {
        if let Some(mut used) = self.take(settings, mail.secret).await {
            match transaction::run(&mut used, mail, &self.timeouts).await {
                Ok(ended) => return Ok(self.keep(used, settings, ended)),
                Err(failure) => tracing::debug!(cause = %failure.cause, "an idle connection was closed"),
            }
        }
        let mut fresh = open(settings, &self.tls, &self.timeouts).await?;
        self.largest.note(settings.smarthost(), fresh.offered.size);
        if let Some(reason) = fresh.exposed.clone().filter(|_| mail.secret) {
            farewell(vec![fresh]).await;
            let smarthost = settings.smarthost().to_owned();
            return Err(Failure { stage: Stage::StartTls, cause: Cause::NeedsTls { smarthost, reason } });
        }
        let ended = transaction::run(&mut fresh, mail, &self.timeouts).await?;
        Ok(self.keep(fresh, settings, ended))
    }

    /// An idle connection of these settings that is still silent, and not exposed where the mail is secret.
    async fn take(&self, settings: &ServerSettings, secret: bool) -> Option<Connection> {
        let fits = |kept: &Idle| kept.settings == *settings && !(secret && kept.connection.exposed.is_some());
        loop {
            let found = {
                let mut idle = self.lock();
                let at = idle.iter().rposition(fits)?;
                idle.remove(at)
            };
            let mut connection = found.connection;
            // Closed, or answers that nobody asked for: out of step either way.
            if connection.wire.is_quiet().await {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection, settings: &ServerSettings, ended: Ended) -> Delivery {
        let hop = HopReport { answer: ended.answer, tls: connection.tls.clone() };
        if ended.reusable && connection.mails < MOST_MAILS {
            let settings = settings.clone();
            self.lock().push(Idle { connection, settings, since: Instant::now() });
        }
        let problem = ended.refuses_us.then_some(Problem::Refused);
        Delivery { outcomes: ended.outcomes, problem, is_away: false, hop }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl NextHop for Smarthost {
    fn name(&self, organisation: &Organisation, direction: Direction) -> String {
        organisation.relay.next_hop(direction).smarthost
    }

    async fn deliver(&self, organisation: &Organisation, mail: &OutgoingMail<'_>) -> Delivery {
        let delivered = self.try_deliver(&ServerSettings::of(organisation, mail.direction), mail).await;
        delivered.unwrap_or_else(|failure| failure.delivery(mail.recipients.len()))
    }

    /// The connection is kept for the first mail.
    async fn probe(&self, organisation: &Organisation, direction: Direction) -> Result<(), Delivery> {
        let settings = ServerSettings::of(organisation, direction);
        let opened = open(&settings, &self.tls, &self.timeouts).await;
        let connection = opened.map_err(|failure| failure.delivery(1))?;
        self.largest.note(settings.smarthost(), connection.offered.size);
        self.lock().push(Idle { connection, settings, since: Instant::now() });
        Ok(())
    }

    async fn sweep(&self) {
        let idle = |kept: &mut Idle| kept.since.elapsed() > MOST_IDLE;
        let gone = self.lock().extract_if(.., idle).map(|kept| kept.connection).collect();
        farewell(gone).await;
    }

    async fn close(&self) {
        let gone = std::mem::take(&mut *self.lock());
        farewell(gone.into_iter().map(|kept| kept.connection).collect()).await;
    }
}

/// QUIT, without waiting for the answer.
async fn farewell(gone: Vec<Connection>) {
    for mut connection in gone {
        // The server closes an idle connection by itself as well: nothing depends on this.
        if let Err(cause) = connection.wire.write(b"QUIT\r\n", FAREWELL).await {
            tracing::debug!(%cause, "an idle connection was closed already");
        }
    }
}
