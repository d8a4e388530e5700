//! Which extension goes with which media type; used by `mime`, for files that came with one of the two.

use super::kind::ending;

/// Extensions and the media types they tell; of several the first is given to a file without one.
const TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("zip", "application/x-zip-compressed"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("json", "application/json"),
    ("rtf", "application/rtf"),
    ("rtf", "text/rtf"),
    ("xml", "application/xml"),
    ("xml", "text/xml"),
    ("jpg", "image/jpeg"),
    ("jpg", "image/jpg"),
    ("jpg", "image/pjpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("bmp", "image/bmp"),
    ("svg", "image/svg+xml"),
    ("heic", "image/heic"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
    ("vcf", "text/x-vcard"),
    ("eml", "message/rfc822"),
    ("p7m", "application/pkcs7-mime"),
    ("p7m", "application/x-pkcs7-mime"),
    ("p7s", "application/pkcs7-signature"),
    ("p7s", "application/x-pkcs7-signature"),
    ("asc", "application/pgp-signature"),
    ("asc", "application/pgp-encrypted"),
];

/// The extension for a file of this type.
pub fn extension(media_type: &str) -> &'static str {
    let known = TYPES.iter().find(|(_, known)| *known == media_type);
    let is_text = media_type.starts_with("text/") || media_type.starts_with("message/");
    known.map_or(if is_text { "txt" } else { "bin" }, |(extension, _)| extension)
}

/// The media type that a file name tells; never to be trusted.
pub fn media_type_of(name: &str) -> &'static str {
    let ending = ending(name);
    let known = TYPES.iter().find(|(known, _)| ending == *known);
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_text_or_octets() {
        for (media_type, expected) in [
            ("application/pdf", "pdf"),
            ("image/jpeg", "jpg"),
            ("text/x-odd", "txt"),
            ("message/x-odd", "txt"),
            ("application/x-odd", "bin"),
        ] {
            assert_eq!(extension(media_type), expected, "{media_type}");
        }
        for (name, expected) in [
            ("a.b.PDF", "application/pdf"),
            ("a.jpeg", "image/jpeg"),
            ("a.odd", "application/octet-stream"),
            ("pdf", "application/octet-stream"),
        ] {
            assert_eq!(media_type_of(name), expected, "{name}");
        }
    }
}
