//! The files of a draft: begun, looked at, added to, taken out. How bytes become pieces on the disk is in `pieces`.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::pieces::{PieceIntake, UploadEvent};
use super::vault::Vault;
use super::{Browser, MAX_FILES, NewUpload, Replies, ReplyError, Result, Upload, check};
use crate::id::UploadId;
use crate::message::name::safe_name;
use crate::store::{NewUploadRow, UploadLimits, UploadOutcome, UploadRow};
use crate::transfer::access::Grant;

/// Blocks of the network that wait for the disk.
const AHEAD: usize = 16;
/// Bytes of a name and of a media type that are kept.
const LONGEST_NAME: usize = 1000;

/// What is sealed of an upload.
#[derive(Serialize, Deserialize)]
pub(super) struct UploadFacts {
    pub name: String,
    pub renamed: bool,
    pub media_type: String,
}

impl Replies {
    /// Begins an upload: [`ReplyError::BadType`], [`ReplyError::TooLarge`], [`ReplyError::TooManyFiles`] and
    /// [`ReplyError::DiskShort`] before a byte has come.
    pub async fn create_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        upload: NewUpload,
    ) -> Result<UploadId> {
        self.check_enabled()?;
        let facts = facts(&upload);
        check::check_type(&facts.name, &self.organisation)?;
        let limits = self.limits();
        let length = upload.length.unwrap_or(0);
        if length > limits.octets {
            return Err(ReplyError::TooLarge { max: limits.octets });
        }
        self.check_room(upload.length.unwrap_or(upload.at_most.min(limits.octets))).await?;
        let id = UploadId::random();
        let facts = Vault::of_draft(grant, browser).seal(&sealed_as(&id), &facts)?;
        let row = NewUploadRow { id: id.clone(), facts, length: upload.length };
        let author = self.author(grant, browser);
        let added =
            self.service.parts.store.add_upload(author, row, limits, self.service.parts.clock.now()).await?;
        self.outcome(added).map(|_| id)
    }

    /// The answer leaves in base64 while its pieces are still there: for an upload of one byte there must be
    /// room for two and a half.
    async fn check_room(&self, length: u64) -> Result<()> {
        let blobs = self.service.parts.blobs.clone();
        let left = spawn_blocking(move || blobs.left()).await.map_err(io::Error::other)??;
        let needed = length.saturating_mul(5).div_ceil(2);
        let is_short = left.is_some_and(|left| left == 0 || left < needed);
        if is_short { Err(ReplyError::DiskShort) } else { Ok(()) }
    }

    pub(super) fn limits(&self) -> UploadLimits {
        let octets = self.organisation.reply.max_size.bytes();
        UploadLimits { files: MAX_FILES, octets, link_octets: octets.saturating_mul(2) }
    }

    /// What the store found, as the caller hears it.
    pub(super) fn outcome(&self, added: UploadOutcome) -> Result<u64> {
        match added {
            UploadOutcome::Kept(offset) => Ok(offset),
            UploadOutcome::TooMany => Err(ReplyError::TooManyFiles { max: MAX_FILES }),
            UploadOutcome::TooLarge => Err(ReplyError::TooLarge { max: self.limits().octets }),
            UploadOutcome::OtherOffset(offset) => Err(ReplyError::WrongOffset { offset }),
            UploadOutcome::OtherLength => Err(ReplyError::WrongLength),
            UploadOutcome::Unknown => Err(ReplyError::UnknownUpload),
        }
    }

    /// Tells the length of an upload that was begun without one.
    pub async fn set_length(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        length: u64,
    ) -> Result<()> {
        let author = self.author(grant, browser);
        let added = self.service.parts.store.set_length(author, id.clone(), length, self.limits()).await?;
        self.outcome(added).map(drop)
    }

    /// Adds what `pieces` gives, which starts at `offset` of the file; tells the new offset. It goes to a task that
    /// outlives the request: what came before an error of the stream, or before the caller went away, is kept, and
    /// [`ReplyError::Broken`] tells how much that is. An upload has one writer; while there is one:
    /// [`ReplyError::UploadLocked`].
    pub async fn append(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        offset: u64,
        mut pieces: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        self.check_enabled()?;
        // A caller without such an upload locks nothing.
        self.find_upload(grant, browser, id).await?;
        let (writing, request) = self.service.writers.begin(grant.link(), id).await?;
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
            writing,
        };
        let task = tokio::spawn(intake.run(receiver));
        while let Some(piece) = pieces.next().await {
            let broken = piece.is_err();
            // The task ends early when it wants no more; it tells why.
            if sender.send(UploadEvent::from(piece)).await.is_err() || broken {
                break;
            }
        }
        if sender.send(UploadEvent::End).await.is_err() {
            tracing::debug!("an upload ended before its stream did");
        }
        drop(request);
        task.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }

    /// Takes a file out of the draft.
    pub async fn remove_upload(&self, grant: &Grant, browser: &Browser, id: &UploadId) -> Result<()> {
        let (author, now) = (self.author(grant, browser), self.service.parts.clock.now());
        match self.service.parts.store.remove_upload(author, id.clone(), now, None).await? {
            true => Ok(()),
            false => Err(ReplyError::UnknownUpload),
        }
    }

    pub(super) async fn find_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
    ) -> Result<UploadRow> {
        let draft = self.service.parts.store.draft(self.author(grant, browser)).await?;
        let uploads = draft.map(|draft| draft.uploads).unwrap_or_default();
        uploads.into_iter().find(|upload| upload.id == *id).ok_or(ReplyError::UnknownUpload)
    }

    /// An upload of this draft.
    pub async fn upload(&self, grant: &Grant, browser: &Browser, id: &UploadId) -> Result<Upload> {
        open_row(&Vault::of_draft(grant, browser), &self.find_upload(grant, browser, id).await?)
    }
}

/// A row as the caller sees it.
pub(super) fn open_row(vault: &Vault, row: &UploadRow) -> Result<Upload> {
    let UploadFacts { name, renamed, media_type } = vault.open(&sealed_as(&row.id), &row.facts)?;
    let UploadRow { id, offset, length, is_scanned, .. } = row.clone();
    Ok(Upload { id, name, renamed, media_type, offset, length, is_scanned })
}

fn sealed_as(id: &UploadId) -> String {
    format!("upload {id}")
}

fn facts(upload: &NewUpload) -> UploadFacts {
    let given: String = upload.name.chars().take(LONGEST_NAME).collect();
    // Some browsers give the whole path; only its end is the name (C20).
    let last = given.rsplit(['/', '\\']).next().unwrap_or(&given);
    let name = safe_name(last);
    UploadFacts {
        renamed: name != upload.name,
        name,
        media_type: upload.media_type.chars().take(LONGEST_NAME).collect(),
    }
}
