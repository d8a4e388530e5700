//! AES-256-OCB (RFC 7253), the cipher of key packets and sealed parts, as OpenSSL has it. The OpenPGP library reaches
//! it through the same crate. Called by `keys` and `write`, who see to it that no nonce serves twice under one key.

use std::sync::OnceLock;

use ossl::cipher::{AeadParams, AesSize, EncAlg, OsslCipher};
use ossl::{OsslContext, OsslSecret};
use zeroize::Zeroizing;

/// Octets of a nonce (RFC 9580 9.6).
pub(super) const NONCE: usize = 15;
/// Octets that sealing adds.
pub(super) const TAG: usize = 16;

/// Encrypts `text` where it stands and puts its tag behind it. `bound` is authenticated with it.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    bound: &[u8],
    text: &mut Vec<u8>,
) -> Result<(), ossl::Error> {
    let mut cipher = cipher(key, nonce, bound, true)?;
    let done = cipher.update_in_place(text)?;
    cipher.finalize(text.get_mut(done..).unwrap_or_default())?;
    let mut tag = [0; TAG];
    cipher.get_tag(&mut tag)?;
    text.extend_from_slice(&tag);
    Ok(())
}

/// The text, or nothing when key, nonce, tag or any octet is another than when it was sealed.
pub(super) fn open(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    bound: &[u8],
    sealed: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, ossl::Error> {
    let Some((sealed, tag)) = sealed.split_last_chunk::<TAG>() else { return Ok(None) };
    let mut text = Zeroizing::new(sealed.to_vec());
    let mut cipher = cipher(key, nonce, bound, false)?;
    let done = cipher.update_in_place(&mut text)?;
    cipher.set_tag(tag)?;
    let is_genuine = cipher.finalize(text.get_mut(done..).unwrap_or_default()).is_ok();
    Ok(is_genuine.then_some(text))
}

fn cipher(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    bound: &[u8],
    encrypt: bool,
) -> Result<OsslCipher, ossl::Error> {
    let (key, bound) = (OsslSecret::from_slice(key), AeadParams::new(Some(bound.to_vec()), TAG, 0));
    let algorithm = EncAlg::AesOcb(AesSize::Aes256);
    OsslCipher::new(context()?, algorithm, encrypt, key, Some(nonce.to_vec()), Some(bound))
}

/// Only the default provider: nothing in the host's configuration of OpenSSL changes what we seal with.
fn context() -> Result<&'static OsslContext, ossl::Error> {
    static CONTEXT: OnceLock<OsslContext> = OnceLock::new();
    if let Some(context) = CONTEXT.get() {
        return Ok(context);
    }
    let context = OsslContext::new_lib_ctx_checked()?;
    Ok(CONTEXT.get_or_init(|| context))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7253 appendix A has no sample with a 256-bit key; that what is sealed here is AES-256-OCB is shown by the
    /// library and by rPGP, which open it (`tests/openpgp.rs`).
    #[test]
    fn opens_what_it_sealed_and_nothing_else() {
        let key = [7; 32];
        for size in [0, 1, 15, 16, 17, 4096, 65_536, 65_537] {
            let plain: Vec<u8> = (0..size).map(|at| (at * 31 + at / 251) as u8).collect();
            let mut sealed = plain.clone();
            seal(&key, [1; NONCE], b"bound", &mut sealed).unwrap();
            assert_eq!(sealed.len(), size + TAG);
            let opened = |key: &[u8; 32], nonce, bound: &[u8], sealed: &[u8]| {
                open(key, [nonce; NONCE], bound, sealed).unwrap().map(|text| text.to_vec())
            };
            assert_eq!(opened(&key, 1, b"bound", &sealed).as_deref(), Some(&plain[..]), "{size}");
            assert_eq!(opened(&[8; 32], 1, b"bound", &sealed), None);
            assert_eq!(opened(&key, 2, b"bound", &sealed), None);
            assert_eq!(opened(&key, 1, b"other", &sealed), None);
            for at in [0, sealed.len() / 2, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(opened(&key, 1, b"bound", &changed), None, "octet {at} of {size}");
            }
        }
        assert!(open(&key, [1; NONCE], b"bound", &[0; TAG - 1]).unwrap().is_none());
    }
}
