//! Next hops that take no mail, whatever mail it is: nobody answers, the greeting is no 220, the login fails. What waits for
//! such a server does not knock at its door mail by mail: after a few failures in a row an attempt ends with the reason of the
//! last one. A probe asks the server every few seconds whether it is back; then all that waited for it is due, and
//! the first mails go one by one, then more and more at once. Used by `worker`; `web/admin` shows what is known.
//!
//! Each organisation learns by itself, because a server may turn away one and take the other's mail: a login that fails is nobody
//! else's.
//!
//! What must never happen: that mail waits for a server that is back, or that each mail of an outage has a line in the log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Timestamp, jittered};
use crate::config::Direction;
use crate::delivery::outcome::Delivery;
use crate::diagnostic::{Diagnostic, Outcome, Source};
use crate::id::OrganisationId;
use crate::store::{HopReport, Problem};

/// So many failures in a row, and those that follow share the reason of the last. A server that turns away some
/// connections and takes others never gets there.
const PATIENCE: u32 = 5;
/// Between two probes, at the longest: nodes do not probe at the same moment.
const PROBE: Duration = Duration::from_secs(6);
/// A probe that has not ended by then has broken down.
pub(super) const PROBE_LIMIT: Duration = Duration::from_mins(2);
/// For so long after its return a server gets more and more deliveries at once.
const CAREFUL: Duration = Duration::from_secs(10);
/// An outage has one line in the log for each of these.
const LINE: Duration = Duration::from_mins(1);

/// What is known of the next hops. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct NextHops(Arc<Mutex<HashMap<HopName, Hop>>>);

/// A next hop, as one organisation comes to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct HopName {
    pub organisation: OrganisationId,
    /// `host:port`
    pub server: String,
}

/// A next hop, for monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHopStatus {
    /// `host:port`
    pub server: String,
    /// Which mail goes there.
    pub direction: Direction,
    /// When it last took part in the delivery of a mail.
    pub last_success: Option<Timestamp>,
    /// Why it takes no mail.
    pub outage: Option<OutageStatus>,
}

impl NextHopStatus {
    fn of(server: &str, hop: &Hop) -> Self {
        let outage = hop.outage.as_ref().filter(|outage| !outage.is_partial).map(|outage| OutageStatus {
            since: outage.since,
            deferred: outage.deferred,
            reason: outage.last.clone(),
        });
        let (direction, last_success) = (hop.direction, hop.last_success);
        Self { server: server.to_owned(), direction, last_success, outage }
    }

    /// What another organisation knows of the same server.
    fn add(&mut self, hop: &Hop) {
        let other = Self::of(&self.server, hop);
        self.last_success = self.last_success.max(other.last_success);
        self.outage = match (self.outage.take(), other.outage) {
            (Some(one), Some(other)) => Some(OutageStatus {
                deferred: one.deferred.saturating_add(other.deferred),
                ..if one.since <= other.since { one } else { other }
            }),
            (one, other) => one.or(other),
        };
    }
}

/// An outage of a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutageStatus {
    /// Since when.
    pub since: Timestamp,
    /// Attempts that ended with it.
    pub deferred: u64,
    /// Why the last did.
    pub reason: Diagnostic,
}

/// When something happens, by the clock of the wall and by one that nobody can set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub time: Timestamp,
    pub instant: Instant,
}

impl Moment {
    /// Now.
    pub fn now(clock: &Clock) -> Self {
        Self { time: clock.now(), instant: Instant::now() }
    }
}

/// What is to be done about a next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Ask whether it is back.
    Probe(HopName, Direction),
    /// Make due what waits; this server is of no interest any more, or the last to fail were recorded late.
    Hurry,
}

#[derive(Debug)]
struct Hop {
    direction: Direction,
    last_success: Option<Timestamp>,
    /// In a row.
    failures: u32,
    outage: Option<Outage>,
    /// A failed attempt was recorded after what waits had been made due.
    is_late: bool,
    /// When it came back, and how many deliveries there may be at once since then.
    back: Option<(Instant, usize)>,
}

