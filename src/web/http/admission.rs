//! Which requests get as far as a handler: those for plain paths of our own host and, where they change something, from
//! our own pages (C22, C35, H22, M11). A layer around every route.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::error::WebError;
use super::visit::Visit;
use crate::settings::authority_of;

/// Passes on what is meant for these pages.
pub async fn admit(visit: Visit, request: Request, next: Next) -> Result<Response, WebError> {
    check(&request, &visit.organisation.public_url)?;
    Ok(next.run(request).await)
}

fn check(request: &Request, public_url: &str) -> Result<(), WebError> {
    if !is_plain_path(request.uri().path()) {
        return Err(WebError::NotFound);
    }
    check_host(request, public_url)?;
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD);
    if changes_nothing || is_same_site(request.headers(), public_url) {
        return Ok(());
    }
    Err(WebError::CrossSite)
}

/// Our paths need no escapes, no empty segments and no dots but inside names, so nothing else gets
/// as far as a handler: no `//`, `..`, `%2e` or NUL (M11).
pub(super) fn is_plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let is_plain = |segment: &str| {
        let fine = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        segment == ".well-known"
            || (!segment.is_empty()
                && !segment.starts_with('.')
                && !segment.ends_with('.')
                && segment.bytes().all(fine))
    };
    rest.is_empty() || rest.split('/').all(is_plain)
}

/// The request must name one host (RFC 9112 3.2, RFC 9113 8.3.1), or two proxies may each see another; and it must be
/// the host of `public_url`. Links are never built from it all the same; this keeps a foreign name that points here from
/// showing our pages (C22, C35).
fn check_host(request: &Request, public_url: &str) -> Result<(), WebError> {
    let scheme = if public_url.starts_with("https:") { "https://" } else { "http://" };
    let normal = |named: &str| authority_of(&format!("{scheme}{named}"));
    let mut fields = request.headers().get_all(HOST).iter();
    let field = match (fields.next().map(|value| value.to_str()), fields.next()) {
        (None, _) => None,
        (Some(Ok(named)), None) if is_host(named) => Some(normal(named)),
        _ => return Err(WebError::BadRequest),
    };
    let authority = request.uri().authority().map(|authority| normal(authority.as_str()));
    let named = match (authority, field) {
        (Some(authority), Some(field)) if authority != field => return Err(WebError::BadRequest),
        (authority, field) => authority.or(field).ok_or(WebError::BadRequest)?,
    };
    if named == authority_of(public_url) { Ok(()) } else { Err(WebError::WrongHost) }
}

/// A host and perhaps a port; a request of a URL without a host has an empty one.
fn is_host(named: &str) -> bool {
    named.is_empty() || (!named.contains('@') && named.parse::<Authority>().is_ok())
}

/// Whether a POST comes from our own page (H22). Every browser since 2023 says so in Sec-Fetch-Site. Where
/// it is missing (plain HTTP outside loopback, old browsers, programs), Origin must be ours, or absent,
/// or `null`, which is what our own no-referrer policy makes of it: then the unguessable token in the
/// path is the proof, since no other site knows it.
fn is_same_site(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("")) {
        None | Some("null") => true,
        Some(origin) => {
            let scheme = |url: &str| url.split("://").next().map(str::to_lowercase);
            scheme(origin) == scheme(public_url) && authority_of(origin) == authority_of(public_url)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        request
    }

    #[test]
    fn odd_paths_reach_no_handler() {
        for path in
            ["/", "/help", "/t/abc/files/1/preview", "/t/abc/message.eml", "/.well-known/security.txt"]
        {
            assert!(is_plain_path(path), "{path}");
        }
        for path in [
            "",
            "//",
            "/t//files",
            "/t/../x",
            "/./",
            "/help/",
            "/help.",
            "/%2e%2e",
            "/a%00",
            "/.git",
            "/a\\b",
        ] {
            assert!(!is_plain_path(path), "{path}");
        }
    }

    /// The status that this request gets for the host it names; nothing where it is ours.
    fn refused(fields: &[(&str, &str)], uri: &str, url: &str) -> Option<u16> {
        let mut request = request(fields);
        *request.uri_mut() = uri.parse().unwrap();
        check_host(&request, url).err().map(|error| error.refusal().status.as_u16())
    }

    #[test]
    fn only_our_host_is_ours() {
        let url = "https://veilig.voorbeeld.nl";
        for host in ["veilig.voorbeeld.nl", "Veilig.Voorbeeld.NL", "veilig.voorbeeld.nl:443"] {
            assert_eq!(refused(&[("host", host)], "/", url), None, "{host}");
            assert_eq!(refused(&[], &format!("https://{host}/"), url), None, "{host}");
        }
        for host in ["", "voorbeeld.nl", "veilig.voorbeeld.nl:8443", "veilig.voorbeeld.nl.evil.example"] {
            assert_eq!(refused(&[("host", host)], "/", url), Some(421), "{host}");
        }
        assert_eq!(refused(&[("host", "127.0.0.1:8080")], "/", "http://127.0.0.1:8080"), None);
    }

    /// C35
    #[test]
    fn one_request_names_one_host() {
        let (url, ours) = ("https://veilig.voorbeeld.nl", ("host", "veilig.voorbeeld.nl"));
        let evil = ("host", "evil.example");
        for fields in [&[][..], &[ours, ours], &[ours, evil], &[evil, ours], &[("host", ""), ours]] {
            assert_eq!(refused(fields, "/", url), Some(400), "{fields:?}");
        }
        for host in [
            "veilig.voorbeeld.nl, evil.example",
            "a@veilig.voorbeeld.nl",
            "veilig voorbeeld",
            "a/b",
            "\u{e9}",
        ] {
            assert_eq!(refused(&[("host", host)], "/", url), Some(400), "{host}");
        }
        for (field, authority) in [(ours, "evil.example"), (evil, "veilig.voorbeeld.nl")] {
            assert_eq!(refused(&[field], &format!("https://{authority}/"), url), Some(400), "{authority}");
        }
        assert_eq!(
            refused(&[ours], "https://VEILIG.voorbeeld.nl:443/", url),
            None,
            "the same in other words"
        );
    }

    #[test]
    fn a_post_needs_proof_of_its_site() {
        let url = "https://veilig.voorbeeld.nl";
        let case = |fields: &[(&str, &str)]| is_same_site(request(fields).headers(), url);
        assert!(case(&[]));
        assert!(case(&[("origin", url)]));
        assert!(case(&[("origin", "null")]));
        assert!(case(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(!case(&[("sec-fetch-site", "cross-site"), ("origin", url)]));
        assert!(!case(&[("sec-fetch-site", "same-site")]));
        assert!(!case(&[("origin", "https://evil.example")]));
        assert!(!case(&[("origin", "http://veilig.voorbeeld.nl")]));
    }
}
