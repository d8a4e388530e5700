//! What is particular to this implementation: the file, faults, two processes, query plans.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

use super::*;
use crate::audit::{Action, Actor, Event, EventResult, Initiator, Origin};
use crate::clock::days_later;
use crate::diagnostic::Outcome;
use crate::id::Link;
use crate::limits::{Rate, TryRule};
use crate::secret::keyring::{KeyId, KeyRef};
use crate::store::Whose;
use crate::store::conformance::{
    attempt, event, inline, item, message, noon, owner, said, store_conformance, transfer,
};
use crate::store::tracking::Narrowest;
use crate::store::{
    Acceptance, AccessStore, AuditStore, Body, BodyKeys, Item, MessageStore, NewItem, QueueAdmin,
    QueueItemKind, QueueStore, RateStore, Recall, RetentionStore, SenderStore, StoreError, TrackQuery,
    TrackState, TrackingStore, TransferStore, Try, Who,
};

mod conformance {
    use super::*;
    store_conformance!(fresh());
}

fn fresh() -> (Sqlite, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Sqlite::open(&file(&dir)).unwrap(), dir)
}

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("zegel.db")
}

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn sealed() -> (Acceptance, Link) {
    let transfer = transfer();
    let link = Link { transfer: transfer.id.clone(), recipient: 1 };
    (Acceptance { transfer: Some(transfer), ..message(vec![item()]) }, link)
}

/// Runs a statement on the writer's own connection, so that a test can take something from it.
async fn on_writer(store: &Sqlite, sql: &'static str) {
    store.writer.run(move |change| Ok(change.db.execute_batch(sql)?)).await.unwrap();
}

fn code(error: &StoreError) -> Option<ErrorCode> {
    match error {
        StoreError::Database(error) => error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code(),
        _ => None,
    }
}

// ---- the file

#[tokio::test]
async fn file_and_folder_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data");
    let path = folder.join("zegel.db");
    assert!(!Sqlite::exists(&path));
    let store = Sqlite::open(&path).unwrap();
    store.commit(message(vec![item()])).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert!(Sqlite::exists(&path));
}

/// C02: what was promised is in the file, for whoever opens it next.
#[tokio::test]
async fn another_connection_sees_what_was_promised() {
    let (store, dir) = fresh();
    let (acceptance, link) = sealed();
    store.commit(acceptance).await.unwrap();
    let other = Sqlite::open(&file(&dir)).unwrap();
    assert!(other.transfer(link.transfer).await.unwrap().is_some());
    assert_eq!(other.queue().await.unwrap().len(), 1);
    let db = Connection::open(file(&dir)).unwrap();
    let kept: (String, i64) =
        db.query_row("SELECT action, time FROM audit", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(kept, ("accept".to_owned(), noon().as_microsecond()));
}

/// C16, H19: a restart sets nothing back.
#[tokio::test]
async fn tries_and_limits_survive_a_restart() {
    let (mut store, dir) = fresh();
    let (acceptance, link) = sealed();
    store.commit(acceptance).await.unwrap();
    let rule = TryRule { attempts: 5, lock: std::time::Duration::from_secs(900) };
    let rate = Rate::per(1, std::time::Duration::from_secs(60));
    assert!(store.check_rate("client".into(), rate, noon()).await.unwrap().is_none());
    for _ in 0..5 {
        assert!(matches!(store.begin_try(link.clone(), rule, noon()).await.unwrap(), Try::Allowed { .. }));
        drop(store);
        store = Sqlite::open(&file(&dir)).unwrap();
    }
    assert!(matches!(store.begin_try(link, rule, noon()).await.unwrap(), Try::Locked(_)));
    assert!(store.check_rate("client".into(), rate, noon()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_store_leaves_one_whole_file() {
    let (store, dir) = fresh();
    join_all((0..300).map(|_| store.commit(message(vec![item()])))).await;
    drop(store);
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["zegel.db"]);
    let db = Connection::open(file(&dir)).unwrap();
    let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    assert_eq!((count(&db, "items"), count(&db, "audit")), (300, 300));
}

/// C25: after expiry the bytes of a key are in no file, the log included.
#[tokio::test]
async fn a_destroyed_key_is_in_no_file() {
    let (store, dir) = fresh();
    let key = b"key packet of a@example.org";
    let holds_key = || {
        fs::read_dir(dir.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            bytes.windows(key.len()).any(|window| window == key)
        })
    };
    for _ in 0..20 {
        store.commit(sealed().0).await.unwrap();
    }
    assert!(holds_key());
    assert_eq!(
        store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap().len(),
        20
    );
    assert!(!holds_key());
}

/// C25: a recall leaves nothing of the key it takes back, and the others where they are.
#[tokio::test]
async fn a_recalled_key_is_in_no_file() {
    let (store, dir) = fresh();
    let (acceptance, link) = sealed();
    store.commit(acceptance).await.unwrap();
    let holds = |key: &[u8]| {
        fs::read_dir(dir.path()).unwrap().any(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, key).is_some()
        })
    };
    let keys: [&[u8]; 2] = [b"key packet of a@example.org", b"key packet of b@example.org"];
    assert_eq!(keys.map(holds), [true, true]);
    for (recipients, left) in [(vec![1], [false, true]), (vec![1, 2], [false, false])] {
        let recall = Recall {
            transfer: link.transfer.clone(),
            recipients,
            now: noon(),
            closed: noon(),
            by: Initiator::admin("beheer"),
            notices: Vec::new(),
        };
        assert_eq!(store.recall(recall).await.unwrap().len(), 1);
        assert_eq!(keys.map(holds), left);
    }
}

