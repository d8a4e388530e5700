//! What lies in the store and may have been changed there: nothing comes out of a sealed part but what was sealed, from
//! its start and in order, and its end only where it was (C14, H14). Everything in `seeds/openpgp` is sealed under one key
//! and holds the start of one endless text, so that pieces of one in another are found too.

use std::io::{self, Read};
use std::time::Duration;

use zegel::seal::chunks::{ChunkReader, ChunkWriter};
use zegel::seal::keys::{Passphrase, TransferKey, unlock};
use zegel::seal::range::Head;
use zegel::seal::read::read;
use zegel::seal::write::write;
use zegel::secret::Secret;

/// Bytes in the seeds.
pub const LENGTHS: &[usize] = &[0, 5, 5000, 20_000];
const KEY: [u8; 32] = [7; 32];
const BOUND: &[u8] = b"fuzz";
/// Bytes before the end of which a part may be cut and nobody has seen it yet.
const MOST: usize = 20_000;

pub fn holds(input: &[u8]) {
    let key = TransferKey::from_bytes(&KEY).expect("32 octets");
    if let Ok(mut opened) = read(&key, input) {
        let mut plain = Vec::new();
        let ended = opened.read_to_end(&mut plain);
        is_authentic(&plain, ended.is_ok());
        assert!(ended.is_ok() || opened.read(&mut [0; 10]).is_err(), "an error stays one");
    }
    LENGTHS.iter().for_each(|length| holds_from_its_middle(&key, input, *length));
    if let Ok(reader) = ChunkReader::new(&KEY, BOUND, input) {
        let (mut plain, mut ended) = (Vec::new(), true);
        for chunk in reader {
            match chunk {
                Ok(chunk) => plain.extend(chunk),
                Err(_) => ended = false,
            }
        }
        is_authentic(&plain, ended);
    }
    let passphrase = Passphrase::new(&Secret::new("0123456789abcdefghjkmnpqrs".to_owned()), None);
    if let Ok(Some(unlocked)) = unlock(input, &passphrase, Duration::from_secs(60)) {
        assert_eq!(unlocked.reveal(), &KEY);
    }
}

/// A range of a part gives what stands there in the whole.
fn holds_from_its_middle(key: &TransferKey, input: &[u8], length: usize) {
    for offset in [0, 1, length / 2, length.saturating_sub(1)] {
        let (size, sealed, offset) = (length as u64, input.len() as u64, offset as u64);
        let Ok(Some(head)) = Head::read(key, size, sealed, input) else { return };
        let source = input.get(usize::try_from(head.seek(offset)).expect("a length")..).unwrap_or_default();
        let (mut range, mut plain) = (head.read_from(offset, source), Vec::new());
        let ended = range.read_to_end(&mut plain);
        let genuine = text(length);
        let genuine = genuine.get(usize::try_from(offset).expect("a length")..).unwrap_or_default();
        assert!(genuine.starts_with(&plain), "nobody sealed this");
        assert!(ended.is_err() || plain.len() == genuine.len(), "an end at {}", plain.len());
    }
}

fn is_authentic(plain: &[u8], ended: bool) {
    assert!(plain.len() <= MOST && plain == &text(plain.len())[..], "nobody sealed this");
    assert!(!ended || LENGTHS.contains(&plain.len()), "an end at {}", plain.len());
}

/// The start of a text that never repeats itself.
fn text(length: usize) -> Vec<u8> {
    (0u32..).flat_map(|number| format!("{number:x} ").into_bytes()).take(length).collect()
}

/// A sealed part of so many bytes, and the same as a stream of our own.
pub fn seeds(length: usize) -> io::Result<[Vec<u8>; 2]> {
    let key = TransferKey::from_bytes(&KEY).expect("32 octets");
    let mut part = Vec::new();
    write(&key, &mut part, "bericht.txt", &mut text(length).as_slice()).map_err(io::Error::other)?;
    let mut stream = ChunkWriter::new(&KEY, BOUND, Vec::new());
    io::copy(&mut text(length).as_slice(), &mut stream)?;
    Ok([part, stream.finish()?])
}
