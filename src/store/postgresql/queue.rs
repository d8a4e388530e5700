//! The queue as the worker uses it: claim, record an attempt, remove.
//!
//! `due` is when an item may be claimed next: its next attempt, or, while a node holds it, the end of that claim. So one
//! index serves, and an item in delivery is never handed out a second time. What is frozen is [`NEVER`] due. The claims of a
//! node that has gone are freed by any other ([`free_claims_of`]); their tokens rise, so that nothing it still says counts.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::change::Change;
use super::columns::{Number, Time, get, limit, number, time_or_none};
use super::items::Claimant;
use super::lent::{Connection, Parameters};
use super::{Postgres, items, status, tracking, transfers};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::{FolderId, QueueId};
use crate::store::{
    Attempt, AttemptEnd, Claim, ClaimShares, Item, Problem, QueueStore, RecipientState, Result, TrackRow,
};

#[async_trait]
impl QueueStore for Postgres {
    /// New mail first, but rows that are due get half of the turns, so that neither waits for the other (H35).
    async fn claim_in_turn(
        &self,
        owner: &FolderId,
        now: Timestamp,
        lease: Timestamp,
        limit: usize,
        mut shares: ClaimShares,
    ) -> Result<Vec<Item>> {
        let is_ours = *owner == self.node;
        if is_ours {
            self.check_lease()?;
            self.release_what_waits().await?;
        }
        let rows_are_due = self.next_row_due().await?.is_some_and(|due| due <= now);
        let for_rows = if rows_are_due { self.due.share(limit) } else { 0 };
        let mut items = Vec::new();
        if is_ours {
            items = self.claim_new(owner, (now, lease), limit - for_rows, &mut shares);
        }
        let left = limit - items.len();
        if rows_are_due && left > 0 {
            match self.claim_rows(owner, (now, lease), left, shares.clone()).await {
                Ok(claimed) => {
                    claimed.iter().for_each(|item| shares.take(&item.organisation));
                    items.extend(claimed);
                }
                // What is ready is handed out all the same; the rows are asked for again.
                Err(error) if !items.is_empty() => {
                    tracing::error!(%error, "rows of the queue cannot be claimed")
                }
                Err(error) => return Err(error),
            }
        }
        // The rows that are due may be of organisations that have their share.
        if is_ours && for_rows > 0 {
            items.extend(self.claim_new(owner, (now, lease), limit - items.len(), &mut shares));
        }
        Ok(items)
    }

    fn has_lease(&self) -> bool {
        self.holds_lease()
    }

    /// The lease may have ended and begun anew between two looks: another node may have had the item meanwhile.
    fn holds(&self, claim: &Claim) -> bool {
        self.holds_lease() && claim.lease == self.lease()
    }

    /// Every claim of the node, when its worker begins.
    async fn release_claims(&self, owner: &FolderId) -> Result<()> {
        if *owner == self.node {
            let _nothing_is_claimed = self.held.comparing().await;
            self.release_all(owner).await?;
            self.held.begin();
            return Ok(());
        }
        self.release_all(owner).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        match self.journal_ready_since().or_else(|| self.held.ready_since()) {
            Some(since) => Ok(Some(since)),
            None => self.next_row_due().await,
        }
    }

    /// Ordinary mail that was delivered at once ends together with others.
    async fn finish_attempt(&self, attempt: Attempt) -> Result<AttemptEnd> {
        self.check_lease()?;
        if let Some(end) = self.finish_journalled(&attempt).await? {
            return Ok(end);
        }
        let (item, token) = (attempt.item.clone(), attempt.claim.token);
        let is_ours = attempt.claim.owner == self.node;
        let recipients = if is_ours { self.held.ordinary(&item, token) } else { None };
        if recipients.is_some_and(|recipients| attempt.delivers_all(recipients))
            && self.end_ordinary(item.clone(), token).await?
        {
            self.held.ended(&item, token);
            self.behind.add(attempt.tracks);
            attempt.events.iter().for_each(Event::log);
            return Ok(AttemptEnd::Recorded);
        }
        let end = self.write(move |change| finish_attempt(change, attempt).boxed()).await?;
        if is_ours {
            self.held.ended(&item, token);
        }
        Ok(end)
    }

    async fn make_all_due(&self, now: Timestamp) -> Result<()> {
        self.write(move |change| {
            async move { change.db.execute(HURRY, &[&Time(now)]).await.map(drop) }.boxed()
        })
        .await
    }

    async fn make_unreached_due(&self, now: Timestamp) -> Result<u64> {
        let write = self.write(move |change| {
            async move { change.db.execute(HURRY_UNREACHED, &[&Time(now)]).await }.boxed()
        });
        self.due.changes(write).await
    }
}

