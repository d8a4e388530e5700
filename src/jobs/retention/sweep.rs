//! The sweep at start: blobs that no row knows, because the process ended between their last byte and the commit.
//!
//! What must never happen: that it removes what a crash cannot explain. A database that was put back from a backup does
//! not know what came after it; what it does not know is then all that there is of it.

use std::time::Duration;

use crate::clock::{Timestamp, earlier, later};
use crate::limits::LONGEST_WRITING;

/// Between the last sign of life in the database and the crash: the timer leaves one every minute.
const SILENCE: Duration = Duration::from_mins(3);
/// A crash leaves what was being sealed at that moment: some messages with some parts each.
const MOST: usize = 500;

/// Why blobs that no row knows are no leftovers of a crash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// There are too many.
    #[error("a crash leaves fewer than {}", MOST + 1)]
    TooMany,
    /// The database does not say when a gateway was last at work.
    #[error("no gateway was at work with this database before")]
    NeverAlive,
    /// Some were written before the last message that can have been cut off.
    #[error("{0} were written long before the gateway was last at work, at {1}")]
    TooOld(usize, Timestamp),
    /// Some were written when no gateway was at work with this database.
    #[error(
        "{0} were written after the gateway was last at work with this database, at {1}: is it from a backup?"
    )]
    TooNew(usize, Timestamp),
}

/// Whether the end of the gateway that was last at work at `alive` can have left blobs that were written then.
pub fn explain(written: &[Timestamp], alive: Option<Timestamp>) -> Result<(), Unexplained> {
    let Some(alive) = alive else { return Err(Unexplained::NeverAlive) };
    let (first, last) = (earlier(alive, LONGEST_WRITING), later(alive, SILENCE));
    let older = written.iter().filter(|time| **time < first).count();
    let newer = written.iter().filter(|time| **time > last).count();
    match (newer, older) {
        (0, 0) if written.len() <= MOST => Ok(()),
        (0, 0) => Err(Unexplained::TooMany),
        (0, older) => Err(Unexplained::TooOld(older, alive)),
        (newer, _) => Err(Unexplained::TooNew(newer, alive)),
    }
}

/// Since when every other gateway must have been silent, or one of them may be writing these blobs: from its last sign of
/// life before the first of them on. `None` when all are so old that whoever wrote them has committed them by now, or never will.
pub fn undecided(written: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let settled = earlier(now, LONGEST_WRITING);
    written.iter().filter(|time| **time > settled).min().map(|first| earlier(*first, SILENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_being_written_is_explained() {
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap();
        let explain = |minutes: &[i64]| {
            let written: Vec<_> = minutes.iter().map(|minute| at(*minute)).collect();
            explain(&written, Some(at(0)))
        };
        assert_eq!(explain(&[-120, -1, 0, 3]), Ok(()));
        assert_eq!(explain(&[-121, 0]), Err(Unexplained::TooOld(1, at(0))));
        assert_eq!(explain(&[-121, 4, 12]), Err(Unexplained::TooNew(2, at(0))));
        assert_eq!(explain(&[0; MOST]), Ok(()));
        assert_eq!(explain(&[0; MOST + 1]), Err(Unexplained::TooMany));
        assert_eq!(super::explain(&[at(0)], None), Err(Unexplained::NeverAlive));
    }

    #[test]
    fn what_was_just_written_may_be_somebody_elses() {
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap();
        let undecided =
            |minutes: &[i64]| undecided(&minutes.iter().copied().map(at).collect::<Vec<_>>(), at(0));
        assert_eq!(undecided(&[]), None);
        assert_eq!(undecided(&[-500, -121, -120]), None);
        assert_eq!(undecided(&[-500, -7, -119]), Some(at(-122)));
    }
}
