//! Takes what is due out of the queue and hands it to the next hop, several mails at once; records how it ended.
//! Started by `serve`, woken whenever new mail is committed.
//!
//! An item leaves the queue only when its outcome is recorded: a crash, or a store that
//! cannot be written just then, makes at most one duplicate and loses nothing (H02). While an outcome is not
//! recorded its item is not tried again. One slow delivery holds one connection and nothing else (H35).

mod probe;
mod tell;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::alarm::Alarms;
use super::in_flight::{ConnectionSlot, ConnectionSlots, InFlight};
use super::outage::{HopName, Moment, NextHops};
use super::queued_message::{BodySource, QueuedMessage};
use super::retry::{Next, RetrySchedule};
use super::{routing, shares};
use crate::address::ReversePath;
use crate::audit::{Action, Actor, Event, EventResult, Initiator, MailLine, Origin};
use crate::clock::{Clock, Timestamp, jittered, later};
use crate::config::{Direction, ReturnPath};
use crate::delivery::outcome::{self, Delivery};
use crate::delivery::{NextHop, OutgoingMail};
use crate::diagnostic::{Diagnostic, EnhancedCode, Outcome};
use crate::envelope::EnvelopeRecipient;
use crate::id::FolderId;
use crate::metrics::{Metrics, Relayed};
use crate::secret::{ActionKey, BodyKey, LinkKey};
use crate::settings::{CurrentSettings, Organisation, Settings};
use crate::store::{
    Attempt, AttemptEnd, Blobs, BodyData, HopReport, Item, Problem, QueueItemKind, QueueStore, Ruling,
    StoreError, TrackRow,
};
use crate::transfer::link;

/// The queue is looked at this often, because the command line changes it from another process.
const POLL: Duration = Duration::from_secs(2);
/// The shortest pause, and the one after trouble with the store.
const PAUSE: Duration = Duration::from_millis(50);
const TROUBLE: Duration = Duration::from_secs(1);
/// No delivery takes longer, whatever its stages add up to.
const DEADLINE: Duration = Duration::from_hours(1);
/// How long a claim keeps others away: the deadline, and time to record the outcome.
const LEASE: Duration = Duration::from_hours(2);
/// What is in flight when we are told to stop may take this long; what then is left starts again later.
const GRACE: Duration = Duration::from_secs(25);
/// Deliveries in flight for each connection there may be: one whose outcome is being recorded needs none any more, but
/// a crash still doubles it.
const IN_FLIGHT: usize = 2;

/// What a worker needs.
pub struct WorkerParts {
    /// The owner of its claims: the gateway's data folder.
    pub owner: FolderId,
    pub store: Arc<dyn QueueStore>,
    /// Large bodies.
    pub blobs: Arc<dyn Blobs>,
    /// Opens bodies, and seals those of failure reports.
    pub key: BodyKey,
    /// For the address that reports about a notification come to.
    pub link_key: LinkKey,
    /// For the sender's link in failure reports.
    pub action_key: ActionKey,
    /// Time.
    pub clock: Clock,
    /// Taken once for every delivery.
    pub settings: CurrentSettings,
    /// Takes the mail on.
    pub next_hop: Arc<dyn NextHop>,
    /// Counts deliveries.
    pub metrics: Metrics,
}

/// The queue's worker.
pub struct Worker {
    shared: Arc<Shared>,
    wake: Arc<Notify>,
}

/// Tells the worker that there is new mail; the default one tells nobody.
#[derive(Clone, Debug, Default)]
pub struct WakeHandle(Arc<Notify>);

impl WakeHandle {
    /// Call it after a commit.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl Worker {
    /// Does nothing until [`Worker::run`].
    pub fn new(parts: WorkerParts) -> Self {
        let wake = Arc::new(Notify::new());
        let slots = ConnectionSlots::new(Arc::clone(&wake));
        let shared = Shared { parts, slots, alarms: Alarms::default(), next_hops: NextHops::default() };
        Self { shared: Arc::new(shared), wake }
    }

    /// What it learns of the next hops, for monitoring.
    pub fn next_hops(&self) -> NextHops {
        self.shared.next_hops.clone()
    }

    /// For those who commit mail.
    pub fn wake_handle(&self) -> WakeHandle {
        WakeHandle(Arc::clone(&self.wake))
    }

