//! A small secret in a row, sealed under a key of short life of its own (AES-256-GCM): when the key is destroyed, no copy
//! of the row gives it back.

use std::io;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::derive;
use super::keyring::{KeyId, KeyRef, Keyring};

const PURPOSE: &str = "zegel row of short life";

/// Seals it under a key that is taken for it. Keep the [`KeyRef`] until the row is committed.
pub(crate) fn wrap(ring: &Keyring, secret: &[u8]) -> io::Result<(Vec<u8>, KeyRef)> {
    let (name, key) = ring.take()?;
    let failed = |_| io::Error::other("a secret could not be sealed");
    let mut octets = Zeroizing::new(secret.to_vec());
    let (nonce, tag) = cipher(&key)
        .and_then(|key| key.seal_in_place_separate_tag(bound_to(name.id()), &mut octets[..]))
        .map_err(failed)?;
    Ok(([nonce.as_ref(), &octets[..], tag.as_ref()].concat(), name))
}

/// Opens what was sealed under the key of this name; `None` where this is another key, or it was changed.
pub(crate) fn unwrap(name: KeyId, key: &[u8; 32], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut octets = Zeroizing::new(sealed.to_vec());
    let plain = cipher(key).ok()?.open_in_place(nonce.into(), bound_to(name), &mut octets).ok()?;
    Some(plain.to_vec())
}

fn cipher(key: &[u8; 32]) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    RandomizedNonceKey::new(&AES_256_GCM, &derive(key, b"", PURPOSE)[..])
}

fn bound_to(name: KeyId) -> Aad<[u8; 8]> {
    Aad::from(name.number().to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_under_its_own_key_and_no_other() {
        let ring = Keyring::in_memory();
        let (sealed, name) = wrap(&ring, b"KANARIE").unwrap();
        assert!(memchr::memmem::find(&sealed, b"KANARIE").is_none());
        let key = ring.find(name.id()).unwrap();
        assert_eq!(unwrap(name.id(), &key, &sealed).unwrap(), b"KANARIE");
        let (other, of_other) = ring.take().unwrap();
        assert_eq!(unwrap(name.id(), &of_other, &sealed), None);
        assert_eq!(unwrap(other.id(), &key, &sealed), None, "in the row of another");
        for length in 0..sealed.len() {
            assert_eq!(unwrap(name.id(), &key, &sealed[..length]), None, "{length}");
        }
    }
}
