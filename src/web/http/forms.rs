//! The layer of every route that takes a form: reads all of it before its handler sees it, so that a handler waits for
//! nobody (H36). Routes that take uploads go without, and read their bodies as streams.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;

use super::error::WebError;

/// No form of ours is larger, or takes longer to arrive.
const MAX_FORM: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(15);

/// Passes on the request with its form read.
pub async fn read_whole(request: Request, next: Next) -> Result<Response, WebError> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.run(request).await);
    }
    let (head, body) = request.into_parts();
    match timeout(PATIENCE, to_bytes(body, MAX_FORM)).await {
        Ok(Ok(bytes)) => Ok(next.run(Request::from_parts(head, Body::from(bytes))).await),
        Ok(Err(error)) if is_broken(&error) => Err(WebError::BadRequest),
        Ok(Err(_)) => Err(WebError::TooLarge),
        Err(_) => Err(WebError::TooSlow),
    }
}

/// What came was no body at all: a bad chunk, or the end too early. Otherwise it was too long.
fn is_broken(error: &axum::Error) -> bool {
    std::iter::successors(error.source(), |&cause| cause.source()).any(|cause| cause.is::<hyper::Error>())
}