/// C25: somebody who reads keeps the log alive; it is emptied with the next commit after that.
#[tokio::test]
async fn a_reader_delays_the_emptying_of_the_log_but_does_not_prevent_it() {
    let (store, dir) = fresh();
    store.commit(sealed().0).await.unwrap();
    let log = dir.path().join("zegel.db-wal");
    let reader = Connection::open(file(&dir)).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM transfers").unwrap();
    assert_eq!(
        store.expire(Whose::everybody(), days_later(noon(), 30), days_later(noon(), 30)).await.unwrap().len(),
        1
    );
    assert!(fs::metadata(&log).unwrap().len() > 0);
    reader.execute_batch("COMMIT").unwrap();
    store.append_audit(event(Action::Configuration)).await.unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
}

// ---- faults (C03, C05)

/// Runs the same message again and again while something is missing, then with it back.
async fn fails_then_recovers(store: &Sqlite, expected: ErrorCode, give_back: impl Future<Output = ()>) {
    let before = store.queue().await.unwrap().len();
    let results = join_all((0..40).map(|_| store.commit(message(vec![large_item()])))).await;
    let refused = results.iter().filter(|result| result.is_err()).count();
    assert!(refused > 0);
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(
            matches!(code(error), Some(found) if found == expected || found == ErrorCode::OperationAborted),
            "{error}"
        );
    }
    assert!(
        results.iter().filter_map(|result| result.as_ref().err()).any(|error| code(error) == Some(expected))
    );
    assert_eq!(store.queue().await.unwrap().len(), before + 40 - refused, "a 250 for each, and no more");
    give_back.await;
    store.commit(message(vec![large_item()])).await.unwrap();
    assert_eq!(store.queue().await.unwrap().len(), before + 41 - refused);
}

fn large_item() -> NewItem {
    NewItem { body: inline(vec![7; 50_000]), ..item() }
}