#[derive(Debug)]
struct Outage {
    since: Timestamp,
    first: String,
    last: Diagnostic,
    problem: Option<Problem>,
    deferred: u64,
    /// Of them, those that a line of the log has counted.
    told: u64,
    next_line: Instant,
    next_probe: Instant,
    /// It takes some mail meanwhile: it has a limit of connections, say.
    is_partial: bool,
}

impl NextHops {
    /// What an attempt ends with that need not be made; `None` where it must be.
    pub(super) fn ended_before(&self, hop: &HopName, recipients: usize) -> Option<Delivery> {
        let hops = self.lock();
        let hop = hops.get(hop).filter(|hop| hop.failures >= PATIENCE)?;
        let Outage { last, problem, .. } = hop.outage.as_ref()?;
        let outcomes = vec![Outcome::Deferred(last.clone()); recipients];
        Some(Delivery { problem: *problem, outcomes, is_away: true, hop: HopReport::default() })
    }

    /// Learns from an attempt.
    pub(super) fn note(&self, hop: &HopName, direction: Direction, ended: &Delivery, now: Moment) {
        let mut hops = self.lock();
        let server = &hop.server;
        let hop = hops.entry(hop.clone()).or_insert_with(|| Hop::new(direction));
        match ended.deferred().filter(|_| ended.is_away) {
            Some(why) => hop.failed(server, why, ended.problem, now),
            None if ended.outcomes.iter().any(is_of_server) => hop.worked(now.time),
            None => {}
        }
    }

    /// An attempt that ended with an outage is recorded: if that is over, what waits must be made due once more.
    pub(super) fn recorded(&self, hop: &HopName) {
        if let Some(hop) = self.lock().get_mut(hop) {
            hop.is_late |= hop.outage.is_none();
        }
    }

    /// What to do now. A server that the configuration no longer names is forgotten.
    pub(super) fn tasks(
        &self,
        server: impl Fn(&OrganisationId, Direction) -> Option<String>,
        now: Instant,
    ) -> Vec<Task> {
        let (mut hops, mut tasks) = (self.lock(), Vec::new());
        hops.retain(|name, hop| {
            let is_named = server(&name.organisation, hop.direction).as_ref() == Some(&name.server);
            let waits = hop.outage.is_some() || hop.is_late;
            if waits && (!is_named || hop.outage.is_none()) {
                tasks.push(Task::Hurry);
                hop.is_late = false;
            }
            is_named
        });
        for (name, hop) in hops.iter_mut() {
            let Some(outage) = &mut hop.outage else { continue };
            if now >= outage.next_line {
                outage.tell(&name.server, now);
            }
            if now >= outage.next_probe {
                outage.next_probe = now + PROBE_LIMIT;
                tasks.push(Task::Probe(name.clone(), hop.direction));
            }
        }
        tasks
    }

    /// A probe has failed, or what waits could not be made due: there is another one soon.
    pub(super) fn is_still_away(&self, hop: &HopName, why: Option<&Diagnostic>, now: Instant) {
        let mut hops = self.lock();
        let Some(outage) = hops.get_mut(hop).and_then(|hop| hop.outage.as_mut()) else { return };
        outage.next_probe = now + jittered(PROBE);
        if let Some(why) = why {
            outage.last = why.clone();
        }
    }

    /// It takes mail, and what waited for it is due.
    pub(super) fn is_back(&self, hop: &HopName, due: u64, now: Instant) {
        let mut hops = self.lock();
        let server = &hop.server;
        let Some(hop) = hops.get_mut(hop) else { return };
        (hop.failures, hop.back) = (0, Some((now, 1)));
        if let Some(Outage { since, deferred, .. }) = hop.outage.take() {
            tracing::info!(smarthost = server, %since, deferred, due, "the next hop takes mail again; what waited is due");
        }
    }

    /// Deliveries that there may be at once: few while a server comes back.
    pub(super) fn allowed(&self, now: Instant) -> usize {
        let hops = self.lock();
        let back = hops.values().filter_map(|hop| hop.back);
        let allowed =
            back.filter(|(since, _)| now.duration_since(*since) < CAREFUL).map(|(_, allowed)| allowed);
        allowed.min().unwrap_or(usize::MAX)
    }

