//! Shares of what is scarce, so that nobody holds all of it (H40).
//!
//! [`FairSemaphore`]: of all permits, one link, one client or one of several organisations holds no more than its share at
//! once. A request over that share waits behind the others of its link, client or organisation, and takes no place in the
//! common queue meanwhile. Used for everything that a visitor can ask for: Argon2 runs, downloads, the scanner, composing
//! an answer.
//!
//! [`Reserve`]: the same for whoever does not wait, but asks again: the connections that mail goes out by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::id::Link;
use crate::limits::Visitor;

/// How many at once.
#[derive(Clone, Copy, Debug)]
pub struct FairLimits {
    /// Over one link.
    pub of_link: usize,
    /// From one client.
    pub of_client: usize,
    pub in_all: usize,
}

/// The part of so many permits that one of several organisations may hold: three quarters. Where there is only one, that.
pub fn of_organisation(in_all: usize) -> usize {
    (in_all - in_all.div_ceil(4)).max(1)
}

/// Permits with shares.
#[derive(Clone, Debug)]
pub struct FairSemaphore {
    links: Shares,
    clients: Shares,
    organisations: Shares,
    all: Arc<Semaphore>,
}

/// One permit; dropping it lets the next one in.
#[derive(Debug)]
pub struct FairPermit {
    _all: OwnedSemaphorePermit,
    _organisation: Option<Share>,
    _client: Share,
    _link: Share,
}

impl FairSemaphore {
    /// With these shares.
    pub fn new(most: FairLimits) -> Self {
        let [links, clients, organisations] =
            [most.of_link, most.of_client, of_organisation(most.in_all)].map(Shares::new);
        Self { links, clients, organisations, all: Arc::new(Semaphore::new(most.in_all)) }
    }

    /// Waits for a permit, but no longer than this.
    pub async fn acquire(&self, link: &Link, by: &Visitor, patience: Duration) -> Option<FairPermit> {
        let permit = async {
            let link = self.links.enter(link.to_string()).await?;
            let client = self.clients.enter(by.key()).await?;
            let organisation = match by.sharer() {
                Some(sharer) => Some(self.organisations.enter(sharer.to_string()).await?),
                None => None,
            };
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(FairPermit { _all: all, _organisation: organisation, _client: client, _link: link })
        };
        timeout(patience, permit).await.ok().flatten()
    }
}

/// So many at once under each key.
#[derive(Clone, Debug)]
pub struct Shares {
    most: usize,
    keys: Arc<Mutex<HashMap<String, Key>>>,
}

#[derive(Debug)]
struct Key {
    semaphore: Arc<Semaphore>,
    /// How many hold a share of it, or wait for one. With none left the key is forgotten.
    users: usize,
}

