//! Where mail is, and where it went. Whoever puts a mail into the queue, tries it or takes it out calls [`keep`], [`removed`] in
//! the same transaction; only what is delivered at once is written afterwards, by [`TrackingStore::write_tracks`].

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::Sqlite;
use super::columns::{Octets, Time, limit};
use crate::clock::{Timestamp, earlier};
use crate::id::{QueueId, TransferId};
use crate::store::journal;
use crate::store::room::DiskShare;
use crate::store::tracking::{AT_ONCE, MOST_LATE, Narrowest, domain_of, sort};
use crate::store::{
    NewItem, OrganisationFilter, Result, StoreError, Track, TrackQuery, TrackRow, TrackState, TrackingStore,
    Who,
};

#[async_trait]
impl TrackingStore for Sqlite {
    fn track(&self, rows: Vec<TrackRow>) {
        self.behind.add(rows);
    }

    /// In transactions of its own, so that nothing else waits for it or fails with it.
    async fn write_tracks(&self) -> Result<usize> {
        self.behind.write_all(|rows| self.write_behind(rows)).await
    }

    /// A tool finds what a server has in its journal too: read first, for it may become a row meanwhile.
    async fn find_tracks(&self, query: TrackQuery) -> Result<Vec<QueueId>> {
        let journalled = self.journalled_rows().await?;
        let asked = query.clone();
        let found = self.readers.read(move |db| find(db, &asked)).await?;
        Ok(query.messages(journalled, found))
    }

    async fn tracks(&self, messages: Vec<QueueId>) -> Result<Vec<TrackRow>> {
        let journalled = self.journalled_rows().await?;
        self.readers
            .read(move |db| {
                let mut all: Vec<TrackRow> = Vec::new();
                for message in &messages {
                    let mut rows = db.prepare_cached(OF_MESSAGE)?;
                    let rows = rows.query_map([message], read)?;
                    let of_message = rows.collect::<rusqlite::Result<Vec<_>>>()?;
                    if of_message.is_empty() {
                        all.extend(journalled.iter().filter(|row| row.tracking == *message).cloned());
                    }
                    all.extend(of_message);
                }
                sort(&mut all);
                Ok(all)
            })
            .await
    }

    async fn forget_tracks(&self, mailbox: String, whose: Option<OrganisationFilter>) -> Result<usize> {
        let (domains, nameless) = of(whose.as_ref())?;
        self.writer
            .run(move |change| {
                let mut forgotten = 0;
                for rows in FORGET_MAILBOX {
                    let values = params![mailbox, limit(AT_ONCE), domains, nameless];
                    forgotten += change.db.prepare_cached(rows)?.execute(values)?;
                }
                Ok(forgotten)
            })
            .await
    }
}

impl Sqlite {
    /// Of mail that is in the journal of a server, the oldest first.
    async fn journalled_rows(&self) -> Result<Vec<TrackRow>> {
        let items = match &self.journal {
            Some(_) => Vec::new(),
            None => journal::peek_from(self.journal_folder.clone()).await?,
        };
        Ok(items.iter().flat_map(|item| TrackRow::queued(item, &item.track)).collect())
    }

    async fn write_behind(
        &self,
        rows: Vec<TrackRow>,
    ) -> std::result::Result<(), (StoreError, Vec<TrackRow>)> {
        if let Err(error) = self.check_room(DiskShare::Mail).await {
            return Err((error, rows));
        }
        let rows = Arc::new(rows);
        let kept = Arc::clone(&rows);
        let work = self.writer.run(move |change| rows.iter().try_for_each(|row| keep(change.db, row)));
        work.await.map_err(|error| (error, Arc::unwrap_or_clone(kept)))
    }
}

/// What came later of a mail overwrites what is known of it, never the other way round.
pub(super) const KEEP: &str = "
    INSERT INTO tracking
        (tracking, item, recipient_number, time, kind, sender, sender_domain, recipient, recipient_domain, message_id, size,
         client, rule, transfer, link, state, attempts, changed, next_hop, tls, answer, organisation)
    VALUES
        (:tracking, :item, :number, :time, :kind, :sender, :sender_domain, :recipient, :recipient_domain, :message_id, :size,
         :client, :rule, :transfer, :link, :state, :attempts, :changed, :next_hop, :tls, :answer, :organisation)
    ON CONFLICT (tracking, item, recipient_number) DO UPDATE SET
        state = excluded.state, attempts = excluded.attempts, changed = excluded.changed, next_hop = excluded.next_hop,
        tls = excluded.tls, answer = excluded.answer
    WHERE excluded.attempts > attempts OR state IN ('waiting', 'frozen', 'removed')";
