//! Who hears of mail that was given up: its sender, or else the postmaster; and what is kept because of that (C38).

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Shared, soften};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::delivery::outcome;
use crate::delivery::smarthost::Settings;
use crate::id::QueueId;
use crate::queue::{bounce, way};
use crate::store::{Delivery, Item, Kind, NewItem, Problem};

/// What came of telling somebody.
#[derive(Default)]
pub(super) struct Told {
    /// The report, or the notice to the postmaster.
    pub mail: Option<NewItem>,
    /// The item is to stay, and not to be tried again by itself.
    pub frozen: bool,
}

impl Told {
    /// What the audit trail says of it.
    pub fn event(&self, item: &QueueId, now: Timestamp) -> Option<Event> {
        let mail = self.mail.as_ref()?;
        let what = if mail.kind == Kind::Report { "failure report" } else { "notice to the postmaster" };
        let object = mail.id.to_string();
        Some(Actor::zegel().event(now, Action::Notify, object, &format!("{what} on {item}")))
    }
}

impl Shared {
    /// Sees to it that somebody hears of whoever was given up: the sender, or else the postmaster. What nobody can be
    /// told of is kept, and so is what zegel itself has written without a sender to tell (C38).
    pub(super) async fn tell(
        &self,
        config: &Arc<Config>,
        settings: &Settings,
        item: &Item,
        deliveries: &mut [(u32, Delivery)],
        now: Timestamp,
    ) -> Told {
        let from_nobody = !bounce::untold(item, deliveries).is_empty();
        if !from_nobody && bounce::to_report(item, deliveries).is_empty() {
            return Told::default();
        }
        let keep = from_nobody && way::is_kept(item.kind);
        let mail = match from_nobody {
            true => {
                let failed = bounce::untold(item, deliveries);
                bounce::notice(config, (&self.parts.key, &self.parts.link_key), now, item, &failed, keep)
            }
            false => self.report(config, item, deliveries, now).await,
        };
        if !keep && mail.is_some() {
            if from_nobody {
                let why = reason_of(deliveries);
                tracing::warn!(item = %item.id, reason = why, "mail from the null sender failed; the postmaster is told");
            }
            return Told { mail, frozen: false };
        }
        let (why, frozen) = (reason_of(deliveries), freeze(deliveries));
        // There may be many of these, and the postmaster cannot be told anyway: they are counted.
        if item.kind != Kind::Undelivered {
            let (kind, smarthost) = (item.kind.as_str(), settings.smarthost());
            tracing::error!(item = %item.id, kind, smarthost, reason = why, "{}", Problem::Frozen.explanation());
        }
        Told { mail, frozen }
    }

    async fn report(
        &self,
        config: &Arc<Config>,
        item: &Item,
        deliveries: &[(u32, Delivery)],
        now: Timestamp,
    ) -> Option<NewItem> {
        // A body that cannot be read is no reason to keep silent: the report then goes without it.
        let original = self.open(item).await.ok();
        let (config, item, deliveries) = (Arc::clone(config), item.clone(), deliveries.to_vec());
        let (key, link_key) = (self.parts.key.clone(), self.parts.link_key.clone());
        let made = spawn_blocking(move || {
            let failed = bounce::to_report(&item, &deliveries);
            bounce::report(&config, (&key, &link_key), now, &item, &failed, original)
        });
        made.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a failure report could not be made");
            None
        })
    }
}

/// Those that were given up wait on; whether that is for ever, because nobody else still waits.
fn freeze(deliveries: &mut [(u32, Delivery)]) -> bool {
    let is_last = !deliveries.iter().any(|(_, delivery)| matches!(delivery, Delivery::Later { .. }));
    soften(deliveries);
    is_last
}

/// Why the first of those that were given up was, for the log.
fn reason_of(deliveries: &[(u32, Delivery)]) -> String {
    let reason = deliveries.iter().find_map(|(_, delivery)| match delivery {
        Delivery::Failed { reason } => Some(outcome::for_log(reason)),
        Delivery::Delivered | Delivery::Later { .. } => None,
    });
    reason.unwrap_or_default()
}
