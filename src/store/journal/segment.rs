//! One file of the journal: a header, then records one after another, in room that was written once when the
//! file was made. So an append changes no metadata, and its flush is one write of the disk.
//!
//! The header carries a random key that goes into every record's checksum. What an earlier use of the same
//! room left behind has another key, and reading ends there, as it does at a record that was torn by a crash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::secret;
use crate::store::at;

/// Bytes of a file; no record is longer than half of it.
pub(super) const ROOM: u64 = 8 << 20;
const MAGIC: &[u8; 8] = b"zegelj02";
/// Of a version whose bodies `master.key` opens.
const OLD_MAGIC: &[u8; 8] = b"zegelj01";
/// Magic, number, key, checksum of those.
const HEADER: usize = 8 + 8 + 8 + 4;
/// Length and checksum before each record.
const FRAME: usize = 4 + 4;

/// A file that records are appended to.
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    number: u64,
    key: u64,
    end: u64,
}

/// Records that will be appended and flushed together.
#[derive(Default)]
pub(super) struct Batch {
    octets: Vec<u8>,
    /// Where each record's frame begins.
    frames: Vec<usize>,
}

impl Batch {
    /// Adds a record made of these pieces.
    pub fn push(&mut self, record: &[&[u8]]) {
        self.frames.push(self.octets.len());
        self.octets.extend_from_slice(&[0; FRAME]);
        record.iter().for_each(|piece| self.octets.extend_from_slice(piece));
    }

    /// Bytes on disk.
    pub fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    /// Fills in lengths and checksums.
    fn seal(&mut self, key: u64) -> &[u8] {
        let mut end = self.octets.len();
        for start in self.frames.iter().rev() {
            if let Some((frame, record)) =
                self.octets.get_mut(*start..end).and_then(|octets| octets.split_at_mut_checked(FRAME))
            {
                let (length, checksum) = frame.split_at_mut(4);
                length.copy_from_slice(&(record.len() as u32).to_le_bytes());
                checksum.copy_from_slice(&checksum_of(key, record).to_le_bytes());
            }
            end = *start;
        }
        &self.octets
    }
}

impl Segment {
    /// Makes a file, or reuses one whose records are no longer needed, under a new number. Nothing is
    /// durable before the first append.
    pub fn begin(path: &Path, number: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| at(path, error))?;
        let mut segment = Self { file, path: path.to_owned(), number, key: random(), end: HEADER as u64 };
        segment.make_room().map_err(|error| at(path, error))?;
        Ok(segment)
    }

    fn make_room(&mut self) -> io::Result<()> {
        let there = self.file.metadata()?.len();
        let nothing = vec![0; 1 << 20];
        let mut position = there;
        while position < ROOM {
            self.file.write_all_at(&nothing, position)?;
            position += nothing.len() as u64;
        }
        self.file.write_all_at(&self.header(), 0)?;
        if there < ROOM { self.file.sync_all() } else { self.file.sync_data() }
    }

    fn header(&self) -> Vec<u8> {
        let mut header = [MAGIC.as_slice(), &self.number.to_le_bytes(), &self.key.to_le_bytes()].concat();
        let checksum = crc32fast::hash(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        header
    }

    /// Its place in the order of all segments.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether so much more fits.
    pub fn has_room_for(&self, octets: u64) -> bool {
        self.end + octets <= ROOM
    }

    /// Appends and flushes. After an error it is unknown what is on disk: use another segment.
    pub fn append(&mut self, batch: &mut Batch) -> io::Result<()> {
        let octets = batch.seal(self.key);
        let written = self.file.write_all_at(octets, self.end).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What was refused should not come back at the next start. If this fails too, it may: a mail
            // too many then, never one too few.
            let wiped = self.file.write_all_at(&[0; FRAME], self.end).and_then(|()| self.file.sync_data());
            let wiped = wiped.is_ok();
            tracing::error!(journal = %self.path.display(), %error, wiped, "cannot write");
            return Err(at(&self.path, error));
        }
        self.end += octets.len() as u64;
        Ok(())
    }

    /// Ends every record, for good.
    pub fn clear(path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path).map_err(|error| at(path, error))?;
        let mut header = [0; HEADER];
        header.iter_mut().zip(MAGIC).for_each(|(octet, magic)| *octet = *magic);
        file.write_all_at(&header, 0).and_then(|()| file.sync_data()).map_err(|error| at(path, error))
    }

    /// Whether `master.key` may open what is in this file, cleared or not: an older version has made it.
    pub fn is_old(path: &Path) -> io::Result<bool> {
        let mut magic = Vec::new();
        let file = File::open(path).map_err(|error| at(path, error))?;
        file.take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(|error| at(path, error))?;
        Ok(magic != MAGIC)
    }

    /// Overwrites and removes a file.
    pub fn destroy(path: &Path) -> io::Result<()> {
        let wipe = || {
            let file = OpenOptions::new().write(true).open(path)?;
            let (nothing, end) = (vec![0; 1 << 20], file.metadata()?.len());
            for position in (0..end).step_by(nothing.len()) {
                file.write_all_at(&nothing, position)?;
            }
            file.sync_all()?;
            fs::remove_file(path)
        };
        wipe().map_err(|error| at(path, error))
    }

    /// The number and the records of a file, up to the first that is torn; `None` where nothing was begun.
    pub fn read(path: &Path) -> io::Result<Option<(u64, Vec<Vec<u8>>)>> {
        let mut octets = Vec::new();
        File::open(path)
            .and_then(|mut file| file.read_to_end(&mut octets))
            .map_err(|error| at(path, error))?;
        Ok(parse(&octets))
    }
}