impl Postgres {
    /// Mail that this node has just taken in.
    fn claim_new(
        &self,
        owner: &FolderId,
        (now, lease): (Timestamp, Timestamp),
        limit: usize,
        shares: &mut ClaimShares,
    ) -> Vec<Item> {
        let mut items = self.claim_journalled(owner, lease, limit, shares);
        items.extend(self.held.take_ready(now, limit - items.len(), shares));
        items
    }

    /// The first moment at which a row can be claimed.
    async fn next_row_due(&self) -> Result<Option<Timestamp>> {
        let read =
            self.read(|db| async move { time_or_none(&db.one(NEXT_DUE, &[&NEVER]).await?, "due") }.boxed());
        self.due.get(read).await
    }

    async fn claim_rows(
        &self,
        owner: &FolderId,
        (now, lease): (Timestamp, Timestamp),
        most: usize,
        shares: ClaimShares,
    ) -> Result<Vec<Item>> {
        let _not_compared = self.held.claiming().await;
        let by = Claimant { owner: owner.clone(), until: lease, lease: self.lease() };
        let served = self.due.served();
        let claim =
            self.read(move |db| async move { claim_due(db, &by, now, most, &shares, &served).await }.boxed());
        let claimed = self.due.changes(claim).await.inspect(|items| self.due.serve(items));
        if *owner == self.node {
            match &claimed {
                Ok(items) => self.held.add_claimed(items),
                Err(_) => self.held.doubt(),
            }
        }
        claimed
    }

    async fn release_all(&self, owner: &FolderId) -> Result<()> {
        let owner = owner.clone();
        self.write(move |change| {
            async move { change.db.execute(RELEASE_ALL, &[&owner]).await.map(drop) }.boxed()
        })
        .await
    }

    /// Gives others what has been ready too long, and rows that are claimed for this node and unknown to it: the answer to the
    /// claim was lost.
    pub(super) async fn release_what_waits(&self) -> Result<()> {
        self.move_what_waits().await?;
        let old = self.held.take_old();
        self.behind.add(old.iter().flat_map(|item| TrackRow::queued(item, &item.track)).collect());
        if let Err(error) = self.release(old.into_iter().map(|item| item.id).collect()).await {
            self.held.doubt();
            return Err(error);
        }
        if !self.held.is_look_due() {
            return Ok(());
        }
        let _nothing_is_claimed = self.held.comparing().await;
        let owner = self.node.clone();
        let claimed = self.read(move |db| {
            async move {
                let rows = db.query(CLAIMED, &[&owner]).await?;
                rows.iter().map(|row| get(row, "id")).collect::<Result<Vec<QueueId>>>()
            }
            .boxed()
        });
        let strays = self.held.strays(claimed.await?);
        if !strays.is_empty() {
            tracing::warn!(items = strays.len(), "claims whose answer was lost are released");
        }
        self.release(strays).await
    }

    async fn release(&self, items: Vec<QueueId>) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let owner = self.node.clone();
        self.write(move |change| {
            async move { change.db.execute(RELEASE, &[&items, &owner]).await.map(drop) }.boxed()
        })
        .await
    }
}

/// The organisations in turn, beginning behind the one that was served last ($8), of each the oldest first and no more than its
/// share ($5 and $6 by name, $7 of the others). What another node is claiming just now is passed over. A node whose claim has run
/// out takes it up again with the same token: the attempt may still be waiting to be recorded, and the worker does not begin it
/// twice.
pub(super) const CLAIM: &str = "
    WITH RECURSIVE sharers AS (
        (SELECT coalesce(organisation, '') AS organisation FROM items ORDER BY coalesce(organisation, '') LIMIT 1)
        UNION ALL
        SELECT (
            SELECT coalesce(items.organisation, '') FROM items
            WHERE coalesce(items.organisation, '') > sharers.organisation
            ORDER BY coalesce(items.organisation, '') LIMIT 1)
        FROM sharers WHERE sharers.organisation IS NOT NULL),
    places AS (
        SELECT one.number, sharers.organisation, coalesce(named.most, $7::bigint) AS most,
            row_number() OVER (PARTITION BY sharers.organisation ORDER BY one.due, one.number) AS place
        FROM sharers LEFT JOIN unnest($5::text[], $6::bigint[]) AS named (organisation, most) USING (organisation)
        CROSS JOIN LATERAL (
            SELECT number, due FROM items
            WHERE coalesce(items.organisation, '') = sharers.organisation AND due <= $1
            ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED) AS one),
    due AS (
        SELECT number, row_number() OVER (ORDER BY place, organisation <= $8, organisation) AS turn
        FROM places WHERE place <= most ORDER BY turn LIMIT $3),
    claimed AS (
        UPDATE items SET
            due = $2, claimed = TRUE, owner = $4,
            token = token + (CASE WHEN claimed AND owner IS NOT DISTINCT FROM $4 THEN 0 ELSE 1 END)
        FROM due WHERE items.number = due.number
        RETURNING items.*, due.turn)
    SELECT * FROM claimed CROSS JOIN LATERAL (
        SELECT array_agg(number ORDER BY number) AS numbers, array_agg(address ORDER BY number) AS addresses,
            array_agg(parameters ORDER BY number) AS options
        FROM item_recipients WHERE item = claimed.number AND state = 'waiting') AS waiting
    ORDER BY turn";
