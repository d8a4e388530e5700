//! Tags in a subject: `[vertrouwelijk]` or `vertrouwelijk:` at its start, after any reply prefixes and
//! bracketed list labels. Pure; used by the conditions (to find tags) and by `Policy::clean_subject`
//! (to remove them). A tag that a person can read must be found, however it is spelled in Unicode (C06).

use std::ops::Range;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// What mail programs put in front of the subject when answering, forwarding or cancelling; folded.
/// The first line is promised to administrators; the others are what programs write out in full.
const PREFIXES: &[&str] = &[
    "re",
    "fwd",
    "fw",
    "antw",
    "doorst",
    "aw",
    "wg",
    "tr",
    "rv",
    "sv",
    "vs", //
    "antwoord",
    "doorgestuurd",
    "antwort",
    "weitergeleitet",
    "ref",
    "rep",
    "trs", //
    "automatisch antwoord",
    "automatic reply",
    "automatische antwort",
    "automatysk antwurd", //
    "geaccepteerd",
    "geweigerd",
    "voorlopig",
    "geannuleerd",
    "bijgewerkt",
    "uitnodiging", //
    "accepted",
    "declined",
    "tentative",
    "canceled",
    "cancelled",
    "updated",
    "invitation",
];

/// No prefix or tag before a colon is longer than this (in characters), so looking for one ends soon.
const LONGEST_WORD: usize = 80;

/// Every tag that any rule asks for.
#[derive(Debug, Default)]
pub(super) struct Tags(Vec<String>);

/// A tag at the start of a subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hit<'a> {
    /// Folded.
    pub tag: &'a str,
    /// Whether nothing else stands inside the brackets or before the colon.
    pub exact: bool,
    /// The octets of the subject it takes, brackets or colon included.
    pub span: Range<usize>,
}

impl Tags {
    pub fn new<'a>(tags: impl Iterator<Item = &'a String>) -> Self {
        let mut tags: Vec<String> = tags.cloned().collect();
        tags.sort();
        tags.dedup();
        Self(tags)
    }

    /// All tags at the start of `subject`, in order.
    pub fn find(&self, subject: &str) -> Vec<Hit<'_>> {
        let letters = letters(subject);
        let mut hits = Vec::new();
        let mut rest: &[Letter] = &letters;
        loop {
            rest = skip_blank(rest);
            let (is_bracketed, word) = match bracketed(rest) {
                Some(word) => (true, Some(word)),
                None => (false, before_colon(rest)),
            };
            let Some((inside, after)) = word else { return hits };
            let span = begin(rest, subject)..begin(after, subject);
            let before = hits.len();
            let found = self.in_word(&inside, is_bracketed);
            hits.extend(found.map(|(tag, exact)| Hit { tag, exact, span: span.clone() }));
            if hits.len() == before && !is_bracketed && !is_prefix(&inside) {
                return hits;
            }
            rest = after;
        }
    }

    /// The tags in one pair of brackets (options may follow them there) or in front of one colon.
    fn in_word<'a>(&'a self, inside: &str, is_bracketed: bool) -> impl Iterator<Item = (&'a str, bool)> {
        self.0.iter().filter(move |tag| inside.contains(tag.as_str())).filter_map(move |tag| {
            if inside == tag {
                return Some((tag.as_str(), true));
            }
            let mut items = inside.split([',', ';', '|', '/', '+', '&']).chain([inside]).map(str::trim);
            (is_bracketed && items.any(|item| is_with_options(item, tag))).then_some((tag.as_str(), false))
        })
    }

    /// `subject` without the tags at its start; prefixes and labels stay.
    pub fn strip(&self, subject: &str) -> String {
        let mut kept = String::new();
        let mut from = 0;
        for hit in self.find(subject) {
            push(&mut kept, subject.get(from..hit.span.start).unwrap_or(""));
            from = from.max(hit.span.end);
        }
        match from {
            0 => subject.to_owned(),
            _ => {
                push(&mut kept, subject.get(from..).unwrap_or(""));
                kept
            }
        }
    }
}

