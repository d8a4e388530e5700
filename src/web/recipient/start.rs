//! The start page, for people who cannot click their link: they paste it as their mail program or a scanner has left it and
//! with whatever is around it, or type its token. Who gives the reference of a transfer instead is told that the link is
//! needed, whether there is such a transfer or not: no store is asked.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::transfer::access::Around;
use crate::transfer::{link, pasted};
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

/// The form, which is sent with GET: a token is in the address bar anyhow.
#[derive(Default, Deserialize)]
pub struct StartForm {
    transfer: Option<String>,
    /// A language button was pressed: what was typed stays.
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "start.html")]
struct StartPage<'a> {
    visit: &'a Visit,
    transfer: &'a str,
    /// The key of what is wrong with it.
    problem: Option<&'static str>,
}

/// `GET /`
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    form: Result<Query<StartForm>, QueryRejection>,
) -> Result<Response, WebError> {
    let StartForm { transfer, lang } = form.map(|query| query.0).unwrap_or_default();
    let typed = transfer.as_deref().unwrap_or("");
    let found = state.access.find_token(&visit.scope(), typed, Around::Anything).await;
    let found = found.map_err(|error| WebError::access(error, typed))?.map(|found| found.token);
    let is_reference = found.is_none() && is_reference(typed);
    let token = found.unwrap_or_else(|| link::normalise(typed));
    let was_sent = transfer.is_some() && lang.is_none();
    if was_sent && !token.is_empty() && !is_reference {
        return Ok(Redirect::to(&format!("/t/{token}")).into_response());
    }
    let problem = was_sent.then_some(if is_reference { "start-reference" } else { "start-empty" });
    let page = StartPage { visit: &visit, transfer: typed, problem };
    match problem {
        Some(_) => render::refusal(Refusal::INCOMPLETE, &page),
        None => render::page(&page),
    }
}

/// The reference of a transfer, with the word that stands before it in mails and pages or without.
fn is_reference(typed: &str) -> bool {
    let behind = typed.rsplit_once(':').map_or(typed, |(_, behind)| behind);
    pasted::reference(behind).is_some()
}
