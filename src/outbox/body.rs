//! Encrypted queue bodies: no mail that waits is readable on disk (C04). A body is sealed by `intake` or by
//! [`super::Outbox`] before the commit, and opened by the queue's worker while it delivers.
//!
//! A body is `salt (16) ‖ traits (1) ‖ size (8)` and then the chunks of [`crate::seal::chunks`], under a key that
//! HKDF makes from a key of short life ([`crate::secret::keyring`]), the queue's key and the salt. The name of that
//! key of short life is kept beside the body, in its row or record; no other body uses the key, and it goes with this one.
//! The header is authenticated with every chunk.

use std::io::{self, Cursor, Read, Write};

use crate::message::crlf::{CrlfBytes, LineCheck};
use crate::message::traits::Traits;
use crate::seal::chunks::{ChunkReader, ChunkWriter, read_start, sealed_size};
use crate::secret::keyring::KeyRef;
use crate::secret::masters::{FIRST, Generation};
use crate::secret::{self, BodyKey, Keys};
use crate::store::{Blobs, Body, BodyData, StoreError};

const SALT: usize = 16;
/// What [`generation`] needs of a body.
pub const START: usize = SALT + 1;
const HEADER: usize = START + 8;
/// A sealed body up to this size is kept in its row.
const INLINE: usize = 128 * 1024;
/// A message up to this size is never streamed.
const STREAMED: usize = 64 * 1024;
/// Bytes of a streamed message that are checked and sealed at once.
const BLOCK: usize = 64 * 1024;

/// A message up to this size is kept in its row even when fields are put on top of it: sealing it takes microseconds and
/// touches no disk.
pub const SMALL: usize = INLINE - 16 * 1024;

const EIGHT_BIT: u8 = 1;
const EIGHT_BIT_HEADER: u8 = 2;
/// The six bits above them tell which master key is in the body's key: 0 the first, of which all bodies are from before there were several.
const GENERATION: u32 = 2;

/// Seals a message into its row, whatever its size. Fails only where no key can be had.
pub fn seal(key: &BodyKey, message: &CrlfBytes) -> io::Result<Body> {
    let whole = Vec::with_capacity(HEADER + sealed_size(message.as_slice().len()));
    let (name, sealed) = write(key, whole, message)?;
    Ok(Body { key: Some(name), data: BodyData::Inline(sealed) })
}

/// Seals a message to where it will wait: in its row when it is small, else in a blob, which is durable when
/// this returns. Blocking.
pub fn store_body(key: &BodyKey, blobs: &dyn Blobs, message: &CrlfBytes) -> Result<Body, StoreError> {
    if rides_in_its_row(message) {
        return Ok(seal(key, message)?);
    }
    let (name, writer) = write(key, blobs.create()?, message)?;
    Ok(Body { key: Some(name), data: BodyData::Blob(writer.commit()?) })
}

/// The same for a message of which nothing is sealed into a transfer: a small one may be kept by this node alone. Blocking only
/// when it is not small.
pub fn store_ordinary(keys: &Keys, blobs: &dyn Blobs, message: &CrlfBytes) -> Result<Body, StoreError> {
    match rides_in_its_row(message) {
        true => Ok(seal(&keys.ordinary, message)?),
        false => store_body(&keys.body, blobs, message),
    }
}

fn rides_in_its_row(message: &CrlfBytes) -> bool {
    HEADER + sealed_size(message.as_slice().len()) <= INLINE
}

/// Seals a message that is larger than memory, as it comes out of `source`; `traits` must be true of it. Its lines
/// are checked on the way, for there is no [`CrlfBytes`] of it. A small one is kept in its row as well. Blocking.
pub fn store_stream(
    key: &BodyKey,
    blobs: &dyn Blobs,
    traits: Traits,
    source: &mut dyn Read,
) -> Result<Body, StoreError> {
    if traits.size <= STREAMED as u64 {
        let mut message = Vec::new();
        source.take(STREAMED as u64 + 1).read_to_end(&mut message)?;
        check_size(message.len() as u64, traits)?;
        return store_body(key, blobs, &CrlfBytes::check(message).map_err(io::Error::other)?);
    }
    let (name, mut writer) = begin(key, blobs.create()?, traits)?;
    let (mut block, mut lines, mut size) = (vec![0; BLOCK], LineCheck::default(), 0);
    loop {
        let read = source.read(&mut block)?;
        let octets = block.get(..read).unwrap_or_default();
        if octets.is_empty() {
            break;
        }
        lines.feed(octets).map_err(io::Error::other)?;
        writer.write_all(octets)?;
        size += octets.len() as u64;
    }
    lines.end().map_err(io::Error::other)?;
    check_size(size, traits)?;
    Ok(Body { key: Some(name), data: BodyData::Blob(writer.finish()?.commit()?) })
}