/// As much as has been claimed by a node, in the order in which rows of the queue are locked.
pub(super) const RELEASE_ALL: &str = "
    WITH held AS (SELECT number FROM items WHERE claimed AND owner = $1 ORDER BY number FOR UPDATE)
    UPDATE items SET due = next_attempt, claimed = FALSE FROM held WHERE items.number = held.number";
pub(super) const RELEASE: &str = "
    WITH held AS (
        SELECT number FROM items WHERE id = ANY($1::text[]) AND claimed AND owner = $2 ORDER BY number FOR UPDATE)
    UPDATE items SET due = next_attempt, claimed = FALSE, token = token + 1 FROM held WHERE items.number = held.number";
pub(super) const CLAIMED: &str = "SELECT id FROM items WHERE claimed AND owner = $1";
pub(super) const FREE: &str = "
    WITH held AS (SELECT number FROM items WHERE claimed AND owner = ANY($1) ORDER BY number FOR UPDATE)
    UPDATE items SET due = next_attempt, claimed = FALSE, token = token + 1 FROM held WHERE items.number = held.number";
pub(super) const NEXT_DUE: &str = "SELECT min(due) AS due FROM items WHERE due < $1";
/// Everything that is tried again by itself.
const HURRY: &str = "
    WITH waiting AS (
        SELECT number FROM items WHERE NOT claimed AND problem IS DISTINCT FROM 'frozen' ORDER BY number FOR UPDATE)
    UPDATE items SET next_attempt = $1, due = $1 FROM waiting WHERE items.number = waiting.number";
/// Stages before a mail as in `Stage::is_before_mail`; no code is no answer.
const HURRY_UNREACHED: &str = "
    WITH waiting AS (
        SELECT number FROM items
        WHERE NOT claimed AND due > $1 AND problem IS DISTINCT FROM 'frozen' AND EXISTS (
            SELECT 1 FROM item_recipients WHERE item = items.number AND state = 'waiting' AND stage IS NOT NULL
                AND (code IS NULL OR stage IN ('connecting', 'greeting', 'EHLO', 'STARTTLS', 'AUTH')))
        ORDER BY number FOR UPDATE SKIP LOCKED)
    UPDATE items SET next_attempt = $1, due = $1 FROM waiting WHERE items.number = waiting.number";
/// Locks an item, and tells whether this claim holds it.
pub(super) const HELD: &str = "
    SELECT number, claimed AND owner IS NOT DISTINCT FROM $2 AND token = $3 AS is_held FROM items WHERE id = $1 FOR UPDATE";
pub(super) const NOTE: &str = "
    UPDATE item_recipients AS one
    SET state = new.state, stage = new.stage, code = new.code, status = new.status, answer = new.answer
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
        AS new (number, state, stage, code, status, answer)
    WHERE one.item = $1 AND one.number = new.number AND one.state = 'waiting'";
/// If it still waits for anybody. What was decided meanwhile comes first; what could not be sent back waits for a new decision.
pub(super) const RESCHEDULE: &str = "
    UPDATE items SET
        attempts = attempts + 1, next_attempt = $2, claimed = FALSE,
        bounce = CASE WHEN $5 THEN NULL ELSE bounce END,
        due = CASE
            WHEN hold IS NOT NULL THEN 9223372036854775807
            WHEN bounce IS NOT NULL AND NOT $5 THEN $6
            ELSE $3 END,
        problem = CASE WHEN hold IS NOT NULL THEN 'frozen' ELSE $4 END
    WHERE number = $1 AND EXISTS (SELECT 1 FROM item_recipients WHERE item = $1 AND state = 'waiting')";
