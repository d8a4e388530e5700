//! Everything as one ZIP, made while it is sent: nothing is kept, nothing compressed (most attachments
//! are already), zip64 where sizes need it, and it stops when the client does (H17).

use std::collections::VecDeque;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};

use super::handouts::Handout;
use super::parts::PartReader;
use super::{download, message, session};
use crate::message::name::Names;
use crate::transfer::access::Grant;
use crate::transfer::index::Index;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

/// What is written at once.
const PIECE: usize = 64 * 1024;

/// `GET /t/{token}/zip`
pub async fn download(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let name = format!("zegel-{}.zip", grant.transfer().id);
    if method == Method::HEAD {
        return download::attachment(axum::body::Body::empty(), &name, "application/zip");
    }
    let fetched = index.files.iter().map(|file| file.part).chain([index.message]).collect();
    let names = index.files.iter().map(|file| file.name.clone()).collect();
    let handout = Handout { what: "zip".into(), parts: fetched, whole: true, names };
    state.handouts.download(&visit, &grant, &method, handout).await?;
    let archive = Archive::new(members(grant.clone(), index));
    let body = state.streams.body(&visit, &grant, archive).await?;
    download::attachment(body, &name, "application/zip")
}

/// What is to be in the archive: the files first, under their own names; then the message, under names that are still
/// free.
fn members(grant: Grant, index: Index) -> impl Iterator<Item = io::Result<Member>> + Send {
    let mut names = Names::default();
    let mut plan: Vec<(String, Content)> =
        index.files.iter().map(|file| (names.give(&file.name), Content::Part(file.part))).collect();
    plan.extend(index.html.map(|part| (names.give("message.html"), Content::Html(part))));
    plan.extend(index.text.map(|part| (names.give("message.txt"), Content::Part(part))));
    plan.push((names.give("message.eml"), Content::Part(index.message)));
    plan.into_iter().filter_map(move |(name, content)| content.open(&grant, &index, name).transpose())
}

/// Where the bytes of a member come from.
enum Content {
    Part(u32),
    Html(u32),
}

impl Content {
    /// Nothing, where there is no HTML that can be shown.
    fn open(self, grant: &Grant, index: &Index, name: String) -> io::Result<Option<Member>> {
        match self {
            Self::Part(part) => {
                let known = grant.transfer().parts.iter().find(|known| known.number == part);
                let size = known.ok_or(io::ErrorKind::NotFound)?.size;
                let bytes = Box::new(PartReader::new(grant.clone(), part, 0, size));
                Ok(Some(Member { name, size, bytes }))
            }
            // Cleaned: on the reader's disk no sandbox is around it. The original is in the .eml.
            Self::Html(part) => {
                let Some(dressed) = message::html(grant, index, part)? else { return Ok(None) };
                let (style, html) = (message::style_sheet(&dressed), &dressed.html);
                let page = format!(
                    "<!doctype html><meta charset=\"utf-8\"><style>{style}</style><body dir=\"auto\">\n{html}"
                );
                let page = page.into_bytes();
                Ok(Some(Member { name, size: page.len() as u64, bytes: Box::new(Cursor::new(page)) }))
            }
        }
    }
}

/// One file of the archive.
struct Member {
    name: String,
    size: u64,
    bytes: Box<dyn Read + Send>,
}

/// What has been made of an archive and not been read yet.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<VecDeque<u8>>>);

impl Made {
    fn lock(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The archive as somebody reads it: no more of it is made than is asked for, so that nothing waits for a slow reader.
struct Archive<M> {
    members: M,
    /// None once it is complete.
    zip: Option<ZipWriter<StreamWriter<Made>>>,
    /// The member that is being written.
    bytes: Option<Box<dyn Read + Send>>,
    piece: Vec<u8>,
    made: Made,
}

impl<M: Iterator<Item = io::Result<Member>>> Archive<M> {
    fn new(members: M) -> Self {
        let made = Made::default();
        let zip = Some(ZipWriter::new_stream(made.clone()));
        Self { members, zip, bytes: None, piece: vec![0; PIECE], made }
    }

    /// Makes a little more of it, if there is more.
    fn make(&mut self) -> io::Result<bool> {
        let Some(zip) = &mut self.zip else { return Ok(false) };
        if let Some(bytes) = &mut self.bytes {
            let read = bytes.read(&mut self.piece)?;
            zip.write_all(self.piece.get(..read).unwrap_or_default())?;
            if read == 0 {
                self.bytes = None;
            }
        } else if let Some(member) = self.members.next() {
            let Member { name, size, bytes } = member?;
            zip.start_file(name, options(size))?;
            self.bytes = Some(bytes);
        } else if let Some(zip) = self.zip.take() {
            zip.finish()?;
        }
        Ok(true)
    }
}

impl<M: Iterator<Item = io::Result<Member>>> Read for Archive<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.made.lock().read(buffer)?;
            if read > 0 || !self.make()? {
                return Ok(read);
            }
        }
    }
}

fn options(size: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(size >= u64::from(u32::MAX))
        .unix_permissions(0o644)
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
        let member = |name: &str, size, bytes| Ok(Member { name: name.to_owned(), size, bytes });
        let zeros: Box<dyn Read + Send> = Box::new(io::repeat(0).take(LARGE));
        let small: Box<dyn Read + Send> = Box::new(&b"slot"[..]);
        let members = [member("groot.bin", LARGE, zeros), member("klein.txt", 4, small)];
        let mut tape = Tape::default();
        io::copy(&mut Archive::new(members.into_iter()), &mut tape).unwrap();
        let mut archive = zip::ZipArchive::new(tape).unwrap();
        assert_eq!(archive.by_name("groot.bin").unwrap().size(), LARGE);
        let mut small = String::new();
        archive.by_name("klein.txt").unwrap().read_to_string(&mut small).unwrap();
        assert_eq!(small, "slot");
    }
}
