//! Brings a database to the schema this binary knows. Forward only, each step in a transaction of its
//! own, `PRAGMA user_version` counting them. Called by `sqlite/connection` at every start.
//!
//! Never touches a database that is not ours, or that a newer zegel has made.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::{Result, StoreError};

/// Every step, oldest first. A released step is never changed: add one.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_initial.sql"),
    include_str!("../../../migrations/0002_replies.sql"),
    include_str!("../../../migrations/0003_status.sql"),
    include_str!("../../../migrations/0004_life.sql"),
    include_str!("../../../migrations/0005_thread.sql"),
    include_str!("../../../migrations/0006_scanner.sql"),
    include_str!("../../../migrations/0007_delivery_reports.sql"),
    include_str!("../../../migrations/0008_problems.sql"),
    include_str!("../../../migrations/0009_downloads.sql"),
    include_str!("../../../migrations/0010_keys.sql"),
    include_str!("../../../migrations/0011_reply_to.sql"),
    include_str!("../../../migrations/0012_folder.sql"),
    include_str!("../../../migrations/0013_lost.sql"),
    include_str!("../../../migrations/0014_diagnostics.sql"),
    include_str!("../../../migrations/0015_claims.sql"),
    include_str!("../../../migrations/0016_on_behalf_of.sql"),
    include_str!("../../../migrations/0017_audit_chain.sql"),
    include_str!("../../../migrations/0018_tracking.sql"),
    include_str!("../../../migrations/0019_proof.sql"),
    include_str!("../../../migrations/0020_organisation.sql"),
    include_str!("../../../migrations/0021_shares.sql"),
    include_str!("../../../migrations/0022_held.sql"),
    include_str!("../../../migrations/0023_people.sql"),
    include_str!("../../../migrations/0024_master_keys.sql"),
];

/// `zegl`: marks the file as ours (`PRAGMA application_id`).
const APPLICATION: i64 = 0x7a65_676c;

/// Applies what is missing.
pub(super) fn run(db: &mut Connection) -> Result<()> {
    apply(db, MIGRATIONS)
}

fn apply(db: &mut Connection, migrations: &[&str]) -> Result<()> {
    check_owner(db)?;
    let known = migrations.len() as u32;
    for (version, step) in (1u32..).zip(migrations) {
        if current(db, known)? >= version {
            continue;
        }
        // Another process may be doing the same: look again once the write lock is ours.
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if current(&transaction, known)? < version {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// Refuses a file that some other program made.
fn check_owner(db: &Connection) -> Result<()> {
    let owner: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if owner == APPLICATION || (owner == 0 && tables == 0) { Ok(()) } else { Err(StoreError::Foreign) }
}

/// The number of steps applied so far.
fn current(db: &Connection, known: u32) -> Result<u32> {
    let found = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostic, Stage};

    const ONE: &str = "CREATE TABLE one (a INTEGER) STRICT;";
    const TWO: &str = "CREATE TABLE two (a INTEGER) STRICT; INSERT INTO one VALUES (2);";

    fn version(db: &Connection) -> i64 {
        db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_step_is_applied_once() {
        let mut db = Connection::open_in_memory().unwrap();
        apply(&mut db, &[ONE]).unwrap();
        assert_eq!(version(&db), 1);
        for _ in 0..2 {
            apply(&mut db, &[ONE, TWO]).unwrap();
            assert_eq!(version(&db), 2);
            let rows: i64 = db.query_row("SELECT count(*) FROM one", [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 1);
        }
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = "CREATE TABLE two (a INTEGER) STRICT; INSERT INTO missing VALUES (1);";
        assert!(apply(&mut db, &[ONE, broken]).is_err());
        assert_eq!(version(&db), 1);
        apply(&mut db, &[ONE, TWO]).unwrap();
    }

    #[test]
    fn a_newer_database_is_refused_with_a_clear_message() {
        let mut db = Connection::open_in_memory().unwrap();
        apply(&mut db, &[ONE, TWO]).unwrap();
        let error = apply(&mut db, &[ONE]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }));
        assert_eq!(
            error.to_string(),
            "the database was made by a newer zegel (schema 2, this one knows 1): upgrade zegel"
        );
    }

    #[test]
    fn a_foreign_database_is_refused_and_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(matches!(run(&mut db), Err(StoreError::Foreign)));
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    /// What was one line before step 14 is still that line, now with its parts known.
    #[test]
    fn old_answers_are_taken_apart() {
        let lines = [
            "550 5.1.1 unknown (RCPT TO)",
            "554 5.7.64 TenantAttribution; Relay Access Denied (end of message)",
            "451 later (MAIL FROM)",
            "421",
            "4.4.2 no answer in time (greeting)",
            "4.4.7 given up after many tries; the last: 451 later (end of message)",
            "5.6.7 the next mail server lacks it (SMTPUTF8)",
            "",
        ];
        let mut db = Connection::open_in_memory().unwrap();
        apply(&mut db, MIGRATIONS.get(..13).unwrap()).unwrap();
        db.execute(
            "INSERT INTO items (id, kind, created, next_attempt, due) VALUES ('a', 'message', 0, 0, 0)",
            [],
        )
        .unwrap();
        for (number, line) in (1u32..).zip(lines) {
            let insert = "INSERT INTO item_recipients (item, number, address, answer) VALUES (1, ?1, 'a@example.org', ?2)";
            db.execute(insert, (number, line)).unwrap();
        }
        run(&mut db).unwrap();
        let mut rows = db.prepare("SELECT * FROM item_recipients ORDER BY number").unwrap();
        let rows = rows.query_map([], super::super::queue::diagnostic).unwrap();
        let found: Vec<_> = rows.map(|row| row.unwrap()).collect();
        let text = |found: &Option<Diagnostic>| found.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), lines);
        let codes: Vec<_> = found.iter().flatten().map(|found| found.codes().to_string()).collect();
        assert_eq!(codes, ["550 5.1.1", "554 5.7.64", "451", "421", "4.4.2", "4.4.7", "5.6.7"]);
        let quoting: Vec<_> = found.iter().map(|found| found.as_ref().and_then(|one| one.stage)).collect();
        assert_eq!((quoting[1], quoting[5]), (Some(Stage::Done), Some(Stage::Done)));
    }
}
