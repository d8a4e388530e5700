//! `multipart/form-data` (RFC 7578) as browsers send it, taken apart while it comes. Nothing of it is ever held as a
//! whole: a text is bounded, a file is a stream. `reply/form` knows what the fields mean.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use multer::{Constraints, Field, Multipart, SizeLimit};

/// A field of text that is longer is none of ours; what people can read is far less.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Why a form cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// It is no form, or a damaged one.
    Malformed,
    /// A text, or all of it, is too long.
    TooLarge,
    /// It stopped coming.
    Broken,
}

impl From<multer::Error> for FormFault {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::StreamReadFailed(cause) => {
                match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
                    Some(io::ErrorKind::FileTooLarge) => Self::TooLarge,
                    _ => Self::Broken,
                }
            }
            _ => Self::Malformed,
        }
    }
}

/// A form whose bytes come in `pieces`. The caller decides how long its files may be.
pub fn open<'a>(
    content_type: &str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'a,
) -> Result<Multipart<'a>, FormFault> {
    within(SizeLimit::new().for_field("file", u64::MAX), content_type, pieces)
}

/// A form of which only the texts in front of the files are wanted.
pub fn open_texts<'a>(
    content_type: &str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'a,
) -> Result<Multipart<'a>, FormFault> {
    within(SizeLimit::new().whole_stream(2 * MAX_TEXT as u64), content_type, pieces)
}

fn within<'a>(
    limit: SizeLimit,
    content_type: &str,
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'a,
) -> Result<Multipart<'a>, FormFault> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| FormFault::Malformed)?;
    Ok(Multipart::with_constraints(pieces, boundary, Constraints::new().size_limit(limit)))
}

/// The whole of a field of text.
pub async fn text(mut field: Field<'_>) -> Result<String, FormFault> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await? {
        if bytes.len() + piece.len() > MAX_TEXT {
            return Err(FormFault::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads past the rest of a field.
pub async fn skip(mut field: Field<'_>) -> Result<(), FormFault> {
    while field.chunk().await?.is_some() {}
    Ok(())
}