/// A tag as rules write it, folded for comparing; or why it cannot be one.
pub(super) fn fold_tag(text: &str) -> Result<String, String> {
    let tag = fold(text).trim().to_owned();
    if tag.contains(['[', ']', ':']) || !tag.contains(char::is_alphanumeric) {
        return Err(format!("\"{text}\" is not a tag (write it without brackets and colon)"));
    }
    if tag.chars().count() > LONGEST_WORD / 2 {
        return Err(format!("\"{text}\" is too long for a tag"));
    }
    Ok(tag)
}

/// `text` as it is compared: compatibility forms and accents resolved, invisible characters gone,
/// small letters, every run of white space one blank.
pub(super) fn fold(text: &str) -> String {
    letters(text).iter().map(|letter| letter.folded).collect()
}

/// One folded character and where it came from.
#[derive(Clone, Copy)]
struct Letter {
    folded: char,
    at: usize,
}

impl Letter {
    fn is(self, c: char) -> bool {
        self.folded == c
    }
}

fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c.is_ascii() {
            add(&mut letters, c.to_ascii_lowercase(), at);
            continue;
        }
        let nfkd = DecomposingNormalizerBorrowed::new_nfkd();
        for part in nfkd.normalize_iter(std::iter::once(c)).flat_map(char::to_lowercase) {
            add(&mut letters, part, at);
        }
    }
    letters
}

fn add(letters: &mut Vec<Letter>, c: char, at: usize) {
    let blank = c.is_whitespace() || c == '\u{2800}';
    if blank && letters.last().is_some_and(|last| last.is(' ')) || !blank && is_invisible(c) {
        return;
    }
    letters.push(Letter { folded: if blank { ' ' } else { c }, at });
}

/// Control characters, Unicode's default ignorable code points, and combining accents.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn skip_blank(letters: &[Letter]) -> &[Letter] {
    match letters {
        [first, rest @ ..] if first.is(' ') => rest,
        _ => letters,
    }
}

/// Where `rest` begins in `subject`.
fn begin(rest: &[Letter], subject: &str) -> usize {
    rest.first().map_or(subject.len(), |letter| letter.at)
}

/// `[inside]` at the start, and what follows. Of nested brackets the innermost counts.
fn bracketed(letters: &[Letter]) -> Option<(String, &[Letter])> {
    if !letters.first()?.is('[') {
        return None;
    }
    let close = letters.iter().position(|letter| letter.is(']'))?;
    let (inside, mut after) = letters.split_at_checked(close)?;
    while let [first, rest @ ..] = after
        && first.is(']')
    {
        after = rest;
    }
    let open = inside.iter().rposition(|letter| letter.is('['))?;
    Some((text(inside.get(open + 1..)?), after))
}

/// `word:` at the start, and what follows.
fn before_colon(letters: &[Letter]) -> Option<(String, &[Letter])> {
    let colon = letters.iter().take(LONGEST_WORD).position(|letter| letter.is(':'))?;
    Some((text(letters.get(..colon)?), letters.get(colon + 1..)?))
}

fn text(letters: &[Letter]) -> String {
    let text: String = letters.iter().map(|letter| letter.folded).collect();
    text.trim().to_owned()
}

/// `tag` alone, or followed by something that cannot be part of the same word.
fn is_with_options(item: &str, tag: &str) -> bool {
    item.strip_prefix(tag).is_some_and(|options| {
        options.chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '-' && next != '_')
    })
}

/// `Re`, and also `Re[2]`, `Re(2)` and `Re^2`.
fn is_prefix(word: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || " [](){}^".contains(c);
    PREFIXES.contains(&word) || PREFIXES.contains(&word.trim_end_matches(number))
}

