//! `zegel track`: where a mail is, and where it went. Works beside a running gateway and without one.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::arguments::{OrganisationArg, parse_link, parse_who, since, until};
use super::{ReportArgs, print_json, queue, transfer};
use crate::calendar::Zone;
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::id::{QueueId, TransferId};
use crate::store::{Ruling, Store, TrackQuery, TrackRow, TrackState, Who, message_id};
use crate::transfer::pasted::reference;
use crate::transfer::status::{self, Status};

/// What is looked for. What is given must all hold.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true, args = ["to", "from", "message_id", "id", "link", "since"])]
pub struct TrackArgs {
    /// A recipient: an address, or a whole domain; letter case aside
    #[arg(long, value_name = "ADDR", value_parser = parse_who)]
    to: Option<Who>,
    /// A sender: an address, a whole domain, or '<>'
    #[arg(long, value_name = "ADDR", value_parser = parse_who)]
    from: Option<Who>,
    /// The Message-ID, with its brackets or without
    #[arg(long, value_name = "ID", value_parser = parse_message_id)]
    message_id: Option<String>,
    /// The id in the 250 ("queued as …"), or of an item of the queue; or the reference in mails and pages (m65va-zt28m)
    #[arg(long, value_parser = parse_named)]
    id: Option<Named>,
    /// A transfer, or a link to one; its first ten characters behind /t/ are enough
    #[arg(long, value_name = "LINK", value_parser = parse_link)]
    link: Option<TransferId>,
    /// Accepted from then on: 2h, 3d, 2026-11-30, or 2026-11-30T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Accepted until then; a day counts whole
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    organisation: OrganisationArg,
    /// Messages that are shown at most, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    most: u16,
    #[command(flatten)]
    report: ReportArgs,
}

/// One message with everything that came of it.
#[derive(Debug, Serialize)]
struct Tracked {
    /// The id in the 250, and in the log.
    tracking: QueueId,
    /// One for each recipient of each mail.
    mails: Vec<TrackRow>,
    /// The transfers that it was sealed into, as far as they are still known.
    transfers: Vec<Status>,
    /// Those of its mails that are held.
    held: BTreeMap<QueueId, Ruling>,
}

/// Finds and prints.
pub fn run(args: &TrackArgs) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let config = args.report.config()?;
        let (of, organisation) = args.organisation.choose(&config)?;
        let (zone, now) = (&of.organisation.time_zone, Clock::system().now());
        let query = TrackQuery { organisation, ..query(args, zone, now)? };
        let store = args.report.home().await?.store;
        let found = store.find_tracks(query).await?;
        let held: BTreeMap<_, _> = store.held().await?.into_iter().collect();
        let mut messages = Vec::new();
        for (tracking, mails) in in_order(&found, store.tracks(found.clone()).await?) {
            let transfers = transfers(store.as_ref(), &mails, &config, now).await?;
            let of_these = mails
                .iter()
                .filter_map(|mail| Some((mail.item.clone()?, held.get(mail.item.as_ref()?)?.clone())));
            messages.push(Tracked { tracking, held: of_these.collect(), mails, transfers });
        }
        if args.report.json {
            print_json(&messages);
            return Ok(());
        }
        messages.iter().for_each(print);
        let more = if messages.len() == usize::from(args.most) {
            "; there may be more: --most, --until"
        } else {
            ""
        };
        say!("{} found{more}", messages.len());
        Ok(())
    })
}

/// What `--id` names.
#[derive(Clone, Debug)]
enum Named {
    /// A message, or a mail that came of it.
    Item(QueueId),
    /// What a message was sealed into.
    Transfer(TransferId),
}

fn parse_named(text: &str) -> Result<Named> {
    match (text.parse(), reference(text)) {
        (Ok(item), _) => Ok(Named::Item(item)),
        (_, Some(transfer)) => Ok(Named::Transfer(transfer)),
        _ => bail!("neither the id of a mail (twelve characters) nor a reference (ten)"),
    }
}

fn query(args: &TrackArgs, zone: &Zone, now: Timestamp) -> Result<TrackQuery> {
    let (id, transfer) = match args.id.clone() {
        Some(Named::Item(id)) => (Some(id), args.link.clone()),
        Some(Named::Transfer(named)) if args.link.as_ref().is_some_and(|link| *link != named) => {
            bail!("--id and --link name two transfers")
        }
        Some(Named::Transfer(named)) => (None, Some(named)),
        None => (None, args.link.clone()),
    };
    Ok(TrackQuery {
        to: args.to.clone(),
        from: args.from.clone(),
        message_id: args.message_id.clone(),
        id,
        transfer,
        since: since(args.since.as_deref(), zone, now)?,
        until: until(args.until.as_deref(), zone, now)?,
        ..TrackQuery::all(args.most.into())
    })
}

