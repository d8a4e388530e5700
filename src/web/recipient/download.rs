//! One file, or the original message, on its way to a disk: always an attachment, never a document of ours
//! (C19), in a stream, and resumable (RFC 9110 14, one range at a time).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::handouts::Handout;
use super::parts::PartReader;
use super::session;
use crate::transfer::access::Grant;
use crate::transfer::index::{Index, IndexFile};
use crate::web::http::error::WebError;
use crate::web::http::headers;
use crate::web::http::ranges::{self, Span};
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

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
    State(state): State<RecipientState>,
    visit: Visit,
    Path((token, number)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let file = find(&index, &number)?;
    // One type for all: the name's ending decides on the reader's side, and no browser shows it.
    let media_type = "application/octet-stream";
    let (part, name) = (file.part, file.name.clone());
    let download = Download { part, told: vec![name.clone()], name, media_type, what: part.to_string() };
    send(&state, &visit, grant, download, &method, &headers).await
}

/// `GET /t/{token}/message.eml`
pub async fn original(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let (name, media_type) = ("message.eml".into(), "message/rfc822");
    let download =
        Download { part: index.message, name, media_type, what: "message".into(), told: Vec::new() };
    send(&state, &visit, grant, download, &method, &headers).await
}

/// The file with this number in the URL.
pub fn find<'a>(index: &'a Index, number: &str) -> Result<&'a IndexFile, WebError> {
    let number: u32 = number.parse().map_err(|_| WebError::NotFound)?;
    index.file(number).ok_or(WebError::NotFound)
}

async fn send(
    state: &RecipientState,
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
    let Some(span) = Span::asked(headers, &tag, size) else {
        let mut response = ranges::unsatisfiable(size)?;
        headers::sandbox(&mut response, POLICY)?;
        return Ok(response);
    };
    let noted = async {
        let handout = Handout { what, parts: vec![part], whole: span.length == size, names: told };
        state.handouts.download(visit, &grant, method, handout).await
    };
    let body = async {
        if *method == Method::HEAD {
            return Ok(Body::empty());
        }
        let reader = PartReader::new(grant.clone(), part, span.start, span.length);
        state.streams.body(visit, &grant, reader).await
    };
    // The first bytes are made ready meanwhile; none goes out before the download has been noted.
    let ((), body) = tokio::try_join!(noted, body)?;
    let mut response = attachment(body, &name, media_type)?;
    span.describe(&mut response, &tag, size)?;
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
        headers::value(format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{real}"))?,
    );
    headers::sandbox(&mut response, POLICY)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

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
