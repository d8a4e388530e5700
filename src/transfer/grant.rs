//! The right to read one transfer, for as long as one request lasts. Only `transfer/access` makes a
//! [`Grant`], after the password or from a live session; without one there is no key.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::{AccessError, LostPart};
use super::index::{Index, is_sealed_as};
use crate::id::Link;
use crate::seal::SealError;
use crate::seal::keys::TransferKey;
use crate::seal::range::Head;
use crate::seal::read::{Opened, read};
use crate::seal::write::sealed_sizes;
use crate::secret;
use crate::store::{Blobs, Part, Recipient, Transfer};

/// An index over this is none of ours: 1,000,000 files would still be within it.
const MAX_INDEX: u64 = 256 * 1024 * 1024;

/// Opens the parts of one transfer for one recipient.
#[derive(Clone)]
pub struct Grant {
    link: Link,
    transfer: Arc<Transfer>,
    recipient: Arc<Recipient>,
    key: TransferKey,
    session: [u8; 32],
    /// The session's own secret, which only its browser has.
    cookie: Zeroizing<[u8; 32]>,
    blobs: Arc<dyn Blobs>,
}

impl Grant {
    pub(super) fn new(
        link: Link,
        transfer: Transfer,
        recipient: Recipient,
        key: TransferKey,
        (session, cookie): ([u8; 32], Zeroizing<[u8; 32]>),
        blobs: Arc<dyn Blobs>,
    ) -> Self {
        let (transfer, recipient) = (Arc::new(transfer), Arc::new(recipient));
        Self { link, transfer, recipient, key, session, cookie, blobs }
    }

    /// The recipient's link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The transfer as it was when the request came in.
    pub fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// The recipient that the link was made for.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// The key of an answer that is written behind this link in one browser (`secret` is the browser's own). It
    /// needs the transfer's key, so it goes with that.
    pub fn draft_key(&self, secret: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        secret::derive(self.key.reveal(), secret, "zegel reply draft")
    }

    /// The key of what is shown in this session and in no later one (`secret` is the browser's own).
    pub fn session_key(&self, secret: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        secret::derive(&self.draft_key(secret), &self.cookie[..], "zegel session data")
    }

    /// [`crate::store::Session::id`]: what was handed out is noted under it.
    pub fn session(&self) -> [u8; 32] {
        self.session
    }

