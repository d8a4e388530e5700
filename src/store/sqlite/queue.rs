//! The queue as the worker uses it: put in, claim, record an attempt, remove.
//!
//! `due` is when an item may be claimed next: its next attempt, or, while somebody holds it, the end of
//! that claim. So one index of organisation and `due` serves, and an item in delivery is never handed out a second time. What is frozen is
//! [`NEVER`] due.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Json, Octets, Time, limit};
use super::writer::Change;
use super::{Sqlite, blobs, tracking};
use crate::address::ReversePath;
use crate::clock::Timestamp;
use crate::diagnostic::{Diagnostic, Source};
use crate::envelope::EnvelopeRecipient;
use crate::id::{BlobName, FolderId, Link, QueueId};
use crate::secret::keyring::{KeyId, KeyRef};
use crate::store::journal::Waiting;
use crate::store::{
    Attempt, AttemptEnd, Body, BodyData, ByHand, Claim, ClaimShares, Item, NewItem, PendingRecipient,
    Problem, QueueStore, RecipientState, Result,
};

#[async_trait]
impl QueueStore for Sqlite {
    async fn claim_in_turn(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
        shares: ClaimShares,
    ) -> Result<Vec<Item>> {
        self.claim(owner, now, lease, limit, shares).await
    }

    async fn release_claims(&self, owner: &FolderId) -> Result<()> {
        let owner = owner.clone();
        self.write(move |change| release_claims(change, &owner)).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        match self.ready_since() {
            Some(since) => Ok(Some(since)),
            None => self.next_row_due().await,
        }
    }

    async fn finish_attempt(&self, attempt: Attempt) -> Result<AttemptEnd> {
        self.finish(attempt).await
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<()> {
        self.write(move |change| hurry(change, now)).await
    }

    async fn make_unreached_due(&self, now: Timestamp) -> Result<u64> {
        let due = self.write(move |change| Ok(change.db.execute(HURRY_UNREACHED, [Time(now)])?));
        Ok(due.await? as u64)
    }
}

/// Whose rows there are: one step of the index for each.
macro_rules! sharers {
    () => {
        "WITH RECURSIVE
            sharers (organisation) AS (
                SELECT min(coalesce(organisation, '')) FROM items
                UNION ALL
                SELECT (
                    SELECT min(coalesce(organisation, '')) FROM items
                    WHERE coalesce(organisation, '') > sharers.organisation)
                FROM sharers WHERE sharers.organisation IS NOT NULL)"
    };
}

/// What is due: the organisations in turn, beginning behind the one that was served last (?4), of each the oldest first and no
/// more than its share (?3 by name, ?5 of those without a name there).
pub(super) const CHOOSE: &str = concat!(
    sharers!(),
    ", shares AS (
        SELECT organisation, min(?2, coalesce((SELECT value FROM json_each(?3) WHERE key = organisation), ?5)) AS most
        FROM sharers WHERE organisation IS NOT NULL),
    due AS (
        SELECT items.number, shares.organisation, most,
            row_number() OVER (PARTITION BY shares.organisation ORDER BY items.due, items.number) AS place
        FROM shares JOIN items ON items.number IN (
            SELECT number FROM items AS one
            WHERE coalesce(one.organisation, '') = shares.organisation AND one.due <= ?1 ORDER BY one.due LIMIT ?2))
    SELECT number FROM due WHERE place <= most ORDER BY place, organisation <= ?4, organisation LIMIT ?2"
);
/// A gateway whose claim has run out takes it up again with the same token: the attempt may still be waiting to be
/// recorded, and the worker does not begin it twice.
pub(super) const CLAIM: &str = "
    UPDATE items SET
        due = ?2, claimed = 1, owner = ?3, token = token + (CASE WHEN claimed = 1 AND owner IS ?3 THEN 0 ELSE 1 END)
    WHERE number = ?1
    RETURNING
        number, id, kind, reverse_path, parameters, transfer, recipient, blob, key, created, attempts, token, track,
        organisation, hold, bounce, held_for";
pub(super) const WAITING: &str = "
    SELECT number, address, parameters FROM item_recipients WHERE item = ?1 AND state = 'waiting' ORDER BY number";
