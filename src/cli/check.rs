//! `zegel check`: everything that `serve` would stumble over, told before it does. Makes nothing: run by
//! root, it would make it for the wrong user.

use std::path::Path;

use anyhow::Result;

use super::ConfigArgs;
use crate::config::{Config, Direction, NextHop};
use crate::serve::{self, Foundation, Misconfigured};

/// Reads what the configuration names, and opens the data folder where there is one.
pub fn run(args: &ConfigArgs) -> Result<()> {
    let rules = serve::read_rules(serve::load_config(&args.config)?)?;
    let config = &rules.config;
    serve::smtp_settings(config)?;
    serve::web_certificate(config)?;
    let data = &config.data_dir;
    let data_state = match Foundation::exists(config) {
        true => Foundation::open_existing(config).map(|_| "opens").map_err(|error| fault(data, &error))?,
        false if data.is_file() => return Err(fault(data, &"this is not a folder").into()),
        false => "will be made at the first start",
    };
    say!("{}: fine", args.config.display());
    say!("  {} rules, {} staff", rules.policy.rule_count(), rules.staff.len());
    say!("  mail in on {}, out to {}", join(&config.smtp.listen), shown(config, Direction::Outside));
    say!("  receipts, answers, codes and reports for people inside to {}", shown(config, Direction::Inside));
    say!("  pages on {} as {}", join(&config.web.listen), config.web.public_url);
    say!("  data in {}: {data_state}", data.display());
    for warning in config.relay.notes().into_iter().chain(config.relay.advice()) {
        say!("  warning: {warning}");
    }
    Ok(())
}

fn fault(path: &Path, reason: &dyn std::fmt::Display) -> Misconfigured {
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
