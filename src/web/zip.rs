//! Everything as one ZIP, made while it is sent: nothing is kept, nothing compressed (most attachments
//! are already), zip64 where sizes need it, and it stops when the client does (H17).

use std::collections::HashSet;
use std::io::{self, Write};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::error::WebError;
use super::page::Visit;
use super::stream::{self, ChunkWriter};
use super::{Parts, download, message, session};
use crate::transfer::access::Grant;
use crate::transfer::index::Index;

/// `GET /t/{token}/zip`
pub async fn download(
    State(parts): State<Parts>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&parts, &visit, &token, &headers).await?;
    let name = format!("zegel-{}.zip", grant.transfer().id);
    if method == Method::HEAD {
        return download::attachment(axum::body::Body::empty(), &name, "application/zip");
    }
    if download::counts(&method, &headers) {
        let fetched = index.files.iter().map(|file| file.part).chain([index.message]).collect();
        let names = index.files.iter().map(|file| file.name.clone()).collect();
        download::note(&parts, &visit, &grant, "zip", fetched, names).await?;
    }
    let watch = parts.watch(&grant);
    let body = parts.streams.body(watch, move |writer| write(&grant, &index, writer)).await?;
    download::attachment(body, &name, "application/zip")
}

type Zip<'a> = ZipWriter<StreamWriter<&'a mut ChunkWriter>>;

/// The files first, under their own names; then the message, under names that are still free.
fn write(grant: &Grant, index: &Index, writer: &mut ChunkWriter) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(writer);
    let mut names = Names::default();
    for file in &index.files {
        add(&mut zip, grant, file.part, &names.free(&file.name))?;
    }
    // Cleaned: on the reader's disk no sandbox is around it. The original is in the .eml.
    let html = index.html.map(|part| message::html(grant, index, part)).transpose()?.flatten();
    if let Some(html) = html {
        zip.start_file(names.free("message.html"), options(html.len() as u64))?;
        zip.write_all(b"<!doctype html><meta charset=\"utf-8\">\n")?;
        zip.write_all(html.as_bytes())?;
    }
    if let Some(part) = index.text {
        add(&mut zip, grant, part, &names.free("message.txt"))?;
    }
    add(&mut zip, grant, index.message, &names.free("message.eml"))?;
    zip.finish()?;
    Ok(())
}

fn add(zip: &mut Zip<'_>, grant: &Grant, part: u32, name: &str) -> io::Result<()> {
    let known = grant.transfer().parts.iter().find(|known| known.number == part);
    let size = known.ok_or(io::ErrorKind::NotFound)?.size;
    zip.start_file(name, options(size))?;
    stream::copy(&mut session::part(grant, part)?, zip, size)
}

fn options(size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(size >= u64::from(u32::MAX))
        .unix_permissions(0o644)
}

/// Gives every member a name of its own, letter case aside, as Windows wants it. The names were made safe
/// when the transfer was sealed; a separator would still not get through here (C20).
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn free(&mut self, wanted: &str) -> String {
        let safe: String =
            wanted.chars().map(|c| if c == '/' || c == '\\' || c.is_control() { '_' } else { c }).collect();
        let safe = if safe.trim_matches('.').is_empty() { "_".to_owned() } else { safe };
        let (stem, ending) =
            safe.rsplit_once('.').map_or((safe.as_str(), ""), |(stem, ending)| (stem, ending));
        let dot = if ending.is_empty() { "" } else { "." };
        let numbered = |number: usize| match number {
            1 => safe.clone(),
            number => format!("{stem} ({number}){dot}{ending}"),
        };
        let free = (1..).map(numbered).find(|name| self.0.insert(name.to_lowercase()));
        free.unwrap_or(safe.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_one_safe_name_of_its_own() {
        let mut names = Names::default();
        assert_eq!(names.free("a.pdf"), "a.pdf");
        assert_eq!(names.free("A.PDF"), "A (2).PDF");
        assert_eq!(names.free("a.pdf"), "a (3).pdf");
        assert_eq!(names.free("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(names.free("..\\x"), ".._x");
        assert_eq!(names.free(".."), "_");
        assert_eq!(names.free("message.eml"), "message.eml");
    }
}
