//! `zegel queue hold`, `release` and `bounce`: decided here, and carried out by the worker, which sees it within two seconds.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::json;

use super::super::{ReportArgs, operator, print_json};
use super::{Which, fitting};
use crate::audit::{Action, EventResult, Recorded};
use crate::clock::Clock;
use crate::id::QueueId;
use crate::store::{Ruling, Step, StepEnd, Store};

/// So many items are changed in one transaction.
const AT_ONCE: usize = 500;

/// Holds what fits.
pub async fn hold(which: &Which, reason: Option<String>, report: &ReportArgs) -> Result<()> {
    let store = report.home().await?.store;
    let ends =
        take(store.as_ref(), Step::Hold(ruling(reason)), chosen(which, report, store.as_ref(), false).await?)
            .await?;
    if let (Some(id), [end]) = (&which.id, ends.as_slice()) {
        match end.1 {
            StepEnd::NotThere => bail!("no item {id} in the queue"),
            StepEnd::Unchanged if !report.json => bail!("{id} is held already: zegel queue show {id}"),
            _ => {}
        }
    }
    tell(&ends, report.json, "held", |id, end| match end {
        StepEnd::InDelivery => format!("{id} is being delivered just now: whoever it does not reach is held"),
        StepEnd::Unchanged => format!("{id} was held before"),
        _ => format!("{id} held"),
    });
    Ok(())
}

/// Makes due what is held and fits.
pub async fn release(which: &Which, report: &ReportArgs) -> Result<()> {
    let store = report.home().await?.store;
    let ends =
        take(store.as_ref(), Step::Release, chosen(which, report, store.as_ref(), true).await?).await?;
    if let (Some(id), [end]) = (&which.id, ends.as_slice()) {
        match end.1 {
            StepEnd::NotThere => bail!("no item {id} in the queue"),
            StepEnd::Unchanged => bail!("{id} is not held"),
            _ => {}
        }
    }
    tell(&ends, report.json, "released", |id, end| match end {
        StepEnd::InDelivery => format!("{id} released; it is being delivered just now"),
        StepEnd::Unchanged => format!("{id} is not held any more"),
        _ => format!("{id} released"),
    });
    Ok(())
}

/// Has the worker send an item back.
pub async fn bounce(id: QueueId, reason: Option<String>, report: &ReportArgs) -> Result<()> {
    let store = report.home().await?.store;
    let ends = take(store.as_ref(), Step::Bounce(ruling(reason)), vec![id]).await?;
    for (id, end) in &ends {
        match end {
            StepEnd::NotThere => bail!("no item {id} in the queue"),
            StepEnd::Unchanged => bail!("{id} is being sent back already"),
            StepEnd::NobodyToTell => {
                bail!(
                    "nobody can be told that {id} is sent back, for it is a notice to the postmaster: drop it"
                )
            }
            StepEnd::Done | StepEnd::InDelivery => {}
        }
    }
    tell(&ends, report.json, "bounced", |id, end| match end {
        StepEnd::InDelivery => {
            format!(
                "{id} is being delivered just now: for whoever it does not reach it goes back to its sender"
            )
        }
        _ => format!("{id} goes back to its sender"),
    });
    Ok(())
}

fn ruling(reason: Option<String>) -> Ruling {
    let by = Recorded::Known(operator::actor().actor);
    Ruling { since: Clock::system().now(), by, reason }
}

/// The one that is named, or those that fit; `held`: of these only what is held.
async fn chosen(which: &Which, report: &ReportArgs, store: &dyn Store, held: bool) -> Result<Vec<QueueId>> {
    if let Some(id) = &which.id {
        return Ok(vec![id.clone()]);
    }
    let fitting = fitting(&which.filter, report, store).await?;
    let fitting = fitting.into_iter().filter(|entry| !held || entry.hold.is_some());
    Ok(fitting.map(|entry| entry.id).collect())
}

async fn take(store: &dyn Store, step: Step, items: Vec<QueueId>) -> Result<Vec<(QueueId, StepEnd)>> {
    let (actor, now) = (operator::actor(), Clock::system().now());
    let action = match step {
        Step::Hold(_) => Action::Hold,
        Step::Release => Action::Release,
        Step::Bounce(_) => Action::SendBack,
    };
    let mut ends = Vec::with_capacity(items.len());
    for some in items.chunks(AT_ONCE) {
        let event = |item: &QueueId| actor.event(now, action, item.to_string(), EventResult::Ok);
        let items = some.iter().map(|item| (item.clone(), event(item))).collect();
        ends.extend(store.take_step(step.clone(), items, now).await?);
    }
    Ok(ends)
}

/// What came of it, item by item, and in all.
fn tell(ends: &[(QueueId, StepEnd)], json: bool, done: &str, line: impl Fn(&QueueId, StepEnd) -> String) {
    let of = |wanted: StepEnd| -> Vec<&QueueId> {
        ends.iter().filter(|(_, end)| *end == wanted).map(|(id, _)| id).collect()
    };
    if json {
        let words = [
            (done, StepEnd::Done),
            ("in_delivery", StepEnd::InDelivery),
            ("unchanged", StepEnd::Unchanged),
            ("gone", StepEnd::NotThere),
        ];
        print_json(&json!(words.map(|(word, end)| (word, of(end))).into_iter().collect::<BTreeMap<_, _>>()));
        return;
    }
    ends.iter().filter(|(_, end)| *end != StepEnd::NotThere).for_each(|(id, end)| say!("{}", line(id, *end)));
    if ends.len() != 1 {
        say!("{} {done}", of(StepEnd::Done).len() + of(StepEnd::InDelivery).len());
    }
}
