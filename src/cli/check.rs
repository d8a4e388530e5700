//! `zegel check`: everything that `serve` would stumble over, told before it does. Makes nothing: run by
//! root, it would make it for the wrong user. With `--data` also whether every blob is there that a row names.

use anyhow::{Result, bail};

use super::CheckArgs;
use crate::clock::{Clock, earlier};
use crate::config::{Direction, NextHopSettings};
use crate::home::Home;
use crate::inventory::Inventory;
use crate::limits::LONGEST_WRITING;
use crate::serve;
use crate::settings::{Misconfigured, Settings};

/// Reads what the configuration names, and opens the data folder where there is one.
pub fn run(args: &CheckArgs) -> Result<()> {
    let settings = Settings::read(serve::load_config(&args.config.config)?)?;
    let organisation = settings.operator();
    let runtime = tokio::runtime::Runtime::new()?;
    let place = place(&settings);
    let home = runtime.block_on(Home::check(&settings.data_dir, &settings.store));
    let home = home.map_err(|error| Misconfigured(format!("{place}: {error:#}")))?;
    say!("{}: fine", args.config.config.display());
    say!("  {} rules, {} staff", organisation.policy.rule_count(), organisation.staff.len());
    say!("  mail in on {}, out to {}", join(&settings.smtp.listen), shown(&settings, Direction::Outside));
    say!(
        "  receipts, answers, codes and reports for people inside to {}",
        shown(&settings, Direction::Inside)
    );
    say!("  pages on {} as {}", join(&settings.web.listen), organisation.public_url);
    say!("  data in {place}: {}", state(home.as_ref()));
    let notes = settings.relay.notes().into_iter().chain(settings.store.notes());
    for warning in notes.chain(settings.relay.advice()) {
        say!("  warning: {warning}");
    }
    for advice in runtime.block_on(Home::advice(&settings.store))? {
        say!("  warning: {advice}");
    }
    match home {
        Some(home) if args.data => runtime.block_on(compare(&home, &place)),
        _ => Ok(()),
    }
}

/// Where the data are. A URL of a database may hold a password.
fn place(settings: &Settings) -> String {
    match settings.store.shared() {
        None => settings.data_dir.display().to_string(),
        Some((database, bucket)) => format!("{} and {}", database.shown(), bucket.shown()),
    }
}

fn state(home: Option<&Home>) -> &'static str {
    match home {
        Some(Home { owner: Some(_), .. }) => "opens; database, blobs and key belong together",
        Some(_) => "opens; it gets an id of its own at the next start",
        None => "will be made at the first start",
    }
}

/// Names every blob that is missing, damaged, or known to nobody.
async fn compare(home: &Home, place: &str) -> Result<()> {
    let until = earlier(Clock::system().now(), LONGEST_WRITING);
    let found = Inventory::take(home.store.as_ref(), home.blobs.mail.clone(), until).await?;
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
        "{place}: {} blobs missing, {} damaged, {} unknown; see \"Blobs that do not fit\" in the operations manual",
        found.missing.len(),
        found.damaged.len(),
        found.unknown.len()
    )
}

fn shown(settings: &Settings, direction: Direction) -> String {
    let NextHopSettings { smarthost, tls, username, .. } = settings.relay.next_hop(direction);
    let login = if username.is_empty() { String::new() } else { format!(", as {username}") };
    format!("{smarthost} (tls \"{tls}\"{login})")
}

fn join(addresses: &[std::net::SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
