//! Opens a sealed part: the reverse of `seal/write`, as a stream. Called by `transfer/access` with a
//! key that it alone can have.
//!
//! Every chunk is authenticated before a byte of it is released, and the end of the part is authenticated too: what was changed, cut off or added ends in an error, never in plaintext (C14).

use std::io::{self, Read};

use sequoia_openpgp as openpgp;

use openpgp::packet::{Packet, SEIP};
use openpgp::parse::stream::{
    DecryptionHelper, Decryptor, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use openpgp::parse::{PacketParser, Parse};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle, crypto::SessionKey};

use super::keys::{CIPHER, MODE, TransferKey};
use super::write::CHUNK;
use super::{Exclusive, Result, openpgp as library};

/// What is held back before the first byte is released; the library's 25 MiB is for formats that are
/// authenticated at their end only, which this one is not.
const HOLD_BACK: usize = 64 * 1024;

/// Octets in a chunk at most: what `write` writes. A larger one would be held in memory as a whole (H14).
const MAX_CHUNK: u64 = CHUNK as u64;

static POLICY: StandardPolicy<'static> = StandardPolicy::new();

/// The plaintext of one part.
pub struct Opened<'a> {
    plaintext: Decryptor<'a, Helper>,
    failed: bool,
}

/// Opens a sealed part. Damage in its first octets, and anywhere in a small part, is found here;
/// damage further on is an error of the reader.
pub fn read<'a>(key: &TransferKey, source: impl Read + Send + 'a) -> Result<Opened<'a>> {
    let helper = Helper { key: key.session_key(), name: Vec::new() };
    let plaintext = DecryptorBuilder::from_reader(Exclusive::new(source))
        .and_then(|builder| builder.buffer_size(HOLD_BACK).with_policy(&POLICY, None, helper))
        .map_err(library)?;
    Ok(Opened { plaintext, failed: false })
}

impl Opened<'_> {
    /// The name that was sealed with the part.
    pub fn name(&self) -> &[u8] {
        &self.plaintext.helper_ref().name
    }
}

