//! What the tus protocol 1.0 answers to a client: statuses and header fields. `reply/upload` says what happened.

use axum::http::header::{ALLOW, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error::{Refusal, WebError};
use super::headers::value;
use super::render;
use super::tus::{self, UPLOAD_DEFER_LENGTH, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET};

const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const EXTENSIONS: HeaderValue =
    HeaderValue::from_static("creation,creation-with-upload,creation-defer-length,termination");
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");

/// Whether the client speaks the version that is spoken here.
pub fn is_spoken(headers: &HeaderMap) -> bool {
    headers.get(TUS_RESUMABLE) == Some(&VERSION)
}

/// Every response carries the version; without it, a client takes it for none of tus.
pub fn carry_version(response: &mut Response) {
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
}

/// What is possible here.
pub fn options(max_size: u64) -> Response {
    let mut response = done();
    let fields = response.headers_mut();
    fields.insert(TUS_VERSION, VERSION);
    fields.insert(TUS_EXTENSION, EXTENSIONS);
    fields.insert(TUS_MAX_SIZE, max_size.into());
    fields.insert(ALLOW, HeaderValue::from_static("POST,OPTIONS"));
    response
}

/// A file was created: where it goes on, under which name and type it arrives, and how much of it came along.
pub fn created(
    location: String,
    name: &str,
    media_type: &str,
    offset: Option<u64>,
) -> Result<Response, WebError> {
    let mut response = StatusCode::CREATED.into_response();
    let fields = response.headers_mut();
    fields.insert(LOCATION, value(location)?);
    fields.insert(UPLOAD_METADATA, value(tus::describe(name, media_type))?);
    if let Some(offset) = offset {
        fields.insert(UPLOAD_OFFSET, offset.into());
    }
    Ok(response)
}

/// How much of a file has come, and of how much.
pub fn state(offset: u64, length: Option<u64>, name: &str, media_type: &str) -> Result<Response, WebError> {
    let mut response = StatusCode::OK.into_response();
    let fields = response.headers_mut();
    fields.insert(UPLOAD_OFFSET, offset.into());
    match length {
        Some(length) => fields.insert(UPLOAD_LENGTH, length.into()),
        None => fields.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    fields.insert(UPLOAD_METADATA, value(tus::describe(name, media_type))?);
    Ok(response)
}

/// A piece has come; so much of the file is here.
pub fn taken(offset: u64) -> Response {
    let mut response = done();
    response.headers_mut().insert(UPLOAD_OFFSET, offset.into());
    response
}

/// It was done, and there is nothing to say of it.
pub fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// It was not done; one line of plain text says why.
pub fn refused(refusal: Refusal, words: String) -> Response {
    render::line(refusal, words)
}

/// The same, of a client that is mistaken about how much has come.
pub fn refused_at(refusal: Refusal, words: String, offset: u64) -> Response {
    let mut response = refused(refusal, words);
    response.headers_mut().insert(UPLOAD_OFFSET, offset.into());
    response
}

/// The client speaks another version.
pub fn other_version(words: String) -> Response {
    let refusal = Refusal { status: StatusCode::PRECONDITION_FAILED, retry_after: None };
    let mut response = refused(refusal, words);
    response.headers_mut().insert(TUS_VERSION, VERSION);
    response
}
