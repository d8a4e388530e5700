//! Items of the queue as rows: many of them are put in by one statement, whole, and read by one.

use std::borrow::Borrow;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::blobs::named;
use super::columns::{Json, Number, Time, column, get, number, time};
use super::lent::Connection;
use super::tracking;
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::diagnostic::{Diagnostic, EnhancedCode, Source, Stage};
use crate::envelope::{EnvelopeRecipient, RcptParameters};
use crate::id::{FolderId, Link, QueueId};
use crate::secret::keyring::{KeyId, KeyRef};
use crate::store::{Body, BodyData, ByHand, Claim, Item, NewItem, PendingRecipient, Result, StoreError};

/// Items, and of each its recipients. Where a claim is given, they are born claimed.
pub(super) const INSERT: &str = "
    WITH new AS (
        INSERT INTO items
            (id, kind, reverse_path, parameters, transfer, recipient, body, blob, key, created, track, organisation,
             next_attempt, due, claimed, owner, token)
        SELECT id, kind, reverse_path, parameters, transfer, recipient, body, blob, key, created, track,
            organisation, created, coalesce($16::bigint, created), $16 IS NOT NULL, $15::text, CASE WHEN $16 IS NULL THEN 0 ELSE 1 END
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[], $8::text[],
                $9::bigint[], $10::bigint[], $17::text[], $18::text[])
            AS new (id, kind, reverse_path, parameters, transfer, recipient, body, blob, key, created, track, organisation)
        RETURNING number, id)
    INSERT INTO item_recipients (item, number, address, parameters)
    SELECT new.number, one.number, one.address, one.parameters
    FROM unnest($11::text[], $12::bigint[], $13::text[], $14::text[]) AS one (item, number, address, parameters)
    JOIN new ON new.id = one.item";

/// Puts items into the queue, in this order, due at once or born with a claim. One statement: all of them or none.
pub(super) async fn insert<T>(db: &Connection, items: &[T], claim: Option<&Claim>) -> Result<()>
where
    T: Borrow<NewItem> + Sync,
{
    if items.is_empty() {
        return Ok(());
    }
    let items: &[&NewItem] = &items.iter().map(Borrow::borrow).collect::<Vec<_>>();
    let ids = column(items, |item| &item.id);
    let kinds = column(items, |item| item.kind);
    let paths = column(items, |item| item.envelope.reverse_path.address());
    let parameters = column(items, |item| Json(&item.envelope.parameters));
    let transfers = column(items, |item| item.link.as_ref().map(|link| &link.transfer));
    let links = column(items, |item| item.link.as_ref().map(|link| Number(link.recipient)));
    let bodies = column(items, |item| match &item.body.data {
        BodyData::Inline(body) => Some(&body[..]),
        BodyData::Blob(_) => None,
    });
    let blobs = column(items, |item| match &item.body.data {
        BodyData::Inline(_) => None,
        BodyData::Blob(blob) => Some(blob),
    });
    let keys = column(items, |item| item.body.key.as_ref().map(KeyRef::id));
    items.iter().filter_map(|item| item.body.key.clone()).for_each(|key| db.hold(key));
    let created = column(items, |item| Time(item.created));

    named(db, &blobs.iter().copied().flatten().cloned().collect::<Vec<_>>()).await?;

    let recipients: Vec<_> = items
        .iter()
        .flat_map(|item| {
            item.envelope
                .recipients
                .iter()
                .zip(1u32..)
                .map(move |(recipient, place)| (&item.id, place, recipient))
        })
        .collect();
    let of_items: Vec<_> = recipients.iter().map(|(item, ..)| *item).collect();
    let places: Vec<_> = recipients.iter().map(|(_, place, _)| Number(*place)).collect();
    let addresses: Vec<_> = recipients.iter().map(|(.., recipient)| &recipient.address).collect();
    let options: Vec<_> = recipients.iter().map(|(.., recipient)| Json(&recipient.parameters)).collect();
    let (owner, until) = (claim.map(|claim| &claim.owner), claim.map(|claim| Time(claim.until)));
    db.execute(
        INSERT,
        &[
            &ids,
            &kinds,
            &paths,
            &parameters,
            &transfers,
            &links,
            &bodies,
            &blobs,
            &keys,
            &created,
            &of_items,
            &places,
            &addresses,
            &options,
            &owner,
            &until,
            &column(items, |item| Json(&item.track)),
            &column(items, |item| &item.organisation),
        ],
    )
    .await?;
    Ok(())
}

