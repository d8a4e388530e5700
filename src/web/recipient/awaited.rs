//! Openings whose cookie has not come back yet. A browser that keeps no cookies comes back to the unlock page after the
//! right password, again and again, and this is how that page knows. In memory only, and only for a moment.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Timestamp, later};

/// How long a browser may take to come back.
const PATIENCE: Duration = Duration::from_mins(2);
/// Openings that are remembered; those before are forgotten.
const MOST: usize = 4096;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Awaited(Arc<Mutex<VecDeque<Opening>>>);

struct Opening {
    link: String,
    client: IpAddr,
    until: Timestamp,
}

impl Awaited {
    /// The right password came from there just now.
    pub fn add(&self, link: &str, client: IpAddr, now: Timestamp) {
        let mut openings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        openings.retain(|opening| opening.until > now);
        if openings.len() >= MOST {
            openings.pop_front();
        }
        openings.push_back(Opening { link: link.to_owned(), client, until: later(now, PATIENCE) });
    }

    /// A request came with the cookie.
    pub fn remove(&self, link: &str, client: IpAddr) {
        let mut openings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        openings.retain(|opening| !opening.is_of(link, client));
    }

    /// Whether the cookie of an opening from there is still to come.
    pub fn has(&self, link: &str, client: IpAddr, now: Timestamp) -> bool {
        let openings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        openings.iter().any(|opening| opening.is_of(link, client) && opening.until > now)
    }
}

impl Opening {
    fn is_of(&self, link: &str, client: IpAddr) -> bool {
        self.link == link && self.client == client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_is_awaited_for_a_moment_and_of_its_own_client() {
        let (now, awaited) = (Timestamp::UNIX_EPOCH, Awaited::default());
        let [one, two] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        awaited.add("a", one, now);
        assert!(awaited.has("a", one, now) && !awaited.has("a", two, now) && !awaited.has("b", one, now));
        assert!(!awaited.has("a", one, later(now, PATIENCE)));
        awaited.remove("a", two);
        assert!(awaited.has("a", one, now));
        awaited.remove("a", one);
        assert!(!awaited.has("a", one, now));
    }

    #[test]
    fn many_openings_take_no_more_memory() {
        let (now, awaited) = (Timestamp::UNIX_EPOCH, Awaited::default());
        let client = IpAddr::from([192, 0, 2, 1]);
        for number in 0..MOST + 10 {
            awaited.add(&number.to_string(), client, now);
        }
        assert_eq!(awaited.0.lock().unwrap().len(), MOST);
        assert!(awaited.has(&(MOST + 9).to_string(), client, now) && !awaited.has("9", client, now));
    }
}
