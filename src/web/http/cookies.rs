//! How cookies are read and set. Which ones there are is the matter of `visit` (the language) and of
//! `recipient::session`.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use cookie::time::Duration;
use cookie::{Cookie, CookieBuilder, SameSite};

/// The value of the cookie called `name`.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut cookies = fields.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name)?.value_raw()
}

/// All cookies whose name begins so, as a browser sends them: the oldest first (RFC 6265 5.4).
pub fn read_all<'a>(headers: &'a HeaderMap, start: &str) -> Vec<(String, &'a str)> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let cookies = fields.flat_map(Cookie::split_parse).filter_map(Result::ok);
    let ours = cookies.filter(|cookie| cookie.name().starts_with(start));
    ours.filter_map(|cookie| Some((cookie.name().to_owned(), cookie.value_raw()?))).collect()
}

/// A cookie of all our pages that no script reads. Lax, because people come from a link in their mail (H23).
pub fn plain<'a>(name: &'a str, value: &'a str, is_secure: bool) -> CookieBuilder<'a> {
    let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax);
    if is_secure { cookie.secure(true) } else { cookie }
}

/// The name of a cookie that is bound to this host and to HTTPS (RFC 6265bis 4.1.3.2); over plain HTTP no browser would
/// take it under that name.
pub fn bound(name: &str, is_secure: bool) -> String {
    let prefix = if is_secure { "__Host-" } else { "" };
    format!("{prefix}{name}")
}

/// Takes a cookie away from a browser.
pub fn remove(response: &mut Response, name: &str, is_secure: bool) {
    set(response, plain(name, "", is_secure).max_age(Duration::ZERO));
}

/// Adds a cookie to a response.
pub fn set(response: &mut Response, cookie: CookieBuilder<'_>) {
    if let Ok(field) = HeaderValue::try_from(cookie.build().to_string()) {
        response.headers_mut().append(SET_COOKIE, field);
    }
}
