//! `zegel transfer`: what is sealed, for whom, and its parts for those who open them by hand.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{ReportArgs, TransferCommand, print_json};
use crate::clock::Clock;
use crate::id::TransferId;
use crate::serve::Foundation;
use crate::store::{Part, Recipient, Transfer};
use crate::transfer::{State, export};

/// Runs one of the commands.
pub fn run(command: TransferCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            TransferCommand::List(report) => list(&report).await,
            TransferCommand::Show { id, report } => {
                let transfer = find(&report.foundation()?, id).await?;
                show(&transfer, report.json);
                Ok(())
            }
            TransferCommand::Export { id, out, report } => export(&report, id, &out).await,
        }
    })
}

async fn find(foundation: &Foundation, id: TransferId) -> Result<Transfer> {
    foundation.store.transfer(id.clone()).await?.with_context(|| format!("no transfer {id}"))
}

async fn list(report: &ReportArgs) -> Result<()> {
    let transfers = report.foundation()?.store.transfers().await?;
    if report.json {
        print_json(&transfers.iter().map(facts).collect::<Vec<_>>());
        return Ok(());
    }
    for transfer in &transfers {
        println!(
            "{}  {}  until {}  {}  {} recipients",
            transfer.id,
            transfer.created,
            transfer.expires,
            sender(transfer),
            transfer.recipients.len()
        );
    }
    println!("{} transfers", transfers.len());
    Ok(())
}

fn show(transfer: &Transfer, json: bool) {
    if json {
        print_json(&facts(transfer));
        return;
    }
    println!("id        {}", transfer.id);
    println!("sender    {}", sender(transfer));
    println!("created   {}", transfer.created);
    println!("expires   {}", transfer.expires);
    println!("password  {}", if transfer.password { "yes" } else { "no" });
    println!("parts     {}", transfer.parts.len());
    for recipient in &transfer.recipients {
        println!("to        {} ({})", recipient.address, state(transfer, recipient));
    }
}

fn sender(transfer: &Transfer) -> &str {
    transfer.sender.as_ref().map_or("<>", |address| address.as_str())
}

fn facts(transfer: &Transfer) -> Value {
    let recipient = |recipient: &Recipient| {
        json!({
            "number": recipient.number,
            "address": recipient.address,
            "state": state(transfer, recipient),
            "opened": recipient.opened,
            "recalled": recipient.recalled,
            "tries": recipient.tries,
            "locked_until": recipient.locked_until,
        })
    };
    json!({
        "id": transfer.id,
        "sender": transfer.sender,
        "created": transfer.created,
        "expires": transfer.expires,
        "password": transfer.password,
        "parts": transfer.parts.len(),
        "recipients": transfer.recipients.iter().map(recipient).collect::<Vec<_>>(),
    })
}

fn state(transfer: &Transfer, recipient: &Recipient) -> &'static str {
    State::of(transfer, recipient, Clock::system().now()).as_str()
}

/// Each part as `part-<n>.pgp`: an OpenPGP message that any recipient's passphrase opens (contract 6).
async fn export(report: &ReportArgs, id: TransferId, out: &Path) -> Result<()> {
    let foundation = report.foundation()?;
    let transfer = find(&foundation, id).await?;
    if transfer.parts.is_empty() {
        bail!("{}: nothing is left to export", transfer.id);
    }
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let mut written = Vec::with_capacity(transfer.parts.len());
    for part in &transfer.parts {
        let path = out.join(format!("part-{}.pgp", part.number));
        write_part(&foundation, &transfer, part, &path).with_context(|| path.display().to_string())?;
        written.push(path);
    }
    match report.json {
        true => print_json(&written),
        false => written.iter().for_each(|path| println!("{}", path.display())),
    }
    Ok(())
}

fn write_part(foundation: &Foundation, transfer: &Transfer, part: &Part, path: &Path) -> Result<()> {
    let mut message = export::message(foundation.blobs.as_ref(), transfer, part)?;
    let mut file = fs::File::create(path)?;
    io::copy(&mut message, &mut file)?;
    Ok(file.sync_all()?)
}
