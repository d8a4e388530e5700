//! Opens a sealed part somewhere in its middle: the reverse of `seal/write` for a range of a download. Called by
//! `transfer/grant` with a key that `transfer/access` alone can have.
//!
//! Everything that `write` puts in front of a byte has a known length, so where that byte lies follows from the size of the
//! part and the size of its blob. Only the chunks from there on are read, and the first one, which has the part's name.
//! Each is authenticated at its place before a byte of it is released, and the end of the part before its last byte (C14).
//! What has another layout is not read here but from its start, by `read`.

use std::io::{self, Read};
use std::mem::take;

use zeroize::Zeroizing;

use super::Result;
use super::keys::TransferKey;
use super::ocb::{self, NONCE, TAG};
use super::write::{self, BLOCK_OCTET, BOUND, LITERAL, MAX_NAME, SEIPD, VERSION};
use crate::secret;

/// As in `write`, where they count what is in memory; here they count what is on disk.
const CHUNK: u64 = write::CHUNK as u64;
const BLOCK: u64 = write::BLOCK as u64;
/// Bytes of a chunk with its tag.
const SEALED_CHUNK: u64 = CHUNK + TAG as u64;
/// Bytes of the packet before its first chunk: the version, and the salt.
const HEAD: u64 = VERSION.len() as u64 + 32;

/// The start of a sealed part, which tells where everything else is.
pub struct Head {
    layout: Layout,
    keys: ChunkKeys,
    name: Vec<u8>,
}

impl Head {
    /// Reads it from the start of a blob of `sealed` bytes with `size` bytes in it; nothing where that is not what
    /// [`write::write`] makes. That its first chunk is damaged is an error.
    pub fn read(key: &TransferKey, size: u64, sealed: u64, mut source: impl Read) -> Result<Option<Self>> {
        let Some(layout) = Layout::of(size, sealed) else { return Ok(None) };
        let mut packet = Unframer { frame: layout.packet, offset: 0 };
        let (mut framed, mut head) = (vec![0; length(layout.packet.offset(HEAD))], Vec::new());
        source.read_exact(&mut framed)?;
        if packet.unframe(&framed, &mut head).is_err() {
            return Ok(None);
        }
        let Some(salt) = head.strip_prefix(&VERSION) else { return Ok(None) };
        let keys = ChunkKeys::derive(key, salt);
        let mut chunks = Chunks { source, layout, packet, keys, next: 0 };
        let first = chunks.open_next()?;
        let (mut literal, mut content) =
            (Unframer { frame: layout.literal, offset: 0 }, Zeroizing::default());
        let is_ours = literal.unframe(&first, &mut content).is_ok();
        let name = is_ours.then(|| layout.name_in(&content)).flatten().map(<[u8]>::to_vec);
        Ok(name.map(|name| Self { layout, keys: chunks.keys, name }))
    }

    /// The name that was sealed with the part.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// At which byte of the blob [`Head::read_from`] begins to read, in order to give byte `offset` of the part.
    pub fn seek(&self, offset: u64) -> u64 {
        self.layout.packet.offset(HEAD + self.layout.chunk_of(offset) * SEALED_CHUNK)
    }

    /// The plaintext from byte `offset` on; `source` is the blob from [`Head::seek`] on.
    pub fn read_from<R: Read>(self, offset: u64, source: R) -> RangeReader<R> {
        let Self { layout, keys, .. } = self;
        let next = layout.chunk_of(offset);
        let packet =
            Unframer { frame: layout.packet, offset: layout.packet.offset(HEAD + next * SEALED_CHUNK) };
        let literal = Unframer { frame: layout.literal, offset: layout.place_of(offset) };
        RangeReader {
            chunks: Chunks { source, layout, packet, keys, next },
            skip: length(layout.place_of(offset) - next * CHUNK),
            literal,
            content: Zeroizing::default(),
            given: 0,
            left: layout.size.saturating_sub(offset),
            failed: false,
        }
    }
}

/// The plaintext of a part from one of its bytes on.
pub struct RangeReader<R> {
    chunks: Chunks<R>,
    literal: Unframer,
    /// Bytes of the first chunk that stand before the first byte that was asked for.
    skip: usize,
    content: Zeroizing<Vec<u8>>,
    /// Bytes of `content` that have gone out.
    given: usize,
    /// Bytes that are still to come into `content`.
    left: u64,
    failed: bool,
}