pub(super) const REMOVED: &str = "
    UPDATE tracking SET state = 'removed' WHERE tracking = ?1 AND item = ?2 AND state IN ('waiting', 'frozen')";
pub(super) const OF_TRANSFER: &str = "SELECT tracking FROM transfers WHERE id = ?1";
pub(super) const OF_MESSAGE: &str = "SELECT * FROM tracking WHERE tracking = ?1";
pub(super) const KNOWN: &str = "SELECT 1 FROM tracking WHERE tracking = ?1 AND item = ?2";
pub(super) const NEWEST: &str = "SELECT max(time) FROM tracking";
pub(super) const FORGET_MAILBOX: [&str; 2] = [
    "DELETE FROM tracking WHERE number IN (
        SELECT number FROM tracking WHERE recipient = ?1 AND (
            ?3 IS NULL OR organisation IN (SELECT value FROM json_each(?3)) OR organisation IS NULL AND ?4)
        LIMIT ?2)",
    "DELETE FROM tracking WHERE number IN (
        SELECT number FROM tracking WHERE sender = ?1 AND (
            ?3 IS NULL OR organisation IN (SELECT value FROM json_each(?3)) OR organisation IS NULL AND ?4)
        LIMIT ?2)",
];
pub(super) const FORGET_TRACKS: &str = "
    DELETE FROM tracking WHERE number IN (SELECT number FROM tracking WHERE time < ?1 ORDER BY time LIMIT ?2)";

macro_rules! find {
    ($narrowest:literal) => {
        concat!(
            "SELECT tracking FROM tracking WHERE ",
            $narrowest,
            " AND time >= :since AND time <= :until
                AND (:to IS NULL OR recipient = :to) AND (:to_domain IS NULL OR recipient_domain = :to_domain)
                AND (:from IS NULL OR sender = :from) AND (:from_domain IS NULL OR sender_domain = :from_domain)
                AND (:message_id IS NULL OR message_id = :message_id) AND (:transfer IS NULL OR transfer = :transfer)
                AND (:id IS NULL OR tracking = :id OR item = :id)
                AND (:domains IS NULL OR organisation IN (SELECT value FROM json_each(:domains))
                    OR organisation IS NULL AND :nameless)
            ORDER BY time DESC LIMIT :rows"
        )
    };
}

/// The statement that answers a query by its narrowest index.
pub(super) fn find_by(narrowest: Narrowest) -> &'static str {
    match narrowest {
        Narrowest::Id => find!("(tracking = :id OR item = :id AND item <> tracking)"),
        Narrowest::MessageId => find!("message_id = :message_id"),
        Narrowest::Transfer => find!("transfer = :transfer"),
        Narrowest::Recipient => find!("recipient = :to"),
        Narrowest::Sender => find!("sender = :from"),
        Narrowest::RecipientDomain => find!("recipient_domain = :to_domain"),
        Narrowest::SenderDomain => find!("sender_domain = :from_domain"),
        Narrowest::Time => find!("TRUE"),
    }
}