/// A place under a key, or the wait for it.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    key: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// None is taken.
    pub fn new(most: usize) -> Self {
        Self { most, keys: Arc::default() }
    }

    /// Waits for a place.
    pub async fn enter(&self, key: String) -> Option<Share> {
        let semaphore = self.join(&key);
        // It leaves the key again, also when the wait is given up.
        let mut share = Share { shares: self.clone(), key, permit: None };
        share.permit = Some(semaphore.acquire_owned().await.ok()?);
        Some(share)
    }

    fn join(&self, key: &str) -> Arc<Semaphore> {
        let mut keys = self.lock();
        let new = || Key { semaphore: Arc::new(Semaphore::new(self.most)), users: 0 };
        let entry = keys.entry(key.to_owned()).or_insert_with(new);
        entry.users += 1;
        Arc::clone(&entry.semaphore)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.permit = None;
        let mut keys = self.shares.lock();
        if let Some(key) = keys.get_mut(&self.key) {
            key.users -= 1;
            if key.users == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

/// Places of which some are kept for those that hold few. Pure.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    /// All places.
    pub places: usize,
    /// How many share them.
    pub sharers: usize,
}

impl Reserve {
    /// How many more places a sharer may take, who holds `own` of them while the others hold `others`. Each is sure of an equal
    /// part of one half; whoever holds that much leaves free what the others are still sure of. With one sharer nothing is kept.
    pub fn left(&self, own: usize, others: impl Iterator<Item = usize>) -> usize {
        let sure = if self.sharers > 1 { (self.places / 2 / self.sharers).max(1) } else { 0 };
        let (mut held, mut used) = (own, 0);
        for other in others {
            held += other;
            used += other.min(sure);
        }
        let free = self.places.saturating_sub(held);
        let kept = (sure * self.sharers.saturating_sub(1)).saturating_sub(used).min(self.places / 2);
        free.saturating_sub(kept).max(sure.saturating_sub(own).min(free))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{OrganisationId, TransferId};

    const NOW: Duration = Duration::ZERO;
    const MOST: FairLimits = FairLimits { of_link: 2, of_client: 3, in_all: 5 };

    fn links() -> impl Iterator<Item = Link> {
        std::iter::repeat_with(|| Link { transfer: TransferId::random(), recipient: 1 })
    }

    fn client(number: u8) -> Visitor {
        std::net::IpAddr::from([192, 0, 2, number]).into()
    }

    fn at(domain: &str, number: u8) -> Visitor {
        Visitor { organisation: Some(OrganisationId::of_domain(domain)), is_shared: true, ..client(number) }
    }

    #[tokio::test]
    async fn one_link_leaves_permits_to_others() {
        let permits = FairSemaphore::new(MOST);
        let (one, other) = (links().next().unwrap(), links().next().unwrap());
        let mut held = Vec::new();
        for number in 0..5 {
            held.extend(permits.acquire(&one, &client(number), NOW).await);
        }
        assert_eq!(held.len(), 2, "its share, from however many addresses");
        assert!(permits.acquire(&other, &client(9), NOW).await.is_some());
        held.pop();
        assert!(permits.acquire(&one, &client(9), NOW).await.is_some(), "what ends makes room");
    }

    #[tokio::test]
    async fn one_client_leaves_permits_to_others() {
        let permits = FairSemaphore::new(MOST);
        let mut held = Vec::new();
        for link in links().take(5) {
            held.extend(permits.acquire(&link, &client(1), NOW).await);
        }
        assert_eq!(held.len(), 3, "its share, over however many links");
        for link in links().take(5) {
            held.extend(permits.acquire(&link, &client(2), NOW).await);
        }
        assert_eq!(held.len(), 5, "and no more than there are");
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_leaves_nothing() {
        let permits = FairSemaphore::new(MOST);
        let link = links().next().unwrap();
        let held =
            [permits.acquire(&link, &client(1), NOW).await, permits.acquire(&link, &client(1), NOW).await];
        assert!(permits.acquire(&link, &client(1), NOW).await.is_none());
        drop(held);
        assert!(permits.links.lock().is_empty() && permits.clients.lock().is_empty());
        assert_eq!(permits.all.available_permits(), 5);
    }

    /// Many links and clients of one organisation, and one of another's.
    #[tokio::test]
    async fn one_organisation_leaves_permits_to_others() {
        let permits = FairSemaphore::new(FairLimits { of_link: 1, of_client: 1, in_all: 8 });
        let mut held = Vec::new();
        for (link, number) in links().zip(0..200) {
            held.extend(permits.acquire(&link, &at("noorderveen.nl", number), NOW).await);
        }
        assert_eq!(held.len(), 6, "three quarters");
        for (link, number) in links().zip(200..202) {
            held.push(permits.acquire(&link, &at("zuiderveen.nl", number), NOW).await.unwrap());
        }
        drop(held);
        assert!(permits.organisations.lock().is_empty());
    }

    /// Whoever waits for the share of its organisation does not stand in front of the others.
    #[tokio::test]
    async fn those_who_wait_for_their_organisation_are_in_nobodys_way() {
        let permits = FairSemaphore::new(FairLimits { of_link: 1, of_client: 99, in_all: 1 });
        let patience = Duration::from_secs(60);
        let wait = |link: Link, by: Visitor| {
            let permits = permits.clone();
            tokio::spawn(async move { permits.acquire(&link, &by, patience).await })
        };
        let come = async |count| {
            while permits.links.lock().len() < count {
                tokio::task::yield_now().await;
            }
        };
        let first = permits.acquire(&links().next().unwrap(), &at("noorderveen.nl", 1), NOW).await.unwrap();
        let waiting: Vec<_> = links().take(50).map(|link| wait(link, at("noorderveen.nl", 1))).collect();
        come(51).await;
        let other = wait(links().next().unwrap(), at("zuiderveen.nl", 2));
        come(52).await;
        drop(first);
        let _turn = other.await.unwrap().unwrap();
        let ended = waiting.iter().filter(|one| one.is_finished()).count();
        assert!(ended <= 1, "it came second, and not last: {ended} came before it");
    }

    #[test]
    fn every_sharer_is_sure_of_its_part() {
        let left = |places, sharers, own, others: &[usize]| {
            Reserve { places, sharers }.left(own, others.iter().copied())
        };
        assert_eq!(left(20, 1, 0, &[]), 20, "one has all of it");
        assert_eq!((left(20, 2, 0, &[]), left(20, 2, 15, &[])), (15, 0));
        assert_eq!(left(20, 2, 0, &[15]), 5, "what was kept for it");
        assert_eq!(left(20, 2, 10, &[10]), 0);
        assert_eq!((left(2, 2, 0, &[]), left(2, 2, 1, &[]), left(2, 2, 0, &[1])), (1, 0, 1));
        assert_eq!((left(1, 2, 0, &[]), left(1, 2, 0, &[1])), (1, 0), "turns, where there is one place");
        assert_eq!(
            (left(20, 100, 0, &[]), left(20, 100, 10, &[])),
            (10, 0),
            "half is for those that hold none"
        );
        assert_eq!(left(20, 100, 0, &[10]), 1, "and each of those gets one of it");
        for sharers in 2..30 {
            for places in 1..40 {
                let mut held = vec![0; sharers];
                for greedy in 0..sharers - 1 {
                    let others =
                        held.iter().enumerate().filter(|(one, _)| *one != greedy).map(|(_, held)| *held);
                    held[greedy] += Reserve { places, sharers }.left(held[greedy], others);
                }
                let taken: usize = held.iter().sum();
                assert!(taken <= places);
                let last = Reserve { places, sharers }.left(0, held.iter().copied().take(sharers - 1));
                assert!(last > 0 || sharers > places / 2, "{sharers} share {places}: {held:?}");
            }
        }
    }
}
