//! The pages that explain, and the two small files for machines. None of them needs a session.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::Parts;
use crate::clock::days_later;
use crate::locale::Language;
use crate::web::http::error::WebError;
use crate::web::http::page::{self, Visit};

const PLAIN: &str = "text/plain; charset=utf-8";

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage<'a> {
    visit: &'a Visit,
}

#[derive(Template)]
#[template(path = "privacy.html")]
struct PrivacyPage<'a> {
    visit: &'a Visit,
}

#[derive(Template)]
#[template(path = "accessibility.html")]
struct AccessibilityPage<'a> {
    visit: &'a Visit,
}

/// `GET /help`
pub async fn help(visit: Visit) -> Result<Response, WebError> {
    page::render(StatusCode::OK, &HelpPage { visit: &visit })
}

/// `GET /privacy`
pub async fn privacy(visit: Visit) -> Result<Response, WebError> {
    page::render(StatusCode::OK, &PrivacyPage { visit: &visit })
}

/// `GET /accessibility`
pub async fn accessibility(visit: Visit) -> Result<Response, WebError> {
    page::render(StatusCode::OK, &AccessibilityPage { visit: &visit })
}

/// `GET /.well-known/security.txt` (RFC 9116). Always fresh: it expires half a year from now.
pub async fn security_txt(State(parts): State<Parts>, visit: Visit) -> Response {
    let organisation = &visit.organisation;
    let domain = organisation.domain();
    let expires = days_later(parts.clock.now(), 180).strftime("%Y-%m-%dT%H:%M:%SZ");
    let languages = Language::ALL.map(Language::as_str).join(", ");
    let text = format!(
        "Contact: mailto:security@{domain}\nExpires: {expires}\nPreferred-Languages: {languages}\n\
         Canonical: {}/.well-known/security.txt\n",
        organisation.public_url
    );
    plain(text)
}

/// `GET /robots.txt` (RFC 9309)
pub async fn robots() -> Response {
    plain("User-agent: *\nDisallow: /t/\n".to_owned())
}

fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, PLAIN), (CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}