fn parse(octets: &[u8]) -> Option<(u64, Vec<Vec<u8>>)> {
    let (header, mut rest) = octets.split_at_checked(HEADER)?;
    let (fields, checksum) = header.split_at_checked(HEADER - 4)?;
    let is_ours = fields.starts_with(MAGIC) || fields.starts_with(OLD_MAGIC);
    if !is_ours || crc32fast::hash(fields).to_le_bytes() != *checksum {
        return None;
    }
    let number = u64::from_le_bytes(fields.get(8..16)?.try_into().ok()?);
    let key = u64::from_le_bytes(fields.get(16..24)?.try_into().ok()?);
    let mut records = Vec::new();
    while let Some((record, after)) = first_record(key, rest) {
        records.push(record.to_vec());
        rest = after;
    }
    Some((number, records))
}

fn first_record(key: u64, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let is_whole = !record.is_empty() && checksum_of(key, record).to_le_bytes() == *checksum;
    is_whole.then_some((record, rest))
}

fn checksum_of(key: u64, record: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&key.to_le_bytes());
    checksum.update(&(record.len() as u32).to_le_bytes());
    checksum.update(record);
    checksum.finalize()
}

fn random() -> u64 {
    u64::from_le_bytes(secret::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(records: &[&[u8]]) -> Batch {
        let mut batch = Batch::default();
        records.iter().for_each(|record| batch.push(&[record]));
        batch
    }

    fn read(path: &Path) -> (u64, Vec<Vec<u8>>) {
        Segment::read(path).unwrap().unwrap()
    }

    #[test]
    fn records_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut segment = Segment::begin(&path, 7).unwrap();
        segment.append(&mut batch(&[b"one", b"two"])).unwrap();
        let mut pieces = Batch::default();
        pieces.push(&[b"thr", b"", b"ee"]);
        segment.append(&mut pieces).unwrap();
        assert_eq!(read(&path), (7, vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), ROOM);
    }

    /// C01: wherever a crash cuts, what is before the cut is whole, and nothing else is there.
    #[test]
    fn a_torn_end_is_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut segment = Segment::begin(&path, 1).unwrap();
        segment.append(&mut batch(&[b"first", b"second"])).unwrap();
        let octets = std::fs::read(&path).unwrap();
        let end = HEADER + 2 * FRAME + 11;
        for cut in 0..end {
            let records = parse(&octets[..cut]).map_or(0, |(_, records)| records.len());
            let whole = if cut < HEADER + FRAME + 5 { 0 } else { 1 };
            assert_eq!(records, whole, "cut at {cut}");
        }
        for changed in HEADER..end {
            let mut octets = octets[..end].to_vec();
            octets[changed] ^= 1;
            assert!(parse(&octets).unwrap().1.len() < 2, "octet {changed}");
        }
    }

    #[test]
    fn what_an_earlier_use_left_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        Segment::begin(&path, 1).unwrap().append(&mut batch(&[b"old 1", b"old 2"])).unwrap();
        let mut again = Segment::begin(&path, 2).unwrap();
        assert_eq!(read(&path), (2, vec![]));
        again.append(&mut batch(&[b"new 1"])).unwrap();
        assert_eq!(read(&path), (2, vec![b"new 1".to_vec()]));
        Segment::clear(&path).unwrap();
        assert!(Segment::read(&path).unwrap().is_none());
    }

    /// C29: an older version cleared only the header.
    #[test]
    fn what_an_older_version_made_is_read_and_then_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        Segment::begin(&path, 1).unwrap().append(&mut batch(&[b"waits"])).unwrap();
        assert!(!Segment::is_old(&path).unwrap());
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let mut header = std::fs::read(&path).unwrap()[..HEADER - 4].to_vec();
        header[..8].copy_from_slice(OLD_MAGIC);
        file.write_all_at(&header, 0).unwrap();
        file.write_all_at(&crc32fast::hash(&header).to_le_bytes(), header.len() as u64).unwrap();
        assert_eq!(read(&path), (1, vec![b"waits".to_vec()]));
        assert!(Segment::is_old(&path).unwrap());
        file.write_all_at(&[0; HEADER], 0).unwrap();
        assert!(Segment::is_old(&path).unwrap());
        Segment::destroy(&path).unwrap();
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        assert!(Segment::is_old(&path).unwrap());
        Segment::clear(&path).unwrap();
        assert!(!Segment::is_old(&path).unwrap());
    }

    #[test]
    fn what_is_no_segment_is_not_read() {
        assert!(parse(b"").is_none());
        assert!(parse(&[0; 100]).is_none());
        assert!(parse(&[b'z'; 100]).is_none());
    }
}
