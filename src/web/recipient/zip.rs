//! Everything as one ZIP, made while it is sent: nothing is kept, nothing compressed (most attachments are already), and
//! it stops when the client does (H17). It has a length, and can be taken up again like any file, because the checksums of
//! the parts are known before their bytes: they are sealed in the index. A transfer from before they were has those parts
//! read once more, when a checksum is asked for.

mod archive;
mod records;
#[cfg(test)]
pub(in crate::web) mod strict;

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use jiff::fmt::rfc2822::DateTimeParser;

use self::archive::{Archive, Member, Source};
use self::records::Modified;
use super::download::{Content, Request, attachment, part_size};
use super::parts::PartReader;
use super::{message, session};
use crate::calendar::Zone;
use crate::message::date::canonical;
use crate::message::name::Names;
use crate::transfer::access::Grant;
use crate::transfer::index::Index;
use crate::web::http::error::WebError;
use crate::web::http::stream;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

/// `GET /t/{token}/zip`
pub async fn download(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open_download(&state.access, &visit, &token, &headers).await?;
    let parts = index.files.iter().map(|file| file.part).chain([index.message]).collect();
    let names = index.files.iter().map(|file| file.name.clone()).collect();
    let subject = index.subject.clone();
    let (opened, zone) = (grant.clone(), visit.organisation.zone.clone());
    let archive = stream::blocking(move || archive(&opened, &index, &zone).map_err(WebError::unreadable));
    let archive = archive.await?;
    let id = &grant.transfer().id;
    let (name, tag) = (format!("zegel-{id}.zip"), format!("\"{id}-zip-{:08x}\"", archive.fingerprint()));
    let content = Content { what: "zip".into(), parts, names, subject, size: archive.size(), tag };
    let request = Request { state: &state, visit: &visit, grant: &grant, method: &method, headers: &headers };
    let read = |start, length| archive.read_from(start).take(length);
    request.send(content, read, |body| attachment(body, &name, "application/zip")).await
}

/// The files first, under their own names; then the message, under names that are still free. All of them have the date
/// of the message. Blocking.
fn archive(grant: &Grant, index: &Index, zone: &Zone) -> io::Result<Archive<Bytes>> {
    let mut names = Names::default();
    let part = |name, part| {
        let size = part_size(grant, part).ok_or(io::ErrorKind::NotFound)?;
        let crc32 = index.checksums.get(&part).copied();
        let source = Bytes::Part { grant: grant.clone(), part, size, crc32 };
        Ok::<_, io::Error>(Member { name, size, source })
    };
    let mut members = Vec::with_capacity(index.files.len() + 3);
    for file in &index.files {
        members.push(part(names.give(&file.name), file.part)?);
    }
    let html = index.html.map(|part| message::html(grant, index, part)).transpose()?.flatten();
    if let Some(dressed) = html {
        // Cleaned: on the reader's disk no sandbox is around it. The original is in the .eml.
        let (style, html) = (message::style_sheet(&dressed), &dressed.html);
        let head = format!("<!doctype html><meta charset=\"utf-8\"><style>{style}</style>");
        let page = format!("{head}<body dir=\"auto\">\n{html}").into_bytes();
        let (size, source) = (page.len() as u64, Bytes::page(page));
        members.push(Member { name: names.give("message.html"), size, source });
    }
    if let Some(text) = index.text {
        members.push(part(names.give("message.txt"), text)?);
    }
    members.push(part(names.give("message.eml"), index.message)?);
    Ok(Archive::new(members, modified(grant, index, zone)))
}

/// What the Date field says, where it is a date; else when the message came.
fn modified(grant: &Grant, index: &Index, zone: &Zone) -> Modified {
    let written = index.date.as_deref().and_then(canonical);
    let written = written.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
    Modified::at(&zone.local(written.unwrap_or(grant.transfer().created)))
}

/// Where the bytes of a member come from.
enum Bytes {
    Part { grant: Grant, part: u32, size: u64, crc32: Option<u32> },
    Page(Arc<[u8]>, u32),
}

impl Bytes {
    fn page(page: Vec<u8>) -> Self {
        let crc32 = crc32fast::hash(&page);
        Self::Page(page.into(), crc32)
    }
}

impl Source for Bytes {
    fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Part { grant, part, size, .. } => {
                Ok(Box::new(PartReader::new(grant.clone(), *part, offset, size.saturating_sub(offset))))
            }
            Self::Page(page, _) => {
                let mut page = Cursor::new(page.clone());
                page.set_position(offset);
                Ok(Box::new(page))
            }
        }
    }

    fn known_crc32(&self) -> Option<u32> {
        match self {
            Self::Part { crc32, .. } => *crc32,
            Self::Page(_, crc32) => Some(*crc32),
        }
    }
}
