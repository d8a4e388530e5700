//! Seals a part: plaintext goes in as a stream, one SEIPD packet of version 2 (RFC 9580 5.13.2) with a
//! literal packet inside comes out. The key packet that makes it a message is not written here: there is
//! one for each recipient, and it lies in the database. Called by `transfer/sealing`.
//!
//! The packets are put together here and not by the library, which writes chunks of 4 KiB and sets its cipher up anew for
//! each: that costs more than the encryption does. What opens them is the library all the same (`read`), so that every
//! test of reading is one of writing, too.

use std::io::{self, Read, Write};
use std::ops::RangeInclusive;

use zeroize::{Zeroize, Zeroizing};

use super::Result;
use super::keys::TransferKey;
use super::ocb::{self, NONCE, TAG};
use crate::secret;

/// What a literal packet has room for (RFC 9580 5.9).
pub(super) const MAX_NAME: usize = 255;
/// Plaintext octets of a chunk, and how the packet says so: 2^(10 + 6).
pub(super) const CHUNK: usize = 64 << 10;
const CHUNK_OCTET: u8 = 10;
/// Octets of a packet that are written at once while its length is not known, and how their length is written:
/// 2^16 (RFC 9580 4.2.1.4).
pub(super) const BLOCK: usize = 64 << 10;
pub(super) const BLOCK_OCTET: u8 = 224 + 16;

/// The first octets of the two packets (RFC 9580 4.2), and the ids of cipher and mode (9.3, 9.6).
pub(super) const SEIPD: u8 = 0xc0 | 18;
pub(super) const LITERAL: u8 = 0xc0 | 11;
const AES_256: u8 = 9;
const OCB: u8 = 2;
/// What the packet starts with, and what is authenticated with every chunk.
pub(super) const VERSION: [u8; 4] = [2, AES_256, OCB, CHUNK_OCTET];
pub(super) const BOUND: [u8; 5] = [SEIPD, 2, AES_256, OCB, CHUNK_OCTET];

/// Seals everything that `content` gives into `sink`; tells how many octets that were.
/// `name` goes into the encrypted part, cut to 255 octets. Nothing is ever compressed: that would tell
/// something of the content by its length.
pub fn write(key: &TransferKey, sink: impl Write + Send, name: &str, content: &mut dyn Read) -> Result<u64> {
    let sealer = Sealer::begin(key, Packet::new(SEIPD, sink))?;
    let mut literal = Packet::new(LITERAL, sealer);
    let name = cut(name);
    // Binary, the name, and no date.
    literal.write_all(&[b'b', u8::try_from(name.len()).unwrap_or(u8::MAX)])?;
    literal.write_all(name.as_bytes())?;
    literal.write_all(&[0; 4])?;
    let size = literal.fill(content)?;
    literal.finish()?.finish()?.finish()?;
    Ok(size)
}

/// How many octets [`write`] makes of so many: it depends on the length of the name as well, which nobody outside knows.
/// The library, which wrote parts before, needs up to four fewer for the length of a short packet, and a tag and another
/// length for each of its chunks of 4096.
pub fn sealed_sizes(size: u64) -> RangeInclusive<u64> {
    let (fewer, more) = (2 * 4, (size / 4096 + 2) * (TAG as u64 + 1));
    sealed_size(size, 0) - fewer..=sealed_size(size, MAX_NAME as u64) + more
}

fn sealed_size(size: u64, name: u64) -> u64 {
    // Tag, whole blocks with an octet in front, and the rest with five.
    let packet = |octets: u64, blocks: u64| 1 + octets + blocks + 5;
    let literal = 2 + name + 4 + size;
    let literal = packet(literal, literal / BLOCK as u64);
    let sealed = VERSION.len() as u64 + 32 + literal + (literal.div_ceil(CHUNK as u64) + 1) * TAG as u64;
    // Here a full block waits for what comes after it.
    packet(sealed, (sealed - 1) / BLOCK as u64)
}

/// The longest start of `name` that fits and does not end within a character.
fn cut(name: &str) -> &str {
    let end = (0..=MAX_NAME).rev().find(|&end| name.is_char_boundary(end));
    name.get(..end.unwrap_or(0)).unwrap_or(name)
}

/// A packet whose length shows only at its end: whole blocks, each with its length in front, then the rest.
struct Packet<W> {
    sink: W,
    /// Until it has been written.
    tag: Option<u8>,
    /// The length of a whole block in front, then octets of the packet.
    block: Vec<u8>,
}

impl<W: Write> Packet<W> {
    fn new(tag: u8, sink: W) -> Self {
        let mut block = Vec::with_capacity(1 + BLOCK);
        block.push(BLOCK_OCTET);
        Self { sink, tag: Some(tag), block }
    }

