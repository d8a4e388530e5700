//! What a file is by its first bytes and by its name, for the few kinds that a gateway must tell apart. Nothing is
//! parsed (M09). Pure; used by the previews, and for what may come with an answer (M08, C40).

use icu_normalizer::ComposingNormalizerBorrowed;

/// What the first bytes say plainly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
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

/// Endings of files that a computer carries out when they are opened: what Outlook and Gmail refuse as an attachment,
/// pages and drawings that may hold a script, and images of disks, in which Windows runs what is there without asking.
/// Office files with macros are not among them: Office asks first.
const PROGRAMS: &[&str] = &[
    // Windows
    "exe",
    "com",
    "scr",
    "pif",
    "cpl",
    "dll",
    "ocx",
    "sys",
    "drv",
    "vxd",
    "msi",
    "msp",
    "mst",
    "msu",
    "msix",
    "msixbundle",
    "appx",
    "appxbundle",
    "application",
    "appref-ms",
    "appinstaller",
    "gadget",
    "xbap",
    "bat",
    "cmd",
    "ps1",
    "ps1xml",
    "ps2",
    "ps2xml",
    "psm1",
    "psd1",
    "psc1",
    "psc2",
    "msh",
    "msh1",
    "msh2",
    "mshxml",
    "vb",
    "vbe",
    "vbs",
    "vbp",
    "js",
    "jse",
    "mjs",
    "ws",
    "wsc",
    "wsf",
    "wsh",
    "sct",
    "shb",
    "shs",
    "hta",
    "htc",
    "chm",
    "hlp",
    "its",
    "lnk",
    "url",
    "website",
    "scf",
    "inf",
    "ins",
    "isp",
    "reg",
    "msc",
    "job",
    "diagcab",
    "diagcfg",
    "diagpkg",
    "settingcontent-ms",
    "library-ms",
    "search-ms",
    "searchconnector-ms",
    "theme",
    "themepack",
    "xll",
    "xlam",
    "ppam",
    "wll",
    "mde",
    "mad",
    "maf",
    "mag",
    "mam",
    "maq",
    "mar",
    "mas",
    "mat",
    "mau",
    "mav",
    "maw",
    "mda",
    "ade",
    "adp",
    "app",
    "osd",
    "printerexport",
    "rdp",
    "iqy",
    "slk",
    "crx",
    "xpi",
    // Linux, macOS and others
    "sh",
    "bash",
    "csh",
    "ksh",
    "zsh",
    "fish",
    "run",
    "deb",
    "rpm",
    "appimage",
    "flatpakref",
    "desktop",
    "command",
    "tool",
    "workflow",
    "action",
    "scpt",
    "scptd",
    "applescript",
    "pkg",
    "mpkg",
    "dmg",
    "dylib",
    "webloc",
    "apk",
    "ipa",
    "jar",
    "jnlp",
    "class",
    "py",
    "pyc",
    "pyo",
    "pyw",
    "pyz",
    "pyzw",
    "pl",
    "rb",
    "php",
    "lua",
    // Pages and drawings with scripts
    "htm",
    "html",
    "shtml",
    "xhtml",
    "xht",
    "mht",
    "mhtml",
    "svg",
    "svgz",
    "xsl",
    "xslt",
    "asp",
    "aspx",
    "jsp",
    "swf",
    // Images of disks
    "iso",
    "img",
    "vhd",
    "vhdx",
    "udf",
    "wim",
];

impl FileKind {
    /// What starts with these bytes; `None` is anything else, text among it.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            // In the 64 bytes of such a head there are always some NULs; a text may well begin with MZ.
            [b'M', b'Z', ..] if head.contains(&0) => Some(Self::Program),
            [0x7f, b'E', b'L', b'F', ..] | [b'#', b'!', ..] => Some(Self::Program),
            // Mach-O of either order and width; several in one, or a class of Java; Dalvik.
            [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..]
            | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..]
            | [0xca, 0xfe, 0xba, 0xbe, ..]
            | [b'd', b'e', b'x', b'\n', ..] => Some(Self::Program),
            // A shortcut (MS-SHLLINK 2.1), and compiled help.
            [0x4c, 0, 0, 0, 1, 0x14, 2, 0, ..] | [b'I', b'T', b'S', b'F', ..] => Some(Self::Program),
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

