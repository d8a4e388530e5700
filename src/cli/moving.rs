//! `zegel move`: a stopped gateway from its data folder into a database and a bucket, or back.

use std::path::Path;

use anyhow::{Result, bail};

use super::progress::Shown;
use super::{ConfigArgs, MoveTarget};
use crate::config::StoreSection;
use crate::home::Home;
use crate::moving::Moved;
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
            if let Some(reason) = store.refusal() {
                bail!(reason);
            }
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
