//! The cookies that must not be guessed: the session of an opened transfer, and the browser that somebody answers
//! from. What they are called, how they are set, and the opened transfer behind the session. Which transfer it
//! opens is decided by `transfer::access` alone (C17).

use axum::http::HeaderMap;
use axum::response::Response;
use cookie::time::Duration;

use crate::id::TransferId;
use crate::reply::Browser;
use crate::transfer::access::{Access, Grant};
use crate::transfer::index::Index;
use crate::verification::REMEMBERED_DAYS;
use crate::web::http::cookies;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;

/// How long a browser is remembered.
const REMEMBERED: Duration = Duration::days(REMEMBERED_DAYS as i64);

/// What the session of this request opens, if it belongs to this very link.
pub async fn grant(
    access: &Access,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<Grant, WebError> {
    access.resume(token, value(visit, token, headers)).await.map_err(|error| WebError::access(error, token))
}

/// The same, with the table of contents.
pub async fn open(
    access: &Access,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<(Grant, Index), WebError> {
    let grant = grant(access, visit, token, headers).await?;
    let index = grant.read_index().await.map_err(|error| WebError::access(error, token))?;
    Ok((grant, index))
}

/// What the browser sent as its session for this link; nothing is known about it yet.
pub fn value<'a>(visit: &Visit, token: &str, headers: &'a HeaderMap) -> &'a str {
    cookies::read(headers, &name(visit, token)).unwrap_or("")
}

/// The browser that somebody answers from, if it has been here before.
pub fn browser(visit: &Visit, headers: &HeaderMap) -> Option<Browser> {
    Browser::parse(cookies::read(headers, &browser_name(visit))?)
}

/// Makes the browser known again for 30 days. It opens no transfer: that takes a session as well.
pub fn remember_browser(visit: &Visit, browser: &Browser, response: &mut Response) {
    let (name, value) = (browser_name(visit), browser.to_text());
    let cookie = cookies::plain(&name, value.reveal(), visit.is_secure());
    cookies::set(response, cookie.max_age(REMEMBERED));
}

/// Gives the browser a session.
pub fn begin(visit: &Visit, token: &str, value: &str, response: &mut Response) {
    cookies::set(response, cookies::plain(&name(visit, token), value, visit.is_secure()));
}

/// Takes it away.
pub fn end(visit: &Visit, token: &str, response: &mut Response) {
    let name = name(visit, token);
    cookies::set(response, cookies::plain(&name, "", visit.is_secure()).max_age(Duration::ZERO));
}

/// One cookie per transfer, so that two of them can be open side by side.
fn name(visit: &Visit, token: &str) -> String {
    let transfer = token.get(..TransferId::LENGTH).unwrap_or("");
    cookies::bound(&format!("zegel-{transfer}"), visit.is_secure())
}

fn browser_name(visit: &Visit) -> String {
    cookies::bound("zegel-browser", visit.is_secure())
}
