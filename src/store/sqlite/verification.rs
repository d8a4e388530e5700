//! Verification codes and the browsers that they prove (C23, H18). Tries and mails are counted in the transaction
//! that makes them, so that no number of parallel requests gets around a limit.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::Time;
use super::writer::Change;
use super::{Sqlite, drafts, limits, queue};
use crate::audit::Event;
use crate::clock::{Timestamp, earlier};
use crate::secret;
use crate::store::room::DiskShare;
use crate::store::verification::{CODE_WINDOW, Counted};
use crate::store::{Author, BrowserRow, CodeLimits, CodeRow, CodeTry, NewCode, Result, VerificationStore};

#[async_trait]
impl VerificationStore for Sqlite {
    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>> {
        self.check_room(DiskShare::Pages).await?;
        self.write(move |change| add(change, code, limits)).await
    }

    async fn code(&self, author: Author) -> Result<Option<CodeRow>> {
        self.readers.read(move |db| code(db, &author)).await
    }

    async fn try_code(
        &self,
        author: Author,
        hash: [u8; 32],
        tries: u32,
        now: Timestamp,
        browser: BrowserRow,
        event: Event,
    ) -> Result<CodeTry> {
        self.write(move |change| try_code(change, &author, hash, tries, now, &browser, event)).await
    }

    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>> {
        self.readers.read(move |db| find_browser(db, browser, now)).await
    }

    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()> {
        self.write(move |change| forget_browser(change, browser)).await
    }
}

pub(super) const CODE: &str = "
    SELECT c.transfer, c.facts, c.hash, c.expires, c.tries, c.since
    FROM codes c JOIN transfers t ON t.number = c.transfer
    WHERE t.id = ?1 AND c.recipient = ?2 AND c.browser = ?3";
pub(super) const COUNT: &str = "
    UPDATE codes SET tries = tries + 1, hash = iif(?4, NULL, hash)
    WHERE transfer = ?1 AND recipient = ?2 AND browser = ?3";
pub(super) const MAILS_TO: &str =
    "SELECT count(*), min(time) FROM code_mails WHERE time > ?2 AND address = ?1";
pub(super) const MAILS_FOR: &str =
    "SELECT count(*), min(time) FROM code_mails WHERE time > ?2 AND client = ?1";

/// A row of `codes`.
struct Found {
    transfer: i64,
    facts: Vec<u8>,
    hash: Option<Vec<u8>>,
    expires: Timestamp,
    tries: u32,
    since: Timestamp,
}

fn find(db: &Connection, author: &Author) -> Result<Option<Found>> {
    let link = &author.link;
    let found =
        db.prepare_cached(CODE)?.query_row(params![link.transfer, link.recipient, author.browser], |row| {
            Ok(Found {
                transfer: row.get("transfer")?,
                facts: row.get("facts")?,
                hash: row.get("hash")?,
                expires: row.get::<_, Time>("expires")?.0,
                tries: row.get("tries")?,
                since: row.get::<_, Time>("since")?.0,
            })
        });
    Ok(found.optional()?)
}

/// Keeps a code and queues its mail, unless there were too many mails or tries within the hour. A new code takes
/// the old one's place, and its tries.
fn add(change: &mut Change<'_>, code: NewCode, most: CodeLimits) -> Result<Option<Timestamp>> {
    let since = earlier(code.now, CODE_WINDOW);
    let transfer = drafts::open_link(change.db, &code.author, code.now)?;
    let former = find(change.db, &code.author)?.filter(|former| former.since > since);
    let tries = former.as_ref().map(|former| Counted { times: former.tries, first: Some(former.since) });
    let to_address = mails(change.db, MAILS_TO, &code.address, since)?;
    let for_client = mails(change.db, MAILS_FOR, &code.client, since)?;
    if let Some(until) = most.wait(tries.unwrap_or_default(), to_address, for_client, code.now) {
        return Ok(Some(until));
    }
    let rates = [most.per_link, most.per_link_and_day, most.in_all];
    for (bucket, rate) in code.buckets().into_iter().zip(rates) {
        if let Some(until) = limits::take(change.db, &bucket, rate, code.now)? {
            return Ok(Some(until));
        }
    }
    change
        .db
        .prepare_cached("INSERT INTO code_mails (time, address, client) VALUES (?1, ?2, ?3)")?
        .execute(params![Time(code.now), code.address, code.client])?;
    let (tries, since) = former.map_or((0, code.now), |former| (former.tries, former.since));
    change
        .db
        .prepare_cached(
            "INSERT OR REPLACE INTO codes (transfer, recipient, browser, facts, hash, expires, tries, since)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            transfer,
            code.author.link.recipient,
            code.author.browser,
            code.facts,
            code.hash,
            Time(code.expires),
            tries,
            Time(since)
        ])?;
    queue::insert(change.db, &code.mail)?;
    change.record(code.event)?;
    Ok(None)
}

/// How many mails there were, and when the first of them was.
fn mails(db: &Connection, sql: &str, key: &dyn rusqlite::ToSql, since: Timestamp) -> Result<Counted> {
    let found = db.prepare_cached(sql)?.query_row(params![key, Time(since)], |row| {
        Ok(Counted { times: row.get(0)?, first: row.get::<_, Option<Time>>(1)?.map(|time| time.0) })
    })?;
    Ok(found)
}

/// The author's code, unless it is spent.
fn code(db: &Connection, author: &Author) -> Result<Option<CodeRow>> {
    let found = find(db, author)?.filter(|found| found.hash.is_some());
    Ok(found.map(|Found { facts, expires, .. }| CodeRow { facts, expires }))
}

/// Counts the try, then compares. A right code is spent, and so is one that was tried too often.
fn try_code(
    change: &mut Change<'_>,
    author: &Author,
    hash: [u8; 32],
    most: u32,
    now: Timestamp,
    browser: &BrowserRow,
    event: Event,
) -> Result<CodeTry> {
    let Some(found) = find(change.db, author)? else { return Ok(CodeTry::None) };
    let Some(expected) = found.hash else { return Ok(CodeTry::None) };
    if found.expires <= now {
        return Ok(CodeTry::Expired);
    }
    let (outcome, spent) = CodeTry::of(secret::equal(&expected, &hash), found.tries, most);
    change.db.prepare_cached(COUNT)?.execute(params![
        found.transfer,
        author.link.recipient,
        author.browser,
        spent
    ])?;
    if outcome != CodeTry::Right {
        return Ok(outcome);
    }
    change
        .db
        .prepare_cached("INSERT OR REPLACE INTO browsers (browser, facts, until) VALUES (?1, ?2, ?3)")?
        .execute(params![author.browser, browser.facts, Time(browser.until)])?;
    change.record(event)?;
    Ok(outcome)
}

/// The person to whom a browser belongs.
fn find_browser(db: &Connection, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>> {
    let mut found =
        db.prepare_cached("SELECT facts, until FROM browsers WHERE browser = ?1 AND until > ?2")?;
    let found = found.query_row(params![browser, Time(now)], |row| {
        Ok(BrowserRow { facts: row.get(0)?, until: row.get::<_, Time>(1)?.0 })
    });
    Ok(found.optional()?)
}

/// This browser is no longer remembered.
fn forget_browser(change: &mut Change<'_>, browser: [u8; 32]) -> Result<()> {
    change.db.prepare_cached("DELETE FROM browsers WHERE browser = ?1")?.execute([browser])?;
    Ok(())
}
