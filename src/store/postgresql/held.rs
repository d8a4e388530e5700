//! What this node holds of the queue, as far as it knows. Ordinary mail that it has just taken in is born with its claim and is
//! *ready*: it is handed to the worker without asking the database again. What stays ready too long is released, so that
//! another node can take it.
//!
//! The database decides who holds an item; this is only what we heard of it. Where an answer was lost, a row may be claimed for
//! us of which we know nothing: [`Held::strays`] finds it. What must never happen: an item that is handed out twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::clock::{Timestamp, since_boot};
use crate::id::QueueId;
use crate::store::turns::{ClaimShares, Turns};
use crate::store::{BodyData, Claim, Item, NewItem, QueueItemKind};

/// Bytes of all mail that may be ready. A mail counts at least for [`LEAST`].
const MOST: usize = 32 << 20;
const LEAST: usize = 16 << 10;
/// How long mail stays ready; then others may take it.
const STAY: Duration = Duration::from_secs(5);
/// How often rows are looked for that are claimed for us and unknown to us.
const LOOK: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    state: Mutex<State>,
    /// Read while a claim is being made, until it is known here; written while rows are compared with what is known.
    claiming: RwLock<()>,
}

#[derive(Default)]
struct State {
    /// A worker takes what is ready.
    is_working: bool,
    /// Of each organisation in the order of acceptance.
    ready: Turns<BTreeMap<(Timestamp, QueueId), Ready>>,
    octets: usize,
    /// Everything that is ready or handed out.
    known: HashMap<QueueId, Known>,
    /// When rows were last compared with it, since the machine was started; `None`: do it now.
    looked: Option<Duration>,
    /// How often the node's lease has lapsed.
    lapses: u64,
}

/// Room for mail to be born claimed, as long as the lease of the node goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    lapses: u64,
}

struct Ready {
    item: NewItem,
    claim: Claim,
    /// Since the machine was started: the time in which the process is stopped counts.
    since: Duration,
}

struct Known {
    token: u64,
    /// So many recipients wait; it is ordinary mail.
    ordinary: Option<usize>,
}

impl Held {
    /// From now on a worker takes what is ready. Of what was held before nothing is known any more.
    pub fn begin(&self) {
        let mut state = self.state();
        let lapses = state.lapses + 1;
        *state = State { is_working: true, looked: Some(since_boot()), lapses, ..State::default() };
    }

    /// The lease had ended: what was ready may be another node's, and is forgotten. Call it before the lease is renewed.
    pub fn lapse(&self) {
        let mut state = self.state();
        let State { ready, known, .. } = &mut *state;
        for (_, ready) in ready.all_mut().flat_map(std::mem::take) {
            known.remove(&ready.item.id);
        }
        state.octets = 0;
        state.lapses += 1;
        state.looked = None;
    }

