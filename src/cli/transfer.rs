//! `zegel transfer`: what is sealed, for whom, how far it has come; taking it back, a new date, the notification
//! once more; and its parts for those who open them by hand. Works beside a running gateway and without one.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tokio::task::block_in_place;

use super::arguments::{self, Correspondents, OrganisationArg};
use super::{ReportArgs, TransferCommand, operator, print_json};
use crate::address::Address;
use crate::clock::{Clock, Timestamp};
use crate::home::Home;
use crate::id::TransferId;
use crate::queue::worker::WakeHandle;
use crate::sender::{Actions, By, NewDate, SenderService};
use crate::settings::{Misconfigured, Settings};
use crate::store::{Bounce, DeliveryReport, OrganisationFilter, Part, Transfer};
use crate::transfer::export;
use crate::transfer::status::{self, Fetched, Known, RecipientStatus, Shown, Status};

/// Runs one of the commands.
pub fn run(command: TransferCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            TransferCommand::List { filter, report } => list(&filter, &report).await,
            TransferCommand::Show { id, report } => {
                let status = known(&report, &id).await?;
                match report.json {
                    true => print_json(&status),
                    false => say!("{}", text(&status)),
                }
                Ok(())
            }
            TransferCommand::Recall { id, recipient, all, tell, report } => {
                let meant = match (recipient, all) {
                    (Some(address), _) => Meant::One(address),
                    (None, true) => Meant::All,
                    (None, false) => Meant::Unsaid,
                };
                recall(&report, id, meant, tell).await
            }
            TransferCommand::Extend { id, days, tell, report } => extend(&report, id, days, tell).await,
            TransferCommand::Resend { id, recipient, report } => resend(&report, id, recipient).await,
            TransferCommand::Export { id, out, report } => export(&report, id, &out).await,
        }
    })
}

async fn find(home: &Home, id: TransferId) -> Result<Transfer> {
    home.store.transfer(id.clone()).await?.with_context(|| format!("no transfer {id}"))
}

async fn known(report: &ReportArgs, id: &TransferId) -> Result<Status> {
    let config = report.config()?;
    let store = report.home().await?.store;
    let status = status::of(store.as_ref(), id, &config, Clock::system().now()).await?;
    status.with_context(|| format!("no transfer {id}"))
}

/// Which transfers are listed: those that everything holds for which is given.
#[derive(Debug, Args)]
pub struct Filter {
    #[command(flatten)]
    correspondents: Correspondents,
    #[command(flatten)]
    organisation: OrganisationArg,
    /// Sealed from then on: 2h, 3d, 2026-11-30, or 2026-11-30T10:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl Filter {
    fn fits(&self, transfer: &Transfer, whose: Option<&OrganisationFilter>, since: Timestamp) -> bool {
        let sender = transfer.sender.as_ref().map(Address::mailbox).unwrap_or_default();
        transfer.created >= since
            && whose.is_none_or(|whose| whose.is(transfer.organisation.as_ref()))
            && self.correspondents.fit(&sender, transfer.recipients.iter().map(|one| &one.address))
    }
}

async fn list(filter: &Filter, report: &ReportArgs) -> Result<()> {
    let config = report.config()?;
    let (of, whose) = filter.organisation.choose(&config)?;
    let (zone, now) = (&of.organisation.time_zone, Clock::system().now());
    let since = arguments::since(filter.since.as_deref(), zone, now)?;
    let mut transfers = report.home().await?.store.transfers().await?;
    transfers.retain(|transfer| filter.fits(transfer, whose.as_ref(), since));
    let status = |transfer| Status::under(&config, transfer, &Known::default(), now);
    let known: Vec<Status> = transfers.iter().map(status).collect();
    if report.json {
        print_json(&known);
        return Ok(());
    }
    for status in &known {
        say!(
            "{}  {}  until {}  {}  {} recipients",
            status.id,
            status.created,
            status.expires,
            sender(status),
            status.recipients.len()
        );
    }
    say!("{} transfers", known.len());
    Ok(())
}

