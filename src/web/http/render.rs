//! Templates as responses.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use super::error::{Refusal, WebError};

/// The page that was asked for.
pub fn page(template: &impl Template) -> Result<Response, WebError> {
    with_status(StatusCode::OK, template)
}

/// A page that says why not.
pub fn refusal(refusal: Refusal, template: &impl Template) -> Result<Response, WebError> {
    let mut response = with_status(refusal.status, template)?;
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

/// One line for a program that says why not.
pub fn line(refusal: Refusal, words: String) -> Response {
    (refusal.status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], words).into_response()
}

fn with_status(status: StatusCode, template: &impl Template) -> Result<Response, WebError> {
    let text = template.render().map_err(|error| WebError::Trouble(format!("template: {error}")))?;
    Ok((status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}
