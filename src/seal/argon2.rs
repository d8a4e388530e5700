//! Argon2id (RFC 9106): from a passphrase to a key, slowly and with much memory on purpose. Called by `keys`, on
//! threads that may block.
//!
//! At most as many runs at once as there are cores, whoever asks (security decision 9); who comes then waits for a
//! turn. The memory of a run is wiped after it. It goes on to whoever waits, because to get it from the kernel anew
//! costs a third of what Argon2 itself costs; when nobody waits it is given back.

use std::io;
use std::mem::take;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use super::{Result, SealError};

/// Blocks of 1 KiB in the memory that is handed on: those of a run for a generated password.
const USUAL: usize = 16 << 10;

/// The turns of this process.
static TURNS: LazyLock<Turns> =
    LazyLock::new(|| Turns::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// What a run costs (RFC 9580 3.7.1.4): passes, lanes, and memory as a power of two in KiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub passes: u8,
    pub lanes: u8,
    pub exponent: u8,
}

/// The key that follows from a passphrase. Waits for a turn, then takes its time.
pub(super) fn derive(passphrase: &[u8], salt: &[u8; 16], work: Work) -> Result<Zeroizing<[u8; 32]>> {
    let impossible = |_| SealError::Foreign("the key packet asks for an impossible Argon2");
    let memory = 1u32.checked_shl(work.exponent.into()).unwrap_or(0);
    let params = Params::new(memory, work.passes.into(), work.lanes.into(), Some(32)).map_err(impossible)?;
    let mut turn = TURNS.begin(params.block_count())?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, &mut key[..], &mut turn.memory)
        .map_err(impossible)?;
    Ok(key)
}

/// Who may run, and the memory that is handed on.
struct Turns {
    most: usize,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    /// Wiped, of [`USUAL`] blocks; only while somebody waits.
    spare: Vec<Vec<Block>>,
}

/// The right to one run, and its memory.
struct Turn<'a> {
    turns: &'a Turns,
    memory: Vec<Block>,
}

impl Turns {
    fn new(most: usize) -> Self {
        Self { most, state: Mutex::default(), ended: Condvar::new() }
    }

    fn begin(&self, blocks: usize) -> Result<Turn<'_>> {
        let mut state = self.lock();
        state.waiting += 1;
        while state.running >= self.most {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.running += 1;
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

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.memory.iter_mut().for_each(|block| block.as_mut().zeroize());
        let mut state = self.turns.lock();
        state.running -= 1;
        if state.waiting > 0 && self.memory.len() == USUAL {
            state.spare.push(take(&mut self.memory));
        }
        let nobodys = if state.waiting == 0 { take(&mut state.spare) } else { Vec::new() };
        drop(state);
        self.turns.ended.notify_one();
        drop(nobodys);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_more_run_at_once_than_may_and_memory_is_handed_on_wiped() {
        let turns = Turns::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut turn = turns.begin(USUAL).unwrap();
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
        assert_eq!((state.running, state.waiting, state.spare.len()), (0, 0, 0), "nothing is kept");
    }

    #[test]
    fn who_waits_gets_the_memory_of_who_ends() {
        let turns = Turns::new(1);
        let first = turns.begin(USUAL).unwrap();
        let place = first.memory.as_ptr() as usize;
        thread::scope(|scope| {
            let second = scope.spawn(|| turns.begin(USUAL).unwrap().memory.as_ptr() as usize);
            while turns.lock().waiting == 0 {
                thread::yield_now();
            }
            drop(first);
            assert_eq!(second.join().unwrap(), place);
        });
    }

    /// Another size neither takes nor leaves what is handed on.
    #[test]
    fn a_chosen_passwords_run_has_its_own_memory() {
        let turns = Turns::new(1);
        let chosen = turns.begin(4 * USUAL).unwrap();
        assert_eq!(chosen.memory.len(), 4 * USUAL);
        drop(chosen);
        assert_eq!(turns.begin(USUAL).unwrap().memory.len(), USUAL);
    }

    #[test]
    fn impossible_work_is_refused() {
        for work in [
            Work { passes: 0, lanes: 1, exponent: 14 },
            Work { passes: 1, lanes: 0, exponent: 14 },
            Work { passes: 1, lanes: 4, exponent: 2 },
            Work { passes: 1, lanes: 1, exponent: 40 },
        ] {
            let refused = derive(b"x", &[0; 16], work);
            assert!(matches!(refused, Err(SealError::Foreign(_))), "{work:?}");
        }
    }
}
