//! File names from strangers, made harmless (C20, M07): one path component that every system takes and
//! that looks like what it is. Used by `mime`, and by whoever writes names into archives or headers.

use std::collections::{HashMap, HashSet};

/// The most characters in a name, and the most octets: file systems stop at 255.
const LONGEST: (usize, usize) = (120, 240);

/// A single safe path component, never empty. A safe name stays as it is.
pub fn safe_name(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).map(plain).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' ']);
    match words {
        "" => "bestand".to_owned(),
        name if is_reserved(name) => cut(&format!("_{name}"), ""),
        name => cut(name, ""),
    }
}

/// The names in the same order, all different whatever the letter case: `naam (2).pdf`.
pub fn distinct(names: Vec<String>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut last_number: HashMap<String, usize> = HashMap::new();
    let mut unused = |name: String| {
        if taken.insert(name.to_lowercase()) {
            return name;
        }
        let number = last_number.entry(name.to_lowercase()).or_insert(1);
        loop {
            *number += 1;
            let numbered = cut(&name, &format!(" ({number})"));
            if taken.insert(numbered.to_lowercase()) {
                return numbered;
            }
        }
    };
    names.into_iter().map(&mut unused).collect()
}

/// A name for something that came without one.
pub fn name_for(media_type: &str, number: usize) -> String {
    match media_type {
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => "smime.p7m".to_owned(),
        "application/pkcs7-signature" | "application/x-pkcs7-signature" => "smime.p7s".to_owned(),
        "application/pgp-signature" => "signature.asc".to_owned(),
        "application/ms-tnef" => "winmail.dat".to_owned(),
        _ => format!("bijlage-{number}.{}", extension(media_type)),
    }
}

/// The name with the extension of its type, if it has none.
pub fn with_extension(name: String, media_type: &str) -> String {
    let known = TYPES.iter().find(|(_, known)| *known == media_type);
    match known {
        Some((extension, _)) if split(&name).1.is_empty() => safe_name(&cut(&name, &format!(".{extension}"))),
        _ => name,
    }
}

/// The type that a name's extension tells.
pub fn media_type_of(name: &str) -> &'static str {
    let extension = split(name).1.to_lowercase();
    let known = TYPES.iter().find(|(known, _)| extension.strip_prefix('.') == Some(known));
    known.map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// Extensions and types; the first line of a type gives its usual extension.
const TYPES: [(&str, &str); 30] = [
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("ics", "text/calendar"),
    ("ics", "application/ics"),
    ("vcf", "text/vcard"),
    ("vcf", "text/x-vcard"),
    ("eml", "message/rfc822"),
    ("eml", "message/global"),
    ("txt", "message/delivery-status"),
    ("txt", "text/rfc822-headers"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("xml", "application/xml"),
    ("json", "application/json"),
    ("rtf", "application/rtf"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
    ("tiff", "image/tiff"),
];

fn extension(media_type: &str) -> &'static str {
    let known = TYPES.iter().find(|(_, known)| *known == media_type);
    known.map_or(if media_type.starts_with("text/") { "txt" } else { "bin" }, |(extension, _)| extension)
}

/// Characters that show nothing, or change how others are shown: controls, zero widths, directions, tags.
pub(super) fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Separators, and what Windows does not allow in a name, become a line.
fn plain(c: char) -> char {
    match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2044}' | '\u{2215}' | '\u{ff0f}'
        | '\u{ff3c}' => '_',
        c => c,
    }
}

/// Names of devices, which Windows sees whatever the extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_uppercase();
    let numbered = |kind| {
        stem.strip_prefix(kind).is_some_and(|number: &str| {
            let mut digits = number.chars();
            digits.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && digits.next().is_none()
        })
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str())
        || numbered("COM")
        || numbered("LPT")
}

/// Stem and extension; the extension has its dot, or is empty.
fn split(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|dot| *dot > 0);
    let extension = dot.and_then(|dot| name.get(dot..)).filter(|text| {
        (2..=16).contains(&text.len()) && text.bytes().skip(1).all(|c| c.is_ascii_alphanumeric())
    });
    name.split_at_checked(name.len() - extension.map_or(0, str::len)).unwrap_or((name, ""))
}

