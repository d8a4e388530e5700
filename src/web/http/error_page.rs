//! The page of a [`WebError`], in the reader's language. A layer around every route, so that no handler writes one.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{ALLOW, LOCATION};
use axum::middleware::Next;
use axum::response::Response;

use super::error::{LATER, SOON, WebError, seconds_until};
use super::render;
use super::visit::Visit;
use crate::clock::{Clock, Timestamp};
use crate::id::QueueId;
use crate::sender::SenderService;

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

/// The layer that turns a response with a [`WebError`] into its page, and leaves any other alone.
pub async fn show(
    State((sender, clock)): State<(SenderService, Clock)>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Response {
    let is_within = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let mut response = next.run(request).await;
    let Some(error) = response.extensions_mut().remove::<WebError>() else { return response };
    if let WebError::Lost(lost) = &error {
        visit.actions(&sender).lost(lost).await;
    }
    let allow = response.headers_mut().remove(ALLOW);
    let mut page = page(&visit, &error, is_within, clock.now()).unwrap_or(response);
    if let Some(methods) = allow {
        page.headers_mut().insert(ALLOW, methods);
    }
    page
}

/// `is_within`: who asks was on our pages just now, so that a session that is missing has ended.
fn page(visit: &Visit, error: &WebError, is_within: bool, now: Timestamp) -> Result<Response, WebError> {
    let request = matches!(error, WebError::Trouble(_)).then(QueueId::random);
    if let (WebError::Trouble(cause), Some(request)) = (error, &request) {
        tracing::error!(%request, cause = %cause.escape_debug(), "a web request failed");
    }
    let wait = match error {
        WebError::Locked(until) => Some(seconds_until(*until, now)),
        WebError::Busy => Some(SOON),
        WebError::Full => Some(LATER),
        _ => None,
    };
    let (title, text) = error.texts();
    let minutes = match error {
        WebError::Locked(_) => wait.map(|seconds| seconds.div_ceil(60).to_string()),
        _ => None,
    };
    let ask = match error {
        WebError::Expired(token) => token.as_deref(),
        _ => None,
    };
    let (title, text) = (visit.text(title), visit.text(text));
    let template = ErrorPage { visit, title, text, ask, minutes, request };
    let refusal = error.refusal();
    let refusal = wait.map_or(refusal, |seconds| refusal.retry_after(seconds));
    let mut page = render::refusal(refusal, &template)?;
    let location = match error {
        WebError::NoSession(token) if is_within => Some(format!("/t/{token}?ended")),
        WebError::NoSession(token) => Some(format!("/t/{token}")),
        WebError::NoReplySession(token) if is_within => Some(format!("/t/{token}?next=reply&ended")),
        WebError::NoReplySession(token) => Some(format!("/t/{token}?next=reply")),
        _ => None,
    };
    if let Some(Ok(location)) = location.map(|location| HeaderValue::from_str(&location)) {
        page.headers_mut().insert(LOCATION, location);
    }
    Ok(page)
}
