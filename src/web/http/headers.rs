//! The security headers of every response (H24, H25), and the stricter policy of what holds bytes of a mail (C18, C19).

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::error::WebError;
use super::visit::Visit;

/// Pages: own style and script files only, nothing inline, nothing from elsewhere (C18, H24).
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
    connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The layer that puts them on every response.
pub async fn protect(visit: Visit, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_private = path.starts_with("/t/") || path.starts_with("/s/");
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    set(response.headers_mut(), visit.is_secure(), is_private);
    // Where chunks end is what a proxy in front may see otherwise: nothing comes after them (RFC 9112 6.1, 11.2).
    if is_chunked {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn set(headers: &mut HeaderMap, is_secure: bool, is_private: bool) {
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
    if is_secure {
        set(STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    if is_private {
        set(HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive");
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        let opener = HeaderName::from_static("cross-origin-opener-policy");
        headers.insert(opener, HeaderValue::from_static("same-origin"));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A proxy that compresses a page lets its size tell of the secrets in it (BREACH). Apache and HAProxy heed this.
        headers.append(CACHE_CONTROL, HeaderValue::from_static("no-transform"));
    }
}

/// The policy of a response that holds bytes of a mail (C18). Sandboxed documents have no origin, no
/// script, no form, no storage. They carry no COOP, because HTML forbids it together with a sandbox.
pub fn sandbox(response: &mut Response, policy: &str) -> Result<(), WebError> {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, value(policy.to_owned())?);
    Ok(())
}

/// A text of ours as the value of a header field.
pub fn value(text: String) -> Result<HeaderValue, WebError> {
    HeaderValue::try_from(text).map_err(|error| WebError::Trouble(error.to_string()))
}
