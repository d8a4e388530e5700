//! The only map from what went wrong to a status and a page. Handlers return a [`WebError`]; the page
//! itself is written by `security::guard`, which knows the reader's language. A page never tells
//! more than its kind: no cause, no path, no version (M10); an unknown token and a malformed one are one.

use askama::Template;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::page::{self, Visit};
use crate::clock::Timestamp;
use crate::id::{Link, QueueId};
use crate::store::StoreError;
use crate::transfer::access::AccessError;

/// Why a request does not get what it asked for.
#[derive(Clone, Debug)]
pub enum WebError {
    /// No such page, no such transfer, no such file, a token that cannot be one.
    NotFound,
    /// The page is there, but not for this method.
    MethodNotAllowed,
    /// Recalled, or closed because its notification came back.
    Gone,
    /// A part of it is missing or damaged for good: of this link, with this number.
    Lost(Link, u32),
    /// Its date has passed; the token with which its sender can be asked for it.
    Expired(Option<String>),
    /// The password does not fit.
    WrongPassword,
    /// The link is closed for tries until then.
    Locked(Timestamp),
    /// Too much at once; a few seconds help.
    Busy,
    /// The session has ended, or there never was one: to the unlock page of this token.
    NoSession(String),
    /// The same, on the way to the answer: the unlock page leads back there.
    NoReplySession(String),
    /// Recipients cannot answer here.
    RepliesOff,
    /// Whoever reads this answers the mail that it came with.
    ReplyByMail,
    /// A form came from another site.
    CrossSite,
    /// The request names a host that is not ours.
    WrongHost,
    /// The request cannot be understood.
    BadRequest,
    /// The form is larger than any of ours.
    TooLarge,
    /// The form came too slowly.
    TooSlow,
    /// There is no preview of this file.
    NoPreview,
    /// There is no room for what the pages would keep; mail goes on.
    Full,
    /// Our own trouble. The cause is for the log only.
    Trouble(String),
}

/// For [`WebError::Busy`]: an Argon2 run or a download ends within this.
pub const SOON: u64 = 3;
/// For [`WebError::Full`]: mail that waits has left, or somebody has made room.
const LATER: u64 = 600;

impl WebError {
    /// From what `transfer::access` says about a link.
    pub fn access(error: AccessError, token: &str) -> Self {
        match error {
            AccessError::Unknown => Self::NotFound,
            AccessError::Gone => Self::Gone,
            AccessError::Expired { askable } => Self::Expired(askable.then(|| token.to_owned())),
            AccessError::WrongPassword => Self::WrongPassword,
            AccessError::Locked(until) => Self::Locked(until),
            AccessError::Busy => Self::Busy,
            AccessError::NoSession => Self::NoSession(token.to_owned()),
            AccessError::Store(StoreError::NearlyFull) => Self::Full,
            AccessError::Store(cause) => Self::Trouble(cause.to_string()),
            AccessError::Lost(link, part) => Self::Lost(link, part),
            AccessError::Damaged => Self::Trouble("a sealed part is damaged".into()),
        }
    }

    /// The status; docs/reference.md lists when which one is sent.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Gone | Self::Expired(_) | Self::Lost(..) => StatusCode::GONE,
            Self::WrongPassword | Self::CrossSite | Self::RepliesOff | Self::ReplyByMail => {
                StatusCode::FORBIDDEN
            }
            Self::Locked(_) | Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoSession(_) | Self::NoReplySession(_) => StatusCode::SEE_OTHER,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoPreview => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The keys of its page's heading and text.
    pub fn texts(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("error-not-found-title", "error-not-found-text"),
            Self::MethodNotAllowed => ("error-method-title", "error-method-text"),
            Self::Gone => ("error-gone-title", "error-gone-text"),
            Self::Lost(..) => ("error-lost-title", "error-lost-text"),
            Self::Expired(_) => ("error-gone-title", "error-expired-text"),
            Self::WrongPassword => ("error-password-title", "error-password-text"),
            Self::Locked(_) => ("error-locked-title", "error-locked-text"),
            Self::Busy => ("error-busy-title", "error-busy-text"),
            Self::NoSession(_) | Self::NoReplySession(_) => ("error-session-title", "error-session-text"),
            Self::RepliesOff => ("reply-title", "reply-off"),
            Self::ReplyByMail => ("reply-title", "reply-by-mail"),
            Self::CrossSite => ("error-cross-site-title", "error-cross-site-text"),
            Self::WrongHost | Self::BadRequest | Self::TooLarge | Self::TooSlow => {
                ("error-request-title", "error-request-text")
            }
            Self::NoPreview => ("error-preview-title", "error-preview-text"),
            Self::Full => ("error-full-title", "error-full-text"),
            Self::Trouble(_) => ("error-trouble-title", "error-trouble-text"),
        }
    }
}

impl IntoResponse for WebError {
    /// Status and kind only; [`to_page`] makes the page of it.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    visit: &'a Visit,
    title: String,
    text: String,
    /// With which the sender can be asked.
    ask: Option<&'a str>,
    /// When the link opens again.
    minutes: Option<String>,
    /// What the help desk can look up in the log.
    request: Option<QueueId>,
}

/// Turns a response that carries a [`WebError`] into its page; leaves any other alone.
pub fn to_page(mut response: Response, visit: &Visit, now: Timestamp) -> Response {
    let Some(error) = response.extensions_mut().remove::<WebError>() else { return response };
    let request = matches!(error, WebError::Trouble(_)).then(QueueId::random);
    if let (WebError::Trouble(cause), Some(request)) = (&error, &request) {
        tracing::error!(%request, cause = %cause.escape_debug(), "a web request failed");
    }
    let wait = match &error {
        WebError::Locked(until) => Some(seconds_until(*until, now)),
        WebError::Busy => Some(SOON),
        WebError::Full => Some(LATER),
        _ => None,
    };
    let (title, text) = error.texts();
    let minutes = match &error {
        WebError::Locked(_) => wait.map(|seconds| seconds.div_ceil(60).to_string()),
        _ => None,
    };
    let ask = match &error {
        WebError::Expired(token) => token.as_deref(),
        _ => None,
    };
    let (title, text) = (visit.text(title), visit.text(text));
    let template = ErrorPage { visit, title, text, ask, minutes, request };
    let mut page = page::render(error.status(), &template).unwrap_or(response);
    if let Some(seconds) = wait {
        page.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    let location = match &error {
        WebError::NoSession(token) => Some(format!("/t/{token}")),
        WebError::NoReplySession(token) => Some(format!("/t/{token}?next=reply")),
        _ => None,
    };
    if let Some(Ok(location)) = location.map(|location| HeaderValue::from_str(&location)) {
        page.headers_mut().insert(LOCATION, location);
    }
    page
}

/// Whole seconds, at least one.
pub fn seconds_until(until: Timestamp, now: Timestamp) -> u64 {
    let milliseconds = until.duration_since(now).as_millis().max(1);
    u64::try_from(milliseconds).unwrap_or(u64::MAX).div_ceil(1000)
}
