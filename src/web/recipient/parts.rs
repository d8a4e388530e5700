//! The parts of an opened transfer, read. What is wrong with one is told in words of I/O, with the [`AccessError`] in
//! them, because most of it is read on its way to a browser.
//!
//! [`AccessError`]: crate::transfer::access::AccessError

use std::io::{self, Read};

use crate::transfer::access::Grant;
use crate::web::http::error::WebError;
use crate::web::http::stream;

/// A part's plaintext. Blocking.
pub fn open(grant: &Grant, number: u32) -> io::Result<OpenedPart> {
    open_at(grant, number, 0)
}

/// The same from byte `offset` on.
fn open_at(grant: &Grant, number: u32, offset: u64) -> io::Result<OpenedPart> {
    let opened = grant.open_at(number, offset).map_err(io::Error::other)?;
    Ok(OpenedPart { grant: grant.clone(), number, opened })
}

/// A part that is being read.
pub struct OpenedPart {
    grant: Grant,
    number: u32,
    opened: Box<dyn Read + Send>,
}

impl Read for OpenedPart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.opened.read(buffer);
        read.map_err(|error| io::Error::new(error.kind(), self.grant.unreadable(self.number, &error)))
    }
}

/// Fails where one of these parts is gone for good: asked before anything of them is handed out.
pub async fn check(grant: &Grant, parts: &[u32]) -> Result<(), WebError> {
    let (grant, parts) = (grant.clone(), parts.to_vec());
    let check = move || parts.iter().try_for_each(|part| grant.check(*part));
    stream::blocking(move || check().map_err(|error| WebError::access(error, ""))).await
}

/// The bytes of a part, or some of them; it is opened when the first are asked for. Blocking.
pub struct PartReader {
    grant: Grant,
    part: u32,
    start: u64,
    left: u64,
    opened: Option<OpenedPart>,
}

impl PartReader {
    /// `length` bytes of the part, from `start` on.
    pub fn new(grant: Grant, part: u32, start: u64, length: u64) -> Self {
        Self { grant, part, start, left: length, opened: None }
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut opened = match self.opened.take() {
            Some(opened) => opened,
            None => open_at(&self.grant, self.part, self.start)?,
        };
        let wanted = (buffer.len() as u64).min(self.left);
        let read = opened.by_ref().take(wanted).read(buffer)?;
        if read == 0 && wanted > 0 {
            return Err(shorter());
        }
        self.left -= read as u64;
        self.opened = Some(opened);
        Ok(read)
    }
}

fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a sealed part is shorter than its index says")
}
