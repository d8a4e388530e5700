//! The few files that pages are made up with: embedded, or read with the configuration, so that no path of a request
//! meets a disk.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::config::Branding;
use crate::id::base32;
use crate::web::http::error::WebError;
use crate::web::http::page::Visit;

const THEME: &str = include_str!("../../web/assets/theme.css");
const LAYOUT: &str = include_str!("../../web/assets/layout.css");
const LOGO: &str = include_str!("../../web/assets/logo.svg");
const FAVICON: &str = include_str!("../../web/assets/favicon.svg");
const PAGE_SCRIPT: &str = include_str!("../../web/assets/page.js");
const UPLOAD_SCRIPT: &str = include_str!("../../web/assets/upload.js");

const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// `GET /assets/{name}`
pub async fn serve(visit: Visit, Path(name): Path<String>) -> Result<Response, WebError> {
    let branding = &visit.organisation.branding;
    let (media_type, octets) = match name.as_str() {
        "theme.css" => (CSS, theme(branding).into()),
        "layout.css" => (CSS, LAYOUT.into()),
        "logo" => match &branding.logo {
            Some(logo) => (logo.media_type, logo.octets.clone()),
            None => (SVG, LOGO.into()),
        },
        "favicon.svg" => (SVG, FAVICON.into()),
        "page.js" => (SCRIPT, PAGE_SCRIPT.into()),
        "upload.js" => (SCRIPT, UPLOAD_SCRIPT.into()),
        _ => return Err(WebError::NotFound),
    };
    // Pages ask for them with their version in the query, so a day is no risk.
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=86400")], octets).into_response())
}

/// Ours, then the organisation's: what it leaves out stays ours.
fn theme(branding: &Branding) -> String {
    [THEME, branding.theme.as_deref().unwrap_or_default()].concat()
}

/// Changes whenever one of ours does; says nothing about the version of the program.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let all = [THEME, LAYOUT, LOGO, FAVICON, PAGE_SCRIPT, UPLOAD_SCRIPT].concat();
        let mut version = base32(digest::digest(&digest::SHA256, all.as_bytes()).as_ref());
        version.truncate(8);
        version
    });
    &VERSION
}

/// `GET /favicon.ico`, which browsers ask for unasked.
pub async fn favicon(visit: Visit) -> Result<Response, WebError> {
    serve(visit, Path("favicon.svg".to_owned())).await
}
