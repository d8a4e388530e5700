//! The cookies that must not be guessed: the session of an opened transfer, and the browser that somebody answers
//! from. What they are called, how they are set, and the opened transfer behind the session. Which transfer it
//! opens is decided by `transfer::access` alone (C17).

use std::io::{self, Read};

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::id::TransferId;
use crate::reply::Browser;
use crate::seal::read::Opened;
use crate::transfer::access::Grant;
use crate::transfer::index::Index;
use crate::verification::REMEMBERED_DAYS;
use crate::web::Parts;
use crate::web::http::error::WebError;
use crate::web::http::page::Visit;
use crate::web::http::stream;

/// Seconds that a browser is remembered.
const BROWSER_SECONDS: u32 = REMEMBERED_DAYS * 86_400;

/// What the session of this request opens, if it belongs to this very link.
pub async fn grant(
    parts: &Parts,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<Grant, WebError> {
    parts
        .access
        .resume(token, value(visit, token, headers))
        .await
        .map_err(|error| WebError::access(error, token))
}

/// The same, with the table of contents.
pub async fn open(
    parts: &Parts,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<(Grant, Index), WebError> {
    let grant = grant(parts, visit, token, headers).await?;
    let index = grant.read_index().await.map_err(|error| WebError::access(error, token))?;
    Ok((grant, index))
}

/// What the browser sent as its session for this link; nothing is known about it yet.
pub fn value<'a>(visit: &Visit, token: &str, headers: &'a HeaderMap) -> &'a str {
    cookie(headers, &name(visit, token)).unwrap_or("")
}

/// The browser that somebody answers from, if it has been here before.
pub fn browser(visit: &Visit, headers: &HeaderMap) -> Option<Browser> {
    Browser::parse(cookie(headers, &browser_name(visit))?)
}

/// Makes the browser known again for 30 days. It opens no transfer: that takes a session as well.
pub fn remember_browser(visit: &Visit, browser: &Browser, response: &mut Response) {
    let more = format!("; Max-Age={BROWSER_SECONDS}");
    set(visit, &browser_name(visit), browser.to_text().reveal(), &more, response);
}

/// A part's plaintext, in words of I/O: its errors have the [`AccessError`] in them. Blocking.
pub fn part(grant: &Grant, number: u32) -> io::Result<OpenedPart> {
    let opened = grant.open(number).map_err(io::Error::other)?;
    Ok(OpenedPart { grant: grant.clone(), number, opened })
}

/// A part that is being read.
pub struct OpenedPart {
    grant: Grant,
    number: u32,
    opened: Opened<'static>,
}

impl Read for OpenedPart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.opened.read(buffer);
        read.map_err(|error| io::Error::new(error.kind(), self.grant.unreadable(self.number, &error)))
    }
}

/// Fails where one of these parts is gone for good: asked before anything of them is handed out.
pub async fn check(grant: &Grant, parts: &[u32]) -> Result<(), WebError> {
    let (grant, parts) = (grant.clone(), parts.to_vec());
    let check = move || parts.iter().try_for_each(|part| grant.check(*part));
    stream::blocking(move || check().map_err(|error| WebError::access(error, ""))).await
}

/// Gives the browser a session. Lax, because recipients come from a link in their mail (H23).
pub fn begin(visit: &Visit, token: &str, value: &str, response: &mut Response) {
    set(visit, &name(visit, token), value, "", response);
}

/// Takes it away.
pub fn end(visit: &Visit, token: &str, response: &mut Response) {
    set(visit, &name(visit, token), "", "; Max-Age=0", response);
}

fn set(visit: &Visit, name: &str, value: &str, more: &str, response: &mut Response) {
    let secure = if visit.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
    if let Ok(header) = HeaderValue::from_str(&text) {
        response.headers_mut().append(SET_COOKIE, header);
    }
}

/// One cookie per transfer, so that two of them can be open side by side.
fn name(visit: &Visit, token: &str) -> String {
    let transfer = token.get(..TransferId::LENGTH).unwrap_or("");
    format!("{}zegel-{transfer}", prefix(visit))
}

fn browser_name(visit: &Visit) -> String {
    format!("{}zegel-browser", prefix(visit))
}

/// Binds a cookie to this host and to HTTPS (RFC 6265bis 4.1.3.2); over plain HTTP no browser would take it.
fn prefix(visit: &Visit) -> &'static str {
    if visit.is_secure() { "__Host-" } else { "" }
}

/// The value of the cookie called `name`.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}
