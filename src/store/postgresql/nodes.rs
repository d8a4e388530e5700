//! The nodes that share the database: their leases, who leads, and how this one is.
//!
//! What must never happen: that a node which others may believe dead starts or records a delivery (the lease is counted from
//! before its renewal was sent, by a clock that goes on while the process is stopped); that two run the timer for longer than
//! it takes to notice. Signs of life and the timer have connections of their own, so that no crowd of callers keeps them away.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool_postgres::{ClientWrapper, Object};
use futures_util::FutureExt;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use super::change::{Change, SILENT, database};
use super::columns::{Time, get, number, time, time_or_none};
use super::locks::Lock;
use super::{Postgres, connection, queue};
use crate::clock::{Clock, Timestamp, jittered, later, since_boot};
use crate::id::FolderId;
use crate::store::nodes::{
    Difference, Heartbeat, LEASE, Lead, Node, NodeFacts, NodeHealth, NodeState, NodeStore, SettingsDigests,
    differing,
};
use crate::store::{Result, StoreError};

/// A sign of life that takes longer has failed.
const BEAT: Duration = Duration::from_secs(4);
/// The same while the database is away, so that its return is noticed soon.
const KNOCK: Duration = Duration::from_millis(2500);
/// How often the leader proves that its lock is still held, and how long the proof may take. Together less than a second.
const PROOF: Duration = Duration::from_millis(400);
const ANSWER: Duration = Duration::from_millis(500);
/// How often the others try to lead, at most.
const TURN: Duration = Duration::from_secs(2);
/// What the session with the lock is told, so that the lock does not outlive a leader that was stopped or cut off.
const SESSION: &str = "
    SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2; SET tcp_user_timeout = 3000;
    SELECT set_config('idle_session_timeout', '3s', FALSE) FROM pg_settings WHERE name = 'idle_session_timeout'";
/// PostgreSQL 13 has no such limit. There whoever wants to lead ends the session of a leader that has proved nothing for so long.
const END_OF_SILENCE: &str = "
    SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND classid::BIGINT = $1 AND objid::BIGINT = $2 AND objsubid = 2
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND state = 'idle' AND state_change < clock_timestamp() - INTERVAL '3 seconds'";

/// The time by the clock of the database, in microseconds.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT"
    };
}

/// And until when the lease of this node was, as all others see it.
const NOW: &str = concat!("SELECT ", now!(), " AS now, (SELECT lease FROM nodes WHERE id = $1) AS lease");
const BEAT_SQL: &str = "
    INSERT INTO nodes (id, name, version, started, seen, lease, skew, draining, settings, master_keys)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (id) DO UPDATE
    SET seen = excluded.seen, lease = excluded.lease, skew = excluded.skew, draining = excluded.draining,
        settings = excluded.settings, master_keys = excluded.master_keys";
/// Releases may write the same settings down in another way, and digests under another key are no others.
const OTHERS: &str = "
    SELECT name, settings FROM nodes
    WHERE lease > $1 AND id <> $2 AND version = $3 AND settings IS NOT NULL
        AND split_part(coalesce(master_keys, ''), ' ', 1) = $4 ORDER BY started, id";
/// Whoever holds items and is no node with a lease: it has ended, or was forgotten before.
pub(super) const DEAD: &str = "
    SELECT DISTINCT owner FROM items WHERE claimed AND owner IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.id = items.owner AND nodes.lease > $1)";
/// Nodes that were lost long ago are of interest to nobody.
const FORGET: &str = "DELETE FROM nodes WHERE lease < $1";
const LEAVE: &str = "DELETE FROM nodes WHERE id = $1";
const LIST: &str = concat!(
    "SELECT id, name, version, started, seen, lease, skew, draining, settings, master_keys, ",
    now!(),
    " AS now,
        (SELECT count(*) FROM items WHERE claimed AND items.owner = nodes.id) AS claimed,
        EXISTS (SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted AND classid::BIGINT = $1 AND objid::BIGINT = $2 AND objsubid = 2
                AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND application_name = $3 || nodes.id) AS timer
    FROM nodes ORDER BY started, id"
);

/// How long a lost node stays in the list.
const LOST: Duration = Duration::from_hours(24);

/// Until when this node holds what it has claimed, and its how-manieth lease that is, from 0.
#[derive(Debug, Default)]
pub(super) struct Lease {
    until: AtomicU64,
    number: AtomicU64,
}

impl Lease {
    /// What has claimed nothing as a node has nothing to lose: a command, a test.
    fn is_taken(&self) -> bool {
        self.until.load(Ordering::Acquire) != 0
    }

