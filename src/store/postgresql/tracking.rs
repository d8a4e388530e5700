//! Where mail is, and where it went. Whoever puts a mail into the queue, tries it or takes it out keeps its rows in the same
//! transaction; only ordinary mail gets them afterwards, by [`TrackingStore::write_tracks`] of the node that had it.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::Row;

use super::Postgres;
use super::columns::{Number, Time, column, get, limit, number, time};
use super::lent::{Connection, Parameters};
use crate::clock::earlier;
use crate::id::{QueueId, TransferId};
use crate::store::tracking::{AT_ONCE, MOST_LATE, Narrowest, domain_of, sort};
use crate::store::{NewItem, OrganisationFilter, Result, TrackQuery, TrackRow, TrackingStore, Who};

#[async_trait]
impl TrackingStore for Postgres {
    fn track(&self, rows: Vec<TrackRow>) {
        self.behind.add(rows);
    }

    async fn write_tracks(&self) -> Result<usize> {
        let write = |rows: Vec<TrackRow>| async move {
            let batch = rows.clone();
            let kept = self.read(move |db| async move { keep(db, &batch).await }.boxed()).await;
            kept.map_err(|error| (error, rows))
        };
        self.behind.write_all(write).await
    }

    /// What the node here has in its journal is read first, for it may become a row meanwhile.
    async fn find_tracks(&self, query: TrackQuery) -> Result<Vec<QueueId>> {
        let journalled = self.journalled_rows().await?;
        let asked = query.clone();
        let found = self.read(move |db| async move { find(db, &asked).await }.boxed()).await?;
        Ok(query.messages(journalled, found))
    }

    async fn tracks(&self, messages: Vec<QueueId>) -> Result<Vec<TrackRow>> {
        let journalled = self.journalled_rows().await?;
        let asked = messages.clone();
        let rows = self.read(move |db| {
            async move {
                let rows = db.query(OF_MESSAGES, &[&asked]).await?;
                rows.iter().map(read).collect::<Result<Vec<_>>>()
            }
            .boxed()
        });
        let mut rows = rows.await?;
        let known: HashSet<QueueId> = rows.iter().map(|row| row.tracking.clone()).collect();
        let is_new = |row: &TrackRow| messages.contains(&row.tracking) && !known.contains(&row.tracking);
        rows.extend(journalled.into_iter().filter(is_new));
        sort(&mut rows);
        Ok(rows)
    }

    async fn forget_tracks(&self, mailbox: String, whose: Option<OrganisationFilter>) -> Result<usize> {
        self.read(move |db| {
            async move {
                let domains = whose.as_ref().map(|whose| &whose.domains);
                let nameless = whose.as_ref().is_none_or(|whose| whose.nameless);
                let mut forgotten = 0;
                for rows in FORGET_MAILBOX {
                    let values: Parameters<'_> = &[&mailbox, &limit(AT_ONCE), &domains, &nameless];
                    forgotten += db.execute(rows, values).await? as usize;
                }
                Ok(forgotten)
            }
            .boxed()
        })
        .await
    }
}

impl Postgres {
    /// Of mail that is in the journal of the node here, the oldest first.
    async fn journalled_rows(&self) -> Result<Vec<TrackRow>> {
        let items = self.journalled_elsewhere().await?;
        Ok(items.iter().flat_map(|item| TrackRow::queued(item, &item.track)).collect())
    }
}

/// What came later of a mail overwrites what is known of it, never the other way round.
pub(super) const KEEP: &str = "
    INSERT INTO tracking AS old
        (tracking, item, recipient_number, time, kind, sender, sender_domain, recipient, recipient_domain, message_id, size,
         client, rule, transfer, link, state, attempts, changed, next_hop, tls, answer, organisation)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::text[],
        $17::bigint[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[])
    ON CONFLICT (tracking, item, recipient_number) DO UPDATE SET
        state = excluded.state, attempts = excluded.attempts, changed = excluded.changed, next_hop = excluded.next_hop,
        tls = excluded.tls, answer = excluded.answer
    WHERE excluded.attempts > old.attempts OR old.state IN ('waiting', 'frozen', 'removed')";
pub(super) const OF_TRANSFERS: &str =
    "SELECT id, tracking FROM transfers WHERE id = ANY($1::text[]) AND tracking IS NOT NULL";
