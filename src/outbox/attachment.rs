//! Mails that are larger than memory: answers with their files, which go from sealed pieces to the sealed mail in blocks
//! (H15).

use std::io::{self, Cursor, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::message::crlf::CrlfBytes;
use crate::message::traits::Traits;

/// Bytes of a file that are encoded at once: whole lines of base64.
const ENCODED_AT_ONCE: usize = 57 * 1024;

/// A file that goes along with a mail.
pub struct Attachment {
    /// A safe name.
    pub name: String,
    /// As somebody declared it.
    pub media_type: String,
    /// In bytes.
    pub size: u64,
    /// What is in it.
    pub source: Box<dyn Read + Send>,
}

/// A mail with files: all that stands before the first of them, and each with all that stands behind it.
pub struct StreamedMail {
    /// With the header of the mail.
    pub start: CrlfBytes,
    /// In their order.
    pub files: Vec<(Attachment, CrlfBytes)>,
}

impl StreamedMail {
    /// What the whole mail is like.
    pub fn traits(&self) -> Traits {
        let mut traits = Traits::of(self.start.as_slice());
        for (file, text) in &self.files {
            let behind = Traits::of(text.as_slice());
            traits.eight_bit |= behind.eight_bit;
            traits.size += encoded_size(file.size) + behind.size;
        }
        traits
    }

    /// Its bytes. The files are read as these are.
    pub fn into_source(self) -> Box<dyn Read + Send> {
        let start: Box<dyn Read + Send> = Box::new(Cursor::new(self.start.into_vec()));
        self.files.into_iter().fold(start, |source, (file, text)| {
            Box::new(source.chain(Base64Lines::new(file.source)).chain(Cursor::new(text.into_vec())))
        })
    }
}

/// How large `size` bytes are in base64, with lines of 76 characters and their ends.
pub fn encoded_size(size: u64) -> u64 {
    size.div_ceil(3) * 4 + size.div_ceil(57) * 2
}

/// What it reads, in base64 with lines of 76 characters (RFC 2045 6.8).
struct Base64Lines<R> {
    source: R,
    lines: Cursor<Vec<u8>>,
}

impl<R: Read> Base64Lines<R> {
    /// Encodes `source`.
    fn new(source: R) -> Self {
        Self { source, lines: Cursor::default() }
    }

    /// The next lines; all but the last are whole, because as much is read as there is.
    fn advance(&mut self) -> io::Result<()> {
        let mut plain = Vec::with_capacity(ENCODED_AT_ONCE);
        self.source.by_ref().take(ENCODED_AT_ONCE as u64).read_to_end(&mut plain)?;
        let mut lines = String::with_capacity(plain.len() / 57 * 78 + 78);
        for line in plain.chunks(57) {
            STANDARD.encode_string(line, &mut lines);
            lines.push_str("\r\n");
        }
        self.lines = Cursor::new(lines.into_bytes());
        Ok(())
    }
}

impl<R: Read> Read for Base64Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.lines.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        self.advance()?;
        self.lines.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_long_as_said() {
        for size in [0, 1, 56, 57, 58, 114, 57 * 1024 - 1, 57 * 1024, 57 * 1024 + 1, 200_000] {
            let plain: Vec<u8> = (0..size).map(|at| (at * 31) as u8).collect();
            let mut encoded = Vec::new();
            Base64Lines::new(&plain[..]).read_to_end(&mut encoded).unwrap();
            assert_eq!(encoded.len() as u64, encoded_size(size as u64), "{size}");
            assert!(encoded.split(|c| *c == b'\n').all(|line| line.len() <= 77));
            let text: Vec<u8> = encoded.into_iter().filter(|c| !c.is_ascii_whitespace()).collect();
            let decoded = STANDARD.decode(text).unwrap();
            assert_eq!(decoded, plain);
        }
    }
}
