//! The sealed parts as OpenPGP messages, for `zegel transfer export` and for whoever wants to open a
//! transfer without us: the recipient's key packet with the sealed part behind it (contract 6).
//! Nothing is decrypted here, and no key is needed.

use std::io::{self, Cursor, Read};

use crate::store::{Blobs, Part, Recipient};

/// Why a part cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It has expired or was recalled: nobody can open it any more.
    #[error("the key of recipient {0} has been destroyed")]
    KeyDestroyed(u16),
    /// The sealed bytes cannot be read.
    #[error("part {part}: {source}")]
    Blob {
        /// The part's number
        part: u32,
        /// What the blob store said
        source: io::Error,
    },
}

/// One part as an OpenPGP message that opens with the passphrase of `recipient`; goes into `<number>.pgp`.
pub fn message(
    blobs: &dyn Blobs,
    recipient: &Recipient,
    part: &Part,
) -> Result<impl Read + Send + use<>, ExportError> {
    let key_packet = recipient.key_packet.clone().ok_or(ExportError::KeyDestroyed(recipient.number))?;
    let sealed = blobs.open(&part.blob).map_err(|source| ExportError::Blob { part: part.number, source })?;
    Ok(Cursor::new(key_packet).chain(sealed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PasswordMode;
    use crate::secret::Keys;
    use crate::transfer::sealing::seal;
    use crate::transfer::testing::{MemoryBlobs, MemoryStore, request};

    #[test]
    fn the_key_packet_stands_before_the_sealed_part() {
        let (blobs, store) = (MemoryBlobs::default(), MemoryStore::default());
        let sealed = seal(&blobs, &Keys::derive(&[7; 32]).link, request(PasswordMode::None)).unwrap();
        let id = sealed.transfer.id.clone();
        store.insert(sealed.transfer);
        let mut transfer = store.rows().transfers[&id].clone();
        let part = transfer.parts[1].clone();

        let (mut exported, mut blob) = (Vec::new(), Vec::new());
        message(&blobs, &transfer.recipients[1], &part).unwrap().read_to_end(&mut exported).unwrap();
        blobs.open(&part.blob).unwrap().read_to_end(&mut blob).unwrap();
        assert_eq!(exported, [transfer.recipients[1].key_packet.clone().unwrap(), blob].concat());

        transfer.recipients[1].key_packet = None;
        let destroyed = message(&blobs, &transfer.recipients[1], &part).err().unwrap();
        assert_eq!(destroyed.to_string(), "the key of recipient 2 has been destroyed");
        blobs.remove(&part.blob).unwrap();
        let missing = message(&blobs, &transfer.recipients[0], &part).err().unwrap();
        assert!(matches!(missing, ExportError::Blob { part: 1, .. }), "{missing}");
    }
}
