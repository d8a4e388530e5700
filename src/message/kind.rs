//! What a file is by its first octets, for the few kinds that a gateway must tell apart. Nothing is parsed (M09). Pure;
//! used by the previews, and for what may come with an answer (M08).

/// What the first octets say plainly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something that a machine executes: of Windows, Linux or macOS, a script, or of Java.
    Program,
    /// A picture that every browser shows.
    Picture,
    /// PDF
    Pdf,
    /// A ZIP, which newer office files are as well.
    Zip,
    /// What older office files are, and newer ones with a password.
    Compound,
}

/// Endings that say as clearly what a file is. A picture may bear the ending of another picture: telephones and messengers
/// mix them up, and nothing comes of it.
const PICTURES: &[&str] = &["png", "jpg", "jpeg", "jpe", "jfif", "gif", "webp"];
const OFFICE: &[&str] = &[
    "doc", "dot", "docx", "docm", "dotx", "xls", "xlt", "xlsx", "xlsm", "xltx", "ppt", "pps", "pptx", "pptm",
    "ppsx", "odt", "ods", "odp", "odg",
];
const TEXTS: &[&str] = &["txt", "csv", "md", "log", "htm", "html", "ics", "xml", "json", "svg", "eml", "rtf"];

impl Kind {
    /// What starts with these octets; `None` is anything else, text among it.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'M', b'Z', ..] | [0x7f, b'E', b'L', b'F', ..] | [b'#', b'!', ..] => Some(Self::Program),
            // Mach-O of either order and width; several in one, or a class of Java.
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..]
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..]
            | [0xca, 0xfe, 0xba, 0xbe, ..] => Some(Self::Program),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Self::Zip),
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Some(Self::Compound),
            _ => picture_type(head).map(|_| Self::Picture),
        }
    }

    /// Whether a file of this kind may have this ending. Of an ending that is not known here nothing is said.
    fn may_end_in(self, ending: &str) -> bool {
        let (is_picture, is_office) = (PICTURES.contains(&ending), OFFICE.contains(&ending));
        let is_plain = is_picture || is_office || TEXTS.contains(&ending) || matches!(ending, "pdf" | "zip");
        match self {
            Self::Program => false,
            _ if !is_plain => true,
            Self::Picture => is_picture,
            Self::Pdf => ending == "pdf",
            Self::Zip => is_office || ending == "zip",
            Self::Compound => is_office,
        }
    }
}

/// What stands behind the last dot of a name, in small letters; empty where there is none.
pub fn ending(name: &str) -> String {
    name.rsplit_once('.').map_or_else(String::new, |(_, ending)| ending.to_lowercase())
}

/// Whether a file is plainly something else than its name says, or a program whatever its name.
pub fn belies_its_name(name: &str, head: &[u8]) -> bool {
    Kind::of(head).is_some_and(|kind| !kind.may_end_in(&ending(name)))
}

/// The type of a picture that every browser shows and that cannot hold a script, by its first bytes.
pub fn picture_type(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n..";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0";
    const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

    #[test]
    fn endings_are_compared_in_small_letters() {
        for (name, expected) in
            [("a.PDF", "pdf"), ("a.tar.gz", "gz"), ("pdf", ""), ("", ""), (".pdf", "pdf"), ("a.", "")]
        {
            assert_eq!(ending(name), expected, "{name}");
        }
    }

    #[test]
    fn pictures_are_known_by_their_first_octets() {
        for (head, expected) in [
            (PNG, Some("image/png")),
            (JPEG, Some("image/jpeg")),
            (b"GIF87a.", Some("image/gif")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x10\0\0\0AVI ", None),
            (b"GIF88a", None),
            (b"<svg>", None),
        ] {
            assert_eq!(picture_type(head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_program_is_one_under_any_name() {
        for head in [
            &b"MZ\x90\0"[..],
            b"MZ",
            b"\x7fELF\x02",
            b"#!/bin/sh",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
        ] {
            for name in ["a.pdf", "a.exe", "a.unknown", "a", "a.txt"] {
                assert!(belies_its_name(name, head), "{name} {head:?}");
            }
        }
    }

    #[test]
    fn what_is_plainly_something_else_is_found() {
        for (name, head) in [
            ("a.pdf", &b"PK\x03\x04"[..]),
            ("a.jpg", b"%PDF-1.7"),
            ("a.docx", PNG),
            ("a.zip", COMPOUND),
            ("a.txt", b"PK\x05\x06"),
            ("a.CSV", JPEG),
        ] {
            assert!(belies_its_name(name, head), "{name}");
        }
        for (name, head) in [
            ("a.pdf", &b"%PDF-1.7"[..]),
            ("a.PNG", PNG),
            ("a.png", JPEG),
            ("a.docx", b"PK\x03\x04"),
            ("a.docx", COMPOUND),
            ("a.msg", COMPOUND),
            ("a.heic", JPEG),
            ("a.ai", b"%PDF-1.5"),
            ("a.txt", b"Beste Jan"),
            ("a.pdf", b"Beste Jan"),
            ("a.pdf", b""),
            ("a", b"%PDF-"),
        ] {
            assert!(!belies_its_name(name, head), "{name}");
        }
    }
}
