//! The queue in memory, for tests of the worker, and ways to make it fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Cursor, Read, Write};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use zegel::audit::Event;
use zegel::clock::Timestamp;
use zegel::diagnostic::Outcome;
use zegel::id::{BlobName, FolderId, QueueId};
use zegel::store::{
    Attempt, AttemptEnd, BlobFacts, BlobWriter, Blobs, ByHand, Claim, ClaimShares, Item, NewItem,
    PendingRecipient, Problem, QueueStore, Result,
};

/// One item and its state.
#[derive(Clone, Debug)]
pub struct Row {
    pub item: NewItem,
    pub waiting: Vec<PendingRecipient>,
    pub attempts: u32,
    pub due: Timestamp,
    pub claim: Option<Claim>,
    pub claims: u64,
    pub problem: Option<Problem>,
    pub by_hand: ByHand,
}

impl Row {
    fn is_frozen(&self) -> bool {
        self.problem == Some(Problem::Frozen)
    }
}

/// What has happened.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub rows: Vec<Row>,
    /// Every outcome that was recorded, by item and recipient number.
    pub outcomes: Vec<(QueueId, u32, Outcome)>,
    pub reports: Vec<NewItem>,
    pub events: Vec<Event>,
    pub finished: usize,
    /// So many calls of `finish_attempt` fail from now on.
    pub broken: usize,
    /// After so many questions the worker hears that it no longer surely holds its claims.
    pub held_for: Option<usize>,
}

/// A queue without a disk.
pub struct MemoryQueue {
    state: watch::Sender<State>,
}

impl MemoryQueue {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { state: watch::Sender::new(State::default()) })
    }

    /// Due at once.
    pub fn add(&self, item: NewItem) {
        let recipients = item.envelope.recipients.iter().cloned();
        let waiting = (1..).zip(recipients).map(|(number, recipient)| PendingRecipient { number, recipient });
        let row = Row {
            waiting: waiting.collect(),
            attempts: 0,
            due: item.created,
            claim: None,
            claims: 0,
            problem: None,
            by_hand: ByHand::default(),
            item,
        };
        self.state.send_modify(|state| state.rows.push(row));
    }

    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Makes everything due, frozen or not, as an administrator can.
    pub fn retry_all(&self, now: Timestamp) {
        self.change(|state| state.rows.iter_mut().for_each(|row| (row.due, row.problem) = (now, None)));
    }

    /// What somebody decides on an item by hand.
    pub fn decide(&self, item: &QueueId, by_hand: ByHand) {
        let rows = |state: &mut State| {
            state
                .rows
                .iter_mut()
                .filter(|row| row.item.id == *item)
                .for_each(|row| row.by_hand = by_hand.clone());
        };
        self.change(|state| rows(state));
    }

    pub fn break_finish(&self, times: usize) {
        self.state.send_modify(|state| state.broken = times);
    }

    /// From the question after `times` more on, claims are no longer surely held; `None`: they are.
    pub fn hold_claims_for(&self, times: Option<usize>) {
        self.state.send_modify(|state| state.held_for = times);
    }

    /// Waits until the state satisfies `enough`; fails after 20 seconds.
    pub async fn wait(&self, enough: impl Fn(&State) -> bool) -> State {
        let mut receiver = self.state.subscribe();
        let reached = tokio::time::timeout(Duration::from_secs(20), receiver.wait_for(|state| enough(state)));
        match reached.await {
            Ok(state) => state.unwrap().clone(),
            Err(_) => panic!("the queue waited in vain: {:#?}", self.state()),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state.send_modify(|state| result = Some(change(state)));
        result.unwrap()
    }
}

fn claim(row: &mut Row, owner: &FolderId, until: Timestamp) -> Item {
    // Its own claim that has run out an owner takes up again.
    if row.claim.as_ref().is_none_or(|claim| claim.owner != *owner) {
        row.claims += 1;
    }
    let claim = Claim { owner: owner.clone(), token: row.claims, until, lease: 0 };
    row.claim = Some(claim.clone());
    Item {
        id: row.item.id.clone(),
        kind: row.item.kind,
        organisation: row.item.organisation.clone(),
        reverse_path: row.item.envelope.reverse_path.clone(),
        parameters: row.item.envelope.parameters.clone(),
        recipients: row.waiting.clone(),
        body: row.item.body.clone(),
        link: row.item.link.clone(),
        track: row.item.track.clone(),
        created: row.item.created,
        attempts: row.attempts,
        by_hand: row.by_hand.clone(),
        claim,
    }
}

#[async_trait]
impl QueueStore for MemoryQueue {
    /// In the order in which they are due, but no more of an organisation than its share.
    async fn claim_in_turn(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
        shares: ClaimShares,
    ) -> Result<Vec<Item>> {
        Ok(self.change(|state| {
            state.rows.sort_by_key(|row| row.due);
            let free = |row: &&mut Row| {
                !row.is_frozen()
                    && row.due <= now
                    && row.claim.as_ref().is_none_or(|claim| claim.until <= now)
            };
            let mut taken = HashMap::new();
            let has_share = |row: &&mut Row| {
                let count: &mut usize = taken.entry(row.item.organisation.clone()).or_default();
                *count += 1;
                *count <= shares.of(&row.item.organisation)
            };
            let due = state.rows.iter_mut().filter(free).filter(has_share).take(limit);
            due.map(|row| claim(row, owner, lease)).collect()
        }))
    }

