//! Tags in a subject: `[vertrouwelijk]` or `vertrouwelijk:` at its start, found in whatever spelling a reader
//! would take for them (C06), and taken away again before anybody outside sees the subject.

use std::ops::Range;

use icu_normalizer::ComposingNormalizerBorrowed;

use super::rules::Answer;
use crate::message::rewrite::is_invisible;

/// What mail programs put before a subject when they answer or forward it, in the languages of our neighbours.
const PREFIXES: &[&str] = &[
    "re",
    "antw",
    "antwoord",
    "betr",
    "aw",
    "sv",
    "vs",
    "vá",
    "res",
    "rif",
    "r",
    "rép",
    "ref",
    "odp",
    "fw",
    "fwd",
    "fwd.",
    "doorst",
    "doorgestuurd",
    "wg",
    "wtr",
    "tr",
    "rv",
    "enc",
    "i",
    "automatisch antwoord",
    "automatic reply",
    "automatische antwort",
    "réponse automatique",
    "afwezig",
    "out of office",
    "geaccepteerd",
    "voorlopig geaccepteerd",
    "geweigerd",
    "geannuleerd",
    "accepted",
    "tentative",
    "declined",
    "canceled",
    "cancelled",
];

/// Characters of a group in brackets, and of a prefix: what is longer is neither.
const MAX_GROUP: usize = 200;

/// Tags, prefixes and groups at the start of one subject. Nobody answers that often.
const MAX_ITEMS: usize = 200;

const OPENING: [char; 4] = ['[', '【', '〔', '⟦'];
const CLOSING: [char; 4] = [']', '】', '〕', '⟧'];

/// A text as readers compare it: letter case, width, invisible characters and the kind of blank aside.
pub fn fold(text: &str) -> String {
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let visible = normal.chars().filter(|c| !is_invisible(*c));
    visible
        .map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c })
        .collect::<String>()
        .to_lowercase()
}

/// Whether a folded subject bears one of the tags where the sender of an answer would still have it: at its
/// start, after reply prefixes, or after other groups in brackets that mail servers put there.
pub(super) fn bears_tag(folded: &str, tags: &[String]) -> Answer {
    let mut start = Start::of(folded, tags);
    if start.by_ref().take(MAX_ITEMS).any(|item| item.is_tag) {
        return Answer::Yes;
    }
    if start.next().is_some() { Answer::Unknown } else { Answer::No }
}

/// Whether the very first thing in a folded subject is one of the tags.
pub(super) fn starts_with_tag(folded: &str, tags: &[String]) -> bool {
    Start::of(folded, tags).next().is_some_and(|item| item.is_tag)
}

/// The subject without any of these tags at its start.
pub fn strip_tag(subject: &str, tags: &[String]) -> String {
    // Folding moves offsets. So the start is searched in a text in which each character is folded by itself
    // and remembers where it came from.
    let (mut folded, mut origins) = (String::new(), Vec::new());
    for (at, c) in subject.char_indices() {
        let plain = fold(c.encode_utf8(&mut [0; 4]));
        origins.extend(std::iter::repeat_n(at, plain.len()));
        folded.push_str(&plain);
    }
    origins.push(subject.len());
    let (mut clean, mut from) = (String::new(), 0);
    for item in Start::of(&folded, tags).filter(|item| item.is_tag) {
        let origin = |at: usize| origins.get(at).copied().unwrap_or(subject.len());
        clean.push_str(subject.get(from..origin(item.span.start)).unwrap_or(""));
        from = origin(item.span.end);
    }
    clean.push_str(subject.get(from..).unwrap_or(""));
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One thing at the start of a subject.
struct Item {
    span: Range<usize>,
    is_tag: bool,
}

/// Walks over the tags, prefixes and groups that a subject starts with.
struct Start<'a> {
    subject: &'a str,
    at: usize,
    tags: Vec<Tag>,
}

struct Tag {
    folded: String,
    unblanked: String,
}

impl<'a> Start<'a> {
    fn of(subject: &'a str, tags: &[String]) -> Self {
        let tags = tags.iter().map(|tag| fold(tag.trim()));
        let tags = tags.map(|folded| Tag { unblanked: unblanked(&folded), folded });
        Self { subject, at: 0, tags: tags.collect() }
    }

    /// `[tag]`, also with options after the tag, or any other group in brackets.
    fn group(&self, rest: &str) -> Option<(usize, bool)> {
        let inside = rest.strip_prefix(OPENING)?;
        let open = rest.len() - inside.len();
        let (length, close) = inside.char_indices().take(MAX_GROUP).find(|(_, c)| CLOSING.contains(c))?;
        let text = inside.get(..length)?;
        let plain = unblanked(text);
        let is_tag = self.tags.iter().any(|tag| {
            let options = text.trim_start().strip_prefix(&tag.folded);
            tag.unblanked == plain || options.is_some_and(|options| options.starts_with(' '))
        });
        Some((open + length + close.len_utf8(), is_tag))
    }

