//! What a browser or a tus client sends with a file: fields that read the same when written again, and a form that means
//! the same however it is cut (H16, C20). The input is the value of `Upload-Metadata` in its first line, that of
//! `Upload-Length` in its second, that of `Content-Type` in its third, and a body.

use std::io;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::FutureExt;
use zegel::message::rewrite::safe_name;
use zegel::web::http::multipart::{self, FormFault, MAX_TEXT};
use zegel::web::http::tus;

use crate::step;

pub fn holds(input: &[u8]) {
    let mut pieces = input.splitn(4, |octet| *octet == b'\n');
    let mut line = || pieces.next().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or_default();
    let (metadata, length, content_type) = (line(), line(), line());
    describes(metadata);
    counts(length);
    let Ok(content_type) = std::str::from_utf8(content_type) else { return };
    let body = line();
    let whole = form(content_type, body, body.len());
    assert_eq!(form(content_type, body, step(body)), whole, "cut elsewhere");
    assert_eq!(form(content_type, body, 1), whole, "octet by octet");
}

fn header(name: &axum::http::HeaderName, value: &[u8]) -> Option<HeaderMap> {
    HeaderValue::from_bytes(value).ok().map(|value| HeaderMap::from_iter([(name.clone(), value)]))
}

fn describes(metadata: &[u8]) {
    let Some(headers) = header(&tus::UPLOAD_METADATA, metadata) else { return };
    let Ok((name, media_type)) = tus::metadata(&headers) else { return };
    let again = header(&tus::UPLOAD_METADATA, tus::describe(&name, &media_type).as_bytes());
    assert_eq!(tus::metadata(&again.expect("Base64 is a header value")), Ok((name.clone(), media_type)));
    let safe = safe_name(&name);
    assert_eq!(safe_name(&safe), safe);
    assert!(
        !safe.is_empty() && safe.len() <= 255 && !safe.contains(['/', '\\', '\0']) && safe != "..",
        "{safe:?}"
    );
}

fn counts(length: &[u8]) {
    let Some(headers) = header(&tus::UPLOAD_LENGTH, length) else { return };
    match tus::length(&headers) {
        Ok(Some(number)) => {
            let digits = std::str::from_utf8(length).expect("a number is text").trim_start_matches('0');
            assert_eq!(digits, if number == 0 { String::new() } else { number.to_string() });
        }
        Ok(None) => panic!("a length that is there is not deferred"),
        Err(tus::Malformed) => {}
    }
}

/// A field: its name, its file name, and what is in it.
type Read = (Option<String>, Option<String>, String);

/// Every field of the form, read from pieces of this length, or why it could not be read.
fn form(content_type: &str, body: &[u8], step: usize) -> Result<Vec<Read>, FormFault> {
    let pieces: Vec<io::Result<Bytes>> =
        body.chunks(step.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let form = multipart::open(content_type, futures_util::stream::iter(pieces))?;
    let read = async move {
        let (mut form, mut fields) = (form, Vec::new());
        while let Some(field) = form.next_field().await.map_err(FormFault::from)? {
            let (name, file) = (field.name().map(str::to_owned), field.file_name().map(str::to_owned));
            let text = multipart::text(field).await?;
            assert!(text.len() <= 3 * MAX_TEXT);
            fields.push((name, file, text));
        }
        Ok(fields)
    };
    read.now_or_never().expect("all of it is there")
}
