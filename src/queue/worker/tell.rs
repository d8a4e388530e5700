//! Mail that was given up is reported to its sender, or else to the postmaster; and what is kept because of that (C38).

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Shared, soften};
use crate::audit::{Action, Event, EventResult, Initiator, MailLine};
use crate::clock::Timestamp;
use crate::diagnostic::Outcome;
use crate::outbox::Outbox;
use crate::queue::bounce::{self, Reporter};
use crate::queue::routing;
use crate::secret::{BodyKey, LinkKey};
use crate::settings::Settings;
use crate::store::{Item, NewItem, Problem, QueueItemKind};

/// What came of telling somebody.
#[derive(Default)]
pub(super) struct FailureNotice {
    /// The report, or the notice to the postmaster.
    pub mail: Option<NewItem>,
    /// The item is to stay, and not to be tried again by itself.
    pub frozen: bool,
}

impl FailureNotice {
    /// What the audit trail says of it.
    pub fn event(&self, about: &Item, now: Timestamp) -> Option<Event> {
        let (mail, item) = (self.mail.as_ref()?, &about.id);
        let result = match mail.kind {
            QueueItemKind::Report => EventResult::FailureReport(item.clone()),
            _ => EventResult::PostmasterNotice(item.clone()),
        };
        let to = mail.envelope.recipients.iter().map(|recipient| recipient.address.to_string());
        let line = MailLine {
            tracking: about.tracking().to_string(),
            kind: Some(mail.kind.as_str()),
            to: to.collect(),
            message_id: mail.track.message_id.clone(),
            ..MailLine::default()
        };
        let event = Initiator::zegel().event(now, Action::Notify, mail.id.to_string(), result);
        Some(event.about(vec![line]).of(about.organisation.clone()))
    }
}

impl Shared {
    /// Sees to it that somebody is told of whoever was given up: the sender, or else the postmaster. What nobody can be
    /// told of is kept, and so is what zegel itself has written without a sender to tell (C38).
    pub(super) async fn tell(
        &self,
        settings: &Arc<Settings>,
        server: &str,
        item: &Item,
        outcomes: &mut [(u32, Outcome)],
        now: Timestamp,
    ) -> FailureNotice {
        let from_nobody = !bounce::untold(item, outcomes).is_empty();
        if !from_nobody && bounce::to_report(item, outcomes).is_empty() {
            return FailureNotice::default();
        }
        let keep = from_nobody && item.by_hand.bounce.is_none() && routing::is_kept(item.kind);
        let mut mail = match from_nobody {
            true => {
                let failed = bounce::untold(item, outcomes);
                let outbox = outbox(&self.parts.key, &self.parts.link_key);
                let action_key = &self.parts.action_key;
                Reporter { settings, server, outbox, action_key, now }.notice(item, &failed, keep)
            }
            false => self.report(settings, server, item, outcomes, now).await,
        };
        if let Some(mail) = &mut mail {
            mail.track.tracking = Some(item.tracking().clone());
        }
        if !keep && mail.is_some() {
            if from_nobody {
                let why = reason_of(outcomes);
                tracing::warn!(tracking = %item.tracking(), item = %item.id, reason = why, "mail from the null sender failed; the postmaster is told");
            }
            return FailureNotice { mail, frozen: false };
        }
        let (why, frozen) = (reason_of(outcomes), freeze(outcomes));
        // There may be many of these, and the postmaster cannot be told anyway: they are counted.
        if item.kind != QueueItemKind::Undelivered {
            let kind = item.kind.as_str();
            tracing::error!(tracking = %item.tracking(), item = %item.id, kind, smarthost = server, reason = why, "{}", Problem::Frozen.explanation());
        }
        FailureNotice { mail, frozen }
    }

    async fn report(
        &self,
        settings: &Arc<Settings>,
        server: &str,
        item: &Item,
        outcomes: &[(u32, Outcome)],
        now: Timestamp,
    ) -> Option<NewItem> {
        // A body that cannot be read is no reason to keep silent: the report then goes without it.
        let original = self.source(item).open().await.ok();
        let tracking = item.tracking().clone();
        let (settings, item, outcomes) = (Arc::clone(settings), item.clone(), outcomes.to_vec());
        let (key, link_key, action_key) =
            (self.parts.key.clone(), self.parts.link_key.clone(), self.parts.action_key.clone());
        let server = server.to_owned();
        let made = spawn_blocking(move || {
            let failed = bounce::to_report(&item, &outcomes);
            let outbox = outbox(&key, &link_key);
            let reporter =
                Reporter { settings: &settings, server: &server, outbox, action_key: &action_key, now };
            reporter.report(&item, &failed, original)
        });
        made.await.unwrap_or_else(|error| {
            tracing::error!(%error, %tracking, "a failure report could not be made");
            None
        })
    }
}

/// In the row whatever its size: a disk without room for a blob must not cost anybody the report.
fn outbox<'a>(body_key: &'a BodyKey, link_key: &'a LinkKey) -> Outbox<'a> {
    Outbox { body_key, link_key, blobs: None }
}

/// Those that were given up wait on; whether that is for ever, because nobody else still waits.
fn freeze(outcomes: &mut [(u32, Outcome)]) -> bool {
    let is_last = !outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Deferred(_)));
    soften(outcomes);
    is_last
}

/// Why the first of those that were given up was, for the log.
fn reason_of(outcomes: &[(u32, Outcome)]) -> String {
    let reason = outcomes.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Failed(why) => Some(why.for_log()),
        Outcome::Delivered | Outcome::Deferred(_) => None,
    });
    reason.unwrap_or_default()
}
