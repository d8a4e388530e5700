//! Takes in the bytes of one request: piece after piece, each sealed while it comes in and durable before it counts.
//! What counts is the row of a piece; so a crash costs at most the pieces that were coming in. Room for a piece is
//! reserved before it begins: on the disk, and of what may come through its link (H39).
//!
//! The work goes on in a task of its own: a client that breaks off takes away the request, not what it has sent.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::vault::Vault;
use super::writers::Writing;
use super::{Replies, ReplyError, Result};
use crate::id::{BlobName, UploadId};
use crate::seal::chunks::{ChunkWriter, sealed_size};
use crate::store::{Author, BlobWriter, PieceRow, StoreError, discard};

/// Bytes of a piece: what a crash may cost.
const PIECE: u64 = 8 * 1024 * 1024;
/// Bytes that are sealed and written at once.
const BLOCK: u64 = 256 * 1024;

/// What comes through the channel. An end that was not announced is a client that went away.
pub(super) enum UploadEvent {
    Octets(Bytes),
    Broken(io::Error),
    End,
}

impl From<io::Result<Bytes>> for UploadEvent {
    fn from(piece: io::Result<Bytes>) -> Self {
        piece.map_or_else(Self::Broken, Self::Octets)
    }
}

/// How a piece ended.
enum Ended {
    /// It is full; what is over belongs to the next.
    Full,
    /// The client has sent everything.
    Done,
    /// The client broke off.
    Broken(io::Error),
}

/// What comes until a block, or the `room` that is left in the piece, is full; what is over stays in `rest`.
async fn gather(
    rest: &mut Bytes,
    octets: &mut mpsc::Receiver<UploadEvent>,
    room: u64,
) -> (Vec<Bytes>, u64, Option<Ended>) {
    let (mut block, mut held) = (Vec::new(), 0);
    loop {
        let fits = usize::try_from(room - held).unwrap_or(usize::MAX).min(rest.len());
        held += fits as u64;
        block.push(rest.split_to(fits));
        if !rest.is_empty() {
            return (block, held, Some(Ended::Full));
        }
        if held >= BLOCK {
            return (block, held, None);
        }
        match octets.recv().await {
            Some(UploadEvent::Octets(some)) => *rest = some,
            Some(UploadEvent::End) => return (block, held, Some(Ended::Done)),
            Some(UploadEvent::Broken(cause)) => return (block, held, Some(Ended::Broken(cause))),
            None => return (block, held, Some(Ended::Broken(io::ErrorKind::ConnectionReset.into()))),
        }
    }
}

/// A piece that is filled, or as much of it as came.
struct Filled {
    ended: Ended,
    size: u64,
    reserved: u64,
    writer: PieceWriter,
}

/// Writes one request's bytes as pieces.
#[derive(Clone)]
pub(super) struct PieceIntake {
    pub replies: Replies,
    pub author: Author,
    pub vault: Vault,
    pub id: UploadId,
    /// Where the next piece starts.
    pub offset: u64,
    pub length: Option<u64>,
    /// Held until the last piece is settled.
    pub writing: Arc<Writing>,
}

/// A piece on its way to the disk; gives the offset behind it.
type Flushing = JoinHandle<Result<u64>>;

impl PieceIntake {
    /// While one piece is flushed the next one comes in; it is not flushed before the first one counts.
    pub async fn run(mut self, mut octets: mpsc::Receiver<UploadEvent>) -> Result<u64> {
        let (mut rest, mut durable) = (Bytes::new(), self.offset);
        let mut flushing: Option<Flushing> = None;
        loop {
            let filled = self.fill(&mut rest, &mut octets).await;
            if let Some(before) = flushing.take() {
                durable = settle(before).await?;
            }
            let Filled { ended, size, reserved, writer } = filled?;
            if size > 0 {
                flushing = Some(tokio::spawn(self.clone().commit(size, reserved, writer)));
                self.offset += size;
            } else {
                self.writing.release(reserved);
            }
            if let Ended::Full = ended {
                continue;
            }
            if let Some(last) = flushing {
                durable = settle(last).await?;
            }
            return match ended {
                Ended::Broken(cause) => Err(ReplyError::Broken { offset: durable, cause }),
                _ => Ok(durable),
            };
        }
    }