#[tokio::test]
async fn a_full_disk_refuses_and_all_is_well_afterwards() {
    let (store, _dir) = fresh();
    store.commit(message(vec![item()])).await.unwrap();
    on_writer(&store, "PRAGMA max_page_count = 200").await;
    fails_then_recovers(&store, ErrorCode::DiskFull, on_writer(&store, "PRAGMA max_page_count = 1000000"))
        .await;
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for_and_then_refused() {
    let (store, dir) = fresh();
    on_writer(&store, "PRAGMA busy_timeout = 20").await;
    let other = Connection::open(file(&dir)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Reading goes on.
    assert!(store.queue().await.unwrap().is_empty());
    let let_go = async { other.execute_batch("COMMIT").unwrap() };
    fails_then_recovers(&store, ErrorCode::DatabaseBusy, let_go).await;
}

/// A file that can only be read must not be taken for one that keeps what it is given.
#[test]
fn what_is_no_database_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(file(&dir), "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    assert!(matches!(Sqlite::open(&file(&dir)), Err(StoreError::Database(_))));
    let folder = dir.path().join("file-as-folder");
    fs::write(&folder, "").unwrap();
    let error = Sqlite::open(&folder.join("zegel.db")).err().unwrap();
    assert!(error.to_string().contains("file-as-folder"), "{error}");
}

#[tokio::test]
async fn a_damaged_row_is_an_error_not_a_guess() {
    let (store, _dir) = fresh();
    store.commit(message(vec![item()])).await.unwrap();
    on_writer(&store, "UPDATE items SET kind = 'parcel'").await;
    assert!(store.claim_due(&owner(), noon(), days_later(noon(), 1), 10).await.is_err());
    on_writer(&store, "UPDATE items SET kind = 'message'").await;
    let claimed = store.claim_due(&owner(), noon(), days_later(noon(), 1), 10).await.unwrap();
    assert_eq!(
        (claimed.len(), claimed[0].kind),
        (1, QueueItemKind::Message),
        "the failed claim claimed nothing"
    );
}

#[tokio::test]
async fn what_was_asked_is_done_though_nobody_waits_for_it() {
    let (store, dir) = fresh();
    {
        let mut commit = store.commit(message(vec![item()]));
        // Polled once: handed over to the writer; then the caller goes away.
        assert!(futures_util::poll!(&mut commit).is_pending());
    }
    drop(store);
    assert_eq!(count(&Connection::open(file(&dir)).unwrap(), "items"), 1);
}

#[tokio::test]
async fn expiry_is_done_in_bounded_steps() {
    let (store, _dir) = fresh();
    join_all((0..510).map(|_| store.commit(sealed().0))).await;
    let end = days_later(noon(), 30);
    assert_eq!(store.expire(Whose::everybody(), end, end).await.unwrap().len(), 500);
    assert_eq!(store.expire(Whose::everybody(), end, end).await.unwrap().len(), 10);
}

// ---- cost

/// H42: what stays for ever is bounded, whatever a visitor repeats; what an administrator does is kept whole.
#[tokio::test]
async fn visitors_make_few_rows_of_the_audit_trail() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&file(&dir)).unwrap();
    let event = |action, object: &str, origin| Event {
        mails: Vec::new(),
        time: "2026-11-23T10:00:00Z".parse().unwrap(),
        action,
        object: object.into(),
        result: EventResult::TooManyCodes,
        actor: Actor::Recipient,
        origin,
        organisation: None,
    };
    let client = || Origin::Client("192.0.2.1".parse().unwrap());
    for _ in 0..300 {
        store.append_audit(event(Action::Code, "3k7wp9hmxt/1", client())).await.unwrap();
        store.append_audit(event(Action::Extend, "3k7wp9hmxt", Origin::Local)).await.unwrap();
    }
    store.append_audit(event(Action::Open, "3k7wp9hmxt/1", client())).await.unwrap();
    store.append_audit(event(Action::Code, "3k7wp9hmxt/2", client())).await.unwrap();
    let db = Connection::open(file(&dir)).unwrap();
    let rows = |wanted: &str| {
        let sql = format!("SELECT count(*) FROM audit WHERE {wanted}");
        db.query_row(&sql, [], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!(rows("action = 'code' AND object = '3k7wp9hmxt/1'"), 100);
    assert_eq!(
        (rows("action = 'open'"), rows("object = '3k7wp9hmxt/2'"), rows("action = 'extend'")),
        (1, 1, 300)
    );
}

/// Cost must not grow with the store: no statement of a hot path reads a whole table that grows.
#[test]
fn every_hot_statement_uses_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let db = connection::writer(&file(&dir)).unwrap();
    let statements = [
        intake::SEALED_THREAD,
        intake::RENEW_THREAD,
        queue::CLAIM,
        queue::WAITING,
        queue::BODY,
        gauges::PROBLEMS[0],
        gauges::PROBLEMS[1],
        queue_admin::HELD,
        queue_admin::FOUND,
        queue_admin::DECIDE,
        queue::HELD,
        queue::NUMBER,
        queue::NOTE,
        queue::RESCHEDULE,
        queue::REMOVE,
        transfers::TRANSFER,
        transfers::OF_MAILBOX[0],
        transfers::OF_MAILBOX[1],
        transfers::NUMBERED,
        transfers::RECIPIENTS,
        transfers::PARTS,
        transfers::EXPIRED,
        transfers::SHREDDED,
        access::TRIES,
        access::COUNT,
        access::UNLOCKED,
        access::OPENED,
        access::SESSION,
        access::TOUCH,
        access::END,
        access::SWEEP,
        access::CLEAR,
        recall::OPEN,
        recall::CLOSE,
        recall::END_SESSIONS,
        recall::UNSENT,
        recall::HAS_KEYS,
        status::NOTIFIED,
        status::BOUNCED,
        sender::INVITABLE,
        status::REPORTED,
        status::REPORTS,
        sender::KEEP_BOUNCE,
        sender::REOPEN,
        sender::EXTEND,
        downloads::IN_SESSION,
        downloads::NOTE_IN_SESSION,
        downloads::NOTED_IN_SESSION,
        downloads::DOWNLOADED,
        downloads::DOWNLOADS,
        audit::TRAIL,
        person::AUTHORS,
        person::ADDRESS,
        person::REASONS,
        chain::BLOCKS,
        chain::BLOCKS_FROM_ROW,
        chain::ROWS_BETWEEN,
        chain::ROW,
        chain::ERASE_ROW,
        chain::KEEP_SALTS,
        chain::FORGET_ROW,
        chain::FORGET_BLOCKS,
        lost::LOST,
        lost::FIRST,
        reminders::FIRST_DUE,
        reminders::LAST_DUE,
        reminders::DOWNLOADS_DUE,
        retention::FORGOTTEN,
        retention::FORGET_THREADS,
        tracking::KEEP,
        tracking::REMOVED,
        tracking::OF_TRANSFER,
        tracking::OF_MESSAGE,
        tracking::KNOWN,
        tracking::NEWEST,
        tracking::FORGET_TRACKS,
        limits::ARRIVAL,
        limits::KEEP,
        limits::SWEEP,
        blobs::FORGET,
        blobs::KNOWN,
        drafts::DRAFTS_HERE,
        drafts::DROP,
        drafts::OPEN_LINK,
        drafts::DRAFT,
        drafts::UPLOADS,
        uploads::UPLOAD,
        drafts::PIECES,
        uploads::TAKEN,
        drafts::TOUCH,
        drafts::IDLE,
        drafts::END,
        drafts::REPLIES,
        drafts::SUMMARY,
        verification::CODE,
        verification::COUNT,
        verification::MAILS_TO,
        verification::MAILS_FOR,
    ];
    for sql in statements
        .into_iter()
        .chain(transfers::SHRED)
        .chain(retention::FORGET)
        .chain(tracking::FORGET_MAILBOX)
    {
        assert_searches(&db, sql);
    }
    // One step for each organisation, and of each the first so many.
    for sql in [queue::CHOOSE, queue::NEXT_DUE] {
        let plan = plan(&db, sql);
        let scans = plan.iter().filter(|step| step.starts_with("SCAN ") && step.contains("items"));
        assert_eq!(scans.count(), 0, "{plan:?}");
        let by_index = "INDEX items_turn (<expr>=? AND due<?)";
        assert!(plan.iter().any(|step| step.contains(by_index)), "{plan:?}");
    }
    // The first so many of whatever there is: no search, and never more than asked.
    assert_eq!(plan(&db, blobs::DOOMED), ["SCAN doomed"]);
    // Page after page, each from where the last one ended.
    let pages = plan(&db, blobs::NAMED);
    assert!(pages.iter().any(|step| step.starts_with("MERGE")), "{pages:?}");
    assert!(!pages.iter().any(|step| step.contains("B-TREE") || step.starts_with("SCAN ")), "{pages:?}");
}

/// Each question has an index of its own; what it finds may have to be sorted.
#[test]
fn mail_is_found_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let db = connection::writer(&file(&dir)).unwrap();
    for (narrowest, index) in Narrowest::ALL.into_iter().zip([
        "tracking_tracking",
        "tracking_message_id",
        "tracking_transfer",
        "tracking_recipient",
        "tracking_sender",
        "tracking_recipient_domain",
        "tracking_sender_domain",
        "tracking_time",
    ]) {
        let plan = plan(&db, tracking::find_by(narrowest));
        assert!(plan.iter().any(|step| step.contains(&format!("INDEX {index} "))), "{narrowest:?}: {plan:?}");
        // The domains that are asked for are a list.
        let is_scan = |step: &&String| step.starts_with("SCAN ") && !step.starts_with("SCAN json_each");
        assert!(plan.iter().find(is_scan).is_none(), "{narrowest:?}: {plan:?}");
    }
}

