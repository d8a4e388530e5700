//! Has a virus scanner look at the files of a draft, where one is configured (M08): each as soon as it is complete, and
//! before an answer is sent whatever has no verdict yet, such as files that came while the scanner was down or not
//! configured. What it finds something in is taken out of the draft.
//!
//! What must never happen: a file that is sent without a verdict while there is a scanner, or the name of a file
//! in the log.

use std::net::IpAddr;

use super::files::{FileReader, LateHash};
use super::scanner::{self, ScanError, Verdict};
use super::vault::Vault;
use super::{Browser, Replies, ReplyError, Result, uploads};
use crate::audit::{Action, Event};
use crate::config::Scanner;
use crate::id::UploadId;
use crate::store::{Author, UploadRow};
use crate::transfer::access::Grant;

/// Files that are scanned at once: as many as clamd does by itself (MaxThreads).
pub(super) const AT_ONCE: usize = 10;

impl Replies {
    /// Has one upload scanned, if that is to be done: it is complete, there is a scanner, and there was no verdict yet.
    pub async fn scan_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        client: IpAddr,
    ) -> Result<()> {
        let Some(scanner) = self.scanner() else { return Ok(()) };
        let row = self.find_upload(grant, browser, id).await?;
        if !row.awaits_scan() {
            return Ok(());
        }
        self.scan_row(grant, browser, row, scanner, client).await
    }

    /// The same for all uploads of the draft: what is wrong with each of them. A scanner that cannot be asked is not
    /// asked again.
    pub async fn scan(&self, grant: &Grant, browser: &Browser, client: IpAddr) -> Result<Vec<ReplyError>> {
        let Some(scanner) = self.scanner() else { return Ok(Vec::new()) };
        let draft = self.parts.store.draft(self.author(grant, browser)).await?;
        let uploads = draft.map(|draft| draft.uploads).unwrap_or_default();
        let mut faults = Vec::new();
        for row in uploads.into_iter().filter(UploadRow::awaits_scan) {
            match self.scan_row(grant, browser, row, scanner.clone(), client).await {
                // Meanwhile somebody has taken it out.
                Ok(()) | Err(ReplyError::UnknownUpload) => {}
                Err(fault @ (ReplyError::Infected { .. } | ReplyError::TooLargeToScan { .. })) => {
                    faults.push(fault);
                }
                Err(fault @ ReplyError::NotScanned { .. }) => {
                    faults.push(fault);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(faults)
    }

    /// The scanner of the moment.
    pub(super) fn scanner(&self) -> Option<Scanner> {
        self.parts.config.load().reply.scanner.clone()
    }

    /// It goes on when the caller goes away: who asks again finds the verdict.
    async fn scan_row(
        &self,
        grant: &Grant,
        browser: &Browser,
        row: UploadRow,
        scanner: Scanner,
        client: IpAddr,
    ) -> Result<()> {
        let vault = Vault::of_draft(grant, browser);
        let name = uploads::open_row(&vault, &row)?.name;
        let scan = Scan {
            replies: self.clone(),
            author: self.author(grant, browser),
            file: FileReader::new(vault, self.parts.blobs.clone(), &row, LateHash::default()),
            id: row.id,
            name,
            scanner,
            client,
        };
        tokio::spawn(scan.run()).await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }
}

impl UploadRow {
    /// Whether it is complete and no scanner has seen it.
    pub(super) fn awaits_scan(&self) -> bool {
        self.length == Some(self.offset) && !self.is_scanned
    }
}

/// One file on its way through the scanner.
struct Scan {
    replies: Replies,
    author: Author,
    file: FileReader,
    id: UploadId,
    /// For the author's eyes only.
    name: String,
    scanner: Scanner,
    client: IpAddr,
}

impl Scan {
    async fn run(self) -> Result<()> {
        let Self { replies, author, file, id, name, scanner, client } = self;
        let (store, now) = (&replies.parts.store, replies.parts.clock.now());
        let event = |result: &str| -> Option<Event> {
            Some(replies.event(Action::Scan, &author.link, result, client))
        };
        let (event, refusal) = match scanner::scan(&scanner, &replies.scanning, file).await {
            Ok(Verdict::Clean) => {
                return match store.mark_scanned(author, id, now).await? {
                    true => Ok(()),
                    false => Err(ReplyError::UnknownUpload),
                };
            }
            Ok(Verdict::Found(what)) => (event(&format!("virus: {what}")), ReplyError::Infected { name }),
            Ok(Verdict::TooLarge) => (event("too large"), ReplyError::TooLargeToScan { name }),
            Err(ScanError::Scanner(cause)) => {
                tracing::warn!(%cause, "the virus scanner cannot be asked");
                return Err(ReplyError::NotScanned { name });
            }
            Err(ScanError::File(cause)) => {
                // Who takes a file out takes it from under the scanner as well.
                let draft = store.draft(author).await?;
                let is_there = draft.is_some_and(|draft| draft.uploads.iter().any(|row| row.id == id));
                return Err(if is_there { cause.into() } else { ReplyError::UnknownUpload });
            }
        };
        store.remove_upload(author.clone(), id, now, event).await?;
        Err(refusal)
    }
}