fn check_size(size: u64, traits: Traits) -> io::Result<()> {
    if size == traits.size {
        Ok(())
    } else {
        Err(io::Error::other("the message has another length than was said"))
    }
}

/// Starts reading a queued body. Blocking, as the chunks are.
pub fn open(key: &BodyKey, blobs: &dyn Blobs, body: &Body) -> io::Result<Opener> {
    let source: Box<dyn Read + Send> = match &body.data {
        BodyData::Inline(sealed) => Box::new(Cursor::new(sealed.clone())),
        BodyData::Blob(name) => blobs.open(name)?,
    };
    Opener::new(key, body.key.as_ref(), source)
}

/// Seals a body anew that rides in its row: from a key of one keyring to a key of another. What comes out is not looked at.
pub fn reseal(from: &BodyKey, to: &BodyKey, body: &Body) -> io::Result<Body> {
    let BodyData::Inline(sealed) = &body.data else {
        return Err(io::Error::other("a body that is a blob is not sealed anew"));
    };
    let opener = Opener::new(from, body.key.as_ref(), Box::new(Cursor::new(sealed.clone())))?;
    let (name, mut writer) = begin(to, Vec::with_capacity(sealed.len()), opener.traits())?;
    for chunk in opener {
        writer.write_all(&chunk?)?;
    }
    Ok(Body { key: Some(name), data: BodyData::Inline(writer.finish()?) })
}

fn write<W: Write>(key: &BodyKey, sink: W, message: &CrlfBytes) -> io::Result<(KeyRef, W)> {
    let (name, mut writer) = begin(key, sink, Traits::of(message.as_slice()))?;
    writer.write_all(message.as_slice())?;
    Ok((name, writer.finish()?))
}

fn begin<W: Write>(key: &BodyKey, mut sink: W, traits: Traits) -> io::Result<(KeyRef, ChunkWriter<W>)> {
    let salt = secret::random::<SALT>();
    let (name, key) = key.for_new_body()?;
    let header = header(&salt, traits, key.generation());
    sink.write_all(&header)?;
    Ok((name, ChunkWriter::new(&key.with(&salt), &header, sink)))
}

fn header(salt: &[u8; SALT], traits: Traits, generation: Generation) -> [u8; HEADER] {
    let mut flags = if traits.eight_bit { EIGHT_BIT } else { 0 };
    flags |= if traits.eight_bit_header { EIGHT_BIT_HEADER } else { 0 };
    flags |= (generation - FIRST) << GENERATION;
    let mut header = [0; HEADER];
    let fields = salt.iter().copied().chain([flags]).chain(traits.size.to_be_bytes());
    header.iter_mut().zip(fields).for_each(|(slot, octet)| *slot = octet);
    header
}

fn generation_of(flags: u8) -> Generation {
    (flags >> GENERATION) + FIRST
}

/// Which master key is needed to open a body, of which this is the start; `None` where it is too short for one.
pub fn generation(start: &[u8]) -> Option<Generation> {
    start.get(SALT).map(|flags| generation_of(*flags))
}

/// Reads a sealed body: an iterator of its chunks, each of them authenticated before it is given. After an
/// error it ends.
pub struct Opener {
    chunks: ChunkReader<Box<dyn Read + Send>>,
    traits: Traits,
}

impl Opener {
    /// Reads header and first chunk: what [`Opener::traits`] tells is authentic.
    pub fn new(key: &BodyKey, name: Option<&KeyRef>, mut source: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut header = [0; HEADER];
        read_start(&mut source, &mut header)?;
        let [salt @ .., _, _, _, _, _, _, _, _, _] = &header;
        let [.., flags, s0, s1, s2, s3, s4, s5, s6, s7] = header;
        let traits = Traits {
            size: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            eight_bit: flags & EIGHT_BIT != 0,
            eight_bit_header: flags & EIGHT_BIT_HEADER != 0,
        };
        let chunks = ChunkReader::new(&*key.for_body(generation_of(flags), name, salt)?, &header, source)?;
        Ok(Self { chunks, traits })
    }

    /// What the whole message is like.
    pub fn traits(&self) -> Traits {
        self.traits
    }
}

impl Iterator for Opener {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.chunks.next()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::seal::chunks::{CHUNK, TAG};
    use crate::secret::keyring::Keyring;
    use crate::transfer::testing::MemoryBlobs;

    fn key() -> BodyKey {
        static KEY: LazyLock<BodyKey> = LazyLock::new(|| Keys::derive(&[7; 32]).body);
        KEY.clone()
    }

