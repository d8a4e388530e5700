//! Notes what is handed out of a transfer, durably, before the first octet goes: for its sender, for the proof of a recall,
//! and in the audit trail. Called by every handler that answers with something of a message. Subject and names of files
//! go with the opening itself, which is noted too (`transfer/access`).
//!
//! What must never happen here: that something in a request (a range, a hint that it is only a guess) keeps it from
//! being noted. HEAD hands out nothing and is not noted; what says of itself that it is a guess gets nothing at all
//! (`security`).

use axum::http::Method;

use super::session;
use crate::audit::{Action, Actor};
use crate::store::{Fetch, SHOWN, StoreError};
use crate::transfer::access::Grant;
use crate::web::Parts;
use crate::web::http::error::WebError;
use crate::web::http::page::Visit;

/// What is about to be handed out.
pub struct Handout {
    /// For the audit trail: a number or a word of ours.
    pub what: String,
    /// Its parts.
    pub parts: Vec<u32>,
    /// All of it, not a range.
    pub whole: bool,
    /// For the mail to the sender: the names of the files in it.
    pub names: Vec<String>,
}

/// Parts are fetched: counted for the sender, who may get a mail about it.
pub async fn download(
    parts: &Parts,
    visit: &Visit,
    grant: &Grant,
    method: &Method,
    handout: Handout,
) -> Result<(), WebError> {
    let Handout { what, parts: fetched, whole, names } = handout;
    if *method == Method::HEAD {
        return Ok(());
    }
    session::check(grant, &fetched).await?;
    if is_noted(parts, grant, &what, whole).await? {
        return Ok(());
    }
    let actions = parts.actions(visit);
    let notice = actions.download_notice(grant.transfer(), grant.link(), &fetched, names).await;
    let notice = notice.map_err(|error| WebError::Trouble(error.to_string()))?;
    let is_news = notice.is_some();
    let event = event(parts, visit, Action::Download, format!("{}/{what}", grant.link()));
    let (link, session) = (grant.link().clone(), grant.session());
    let fetch = Fetch { link, session, what, parts: fetched, whole, event, notice };
    parts.downloads.note_download(fetch).await.map_err(trouble)?;
    if is_news {
        actions.wake();
    }
    Ok(())
}

/// The message is shown on screen. That is no download, and no mail to the sender.
pub async fn read(parts: &Parts, visit: &Visit, grant: &Grant, method: &Method) -> Result<(), WebError> {
    let what = Action::Read.as_str().to_owned();
    if *method == Method::HEAD || is_noted(parts, grant, &what, true).await? {
        return Ok(());
    }
    let event = event(parts, visit, Action::Read, grant.link().to_string());
    let (link, session) = (grant.link().clone(), grant.session());
    let fetch = Fetch { link, session, what, parts: vec![SHOWN], whole: true, event, notice: None };
    parts.downloads.note_download(fetch).await.map_err(trouble)
}

async fn is_noted(parts: &Parts, grant: &Grant, what: &str, whole: bool) -> Result<bool, WebError> {
    let noted =
        parts.downloads.is_download_noted(grant.session(), what.to_owned(), whole, parts.clock.now()).await;
    noted.map_err(trouble)
}

fn event(parts: &Parts, visit: &Visit, action: Action, object: String) -> crate::audit::Event {
    let actor = Actor::recipient(visit.client);
    actor.event(parts.clock.now(), action, object, "ok")
}

/// The session may have ended since the request came in.
fn trouble(error: StoreError) -> WebError {
    match error {
        StoreError::Gone => WebError::Gone,
        error => WebError::Trouble(error.to_string()),
    }
}
