//! Links and the sessions they open: counting tries, the lock, the browser session. The counts are rows,
//! so neither a restart nor another node sets them back (C16, H19). A link is locked while its tries are counted.

use async_trait::async_trait;
use futures_util::FutureExt;

use super::Postgres;
use super::change::Change;
use super::columns::{Number, Time, get, number, time, time_or_none};
use super::lent::Connection;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::Link;
use crate::limits::TryRule;
use crate::store::access::{OTHER_SESSIONS, Tries, USE_NOTED};
use crate::store::{AccessStore, Result, Session, StoreError, Try};

#[async_trait]
impl AccessStore for Postgres {
    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try> {
        self.write(move |change| async move { begin_try(&change.db, &link, rule, now).await }.boxed()).await
    }

    async fn withdraw_try(&self, link: Link, locked: Option<Timestamp>) -> Result<()> {
        self.write(move |change| {
            async move {
                let Link { transfer, recipient } = &link;
                change.db.execute(WITHDRAW, &[transfer, &Number(*recipient), &locked.map(Time)]).await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    async fn open(&self, session: Session, event: Event) -> Result<()> {
        self.write(move |change| async move { open(change, &session, event).await }.boxed()).await
    }

    async fn note_opened(&self, link: Link, now: Timestamp) -> Result<()> {
        self.write(move |change| async move { note_opened(&change.db, &link, now).await }.boxed()).await
    }

    async fn session_link(&self, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Link>> {
        let session = self.read(move |db| session(db, id, idle_since).boxed()).await?;
        Ok(session.map(|session| session.link))
    }

    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>> {
        let Some(session) = self.read(move |db| session(db, id, idle_since).boxed()).await? else {
            return Ok(None);
        };
        if now.duration_since(session.used) < USE_NOTED {
            return Ok(Some(session));
        }
        // It may have ended between the two: then the answer is the later one.
        let is_live =
            self.write(move |change| async move { touch(&change.db, id, now).await }.boxed()).await?;
        Ok(is_live.then_some(Session { used: now, ..session }))
    }

    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()> {
        self.write(move |change| end_session(change, id, event).boxed()).await
    }
}

pub(super) const TRIES: &str = "
    SELECT r.transfer, r.tries, r.locked_until FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = $1 AND r.number = $2 FOR NO KEY UPDATE OF r";
pub(super) const COUNT: &str = "
    UPDATE transfer_recipients SET tries = $3, locked_until = $4 WHERE transfer = $1 AND number = $2";
/// Another try may have been counted since: its lock stays.
pub(super) const WITHDRAW: &str = "
    UPDATE transfer_recipients SET tries = tries - 1, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = $1) AND number = $2
        AND tries > 0 AND locked_until IS NOT DISTINCT FROM $3";
pub(super) const CLEAR: &str = "
    UPDATE transfer_recipients SET tries = 0, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = $1) AND number = $2
        AND key_packet IS NOT NULL AND (tries > 0 OR locked_until IS NOT NULL)";
/// A link whose key is gone, or that was recalled, is not opened any more. Its row stays locked: who closes it ends the
/// session that begins now as well.
pub(super) const UNLOCKED: &str = "
    UPDATE transfer_recipients SET tries = 0, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = $1) AND number = $2
        AND key_packet IS NOT NULL AND recalled IS NULL AND bounced IS NULL
    RETURNING transfer";
pub(super) const OPENED: &str = "
    UPDATE transfer_recipients SET opened = coalesce(opened, $3)
    WHERE transfer = (SELECT number FROM transfers WHERE id = $1) AND number = $2
        AND key_packet IS NOT NULL AND recalled IS NULL AND bounced IS NULL";
pub(super) const BEGIN: &str =
    "INSERT INTO sessions (id, transfer, recipient, wrapped_key, used) VALUES ($1, $2, $3, $4, $5)";
pub(super) const SESSION: &str = "
    SELECT t.id, s.recipient, s.wrapped_key, s.used FROM sessions s JOIN transfers t ON t.number = s.transfer
    WHERE s.id = $1 AND s.used >= $2";
pub(super) const TOUCH: &str = "UPDATE sessions SET used = greatest(used, $2) WHERE id = $1";
pub(super) const END: &str = "DELETE FROM sessions WHERE id = $1";
/// All sessions of a link but the new one and those that were used last.
pub(super) const CROWD: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE transfer = $1 AND recipient = $2 AND id <> $3 ORDER BY used DESC OFFSET $4)";

/// Counts a try before it is made; the lock on the link makes look and count one step for all nodes.
async fn begin_try(db: &Connection, link: &Link, rule: TryRule, now: Timestamp) -> Result<Try> {
    let recipient = Number(link.recipient);
    let Some(row) = db.row(TRIES, &[&link.transfer, &recipient]).await? else { return Ok(Try::Unknown) };
    let before = Tries { made: number(&row, "tries")?, locked_until: time_or_none(&row, "locked_until")? };
    match before.and_one(rule, now) {
        Err(until) => Ok(Try::Locked(until)),
        Ok(Tries { made, locked_until: locked }) => {
            let transfer: i64 = number(&row, "transfer")?;
            db.execute(COUNT, &[&transfer, &recipient, &Number(made), &locked.map(Time)]).await?;
            Ok(Try::Allowed { locked })
        }
    }
}

/// Tries and lock are forgotten; the event is kept only if there were any.
pub(super) async fn clear_tries(change: &mut Change, link: &Link, event: Event) -> Result<bool> {
    let cleared = change.db.execute(CLEAR, &[&link.transfer, &Number(link.recipient)]).await? > 0;
    if cleared {
        change.record(event).await?;
    }
    Ok(cleared)
}

/// A right password. Fails when the link was closed while the password was being checked.
async fn open(change: &mut Change, session: &Session, event: Event) -> Result<()> {
    let recipient = Number(session.link.recipient);
    let unlocked = change.db.row(UNLOCKED, &[&session.link.transfer, &recipient]).await?;
    let transfer: i64 = number(&unlocked.ok_or(StoreError::Gone)?, "transfer")?;
    let (id, used) = (&session.id[..], Time(session.used));
    change.db.execute(BEGIN, &[&id, &transfer, &recipient, &session.wrapped_key, &used]).await?;
    change.db.execute(CROWD, &[&transfer, &recipient, &id, &i64::from(OTHER_SESSIONS)]).await?;
    change.record(event).await
}

/// Fails when the link was closed since the password was checked.
async fn note_opened(db: &Connection, link: &Link, now: Timestamp) -> Result<()> {
    let noted = db.execute(OPENED, &[&link.transfer, &Number(link.recipient), &Time(now)]).await?;
    if noted == 0 { Err(StoreError::Gone) } else { Ok(()) }
}

/// The session, if it was used at or after `idle_since`.
async fn session(db: &Connection, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Session>> {
    let Some(row) = db.row(SESSION, &[&&id[..], &Time(idle_since)]).await? else { return Ok(None) };
    let link = Link { transfer: get(&row, "id")?, recipient: number(&row, "recipient")? };
    Ok(Some(Session { id, link, wrapped_key: get(&row, "wrapped_key")?, used: time(&row, "used")? }))
}

/// Notes a use; tells whether the session is still there.
async fn touch(db: &Connection, id: [u8; 32], now: Timestamp) -> Result<bool> {
    Ok(db.execute(TOUCH, &[&&id[..], &Time(now)]).await? > 0)
}

/// Ends a session; the event is kept only if there was one.
async fn end_session(change: &mut Change, id: [u8; 32], event: Event) -> Result<()> {
    if change.db.execute(END, &[&&id[..]]).await? > 0 {
        change.record(event).await?;
    }
    Ok(())
}
