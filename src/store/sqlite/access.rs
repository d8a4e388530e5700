//! Links and the sessions they open: counting tries, the lock, the browser session. The counts are rows,
//! so neither a restart nor a second node sets them back (C16, H19).

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::Sqlite;
use super::columns::Time;
use super::writer::Change;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::id::Link;
use crate::limits::TryRule;
use crate::store::access::{OTHER_SESSIONS, Tries, USE_NOTED};
use crate::store::room::DiskShare;
use crate::store::{AccessStore, Result, Session, StoreError, Try};

#[async_trait]
impl AccessStore for Sqlite {
    async fn begin_try(&self, link: Link, rule: TryRule, now: Timestamp) -> Result<Try> {
        self.write(move |change| begin_try(change, &link, rule, now)).await
    }

    async fn withdraw_try(&self, link: Link, locked: Option<Timestamp>) -> Result<()> {
        self.write(move |change| withdraw_try(change, &link, locked)).await
    }

    async fn open(&self, session: Session, event: Event) -> Result<()> {
        self.check_room(DiskShare::Mail).await?;
        self.write(move |change| open(change, &session, event)).await
    }

    async fn note_opened(&self, link: Link, now: Timestamp) -> Result<()> {
        self.write(move |change| note_opened(change, &link, now)).await
    }

