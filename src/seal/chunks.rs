//! Sealed octets that only this gateway reads, for as long as they wait: queued mail (`outbox/body`) and pieces of
//! uploads (`reply`). Not OpenPGP: nobody else ever has to open them.
//!
//! Chunks of 64 KiB, each sealed with AES-256-GCM. This is the STREAM construction: the nonce counts the chunks
//! and marks the last one, so that a changed, swapped, missing or added chunk does not open (C14). What the caller
//! binds is authenticated with every chunk. A key must never seal two different streams.

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Plaintext octets of a chunk.
pub const CHUNK: usize = 64 * 1024;
/// Octets that sealing adds to a chunk.
pub const TAG: usize = 16;

/// Octets of a sealed stream of `size` octets. An empty one has one empty chunk.
pub fn sealed_size(size: usize) -> usize {
    size + size.div_ceil(CHUNK).max(1) * TAG
}

/// Seals what is written to it, chunk by chunk, into `sink`. Without [`ChunkWriter::finish`] the stream has no end
/// and does not open.
pub struct ChunkWriter<W> {
    sink: W,
    cipher: Cipher,
    /// The chunk that may turn out to be the last one.
    plain: Vec<u8>,
    number: u32,
}

impl<W: Write> ChunkWriter<W> {
    /// Seals under `key`, which is this stream's own, and binds the stream to `bound`.
    pub fn new(key: &[u8; 32], bound: &[u8], sink: W) -> Self {
        let plain = Vec::with_capacity(CHUNK + TAG);
        Self { sink, cipher: Cipher::new(key, bound), plain, number: 0 }
    }

    /// Seals the last chunk; the sink is not flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.sink)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        self.cipher.seal(self.number, last, &mut self.plain);
        self.sink.write_all(&self.plain)?;
        self.plain.clear();
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "more chunks than can be counted");
        self.number = self.number.checked_add(1).ok_or_else(too_long)?;
        Ok(())
    }
}

impl<W: Write> Write for ChunkWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until there is more: before that nobody knows whether it is the last.
        if self.plain.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let (taken, _) = bytes.split_at(bytes.len().min(CHUNK - self.plain.len()));
        self.plain.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Reads a sealed stream: an iterator of its chunks, each of them authenticated before it is given. After an
/// error it ends.
pub struct ChunkReader<R> {
    source: R,
    cipher: Cipher,
    /// The chunk to give next, already authenticated, and whether it is the last.
    next: Option<(Vec<u8>, bool)>,
    /// The octet behind that chunk, where there is one.
    ahead: Option<u8>,
    number: u32,
}

impl<R: Read> ChunkReader<R> {
    /// Reads the first chunk: what was bound is authentic when this returns.
    pub fn new(key: &[u8; 32], bound: &[u8], source: R) -> io::Result<Self> {
        let mut reader = Self { source, cipher: Cipher::new(key, bound), next: None, ahead: None, number: 0 };
        reader.next = Some(reader.read_chunk()?);
        Ok(reader)
    }

    /// The chunk and whether it is the last: one that nothing follows is opened as the last, and only as that. Where
    /// chunks are missing at the end, or octets were added, it does not open.
    fn read_chunk(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut sealed = Vec::with_capacity(CHUNK + TAG + 1);
        sealed.extend(self.ahead.take());
        let missing = CHUNK + TAG + 1 - sealed.len();
        self.source.by_ref().take(missing as u64).read_to_end(&mut sealed)?;
        let last = sealed.len() <= CHUNK + TAG;
        if !last {
            self.ahead = sealed.pop();
        }
        let number = self.number;
        self.number = number.checked_add(1).ok_or_else(damaged)?;
        let plain = self.cipher.open(number, last, sealed).ok_or_else(damaged)?;
        Ok((plain, last))
    }
}

impl<R: Read> Iterator for ChunkReader<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (plain, last) = self.next.take()?;
        if !last {
            match self.read_chunk() {
                Ok(following) => self.next = Some(following),
                // The chunk in hand is authentic, but the stream is not whole: it must not be used.
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(plain))
    }
}

/// Fills `start` with what stands before the chunks. Where there is less of it the stream is damaged; an error of the
/// disk says nothing about the stream and stays what it is.
pub fn read_start(source: &mut impl Read, start: &mut [u8]) -> io::Result<()> {
    source.read_exact(start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(),
        _ => error,
    })
}

/// What every reader here says of octets that are not as they were sealed.
pub fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was sealed is damaged, or of another master.key")
}

struct Cipher {
    key: LessSafeKey,
    bound: Vec<u8>,
}

impl Cipher {
    #[allow(clippy::expect_used, reason = "the only error is a key that is not 32 bytes; the type says 32")]
    fn new(key: &[u8; 32], bound: &[u8]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes");
        Self { key: LessSafeKey::new(key), bound: bound.to_vec() }
    }

    #[allow(clippy::expect_used, reason = "AES-GCM refuses only texts over 64 GiB; a chunk has 64 KiB")]
    fn seal(&self, number: u32, last: bool, plain: &mut Vec<u8>) {
        self.key
            .seal_in_place_append_tag(nonce(number, last), Aad::from(&self.bound), plain)
            .expect("a chunk is short enough");
    }

    fn open(&self, number: u32, last: bool, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let plain =
            self.key.open_in_place(nonce(number, last), Aad::from(&self.bound), &mut sealed).ok()?.len();
        sealed.truncate(plain);
        Some(sealed)
    }
}

/// Never used twice: the key is the stream's own, and the number is the chunk's.
fn nonce(number: u32, last: bool) -> Nonce {
    let [a, b, c, d] = number.to_be_bytes();
    let nonce: [u8; NONCE_LEN] = [0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(last)];
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn sealed(plain: &[u8], step: usize) -> Vec<u8> {
        let mut writer = ChunkWriter::new(&KEY, b"upload 1", Vec::new());
        for piece in plain.chunks(step) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8], bound: &[u8]) -> io::Result<Vec<u8>> {
        let chunks = ChunkReader::new(&KEY, bound, sealed)?;
        chunks.collect::<io::Result<Vec<_>>>().map(|chunks| chunks.concat())
    }

    #[test]
    fn comes_back_however_it_was_written() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plain: Vec<u8> = (0..size).map(|at| (at / 251) as u8).collect();
            for step in [1000, CHUNK, 5 * CHUNK] {
                let sealed = sealed(&plain, step);
                assert_eq!(sealed.len(), sealed_size(size));
                assert_eq!(opened(&sealed, b"upload 1").unwrap(), plain, "{size} in {step}");
            }
        }
    }

    #[test]
    fn opens_only_as_what_it_was_bound_to_and_whole() {
        let whole = sealed(&[1; 3 * CHUNK], CHUNK);
        assert!(opened(&whole, b"upload 2").is_err());
        for cut in [1, TAG, CHUNK + TAG, 2 * (CHUNK + TAG)] {
            assert!(opened(&whole[..whole.len() - cut], b"upload 1").is_err(), "{cut} octets fewer");
        }
        assert!(opened(&[&whole[..], b"x"].concat(), b"upload 1").is_err());
    }
}
