//! The only map from what went wrong to a status and a page. Handlers return a [`WebError`]; the page
//! itself is written by `error_page`, which knows the reader's language. A page never tells
//! more than its kind: no cause, no path, no version (M10); an unknown token and a malformed one are one.

use std::io;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::clock::Timestamp;
use crate::reply::ReplyError;
use crate::sender::ActionError;
use crate::store::StoreError;
use crate::transfer::access::{AccessError, LostPart};

/// Why a request does not get what it asked for.
#[derive(Clone, Debug)]
pub enum WebError {
    /// No such page, no such transfer, no such file, a token that cannot be one.
    NotFound,
    /// The page is there, but not for this method.
    MethodNotAllowed,
    /// Recalled, or closed because its notification came back.
    Gone,
    /// A part of it is missing or damaged for good.
    Lost(LostPart),
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
    /// The same, for a download by something that has no use for the unlock page.
    NoSessionToResume,
    /// The same, on the way to the answer: the unlock page leads back there.
    NoReplySession(String),
    /// Recipients cannot answer here.
    RepliesOff,
    /// The reader answers the mail that the link came with.
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
pub const LATER: u64 = 600;

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
            AccessError::Lost(lost) => Self::Lost(lost),
            AccessError::Damaged => Self::Trouble("a sealed part is damaged".into()),
        }
    }

    /// Of a sealed part that cannot be read.
    pub fn unreadable(error: io::Error) -> Self {
        match error.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(AccessError::Lost(lost)) => Self::Lost(lost.clone()),
            _ => Self::Trouble(format!("a sealed part cannot be read: {error}")),
        }
    }

    /// How a response says so; docs/reference.md lists when which status is sent.
    pub fn refusal(&self) -> Refusal {
        let status = match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Gone | Self::Expired(_) | Self::Lost(..) => StatusCode::GONE,
            Self::WrongPassword
            | Self::NoSessionToResume
            | Self::CrossSite
            | Self::RepliesOff
            | Self::ReplyByMail => StatusCode::FORBIDDEN,
            Self::Locked(_) | Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoSession(_) | Self::NoReplySession(_) => StatusCode::SEE_OTHER,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoPreview => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal { status, retry_after: None }
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
            Self::NoSession(_) | Self::NoReplySession(_) | Self::NoSessionToResume => {
                ("error-session-title", "error-session-text")
            }
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

/// What no page of ours explains.
impl From<ActionError> for WebError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Unknown => Self::NotFound,
            ActionError::Closed => Self::Gone,
            ActionError::Days => Self::BadRequest,
            ActionError::NotBefore(again) => Self::Locked(again),
            error @ (ActionError::Store(_) | ActionError::Notice(_)) => Self::Trouble(error.to_string()),
        }
    }
}

/// The status of a response that refuses something, and when it is worth trying again. Handlers get one from the fact
/// and hand it on to [`super::render`] or [`super::tus`]; the numbers are known here only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    /// Something in a form has to be mended.
    pub const INCOMPLETE: Self = Self { status: StatusCode::BAD_REQUEST, retry_after: None };
    /// It is too late for what is asked.
    pub const TOO_LATE: Self = Self { status: StatusCode::CONFLICT, retry_after: None };
    /// The client has not proved enough.
    pub const UNPROVED: Self = Self { status: StatusCode::FORBIDDEN, retry_after: None };
    /// Not the type of file, or of body, that is wanted.
    pub const OTHER_TYPE: Self = Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, retry_after: None };

    /// It was done a short while ago, and can be done again then.
    pub fn until(again: Timestamp, now: Timestamp) -> Self {
        WebError::Locked(again).refusal().retry_after(seconds_until(again, now))
    }

    /// The same, with the seconds after which it is worth trying again.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Several at once: the status of the first, and the wait of the first that has one.
    pub fn of_all(refusals: impl Iterator<Item = Self> + Clone) -> Option<Self> {
        let retry_after = refusals.clone().find_map(|refusal| refusal.retry_after);
        refusals.take(1).last().map(|first| Self { retry_after, ..first })
    }

    /// Of an answer that cannot be taken as it is (RFC 9110 15.5; for uploads, tus 1.0).
    pub fn of_reply(error: &ReplyError, now: Timestamp) -> Self {
        let status = match error {
            ReplyError::TooLarge { .. }
            | ReplyError::TooManyFiles { .. }
            | ReplyError::TooLong { .. }
            | ReplyError::TooLargeToScan { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ReplyError::BadType { .. } | ReplyError::Program { .. } | ReplyError::OtherType { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            ReplyError::LostFile { .. } => StatusCode::GONE,
            ReplyError::Infected { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ReplyError::NotScanned { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ReplyError::DiskShort => StatusCode::INSUFFICIENT_STORAGE,
            ReplyError::WrongOffset { .. } | ReplyError::TwoTexts => StatusCode::CONFLICT,
            ReplyError::UploadLocked => StatusCode::LOCKED,
            ReplyError::UnknownUpload => StatusCode::NOT_FOUND,
            ReplyError::NotVerified | ReplyError::WrongCode { .. } => StatusCode::FORBIDDEN,
            ReplyError::TooManyCodes(_)
            | ReplyError::TooManyDrafts(_)
            | ReplyError::TooManyReplies(_)
            | ReplyError::TooManyUploads
            | ReplyError::Busy => StatusCode::TOO_MANY_REQUESTS,
            ReplyError::Broken { .. } => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        };
        let retry_after = match error {
            ReplyError::TooManyCodes(until)
            | ReplyError::TooManyDrafts(until)
            | ReplyError::TooManyReplies(until) => Some(seconds_until(*until, now)),
            ReplyError::UploadLocked | ReplyError::TooManyUploads | ReplyError::Busy => Some(SOON),
            _ => None,
        };
        Self { status, retry_after }
    }
}

/// Why a page without readers of its own gives nothing: the administrator's listener and the demo. One line of text.
pub enum PlainError {
    /// Not now.
    Unavailable(String),
    /// There is no such thing.
    Missing(&'static str),
    /// The gateway behind it refused.
    Gateway(String),
    /// Our own trouble.
    Trouble(String),
}

impl PlainError {
    /// JSON for programs, good or bad news.
    pub fn json(text: String, is_unavailable: bool) -> Response {
        let status = if is_unavailable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        (status, [(CONTENT_TYPE, "application/json")], text).into_response()
    }
}

impl IntoResponse for PlainError {
    fn into_response(self) -> Response {
        match self {
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
            Self::Missing(what) => (StatusCode::NOT_FOUND, what).into_response(),
            Self::Gateway(why) => (StatusCode::BAD_GATEWAY, why).into_response(),
            Self::Trouble(why) => (StatusCode::INTERNAL_SERVER_ERROR, why).into_response(),
        }
    }
}

impl IntoResponse for WebError {
    /// Status and kind only; `error_page` makes the page of it.
    fn into_response(self) -> Response {
        let mut response = self.refusal().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Whole seconds, at least one.
pub fn seconds_until(until: Timestamp, now: Timestamp) -> u64 {
    let milliseconds = until.duration_since(now).as_millis().max(1);
    u64::try_from(milliseconds).unwrap_or(u64::MAX).div_ceil(1000)
}
