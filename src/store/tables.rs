//! The rows of all tables in a form that SQLite and PostgreSQL have in common, so that a gateway can be moved from one to the
//! other (`moving`). The only place that must know a new column besides the two migrations; tests compare all three.

use aws_lc_rs::digest::{Context, SHA256};

/// A table, and which of its columns are moved.
#[derive(Debug)]
pub struct Table {
    /// The same in both databases.
    pub name: &'static str,
    pub columns: &'static [Column],
}

/// A column. Where it is not named here it keeps its default: it says something of the gateway that is moved away from.
#[derive(Debug)]
pub struct Column {
    /// The same in both databases.
    pub name: &'static str,
    pub kind: Kind,
}

/// What a column holds. All but a flag may be NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    /// A number in SQLite.
    Flag,
    Text,
    Bytes,
}

/// What one column of one row holds; a flag is 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    /// Roughly the memory that it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Rows that are moved at once: so many, or as many as have so many bytes.
pub const BATCH_ROWS: usize = 500;
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

macro_rules! tables {
    ($($name:literal: $($column:ident $kind:ident),+;)+) => {
        &[$(Table { name: $name, columns: &[$(Column { name: stringify!($column), kind: Kind::$kind }),+] }),+]
    };
}

/// Every table that is moved: one that others refer to comes before them.
///
/// Of `items` the body comes last, which is a table of its own in SQLite, and nobody's claim. What was given up (`doomed`) is not
/// moved, nor are its blobs.
pub const TABLES: &[Table] = tables! {
    "transfers": number Number, id Text, created Number, expires Number, sender Text, password Flag, automatic Flag,
        files Number, language Text, download_notice Flag, file_names Flag, first_reminder Number, announced Number,
        reminded Number, message_id Text, reply_to Text, on_behalf_of Text, shredded Number, tracking Text, organisation Text,
        generation Number;
    "transfer_recipients": transfer Number, number Number, address Text, key_packet Bytes, tries Number,
        locked_until Number, opened Number, recalled Number, first_notified Number, notified Number, bounced Number,
        bounce_reason Text, bounce_cause Text, download_noticed Number, download_pending Flag;
    "parts": transfer Number, number Number, blob Text, size Number, lost Number;
    "sessions": id Bytes, transfer Number, recipient Number, wrapped_key Bytes, used Number;
    "session_downloads": session Bytes, what Text, last Number, whole Flag;
    "downloads": transfer Number, recipient Number, part Number, first Number, last Number, count Number, whole Flag;
    "delivery_reports": transfer Number, recipient Number, own Flag, action Text, time Number, reason Text, cause Text,
        count Number;
    "threads": hash Bytes, created Number;
    "limits": bucket Text, arrival Number;
    "audit": number Number, time Number, action Text, object Text, result Text, actor Text, origin Text,
        organisation Text;
    "audit_chain": block Number, made Number, kind Number, newest Number, content Bytes, salts Bytes, gaps Bytes, reach Number,
        hash Bytes;
    "turns": number Number, trusted Number, doubted Number, seen Number;
    "drafts": number Number, transfer Number, recipient Number, browser Bytes, typed Bytes, revision Number, used Number;
    "uploads": number Number, id Text, draft Number, facts Bytes, length Number, offset Number, scanned Number;
    "pieces": upload Number, number Number, blob Text, size Number;
    "codes": transfer Number, recipient Number, browser Bytes, facts Bytes, hash Bytes, expires Number, tries Number, since Number;
    "code_mails": number Number, time Number, address Bytes, client Text;
    "browsers": browser Bytes, facts Bytes, until Number;
    "replies": number Number, transfer Number, recipient Number, browser Bytes, time Number, summary Bytes;
    "items": number Number, id Text, kind Text, reverse_path Text, parameters Text, transfer Text, recipient Number,
        blob Text, key Number, created Number, attempts Number, next_attempt Number, due Number, problem Text, track Text,
        organisation Text, hold Text, bounce Text, held_for Number, body Bytes;
    "item_recipients": item Number, number Number, address Text, parameters Text, state Text, stage Text, code Number,
        status Text, answer Text;
    "tracking": number Number, tracking Text, item Text, recipient_number Number, time Number, kind Text, sender Text,
        sender_domain Text, recipient Text, recipient_domain Text, message_id Text, size Number, client Text, rule Text,
        transfer Text, link Number, state Text, attempts Number, changed Number, next_hop Text, tls Text, answer Text,
        organisation Text;
};

impl Table {
    /// What a column is read from: an item that is moved is nobody's, so it is due when its next attempt is, if ever.
    pub(super) fn source(&self, column: &Column) -> String {
        match (self.name, column.name) {
            ("items", "due") => "
                CASE WHEN problem = 'frozen' OR hold IS NOT NULL THEN 9223372036854775807 ELSE next_attempt END AS due"
                .to_owned(),
            (_, name) => format!("\"{name}\""),
        }
    }

    /// Which rows are not worth moving: a bucket of which nothing was taken.
    pub(super) fn condition(&self) -> &'static str {
        match self.name {
            "limits" => " WHERE arrival IS NOT NULL",
            _ => "",
        }
    }

    /// Its columns, each as `transform` writes it.
    pub(super) fn list(&self, transform: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(transform).collect::<Vec<_>>().join(", ")
    }

    /// Where a column is among the others.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// How many rows there were and what was in them, in whatever order they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    pub rows: u64,
    /// The sum of the SHA-256 of all rows, without what does not fit.
    sum: [u8; 32],
}

impl Digest {
    /// One row more.
    pub fn add(&mut self, row: &[Value]) {
        let mut context = Context::new(&SHA256);
        for value in row {
            let (kind, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Number(number) => (1, &number.to_le_bytes()),
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            context.update(&[kind]);
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes);
        }
        self.rows += 1;
        let mut carry = 0;
        for (sum, more) in self.sum.iter_mut().zip(context.finish().as_ref()) {
            let total = u16::from(*sum) + u16::from(*more) + carry;
            *sum = total as u8;
            carry = total >> 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, number: i64) -> Vec<Value> {
        vec![Value::Text(text.to_owned()), Value::Number(number), Value::Null]
    }

    #[test]
    fn a_digest_knows_rows_and_not_their_order() {
        let digest = |rows: &[Vec<Value>]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|row| digest.add(row));
            digest
        };
        let both = digest(&[row("a", 1), row("b", 2)]);
        assert_eq!(digest(&[row("b", 2), row("a", 1)]), both);
        for other in [[row("a", 2), row("b", 1)], [row("a", 1), row("a", 1)], [row("b", 2), row("b", 2)]] {
            assert_ne!(digest(&other), both);
        }
        assert_ne!(digest(&[row("a", 1)]), both);
        assert_ne!(
            digest(&[vec![Value::Text("ab".into()), Value::Text("c".into())]]),
            digest(&[vec![Value::Text("a".into()), Value::Text("bc".into())]])
        );
        assert_ne!(digest(&[vec![Value::Null]]), digest(&[vec![Value::Bytes(Vec::new())]]));
    }
}
