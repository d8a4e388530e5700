//! The pages on which a recipient answers: who you are, message and files, check and send, and the summary.
//! One file for each screen; [`upload`] takes files in pieces (tus), [`form`] takes them from a plain form.
//! What an answer is, and whom it may reach, is decided in `crate::reply` alone (C12).
//!
//! What must never happen here: a GET that changes something (H21), a request that acts without a session
//! for this very link (C17) — so every handler starts from a [`Desk`], and there is no other way to one than
//! that check —, an upload that is held in memory.

mod check;
mod code;
mod form;
mod gone;
mod incoming;
mod message;
mod problem;
mod sent;
mod upload;
mod who;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequestParts, RawPathParams};
use axum::http::request::Parts as RequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, head, post};

use crate::address::Address;
use crate::locale::Language;
use crate::reply::{Browser, Draft, Replies, ReplyError, Verified};
use crate::secret::Secret;
use crate::transfer::access::Grant;
use crate::web::Parts;
use crate::web::http::error::WebError;
use crate::web::http::page::Visit;
use crate::web::recipient::session;

/// Everything under `/t/{token}/reply`.
pub fn routes() -> Router<Parts> {
    let file = head(upload::status).patch(upload::append).delete(upload::remove).post(upload::overridden);
    Router::new()
        .route("/t/{token}/reply", get(who::show).post(who::submit))
        .route("/t/{token}/reply/other", post(who::forget))
        .route("/t/{token}/reply/code", get(code::show).post(code::submit))
        .route("/t/{token}/reply/message", get(message::show).post(message::submit))
        .route("/t/{token}/reply/files", post(upload::create).options(upload::options))
        .route("/t/{token}/reply/files/{id}", file)
        .route("/t/{token}/reply/check", get(check::show).post(check::save))
        .route("/t/{token}/reply/strength", post(check::strength))
        .route("/t/{token}/reply/preview", get(check::preview))
        .route("/t/{token}/reply/sent", get(sent::show).post(sent::send))
}

/// Whether the body of a POST or PATCH to this path may be large: its handler reads it as a stream, after it has
/// found out who sends it. Asked by `security`, which reads every other form itself.
pub fn takes_uploads(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    segments.next() == Some("t")
        && segments.nth(1) == Some("reply")
        && matches!(segments.next(), Some("files" | "message"))
}

/// One request of these pages: by whom, with which right, from which browser.
pub struct Desk {
    parts: Parts,
    replies: Replies,
    visit: Visit,
    token: String,
    /// The session's cookie, to prove it again during a long upload.
    cookie: Secret,
    grant: Grant,
    /// `None` before anything was typed.
    browser: Option<Browser>,
}

impl FromRequestParts<Parts> for Desk {
    type Rejection = WebError;

    async fn from_request_parts(request: &mut RequestParts, parts: &Parts) -> Result<Self, WebError> {
        let visit = Visit::from_request_parts(request, parts).await?;
        let path = RawPathParams::from_request_parts(request, parts).await.map_err(|_| WebError::NotFound)?;
        let token = path.iter().find(|(name, _)| *name == "token").map_or("", |(_, value)| value).to_owned();
        if !visit.organisation.reply.enabled {
            let known = parts.access.preview(&token).await;
            return Err(known.map_or_else(|error| WebError::access(error, &token), |_| WebError::RepliesOff));
        }
        let grant = match session::grant(parts, &visit, &token, &request.headers).await {
            Err(WebError::NoSession(token)) => return Err(WebError::NoReplySession(token)),
            granted => granted?,
        };
        let cookie = Secret::new(session::value(&visit, &token, &request.headers).to_owned());
        let browser = session::browser(&visit, &request.headers);
        let replies = parts.replies(&visit, &grant);
        Ok(Self { parts: parts.clone(), replies, visit, token, cookie, grant, browser })
    }
}

impl Desk {
    fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Who this browser belongs to, once that was proved; nobody while another address stands in the draft.
    async fn verified(&self) -> Result<Option<Verified>, WebError> {
        let Some(browser) = &self.browser else { return Ok(None) };
        let Some(verified) = self.own(self.replies().verified(browser).await)? else { return Ok(None) };
        let typed = self.draft(browser).await?.typed.email;
        let is_same =
            Address::parse(typed.trim()).is_ok_and(|typed| typed.is_same_mailbox(&verified.address));
        Ok((is_same || typed.trim().is_empty()).then_some(verified))
    }

    /// What was typed and uploaded so far in this browser.
    async fn draft(&self, browser: &Browser) -> Result<Draft, WebError> {
        self.own(self.replies().draft(&self.grant, browser).await)
    }

    /// Whatever goes wrong in a step where the reader can do nothing about it.
    fn own<T>(&self, result: Result<T, ReplyError>) -> Result<T, WebError> {
        result.map_err(|error| self.trouble(error))
    }

    fn trouble(&self, error: ReplyError) -> WebError {
        match error {
            ReplyError::Disabled => WebError::RepliesOff,
            ReplyError::Closed => WebError::Gone,
            ReplyError::Access(error) => WebError::access(error, &self.token),
            ReplyError::UnknownUpload => WebError::NotFound,
            ReplyError::DiskShort => WebError::Full,
            ReplyError::TooManyDrafts(_) => WebError::Busy,
            error => WebError::Trouble(error.to_string()),
        }
    }

    /// To another screen: `"/message"`, or `""` for the first one.
    fn go(&self, screen: &str) -> Response {
        Redirect::to(&format!("/t/{}/reply{screen}", self.token)).into_response()
    }

    /// The same screen in another language; what was typed is in the draft.
    fn go_in(&self, screen: &str, language: Language) -> Response {
        self.go(&format!("{screen}?lang={language}"))
    }
}

/// A form of these pages. A field too many is refused, not ignored: whoever sends `to` where there is none must
/// not believe that it counted (C12). So every form has `deny_unknown_fields`.
fn read<T>(form: Result<Form<T>, FormRejection>) -> Result<T, WebError> {
    form.map(|form| form.0).map_err(|_| WebError::BadRequest)
}
