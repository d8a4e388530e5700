//! Notes what is handed out of a transfer, durably, before the first byte goes: for its sender, for the proof of a recall,
//! and in the audit trail. Called by every handler that answers with something of a message. Subject and names of files
//! go with the opening itself, which is noted too (`transfer/access`).
//!
//! What must never happen here: that something in a request (a range, a hint that it is only a guess) keeps it from
//! being noted. HEAD hands out nothing and is not noted; what says of itself that it is a guess gets nothing at all
//! (`guesses`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::Method;

use super::parts;
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::Clock;
use crate::metrics::{Download, Metrics};
use crate::sender::SenderService;
use crate::store::{DownloadStore, Fetch, SHOWN, StoreError};
use crate::transfer::access::Grant;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;

/// Where it is noted.
#[derive(Clone)]
pub struct Handouts {
    /// Counts and remembers.
    pub store: Arc<dyn DownloadStore>,
    /// Tells the sender.
    pub sender: SenderService,
    /// When it was.
    pub clock: Clock,
    /// How much there is of it.
    pub metrics: Metrics,
}

/// What is about to be handed out.
pub struct Handout {
    /// For the audit trail: a number or a word of ours.
    pub what: String,
    pub parts: Vec<u32>,
    /// All of it, not a range.
    pub whole: bool,
    /// For the mail to the sender: the names of the files in it.
    pub names: Vec<String>,
    /// For the same mail: the subject of the message.
    pub subject: String,
}

impl Handouts {
    /// Parts are fetched: counted for the sender, who may get a mail about it.
    pub async fn download(
        &self,
        visit: &Visit,
        grant: &Grant,
        method: &Method,
        handout: Handout,
    ) -> Result<(), WebError> {
        let Handout { what, parts, whole, names, subject } = handout;
        if *method == Method::HEAD {
            return Ok(());
        }
        parts::check(grant, &parts).await?;
        if self.is_noted(grant, &what, whole).await? {
            return Ok(());
        }
        let actions = visit.actions(&self.sender);
        let notice =
            actions.download_notice(grant.transfer(), grant.link(), &parts, names, Some(subject)).await;
        let notice = notice.map_err(|error| WebError::Trouble(error.to_string()))?;
        let is_news = notice.is_some();
        let event = self.event(visit.client, Action::Download, format!("{}/{what}", grant.link()));
        let (link, session) = (grant.link().clone(), grant.session());
        let kind = match what.as_str() {
            "zip" => Download::Zip,
            "message" => Download::Message,
            _ => Download::File,
        };
        let fetch = Fetch { link, session, what, parts, whole, event, notice };
        self.store.note_download(fetch).await.map_err(trouble)?;
        self.metrics.download(Some(&visit.organisation.id()), kind);
        if is_news {
            actions.wake();
        }
        Ok(())
    }

    /// The message is shown on screen. That is no download, and no mail to the sender.
    pub async fn read(&self, visit: &Visit, grant: &Grant, method: &Method) -> Result<(), WebError> {
        let what = Action::Read.as_str().to_owned();
        if *method == Method::HEAD || self.is_noted(grant, &what, true).await? {
            return Ok(());
        }
        let event = self.event(visit.client, Action::Read, grant.link().to_string());
        let (link, session) = (grant.link().clone(), grant.session());
        let fetch = Fetch { link, session, what, parts: vec![SHOWN], whole: true, event, notice: None };
        self.store.note_download(fetch).await.map_err(trouble)
    }

    async fn is_noted(&self, grant: &Grant, what: &str, whole: bool) -> Result<bool, WebError> {
        let noted =
            self.store.is_download_noted(grant.session(), what.to_owned(), whole, self.clock.now()).await;
        noted.map_err(trouble)
    }

    fn event(&self, client: IpAddr, action: Action, object: String) -> Event {
        Initiator::recipient(client).event(self.clock.now(), action, object, EventResult::Ok)
    }
}

/// The session may have ended since the request came in.
fn trouble(error: StoreError) -> WebError {
    match error {
        StoreError::Gone => WebError::Gone,
        error => WebError::Trouble(error.to_string()),
    }
}
