//! Uploads in pieces: the tus protocol 1.0 (tus.io/protocols/resumable-upload) with creation, creation-with-upload,
//! creation-defer-length and termination, so that any tus client works and ours is small. What has come is
//! durable; after any break the client asks how far it is (HEAD) and goes on from there. The answer to the last piece comes
//! when the scanner, where there is one, has seen the file.
//!
//! Answers to programs: a status, and one line of plain text in the reader's language for the page to show.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::context::ReplyContext;
use super::incoming;
use super::problem::FieldProblem;
use crate::id::UploadId;
use crate::message::rewrite::safe_name;
use crate::reply::{Browser, NewUpload, ReplyError, Upload};
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::tus::{self, Malformed, UPLOAD_LENGTH, UPLOAD_OFFSET};
use crate::web::http::tus_response;
use crate::web::http::visit::Visit;

/// Why a piece, or a whole file, is not taken.
enum Fault {
    /// The session, or our own trouble.
    Web(WebError),
    /// The answer does not allow it.
    FieldProblem(FieldProblem),
    /// The client is mistaken about what has come: this much.
    Offset(FieldProblem, u64),
    /// An empty file.
    Empty(String),
    /// A version of tus that is not spoken here: 412.
    Version,
    /// Not as tus writes it.
    Malformed,
    /// A piece of another type: 415.
    MediaType,
}

