//! One file, or the original message, on its way to a disk: always an attachment, never a document of ours
//! (C19), in a stream, and resumable (RFC 9110 14, one range at a time).

use std::io::Read;

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

/// Bytes of an opened transfer that somebody asks for, some of them or all.
pub struct Request<'a> {
    pub state: &'a RecipientState,
    pub visit: &'a Visit,
    pub grant: &'a Grant,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
}

/// What they are part of.
pub struct Content {
    /// For the audit trail: a number or a word of ours.
    pub what: String,
    pub parts: Vec<u32>,
    /// For the mail to the sender: the names of the files in it.
    pub names: Vec<String>,
    /// For the same mail: the subject of the message.
    pub subject: String,
    pub size: u64,
    /// Names this version of it (RFC 9110 8.8.3).
    pub tag: String,
}

impl Content {
    /// One part of the transfer; `names` is its own, where it is one of the files.
    pub fn part(
        grant: &Grant,
        index: &Index,
        part: u32,
        what: &str,
        names: &[&str],
    ) -> Result<Self, WebError> {
        let size = part_size(grant, part).ok_or(WebError::NotFound)?;
        let tag = format!("\"{}-{part}\"", grant.transfer().id);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let (what, subject) = (what.to_owned(), index.subject.clone());
        Ok(Self { what, parts: vec![part], names, subject, size, tag })
    }
}

/// Bytes of a part.
pub fn part_size(grant: &Grant, part: u32) -> Option<u64> {
    grant.transfer().parts.iter().find(|one| one.number == part).map(|one| one.size)
}

/// `GET /t/{token}/files/{number}`
pub async fn file(
    State(state): State<RecipientState>,
    visit: Visit,
    Path((token, number)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open_download(&state.access, &visit, &token, &headers).await?;
    let file = find(&index, &number)?;
    let content = Content::part(&grant, &index, file.part, &file.part.to_string(), &[&file.name])?;
    let request = Request { state: &state, visit: &visit, grant: &grant, method: &method, headers: &headers };
    // One type for all: the name's ending decides on the reader's side, and no browser shows it.
    let media_type = "application/octet-stream";
    request.send_part(content, file.part, |body| attachment(body, &file.name, media_type)).await
}

/// `GET /t/{token}/message.eml`
pub async fn original(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open_download(&state.access, &visit, &token, &headers).await?;
    let content = Content::part(&grant, &index, index.message, "message", &[])?;
    let request = Request { state: &state, visit: &visit, grant: &grant, method: &method, headers: &headers };
    let (name, media_type) = ("message.eml", "message/rfc822");
    request.send_part(content, index.message, |body| attachment(body, name, media_type)).await
}

/// The file with this number in the URL.
pub fn find<'a>(index: &'a Index, number: &str) -> Result<&'a IndexFile, WebError> {
    let number: u32 = number.parse().map_err(|_| WebError::NotFound)?;
    index.file(number).ok_or(WebError::NotFound)
}

impl Request<'_> {
    /// Sends what is asked for of one part; `around` makes the response.
    pub async fn send_part(
        self,
        content: Content,
        part: u32,
        around: impl FnOnce(Body) -> Result<Response, WebError>,
    ) -> Result<Response, WebError> {
        let grant = self.grant.clone();
        self.send(content, move |start, length| PartReader::new(grant, part, start, length), around).await
    }

    /// Sends what is asked for of `content`. `read` gives so many bytes of it from one of them on, `around` makes the
    /// response.
    pub async fn send<R: Read + Send + 'static>(
        self,
        content: Content,
        read: impl FnOnce(u64, u64) -> R,
        around: impl FnOnce(Body) -> Result<Response, WebError>,
    ) -> Result<Response, WebError> {
        let Self { state, visit, grant, method, headers } = self;
        let Content { what, parts, names, subject, size, tag } = content;
        let Some(span) = Span::asked(headers, &tag, size) else {
            let mut response = ranges::unsatisfiable(size)?;
            headers::sandbox(&mut response, POLICY)?;
            return Ok(response);
        };
        let noted = async {
            let handout = Handout { what, parts, whole: span.length == size, names, subject };
            state.handouts.download(visit, grant, method, handout).await
        };
        let body = async {
            match *method == Method::HEAD {
                true => Ok(Body::empty()),
                false => state.streams.body(visit, grant, read(span.start, span.length)).await,
            }
        };
        // The first bytes are made ready meanwhile; none goes out before the download has been noted.
        let ((), body) = tokio::try_join!(noted, body)?;
        let mut response = around(body)?;
        span.describe(&mut response, &tag, size)?;
        Ok(response)
    }
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
