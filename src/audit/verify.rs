//! Whether the audit trail is what was written: each row against its digest, each block against the one before. Fed by the
//! command line with pages of blocks and rows; in memory is no more than a page, and what does not fit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::chain::{Block, BlockKind, Hash, Head, Row, Tip};

/// Faults that are told; there may be millions.
const TOLD: usize = 100;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A row is not what its digest says.
    Changed(u64),
    /// A row that was there is gone.
    Removed(u64),
    /// A row was put in later, or in the place of another.
    Added(u64),
    /// Somebody was taken out of a row, and not by `zegel erase`.
    Erased(u64),
    /// Blocks are missing before this one.
    BlocksRemoved(u64),
    /// A block is not what its hash says.
    BlockChanged(u64),
    /// The chain ends before this block, which somebody has written down.
    Cut(u64),
    /// The chain has another block there than the one that somebody has written down.
    OtherHead(u64),
    /// The block that somebody has written down is older than what is kept.
    HeadForgotten(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(row) => write!(f, "row {row} was changed"),
            Self::Removed(row) => write!(f, "row {row} was removed"),
            Self::Added(row) => write!(f, "row {row} was put in later: no block names it"),
            Self::Erased(row) => {
                write!(f, "row {row} says that a person was erased in it, and no erasure names it")
            }
            Self::BlocksRemoved(block) => write!(f, "blocks before block {block} were removed"),
            Self::BlockChanged(block) => write!(f, "block {block} was changed"),
            Self::Cut(block) => write!(f, "the chain was cut off: it ends before block {block}"),
            Self::OtherHead(block) => write!(f, "block {block} is another than the one of --head"),
            Self::HeadForgotten(block) => {
                write!(f, "block {block} of --head is older than what is kept: nothing can be said of it")
            }
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rows that are what was written.
    pub rows: u64,
    /// Of these, rows in which somebody was erased.
    pub erased: u64,
    /// Of these, rows that say whose they are, and of which the chain does not: a node of an older release has put them into it.
    pub unbound: u64,
    /// Blocks.
    pub blocks: u64,
    /// Rows that no block names yet, because they are new.
    pub unchained: u64,
    /// The end of the chain.
    pub head: Option<Head>,
    /// The first of the faults.
    pub faults: Vec<Fault>,
    /// All of them.
    pub faults_in_all: u64,
}

impl Verdict {
    fn add(&mut self, fault: Fault) {
        self.faults_in_all += 1;
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }
}

/// Goes through a chain, oldest block first.
pub struct Verifier {
    verdict: Verdict,
    /// The block before, and its hash.
    last: Option<Head>,
    /// What the newest block of that kind says: from where the chain is kept.
    forgotten: Option<Head>,
    wanted: Option<Head>,
    is_found: bool,
    erased: BTreeSet<u64>,
    /// Rows that were read and that no block has named yet.
    waiting: BTreeMap<u64, Row>,
    /// Rows were read up to here.
    reach: u64,
}

impl Verifier {
    /// For a chain with these blocks that are not about new rows. `wanted`: a head that somebody has written down.
    pub fn new(notes: &[Block], wanted: Option<Head>) -> Self {
        let forgotten = notes.iter().rev().find_map(Block::forgotten);
        let is_found = wanted.is_none();
        Self {
            verdict: Verdict::default(),
            last: None,
            forgotten,
            wanted,
            is_found,
            erased: notes.iter().flat_map(Block::erased_rows).collect(),
            waiting: BTreeMap::new(),
            reach: 0,
        }
    }

    /// Up to which number rows must be given with the next block: those behind [`Verifier::reach`].
    pub fn reach(&self) -> u64 {
        self.reach
    }

