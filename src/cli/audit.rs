//! `zegel audit`: the audit trail, listed, written out, and checked against its hash chain.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::arguments::{OrganisationArg, since, until};
use super::{ReportArgs, parse_address, print_json};
use crate::address::Address;
use crate::audit::chain::{Head, Row};
use crate::audit::verify::Verdict;
use crate::clock::{Clock, Timestamp};
use crate::person::{self, Person};
use crate::store::{OrganisationFilter, verify_trail};

/// Rows that are read at once.
const PAGE: usize = 1000;

/// What is done with the trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show rows, the oldest first
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Write rows to a file or to standard output
    Export {
        #[command(flatten)]
        filter: Filter,
        /// The form of a row
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// A new file; without it standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Check every row against the hash chain, and print its head
    Verify {
        /// A head that was written down before: the chain must still have it
        #[arg(long, value_name = "BLOCK:HASH")]
        head: Option<Head>,
        #[command(flatten)]
        report: ReportArgs,
    },
}

/// How a row is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header (RFC 4180)
    Csv,
}

/// Which rows; all that is given must hold.
#[derive(Debug, Args)]
pub struct Filter {
    /// From then on: 2h, 3d, 2026-11-30, or 2026-11-30T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then; a day counts whole
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What was done: open, download, recall …
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// A transfer with all its links, one link, or a queue item
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// By whom, as the list shows it
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// What a person did, and what was done to transfers that they sent or were sent
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
    person: Option<Address>,
    #[command(flatten)]
    organisation: OrganisationArg,
}

impl Filter {
    /// Days are those of the organisation.
    fn times(&self, report: &ReportArgs) -> Result<RangeInclusive<Timestamp>> {
        let (config, now) = (report.config()?, Clock::system().now());
        let zone = &self.organisation.choose(&config)?.0.organisation.time_zone;
        Ok(since(self.since.as_deref(), zone, now)?..=until(self.until.as_deref(), zone, now)?)
    }

    fn admits(
        &self,
        row: &Row,
        times: &RangeInclusive<Timestamp>,
        whose: Option<&OrganisationFilter>,
        person: Option<&Person>,
    ) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let is_about = |wanted: &String| {
            row.object == *wanted
                || row.object.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        times.contains(&row.time)
            && is(&self.action, &row.action)
            && is(&self.actor, &row.actor)
            && self.object.as_ref().is_none_or(is_about)
            && whose.is_none_or(|whose| whose.is_named(row.organisation.as_deref()))
            && person.is_none_or(|person| person.is_in(row))
    }
}

/// Runs one of the commands.
pub fn run(command: AuditCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            AuditCommand::List { filter, report } => list(&filter, &report).await,
            AuditCommand::Export { filter, format, out, report } => {
                export(&filter, format, out.as_deref(), &report).await
            }
            AuditCommand::Verify { head, report } => verify(head, &report).await,
        }
    })
}

async fn list(filter: &Filter, report: &ReportArgs) -> Result<()> {
    let mut rows = 0_u64;
    let show = |row: &Row| -> Result<()> {
        rows += 1;
        match report.json {
            true => say!("{}", json!(row)),
            false => say!("{}", line(row)),
        }
        Ok(())
    };
    each(report, filter, show).await?;
    if !report.json {
        say!("{rows} rows");
    }
    Ok(())
}

/// Texts come from mail servers too: none of them can write a line of its own.
pub(super) fn line(row: &Row) -> String {
    let short = |text: &str| match text.strip_prefix("erased ") {
        Some(digest) => format!("erased {}", digest.get(..8).unwrap_or(digest)),
        None => text.escape_debug().to_string(),
    };
    let Row { number, time, action, object, result, .. } = row;
    format!(
        "{number:>8}  {time}  {action:<13}  {}  {}  by {} from {}",
        object.escape_debug(),
        result.escape_debug(),
        short(&row.actor),
        short(&row.origin)
    )
}

