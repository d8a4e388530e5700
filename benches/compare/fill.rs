//! Fills a data folder quickly. The first transfer is sealed by zegel itself, from a mail; the others are copies of its
//! rows under new random names, in the tables that `migrations/` describes, and its blobs again as hard links. Mail for
//! the queue comes in through SMTP, with nobody at the smarthost's address.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use zegel::id::{BlobName, TransferId};

use crate::peers::{Source, Zegel};
use crate::sealed;
use crate::sink::Sink;
use crate::stop;
use crate::support::gateway::{Site, free_port};

/// Names that one file may have; ext4 ends at 65,000.
const LINKS: u64 = 50_000;

/// An address that nobody listens on: a smarthost that is down.
pub fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// A site with so many transfers, its gateway stopped. Without `blobs` they exist in the database only.
pub fn site(smarthost: SocketAddr, transfers: u64, blobs: bool) -> Arc<Site> {
    let site = Arc::new(Site::new(smarthost, ""));
    if transfers == 0 {
        return site;
    }
    let sink = Sink::start();
    let zegel = Zegel::at(site.clone(), &[("RELAY__SMARTHOST", &sink.address.to_string())]);
    let source = Source { own: false, sessions: 1, size: 1 << 10, subject: sealed::SUBJECT, kept: false };
    source.send(zegel.smtp, 1);
    sink.wait(2);
    zegel.stop();
    copy(&site.data(), transfers, blobs);
    site
}

/// Hands over so many ordinary mails of 1 KiB.
pub fn queue(zegel: &Zegel, mails: u64) {
    Source { own: false, sessions: 10, size: 1 << 10, subject: "gewone post", kept: true }
        .send(zegel.smtp, mails);
}

/// The rows of one table that belong to the transfer, and what its columns are called.
struct Rows {
    table: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    fn read(db: &Connection, table: &'static str) -> Self {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).expect(table);
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let rows =
            statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect()).expect(table);
        Self { table, rows: rows.map(|row| row.expect(table)).collect(), columns }
    }

    /// Once more, with `change` made to each value by the name of its column.
    fn insert(&self, db: &Connection, mut change: impl FnMut(&str, &Value) -> Value) {
        let places = vec!["?"; self.columns.len()].join(",");
        let mut insert =
            db.prepare_cached(&format!("INSERT INTO {} VALUES ({places})", self.table)).expect(self.table);
        for row in &self.rows {
            let values = self.columns.iter().zip(row).map(|(column, value)| change(column, value));
            insert.execute(params_from_iter(values)).expect(self.table);
        }
    }
}

fn copy(data: &Path, transfers: u64, blobs: bool) {
    let mut db = Connection::open(data.join("zegel.db")).expect("the database");
    // Nobody else looks, and what a crash would leave is thrown away.
    db.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -1000000",
    )
    .expect("a quick database");
    let read = |table| Rows::read(&db, table);
    let own = read("transfers");
    let parts = read("parts");
    let others = [read("transfer_recipients"), read("threads"), read("audit")];
    let mut files = Links::new(&data.join("blobs"));
    let transaction = db.transaction().expect("a transaction");
    for number in 2..=transfers {
        stop::if_asked();
        let id = TransferId::random();
        let value = |column: &str, old: &Value| match (column, old) {
            ("id", _) => Value::Text(id.to_string()),
            ("transfer", _) => Value::Integer(number as i64),
            ("hash", _) => Value::Blob(rand_hash()),
            (_, old) => old.clone(),
        };
        let own_number = |column: &str, old: &Value| match column {
            "number" => Value::Integer(number as i64),
            column => value(column, old),
        };
        own.insert(&transaction, own_number);
        parts.insert(&transaction, |column, old| match (column, old) {
            ("blob", Value::Text(old)) => {
                Value::Text(if blobs { files.link(old) } else { BlobName::random().to_string() })
            }
            (column, old) => value(column, old),
        });
        for rows in &others {
            let is_audit = rows.table == "audit";
            rows.insert(&transaction, |column, old| match column {
                "number" if is_audit => Value::Null,
                column => value(column, old),
            });
        }
    }
    transaction.commit().expect("the rows");
    if !blobs {
        // Nobody need wonder where they are; a zegel from before the table does not.
        db.execute("UPDATE folder SET lost = (SELECT count(*) FROM parts)", []).ok();
    }
    db.execute_batch("PRAGMA optimize; PRAGMA journal_mode = WAL").expect("the journal");
}

/// 32 bytes that nobody has: what a hash is to an index.
fn rand_hash() -> Vec<u8> {
    zegel::secret::random::<32>().to_vec()
}

/// More names for the blobs of the first transfer.
struct Links {
    folder: PathBuf,
    /// Of each blob, the file that is linked now, and how often it was.
    sources: HashMap<String, (PathBuf, u64)>,
}

impl Links {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), sources: HashMap::new() }
    }

    /// A new name for the same sealed bytes; a real copy now and then.
    fn link(&mut self, old: &str) -> String {
        let name = BlobName::random().to_string();
        let path = |name: &str| self.folder.join(&name[..2]).join(name);
        let new = path(&name);
        fs::create_dir_all(new.parent().expect("a folder")).expect("a folder");
        let source = self.sources.entry(old.to_owned()).or_insert_with(|| (path(old), 0));
        if source.1 < LINKS {
            fs::hard_link(&source.0, &new).expect("a link");
            source.1 += 1;
        } else {
            fs::copy(&source.0, &new).expect("a copy");
            *source = (new, 0);
        }
        name
    }
}