impl<R: Read> RangeReader<R> {
    fn fill(&mut self) -> io::Result<()> {
        self.content.clear();
        self.given = 0;
        while self.content.is_empty() && self.left > 0 {
            self.take_chunk()?;
        }
        // The last byte may stand in the last chunk but one, with only a length behind it.
        while self.left == 0 && !self.chunks.is_at_end() {
            self.take_chunk()?;
        }
        Ok(())
    }

    fn take_chunk(&mut self) -> io::Result<()> {
        let chunk = self.chunks.open_next()?;
        let before = self.content.len();
        self.literal.unframe(chunk.get(take(&mut self.skip)..).unwrap_or_default(), &mut self.content)?;
        let taken = (self.content.len() - before) as u64;
        self.left = self.left.checked_sub(taken).ok_or_else(damaged)?;
        Ok(())
    }
}

impl<R: Read> Read for RangeReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(damaged());
        }
        if self.given == self.content.len() {
            self.failed = true;
            self.fill()?;
            self.failed = false;
        }
        let read = self.content.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

/// Where everything is in a part, by its size, the length of its name, and nothing else.
#[derive(Clone, Copy)]
struct Layout {
    size: u64,
    name: u64,
    /// The packet with the content in it, and the packet with that one encrypted in it.
    literal: Frame,
    packet: Frame,
    chunks: u64,
}

impl Layout {
    /// Of a part of `size` bytes that became `sealed` bytes: every length of its name makes another number of those.
    fn of(size: u64, sealed: u64) -> Option<Self> {
        let fits = |layout: &Self| layout.packet.size() == sealed;
        (size < sealed).then(|| (0..=MAX_NAME as u64).map(|name| Self::with(size, name)).find(fits)).flatten()
    }

    fn with(size: u64, name: u64) -> Self {
        let inside = 2 + name + 4 + size;
        let literal = Frame { tag: LITERAL, length: inside, blocks: inside / BLOCK };
        let chunks = literal.size().div_ceil(CHUNK);
        let inside = HEAD + literal.size() + (chunks + 1) * TAG as u64;
        // Here a full block waits for what comes after it.
        let packet = Frame { tag: SEIPD, length: inside, blocks: (inside - 1) / BLOCK };
        Self { size, name, literal, packet, chunks }
    }

    /// The name at the start of what is in the literal packet (RFC 9580 5.9): binary, a length, the name, and no date.
    fn name_in<'a>(&self, content: &'a [u8]) -> Option<&'a [u8]> {
        let (name, rest) =
            content.strip_prefix(b"b")?.split_first()?.1.split_at_checked(length(self.name))?;
        let says_so = content.get(1).is_some_and(|length| u64::from(*length) == self.name);
        (says_so && rest.starts_with(&[0; 4])).then_some(name)
    }

    /// Where byte `offset` of the content is in what is encrypted, or the framing in front of it.
    fn place_of(&self, offset: u64) -> u64 {
        self.literal.offset(2 + self.name + 4 + offset.min(self.size))
    }

    /// The chunk that it is in.
    fn chunk_of(&self, offset: u64) -> u64 {
        (self.place_of(offset) / CHUNK).min(self.chunks - 1)
    }
}

/// A packet as `write` frames it: its tag, whole blocks with an octet in front of each, and the rest with its length.
#[derive(Clone, Copy)]
struct Frame {
    tag: u8,
    length: u64,
    blocks: u64,
}

impl Frame {
    fn size(self) -> u64 {
        1 + self.length + self.blocks + 5
    }

    /// Behind which framed byte the first `count` bytes of the packet end. What frames the next one comes after that.
    fn offset(self, count: u64) -> u64 {
        let Some(last) = count.checked_sub(1) else { return 0 };
        let block = (last / BLOCK).min(self.blocks);
        self.start(block) + self.header(block).len() as u64 + last - block * BLOCK + 1
    }

    /// Where a block and what is in front of it begin.
    fn start(self, block: u64) -> u64 {
        if block == 0 { 0 } else { 1 + block * (1 + BLOCK) }
    }

    /// What stands in front of a block.
    fn header(self, block: u64) -> Vec<u8> {
        let rest = u32::try_from(self.length - self.blocks * BLOCK).unwrap_or(u32::MAX).to_be_bytes();
        let tag = (block == 0).then_some(self.tag);
        match block < self.blocks {
            true => tag.into_iter().chain([BLOCK_OCTET]).collect(),
            false => tag.into_iter().chain([255]).chain(rest).collect(),
        }
    }

