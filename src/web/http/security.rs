//! The guard around every handler: refuses what is not meant for these pages, finds out who asks and in
//! which language, and puts the security headers on whatever goes out (C22, H19, H22, H24, H25, M11).

use std::error::Error as _;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use tokio::time::timeout;

use super::error::{self, WebError};
use super::page::Visit;
use super::server::PeerAddress;
use crate::web::recipient::session;
use crate::web::{Parts, reply};

/// Pages: own style and script files only, nothing inline, nothing from elsewhere (C18, H24).
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
    connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";
/// No form of ours is larger, or takes longer to arrive, but for uploads: `reply::incoming` watches over those.
const MAX_FORM: usize = 16 * 1024;
const FORM_PATIENCE: Duration = Duration::from_secs(15);

/// Fields in which a guess says that it is one, and their words: today's, and those of older browsers.
const GUESSES: [(&str, &[&str]); 4] = [
    ("sec-purpose", &["prefetch", "prerender", "preview"]),
    ("purpose", &["prefetch", "prerender", "preview"]),
    ("x-purpose", &["prefetch", "preview"]),
    ("x-moz", &["prefetch"]),
];

/// Wraps the whole router.
pub async fn guard(State(parts): State<Parts>, mut request: Request, next: Next) -> Response {
    let settings = parts.settings.get();
    let client = client(&request, &settings.web.trusted_proxies);
    let visit = Visit::new(request.uri(), request.headers(), client, settings.clone());
    let path = request.uri().path().to_owned();
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    request.extensions_mut().insert(visit.clone());
    let throttled = parts.throttles.check(client, &path, &settings);
    let admitted = match throttled {
        Ok(()) => admit(request, &visit.organisation.public_url).await,
        Err(error) => Err(error),
    };
    let response = match admitted {
        Ok(request) if is_guess(&request, &visit) => StatusCode::NO_CONTENT.into_response(),
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let allow = response.headers().get(ALLOW).cloned();
    if let Some(WebError::Lost(link, part)) = response.extensions().get() {
        parts.actions(&visit).lost(link, *part).await;
    }
    let mut response = error::to_page(response, &visit, parts.clock.now());
    if let Some(methods) = allow {
        response.headers_mut().insert(ALLOW, methods);
    }
    visit.remember(&mut response);
    protect(&mut response, &visit, &path);
    // Where chunks end is what a proxy in front may see otherwise: nothing comes after them (RFC 9112 6.1, 11.2).
    if is_chunked {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The request with its form read, or why it is refused.
async fn admit(request: Request, public_url: &str) -> Result<Request, WebError> {
    if !is_plain_path(request.uri().path()) {
        return Err(WebError::NotFound);
    }
    check_host(&request, public_url)?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(request);
    }
    if !is_same_site(request.headers(), public_url) {
        return Err(WebError::CrossSite);
    }
    if reply::takes_uploads(request.uri().path()) {
        return Ok(request);
    }
    let (head, body) = request.into_parts();
    match timeout(FORM_PATIENCE, to_bytes(body, MAX_FORM)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(error)) if is_broken(&error) => Err(WebError::BadRequest),
        Ok(Err(_)) => Err(WebError::TooLarge),
        Err(_) => Err(WebError::TooSlow),
    }
}

/// What came was no body at all: a bad chunk, or the end too early. Otherwise it was too long.
fn is_broken(error: &axum::Error) -> bool {
    std::iter::successors(error.source(), |&cause| cause.source()).any(|cause| cause.is::<hyper::Error>())
}

/// Our paths need no escapes, no empty segments and no dots but inside names, so nothing else gets
/// as far as a handler: no `//`, `..`, `%2e` or NUL (M11).
fn is_plain_path(path: &str) -> bool {
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

/// Whether a browser or a proxy fetches something of an opened transfer only because somebody might ask for it, and says
/// so. A guess gets nothing, so there is nothing to note (C39). The page before the password has nothing to give.
fn is_guess(request: &Request, visit: &Visit) -> bool {
    let mut segments = request.uri().path().split('/').skip(1);
    let (Some("t"), Some(token), Some(_)) = (segments.next(), segments.next(), segments.next()) else {
        return false;
    };
    let says = |(name, words): &(&str, &[&str])| {
        let values = request.headers().get_all(*name).iter();
        let mut values = values.map(|value| value.to_str().unwrap_or("").to_ascii_lowercase());
        values.any(|value| words.iter().any(|word| value.contains(word)))
    };
    matches!(*request.method(), Method::GET | Method::HEAD)
        && !session::value(visit, token, request.headers()).is_empty()
        && GUESSES.iter().any(says)
}

/// The request must name one host (RFC 9112 3.2, RFC 9113 8.3.1), or two proxies may each see another; and it must be
/// the host of `public_url`. Links are never built from it all the same; this keeps a foreign name that points here from
/// showing our pages (C22, C35).
fn check_host(request: &Request, public_url: &str) -> Result<(), WebError> {
    let scheme = if public_url.starts_with("https:") { "https://" } else { "http://" };
    let normal = |named: &str| normal_authority(&format!("{scheme}{named}"));
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
    if named == normal_authority(public_url) { Ok(()) } else { Err(WebError::WrongHost) }
}

/// A host and perhaps a port; a request of a URL without a host has an empty one.
fn is_host(named: &str) -> bool {
    named.is_empty() || (!named.contains('@') && named.parse::<Authority>().is_ok())
}

/// Host and port of a URL in lower case; the scheme's own port is left out (RFC 9110 4.2.3).
fn normal_authority(url: &str) -> String {
    let url = url.to_lowercase();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
    let authority = rest.split('/').next().unwrap_or("");
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(default_port).unwrap_or(authority).to_owned()
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
            scheme(origin) == scheme(public_url) && normal_authority(origin) == normal_authority(public_url)
        }
    }
}

