//! A semaphore with shares: of all permits, one link or one client holds no more than its share at once (H40). A request
//! over that share waits behind the others of its link or client, and takes no place in the common queue meanwhile.
//! Used for everything scarce that a visitor can ask for: Argon2 runs, downloads, the scanner,
//! composing an answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::id::Link;
use crate::limits::client_key;

/// How many at once.
#[derive(Clone, Copy, Debug)]
pub struct FairLimits {
    /// Over one link.
    pub of_link: usize,
    /// From one client.
    pub of_client: usize,
    pub in_all: usize,
}

/// Permits with shares.
#[derive(Clone, Debug)]
pub struct FairSemaphore {
    links: Shares,
    clients: Shares,
    all: Arc<Semaphore>,
}

/// One permit; dropping it lets the next one in.
#[derive(Debug)]
pub struct FairPermit {
    _all: OwnedSemaphorePermit,
    _client: Share,
    _link: Share,
}

impl FairSemaphore {
    /// With these shares.
    pub fn new(most: FairLimits) -> Self {
        let (links, clients) = (Shares::new(most.of_link), Shares::new(most.of_client));
        Self { links, clients, all: Arc::new(Semaphore::new(most.in_all)) }
    }

    /// Waits for a permit, but no longer than this.
    pub async fn acquire(&self, link: &Link, client: IpAddr, patience: Duration) -> Option<FairPermit> {
        let permit = async {
            let link = self.links.enter(link.to_string()).await?;
            let client = self.clients.enter(client_key(client)).await?;
            let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(FairPermit { _all: all, _client: client, _link: link })
        };
        timeout(patience, permit).await.ok().flatten()
    }
}

/// So many at once under each key.
#[derive(Clone, Debug)]
struct Shares {
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
struct Share {
    shares: Shares,
    key: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl Shares {
    fn new(most: usize) -> Self {
        Self { most, keys: Arc::default() }
    }

    async fn enter(&self, key: String) -> Option<Share> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransferId;

    const NOW: Duration = Duration::ZERO;
    const MOST: FairLimits = FairLimits { of_link: 2, of_client: 3, in_all: 5 };

    fn links() -> impl Iterator<Item = Link> {
        std::iter::repeat_with(|| Link { transfer: TransferId::random(), recipient: 1 })
    }

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    #[tokio::test]
    async fn one_link_leaves_permits_to_others() {
        let permits = FairSemaphore::new(MOST);
        let (one, other) = (links().next().unwrap(), links().next().unwrap());
        let mut held = Vec::new();
        for number in 0..5 {
            held.extend(permits.acquire(&one, client(number), NOW).await);
        }
        assert_eq!(held.len(), 2, "its share, from however many addresses");
        assert!(permits.acquire(&other, client(9), NOW).await.is_some());
        held.pop();
        assert!(permits.acquire(&one, client(9), NOW).await.is_some(), "what ends makes room");
    }

    #[tokio::test]
    async fn one_client_leaves_permits_to_others() {
        let permits = FairSemaphore::new(MOST);
        let mut held = Vec::new();
        for link in links().take(5) {
            held.extend(permits.acquire(&link, client(1), NOW).await);
        }
        assert_eq!(held.len(), 3, "its share, over however many links");
        for link in links().take(5) {
            held.extend(permits.acquire(&link, client(2), NOW).await);
        }
        assert_eq!(held.len(), 5, "and no more than there are");
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_leaves_nothing() {
        let permits = FairSemaphore::new(MOST);
        let link = links().next().unwrap();
        let held =
            [permits.acquire(&link, client(1), NOW).await, permits.acquire(&link, client(1), NOW).await];
        assert!(permits.acquire(&link, client(1), NOW).await.is_none());
        drop(held);
        assert!(permits.links.lock().is_empty() && permits.clients.lock().is_empty());
        assert_eq!(permits.all.available_permits(), 5);
    }
}