/// Puts `mark` before the extension and shortens what precedes it until all fits.
fn cut(name: &str, mark: &str) -> String {
    let (stem, extension) = split(name);
    let kept = mark.chars().count() + extension.len();
    let mut stem: String = stem.chars().take(LONGEST.0.saturating_sub(kept)).collect();
    while stem.len() + mark.len() + extension.len() > LONGEST.1 && stem.pop().is_some() {}
    if mark.is_empty() && extension.is_empty() {
        stem.truncate(stem.trim_end_matches(['.', ' ']).len());
    }
    format!("{stem}{mark}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_reaches_a_path_and_looks_like_what_it_is() {
        for (name, expected) in [
            ("brief.pdf", "brief.pdf"),
            ("Zaak 12/3 €.pdf", "Zaak 12_3 €.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..\\..\\a.exe", "_.._a.exe"),
            ("C:\\map\\a.doc", "C__map_a.doc"),
            ("factuur\u{202e}fdp.exe", "factuurfdp.exe"),
            ("a\u{200b}b\r\nc\0.txt", "ab c.txt"),
            (".htaccess", "htaccess"),
            ("naam. . ", "naam"),
            ("con", "_con"),
            ("NUL.tar.gz", "_NUL.tar.gz"),
            ("com1 .txt", "_com1 .txt"),
            ("LPT².txt", "_LPT².txt"),
            ("common.txt", "common.txt"),
            ("", "bestand"),
            ("...", "bestand"),
            ("\u{200e}", "bestand"),
        ] {
            assert_eq!(safe_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_type() {
        let long = safe_name(&format!("{}.docx", "a".repeat(500)));
        assert_eq!(long.chars().count(), 120);
        assert!(long.ends_with("aaa.docx"));
        let wide = safe_name(&format!("{}.pdf", "😀".repeat(500)));
        assert!(wide.len() <= 240 && wide.ends_with("😀.pdf"));
        let again = distinct(vec![long.clone(), long]);
        assert_eq!(again[1].chars().count(), 120);
        assert!(again[1].ends_with(" (2).docx"));
    }

    #[test]
    fn names_become_distinct() {
        let names = ["a.pdf", "A.PDF", "a (2).pdf", "b", "b", "a.pdf"].map(str::to_owned);
        assert_eq!(
            distinct(names.to_vec()),
            ["a.pdf", "A (2).PDF", "a (2) (2).pdf", "b", "b (2)", "a (3).pdf"]
        );
        let many = distinct(vec!["x.txt".to_owned(); 10_000]);
        assert_eq!(many.iter().collect::<HashSet<_>>().len(), 10_000);
    }

    #[test]
    fn a_missing_name_or_extension_comes_from_the_type() {
        assert_eq!(name_for("application/pdf", 1), "bijlage-1.pdf");
        assert_eq!(name_for("text/x-iets", 2), "bijlage-2.txt");
        assert_eq!(name_for("application/x-iets", 3), "bijlage-3.bin");
        assert_eq!(with_extension("brief".into(), "application/pdf"), "brief.pdf");
        assert_eq!(with_extension("brief.doc".into(), "application/pdf"), "brief.doc");
        assert_eq!(with_extension("brief".into(), "application/x-iets"), "brief");
        assert_eq!(media_type_of("a.JPG"), "image/jpeg");
        assert_eq!(media_type_of("a"), "application/octet-stream");
    }

    proptest::proptest! {
        #[test]
        fn any_name_becomes_safe(name in "(\\PC|\\pC|[. /]|con|nul|[\\u{200b}-\\u{206f}]){0,150}") {
            let safe = safe_name(&name);
            proptest::prop_assert_eq!(safe_name(&safe), safe.clone());
            proptest::prop_assert!(!safe.is_empty() && safe.chars().count() <= 120 && safe.len() <= 240);
            proptest::prop_assert!(!safe.contains(['/', '\\', '\0', '\r', '\n']));
            proptest::prop_assert!(!safe.starts_with(['.', ' ']) && !safe.ends_with(['.', ' ']));
        }
    }
}