    async fn session_link(&self, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Link>> {
        let session = self.readers.read(move |db| session(db, id, idle_since)).await?;
        Ok(session.map(|session| session.link))
    }

    async fn session(&self, id: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Result<Option<Session>> {
        let Some(session) = self.readers.read(move |db| session(db, id, idle_since)).await? else {
            return Ok(None);
        };
        if now.duration_since(session.used) < USE_NOTED {
            return Ok(Some(session));
        }
        // It may have ended between the two: then the answer is the later one.
        let live = self.write(move |change| touch(change, id, now)).await?;
        Ok(live.then_some(Session { used: now, ..session }))
    }

    async fn end_session(&self, id: [u8; 32], event: Event) -> Result<()> {
        self.write(move |change| end_session(change, id, event)).await
    }
}

pub(super) const TRIES: &str = "
    SELECT r.transfer, r.tries, r.locked_until FROM transfers t JOIN transfer_recipients r ON r.transfer = t.number
    WHERE t.id = ?1 AND r.number = ?2";
pub(super) const COUNT: &str = "
    UPDATE transfer_recipients SET tries = ?3, locked_until = ?4 WHERE transfer = ?1 AND number = ?2";
/// Another try may have been counted since: its lock stays.
pub(super) const WITHDRAW: &str = "
    UPDATE transfer_recipients SET tries = tries - 1, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND tries > 0 AND locked_until IS ?3";
pub(super) const CLEAR: &str = "
    UPDATE transfer_recipients SET tries = 0, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND key_packet IS NOT NULL AND (tries > 0 OR locked_until IS NOT NULL)";
/// A link whose key is gone, or that was recalled, is not opened any more.
pub(super) const UNLOCKED: &str = "
    UPDATE transfer_recipients SET tries = 0, locked_until = NULL
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND key_packet IS NOT NULL AND recalled IS NULL AND bounced IS NULL
    RETURNING transfer";
pub(super) const OPENED: &str = "
    UPDATE transfer_recipients SET opened = coalesce(opened, ?3)
    WHERE transfer = (SELECT number FROM transfers WHERE id = ?1) AND number = ?2
        AND key_packet IS NOT NULL AND recalled IS NULL AND bounced IS NULL";
pub(super) const SESSION: &str = "
    SELECT t.id, s.recipient, s.wrapped_key, s.used FROM sessions s JOIN transfers t ON t.number = s.transfer
    WHERE s.id = ?1 AND s.used >= ?2";
pub(super) const TOUCH: &str = "UPDATE sessions SET used = max(used, ?2) WHERE id = ?1";
pub(super) const END: &str = "DELETE FROM sessions WHERE id = ?1";
pub(super) const SWEEP: &str = "DELETE FROM sessions WHERE used < ?1";

/// All sessions of a link but the new one and those that were used last. They are sorted, as many as there may be.
const CROWD: &str = "
    DELETE FROM sessions WHERE id IN (
        SELECT id FROM sessions WHERE transfer = ?1 AND recipient = ?2 AND id <> ?3 ORDER BY used DESC LIMIT -1 OFFSET ?4)";

/// Counts a try before it is made; one writer makes look and count one step.
pub(super) fn begin_try(change: &mut Change<'_>, link: &Link, rule: TryRule, now: Timestamp) -> Result<Try> {
    let found = change
        .db
        .prepare_cached(TRIES)?
        .query_row(params![link.transfer, link.recipient], |row| {
            let locked_until = row.get::<_, Option<Time>>(2)?.map(|time| time.0);
            Ok((row.get::<_, i64>(0)?, Tries { made: row.get(1)?, locked_until }))
        })
        .optional()?;
    let Some((transfer, before)) = found else { return Ok(Try::Unknown) };
    match before.and_one(rule, now) {
        Err(until) => Ok(Try::Locked(until)),
        Ok(Tries { made, locked_until: locked }) => {
            let counted = params![transfer, link.recipient, made, locked.map(Time)];
            change.db.prepare_cached(COUNT)?.execute(counted)?;
            Ok(Try::Allowed { locked })
        }
    }
}

fn withdraw_try(change: &mut Change<'_>, link: &Link, locked: Option<Timestamp>) -> Result<()> {
    let mut withdraw = change.db.prepare_cached(WITHDRAW)?;
    withdraw.execute(params![link.transfer, link.recipient, locked.map(Time)])?;
    Ok(())
}

/// Tries and lock are forgotten; the event is kept only if there were any.
pub(super) fn clear_tries(change: &mut Change<'_>, link: &Link, event: Event) -> Result<bool> {
    let cleared = change.db.prepare_cached(CLEAR)?.execute(params![link.transfer, link.recipient])? > 0;
    if cleared {
        change.record(event)?;
    }
    Ok(cleared)
}

/// A right password. Fails when the link was closed while the password was being checked.
pub(super) fn open(change: &mut Change<'_>, session: &Session, event: Event) -> Result<()> {
    let link = &session.link;
    let transfer: i64 = change
        .db
        .prepare_cached(UNLOCKED)?
        .query_row(params![link.transfer, link.recipient], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::Gone)?;
    change
        .db
        .prepare_cached(
            "INSERT INTO sessions (id, transfer, recipient, wrapped_key, used) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![session.id, transfer, link.recipient, session.wrapped_key, Time(session.used)])?;
    change.db.prepare_cached(CROWD)?.execute(params![
        transfer,
        link.recipient,
        session.id,
        OTHER_SESSIONS
    ])?;
    change.record(event)
}

/// Fails when the link was closed since the password was checked.
fn note_opened(change: &mut Change<'_>, link: &Link, now: Timestamp) -> Result<()> {
    let noted =
        change.db.prepare_cached(OPENED)?.execute(params![link.transfer, link.recipient, Time(now)])?;
    if noted == 0 { Err(StoreError::Gone) } else { Ok(()) }
}

/// The session, if it was used at or after `idle_since`.
fn session(db: &Connection, id: [u8; 32], idle_since: Timestamp) -> Result<Option<Session>> {
    let found = db.prepare_cached(SESSION)?.query_row(params![id, Time(idle_since)], |row| {
        let link = Link { transfer: row.get(0)?, recipient: row.get(1)? };
        Ok(Session { id, link, wrapped_key: row.get(2)?, used: row.get::<_, Time>(3)?.0 })
    });
    Ok(found.optional()?)
}

/// Notes a use; tells whether the session is still there.
fn touch(change: &mut Change<'_>, id: [u8; 32], now: Timestamp) -> Result<bool> {
    Ok(change.db.prepare_cached(TOUCH)?.execute(params![id, Time(now)])? > 0)
}

/// Ends a session; the event is kept only if there was one.
fn end_session(change: &mut Change<'_>, id: [u8; 32], event: Event) -> Result<()> {
    if change.db.prepare_cached(END)?.execute([id])? > 0 {
        change.record(event)?;
    }
    Ok(())
}

/// Ends every session that was last used before `idle_since`.
pub(super) fn sweep_sessions(change: &mut Change<'_>, idle_since: Timestamp) -> Result<u64> {
    Ok(change.db.prepare_cached(SWEEP)?.execute([Time(idle_since)])? as u64)
}