pub(super) const BODY: &str = "SELECT body FROM bodies WHERE item = ?1";
pub(super) const NEXT_DUE: &str = concat!(
    sharers!(),
    "SELECT min((
        SELECT min(due) FROM items
        WHERE coalesce(organisation, '') = sharers.organisation AND due < 9223372036854775807)) FROM sharers"
);
/// Whether this claim holds the item. A claim from before there were owners has none: IS, and not =.
pub(super) const HELD: &str = "SELECT claimed = 1 AND owner IS ?2 AND token = ?3 FROM items WHERE id = ?1";
pub(super) const NUMBER: &str = "SELECT number FROM items WHERE id = ?1";
pub(super) const NOTE: &str = "
    UPDATE item_recipients SET state = ?3, stage = ?4, code = ?5, status = ?6, answer = ?7
    WHERE item = ?1 AND number = ?2 AND state = 'waiting'";
/// What was decided meanwhile comes first; what could not be sent back waits for a new decision.
pub(super) const RESCHEDULE: &str = "
    UPDATE items SET
        attempts = attempts + 1, next_attempt = ?2, claimed = 0, bounce = CASE WHEN ?5 THEN NULL ELSE bounce END,
        due = CASE
            WHEN hold IS NOT NULL THEN 9223372036854775807
            WHEN bounce IS NOT NULL AND NOT ?5 THEN ?6
            ELSE coalesce(?3, ?2) END,
        problem = CASE WHEN hold IS NOT NULL THEN 'frozen' ELSE ?4 END
    WHERE number = ?1";
pub(super) const REMOVE: &str = "DELETE FROM items WHERE number = ?1 RETURNING blob, key IS NULL, id, track";
/// Stages before a mail as in `Stage::is_before_mail`; no code is no answer.
const HURRY_UNREACHED: &str = "
    UPDATE items SET next_attempt = ?1, due = ?1
    WHERE claimed = 0 AND due > ?1 AND problem IS NOT 'frozen' AND EXISTS (
        SELECT 1 FROM item_recipients WHERE item = items.number AND state = 'waiting' AND stage IS NOT NULL
            AND (code IS NULL OR stage IN ('connecting', 'greeting', 'EHLO', 'STARTTLS', 'AUTH')))";
const KEYS: &str = "SELECT key FROM items WHERE key IS NOT NULL";

/// Later than any moment.
const NEVER: i64 = i64::MAX;

/// Puts an item into the queue, due at once, where it can be found from now on.
pub(super) fn insert(db: &Connection, item: &NewItem) -> Result<()> {
    let track = tracking::queued(db, item)?;
    let (body, blob) = match &item.body.data {
        BodyData::Inline(body) => (Some(body), None),
        BodyData::Blob(blob) => (None, Some(blob)),
    };
    db.prepare_cached(
        "INSERT INTO items
            (id, kind, reverse_path, parameters, transfer, recipient, blob, key, created, next_attempt, due, track,
             organisation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, ?10, ?11)",
    )?
    .execute(params![
        item.id,
        item.kind,
        item.envelope.reverse_path.address(),
        Json(&item.envelope.parameters),
        item.link.as_ref().map(|link| &link.transfer),
        item.link.as_ref().map(|link| link.recipient),
        blob,
        item.body.key.as_ref().map(KeyRef::id),
        Time(item.created),
        Json(&track),
        item.organisation,
    ])?;
    let number = db.last_insert_rowid();
    if let Some(body) = body {
        db.prepare_cached("INSERT INTO bodies (item, body) VALUES (?1, ?2)")?
            .execute(params![number, body])?;
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO item_recipients (item, number, address, parameters) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (recipient, place) in item.envelope.recipients.iter().zip(1u32..) {
        insert.execute(params![number, place, recipient.address, Json(&recipient.parameters)])?;
    }
    Ok(())
}

/// Puts in what comes from the journal, as it is there. It may be here already: a crash can have come between
/// this commit and the journal's.
pub(super) fn take_over(db: &Connection, waiting: &Waiting) -> Result<()> {
    if number(db, &waiting.item.id)?.is_some() {
        return Ok(());
    }
    insert(db, &waiting.item)?;
    if let Some(Claim { owner, token, until, .. }) = &waiting.claim {
        let claim = "UPDATE items SET due = ?2, claimed = 1, owner = ?3, token = ?4 WHERE id = ?1";
        db.prepare_cached(claim)?.execute(params![waiting.item.id, Time(*until), owner, Octets(*token)])?;
    }
    Ok(())
}

/// Claims what is due, or was claimed until a moment that has passed. `served`: whose turn was the last.
pub(super) fn claim_due(
    change: &mut Change<'_>,
    owner: &FolderId,
    (now, lease): (Timestamp, Timestamp),
    most: usize,
    shares: &ClaimShares,
    served: &str,
) -> Result<Vec<Item>> {
    let named =
        serde_json::to_string(&shares.named().collect::<BTreeMap<_, _>>()).map_err(io::Error::from)?;
    let numbers = change
        .db
        .prepare_cached(CHOOSE)?
        .query_map(params![Time(now), limit(most), named, served, limit(shares.of_others())], |row| {
            row.get(0)
        })?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let claim = |row: &Row<'_>| {
        let token = row.get::<_, Octets>("token")?.0;
        Claimed::read(row, Claim { owner: owner.clone(), token, until: lease, lease: 0 })
    };
    let mut items = Vec::with_capacity(numbers.len());
    for number in numbers {
        let claimed =
            change.db.prepare_cached(CLAIM)?.query_row(params![number, Time(lease), owner], claim)?;
        items.push(claimed.complete(change.db)?);
    }
    Ok(items)
}

