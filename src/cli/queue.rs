//! `zegel queue`: looks into the queue of a gateway that may be running, and changes it.

mod by_hand;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::json;

use super::arguments::{self, Correspondents, OrganisationArg};
use super::{QueueCommand, ReportArgs, operator, print_json};
use crate::address::Address;
use crate::audit::{Action, EventResult};
use crate::clock::{Clock, Timestamp};
use crate::id::QueueId;
use crate::store::{
    OrganisationFilter, Problem, QueueEntry, QueueEntryRecipient, QueueItemKind, RecipientState, Ruling,
    StepEnd, Store,
};

/// Runs one of the commands.
pub fn run(command: QueueCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            QueueCommand::List { filter, report } => list(&filter, &report).await,
            QueueCommand::Show { id, report } => {
                let store = report.home().await?;
                match store.store.queue().await?.into_iter().find(|entry| entry.id == id) {
                    Some(entry) => show(&entry, report.json),
                    None => bail!("no item {id} in the queue"),
                }
            }
            QueueCommand::Retry { id, report, .. } => {
                let now = Clock::system().now();
                let object = id.as_ref().map_or_else(|| "queue".to_owned(), ToString::to_string);
                let event = operator::actor().event(now, Action::Retry, object, EventResult::Ok);
                let due = report.home().await?.store.retry(id.clone(), now, Some(event)).await?;
                match id {
                    Some(id) if due == 0 => return Err(why_not_due(&report, &id).await?),
                    _ if report.json => print_json(&json!({ "due": due })),
                    _ => say!("{due} due now"),
                }
                Ok(())
            }
            QueueCommand::Drop { id, report } => {
                let now = Clock::system().now();
                let event = operator::actor().event(now, Action::Drop, id.to_string(), EventResult::Ok);
                let end = report.home().await?.store.drop_item(id.clone(), event).await?;
                match (end, report.json) {
                    (StepEnd::NotThere, _) => bail!("no item {id} in the queue"),
                    (end, true) => {
                        print_json(&json!({ "dropped": id, "in_delivery": end == StepEnd::InDelivery }))
                    }
                    (StepEnd::InDelivery, false) => {
                        say!(
                            "{id} dropped; it was being delivered, so it may have left: zegel track --id {id}"
                        )
                    }
                    (_, false) => say!("{id} dropped"),
                }
                Ok(())
            }
            QueueCommand::Hold { which, reason, report } => by_hand::hold(&which, reason, &report).await,
            QueueCommand::Release { which, report } => by_hand::release(&which, &report).await,
            QueueCommand::Bounce { id, reason, report } => by_hand::bounce(id, reason, &report).await,
        }
    })
}

/// Why an item was not made due.
async fn why_not_due(report: &ReportArgs, id: &QueueId) -> Result<anyhow::Error> {
    let held = report.home().await?.store.held().await?;
    Ok(match held.iter().find(|(item, _)| item == id) {
        Some((_, ruling)) => anyhow!("{id} is held {}: zegel queue release {id}", who(ruling)),
        None => anyhow!("no item {id} in the queue"),
    })
}

/// Which items are held or released: one, those that a filter fits, or all.
#[derive(Debug, Args)]
pub struct Which {
    /// The item
    #[arg(required_unless_present_any = ["to", "from", "organisation", "kind", "since", "problem", "all"])]
    id: Option<QueueId>,
    #[command(flatten)]
    filter: Filter,
    /// Every item
    #[arg(long)]
    all: bool,
}

/// As the reader of a report sees it: one printable line.
pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    const LONGEST: usize = 200;
    match text.trim() {
        "" => Err("a reason is not empty".to_owned()),
        text if text.chars().any(char::is_control) => {
            Err("a reason is one line of printable text".to_owned())
        }
        text if text.chars().count() > LONGEST => Err(format!("a reason has at most {LONGEST} characters")),
        text => Ok(text.to_owned()),
    }
}

/// Which items are listed: those that everything holds for which is given.
#[derive(Debug, Args)]
pub struct Filter {
    #[command(flatten)]
    correspondents: Correspondents,
    #[command(flatten)]
    organisation: OrganisationArg,
    /// Of this kind: message, notification, receipt, …
    #[arg(long, value_parser = parse_kind)]
    kind: Option<QueueItemKind>,
    /// Accepted from then on: 2h, 3d, 2026-11-30, or 2026-11-30T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// With this problem: refused, tls, frozen or held
    #[arg(long, value_parser = parse_problem)]
    problem: Option<Problem>,
}