    fn bytes_in(self, block: u64) -> u64 {
        if block < self.blocks { BLOCK } else { self.length - self.blocks * BLOCK }
    }
}

/// Takes the framing out again, and finds any that is not what it must be.
struct Unframer {
    frame: Frame,
    /// Framed bytes so far.
    offset: u64,
}

impl Unframer {
    fn unframe(&mut self, mut framed: &[u8], content: &mut Vec<u8>) -> io::Result<()> {
        while !framed.is_empty() {
            let block = (self.offset.saturating_sub(1) / (1 + BLOCK)).min(self.frame.blocks);
            let (start, header) = (self.frame.start(block), self.frame.header(block));
            let end = start + header.len() as u64 + self.frame.bytes_in(block);
            let expected = header.get(length(self.offset - start)..).unwrap_or_default();
            let run = if expected.is_empty() { length(end - self.offset) } else { expected.len() };
            let (now, later) = framed.split_at(run.min(framed.len()));
            // There is nothing behind the end.
            if now.is_empty() || (!expected.is_empty() && !expected.starts_with(now)) {
                return Err(damaged());
            }
            if expected.is_empty() {
                content.extend_from_slice(now);
            }
            self.offset += now.len() as u64;
            framed = later;
        }
        Ok(())
    }
}

/// What the chunks of one part are sealed under (RFC 9580 5.13.2).
struct ChunkKeys {
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; NONCE],
}

impl ChunkKeys {
    fn derive(key: &TransferKey, salt: &[u8]) -> Self {
        let derived = secret::expand_bytes::<{ 32 + NONCE - 8 }>(key.reveal(), salt, &BOUND);
        let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; NONCE]);
        key.iter_mut().chain(&mut nonce).zip(derived.iter()).for_each(|(to, from)| *to = *from);
        Self { key, nonce }
    }

    /// Opens the chunk with this number: the number stands in the last eight octets of its nonce.
    fn open(&self, number: u64, bound: &[u8], sealed: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut nonce = self.nonce;
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
        // OpenSSL has this cipher: it fails where memory has run out, which is no damage.
        let opened = ocb::open(&self.key, nonce, bound, sealed);
        opened.map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?.ok_or_else(damaged)
    }
}

/// The chunks of a part from one of them on.
struct Chunks<R> {
    source: R,
    layout: Layout,
    packet: Unframer,
    keys: ChunkKeys,
    next: u64,
}

impl<R: Read> Chunks<R> {
    fn is_at_end(&self) -> bool {
        self.next == self.layout.chunks
    }

    /// What was encrypted in the next chunk. With the last one goes the tag over the length of all of them.
    fn open_next(&mut self) -> io::Result<Zeroizing<Vec<u8>>> {
        let Layout { packet, chunks, literal, .. } = self.layout;
        let is_last = self.next + 1 >= chunks;
        let end = if is_last { packet.size() } else { packet.offset(HEAD + (self.next + 1) * SEALED_CHUNK) };
        let (mut framed, mut sealed) = (vec![0; length(end - self.packet.offset)], Vec::new());
        self.source.read_exact(&mut framed)?;
        self.packet.unframe(&framed, &mut sealed)?;
        if is_last {
            let tag = sealed.split_off(sealed.len().saturating_sub(TAG));
            let bound: Vec<u8> = BOUND.into_iter().chain(literal.size().to_be_bytes()).collect();
            self.keys.open(chunks, &bound, &tag)?;
        }
        let opened = self.keys.open(self.next, &BOUND, &sealed)?;
        self.next += 1;
        Ok(opened)
    }
}