    /// The next block, and all rows behind [`Verifier::reach`] up to the block's own reach.
    pub fn block(&mut self, block: &Block, rows: Vec<Row>) {
        let before = self.before(block);
        if !block.is_well_formed() || block.hash_behind(&before) != block.hash {
            self.verdict.add(Fault::BlockChanged(block.number));
        }
        self.last = Some(block.head());
        self.verdict.blocks += 1;
        if let Some(wanted) = self.wanted.filter(|wanted| wanted.block == block.number) {
            self.is_found = true;
            if wanted.hash != block.hash {
                self.verdict.add(Fault::OtherHead(wanted.block));
            }
        }
        self.reach = self.reach.max(block.reach);
        self.waiting.extend(rows.into_iter().map(|row| (row.number, row)));
        for (number, digest, salt) in block.entries() {
            match self.waiting.remove(&number) {
                None => self.verdict.add(Fault::Removed(number)),
                Some(row) if row.digest(&salt) != digest && !row.is_unbound(&salt, &digest) => {
                    self.verdict.add(Fault::Changed(number));
                }
                Some(row) if row.is_erased() && !self.erased.contains(&number) => {
                    self.verdict.add(Fault::Erased(number));
                }
                Some(row) => {
                    self.verdict.rows += 1;
                    self.verdict.erased += u64::from(row.is_erased());
                    self.verdict.unbound += u64::from(row.is_unbound(&salt, &digest));
                }
            }
        }
    }

    /// The hash that the block must be bound to.
    fn before(&mut self, block: &Block) -> Hash {
        let expected = match (self.last, self.forgotten) {
            (Some(last), _) => last,
            // Where the chain begins is said by a block further on, which is bound to all that is there.
            (None, Some(forgotten)) => forgotten,
            (None, None) => Head { block: 0, hash: [0; 32] },
        };
        if block.number != expected.block + 1 {
            self.verdict.add(Fault::BlocksRemoved(block.number));
        }
        expected.hash
    }

    /// There are no more blocks. `unchained`: how many rows are behind [`Verifier::reach`]; `tip`: that of the newest block.
    pub fn finish(mut self, mut unchained: u64, tip: &Tip) -> Verdict {
        let awaited: BTreeSet<u64> = tip.awaited().into_iter().collect();
        for number in std::mem::take(&mut self.waiting).into_keys() {
            match awaited.contains(&number) {
                true => unchained += 1,
                false => self.verdict.add(Fault::Added(number)),
            }
        }
        if let (Some(wanted), false) = (self.wanted, self.is_found) {
            let forgotten = self.forgotten.filter(|forgotten| wanted.block <= forgotten.block);
            match forgotten {
                Some(forgotten) if forgotten == wanted => {}
                Some(forgotten) if forgotten.block == wanted.block => {
                    self.verdict.add(Fault::OtherHead(wanted.block));
                }
                Some(_) => self.verdict.add(Fault::HeadForgotten(wanted.block)),
                None => self.verdict.add(Fault::Cut(wanted.block)),
            }
        }
        Verdict { head: self.last, unchained, ..self.verdict }
    }
}

