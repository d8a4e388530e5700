//! "Ask again": the page of an expired link has one button, which sends one mail to the sender.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use crate::sender::ActionError;
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

#[derive(Template)]
#[template(path = "asked.html")]
struct AskedPage<'a> {
    visit: &'a Visit,
    /// The key of what became of it.
    text: &'static str,
}

/// `POST /t/{token}/ask`
pub async fn ask(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    match visit.actions(&state.sender).ask(&token, visit.client).await {
        Ok(()) => render::page(&AskedPage { visit: &visit, text: "asked-text" }),
        Err(ActionError::NotBefore(again)) => {
            let refusal = Refusal::until(again, state.clock.now());
            render::refusal(refusal, &AskedPage { visit: &visit, text: "asked-before" })
        }
        Err(error) => Err(error.into()),
    }
}
