//! The records of a ZIP archive as APPNOTE.TXT 6.3.3 has them. Files are stored as they are, with their size and CRC-32 in
//! front of them and nothing behind: that is the one form which every program reads, also one that reads from a pipe and
//! so never sees the directory at the end (`funzip`, `java.util.zip.ZipInputStream`). Zip64 is used where a number asks for
//! it, and nowhere else.

use jiff::ZonedDateTime;

/// Numbers from here on are in a zip64 field (4.4.8, 4.4.16).
const LARGE: u64 = 0xffff_ffff;
/// As many files, and more, are counted in the zip64 record (4.4.22).
const MANY: usize = 0xffff;
/// Names are UTF-8 (4.4.4, bit 11).
const UTF8: u16 = 1 << 11;
const STORED: u16 = 0;
/// What it takes to read a file (4.4.3).
const PLAIN: u16 = 20;
const ZIP64: u16 = 45;
/// Written on Unix (4.4.2), so these are a mode: an ordinary file, readable by all.
const UNIX: u16 = 3 << 8;
const MODE: u32 = 0o100_644 << 16;

/// A file of the archive, as both of its records tell of it.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a str,
    pub size: u64,
    pub crc32: u32,
    /// At which byte of the archive its local header is.
    pub offset: u64,
    pub modified: Modified,
}

/// When the files of the archive were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modified {
    /// As DOS had it (4.4.6): in local time, in steps of two seconds, from 1980 to 2107.
    time: u16,
    date: u16,
    /// Seconds since 1970 in UTC, for programs that know the extended timestamp of Info-ZIP.
    seconds: Option<i32>,
}

impl Modified {
    /// At this time, by the clock of the place.
    pub fn at(time: &ZonedDateTime) -> Self {
        let number = |number: i8| u16::try_from(number).unwrap_or(0);
        let (date, of_day) = match time.year() {
            ..1980 => ((1 << 5) | 1, 0),
            2108.. => ((127 << 9) | (12 << 5) | 31, (23 << 11) | (59 << 5) | 29),
            year => (
                (u16::try_from(year - 1980).unwrap_or(0) << 9)
                    | (number(time.month()) << 5)
                    | number(time.day()),
                (number(time.hour()) << 11) | (number(time.minute()) << 5) | (number(time.second()) / 2),
            ),
        };
        Self { time: of_day, date, seconds: i32::try_from(time.timestamp().as_second()).ok() }
    }
}

impl Entry<'_> {
    /// What stands in front of the file (4.3.7). Its length does not depend on the checksum.
    pub fn local_header(&self) -> Vec<u8> {
        // Both sizes must be in it, if any (4.5.3).
        let sizes = if self.size >= LARGE { vec![self.size, self.size] } else { Vec::new() };
        let extra = self.extra(&sizes);
        let record = Record::new(0x0403_4b50).u16(needed(&sizes));
        let record = self.common(record, extra.len());
        record.bytes(self.name.as_bytes()).bytes(&extra).0
    }

    /// What the directory says of it (4.3.12).
    pub fn directory_header(&self) -> Vec<u8> {
        let large = [self.size, self.size, self.offset].into_iter().filter(|number| *number >= LARGE);
        let large: Vec<u64> = large.collect();
        let (extra, needed) = (self.extra(&large), needed(&large));
        let record = Record::new(0x0201_4b50).u16(UNIX | needed).u16(needed);
        // No comment, on the first disk, nothing known of what is inside.
        let record = self.common(record, extra.len()).u16(0).u16(0).u16(0).u32(MODE).u32(short(self.offset));
        record.bytes(self.name.as_bytes()).bytes(&extra).0
    }

    /// What both have in the same order.
    fn common(&self, record: Record, extra: usize) -> Record {
        let Modified { time, date, .. } = self.modified;
        let record = record.u16(UTF8).u16(STORED).u16(time).u16(date).u32(self.crc32);
        let record = record.u32(short(self.size)).u32(short(self.size));
        record.u16(count(self.name.len())).u16(count(extra))
    }

    fn extra(&self, large: &[u64]) -> Vec<u8> {
        let mut extra = Record(Vec::new());
        if let Some(seconds) = self.modified.seconds {
            extra = extra.u16(0x5455).u16(5).bytes(&[1]).bytes(&seconds.to_le_bytes());
        }
        if !large.is_empty() {
            extra = extra.u16(0x0001).u16(count(large.len() * 8));
        }
        large.iter().fold(extra, |extra, number| extra.u64(*number)).0
    }
}

/// What ends an archive of so many files, whose directory of `size` bytes begins at `offset` (4.3.14 to 4.3.16).
pub fn end(files: usize, size: u64, offset: u64) -> Vec<u8> {
    let mut record = Record(Vec::new());
    if files >= MANY || size >= LARGE || offset >= LARGE {
        let all = files as u64;
        record = record.u32(0x0606_4b50).u64(44).u16(UNIX | ZIP64).u16(ZIP64).u32(0).u32(0);
        record = record.u64(all).u64(all).u64(size).u64(offset);
        record = record.u32(0x0706_4b50).u32(0).u64(offset + size).u32(1);
    }
    let files = count(files);
    record.u32(0x0605_4b50).u16(0).u16(0).u16(files).u16(files).u32(short(size)).u32(short(offset)).u16(0).0
}

fn needed(large: &[u64]) -> u16 {
    if large.is_empty() { PLAIN } else { ZIP64 }
}

/// The number, or the one that says that it is in a zip64 field.
fn short(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn count(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A record while it is written, in little-endian numbers.
struct Record(Vec<u8>);

impl Record {
    fn new(signature: u32) -> Self {
        Self(signature.to_le_bytes().to_vec())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u16(self, number: u16) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_outside_of_what_dos_knew_becomes_the_nearest() {
        let at = |text: &str| Modified::at(&text.parse().unwrap());
        let winter = at("2026-11-23T11:00:07+01:00[Europe/Amsterdam]");
        assert_eq!((winter.date, winter.time), ((46 << 9) | (11 << 5) | 23, (11 << 11) | 3));
        assert_eq!(winter.seconds, Some(1_795_428_007));
        let early = at("1970-01-01T01:00:00+01:00[Europe/Amsterdam]");
        assert_eq!((early.date, early.time, early.seconds), (33, 0, Some(0)));
        let late = at("9000-05-05T00:00:00+02:00[Europe/Amsterdam]");
        assert_eq!((late.date >> 9, late.time, late.seconds), (127, 0xbf7d, None));
    }
}
