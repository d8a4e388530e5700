//! The header fields of the tus protocol 1.0 (tus.io/protocols/resumable-upload), read and written: what a client says of
//! a file before a byte of it comes. Pure; `reply/upload` acts on it.
//!
//! Whatever is not exactly as tus writes it is [`Malformed`]: a length that is guessed costs somebody a file.

use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How much of the file the server has.
pub const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// Bytes of the whole file.
pub const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// `1`: the length comes later.
pub const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
/// Name and type.
pub const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// The type of every piece.
const PIECE: &str = "application/offset+octet-stream";

/// Not as tus writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Bytes of the whole file; `None` when the client does not know yet and says so.
pub fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    match (number(headers, &UPLOAD_LENGTH)?, headers.get(UPLOAD_DEFER_LENGTH)) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some(defer)) if defer == "1" => Ok(None),
        _ => Err(Malformed),
    }
}

/// The number in a field, where there is one. Digits only: `+5` and ` 5` are not numbers in a header field.
pub fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Malformed> {
    let Some(field) = headers.get(name) else { return Ok(None) };
    let digits = field.to_str().ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or(Malformed)
}

/// Whether the body is a piece of a file.
pub fn is_piece(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|field| field == PIECE)
}

/// Name and type from `Upload-Metadata`: pairs of a key and a value in Base64, with commas between them.
pub fn metadata(headers: &HeaderMap) -> Result<(String, String), Malformed> {
    let field = headers.get(UPLOAD_METADATA).map_or(Ok(""), HeaderValue::to_str);
    let (mut name, mut media_type) = (String::new(), String::new());
    for pair in field.map_err(|_| Malformed)?.split(',') {
        let (key, encoded) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
        let decoded = STANDARD.decode(encoded.trim()).map_err(|_| Malformed)?;
        let text = String::from_utf8(decoded).map_err(|_| Malformed)?;
        match key {
            "filename" | "name" => name = text,
            "filetype" | "type" => media_type = text,
            _ => {}
        }
    }
    Ok((name, media_type))
}

/// The same the other way round.
pub fn describe(name: &str, media_type: &str) -> String {
    format!("filename {},filetype {}", STANDARD.encode(name), STANDARD.encode(media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        fields.iter().map(pair).collect()
    }

    #[test]
    fn reads_names_and_types() {
        let read = |field: &str| metadata(&headers(&[("upload-metadata", field)])).ok();
        let pair = |name: &str, kind: &str| Some((name.to_owned(), kind.to_owned()));
        assert_eq!(read("filename Zm90by5qcGc=,filetype aW1hZ2UvanBlZw=="), pair("foto.jpg", "image/jpeg"));
        assert_eq!(
            read("filetype aW1hZ2UvanBlZw== , filename w6k=, is_confidential"),
            pair("é", "image/jpeg")
        );
        assert_eq!(read(&describe("é, \".jpg", "image/jpeg")), pair("é, \".jpg", "image/jpeg"));
        assert_eq!(read(""), pair("", ""));
        assert_eq!(read("filename ==="), None);
        assert_eq!(read("filename /w=="), None, "not UTF-8");
    }

    #[test]
    fn a_length_is_known_or_deferred() {
        let read = |fields: &[(&'static str, &str)]| length(&headers(fields)).ok();
        assert_eq!(read(&[("upload-length", "12")]), Some(Some(12)));
        assert_eq!(read(&[("upload-defer-length", "1")]), Some(None));
        for wrong in ["", "-1", "+1", "1.5", "99999999999999999999", "1,2"] {
            assert_eq!(read(&[("upload-length", wrong)]), None, "{wrong}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("upload-defer-length", "2")]), None);
        assert_eq!(read(&[("upload-length", "1"), ("upload-defer-length", "1")]), None);
    }
}