fn find(db: &Connection, query: &TrackQuery) -> Result<Vec<QueueId>> {
    let mailbox = |who: &Option<Who>| match who {
        Some(Who::Mailbox(mailbox)) => Some(mailbox.clone()),
        _ => None,
    };
    let domain = |who: &Option<Who>| match who {
        Some(Who::Domain(domain)) => Some(domain.clone()),
        _ => None,
    };
    let (domains, nameless) = of(query.organisation.as_ref())?;
    let mut rows = db.prepare_cached(find_by(query.narrowest()))?;
    let rows = rows.query_map(
        named_params! {
            ":since": Time(query.since), ":until": Time(query.until),
            ":to": mailbox(&query.to), ":to_domain": domain(&query.to),
            ":from": mailbox(&query.from), ":from_domain": domain(&query.from),
            ":message_id": query.message_id, ":transfer": query.transfer, ":id": query.id,
            ":domains": domains, ":nameless": nameless, ":rows": limit(query.rows()),
        },
        |row| row.get(0),
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whose rows are meant: domains as JSON, or NULL for everybody's, and whether those without a name are.
fn of(whose: Option<&OrganisationFilter>) -> Result<(Option<String>, bool)> {
    let Some(OrganisationFilter { domains, nameless }) = whose else { return Ok((None, true)) };
    Ok((Some(serde_json::to_string(domains).map_err(io::Error::from)?), *nameless))
}

/// Writes a row, or what is new of it.
pub(super) fn keep(db: &Connection, row: &TrackRow) -> Result<()> {
    db.prepare_cached(KEEP)?.execute(named_params! {
        ":tracking": row.tracking, ":item": row.item, ":number": row.number, ":time": Time(row.time),
        ":kind": row.kind, ":sender": row.sender, ":sender_domain": domain_of(&row.sender),
        ":recipient": row.recipient, ":recipient_domain": domain_of(&row.recipient),
        ":message_id": row.message_id, ":size": Octets(row.size), ":client": row.client, ":rule": row.rule,
        ":transfer": row.transfer, ":link": row.link, ":state": row.state.as_str(), ":attempts": row.attempts,
        ":changed": Time(row.changed), ":next_hop": row.next_hop, ":tls": row.tls, ":answer": row.answer,
        ":organisation": row.organisation,
    })?;
    Ok(())
}

/// Keeps the rows of a mail that is put into the queue; gives what it is found by from now on.
pub(super) fn queued(db: &Connection, item: &NewItem) -> Result<Track> {
    let mut track = item.track.clone();
    if track.tracking.is_none()
        && let Some(transfer) = track.transfer.as_ref().or(item.link.as_ref().map(|link| &link.transfer))
    {
        track.tracking = of_transfer(db, transfer)?;
    }
    TrackRow::queued(item, &track).iter().try_for_each(|row| keep(db, row))?;
    Ok(track)
}

/// The message that a transfer was sealed from.
fn of_transfer(db: &Connection, transfer: &TransferId) -> Result<Option<QueueId>> {
    let found = db.prepare_cached(OF_TRANSFER)?.query_row([transfer], |row| row.get(0)).optional()?;
    Ok(found.flatten())
}

/// An item leaves the queue: whom it still waited for, it does not reach.
pub(super) fn removed(db: &Connection, item: &QueueId, track: &Track) -> Result<()> {
    let tracking = track.tracking.as_ref().unwrap_or(item);
    db.prepare_cached(REMOVED)?.execute(params![tracking, item])?;
    Ok(())
}

/// What a crash has kept from being written: mail that the journal still knows, and that was accepted not long before the
/// newest row. It has left the gateway; what the next hop answered is in the log alone.
pub(super) fn find_again(db: &Connection, ended: &[NewItem]) -> Result<()> {
    let newest: Option<Time> = db.prepare_cached(NEWEST)?.query_row([], |row| row.get(0))?;
    let since = newest.map_or(Timestamp::MIN, |newest| earlier(newest.0, MOST_LATE));
    for item in ended.iter().filter(|item| item.created >= since) {
        let tracking = item.track.tracking.as_ref().unwrap_or(&item.id);
        if db.prepare_cached(KNOWN)?.exists(params![tracking, item.id])? {
            continue;
        }
        TrackRow::left(item).iter().try_for_each(|row| keep(db, row))?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<TrackRow> {
    let state: String = row.get("state")?;
    let invalid = |error: crate::store::StoreError| rusqlite::types::FromSqlError::other(error);
    Ok(TrackRow {
        tracking: row.get("tracking")?,
        item: row.get("item")?,
        number: row.get("recipient_number")?,
        time: row.get::<_, Time>("time")?.0,
        kind: row.get("kind")?,
        sender: row.get("sender")?,
        recipient: row.get("recipient")?,
        message_id: row.get("message_id")?,
        size: row.get::<_, Octets>("size")?.0,
        client: row.get("client")?,
        rule: row.get("rule")?,
        transfer: row.get("transfer")?,
        link: row.get("link")?,
        state: state.parse::<TrackState>().map_err(invalid)?,
        attempts: row.get("attempts")?,
        changed: row.get::<_, Time>("changed")?.0,
        next_hop: row.get("next_hop")?,
        tls: row.get("tls")?,
        answer: row.get("answer")?,
        organisation: row.get("organisation")?,
    })
}