async fn export(filter: &Filter, format: Format, out: Option<&Path>, report: &ReportArgs) -> Result<()> {
    // Before there is a file.
    filter.times(report)?;
    let sink: Box<dyn Write> = match out {
        None => Box::new(io::stdout().lock()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.with_context(|| path.display().to_string())?)
        }
    };
    let mut sink = BufWriter::new(sink);
    match format {
        Format::Jsonl => {
            each(report, filter, |row| {
                serde_json::to_writer(&mut sink, row)?;
                Ok(sink.write_all(b"\n")?)
            })
            .await?;
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut sink);
            csv.write_record([
                "number",
                "time",
                "action",
                "object",
                "result",
                "actor",
                "origin",
                "organisation",
            ])?;
            each(report, filter, |row| Ok(csv.write_record(fields(row))?)).await?;
            csv.flush()?;
        }
    }
    Ok(sink.flush()?)
}

/// A spreadsheet must not take a text for a formula: one that begins like one has an apostrophe in front.
fn fields(row: &Row) -> [String; 8] {
    let (number, time) = (row.number.to_string(), row.time.to_string());
    let text = |text: &str| match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    let [action, object, result, actor, origin] =
        [&row.action, &row.object, &row.result, &row.actor, &row.origin].map(|field| text(field));
    let organisation = text(row.organisation.as_deref().unwrap_or_default());
    [number, time, action, object, result, actor, origin, organisation]
}

/// Calls `found` with every row that the filter admits.
async fn each(report: &ReportArgs, filter: &Filter, mut found: impl FnMut(&Row) -> Result<()>) -> Result<()> {
    let times = filter.times(report)?;
    let whose = filter.organisation.choose(&report.config()?)?.1;
    let store = report.home().await?.store;
    let store = store.as_ref();
    let person = match &filter.person {
        Some(address) => Some(person::find(store, address, whose.as_ref()).await?),
        None => None,
    };
    let mut after = 0;
    loop {
        let rows = store.audit_rows(after, u64::MAX, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.number;
        rows.iter()
            .filter(|row| filter.admits(row, &times, whose.as_ref(), person.as_ref()))
            .try_for_each(&mut found)?;
    }
}

async fn verify(head: Option<Head>, report: &ReportArgs) -> Result<()> {
    let store = report.home().await?.store;
    let verdict = verify_trail(store.as_ref(), head).await?;
    if report.json {
        print_json(&json!({
            "rows": verdict.rows, "erased": verdict.erased, "unbound": verdict.unbound, "blocks": verdict.blocks, "unchained": verdict.unchained,
            "head": verdict.head.map(|head| head.to_string()),
            "faults": verdict.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "faults_in_all": verdict.faults_in_all,
        }));
    } else {
        tell(&verdict);
    }
    match verdict.faults_in_all {
        0 => Ok(()),
        count => bail!("the audit trail is not what was written: {count} faults"),
    }
}

fn tell(verdict: &Verdict) {
    verdict.faults.iter().for_each(|fault| say!("  {fault}"));
    let more = verdict.faults_in_all.saturating_sub(verdict.faults.len() as u64);
    if more > 0 {
        say!("  and {more} more");
    }
    say!("{} rows in {} blocks are as they were written", verdict.rows, verdict.blocks);
    if verdict.erased > 0 {
        say!("  in {} of them a person was erased", verdict.erased);
    }
    if verdict.unbound > 0 {
        say!(
            "  of {} of them the chain does not say whose they are: a node of an older release has put them into it",
            verdict.unbound
        );
    }
    if verdict.unchained > 0 {
        say!("  {} rows are not in the chain yet: the gateway adds them every second", verdict.unchained);
    }
    match verdict.head {
        Some(head) => {
            say!("head {head}");
            say!(
                "keep it elsewhere: `zegel audit verify --head` then shows whether anything was cut off at the end"
            );
        }
        None => say!("there is no chain yet"),
    }
}
