//! Looks at the files of a draft (M08, C40): each as soon as it is complete, and all of them before an answer is sent.
//! Whether a file is a program, or is what its name says, is asked each time; the scanner is asked once, so a verdict
//! that is missing then is one of a file that came while it was down or not configured. What is refused is taken out of
//! the draft.
//!
//! What must never happen: a file that is sent without a verdict while there is a scanner, or the name of a file
//! in the log.

use std::io::{self, Read};
use std::net::IpAddr;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::files::{FileReader, LateHash};
use super::scanner::{self, ScanError, ScanVerdict};
use super::vault::Vault;
use super::{Browser, Field, Replies, ReplyError, Result, uploads};
use crate::audit::{Action, Event, EventResult};
use crate::config::{Programs, Scanner};
use crate::fair::FairLimits;
use crate::id::UploadId;
use crate::message::kind::{belies_its_name, is_program};
use crate::settings::Organisation;
use crate::store::{Author, UploadRow};
use crate::transfer::access::Grant;

/// Files that are scanned at once: in all as many as clamd does by itself (MaxThreads).
pub(super) const AT_ONCE: FairLimits = FairLimits { of_link: 2, of_client: 5, in_all: 10 };
/// How long a file waits for its turn.
const TURN: Duration = Duration::from_secs(180);
/// Bytes that tell what a file is.
const HEAD: u64 = 64;

impl Replies {
    /// Looks at one upload, if it is complete.
    pub async fn inspect_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        client: IpAddr,
    ) -> Result<()> {
        match self.is_inspecting() {
            true => {
                self.inspect_row(grant, browser, &self.find_upload(grant, browser, id).await?, client).await
            }
            false => Ok(()),
        }
    }

    /// Looks at all uploads of the draft: what is wrong with each of them.
    pub async fn inspect(&self, grant: &Grant, browser: &Browser, client: IpAddr) -> Result<Vec<ReplyError>> {
        if !self.is_inspecting() {
            return Ok(Vec::new());
        }
        let draft = self.service.parts.store.draft(self.author(grant, browser)).await?;
        let uploads = draft.map(|draft| draft.uploads).unwrap_or_default();
        self.inspect_rows(grant, browser, &uploads, client).await
    }

    /// Looks at these; with no fault, all that are complete may be sent. A scanner that cannot be asked about one is
    /// not asked about the next.
    pub(super) async fn inspect_rows(
        &self,
        grant: &Grant,
        browser: &Browser,
        uploads: &[UploadRow],
        client: IpAddr,
    ) -> Result<Vec<ReplyError>> {
        let mut faults = Vec::new();
        for row in uploads {
            match self.inspect_row(grant, browser, row, client).await {
                // Meanwhile somebody has taken it out.
                Ok(()) | Err(ReplyError::UnknownUpload) => {}
                Err(fault @ ReplyError::NotScanned { .. }) => {
                    faults.push(fault);
                    break;
                }
                Err(fault) if fault.field() == Some(Field::Files) => faults.push(fault),
                Err(error) => return Err(error),
            }
        }
        Ok(faults)
    }

    /// Takes an upload that is lost for good out of its draft, so that it can be added again; gives the fault to tell.
    pub(super) async fn lost(&self, author: &Author, fault: ReplyError, client: IpAddr) -> ReplyError {
        let ReplyError::LostFile { id, .. } = &fault else { return fault };
        tracing::error!(link = %author.link, upload = %id, "an upload of a draft is missing or damaged");
        let event = self.event(Action::Lost, &author.link, EventResult::UploadLost, client);
        match self.take_out(author, id, event).await {
            Ok(()) => fault,
            Err(error) => error,
        }
    }

    async fn take_out(&self, author: &Author, id: &UploadId, event: Event) -> Result<()> {
        let now = event.time;
        self.service.parts.store.remove_upload(author.clone(), id.clone(), now, Some(event)).await?;
        Ok(())
    }

    fn is_inspecting(&self) -> bool {
        self.organisation.reply.scanner.is_some() || is_looking(&self.organisation)
    }

    /// It goes on when the caller goes away, and the next request finds the verdict.
    async fn inspect_row(
        &self,
        grant: &Grant,
        browser: &Browser,
        row: &UploadRow,
        client: IpAddr,
    ) -> Result<()> {
        let vault = Vault::of_draft(grant, browser);
        let upload = uploads::open_row(&vault, row)?;
        if !upload.is_complete() {
            return Ok(());
        }
        let name = upload.name;
        let (replies, author) = (self.clone(), self.author(grant, browser));
        let inspection = Inspection { replies, author, vault, row: row.clone(), name, client };
        let task = tokio::spawn(inspection.run());
        task.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }
}