/// The socket's address, or, behind trusted proxies only, the last address in X-Forwarded-For that is
/// not one of them: whatever stands further left the client could have written itself (H19).
fn client(request: &Request, trusted: &[IpNet]) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>();
    let mut client = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|field| field.to_str().unwrap_or("").split(','))
        .collect();
    for address in forwarded.iter().rev() {
        match address.trim().parse::<IpAddr>() {
            Ok(address) if is_trusted(client) => client = address.to_canonical(),
            _ => break,
        }
    }
    client
}

/// The headers of every response. What shows mail content has set a stricter policy already.
fn protect(response: &mut Response, visit: &Visit, path: &str) {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if visit.is_secure() {
        set(STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    if path.starts_with("/t/") || path.starts_with("/s/") {
        set(HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive");
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("same-origin"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The policy of a response that holds bytes of a mail (C18). Sandboxed documents have no origin, no
/// script, no form, no storage. They carry no COOP, because HTML forbids it together with a sandbox.
pub fn sandbox(response: &mut Response, policy: &str) -> Result<(), WebError> {
    let policy = HeaderValue::from_str(policy).map_err(|error| WebError::Trouble(error.to_string()))?;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn request(fields: &[(&str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let peer: SocketAddr = "[::ffff:10.0.0.1]:999".parse().unwrap();
        request.extensions_mut().insert(PeerAddress(peer));
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
        check_host(&request, url).err().map(|error| error.status().as_u16())
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

    #[test]
    fn believes_only_trusted_proxies() {
        let spoofed = request(&[("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.2")]);
        let none: &[IpNet] = &[];
        assert_eq!(client(&spoofed, none), IpAddr::from([10, 0, 0, 1]));
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(client(&spoofed, &proxies), IpAddr::from([198, 51, 100, 7]));
        let garbage = request(&[("x-forwarded-for", "198.51.100.7, unknown")]);
        assert_eq!(client(&garbage, &proxies), IpAddr::from([10, 0, 0, 1]));
    }
}
