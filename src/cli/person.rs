//! `zegel export` and `zegel erase`: what is held on somebody, and taking them out of it.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::arguments::OrganisationArg;
use super::{ConfigArgs, operator};
use crate::address::Address;
use crate::audit::chain::{ROWS, Row};
use crate::audit::{Action, EventResult};
use crate::clock::Clock;
use crate::home::Home;
use crate::id::{OrganisationId, QueueId};
use crate::person::{self, Part, Person};
use crate::serve;
use crate::staff::Directory;
use crate::store::person::Erasure;
use crate::store::{OrganisationFilter, QueueEntry, Store, TrackQuery, TrackRow, Who};

/// Messages of somebody that are looked up at most, the newest: more than anybody sends while they are remembered.
const MOST_MESSAGES: usize = 100_000;

/// What no search finds: said wherever somebody is looked for.
const NOT_SEARCHED: &str = "\
What cannot be searched by an address:
  - the text and files of sealed transfers, the bodies of mail that waits, answers that are being written, and what is
    remembered of a browser for 30 days: all of them are sealed, and each goes at its date
  - codes that were mailed: keyed hashes, for an hour
  - the service log, log servers, backups and archives of the database: search and shorten them where they are kept
  - mail that zegel passed on or sent: it is in the mailboxes of its recipients
  - the staff list, policies and the audit trail's record of this very command: they are the organisation's";

/// Writes everything that is held on somebody into a new folder.
pub fn export(args: &ConfigArgs, of: &OrganisationArg, address: &Address, out: &Path) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let held = Held::find(args, of, address).await?;
        let folder = || out.display().to_string();
        fs::DirBuilder::new().mode(0o700).create(out).with_context(folder)?;
        write(&out.join("person.json"), &format!("{:#}\n", held.to_json()))?;
        write(&out.join("person.txt"), &held.in_words().join("\n"))?;
        let event = (Action::Export, EventResult::Ok);
        held.record(event).await?;
        say!("{}: person.json, and the same in words in person.txt", out.display());
        Ok(())
    })
}

/// Tells what would go; with `yes` it goes.
pub fn erase(args: &ConfigArgs, of: &OrganisationArg, address: &Address, yes: bool) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let held = Held::find(args, of, address).await?;
        held.in_words().iter().for_each(|line| say!("{line}"));
        let obstacles = held.obstacles();
        if !obstacles.is_empty() {
            obstacles.iter().for_each(|line| say!("  first: {line}"));
            bail!("{address}: nothing was erased: {} things are still under way", obstacles.len());
        }
        if !yes {
            say!("nothing was erased: `zegel erase --person {address} --yes` does it, and it is for good");
            return Ok(());
        }
        held.erase().await
    })
}

/// What is held on somebody: by one organisation, or by all.
struct Held {
    store: std::sync::Arc<dyn Store>,
    whose: Option<OrganisationFilter>,
    person: Person,
    queue: Vec<QueueEntry>,
    /// Where their mail went, as far as it is remembered.
    tracks: Vec<TrackRow>,
    /// Rows of the audit trail that are about them, and whether they name them.
    trail: Vec<(Row, bool)>,
    is_staff: bool,
}

impl Held {
    async fn find(args: &ConfigArgs, of: &OrganisationArg, address: &Address) -> Result<Self> {
        let config = serve::load_config(&args.config)?;
        let (of, whose) = of.choose(&config)?;
        let meant = config.organisations().filter(|one| whose.is_none() || std::ptr::eq(*one, of));
        let staff = meant.filter_map(|one| one.organisation.staff.as_deref()).map(Directory::load);
        let staff = staff.collect::<Result<Vec<_>, _>>()?;
        let Home { store, .. } = Home::open_existing(&config.data_dir, &config.store).await?;
        let person = person::find(store.as_ref(), address, whose.as_ref()).await?;
        let is_meant = |name: Option<&str>| whose.as_ref().is_none_or(|whose| whose.is_named(name));
        let is_theirs = |entry: &QueueEntry| {
            let from = Address::parse(&entry.from).is_ok_and(|from| from.is_same_mailbox(address));
            let is_theirs = from || entry.recipients.iter().any(|one| one.address.is_same_mailbox(address));
            is_theirs && is_meant(entry.organisation.as_ref().map(OrganisationId::as_str))
        };
        let queue = store.queue().await?.into_iter().filter(is_theirs).collect();
        let mut tracks = Self::tracks(store.as_ref(), address, whose.as_ref()).await?;
        tracks.retain(|row| is_meant(row.organisation.as_ref().map(OrganisationId::as_str)));
        let mut trail = Self::trail(store.as_ref(), &person).await?;
        trail.retain(|(row, _)| is_meant(row.organisation.as_deref()));
        let is_staff = staff.iter().any(|staff| staff.find(address).is_some());
        Ok(Self { store, whose, person, queue, tracks, trail, is_staff })
    }

