//! `zegel transfer`: what is sealed, for whom, and its parts for those who open them by hand.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{ReportArgs, TransferCommand, print_json};
use crate::clock::Clock;
use crate::id::TransferId;
use crate::serve::Foundation;
use crate::store::{Recipient, Transfer};
use crate::transfer::State;

/// Runs one of the commands.
pub fn run(command: TransferCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            TransferCommand::List(report) => list(&report).await,
            TransferCommand::Show { id, report } => {
                let transfer = find(&open(&report)?, id).await?;
                show(&transfer, report.json);
                Ok(())
            }
            TransferCommand::Export { id, out, report } => export(&report, id, &out).await,
        }
    })
}

fn open(report: &ReportArgs) -> Result<Foundation> {
    Foundation::open_existing(&super::load_config(&report.config.config)?)
}

async fn find(foundation: &Foundation, id: TransferId) -> Result<Transfer> {
    foundation.store.transfer(id.clone()).await?.with_context(|| format!("no transfer {id}"))
}

async fn list(report: &ReportArgs) -> Result<()> {
    let transfers = open(report)?.store.transfers().await?;
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

/// Each part as `part-<n>.pgp`: the key packets of all recipients that still have one, then the sealed
/// bytes (contract 6). Any recipient's passphrase opens it.
async fn export(report: &ReportArgs, id: TransferId, out: &Path) -> Result<()> {
    let foundation = open(report)?;
    let transfer = find(&foundation, id).await?;
    let key_packets: Vec<u8> =
        transfer.recipients.iter().filter_map(|recipient| recipient.key_packet.clone()).flatten().collect();
    if key_packets.is_empty() {
        bail!("the keys of {} are destroyed; nothing can be exported", transfer.id);
    }
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let mut written = Vec::new();
    for part in &transfer.parts {
        let path = out.join(format!("part-{}.pgp", part.number));
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&path)?;
            file.write_all(&key_packets)?;
            io::copy(&mut foundation.blobs.open(&part.blob)?, &mut file)?;
            file.sync_all()
        };
        write().with_context(|| path.display().to_string())?;
        written.push(path);
    }
    match report.json {
        true => print_json(&written),
        false => written.iter().for_each(|path| println!("{}", path.display())),
    }
    Ok(())
}
