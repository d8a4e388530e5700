//! The transfer went while somebody was answering it: it was recalled, or its date has passed. Nothing was sent, and what
//! lay here of the answer went with it (C25); so what the form still brings is given back, to be copied.

use askama::Template;
use axum::response::Response;

use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;

#[derive(Template)]
#[template(path = "reply-gone.html")]
struct GonePage<'a> {
    visit: &'a Visit,
    /// With which the sender can be asked for the transfer.
    ask: Option<&'a str>,
    /// What was written; may be empty.
    message: &'a str,
}

/// The page, where that is what happened; any other error is passed on.
pub fn page(visit: &Visit, error: WebError, message: &str) -> Result<Response, WebError> {
    let ask = match &error {
        WebError::Gone => None,
        WebError::Expired(token) => token.as_deref(),
        _ => return Err(error),
    };
    render::refusal(error.refusal(), &GonePage { visit, ask, message })
}
