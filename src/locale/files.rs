//! The Fluent files themselves, and the check that makes a language that lacks a key fail the build.

#![allow(clippy::indexing_slicing, reason = "the check runs while compiling")]

/// In each language, in this order: what both use, mails, pages, errors, and what senders see of a transfer.
const FILES: usize = 5;

macro_rules! files_of {
    ($language:literal) => {
        [
            include_str!(concat!("../../web/locales/", $language, "/common.ftl")),
            include_str!(concat!("../../web/locales/", $language, "/mails.ftl")),
            include_str!(concat!("../../web/locales/", $language, "/pages.ftl")),
            include_str!(concat!("../../web/locales/", $language, "/errors.ftl")),
            include_str!(concat!("../../web/locales/", $language, "/sender.ftl")),
        ]
    };
}

/// Dutch
pub static NL: [&str; FILES] = files_of!("nl");
/// Frisian
pub static FY: [&str; FILES] = files_of!("fy");
/// English
pub static EN: [&str; FILES] = files_of!("en");

const _: () = {
    let mut file = 0;
    while file < FILES {
        assert!(
            same_keys(NL[file], FY[file]),
            "web/locales/fy lacks a key of nl, or has them in another order"
        );
        assert!(
            same_keys(NL[file], EN[file]),
            "web/locales/en lacks a key of nl, or has them in another order"
        );
        file += 1;
    }
};

/// Whether two Fluent files hold the same messages in the same order. Runs while compiling.
const fn same_keys(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut line_a, mut line_b) = (next_message(a, 0), next_message(b, 0));
    while line_a < a.len() && line_b < b.len() {
        let mut i = 0;
        while a[line_a + i] == b[line_b + i] && a[line_a + i] != b'=' {
            i += 1;
        }
        if a[line_a + i] != b[line_b + i] {
            return false;
        }
        (line_a, line_b) = (next_message(a, line_a + i), next_message(b, line_b + i));
    }
    line_a >= a.len() && line_b >= b.len()
}

/// Where the first line at or after `at` starts that begins with a letter: only messages do.
const fn next_message(text: &[u8], mut at: usize) -> usize {
    let mut line_start = at == 0;
    while at < text.len() && !(line_start && text[at].is_ascii_alphabetic()) {
        line_start = text[at] == b'\n';
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    #[test]
    fn sees_a_missing_key_while_compiling() {
        let nl = "# remark\naan = Aan\n    van u\nvan = Van\n";
        assert!(same_keys(nl, "aan = To\nvan = From\n"));
        for other in [
            "",
            "aan = To\n",
            "aan = To\nvam = From\n",
            "van = From\naan = To\n",
            "aan = To\nvan = From\nx = x\n",
        ] {
            assert!(!same_keys(nl, other), "{other:?}");
        }
    }

    /// The messages of a Fluent file: key and whole source.
    fn messages(file: &str) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        let mut at = next_message(file.as_bytes(), 0);
        while at < file.len() {
            let next = next_message(file.as_bytes(), at + 1);
            found.push((file[at..next].split(' ').next().unwrap(), &file[at..next]));
            at = next;
        }
        found
    }

    /// `{ $name }` and the like, so that no language forgets a value.
    fn values_of(source: &str) -> BTreeSet<String> {
        let name = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        source.split('$').skip(1).map(name).collect()
    }

    #[test]
    fn every_language_uses_the_same_values() {
        for (nl, other) in NL.iter().zip(FY).chain(NL.iter().zip(EN)) {
            for ((key, ours), (_, theirs)) in messages(nl).into_iter().zip(messages(other)) {
                assert_eq!(values_of(ours), values_of(theirs), "{key}");
            }
        }
    }

    /// Every key that a template or a source file of mails and pages asks for, and where.
    fn keys_in_use() -> BTreeMap<String, PathBuf> {
        ["web/mails", "web/pages", "src/outbox", "src/web"]
            .iter()
            .flat_map(|folder| files_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)))
            .flat_map(|(path, text)| keys_in(&text).into_iter().map(move |key| (key, path.clone())))
            .collect()
    }

    #[test]
    fn every_key_in_use_exists() {
        let known: BTreeSet<&str> = NL.iter().flat_map(|file| messages(file)).map(|(key, _)| key).collect();
        for (key, path) in keys_in_use() {
            assert!(known.contains(key.as_str()), "{}: no text {key:?}", path.display());
        }
    }

    #[test]
    fn every_text_of_the_mails_is_used() {
        let used = keys_in_use();
        for (key, _) in messages(NL[1]) {
            assert!(used.contains_key(key), "{key}");
        }
    }

    fn files_under(folder: &Path) -> Vec<(PathBuf, String)> {
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .flat_map(|path| {
                if path.is_dir() {
                    return files_under(&path);
                }
                let text = std::fs::read_to_string(&path).unwrap();
                vec![(path, text)]
            })
            .collect()
    }

    /// The first literal after `.text(`, `.format(` or `.subject(`.
    fn keys_in(source: &str) -> Vec<String> {
        let calls = [".text(", ".format(", ".subject("].map(|call| source.match_indices(call));
        calls
            .into_iter()
            .flatten()
            .filter_map(|(at, _)| {
                let arguments = source[at..].split(')').next()?;
                Some(arguments.split('"').nth(1)?.to_owned())
            })
            .collect()
    }
}
