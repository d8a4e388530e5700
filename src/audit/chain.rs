//! The hash chain over the audit trail: a row that was changed, removed or put in later shows. Rows are written without it; a
//! moment later the timer's node puts what was committed into a *block*, which names each row with a digest and is bound
//! to the block before it by its hash. Pure: the store keeps blocks, [`super::verify`] reads them again.
//!
//! Actor and origin of a row are in its digest as commitments under a salt of the row's own. So a person can be taken out
//! of a row (docs/decisions/0026): the commitments take the place of the values, the salt goes, and the digest stays.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;

use crate::clock::{Timestamp, earlier};
use crate::secret;

/// Rows of one block at most: verifying, forgetting and erasing hold one in memory.
pub const ROWS: usize = 1000;
/// How long a number that was skipped may still turn up: no transaction of a node lasts as long.
const LATE: Duration = Duration::from_hours(1);
/// Skipped numbers that are waited for at once; a server that crashed skips a few dozen.
const GAPS: usize = 4096;
/// How much over its time the oldest block is before any is forgotten.
const FORGET_EVERY: Duration = Duration::from_hours(1);
/// The most blocks that are forgotten at once.
pub const BLOCKS: usize = 100;
const SALT: usize = 16;
const HASH: usize = 32;
/// A row in the content of a block: its number and its digest.
const ENTRY: usize = 8 + HASH;
/// What stands in a column whose value was erased, before the commitment in hexadecimal.
const ERASED: &str = "erased ";

/// A SHA-256.
pub type Hash = [u8; HASH];

/// A row of the audit trail, in the words of the table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// Its place in the trail.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// How it ended.
    pub result: String,
    /// By whom.
    pub actor: String,
    /// From where.
    pub origin: String,
    /// Whose it is; none in a row from before there could be several organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
}

impl Row {
    /// What the chain knows of the row.
    pub fn digest(&self, salt: &[u8; SALT]) -> Hash {
        let mut context = self.without_organisation(salt);
        if let Some(organisation) = &self.organisation {
            context.update(&(organisation.len() as u64).to_be_bytes());
            context.update(organisation.as_bytes());
        }
        finish(context)
    }

    /// Whether the chain knows the row by this digest, but not whose it is: a node of a release that knew no organisations has put
    /// it into the chain.
    pub fn is_unbound(&self, salt: &[u8; SALT], digest: &Hash) -> bool {
        self.organisation.is_some() && finish(self.without_organisation(salt)) == *digest
    }

    fn without_organisation(&self, salt: &[u8; SALT]) -> Context {
        let mut context = Context::new(&SHA256);
        context.update(b"zegel audit row");
        context.update(&self.number.to_be_bytes());
        context.update(&self.time.as_microsecond().to_be_bytes());
        for text in [&self.action, &self.object, &self.result] {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        }
        for (field, text) in [("actor", &self.actor), ("origin", &self.origin)] {
            context.update(&commitment(salt, field, text));
        }
        context
    }

    /// Puts the commitments in the place of who it was, and from where.
    pub fn erase(&mut self, salt: &[u8; SALT]) {
        for (field, text) in [("actor", &mut self.actor), ("origin", &mut self.origin)] {
            *text = format!("{ERASED}{}", hex(&commitment(salt, field, text)));
        }
    }

    /// Whether it says that somebody was taken out of it.
    pub fn is_erased(&self) -> bool {
        erased(&self.actor).is_some() || erased(&self.origin).is_some()
    }
}

/// Binds a value, and tells nothing of it to who does not know the salt.
fn commitment(salt: &[u8; SALT], field: &str, text: &str) -> Hash {
    if let Some(commitment) = erased(text) {
        return commitment;
    }
    let mut out = [0; HASH];
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
    out.copy_from_slice(
        hmac::sign(&key, [field.as_bytes(), b"\0", text.as_bytes()].concat().as_slice()).as_ref(),
    );
    out
}

/// The commitment in the place of a value.
fn erased(text: &str) -> Option<Hash> {
    from_hex(text.strip_prefix(ERASED)?)
}

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BlockKind {
    /// These rows were written.
    Rows = 0,
    /// In these rows somebody was erased.
    Erased = 1,
    /// Everything up to that block was old enough to be forgotten.
    Forgotten = 2,
}

