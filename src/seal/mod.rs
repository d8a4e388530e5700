//! Sealing. OpenPGP (RFC 9580) is here and nowhere else: the key of a transfer, its key packets, and the sealed parts.
//!
//! A transfer has one random session key. [`keys`] wraps it once for each recipient into a key packet
//! (SKESK version 6); [`write`] encrypts a part under it (SEIPD version 2, AES-256-OCB), [`read`]
//! decrypts one, and [`range`] decrypts one from its middle on. A key packet followed by a sealed part is an OpenPGP message that `sq decrypt` opens.
//! What only this gateway ever opens again, while it waits, is sealed more simply in [`chunks`].
//! Called by `transfer`, `queue` and `reply`. A byte that was changed or is missing must never come out as plaintext (C14).

mod argon2;
pub mod chunks;
pub mod keys;
mod ocb;
pub mod range;
pub mod read;
pub mod write;

use std::io::{self, Read};
use std::sync::Mutex;

/// Why something could not be sealed or opened. A wrong passphrase is not among it.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The sealed bytes, or the plaintext, could not be read or written.
    #[error("reading or writing a sealed part: {0}")]
    Io(#[from] io::Error),
    /// OpenPGP itself failed: the bytes are damaged, or memory ran out.
    #[error("OpenPGP: {0}")]
    OpenPgp(#[source] sequoia_openpgp::anyhow::Error),
    /// OpenSSL failed at a cipher that it has: memory ran out.
    #[error("{0}")]
    Cipher(#[from] openssl::error::ErrorStack),
    /// It is valid, but nothing that we ever write.
    #[error("not sealed by us: {0}")]
    Foreign(&'static str),
    /// Too many Argon2 runs at once: there was no turn for this one in time.
    #[error("too many keys are being derived at once")]
    Busy,
    /// More recipients than a link can number.
    #[error("too many recipients for one transfer")]
    TooManyRecipients,
}

/// What a seal call gives.
pub type Result<T> = std::result::Result<T, SealError>;

/// An error of the library; a read or write error inside it comes out as what it is.
fn openpgp(error: sequoia_openpgp::anyhow::Error) -> SealError {
    match error.downcast::<io::Error>() {
        Ok(error) => SealError::Io(error),
        Err(error) => SealError::OpenPgp(error),
    }
}

/// Lends `Sync` to a reader, which the library asks for though it never shares one: there is no way to it but
/// through `&mut`, so the lock is never taken.
struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    fn new(inner: T) -> Self {
        Self(Mutex::new(inner))
    }

    fn inner(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T: Read> Read for Exclusive<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner().read(buffer)
    }
}