/// Removing a row makes SQLite look for those that point to it: that must be a search, too.
#[test]
fn every_reference_is_found_by_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let db = connection::writer(&file(&dir)).unwrap();
    let mut references = db
        .prepare(
            "SELECT t.name, group_concat(f.\"from\", ' = ?1 AND ') FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
             WHERE t.type = 'table' GROUP BY t.name, f.id",
        )
        .unwrap();
    let mut rows = references.query([]).unwrap();
    let mut found = 0;
    while let Some(row) = rows.next().unwrap() {
        let (table, columns): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_searches(&db, &format!("SELECT 1 FROM {table} WHERE {columns} = ?1"));
        found += 1;
    }
    assert!(found >= 5, "only {found} references");
}

/// Every step of the plan looks a row up by an index, or goes through what such steps have found.
fn assert_searches(db: &Connection, sql: &str) {
    for step in plan(db, sql) {
        let by_index =
            ["USING INDEX", "USING COVERING INDEX", "USING PRIMARY KEY", "USING INTEGER PRIMARY KEY"];
        let searches = step.starts_with("SEARCH ") && by_index.iter().any(|words| step.contains(words));
        let goes_through = [
            "LIST SUBQUERY",
            "SCALAR SUBQUERY",
            "CORRELATED SCALAR SUBQUERY",
            "SCAN CONSTANT ROW",
            "SCAN json_each",
            "CREATE BLOOM FILTER",
            "USING INDEX",
        ]
        .iter()
        .any(|words| step.starts_with(words));
        assert!(searches || goes_through, "{sql}: {step}");
    }
}

