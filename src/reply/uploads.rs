//! Takes files in: piece after piece, each sealed while it comes in and durable before it counts. What counts is
//! the row of a piece; so a crash costs at most the piece that was coming in, and of two writers at one offset
//! only the first is heard.
//!
//! The work goes on in a task of its own: a client that breaks off takes away the request, not what it has sent.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::vault::Vault;
use super::{Browser, MAX_FILES, NewUpload, Replies, ReplyError, Result, Upload};
use crate::id::{BlobName, UploadId};
use crate::message::name::safe_name;
use crate::seal::chunks::ChunkWriter;
use crate::store::{Added, Author, BlobWriter, NewUploadRow, PieceRow, UploadLimits, UploadRow, discard};
use crate::transfer::access::Grant;

/// Octets of a piece: what a crash may cost.
const PIECE: u64 = 8 * 1024 * 1024;
/// Octets that are sealed and written at once.
const BLOCK: u64 = 256 * 1024;
/// Blocks of the network that wait for the disk.
const AHEAD: usize = 16;
/// Room that uploads leave to everything else.
const FLOOR: u64 = 64 * 1024 * 1024;
/// Octets of a name and of a media type that are kept.
const LONGEST_NAME: usize = 1000;

/// What is sealed of an upload.
#[derive(Serialize, Deserialize)]
pub(super) struct Facts {
    pub name: String,
    pub renamed: bool,
    pub media_type: String,
}

impl Replies {
    pub(super) async fn begin_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        upload: NewUpload,
    ) -> Result<UploadId> {
        let limits = self.limits();
        let length = upload.length.unwrap_or(0);
        if length > limits.octets {
            return Err(ReplyError::TooLarge { max: limits.octets });
        }
        self.check_room(upload.length.unwrap_or(upload.at_most.min(limits.octets))).await?;
        let id = UploadId::random();
        let facts = Vault::of_draft(grant, browser).seal(&sealed_as(&id), &facts(&upload))?;
        let row = NewUploadRow { id: id.clone(), facts, length: upload.length };
        let author = self.author(grant, browser);
        let added = self.parts.store.add_upload(author, row, limits, self.parts.clock.now()).await?;
        self.outcome(added).map(|_| id)
    }

    /// The answer leaves in base64 while its pieces are still there: for an upload of one octet there must be
    /// room for two and a half.
    async fn check_room(&self, length: u64) -> Result<()> {
        let blobs = self.parts.blobs.clone();
        let room = spawn_blocking(move || blobs.room()).await.map_err(io::Error::other)??;
        let needed = length.saturating_mul(5).div_ceil(2).saturating_add(FLOOR);
        if room < needed { Err(ReplyError::DiskShort) } else { Ok(()) }
    }

    pub(super) fn limits(&self) -> UploadLimits {
        let octets = self.parts.config.load().reply.max_size.bytes();
        UploadLimits { files: MAX_FILES, octets, link_octets: octets.saturating_mul(2) }
    }

    /// What the store found, as the caller hears it.
    pub(super) fn outcome(&self, added: Added) -> Result<u64> {
        match added {
            Added::Kept(offset) => Ok(offset),
            Added::TooMany => Err(ReplyError::TooManyFiles { max: MAX_FILES }),
            Added::TooLarge => Err(ReplyError::TooLarge { max: self.limits().octets }),
            Added::Elsewhere(offset) => Err(ReplyError::WrongOffset { offset }),
            Added::OtherLength => Err(ReplyError::WrongLength),
            Added::Unknown => Err(ReplyError::UnknownUpload),
        }
    }

    /// Forwards `pieces` to a task that outlives the request.
    pub(super) async fn take_in(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        offset: u64,
        mut pieces: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let upload = self.find_upload(grant, browser, id).await?;
        if upload.offset != offset {
            return Err(ReplyError::WrongOffset { offset: upload.offset });
        }
        let (sender, receiver) = mpsc::channel(AHEAD);
        let intake = PieceIntake {
            replies: self.clone(),
            author: self.author(grant, browser),
            vault: Vault::of_draft(grant, browser),
            id: id.clone(),
            offset,
            length: upload.length,
        };
        let task = tokio::spawn(intake.run(receiver));
        while let Some(piece) = pieces.next().await {
            let broken = piece.is_err();
            // The task ends early when it wants no more; it tells why.
            if sender.send(Come::from(piece)).await.is_err() || broken {
                break;
            }
        }
        if sender.send(Come::End).await.is_err() {
            tracing::debug!("an upload ended before its stream did");
        }
        task.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }

    async fn find_upload(&self, grant: &Grant, browser: &Browser, id: &UploadId) -> Result<UploadRow> {
        let draft = self.parts.store.draft(self.author(grant, browser)).await?;
        let uploads = draft.map(|draft| draft.uploads).unwrap_or_default();
        uploads.into_iter().find(|upload| upload.id == *id).ok_or(ReplyError::UnknownUpload)
    }

    pub(super) async fn look_at_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
    ) -> Result<Upload> {
        open_row(&Vault::of_draft(grant, browser), &self.find_upload(grant, browser, id).await?)
    }
}

