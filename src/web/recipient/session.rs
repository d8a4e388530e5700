//! The cookies that must not be guessed: the session of an opened transfer, and the browser that somebody answers
//! from. What they are called, how they are set, and the opened transfer behind the session. Which transfer it
//! opens is decided by `transfer::access` alone (C17).

use axum::http::header::{ACCEPT, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use cookie::time::Duration;

use crate::id::{TransferId, is_base32};
use crate::reply::Browser;
use crate::transfer::access::{Access, Grant, HeldSession};
use crate::transfer::index::Index;
use crate::transfer::link;
use crate::verification::REMEMBERED_DAYS;
use crate::web::http::cookies;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;

/// How long a browser is remembered.
const REMEMBERED: Duration = Duration::days(REMEMBERED_DAYS as i64);

/// How long a browser keeps the cookie of a session. Longer than any idle session lives, so that a browser that comes back
/// with a dead one can be told that it has ended.
const KEPT: Duration = Duration::hours(12);
/// Transfers that a browser can have open side by side: more of their cookies would not fit into a header.
const MOST: usize = 20;
/// Cookies that are looked at, and taken away, at once: their fields must fit into a header as well, of which nginx takes
/// 4 KiB unless it is told otherwise.
const LOOKED_AT: usize = 20;
/// What the name of a session's cookie begins with.
const PREFIX: &str = "zegel-";

/// What the session of this request opens, if it belongs to this very link.
pub async fn grant(
    access: &Access,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<Grant, WebError> {
    let granted = access.resume(&visit.scope(), token, value(visit, token, headers)).await;
    granted.map_err(|error| WebError::access(error, token))
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

/// The same for what is saved rather than read. A program that goes on with a file it has a part of, or would save the
/// page of the password as the file, is refused in place of being sent there.
pub async fn open_download(
    access: &Access,
    visit: &Visit,
    token: &str,
    headers: &HeaderMap,
) -> Result<(Grant, Index), WebError> {
    open(access, visit, token, headers).await.map_err(|error| match error {
        WebError::NoSession(_) if !takes_a_page(headers) => WebError::NoSessionToResume,
        error => error,
    })
}

/// Whether whoever asks can do something with a page: a range of it is never wanted, and browsers say that they take HTML.
fn takes_a_page(headers: &HeaderMap) -> bool {
    let accepted = |accept: &HeaderValue| {
        accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("html"))
    };
    let says_nothing = !headers.contains_key(ACCEPT);
    let is_range = headers.contains_key(RANGE) || headers.contains_key(IF_RANGE);
    !is_range && (says_nothing || headers.get_all(ACCEPT).iter().any(accepted))
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

/// Gives the browser a session. The cookies of other transfers are taken away where their session has ended, or where
/// they are too many: together they must fit into what a proxy takes as a header.
pub async fn begin(
    access: &Access,
    visit: &Visit,
    token: &str,
    cookie: &str,
    headers: &HeaderMap,
    response: &mut Response,
) -> Result<(), WebError> {
    let own = name(visit, token);
    let mut held = cookies::read_all(headers, &cookies::bound(PREFIX, visit.is_secure()));
    held.retain(|(name, _)| *name != own && is_of_link(name));
    let (mut live, mut gone) = (Vec::new(), Vec::new());
    for (name, value) in held.into_iter().take(LOOKED_AT) {
        let session = access.look_at_session(&visit.scope(), token, value).await;
        match session.map_err(|error| WebError::access(error, token))? {
            HeldSession::Ended => gone.push(name),
            HeldSession::Own | HeldSession::Other => live.push(name),
        }
    }
    gone.extend(live.drain(..live.len().saturating_sub(MOST - 1)));
    for name in gone {
        cookies::remove(response, &name, visit.is_secure());
    }
    cookies::set(response, cookies::plain(&own, cookie, visit.is_secure()).max_age(KEPT));
    Ok(())
}

/// Takes it away.
pub fn end(visit: &Visit, token: &str, response: &mut Response) {
    cookies::remove(response, &name(visit, token), visit.is_secure());
}

/// One cookie for each link, so that two of them can be open side by side: two transfers, or one for two recipients.
fn name(visit: &Visit, token: &str) -> String {
    let link = token.get(..link::PUBLIC).unwrap_or("");
    cookies::bound(&format!("{PREFIX}{link}"), visit.is_secure())
}

/// Not the language, and not the browser of an answer. Those of an older release, for a whole transfer, go in time as well.
fn is_of_link(name: &str) -> bool {
    let lengths = [link::PUBLIC, TransferId::LENGTH];
    name.rsplit('-').next().is_some_and(|link| lengths.contains(&link.len()) && is_base32(link))
}

fn browser_name(visit: &Visit) -> String {
    cookies::bound("zegel-browser", visit.is_secure())
}
