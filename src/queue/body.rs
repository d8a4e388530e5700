//! Encrypted queue bodies: no mail that waits is readable on disk (C04). Sealed by `intake`, `web` and
//! `bounce` before the commit, opened by `worker` while it relays.
//!
//! A body is `salt (16) ‖ traits (1) ‖ size (8)` and then chunks of 64 KiB, each sealed with AES-256-GCM under a
//! key that HKDF makes from the queue's key and the salt. This is the STREAM construction: the nonce counts the
//! chunks and marks the last one, so that a changed, swapped, missing or added chunk does not open (C14). The
//! header is authenticated with every chunk.

use std::io::{self, Cursor, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::message::crlf::CrlfBytes;
use crate::relay::Traits;
use crate::secret::{self, BodyKey};
use crate::store::{Blobs, Body, StoreError};

/// Plaintext octets of a chunk.
const CHUNK: usize = 64 * 1024;
/// Octets that sealing adds to a chunk.
const TAG: usize = 16;
const SALT: usize = 16;
const HEADER: usize = SALT + 1 + 8;
/// Sealed bodies up to here ride in their row.
const INLINE: usize = 128 * 1024;

/// A message up to here rides in its row even when fields are put on top of it: sealing it takes microseconds and
/// touches no disk.
pub const SMALL: usize = INLINE - 16 * 1024;

const EIGHT_BIT: u8 = 1;
const EIGHT_BIT_HEADER: u8 = 2;

/// Seals a message into memory.
pub fn seal(key: &BodyKey, message: &CrlfBytes) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(sealed_size(message));
    for piece in pieces(key, message.as_slice()) {
        sealed.extend_from_slice(&piece);
    }
    sealed
}

/// Seals a message to where it will wait: in its row when it is small, else in a blob, which is durable when
/// this returns. Blocking.
pub fn store_body(key: &BodyKey, blobs: &dyn Blobs, message: &CrlfBytes) -> Result<Body, StoreError> {
    if sealed_size(message) <= INLINE {
        return Ok(Body::Inline(seal(key, message)));
    }
    let mut writer = blobs.create()?;
    for piece in pieces(key, message.as_slice()) {
        writer.write_all(&piece)?;
    }
    Ok(Body::Blob(writer.commit()?))
}

/// Starts reading a queued body. Blocking, as the chunks are.
pub fn open(key: &BodyKey, blobs: &dyn Blobs, body: &Body) -> io::Result<Opener> {
    match body {
        Body::Inline(sealed) => Opener::new(key, Box::new(Cursor::new(sealed.clone()))),
        Body::Blob(name) => Opener::new(key, blobs.open(name)?),
    }
}

fn sealed_size(message: &CrlfBytes) -> usize {
    let size = message.as_slice().len();
    HEADER + size + size.div_ceil(CHUNK).max(1) * TAG
}

/// The header and the sealed chunks, made one at a time. An empty message has one empty chunk.
fn pieces<'a>(key: &BodyKey, message: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + use<'a> {
    let salt = secret::random::<SALT>();
    let header = header(&salt, Traits::of(message));
    let cipher = Cipher::new(key, &salt, header);
    let count = message.len().div_ceil(CHUNK).max(1);
    let chunks = (0..count).map(move |number| {
        let start = number * CHUNK;
        let plain = message.get(start..message.len().min(start + CHUNK)).unwrap_or_default();
        cipher.seal(number as u32, number + 1 == count, plain)
    });
    std::iter::once(header.to_vec()).chain(chunks)
}

fn header(salt: &[u8; SALT], traits: Traits) -> [u8; HEADER] {
    let mut flags = if traits.eight_bit { EIGHT_BIT } else { 0 };
    flags |= if traits.eight_bit_header { EIGHT_BIT_HEADER } else { 0 };
    let mut header = [0; HEADER];
    let fields = salt.iter().copied().chain([flags]).chain(traits.size.to_be_bytes());
    header.iter_mut().zip(fields).for_each(|(slot, octet)| *slot = octet);
    header
}

/// Reads a sealed body: an iterator of its chunks, each of them authenticated before it is given. After an
/// error it ends.
pub struct Opener {
    source: Box<dyn Read + Send>,
    cipher: Cipher,
    traits: Traits,
    /// The chunk to give next, already authenticated, and whether it is the last.
    next: Option<(Vec<u8>, bool)>,
    number: u32,
}

impl Opener {
    /// Reads header and first chunk: what [`Opener::traits`] tells is authentic.
    pub fn new(key: &BodyKey, mut source: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut header = [0; HEADER];
        source.read_exact(&mut header).map_err(|_| damaged())?;
        let [salt @ .., _, _, _, _, _, _, _, _, _] = &header;
        let [.., flags, s0, s1, s2, s3, s4, s5, s6, s7] = header;
        let traits = Traits {
            size: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            eight_bit: flags & EIGHT_BIT != 0,
            eight_bit_header: flags & EIGHT_BIT_HEADER != 0,
        };
        let cipher = Cipher::new(key, salt, header);
        let mut opener = Self { source, cipher, traits, next: None, number: 0 };
        opener.next = Some(opener.read_chunk()?);
        Ok(opener)
    }

