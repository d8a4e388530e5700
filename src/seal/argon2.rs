//! Argon2id (RFC 9106): from a passphrase to a key, slowly and with much memory on purpose. Called by `keys`, on
//! threads that may block.
//!
//! At most as many runs at once as there are cores, whoever asks; who comes then waits for a turn, but not for ever:
//! those that a person waits for before those of a mail with much to lock (H40). The memory of a run is wiped after it. It goes on to whoever waits, because to get it from the kernel anew
//! costs a third of what Argon2 itself costs; when nobody waits it is given back.

use std::collections::VecDeque;
use std::io;
use std::mem::take;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use super::{Result, SealError};

/// Blocks of 1 KiB in the memory that is handed on: those of a run for a generated password.
const USUAL: usize = 16 << 10;

/// The turns of this process.
static TURNS: LazyLock<Turns> =
    LazyLock::new(|| Turns::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// After so many prompt runs that went ahead of a waiting bulk run, that one goes.
const MOST_AHEAD: u32 = 8;

/// Who waits for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A person, or a mail with little to lock.
    Prompt,
    /// A mail with much to lock: it lets the others go first.
    Bulk,
}

/// What a run costs (RFC 9580 3.7.1.4): passes, lanes, and memory as a power of two in KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub passes: u8,
    pub lanes: u8,
    pub exponent: u8,
}

/// The key that follows from a passphrase. Waits for a turn, but no longer than `patience`, then takes its time.
pub(super) fn derive(
    passphrase: &[u8],
    salt: &[u8; 16],
    work: Work,
    urgency: Urgency,
    patience: Duration,
) -> Result<Zeroizing<[u8; 32]>> {
    let impossible = |_| SealError::Foreign("the key packet asks for an impossible Argon2");
    let memory = 1u32.checked_shl(work.exponent.into()).unwrap_or(0);
    let params = Params::new(memory, work.passes.into(), work.lanes.into(), Some(32)).map_err(impossible)?;
    let mut turn = TURNS.begin(params.block_count(), urgency, patience)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, &mut key[..], &mut turn.memory)
        .map_err(impossible)?;
    Ok(key)
}

/// Takes every turn of this process, until what it gives is dropped.
#[cfg(test)]
pub fn hold_every_turn() -> impl Drop {
    struct Held(#[allow(dead_code, reason = "held")] Vec<Turn<'static>>);
    impl Drop for Held {
        fn drop(&mut self) {}
    }
    let long = Duration::from_secs(600);
    Held((0..TURNS.most).filter_map(|_| TURNS.begin(1, Urgency::Prompt, long).ok()).collect())
}

/// Who may run, and the memory that is handed on.
struct Turns {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    /// Who waits, in the order in which they came.
    prompt: VecDeque<Waiter>,
    bulk: VecDeque<Waiter>,
    next_number: u64,
    /// Prompt runs in a row that went ahead of a bulk run.
    ahead: u32,
    /// Wiped, of [`USUAL`] blocks; only while somebody waits.
    spare: Vec<Vec<Block>>,
}

/// Somebody who waits for a turn, and is woken when it may be theirs; nobody else is.
#[derive(Clone, Debug)]
struct Waiter {
    number: u64,
    wake: Arc<Condvar>,
}

/// The right to one run, and its memory.
struct Turn<'a> {
    turns: &'a Turns,
    memory: Vec<Block>,
}