impl BlockKind {
    /// As a column holds it.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// From a column.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Rows, Self::Erased, Self::Forgotten].into_iter().find(|kind| kind.number() == number)
    }
}

/// A link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// 1, 2, 3 …
    pub number: u64,
    /// When it was made.
    pub made: Timestamp,
    pub kind: BlockKind,
    /// The time of the newest row in it.
    pub newest: Timestamp,
    /// By kind: rows with their digests; rows; a block and its hash.
    pub content: Vec<u8>,
    /// One for each row; zeroes where a person was erased. Not in the hash: the digests are bound to them.
    pub salts: Vec<u8>,
    /// Numbers of rows that were skipped up to here and may still come, with when that was noted. Not in the hash: it is for
    /// whoever makes the next block.
    pub gaps: Vec<u8>,
    /// The highest number of a row in this block and all before it.
    pub reach: u64,
    /// Over all of it and the hash before.
    pub hash: Hash,
}

/// The end of a chain, as an administrator writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest block.
    pub block: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.block, hex(&self.hash))
    }
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (block, hash) = text.trim().split_once(':')?;
            Some(Self { block: block.parse().ok()?, hash: from_hex(hash)? })
        };
        read().ok_or("a head is the number of a block, a colon and 64 hexadecimal digits")
    }
}

impl Block {
    /// The end of the chain that this block is the newest of.
    pub fn head(&self) -> Head {
        Head { block: self.number, hash: self.hash }
    }

    /// The hash that it must have behind a block with the hash `before`.
    pub fn hash_behind(&self, before: &Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(b"zegel audit block");
        context.update(before);
        context.update(&self.number.to_be_bytes());
        context.update(&self.made.as_microsecond().to_be_bytes());
        context.update(&[self.kind as u8]);
        context.update(&self.newest.as_microsecond().to_be_bytes());
        context.update(&(self.content.len() as u64).to_be_bytes());
        context.update(&self.content);
        finish(context)
    }

    /// The rows that a block of rows names, with digest and salt.
    pub fn entries(&self) -> impl Iterator<Item = (u64, Hash, [u8; SALT])> + '_ {
        let rows = if self.kind == BlockKind::Rows { &self.content[..] } else { &[] };
        rows.as_chunks::<ENTRY>().0.iter().zip(self.salts.as_chunks::<SALT>().0).map(|(entry, salt)| {
            let ([n0, n1, n2, n3, n4, n5, n6, n7, digest @ ..], salt) = (*entry, *salt);
            (u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]), digest, salt)
        })
    }

    /// Whether its content has a form that we write.
    pub fn is_well_formed(&self) -> bool {
        match self.kind {
            BlockKind::Rows => {
                self.content.len().is_multiple_of(ENTRY)
                    && self.salts.len() / SALT == self.content.len() / ENTRY
            }
            BlockKind::Erased => self.content.len().is_multiple_of(8),
            BlockKind::Forgotten => self.content.len() == ENTRY,
        }
    }

    /// The rows that a block says somebody was erased in.
    pub fn erased_rows(&self) -> impl Iterator<Item = u64> + '_ {
        let rows = if self.kind == BlockKind::Erased { &self.content[..] } else { &[] };
        rows.as_chunks::<8>().0.iter().map(|number| u64::from_be_bytes(*number))
    }

    /// The newest block that was forgotten.
    pub fn forgotten(&self) -> Option<Head> {
        let entry: [u8; ENTRY] = match self.kind {
            BlockKind::Forgotten => self.content.as_slice().try_into().ok()?,
            _ => return None,
        };
        let [n0, n1, n2, n3, n4, n5, n6, n7, hash @ ..] = entry;
        Some(Head { block: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]), hash })
    }

    /// Forgets the salt of a row, and gives it.
    pub fn take_salt(&mut self, row: u64) -> Option<[u8; SALT]> {
        let place = self.entries().position(|(number, ..)| number == row)?;
        let salt = self.salts.as_chunks_mut::<SALT>().0.get_mut(place)?;
        Some(std::mem::take(salt))
    }
}

/// From which the next block follows.
#[derive(Clone, Debug, Default)]
pub struct Tip {
    number: u64,
    hash: Hash,
    /// The highest number of a row that is in the chain.
    pub reach: u64,
    gaps: BTreeMap<u64, i64>,
}