    fn renew(&self, asked: Duration) {
        let until = asked.saturating_add(LEASE).as_micros();
        self.until.store(u64::try_from(until).unwrap_or(u64::MAX).max(1), Ordering::Release);
    }

    fn end(&self) {
        self.until.store(1, Ordering::Release);
    }

    /// Whatever was claimed before is held no more. Call it before the next lease begins.
    fn lapse(&self) {
        self.number.fetch_add(1, Ordering::AcqRel);
    }

    /// What is left of it at `now`.
    fn left(&self, now: Duration) -> Option<Duration> {
        let left = Duration::from_micros(self.until.load(Ordering::Acquire)).checked_sub(now)?;
        (!left.is_zero()).then_some(left)
    }
}

/// What a node knows of itself.
#[derive(Debug, Default)]
pub(super) struct Own {
    lease: Lease,
    skew: AtomicI64,
    leads: AtomicBool,
    differs: Mutex<Vec<Difference>>,
}

impl Own {
    fn set_differences(&self, differs: Vec<Difference>) {
        *self.differs.lock().unwrap_or_else(PoisonError::into_inner) = differs;
    }

    /// The lease has ended: nothing that was claimed is surely its node's.
    pub fn end(&self) {
        self.lease.end();
    }

    /// So much is left of the lease.
    #[cfg(test)]
    pub fn shorten_lease(&self, left: Duration) {
        self.lease.renew((since_boot() + left).saturating_sub(LEASE));
    }
}

impl Postgres {
    /// Whether what this node has claimed is surely still its own.
    pub(super) fn holds_lease(&self) -> bool {
        !self.own.lease.is_taken() || self.own.lease.left(since_boot()).is_some()
    }

    /// The number of this node's lease, for what it claims. Ask for it before the claim is made.
    pub(super) fn lease(&self) -> u64 {
        self.own.lease.number.load(Ordering::Acquire)
    }

    /// Whether this node runs the timer.
    pub fn leads(&self) -> bool {
        self.own.leads.load(Ordering::Acquire)
    }

    /// Fails where the lease of this node has ended: what it has done counts once it has another, and if its claim still holds.
    pub(super) fn check_lease(&self) -> Result<()> {
        if self.holds_lease() { Ok(()) } else { Err(database("the lease of this node has ended")) }
    }
}

#[async_trait]
impl NodeStore for Postgres {
    async fn heartbeat(&self, me: &NodeFacts, clock: &Clock) -> Result<Heartbeat> {
        let asked = since_boot();
        let begun = (clock.now(), Instant::now());
        let (id, me, skew) = (self.node.clone(), me.clone(), self.own.skew.load(Ordering::Relaxed));
        let beat = self.write_aside(move |change| beat(change, id, me, skew, begun).boxed());
        let patience = if self.trouble.is_away() { KNOCK } else { BEAT };
        let beat = timeout(patience, beat).await.unwrap_or_else(|_| Err(database(SILENT)));
        match beat {
            Ok(Beat { skew, freed, was_lost, differs }) => {
                // It may have ended while the sign of life was on its way, or, after a leap of the database's clock, for
                // the other nodes only.
                let lease = &self.own.lease;
                let had_ended = lease.is_taken() && (was_lost || lease.left(since_boot()).is_none());
                if had_ended {
                    lease.lapse();
                    self.held.lapse();
                }
                lease.renew(asked);
                self.own.skew.store(skew, Ordering::Relaxed);
                self.own.set_differences(differs);
                self.trouble.over();
                // A worker whose connections are all taken asks for nothing, and what is ready here waits for others too.
                if let Ok(Err(error)) = timeout(BEAT, self.release_what_waits()).await {
                    self.trouble.note(&error);
                }
                Ok(Heartbeat { had_ended, freed, skew })
            }
            Err(error) => {
                // What is idle may lead to a server that is gone: whoever comes next connects anew.
                self.pool.retain(|_, _| false);
                self.aside.retain(|_, _| false);
                self.trouble.begin(&error);
                Err(error)
            }
        }
    }

    async fn suspected(&self) {
        self.trouble.suspected().await;
    }

    async fn leave(&self) -> Result<()> {
        self.leave_no_journal().await;
        self.own.end();
        let id = self.node.clone();
        let leave = self.write_aside(move |change| {
            async move {
                queue::free_claims_of(&change.db, std::slice::from_ref(&id)).await?;
                change.db.execute(LEAVE, &[&id]).await.map(drop)
            }
            .boxed()
        });
        timeout(BEAT, leave).await.unwrap_or_else(|_| Err(database(SILENT)))
    }

