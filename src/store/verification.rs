//! Verification codes (C23, H18), and browsers that are remembered because of one. Used by `verification` and `reply/codes`.

use std::time::Duration;

use async_trait::async_trait;

use super::{AuditStore, Author, NewItem, Result};
use crate::audit::Event;
use crate::clock::{Timestamp, later};
use crate::limits::Rate;

/// Tries and mails are counted over this long.
pub(super) const CODE_WINDOW: Duration = Duration::from_secs(3600);

/// Codes, and the browsers that they prove.
#[async_trait]
pub trait VerificationStore: AuditStore {
    /// Keeps a code and queues its mail; `Some` is when there may be one again.
    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>>;
    /// The code that this author was mailed last.
    async fn code(&self, author: Author) -> Result<Option<CodeRow>>;
    /// Tries a code; when it is right, remembers the browser and keeps `event`.
    async fn try_code(
        &self,
        author: Author,
        hash: [u8; 32],
        tries: u32,
        now: Timestamp,
        browser: BrowserRow,
        event: Event,
    ) -> Result<CodeTry>;
    /// The person to whom a browser belongs.
    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>>;
    /// Forgets it.
    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()>;
}

/// A code that is to be mailed.
#[derive(Clone, Debug)]
pub struct NewCode {
    /// The author that asked
    pub author: Author,
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// Keyed hash of code, author and address
    pub hash: [u8; 32],
    /// Keyed hash of what spellings of the address have in common, for counting
    pub address: [u8; 32],
    /// The client's key, for counting
    pub client: String,
    /// What all mails with a code are counted under
    pub bucket: String,
    pub now: Timestamp,
    /// The code's end
    pub expires: Timestamp,
    /// The mail that brings it
    pub mail: NewItem,
    /// What the audit trail says
    pub event: Event,
}

impl NewCode {
    /// The buckets of [`CodeLimits::per_link`], [`CodeLimits::per_link_and_day`] and [`CodeLimits::in_all`].
    pub fn buckets(&self) -> [String; 3] {
        let link = &self.author.link;
        [format!("code {link}"), format!("code day {link}"), self.bucket.clone()]
    }
}

/// How many codes there may be (C23, H18, H42).
#[derive(Clone, Copy, Debug)]
pub struct CodeLimits {
    /// Tries, over all codes of an hour
    pub tries: u32,
    /// Mails to one address within an hour
    pub per_address: u32,
    /// Mails asked for by one client within an hour
    pub per_client: u32,
    /// Mails asked for through one link
    pub per_link: Rate,
    /// The same over a longer time
    pub per_link_and_day: Rate,
    /// Mails asked for by everybody
    pub in_all: Rate,
}

/// A code that was mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// Sealed: whom it verifies
    pub facts: Vec<u8>,
    /// It is worth nothing from then on
    pub expires: Timestamp,
}

/// What became of a try. It is counted before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTry {
    /// The browser is remembered, the code is spent.
    Right,
    /// This many tries are left; with none left the code is spent.
    Wrong(u32),
    /// It has run out.
    Expired,
    /// There is none.
    None,
}

/// A browser that is to be remembered, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrowserRow {
    /// Sealed: the person
    pub facts: Vec<u8>,
    /// Until when
    pub until: Timestamp,
}

/// How often something happened within [`CODE_WINDOW`], and when for the first time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// How often.
    pub times: u32,
    /// `None` where it never did.
    pub first: Option<Timestamp>,
}

impl CodeLimits {
    /// When there may be another code, if there may be none now. The limits that are rates are checked apart.
    pub fn wait(
        &self,
        tries: Counted,
        to_address: Counted,
        for_client: Counted,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let bounds = [(tries, self.tries), (to_address, self.per_address), (for_client, self.per_client)];
        let (reached, _) = bounds.into_iter().find(|(counted, most)| counted.times >= *most)?;
        Some(later(reached.first.unwrap_or(now), CODE_WINDOW))
    }
}

impl CodeTry {
    /// What a try of a code is that has not run out, after so many others; and whether the code is spent by it.
    pub fn of(is_right: bool, tries_before: u32, most: u32) -> (Self, bool) {
        let left = most.saturating_sub(tries_before.saturating_add(1));
        match is_right {
            true => (Self::Right, true),
            false => (Self::Wrong(left), left == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::noon;

    const RATE: Rate = Rate::per(100, Duration::from_secs(3600));
    const LIMITS: CodeLimits = CodeLimits {
        tries: 2,
        per_address: 3,
        per_client: 4,
        per_link: RATE,
        per_link_and_day: RATE,
        in_all: RATE,
    };

    /// C23, H18
    #[test]
    fn the_first_limit_that_is_reached_tells_when_it_ends() {
        let never = Counted::default();
        let times = |times, minutes: u64| Counted {
            times,
            first: Some(later(noon(), Duration::from_secs(60 * minutes))),
        };
        let end = |minutes: u64| Some(later(noon(), Duration::from_secs(60 * (60 + minutes))));
        assert_eq!(LIMITS.wait(never, never, never, noon()), None);
        assert_eq!(LIMITS.wait(times(1, 0), times(2, 0), times(3, 0), noon()), None);
        assert_eq!(LIMITS.wait(times(2, 1), times(3, 2), times(4, 3), noon()), end(1));
        assert_eq!(LIMITS.wait(times(1, 1), times(3, 2), times(4, 3), noon()), end(2));
        assert_eq!(LIMITS.wait(never, never, times(4, 3), noon()), end(3));
    }

    /// C23
    #[test]
    fn a_right_code_is_spent_and_so_is_one_that_was_tried_too_often() {
        assert_eq!(CodeTry::of(true, 0, 2), (CodeTry::Right, true));
        assert_eq!(CodeTry::of(true, 1, 2), (CodeTry::Right, true));
        assert_eq!(CodeTry::of(false, 0, 2), (CodeTry::Wrong(1), false));
        assert_eq!(CodeTry::of(false, 1, 2), (CodeTry::Wrong(0), true));
        assert_eq!(CodeTry::of(false, u32::MAX, 2), (CodeTry::Wrong(0), true));
    }
}
