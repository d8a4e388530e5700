//! Locks with a name in the database, for rules that span rows which no single row stands for. Their numbers are ours alone:
//! the first half says `zegl`, the second what it is for.

/// What only one transaction, or one session, does at a time.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(super) enum Lock {
    /// Bringing the schema up to date.
    Migrations = 1,
    /// Giving the database its identity.
    Identity = 2,
    /// Being the node that runs the timer; held by a session.
    Timer = 3,
    /// Counting mails with a verification code.
    CodeMails = 4,
    /// Counting drafts before another begins.
    NewDraft = 5,
    /// Adding a block to the chain of the audit trail.
    AuditChain = 6,
    /// A backup is made: blobs that are given up stay until it has them. Held by its session.
    KeepBlobs = 7,
    /// The same of keys of short life.
    KeepKeys = 8,
}

/// The first half of each key.
const ZEGEL: i32 = 0x7a65_676c;

impl Lock {
    /// A statement that waits for the lock and holds it until the transaction ends.
    pub fn in_transaction(self) -> String {
        format!("SELECT pg_advisory_xact_lock({ZEGEL}, {})", self as i32)
    }

    /// As `pg_locks` shows it.
    pub fn key(self) -> (i32, i32) {
        (ZEGEL, self as i32)
    }

    /// A query that takes the lock for the session, if it is free: one row, whether it did.
    pub fn of_session(self) -> String {
        format!("SELECT pg_try_advisory_lock({ZEGEL}, {})", self as i32)
    }

    /// A query that gives back what the session holds.
    pub fn give_back(self) -> String {
        format!("SELECT pg_advisory_unlock({ZEGEL}, {})", self as i32)
    }

    /// A query whose one row says in `is_held` whether any session has it.
    pub fn look(self) -> String {
        format!(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND classid::BIGINT = {ZEGEL} AND objid::BIGINT = {} AND objsubid = 2
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS is_held",
            self as i32
        )
    }
}