    /// `tag:`, or a prefix: `re:`, `re[2]:`, `re (2):`
    fn word(&self, rest: &str) -> Option<(usize, bool)> {
        let (length, _) = rest.char_indices().take(MAX_GROUP).find(|(_, c)| *c == ':')?;
        let word = rest.get(..length)?;
        let plain = unblanked(word);
        let is_tag = self.tags.iter().any(|tag| tag.unblanked == plain);
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit() || "[]()^* ".contains(c));
        (is_tag || PREFIXES.contains(&bare.trim())).then_some((length + 1, is_tag))
    }
}

impl Iterator for Start<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let rest = self.subject.get(self.at..)?;
        let trimmed = rest.trim_start_matches([' ', '"', '\'', '“', '”', '„', '«', '‘', '’']);
        let start = self.at + rest.len() - trimmed.len();
        let (length, is_tag) = self.group(trimmed).or_else(|| self.word(trimmed))?;
        self.at = start + length;
        Some(Item { span: start..self.at, is_tag })
    }
}

fn unblanked(text: &str) -> String {
    text.split(' ').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Vec<String> {
        ["vertrouwelijk", "secure", "niet vertrouwelijk"].map(str::to_owned).to_vec()
    }

    fn bears(subject: &str) -> Answer {
        bears_tag(&fold(subject), &tags())
    }

    #[test]
    fn finds_tags_where_they_count() {
        for subject in [
            "[vertrouwelijk] zaak",
            "[Vertrouwelijk]",
            "  [ VERTROUWELIJK ]zaak",
            "vertrouwelijk: zaak",
            "Vertrouwelijk : zaak",
            "RE: [vertrouwelijk] zaak",
            "Antw:FW: Doorst: [secure] zaak",
            "Re[2]: Re (3) : AW^2: WG: [secure]",
            "TR: RV: secure: x",
            "Automatisch antwoord: [secure] x",
            "[EXTERN] RE: [jira-1] [secure] x",
            "[vertrouwelijk 14d] zaak",
            "[vertrouwelijk\u{a0}14d] zaak",
            "［ｖｅｒｔｒｏｕｗｅｌｉｊｋ］ zaak",
            "ｓｅｃｕｒｅ： zaak",
            "[vertrou\u{200b}welijk] zaak",
            "[vertrou\u{a0}welijk] zaak",
            "[ver\u{ad}trou\u{200d}we\u{2060}lijk] zaak",
            "\u{202e}[vertrouwelijk] zaak",
            "\u{feff}[secure]",
            "\"[secure]\" zaak",
            "„secure: zaak”",
            "[open] [secure] zaak",
        ] {
            assert_eq!(bears(subject), Answer::Yes, "{subject}");
        }
        for subject in [
            "",
            "vertrouwelijk",
            "vertrouwelijkheid: zaak",
            "[vertrouwelijkheid] zaak",
            "[onvertrouwelijk] zaak",
            "(vertrouwelijk) zaak",
            "Re: vertrouwelijk",
            "Re: zaak vertrouwelijk",
            "zaak [vertrouwelijk]",
            "zaak: vertrouwelijk: x",
            "[vertrouwelijk zaak",
            "vertrouwelijk] zaak",
            "[] zaak",
            ": zaak",
            "ver-trouwelijk: zaak",
            "[vertrouweIijk] zaak",
        ] {
            assert_eq!(bears(subject), Answer::No, "{subject}");
        }
    }

    #[test]
    fn a_first_tag_is_first() {
        let first = |subject: &str| starts_with_tag(&fold(subject), &tags());
        assert!(first("[secure] x") && first(" niet vertrouwelijk: x"));
        assert!(!first("RE: [secure] x") && !first("[x] [secure] x"));
    }

    #[test]
    fn takes_tags_away() {
        for (subject, clean) in [
            ("[vertrouwelijk] Zaak 12", "Zaak 12"),
            ("RE: [Vertrouwelijk] Zaak  12", "RE: Zaak 12"),
            ("secure: Re: secure: [secure 14d] Zaak", "Re: Zaak"),
            ("Ａntw: ［secure］ Z\u{e9}ak", "Ａntw: Z\u{e9}ak"),
            ("[secure]", ""),
            ("Zaak [secure]", "Zaak [secure]"),
            ("İ: [secure] x", "İ: [secure] x"),
            ("Re: \u{200b}[sec\u{200b}ure] x", "Re: \u{200b} x"),
        ] {
            assert_eq!(strip_tag(subject, &tags()), clean, "{subject}");
        }
    }

    #[test]
    fn a_megabyte_of_prefixes_is_read_at_once() {
        for piece in ["re: ", "[x]", "[", "[secure]", "secure:", "x", " "] {
            let subject = piece.repeat(1 << 20 >> 2);
            bears_tag(&fold(&subject), &tags());
            strip_tag(&subject, &tags());
        }
        assert_eq!(bears(&"re:".repeat(1000)), Answer::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(subject: String, prefix in "(re: |\\[|\\]|secure|:| |İ|ﬃ){0,6}") {
            let subject = prefix + &subject;
            bears_tag(&fold(&subject), &tags());
            strip_tag(&subject, &tags());
        }
    }
}