fn plan(db: &Connection, sql: &str) -> Vec<String> {
    let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    // Values do not matter for a plan; unbound parameters are NULL.
    let mut rows = explain.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get("detail").unwrap());
    }
    assert!(!steps.is_empty() || sql.trim_start().starts_with("INSERT"), "{sql}");
    steps
}

// ---- with the journal in front

mod serving {
    use super::*;

    // Not those that are about claims that run out or mail that is accepted in the future: such mail is a row by then.
    store_conformance! { server() =>
        queue: a_message_comes_back_as_it_went_in, an_item_is_claimed_by_one, an_attempt_is_recorded_per_recipient,
            a_finished_item_goes_with_its_blob, a_report_is_queued_with_the_failure,
            an_attempt_on_a_dropped_item_is_no_error;
        queue_admin: a_dropped_item_is_gone, the_queue_can_be_looked_at;
        gauges: figures_tell_the_truth;
        tracking: a_message_is_told_with_all_that_came_of_it, ordinary_mail_is_found_once_it_is_gone;
    }

    fn server() -> (Sqlite, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Sqlite::serve(&file(&dir)).unwrap(), dir)
    }

    fn to_both(outcome: Outcome) -> Vec<(u32, Outcome)> {
        vec![(1, outcome.clone()), (2, outcome)]
    }

    async fn claim(store: &Sqlite) -> Vec<Item> {
        store.claim_due(&owner(), noon(), days_later(noon(), 1), 10).await.unwrap()
    }

    /// What a crash has kept from being written is found again, as long as the journal knows of it; and only that.
    #[tokio::test]
    async fn a_crash_hides_no_mail_that_the_journal_knows() {
        let dir = tempfile::tempdir().unwrap();
        let (first, waiting) = (item(), item());
        {
            let store = Sqlite::serve(&file(&dir)).unwrap();
            for mail in [&first, &waiting] {
                store
                    .commit(Acceptance { id: mail.id.clone(), ..message(vec![mail.clone()]) })
                    .await
                    .unwrap();
            }
            let claimed = claim(&store).await;
            store.finish_attempt(attempt(&claimed[0], to_both(Outcome::Delivered))).await.unwrap();
            let later = Outcome::Deferred(said(451, "busy"));
            store.finish_attempt(attempt(&claimed[1], to_both(later))).await.unwrap();
            // Nothing behind is written.
        }
        let store = Sqlite::serve(&file(&dir)).unwrap();
        let state = async |mail: &NewItem| {
            let rows = store.tracks(vec![mail.id.clone()]).await.unwrap();
            assert_eq!(rows.len(), 2);
            (rows[0].state, rows[0].message_id.clone(), rows[0].answer.clone())
        };
        let id = first.track.message_id.clone();
        assert_eq!(state(&first).await, (TrackState::Delivered, id.clone(), None));
        assert_eq!(state(&waiting).await, (TrackState::Waiting, id, Some("451 busy (RCPT TO)".into())));
    }

    /// The command line finds what a server has in its journal alone.
    #[tokio::test]
    async fn a_tool_finds_mail_in_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::serve(&file(&dir)).unwrap();
        let mail = item();
        store.commit(Acceptance { id: mail.id.clone(), ..message(vec![mail.clone()]) }).await.unwrap();
        let tool = Sqlite::open(&file(&dir)).unwrap();
        let to = Some(Who::Mailbox("b@example.org".into()));
        assert_eq!(
            tool.find_tracks(TrackQuery { to, ..TrackQuery::all(5) }).await.unwrap(),
            std::slice::from_ref(&mail.id)
        );
        assert_eq!(tool.tracks(vec![mail.id]).await.unwrap().len(), 2);
        let other = Some(Who::Mailbox("c@example.org".into()));
        assert!(tool.find_tracks(TrackQuery { to: other, ..TrackQuery::all(5) }).await.unwrap().is_empty());
    }

    /// Ordinary mail that is delivered at once never becomes a row; what a crash leaves does.
    #[tokio::test]
    async fn a_row_is_for_what_waits() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::serve(&file(&dir)).unwrap();
        let db = Connection::open(file(&dir)).unwrap();
        let (first, second) = (item(), item());
        store.commit(message(vec![first.clone()])).await.unwrap();
        store.commit(message(vec![second.clone()])).await.unwrap();
        let claimed = claim(&store).await;
        assert_eq!(claimed.len(), 2);
        assert_eq!(count(&db, "items"), 0);
        let later = Outcome::Deferred(said(451, "busy"));
        store.finish_attempt(attempt(&claimed[0], to_both(Outcome::Delivered))).await.unwrap();
        store.finish_attempt(attempt(&claimed[1], to_both(later))).await.unwrap();
        assert_eq!(count(&db, "items"), 1, "the one that must wait");
        store.commit(message(vec![item()])).await.unwrap();
        drop(store);
        let store = Sqlite::serve(&file(&dir)).unwrap();
        assert_eq!(count(&db, "items"), 2);
        assert_eq!(store.queue().await.unwrap()[0].id, second.id);
    }

    /// The command line beside a server sees what is in the journal, and does not take it away from it.
    #[tokio::test]
    async fn another_process_leaves_the_journal_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = Sqlite::serve(&file(&dir)).unwrap();
        store.commit(message(vec![item()])).await.unwrap();
        assert_eq!(Sqlite::open(&file(&dir)).unwrap().queue().await.unwrap().len(), 1);
        assert_eq!(claim(&store).await.len(), 1);
        drop(store);
        assert_eq!(Sqlite::open(&file(&dir)).unwrap().queue().await.unwrap().len(), 1, "after a crash");
    }
}