impl Turns {
    fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn begin(&self, blocks: usize, urgency: Urgency, patience: Duration) -> Result<Turn<'_>> {
        let since = Instant::now();
        let mut state = self.lock();
        let me = state.come(urgency);
        while state.next(self.most).is_none_or(|(_, next)| next.number != me.number) {
            let left = patience.saturating_sub(since.elapsed());
            if left.is_zero() {
                state.leave(&me);
                // Whoever is next may have been kept waiting by this one alone.
                state.wake_next(self.most);
                return Err(SealError::Busy);
            }
            state = me.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.begin(urgency);
        // There may be a turn for the next one as well.
        state.wake_next(self.most);
        let spare = if blocks == USUAL { state.spare.pop() } else { None };
        drop(state);
        // From here on the turn ends whatever happens.
        let mut turn = Turn { turns: self, memory: spare.unwrap_or_default() };
        turn.memory
            .try_reserve_exact(blocks.saturating_sub(turn.memory.len()))
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        turn.memory.resize(blocks, Block::new());
        Ok(turn)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Waits from now on.
    fn come(&mut self, urgency: Urgency) -> Waiter {
        let waiter = Waiter { number: self.next_number, wake: Arc::default() };
        self.next_number += 1;
        match urgency {
            Urgency::Prompt => self.prompt.push_back(waiter.clone()),
            Urgency::Bulk => self.bulk.push_back(waiter.clone()),
        }
        waiter
    }

    /// Waits no longer.
    fn leave(&mut self, waiter: &Waiter) {
        self.prompt.retain(|one| one.number != waiter.number);
        self.bulk.retain(|one| one.number != waiter.number);
    }

    /// Whose turn it is, if there is one.
    fn next(&self, most: usize) -> Option<(Urgency, &Waiter)> {
        if self.running >= most {
            return None;
        }
        let bulk = self.bulk.front().map(|waiter| (Urgency::Bulk, waiter));
        let prompt = self.prompt.front().map(|waiter| (Urgency::Prompt, waiter));
        if self.ahead >= MOST_AHEAD { bulk.or(prompt) } else { prompt.or(bulk) }
    }

    fn wake_next(&self, most: usize) {
        if let Some((_, waiter)) = self.next(most) {
            waiter.wake.notify_one();
        }
    }

    /// The next one of these begins.
    fn begin(&mut self, urgency: Urgency) {
        self.running += 1;
        match urgency {
            Urgency::Prompt => {
                self.prompt.pop_front();
                self.ahead = if self.bulk.is_empty() { 0 } else { self.ahead + 1 };
            }
            Urgency::Bulk => {
                self.bulk.pop_front();
                self.ahead = 0;
            }
        }
    }

    fn waiting(&self) -> usize {
        self.prompt.len() + self.bulk.len()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.memory.iter_mut().for_each(|block| block.as_mut().zeroize());
        let mut state = self.turns.lock();
        state.running -= 1;
        if state.waiting() > 0 && self.memory.len() == USUAL {
            state.spare.push(take(&mut self.memory));
        }
        let nobodys = if state.waiting() == 0 { take(&mut state.spare) } else { Vec::new() };
        state.wake_next(self.turns.most);
        drop(state);
        drop(nobodys);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn no_more_run_at_once_than_may_and_memory_is_handed_on_wiped() {
        let turns = Turns::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut turn = turns.begin(USUAL, Urgency::Prompt, LONG).unwrap();
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    assert_eq!(turn.memory.len(), USUAL);
                    assert!(turn.memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
                    turn.memory[7].as_mut()[0] = 1;
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.into_inner() <= 2);
        let state = turns.lock();
        assert_eq!((state.running, state.waiting(), state.spare.len()), (0, 0, 0), "nothing is kept");
    }

    #[test]
    fn who_waits_gets_the_memory_of_who_ends() {
        let turns = Turns::new(1);
        let first = turns.begin(USUAL, Urgency::Prompt, LONG).unwrap();
        let place = first.memory.as_ptr() as usize;
        thread::scope(|scope| {
            let second =
                scope.spawn(|| turns.begin(USUAL, Urgency::Prompt, LONG).unwrap().memory.as_ptr() as usize);
            while turns.lock().waiting() == 0 {
                thread::yield_now();
            }
            drop(first);
            assert_eq!(second.join().unwrap(), place);
        });
    }

    #[test]
    fn who_waits_too_long_is_told_and_leaves_the_queue() {
        let turns = Turns::new(1);
        let running = turns.begin(1, Urgency::Prompt, LONG).unwrap();
        for urgency in [Urgency::Prompt, Urgency::Bulk] {
            let refused = turns.begin(1, urgency, Duration::from_millis(1));
            assert!(matches!(refused, Err(SealError::Busy)));
        }
        assert_eq!(turns.lock().waiting(), 0);
        drop(running);
        assert!(turns.begin(1, Urgency::Prompt, Duration::ZERO).is_ok(), "a free turn needs no patience");
    }

    /// H40: however many runs of mails with much to lock wait already, a person waits for the next turn only.
    #[test]
    fn a_person_goes_before_bulk() {
        let mut state = State::default();
        let next = |state: &State| state.next(1).map(|(urgency, waiter)| (urgency, waiter.number));
        let bulk: Vec<u64> = (0..20).map(|_| state.come(Urgency::Bulk).number).collect();
        let people = [state.come(Urgency::Prompt).number, state.come(Urgency::Prompt).number];
        for person in people {
            assert_eq!(next(&state), Some((Urgency::Prompt, person)));
            state.begin(Urgency::Prompt);
            assert_eq!(next(&state), None);
            state.running -= 1;
        }
        assert_eq!(next(&state), Some((Urgency::Bulk, bulk[0])), "and nobody's turn is wasted");
    }

    #[test]
    fn bulk_comes_to_its_turn_as_well() {
        let mut state = State::default();
        state.come(Urgency::Bulk);
        for _ in 0..100 {
            state.come(Urgency::Prompt);
        }
        let before = (0..).take_while(|_| {
            let (urgency, _) = state.next(1).unwrap();
            state.begin(urgency);
            state.running -= 1;
            urgency == Urgency::Prompt
        });
        assert_eq!(before.count() as u32, MOST_AHEAD);
    }

    /// Another size neither takes nor leaves what is handed on.
    #[test]
    fn a_chosen_passwords_run_has_its_own_memory() {
        let turns = Turns::new(1);
        let chosen = turns.begin(4 * USUAL, Urgency::Prompt, LONG).unwrap();
        assert_eq!(chosen.memory.len(), 4 * USUAL);
        drop(chosen);
        assert_eq!(turns.begin(USUAL, Urgency::Prompt, LONG).unwrap().memory.len(), USUAL);
    }

    #[test]
    fn impossible_work_is_refused() {
        for work in [
            Work { passes: 0, lanes: 1, exponent: 14 },
            Work { passes: 1, lanes: 0, exponent: 14 },
            Work { passes: 1, lanes: 4, exponent: 2 },
            Work { passes: 1, lanes: 1, exponent: 40 },
        ] {
            let refused = derive(b"x", &[0; 16], work, Urgency::Prompt, LONG);
            assert!(matches!(refused, Err(SealError::Foreign(_))), "{work:?}");
        }
    }
}
