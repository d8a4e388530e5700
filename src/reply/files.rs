//! Reads uploads back, piece after piece, and takes their hash on the way: an answer is never in memory as a whole (H15).
//! Used when an answer is sent.

use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, OnceLock};
use std::vec;

use aws_lc_rs::digest::{self, Context};

use super::error::LostUpload;
use super::vault::Vault;
use crate::id::UploadId;
use crate::seal::chunks::{ChunkReader, damaged};
use crate::store::{Blobs, PieceRow, UploadRow};

/// A hash that is known once its file was read to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct LateHash(Arc<OnceLock<String>>);

impl LateHash {
    /// In hexadecimal; `None` before the end.
    pub fn get(&self) -> Option<String> {
        self.0.get().cloned()
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(octets: &[u8]) -> String {
    hexadecimal(digest::digest(&digest::SHA256, octets).as_ref())
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The bytes of one upload.
pub(super) struct FileReader {
    vault: Vault,
    blobs: Arc<dyn Blobs>,
    upload: UploadId,
    name: String,
    pieces: vec::IntoIter<PieceRow>,
    /// Where the next piece starts.
    offset: u64,
    /// Bytes that were given out.
    given: u64,
    piece: Option<ChunkReader<Box<dyn Read + Send>>>,
    chunk: io::Cursor<Vec<u8>>,
    digest: Context,
    hash: LateHash,
}

impl FileReader {
    /// Reads the upload from its start; `name` is its name.
    pub fn new(
        vault: Vault,
        blobs: Arc<dyn Blobs>,
        upload: &UploadRow,
        name: String,
        hash: LateHash,
    ) -> Self {
        Self {
            vault,
            blobs,
            upload: upload.id.clone(),
            name,
            pieces: upload.pieces.clone().into_iter(),
            offset: 0,
            given: 0,
            piece: None,
            chunk: io::Cursor::default(),
            digest: Context::new(&digest::SHA256),
            hash,
        }
    }

    /// The next chunk of this piece or of the next one; `false` when there is none any more.
    fn advance(&mut self) -> io::Result<bool> {
        loop {
            if let Some(chunk) = self.piece.as_mut().and_then(Iterator::next) {
                self.chunk = io::Cursor::new(chunk?);
                return Ok(true);
            }
            // Every byte of the pieces so far was given: one that is shorter than its row says is damaged.
            if self.given != self.offset {
                return Err(damaged());
            }
            let Some(next) = self.pieces.next() else { return Ok(false) };
            // An error of the disk may pass; a piece that is not there will not come back.
            let is_there = self.blobs.look(&next.blob)?.is_some();
            let source = if is_there { self.blobs.open(&next.blob)? } else { return Err(damaged()) };
            self.piece = Some(self.vault.piece_reader(&self.upload, self.offset, source)?);
            self.offset += next.size;
        }
    }

    /// A [`LostUpload`] where trying again does not help.
    fn fault(&self, error: io::Error) -> io::Error {
        match error.kind() {
            kind @ (ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
                io::Error::new(kind, LostUpload { id: self.upload.clone(), name: self.name.clone() })
            }
            _ => error,
        }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 {
                self.digest.update(buffer.get(..read).unwrap_or_default());
                self.given += read as u64;
                return Ok(read);
            }
            if !self.advance().map_err(|error| self.fault(error))? {
                let hash = hexadecimal(self.digest.clone().finish().as_ref());
                // Asked again after the end it is the same hash.
                self.hash.0.set(hash).ok();
                return Ok(0);
            }
        }
    }
}