    /// Fills one piece, in blocks: a thread is needed only while there is something to write.
    async fn fill(&self, rest: &mut Bytes, octets: &mut mpsc::Receiver<UploadEvent>) -> Result<Filled> {
        let (most, reserved) = self.reserve().await?;
        let filled = self.fill_reserved(most, rest, octets).await;
        if filled.is_err() {
            self.writing.release(reserved);
        }
        filled.map(|(ended, size, writer)| Filled { ended, size, reserved, writer })
    }

    /// Bytes that the piece may have, and how many of them were reserved of what the link may bring: a length that
    /// was announced counts already.
    async fn reserve(&self) -> Result<(u64, u64)> {
        if let Some(length) = self.length {
            return Ok(((length - self.offset).min(PIECE), 0));
        }
        let limits = self.replies.limits();
        let left = self.replies.service.parts.store.upload_room(self.author.clone(), limits).await?;
        let reserved = self.writing.reserve(PIECE, left);
        Ok((reserved, reserved))
    }

    async fn fill_reserved(
        &self,
        most: u64,
        rest: &mut Bytes,
        octets: &mut mpsc::Receiver<UploadEvent>,
    ) -> Result<(Ended, u64, PieceWriter)> {
        let mut writer = self.begin(most).await?;
        let mut size = 0;
        loop {
            let (block, held, ended) = gather(rest, octets, most - size).await;
            size += held;
            writer = write(writer, block).await?;
            match ended {
                // More than was announced is kept up to there, and refused from there on.
                Some(Ended::Full) if most == 0 => return Err(self.too_much()),
                Some(ended) => return Ok((ended, size, writer)),
                None => {}
            }
        }
    }

    fn too_much(&self) -> ReplyError {
        match self.length {
            Some(_) => ReplyError::WrongLength,
            None => ReplyError::TooLarge { max: self.replies.limits().octets },
        }
    }

    async fn begin(&self, most: u64) -> Result<PieceWriter> {
        let (blobs, vault) = (self.replies.service.parts.blobs.clone(), self.vault.clone());
        let (id, offset) = (self.id.clone(), self.offset);
        let sealed = usize::try_from(most).map_or(usize::MAX, sealed_size) as u64;
        blocking(move || Ok(vault.piece_writer(&id, offset, blobs.create_for(sealed)?)?)).await
    }

    /// First the blob, then the row: a blob without a row is swept.
    async fn commit(self, size: u64, reserved: u64, writer: PieceWriter) -> Result<u64> {
        let kept = self.keep(size, writer).await;
        self.writing.release(reserved);
        kept
    }

    async fn keep(&self, size: u64, writer: PieceWriter) -> Result<u64> {
        let blob = blocking(move || Ok(writer.finish()?.commit()?)).await?;
        let parts = &self.replies.service.parts;
        let piece = PieceRow { blob: blob.clone(), size };
        let limits = self.replies.limits();
        let (author, id, now) = (self.author.clone(), self.id.clone(), parts.clock.now());
        let added = parts.store.add_piece(author, id, self.offset, piece, limits, now).await;
        let is_certain = added.as_ref().err().is_none_or(StoreError::is_certain);
        let kept = added.map_err(ReplyError::from).and_then(|added| self.replies.outcome(added));
        if kept.is_err() && is_certain {
            self.give_up(blob).await;
        }
        kept
    }

    async fn give_up(&self, blob: BlobName) {
        let blobs = Arc::clone(&self.replies.service.parts.blobs);
        spawn_blocking(move || discard(blobs.as_ref(), [&blob])).await.ok();
    }
}

async fn settle(flushing: Flushing) -> Result<u64> {
    flushing.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
}

type PieceWriter = ChunkWriter<Box<dyn BlobWriter>>;

async fn write(mut writer: PieceWriter, block: Vec<Bytes>) -> Result<PieceWriter> {
    blocking(move || {
        for octets in block {
            writer.write_all(&octets)?;
        }
        Ok(writer)
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