// ---- the keys of bodies

/// An item whose body is sealed under a key of this store.
fn with_key(store: &Sqlite) -> NewItem {
    let (key, _) = store.keyring().take().unwrap();
    NewItem { body: Body { key: Some(key), ..inline(b"sealed body".to_vec()) }, ..item() }
}

fn key_of(item: &NewItem) -> KeyId {
    item.body.key.as_ref().unwrap().id()
}

async fn deliver(store: &Sqlite, claimed: &Item) {
    let outcomes = vec![(1, Outcome::Delivered), (2, Outcome::Delivered)];
    store.finish_attempt(attempt(claimed, outcomes)).await.unwrap();
}

/// C29: in a row or in the journal, before and after a restart.
#[tokio::test]
async fn a_key_stays_as_long_as_its_mail_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Sqlite::serve(&file(&dir)).unwrap();
    let (first, second) = (with_key(&store), with_key(&store));
    let (gone, waits) = (key_of(&first), key_of(&second));
    store.commit(message(vec![first])).await.unwrap();
    store.commit(message(vec![second])).await.unwrap();
    let mut claimed = store.claim_due(&owner(), noon(), days_later(noon(), 1), 2).await.unwrap();
    let (delivered, put_off) = (claimed.remove(0), claimed.remove(0));
    store.destroy_keys().await.unwrap();
    assert!(store.keyring().find(gone).is_ok(), "it is in the journal");
    deliver(&store, &delivered).await;
    drop(delivered);
    let later = Outcome::Deferred(said(451, "busy"));
    store.finish_attempt(attempt(&put_off, vec![(1, later.clone()), (2, later)])).await.unwrap();
    drop(put_off);
    store.destroy_keys().await.unwrap();
    assert!(store.keyring().find(gone).is_err());
    for _ in 0..2 {
        assert!(store.keyring().find(waits).is_ok(), "it is a row");
        drop(store);
        store = Sqlite::serve(&file(&dir)).unwrap();
    }
    let again =
        store.claim_due(&owner(), days_later(noon(), 2), days_later(noon(), 3), 2).await.unwrap().remove(0);
    assert_eq!(again.body.key.as_ref().map(KeyRef::id), Some(waits));
    deliver(&store, &again).await;
    store.destroy_keys().await.unwrap();
    assert!(store.keyring().find(waits).is_err());
}