/// A row as the caller sees it.
pub(super) fn open_row(vault: &Vault, row: &UploadRow) -> Result<Upload> {
    let Facts { name, renamed, media_type } = vault.open(&sealed_as(&row.id), &row.facts)?;
    let UploadRow { id, offset, length, .. } = row.clone();
    Ok(Upload { id, name, renamed, media_type, offset, length })
}

fn sealed_as(id: &UploadId) -> String {
    format!("upload {id}")
}

fn facts(upload: &NewUpload) -> Facts {
    let given: String = upload.name.chars().take(LONGEST_NAME).collect();
    // Some browsers give the whole path; only its end is the name (C20).
    let last = given.rsplit(['/', '\\']).next().unwrap_or(&given);
    let name = safe_name(last);
    Facts {
        renamed: name != upload.name,
        name,
        media_type: upload.media_type.chars().take(LONGEST_NAME).collect(),
    }
}

/// What comes through the channel. An end that was not announced is a client that went away.
enum Come {
    Octets(Bytes),
    Broken(io::Error),
    End,
}

impl From<io::Result<Bytes>> for Come {
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
    octets: &mut mpsc::Receiver<Come>,
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
            Some(Come::Octets(some)) => *rest = some,
            Some(Come::End) => return (block, held, Some(Ended::Done)),
            Some(Come::Broken(cause)) => return (block, held, Some(Ended::Broken(cause))),
            None => return (block, held, Some(Ended::Broken(io::ErrorKind::ConnectionReset.into()))),
        }
    }
}

/// Writes one request's octets as pieces.
#[derive(Clone)]
struct PieceIntake {
    replies: Replies,
    author: Author,
    vault: Vault,
    id: UploadId,
    /// Where the next piece starts.
    offset: u64,
    length: Option<u64>,
}

/// A piece on its way to the disk; gives the offset behind it.
type Flushing = JoinHandle<Result<u64>>;

impl PieceIntake {
    /// While one piece is flushed the next one comes in; it is not flushed before the first one counts.
    async fn run(mut self, mut octets: mpsc::Receiver<Come>) -> Result<u64> {
        let (mut rest, mut durable) = (Bytes::new(), self.offset);
        let mut flushing: Option<Flushing> = None;
        loop {
            let filled = self.fill(&mut rest, &mut octets).await;
            if let Some(before) = flushing.take() {
                durable = settle(before).await?;
            }
            let (ended, size, writer) = filled?;
            if size > 0 {
                flushing = Some(tokio::spawn(self.clone().commit(size, writer)));
                self.offset += size;
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
    async fn fill(
        &self,
        rest: &mut Bytes,
        octets: &mut mpsc::Receiver<Come>,
    ) -> Result<(Ended, u64, PieceWriter)> {
        let most = self.length.map_or(PIECE, |length| (length - self.offset).min(PIECE));
        let mut writer = self.begin().await?;
        let mut size = 0;
        loop {
            let (block, held, ended) = gather(rest, octets, most - size).await;
            size += held;
            writer = write(writer, block).await?;
            match ended {
                // More than was announced is kept up to there, and refused from there on.
                Some(Ended::Full) if most == 0 => return Err(ReplyError::WrongLength),
                Some(ended) => return Ok((ended, size, writer)),
                None => {}
            }
        }
    }

    async fn begin(&self) -> Result<PieceWriter> {
        let (blobs, vault) = (self.replies.parts.blobs.clone(), self.vault.clone());
        let (id, offset) = (self.id.clone(), self.offset);
        blocking(move || {
            if blobs.room()? < FLOOR {
                return Err(ReplyError::DiskShort);
            }
            Ok(vault.piece_writer(&id, offset, blobs.create()?)?)
        })
        .await
    }

    /// First the octets, then the row. A blob without a row is nobody's.
    async fn commit(self, size: u64, writer: PieceWriter) -> Result<u64> {
        let blob = blocking(move || Ok(writer.finish()?.commit()?)).await?;
        let parts = &self.replies.parts;
        let piece = PieceRow { blob: blob.clone(), size };
        let limits = self.replies.limits();
        let (author, id, now) = (self.author.clone(), self.id.clone(), parts.clock.now());
        let added = parts.store.add_piece(author, id, self.offset, piece, limits, now).await;
        let kept = added.map_err(ReplyError::from).and_then(|added| self.replies.outcome(added));
        if kept.is_err() {
            self.give_up(blob).await;
        }
        kept
    }

    async fn give_up(&self, blob: BlobName) {
        let blobs = Arc::clone(&self.replies.parts.blobs);
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