    /// For monitoring, in the order of their names: each server once for each direction. It is up if it is so for all that send
    /// through it.
    pub fn status(&self) -> Vec<NextHopStatus> {
        let hops = self.lock();
        let mut named: Vec<_> = hops.iter().map(|(name, hop)| (&name.server, hop)).collect();
        let place = |(server, hop): &(&String, &Hop)| ((*server).clone(), hop.direction == Direction::Inside);
        named.sort_by_key(place);
        let mut status: Vec<NextHopStatus> = Vec::new();
        for (server, hop) in named {
            match status.last_mut().filter(|last| last.server == *server && last.direction == hop.direction) {
                Some(last) => last.add(hop),
                None => status.push(NextHopStatus::of(server, hop)),
            }
        }
        status
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HopName, Hop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server had a part in it, which then takes mail.
fn is_of_server(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered => true,
        Outcome::Deferred(why) | Outcome::Failed(why) => matches!(why.source, Source::Remote(_)),
    }
}

impl Hop {
    fn new(direction: Direction) -> Self {
        Self { direction, last_success: None, failures: 0, outage: None, is_late: false, back: None }
    }

    fn worked(&mut self, now: Timestamp) {
        self.last_success = Some(now);
        self.failures = 0;
        if let Some(outage) = &mut self.outage {
            outage.is_partial = true;
        }
        if let Some((_, allowed)) = &mut self.back {
            *allowed = allowed.saturating_mul(2);
        }
    }

