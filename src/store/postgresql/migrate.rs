//! Brings a database to the schema that this binary knows. Forward only, all of it in one transaction under a lock, so that
//! nodes which start at once do it once.
//!
//! Nodes are upgraded one by one, so a step must leave the database good for the release before it: it adds (tables, columns
//! that may be left out, indexes), and what nobody needs any more is taken away a release later. Each step says which binaries
//! still work once it is done.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::time::sleep;

use super::change::Change;
use super::columns::number;
use super::locks::Lock;
use super::{Postgres, trouble};
use crate::clock::jittered;
use crate::store::{Result, StoreError};

/// One step. A released one is never changed: add another.
#[derive(Clone, Copy)]
pub(super) struct Step {
    sql: &'static str,
    /// A binary that knows fewer steps than this can no longer work with the database.
    needs: u32,
}

/// Every step, oldest first.
pub(super) const MIGRATIONS: &[Step] = &[
    Step { sql: include_str!("../../../migrations/postgresql/0001_initial.sql"), needs: 1 },
    Step { sql: include_str!("../../../migrations/postgresql/0002_audit_chain.sql"), needs: 1 },
    Step { sql: include_str!("../../../migrations/postgresql/0003_settings_of_nodes.sql"), needs: 1 },
    // A binary that does not know small blobs takes them to be lost.
    Step { sql: include_str!("../../../migrations/postgresql/0004_small_blobs.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0005_journals.sql"), needs: 1 },
    Step { sql: include_str!("../../../migrations/postgresql/0006_tracking.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0007_proof.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0008_organisation.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0009_shares.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0010_held.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0011_people.sql"), needs: 4 },
    Step { sql: include_str!("../../../migrations/postgresql/0012_master_keys.sql"), needs: 4 },
];

/// The table that counts the steps; by its name it is ours.
const VERSION: &str = "
    CREATE TABLE IF NOT EXISTS zegel_schema (
        number BIGINT PRIMARY KEY CHECK (number = 1), version BIGINT NOT NULL, needs BIGINT NOT NULL)";
const CURRENT: &str = "
    SELECT coalesce(max(version), 0) AS version, coalesce(max(needs), 0) AS needs FROM zegel_schema";
const IS_THERE: &str = "SELECT to_regclass('zegel_schema') IS NOT NULL AS is_there";
const SET: &str = "
    INSERT INTO zegel_schema (number, version, needs) VALUES (1, $1, $2)
    ON CONFLICT (number) DO UPDATE SET version = excluded.version, needs = excluded.needs";
const FOREIGN: &str = "
    SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'zegel_schema')
        AND NOT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'zegel_schema')
        AS is_foreign";

/// How the database is, beside what this binary knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// No zegel has made any table.
    None,
    /// Steps are missing.
    Older,
    /// This binary can work with it.
    Fits,
}

impl Postgres {
    /// Looks, and changes nothing.
    pub async fn schema(&self) -> Result<Schema> {
        self.read(|db| {
            async move {
                if !db.one(IS_THERE, &[]).await?.try_get::<_, bool>("is_there")? {
                    return Ok(Schema::None);
                }
                let row = db.one(CURRENT, &[]).await?;
                let (found, needs): (u32, u32) = (number(&row, "version")?, number(&row, "needs")?);
                match MIGRATIONS.len() as u32 {
                    known if needs > known => Err(StoreError::Newer { found, known }),
                    known if found < known => Ok(Schema::Older),
                    _ => Ok(Schema::Fits),
                }
            }
            .boxed()
        })
        .await
    }

    /// Applies what is missing; tells how many steps that were. A database that a newer release has extended is used as it
    /// is, unless that release has said that this one no longer can.
    pub async fn migrate(&self) -> Result<u32> {
        self.reach().await?;
        self.write_within(LONGEST, |change| apply(change, MIGRATIONS).boxed()).await
    }

    /// A database that starts together with its nodes, or is just failing over, is waited for. Whatever else is wrong with the
    /// way to it is told at once.
    async fn reach(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.schema().await {
                Err(error) if trouble::may_pass(&error) && begun.elapsed() < START => {
                    tracing::warn!(%error, "the database does not answer yet; waiting for it");
                    sleep(jittered(PAUSE)).await;
                }
                reached => return reached.map(drop),
            }
        }
    }
}