/// Whether the first bytes of a file matter.
fn is_looking(organisation: &Organisation) -> bool {
    organisation.reply.programs == Programs::Refuse || !organisation.reply.file_types.is_empty()
}

/// One file that is looked at.
struct Inspection {
    replies: Replies,
    author: Author,
    vault: Vault,
    row: UploadRow,
    /// For the author's eyes only.
    name: String,
    client: IpAddr,
}

impl Inspection {
    async fn run(self) -> Result<()> {
        let organisation = &self.replies.organisation;
        if is_looking(organisation) {
            self.look(organisation).await?;
        }
        match &organisation.reply.scanner {
            Some(scanner) if !self.row.is_scanned => self.scan(scanner).await,
            _ => Ok(()),
        }
    }

    /// What it is, by its first bytes.
    async fn look(&self, organisation: &Organisation) -> Result<()> {
        let file = self.file();
        let read = spawn_blocking(move || {
            let mut head = Vec::new();
            file.take(HEAD).read_to_end(&mut head).map(|_| head)
        });
        let read = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let head = match read {
            Ok(head) => head,
            Err(cause) => return Err(self.unreadable(cause).await),
        };
        let name = self.name.clone();
        if organisation.reply.programs == Programs::Refuse && is_program(&head) {
            self.refuse(EventResult::Program, ReplyError::Program { name }).await
        } else if !organisation.reply.file_types.is_empty() && belies_its_name(&name, &head) {
            self.refuse(EventResult::OtherType, ReplyError::OtherType { name }).await
        } else {
            Ok(())
        }
    }

    async fn scan(&self, scanner: &Scanner) -> Result<()> {
        let (store, now) = (&self.replies.service.parts.store, self.replies.service.parts.clock.now());
        let name = self.name.clone();
        let visitor = self.replies.visitor(self.client);
        let turn = self.replies.service.scanning.acquire(&self.author.link, &visitor, TURN);
        match scanner::scan(scanner, turn, self.file()).await {
            Ok(ScanVerdict::Clean) => {
                match store.mark_scanned(self.author.clone(), self.row.id.clone(), now).await? {
                    true => Ok(()),
                    false => Err(ReplyError::UnknownUpload),
                }
            }
            Ok(ScanVerdict::Found(what)) => {
                self.refuse(EventResult::Virus(what), ReplyError::Infected { name }).await
            }
            Ok(ScanVerdict::TooLarge) => {
                self.refuse(EventResult::TooLargeToScan, ReplyError::TooLargeToScan { name }).await
            }
            Err(ScanError::Scanner(cause)) => {
                tracing::warn!(%cause, "the virus scanner cannot be asked");
                Err(ReplyError::NotScanned { name })
            }
            Err(ScanError::File(cause)) => Err(self.unreadable(cause).await),
        }
    }

    fn file(&self) -> FileReader {
        let blobs = self.replies.service.parts.blobs.clone();
        FileReader::new(self.vault.clone(), blobs, &self.row, self.name.clone(), LateHash::default())
    }

    /// Takes it out of the draft.
    async fn refuse(&self, result: EventResult, refusal: ReplyError) -> Result<()> {
        let event = self.replies.event(Action::Scan, &self.author.link, result, self.client);
        self.replies.take_out(&self.author, &self.row.id, event).await?;
        Err(refusal)
    }

    /// Why it cannot be read. A file that its author has removed meanwhile is just not there any more.
    async fn unreadable(&self, cause: io::Error) -> ReplyError {
        match self.replies.service.parts.store.draft(self.author.clone()).await {
            Ok(Some(draft)) if draft.uploads.iter().any(|row| row.id == self.row.id) => {
                self.replies.lost(&self.author, cause.into(), self.client).await
            }
            Ok(_) => ReplyError::UnknownUpload,
            Err(error) => error.into(),
        }
    }
}