    fn failed(&mut self, server: &str, why: &Diagnostic, problem: Option<Problem>, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        let outage = self.outage.get_or_insert_with(|| {
            let reason = why.for_log();
            tracing::warn!(smarthost = server, reason, "the next hop takes no mail; what is for it waits");
            Outage {
                since: now.time,
                first: reason,
                last: why.clone(),
                problem,
                deferred: 0,
                told: 0,
                next_line: now.instant + LINE,
                next_probe: now.instant + jittered(PROBE),
                is_partial: false,
            }
        });
        (outage.last, outage.problem) = (why.clone(), problem);
        outage.deferred += 1;
        outage.is_partial &= self.failures < PATIENCE;
    }
}

impl Outage {
    fn tell(&mut self, server: &str, now: Instant) {
        let Self { since, first, last, deferred, told, is_partial, .. } = self;
        let (attempts, last) = (*deferred - *told, last.for_log());
        let message = match *is_partial {
            true => "the next hop turns some of our connections away",
            false => "the next hop still takes no mail",
        };
        tracing::warn!(smarthost = server, %since, attempts, first, last, "{message}");
        (self.told, self.next_line) = (self.deferred, now + LINE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{EnhancedCode, Stage};

    const SERVER: &str = "smarthost:25";

    fn refused() -> Delivery {
        let why = Diagnostic::local(Some(Stage::Connect), EnhancedCode::new(4, 4, 1), "no connection");
        Delivery { is_away: true, ..Delivery::same(Outcome::Deferred(why), 2) }
    }

    fn hop() -> HopName {
        of("voorbeeld.nl", SERVER)
    }

    fn of(organisation: &str, server: &str) -> HopName {
        HopName { organisation: OrganisationId::of_domain(organisation), server: server.to_owned() }
    }

    fn note(hops: &NextHops, ended: &Delivery, instant: Instant) {
        hops.note(&hop(), Direction::Outside, ended, Moment { time: Timestamp::UNIX_EPOCH, instant });
    }

    fn named(_: &OrganisationId, _: Direction) -> Option<String> {
        Some(SERVER.to_owned())
    }

    #[test]
    fn after_a_few_failures_the_others_are_spared_until_a_probe_succeeds() {
        let (hops, mut now) = (NextHops::default(), Instant::now());
        let delivered = Delivery::same(Outcome::Delivered, 1);
        for _ in 0..3 {
            (0..PATIENCE - 1).for_each(|_| note(&hops, &refused(), now));
            assert!(hops.ended_before(&hop(), 3).is_none());
            note(&hops, &delivered, now);
            assert!(hops.status()[0].outage.is_none(), "it turns away some connections and takes others");
        }
        (0..PATIENCE).for_each(|_| note(&hops, &refused(), now));
        let spared = hops.ended_before(&hop(), 3).unwrap();
        assert!(spared.is_away && spared.outcomes.len() == 3, "{spared:?}");
        assert!(
            hops.ended_before(&of("voorbeeld.nl", "other:25"), 3).is_none()
                && hops.status()[0].outage.is_some()
        );

        assert_eq!(hops.tasks(named, now), []);
        now += PROBE;
        assert_eq!(hops.tasks(named, now), [Task::Probe(hop(), Direction::Outside)]);
        assert_eq!(hops.tasks(named, now), [], "one at a time");
        hops.is_still_away(&hop(), None, now);
        now += PROBE;
        assert_eq!(hops.tasks(named, now).len(), 1);
        assert_eq!(hops.allowed(now), usize::MAX);
        hops.is_back(&hop(), 7, now);
        assert!(hops.ended_before(&hop(), 3).is_none() && hops.status()[0].outage.is_none());
        assert_eq!(hops.allowed(now), 1);
        note(&hops, &delivered, now);
        note(&hops, &delivered, now);
        assert_eq!(hops.allowed(now), 4);
        assert_eq!(hops.allowed(now + CAREFUL), usize::MAX, "no mail for it holds up that for others");
    }

    #[test]
    fn what_is_recorded_late_and_what_waits_for_another_server_is_due_again() {
        let (hops, now) = (NextHops::default(), Instant::now());
        note(&hops, &refused(), now);
        hops.recorded(&hop());
        assert_eq!(hops.tasks(named, now), []);
        hops.is_back(&hop(), 0, now);
        hops.recorded(&hop());
        assert_eq!(hops.tasks(named, now), [Task::Hurry]);
        assert_eq!(hops.tasks(named, now), []);

        note(&hops, &refused(), now);
        assert_eq!(hops.tasks(|_, _| Some("new:25".to_owned()), now), [Task::Hurry]);
        assert_eq!(hops.status(), [], "the configuration names another one");
    }

    /// A login that fails, say, is that organisation's own: the other's mail through the same server goes on.
    #[test]
    fn what_one_organisation_cannot_do_spares_no_others_mail() {
        let (hops, now) = (NextHops::default(), Instant::now());
        (0..PATIENCE).for_each(|_| note(&hops, &refused(), now));
        let other = of("zuiderveen.nl", SERVER);
        assert!(hops.ended_before(&hop(), 1).is_some() && hops.ended_before(&other, 1).is_none());
        let worked = Delivery::same(Outcome::Delivered, 1);
        hops.note(&other, Direction::Outside, &worked, Moment { time: Timestamp::UNIX_EPOCH, instant: now });
        assert!(hops.ended_before(&hop(), 1).is_some(), "nor does its success end the outage");
        let status = hops.status();
        assert_eq!((status.len(), status[0].last_success), (1, Some(Timestamp::UNIX_EPOCH)));
        assert!(status[0].outage.is_some(), "one server, and it is not well");
        let gone = |organisation: &OrganisationId, _: Direction| {
            (organisation.as_str() == "voorbeeld.nl").then(|| SERVER.to_owned())
        };
        hops.tasks(gone, now);
        assert_eq!(hops.status()[0].last_success, None, "an organisation that is gone is forgotten");
    }

    /// What fails on our side says nothing of the server.
    #[test]
    fn only_an_answer_counts_as_a_success() {
        let (hops, now) = (NextHops::default(), Instant::now());
        let ours = Diagnostic::local(None, EnhancedCode::new(4, 3, 0), "the queued message cannot be read");
        note(&hops, &Delivery::same(Outcome::Deferred(ours), 1), now);
        assert_eq!(hops.status()[0].last_success, None);
        let theirs = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 later");
        note(&hops, &Delivery::same(Outcome::Deferred(theirs), 1), now);
        assert_eq!(hops.status()[0].last_success, Some(Timestamp::UNIX_EPOCH));
    }
}