    /// Works until `stop`, then finishes what is in flight, at most 25 seconds long.
    pub async fn run(self, stop: CancellationToken) {
        let (mut in_flight, mut probes) = (InFlight::default(), JoinSet::new());
        let mut released = false;
        while !stop.is_cancelled() {
            let pause = match self.start_due(&mut in_flight, &mut released).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(%error, "the queue cannot be read; trying again");
                    jittered(TROUBLE)
                }
            };
            self.shared.parts.next_hop.sweep().await;
            self.shared.look_after_next_hops(&mut probes, &self.wake_handle());
            tokio::select! {
                () = stop.cancelled() => break,
                () = in_flight.ended() => {}
                () = self.wake.notified() => {}
                () = sleep(pause) => {}
            }
        }
        if timeout(GRACE, in_flight.all_ended()).await.is_err() {
            tracing::warn!(left = in_flight.count(), "deliveries were cut off; they start again later");
        }
        self.shared.parts.next_hop.close().await;
    }

    /// Starts as much as there are connections for; tells how long nothing new can be due.
    async fn start_due(&self, in_flight: &mut InFlight, released: &mut bool) -> Result<Duration, StoreError> {
        let shared = &self.shared;
        let store = &shared.parts.store;
        if !*released {
            store.release_claims(&shared.parts.owner).await?;
            // A next hop that was away before this start may be back, and nobody would know.
            shared.make_due().await?;
            *released = true;
        }
        if !store.has_lease() {
            return Ok(TROUBLE);
        }
        let settings = shared.parts.settings.get();
        let most = settings.operator().relay.max_connections.max(1);
        let unused = most.saturating_sub(shared.slots.taken());
        let free = most.saturating_mul(IN_FLIGHT).min(shared.next_hops.allowed(Instant::now()));
        let free = free.saturating_sub(in_flight.count()).min(unused);
        if free == 0 {
            return Ok(POLL);
        }
        let now = shared.parts.clock.now();
        let shares = shares::of(&settings, most, &shared.slots);
        let due = store.claim_in_turn(&shared.parts.owner, now, later(now, LEASE), free, shares).await?;
        let filled = due.len() >= free;
        for item in due {
            let name = (item.id.clone(), item.attempts);
            let attempt = || {
                let slot = shared.slots.take(shares::sharer(&settings, &item));
                Arc::clone(shared).attempt(item, slot)
            };
            in_flight.start(name, attempt);
        }
        if filled {
            return Ok(POLL);
        }
        let pause = self.until_next(&settings, now, in_flight.is_empty()).await?;
        // What is due already is more than its organisation may have now: one that ends makes room, and wakes us.
        let is_held_back = settings.has_several() && pause == PAUSE && !in_flight.is_empty();
        Ok(if is_held_back { POLL } else { pause })
    }

    async fn until_next(
        &self,
        settings: &Settings,
        now: Timestamp,
        idle: bool,
    ) -> Result<Duration, StoreError> {
        let store = &self.shared.parts.store;
        let Some(due) = store.next_due().await? else { return Ok(POLL) };
        // While something is in flight the due time may be the end of its claim.
        let is_beyond = |one: &Arc<Organisation>| schedule(one).is_beyond(due, now);
        if idle && settings.organisations().all(is_beyond) {
            tracing::warn!(%due, "the clock was set back; the whole queue is due now");
            store.make_all_due(now).await?;
            return Ok(POLL);
        }
        let wait = Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO);
        Ok(wait.clamp(PAUSE, POLL))
    }
}

struct Shared {
    parts: WorkerParts,
    slots: ConnectionSlots,
    alarms: Alarms,
    next_hops: NextHops,
}

