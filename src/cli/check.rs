//! `zegel check`: everything that `serve` would stumble over, told before it does. Makes nothing: run by
//! root, it would make it for the wrong user. With `--data` also whether every blob is there that a row names.

use std::path::Path;

use anyhow::{Result, bail};

use super::CheckArgs;
use crate::clock::{Clock, earlier};
use crate::config::{Direction, NextHopSettings};
use crate::data_folder::DataFolder;
use crate::inventory::Inventory;
use crate::limits::LONGEST_WRITING;
use crate::serve;
use crate::settings::{Misconfigured, Settings};

/// Reads what the configuration names, and opens the data folder where there is one.
pub fn run(args: &CheckArgs) -> Result<()> {
    let settings = Settings::read(serve::load_config(&args.config.config)?)?;
    let organisation = settings.operator();
    let data = &settings.data_dir;
    let folder = open(data).map_err(|error| fault(data, &error))?;
    say!("{}: fine", args.config.config.display());
    say!("  {} rules, {} staff", organisation.policy.rule_count(), organisation.staff.len());
    say!("  mail in on {}, out to {}", join(&settings.smtp.listen), shown(&settings, Direction::Outside));
    say!(
        "  receipts, answers, codes and reports for people inside to {}",
        shown(&settings, Direction::Inside)
    );
    say!("  pages on {} as {}", join(&settings.web.listen), organisation.public_url);
    say!("  data in {}: {}", data.display(), state(folder.as_ref()));
    for warning in settings.relay.notes().into_iter().chain(settings.relay.advice()) {
        say!("  warning: {warning}");
    }
    match folder {
        Some(folder) if args.data => compare(&folder),
        _ => Ok(()),
    }
}

fn open(folder: &Path) -> Result<Option<DataFolder>> {
    if folder.is_file() {
        bail!("this is not a folder");
    }
    DataFolder::exists(folder)?.then(|| DataFolder::open_to_check(folder)).transpose()
}

fn state(folder: Option<&DataFolder>) -> &'static str {
    match folder {
        Some(DataFolder { id: Some(_), .. }) => "opens; database, blobs and key belong together",
        Some(_) => "opens; it gets an id of its own at the next start",
        None => "will be made at the first start",
    }
}

/// Names every blob that is missing, damaged, or known to nobody.
fn compare(folder: &DataFolder) -> Result<()> {
    let until = earlier(Clock::system().now(), LONGEST_WRITING);
    let taking = Inventory::take(folder.store.as_ref(), folder.blobs.clone(), until);
    let found = tokio::runtime::Runtime::new()?.block_on(taking)?;
    for named in &found.missing {
        say!("  missing  {}  {}", named.blob, named.content);
    }
    for (named, octets) in &found.damaged {
        say!("  damaged  {}  {}: {octets} octets cannot be all of it", named.blob, named.content);
    }
    for (blob, written) in &found.unknown {
        say!("  unknown  {blob}  written {written}; no row names it");
    }
    say!("  {} blobs named, {} missing", found.named, found.missing.len());
    if found.is_fine() {
        return Ok(());
    }
    bail!(
        "{}: {} blobs missing, {} damaged, {} unknown; see \"Blobs that do not fit\" in the operations manual",
        folder.path.display(),
        found.missing.len(),
        found.damaged.len(),
        found.unknown.len()
    )
}

fn fault(path: &Path, reason: &anyhow::Error) -> Misconfigured {
    Misconfigured(format!("{}: {reason:#}", path.display()))
}

fn shown(settings: &Settings, direction: Direction) -> String {
    let NextHopSettings { smarthost, tls, username, .. } = settings.relay.next_hop(direction);
    let login = if username.is_empty() { String::new() } else { format!(", as {username}") };
    format!("{smarthost} (tls \"{tls}\"{login})")
}

fn join(addresses: &[std::net::SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