    fn message(size: usize) -> CrlfBytes {
        CrlfBytes::check((0..size).map(|n| b'a' + (n / CHUNK) as u8).collect()).unwrap()
    }

    fn sealed(message: &CrlfBytes) -> (KeyRef, Vec<u8>) {
        let Body { key: Some(name), data: BodyData::Inline(sealed) } = seal(&key(), message).unwrap() else {
            panic!("in its row, under a key of its own")
        };
        (name, sealed)
    }

    fn opener(key: &BodyKey, name: &KeyRef, sealed: &[u8]) -> io::Result<Opener> {
        Opener::new(key, Some(name), Box::new(Cursor::new(sealed.to_vec())))
    }

    fn read(name: &KeyRef, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let chunks = opener(&key(), name, sealed)?;
        chunks.collect::<io::Result<Vec<_>>>().map(|chunks| chunks.concat())
    }

    #[test]
    fn comes_back_at_every_size() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let message = message(size);
            let (name, sealed) = sealed(&message);
            assert_eq!(sealed.len(), HEADER + sealed_size(size));
            assert_eq!(read(&name, &sealed).unwrap(), message.as_slice(), "{size}");
            assert_eq!(opener(&key(), &name, &sealed).unwrap().traits(), Traits::of(message.as_slice()));
        }
    }

    #[test]
    fn shows_nothing_and_is_never_the_same_twice() {
        let message = CrlfBytes::check(b"canary\r\n".to_vec()).unwrap();
        let (name, octets) = sealed(&message);
        let (other, again) = sealed(&message);
        assert!(memchr::memmem::find(&octets, b"canary").is_none());
        assert_ne!(again, octets);
        assert!(opener(&key(), &other, &octets).is_err(), "under the key of another body");
        assert!(opener(&Keys::derive(&[8; 32]).body, &name, &octets).is_err());
    }

    /// C29: `master.key` alone opens only what an older version sealed, and that it still opens.
    #[test]
    fn the_master_key_alone_opens_nothing_but_what_is_old() {
        let (_, octets) = sealed(&message(40));
        let without = |octets: &[u8]| Opener::new(&key(), None, Box::new(Cursor::new(octets.to_vec())));
        assert!(without(&octets).is_err());
        let (salt, mut old) = ([3; SALT], Vec::new());
        let head = header(&salt, Traits::of(b"old\r\n"), FIRST);
        old.extend_from_slice(&head);
        let mut writer = ChunkWriter::new(&key().for_body(FIRST, None, &salt).unwrap(), &head, old);
        writer.write_all(b"old\r\n").unwrap();
        let chunks = without(&writer.finish().unwrap()).unwrap();
        assert_eq!(chunks.collect::<io::Result<Vec<_>>>().unwrap().concat(), b"old\r\n");
    }

    #[test]
    fn every_flipped_octet_is_found() {
        let (name, sealed) = sealed(&message(40));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(read(&name, &changed).is_err(), "octet {at}");
        }
    }

    #[test]
    fn truncated_swapped_and_added_chunks_are_found() {
        let (name, sealed) = sealed(&message(3 * CHUNK));
        let (header, chunks) = sealed.split_at(HEADER);
        let chunks: Vec<&[u8]> = chunks.chunks(CHUNK + TAG).collect();
        assert_eq!(chunks.len(), 3);
        let rebuilt = |order: &[usize]| {
            let chunks = order.iter().flat_map(|&n| chunks[n].to_vec());
            header.iter().copied().chain(chunks).collect::<Vec<u8>>()
        };
        assert!(read(&name, &rebuilt(&[0, 1, 2])).is_ok());
        for order in [&[0, 1][..], &[0], &[], &[1, 0, 2], &[0, 2], &[0, 1, 2, 2], &[0, 1, 1, 2]] {
            assert!(read(&name, &rebuilt(order)).is_err(), "{order:?}");
        }
        for cut in [1, TAG, CHUNK, CHUNK + TAG - 1] {
            assert!(read(&name, &sealed[..sealed.len() - cut]).is_err(), "{cut} octets fewer");
        }
    }

    /// C03: a body is given up for its damage, never for an error of the disk.
    #[test]
    fn a_disk_that_fails_damages_nothing() {
        let (name, octets) = sealed(&message(CHUNK));
        let kind_after = |good: usize, rest: Box<dyn Read + Send>| {
            let source = Cursor::new(octets[..good].to_vec()).chain(rest);
            let opener = Opener::new(&key(), Some(&name), Box::new(source));
            opener.and_then(|opener| opener.collect::<io::Result<Vec<_>>>()).unwrap_err().kind()
        };
        for good in [0, 1, HEADER, HEADER + 1, octets.len() - 1] {
            assert_eq!(kind_after(good, Box::new(Failing)), io::ErrorKind::ConnectionReset, "{good}");
            assert_eq!(kind_after(good, Box::new(io::empty())), io::ErrorKind::InvalidData, "{good}");
        }
    }

    /// An error that nothing of ours makes.
    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }

    #[test]
    fn the_chunk_before_a_damaged_one_is_not_the_end() {
        let (name, mut sealed) = sealed(&message(2 * CHUNK));
        *sealed.last_mut().unwrap() ^= 1;
        let mut opener = opener(&key(), &name, &sealed).unwrap();
        assert!(opener.next().unwrap().is_err());
        assert!(opener.next().is_none());
    }

    #[test]
    fn what_is_sealed_anew_is_the_same_under_a_key_of_the_other_keyring() {
        let other = Keys::derive(&[7; 32]).body;
        for size in [0, 1, CHUNK, 2 * CHUNK + 5] {
            let message = message(size);
            let body = seal(&key(), &message).unwrap();
            let again = reseal(&key(), &other, &body).unwrap();
            let stored =
                Body { key: again.key.as_ref().map(|key| KeyRef::stored(key.id())), ..again.clone() };
            let opened = |key: &BodyKey| open(key, &MemoryBlobs::default(), &stored);
            assert_eq!(opened(&other).unwrap().traits(), Traits::of(message.as_slice()));
            let chunks = opened(&other).unwrap().collect::<io::Result<Vec<_>>>().unwrap();
            assert_eq!(chunks.concat(), message.as_slice());
            assert!(opened(&key()).is_err(), "{size}");
        }
    }

    #[test]
    fn a_damaged_body_is_not_sealed_anew() {
        let Body { key: name, data: BodyData::Inline(mut sealed) } = seal(&key(), &message(40)).unwrap()
        else {
            panic!("in its row")
        };
        *sealed.last_mut().unwrap() ^= 1;
        let damaged = Body { key: name, data: BodyData::Inline(sealed) };
        let error = reseal(&key(), &key(), &damaged).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    /// What was taken from one keyring is found there, whatever keyring is asked.
    #[test]
    fn a_key_that_is_held_is_found_in_its_own_keyring() {
        let keys = Keys::derive(&[7; 32]).with_ordinary_keyring(Keyring::in_memory());
        let message = message(40);
        let body = store_ordinary(&keys, &MemoryBlobs::default(), &message).unwrap();
        let chunks = open(&keys.body, &MemoryBlobs::default(), &body).unwrap();
        assert_eq!(chunks.collect::<io::Result<Vec<_>>>().unwrap().concat(), message.as_slice());
        let stored = Body { key: body.key.as_ref().map(|key| KeyRef::stored(key.id())), ..body };
        assert!(open(&keys.body, &MemoryBlobs::default(), &stored).is_err());
        assert!(open(&keys.ordinary, &MemoryBlobs::default(), &stored).is_ok());
        // What is a blob may be read by every node.
        let large = CrlfBytes::check(vec![b'a'; INLINE]).unwrap();
        let blobs = MemoryBlobs::default();
        let large = store_ordinary(&keys, &blobs, &large).unwrap();
        let stored = Body { key: large.key.as_ref().map(|key| KeyRef::stored(key.id())), ..large };
        assert!(open(&keys.body, &blobs, &stored).is_ok());
    }

    #[test]
    fn a_stream_is_the_same_as_a_message() {
        let blobs = MemoryBlobs::default();
        let message = message(2 * CHUNK + 5);
        let traits = Traits::of(message.as_slice());
        let body = store_stream(&key(), &blobs, traits, &mut Cursor::new(message.as_slice())).unwrap();
        assert!(matches!(body.data, BodyData::Blob(_)));
        let opener = open(&key(), &blobs, &body).unwrap();
        assert_eq!(opener.traits(), traits);
        assert_eq!(opener.collect::<io::Result<Vec<_>>>().unwrap().concat(), message.as_slice());
    }

    /// C08: nothing with a lone CR or LF gets into the queue, whatever made it.
    #[test]
    fn a_stream_that_is_not_as_announced_is_refused() {
        for (octets, size) in [(&b"a\nb"[..], 3), (b"a\r", 2), (b"a\0", 2), (b"ab", 3), (b"ab", 1)] {
            let blobs = MemoryBlobs::default();
            let traits = Traits { size, ..Traits::default() };
            assert!(store_stream(&key(), &blobs, traits, &mut Cursor::new(octets)).is_err(), "{octets:?}");
            assert!(blobs.contents().is_empty());
        }
    }
}