impl Shared {
    /// One attempt, from the claimed item to the recorded outcome.
    async fn attempt(self: Arc<Self>, item: Item, slot: ConnectionSlot) {
        if !self.parts.store.holds(&item.claim) {
            tracing::warn!(tracking = %item.tracking(), item = %item.id, "a delivery is not begun: it may have become another node's");
            drop(slot);
            return self.record(give_back(item, self.parts.clock.now())).await;
        }
        if item.by_hand.hold.is_some() {
            drop(slot);
            return self.record(give_back(item, self.parts.clock.now())).await;
        }
        let settings = self.parts.settings.get();
        let direction = routing::direction(&settings, &item);
        let organisation = routing::organisation(&settings, &item);
        let server = self.parts.next_hop.name(organisation, direction);
        if let Some(ruling) = &item.by_hand.bounce {
            drop(slot);
            let delivery = sent_back(ruling, item.recipients.len());
            let conclusion = self.conclude(&settings, &server, item, delivery).await;
            return self.record(conclusion).await;
        }
        let hop = HopName { organisation: organisation.id(), server: server.clone() };
        if item.attempts == 0 && item.kind != QueueItemKind::Message {
            let organisation = settings.label(item.organisation.as_ref());
            self.parts.metrics.notice(organisation.as_ref(), item.kind.as_str());
        }
        let delivery = match self.next_hops.ended_before(&hop, item.recipients.len()) {
            Some(ended) => ended,
            None => self.deliver_in_time(&settings, direction, &item).await,
        };
        drop(slot);
        self.next_hops.note(&hop, direction, &delivery, Moment::now(&self.parts.clock));
        let is_away = delivery.is_away;
        let conclusion = self.conclude(&settings, &server, item, delivery).await;
        self.record(conclusion).await;
        if is_away {
            self.next_hops.recorded(&hop);
        }
    }

    async fn deliver_in_time(&self, settings: &Settings, direction: Direction, item: &Item) -> Delivery {
        let delivery = timeout(DEADLINE, self.deliver(settings, direction, item)).await;
        delivery.unwrap_or_else(|_| {
            let why = Diagnostic::local(None, EnhancedCode::new(4, 4, 2), "the delivery took too long");
            Delivery::same(Outcome::Deferred(why), item.recipients.len())
        })
    }