fn sender(status: &Status) -> &str {
    status.sender.as_ref().map_or("<>", |address| address.as_str())
}

/// The facts for reading, one on a line.
fn text(status: &Status) -> String {
    let mut lines = vec![
        format!("id        {}", status.id),
        format!("sender    {}", sender(status)),
        format!("created   {}", status.created),
        format!("expires   {}", status.expires),
        format!("password  {}", if status.password { "yes" } else { "no" }),
        format!("parts     {}", status.parts),
        format!("files     {}", status.files),
    ];
    for recipient in &status.recipients {
        lines.push(format!("to        {} ({})", recipient.address, recipient.state.as_str()));
        lines.extend(events(recipient, status));
    }
    lines.join("\n")
}

pub(super) fn events(recipient: &RecipientStatus, status: &Status) -> Vec<String> {
    let event = |what: &str, time: Option<Timestamp>| time.map(|time| format!("          {what} {time}"));
    let mut events = vec![event("handed to the mail server", recipient.first_notified)];
    events.push(event("handed over again, last", recipient.notified_again().copied()));
    events.extend(recipient.reports.iter().map(|report| Some(reported(report))));
    // The password is known to its recipient only, the link to every program that the mail came past.
    let opened = if status.password { "opened with the password" } else { "opened with the link alone" };
    events.push(event(opened, recipient.opened));
    if let Some(bounce) = &recipient.bounced {
        let Bounce { time, cause, reason } = bounce;
        events.push(Some(format!("          bounced {time} ({}): {reason}", cause.as_str())));
    }
    events.extend(recipient.read.iter().map(|Shown { first, last, count }| {
        Some(format!("          message shown {first}, {count} times, last {last}"))
    }));
    events.extend(recipient.downloads.iter().map(|fetched| Some(download(fetched, status.files))));
    events.push(event("locked until", recipient.locked_until));
    events.push(event("recalled", recipient.recalled));
    events.into_iter().flatten().collect()
}

/// As the server that reported it put it; nobody else knows.
fn reported(report: &DeliveryReport) -> String {
    let DeliveryReport { own, action, time, reason, .. } = report;
    let about = if *own { "" } else { " (a forwarded copy)" };
    format!("          reported {}{about} {time}: {reason}", action.as_str())
}

fn download(fetched: &Fetched, files: u32) -> String {
    let what = match fetched.file {
        Some(number) => format!("file {number} of {files}"),
        None => "message".to_owned(),
    };
    let Fetched { first, last, count, partial, .. } = fetched;
    let how = if *partial { " (a part of it, or in parts)" } else { "" };
    format!("          downloaded {what}{how} {first}, {count} times, last {last}")
}

/// From whom a transfer is to be taken back.
enum Meant {
    One(Address),
    All,
    /// Neither was said: somebody must be asked.
    Unsaid,
}

async fn recall(report: &ReportArgs, id: TransferId, meant: Meant, tell: bool) -> Result<()> {
    let actions = actions(report).await?;
    let number = match &meant {
        Meant::One(address) => number(&actions, &id, Some(address)).await?,
        Meant::All => None,
        Meant::Unsaid => {
            confirm(&actions.status(&id).await.with_context(|| id.to_string())?)?;
            None
        }
    };
    let recalled = actions.recall(by(), &id, number, tell).await.with_context(|| id.to_string())?;
    if report.json {
        print_json(&actions.proof(&id).await?);
        return Ok(());
    }
    let status = actions.status(&id).await?;
    for one in recalled.iter().filter_map(|number| status.recipient(*number)) {
        let before = match one.opened {
            Some(time) => format!("opened before, first {time}"),
            None => "never opened".to_owned(),
        };
        say!("{id}: {} recalled; {before}", one.address);
    }
    if recalled.is_empty() {
        say!("{id}: was recalled before");
    }
    Ok(())
}