/// C29: what was never committed, and what a tool drops while no server runs.
#[tokio::test]
async fn a_key_of_nothing_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::serve(&file(&dir)).unwrap();
    let refused = with_key(&store);
    let key = key_of(&refused);
    store.destroy_keys().await.unwrap();
    assert!(store.keyring().find(key).is_ok(), "it may still be committed");
    drop(refused);
    store.destroy_keys().await.unwrap();
    assert!(store.keyring().find(key).is_err());

    let waits = with_key(&store);
    let (id, key) = (waits.id.clone(), key_of(&waits));
    store.commit(message(vec![waits])).await.unwrap();
    drop(store);
    let tool = Sqlite::open(&file(&dir)).unwrap();
    assert!(tool.keyring().find(key).is_ok());
    assert!(tool.drop_item(id, event(Action::Drop)).await.unwrap().is_change());
    assert!(tool.keyring().find(key).is_err());
}

/// C29: what an older version sealed opens with `master.key` for ever: so nothing of it may stay.
#[tokio::test]
async fn a_body_from_before_there_were_keys_leaves_nothing_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&file(&dir)).unwrap();
    store.commit(message(vec![item()])).await.unwrap();
    let is_there = || {
        let files = [file(&dir), file(&dir).with_extension("db-wal")];
        files.iter().any(|file| memchr::memmem::find(&fs::read(file).unwrap(), b"sealed body").is_some())
    };
    assert!(is_there());
    let claimed = store.claim_due(&owner(), noon(), days_later(noon(), 1), 1).await.unwrap();
    deliver(&store, &claimed[0]).await;
    assert!(!is_there());
}

