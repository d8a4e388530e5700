//! "Ask again": the page of an expired link has one button, which sends one mail to the sender.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::sender::ActionError;
use crate::web::Parts;
use crate::web::http::error::WebError;
use crate::web::http::page::{self, Visit};
use crate::web::sender::status::{failed, retry_after};

#[derive(Template)]
#[template(path = "asked.html")]
struct AskedPage<'a> {
    visit: &'a Visit,
    /// The key of what became of it.
    text: &'static str,
}

/// `POST /t/{token}/ask`
pub async fn ask(
    State(parts): State<Parts>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    match parts.actions(&visit).ask(&token, visit.client).await {
        Ok(()) => page::render(StatusCode::OK, &AskedPage { visit: &visit, text: "asked-text" }),
        Err(ActionError::NotBefore(again)) => {
            let page = AskedPage { visit: &visit, text: "asked-before" };
            let mut response = page::render(StatusCode::TOO_MANY_REQUESTS, &page)?;
            retry_after(&mut response, again, parts.clock.now());
            Ok(response)
        }
        Err(error) => Err(failed(error)),
    }
}
