//! `zegel queue`: looks into the queue of a gateway that may be running, and changes it.

use anyhow::{Result, bail};
use serde_json::json;

use super::{QueueCommand, ReportArgs, operator, print_json};
use crate::audit::{Action, EventResult};
use crate::clock::Clock;
use crate::store::{Problem, QueueEntry, QueueEntryRecipient, RecipientState};

/// Runs one of the commands.
pub fn run(command: QueueCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            QueueCommand::List(report) => list(&report).await,
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
                    Some(id) if due == 0 => bail!("no item {id} in the queue"),
                    _ if report.json => print_json(&json!({ "due": due })),
                    _ => say!("{due} due now"),
                }
                Ok(())
            }
            QueueCommand::Drop { id, report } => {
                let now = Clock::system().now();
                let event = operator::actor().event(now, Action::Drop, id.to_string(), EventResult::Ok);
                if !report.home().await?.store.drop_item(id.clone(), event).await? {
                    bail!("no item {id} in the queue");
                }
                match report.json {
                    true => print_json(&json!({ "dropped": id })),
                    false => say!("{id} dropped"),
                }
                Ok(())
            }
        }
    })
}

async fn list(report: &ReportArgs) -> Result<()> {
    let entries = report.home().await?.store.queue().await?;
    if report.json {
        print_json(&entries);
        return Ok(());
    }
    for entry in &entries {
        let to: Vec<&str> = entry.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        say!(
            "{}  {:<12}  {}  attempts {}  {} -> {}{}",
            entry.id,
            entry.kind,
            entry.created,
            entry.attempts,
            entry.from,
            to.join(", "),
            why(entry)
        );
    }
    say!("{} in the queue", entries.len());
    Ok(())
}

/// Why the first of those that wait does; nothing before the first attempt.
fn why(entry: &QueueEntry) -> String {
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
    if let Some(transfer) = &entry.transfer {
        say!("transfer      {transfer}");
    }
    say!("created       {}", entry.created);
    say!("attempts      {}", entry.attempts);
    match entry.problem {
        Some(Problem::Frozen) => say!("next attempt  never: frozen, until `zegel queue retry` or `drop`"),
        _ => say!("next attempt  {}", entry.next_attempt),
    }
    for recipient in &entry.recipients {
        let why = recipient.diagnostic.as_ref().map(ToString::to_string).unwrap_or_default();
        say!("to            {} ({}) {why}", recipient.address, recipient.state.as_str());
    }
    Ok(())
}
