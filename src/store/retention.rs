//! The end of what has had its time, and whether the clock can be believed that says so. Used by `retention`.
//!
//! The timer acts on dates, so a clock that is wrong would destroy what was promised to be kept (H34). So the
//! store remembers the last turn: see [`ClockGuard::next`].

use std::time::Duration;

use async_trait::async_trait;

use super::{BlobIndex, Result, Whose};
use crate::clock::{Timestamp, later};
use crate::id::TransferId;

/// A step of the clock from one turn to the next that is believed at once: a night's rest of the machine.
const USUAL: Duration = Duration::from_secs(24 * 3600);

/// How long a larger step must hold before it is believed: a clock that is put right within it harms nothing.
const PROOF: Duration = Duration::from_secs(3600);

/// Transfers, drafts and rows of other kinds that one call ends: whoever needs the same rows, or the one writer of SQLite,
/// waits as long as that takes.
pub(super) const TRANSFERS_AT_ONCE: usize = 500;
pub(super) const DRAFTS_AT_ONCE: usize = 100;
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// Ends what has had its time.
#[async_trait]
pub trait RetentionStore: BlobIndex {
    /// Whether the timer may act at `now`; remembers that it asked.
    async fn check_clock(&self, now: Timestamp) -> Result<ClockVerdict>;
    /// Destroys the keys and sessions of transfers whose date lies at or before `closed`, and gives up their
    /// blobs. A bounded number at a time: call again until it gives none.
    async fn expire(&self, whose: Whose, closed: Timestamp, now: Timestamp) -> Result<Vec<TransferId>>;
    /// Removes sessions that are idle since before then.
    async fn sweep_sessions(&self, idle_since: Timestamp) -> Result<u64>;
    /// Ends drafts that were last changed before then, and forgets codes, browsers and summaries that have had their
    /// time. A bounded number at a time: call again until it gives zero.
    async fn sweep_drafts(&self, idle_since: Timestamp, now: Timestamp) -> Result<u64>;
    /// Forgets what is left of transfers whose keys were destroyed at or before `shredded`: addresses, times, downloads. A
    /// bounded number of them at a time: call again until it tells 0.
    async fn forget_transfers(&self, whose: Whose, shredded: Timestamp) -> Result<usize>;
    /// Forgets what else has had its time, a bounded number of rows at a time: call again until it tells 0.
    async fn forget(&self, before: Forget) -> Result<usize>;
}

/// Whether the timer may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockVerdict {
    /// It may.
    Trusted,
    /// The clock has leapt; nothing that depends on a date is done.
    Leapt {
        /// The time that was last believed.
        trusted: Timestamp,
        /// From then on the new time is believed.
        until: Timestamp,
    },
}

/// What the store remembers of the timer's turns, of all nodes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockGuard {
    /// The time of the last turn that was believed.
    pub trusted: Timestamp,
    /// When the clock leapt, and the last turn since then.
    pub doubt: Option<(Timestamp, Timestamp)>,
}

impl ClockGuard {
    /// A turn at `now`. The first one ever is believed. A step forward of more than a day is not, until an hour of
    /// turns has followed that fit it; a restart changes nothing about that, and a turn of another node whose clock
    /// is right ends the doubt. A step back is harmless, because nothing is due early by it: the timer goes on.
    pub fn next(before: Option<Self>, now: Timestamp) -> (Self, ClockVerdict) {
        let believed = (Self { trusted: now, doubt: None }, ClockVerdict::Trusted);
        let Some(Self { trusted, doubt }) = before else { return believed };
        let fits = |from: Timestamp| now >= from && now <= later(from, USUAL);
        if fits(trusted) || (now < trusted && trusted <= later(now, USUAL)) {
            return believed;
        }
        let since = doubt.filter(|(_, seen)| fits(*seen)).map_or(now, |(since, _)| since);
        let until = later(since, PROOF);
        if now >= until {
            return believed;
        }
        let turn = if now < trusted { ClockVerdict::Trusted } else { ClockVerdict::Leapt { trusted, until } };
        (Self { trusted, doubt: Some((since, now)) }, turn)
    }
}

/// What has had its time: rows from before these moments go.
#[derive(Clone, Copy, Debug)]
pub struct Forget {
    /// Threads, by the last message that was sealed in them.
    pub threads: Timestamp,
    /// The audit trail; `None`: it is kept.
    pub audit: Option<Timestamp>,
    /// The present moment.
    pub now: Timestamp,
    /// Where mail went, by when it was accepted.
    pub tracking: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    /// A minute's turns from one hour to another; the last of them.
    fn turns(mut before: ClockGuard, from: i64, hours: i64) -> (ClockGuard, ClockVerdict) {
        let mut turn = ClockVerdict::Trusted;
        for minute in 0..=hours * 60 {
            let now = later(at(from), Duration::from_secs(60 * minute as u64));
            (before, turn) = ClockGuard::next(Some(before), now);
        }
        (before, turn)
    }

    #[test]
    fn usual_steps_are_believed() {
        let (first, turn) = ClockGuard::next(None, at(0));
        assert_eq!((first, turn), (ClockGuard { trusted: at(0), doubt: None }, ClockVerdict::Trusted));
        for step in [0, 1, 24, -1, -24] {
            let (next, turn) = ClockGuard::next(Some(first), at(step));
            assert_eq!(
                (next, turn),
                (ClockGuard { trusted: at(step), doubt: None }, ClockVerdict::Trusted),
                "{step}"
            );
        }
    }

    /// H34
    #[test]
    fn ten_years_ahead_are_believed_after_an_hour() {
        let first = ClockGuard { trusted: at(0), doubt: None };
        let leap = 10 * 365 * 24;
        let (doubting, turn) = ClockGuard::next(Some(first), at(leap));
        assert_eq!(turn, ClockVerdict::Leapt { trusted: at(0), until: at(leap + 1) });
        // Put right again: as if nothing had been.
        assert_eq!(
            ClockGuard::next(Some(doubting), at(1)),
            (ClockGuard { trusted: at(1), doubt: None }, ClockVerdict::Trusted)
        );
        // It leaps on: the hour begins again.
        let (_, turn) = ClockGuard::next(Some(doubting), at(leap + 48));
        assert_eq!(turn, ClockVerdict::Leapt { trusted: at(0), until: at(leap + 49) });
        let (held, turn) = ClockGuard::next(Some(doubting), later(at(leap), Duration::from_secs(3599)));
        assert!(matches!(turn, ClockVerdict::Leapt { .. }));
        assert_eq!(ClockGuard::next(Some(held), at(leap + 1)).1, ClockVerdict::Trusted);
        assert_eq!(
            turns(first, leap, 1),
            (ClockGuard { trusted: at(leap + 1), doubt: None }, ClockVerdict::Trusted)
        );
    }

    #[test]
    fn a_step_back_stops_nothing() {
        let first = ClockGuard { trusted: at(0), doubt: None };
        let (doubting, turn) = ClockGuard::next(Some(first), at(-1000));
        assert_eq!(turn, ClockVerdict::Trusted);
        assert_eq!(ClockGuard::next(Some(doubting), at(2)).1, ClockVerdict::Trusted, "and forward again");
        assert_eq!(turns(first, -1000, 1).0.trusted, at(-999));
    }
}