impl Block {
    /// Whether it says something of rows that are in other blocks.
    pub fn is_note(&self) -> bool {
        self.kind != BlockKind::Rows
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{Timestamp, later};

    fn noon() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn row(number: u64) -> Row {
        let time = later(noon(), Duration::from_secs(number));
        let [action, object, result, actor, origin] =
            ["open", "3k7wp9hmxt/1", "ok", "jan@voorbeeld.nl", "192.0.2.1"].map(str::to_owned);
        Row { number, time, action, object, result, actor, origin, organisation: None }
    }

    /// Blocks of three rows each, and the rows.
    fn trail(blocks: u64) -> (Vec<Block>, Vec<Row>) {
        let rows: Vec<Row> = (1..=3 * blocks).map(row).collect();
        let mut chain: Vec<Block> = Vec::new();
        for three in rows.chunks(3) {
            chain.push(Tip::of(chain.last()).rows(three, later(noon(), Duration::from_secs(60))));
        }
        (chain, rows)
    }

    fn verify(chain: &[Block], rows: &[Row], head: Option<Head>) -> Vec<Fault> {
        verdict(chain, rows, head).faults
    }

    fn verdict(chain: &[Block], rows: &[Row], head: Option<Head>) -> Verdict {
        let notes: Vec<Block> = chain.iter().filter(|block| block.is_note()).cloned().collect();
        let mut verifier = Verifier::new(&notes, head);
        for block in chain {
            let reach = verifier.reach();
            let next = rows.iter().filter(|row| row.number > reach && row.number <= block.reach);
            verifier.block(block, next.cloned().collect());
        }
        verifier.finish(0, &Tip::of(chain.last()))
    }

    #[test]
    fn a_trail_as_it_was_written_is_fine() {
        let (chain, rows) = trail(4);
        assert_eq!(verify(&chain, &rows, Some(chain[2].head())), []);
        let text = chain[3].head().to_string();
        assert_eq!(text.parse(), Ok(chain[3].head()));
        for wrong in ["", "4", "4:", ":aa", "4:zz", &text[..text.len() - 1], &text.replace(':', ";")] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_change_of_a_row_shows() {
        let (chain, rows) = trail(3);
        let changes: [fn(&mut Row); 6] = [
            |row| row.time = later(row.time, Duration::from_micros(1)),
            |row| row.action = "read".into(),
            |row| row.object = "3k7wp9hmxt/2".into(),
            |row| row.result = "wrong password".into(),
            |row| row.actor = "els@voorbeeld.nl".into(),
            |row| row.origin = "192.0.2.2".into(),
        ];
        for change in changes {
            let mut rows = rows.clone();
            change(&mut rows[4]);
            assert_eq!(verify(&chain, &rows, None), [Fault::Changed(5)]);
        }
        let mut moved = rows.clone();
        (moved[3].object, moved[3].result) = ("3k7wp9hmxt/1o".into(), "k".into());
        assert_eq!(
            verify(&chain, &moved, None),
            [Fault::Changed(4)],
            "bytes that went from one field to the next"
        );
    }

    /// Whose a row is cannot be changed or taken away. What a node of a release before has put into the chain is told apart.
    #[test]
    fn whose_a_row_is_is_in_the_chain() {
        let ours = |row: Row| Row { organisation: Some("noorderveen.nl".into()), ..row };
        let rows: Vec<Row> = (1..=3).map(|number| ours(row(number))).collect();
        let late = later(noon(), Duration::from_secs(60));
        let chain = [Tip::default().rows(&rows, late)];
        assert_eq!((verify(&chain, &rows, None), verdict(&chain, &rows, None).unbound), (vec![], 0));
        for other in [None, Some("zuiderveen.nl".to_owned()), Some(String::new())] {
            let mut rows = rows.clone();
            rows[1].organisation = other;
            assert_eq!(verify(&chain, &rows, None), [Fault::Changed(2)]);
        }
        let as_before: Vec<Row> = (1..=3).map(row).collect();
        let older = [Tip::default().rows(&as_before, late)];
        assert_eq!(verify(&older, &as_before, None), [], "rows of before");
        let found = verdict(&older, &rows, None);
        assert_eq!((found.faults, found.rows, found.unbound), (vec![], 3, 3));
        let mut changed = rows;
        changed[0].result = "wrong password".into();
        assert_eq!(verify(&older, &changed, None), [Fault::Changed(1)]);
    }

    #[test]
    fn a_row_that_is_gone_or_too_much_shows() {
        let (chain, rows) = trail(3);
        for gone in [0, 4, 8] {
            let mut rows = rows.clone();
            let number = rows.remove(gone).number;
            assert_eq!(verify(&chain, &rows, None), [Fault::Removed(number)]);
        }
        // Rows 2 and 8 were never there when the chain was made.
        let few: Vec<Row> = rows.iter().filter(|row| ![2, 8].contains(&row.number)).cloned().collect();
        let late = later(noon(), Duration::from_secs(7200));
        let first = Tip::default().rows(&few[..3], late);
        let chain = vec![first.clone(), Tip::of(Some(&first)).rows(&few[3..], late)];
        assert_eq!(verify(&chain, &few, None), []);
        assert_eq!(verify(&chain, &rows, None), [Fault::Added(2), Fault::Added(8)]);
    }

    #[test]
    fn a_block_that_is_changed_or_gone_shows() {
        let (chain, rows) = trail(4);
        for place in 0..4 {
            let mut changed = chain.clone();
            changed[place].made = later(changed[place].made, Duration::from_secs(1));
            assert_eq!(verify(&changed, &rows, None), [Fault::BlockChanged(place as u64 + 1)]);
        }
        let mut without = chain.clone();
        without.remove(1);
        let faults = verify(&without, &rows, None);
        assert!(faults.contains(&Fault::BlocksRemoved(3)) && faults.contains(&Fault::Added(4)), "{faults:?}");
        let faults = verify(&chain[1..], &rows[3..], None);
        assert_eq!(faults, [Fault::BlocksRemoved(2), Fault::BlockChanged(2)], "nobody forgot the first");
        // A row is changed and its block made anew: the blocks behind it do not fit any more.
        let (mut forged, mut other) = (chain.clone(), rows.clone());
        other[3].actor = "els@voorbeeld.nl".into();
        forged[1] = Tip::of(Some(&chain[0])).rows(&other[3..6], chain[1].made);
        assert_eq!(verify(&forged, &other, None), [Fault::BlockChanged(3)]);
    }

    #[test]
    fn an_end_that_was_cut_off_shows_by_a_head_that_was_kept() {
        let (chain, rows) = trail(4);
        assert_eq!(verify(&chain[..3], &rows[..9], None), [], "by itself it does not");
        assert_eq!(verify(&chain[..3], &rows[..9], Some(chain[3].head())), [Fault::Cut(4)]);
        let (mut forged, mut other) = (chain.clone(), rows.clone());
        other[10].actor = "els@voorbeeld.nl".into();
        forged[3] = Tip::of(Some(&chain[2])).rows(&other[9..], chain[3].made);
        assert_eq!(verify(&forged, &other, None), []);
        assert_eq!(verify(&forged, &other, Some(chain[3].head())), [Fault::OtherHead(4)]);
    }

    #[test]
    fn only_an_erasure_takes_a_person_out() {
        let (mut chain, mut rows) = trail(2);
        let salt = chain[0].take_salt(2).unwrap();
        rows[1].erase(&salt);
        assert_eq!(verify(&chain, &rows, None), [Fault::Erased(2)]);
        chain.push(Tip::of(chain.last()).erased(&[2], noon()));
        assert_eq!(verify(&chain, &rows, None), []);
        assert!(!rows[1].actor.contains("jan") && chain[0].salts[16..32] == [0; 16]);
        rows[1].result = "wrong password".into();
        assert_eq!(verify(&chain, &rows, None), [Fault::Changed(2)], "the rest stays bound");
    }

    #[test]
    fn a_number_that_was_skipped_may_come_later() {
        let (_, rows) = trail(2);
        let now = later(noon(), Duration::from_secs(10));
        let first = Tip::default().rows(&[rows[0].clone(), rows[2].clone()], now);
        let tip = Tip::of(Some(&first));
        assert_eq!((tip.awaited(), tip.reach), (vec![2], 3));
        assert_eq!(verify(std::slice::from_ref(&first), &rows[..3], None), [], "it is not in the chain yet");
        let second = tip.rows(&[rows[1].clone(), rows[3].clone()], now);
        let chain = [first, second];
        assert_eq!(Tip::of(chain.last()).awaited(), [0; 0]);
        assert_eq!(verify(&chain, &rows[..4], None), []);
        // Nobody waits for ever, and not for what was skipped long ago.
        let late = later(now, Duration::from_secs(2 * 3600));
        let old = Tip::of(chain.last()).rows(&[row(9)], late);
        assert_eq!(Tip::of(Some(&old)).awaited(), [0; 0]);
    }

    /// What somebody has put into the table is no panic.
    #[test]
    fn whatever_a_block_holds_is_read() {
        let (chain, rows) = trail(1);
        for content in [vec![], vec![1], vec![7; 39], vec![9; 41], vec![0; 400]] {
            for kind in [BlockKind::Rows, BlockKind::Erased, BlockKind::Forgotten] {
                let block = Block { kind, content: content.clone(), gaps: vec![1; 17], ..chain[0].clone() };
                assert!(!verify(&[block], &rows, None).is_empty());
            }
        }
    }
}