    /// Takes in everything that `content` gives.
    fn fill(&mut self, content: &mut dyn Read) -> io::Result<u64> {
        let mut size = 0;
        loop {
            let read = (&mut *content).take(self.room() as u64).read_to_end(&mut self.block)?;
            size += read as u64;
            if self.room() > 0 {
                return Ok(size);
            }
            self.write_block()?;
        }
    }

    fn room(&self) -> usize {
        (1 + BLOCK).saturating_sub(self.block.len())
    }

    fn write_block(&mut self) -> io::Result<()> {
        if let Some(tag) = self.tag.take() {
            self.sink.write_all(&[tag])?;
        }
        self.sink.write_all(&self.block)?;
        self.block.truncate(1);
        Ok(())
    }

    /// Writes what is left, with its own length.
    fn finish(mut self) -> io::Result<W> {
        let rest = self.block.get(1..).unwrap_or_default();
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX).to_be_bytes();
        let head: Vec<u8> = self.tag.take().into_iter().chain([255]).chain(length).collect();
        self.sink.write_all(&head)?;
        self.sink.write_all(rest)?;
        self.block.zeroize();
        Ok(self.sink)
    }
}

impl<W: Write> Write for Packet<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.room() == 0 {
            self.write_block()?;
        }
        let (taken, _) = octets.split_at(octets.len().min(self.room()));
        self.block.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The encryption of a SEIPD packet: chunk after chunk, each with its tag, and a last tag over nothing but the length.
struct Sealer<W> {
    packet: Packet<W>,
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; NONCE],
    chunk: Vec<u8>,
    /// Chunks and octets sealed so far.
    chunks: u64,
    octets: u64,
}

impl<W: Write> Sealer<W> {
    /// Writes what stands before the first chunk. The salt makes key and nonces of this packet its own.
    fn begin(key: &TransferKey, mut packet: Packet<W>) -> io::Result<Self> {
        let salt = secret::random::<32>();
        packet.write_all(&VERSION)?;
        packet.write_all(&salt)?;
        let derived = secret::expand_bytes::<{ 32 + NONCE - 8 }>(key.reveal(), &salt, &BOUND);
        let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; NONCE]);
        key.iter_mut().chain(&mut nonce).zip(derived.iter()).for_each(|(to, from)| *to = *from);
        Ok(Self { packet, key, nonce, chunk: Vec::with_capacity(CHUNK + TAG), chunks: 0, octets: 0 })
    }

    /// Seals the chunk under the next nonce: the count of chunks stands in its last eight octets.
    fn seal(&mut self, bound: &[u8]) -> io::Result<()> {
        let count = self.nonce.iter_mut().rev().zip(self.chunks.to_le_bytes());
        count.for_each(|(to, from)| *to = from);
        self.octets += self.chunk.len() as u64;
        self.chunks += 1;
        ocb::seal(&self.key, self.nonce, bound, &mut self.chunk).map_err(io::Error::other)?;
        self.packet.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Packet<W>> {
        if !self.chunk.is_empty() {
            self.seal(&BOUND)?;
        }
        let bound: Vec<u8> = BOUND.into_iter().chain(self.octets.to_be_bytes()).collect();
        self.seal(&bound)?;
        Ok(self.packet)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (taken, _) = octets.split_at(octets.len().min(CHUNK - self.chunk.len()));
        self.chunk.extend_from_slice(taken);
        if self.chunk.len() == CHUNK {
            self.seal(&BOUND)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_names_between_characters() {
        assert_eq!(cut("besluit.pdf"), "besluit.pdf");
        assert_eq!(cut(&"é".repeat(200)).len(), 254);
        assert_eq!(cut(""), "");
    }

    #[test]
    fn the_sealed_part_shows_neither_name_nor_content() {
        let mut sealed = Vec::new();
        let plain = b"KANARIE-INHOUD".repeat(1000);
        let key = TransferKey::random();
        let size = write(&key, &mut sealed, "KANARIE-NAAM.pdf", &mut &plain[..]).unwrap();
        assert_eq!(size, plain.len() as u64);
        assert!(memchr::memmem::find(&sealed, b"KANARIE").is_none());
        assert!(sealed.len() > plain.len() && sealed.len() < plain.len() + plain.len() / 100 + 200);
    }

    #[test]
    fn how_long_it_becomes_is_known_before() {
        let key = TransferKey::random();
        for name in ["", "1-besluit.pdf"] {
            for near in [0, 1, 511, BLOCK, 2 * BLOCK, 5 * BLOCK] {
                for size in near.saturating_sub(150)..near + 20 {
                    let mut sealed = Vec::new();
                    write(&key, &mut sealed, name, &mut &vec![0; size][..]).unwrap();
                    assert_eq!(sealed.len() as u64, sealed_size(size as u64, name.len() as u64), "{size}");
                }
            }
        }
    }

    #[test]
    fn a_full_disk_is_an_io_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = write(&TransferKey::random(), Full, "x", &mut &[0; 100_000][..]).unwrap_err();
        let super::super::SealError::Io(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