pub(super) const OF_MESSAGES: &str = "SELECT * FROM tracking WHERE tracking = ANY($1::text[])";
pub(super) const FORGET_MAILBOX: [&str; 2] = [
    "DELETE FROM tracking WHERE number = ANY(ARRAY(
        SELECT number FROM tracking
        WHERE recipient = $1 AND ($3::text[] IS NULL OR organisation = ANY($3) OR organisation IS NULL AND $4::boolean)
        LIMIT $2))",
    "DELETE FROM tracking WHERE number = ANY(ARRAY(
        SELECT number FROM tracking
        WHERE sender = $1 AND ($3::text[] IS NULL OR organisation = ANY($3) OR organisation IS NULL AND $4::boolean)
        LIMIT $2))",
];
pub(super) const FORGET_TRACKS: &str = "
    DELETE FROM tracking WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM tracking WHERE time < $1 ORDER BY time LIMIT $2 FOR UPDATE SKIP LOCKED))";

macro_rules! find {
    ($narrowest:literal) => {
        concat!(
            "SELECT tracking FROM tracking WHERE ",
            $narrowest,
            " AND time >= $1 AND time <= $2
                AND ($3::text IS NULL OR recipient = $3) AND ($4::text IS NULL OR recipient_domain = $4)
                AND ($5::text IS NULL OR sender = $5) AND ($6::text IS NULL OR sender_domain = $6)
                AND ($7::text IS NULL OR message_id = $7) AND ($8::text IS NULL OR transfer = $8)
                AND ($9::text IS NULL OR tracking = $9 OR item = $9)
                AND ($11::text[] IS NULL OR organisation = ANY($11) OR organisation IS NULL AND $12::boolean)
            ORDER BY time DESC LIMIT $10"
        )
    };
}

/// The statement that answers a query by its narrowest index.
pub(super) fn find_by(narrowest: Narrowest) -> &'static str {
    match narrowest {
        Narrowest::Id => find!("(tracking = $9 OR item = $9 AND item <> tracking)"),
        Narrowest::MessageId => find!("message_id = $7"),
        Narrowest::Transfer => find!("transfer = $8"),
        Narrowest::Recipient => find!("recipient = $3"),
        Narrowest::Sender => find!("sender = $5"),
        Narrowest::RecipientDomain => find!("recipient_domain = $4"),
        Narrowest::SenderDomain => find!("sender_domain = $6"),
        Narrowest::Time => find!("TRUE"),
    }
}

async fn find(db: &Connection, query: &TrackQuery) -> Result<Vec<QueueId>> {
    let mailbox = |who: &Option<Who>| match who {
        Some(Who::Mailbox(mailbox)) => Some(mailbox.clone()),
        _ => None,
    };
    let domain = |who: &Option<Who>| match who {
        Some(Who::Domain(domain)) => Some(domain.clone()),
        _ => None,
    };
    let rows = db
        .query(
            find_by(query.narrowest()),
            &[
                &Time(query.since),
                &Time(query.until),
                &mailbox(&query.to),
                &domain(&query.to),
                &mailbox(&query.from),
                &domain(&query.from),
                &query.message_id,
                &query.transfer,
                &query.id,
                &limit(query.rows()),
                &query.organisation.as_ref().map(|whose| &whose.domains),
                &query.organisation.as_ref().is_none_or(|whose| whose.nameless),
            ],
        )
        .await?;
    rows.iter().map(|row| get(row, "tracking")).collect()
}

