//! How far a move, a backup or a restore is.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::moving::Progress;

/// Progress on standard error: a bar where that is a terminal, else a line now and then.
#[derive(Default)]
pub(super) struct Shown(Mutex<Option<Last>>);

struct Last {
    step: String,
    at: Instant,
    done: u64,
}

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(10);
/// Between two pictures of a bar.
const BLINK: Duration = Duration::from_millis(100);
/// Characters of a bar.
const WIDTH: u64 = 40;

impl Progress for Shown {
    fn at(&self, step: &str, done: u64, of: u64) {
        let (mut last, is_terminal) =
            (self.0.lock().unwrap_or_else(PoisonError::into_inner), io::stderr().is_terminal());
        let pause = if is_terminal { BLINK } else { PAUSE };
        if let Some(last) = &*last
            && last.step == step
            && (done <= last.done || (last.at.elapsed() < pause && done < of))
        {
            return;
        }
        *last = Some(Last { step: step.to_owned(), at: Instant::now(), done });
        let shown = match is_terminal {
            true => {
                let full = (done * WIDTH).checked_div(of).unwrap_or(WIDTH);
                let (full, rest) =
                    ("#".repeat(full as usize), " ".repeat((WIDTH - full.min(WIDTH)) as usize));
                write!(io::stderr(), "\r{step:<7} [{full}{rest}] {done} of {of}\x1b[K")
            }
            false => writeln!(io::stderr(), "{step}: {done} of {of}"),
        };
        // Nobody may be looking; the move goes on.
        drop(shown);
    }
}

impl Shown {
    /// What is said next begins on a line of its own.
    pub fn end(&self) {
        if io::stderr().is_terminal() {
            drop(writeln!(io::stderr()));
        }
    }
}
