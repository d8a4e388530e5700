//! The message itself on screen: HTML as [`html`] gives it, in a sandboxed document of its own: no script, no form,
//! nothing fetched (C18).
//!
//! [`html`]: super::html

use std::io::{self, Read};

use ammonia::clean_text;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::html::pictures::{Names, Pictures};
use super::html::{CleanHtml, Dressed, MAX_READ};
use super::{parts, session};
use crate::id::base32;
use crate::secret;
use crate::transfer::access::Grant;
use crate::transfer::index::Index;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::http::{headers, render, stream};
use crate::web::state::RecipientState;

/// What a sandboxed document of ours may do: show our own style and pictures that are in it. Links open
/// outside the sandbox, in a new tab, when somebody follows them.
fn policy(nonce: &str) -> String {
    format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; \
         style-src 'nonce-{nonce}'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    )
}

/// Text beyond this is not shown; the download has all of it.
const MAX_TEXT: u64 = 2 * 1024 * 1024;
/// Stands for the bytes of a picture where only its place matters.
const STAND_IN: &[u8] = b"\x89PNG\r\n\x1a\n";

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    visit: &'a Visit,
    nonce: &'a str,
    style: &'a str,
    /// Out of the allow-list: the one text that is not escaped.
    html: &'a str,
}

/// `GET /t/{token}/message`: the HTML text, for the frame of the opened transfer or a tab of its own.
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let part = index.html.ok_or(WebError::NotFound)?;
    state.handouts.read(&visit, &grant, &method).await?;
    let html = stream::blocking(move || html(&grant, &index, part).map_err(WebError::unreadable)).await?;
    document(&visit, html)
}

/// A sandboxed page around HTML that [`html`](super::html) has been over; without any, it says why there is none.
pub fn document(visit: &Visit, dressed: Option<Dressed>) -> Result<Response, WebError> {
    let nothing = || Dressed {
        html: format!("<p>{}</p>", clean_text(&visit.text("transfer-too-large"))),
        ..Dressed::default()
    };
    let dressed = dressed.unwrap_or_else(nothing);
    // A file of its own could not be loaded: a sandboxed document is same-origin with nothing.
    let style = style_sheet(&dressed);
    let nonce = base32(&secret::random::<16>());
    let mut response =
        render::page(&MessagePage { visit, nonce: &nonce, style: &style, html: &dressed.html })?;
    headers::sandbox(&mut response, &policy(&nonce))?;
    Ok(response)
}

/// All that a document with this HTML needs, in words of our own.
pub fn style_sheet(dressed: &Dressed) -> String {
    format!("{}{}", include_str!("../../../web/assets/message.css"), dressed.style)
}

/// The plain text of the message.
pub async fn text(grant: Grant, part: u32) -> Result<String, WebError> {
    stream::blocking(move || read(&grant, part, MAX_TEXT).map_err(WebError::unreadable)).await
}

/// The HTML text that is part `part`, cleaned, with its pictures; `None` when it is too much. Blocking.
pub fn html(grant: &Grant, index: &Index, part: u32) -> io::Result<Option<Dressed>> {
    dressed(grant, index, part, true)
}

/// The same for a page that shows no pictures. Blocking.
pub fn outline(grant: &Grant, index: &Index, part: u32) -> io::Result<Option<Dressed>> {
    dressed(grant, index, part, false)
}

fn dressed(grant: &Grant, index: &Index, part: u32, has_pictures: bool) -> io::Result<Option<Dressed>> {
    let Some(mut clean) = CleanHtml::of(&read(grant, part, MAX_READ)?) else { return Ok(None) };
    let embedded = clean.take_embedded();
    let pictures = Pictures::find(&clean.sources, embedded, &Names::of(&index.files), |file| {
        let mut bytes = Vec::new();
        if has_pictures {
            parts::open(grant, file.part)?.take(file.size).read_to_end(&mut bytes)?;
        } else {
            bytes.extend_from_slice(STAND_IN);
        }
        Ok(bytes)
    });
    Ok(Some(clean.dress(&pictures?)))
}

/// A part as text; what is not UTF-8 shows as a replacement character.
pub fn read(grant: &Grant, part: u32, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    parts::open(grant, part)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
