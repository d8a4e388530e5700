//! `zegel nodes` and `zegel migrate`: the gateways that share a `[store]`, and its database.

use anyhow::{Result, bail};

use super::{ConfigArgs, ReportArgs, print_json};
use crate::home;
use crate::serve;
use crate::store::nodes::Node;

/// Lists them, the longest at work first.
pub fn list(report: &ReportArgs) -> Result<()> {
    let nodes = tokio::runtime::Runtime::new()?.block_on(async {
        let home = report.home().await?;
        Ok::<_, anyhow::Error>(home.store.nodes().await?)
    })?;
    if report.json {
        print_json(&nodes);
        return Ok(());
    }
    for node in &nodes {
        say!("{}", line(node));
    }
    match nodes.len() {
        0 if report.config()?.store.shared().is_none() => say!("no [store]: a data folder has one gateway"),
        count => say!("{count} nodes"),
    }
    Ok(())
}

fn line(node: &Node) -> String {
    let Node { id, host, version, started, state, lease_seconds, skew_seconds, claimed, .. } = node;
    let timer = if node.timer { "  timer" } else { "" };
    let differs = match node.differs.as_slice() {
        [] => String::new(),
        sections => format!("  differs from the others: {}", sections.join(", ")),
    };
    format!(
        "{id}  {host}  {version}  since {started}  {:<8}  lease {lease_seconds:.0} s  clock {skew_seconds:+.1} s  \
         {claimed} claimed{timer}{differs}",
        state.as_str()
    )
}

/// Brings the database up to date, ahead of the nodes that need it.
pub fn migrate(args: &ConfigArgs) -> Result<()> {
    let config = serve::load_config(&args.config)?;
    if config.store.shared().is_none() {
        bail!("no [store]: the database in a data folder is brought up to date when its gateway starts");
    }
    match tokio::runtime::Runtime::new()?.block_on(home::migrate(&config.store))? {
        0 => say!("the database is up to date"),
        steps => say!("{steps} steps: the database is up to date now"),
    }
    Ok(())
}