fn parse_kind(text: &str) -> Result<QueueItemKind, String> {
    text.parse().map_err(|_| "no kind of mail in the queue".to_owned())
}

fn parse_problem(text: &str) -> Result<Problem, String> {
    text.parse().map_err(|_| "the problems are refused, tls, frozen and held".to_owned())
}

impl Filter {
    fn fits(&self, entry: &QueueEntry, whose: Option<&OrganisationFilter>, since: Timestamp) -> bool {
        let sender = Address::parse(&entry.from).map(|from| from.mailbox()).unwrap_or_default();
        entry.created >= since
            && whose.is_none_or(|whose| whose.is(entry.organisation.as_ref()))
            && self.kind.is_none_or(|kind| kind == entry.kind)
            && self.problem.is_none_or(|problem| Some(problem) == entry.problem)
            && self.correspondents.fit(&sender, entry.recipients.iter().map(|one| &one.address))
    }
}

/// The items of the queue that a filter fits, oldest first.
async fn fitting(filter: &Filter, report: &ReportArgs, store: &dyn Store) -> Result<Vec<QueueEntry>> {
    let (config, now) = (report.config()?, Clock::system().now());
    let (of, whose) = filter.organisation.choose(&config)?;
    let since = arguments::since(filter.since.as_deref(), &of.organisation.time_zone, now)?;
    let mut entries = store.queue().await?;
    entries.retain(|entry| filter.fits(entry, whose.as_ref(), since));
    Ok(entries)
}

async fn list(filter: &Filter, report: &ReportArgs) -> Result<()> {
    let entries = fitting(filter, report, report.home().await?.store.as_ref()).await?;
    if report.json {
        print_json(&entries);
        return Ok(());
    }
    for entry in &entries {
        let to: Vec<&str> = entry.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        say!(
            "{}  {:<12}  {}  attempts {}  {}  {} -> {}{}",
            entry.id,
            entry.kind,
            entry.created,
            entry.attempts,
            next(entry),
            entry.from,
            to.join(", "),
            why(entry)
        );
    }
    say!("{} in the queue", entries.len());
    Ok(())
}

/// When it is tried again.
fn next(entry: &QueueEntry) -> String {
    match entry.problem {
        Some(Problem::Frozen | Problem::Held) => "never".to_owned(),
        _ => format!("next {}", entry.next_attempt),
    }
}

/// Since when it is held, by whom and why.
pub(super) fn who(ruling: &Ruling) -> String {
    let Ruling { since, by, reason } = ruling;
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("since {since} by {by}{why}")
}

/// Why the first of those that wait does; nothing before the first attempt.
fn why(entry: &QueueEntry) -> String {
    match (&entry.hold, &entry.bounce) {
        (Some(hold), _) => return format!("  (held {})", who(hold)),
        (None, Some(bounce)) => return format!("  (to be sent back {})", who(bounce)),
        (None, None) => {}
    }
    let waits = |one: &QueueEntryRecipient| match (one.state, &one.diagnostic) {
        (RecipientState::Waiting, Some(why)) => Some(format!("  ({why})")),
        (RecipientState::Frozen, Some(why)) => Some(format!("  (frozen: {why})")),
        _ => None,
    };
    entry.recipients.iter().find_map(waits).unwrap_or_default()
}

fn show(entry: &QueueEntry, json: bool) -> Result<()> {
    if json {
        print_json(entry);
        return Ok(());
    }
    say!("id            {}", entry.id);
    say!("kind          {}", entry.kind);
    say!("from          {}", entry.from);
    if let Some(organisation) = &entry.organisation {
        say!("organisation  {organisation}");
    }
    if let Some(transfer) = &entry.transfer {
        say!("transfer      {transfer}");
    }
    say!("created       {}", entry.created);
    say!("attempts      {}", entry.attempts);
    match entry.problem {
        Some(Problem::Frozen) => say!("next attempt  never: frozen, until `zegel queue retry` or `drop`"),
        Some(Problem::Held) => {
            say!("next attempt  never: held, until `zegel queue release`, `bounce` or `drop`")
        }
        _ => say!("next attempt  {}", entry.next_attempt),
    }
    if let Some(hold) = &entry.hold {
        say!("held          {}", who(hold));
    }
    if let Some(bounce) = &entry.bounce {
        say!("sent back     {}", who(bounce));
    }
    for recipient in &entry.recipients {
        let why = recipient.diagnostic.as_ref().map(ToString::to_string).unwrap_or_default();
        say!("to            {} ({}) {why}", recipient.address, recipient.state.as_str());
    }
    Ok(())
}
