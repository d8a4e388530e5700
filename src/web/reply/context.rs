//! What every page of an answer starts from: [`ReplyContext`], one request by somebody who has opened the transfer.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequestParts, RawPathParams};
use axum::http::request::Parts as RequestParts;
use axum::response::{IntoResponse, Redirect, Response};

use crate::address::Address;
use crate::locale::Language;
use crate::reply::{Browser, Draft, Replies, ReplyError, Verified};
use crate::secret::Secret;
use crate::transfer::access::{AccessError, Grant};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::recipient::session;
use crate::web::state::ReplyState;

/// One request of these pages: by whom, with which right, from which browser.
pub struct ReplyContext {
    pub state: ReplyState,
    pub replies: Replies,
    pub visit: Visit,
    pub token: String,
    /// The session's cookie, to prove it again during a long upload.
    pub cookie: Secret,
    pub grant: Grant,
    /// `None` before anything was typed.
    pub browser: Option<Browser>,
}

impl FromRequestParts<ReplyState> for ReplyContext {
    type Rejection = WebError;

    async fn from_request_parts(request: &mut RequestParts, state: &ReplyState) -> Result<Self, WebError> {
        let visit = Visit::from_request_parts(request, state).await?;
        let path = RawPathParams::from_request_parts(request, state).await.map_err(|_| WebError::NotFound)?;
        let token = path.iter().find(|(name, _)| *name == "token").map_or("", |(_, value)| value).to_owned();
        if !visit.organisation.reply.enabled {
            let known = state.access.preview(&visit.scope(), &token).await;
            return Err(known.map_or_else(|error| WebError::access(error, &token), |_| WebError::RepliesOff));
        }
        let cookie = Secret::new(session::value(&visit, &token, &request.headers).to_owned());
        let browser = session::browser(&visit, &request.headers);
        Self::resume(state, visit, token, cookie, browser).await
    }
}

impl ReplyContext {
    /// With the session behind this cookie, if it belongs to this very link.
    pub async fn resume(
        state: &ReplyState,
        visit: Visit,
        token: String,
        cookie: Secret,
        browser: Option<Browser>,
    ) -> Result<Self, WebError> {
        let grant = match state.access.resume(&visit.scope(), &token, cookie.reveal()).await {
            Err(AccessError::NoSession) => return Err(WebError::NoReplySession(token)),
            granted => granted.map_err(|error| WebError::access(error, &token))?,
        };
        let replies = state.replies.within(&visit.scope());
        Ok(Self { state: state.clone(), replies, visit, token, cookie, grant, browser })
    }

    pub fn replies(&self) -> &Replies {
        &self.replies
    }

    /// Whose browser this is, once that was proved; nobody while the draft names another address, or none: the next one
    /// at this computer may have nothing to do with whoever is remembered.
    pub async fn verified(&self) -> Result<Option<Verified>, WebError> {
        let Some(browser) = &self.browser else { return Ok(None) };
        let Some(verified) = self.own(self.replies().verified(browser).await)? else { return Ok(None) };
        let typed = self.draft(browser).await?.typed.email;
        let is_same =
            Address::parse(typed.trim()).is_ok_and(|typed| typed.is_same_mailbox(&verified.address));
        Ok(is_same.then_some(verified))
    }

    /// What was typed and uploaded so far in this browser.
    pub async fn draft(&self, browser: &Browser) -> Result<Draft, WebError> {
        self.own(self.replies().draft(&self.grant, browser).await)
    }

    /// Whatever goes wrong in a step where the reader can do nothing about it.
    pub fn own<T>(&self, result: Result<T, ReplyError>) -> Result<T, WebError> {
        result.map_err(|error| self.trouble(error))
    }

    pub fn trouble(&self, error: ReplyError) -> WebError {
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
    pub fn go(&self, screen: &str) -> Response {
        Redirect::to(&format!("/t/{}/reply{screen}", self.token)).into_response()
    }

    /// Back to the message that is answered.
    pub fn go_to_transfer(&self) -> Response {
        Redirect::to(&format!("/t/{}/files", self.token)).into_response()
    }

    /// The same screen in another language; what was typed is in the draft.
    pub fn go_in(&self, screen: &str, language: Language) -> Response {
        self.go(&format!("{screen}?lang={language}"))
    }
}

/// A form of these pages. A field too many is refused, not ignored: whoever sends `to` where there is none must
/// not believe that it counted (C12). So every form has `deny_unknown_fields`.
pub fn read<T>(form: Result<Form<T>, FormRejection>) -> Result<T, WebError> {
    form.map(|form| form.0).map_err(|_| WebError::BadRequest)
}