fn push(kept: &mut String, piece: &str) {
    let piece = piece.trim();
    if !kept.is_empty() && !piece.is_empty() {
        kept.push(' ');
    }
    kept.push_str(piece);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags() -> Tags {
        let tags = ["vertrouwelijk", "veilig", "niet vertrouwelijk", "open"].map(str::to_owned);
        Tags::new(tags.iter())
    }

    #[test]
    fn tags_are_found() {
        for (subject, expected) in [
            ("[vertrouwelijk] x", &["vertrouwelijk"][..]),
            ("  [ Vertrouwelijk ]x", &["vertrouwelijk"]),
            ("VERTROUWELIJK : x", &["vertrouwelijk"]),
            ("Re: Fwd:FW: Fw : Antw: Doorst: AW: WG: TR: RV: SV: VS: veilig: x", &["veilig"]),
            ("Re[2]: RE (3): re^4: [veilig] x", &["veilig"]),
            ("Re：［ｖｅｉｌｉｇ］ x", &["veilig"]),
            ("[lijst] [EXTERN][veilig] x", &["veilig"]),
            ("[[veilig]] x", &["veilig"]),
            ("[veilig 14d] x", &["veilig"]),
            ("[spoed, veilig] x", &["veilig"]),
            ("[vertrouwelĳk] x", &["vertrouwelijk"]),
            ("[vei\u{200b}l\u{ad}i\u{301}g] x", &["veilig"]),
            ("\u{feff}[niet\u{a0}\u{2003}vertrouwelijk] x", &["niet vertrouwelijk"]),
            ("𝐯𝐞𝐢𝐥𝐢𝐠: x", &["veilig"]),
            ("[open] veilig: x", &["open", "veilig"]),
            ("Geannuleerd: [veilig] overleg", &["veilig"]),
            ("veilig x", &[]),
            ("Notulen [veilig]", &[]),
            ("[veiligheid] x", &[]),
            ("[onveilig] x", &[]),
            ("[veilig-online] x", &[]),
            ("veiligheid: x", &[]),
            ("over veilig: x", &[]),
            ("[veilig x", &[]),
            ("", &[]),
        ] {
            let tags = tags();
            let found: Vec<&str> = tags.find(subject).iter().map(|hit| hit.tag).collect();
            assert_eq!(found, expected, "{subject}");
        }
    }

    #[test]
    fn a_tag_with_company_is_not_exact() {
        for (subject, exact) in
            [("[open] x", true), ("open: x", true), ("[open 3d] x", false), ("[open data] x", false)]
        {
            assert_eq!(
                tags().find(subject).iter().map(|hit| hit.exact).collect::<Vec<_>>(),
                [exact],
                "{subject}"
            );
        }
    }

    #[test]
    fn tags_are_removed_and_nothing_else() {
        for (subject, expected) in [
            ("[vertrouwelijk] Notulen", "Notulen"),
            ("Re: [Veilig 14d] FW:  veilig: Notulen: [veilig]", "Re: FW: Notulen: [veilig]"),
            ("[lijst] [veilig]Notulen", "[lijst] Notulen"),
            ("  Notulen ", "  Notulen "),
            ("[veilig]", ""),
            ("[[veilig]] x", "x"),
        ] {
            assert_eq!(tags().strip(subject), expected, "{subject}");
        }
    }

    #[test]
    fn hostile_subjects_cost_little() {
        for text in ["re:", "[", "[x: ", "[a]", "[veilig]", "[,", "\u{200b}", "\u{fdfa}"] {
            tags().find(&text.repeat((1 << 20) / text.len()));
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("[veilig]"), Just("veilig"), Just(":"), Just(" "), Just("Re:"), Just("["), Just("]"),
                    Just("[lijst]"), Just("\u{200b}"), Just("\u{a0}"), Just("open"), Just("x"), Just("ｖeilig："),
                    Just("\u{301}"), Just("[2]"),
                ],
                0..12,
            ),
            text in ".{0,20}",
        ) {
            let subject = pieces.concat() + &text;
            let once = tags().strip(&subject);
            prop_assert_eq!(tags().strip(&once), once.clone());
            prop_assert!(tags().find(&once).is_empty(), "{}", once);
        }
    }
}
