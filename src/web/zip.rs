//! Everything as one ZIP, made while it is sent: nothing is kept, nothing compressed (most attachments
//! are already), zip64 where sizes need it, and it stops when the client does (H17).

use std::collections::HashSet;
use std::io::{self, Read, Write};

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

type Zip<W> = ZipWriter<StreamWriter<W>>;

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

fn add(zip: &mut Zip<&mut ChunkWriter>, grant: &Grant, part: u32, name: &str) -> io::Result<()> {
    let known = grant.transfer().parts.iter().find(|known| known.number == part);
    let size = known.ok_or(io::ErrorKind::NotFound)?.size;
    member(zip, name, size, &mut session::part(grant, part)?)
}

fn member<W: Write>(zip: &mut Zip<W>, name: &str, size: u64, octets: &mut dyn Read) -> io::Result<()> {
    zip.start_file(name, options(size))?;
    stream::copy(octets, zip, size)
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
    use std::io::{Seek, SeekFrom};

    use super::*;

    /// What is written, as far as it is not nought: 4 GiB need no room.
    #[derive(Default)]
    struct Tape {
        pieces: Vec<(u64, Vec<u8>)>,
        length: u64,
        place: u64,
    }

    impl Write for Tape {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            if octets.iter().any(|octet| *octet != 0) {
                self.pieces.push((self.length, octets.to_vec()));
            }
            self.length += octets.len() as u64;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Tape {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min((self.length - self.place.min(self.length)) as usize);
            let buffer = &mut buffer[..count];
            buffer.fill(0);
            for (start, piece) in &self.pieces {
                for (at, octet) in (*start..).zip(piece) {
                    if let Some(place) = at.checked_sub(self.place).filter(|place| *place < count as u64) {
                        buffer[place as usize] = *octet;
                    }
                }
            }
            self.place += count as u64;
            Ok(count)
        }
    }

    impl Seek for Tape {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            let place = match to {
                SeekFrom::Start(place) => Some(place),
                SeekFrom::Current(step) => self.place.checked_add_signed(step),
                SeekFrom::End(step) => self.length.checked_add_signed(step),
            };
            self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
            Ok(self.place)
        }
    }

    /// H17: a file, and a place in the archive, beyond 4 GiB.
    #[test]
    fn beyond_4_gib_it_is_zip64() {
        const LARGE: u64 = (4 << 30) + 1;
        let mut tape = Tape::default();
        let mut zip = ZipWriter::new_stream(&mut tape);
        member(&mut zip, "groot.bin", LARGE, &mut io::repeat(0)).unwrap();
        member(&mut zip, "klein.txt", 4, &mut &b"slot"[..]).unwrap();
        zip.finish().unwrap();
        let mut archive = zip::ZipArchive::new(tape).unwrap();
        assert_eq!(archive.by_name("groot.bin").unwrap().size(), LARGE);
        let mut small = String::new();
        archive.by_name("klein.txt").unwrap().read_to_string(&mut small).unwrap();
        assert_eq!(small, "slot");
    }

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
