//! The start page, for people who cannot click their link: they type the Transactie-ID, or paste the whole link,
//! as their mail program or a scanner has left it and with whatever is around it.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::transfer::access::Around;
use crate::transfer::link;
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
    is_empty: bool,
}

/// `GET /`
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    form: Result<Query<StartForm>, QueryRejection>,
) -> Result<Response, WebError> {
    let StartForm { transfer, lang } = form.map(|query| query.0).unwrap_or_default();
    let typed = transfer.as_deref().unwrap_or("");
    let found = state.access.find_token(typed, Around::Anything).map(|found| found.token);
    let token = found.unwrap_or_else(|| link::normalise(typed));
    if !token.is_empty() && lang.is_none() {
        return Ok(Redirect::to(&format!("/t/{token}")).into_response());
    }
    let is_empty = transfer.is_some() && lang.is_none();
    let page = StartPage { visit: &visit, transfer: typed, is_empty };
    if is_empty { render::refusal(Refusal::INCOMPLETE, &page) } else { render::page(&page) }
}