    /// Take it before a claim is made, and keep it until it is known here.
    pub async fn claiming(&self) -> RwLockReadGuard<'_, ()> {
        self.claiming.read().await
    }

    /// Take it before rows are compared with what is known, and keep it until that is done.
    pub async fn comparing(&self) -> RwLockWriteGuard<'_, ()> {
        self.claiming.write().await
    }

    /// Room for these to be born claimed: somebody will take them.
    pub fn room_for(&self, items: &[NewItem]) -> Option<Room> {
        let state = self.state();
        let fits = state.octets + items.iter().map(weight).sum::<usize>() <= MOST;
        (state.is_working && fits).then_some(Room { lapses: state.lapses })
    }

    /// These were born with this claim, in the room that there was for them.
    pub fn add_ready(&self, items: Vec<NewItem>, claim: &Claim, room: Room) {
        let mut state = self.state();
        if state.lapses != room.lapses {
            // Another node may have them by now.
            state.looked = None;
            return;
        }
        for item in items {
            let known = Known { token: claim.token, ordinary: Some(item.envelope.recipients.len()) };
            state.octets += weight(&item);
            state.known.insert(item.id.clone(), known);
            let ready = Ready { claim: claim.clone(), since: since_boot(), item };
            let queue = state.ready.of(&ready.item.organisation);
            queue.insert((ready.item.created, ready.item.id.clone()), ready);
        }
    }

    /// Hands out what is ready, of the organisations in turn and of each the oldest first, no more than its share.
    pub fn take_ready(&self, now: Timestamp, limit: usize, shares: &mut ClaimShares) -> Vec<Item> {
        let mut state = self.state();
        let mut taken = Vec::new();
        while taken.len() < limit {
            let next = state.ready.take(|sharer, queue| {
                let first =
                    queue.first_entry().filter(|first| first.key().0 <= now && !first.get().is_old())?;
                (shares.of(sharer) > 0).then(|| first.remove())
            });
            let Some(Ready { item, claim, .. }) = next else { break };
            state.octets -= weight(&item);
            shares.take(&item.organisation);
            taken.push(Item::first_attempt(item, claim));
        }
        taken
    }

    /// The moment at which the oldest that is ready was accepted.
    pub fn ready_since(&self) -> Option<Timestamp> {
        let state = self.state();
        state
            .ready
            .all()
            .filter_map(|(_, queue)| queue.first_key_value())
            .map(|((created, _), _)| *created)
            .min()
    }

    /// These were claimed, and are handed out.
    pub fn add_claimed(&self, items: &[Item]) {
        let mut state = self.state();
        for item in items {
            let is_ordinary = item.kind == QueueItemKind::Message && item.link.is_none();
            let known =
                Known { token: item.claim.token, ordinary: is_ordinary.then_some(item.recipients.len()) };
            state.known.insert(item.id.clone(), known);
        }
    }

    /// Ordinary mail for so many recipients that is in delivery here becomes a row that is claimed by this token.
    pub fn add_ordinary(&self, item: &QueueId, token: u64, recipients: usize) {
        self.state().known.insert(item.clone(), Known { token, ordinary: Some(recipients) });
    }

    /// For how many recipients an item is that we hold by this token, if it is ordinary mail.
    pub fn ordinary(&self, item: &QueueId, token: u64) -> Option<usize> {
        self.state().known.get(item).filter(|known| known.token == token)?.ordinary
    }

    /// The claim with this token has ended.
    pub fn ended(&self, item: &QueueId, token: u64) {
        let mut state = self.state();
        if state.known.get(item).is_some_and(|known| known.token == token) {
            state.known.remove(item);
        }
    }

    /// Takes what has been ready too long, to be released: from now on it is not known here.
    pub fn take_old(&self) -> Vec<NewItem> {
        let State { ready, octets, known, .. } = &mut *self.state();
        let mut old = Vec::new();
        for queue in ready.all_mut() {
            while let Some(first) = queue.first_entry().filter(|first| first.get().is_old()) {
                let Ready { item, .. } = first.remove();
                *octets -= weight(&item);
                known.remove(&item.id);
                old.push(item);
            }
        }
        old
    }

    /// Nobody knows whether rows were claimed for us: look.
    pub fn doubt(&self) {
        self.state().looked = None;
    }

    /// Whether it is time to look for strays.
    pub fn is_look_due(&self) -> bool {
        let state = self.state();
        state.is_working && state.looked.is_none_or(|looked| since_boot().saturating_sub(looked) >= LOOK)
    }

    /// Of rows that are claimed for us, those of which nothing is known here. Needs [`Held::comparing`].
    pub fn strays(&self, claimed: Vec<QueueId>) -> Vec<QueueId> {
        let mut state = self.state();
        state.looked = Some(since_boot());
        claimed.into_iter().filter(|item| !state.known.contains_key(item)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    fn is_old(&self) -> bool {
        since_boot().saturating_sub(self.since) >= STAY
    }
}

fn weight(item: &NewItem) -> usize {
    match &item.body.data {
        BodyData::Inline(body) => body.len().max(LEAST),
        BodyData::Blob(_) => LEAST,
    }
}
