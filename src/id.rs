//! Names of things: short random identifiers in a base32 alphabet without look-alikes, safe in URLs,
//! file names and on the telephone. They identify; none of them is a secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret;

/// Crockford's base32 alphabet: no `i`, `l`, `o` or `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Writes `bytes` as base32, five bits a character, first bit first; a rest is filled with zeros.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    let push = |text: &mut String, five: u32| {
        text.push(ALPHABET.get((five & 31) as usize).map_or('0', |&c| char::from(c)));
    };
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(&mut text, buffer >> bits);
            buffer &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        push(&mut text, buffer << (5 - bits));
    }
    text
}

/// Reads what [`base32`] wrote; `None` for anything that it does not write.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for c in text.bytes() {
        let five = ALPHABET.iter().position(|&known| known == c)?;
        buffer = (buffer << 5) | five as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    (bits < 5 && buffer == 0).then_some(bytes)
}

/// Whether every character is one that [`base32`] writes.
pub fn is_base32(text: &str) -> bool {
    text.bytes().all(|c| ALPHABET.contains(&c))
}

/// The text is not an identifier of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a valid {0}")]
pub struct InvalidId(&'static str);

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $length:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Characters in the written form.
            pub const LENGTH: usize = $length;

            /// A new one from the operating system's generator.
            pub fn random() -> Self {
                let mut text = base32(&secret::random::<{ ($length * 5usize).div_ceil(8) }>());
                text.truncate($length);
                Self(text)
            }

            /// The written form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() == $length && is_base32(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId($what))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// A transfer; it is in `X-Zegel-Transfer`, in logs and on the command line. 50 random bits.
    TransferId, 10, "transfer id"
);
impl TransferId {
    /// As people read it aloud: two groups of five, `m65va-zt28m`. It opens nothing.
    pub fn grouped(&self) -> String {
        let (first, second) = self.0.split_at_checked(Self::LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }
}

identifier!(
    /// An item of the queue; it is in the 250 response and in logs. 60 random bits.
    QueueId, 12, "queue id"
);
identifier!(
    /// A blob in the blob store. 130 random bits, or 120 beside another: never reused, never guessed.
    BlobName, 26, "blob name"
);

impl BlobName {
    /// Characters that neighbours have in common.
    pub const SHARED: usize = 2;

    /// A new one that begins as this one does.
    pub fn neighbour(&self) -> Self {
        let own = Self::random();
        Self(self.0.chars().take(Self::SHARED).chain(own.0.chars().skip(Self::SHARED)).collect())
    }
}

identifier!(
    /// A file that is being uploaded for an answer; it is in URLs. 80 random bits, and worth nothing without session
    /// and browser.
    UploadId, 16, "upload id"
);

identifier!(
    /// A data folder: its database, blobs and master key belong together. 80 random bits, no secret.
    FolderId, 16, "id of a data folder"
);

/// The organisation that something belongs to: its first domain, in lower case, at the time when that was made. It is in
/// rows, listings and metrics, and no secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrganisationId(String);

impl OrganisationId {
    /// Bytes of the longest domain (RFC 5321 4.5.3.1.2).
    const LONGEST: usize = 255;

    /// The one that this domain names.
    pub fn of_domain(domain: &str) -> Self {
        Self(domain.to_lowercase())
    }

    /// The domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrganisationId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let fits = |c: char| !c.is_control() && !c.is_whitespace() && c != '@';
        let is_domain = (1..=Self::LONGEST).contains(&text.len()) && text.chars().all(fits);
        is_domain.then(|| Self::of_domain(text)).ok_or(InvalidId("organisation"))
    }
}

impl fmt::Display for OrganisationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One recipient's link into one transfer. Recipients are numbered from 1 within their transfer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub transfer: TransferId,
    /// The recipient's number within it.
    pub recipient: u16,
}

impl fmt::Display for Link {
    /// For logs and the audit trail: `<transfer>/<recipient>`. Worth nothing without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.transfer, self.recipient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_stable() {
        assert_eq!(base32(b""), "");
        assert_eq!(base32(&[0xff]), "zw");
        assert_eq!(base32(&[0xff; 5]), "zzzzzzzz");
        // 00000 00001 00010 00011 00100 00101 00110 00111
        assert_eq!(base32(&[0x00, 0x44, 0x32, 0x14, 0xc7]), "01234567");
    }

    #[test]
    fn base32_reads_back() {
        for length in 0..40 {
            let bytes: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(37)).collect();
            assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }
        for wrong in ["u", "zz1", "zx", "ZW", "z", "0", "zwé"] {
            assert_eq!(from_base32(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn identifiers_read_back() {
        let id = TransferId::random();
        assert_eq!(id.as_str().len(), TransferId::LENGTH);
        assert_eq!(id.as_str().parse::<TransferId>().unwrap(), id);
        assert_eq!(id.grouped().replace('-', ""), id.as_str());
        assert_eq!(BlobName::random().as_str().len(), 26);
        for wrong in ["", "abc", "abcdefghjO", "../../etc/", "ABCDEFGHJK"] {
            assert!(wrong.parse::<TransferId>().is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        /// M16: every byte comes back, and there is one spelling only.
        #[test]
        fn base32_reads_back_what_it_wrote(bytes: Vec<u8>, text in "[0-9a-zA-Z]{0,20}") {
            let written = base32(&bytes);
            proptest::prop_assert!(is_base32(&written));
            proptest::prop_assert_eq!(from_base32(&written), Some(bytes));
            if let Some(read) = from_base32(&text) {
                proptest::prop_assert_eq!(base32(&read), text);
            }
        }
    }
}