/// An item without what is in the other tables.
struct Claimed {
    number: i64,
    blob: Option<BlobName>,
    item: Item,
}

impl Claimed {
    fn read(row: &Row<'_>, claim: Claim) -> rusqlite::Result<Self> {
        let item = Item {
            id: row.get("id")?,
            kind: row.get("kind")?,
            organisation: row.get("organisation")?,
            reverse_path: reverse_path(row)?,
            parameters: row.get::<_, Json<_>>("parameters")?.0,
            recipients: Vec::new(),
            body: Body {
                key: row.get::<_, Option<_>>("key")?.map(KeyRef::stored),
                data: BodyData::Inline(Vec::new()),
            },
            link: link(row)?,
            track: row.get::<_, Json<_>>("track")?.0,
            created: row.get::<_, Time>("created")?.0,
            attempts: row.get("attempts")?,
            by_hand: by_hand(row)?,
            claim,
        };
        Ok(Self { number: row.get("number")?, blob: row.get("blob")?, item })
    }

    fn complete(self, db: &Connection) -> Result<Item> {
        let recipients = db
            .prepare_cached(WAITING)?
            .query_map([self.number], |row| {
                let parameters = row.get::<_, Json<_>>("parameters")?.0;
                let recipient = EnvelopeRecipient { address: row.get("address")?, parameters };
                Ok(PendingRecipient { number: row.get("number")?, recipient })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let data = match self.blob {
            Some(blob) => BodyData::Blob(blob),
            None => BodyData::Inline(db.prepare_cached(BODY)?.query_row([self.number], |row| row.get(0))?),
        };
        Ok(Item { recipients, body: Body { data, ..self.item.body }, ..self.item })
    }
}

/// What was decided on an item.
pub(super) fn by_hand(row: &Row<'_>) -> rusqlite::Result<ByHand> {
    Ok(ByHand {
        hold: row.get::<_, Json<_>>("hold")?.0,
        bounce: row.get::<_, Json<_>>("bounce")?.0,
        held_for: Duration::from_micros(row.get::<_, Octets>("held_for")?.0),
    })
}

/// NULL is the null reverse path.
pub(super) fn reverse_path(row: &Row<'_>) -> rusqlite::Result<ReversePath> {
    Ok(row.get::<_, Option<_>>("reverse_path")?.map_or(ReversePath::Null, ReversePath::Address))
}

fn link(row: &Row<'_>) -> rusqlite::Result<Option<Link>> {
    let (transfer, recipient): (Option<_>, Option<u16>) = (row.get("transfer")?, row.get("recipient")?);
    Ok(transfer.zip(recipient).map(|(transfer, recipient)| Link { transfer, recipient }))
}

/// Ends the claims of this owner, and those that are from before there were owners.
fn release_claims(change: &mut Change<'_>, owner: &FolderId) -> Result<()> {
    let release = "
        UPDATE items SET due = next_attempt, claimed = 0 WHERE claimed = 1 AND (owner = ?1 OR owner IS NULL)";
    change.db.execute(release, [owner])?;
    Ok(())
}

/// Makes due now what is tried again by itself: everything but what is frozen.
fn hurry(change: &mut Change<'_>, now: Timestamp) -> Result<()> {
    let waiting =
        "UPDATE items SET next_attempt = ?1, due = ?1 WHERE claimed = 0 AND problem IS NOT 'frozen'";
    change.db.execute(waiting, [Time(now)])?;
    Ok(())
}

/// The first moment at which something can be claimed.
pub(super) fn next_due(db: &Connection) -> Result<Option<Timestamp>> {
    let due: Option<Time> = db.prepare_cached(NEXT_DUE)?.query_row([], |row| row.get(0))?;
    Ok(due.map(|due| due.0))
}

/// Whether the end of this attempt counts.
pub(super) fn check_claim(db: &Connection, attempt: &Attempt) -> Result<AttemptEnd> {
    let Attempt { item, claim, .. } = attempt;
    let held = params![item, claim.owner, Octets(claim.token)];
    let is_current = db.prepare_cached(HELD)?.query_row(held, |row| row.get(0)).optional()?;
    Ok(claim.end(is_current, attempt.now))
}

/// Records an attempt. The item may have been dropped meanwhile; what happened has happened all the same.
pub(super) fn finish_attempt(change: &mut Change<'_>, attempt: Attempt) -> Result<()> {
    attempt.tracks.iter().try_for_each(|row| tracking::keep(change.db, row))?;
    if let Some(number) = number(change.db, &attempt.item)? {
        let mut note = change.db.prepare_cached(NOTE)?;
        for (recipient, outcome) in &attempt.outcomes {
            let why = outcome.diagnostic();
            note.execute(params![
                number,
                recipient,
                RecipientState::after(outcome).as_str(),
                why.and_then(|why| why.stage),
                why.and_then(|why| why.source.reply_code()),
                why.and_then(|why| why.status),
                why.map_or("", |why| &why.text),
            ])?;
        }
        if change.db.prepare_cached(WAITING)?.exists([number])? {
            let due = (attempt.problem == Some(Problem::Frozen)).then_some(NEVER);
            let (next, now) = (Time(attempt.next_attempt), Time(attempt.now));
            let next = params![number, next, due, attempt.problem, attempt.sends_back, now];
            change.db.prepare_cached(RESCHEDULE)?.execute(next)?;
        } else {
            remove(change, number)?;
        }
    }
    for report in &attempt.reports {
        insert(change.db, report)?;
    }
    attempt.events.into_iter().try_for_each(|event| change.record(event))
}

/// Why a recipient was not reached, out of its row; `None` before the first attempt, and where it was reached.
pub(super) fn diagnostic(row: &Row<'_>) -> rusqlite::Result<Option<Diagnostic>> {
    let source = row.get::<_, Option<u16>>("code")?.map_or(Source::Local, Source::Remote);
    let (stage, status, text) = (row.get("stage")?, row.get("status")?, row.get("answer")?);
    let found = Diagnostic { stage, source, status, text };
    Ok(Some(found).filter(|found| !found.to_string().is_empty()))
}

/// The row of an item that is still in the queue.
pub(super) fn number(db: &Connection, item: &QueueId) -> Result<Option<i64>> {
    Ok(db.prepare_cached(NUMBER)?.query_row([item], |row| row.get(0)).optional()?)
}

/// Removes an item with body and recipients, and gives up its blob. What was sealed before bodies had keys of their own
/// could be read for ever from what the log keeps of it.
pub(super) fn remove(change: &mut Change<'_>, number: i64) -> Result<()> {
    let (blob, is_old, item, track) = change.db.prepare_cached(REMOVE)?.query_row([number], |row| {
        Ok((
            row.get::<_, Option<BlobName>>(0)?,
            row.get::<_, bool>(1)?,
            row.get(2)?,
            row.get::<_, Json<_>>(3)?.0,
        ))
    })?;
    tracking::removed(change.db, &item, &track)?;
    change.shredded |= is_old;
    blob.map_or(Ok(()), |blob| blobs::doom(change.db, &blob))
}

/// The keys that bodies in the queue need.
pub(super) fn keys(db: &Connection) -> Result<HashSet<KeyId>> {
    let mut keys = db.prepare_cached(KEYS)?;
    let keys = keys.query_map([], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}
