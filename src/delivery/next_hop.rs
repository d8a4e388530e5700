//! The seam between the queue and the server that takes its mail on. `queue/worker` knows only this trait;
//! [`super::smarthost::Smarthost`] is an implementation of it.

use async_trait::async_trait;

use super::mail::OutgoingMail;
use super::outcome::Delivery;
use crate::config::Direction;
use crate::settings::Organisation;

/// Takes mail on. Whose mail it is, and so where it goes, is given with every call, because that changes while the gateway runs.
#[async_trait]
pub trait NextHop: Send + Sync + 'static {
    /// The server that mail of this direction goes to, as the log, reports and the audit log name it.
    fn name(&self, organisation: &Organisation, direction: Direction) -> String;

    /// Delivers one mail, and gives an outcome for each of its recipients, in order. Those that are deferred are tried
    /// again, and nobody else.
    async fn deliver(&self, organisation: &Organisation, mail: &OutgoingMail<'_>) -> Delivery;

    /// Whether the server takes mail at all, asked without one: up to where a mail would begin.
    async fn probe(&self, _organisation: &Organisation, _direction: Direction) -> Result<(), Delivery> {
        Ok(())
    }

    /// Closes connections that have idled too long. Called now and then.
    async fn sweep(&self) {}

    /// Closes all connections. Called once, after the last delivery.
    async fn close(&self) {}
}
