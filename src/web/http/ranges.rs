//! Ranges of a download (RFC 9110 14), one at a time.

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;

use super::error::WebError;
use super::headers::value;

/// Which bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first of them.
    pub start: u64,
    /// How many.
    pub length: u64,
    is_part: bool,
}

impl Span {
    /// What the request asks for of `size` bytes; `None` when there is nothing of it. Ranges in other units,
    /// several at once, and ranges of another version mean the whole (RFC 9110 14.2, 13.1.5).
    pub fn asked(headers: &HeaderMap, tag: &str, size: u64) -> Option<Self> {
        let whole = Self { start: 0, length: size, is_part: false };
        if headers.get(IF_RANGE).is_some_and(|version| version != tag) {
            return Some(whole);
        }
        let range = headers.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
        let Some((first, last)) = range.and_then(|range| range.split_once('-')) else { return Some(whole) };
        let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(size)),
            (Ok(first), Err(_)) if last.trim().is_empty() => (first, size),
            (Err(_), Ok(last)) if first.trim().is_empty() => (size.saturating_sub(last), size),
            _ => return Some(whole),
        };
        (start < end).then(|| Self { start, length: end - start, is_part: true })
    }

    /// Says in a response which bytes of `size` it brings, and of which version of the whole.
    pub fn describe(self, response: &mut Response, tag: &str, size: u64) -> Result<(), WebError> {
        let fields = response.headers_mut();
        fields.insert(CONTENT_LENGTH, self.length.into());
        fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        fields.insert(ETAG, value(tag.to_owned())?);
        if self.is_part {
            let range = format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1);
            fields.insert(CONTENT_RANGE, value(range)?);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(())
    }
}

/// There is nothing of what was asked for.
pub fn unsatisfiable(size: u64) -> Result<Response, WebError> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    response.headers_mut().insert(CONTENT_RANGE, value(format!("bytes */{size}"))?);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_rfc_9110_says() {
        let span = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
            Span::asked(&headers, "\"x\"", 100).map(|span| (span.start, span.length, span.is_part))
        };
        assert_eq!(span("bytes=0-9"), Some((0, 10, true)));
        assert_eq!(span("bytes=90-"), Some((90, 10, true)));
        assert_eq!(span("bytes=-5"), Some((95, 5, true)));
        assert_eq!(span("bytes=-500"), Some((0, 100, true)));
        assert_eq!(span("bytes=50-1000"), Some((50, 50, true)));
        assert_eq!(span("bytes=100-"), None);
        assert_eq!(span("bytes=-0"), None);
        for whole in ["bytes=9-0", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=a-b", "bytes=+1-2x"] {
            assert_eq!(span(whole), Some((0, 100, false)), "{whole}");
        }
    }
}
