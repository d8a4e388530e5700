//! Limits as pure arithmetic; the counts they work on are in the store, so that
//! a restart, or a second node, does not set them back.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::clock::{Timestamp, later};
use crate::id::OrganisationId;

/// So many days a browser is remembered whose user has proved an address.
pub const REMEMBERED_DAYS: u32 = 30;

/// The days for which a transfer may be kept.
pub const EXPIRY_DAYS: RangeInclusive<u32> = 1..=365;

/// The longest time between the first blob of a message or an upload and the row that names it: an SMTP session ends
/// after an hour, an upload too.
pub const LONGEST_WRITING: Duration = Duration::from_hours(2);

/// A rate with a burst, as the generic cell rate algorithm (ITU-T I.371) counts it: `burst` at once,
/// then one each `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time after which one more is allowed.
    pub interval: Duration,
    /// How many may come at once.
    pub burst: u32,
}

impl Rate {
    /// At most `count` in any `period`, all of them at once if need be.
    pub const fn per(count: u32, period: Duration) -> Self {
        let nanos = period.as_nanos() / if count == 0 { 1 } else { count as u128 };
        Self { interval: Duration::from_nanos(nanos as u64), burst: count }
    }

    /// Takes one at `now`. `arrival` is what the last call returned (the theoretical arrival time).
    /// `Ok` is the new value to keep; `Err` the moment at which one may be taken again.
    pub fn take(self, arrival: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let start = arrival.unwrap_or(now).max(now);
        let tolerance = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let earliest = start.saturating_sub(tolerance).unwrap_or(Timestamp::MIN);
        if earliest > now { Err(earliest) } else { Ok(later(start, self.interval)) }
    }
}

/// When a link closes for wrong passwords, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryRule {
    /// Wrong passwords before the lock.
    pub attempts: u32,
    /// The first lock; every further one is twice as long.
    pub lock: Duration,
}

impl TryRule {
    /// The lock after `tries` counted tries in a row, if this one closes the link.
    pub fn lock_after(self, tries: u32) -> Option<Duration> {
        let attempts = self.attempts.max(1);
        if tries == 0 || !tries.is_multiple_of(attempts) {
            return None;
        }
        let doublings = (tries / attempts - 1).min(16);
        Some(self.lock.saturating_mul(1 << doublings))
    }
}

/// The text under which a client's limits are counted: the address for IPv4, the /56 for IPv6, which is what one
/// subscriber has at least (RIPE-690).
pub fn client_key(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{:x}::/56", d & 0xff00)
        }
    }
}

/// Somebody at the pages: where from, and at whose. What is counted or scarce is shared by the organisations of a gateway, so that
/// a flood at the pages of one leaves the other its part.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub client: IpAddr,
    /// Whose pages they are; `None` where that does not matter.
    pub organisation: Option<OrganisationId>,
    /// Whether several organisations share this gateway.
    pub is_shared: bool,
}

impl From<IpAddr> for Visitor {
    fn from(client: IpAddr) -> Self {
        Self { client, organisation: None, is_shared: false }
    }
}

impl Visitor {
    /// Whose part of what is shared they use; `None` where one organisation has all of it.
    pub fn sharer(&self) -> Option<&OrganisationId> {
        self.organisation.as_ref().filter(|_| self.is_shared)
    }

    /// The text under which they are counted.
    pub fn key(&self) -> String {
        self.bucket(&client_key(self.client))
    }

    /// The bucket of this name, of their organisation.
    pub fn bucket(&self, name: &str) -> String {
        bucket_of(name, self.sharer())
    }
}

/// A bucket of this name for one of several organisations, or the common one.
pub fn bucket_of(name: &str, sharer: Option<&OrganisationId>) -> String {
    sharer.map_or_else(|| name.to_owned(), |sharer| format!("{name} of {sharer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_organisations_has_buckets_of_its_own() {
        let client: IpAddr = [192, 0, 2, 1].into();
        let at = |domain: &str, is_shared| Visitor {
            organisation: Some(OrganisationId::of_domain(domain)),
            is_shared,
            ..client.into()
        };
        assert_eq!(at("noorderveen.nl", true).key(), "192.0.2.1 of noorderveen.nl");
        assert_eq!(at("zuiderveen.nl", true).bucket("open"), "open of zuiderveen.nl");
        assert_eq!(at("noorderveen.nl", false).key(), "192.0.2.1", "as it was, where there is one");
        assert_eq!(Visitor::from(client).bucket("open"), "open");
    }

    #[test]
    fn a_burst_then_a_steady_rate() {
        let rate = Rate::per(3, Duration::from_secs(30));
        let mut now = Timestamp::UNIX_EPOCH;
        let mut arrival = None;
        for _ in 0..3 {
            arrival = Some(rate.take(arrival, now).unwrap());
        }
        let again = rate.take(arrival, now).unwrap_err();
        assert_eq!(again.as_second(), 10);
        now = again;
        arrival = Some(rate.take(arrival, now).unwrap());
        assert!(rate.take(arrival, now).is_err());
    }

    #[test]
    fn a_rate_per_hour_holds_over_any_clock() {
        let rate = Rate::per(5, Duration::from_hours(1));
        assert!(rate.take(Some(Timestamp::MAX), Timestamp::MAX).is_ok());
        assert!(rate.take(Some(Timestamp::MAX), Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn every_lock_is_twice_as_long() {
        let rule = TryRule { attempts: 5, lock: Duration::from_secs(900) };
        let locks: Vec<_> = (0..=15).filter_map(|tries| rule.lock_after(tries)).collect();
        assert_eq!(locks, [900, 1800, 3600].map(Duration::from_secs));
        assert!(rule.lock_after(5_000_000).is_some());
    }

    #[test]
    fn one_subscriber_one_key() {
        let key = |text: &str| client_key(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::5"), key("2001:db8:1:2:ffff::1"));
        assert_eq!(key("2001:db8:1:2::5"), key("2001:db8:1:ff::5"), "one of its /64s and another");
        assert_eq!(key("2001:db8:1:102::5"), "2001:db8:1:100::/56");
        assert_ne!(key("2001:db8:1:2::5"), key("2001:db8:1:102::5"));
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
