//! `zegel backup` and `zegel restore`: everything that a gateway keeps into a folder beside it, and back to where it is empty.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{BackupArgs, BackupTarget, ConfigArgs};
use crate::backup::{self, Manifest};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::home::Home;
use crate::serve;
use crate::store::nodes::host;

/// Makes a backup, beside running gateways or without one.
pub fn backup(args: &BackupArgs) -> Result<()> {
    let config = serve::load_config(&args.config.config)?;
    if args.if_leader && config.store.shared().is_some() && !leader_is_here(&config)? {
        say!("the node that runs the timer is on another host: it makes the backup");
        return Ok(());
    }
    let (now, with_key) = (Clock::system().now(), !args.without_key);
    let out = out(&args.target, now)?;
    let made = match config.store.shared() {
        None => of_folder(&config, &out, with_key, now)?,
        Some(_) => of_store(&config, &out, with_key, now)?,
    };
    say!("{}: {} blobs, {} octets; complete", out.display(), made.blobs, made.octets);
    match with_key {
        true => say!(
            "master.key is in it: together they are nearly everything, so keep it as safe as the gateway"
        ),
        false => say!("master.key is not in it, and worth nothing without it: keep a copy elsewhere"),
    }
    if let (Some(into), Some(keep)) = (&args.target.into, args.keep) {
        for removed in backup::remove_surplus(into, keep.into())? {
            say!("{} removed", removed.display());
        }
    }
    if made.lost.is_empty() {
        return Ok(());
    }
    made.lost.iter().for_each(|blob| say!("  lost  {blob}"));
    bail!(
        "{} blobs were missing or damaged before the backup was made; `zegel check --data` says what they are",
        made.lost.len()
    )
}

/// Where it goes; the folder of all backups is made where there is none.
fn out(target: &BackupTarget, now: Timestamp) -> Result<PathBuf> {
    match target {
        BackupTarget { out: Some(out), .. } => Ok(out.clone()),
        BackupTarget { into: Some(into), .. } => {
            backup::make_folder(into)?;
            Ok(backup::name_at(into, now))
        }
        BackupTarget { out: None, into: None } => bail!("name either --out or --into"),
    }
}

fn of_folder(config: &Config, out: &Path, with_key: bool, now: Timestamp) -> Result<Manifest> {
    // It belongs together, and what a crash has left in the journal is in the database then.
    let folder = DataFolder::open_existing(&config.data_dir)?;
    Ok(backup::make(&folder.path, out, with_key, now)?)
}

#[cfg(feature = "cluster")]
fn of_store(config: &Config, out: &Path, with_key: bool, now: Timestamp) -> Result<Manifest> {
    let progress = super::progress::Shown::default();
    let made = Home::back_up(&config.data_dir, &config.store, out, with_key, now, &progress)?;
    progress.end();
    for (count, what) in
        [(made.unreadable_mails as u64, "mails in the queue"), (made.unreadable_links, "links")]
    {
        if count > 0 {
            say!(
                "{count} {what} have lost their keys: nobody can read them, here or where the backup is put back"
            );
        }
    }
    Ok(made.manifest)
}

#[cfg(not(feature = "cluster"))]
fn of_store(_: &Config, _: &Path, _: bool, _: Timestamp) -> Result<Manifest> {
    bail!(crate::config::StoreSection::NOT_BUILT)
}

fn leader_is_here(config: &Config) -> Result<bool> {
    let nodes = tokio::runtime::Runtime::new()?.block_on(async {
        let home = Home::open_existing(&config.data_dir, &config.store).await?;
        Ok::<_, anyhow::Error>(home.store.nodes().await?)
    })?;
    if !nodes.iter().any(|node| node.timer) {
        bail!(
            "no node runs the timer, so that none would make the backup; `zegel nodes` says which there are"
        );
    }
    let here = host();
    Ok(nodes.iter().any(|node| node.timer && node.host == here))
}

/// Puts a backup back.
pub fn restore(args: &ConfigArgs, from: &Path, key: Option<&Path>) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    let Manifest { created, blobs, lost, .. } = match config.store.shared() {
        None => backup::restore(from, &config.data_dir, key)?,
        Some(_) => into_store(&config, from, key)?,
    };
    let (transfers, queued) = tokio::runtime::Runtime::new()?.block_on(async {
        let home = Home::open_existing(&config.data_dir, &config.store).await?;
        Ok::<_, anyhow::Error>((home.store.transfers().await?.len(), home.store.queue().await?.len()))
    })?;
    let place = config
        .store
        .shared()
        .map(|(database, bucket)| format!("{} and {}", database.shown(), bucket.shown()));
    say!(
        "{}: restored, as it was at {created}",
        place.unwrap_or_else(|| config.data_dir.display().to_string())
    );
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

#[cfg(feature = "cluster")]
fn into_store(config: &Config, from: &Path, key: Option<&Path>) -> Result<Manifest> {
    let progress = super::progress::Shown::default();
    let (manifest, _) = Home::put_back(&config.data_dir, &config.store, from, key, &progress)?;
    progress.end();
    Ok(manifest)
}

#[cfg(not(feature = "cluster"))]
fn into_store(_: &Config, _: &Path, _: Option<&Path>) -> Result<Manifest> {
    bail!(crate::config::StoreSection::NOT_BUILT)
}
