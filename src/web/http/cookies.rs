//! How cookies are read and set. Which ones there are is the matter of `visit` (the language) and of
//! `recipient::session`.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use cookie::{Cookie, CookieBuilder, SameSite};

/// The value of the cookie called `name`.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut cookies = fields.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name)?.value_raw()
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

/// Adds a cookie to a response.
pub fn set(response: &mut Response, cookie: CookieBuilder<'_>) {
    if let Ok(field) = HeaderValue::try_from(cookie.build().to_string()) {
        response.headers_mut().append(SET_COOKIE, field);
    }
}