    async fn nodes(&self) -> Result<Vec<Node>> {
        let (class, object) = Lock::Timer.key();
        self.read(move |db| {
            async move {
                let rows =
                    db.query(LIST, &[&i64::from(class), &i64::from(object), &connection::NAME]).await?;
                nodes(&rows)
            }
            .boxed()
        })
        .await
    }

    async fn lead(&self) -> Lead {
        loop {
            match timeout(BEAT, self.try_to_lead()).await {
                Ok(Ok(Some(session))) => return self.watched(session),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => self.trouble.note(&error),
                Err(_) => self.trouble.note(&database(SILENT)),
            }
            sleep(jittered(TURN)).await;
        }
    }

    fn health(&self) -> Option<NodeHealth> {
        let pool = self.pool.status();
        let (trouble, answers) = self.trouble.last();
        Some(NodeHealth {
            id: self.node.clone(),
            lent: pool.size.saturating_sub(pool.available),
            idle: pool.available,
            most: pool.max_size,
            waiting: pool.waiting,
            lease: self.own.lease.left(since_boot()),
            skew: self.own.skew.load(Ordering::Relaxed),
            leads: self.leads(),
            differs: self.own.differs.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            trouble,
            answers,
        })
    }
}

/// What a sign of life found.
struct Beat {
    skew: i64,
    /// Items of other nodes that are free now.
    freed: u64,
    /// The lease of this node had ended by the clock of the database, or nobody knew of it.
    was_lost: bool,
    /// Nodes that go by other settings.
    differs: Vec<Difference>,
}

/// One sign of life.
async fn beat(
    change: &mut Change,
    id: FolderId,
    me: NodeFacts,
    skew: i64,
    (clock, begun): (Timestamp, Instant),
) -> Result<Beat> {
    let asked = begun.elapsed();
    let row = change.db.one(NOW, &[&id]).await?;
    let there = time(&row, "now")?;
    let was_lost = time_or_none(&row, "lease")?.is_none_or(|lease| lease <= there);
    let skew = skew_of(clock, asked, begun.elapsed(), there).unwrap_or(skew);
    let NodeFacts { host, version, started, draining, settings, master_keys } = me;
    let current = master_keys.first().cloned().unwrap_or_default();
    let master_keys = master_keys.join(" ");
    let lease = later(there, LEASE);
    let digests = serde_json::to_string(&settings).map_err(|_| StoreError::Corrupt("settings of a node"))?;
    change
        .db
        .execute(
            BEAT_SQL,
            &[
                &id,
                &host,
                &version,
                &Time(started),
                &Time(there),
                &Time(lease),
                &skew,
                &draining,
                &digests,
                &master_keys,
            ],
        )
        .await?;
    let dead = change.db.query(DEAD, &[&Time(there)]).await?;
    let dead = dead.iter().map(|row| get(row, "owner")).collect::<Result<Vec<FolderId>>>()?;
    let freed = queue::free_claims_of(&change.db, &dead).await?;
    change.db.execute(FORGET, &[&Time(crate::clock::earlier(there, LOST))]).await?;
    let others = change.db.query(OTHERS, &[&Time(there), &id, &version, &current]).await?;
    let mut differs = Vec::new();
    for other in &others {
        differs.extend(Difference::between(&settings, get(other, "name")?, &digests_of(other)?));
    }
    Ok(Beat { skew, freed, was_lost, differs })
}

fn digests_of(row: &Row) -> Result<SettingsDigests> {
    let text: Option<&str> = get(row, "settings")?;
    let digests = text.map_or_else(|| Ok(SettingsDigests::new()), serde_json::from_str);
    digests.map_err(|_| StoreError::Corrupt("settings of a node"))
}

/// How far our clock is ahead, which said `clock` at the beginning: the question was sent `asked` after that and answered
/// until `answered`. What the way there may explain is no skew.
fn skew_of(clock: Timestamp, asked: Duration, answered: Duration, there: Timestamp) -> Option<i64> {
    let half = (answered.checked_sub(asked)?) / 2;
    let ours = later(clock, asked + half);
    let skew = ours.as_microsecond() - there.as_microsecond();
    let doubt = i64::try_from(half.as_micros()).ok()?;
    Some(skew.signum() * (skew.abs() - doubt).max(0))
}