    fn holds(&self, _claim: &Claim) -> bool {
        self.change(|state| match &mut state.held_for {
            None => true,
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
        })
    }

    async fn release_claims(&self, owner: &FolderId) -> Result<()> {
        let own = |row: &&mut Row| row.claim.as_ref().is_some_and(|claim| claim.owner == *owner);
        self.change(|state| state.rows.iter_mut().filter(own).for_each(|row| row.claim = None));
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        let state = self.state.borrow();
        let waiting = state.rows.iter().filter(|row| !row.is_frozen());
        Ok(waiting.map(|row| row.claim.as_ref().map_or(row.due, |claim| claim.until)).min())
    }

    async fn finish_attempt(&self, attempt: Attempt) -> Result<AttemptEnd> {
        self.change(|state| {
            if state.broken > 0 {
                state.broken -= 1;
                return Err(io::Error::other("no space left on device").into());
            }
            let row = state.rows.iter().find(|row| row.item.id == attempt.item);
            let holds =
                |claim: &Claim| claim.owner == attempt.claim.owner && claim.token == attempt.claim.token;
            let is_current = row.map(|row| row.claim.as_ref().is_some_and(holds));
            if attempt.claim.end(is_current, attempt.now) == AttemptEnd::ClaimLost {
                return Ok(AttemptEnd::ClaimLost);
            }
            state.finished += 1;
            for row in state.rows.iter_mut().filter(|row| row.item.id == attempt.item) {
                row.attempts += 1;
                row.due = attempt.next_attempt;
                row.problem = attempt.problem;
                if row.by_hand.hold.is_some() {
                    row.problem = Some(Problem::Frozen);
                }
                row.claim = None;
                row.waiting.retain(|pending| {
                    let own = |(number, _): &&(u32, Outcome)| *number == pending.number;
                    let outcome = attempt.outcomes.iter().find(own);
                    outcome.is_none_or(|(_, outcome)| matches!(outcome, Outcome::Deferred(_)))
                });
            }
            state.rows.retain(|row| !row.waiting.is_empty());
            let id = attempt.item;
            let outcomes = attempt.outcomes.into_iter();
            state.outcomes.extend(outcomes.map(|(number, outcome)| (id.clone(), number, outcome)));
            state.reports.extend(attempt.reports);
            state.events.extend(attempt.events);
            Ok(AttemptEnd::Recorded)
        })
    }

    async fn make_unreached_due(&self, now: Timestamp) -> Result<u64> {
        self.change(|state| {
            let outcomes = &state.outcomes;
            let unreached = |row: &&mut Row| {
                let own = |(item, _, _): &&(QueueId, u32, Outcome)| *item == row.item.id;
                let last = outcomes.iter().rfind(own).and_then(|(_, _, outcome)| outcome.diagnostic());
                let stage = last.and_then(|why| why.stage);
                stage.is_some_and(|stage| stage.is_before_mail())
            };
            let waiting = |row: &&mut Row| row.claim.is_none() && !row.is_frozen() && row.due > now;
            let due = state.rows.iter_mut().filter(waiting).filter(unreached);
            Ok(due.map(|row| row.due = now).count() as u64)
        })
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<()> {
        let waiting = |row: &&mut Row| row.claim.is_none() && !row.is_frozen();
        self.change(|state| state.rows.iter_mut().filter(waiting).for_each(|row| row.due = now));
        Ok(())
    }
}

/// Blobs in memory.
#[derive(Clone, Default)]
pub struct MemoryBlobs(Arc<Mutex<BTreeMap<BlobName, Vec<u8>>>>);

impl Blobs for MemoryBlobs {
    fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(MemoryWriter { blobs: self.clone(), octets: Vec::new() }))
    }

    fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let blobs = self.0.lock().unwrap();
        let octets = blobs.get(name).ok_or(io::ErrorKind::NotFound)?;
        let mut octets = Cursor::new(octets.clone());
        octets.set_position(offset);
        Ok(Box::new(octets))
    }

    fn remove(&self, name: &BlobName) -> io::Result<()> {
        self.0.lock().unwrap().remove(name);
        Ok(())
    }

    fn room(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
        let after = after.map_or(Unbounded, Excluded);
        Ok(self
            .0
            .lock()
            .unwrap()
            .range((after, Unbounded))
            .take(limit)
            .map(|(name, _)| name.clone())
            .collect())
    }

    fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
        let blobs = self.0.lock().unwrap();
        let facts = |octets: &Vec<u8>| BlobFacts { size: octets.len() as u64, written: Timestamp::MIN };
        Ok(blobs.get(name).map(facts))
    }
}

struct MemoryWriter {
    blobs: MemoryBlobs,
    octets: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.octets.write(octets)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl BlobWriter for MemoryWriter {
    fn commit(self: Box<Self>) -> io::Result<BlobName> {
        let name = BlobName::random();
        self.blobs.0.lock().unwrap().insert(name.clone(), self.octets);
        Ok(name)
    }
}
