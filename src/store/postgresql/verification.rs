//! Verification codes and the browsers that they prove (C23, H18). Tries and mails are counted in the transaction that makes
//! them, under locks that all nodes share, so that no number of parallel requests gets around a limit.

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio_postgres::types::ToSql;

use super::change::Change;
use super::columns::{Number, Time, get, number, time, time_or_none};
use super::lent::Connection;
use super::locks::Lock;
use super::{Postgres, drafts, items, limits};
use crate::audit::Event;
use crate::clock::{Timestamp, earlier};
use crate::secret;
use crate::store::verification::{CODE_WINDOW, Counted};
use crate::store::{Author, BrowserRow, CodeLimits, CodeRow, CodeTry, NewCode, Result, VerificationStore};

#[async_trait]
impl VerificationStore for Postgres {
    async fn add_code(&self, code: NewCode, limits: CodeLimits) -> Result<Option<Timestamp>> {
        self.write(move |change| add(change, code, limits).boxed()).await
    }

    async fn code(&self, author: Author) -> Result<Option<CodeRow>> {
        self.read(move |db| async move { code(db, &author).await }.boxed()).await
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
        self.write(move |change| {
            async move { try_code(change, &author, hash, tries, now, &browser, event).await }.boxed()
        })
        .await
    }

    async fn browser(&self, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>> {
        self.read(move |db| async move { find_browser(db, browser, now).await }.boxed()).await
    }

    async fn forget_browser(&self, browser: [u8; 32]) -> Result<()> {
        self.read(move |db| {
            async move { db.execute(FORGET_BROWSER, &[&&browser[..]]).await.map(drop) }.boxed()
        })
        .await
    }
}

pub(super) const CODE: &str = "
    SELECT c.facts, c.expires FROM codes c JOIN transfers t ON t.number = c.transfer
    WHERE t.id = $1 AND c.recipient = $2 AND c.browser = $3 AND c.hash IS NOT NULL";
/// Locks a code: whoever tries it next waits until this try is counted.
pub(super) const LOCK: &str = "
    SELECT c.transfer, c.hash, c.expires, c.tries, c.since FROM codes c JOIN transfers t ON t.number = c.transfer
    WHERE t.id = $1 AND c.recipient = $2 AND c.browser = $3 FOR UPDATE OF c";
pub(super) const COUNT: &str = "
    UPDATE codes SET tries = tries + 1, hash = CASE WHEN $4 THEN NULL ELSE hash END
    WHERE transfer = $1 AND recipient = $2 AND browser = $3";
pub(super) const MAILS_TO: &str =
    "SELECT count(*) AS times, min(time) AS first FROM code_mails WHERE time > $2 AND address = $1";
pub(super) const MAILS_FOR: &str =
    "SELECT count(*) AS times, min(time) AS first FROM code_mails WHERE time > $2 AND client = $1";
pub(super) const ADD_MAIL: &str = "INSERT INTO code_mails (time, address, client) VALUES ($1, $2, $3)";
pub(super) const ADD: &str = "
    INSERT INTO codes (transfer, recipient, browser, facts, hash, expires, tries, since)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (transfer, recipient, browser) DO UPDATE SET facts = excluded.facts, hash = excluded.hash,
        expires = excluded.expires, tries = excluded.tries, since = excluded.since";
pub(super) const ADD_BROWSER: &str = "
    INSERT INTO browsers (browser, facts, until) VALUES ($1, $2, $3)
    ON CONFLICT (browser) DO UPDATE SET facts = excluded.facts, until = excluded.until";
pub(super) const BROWSER: &str = "SELECT facts, until FROM browsers WHERE browser = $1 AND until > $2";
pub(super) const FORGET_BROWSER: &str = "DELETE FROM browsers WHERE browser = $1";

/// A row of `codes` that this transaction has locked.
struct Found {
    transfer: i64,
    hash: Option<Vec<u8>>,
    expires: Timestamp,
    tries: u32,
    since: Timestamp,
}

async fn lock(db: &Connection, author: &Author) -> Result<Option<Found>> {
    let (link, browser) = (&author.link, &author.browser[..]);
    let found = db.row(LOCK, &[&link.transfer, &Number(link.recipient), &browser]).await?;
    let found = found.map(|row| {
        Ok(Found {
            transfer: get(&row, "transfer")?,
            hash: get(&row, "hash")?,
            expires: time(&row, "expires")?,
            tries: number(&row, "tries")?,
            since: time(&row, "since")?,
        })
    });
    found.transpose()
}

/// Keeps a code and queues its mail, unless there were too many mails or tries within the hour. A new code takes
/// the old one's place, and its tries.
async fn add(change: &mut Change, code: NewCode, most: CodeLimits) -> Result<Option<Timestamp>> {
    let (db, since) = (&change.db, earlier(code.now, CODE_WINDOW));
    let transfer = drafts::open_link(db, &code.author, code.now).await?;
    let former = lock(db, &code.author).await?.filter(|former| former.since > since);
    db.batch(&Lock::CodeMails.in_transaction()).await?;
    let tries = former.as_ref().map(|former| Counted { times: former.tries, first: Some(former.since) });
    let to_address = mails(db, MAILS_TO, &&code.address[..], since).await?;
    let for_client = mails(db, MAILS_FOR, &code.client, since).await?;
    if let Some(until) = most.wait(tries.unwrap_or_default(), to_address, for_client, code.now) {
        return Ok(Some(until));
    }
    let rates = [most.per_link, most.per_link_and_day, most.in_all];
    for (bucket, rate) in code.buckets().into_iter().zip(rates) {
        if let Some(until) = limits::take(db, &bucket, rate, code.now).await? {
            return Ok(Some(until));
        }
    }
    db.execute(ADD_MAIL, &[&Time(code.now), &&code.address[..], &code.client]).await?;
    let (tries, since) = former.map_or((0, code.now), |former| (former.tries, former.since));
    insert(db, transfer, &code, tries, since).await?;
    items::put(db, vec![code.mail]).await?;
    change.record(code.event).await?;
    Ok(None)
}

async fn insert(db: &Connection, transfer: i64, code: &NewCode, tries: u32, since: Timestamp) -> Result<()> {
    let (recipient, browser, hash) =
        (Number(code.author.link.recipient), &code.author.browser[..], &code.hash[..]);
    let (expires, tries, since) = (Time(code.expires), Number(tries), Time(since));
    db.execute(ADD, &[&transfer, &recipient, &browser, &code.facts, &hash, &expires, &tries, &since]).await?;
    Ok(())
}

/// How many mails there were, and when the first of them was.
async fn mails(db: &Connection, sql: &str, key: &(dyn ToSql + Sync), since: Timestamp) -> Result<Counted> {
    let row = db.one(sql, &[key, &Time(since)]).await?;
    Ok(Counted { times: number(&row, "times")?, first: time_or_none(&row, "first")? })
}

/// The author's code, unless it is spent.
async fn code(db: &Connection, author: &Author) -> Result<Option<CodeRow>> {
    let (link, browser) = (&author.link, &author.browser[..]);
    let found = db.row(CODE, &[&link.transfer, &Number(link.recipient), &browser]).await?;
    found.map(|row| Ok(CodeRow { facts: get(&row, "facts")?, expires: time(&row, "expires")? })).transpose()
}

/// Counts the try, then compares. A right code is spent, and so is one that was tried too often.
async fn try_code(
    change: &mut Change,
    author: &Author,
    hash: [u8; 32],
    most: u32,
    now: Timestamp,
    browser: &BrowserRow,
    event: Event,
) -> Result<CodeTry> {
    let db = &change.db;
    let Some(found) = lock(db, author).await? else { return Ok(CodeTry::None) };
    let Some(expected) = found.hash else { return Ok(CodeTry::None) };
    if found.expires <= now {
        return Ok(CodeTry::Expired);
    }
    let (outcome, spent) = CodeTry::of(secret::equal(&expected, &hash), found.tries, most);
    let (recipient, asker) = (Number(author.link.recipient), &author.browser[..]);
    db.execute(COUNT, &[&found.transfer, &recipient, &asker, &spent]).await?;
    if outcome != CodeTry::Right {
        return Ok(outcome);
    }
    db.execute(ADD_BROWSER, &[&asker, &browser.facts, &Time(browser.until)]).await?;
    change.record(event).await?;
    Ok(outcome)
}

/// The person to whom a browser belongs.
async fn find_browser(db: &Connection, browser: [u8; 32], now: Timestamp) -> Result<Option<BrowserRow>> {
    let found = db.row(BROWSER, &[&&browser[..], &Time(now)]).await?;
    found.map(|row| Ok(BrowserRow { facts: get(&row, "facts")?, until: time(&row, "until")? })).transpose()
}
