//! An archive whose every byte is known by its place before the first is sent: so it has a length, can be taken up
//! again anywhere, and nothing of it is made before somebody reads it.

use std::io::{self, Cursor, Read};

use super::records::{self, Entry, Modified};

/// Where the bytes of a file come from.
pub trait Source: Send + 'static {
    /// The file from byte `offset` on.
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    /// Its CRC-32, where that is known without reading all of it.
    fn known_crc32(&self) -> Option<u32>;
}

/// A file that is to be in the archive.
pub struct Member<S> {
    /// One that no other member has.
    pub name: String,
    pub size: u64,
    pub source: S,
}

/// Files in their order, and where each of them is.
pub struct Archive<S> {
    members: Vec<Placed<S>>,
    modified: Modified,
    /// Bytes of the files with their headers: there the directory begins.
    length: u64,
}

struct Placed<S> {
    member: Member<S>,
    crc32: Option<u32>,
    /// Where its header begins, and where its bytes do.
    offset: u64,
    start: u64,
}

impl<S: Source> Archive<S> {
    /// All files of an archive have one date.
    pub fn new(members: Vec<Member<S>>, modified: Modified) -> Self {
        let mut archive = Self { members: Vec::with_capacity(members.len()), modified, length: 0 };
        for member in members {
            let (crc32, offset) = (member.source.known_crc32(), archive.length);
            let mut placed = Placed { member, crc32, offset, start: offset };
            placed.start += placed.entry(modified).local_header().len() as u64;
            archive.length = placed.start + placed.member.size;
            archive.members.push(placed);
        }
        archive
    }

    /// Bytes of the whole archive.
    pub fn size(&self) -> u64 {
        self.length + self.directory().len() as u64
    }

    /// The same for two archives that are the same, as far as that is known without reading them.
    pub fn fingerprint(&self) -> u32 {
        crc32fast::hash(&self.directory())
    }

    /// The archive from one of its bytes on. Blocking.
    pub fn read_from(self, offset: u64) -> ArchiveReader<S> {
        let size = self.size();
        ArchiveReader { archive: self, at: offset, size, piece: Box::new(io::empty()), left: 0 }
    }

    /// The headers of all members, and what ends the archive.
    fn directory(&self) -> Vec<u8> {
        let headers = self.members.iter().flat_map(|placed| placed.entry(self.modified).directory_header());
        let mut directory: Vec<u8> = headers.collect();
        let end = records::end(self.members.len(), directory.len() as u64, self.length);
        directory.extend(end);
        directory
    }
}

impl<S: Source> Placed<S> {
    fn entry(&self, modified: Modified) -> Entry<'_> {
        let Self { member: Member { name, size, .. }, crc32, offset, .. } = self;
        Entry { name, size: *size, crc32: crc32.unwrap_or(0), offset: *offset, modified }
    }

    /// Has the checksum at hand from now on.
    fn find_checksum(&mut self) -> io::Result<()> {
        if self.crc32.is_none() {
            self.crc32 = Some(checksum(self.member.source.open_at(0)?)?);
        }
        Ok(())
    }
}

fn checksum(mut bytes: impl Read) -> io::Result<u32> {
    let (mut hasher, mut piece) = (crc32fast::Hasher::new(), vec![0; 64 * 1024]);
    loop {
        match bytes.read(&mut piece)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

/// The archive while it is read: a header, the bytes behind it, the next header, and at its end the directory.
pub struct ArchiveReader<S> {
    archive: Archive<S>,
    at: u64,
    size: u64,
    /// What is being read, and how much of that is to come.
    piece: Box<dyn Read + Send>,
    left: u64,
}

impl<S: Source> ArchiveReader<S> {
    /// What begins at, or goes on from, byte `at` of the archive; and its length.
    fn piece(&mut self) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let (at, modified) = (self.at, self.archive.modified);
        if let Some(skip) = at.checked_sub(self.archive.length) {
            self.archive.members.iter_mut().try_for_each(Placed::find_checksum)?;
            return Ok(rest(self.archive.directory(), skip));
        }
        let behind = self.archive.members.partition_point(|placed| placed.offset <= at);
        let placed = self.archive.members.get_mut(behind.saturating_sub(1)).ok_or(io::ErrorKind::NotFound)?;
        if let Some(skip) = at.checked_sub(placed.start) {
            return Ok((placed.member.source.open_at(skip)?, placed.member.size - skip));
        }
        placed.find_checksum()?;
        Ok(rest(placed.entry(modified).local_header(), at - placed.offset))
    }
}

impl<S: Source> Read for ArchiveReader<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.at >= self.size {
            return Ok(0);
        }
        if self.left == 0 {
            (self.piece, self.left) = self.piece()?;
        }
        let read = self.piece.by_ref().take(self.left).read(buffer)?;
        if read == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a file is shorter than its header says",
            ));
        }
        (self.at, self.left) = (self.at + read as u64, self.left - read as u64);
        Ok(read)
    }
}

