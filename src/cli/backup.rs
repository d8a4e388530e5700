//! `zegel backup` and `zegel restore`: a data folder into a folder beside it, and back into an empty one.

use std::path::Path;

use anyhow::{Result, bail};

use super::ConfigArgs;
use crate::backup::{self, Manifest};
use crate::clock::Clock;
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::serve;

/// Makes a backup, beside a running gateway or without one.
pub fn backup(args: &ConfigArgs, out: &Path, with_key: bool) -> Result<()> {
    let config = data_folder_config(args)?;
    // It belongs together, and what a crash has left in the journal is in the database then.
    let folder = DataFolder::open_existing(&config.data_dir)?;
    let made = backup::make(&folder.path, out, with_key, Clock::system().now())?;
    say!("{}: {} blobs, {} octets; complete", out.display(), made.blobs, made.octets);
    match with_key {
        true => say!(
            "master.key is in it: together they are nearly everything, so keep it as safe as the gateway"
        ),
        false => say!("master.key is not in it, and worth nothing without it: keep a copy elsewhere"),
    }
    if made.lost.is_empty() {
        return Ok(());
    }
    made.lost.iter().for_each(|blob| say!("  lost  {blob}"));
    bail!(
        "{}: {} blobs were missing or damaged before the backup was made; `zegel check --data` says what they are",
        folder.path.display(),
        made.lost.len()
    )
}

/// Puts a backup back.
pub fn restore(args: &ConfigArgs, from: &Path, key: Option<&Path>) -> Result<()> {
    let config = data_folder_config(args)?;
    let Manifest { created, blobs, lost, .. } = backup::restore(from, &config.data_dir, key)?;
    let folder = DataFolder::open_existing(&config.data_dir)?;
    let (transfers, queued) = tokio::runtime::Runtime::new()?.block_on(async {
        let store = &folder.store;
        Ok::<_, crate::store::StoreError>((store.transfers().await?.len(), store.queue().await?.len()))
    })?;
    say!("{}: restored, as it was at {created}", folder.path.display());
    say!("  {blobs} blobs, {transfers} transfers, {queued} mails in the queue");
    for blob in &lost {
        say!("  lost  {blob}  before the backup was made");
    }
    if queued > 0 {
        say!(
            "look at `zegel queue list` before the start: what was delivered since the backup would be sent once more"
        );
    }
    Ok(())
}

/// The configuration of a gateway that has a data folder: what nodes share is backed up where it is.
fn data_folder_config(args: &ConfigArgs) -> Result<Config> {
    let config = serve::load_config(&args.config)?;
    if config.store.shared().is_some() {
        bail!(
            "[store]: back up the database and the bucket with their own tools, and master.key apart from both"
        );
    }
    Ok(config)
}