impl From<WebError> for Fault {
    fn from(error: WebError) -> Self {
        Self::Web(error)
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Only a verified browser with an open transfer may upload (C23).
struct Uploader {
    reply: ReplyContext,
    browser: Browser,
}

impl Uploader {
    async fn admit(reply: Result<ReplyContext, WebError>, headers: &HeaderMap) -> Result<Self, Fault> {
        let reply = reply?;
        if !tus_response::is_spoken(headers) {
            return Err(Fault::Version);
        }
        match (reply.verified().await?, reply.browser.clone()) {
            (Some(_), Some(browser)) => Ok(Self { reply, browser }),
            _ => Err(Fault::FieldProblem(reply.problem(ReplyError::NotVerified)?)),
        }
    }

    /// An upload's id; what cannot be one of ours is an upload that is not there.
    fn find(&self, id: &str) -> Result<UploadId, Fault> {
        self.told(id.parse().map_err(|_| ReplyError::UnknownUpload))
    }

    fn told<T>(&self, result: Result<T, ReplyError>) -> Result<T, Fault> {
        result.map_err(|error| {
            let offset = match &error {
                ReplyError::WrongOffset { offset } | ReplyError::Broken { offset, .. } => Some(*offset),
                _ => None,
            };
            match (self.reply.problem(error), offset) {
                (Ok(problem), Some(offset)) => Fault::Offset(problem, offset),
                (Ok(problem), None) => Fault::FieldProblem(problem),
                (Err(error), _) => Fault::Web(error),
            }
        })
    }

    async fn create(&self, headers: &HeaderMap, body: Body) -> Result<Response, Fault> {
        let length = tus::length(headers)?;
        let (name, media_type) = tus::metadata(headers)?;
        if length == Some(0) {
            return Err(Fault::Empty(name));
        }
        let (replies, grant) = (self.reply.replies(), &self.reply.grant);
        let upload = NewUpload { name, media_type, length, at_most: 0 };
        let id = self.told(replies.create_upload(grant, &self.browser, upload).await)?;
        let upload = self.told(replies.upload(grant, &self.browser, &id).await)?;
        let offset = match tus::is_piece(headers) {
            true => Some(self.begin(&id, body).await?),
            false => None,
        };
        let location = format!("/t/{}/reply/files/{id}", self.reply.token);
        Ok(tus_response::created(location, &upload.name, &upload.media_type, offset)?)
    }

    /// The first piece, in the same request. A file that could not be scanned is taken out again: its client has not been
    /// told of it yet.
    async fn begin(&self, id: &UploadId, body: Body) -> Result<u64, Fault> {
        let taken = self.take(id, 0, body).await;
        if matches!(taken, Err(ReplyError::NotScanned { .. })) {
            let removed = self.reply.replies().remove_upload(&self.reply.grant, &self.browser, id).await;
            self.told(removed)?;
        }
        self.told(taken)
    }

    async fn status(&self, id: &str) -> Result<Response, Fault> {
        let id = &self.find(id)?;
        // A file about which the scanner could not be asked is not here yet: a client that asks how far it is asks again.
        self.told(self.inspect(id).await)?;
        let upload = self.told(self.reply.replies().upload(&self.reply.grant, &self.browser, id).await)?;
        let Upload { offset, length, name, media_type, .. } = upload;
        Ok(tus_response::state(offset, length, &name, &media_type)?)
    }

    async fn append(&self, id: &str, headers: &HeaderMap, body: Body) -> Result<Response, Fault> {
        let id = &self.find(id)?;
        if !tus::is_piece(headers) {
            return Err(Fault::MediaType);
        }
        let offset = tus::number(headers, &UPLOAD_OFFSET)?.ok_or(Fault::Malformed)?;
        if let Some(length) = tus::number(headers, &UPLOAD_LENGTH)? {
            let (replies, grant) = (self.reply.replies(), &self.reply.grant);
            self.told(replies.set_length(grant, &self.browser, id, length).await)?;
        }
        let offset = self.told(self.take(id, offset, body).await)?;
        Ok(tus_response::taken(offset))
    }

    async fn take(&self, id: &UploadId, offset: u64, body: Body) -> Result<u64, ReplyError> {
        let pieces = incoming::pieces(&self.reply, body, u64::MAX);
        let (replies, grant) = (self.reply.replies(), &self.reply.grant);
        let offset = replies.append(grant, &self.browser, id, offset, pieces).await?;
        self.inspect(id).await?;
        Ok(offset)
    }

    /// Once all of it has come.
    async fn inspect(&self, id: &UploadId) -> Result<(), ReplyError> {
        let ReplyContext { grant, visit, .. } = &self.reply;
        self.reply.replies().inspect_upload(grant, &self.browser, id, visit.client).await
    }

    async fn remove(&self, id: &str) -> Result<Response, Fault> {
        let id = &self.find(id)?;
        self.told(self.reply.replies().remove_upload(&self.reply.grant, &self.browser, id).await)?;
        Ok(tus_response::done())
    }
}

/// `POST /t/{token}/reply/files`
pub async fn create(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let done = async { Uploader::admit(reply, &headers).await?.create(&headers, body).await };
    answer(&visit, done.await)
}

/// `OPTIONS /t/{token}/reply/files`: what is possible here. Says nothing about any transfer.
pub async fn options(visit: Visit) -> Response {
    answer(&visit, Ok(tus_response::options(visit.organisation.reply.max_size.bytes())))
}

/// `HEAD /t/{token}/reply/files/{id}`
pub async fn status(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = async { Uploader::admit(reply, &headers).await?.status(&id).await };
    answer(&visit, done.await)
}

/// `PATCH /t/{token}/reply/files/{id}`
pub async fn append(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let done = async { Uploader::admit(reply, &headers).await?.append(&id, &headers, body).await };
    answer(&visit, done.await)
}

/// `DELETE /t/{token}/reply/files/{id}`
pub async fn remove(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let done = async { Uploader::admit(reply, &headers).await?.remove(&id).await };
    answer(&visit, done.await)
}

/// `POST /t/{token}/reply/files/{id}`: for clients that can send nothing but POST ("X-HTTP-Method-Override").
pub async fn overridden(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    path: Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match headers.get("x-http-method-override").map(HeaderValue::as_bytes) {
        Some(b"PATCH") => append(visit, reply, path, headers, body).await,
        Some(b"DELETE") => remove(visit, reply, path, headers).await,
        _ => WebError::MethodNotAllowed.into_response(),
    }
}

fn answer(visit: &Visit, done: Result<Response, Fault>) -> Response {
    let mut response = done.unwrap_or_else(|fault| refuse(visit, fault));
    tus_response::carry_version(&mut response);
    response
}

fn refuse(visit: &Visit, fault: Fault) -> Response {
    let text = |key: &str| visit.text(key);
    let (refusal, words) = match fault {
        // Trouble is logged on its way out, and nothing but its kind is told.
        Fault::Web(error @ WebError::Trouble(_)) => return error.into_response(),
        // A program that is sent to a page would take that page for its answer.
        Fault::Web(WebError::NoReplySession(_)) => (Refusal::UNPROVED, text("error-session-title")),
        Fault::Web(error) => (error.refusal(), text(error.texts().0)),
        Fault::FieldProblem(problem) => (problem.refusal, problem.text),
        Fault::Offset(problem, offset) => {
            return tus_response::refused_at(problem.refusal, problem.text, offset);
        }
        Fault::Empty(name) => {
            (Refusal::INCOMPLETE, visit.with("reply-error-file-empty", "name", &safe_name(&name)))
        }
        Fault::Version => return tus_response::other_version(text("error-request-title")),
        Fault::Malformed => (Refusal::INCOMPLETE, text("error-request-title")),
        Fault::MediaType => (Refusal::OTHER_TYPE, text("error-request-title")),
    };
    tus_response::refused(refusal, words)
}
