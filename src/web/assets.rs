//! The few files that pages are made up with; embedded, so that no path of a request meets a disk.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::error::WebError;

const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// `GET /assets/{name}`
pub async fn serve(Path(name): Path<String>) -> Result<Response, WebError> {
    let (media_type, text) = match name.as_str() {
        "theme.css" => (CSS, include_str!("../../web/assets/theme.css")),
        "layout.css" => (CSS, include_str!("../../web/assets/layout.css")),
        "logo.svg" => (SVG, include_str!("../../web/assets/logo.svg")),
        "favicon.svg" => (SVG, include_str!("../../web/assets/favicon.svg")),
        "page.js" => (SCRIPT, include_str!("../../web/assets/page.js")),
        _ => return Err(WebError::NotFound),
    };
    // Pages ask for them with the version in the query, so a day is no risk.
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=86400")], text).into_response())
}

/// `GET /favicon.ico`, which browsers ask for unasked.
pub async fn favicon() -> Result<Response, WebError> {
    serve(Path("favicon.svg".to_owned())).await
}
