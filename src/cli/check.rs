//! `zegel check`: prints what [`check`](crate::check) finds, every finding as a block. Errors go to standard error and make
//! the exit status 2; warnings and notes are not fatal. With `--data` also whether every blob is there that a row names.

use anyhow::{Result, bail};

use super::{CheckArgs, print_json};
use crate::check::{self, Options, Questions, Report, ServiceUser};
use crate::clock::{Clock, earlier};
use crate::config::{self, Direction, Finding, NameServer, NextHopSettings, Severity};
use crate::home::Home;
use crate::inventory::Inventory;
use crate::limits::LONGEST_WRITING;
use crate::settings::{Misconfigured, Settings};
use crate::store::{Identity, LostKeys, key_name};

/// Looks at everything that the configuration names.
pub fn run(args: &CheckArgs) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let file = &args.report.config.config;
    let report = runtime.block_on(check::run(file, config::environment(), options(args)?));
    if args.report.json {
        print_json(&serde_json::json!({
            "file": file,
            "status": if report.has_errors() { "error" } else { "ok" },
            "findings": report.findings,
            "seen": report.seen,
        }));
    }
    if report.has_errors() {
        return Err(refusal(&report, args.report.json).into());
    }
    let Some(settings) = &report.settings else { return Ok(()) };
    let place = place(settings);
    let identity = match &report.home {
        Some(home) => runtime.block_on(home.store.known_identity())?,
        None => None,
    };
    if !args.report.json {
        say!("{}: fine", file.display());
        tell(settings, &state(report.home.is_some(), identity), &place);
        report.seen.iter().for_each(|seen| say!("  {seen}"));
        report.findings.iter().for_each(|finding| say!("{}", block(finding, "  ")));
    }
    match &report.home {
        Some(home) if args.data => runtime.block_on(compare(home, &place)),
        _ => Ok(()),
    }
}

fn options(args: &CheckArgs) -> Result<Options, Misconfigured> {
    let user = args.user.as_deref().map(|name| {
        let none = || Misconfigured(format!("--user {name}: there is no such user on this machine"));
        ServiceUser::named(name).ok_or_else(none)
    });
    let online = args.online.then(|| Questions {
        dns_server: args.dns_server.map(NameServer::address),
        dkim_selector: args.dkim_selector.clone(),
        sends_from: args.sends_from.clone(),
        outside: args.outside.clone(),
    });
    Ok(Options { user: user.transpose()?, online })
}

/// All that was found, for standard error; in short where it was printed as JSON.
fn refusal(report: &Report, is_told: bool) -> Misconfigured {
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if is_told {
        let noun = if errors == 1 { "error" } else { "errors" };
        return Misconfigured(format!("{}: {errors} {noun}", report.file.display()));
    }
    let blocks = report.findings.iter().map(|finding| match finding.severity {
        // `main` begins with the name of the program.
        Severity::Error => format!("zegel: {finding}\n  remedy: {}", finding.remedy),
        _ => block(finding, ""),
    });
    let text = blocks.collect::<Vec<_>>().join("\n");
    Misconfigured(text.strip_prefix("zegel: ").unwrap_or(&text).to_owned())
}

fn block(finding: &Finding, indent: &str) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let Finding { place, reason, remedy, .. } = finding;
    format!("{indent}{severity}: {reason}\n{indent}  at {place}\n{indent}  remedy: {remedy}")
}

fn tell(settings: &Settings, state: &str, place: &str) {
    let organisation = settings.operator();
    say!("  {} rules, {} staff", organisation.policy.rule_count(), organisation.staff.len());
    say!("  mail in on {}, out to {}", join(&settings.smtp.listen), shown(settings, Direction::Outside));
    say!(
        "  receipts, answers, codes and reports for people inside to {}",
        shown(settings, Direction::Inside)
    );
    say!("  pages on {} as {}", join(&settings.web.listen), organisation.public_url);
    say!("  data in {place}: {state}");
}

/// Where the data are. A URL of a database may hold a password.
fn place(settings: &Settings) -> String {
    match settings.store.shared() {
        None => settings.data_dir.display().to_string(),
        Some((database, bucket)) => format!("{} and {}", database.shown(), bucket.shown()),
    }
}

fn state(is_there: bool, identity: Option<Identity>) -> String {
    match identity {
        Some(Identity { key_check, .. }) => {
            format!("opens; database, blobs and key {} belong together", key_name(&key_check))
        }
        None if is_there => "opens; it gets an id of its own at the next start".to_owned(),
        None => "will be made at the first start".to_owned(),
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
        say!("  damaged  {}  {}: {octets} bytes cannot be all of it", named.blob, named.content);
    }
    for (blob, written) in &found.unknown {
        say!("  unknown  {blob}  written {written}; no row names it");
    }
    let lost_keys = home.store.lost_keys().await?;
    for LostKeys { object, mails, links } in &lost_keys {
        say!("  missing  keys/{object}  keys of short life of {mails} mails in the queue and {links} links");
    }
    say!("  {} blobs named, {} missing", found.named, found.missing.len());
    if found.is_fine() && lost_keys.is_empty() {
        return Ok(());
    }
    if found.is_fine() {
        bail!(
            "{place}: {} objects with keys missing; see \"Blobs that do not fit\" in the operations manual",
            lost_keys.len()
        );
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