/// Whether a file of this name is a program by its ending, however that is written.
pub fn is_named_as_program(name: &str) -> bool {
    // Full-width letters and the like: some programs write them plainly again.
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(name).into_owned();
    let plain = plain.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    PROGRAMS.contains(&ending(plain).trim())
}

/// Whether a file is a program by its first bytes, whatever its name.
pub fn is_program(head: &[u8]) -> bool {
    FileKind::of(head) == Some(FileKind::Program)
}

/// Whether a mail program might show or carry out what is declared to be of this type.
pub fn is_active_type(media_type: &str) -> bool {
    let media_type = media_type.to_ascii_lowercase();
    ["html", "xml", "script", "x-ms", "x-sh", "executable", "java", "hta"]
        .iter()
        .any(|word| media_type.contains(word))
        && !media_type.contains("openxmlformats")
}

/// Whether a file is plainly something else than its name says, or a program whatever its name.
pub fn belies_its_name(name: &str, head: &[u8]) -> bool {
    FileKind::of(head).is_some_and(|kind| !kind.may_end_in(&ending(name)))
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
            b"\x7fELF\x02",
            b"#!/bin/sh",
            b"\xfe\xed\xfa\xce",
            b"\xfe\xed\xfa\xcf",
            b"\xce\xfa\xed\xfe",
            b"\xcf\xfa\xed\xfe",
            b"\xca\xfe\xba\xbe",
            b"\x4c\0\0\0\x01\x14\x02\0",
            b"dex\n035\0",
            b"ITSF\x03",
        ] {
            assert!(is_program(head), "{head:?}");
            for name in ["a.pdf", "a.exe", "a.unknown", "a", "a.txt"] {
                assert!(belies_its_name(name, head), "{name} {head:?}");
            }
        }
        for head in [&b"MZ-overleg van 12 maart"[..], b"", b"M", b"%PDF-1.7", b"PK\x03\x04", b"Beste Jan"] {
            assert!(!is_program(head), "{head:?}");
        }
    }

    /// C40: an ending is found in whatever way it is written.
    #[test]
    fn programs_are_known_by_their_endings() {
        for name in [
            "a.exe",
            "a.EXE",
            "a.pdf.exe",
            "a.exe.",
            "a.exe. .",
            "a.\u{ff45}\u{ff58}\u{ff45}",
            "a. exe",
            "a.html",
            "a.HTM",
            "a.svg",
            "a.js",
            "a.ps1",
            "a.lnk",
            "a.iso",
            "a.jar",
            "a.msi",
            "a.hta",
            "a.settingcontent-ms",
        ] {
            assert!(is_named_as_program(name), "{name}");
        }
        for name in [
            "a.pdf",
            "a.docx",
            "a.xlsm",
            "a.txt",
            "a.zip",
            "a.jpg",
            "a",
            "exe",
            "a.exe.pdf",
            "a.eml",
            "a.msg",
            "a.xml",
        ] {
            assert!(!is_named_as_program(name), "{name}");
        }
    }

    #[test]
    fn types_that_a_mail_program_might_carry_out() {
        for active in [
            "text/html",
            "TEXT/HTML",
            "application/xhtml+xml",
            "image/svg+xml",
            "text/javascript",
            "application/x-msdownload",
            "application/x-sh",
            "application/x-ms-shortcut",
            "application/java-archive",
        ] {
            assert!(is_active_type(active), "{active}");
        }
        for calm in [
            "application/pdf",
            "image/jpeg",
            "text/plain",
            "application/zip",
            "",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ] {
            assert!(!is_active_type(calm), "{calm}");
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