impl Tip {
    /// Behind this block; behind none, the chain begins.
    pub fn of(newest: Option<&Block>) -> Self {
        let Some(block) = newest else { return Self::default() };
        let gaps = block.gaps.as_chunks::<16>().0.iter().map(|gap| {
            let [n0, n1, n2, n3, n4, n5, n6, n7, since @ ..] = *gap;
            (u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]), i64::from_be_bytes(since))
        });
        Self { number: block.number, hash: block.hash, reach: block.reach, gaps: gaps.collect() }
    }

    /// Numbers below [`Tip::reach`] whose rows may have been committed since.
    pub fn awaited(&self) -> Vec<u64> {
        self.gaps.keys().copied().collect()
    }

    /// A block of these rows, in the order of their numbers; none of them is in the chain. Numbers that they skip are waited for,
    /// because transactions end in another order than they begin.
    pub fn rows(&self, rows: &[Row], now: Timestamp) -> Block {
        let (mut gaps, mut reach) = (self.gaps.clone(), self.reach);
        let (mut content, mut salts) = (Vec::new(), Vec::new());
        let recent = earlier(now, LATE);
        for row in rows {
            gaps.remove(&row.number);
            if row.time >= recent && row.number > reach {
                let room = GAPS.saturating_sub(gaps.len());
                gaps.extend((reach + 1..row.number).rev().take(room).map(|gap| (gap, now.as_microsecond())));
            }
            reach = reach.max(row.number);
            let salt = secret::random::<SALT>();
            content.extend_from_slice(&row.number.to_be_bytes());
            content.extend_from_slice(&row.digest(&salt));
            salts.extend_from_slice(&salt);
        }
        gaps.retain(|_, since| *since >= recent.as_microsecond());
        let newest = rows.iter().map(|row| row.time).max().unwrap_or(now);
        self.block(BlockKind::Rows, content, salts, &gaps, (newest, now), reach)
    }

    /// A block that says that somebody was erased in these rows.
    pub fn erased(&self, rows: &[u64], now: Timestamp) -> Block {
        let content = rows.iter().flat_map(|row| row.to_be_bytes()).collect();
        self.block(BlockKind::Erased, content, Vec::new(), &self.gaps, (now, now), self.reach)
    }

    /// A block that says that everything up to this one was forgotten.
    pub fn forgotten(&self, last: Head, now: Timestamp) -> Block {
        let content = [&last.block.to_be_bytes()[..], &last.hash].concat();
        self.block(BlockKind::Forgotten, content, Vec::new(), &self.gaps, (now, now), self.reach)
    }

    fn block(
        &self,
        kind: BlockKind,
        content: Vec<u8>,
        salts: Vec<u8>,
        gaps: &BTreeMap<u64, i64>,
        (newest, made): (Timestamp, Timestamp),
        reach: u64,
    ) -> Block {
        let gaps = gaps.iter().flat_map(|(gap, since)| [gap.to_be_bytes(), since.to_be_bytes()].concat());
        let gaps = gaps.collect();
        let mut block = Block {
            number: self.number + 1,
            made,
            kind,
            newest,
            content,
            salts,
            gaps,
            reach,
            hash: [0; HASH],
        };
        block.hash = block.hash_behind(&self.hash);
        block
    }
}

/// Which of the oldest blocks are forgotten: those all of whose rows are from before `before`, and no more rows than a block
/// may have, or else one block. `blocks` are the oldest ones. Each time leaves a block that says so, so it is not done for
/// every block: not before the oldest is an hour over its time.
pub fn past(blocks: &[Block], before: Timestamp) -> &[Block] {
    let is_due = blocks.first().is_some_and(|oldest| oldest.newest < earlier(before, FORGET_EVERY));
    let mut rows = 0;
    let mut fits = |block: &Block| {
        rows += block.content.len() / ENTRY;
        rows <= ROWS
    };
    let past = blocks.iter().take_while(|block| is_due && block.newest < before && fits(block)).count();
    blocks.get(..past).unwrap_or_default()
}

fn finish(context: Context) -> Hash {
    let mut hash = [0; HASH];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// In hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Hash> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut hash = [0; HASH];
    if !rest.is_empty() || pairs.len() != HASH {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        if !pair.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