impl Read for Opened<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The library must not be asked again once it has failed: it would give what it held back and
        // then a clean end, or panic.
        if self.failed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the sealed part is damaged"));
        }
        let read = self.plaintext.read(buffer);
        self.failed = matches!(&read, Err(error) if error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

/// Answers the questions of the library while it parses; here is decided what may be in a sealed part.
struct Helper {
    key: SessionKey,
    name: Vec<u8>,
}

impl VerificationHelper for Helper {
    /// One SEIPD of version 2 with one literal packet in it, and nothing else: no compression, no
    /// nesting, no older encryption (H14).
    fn inspect(&mut self, parser: &PacketParser<'_>) -> openpgp::Result<()> {
        match (&parser.packet, parser.recursion_depth()) {
            (Packet::SEIP(SEIP::V2(seip)), 0)
                if seip.symmetric_algo() == CIPHER
                    && seip.aead() == MODE
                    && seip.chunk_size() <= MAX_CHUNK =>
            {
                Ok(())
            }
            (Packet::Literal(literal), 1) => {
                self.name = literal.filename().unwrap_or_default().to_vec();
                Ok(())
            }
            (packet, _) => Err(foreign(packet)),
        }
    }

    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _structure: MessageStructure<'_>) -> openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for Helper {
    fn decrypt(
        &mut self,
        _pkesks: &[openpgp::packet::PKESK],
        _skesks: &[openpgp::packet::SKESK],
        _cipher: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        decrypt(None, &self.key);
        Ok(None)
    }
}

fn foreign(packet: &Packet) -> openpgp::anyhow::Error {
    openpgp::Error::MalformedMessage(format!("unexpected {} packet", packet.tag())).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::write::write;

    fn seal(key: &TransferKey, plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        write(key, &mut sealed, "1-verslag.pdf", &mut &plain[..]).unwrap();
        sealed
    }

    /// Everything that comes out before an error, and whether there was one.
    fn open(key: &TransferKey, sealed: &[u8]) -> (Vec<u8>, bool) {
        let Ok(mut opened) = read(key, sealed) else { return (Vec::new(), true) };
        let mut plain = Vec::new();
        let failed = opened.read_to_end(&mut plain).is_err();
        if failed {
            assert!(opened.read(&mut [0; 10]).is_err(), "an error must stay one");
        }
        (plain, failed)
    }

    /// Octets that differ everywhere, so that a moved chunk would show.
    fn sample(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    #[test]
    fn opens_every_size_around_the_chunks() {
        let key = TransferKey::random();
        let sizes = [0, 1, 4050, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 300_001];
        for size in sizes {
            let plain = sample(size);
            let sealed = seal(&key, &plain);
            let mut opened = read(&key, &sealed[..]).unwrap();
            assert_eq!(opened.name(), b"1-verslag.pdf");
            let mut out = Vec::new();
            opened.read_to_end(&mut out).unwrap();
            assert!(out == plain, "{size} octets");
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        let sealed = seal(&TransferKey::random(), &sample(10_000));
        assert!(read(&TransferKey::random(), &sealed[..]).is_err());
    }

    /// C14: whatever byte is changed, what comes out is a true start of the content, then an error. Of
    /// the chunk that was changed nothing comes out; the first octets are no content but the length of the
    /// packet, and a wrong length shows at the end.
    #[test]
    fn a_changed_byte_is_found_before_its_chunk_is_released() {
        let key = TransferKey::random();
        let plain = sample(300_000);
        let sealed = seal(&key, &plain);
        let positions =
            (0..200).chain((200..sealed.len()).step_by(3571)).chain(sealed.len() - 200..sealed.len());
        for at in positions {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            let (out, failed) = open(&key, &changed);
            assert!(failed, "byte {at} of {}", sealed.len());
            assert!(plain.starts_with(&out), "byte {at}: not the content");
            assert!(at < 6 || out.len() <= at, "byte {at}: {} came out", out.len());
        }
    }

    #[test]
    fn a_part_that_was_cut_off_is_found() {
        let key = TransferKey::random();
        let plain = sample(300_000);
        let sealed = seal(&key, &plain);
        let lengths =
            (0..200).chain((200..sealed.len()).step_by(4099)).chain(sealed.len() - 200..sealed.len());
        for length in lengths {
            let (out, failed) = open(&key, &sealed[..length]);
            assert!(failed, "{length} of {}", sealed.len());
            assert!(plain.starts_with(&out) && out.len() < length.max(1), "{length}: {} came out", out.len());
        }
    }

    #[test]
    fn what_was_added_is_found() {
        let key = TransferKey::random();
        for size in [10, 300_000] {
            let sealed = seal(&key, &sample(size));
            for extra in [&sealed[..], &[0], &[0xcb, 0x02, b'b', 0x00], b"text"] {
                let (_, failed) = open(&key, &[&sealed, extra].concat());
                assert!(failed, "{size} octets with {} more", extra.len());
            }
        }
    }

    /// Parts from before were written by the library, in chunks of 4096 octets.
    #[test]
    fn what_the_library_wrote_opens_as_well() {
        use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
        use std::io::Write;
        let (key, plain, mut sealed) = (TransferKey::random(), sample(300_000), Vec::new());
        let message = Encryptor::with_session_key(Message::new(&mut sealed), CIPHER, key.session_key());
        let message = message.unwrap().aead_algo(MODE).build().unwrap();
        let mut message = LiteralWriter::new(message).filename("1-verslag.pdf").unwrap().build().unwrap();
        message.write_all(&plain).unwrap();
        message.finalize().unwrap();
        let (out, failed) = open(&key, &sealed);
        assert!(!failed && out == plain);
    }

    /// H14: only the one form that we write is taken, whoever holds the key.
    #[test]
    fn other_forms_of_openpgp_are_refused() {
        use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
        use std::io::Write;
        let key = TransferKey::random();

        let mut old = Vec::new();
        let message = Encryptor::with_session_key(Message::new(&mut old), CIPHER, key.session_key()).unwrap();
        let mut message = LiteralWriter::new(message.build().unwrap()).build().unwrap();
        message.write_all(b"text").unwrap();
        message.finalize().unwrap();
        assert!(read(&key, &old[..]).is_err(), "SEIPD version 1");

        let mut nested = Vec::new();
        let mut message = Message::new(&mut nested);
        for _ in 0..2 {
            message = Encryptor::with_session_key(message, CIPHER, key.session_key())
                .unwrap()
                .aead_algo(MODE)
                .build()
                .unwrap();
        }
        let mut message = LiteralWriter::new(message).build().unwrap();
        message.write_all(b"text").unwrap();
        message.finalize().unwrap();
        assert!(read(&key, &nested[..]).is_err(), "nested");

        let mut plain = Vec::new();
        let mut message = LiteralWriter::new(Message::new(&mut plain)).build().unwrap();
        message.write_all(b"text").unwrap();
        message.finalize().unwrap();
        assert!(read(&key, &plain[..]).is_err(), "not encrypted");
    }
}
