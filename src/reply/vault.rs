//! Seals what was typed and uploaded, under keys that are stored nowhere (C04). A draft's key needs the transfer's
//! key and the browser's secret, so it is gone with either of them; what is remembered of a browser needs its
//! secret and `master.key`. Everything is bound to what it is, so that rows cannot be exchanged unnoticed.

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use aws_lc_rs::digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::types::Browser;
use super::{ReplyError, Result};
use crate::id::UploadId;
use crate::seal::chunks::{ChunkReader, ChunkWriter, damaged, read_start};
use crate::secret::{self, Keys, ReplyKey};
use crate::transfer::access::Grant;

/// Bytes in front of a sealed piece, from which its own key follows.
const SALT: usize = 16;

/// The name of a browser in the store.
pub(super) fn browser_hash(browser: &Browser) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, browser.reveal()).as_ref());
    hash
}

/// What is remembered of a browser is sealed as.
pub(super) const BROWSER: &str = "browser";

/// One key, and what it may do.
#[derive(Clone)]
pub(super) struct Vault(Zeroizing<[u8; 32]>);

impl Vault {
    /// For a draft.
    pub fn of_draft(grant: &Grant, browser: &Browser) -> Self {
        Self(grant.draft_key(browser.reveal()))
    }

    /// For what only the session sees in which it was sealed.
    pub fn of_session(grant: &Grant, browser: &Browser) -> Self {
        Self(grant.session_key(browser.reveal()))
    }

    /// For what is remembered of a browser, whatever link it is on.
    pub fn of_browser(keys: &ReplyKey, browser: &Browser) -> Self {
        Self(keys.for_browser(browser.reveal()))
    }

    /// Opens that, whichever master key was the current one.
    pub fn open_of_browser<T: DeserializeOwned>(keys: &Keys, browser: &Browser, sealed: &[u8]) -> Result<T> {
        let mut opened = Err(ReplyError::Trouble(format!("{BROWSER}: {}", damaged())));
        for keys in keys.reply.each() {
            opened = Self::of_browser(&keys, browser).open(BROWSER, sealed);
            if opened.is_ok() {
                break;
            }
        }
        opened
    }

    /// Seals a value as `what`.
    pub fn seal(&self, what: &str, value: &impl Serialize) -> Result<Vec<u8>> {
        let failed = |_| ReplyError::Trouble("a value could not be sealed".to_owned());
        let plain = serde_json::to_vec(value).map_err(|error| ReplyError::Trouble(error.to_string()))?;
        let mut octets = Zeroizing::new(plain);
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.0[..]).map_err(failed)?;
        let (nonce, tag) =
            key.seal_in_place_separate_tag(Aad::from(what), &mut octets[..]).map_err(failed)?;
        Ok([nonce.as_ref(), &octets[..], tag.as_ref()].concat())
    }

    /// Opens a value that was sealed as `what`.
    pub fn open<T: DeserializeOwned>(&self, what: &str, sealed: &[u8]) -> Result<T> {
        let damaged = || ReplyError::Trouble(format!("{what}: {}", damaged()));
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.0[..]).map_err(|_| damaged())?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        let mut octets = Zeroizing::new(sealed.to_vec());
        let plain = key.open_in_place(nonce.into(), Aad::from(what), &mut octets).map_err(|_| damaged())?;
        serde_json::from_slice(plain).map_err(|_| damaged())
    }

    /// Seals the piece of an upload that starts at `offset`.
    pub fn piece_writer<W: Write>(
        &self,
        upload: &UploadId,
        offset: u64,
        mut sink: W,
    ) -> io::Result<ChunkWriter<W>> {
        let salt = secret::random::<SALT>();
        sink.write_all(&salt)?;
        Ok(ChunkWriter::new(&self.piece_key(&salt), &piece(upload, offset), sink))
    }

    /// Opens the piece of an upload that starts at `offset`.
    pub fn piece_reader<R: Read>(
        &self,
        upload: &UploadId,
        offset: u64,
        mut source: R,
    ) -> io::Result<ChunkReader<R>> {
        let mut salt = [0; SALT];
        read_start(&mut source, &mut salt)?;
        ChunkReader::new(&self.piece_key(&salt), &piece(upload, offset), source)
    }

    fn piece_key(&self, salt: &[u8; SALT]) -> Zeroizing<[u8; 32]> {
        secret::derive(&self.0, salt, "piece")
    }
}

/// What a piece is bound to: whose it is, and where in it.
fn piece(upload: &UploadId, offset: u64) -> Vec<u8> {
    format!("{upload}/{offset}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(octet: u8) -> Vault {
        Vault(Zeroizing::new([octet; 32]))
    }

    #[test]
    fn opens_what_it_sealed_as_what_it_was() {
        let sealed = vault(1).seal("typed", &"KANARIE").unwrap();
        assert!(memchr::memmem::find(&sealed, b"KANARIE").is_none());
        assert_eq!(vault(1).open::<String>("typed", &sealed).unwrap(), "KANARIE");
        assert!(vault(1).open::<String>("sent", &sealed).is_err());
        assert!(vault(2).open::<String>("typed", &sealed).is_err());
        for length in 0..sealed.len() {
            assert!(vault(1).open::<String>("typed", &sealed[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_piece_opens_only_in_its_place() {
        let (id, other) = (UploadId::random(), UploadId::random());
        let mut writer = vault(1).piece_writer(&id, 8, Vec::new()).unwrap();
        writer.write_all(b"KANARIE").unwrap();
        let sealed = writer.finish().unwrap();
        let read = |vault: Vault, id: &UploadId, offset| {
            vault
                .piece_reader(id, offset, &sealed[..])
                .map(|chunks| chunks.collect::<io::Result<Vec<_>>>().unwrap().concat())
        };
        assert_eq!(read(vault(1), &id, 8).unwrap(), b"KANARIE");
        assert!(read(vault(1), &id, 0).is_err() && read(vault(1), &other, 8).is_err());
        assert!(read(vault(2), &id, 8).is_err());
    }
}
