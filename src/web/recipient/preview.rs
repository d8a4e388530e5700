//! Looking at a file without downloading it: text, cleaned HTML, pictures and PDF, told apart by their
//! bytes, and nothing else. SVG is never shown (C19). The server parses none of them (M09).
//!
//! `view` is a page of ours around `preview`, which is the file itself in a sandbox. A PDF is framed
//! without the frame's own `sandbox` attribute: Chromium's viewer refuses to start under the attribute,
//! but does start under the response's `Content-Security-Policy: sandbox` (seen with version 156), and that
//! one holds wherever the address is opened.

use std::io::Read;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;

use super::download::{self, Content, Request};
use super::handouts::Handout;
use super::html::pictures::{Names, Pictures};
use super::html::{CleanHtml, Dressed, MAX_READ};
use super::{message, parts, session};
use crate::message::html::decoded;
use crate::message::kind::{ending, picture_type};
use crate::transfer::access::Grant;
use crate::transfer::index::{Index, IndexFile};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::http::{headers, render, stream};
use crate::web::state::RecipientState;

/// For the bytes of a file that are shown as they are.
const POLICY: &str = "sandbox; default-src 'none'; frame-ancestors 'self'";
/// HTML and text beyond this are for a download.
const MAX_TEXT: u64 = 2 * 1024 * 1024;
/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 4096;

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PreviewKind {
    Picture(&'static str),
    Pdf,
    Html,
    /// With the character set it seems to be in.
    Text(&'static str),
}

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    file: &'a IndexFile,
    size: String,
    kind: Option<PreviewKind>,
    printed: Printed,
    /// There are pictures of elsewhere in it, which nobody fetches.
    has_remote: bool,
}

/// What is printed in the place of a frame, which paper would cut at its height.
enum Printed {
    None,
    Text(String),
    /// Sanitised, in bare elements.
    Html(String),
}

/// `GET /t/{token}/files/{number}/view`
pub async fn view(
    State(state): State<RecipientState>,
    visit: Visit,
    Path((token, number)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let file = download::find(&index, &number)?.clone();
    let kind = detect(grant.clone(), file.clone()).await?;
    let size = visit.size(&file.size);
    let (mut printed, mut has_remote) = (Printed::None, false);
    if let Some(PreviewKind::Html | PreviewKind::Text(_)) = kind
        && method != Method::HEAD
    {
        // What it says is on this page too, for paper.
        note(&state, &visit, &grant, &method, (&index, &file)).await?;
        printed = match kind {
            Some(PreviewKind::Text(charset)) => Printed::Text(text(grant, file.part, charset).await?),
            _ => {
                let dressed = html(grant, file.part).await?.unwrap_or_default();
                has_remote = dressed.has_remote;
                Printed::Html(dressed.plain)
            }
        };
    }
    render::page(&PreviewPage { visit: &visit, token: &token, file: &file, size, kind, printed, has_remote })
}

/// `GET /t/{token}/files/{number}/preview`
pub async fn content(
    State(state): State<RecipientState>,
    visit: Visit,
    Path((token, number)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open_download(&state.access, &visit, &token, &headers).await?;
    let file = download::find(&index, &number)?.clone();
    let kind = detect(grant.clone(), file.clone()).await?;
    let media_type = match kind.ok_or(WebError::NoPreview)? {
        PreviewKind::Picture(media_type) => media_type,
        PreviewKind::Pdf => "application/pdf",
        PreviewKind::Text("utf-8") => "text/plain; charset=utf-8",
        PreviewKind::Text(_) => "text/plain; charset=windows-1252",
        PreviewKind::Html => "text/html; charset=utf-8",
    };
    if kind == Some(PreviewKind::Html) {
        if method == Method::HEAD {
            return sandboxed(Body::empty(), media_type);
        }
        note(&state, &visit, &grant, &method, (&index, &file)).await?;
        return message::document(&visit, html(grant, file.part).await?);
    }
    let content = Content::part(&grant, &index, file.part, &file.part.to_string(), &[&file.name])?;
    let request = Request { state: &state, visit: &visit, grant: &grant, method: &method, headers: &headers };
    request.send_part(content, file.part, |body| sandboxed(body, media_type)).await
}

/// Somebody who has seen a file has it: for the sender that is a download.
async fn note(
    state: &RecipientState,
    visit: &Visit,
    grant: &Grant,
    method: &Method,
    (index, file): (&Index, &IndexFile),
) -> Result<(), WebError> {
    let (what, names) = (file.part.to_string(), vec![file.name.clone()]);
    let subject = index.subject.clone();
    let handout = Handout { what, parts: vec![file.part], whole: true, names, subject };
    state.handouts.download(visit, grant, method, handout).await
}

fn sandboxed(body: Body, media_type: &'static str) -> Result<Response, WebError> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers::sandbox(&mut response, POLICY)?;
    Ok(response)
}

/// An HTML file as the message would be shown; only pictures that are in it.
async fn html(grant: Grant, part: u32) -> Result<Option<Dressed>, WebError> {
    stream::blocking(move || {
        let bytes = read(&grant, part, MAX_READ)?;
        let Some(mut clean) = CleanHtml::of(&decoded(&bytes, None)) else { return Ok(None) };
        let embedded = clean.take_embedded();
        let pictures = Pictures::find(&clean.sources, embedded, &Names::of(&[]), |_| Ok(Vec::new()));
        Ok(Some(clean.dress(&pictures.map_err(WebError::unreadable)?)))
    })
    .await
}

/// A text file, in the character set that it seems to be in.
async fn text(grant: Grant, part: u32, charset: &'static str) -> Result<String, WebError> {
    stream::blocking(move || {
        let bytes = read(&grant, part, MAX_TEXT)?;
        Ok(decoded(&bytes, Some(charset)))
    })
    .await
}

fn read(grant: &Grant, part: u32, most: u64) -> Result<Vec<u8>, WebError> {
    let mut bytes = Vec::new();
    let read = parts::open(grant, part).and_then(|part| part.take(most).read_to_end(&mut bytes));
    read.map_err(WebError::unreadable)?;
    Ok(bytes)
}

/// Reads the beginning of a file and tells what it is.
async fn detect(grant: Grant, file: IndexFile) -> Result<Option<PreviewKind>, WebError> {
    stream::blocking(move || {
        let mut head = Vec::new();
        let read = parts::open(&grant, file.part).and_then(|part| part.take(HEAD).read_to_end(&mut head));
        read.map_err(WebError::unreadable)?;
        Ok(kind(&file, &head))
    })
    .await
}

/// Whether it is worth offering a preview: judged by name and type alone, without opening the file.
pub fn is_likely(file: &IndexFile) -> bool {
    let endings =
        ["png", "jpg", "jpeg", "gif", "webp", "pdf", "txt", "csv", "md", "log", "htm", "html", "ics"];
    endings.contains(&ending(&file.name).as_str())
}

fn kind(file: &IndexFile, head: &[u8]) -> Option<PreviewKind> {
    if let Some(media_type) = picture_type(head) {
        return Some(PreviewKind::Picture(media_type));
    }
    if head.starts_with(b"%PDF-") {
        return Some(PreviewKind::Pdf);
    }
    if !is_likely(file) || file.size > MAX_TEXT || head.contains(&0) {
        return None;
    }
    let name = file.name.to_ascii_lowercase();
    match std::str::from_utf8(head) {
        _ if name.ends_with(".html") || name.ends_with(".htm") => Some(PreviewKind::Html),
        Ok(_) => Some(PreviewKind::Text("utf-8")),
        // The head may end in the middle of a character.
        Err(error) if error.error_len().is_none() => Some(PreviewKind::Text("utf-8")),
        Err(_) => Some(PreviewKind::Text("windows-1252")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_and_svg_is_never_shown() {
        let file = |name: &str| IndexFile {
            part: 1,
            name: name.into(),
            media_type: "image/png".into(),
            size: 10,
            inline: false,
            content_id: None,
            content_location: None,
        };
        let kind = |name: &str, head: &[u8]| kind(&file(name), head);
        assert_eq!(kind("a.txt", b"\x89PNG\r\n\x1a\n.."), Some(PreviewKind::Picture("image/png")));
        assert_eq!(kind("a.exe", b"%PDF-1.7"), Some(PreviewKind::Pdf));
        assert_eq!(kind("a.png", b"<script>alert(1)</script>"), Some(PreviewKind::Text("utf-8")));
        assert_eq!(kind("a.HTM", b"<p>"), Some(PreviewKind::Html));
        assert_eq!(kind("a.txt", b"caf\xe9 x"), Some(PreviewKind::Text("windows-1252")));
        assert_eq!(kind("a.txt", b"caf\xc3"), Some(PreviewKind::Text("utf-8")));
        for (name, head) in [("a.svg", "<svg>"), ("a.xml", "<x/>"), ("a.docx", "PK"), ("a.txt", "a\0b")] {
            assert_eq!(kind(name, head.as_bytes()), None, "{name}");
        }
    }
}