fn nodes(rows: &[Row]) -> Result<Vec<Node>> {
    let mut nodes = rows.iter().map(node).collect::<Result<Vec<_>>>()?;
    let digests = rows.iter().map(digests_of).collect::<Result<Vec<_>>>()?;
    let kind = |node: &Node| (node.version.clone(), node.master_keys.first().cloned());
    let kinds: BTreeSet<_> = nodes.iter().map(kind).collect();
    for one in kinds {
        let is_of = |node: &Node| kind(node) == one && node.state != NodeState::Lost;
        let (mut of_version, alike): (Vec<_>, Vec<_>) =
            nodes.iter_mut().zip(&digests).filter(|(node, _)| is_of(node)).unzip();
        for (node, differs) in of_version.iter_mut().zip(differing(&alike)) {
            node.differs = differs;
        }
    }
    Ok(nodes)
}

fn node(row: &Row) -> Result<Node> {
    let (now, lease) = (time(row, "now")?, time(row, "lease")?);
    let seconds = |micros: i64| micros as f64 / 1e6;
    let left = lease.as_microsecond() - now.as_microsecond();
    let draining: bool = get(row, "draining")?;
    Ok(Node {
        id: get(row, "id")?,
        host: get(row, "name")?,
        version: get(row, "version")?,
        started: time(row, "started")?,
        seen: time(row, "seen")?,
        state: match (left > 0, draining) {
            (false, _) => NodeState::Lost,
            (true, true) => NodeState::Draining,
            (true, false) => NodeState::Working,
        },
        lease_seconds: seconds(left),
        skew_seconds: seconds(get(row, "skew")?),
        timer: get(row, "timer")?,
        claimed: number(row, "claimed")?,
        differs: Vec::new(),
        master_keys: get::<Option<&str>>(row, "master_keys")?
            .map(|names| names.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

impl Postgres {
    /// A session that has taken the lock of the timer; `None` while another has it.
    pub(super) async fn try_to_lead(&self) -> Result<Option<ClientWrapper>> {
        let session = self.aside.get().await?;
        let taken = session.query_one(&Lock::Timer.of_session(), &[]).await?.try_get::<_, bool>(0)?;
        if !taken {
            let (class, object) = Lock::Timer.key();
            session.query(END_OF_SILENCE, &[&i64::from(class), &i64::from(object)]).await?;
            return Ok(None);
        }
        let session = Object::take(session);
        session.batch_execute(SESSION).await?;
        Ok(Some(session))
    }

    /// Leads as long as the session proves that it lives.
    fn watched(&self, session: ClientWrapper) -> Lead {
        let lost = CancellationToken::new();
        let leads = Leads::begin(&self.own);
        let gone = lost.clone();
        let watch = tokio::spawn(async move {
            let _leads = leads;
            // Dropped on every way out, so that no job runs on when the task is ended.
            let _gone = gone.drop_guard();
            loop {
                sleep(PROOF).await;
                if !matches!(timeout(ANSWER, session.simple_query("SELECT 1")).await, Ok(Ok(_))) {
                    return;
                }
            }
        });
        Lead::watched(lost, watch)
    }
}

/// While it exists this node counts as the leader.
struct Leads(Arc<Own>);

impl Leads {
    fn begin(own: &Arc<Own>) -> Self {
        own.leads.store(true, Ordering::Release);
        Self(Arc::clone(own))
    }
}

impl Drop for Leads {
    fn drop(&mut self) {
        self.0.leads.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_by_itself() {
        let (lease, at) = (Lease::default(), Duration::from_secs);
        assert!(!lease.is_taken());
        lease.renew(at(100));
        assert_eq!(lease.left(at(100)), Some(LEASE));
        assert_eq!(lease.left(at(129)), Some(at(1)));
        assert!(lease.is_taken() && lease.left(at(130)).is_none() && lease.left(at(500)).is_none());
        lease.renew(at(500));
        assert!(lease.left(at(501)).is_some());
        lease.end();
        assert!(lease.is_taken() && lease.left(at(501)).is_none());
    }

    #[test]
    fn what_the_way_may_explain_is_no_skew() {
        let at = |millis: i64| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let ms = Duration::from_millis;
        // Asked at 1000, answered at 1200 of our clock: 1100 in the middle, give or take 100.
        let skew = |there| skew_of(at(0), ms(1000), ms(1200), at(there));
        assert_eq!(skew(1100), Some(0));
        assert_eq!((skew(1020), skew(1190)), (Some(0), Some(0)));
        assert_eq!(skew(6100), Some(-4_900_000));
        assert_eq!(skew(-3900), Some(4_900_000));
    }
}