    /// Of mail to many only what was theirs.
    async fn tracks(
        store: &dyn Store,
        address: &Address,
        whose: Option<&OrganisationFilter>,
    ) -> Result<Vec<TrackRow>> {
        let mailbox = address.mailbox();
        let all = TrackQuery { organisation: whose.cloned(), ..TrackQuery::all(MOST_MESSAGES) };
        let who = Some(Who::Mailbox(mailbox.clone()));
        let sent = store.find_tracks(TrackQuery { from: who.clone(), ..all.clone() }).await?;
        let received = store.find_tracks(TrackQuery { to: who, ..all }).await?;
        // Each once: many are both, from and to the same person.
        let messages: BTreeSet<QueueId> = sent.into_iter().chain(received).collect();
        let mut rows = store.tracks(messages.into_iter().collect()).await?;
        rows.retain(|row| row.sender == mailbox || row.recipient == mailbox);
        Ok(rows)
    }

    async fn trail(store: &dyn Store, person: &Person) -> Result<Vec<(Row, bool)>> {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let rows = store.audit_rows(after, u64::MAX, ROWS).await?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = last.number;
            let about = rows.into_iter().filter(|row| person.is_in(row));
            found.extend(about.map(|row| (row.clone(), person.names(&row))));
        }
    }

    /// What is under way goes first: nobody may lose mail because somebody is erased.
    fn obstacles(&self) -> Vec<String> {
        let open = self.person.transfers.iter().filter(|part| part.is_open()).map(|part| {
            let id = &part.transfer.id;
            match part.is_sender {
                true => format!("transfer {id} is open until {}: `zegel transfer recall {id} --all`, or wait", part.transfer.expires),
                false => format!(
                    "their link of transfer {id} is open until {}: `zegel transfer recall {id} --recipient {}`, or wait",
                    part.transfer.expires, self.person.address
                ),
            }
        });
        let waiting = self.queue.iter().map(|entry| {
            format!(
                "mail {} ({}) waits: let it be delivered, or `zegel queue drop {}`",
                entry.id, entry.kind, entry.id
            )
        });
        open.chain(waiting).collect()
    }

    /// First the trail: with the addresses goes what tells which rows of it are theirs.
    async fn erase(&self) -> Result<()> {
        let (now, store) = (Clock::system().now(), self.store.as_ref());
        while store.extend_chain(now).await? == ROWS {}
        let named: Vec<u64> = self
            .trail
            .iter()
            .filter(|(row, is_named)| *is_named && !row.is_erased())
            .map(|(row, _)| row.number)
            .collect();
        let mut rows = 0;
        for some in named.chunks(100) {
            rows += store.erase_in_trail(some.to_vec(), now).await?;
        }
        let mut transfers = 0;
        for part in &self.person.transfers {
            transfers += usize::from(store.erase_person(self.erasure(part)).await?);
        }
        while store.forget_tracks(self.person.address.mailbox(), self.whose.clone()).await? > 0 {}
        self.record((Action::Erase, EventResult::Erased { transfers, rows })).await?;
        say!("erased in {transfers} transfers and {rows} rows of the audit trail");
        match (transfers == self.person.transfers.len(), rows == named.len()) {
            (true, true) => Ok(()),
            _ => bail!("something was begun meanwhile: run it again"),
        }
    }

    fn erasure(&self, part: &Part) -> Erasure {
        let others = |all: &[Address]| all.iter().filter(|one| !self.is_them(one)).cloned().collect();
        let transfer = &part.transfer;
        Erasure {
            transfer: transfer.id.clone(),
            sender: transfer.sender.as_ref().is_some_and(|sender| self.is_them(sender)),
            reply_to: others(&transfer.reply_to),
            on_behalf_of: others(&transfer.on_behalf_of),
            recipients: part.recipients.clone(),
        }
    }

    fn is_them(&self, address: &Address) -> bool {
        address.is_same_mailbox(&self.person.address)
    }

    /// That it was done, by whom, and not about whom.
    async fn record(&self, (action, result): (Action, EventResult)) -> Result<()> {
        let event = operator::actor().event(Clock::system().now(), action, "person".to_owned(), result);
        let of = self.whose.as_ref().and_then(|whose| whose.domains.first());
        let event = event.of(of.map(|domain| OrganisationId::of_domain(domain)));
        Ok(self.store.append_audit(event).await?)
    }

    fn to_json(&self) -> Value {
        let transfers = self.person.transfers.iter().map(|part| self.transfer_json(part));
        json!({
            "address": self.person.address,
            "in_staff_list": self.is_staff,
            "transfers": transfers.collect::<Vec<_>>(),
            "queue": self.queue,
            "mail": self.tracks,
            "audit": self.trail.iter().map(|(row, _)| row).collect::<Vec<_>>(),
            "not_searched": NOT_SEARCHED.lines().collect::<Vec<_>>(),
        })
    }

    /// Of other people only what belongs to this one's own mail: who sent it.
    fn transfer_json(&self, part: &Part) -> Value {
        let transfer = &part.transfer;
        let theirs =
            transfer.recipients.iter().filter(|one| part.is_sender || part.recipients.contains(&one.number));
        let recipients = theirs.map(|one| {
            json!({
                "address": one.address, "first_notified": one.first_notified, "notified": one.notified, "opened": one.opened, "recalled": one.recalled,
                "bounced": one.bounced, "wrong_passwords": one.tries, "is_open": one.key_packet.is_some(),
            })
        });
        json!({
            "id": transfer.id, "sealed": transfer.created, "expires": transfer.expires, "sender": transfer.sender,
            "message_id": transfer.message_id, "answers_go_to": transfer.reply_to, "on_behalf_of": transfer.on_behalf_of,
            "files": transfer.files, "they_sent_it": part.is_sender, "recipients": recipients.collect::<Vec<_>>(),
        })
    }

    fn in_words(&self) -> Vec<String> {
        let address = &self.person.address;
        let (sent, received): (Vec<&Part>, Vec<&Part>) =
            self.person.transfers.iter().partition(|part| part.is_sender);
        let mut lines = vec![format!("What is held on {address}"), String::new()];
        lines.push(format!("Sealed transfers that they sent, or that were sent for them: {}", sent.len()));
        lines.extend(sent.iter().map(|part| words(part, None)));
        lines.push(format!("Sealed transfers that were sent to them: {}", received.len()));
        lines.extend(received.iter().map(|part| words(part, Some(&part.recipients))));
        lines.push(format!("Mail from or to them that waits to be delivered: {}", self.queue.len()));
        lines.extend(
            self.queue.iter().map(|entry| format!("  {}  {}  since {}", entry.id, entry.kind, entry.created)),
        );
        lines.push(format!("Mail from or to them that zegel remembers: {}", self.tracks.len()));
        lines.extend(self.tracks.iter().map(super::track::line));
        let named = self.trail.iter().filter(|(_, is_named)| *is_named).count();
        lines.push(format!(
            "Events of the audit trail about them: {}; they did {named} of these",
            self.trail.len()
        ));
        lines.extend(self.trail.iter().map(|(row, _)| super::audit::line(row)));
        if self.is_staff {
            lines.push("They are in the staff list (organisation.staff)".to_owned());
        }
        lines.push(String::new());
        lines.extend(NOT_SEARCHED.lines().map(str::to_owned));
        lines.push(String::new());
        lines
    }
}

/// A transfer in a line.
fn words(part: &Part, numbers: Option<&[u16]>) -> String {
    let transfer = &part.transfer;
    let theirs = transfer.recipients.iter().filter(|one| numbers.is_none_or(|all| all.contains(&one.number)));
    let state = theirs.map(|one| {
        let opened = one.opened.map_or_else(|| "never opened".to_owned(), |time| format!("opened {time}"));
        let end = match (&one.key_packet, one.recalled) {
            (Some(_), _) => "can still be opened".to_owned(),
            (None, Some(time)) => format!("taken back {time}"),
            (None, None) => "gone".to_owned(),
        };
        format!("{} ({opened}, {end})", one.address)
    });
    let sender = transfer.sender.as_ref().map_or("nobody that is known", Address::as_str);
    format!(
        "  {}  sealed {}, until {}  from {sender} to {}",
        transfer.id,
        transfer.created,
        transfer.expires,
        state.collect::<Vec<_>>().join(", ")
    )
}

/// A new file that its owner alone may read.
fn write(path: &Path, text: &str) -> Result<()> {
    let at = || path.display().to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(at)?;
    file.write_all(text.as_bytes()).with_context(at)?;
    file.sync_all().with_context(at)
}