    async fn deliver(&self, settings: &Settings, direction: Direction, item: &Item) -> Delivery {
        let message = match QueuedMessage::open(self.source(item)).await {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(tracking = %item.tracking(), item = %item.id, %error, "a queued body cannot be read");
                return self.unreadable(&error, item).await;
            }
        };
        let recipients: Vec<EnvelopeRecipient> =
            item.recipients.iter().map(|pending| pending.recipient.clone()).collect();
        let mail = OutgoingMail {
            direction,
            reverse_path: &self.reverse_path(settings, item),
            parameters: &item.parameters,
            recipients: &recipients,
            traits: message.traits(),
            secret: routing::is_secret(item),
            open: &|| {
                let (store, claim) = (Arc::clone(&self.parts.store), item.claim.clone());
                message.blocks().as_long_as(move || store.holds(&claim))
            },
        };
        self.parts.next_hop.deliver(routing::organisation(settings, item), &mail).await
    }

    /// What the next hop is told; failures of our own are reported to the item's own one all the same.
    fn reverse_path(&self, settings: &Settings, item: &Item) -> ReversePath {
        let organisation = routing::organisation(settings, item);
        let own = || match &item.link {
            Some(link) if organisation.seal.return_path == ReturnPath::Gateway => {
                link::return_address(&self.parts.link_key, link, &organisation.hostname)
            }
            _ => None,
        };
        match (item.kind, &item.reverse_path) {
            (QueueItemKind::Reply, _) => organisation.reply_bounces(),
            (QueueItemKind::Notification, ReversePath::Address(sender)) => {
                ReversePath::Address(own().unwrap_or_else(|| sender.clone()))
            }
            (_, path) => path.clone(),
        }
    }

    /// A body whose blob is missing, or that is damaged, does not come back: its sender is told now, and not after five
    /// days of silence. What a disk cannot give just now, or a folder of keys that is not there, may come later.
    async fn unreadable(&self, error: &io::Error, item: &Item) -> Delivery {
        let is_missing = match item.body.data.clone() {
            BodyData::Blob(name) => {
                let blobs = Arc::clone(&self.parts.blobs);
                matches!(spawn_blocking(move || blobs.look(&name)).await, Ok(Ok(None)))
            }
            BodyData::Inline(_) => false,
        };
        let outcome = if is_missing || error.kind() == io::ErrorKind::InvalidData {
            let text = "the message was lost in our queue: send it again";
            Outcome::Failed(Diagnostic::local(None, EnhancedCode::new(5, 3, 0), text))
        } else {
            let text = format!("the queued message cannot be read: {error}");
            Outcome::Deferred(Diagnostic::local(None, EnhancedCode::new(4, 3, 0), &text))
        };
        Delivery::same(outcome, item.recipients.len())
    }

    fn source<'a>(&'a self, item: &'a Item) -> BodySource<'a> {
        BodySource { key: &self.parts.key, blobs: &self.parts.blobs, body: &item.body }
    }

    /// What is to be recorded: the recipients that are done, when the rest is tried again, who is told of it.
    async fn conclude(&self, settings: &Arc<Settings>, server: &str, item: Item, ended: Delivery) -> Attempt {
        let now = self.parts.clock.now();
        if let (Some(problem), Some(reason)) = (ended.problem, ended.deferred()) {
            self.alarms.raise(problem, server, &reason.for_log(), now);
        }
        let mut outcomes: Vec<(u32, Outcome)> =
            item.recipients.iter().map(|pending| pending.number).zip(ended.outcomes).collect();
        // Before giving up: in the end senders are told.
        let organisation = routing::organisation(settings, &item);
        let sends_back = item.by_hand.bounce.is_some();
        if organisation.relay.soft_bounce && !sends_back {
            soften(&mut outcomes);
        }
        self.count(settings, &item, &outcomes, now);
        let (attempts, age_from) = (item.attempts.saturating_add(1), item.by_hand.age_from(item.created));
        let next = schedule(organisation).after(attempts, age_from, now);
        let next_attempt = match next {
            Next::Again(_)
                if outcome::is_worth_another_round(outcomes.iter().map(|(_, outcome)| outcome)) =>
            {
                now
            }
            Next::Again(time) => time,
            Next::GiveUp => {
                give_up(&mut outcomes);
                now
            }
        };
        let notifies = item.link.clone().filter(|_| item.kind == QueueItemKind::Notification);
        let told = self.tell(settings, server, &item, &mut outcomes, now).await;
        let problem = if told.frozen { Some(Problem::Frozen) } else { ended.problem };
        let mut events = events(server, &item, &outcomes, &ended.hop, told.frozen, now);
        // An outage has a line of its own, and not one for each mail that waits for its end.
        events.retain(|event| !(ended.is_away && matches!(event.result, EventResult::Deferred { .. })));
        events.extend(told.event(&item, now));
        let tracks = TrackRow::attempted(&item, &outcomes, (&ended.hop, server), told.frozen, now);
        let reports = told.mail.into_iter().collect();
        Attempt {
            item: item.id,
            claim: item.claim,
            notifies,
            now,
            outcomes,
            next_attempt,
            problem,
            sends_back,
            reports,
            events,
            tracks,
        }
    }

    fn count(&self, settings: &Settings, item: &Item, outcomes: &[(u32, Outcome)], now: Timestamp) {
        let (kind, organisation) = (item.kind.as_str(), settings.label(item.organisation.as_ref()));
        for (_, outcome) in outcomes {
            let code = outcome.diagnostic().and_then(|why| why.source.reply_code());
            let (outcome, code) = match outcome {
                Outcome::Delivered => ("delivered", Some(250)),
                Outcome::Deferred(_) => ("deferred", code),
                Outcome::Failed(_) => ("failed", code),
            };
            self.parts.metrics.relayed(organisation.as_ref(), Relayed { kind, outcome, code });
            if outcome == "delivered" {
                let age = Duration::try_from(now.duration_since(item.created)).unwrap_or_default();
                self.parts.metrics.delivered(kind, age);
            }
        }
    }

    /// Tries until the store has it: to deliver again instead would make a duplicate.
    async fn record(&self, attempt: Attempt) {
        let mut told = false;
        loop {
            match self.parts.store.finish_attempt(attempt.clone()).await {
                Ok(AttemptEnd::Recorded) => return,
                Ok(AttemptEnd::ClaimLost) if attempt.outcomes.is_empty() => return,
                Ok(AttemptEnd::ClaimLost) => {
                    tracing::warn!(
                        tracking = %attempt.tracking(),
                        item = %attempt.item,
                        "an outcome came after its claim had run out and is not recorded: \
                         what was delivered may be delivered a second time"
                    );
                    return;
                }
                Err(error @ StoreError::Closed) => {
                    tracing::error!(tracking = %attempt.tracking(), item = %attempt.item, %error, "an outcome was not recorded");
                    return;
                }
                Err(error) if !told => {
                    tracing::error!(tracking = %attempt.tracking(), item = %attempt.item, %error, "an outcome cannot be recorded yet");
                    told = true;
                }
                Err(_) => {}
            }
            sleep(jittered(TROUBLE)).await;
        }
    }
}

/// The end of an attempt that was not made: the item is due again at once.
fn give_back(item: Item, now: Timestamp) -> Attempt {
    let Item { id, claim, .. } = item;
    Attempt {
        item: id,
        claim,
        notifies: None,
        now,
        outcomes: Vec::new(),
        next_attempt: now,
        problem: None,
        sends_back: false,
        reports: Vec::new(),
        events: Vec::new(),
        tracks: Vec::new(),
    }
}

