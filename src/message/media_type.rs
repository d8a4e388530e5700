//! Which extension goes with which media type; used by `mime`, for files that came with one of the two.

use super::kind::ending;
use super::name::safe_name;

/// Extensions and the media types they tell; of several the first is given to a file without one.
const TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("pdf", "application/x-pdf"),
    ("pdf", "application/acrobat"),
    ("zip", "application/zip"),
    ("zip", "application/x-zip-compressed"),
    ("zip", "application/x-zip"),
    ("7z", "application/x-7z-compressed"),
    ("rar", "application/vnd.rar"),
    ("rar", "application/x-rar-compressed"),
    ("gz", "application/gzip"),
    ("gz", "application/x-gzip"),
    ("tar", "application/x-tar"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("docm", "application/vnd.ms-word.document.macroenabled.12"),
    ("dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
    ("dotm", "application/vnd.ms-word.template.macroenabled.12"),
    ("xls", "application/vnd.ms-excel"),
    ("xls", "application/msexcel"),
    ("xls", "application/x-msexcel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xlsm", "application/vnd.ms-excel.sheet.macroenabled.12"),
    ("xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12"),
    ("xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("ppt", "application/mspowerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12"),
    ("ppsx", "application/vnd.openxmlformats-officedocument.presentationml.slideshow"),
    ("potx", "application/vnd.openxmlformats-officedocument.presentationml.template"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ott", "application/vnd.oasis.opendocument.text-template"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("ots", "application/vnd.oasis.opendocument.spreadsheet-template"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("odg", "application/vnd.oasis.opendocument.graphics"),
    ("odf", "application/vnd.oasis.opendocument.formula"),
    ("msg", "application/vnd.ms-outlook"),
    ("mpp", "application/vnd.ms-project"),
    ("vsd", "application/vnd.visio"),
    ("vsdx", "application/vnd.ms-visio.drawing"),
    ("pub", "application/x-mspublisher"),
    ("one", "application/onenote"),
    ("xps", "application/vnd.ms-xpsdocument"),
    ("pages", "application/vnd.apple.pages"),
    ("numbers", "application/vnd.apple.numbers"),
    ("key", "application/vnd.apple.keynote"),
    ("epub", "application/epub+zip"),
    ("eps", "application/postscript"),
    ("json", "application/json"),
    ("geojson", "application/geo+json"),
    ("rtf", "application/rtf"),
    ("rtf", "text/rtf"),
    ("xml", "application/xml"),
    ("xml", "text/xml"),
    ("xhtml", "application/xhtml+xml"),
    ("kml", "application/vnd.google-earth.kml+xml"),
    ("kmz", "application/vnd.google-earth.kmz"),
    ("gpx", "application/gpx+xml"),
    ("jpg", "image/jpeg"),
    ("jpg", "image/jpg"),
    ("jpg", "image/pjpeg"),
    ("jpeg", "image/jpeg"),
    ("jpe", "image/jpeg"),
    ("jfif", "image/jpeg"),
    ("png", "image/png"),
    ("png", "image/x-png"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("bmp", "image/bmp"),
    ("bmp", "image/x-ms-bmp"),
    ("svg", "image/svg+xml"),
    ("heic", "image/heic"),
    ("heic", "image/heic-sequence"),
    ("heif", "image/heif"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("ico", "image/vnd.microsoft.icon"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("dwg", "image/vnd.dwg"),
    ("dxf", "image/vnd.dxf"),
    ("mp3", "audio/mpeg"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("wav", "audio/x-wav"),
    ("wav", "audio/wave"),
    ("wav", "audio/vnd.wave"),
    ("m4a", "audio/mp4"),
    ("m4a", "audio/x-m4a"),
    ("aac", "audio/aac"),
    ("amr", "audio/amr"),
    ("ogg", "audio/ogg"),
    ("opus", "audio/opus"),
    ("flac", "audio/flac"),
    ("wma", "audio/x-ms-wma"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("m4v", "video/x-m4v"),
    ("mpg", "video/mpeg"),
    ("mpeg", "video/mpeg"),
    ("avi", "video/x-msvideo"),
    ("wmv", "video/x-ms-wmv"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
    ("3gp", "video/3gpp"),
    ("3gp", "audio/3gpp"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("csv", "application/csv"),
    ("tsv", "text/tab-separated-values"),
    ("md", "text/markdown"),
    ("css", "text/css"),
    ("ics", "text/calendar"),
    ("ics", "application/ics"),
    ("ics", "text/x-vcalendar"),
    ("vcf", "text/vcard"),
    ("vcf", "text/x-vcard"),
    ("vcf", "text/directory"),
    ("eml", "message/rfc822"),
    ("eml", "message/global"),
    ("p7m", "application/pkcs7-mime"),
    ("p7m", "application/x-pkcs7-mime"),
    ("p7s", "application/pkcs7-signature"),
    ("p7s", "application/x-pkcs7-signature"),
    ("p7b", "application/x-pkcs7-certificates"),
    ("p12", "application/x-pkcs12"),
    ("p12", "application/pkcs12"),
    ("cer", "application/pkix-cert"),
    ("cer", "application/x-x509-ca-cert"),
    ("asc", "application/pgp-signature"),
    ("asc", "application/pgp-encrypted"),
    ("asc", "application/pgp-keys"),
];

/// Other endings that are an extension: a file that has one needs no second.
const EXTENSIONS: &str = "dot pps xlt xlam mdb accdb mht mhtml eml emlx mbox odc odi fodt fods \
    log ini conf cfg yml yaml sql xsd xsl dtd gml shp gpkg las laz ifc dgn stl step stp skp idml indd ai cdr ps \
    tgz bz2 xz zst cab iso dat bak tmp jpe raw cr2 nef dng tga wmf emf aiff aif mid oga ogv vob flv mts \
    p7c pfx crt pem csr der sig gpg pgp xbrl ubl edi sgn mobi azw3 vcs ttf otf woff woff2 lnk url";

/// Types that say little of the format: whatever looks like an extension is better than ours.
const OPEN_TYPES: &[&str] = &[
    "application/gzip",
    "application/json",
    "application/x-gzip",
    "application/x-zip",
    "application/x-zip-compressed",
    "application/xml",
    "application/zip",
];

/// Letters and digits behind the last dot that may be an extension which nobody has told us of.
const MAX_EXTENSION: usize = 10;

/// What is only known to be bytes, and its extension.
const OCTETS: &str = "application/octet-stream";
const UNKNOWN: &str = "bin";

/// The extension for a file of this type.
pub fn extension(media_type: &str) -> &'static str {
    let known = TYPES.iter().find(|(_, known)| *known == media_type);
    let is_text = media_type.starts_with("text/") || media_type.starts_with("message/");
    known.map_or(if is_text { "txt" } else { UNKNOWN }, |(extension, _)| extension)
}

/// The name of a file of this type with an extension by which it can be opened. A dot alone makes none: in "Brief aan dhr. Jansen"
/// and "Overzicht 1.2" it belongs to the name.
pub fn with_extension(name: &str, media_type: &str) -> String {
    let extension = extension(media_type);
    // Without blanks and dots at its end, and without what nobody sees.
    let safe = safe_name(name);
    let ending = ending(&safe);
    let is_open = media_type.starts_with("text/") || OPEN_TYPES.contains(&media_type);
    let is_extension = is_known(&ending) || is_open && could_be_extension(&ending) || extension == UNKNOWN;
    if is_extension { name.to_owned() } else { format!("{safe}.{extension}") }
}

fn is_known(ending: &str) -> bool {
    TYPES.iter().any(|(known, _)| ending == *known)
        || EXTENSIONS.split_whitespace().any(|known| ending == known)
}

fn could_be_extension(ending: &str) -> bool {
    ending.len() <= MAX_EXTENSION
        && ending.bytes().all(|c| c.is_ascii_alphanumeric())
        && ending.bytes().any(|c| c.is_ascii_alphabetic())
}

/// The media type that Content-Type says, in lower case and without blanks. What is none is what it may stand for, else
/// what the name of the file tells, else plain text (RFC 2045 5.2).
pub fn declared(value: &str, name: impl FnOnce() -> Option<String>) -> String {
    if value.split_once('/').is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty()) {
        return value.to_owned();
    }
    let word = value.trim_matches('/');
    let subtype = |media_type: &str| media_type.split_once('/').is_some_and(|(_, subtype)| subtype == word);
    let known = || TYPES.iter().find(|(known, media_type)| word == *known || subtype(media_type));
    let declared = match word {
        "" | "text" => "text/plain",
        "mixed" | "alternative" | "related" | "digest" | "report" | "signed" => {
            return format!("multipart/{word}");
        }
        "multipart" => "multipart/mixed",
        "application" | "image" | "audio" | "video" | "binary" | "octet-stream" => OCTETS,
        _ => known().map_or_else(
            || name().map(|name| media_type_of(&name)).filter(|told| *told != OCTETS).unwrap_or("text/plain"),
            |(_, media_type)| media_type,
        ),
    };
    declared.to_owned()
}

/// The media type that a file name tells; never to be trusted.
pub fn media_type_of(name: &str) -> &'static str {
    let ending = ending(name);
    let known = TYPES.iter().find(|(known, _)| ending == *known);
    known.map_or(OCTETS, |(_, media_type)| media_type)
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

    #[test]
    fn a_dot_makes_no_extension() {
        const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        for (name, media_type, expected) in [
            ("Advies mr. De Boer", "application/pdf", "Advies mr. De Boer.pdf"),
            ("Advies mr.Boer", "application/pdf", "Advies mr.Boer.pdf"),
            ("Factuur bol.com", "application/pdf", "Factuur bol.com.pdf"),
            ("Begroting 2.0", DOCX, "Begroting 2.0.docx"),
            ("Begroting 2.0", "text/plain", "Begroting 2.0.txt"),
            ("verslag", DOCX, "verslag.docx"),
            ("verslag.", "image/heic", "verslag.heic"),
            ("verslag. \u{200b}", "image/heic", "verslag.heic"),
            (".pdf", "application/pdf", "pdf.pdf"),
            ("foto.JPG", "image/jpeg", "foto.JPG"),
            ("foto.jpeg", "image/jpeg", "foto.jpeg"),
            ("foto.pdf", "image/jpeg", "foto.pdf"),
            ("archief.tar.gz", "application/gzip", "archief.tar.gz"),
            ("kaart.qgz", "application/zip", "kaart.qgz"),
            ("opname", "audio/x-wav", "opname.wav"),
            ("opname", "video/quicktime", "opname.mov"),
            ("bericht", "application/vnd.ms-outlook", "bericht.msg"),
            ("regels.conf", "text/plain", "regels.conf"),
            ("regels.rules", "text/plain", "regels.rules"),
            ("Brief v. 3", "application/octet-stream", "Brief v. 3"),
            ("Brief v. 3", "application/x-odd", "Brief v. 3"),
        ] {
            assert_eq!(with_extension(name, media_type), expected, "{name}");
        }
    }

    /// RFC 2045 5.2
    #[test]
    fn a_media_type_that_is_none_becomes_one() {
        for (value, name, expected) in [
            ("text/html", None, "text/html"),
            ("text/x-odd", None, "text/x-odd"),
            ("", None, "text/plain"),
            ("text", None, "text/plain"),
            ("plain", None, "text/plain"),
            ("html", None, "text/html"),
            ("text/", None, "text/plain"),
            ("/html", None, "text/html"),
            ("pdf", None, "application/pdf"),
            ("jpeg", None, "image/jpeg"),
            ("image/", None, "application/octet-stream"),
            ("multipart", None, "multipart/mixed"),
            ("alternative", None, "multipart/alternative"),
            ("odd", None, "text/plain"),
            ("odd", Some("a.pdf"), "application/pdf"),
            ("odd", Some("a.odd"), "text/plain"),
        ] {
            assert_eq!(declared(value, || name.map(str::to_owned)), expected, "{value}");
        }
    }
}