    /// The plaintext of a part, as a stream. Blocking. Damage in its first 64 KiB is an error here,
    /// further on one of the reader (see [`Grant::unreadable`]); what was released before it is genuine (C14).
    pub fn open(&self, number: u32) -> Result<Opened<'static>, AccessError> {
        let (part, _) = self.find(number)?;
        let opened = read(&self.key, self.source(part, 0)?).map_err(|error| self.unopened(number, error))?;
        self.check_name(number, opened.name())?;
        Ok(opened)
    }

    /// The same from byte `offset` on. Of a part as we write them now, nothing is read but the chunks from there on, and
    /// the first, which says what part it is.
    pub fn open_at(&self, number: u32, offset: u64) -> Result<Box<dyn Read + Send>, AccessError> {
        if offset == 0 {
            return Ok(Box::new(self.open(number)?));
        }
        let (part, sealed) = self.find(number)?;
        let head = Head::read(&self.key, part.size, sealed, self.source(part, 0)?);
        let Some(head) = head.map_err(|error| self.unopened(number, error))? else {
            return self.open_and_skip(number, offset);
        };
        self.check_name(number, head.name())?;
        let source = self.source(part, head.seek(offset))?;
        Ok(Box::new(head.read_from(offset, source)))
    }

    fn open_and_skip(&self, number: u32, offset: u64) -> Result<Box<dyn Read + Send>, AccessError> {
        let mut opened = self.open(number)?;
        let skipped = io::copy(&mut opened.by_ref().take(offset), &mut io::sink());
        skipped.map_err(|error| self.unreadable(number, &error))?;
        Ok(Box::new(opened))
    }

    /// Whether a part is there and can be all of it; [`AccessError::Lost`] where it is gone for good. Blocking.
    pub fn check(&self, number: u32) -> Result<(), AccessError> {
        self.find(number).map(|_| ())
    }

    /// The part with this number, and the size of its blob.
    fn find(&self, number: u32) -> Result<(&Part, u64), AccessError> {
        let parts = &self.transfer.parts;
        let part = parts.iter().find(|part| part.number == number).ok_or(AccessError::Unknown)?;
        match self.blobs.look(&part.blob) {
            Ok(Some(facts)) if sealed_sizes(part.size).contains(&facts.size) => Ok((part, facts.size)),
            Ok(Some(facts)) => {
                Err(self.lost(number, &format_args!("it cannot be {} bytes long", facts.size)))
            }
            Ok(None) => Err(self.lost(number, &"it is missing")),
            Err(error) => Err(self.damaged(number, &error)),
        }
    }

    /// The sealed bytes of a part from one of them on.
    fn source(&self, part: &Part, offset: u64) -> Result<Box<dyn Read + Send>, AccessError> {
        self.blobs.open_at(&part.blob, offset).map_err(|error| self.damaged(part.number, &error))
    }

    fn check_name(&self, number: u32, name: &[u8]) -> Result<(), AccessError> {
        match is_sealed_as(number, name) {
            true => Ok(()),
            false => Err(self.lost(number, &"it was sealed as another part")),
        }
    }

    /// What is in the transfer. Blocking; [`Grant::read_index`] is the same for async callers.
    pub fn index(&self) -> Result<Index, AccessError> {
        let mut json = Vec::new();
        let read = self.open(0)?.take(MAX_INDEX).read_to_end(&mut json);
        read.map_err(|error| self.unreadable(0, &error))?;
        // The error itself may quote what it did not expect: a name, or the subject.
        serde_json::from_slice(&json).map_err(|error| {
            self.lost(0, &format_args!("{:?} error in the table of contents", error.classify()))
        })
    }

    /// What is in the transfer.
    pub async fn read_index(&self) -> Result<Index, AccessError> {
        let grant = self.clone();
        let read = tokio::task::spawn_blocking(move || grant.index()).await;
        read.unwrap_or_else(|error| Err(self.damaged(0, &error)))
    }

    /// What an error of reading a part means: what the disk or the system says may pass, all else is damage for good.
    pub fn unreadable(&self, part: u32, error: &io::Error) -> AccessError {
        match error.raw_os_error() {
            Some(_) => self.damaged(part, error),
            None => self.lost(part, error),
        }
    }

    fn unopened(&self, part: u32, error: SealError) -> AccessError {
        match error {
            SealError::Io(error) => self.unreadable(part, &error),
            error => self.lost(part, &error),
        }
    }

    fn lost(&self, part: u32, cause: &dyn fmt::Display) -> AccessError {
        AccessError::Lost(LostPart { link: self.link.clone(), part, cause: cause.to_string() })
    }

    /// The one place where the cause is known; outwards it is only "damaged".
    fn damaged(&self, part: u32, cause: &dyn fmt::Display) -> AccessError {
        tracing::error!(transfer = %self.link.transfer, part, %cause, "a sealed part cannot be opened");
        AccessError::Damaged
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({})", self.link)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::id::BlobName;
    use crate::seal::write::write;
    use crate::store::{BlobFacts, BlobWriter};
    use crate::transfer::index::sealed_name;
    use crate::transfer::testing::{MemoryBlobs, transfer_row};

    /// Counts what is read from it.
    #[derive(Default)]
    struct CountingBlobs {
        blobs: MemoryBlobs,
        read: Arc<AtomicUsize>,
    }

    struct Counted(Box<dyn Read + Send>, Arc<AtomicUsize>);

    impl Read for Counted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.read(buffer)?;
            self.1.fetch_add(read, Ordering::Relaxed);
            Ok(read)
        }
    }

    impl Blobs for CountingBlobs {
        fn create(&self) -> io::Result<Box<dyn BlobWriter>> {
            self.blobs.create()
        }
        fn open_at(&self, name: &BlobName, offset: u64) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(Counted(self.blobs.open_at(name, offset)?, self.read.clone())))
        }
        fn remove(&self, name: &BlobName) -> io::Result<()> {
            self.blobs.remove(name)
        }
        fn room(&self) -> io::Result<Option<u64>> {
            self.blobs.room()
        }
        fn names(&self, after: Option<&BlobName>, limit: usize) -> io::Result<Vec<BlobName>> {
            self.blobs.names(after, limit)
        }
        fn look(&self, name: &BlobName) -> io::Result<Option<BlobFacts>> {
            self.blobs.look(name)
        }
    }

    fn sample(size: usize) -> Vec<u8> {
        (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    /// Part 1 of a transfer, sealed by `seal`, and what has been read of it.
    fn granted(
        size: usize,
        seal: impl FnOnce(&TransferKey, &mut dyn BlobWriter),
    ) -> (Grant, Arc<AtomicUsize>) {
        let (blobs, key, mut transfer) = (CountingBlobs::default(), TransferKey::random(), transfer_row());
        let mut writer = blobs.create().unwrap();
        seal(&key, &mut *writer);
        let blob = writer.commit().unwrap();
        transfer.parts = vec![Part { number: 1, blob, size: size as u64 }];
        let link = Link { transfer: transfer.id.clone(), recipient: 1 };
        let (recipient, read) = (transfer.recipients[0].clone(), blobs.read.clone());
        (
            Grant::new(link, transfer, recipient, key, ([1; 32], Zeroizing::new([2; 32])), Arc::new(blobs)),
            read,
        )
    }

    fn from(grant: &Grant, offset: usize) -> Vec<u8> {
        let mut plain = Vec::new();
        grant.open_at(1, offset as u64).unwrap().read_to_end(&mut plain).unwrap();
        plain
    }

    #[test]
    fn a_range_costs_what_it_brings() {
        let plain = sample(3_000_000);
        let (grant, read) = granted(plain.len(), |key, sink| {
            write(key, sink, &sealed_name(1, "foto.jpg"), &mut &plain[..]).unwrap();
        });
        for offset in [0, 1, 70_000, 1_500_000, 2_999_999] {
            assert!(from(&grant, offset) == plain[offset..], "from {offset}");
        }
        read.store(0, Ordering::Relaxed);
        grant.open_at(1, 2_900_000).unwrap().read_exact(&mut [0; 1000]).unwrap();
        let read = read.load(Ordering::Relaxed);
        assert!(read < 300_000, "{read} bytes for a thousand");
    }

    /// C14, C37: a part in another's place is as good as lost, wherever it is read.
    #[test]
    fn another_part_in_its_place_is_refused() {
        let (grant, _) = granted(100_000, |key, sink| {
            write(key, sink, &sealed_name(2, "foto.jpg"), &mut &sample(100_000)[..]).unwrap();
        });
        for offset in [0, 90_000] {
            assert!(
                matches!(grant.open_at(1, offset), Err(AccessError::Lost(LostPart { part: 1, .. }))),
                "{offset}"
            );
        }
        assert!(matches!(grant.open_at(7, 5), Err(AccessError::Unknown)));
    }

    /// C14, C37: where the damage is, and only there, a part is lost.
    #[test]
    fn damage_is_found_where_it_is_read() {
        let plain = sample(500_000);
        let (grant, _) = granted(plain.len(), |key, sink| {
            let mut sealed = Vec::new();
            write(key, &mut sealed, &sealed_name(1, "foto.jpg"), &mut &plain[..]).unwrap();
            sealed[200_000] ^= 1;
            sink.write_all(&sealed).unwrap();
        });
        assert!(from(&grant, 300_000) == plain[300_000..]);
        let mut opened = grant.open_at(1, 100_000).unwrap();
        let error = io::copy(&mut opened, &mut io::sink()).unwrap_err();
        assert!(
            matches!(grant.unreadable(1, &error), AccessError::Lost(LostPart { part: 1, .. })),
            "{error}"
        );
    }

    /// Parts from before were written by the library, in chunks of 4096 bytes.
    #[test]
    fn what_the_library_wrote_opens_anywhere_as_well() {
        use sequoia_openpgp::crypto::SessionKey;
        use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
        use sequoia_openpgp::types::{AEADAlgorithm, SymmetricAlgorithm};
        for size in [1, 100, 5000, 70_000, 300_000, 5_000_000] {
            let plain = sample(size);
            let (grant, _) = granted(size, |key, sink| {
                let (mut sealed, key) = (Vec::new(), SessionKey::from(&key.reveal()[..]));
                let message =
                    Encryptor::with_session_key(Message::new(&mut sealed), SymmetricAlgorithm::AES256, key);
                let message = message.unwrap().aead_algo(AEADAlgorithm::OCB).build().unwrap();
                let message = LiteralWriter::new(message).filename("1-verslag.pdf").unwrap();
                let mut message = message.build().unwrap();
                message.write_all(&plain).unwrap();
                message.finalize().unwrap();
                sink.write_all(&sealed).unwrap();
            });
            for offset in [0, 1, size / 2, size - 1] {
                assert!(from(&grant, offset) == plain[offset..], "{size} from {offset}");
            }
        }
    }
}
