//! Seals a part: plaintext goes in as a stream, one SEIPD packet of version 2 (RFC 9580 5.13.2) with a
//! literal packet inside comes out. The key packet that makes it a message is not written here: there is
//! one for each recipient, and it lies in the database. Called by `transfer/sealing`.

use std::io::{self, Read, Write};

use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};

use super::keys::{CIPHER, MODE, TransferKey};
use super::{Exclusive, Result, openpgp};

/// What a literal packet has room for (RFC 9580 5.9).
const MAX_NAME: usize = 255;

/// Seals everything that `content` gives into `sink`; tells how many octets that were.
/// `name` goes into the encrypted part, cut to 255 octets. Nothing is ever compressed: that would tell
/// something of the content by its length.
pub fn write(key: &TransferKey, sink: impl Write + Send, name: &str, content: &mut dyn Read) -> Result<u64> {
    let message = Message::new(Exclusive::new(sink));
    let message = Encryptor::with_session_key(message, CIPHER, key.session_key())
        .map_err(openpgp)?
        .aead_algo(MODE)
        .build()
        .map_err(openpgp)?;
    let mut message =
        LiteralWriter::new(message).filename(cut(name)).and_then(LiteralWriter::build).map_err(openpgp)?;
    let size = io::copy(content, &mut message)?;
    message.finalize().map_err(openpgp)?;
    Ok(size)
}

/// The longest start of `name` that fits and does not end within a character.
fn cut(name: &str) -> &str {
    let end = (0..=MAX_NAME).rev().find(|&end| name.is_char_boundary(end));
    name.get(..end.unwrap_or(0)).unwrap_or(name)
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