/// A step may rewrite a large table.
const LONGEST: Duration = Duration::from_hours(24);
/// How long a database is waited for, and how often it is asked meanwhile.
const START: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);

/// A step may take as long as it takes, and so may other nodes' steps. Only a lock on a table that is in use is not waited for
/// long: everybody who comes to the table would wait behind it.
const LIMITS: [&str; 2] =
    ["SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0", "SET LOCAL lock_timeout = '10s'"];

async fn apply(change: &mut Change, migrations: &[Step]) -> Result<u32> {
    let known = migrations.len() as u32;
    let [unbounded, bounded] = LIMITS;
    change.db.batch(unbounded).await?;
    change.db.batch(&Lock::Migrations.in_transaction()).await?;
    change.db.batch(bounded).await?;
    if change.db.one(FOREIGN, &[]).await?.try_get("is_foreign")? {
        return Err(StoreError::Foreign);
    }
    change.db.batch(VERSION).await?;
    let row = change.db.one(CURRENT, &[]).await?;
    let (found, needs): (u32, u32) = (number(&row, "version")?, number(&row, "needs")?);
    if needs > known {
        return Err(StoreError::Newer { found, known });
    }
    let missing = migrations.get(found as usize..).unwrap_or_default();
    for step in missing {
        change.db.batch(step.sql).await?;
    }
    if let Some(needs) = missing.iter().map(|step| step.needs.max(needs)).max() {
        change.db.execute(SET, &[&i64::from(known), &i64::from(needs)]).await?;
    }
    Ok(missing.len() as u32)
}

#[cfg(test)]
#[cfg(feature = "system-tests")]
mod tests {
    use super::super::tests::empty;
    use super::*;
    use crate::store::conformance::{item, message};
    use crate::store::{MessageStore, QueueAdmin};

    const KNOWN: u32 = MIGRATIONS.len() as u32;
    /// As a later release may add it.
    const ADDS: Step =
        Step { sql: "ALTER TABLE items ADD COLUMN colour TEXT; CREATE TABLE later (a BIGINT)", needs: 1 };
    const TAKES: Step = Step { sql: "DROP TABLE later", needs: KNOWN + 2 };

    /// Our own steps, and these.
    async fn apply_and(store: &Postgres, more: &[Step]) -> Result<u32> {
        let steps: Vec<_> = MIGRATIONS.iter().chain(more).copied().collect();
        store.write(|change| async move { apply(change, &steps).await }.boxed()).await
    }

    /// The new release on one node, the old one on the other.
    #[tokio::test]
    async fn a_node_works_on_while_a_newer_one_extends_the_database() {
        let (old, _database) = empty();
        assert_eq!(old.migrate().await.unwrap(), KNOWN);
        old.commit(message(vec![item()])).await.unwrap();
        assert_eq!(apply_and(&old, &[ADDS]).await.unwrap(), 1);
        old.commit(message(vec![item()])).await.unwrap();
        assert_eq!(old.queue().await.unwrap().len(), 2);
        assert_eq!(old.migrate().await.unwrap(), 0, "and can be started again");
        assert_eq!(apply_and(&old, &[ADDS, TAKES]).await.unwrap(), 1);
        let refused = old.migrate().await;
        assert!(matches!(refused, Err(StoreError::Newer { found, known: KNOWN }) if found == KNOWN + 2));
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_nothing() {
        const BROKEN: Step =
            Step { sql: "CREATE TABLE two (a BIGINT); INSERT INTO missing VALUES (1)", needs: 1 };
        let (store, database) = empty();
        store.migrate().await.unwrap();
        assert!(apply_and(&store, &[BROKEN]).await.is_err());
        assert_eq!(database.sql("SELECT version FROM zegel_schema"), KNOWN.to_string());
        assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'two'"), "0");
    }

    #[tokio::test]
    async fn another_programs_database_is_left_alone() {
        let (store, database) = empty();
        database.sql("CREATE TABLE customers (a BIGINT)");
        assert!(matches!(store.migrate().await, Err(StoreError::Foreign)));
        assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "1");
    }
}
