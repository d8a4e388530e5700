//! Transfers as new rows: any number of them, each with its recipients and parts, is put in by one statement.

use super::blobs::named;
use super::columns::{Json, Number, Time, column};
use super::lent::Connection;
use crate::id::{QueueId, TransferId};
use crate::store::{NewTransfer, Result};

pub(super) const INSERT: &str = "
    WITH new AS (
        INSERT INTO transfers
            (id, created, expires, sender, password, automatic, files, language, download_notice, file_names,
             first_reminder, message_id, reply_to, on_behalf_of, tracking, organisation, generation)
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::boolean[], $6::boolean[],
            $7::bigint[], $8::text[], $9::boolean[], $10::boolean[], $11::bigint[], $12::text[], $13::text[],
            $14::text[], $24::text[], $25::text[], $26::bigint[])
        RETURNING number, id),
    recipients AS (
        INSERT INTO transfer_recipients (transfer, number, address, key_packet, key)
        SELECT new.number, one.number, one.address, one.key_packet, one.key
        FROM unnest($15::text[], $16::bigint[], $17::text[], $18::bytea[], $19::bigint[])
            AS one (transfer, number, address, key_packet, key)
        JOIN new ON new.id = one.transfer)
    INSERT INTO parts (transfer, number, blob, size)
    SELECT new.number, one.number, one.blob, one.size
    FROM unnest($20::text[], $21::bigint[], $22::text[], $23::bigint[]) AS one (transfer, number, blob, size)
    JOIN new ON new.id = one.transfer";

/// Puts transfers in, each with the message that it was sealed from; their parts are in the blob store. One statement: all of them or none.
pub(super) async fn insert(db: &Connection, sealed: &[(&NewTransfer, &QueueId)]) -> Result<()> {
    if sealed.is_empty() {
        return Ok(());
    }
    let transfers: &[&NewTransfer] = &sealed.iter().map(|(transfer, _)| *transfer).collect::<Vec<_>>();
    let recipients = of_each(transfers, |transfer| &transfer.recipients);
    let packets = recipients.iter().map(|(_, recipient)| db.wrap(&recipient.key_packet));
    let packets = packets.collect::<Result<Vec<_>>>()?;
    let parts = of_each(transfers, |transfer| &transfer.parts);
    named(db, &column(&parts, |(_, part)| part.blob.clone())).await?;
    db.execute(
        INSERT,
        &[
            &column(transfers, |transfer| &transfer.id),
            &column(transfers, |transfer| Time(transfer.created)),
            &column(transfers, |transfer| Time(transfer.expires)),
            &column(transfers, |transfer| &transfer.sender),
            &column(transfers, |transfer| transfer.password),
            &column(transfers, |transfer| transfer.automatic),
            &column(transfers, |transfer| Number(transfer.files)),
            &column(transfers, |transfer| &transfer.language),
            &column(transfers, |transfer| transfer.download_notice),
            &column(transfers, |transfer| transfer.file_names),
            &column(transfers, |transfer| transfer.first_reminder.map(Time)),
            &column(transfers, |transfer| &transfer.message_id),
            &column(transfers, |transfer| Json(&transfer.reply_to)),
            &column(transfers, |transfer| Json(&transfer.on_behalf_of)),
            &column(&recipients, |(transfer, _)| *transfer),
            &column(&recipients, |(_, recipient)| Number(recipient.number)),
            &column(&recipients, |(_, recipient)| &recipient.address),
            &column(&packets, |(packet, _)| &packet[..]),
            &column(&packets, |(_, key)| *key),
            &column(&parts, |(transfer, _)| *transfer),
            &column(&parts, |(_, part)| Number(part.number)),
            &column(&parts, |(_, part)| &part.blob),
            &column(&parts, |(_, part)| Number(part.size)),
            &column(sealed, |(_, message)| *message),
            &column(transfers, |transfer| &transfer.organisation),
            &column(transfers, |transfer| Number(transfer.generation)),
        ],
    )
    .await?;
    Ok(())
}

/// What each transfer has several of, with the transfer that it belongs to.
fn of_each<'a, T>(
    transfers: &[&'a NewTransfer],
    what: impl Fn(&'a NewTransfer) -> &'a Vec<T>,
) -> Vec<(&'a TransferId, &'a T)> {
    let pairs = transfers.iter().flat_map(|transfer| what(transfer).iter().map(|one| (&transfer.id, one)));
    pairs.collect()
}
