//! The pages that explain, and the files that belong to no transfer. None of them needs a session.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::assets;
use crate::clock::{Clock, DAY, later};
use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;

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

/// All of them.
pub fn routes(clock: Clock) -> Router {
    Router::new()
        .route("/help", get(help))
        .route("/privacy", get(privacy))
        .route("/accessibility", get(accessibility))
        .route("/.well-known/security.txt", get(security_txt))
        .route("/robots.txt", get(robots))
        .route("/favicon.ico", get(favicon))
        .route("/assets/{name}", get(asset))
        .with_state(clock)
}

/// `GET /help`
async fn help(visit: Visit) -> Result<Response, WebError> {
    render::page(&HelpPage { visit: &visit })
}

/// `GET /privacy`
async fn privacy(visit: Visit) -> Result<Response, WebError> {
    render::page(&PrivacyPage { visit: &visit })
}

/// `GET /accessibility`
async fn accessibility(visit: Visit) -> Result<Response, WebError> {
    render::page(&AccessibilityPage { visit: &visit })
}

/// `GET /.well-known/security.txt` (RFC 9116). Always fresh: it expires half a year from now.
async fn security_txt(State(clock): State<Clock>, visit: Visit) -> Response {
    let organisation = &visit.organisation;
    let domain = organisation.domain();
    let expires = later(clock.now(), 180 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ");
    let languages: Vec<&str> = organisation.languages.iter().map(|language| language.as_str()).collect();
    let languages = languages.join(", ");
    let text = format!(
        "Contact: mailto:security@{domain}\nExpires: {expires}\nPreferred-Languages: {languages}\n\
         Canonical: {}/.well-known/security.txt\n",
        organisation.public_url
    );
    plain(text)
}

/// `GET /robots.txt` (RFC 9309)
async fn robots() -> Response {
    plain("User-agent: *\nDisallow: /t/\n".to_owned())
}

/// `GET /assets/{name}`. Pages ask for them with their version in the query, so a day is no risk.
async fn asset(visit: Visit, Path(name): Path<String>) -> Result<Response, WebError> {
    let branding = &visit.organisation.branding;
    let (media_type, octets) = assets::find(&name, branding).ok_or(WebError::NotFound)?;
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=86400")], octets).into_response())
}

/// `GET /favicon.ico`, which browsers ask for unasked.
async fn favicon(visit: Visit) -> Result<Response, WebError> {
    asset(visit, Path("favicon".to_owned())).await
}

fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, PLAIN), (CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}