/// If it waits for nobody any more.
pub(super) const REMOVE_DONE: &str = "
    WITH gone AS (
        DELETE FROM items
        WHERE number = $1 AND NOT EXISTS (SELECT 1 FROM item_recipients WHERE item = $1 AND state = 'waiting')
        RETURNING blob)
    INSERT INTO doomed (blob) SELECT blob FROM gone WHERE blob IS NOT NULL ON CONFLICT DO NOTHING";

/// Later than any moment.
const NEVER: i64 = i64::MAX;

/// Claims what is due, or was claimed until a moment that has passed. A row that cannot be read keeps its claim, and the others
/// go on.
async fn claim_due(
    db: &Connection,
    by: &Claimant,
    now: Timestamp,
    most: usize,
    shares: &ClaimShares,
    served: &str,
) -> Result<Vec<Item>> {
    let (names, counts): (Vec<&str>, Vec<i64>) =
        shares.named().map(|(name, count)| (name, limit(count))).unzip();
    let (now, until, most, others) = (Time(now), Time(by.until), limit(most), limit(shares.of_others()));
    let values: Parameters<'_> = &[&now, &until, &most, &by.owner, &names, &counts, &others, &served];
    let rows = db.query(CLAIM, values).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in &rows {
        match items::claimed(row, by) {
            Ok(item) => items.push(item),
            Err(error) => {
                let number: i64 = get(row, "number")?;
                tracing::error!(number, %error, "a row of the queue cannot be read; it waits");
            }
        }
    }
    Ok(items)
}

/// Frees what nodes hold that have gone, and tells how many items that were: whatever still comes of them is late.
pub(super) async fn free_claims_of(db: &Connection, dead: &[FolderId]) -> Result<u64> {
    if dead.is_empty() { Ok(0) } else { db.execute(FREE, &[&dead]).await }
}

/// Records an attempt, if its claim holds the item. That may have been dropped meanwhile; what happened has happened all the
/// same.
pub(super) async fn finish_attempt(change: &mut Change, attempt: Attempt) -> Result<AttemptEnd> {
    // Before its item: a recall does so too.
    let notifies = match &attempt.notifies {
        Some(link) => transfers::lock_link(&change.db, link).await?.map(|transfer| (transfer, link)),
        None => None,
    };
    let Attempt { item, claim, .. } = &attempt;
    let held = change.db.row(HELD, &[item, &claim.owner, &Number(claim.token)]).await?;
    let is_held = held.as_ref().map(|row| get(row, "is_held")).transpose()?;
    if claim.end(is_held, attempt.now) == AttemptEnd::ClaimLost {
        return Ok(AttemptEnd::ClaimLost);
    }
    // While the item is there: it tells when the notification was made.
    if let Some((transfer, link)) = notifies {
        status::note_deliveries(change, transfer, link, &attempt).await?;
    }
    if let Some(row) = &held {
        record(&change.db, number(row, "number")?, &attempt).await?;
    }
    tracking::keep(&change.db, &attempt.tracks).await?;
    let reports = match held {
        Some(_) => attempt.reports,
        // It may have been recorded before, and only the answer was lost.
        None => items::missing(&change.db, &attempt.reports).await?,
    };
    items::put(&change.db, reports).await?;
    change.record_all(attempt.events).await?;
    Ok(AttemptEnd::Recorded)
}

async fn record(db: &Connection, number: i64, attempt: &Attempt) -> Result<()> {
    let why: Vec<_> = attempt.outcomes.iter().map(|(_, outcome)| outcome.diagnostic()).collect();
    let numbers: Vec<_> = attempt.outcomes.iter().map(|(number, _)| Number(*number)).collect();
    let states: Vec<_> =
        attempt.outcomes.iter().map(|(_, outcome)| RecipientState::after(outcome).as_str()).collect();
    let stages: Vec<_> = why.iter().map(|why| why.and_then(|why| why.stage)).collect();
    let codes: Vec<_> =
        why.iter().map(|why| why.and_then(|why| why.source.reply_code()).map(Number)).collect();
    let statuses: Vec<_> = why.iter().map(|why| why.and_then(|why| why.status)).collect();
    let answers: Vec<_> = why.iter().map(|why| why.map_or("", |why| &why.text)).collect();

    let next = attempt.next_attempt;
    let due = if attempt.problem == Some(Problem::Frozen) { NEVER } else { next.as_microsecond() };
    let statements: [(&str, Parameters<'_>); 3] = [
        (NOTE, &[&number, &numbers, &states, &stages, &codes, &statuses, &answers]),
        (
            RESCHEDULE,
            &[&number, &Time(next), &due, &attempt.problem, &attempt.sends_back, &Time(attempt.now)],
        ),
        (REMOVE_DONE, &[&number]),
    ];
    db.in_turn(&statements).await.map(drop)
}
