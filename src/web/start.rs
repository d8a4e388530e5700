//! The start page: where a Transactie-ID is typed, or a whole link pasted, by who cannot click the link.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::error::WebError;
use super::page::{self, Visit};
use crate::transfer::link;

/// Longer than any token, spaces and dashes included.
const MAX_TYPED: usize = 200;

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
pub async fn show(visit: Visit, form: Result<Query<StartForm>, QueryRejection>) -> Result<Response, WebError> {
    let StartForm { transfer, lang } = form.map(|query| query.0).unwrap_or_default();
    let typed = transfer.as_deref().unwrap_or("");
    if let (Some(token), None) = (token(typed), &lang) {
        let token = utf8_percent_encode(&token, NON_ALPHANUMERIC);
        return Ok(Redirect::to(&format!("/t/{token}")).into_response());
    }
    let is_empty = transfer.is_some() && lang.is_none();
    let status = if is_empty { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page::render(status, &StartPage { visit: &visit, transfer: typed, is_empty })
}

/// The token in what was typed or pasted: the token itself, or the link that ends in it.
fn token(typed: &str) -> Option<String> {
    let end = typed.rsplit("/t/").next().unwrap_or(typed);
    let end = end.split(['/', '?', '#']).next().unwrap_or("");
    let short: String = end.chars().take(MAX_TYPED).collect();
    Some(link::normalise(&short)).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_token_or_a_link() {
        let token = super::token("abcdefghjk").unwrap();
        for typed in [" abcdefghjk ", "https://x.nl/t/abcdefghjk", "https://x.nl/t/abcdefghjk/files?lang=fy"] {
            assert_eq!(super::token(typed), Some(token.clone()), "{typed}");
        }
        assert_eq!(super::token("  "), None);
    }
}