/// The messages in the order in which they were found.
fn in_order(found: &[QueueId], rows: Vec<TrackRow>) -> Vec<(QueueId, Vec<TrackRow>)> {
    let mut of = BTreeMap::<QueueId, Vec<TrackRow>>::new();
    for row in rows {
        of.entry(row.tracking.clone()).or_default().push(row);
    }
    found.iter().filter_map(|id| of.remove(id).map(|rows| (id.clone(), rows))).collect()
}

/// What is known of the transfers that a message was sealed into: whether they were opened.
async fn transfers(
    store: &dyn Store,
    mails: &[TrackRow],
    config: &Config,
    now: Timestamp,
) -> Result<Vec<Status>> {
    let sealed = mails.iter().filter(|mail| mail.state == TrackState::Sealed);
    let mut ids: Vec<&TransferId> = sealed.filter_map(|mail| mail.transfer.as_ref()).collect();
    ids.dedup();
    let mut known = Vec::new();
    for id in ids {
        known.extend(status::of(store, id, config, now).await?);
    }
    Ok(known)
}

fn print(message: &Tracked) {
    let Some(first) = message.mails.first() else { return };
    let id = first.message_id.as_deref().unwrap_or("no Message-ID");
    let by = first.client.as_deref().map(|client| format!("  from {client}")).unwrap_or_default();
    say!("{}  {}  {}  {id}  {} bytes{by}", message.tracking, first.time, sender(first), first.size);
    for mail in &message.mails {
        say!("  {:<12}  {}  {}", mail.kind, mail.recipient, state(mail));
        if let Some(answer) = &mail.answer {
            say!("                {answer}");
        }
        if let Some(ruling) = mail.item.as_ref().and_then(|item| message.held.get(item)) {
            say!("                held {}", queue::who(ruling));
        }
        if mail.state == TrackState::Sealed {
            opened(message, mail).iter().for_each(|line| say!("      {line}"));
        }
    }
}

/// One mail to one recipient, outside of its message.
pub(super) fn line(mail: &TrackRow) -> String {
    format!(
        "  {}  {}  {}  from {} to {}  {}",
        mail.tracking,
        mail.time,
        mail.kind,
        sender(mail),
        mail.recipient,
        state(mail)
    )
}

fn sender(mail: &TrackRow) -> &str {
    if mail.sender.is_empty() { "<>" } else { &mail.sender }
}

/// What became of it, when, by which rule or at which server.
fn state(mail: &TrackRow) -> String {
    let TrackRow { state, changed, attempts, .. } = mail;
    let mut text = match state {
        TrackState::Waiting if *attempts == 0 => "waiting for its first attempt".to_owned(),
        TrackState::Waiting | TrackState::Frozen => {
            format!("{} since attempt {attempts}, {changed}", state.as_str())
        }
        state => format!("{} {changed}", state.as_str()),
    };
    let about = mail.transfer.as_ref().map(|transfer| match mail.state {
        TrackState::Sealed => format!("into {transfer}"),
        _ => format!("about {transfer}"),
    });
    let hop = mail.next_hop.as_ref().map(|hop| match mail.state {
        TrackState::Delivered => format!("to {hop}"),
        _ => format!("at {hop}"),
    });
    let tls = mail.next_hop.as_ref().map(|_| format!("({})", mail.tls.as_deref().unwrap_or("no TLS")));
    let rule = mail.rule.as_ref().map(|rule| format!("by rule {rule:?}"));
    for more in [about, hop, tls, rule].into_iter().flatten() {
        text.push(' ');
        text.push_str(&more);
    }
    text
}

/// How far the transfer has come with this recipient.
fn opened(message: &Tracked, mail: &TrackRow) -> Vec<String> {
    let is_it = |status: &&Status| Some(&status.id) == mail.transfer.as_ref();
    let Some(status) = message.transfers.iter().find(is_it) else {
        return vec!["          the transfer is no longer known".to_owned()];
    };
    let recipient = status.recipients.iter().find(|one| Some(one.number) == mail.link);
    let mut lines: Vec<String> = recipient.map(|one| transfer::events(one, status)).unwrap_or_default();
    if recipient.is_some_and(|one| one.opened.is_none()) {
        lines.push("          not opened".to_owned());
    }
    lines
}

fn parse_message_id(text: &str) -> Result<String> {
    message_id(text).context("a Message-ID is not empty")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_a_mail_or_of_a_transfer() {
        let named = |text| parse_named(text).map(|named| format!("{named:?}")).ok();
        assert_eq!(
            named("0123456789ab").unwrap(),
            format!("Item({:?})", "0123456789ab".parse::<QueueId>().unwrap())
        );
        let transfer = format!("Transfer({:?})", "m65vazt28m".parse::<TransferId>().unwrap());
        for text in ["m65vazt28m", "m65va-zt28m", "M65VA-ZT28M"] {
            assert_eq!(named(text).as_ref(), Some(&transfer), "{text}");
        }
        for text in ["", "m65va-zt28", "m65va-zt28m0", "0123456789abc"] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
