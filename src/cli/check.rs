//! `zegel check`: everything that `serve` would stumble over, told before it does. Makes nothing: run by
//! root, it would make it for the wrong user. With `--data` also whether every blob is there that a row names.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use super::CheckArgs;
use crate::clock::{Clock, earlier};
use crate::config::{Config, Direction, NextHop};
use crate::inventory::Inventory;
use crate::serve::{self, Foundation, Misconfigured};

/// A blob may be there so much earlier than the row that names it.
const WRITING: Duration = Duration::from_hours(2);

/// Reads what the configuration names, and opens the data folder where there is one.
pub fn run(args: &CheckArgs) -> Result<()> {
    let rules = serve::read_rules(serve::load_config(&args.config.config)?)?;
    let config = &rules.config;
    serve::smtp_settings(config)?;
    serve::web_certificate(config)?;
    let data = &config.data_dir;
    let foundation = open(config).map_err(|error| fault(data, &error))?;
    say!("{}: fine", args.config.config.display());
    say!("  {} rules, {} staff", rules.policy.rule_count(), rules.staff.len());
    say!("  mail in on {}, out to {}", join(&config.smtp.listen), shown(config, Direction::Outside));
    say!("  receipts, answers, codes and reports for people inside to {}", shown(config, Direction::Inside));
    say!("  pages on {} as {}", join(&config.web.listen), config.web.public_url);
    say!("  data in {}: {}", data.display(), state(foundation.as_ref()));
    for warning in config.relay.notes().into_iter().chain(config.relay.advice()) {
        say!("  warning: {warning}");
    }
    match foundation {
        Some(foundation) if args.data => compare(&foundation),
        _ => Ok(()),
    }
}

fn open(config: &Config) -> Result<Option<Foundation>> {
    if config.data_dir.is_file() {
        bail!("this is not a folder");
    }
    Foundation::exists(config)?.then(|| Foundation::open_to_check(config)).transpose()
}

fn state(foundation: Option<&Foundation>) -> &'static str {
    match foundation {
        Some(Foundation { has_id: true, .. }) => "opens; database, blobs and key belong together",
        Some(_) => "opens; it gets an id of its own at the next start",
        None => "will be made at the first start",
    }
}

/// Names every blob that is missing, damaged, or known to nobody.
fn compare(foundation: &Foundation) -> Result<()> {
    let until = earlier(Clock::system().now(), WRITING);
    let taking = Inventory::take(foundation.store.as_ref(), foundation.blobs.clone(), until);
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
        foundation.folder.display(),
        found.missing.len(),
        found.damaged.len(),
        found.unknown.len()
    )
}

fn fault(path: &Path, reason: &anyhow::Error) -> Misconfigured {
    Misconfigured(format!("{}: {reason:#}", path.display()))
}

fn shown(config: &Config, direction: Direction) -> String {
    let NextHop { smarthost, tls, username, .. } = config.relay.next_hop(direction);
    let login = if username.is_empty() { String::new() } else { format!(", as {username}") };
    format!("{smarthost} (tls \"{tls}\"{login})")
}

fn join(addresses: &[std::net::SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
