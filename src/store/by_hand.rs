//! What somebody decides on an item of the queue instead of its delivery: hold it, release it, or send it back. The rules are
//! here, for every store; used by their `QueueAdmin`.
//!
//! An item that is being delivered just now is never taken from under the attempt: the decision is noted, and is carried out
//! for those whom the attempt does not reach.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::QueueItemKind;
use crate::audit::{Actor, Recorded};
use crate::clock::{Timestamp, later};

/// By whom an item is held or sent back, since when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    pub since: Timestamp,
    pub by: Recorded<Actor>,
    /// One printable line. Whom the mail goes back to reads it.
    pub reason: Option<String>,
}

/// What was decided on an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// It stays in the queue, and is not delivered.
    pub hold: Option<Ruling>,
    /// It goes back to its sender.
    pub bounce: Option<Ruling>,
    /// How long it was held before.
    pub held_for: Duration,
}

impl ByHand {
    /// From when on the age of an item counts that was accepted at `created`: while it was held it did not grow older.
    pub fn age_from(&self, created: Timestamp) -> Timestamp {
        later(created, self.held_for)
    }
}

/// What is to become of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// They are not delivered until they are released.
    Hold(Ruling),
    /// They are due.
    Release,
    /// They are given up, and whoever sent them is told.
    Bounce(Ruling),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnd {
    Done,
    /// An attempt is being made just now: whoever it reaches has the mail. The others are as was asked.
    InDelivery,
    /// It was so before.
    Unchanged,
    /// It cannot be sent back, for nobody could be told.
    NobodyToTell,
    /// There is no such item.
    NotThere,
}

impl StepEnd {
    /// The end of a step that was taken.
    pub(super) fn done(is_claimed: bool) -> Self {
        if is_claimed { Self::InDelivery } else { Self::Done }
    }

    /// Whether something was changed.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Done | Self::InDelivery)
    }
}

/// An item as a step finds it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub kind: QueueItemKind,
    pub is_claimed: bool,
    pub by_hand: ByHand,
}

impl Step {
    /// What becomes of an item; `Err`: why it stays as it is.
    pub(super) fn after(&self, found: &Found, now: Timestamp) -> Result<ByHand, StepEnd> {
        let ByHand { hold, bounce, held_for } = found.by_hand.clone();
        let held = hold.as_ref().map(|hold| Duration::try_from(now.duration_since(hold.since)));
        let held_for = held_for.saturating_add(held.and_then(Result::ok).unwrap_or_default());
        match self {
            Self::Hold(_) if hold.is_some() => Err(StepEnd::Unchanged),
            Self::Hold(ruling) => Ok(ByHand { hold: Some(ruling.clone()), bounce: None, held_for }),
            Self::Release if hold.is_none() => Err(StepEnd::Unchanged),
            Self::Release => Ok(ByHand { hold: None, bounce: None, held_for }),
            Self::Bounce(_) if bounce.is_some() => Err(StepEnd::Unchanged),
            Self::Bounce(_) if found.kind == QueueItemKind::Undelivered => Err(StepEnd::NobodyToTell),
            Self::Bounce(ruling) => Ok(ByHand { hold: None, bounce: Some(ruling.clone()), held_for }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, Duration::from_secs(60 * minute))
    }

    fn ruling(minute: u64) -> Ruling {
        Ruling { since: at(minute), by: Recorded::Known(Actor::Admin("jan".into())), reason: None }
    }

    #[test]
    fn every_step_has_one_end() {
        let free = ByHand::default();
        let held = ByHand { hold: Some(ruling(1)), ..ByHand::default() };
        let sent_back = ByHand { bounce: Some(ruling(1)), ..ByHand::default() };
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let (hold, bounce) = (Step::Hold(ruling(9)), Step::Bounce(ruling(9)));
        for (step, found, expected) in [
            (&hold, &free, Ok(ByHand { hold: Some(ruling(9)), ..ByHand::default() })),
            (&hold, &held, Err(StepEnd::Unchanged)),
            (&hold, &sent_back, Ok(ByHand { hold: Some(ruling(9)), ..ByHand::default() })),
            (&Step::Release, &free, Err(StepEnd::Unchanged)),
            (&Step::Release, &held, Ok(ByHand { held_for: minutes(8), ..ByHand::default() })),
            (&Step::Release, &sent_back, Err(StepEnd::Unchanged)),
            (&bounce, &free, Ok(ByHand { bounce: Some(ruling(9)), ..ByHand::default() })),
            (&bounce, &held, Ok(ByHand { bounce: Some(ruling(9)), held_for: minutes(8), hold: None })),
            (&bounce, &sent_back, Err(StepEnd::Unchanged)),
        ] {
            let found = Found { kind: QueueItemKind::Message, is_claimed: false, by_hand: found.clone() };
            assert_eq!(step.after(&found, at(9)), expected, "{step:?} of {found:?}");
        }
        let notice =
            Found { kind: QueueItemKind::Undelivered, is_claimed: false, by_hand: ByHand::default() };
        assert_eq!(bounce.after(&notice, at(9)), Err(StepEnd::NobodyToTell));
    }

    /// Nor younger, where the clock was set back meanwhile.
    #[test]
    fn what_is_held_grows_no_older() {
        let held = |since| Found {
            kind: QueueItemKind::Message,
            is_claimed: false,
            by_hand: ByHand { hold: Some(ruling(since)), bounce: None, held_for: Duration::from_secs(60) },
        };
        let age_from = |since| Step::Release.after(&held(since), at(9)).unwrap().age_from(at(0));
        assert_eq!((age_from(4), age_from(20)), (at(6), at(1)));
    }
}
