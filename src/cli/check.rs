//! `zegel check`: everything that `serve` would stumble over, told before it does.

use anyhow::Result;

use super::{ConfigArgs, Misconfigured};
use crate::serve::{self, Foundation};

/// Reads what the configuration names and opens the data folder; changes nothing but making it.
pub fn run(args: &ConfigArgs) -> Result<()> {
    let config = super::load_config(&args.config)?;
    let rules = serve::read_rules(config)?;
    let config = &rules.config;
    serve::smtp_settings(config)?;
    serve::web_certificate(config)?;
    Foundation::open(config)
        .map_err(|error| Misconfigured(format!("{}: {error:#}", config.data_dir.display())))?;
    println!("{}: fine", args.config.display());
    println!("  {} rules, {} staff", rules.policy.rule_count(), rules.staff.len());
    println!("  mail in on {}, out to {}", join(&config.smtp.listen), config.relay.smarthost);
    println!("  pages on {} as {}", join(&config.web.listen), config.web.public_url);
    Ok(())
}

fn join(addresses: &[std::net::SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