/// Writes rows, or what is new of them, in one statement and in one order: two nodes that write the same rows wait for each
/// other and do not lock one another out. Of two rows for one recipient the later one counts.
pub(super) async fn keep(db: &Connection, rows: &[TrackRow]) -> Result<()> {
    let rows: BTreeMap<_, _> = rows.iter().map(|row| ((&row.tracking, &row.item, row.number), row)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<&TrackRow> = rows.into_values().collect();
    db.execute(
        KEEP,
        &[
            &column(&rows, |row| &row.tracking),
            &column(&rows, |row| row.item.as_ref()),
            &column(&rows, |row| Number(row.number)),
            &column(&rows, |row| Time(row.time)),
            &column(&rows, |row| row.kind),
            &column(&rows, |row| &row.sender),
            &column(&rows, |row| domain_of(&row.sender)),
            &column(&rows, |row| &row.recipient),
            &column(&rows, |row| domain_of(&row.recipient)),
            &column(&rows, |row| row.message_id.as_ref()),
            &column(&rows, |row| Number(row.size)),
            &column(&rows, |row| row.client.as_ref()),
            &column(&rows, |row| row.rule.as_ref()),
            &column(&rows, |row| row.transfer.as_ref()),
            &column(&rows, |row| row.link.map(Number)),
            &column(&rows, |row| row.state.as_str()),
            &column(&rows, |row| Number(row.attempts)),
            &column(&rows, |row| Time(row.changed)),
            &column(&rows, |row| row.next_hop.as_ref()),
            &column(&rows, |row| row.tls.as_ref()),
            &column(&rows, |row| row.answer.as_ref()),
            &column(&rows, |row| row.organisation.as_ref()),
        ],
    )
    .await?;
    Ok(())
}

/// Keeps the rows of mails that are put into the queue; says in the mails which messages they come of.
pub(super) async fn queued(db: &Connection, items: &mut [NewItem]) -> Result<()> {
    let unknown = |item: &&mut NewItem| item.track.tracking.is_none();
    let transfers: Vec<TransferId> =
        items.iter_mut().filter(unknown).filter_map(|item| about(item).cloned()).collect();
    if !transfers.is_empty() {
        let rows = db.query(OF_TRANSFERS, &[&transfers]).await?;
        let known = rows.iter().map(|row| Ok((get(row, "id")?, get(row, "tracking")?)));
        let known: BTreeMap<TransferId, QueueId> = known.collect::<Result<_>>()?;
        for item in items.iter_mut().filter(unknown) {
            item.track.tracking = about(item).and_then(|transfer| known.get(transfer)).cloned();
        }
    }
    let rows: Vec<_> = items.iter().flat_map(|item| TrackRow::queued(item, &item.track)).collect();
    keep(db, &rows).await
}

/// What a crash has kept from being written: mail that the journal of a node still knows, and that was accepted not long before the
/// last of it. Unlike in a data folder the newest row says nothing: other nodes went on.
pub(super) async fn find_again(db: &Connection, ended: &[NewItem]) -> Result<()> {
    let Some(last) = ended.iter().map(|item| item.created).max() else { return Ok(()) };
    let late: Vec<_> = ended.iter().filter(|item| item.created >= earlier(last, MOST_LATE)).collect();
    for some in late.chunks(AT_ONCE) {
        let messages = column(some, |item| item.track.tracking.as_ref().unwrap_or(&item.id));
        let known = db.query(OF_MESSAGES, &[&messages]).await?;
        let known = known.iter().map(|row| get(row, "item"));
        let known = known.collect::<Result<HashSet<Option<QueueId>>>>()?;
        let new = some.iter().filter(|item| !known.contains(&Some(item.id.clone())));
        keep(db, &new.flat_map(|item| TrackRow::left(item)).collect::<Vec<_>>()).await?;
    }
    Ok(())
}

fn about(item: &NewItem) -> Option<&TransferId> {
    item.track.transfer.as_ref().or(item.link.as_ref().map(|link| &link.transfer))
}

fn read(row: &Row) -> Result<TrackRow> {
    Ok(TrackRow {
        tracking: get(row, "tracking")?,
        item: get(row, "item")?,
        number: number(row, "recipient_number")?,
        time: time(row, "time")?,
        kind: get(row, "kind")?,
        sender: get(row, "sender")?,
        recipient: get(row, "recipient")?,
        message_id: get(row, "message_id")?,
        size: number(row, "size")?,
        client: get(row, "client")?,
        rule: get(row, "rule")?,
        transfer: get(row, "transfer")?,
        link: get::<Option<Number<u16>>>(row, "link")?.map(|link| link.0),
        state: get::<&str>(row, "state")?.parse()?,
        attempts: number(row, "attempts")?,
        changed: time(row, "changed")?,
        next_hop: get(row, "next_hop")?,
        tls: get(row, "tls")?,
        answer: get(row, "answer")?,
        organisation: get(row, "organisation")?,
    })
}