/// Nobody takes everything back by leaving a word out: a person is asked, and a script must say `--all`.
fn confirm(status: &Status) -> Result<()> {
    let id = &status.id;
    let live: Vec<&str> =
        status.recipients.iter().filter(|one| one.is_live()).map(|one| one.address.as_str()).collect();
    if !io::stdin().is_terminal() {
        let usage = format!(
            "{id}: say from whom: --recipient ADDR for one recipient, --all for every one ({} can still open it)",
            live.len()
        );
        return Err(Misconfigured(usage).into());
    }
    for address in &live {
        eprintln!("  {address}");
    }
    eprint!("Take {id} back from every recipient ({})? It is for good. [y/N] ", live.len());
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" | "j" | "ja" => Ok(()),
        _ => bail!("{id}: nothing was taken back"),
    }
}

async fn extend(report: &ReportArgs, id: TransferId, days: u32, tell: bool) -> Result<()> {
    let actions = actions(report).await?;
    actions.extend(by(), &id, NewDate::InDays(days), tell).await.with_context(|| id.to_string())?;
    let expires = actions.status(&id).await?.expires;
    match report.json {
        true => print_json(&json!({ "id": id, "expires": expires })),
        false => say!("{id}: until {expires}"),
    }
    Ok(())
}

async fn resend(report: &ReportArgs, id: TransferId, recipient: Option<Address>) -> Result<()> {
    let actions = actions(report).await?;
    let number = number(&actions, &id, recipient.as_ref()).await?;
    let sent = actions.resend(by(), &id, number).await.with_context(|| id.to_string())?;
    let status = actions.status(&id).await?;
    let to: Vec<&Address> =
        sent.iter().filter_map(|number| Some(&status.recipient(*number)?.address)).collect();
    match report.json {
        true => print_json(&json!({ "id": id, "sent": to })),
        false => to.iter().for_each(|to| say!("{id}: queued for {to}")),
    }
    Ok(())
}

/// The same actions as those of the status page. A gateway that runs looks at its queue every two seconds, so it
/// need not be told.
async fn actions(report: &ReportArgs) -> Result<Actions> {
    let settings = Settings::for_command(report.config()?)?;
    let Home { store, keys, .. } = Home::open_existing(&settings.data_dir, &settings.store).await?;
    let service = SenderService::new(store, keys, Clock::system(), WakeHandle::default());
    Ok(service.under(Arc::new(settings)))
}

fn by() -> By {
    By::Admin(operator::actor())
}

/// The number behind an address, letter case aside; none when nobody is named.
async fn number(actions: &Actions, id: &TransferId, recipient: Option<&Address>) -> Result<Option<u16>> {
    let Some(address) = recipient else { return Ok(None) };
    let status = actions.status(id).await.with_context(|| id.to_string())?;
    let found = status.recipients.iter().find(|one| one.address.is_same_mailbox(address));
    Ok(Some(found.with_context(|| format!("{id}: {address} is not one of its recipients"))?.number))
}

/// Each part as `part-<n>.pgp`: an OpenPGP message that any recipient's passphrase opens.
async fn export(report: &ReportArgs, id: TransferId, out: &Path) -> Result<()> {
    let home = report.home().await?;
    let transfer = find(&home, id).await?;
    if transfer.parts.is_empty() {
        bail!("{}: nothing is left to export", transfer.id);
    }
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let mut written = Vec::with_capacity(transfer.parts.len());
    for part in &transfer.parts {
        let path = out.join(format!("part-{}.pgp", part.number));
        block_in_place(|| write_part(&home, &transfer, part, &path))
            .with_context(|| path.display().to_string())?;
        written.push(path);
    }
    match report.json {
        true => print_json(&written),
        false => written.iter().for_each(|path| say!("{}", path.display())),
    }
    Ok(())
}

fn write_part(home: &Home, transfer: &Transfer, part: &Part, path: &Path) -> Result<()> {
    let mut message = export::message(home.blobs.mail.as_ref(), transfer, part)?;
    let mut file = fs::File::create(path)?;
    io::copy(&mut message, &mut file)?;
    Ok(file.sync_all()?)
}
