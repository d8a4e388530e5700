//! Answers: from the first field that somebody fills in to the mail that staff find in their own mailbox.
//! Called by `web` with a [`Grant`], which proves that link and password were right, and a [`Browser`].
//!
//! A draft belongs to one recipient's link *and* one browser (C17). What is typed and uploaded lies in the store
//! under a key that follows from the transfer's key and the browser's secret and is kept nowhere, so nothing of it
//! can be read there (C04); it goes when it was not touched for 24 hours, or with the transfer.
//! What must never happen: an answer to an address outside the organisation (C12), from an address that was not
//! verified (decision 8), or a line of user text that becomes a header field (C13).

mod error;
pub mod password;
mod types;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::Stream;

pub use self::error::{Field, LineFault, ReplyError, Result};
pub use self::types::{
    Browser, Draft, NewUpload, Preview, Sent, SentFile, Settings, Typed, Upload, Verified,
};
use crate::address::Address;
use crate::clock::Clock;
use crate::config::Config;
use crate::id::UploadId;
use crate::locale::Language;
use crate::queue::worker::WakeHandle;
use crate::secret::Keys;
use crate::store::{Blobs, Store};
use crate::transfer::access::Grant;

/// The most files of one answer.
pub const MAX_FILES: usize = 100;

/// What answers stand on.
#[derive(Clone)]
pub struct Parts {
    /// Rows
    pub store: Arc<dyn Store>,
    /// Sealed bytes
    pub blobs: Arc<dyn Blobs>,
    /// Everything that follows from `master.key`
    pub keys: Keys,
    /// Time
    pub clock: Clock,
    /// Read anew for every call, so that SIGHUP counts at once
    pub config: Arc<ArcSwap<Config>>,
    /// Rung when there is mail to relay
    pub wake: WakeHandle,
}

/// Takes answers in and sends them. Cheap to clone.
#[derive(Clone)]
pub struct Replies {
    parts: Parts,
}

impl Replies {
    /// On these parts.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// This browser's draft for this link, made when there is none: addressed to the sender, signed by whom the
    /// browser is remembered as.
    pub async fn draft(&self, grant: &Grant, browser: &Browser) -> Result<Draft> {
        let _ = (grant, browser, &self.parts);
        Err(unfinished())
    }

    /// Keeps what was typed, right or wrong; only what is endless is refused. Nothing of it is checked here:
    /// [`Replies::check`] does that.
    pub async fn save(&self, grant: &Grant, browser: &Browser, typed: Typed) -> Result<()> {
        let _ = (grant, browser, typed);
        Err(unfinished())
    }

    /// Every fault in what was typed and uploaded so far, for the messages beside the fields; those of screen
    /// one first. Empty: it can be sent.
    pub async fn check(&self, grant: &Grant, browser: &Browser) -> Result<Vec<ReplyError>> {
        let _ = (grant, browser);
        Err(unfinished())
    }

    /// Mails a verification code to `address`. A former one is worth nothing from then on; its tries stay counted.
    pub async fn request_code(
        &self,
        grant: &Grant,
        browser: &Browser,
        address: Address,
        client: IpAddr,
        language: Language,
    ) -> Result<()> {
        let _ = (grant, browser, address, client, language);
        Err(unfinished())
    }

    /// Tries a code. When it is right the browser is remembered for 30 days, on every link.
    pub async fn verify(
        &self,
        grant: &Grant,
        browser: &Browser,
        code: &str,
        client: IpAddr,
    ) -> Result<Verified> {
        let _ = (grant, browser, code, client);
        Err(unfinished())
    }

    /// Who this browser belongs to, if that was proved within 30 days.
    pub async fn verified(&self, browser: &Browser) -> Result<Option<Verified>> {
        let _ = browser;
        Err(unfinished())
    }

    /// Forgets who this browser belongs to: for a computer that others use.
    pub async fn forget(&self, browser: &Browser) -> Result<()> {
        let _ = browser;
        Err(unfinished())
    }

    /// Begins an upload: [`ReplyError::TooLarge`], [`ReplyError::TooManyFiles`] and [`ReplyError::DiskShort`] before
    /// an octet has come.
    pub async fn create_upload(
        &self,
        grant: &Grant,
        browser: &Browser,
        upload: NewUpload,
    ) -> Result<UploadId> {
        let _ = (grant, browser, upload);
        Err(unfinished())
    }

    /// An upload of this draft.
    pub async fn upload(&self, grant: &Grant, browser: &Browser, id: &UploadId) -> Result<Upload> {
        let _ = (grant, browser, id);
        Err(unfinished())
    }

    /// Tells the length of an upload that was begun without one.
    pub async fn set_length(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        length: u64,
    ) -> Result<()> {
        let _ = (grant, browser, id, length);
        Err(unfinished())
    }

    /// Adds what `pieces` gives, which starts at `offset` of the file; tells the new offset. What came before an
    /// error of the stream is kept, and [`ReplyError::Broken`] tells how much that is.
    pub async fn append(
        &self,
        grant: &Grant,
        browser: &Browser,
        id: &UploadId,
        offset: u64,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<u64> {
        let _ = (grant, browser, id, offset, pieces);
        Err(unfinished())
    }

    /// Takes a file out of the draft.
    pub async fn remove_upload(&self, grant: &Grant, browser: &Browser, id: &UploadId) -> Result<()> {
        let _ = (grant, browser, id);
        Err(unfinished())
    }

    /// The mail that staff will get. The first fault of [`Replies::check`], where there is one.
    pub async fn preview(&self, grant: &Grant, browser: &Browser) -> Result<Preview> {
        let _ = (grant, browser);
        Err(unfinished())
    }

    /// Sends the draft, and ends it. Called twice it sends once: the second call gives the same summary, without
    /// the password.
    pub async fn send(&self, grant: &Grant, browser: &Browser, client: IpAddr) -> Result<Sent> {
        let _ = (grant, browser, client);
        Err(unfinished())
    }

    /// What this browser sent last on this link, within 24 hours.
    pub async fn sent(&self, grant: &Grant, browser: &Browser) -> Result<Option<Sent>> {
        let _ = (grant, browser);
        Err(unfinished())
    }
}

fn unfinished() -> ReplyError {
    ReplyError::Trouble("not built yet".to_owned())
}
