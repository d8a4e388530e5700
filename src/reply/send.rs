//! From a draft to what staff get. Everything that an answer becomes, and the end of its draft, is one transaction of
//! the store; before it nothing is promised, after it nothing is left to do. What it becomes is made in `compose`.

use std::net::IpAddr;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::compose::{CheckedReply, File};
use super::files::LateHash;
use super::types::{Browser, Draft, Preview, SentReply};
use super::vault::Vault;
use super::{PASSWORD, Replies, ReplyError, Result, SENT, TYPED, check, original, recipients, uploads};
use crate::id::QueueId;
use crate::message::name::Names;
use crate::store::{Acceptance, DraftRow, EndedDraft, StoreError, discard};
use crate::transfer::access::Grant;

/// Answers to one transfer within 24 hours (H18).
const PER_DAY: u32 = 20;
/// How long an answer waits until others have been composed.
const TURN: Duration = Duration::from_mins(1);
/// A draft that changes while it is being sent is read again this often.
const ROUNDS: usize = 3;

impl Replies {
    pub(super) async fn send_draft(
        self,
        grant: Grant,
        browser: Browser,
        client: IpAddr,
    ) -> Result<SentReply> {
        for _ in 0..ROUNDS {
            let Some(row) = self.service.parts.store.draft(self.author(&grant, &browser)).await? else {
                return self.sent(&grant, &browser).await?.ok_or(ReplyError::Empty);
            };
            // What is sent below is this very row, or nothing.
            let faults = self.inspect_rows(&grant, &browser, &row.uploads, client).await?;
            if let Some(fault) = faults.into_iter().next() {
                return Err(fault);
            }
            let answer = self.answer(&grant, &browser, row, client).await?;
            let revision = answer.revision;
            let (acceptance, sent) = match self.compose(answer, &browser).await {
                Ok(composed) => composed,
                // What was being read may have been taken out, or sent and removed, meanwhile.
                Err(error) => match self.service.parts.store.draft(self.author(&grant, &browser)).await? {
                    Some(row) if row.revision == revision => {
                        return Err(self.lost(&self.author(&grant, &browser), error, client).await);
                    }
                    _ => continue,
                },
            };
            let blobs = acceptance.blobs();
            match self.service.parts.store.commit(acceptance).await {
                Ok(_) => {
                    self.service.parts.wake.wake();
                    return Ok(sent);
                }
                Err(error) => {
                    if error.is_certain() {
                        let store = self.service.parts.blobs.clone();
                        spawn_blocking(move || discard(store.as_ref(), &blobs)).await.ok();
                    }
                    // Another click has sent it, or somebody goes on writing in another window.
                    if !matches!(error, StoreError::Changed) {
                        return Err(error.into());
                    }
                }
            }
        }
        Err(ReplyError::Trouble("the draft keeps changing".to_owned()))
    }

    /// Reads and checks the draft as it is now.
    async fn answer(
        &self,
        grant: &Grant,
        browser: &Browser,
        row: DraftRow,
        client: IpAddr,
    ) -> Result<CheckedReply> {
        let (vault, now) = (Vault::of_draft(grant, browser), self.service.parts.clock.now());
        let typed = match &row.typed {
            Some(sealed) => vault.open(TYPED, sealed)?,
            None => self.draft(grant, browser).await?.typed,
        };
        let uploads = row.uploads.iter().map(|row| uploads::open_row(&vault, row)).collect::<Result<_>>()?;
        let draft = Draft { typed, uploads };
        let verified = self.verified(browser).await?;
        let mut original = original::read(grant, now).await?;
        original.thread.subject = self.organisation.policy.clean_subject(&original.thread.subject);
        let allowed = recipients::allowed(&self.organisation, grant, &original.people);
        let checked = check::check(&draft, verified.as_ref(), &allowed, &self.organisation, now)
            .map_err(|faults| faults.into_iter().next().unwrap_or(ReplyError::Empty))?;
        let mut names = Names::default();
        let files = draft.uploads.into_iter().zip(row.uploads).map(|(upload, row)| File {
            name: names.give(&upload.name),
            media_type: upload.media_type,
            size: upload.offset,
            row,
            hash: LateHash::default(),
        });
        Ok(CheckedReply {
            replies: self.clone(),
            grant: grant.clone(),
            vault,
            checked,
            original,
            files: files.collect(),
            revision: row.revision,
            id: QueueId::random(),
            now,
            client,
        })
    }

    async fn compose(&self, answer: CheckedReply, browser: &Browser) -> Result<(Acceptance, SentReply)> {
        let turn =
            self.service.composing.acquire(answer.grant.link(), &self.visitor(answer.client), TURN).await;
        let turn = turn.ok_or(ReplyError::Busy)?;
        let (author, browser) = (self.author(&answer.grant, browser), browser.clone());
        let composed = spawn_blocking(move || {
            let _turn = turn;
            let mut acceptance = Acceptance::new(answer.id.clone());
            match answer.fill(&mut acceptance) {
                Ok((mut sent, thread)) => {
                    if let Some(password) = &sent.password {
                        let session = Vault::of_session(&answer.grant, &browser);
                        sent.sealed_password = Some(session.seal(PASSWORD, &password.reveal())?);
                    }
                    let summary = answer.vault.seal(SENT, &sent)?;
                    let (revision, time) = (answer.revision, answer.now);
                    acceptance.draft =
                        Some(EndedDraft { author, revision, time, summary, thread, per_day: PER_DAY });
                    Ok((acceptance, sent))
                }
                Err(error) => {
                    discard(answer.replies.service.parts.blobs.as_ref(), &acceptance.blobs());
                    Err(error)
                }
            }
        });
        composed.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
    }

    /// The mail that staff will get. The first fault of [`Replies::check`], where there is one.
    pub async fn preview(&self, grant: &Grant, browser: &Browser) -> Result<Preview> {
        self.check_enabled()?;
        let nobody = IpAddr::from([0, 0, 0, 0]);
        let row =
            self.service.parts.store.draft(self.author(grant, browser)).await?.ok_or(ReplyError::Empty)?;
        self.answer(grant, browser, row, nobody).await?.preview()
    }
}
