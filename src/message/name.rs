//! File names that are safe wherever they go: a ZIP, a download, a folder on Windows (C20, M07).

use std::collections::{HashMap, HashSet};

use icu_normalizer::ComposingNormalizerBorrowed;

/// Bytes of a file name, the extension included: what Linux, Windows and macOS save.
const MAX_LENGTH: usize = 255;

/// Bytes after the last dot that still are an extension.
const MAX_EXTENSION: usize = 16;

/// The name of last resort.
pub(super) const NAMELESS: &str = "bijlage";

/// Names that Windows keeps for devices, with any extension.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// A single path component made of `name`: no separator, no control, bidirectional or invisible character, no
/// device name, no dot at either end, never empty or too long; the extension is kept. Safe names stay as
/// they are.
pub fn safe_name(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    let mut plain = String::with_capacity(visible.len());
    for c in ComposingNormalizerBorrowed::new_nfc().normalize(&visible).chars() {
        match c {
            ' ' => plain.push(' '),
            // Line breaks and tabs of a header that was folded.
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c if c.is_control() || "/\\<>:\"|?*\u{fffd}".contains(c) => plain.push('_'),
            c => plain.push(c),
        }
    }
    let trimmed = plain.trim_matches([' ', '.']);
    let named = if trimmed.is_empty() { NAMELESS } else { trimmed };
    let named = if is_device(named) { format!("_{named}") } else { named.to_owned() };
    with_suffix(&named, "")
}

/// Gives out safe names that differ from one another, whatever the file system makes of letter case and accents.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    counts: HashMap<String, u32>,
}

impl Names {
    /// `name` made safe, with a number where it is taken already.
    pub fn give(&mut self, name: &str) -> String {
        let safe = safe_name(name);
        if self.taken.insert(key(&safe)) {
            return safe;
        }
        loop {
            let count = self.counts.entry(key(&safe)).or_insert(1);
            *count += 1;
            let numbered = with_suffix(&safe, &format!(" ({count})"));
            if self.taken.insert(key(&numbered)) {
                return numbered;
            }
        }
    }
}

/// What two names have in common that a file system may take for one.
fn key(name: &str) -> String {
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    normalizer.normalize(&normalizer.normalize(name).to_lowercase()).into_owned()
}

/// Characters that are not seen, or that turn the text around them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}'
        | '\u{fffe}' | '\u{ffff}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1fffe}' | '\u{1ffff}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or("").trim().to_lowercase();
    let port = |prefix| {
        let number = stem.strip_prefix(prefix).unwrap_or("");
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    RESERVED.contains(&stem.as_str()) || port("com") || port("lpt")
}

/// Puts `suffix` before the extension and cuts the stem so that all of it fits.
fn with_suffix(name: &str, suffix: &str) -> String {
    let is_extension = |dot: &usize| {
        let extension = name.get(*dot..).unwrap_or("");
        extension.len() <= MAX_EXTENSION && !extension.contains(char::is_whitespace)
    };
    let dot = name.rfind('.').filter(is_extension);
    let (stem, extension) = name.split_at_checked(dot.unwrap_or(name.len())).unwrap_or((name, ""));
    let room = MAX_LENGTH.saturating_sub(suffix.len() + extension.len());
    let mut end = stem.len().min(room);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let cut = stem.get(..end).unwrap_or("");
    let is_end = cut.len() == stem.len() && suffix.is_empty();
    let cut = if is_end { cut } else { cut.trim_end_matches([' ', '.']) };
    format!("{cut}{suffix}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_names_safe() {
        for (name, safe) in [
            ("verslag.pdf", "verslag.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("C:\\temp\\a.txt", "C__temp_a.txt"),
            (".htaccess", "htaccess"),
            ("...", "bijlage"),
            ("", "bijlage"),
            (" a  b .txt ", "a  b .txt"),
            ("a\r\nb\t.txt", "a b .txt"),
            ("a\0b\u{7}.txt", "a_b_.txt"),
            ("factuur\u{202e}fdp.exe", "factuurfdp.exe"),
            ("a\u{200b}b.txt", "ab.txt"),
            ("CON", "_CON"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("com1.txt", "_com1.txt"),
            ("COM¹", "_COM¹"),
            ("comma.txt", "comma.txt"),
            ("e\u{301}.pdf", "é.pdf"),
            ("a.pdf.", "a.pdf"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        // As long as a file system takes: 255 bytes.
        let longest = format!("{}.pdf", "n".repeat(251));
        assert_eq!(safe_name(&longest), longest);
        let long = safe_name(&format!("{}.pdf", "é".repeat(400)));
        assert!(long.len() <= MAX_LENGTH && long.ends_with("é.pdf"), "{long}");
        // What is too long for an extension is cut like any name.
        let long = format!("{}.{}", "a".repeat(240), "b".repeat(40));
        assert_eq!(safe_name(&long), long[..MAX_LENGTH]);
    }

    #[test]
    fn names_differ() {
        let mut names = Names::default();
        for (name, given) in [
            ("a.txt", "a.txt"),
            ("A.TXT", "A (2).TXT"),
            ("a.txt", "a (3).txt"),
            ("é", "é"),
            ("e\u{301}", "é (2)"),
            ("a (2).txt", "a (2) (2).txt"),
            ("ａ.txt", "ａ (4).txt"),
            ("b .txt", "b .txt"),
            ("b .txt", "b (2).txt"),
            ("t.a.v. De Boer", "t.a.v. De Boer"),
            ("T.a.v. de boer", "T.a.v. de boer (2)"),
        ] {
            assert_eq!(names.give(name), given);
        }
        for _ in 0..10_000 {
            names.give("zelfde");
        }
    }

    proptest::proptest! {
        #[test]
        fn safe_names_are_safe_and_stay(name: String, ends in ".{0,3}", start in "[a-z.é ]{150,300}") {
            for name in [name.clone(), format!("{start}{ends}"), format!("{start}.{name}")] {
                let safe = safe_name(&name);
                assert_eq!(safe_name(&safe), safe, "{name:?}");
                assert!(!safe.is_empty() && safe.len() <= MAX_LENGTH);
                assert!(!safe.contains(['/', '\\', ':', '\0']) && !safe.contains(char::is_control));
                assert!(!safe.chars().any(is_invisible) && !safe.starts_with('.') && !safe.ends_with(['.', ' ']));
                let mut names = Names::default();
                assert_ne!(names.give(&name), names.give(&name));
            }
        }
    }
}