/// An item that somebody sends back ends as if it had been refused for good, for everybody whom it has not reached yet.
fn sent_back(ruling: &Ruling, recipients: usize) -> Delivery {
    let text = match &ruling.reason {
        Some(reason) => format!("sent back by the administrator: {reason}"),
        None => "sent back by the administrator".to_owned(),
    };
    let why = Diagnostic::local(None, EnhancedCode::new(5, 7, 1), &text);
    Delivery::same(Outcome::Failed(why), recipients)
}

fn schedule(organisation: &Organisation) -> RetrySchedule<'_> {
    let relay = &organisation.relay;
    RetrySchedule { waits: &relay.retry, give_up_after: relay.give_up_after }
}

/// Nothing was refused for good.
fn soften(outcomes: &mut [(u32, Outcome)]) {
    for (_, outcome) in outcomes {
        if let Outcome::Failed(why) = outcome {
            *outcome = Outcome::Deferred(why.clone());
        }
    }
}

/// Everyone who would have to wait on has waited long enough (RFC 5321 4.5.4.1).
fn give_up(outcomes: &mut [(u32, Outcome)]) {
    for (_, outcome) in outcomes {
        if let Outcome::Deferred(last) = outcome {
            *outcome = Outcome::Failed(Diagnostic::given_up(last));
        }
    }
}

/// One event for each recipient that is settled, and one for all that wait on. Only codes of the next hop's
/// answer to a mail that it refused: its words might quote the mail.
fn events(
    server: &str,
    item: &Item,
    outcomes: &[(u32, Outcome)],
    hop: &HopReport,
    frozen: bool,
    now: Timestamp,
) -> Vec<Event> {
    let by = Initiator { actor: Actor::Zegel, origin: Origin::Server(server.to_owned()) };
    let event = |object: String, result: EventResult| {
        by.event(now, Action::Relay, object, result).of(item.organisation.clone())
    };
    let mail = MailLine { tls: hop.tls.clone(), ..mail_line(item) };
    let mut events = Vec::new();
    let (mut recipients, mut why, mut waiting) = (0, None, BTreeMap::<String, Vec<String>>::new());
    for (number, outcome) in outcomes {
        let object = format!("{}/{number}", item.id);
        let rule = item.track.rule(*number).map(str::to_owned);
        let one = MailLine { to: address_of(item, *number), rule, ..mail.clone() };
        match outcome {
            Outcome::Delivered => {
                let taken = MailLine { answer: hop.answer.clone(), ..one };
                events.push(event(object, EventResult::Delivered).about(vec![taken]));
            }
            Outcome::Failed(why) => {
                let refused = MailLine { reason: Some(why.for_track()), ..one };
                events.push(event(object, EventResult::Failed(why.codes())).about(vec![refused]));
            }
            Outcome::Deferred(reason) => {
                recipients += 1;
                why = Some(reason.codes());
                waiting.entry(reason.for_track()).or_default().extend(one.to);
            }
        }
    }
    if let Some(last) = why {
        let result = match frozen {
            true => EventResult::Frozen { recipients, last },
            false => EventResult::Deferred { recipients, last },
        };
        let lines = waiting
            .into_iter()
            .flat_map(|(reason, to)| MailLine { reason: Some(reason), ..mail.clone() }.for_all(&to));
        events.push(event(item.id.to_string(), result).about(lines.collect()));
    }
    events
}

/// What every line says of a mail that is delivered, or is not.
fn mail_line(item: &Item) -> MailLine {
    MailLine {
        tracking: item.tracking().to_string(),
        kind: Some(item.kind.as_str()),
        from: Some(sender_of(&item.reverse_path)),
        message_id: item.track.message_id.clone(),
        size: Some(item.track.size).filter(|size| *size > 0),
        transfer: item.track.transfer.as_ref().map(ToString::to_string),
        ..MailLine::default()
    }
}

fn sender_of(path: &ReversePath) -> String {
    path.address().map_or_else(|| "<>".to_owned(), ToString::to_string)
}

fn address_of(item: &Item, number: u32) -> Vec<String> {
    let found = item.recipients.iter().find(|pending| pending.number == number);
    found.map(|pending| pending.recipient.address.to_string()).into_iter().collect()
}
