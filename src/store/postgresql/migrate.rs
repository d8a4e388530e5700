//! Brings a database to the schema that this binary knows. Forward only, all of it in one transaction under a lock, so that
//! nodes which start at once do it once. A step must leave the database good for the release before it: it adds, and what
//! nobody needs any more is taken away a release later.

use futures_util::FutureExt;

use super::Postgres;
use super::change::Change;
use super::columns::number;
use super::locks::Lock;
use crate::store::{Result, StoreError};

/// Every step, oldest first. A released step is never changed: add one.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/postgresql/0001_initial.sql")];

/// The table that counts the steps; by its name it is ours.
const VERSION: &str = "
    CREATE TABLE IF NOT EXISTS zegel_schema (number BIGINT PRIMARY KEY CHECK (number = 1), version BIGINT NOT NULL)";
const CURRENT: &str = "SELECT coalesce(max(version), 0) AS version FROM zegel_schema";
const FOREIGN: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'items')
        AND NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'zegel_schema')
        AS is_foreign";

impl Postgres {
    /// Applies what is missing; tells how many steps that were.
    pub async fn migrate(&self) -> Result<u32> {
        self.write(|change| apply(change, MIGRATIONS).boxed()).await
    }
}

async fn apply(change: &mut Change, migrations: &[&str]) -> Result<u32> {
    let known = migrations.len() as u32;
    change.db.batch(&Lock::Migrations.in_transaction()).await?;
    if change.db.one(FOREIGN, &[]).await?.try_get("is_foreign")? {
        return Err(StoreError::Foreign);
    }
    change.db.batch(VERSION).await?;
    let found: u32 = number(&change.db.one(CURRENT, &[]).await?, "version")?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for step in migrations.iter().skip(found as usize) {
        change.db.batch(step).await?;
    }
    if found < known {
        let version = format!(
            "INSERT INTO zegel_schema (number, version) VALUES (1, {known})
             ON CONFLICT (number) DO UPDATE SET version = {known}"
        );
        change.db.batch(&version).await?;
    }
    Ok(known - found)
}
