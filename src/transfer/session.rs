//! What a browser holds after the right password, and what the store holds of it: the cookie is 32 random
//! bytes; the store knows their hash and the transfer's key, wrapped with a key that needs the cookie and
//! `master.key`. So neither a stolen database nor a stolen cookie alone opens anything.
//! Used by `transfer/access` only.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, RandomizedNonceKey};
use aws_lc_rs::{digest, error::Unspecified};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id::{self, Link};
use crate::seal::keys::TransferKey;
use crate::secret::{self, Secret, SessionKey};
use crate::store::Session;

/// The value of a session's cookie.
#[derive(Debug)]
pub struct Cookie(Secret);

impl Cookie {
    /// For the Set-Cookie field, and nowhere else.
    pub fn value(&self) -> &str {
        self.0.reveal()
    }
}

/// A cookie's value as it came back from a browser.
pub(super) struct CookieBytes(Zeroizing<[u8; 32]>);

impl CookieBytes {
    /// `None` for what cannot be one of ours.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let bytes = Zeroizing::new(id::from_base32(value)?);
        bytes.as_slice().try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The id under which the store keeps the session.
    pub(super) fn session_id(&self) -> [u8; 32] {
        let mut id = [0; 32];
        id.copy_from_slice(digest::digest(&digest::SHA256, &self.0[..]).as_ref());
        id
    }

    /// What only the browser has.
    pub(super) fn secret(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The key of the transfer that the session opens.
    pub(super) fn unwrap(&self, keys: &SessionKey, session: &Session) -> Option<TransferKey> {
        keys.each().iter().find_map(|keys| self.unwrap_with(keys, session))
    }

    fn unwrap_with(&self, keys: &SessionKey, session: &Session) -> Option<TransferKey> {
        let wrapping = wrapping_key(keys, &self.0).ok()?;
        let (nonce, sealed) = session.wrapped_key.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let opened = wrapping.open_in_place(nonce.into(), bound_to(&session.link), &mut bytes).ok()?;
        TransferKey::from_bytes(opened)
    }
}

/// A new session that opens `link` with `key`.
pub(super) fn new(
    keys: &SessionKey,
    link: &Link,
    key: &TransferKey,
    now: Timestamp,
) -> Result<(Cookie, Session), Unspecified> {
    let cookie = CookieBytes(Zeroizing::new(secret::random()));
    let mut bytes = Zeroizing::new(*key.reveal());
    let (nonce, tag) =
        wrapping_key(keys, &cookie.0)?.seal_in_place_separate_tag(bound_to(link), &mut bytes[..])?;
    let wrapped_key = [nonce.as_ref(), &bytes[..], tag.as_ref()].concat();
    let session = Session { id: cookie.session_id(), link: link.clone(), wrapped_key, used: now };
    Ok((Cookie(Secret::new(id::base32(&cookie.0[..]))), session))
}

fn wrapping_key(keys: &SessionKey, cookie: &[u8; 32]) -> Result<RandomizedNonceKey, Unspecified> {
    RandomizedNonceKey::new(&AES_256_GCM, &keys.for_cookie(cookie)[..])
}

/// A row that is moved to another link does not open (C17).
fn bound_to(link: &Link) -> Aad<String> {
    Aad::from(link.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Keys;

    fn link(recipient: u16) -> Link {
        Link { transfer: "abcdefgh01".parse().unwrap(), recipient }
    }

    #[test]
    fn the_cookie_and_the_row_together_give_the_key() {
        let keys = Keys::derive(&[7; 32]).session;
        let key = TransferKey::random();
        let (cookie, session) = new(&keys, &link(1), &key, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(cookie.value().len(), 52);
        let bytes = CookieBytes::parse(cookie.value()).unwrap();
        assert_eq!(bytes.session_id(), session.id);
        assert_eq!(bytes.unwrap(&keys, &session).unwrap().reveal(), key.reveal());
        assert!(memchr::memmem::find(&session.wrapped_key, key.reveal()).is_none());
    }

    #[test]
    fn neither_alone_does() {
        let keys = Keys::derive(&[7; 32]).session;
        let key = TransferKey::random();
        let (cookie, session) = new(&keys, &link(1), &key, Timestamp::UNIX_EPOCH).unwrap();
        let (other_cookie, _) = new(&keys, &link(1), &key, Timestamp::UNIX_EPOCH).unwrap();
        assert_ne!(cookie.value(), other_cookie.value());
        let bytes = CookieBytes::parse(cookie.value()).unwrap();
        assert!(bytes.unwrap(&Keys::derive(&[8; 32]).session, &session).is_none(), "another master key");
        assert!(CookieBytes::parse(other_cookie.value()).unwrap().unwrap(&keys, &session).is_none());

        let moved = Session { link: link(2), ..session };
        assert!(bytes.unwrap(&keys, &moved).is_none(), "C17: moved to another link");
        let cut = Session { link: link(1), wrapped_key: vec![0; 5], ..moved };
        assert!(bytes.unwrap(&keys, &cut).is_none());
    }

    #[test]
    fn other_texts_are_no_cookies() {
        for value in ["", "x", "../../x", &"z".repeat(52), &"0".repeat(51), &"0".repeat(64), "é"] {
            assert!(CookieBytes::parse(value).is_none(), "{value}");
        }
    }
}