// ---- room

/// H43: pages that are free inside the database are room for mail, and the log gives back what it took.
#[tokio::test]
async fn what_has_left_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&file(&dir)).unwrap();
    let large = || NewItem { body: inline(vec![7; 1 << 20]), ..item() };
    for _ in 0..20 {
        store.commit(message(vec![large()])).await.unwrap();
    }
    let claimed = store.claim_due(&owner(), noon(), days_later(noon(), 1), 20).await.unwrap();
    for item in &claimed {
        deliver(&store, item).await;
    }
    let inside = store.readers.read(room::free_inside).await.unwrap();
    assert!(inside > 8 << 20, "{inside}");
    let log = file(&dir).with_extension("db-wal");
    store.commit(message(vec![large()])).await.unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0);
    store.shrink_log().await.unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0, "somebody may still be writing");
    store.shrink_log().await.unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    assert_eq!(store.queue().await.unwrap().len(), 1);
}

// ---- what statements are made of

/// Every source file below a folder, without its tests.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text.split("#[cfg(test)]").next().unwrap().to_owned()));
        }
    }
    found
}

/// C21: what SQL is made of is in the source, and values come to it as parameters only: the files that hold it make
/// no texts. Nor is there anything else that would take a text for a command: no shell, no template from outside.
#[test]
fn no_text_becomes_a_statement() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut holding_sql = 0;
    for (path, text) in sources(&root.join("src")) {
        let name = path.strip_prefix(root).unwrap().display();
        // Statements for any table, made of the names in store/tables.rs, which are in the source.
        let is_of_tables = path.ends_with("src/store/sqlite/still.rs");
        if (path.starts_with(root.join("src/store/sqlite")) && !is_of_tables)
            || text.contains("rusqlite::Connection")
        {
            holding_sql += 1;
            for maker in ["format!(", "format_args!(", "write!(", ".push_str(", ".concat()", ".replace("] {
                assert!(!text.contains(maker), "{name} makes a text with {maker}");
            }
        } else if !path.starts_with(root.join("src/store")) {
            assert!(!text.contains("rusqlite"), "{name} speaks to the database by itself");
        }
        for runner in ["process::Command", "Command::new(\"", "libc::system", "template(source"] {
            assert!(!text.contains(runner), "{name} holds {runner}");
        }
    }
    assert!(holding_sql > 15, "only {holding_sql} files with SQL were found");
}
