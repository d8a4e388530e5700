//! Whose turn it is: mail that waits is claimed from the organisations in turn, so that a flood of one delays the others by a
//! few deliveries and not by all of it. Pure. Used by the journal and by every store; rows are chosen by SQL that does the same.

use std::collections::HashMap;

use crate::id::OrganisationId;

/// What an organisation's mail is counted under; `None`: a row from before there were several.
pub type Sharer = Option<OrganisationId>;

/// How much of one claim each organisation may have.
#[derive(Clone, Debug)]
pub struct ClaimShares {
    of_each: usize,
    of_some: HashMap<Sharer, usize>,
}

impl ClaimShares {
    /// As much as there is: nobody else shares the gateway.
    pub fn unbounded() -> Self {
        Self::new(usize::MAX, HashMap::new())
    }

    /// So much, and other amounts for those that are named.
    pub fn new(of_each: usize, of_some: HashMap<Sharer, usize>) -> Self {
        Self { of_each, of_some }
    }

    /// How much one may have.
    pub fn of(&self, sharer: &Sharer) -> usize {
        self.of_some.get(sharer).copied().unwrap_or(self.of_each)
    }

    /// How much those have that are not named.
    pub(super) fn of_others(&self) -> usize {
        self.of_each
    }

    /// Those that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, usize)> {
        self.of_some.iter().map(|(sharer, most)| (name(sharer), *most))
    }

    /// One of it is used.
    pub(super) fn take(&mut self, sharer: &Sharer) {
        if self.of_each < usize::MAX {
            let left = self.of(sharer).saturating_sub(1);
            self.of_some.insert(sharer.clone(), left);
        }
    }
}

/// As statements compare it: NULL is nobody's equal.
pub(super) fn name(sharer: &Sharer) -> &str {
    sharer.as_ref().map_or("", OrganisationId::as_str)
}

/// A queue for each organisation.
#[derive(Debug)]
pub(super) struct Turns<Q> {
    queues: Vec<(Sharer, Q)>,
    /// The place of the one that is first asked.
    next: usize,
}

impl<Q> Default for Turns<Q> {
    fn default() -> Self {
        Self { queues: Vec::new(), next: 0 }
    }
}

impl<Q: Default> Turns<Q> {
    /// The queue of an organisation.
    pub fn of(&mut self, sharer: &Sharer) -> &mut Q {
        let place = self.queues.iter().position(|(one, _)| one == sharer).unwrap_or_else(|| {
            self.queues.push((sharer.clone(), Q::default()));
            self.queues.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "it was found there, or has just been put there")]
        &mut self.queues[place].1
    }

    /// What the first gives whose turn it is and that has something; the next one asked is the one behind it.
    pub fn take<T>(&mut self, mut from: impl FnMut(&Sharer, &mut Q) -> Option<T>) -> Option<T> {
        let count = self.queues.len();
        for step in 0..count {
            let place = (self.next + step) % count;
            let given = self.queues.get_mut(place).and_then(|(sharer, queue)| from(sharer, queue));
            if given.is_some() {
                self.next = (place + 1) % count;
                return given;
            }
        }
        None
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&Sharer, &Q)> {
        self.queues.iter().map(|(sharer, queue)| (sharer, queue))
    }

    /// The same, to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Q> {
        self.queues.iter_mut().map(|(_, queue)| queue)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn sharer(name: &str) -> Sharer {
        Some(OrganisationId::of_domain(name))
    }

    fn pop(_: &Sharer, queue: &mut VecDeque<u32>) -> Option<u32> {
        queue.pop_front()
    }

    #[test]
    fn each_has_its_turn_in_the_order_of_its_own() {
        let mut turns = Turns::<VecDeque<u32>>::default();
        turns.of(&sharer("a.nl")).extend(0..1000);
        assert_eq!(turns.take(pop), Some(0), "one alone has every turn");
        assert_eq!(turns.take(pop), Some(1));
        turns.of(&sharer("b.nl")).extend([2000, 2001]);
        turns.of(&None).push_back(3000);
        let taken: Vec<u32> = std::iter::from_fn(|| turns.take(pop)).take(7).collect();
        assert_eq!(taken, [2, 2000, 3000, 3, 2001, 4, 5]);
    }

    #[test]
    fn a_share_is_used_up() {
        let mut shares = ClaimShares::new(2, HashMap::from([(sharer("a.nl"), 0)]));
        assert_eq!((shares.of(&sharer("a.nl")), shares.of(&sharer("b.nl")), shares.of(&None)), (0, 2, 2));
        for left in [1, 0, 0] {
            shares.take(&sharer("b.nl"));
            assert_eq!(shares.of(&sharer("b.nl")), left);
        }
        assert_eq!(shares.of(&None), 2);
        let mut unbounded = ClaimShares::unbounded();
        unbounded.take(&None);
        assert_eq!((unbounded.of(&None), unbounded.named().count()), (usize::MAX, 0));
    }
}
