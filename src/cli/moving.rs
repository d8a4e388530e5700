//! `zegel move`: a stopped gateway from its data folder into a database and a bucket, or back.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{ConfigArgs, MoveTarget};
use crate::config::StoreSection;
use crate::home::Home;
use crate::moving::{Moved, Progress};
use crate::serve;

/// Moves everything to `target`. What `[store]` says of the database and the bucket besides their names counts as well.
pub fn run(args: &ConfigArgs, target: MoveTarget) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    let progress = Shown::default();
    match target {
        MoveTarget { to: Some(to), blobs: Some(blobs), to_folder: None } => {
            if config.store.shared().is_some() {
                bail!(
                    "[store]: this gateway has its rows in a database already; `--to-folder DIR` moves it into a data folder"
                );
            }
            let store = StoreSection { database: Some(to), blobs: Some(blobs.clone()), ..config.store };
            store.check().map_err(anyhow::Error::msg)?;
            let moved = Home::move_to_store(&config.data_dir, &store, &progress)?;
            progress.end();
            tell(&moved);
            say!(
                "{}: no gateway starts on it any more; it holds mail and keys still: remove all in it but master.key once the \
                 new one is at work",
                config.data_dir.display()
            );
            Ok(())
        }
        MoveTarget { to: None, blobs: None, to_folder: Some(folder) } => {
            back(&config.data_dir, &config.store, &folder, &progress)
        }
        _ => bail!("name either --to and --blobs, or --to-folder"),
    }
}

fn back(data_dir: &Path, store: &StoreSection, folder: &Path, progress: &Shown) -> Result<()> {
    if store.shared().is_none() {
        bail!(
            "[store]: this gateway is in a data folder already; `--to` and `--blobs` move it into a database and a bucket"
        );
    }
    let moved = Home::move_to_folder(data_dir, store, folder, progress)?;
    progress.end();
    tell(&moved);
    say!(
        "store.database: no node starts on it any more; it and the bucket hold mail and keys still: remove both once the gateway \
         is at work with data_dir = \"{}\"",
        folder.display()
    );
    Ok(())
}

fn tell(moved: &Moved) {
    if moved.before {
        say!("all of it was moved there before");
        return;
    }
    say!("{} rows and {} blobs moved, and compared with what was read", moved.rows, moved.blobs);
    for blob in &moved.lost {
        say!("  lost  {blob}  before the move");
    }
}

/// Progress on standard error: a bar where that is a terminal, else a line now and then.
#[derive(Default)]
struct Shown(Mutex<Option<Last>>);

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
    fn end(&self) {
        if io::stderr().is_terminal() {
            drop(writeln!(io::stderr()));
        }
    }
}