    /// What the whole message is like.
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// The chunk and whether it is the last: a full one may be either, and only the nonce tells.
    fn read_chunk(&mut self) -> io::Result<(Vec<u8>, bool)> {
        let mut sealed = Vec::with_capacity(CHUNK + TAG);
        self.source.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut sealed)?;
        let number = self.number;
        self.number = number.checked_add(1).ok_or_else(damaged)?;
        let is_full = sealed.len() == CHUNK + TAG;
        if is_full && let Some(plain) = self.cipher.open(number, false, sealed.clone()) {
            return Ok((plain, false));
        }
        match self.cipher.open(number, true, sealed) {
            Some(plain) if self.is_at_end()? => Ok((plain, true)),
            _ => Err(damaged()),
        }
    }

    /// Nothing may follow the last chunk.
    fn is_at_end(&mut self) -> io::Result<bool> {
        let mut more = Vec::new();
        Ok(self.source.by_ref().take(1).read_to_end(&mut more)? == 0)
    }
}

impl Iterator for Opener {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (plain, last) = self.next.take()?;
        if !last {
            match self.read_chunk() {
                Ok(following) => self.next = Some(following),
                // The chunk in hand is authentic, but the message is not whole: it must not be sent.
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(plain))
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the queued body is damaged, or of another master.key")
}

struct Cipher {
    key: LessSafeKey,
    header: [u8; HEADER],
}

impl Cipher {
    #[allow(clippy::expect_used, reason = "the only error is a key that is not 32 bytes; the type says 32")]
    fn new(key: &BodyKey, salt: &[u8; SALT], header: [u8; HEADER]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key.for_body(salt)[..]).expect("32 bytes");
        Self { key: LessSafeKey::new(key), header }
    }

    #[allow(clippy::expect_used, reason = "AES-GCM refuses only texts over 64 GiB; a chunk has 64 KiB")]
    fn seal(&self, number: u32, last: bool, plain: &[u8]) -> Vec<u8> {
        let mut chunk = Vec::with_capacity(plain.len() + TAG);
        chunk.extend_from_slice(plain);
        self.key
            .seal_in_place_append_tag(nonce(number, last), Aad::from(self.header), &mut chunk)
            .expect("a chunk is short enough");
        chunk
    }

    fn open(&self, number: u32, last: bool, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let plain =
            self.key.open_in_place(nonce(number, last), Aad::from(self.header), &mut sealed).ok()?.len();
        sealed.truncate(plain);
        Some(sealed)
    }
}

/// Never used twice: the key is the body's own, and the number is the chunk's.
fn nonce(number: u32, last: bool) -> Nonce {
    let [a, b, c, d] = number.to_be_bytes();
    let nonce: [u8; NONCE_LEN] = [0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(last)];
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Keys;

    fn key() -> BodyKey {
        Keys::derive(&[7; 32]).body
    }

    fn message(size: usize) -> CrlfBytes {
        CrlfBytes::check((0..size).map(|n| b'a' + (n / CHUNK) as u8).collect()).unwrap()
    }

    fn read(sealed: &[u8]) -> io::Result<Vec<u8>> {
        let chunks = Opener::new(&key(), Box::new(Cursor::new(sealed.to_vec())))?;
        chunks.collect::<io::Result<Vec<_>>>().map(|chunks| chunks.concat())
    }

    #[test]
    fn comes_back_at_every_size() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let message = message(size);
            let sealed = seal(&key(), &message);
            assert_eq!(sealed.len(), sealed_size(&message));
            assert_eq!(read(&sealed).unwrap(), message.as_slice(), "{size}");
            let opener = Opener::new(&key(), Box::new(Cursor::new(sealed))).unwrap();
            assert_eq!(opener.traits(), Traits::of(message.as_slice()));
        }
    }

    #[test]
    fn shows_nothing_and_is_never_the_same_twice() {
        let message = CrlfBytes::check(b"canary\r\n".to_vec()).unwrap();
        let sealed = seal(&key(), &message);
        assert!(memchr::memmem::find(&sealed, b"canary").is_none());
        assert_ne!(seal(&key(), &message), sealed);
        assert!(Opener::new(&Keys::derive(&[8; 32]).body, Box::new(Cursor::new(sealed))).is_err());
    }

    #[test]
    fn every_flipped_octet_is_found() {
        let sealed = seal(&key(), &message(40));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "octet {at}");
        }
    }

    #[test]
    fn truncated_swapped_and_added_chunks_are_found() {
        let sealed = seal(&key(), &message(3 * CHUNK));
        let (header, chunks) = sealed.split_at(HEADER);
        let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + TAG).collect();
        assert_eq!(chunks.len(), 3);
        let rebuilt = |order: &[usize]| {
            let chunks = order.iter().flat_map(|&n| chunks[n].to_vec());
            header.iter().copied().chain(chunks).collect::<Vec<u8>>()
        };
        assert!(read(&rebuilt(&[0, 1, 2])).is_ok());
        for order in [&[0, 1][..], &[0], &[], &[1, 0, 2], &[0, 2], &[0, 1, 2, 2], &[0, 1, 1, 2]] {
            assert!(read(&rebuilt(order)).is_err(), "{order:?}");
        }
        for cut in [1, TAG, CHUNK, CHUNK + TAG - 1] {
            assert!(read(&sealed[..sealed.len() - cut]).is_err(), "{cut} octets fewer");
        }
    }

    #[test]
    fn the_chunk_before_a_damaged_one_is_not_the_end() {
        let mut sealed = seal(&key(), &message(2 * CHUNK));
        *sealed.last_mut().unwrap() ^= 1;
        let mut opener = Opener::new(&key(), Box::new(Cursor::new(sealed))).unwrap();
        assert!(opener.next().unwrap().is_err());
        assert!(opener.next().is_none());
    }
}
