//! One file, or the original message, on its way to a disk: always an attachment, never a document of ours
//! (C19), in a stream, and resumable (RFC 9110 14, one range at a time).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::note::{self, Handout};
use super::session;
use crate::transfer::access::Grant;
use crate::transfer::index::{Index, IndexFile};
use crate::web::Parts;
use crate::web::http::error::WebError;
use crate::web::http::page::Visit;
use crate::web::http::security;
use crate::web::http::stream::PartReader;

/// Nothing of a downloaded file may run or be fetched, even where a browser shows it after all.
pub const POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'none'";
/// What RFC 8187 leaves unescaped in `filename*`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// What is sent, and under which name.
struct Download {
    part: u32,
    name: String,
    media_type: &'static str,
    /// For the audit trail: a number or a word of ours.
    what: String,
    /// For the mail to the sender: the file's name, where it is one of the files.
    told: Vec<String>,
}

/// `GET /t/{token}/files/{number}`
pub async fn file(
    State(parts): State<Parts>,
    visit: Visit,
    Path((token, number)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&parts, &visit, &token, &headers).await?;
    let file = find(&index, &number)?;
    // One type for all: the name's ending decides on the reader's side, and no browser shows it.
    let media_type = "application/octet-stream";
    let (part, name) = (file.part, file.name.clone());
    let download = Download { part, told: vec![name.clone()], name, media_type, what: part.to_string() };
    send(&parts, &visit, grant, download, &method, &headers).await
}

/// `GET /t/{token}/message.eml`
pub async fn original(
    State(parts): State<Parts>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&parts, &visit, &token, &headers).await?;
    let (name, media_type) = ("message.eml".into(), "message/rfc822");
    let download =
        Download { part: index.message, name, media_type, what: "message".into(), told: Vec::new() };
    send(&parts, &visit, grant, download, &method, &headers).await
}

/// The file with this number in the URL.
pub fn find<'a>(index: &'a Index, number: &str) -> Result<&'a IndexFile, WebError> {
    let number: u32 = number.parse().map_err(|_| WebError::NotFound)?;
    index.file(number).ok_or(WebError::NotFound)
}

async fn send(
    parts: &Parts,
    visit: &Visit,
    grant: Grant,
    download: Download,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, WebError> {
    let Download { part, name, media_type, what, told } = download;
    let sizes = &grant.transfer().parts;
    let size = sizes.iter().find(|one| one.number == part).ok_or(WebError::NotFound)?.size;
    let tag = format!("\"{}-{}\"", grant.transfer().id, part);
    let Some(span) = Span::asked(headers, &tag, size) else { return unsatisfiable(size) };
    let noted = async {
        let handout = Handout { what, parts: vec![part], whole: span.length == size, names: told };
        note::download(parts, visit, &grant, method, handout).await
    };
    let body = async {
        if *method == Method::HEAD {
            return Ok(Body::empty());
        }
        let reader = PartReader::new(grant.clone(), part, span.start, span.length);
        parts.streams.body(parts.watch(visit, &grant), reader).await
    };
    // The first octets are made ready meanwhile; none goes out before the download has been noted.
    let ((), body) = tokio::try_join!(noted, body)?;
    let mut response = attachment(body, &name, media_type)?;
    let fields = response.headers_mut();
    fields.insert(CONTENT_LENGTH, span.length.into());
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert(ETAG, header(&tag)?);
    if span.is_part {
        fields.insert(CONTENT_RANGE, header(&span.content_range(size))?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// A response that a browser saves under `name` (RFC 6266: a plain name, and the real one in UTF-8).
pub fn attachment(body: Body, name: &str, media_type: &'static str) -> Result<Response, WebError> {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_. ()".contains(c) { c } else { '_' })
        .collect();
    let real = utf8_percent_encode(name, VALUE);
    let mut response = Response::new(body);
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert(
        CONTENT_DISPOSITION,
        header(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{real}"))?,
    );
    security::sandbox(&mut response, POLICY)?;
    Ok(response)
}

fn header(value: &str) -> Result<HeaderValue, WebError> {
    HeaderValue::from_str(value).map_err(|error| WebError::Trouble(error.to_string()))
}

fn unsatisfiable(size: u64) -> Result<Response, WebError> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    response.headers_mut().insert(CONTENT_RANGE, header(&format!("bytes */{size}"))?);
    security::sandbox(&mut response, POLICY)?;
    Ok(response)
}

/// Which octets are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    length: u64,
    is_part: bool,
}

impl Span {
    /// What the request asks for of `size` octets; `None` when there is nothing of it. Ranges in other units,
    /// several at once, and ranges of another version mean the whole (RFC 9110 14.2, 13.1.5).
    fn asked(headers: &HeaderMap, tag: &str, size: u64) -> Option<Self> {
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

    fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1)
    }
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

    #[test]
    fn a_name_cannot_leave_its_field() {
        let name = "a\"; filename=evil.exe\r\nX: é€.pdf";
        let response = attachment(Body::empty(), name, "application/zip").unwrap();
        let field = response.headers()[CONTENT_DISPOSITION].to_str().unwrap();
        let expected = "attachment; filename=\"a__ filename_evil.exe__X_ __.pdf\"; \
            filename*=UTF-8''a%22%3B%20filename%3Devil.exe%0D%0AX%3A%20%C3%A9%E2%82%AC.pdf";
        assert_eq!(field, expected);
    }
}
