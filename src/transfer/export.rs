//! The sealed parts as OpenPGP messages, for `zegel transfer export` and for people who want to open a
//! transfer without us: the key packets with the sealed part behind them.
//! Nothing is decrypted here, and no key is needed.

use std::io::{self, Cursor, Read};

use crate::store::{Blobs, Part, Transfer};

/// Why a part cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It has expired or was recalled: nobody can open it any more.
    #[error("its keys have been destroyed")]
    KeysDestroyed,
    /// The sealed bytes cannot be read.
    #[error("part {part}: {source}")]
    Blob {
        /// The part's number
        part: u32,
        /// What the blob store said
        source: io::Error,
    },
}

/// One part as an OpenPGP message that opens with the passphrase of any recipient who still has a key.
pub fn message(
    blobs: &dyn Blobs,
    transfer: &Transfer,
    part: &Part,
) -> Result<impl Read + Send + use<>, ExportError> {
    let key_packets: Vec<u8> =
        transfer.recipients.iter().filter_map(|recipient| recipient.key_packet.clone()).flatten().collect();
    if key_packets.is_empty() {
        return Err(ExportError::KeysDestroyed);
    }
    let sealed = blobs.open(&part.blob).map_err(|source| ExportError::Blob { part: part.number, source })?;
    Ok(Cursor::new(key_packets).chain(sealed))
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

        let keys = |transfer: &Transfer| -> Vec<u8> {
            transfer.recipients.iter().flat_map(|r| r.key_packet.clone().unwrap_or_default()).collect()
        };
        let exported = |transfer: &Transfer| {
            let mut bytes = Vec::new();
            message(&blobs, transfer, &part).map(|mut whole| whole.read_to_end(&mut bytes).unwrap())?;
            Ok::<_, ExportError>(bytes)
        };
        let mut blob = Vec::new();
        blobs.open(&part.blob).unwrap().read_to_end(&mut blob).unwrap();
        assert_eq!(exported(&transfer).unwrap(), [keys(&transfer), blob.clone()].concat());

        transfer.recipients[1].key_packet = None;
        assert_eq!(exported(&transfer).unwrap(), [keys(&transfer), blob].concat());
        blobs.remove(&part.blob).unwrap();
        assert!(matches!(exported(&transfer), Err(ExportError::Blob { part: 1, .. })));
        transfer.recipients[0].key_packet = None;
        assert!(matches!(exported(&transfer), Err(ExportError::KeysDestroyed)));
    }
}