/// A length in memory: at most a chunk and its framing.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the sealed part is damaged")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Cursor;

    use super::*;
    use crate::seal::SealError;

    const NAME: &str = "1-verslag.pdf";

    fn sample(size: u64) -> Vec<u8> {
        (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    fn seal(key: &TransferKey, name: &str, plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        write::write(key, &mut sealed, name, &mut &plain[..]).unwrap();
        sealed
    }

    /// Everything from `offset` on, or what came out before an error.
    fn open(
        key: &TransferKey,
        size: u64,
        sealed: &[u8],
        offset: u64,
    ) -> std::result::Result<Vec<u8>, Vec<u8>> {
        let Ok(head) = Head::read(key, size, sealed.len() as u64, sealed) else { return Err(Vec::new()) };
        let head = head.expect("the layout is ours");
        let mut source = Cursor::new(sealed);
        source.set_position(head.seek(offset));
        let (mut reader, mut plain) = (head.read_from(offset, source), Vec::new());
        match reader.read_to_end(&mut plain) {
            Ok(_) => Ok(plain),
            Err(_) => {
                assert!(reader.read(&mut [0; 10]).is_err(), "an error stays one");
                Err(plain)
            }
        }
    }

    #[test]
    fn every_byte_is_found_from_wherever_reading_begins() {
        let key = TransferKey::random();
        let plain = sample(3 * CHUNK);
        let name = "n".repeat(MAX_NAME);
        for name in ["", NAME, &name] {
            // The ends of blocks and chunks, of both packets, pass each other in these sizes.
            let counts = |size| {
                let layout = Layout::with(size, name.len() as u64);
                (layout.literal.blocks, layout.packet.blocks, layout.chunks)
            };
            for near in [0, CHUNK, 2 * CHUNK] {
                let sizes = near.saturating_sub(400)..near + 9;
                for size in sizes.filter(|size| *size < 4 || counts(*size) != counts(*size + 8)) {
                    let plain = &plain[..size as usize];
                    let sealed = seal(&key, name, plain);
                    let borders = [1, size / 2, size.saturating_sub(1), size, CHUNK - 280, CHUNK - 9, CHUNK];
                    for offset in borders.into_iter().filter(|offset| *offset <= size) {
                        let opened = open(&key, size, &sealed, offset);
                        assert!(opened.as_deref() == Ok(&plain[offset as usize..]), "{offset} of {size}");
                    }
                }
            }
        }
        let sealed = seal(&key, NAME, &plain);
        for near in [0, CHUNK, 2 * CHUNK, 3 * CHUNK] {
            for offset in near.saturating_sub(90)..(near + 10).min(3 * CHUNK) {
                assert!(
                    open(&key, 3 * CHUNK, &sealed, offset).unwrap() == plain[offset as usize..],
                    "{offset}"
                );
            }
        }
    }

    #[test]
    fn the_name_comes_with_it() {
        let key = TransferKey::random();
        let sealed = seal(&key, NAME, b"text");
        let head = Head::read(&key, 4, sealed.len() as u64, &sealed[..]).unwrap().unwrap();
        assert_eq!(head.name(), NAME.as_bytes());
    }

    /// C14: a changed byte is found before its chunk is released, and in the chunks that are read only.
    #[test]
    fn a_changed_byte_is_found_before_its_chunk_is_released() {
        let (key, size) = (TransferKey::random(), 4 * CHUNK);
        let plain = sample(size);
        let sealed = seal(&key, NAME, &plain);
        let offset = 2 * CHUNK + 5;
        for at in (0..sealed.len()).step_by(997).chain(0..60).chain(sealed.len() - 60..sealed.len()) {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            let chunk = at as u64 / SEALED_CHUNK;
            match Head::read(&key, size, changed.len() as u64, &changed[..]) {
                // Before the first chunk: another layout, which is for `read` to judge.
                Ok(None) => assert!(at < 50, "byte {at}"),
                Err(error) => {
                    assert!(at < CHUNK as usize + 90 && matches!(error, SealError::Io(_)), "byte {at}")
                }
                Ok(Some(_)) => match open(&key, size, &changed, offset) {
                    Ok(opened) => assert!(chunk <= 2 && opened == plain[offset as usize..], "byte {at}"),
                    Err(opened) => {
                        assert!(chunk >= 2, "byte {at}");
                        assert!(plain[offset as usize..].starts_with(&opened), "byte {at}");
                        let whole_chunks = chunk.saturating_sub(2) * CHUNK;
                        assert!(opened.len() as u64 <= whole_chunks, "byte {at}: {} came out", opened.len());
                    }
                },
            }
        }
    }

    /// C14: chunks that are genuine but stand elsewhere, and a part that ends too early, do not open.
    #[test]
    fn a_chunk_opens_at_its_own_place_only() {
        let (key, size) = (TransferKey::random(), 5 * CHUNK);
        let plain = vec![b'k'; size as usize];
        let sealed = seal(&key, NAME, &plain);
        let layout = Layout::of(size, sealed.len() as u64).unwrap();
        let (mut body, mut packet) = (Vec::new(), Unframer { frame: layout.packet, offset: 0 });
        packet.unframe(&sealed, &mut body).unwrap();
        let chunk = |number: usize| {
            HEAD as usize + number * SEALED_CHUNK as usize
                ..HEAD as usize + (number + 1) * SEALED_CHUNK as usize
        };
        let third = body[chunk(3)].to_vec();
        body[chunk(2)].copy_from_slice(&third);
        let mut swapped = Vec::new();
        for block in 0..=layout.packet.blocks {
            let start = (block * BLOCK) as usize;
            swapped.extend(layout.packet.header(block));
            swapped.extend(&body[start..start + layout.packet.bytes_in(block) as usize]);
        }
        assert_eq!(swapped.len(), sealed.len());
        assert!(open(&key, size, &swapped, 2 * CHUNK + 100).unwrap_err().is_empty());
        assert!(open(&key, size, &swapped, 4 * CHUNK).is_ok(), "that one stands where it was");
        let cut = &sealed[..sealed.len() - 1];
        assert!(Head::read(&key, size, cut.len() as u64, cut).unwrap().is_none(), "no name is that short");
        let other = TransferKey::random();
        assert!(Head::read(&other, size, sealed.len() as u64, &sealed[..]).is_err());
    }

    /// Whoever asks for the last byte learns that the part ends there.
    #[test]
    fn the_end_is_authenticated_before_the_last_byte_is_released() {
        let key = TransferKey::random();
        // In the second size nothing but a length stands in the last chunk.
        for size in [100_000, CHUNK - 2 - NAME.len() as u64 - 4] {
            let mut sealed = seal(&key, NAME, &sample(size));
            assert_eq!(open(&key, size, &sealed, size - 1).unwrap().len(), 1, "{size}");
            let last = sealed.len() - 1;
            sealed[last] ^= 1;
            assert!(open(&key, size, &sealed, size - 1).unwrap_err().is_empty(), "{size}");
        }
    }

    /// Before 64 KiB there were chunks of 4096 bytes, written by the library.
    #[test]
    fn what_write_did_not_write_is_left_to_the_library() {
        use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
        use std::io::Write;

        use crate::seal::keys::{CIPHER, MODE};
        let (key, plain, mut sealed) = (TransferKey::random(), sample(300_000), Vec::new());
        let message = Encryptor::with_session_key(Message::new(&mut sealed), CIPHER, key.session_key());
        let message = message.unwrap().aead_algo(MODE).build().unwrap();
        let mut message = LiteralWriter::new(message).filename(NAME).unwrap().build().unwrap();
        message.write_all(&plain).unwrap();
        message.finalize().unwrap();
        assert!(Head::read(&key, 300_000, sealed.len() as u64, &sealed[..]).unwrap().is_none());
        // Nor does a size that happens to be right make it ours.
        sealed.resize(seal(&key, NAME, &plain).len(), 0);
        assert!(Head::read(&key, 300_000, sealed.len() as u64, &sealed[..]).unwrap().is_none());
        let part = seal(&key, NAME, &plain);
        for size in [0, 1, 299_000, 299_999, 300_001, u64::MAX] {
            let head = Head::read(&key, size, part.len() as u64, &part[..]);
            assert!(!matches!(head, Ok(Some(_))), "{size}");
        }
    }

    #[test]
    fn no_more_is_read_than_was_asked_for() {
        struct Counting<'a>(&'a [u8], &'a Cell<usize>);
        impl Read for Counting<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let read = self.0.read(buffer)?;
                self.1.set(self.1.get() + read);
                Ok(read)
            }
        }
        let (key, size) = (TransferKey::random(), 40 * CHUNK);
        let sealed = seal(&key, NAME, &sample(size));
        let read = Cell::new(0);
        let head = Head::read(&key, size, sealed.len() as u64, Counting(&sealed, &read)).unwrap().unwrap();
        let offset = 20 * CHUNK;
        let source = Counting(&sealed[head.seek(offset) as usize..], &read);
        head.read_from(offset, source).read_exact(&mut [0; 1000]).unwrap();
        assert!(read.get() < 3 * SEALED_CHUNK as usize, "{} of {}", read.get(), sealed.len());
    }
}