fn rest(record: Vec<u8>, skip: u64) -> (Box<dyn Read + Send>, u64) {
    let left = (record.len() as u64).saturating_sub(skip);
    let mut record = Cursor::new(record);
    record.set_position(skip);
    (Box::new(record), left)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::super::strict;
    use super::*;

    /// A file of these bytes, or of so many noughts.
    enum Fake {
        Bytes(Vec<u8>),
        Unknown(Vec<u8>),
        Noughts(u64, u32),
    }

    impl Source for Fake {
        fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            Ok(match self {
                Self::Bytes(bytes) | Self::Unknown(bytes) => rest(bytes.clone(), offset).0,
                Self::Noughts(size, _) => Box::new(io::repeat(0).take(size - offset)),
            })
        }

        fn known_crc32(&self) -> Option<u32> {
            match self {
                Self::Bytes(bytes) => Some(crc32fast::hash(bytes)),
                Self::Unknown(_) => None,
                Self::Noughts(_, crc32) => Some(*crc32),
            }
        }
    }

    fn member(name: &str, source: Fake) -> Member<Fake> {
        let size = match &source {
            Fake::Bytes(bytes) | Fake::Unknown(bytes) => bytes.len() as u64,
            Fake::Noughts(size, _) => *size,
        };
        Member { name: name.to_owned(), size, source }
    }

    fn modified() -> Modified {
        Modified::at(&"2026-11-23T11:00:07+01:00[Europe/Amsterdam]".parse().unwrap())
    }

    fn small() -> Archive<Fake> {
        let members = [
            ("één.txt", Fake::Bytes(b"een".to_vec())),
            ("leeg", Fake::Bytes(Vec::new())),
            ("twee.bin", Fake::Unknown(vec![7; 100_000])),
            ("ook leeg", Fake::Unknown(Vec::new())),
        ];
        Archive::new(members.map(|(name, source)| member(name, source)).into(), modified())
    }

    fn bytes(archive: Archive<Fake>, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive.read_from(offset).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn it_can_be_read_as_it_comes() {
        let whole = bytes(small(), 0);
        assert_eq!(whole.len() as u64, small().size());
        let members = strict::read(&whole);
        let names: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
        assert_eq!(names, [("één.txt", 3), ("leeg", 0), ("twee.bin", 100_000), ("ook leeg", 0)]);
        assert_eq!(members[0].1, b"een");
    }

    #[test]
    fn it_is_the_same_from_every_byte_on() {
        let whole = bytes(small(), 0);
        for offset in (0..300).chain(100_000..whole.len() + 2) {
            assert!(bytes(small(), offset as u64) == whole[whole.len().min(offset)..], "from {offset}");
        }
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error() {
        let mut short = member("kort", Fake::Bytes(b"kort".to_vec()));
        short.size = 9;
        let mut archive = Archive::new(vec![short], modified()).read_from(0);
        let error = io::copy(&mut archive, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn without_files_it_is_an_archive_all_the_same() {
        assert!(strict::read(&bytes(Archive::new(Vec::new(), modified()), 0)).is_empty());
    }

    #[test]
    fn another_archive_has_another_fingerprint() {
        let of = |name: &str, content: &[u8]| {
            Archive::new(vec![member(name, Fake::Bytes(content.to_vec()))], modified()).fingerprint()
        };
        assert_eq!(of("a", b"x"), of("a", b"x"));
        assert!(of("a", b"x") != of("b", b"x") && of("a", b"x") != of("a", b"y"));
    }

    /// More files than an archive without zip64 can have.
    #[test]
    fn beyond_65535_files_it_is_zip64() {
        let members = (0..70_000).map(|number| member(&number.to_string(), Fake::Bytes(Vec::new())));
        let whole = bytes(Archive::new(members.collect(), modified()), 0);
        assert_eq!(strict::read(&whole).len(), 70_000);
        assert_eq!(zip::ZipArchive::new(Cursor::new(whole)).unwrap().len(), 70_000);
    }

    /// An archive of noughts, as somebody reads it who may look anywhere.
    struct Seekable {
        large: u64,
        crc32: u32,
        at: u64,
    }

    impl Seekable {
        fn archive(&self) -> Archive<Fake> {
            let members = [
                member("groot.bin", Fake::Noughts(self.large, self.crc32)),
                member("klein.txt", Fake::Bytes(b"slot".to_vec())),
            ];
            Archive::new(members.into(), modified())
        }
    }

    impl Read for Seekable {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.archive().read_from(self.at).read(buffer)?;
            self.at += read as u64;
            Ok(read)
        }
    }

    impl Seek for Seekable {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            let at = match to {
                SeekFrom::Start(at) => Some(at),
                SeekFrom::Current(step) => self.at.checked_add_signed(step),
                SeekFrom::End(step) => self.archive().size().checked_add_signed(step),
            };
            self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(self.at)
        }
    }

    /// The CRC-32 of so many noughts, in steps of doubled lengths.
    fn noughts(mut count: u64) -> u32 {
        let (mut all, mut step) = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
        step.update(&[0]);
        while count > 0 {
            if count % 2 == 1 {
                all.combine(&step);
            }
            step.combine(&step.clone());
            count /= 2;
        }
        all.finalize()
    }

    /// H17: a file, and a place in the archive, beyond 4 GiB; and the last sizes before it.
    #[test]
    fn beyond_4_gib_it_is_zip64() {
        for large in [u64::from(u32::MAX) - 1, u64::from(u32::MAX), (4 << 30) + 1] {
            let seekable = Seekable { large, crc32: noughts(large), at: 0 };
            let mut archive = zip::ZipArchive::new(seekable).unwrap();
            let large_file = archive.by_name("groot.bin").unwrap();
            assert_eq!((large_file.size(), large_file.crc32()), (large, noughts(large)));
            drop(large_file);
            let mut small = String::new();
            archive.by_name("klein.txt").unwrap().read_to_string(&mut small).unwrap();
            assert_eq!(small, "slot");
        }
    }
}
