//! AES-256-OCB (RFC 7253) with OpenSSL: the cipher of key packets and sealed parts. The OpenPGP library uses OpenSSL
//! through the same crate. Called by `keys` and `write`; they make sure that no nonce is used twice with one key.

use std::sync::OnceLock;

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::{CipherCtx, CipherCtxRef};
use openssl::error::ErrorStack;
use openssl::lib_ctx::LibCtx;
use zeroize::Zeroizing;

/// Bytes of a nonce (RFC 9580 9.6).
pub(super) const NONCE: usize = 15;
/// Bytes that sealing adds.
pub(super) const TAG: usize = 16;

/// Encrypts `text` in place and appends its tag. `bound` is authenticated with it.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    bound: &[u8],
    text: &mut Vec<u8>,
) -> Result<(), ErrorStack> {
    let mut cipher = cipher(key, nonce, bound, CipherCtxRef::encrypt_init)?;
    let length = text.len();
    // The binding asks for a spare block behind the text; the tag is as long as that.
    text.resize(length + TAG, 0);
    let done = cipher.cipher_update_inplace(text, length)?;
    cipher.cipher_final(text.get_mut(done..).unwrap_or_default())?;
    cipher.tag(text.get_mut(length..).unwrap_or_default())
}

/// The plaintext; `None` if the key, the nonce, `bound` or any sealed byte differs from what it was at sealing.
pub(super) fn open(
    key: &[u8; 32],
    nonce: [u8; NONCE],
    bound: &[u8],
    sealed: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, ErrorStack> {
    let Some((encrypted, tag)) = sealed.split_last_chunk::<TAG>() else { return Ok(None) };
    let mut text = Zeroizing::new(sealed.to_vec());
    let mut cipher = cipher(key, nonce, bound, CipherCtxRef::decrypt_init)?;
    let done = cipher.cipher_update_inplace(&mut text, encrypted.len())?;
    cipher.set_tag(tag)?;
    let is_genuine = cipher.cipher_final(text.get_mut(done..).unwrap_or_default()).is_ok();
    text.truncate(encrypted.len());
    Ok(is_genuine.then_some(text))
}

type Init = fn(&mut CipherCtxRef, Option<&CipherRef>, Option<&[u8]>, Option<&[u8]>) -> Result<(), ErrorStack>;

fn cipher(key: &[u8; 32], nonce: [u8; NONCE], bound: &[u8], init: Init) -> Result<CipherCtx, ErrorStack> {
    let mut cipher = CipherCtx::new()?;
    init(&mut cipher, Some(aes_256_ocb()?), None, None)?;
    cipher.set_iv_length(NONCE)?;
    init(&mut cipher, None, Some(key), Some(&nonce))?;
    cipher.cipher_update(bound, None)?;
    Ok(cipher)
}

/// The cipher comes from a library context of its own, so the host's `openssl.cnf` does not change what we seal with.
fn aes_256_ocb() -> Result<&'static Cipher, ErrorStack> {
    static FETCHED: OnceLock<(Cipher, LibCtx)> = OnceLock::new();
    if let Some((cipher, _)) = FETCHED.get() {
        return Ok(cipher);
    }
    let context = LibCtx::new()?;
    let cipher = Cipher::fetch(Some(&context), "AES-256-OCB", None)?;
    Ok(&FETCHED.get_or_init(|| (cipher, context)).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7253 has no test vector with a 256-bit key. The crates `ossl` and `ocb3` gave these bytes as well.
    #[test]
    fn other_implementations_agree() {
        let mut text = vec![5; 65_536];
        seal(&[7; 32], [3; NONCE], b"bound", &mut text).unwrap();
        assert_eq!(text[..4], 0x113f_7630_u32.to_be_bytes());
        assert_eq!(text[65_536..], 0x7b60_025a_12f8_7472_2d8e_65a7_66cf_5c85_u128.to_be_bytes());
    }

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
                assert_eq!(opened(&key, 1, b"bound", &changed), None, "byte {at} of {size}");
            }
        }
        assert!(open(&key, [1; NONCE], b"bound", &[0; TAG - 1]).unwrap().is_none());
    }
}