/// Puts items into the queue, due at once, where they can be found from now on. Not for ordinary mail, which is found once it
/// was tried.
pub(super) async fn put(db: &Connection, mut items: Vec<NewItem>) -> Result<()> {
    tracking::queued(db, &mut items).await?;
    insert(db, &items, None).await
}

pub(super) const KNOWN: &str = "SELECT id FROM items WHERE id = ANY($1::text[])";

/// Those that are not in the queue.
pub(super) async fn missing(db: &Connection, items: &[NewItem]) -> Result<Vec<NewItem>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db.query(KNOWN, &[&column(items, |item| &item.id)]).await?;
    let known = rows.iter().map(|row| get(row, "id")).collect::<Result<Vec<QueueId>>>()?;
    Ok(items.iter().filter(|item| !known.contains(&item.id)).cloned().collect())
}

/// Who claims, until when, and under which lease.
#[derive(Clone, Debug)]
pub(super) struct Claimant {
    pub owner: FolderId,
    pub until: Timestamp,
    pub lease: u64,
}

impl Claimant {
    fn claim(&self, token: u64) -> Claim {
        Claim { owner: self.owner.clone(), token, until: self.until, lease: self.lease }
    }
}

/// A row of an item that was claimed so, with the recipients that still wait, each column of theirs an array.
pub(super) fn claimed(row: &Row, by: &Claimant) -> Result<Item> {
    let data = match get(row, "blob")? {
        Some(blob) => BodyData::Blob(blob),
        None => BodyData::Inline(get::<Option<_>>(row, "body")?.ok_or(StoreError::Corrupt("queue body"))?),
    };
    Ok(Item {
        id: get(row, "id")?,
        kind: get(row, "kind")?,
        organisation: get(row, "organisation")?,
        reverse_path: reverse_path(row)?,
        parameters: get::<Json<_>>(row, "parameters")?.0,
        recipients: waiting(row)?,
        body: Body { key: get::<Option<KeyId>>(row, "key")?.map(KeyRef::stored), data },
        link: link(row)?,
        track: get::<Json<_>>(row, "track")?.0,
        created: time(row, "created")?,
        attempts: number(row, "attempts")?,
        by_hand: by_hand(row)?,
        claim: by.claim(number(row, "token")?),
    })
}

fn waiting(row: &Row) -> Result<Vec<PendingRecipient>> {
    let numbers = list::<Number<u32>>(row, "numbers")?;
    let addresses = list::<Address>(row, "addresses")?;
    let options = list::<Json<RcptParameters>>(row, "options")?;
    let both = addresses.into_iter().zip(options);
    let recipients =
        both.map(|(address, parameters)| EnvelopeRecipient { address, parameters: parameters.0 });
    let numbered = numbers.into_iter().zip(recipients);
    Ok(numbered.map(|(number, recipient)| PendingRecipient { number: number.0, recipient }).collect())
}

/// What `array_agg` makes of a column; of no rows it makes NULL.
pub(super) fn list<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<Vec<T>> {
    Ok(get::<Option<Vec<T>>>(row, column)?.unwrap_or_default())
}

/// What was decided on an item.
pub(super) fn by_hand(row: &Row) -> Result<ByHand> {
    Ok(ByHand {
        hold: get::<Json<_>>(row, "hold")?.0,
        bounce: get::<Json<_>>(row, "bounce")?.0,
        held_for: Duration::from_micros(number(row, "held_for")?),
    })
}

/// NULL is the null reverse path.
pub(super) fn reverse_path(row: &Row) -> Result<ReversePath> {
    Ok(get::<Option<_>>(row, "reverse_path")?.map_or(ReversePath::Null, ReversePath::Address))
}

fn link(row: &Row) -> Result<Option<Link>> {
    let (transfer, recipient) =
        (get::<Option<_>>(row, "transfer")?, get::<Option<Number<u16>>>(row, "recipient")?);
    Ok(transfer.zip(recipient).map(|(transfer, recipient)| Link { transfer, recipient: recipient.0 }))
}

/// Why a recipient was not reached, from its columns; `None` before the first attempt, and where it was reached.
pub(super) fn diagnostic(
    stage: Option<Stage>,
    code: Option<Number<u16>>,
    status: Option<EnhancedCode>,
    text: String,
) -> Option<Diagnostic> {
    let source = code.map_or(Source::Local, |code| Source::Remote(code.0));
    let found = Diagnostic { stage, source, status, text };
    Some(found).filter(|found| !found.to_string().is_empty())
}
