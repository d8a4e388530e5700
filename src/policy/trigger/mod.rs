//! Tags in a subject: `[vertrouwelijk]` or `vertrouwelijk:` at its start, found in whatever spelling a reader
//! would take for them (C06), and taken away again before anybody outside sees the subject.

use std::ops::Range;
use std::sync::LazyLock;

use super::fold::{fold, see, skeleton};
use super::rules::Answer;

/// What mail programs and servers put before a subject when they answer, forward, report or mark it, in the languages
/// of our neighbours and some more; without accents.
const PREFIXES: &[&str] = &[
    "re",
    "antw",
    "antwoord",
    "antwort",
    "betr",
    "aw",
    "sv",
    "vs",
    "va",
    "res",
    "rif",
    "r",
    "rep",
    "trs",
    "ref",
    "odp",
    "fw",
    "fwd",
    "doorst",
    "doorgestuurd",
    "weitergeleitet",
    "wg",
    "wtr",
    "tr",
    "rv",
    "re/fw",
    "re/fwd",
    "vb",
    "vl",
    "pd",
    "ynt",
    "ilt",
    "tov",
    "valasz",
    "tovabbitas",
    "bls",
    "atb",
    "yml",
    "fs",
    "ang",
    "svar",
    "vedr",
    "reponse",
    "απ",
    "πρθ",
    "σχετ",
    "отв",
    "ответ",
    "пересл",
    "на",
    "答复",
    "回复",
    "回覆",
    "转发",
    "轉寄",
    "השב",
    "הועבר",
    "رد",
    "إعادة توجيه",
    "enc",
    "i",
    "automatisch antwoord",
    "automatic reply",
    "automatische antwort",
    "automatysk antwurd",
    "reponse automatique",
    "afwezig",
    "afwezigheid",
    "extern",
    "external",
    "spam",
    "undeliverable",
    "delivered",
    "relayed",
    "returned mail",
    "not read",
    "ungelesen",
    "recall",
    "intrekken",
    "reminder",
    "task accepted",
    "canceled event",
    "new time proposed",
    "nieuwe tijd voorgesteld",
    "betreft",
    "betreff",
    "onderwerp",
    "gelezen",
    "niet gelezen",
    "gelesen",
    "read",
    "onbestelbaar",
    "herinnering",
    "taakverzoek",
    "task request",
    "meeting forward notification",
    "zugesagt",
    "abgesagt",
    "out of office",
    "geaccepteerd",
    "voorlopig",
    "voorlopig geaccepteerd",
    "geweigerd",
    "geannuleerd",
    "uitnodiging",
    "bijgewerkt",
    "bijgewerkte uitnodiging",
    "accepted",
    "tentative",
    "declined",
    "canceled",
    "cancelled",
    "invitation",
    "updated",
    "updated invitation",
];

static PREFIX_SKELETONS: LazyLock<Vec<String>> =
    LazyLock::new(|| PREFIXES.iter().map(|prefix| skeleton(prefix)).collect());

/// Characters of a prefix; what is longer is none. Brackets that pair are looked for as far.
const MAX_GROUP: usize = 1000;

/// Characters of a mark in other brackets, and signs before a tag in a list. Small, for many may stand in a subject.
const MAX_MARK: usize = 80;
const MAX_SIGNS: usize = 8;

/// Tags, prefixes and groups at the start of one subject. Nobody answers that often.
const MAX_ITEMS: usize = 200;

/// Octets of a subject that are searched for options.
const MAX_OPTIONS: usize = 64 << 10;

/// How often a subject is cleaned of tags until none is found any more.
const MAX_ROUNDS: usize = 8;

/// Between the words of a list in brackets.
const SEPARATORS: [char; 8] = [',', ';', '|', '/', '+', '&', '•', '·'];

/// Around a subject, or a part of it.
const QUOTES: [char; 9] = ['"', '\'', '“', '”', '„', '«', '»', '‘', '’'];

/// The tags of a rule, or of several.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    /// As the policy has them.
    written: Vec<String>,
    /// Folded, and without blanks.
    folded: Vec<String>,
    /// What they look like in small letters and in capitals, without blanks.
    skeletons: Vec<String>,
}

impl Tags {
    pub fn new(tags: impl IntoIterator<Item = String>) -> Self {
        let written: Vec<String> = tags.into_iter().collect();
        let folded = written.iter().map(|tag| unblanked(&fold(tag))).collect();
        let mut skeletons: Vec<String> =
            written.iter().flat_map(|tag| cases(tag)).map(|tag| unblanked(&skeleton(&tag))).collect();
        skeletons.sort_unstable();
        skeletons.dedup();
        Self { written, folded, skeletons }
    }

    /// As the policy has them.
    pub fn written(&self) -> &[String] {
        &self.written
    }

    /// Whether the [`skeleton`] of a subject bears one where the sender of an answer would still have it: at its
    /// start, after reply prefixes, or after other groups in brackets that mail servers put there.
    pub fn are_on(&self, seen: &str) -> Answer {
        let mut start = Start::of(seen, &self.skeletons);
        if start.by_ref().take(MAX_ITEMS).any(|item| item.is_tag) {
            return Answer::Yes;
        }
        if start.next().is_some() { Answer::Unknown } else { Answer::No }
    }

    /// Whether the very first thing in a folded subject is one, with nothing next to it in its brackets, and spelled
    /// as the policy has it: `[open data]` says nothing about the message, nor does what only looks like `[open]`.
    pub fn begin(&self, folded: &str) -> bool {
        let subject = folded.trim_start_matches(' ').trim_start_matches(QUOTES);
        Start::of(subject, &self.folded).next().is_some_and(|item| item.is_bare && item.span.start == 0)
    }

    /// The subject without any of them, and their options, at its start.
    pub fn strip(&self, subject: &str) -> String {
        let clean = self.without(subject, |item| item.is_tag.then_some(item.span));
        clean.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What stands behind them in their brackets, as it was written: `14d` of `[tag 14d]`.
    pub fn options<'a>(&self, subject: &'a str) -> Vec<&'a str> {
        let subject = subject.get(..subject.floor_char_boundary(MAX_OPTIONS)).unwrap_or(subject);
        let start = Traced::of(subject);
        let items = Start::of(&start.skeleton, &self.skeletons).take(MAX_ITEMS);
        let options = items.flat_map(|item| item.options).filter_map(|span| subject.get(start.origin(span)));
        options.map(str::trim).filter(|text| !text.is_empty()).collect()
    }

    /// The subject with them, but without what stands behind them.
    pub fn strip_options(&self, subject: &str) -> String {
        self.without(subject, |item| item.options.into_iter().filter(|span| !span.is_empty()))
    }

    /// The subject without these spans of what it starts with.
    fn without<I: IntoIterator<Item = Range<usize>>>(
        &self,
        subject: &str,
        spans: impl Fn(Item) -> I,
    ) -> String {
        let mut clean = subject.to_owned();
        // What is left may read anew where brackets did not pair; few rounds are ever needed.
        for _ in 0..MAX_ROUNDS {
            let start = Traced::of(&clean);
            let (mut cleaner, mut from) = (String::new(), 0);
            for span in Start::of(&start.skeleton, &self.skeletons).flat_map(&spans) {
                let Range { start, end } = start.origin(span);
                cleaner.push_str(clean.get(from..start).unwrap_or(""));
                from = end;
            }
            if from == 0 {
                break;
            }
            cleaner.push_str(clean.get(from..).unwrap_or(""));
            clean = cleaner;
        }
        clean
    }
}

/// A tag as it may be written where letter case does not matter; capitals need not look like their small letters.
fn cases(tag: &str) -> [String; 4] {
    let small = tag.to_lowercase();
    let mut letters = small.chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters.clone()).collect();
    [tag.to_owned(), tag.to_uppercase(), capital, small]
}

/// A [`skeleton`] moves offsets. Here each character is taken by itself and remembers where it came from.
struct Traced {
    skeleton: String,
    origins: Vec<usize>,
}

impl Traced {
    fn of(subject: &str) -> Self {
        let (mut skeleton, mut origins) = (String::new(), Vec::new());
        for (at, c) in subject.char_indices() {
            see(c.encode_utf8(&mut [0; 4]), &mut skeleton);
            origins.resize(skeleton.len(), at);
        }
        origins.push(subject.len());
        Self { skeleton, origins }
    }

    /// The same span in the subject.
    fn origin(&self, span: Range<usize>) -> Range<usize> {
        let end = self.origins.last().copied().unwrap_or(0);
        let origin = |at: usize| self.origins.get(at).copied().unwrap_or(end);
        origin(span.start)..origin(span.end)
    }
}

/// One thing at the start of a subject.
struct Item {
    span: Range<usize>,
    is_tag: bool,
    /// It is a tag and nothing else.
    is_bare: bool,
    /// What stands behind each tag in its brackets.
    options: Vec<Range<usize>>,
}

/// Walks over the tags, prefixes and groups that a subject starts with.
struct Start<'a> {
    subject: &'a str,
    at: usize,
    tags: &'a [String],
}

/// What a group or word turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Bare,
    InCompany,
    Other,
}

impl<'a> Start<'a> {
    /// Both have been made comparable in the same way; the tags are without blanks.
    fn of(subject: &'a str, tags: &'a [String]) -> Self {
        Self { subject, at: 0, tags }
    }

    /// `[tag]`, also among other words, or any other group in brackets, and where in it its tags end. Of
    /// brackets in brackets each piece counts.
    fn group(&self, rest: &str) -> Option<(usize, Sort, Vec<usize>)> {
        let length = group_length(rest)?;
        let text = rest.get(..length)?.strip_prefix('[')?.trim_end_matches(']');
        if self.is_bare(text) {
            return Some((length, Sort::Bare, Vec::new()));
        }
        let brackets = ['[', ']'];
        let (mut at, mut ends) = ("[".len(), Vec::new());
        for piece in text.split_inclusive(brackets) {
            let inside = piece.trim_end_matches(brackets);
            let end = if self.is_bare(inside) { Some(inside.len()) } else { self.listed(inside) };
            ends.extend(end.map(|end| at + end));
            at += piece.len();
        }
        let sort = if ends.is_empty() { Sort::Other } else { Sort::InCompany };
        Some((length, sort, ends))
    }

    /// `tag:`, or a prefix: `re:`, `re[2]:`, `re (2):`
    fn word(&self, rest: &str) -> Option<(usize, Sort)> {
        let (length, _) = rest.char_indices().take(MAX_GROUP).find(|(_, c)| *c == ':')?;
        let word = rest.get(..length)?;
        if self.is_bare(word) {
            return Some((length + 1, Sort::Bare));
        }
        let prefix = word.trim_end_matches(|c: char| c.is_ascii_digit() || "[](){}^*#.- ".contains(c));
        PREFIX_SKELETONS.contains(&spaced(&skeleton(prefix))).then_some((length + 1, Sort::Other))
    }

    fn is_bare(&self, text: &str) -> bool {
        let text = unblanked(text);
        self.tags.contains(&text) || text.contains('|') && self.tags.contains(&text.replace('|', "l"))
    }

    /// The tag in a list, `[urgent, tag]`, or with options behind it, `[tag 14d]`: where it ends.
    fn listed(&self, text: &str) -> Option<usize> {
        let starts = std::iter::once(0).chain(text.match_indices(SEPARATORS).map(|(at, c)| at + c.len()));
        let longest = |start: usize| {
            let rest = text.get(start..)?;
            let ends = self.tags.iter().filter_map(|tag| tag_end(rest, tag));
            ends.max().map(|end| start + end)
        };
        starts.filter_map(longest).next()
    }
}

/// What stands before the second stars of `***SPAM***`, and two of them.
fn starred(rest: &str) -> Option<(usize, Sort)> {
    let (end, _) = rest.char_indices().take(MAX_MARK).find(|(_, c)| !c.is_alphanumeric() && *c != ' ')?;
    rest.get(end..)?.starts_with("**").then_some((end + 2, Sort::Other))
}

/// `(extern)` or `{Spam?}`, or the sign alone.
fn mark(rest: &str) -> Option<(usize, Sort)> {
    let closing = match rest.chars().next()? {
        '(' => ')',
        '{' => '}',
        _ => return None,
    };
    let end = rest.char_indices().take(MAX_MARK).find(|(_, c)| *c == closing);
    Some((end.map_or(1, |(at, _)| at + 1), Sort::Other))
}

/// Octets of the group in brackets that `rest` starts with: up to the bracket that pairs with the first, or,
/// where none does nearby, up to the first that closes any, however far: a long group may hold a tag as well.
fn group_length(rest: &str) -> Option<usize> {
    let (mut depth, mut first) = (0usize, None);
    for (at, c) in rest.char_indices().take(MAX_GROUP) {
        if c == '[' {
            depth += 1;
        } else if c == ']' {
            first.get_or_insert(at);
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(closed(rest, at));
            }
        }
        if depth == 0 {
            return None;
        }
    }
    first.or_else(|| rest.find(']')).map(|at| closed(rest, at))
}

/// What stands behind the tags that end there, each up to the bracket that closes its group. A tag in the options
/// of the one before is part of them.
fn options(group: &str, ends: Vec<usize>) -> Vec<Range<usize>> {
    let mut options: Vec<Range<usize>> = Vec::new();
    for from in ends {
        if options.last().is_none_or(|before| before.end <= from) {
            options.push(from..from + options_length(group.get(from..).unwrap_or("")));
        }
    }
    options
}

/// Octets of options up to the bracket that closes their group: the first without a partner among them, else, in a
/// group that is not paired, the last.
fn options_length(rest: &str) -> usize {
    let (mut depth, mut last) = (0usize, rest.len());
    for (at, c) in rest.char_indices() {
        if c == '[' {
            depth += 1;
        } else if c == ']' {
            last = at;
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            }
        }
    }
    last
}

/// Octets of the group that the bracket at `at` closes: brackets too many belong to it.
fn closed(rest: &str, at: usize) -> usize {
    let after = rest.get(at..).unwrap_or("");
    rest.len() - after.trim_start_matches(']').len()
}

/// Where a tag ends in `text`, if it starts with it, signs before it and blanks aside, and nothing goes on as part of it.
fn tag_end(text: &str, tag: &str) -> Option<usize> {
    let word = text.char_indices().take(MAX_SIGNS).find(|(_, c)| c.is_alphanumeric());
    let word = word.and_then(|(at, _)| text.get(at..)).unwrap_or(text);
    let rest = after_tag(text, tag).or_else(|| after_tag(word, tag))?;
    // `secure-net` is another word, `secure-14d` is none.
    let behind_hyphens = rest.trim_start_matches(['-', '_']);
    let goes_on = match behind_hyphens.len() == rest.len() {
        true => rest.starts_with(char::is_alphanumeric),
        // A word with a value is an option.
        false => {
            let word = behind_hyphens.split([' ', ',', ';']).next().unwrap_or("");
            word.starts_with(char::is_alphabetic) && !word.contains(['=', ':'])
        }
    };
    (!goes_on).then_some(text.len() - rest.len())
}

/// What stands behind the tag that `text` starts with.
fn after_tag<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    tag.chars().try_fold(text, |rest, c| {
        let rest = rest.trim_start_matches(' ');
        // A bar may stand for an l.
        rest.strip_prefix(c).or_else(|| rest.strip_prefix('|').filter(|_| c == 'l'))
    })
}

impl Iterator for Start<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let rest = self.subject.get(self.at..)?;
        // Whatever signs stand between: `[EXTERN] - "[tag]`.
        let trimmed = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && !"[({".contains(c));
        let start = self.at + rest.len() - trimmed.len();
        let bare = |(length, sort)| (length, sort, Vec::new());
        let is_starred = rest.get(..rest.len() - trimmed.len()).is_some_and(|signs| signs.ends_with("**"));
        let starred = || if is_starred { starred(trimmed) } else { None };
        let other = || starred().or_else(|| mark(trimmed)).or_else(|| self.word(trimmed)).map(bare);
        let (length, sort, ends) = self.group(trimmed).or_else(other)?;
        self.at = start + length;
        let options = options(trimmed.get(..length)?, ends);
        let options = options.into_iter().map(|span| start + span.start..start + span.end).collect();
        Some(Item { span: start..self.at, is_tag: sort != Sort::Other, is_bare: sort == Sort::Bare, options })
    }
}

/// Without blanks.
pub(super) fn unblanked(text: &str) -> String {
    text.split(' ').collect()
}

/// With one blank between words, and none around them.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Tags {
        Tags::new(["vertrouwelijk", "secure", "niet vertrouwelijk"].map(str::to_owned))
    }

    fn bears(subject: &str) -> Answer {
        tags().are_on(&skeleton(subject))
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
            "[vertrou\u{a0}welijk 14d] zaak",
            "[spoed, nietvertrouwelijk 14d] zaak",
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
            "[v\u{e9}rtrouwel\u{133}k] zaak",
            "[sec\u{301}ure] zaak",
            "s\u{e9}cure: zaak",
            "[[vertrouwelijk]] zaak",
            "[x [secure] y] zaak",
            "[spoed, vertrouwelijk] zaak",
            "[spoed/secure] zaak",
            "[spoed; niet  vertrouwelijk 14d] zaak",
            "[secure(14d)] zaak",
            "[\u{2800}secure] zaak",
            "[vertrouwelijk wachtwoord=a[b] zaak",
            "[vertrouwelijk wachtwoord=a]b] zaak",
            "[vertrouwelijk [] zaak",
            &format!("[vertrouwelijk {}] zaak", "x".repeat(5000)),
            &format!("[{}] [secure] zaak", "x".repeat(5000)),
            &format!("【{}】secure: zaak", "x".repeat(5000)),
            "[[x] secure 14d] zaak",
            "[vertrouweIijk] zaak",
            "[vеrtrοuvvеlіjk 14d] zaak",
            "RЕ: [ѕecure | x] zaak",
            "【secure】 zaak",
            "[secure‐14d] zaak",
            "[secure-wachtwoord=geheim] zaak",
            "[secure∣14d] zaak",
            "sеcure∶ zaak",
            "[vertrouwe|ijk] zaak",
            "[vertrouwe|ijk 14d] zaak",
            "vertrouwe|ijk: zaak",
            "[EXTERN]: [secure] zaak",
            "[EXTERN] - [secure] zaak",
            "{Spam?} [secure] zaak",
            "(extern) [secure] zaak",
            "*** [secure] zaak",
            "***SPAM*** [secure] zaak",
            "\u{1f512} [secure] zaak",
            "[\u{1f512} secure] zaak",
            "[\"secure\"] zaak",
            "[!secure 14d] zaak",
            "[spoed•secure] zaak",
            "»[secure]« zaak",
            ": [secure] zaak",
            "([secure] zaak",
            "Re.: Antw.: Re/Fwd: Re-2: RE#2: [secure] zaak",
            "Onderwerp: VB: Отв: 答复： ΑΠ: [secure] zaak",
            &format!("secure{}: zaak", " ".repeat(2000)),
            &format!("[{}secure] zaak", " ".repeat(2000)),
            "Re{2}: Rép: Geannuleerd: Updated  invitation: [secure] zaak",
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
            "[niet – secure] zaak",
            "[spoed|x] zaak",
            "Info** secure: zaak",
            "[secure-net] zaak",
            "[secure_net] zaak",
            "[zo secure] zaak",
        ] {
            assert_eq!(bears(subject), Answer::No, "{subject}");
        }
    }

    #[test]
    fn letter_case_does_not_matter_in_other_alphabets() {
        for tag in ["конфиденциально", "КОНФИДЕНЦИАЛЬНО", "απόρρητο", "ΑΠΟΡΡΗΤΟΣ", "Νέα"]
        {
            let tags = Tags::new([tag.to_owned()]);
            for subject in cases(tag) {
                assert_eq!(tags.are_on(&skeleton(&format!("[{subject}] x"))), Answer::Yes, "{tag} {subject}");
            }
        }
    }

    #[test]
    fn a_first_tag_is_first() {
        let first = |subject: &str| tags().begin(&fold(subject));
        assert!(first("[secure] x") && first(" niet vertrouwelijk: x"));
        assert!(!first("RE: [secure] x") && !first("[x] [secure] x"));
        for company in [
            "[secure data] x",
            "[secure, x] x",
            "[[secure]] x",
            "[secure/] x",
            "【secure】 x",
            "[sеcure] x",
            "[s\u{e9}cure] x",
        ] {
            assert!(!first(company), "{company}");
        }
    }

    #[test]
    fn takes_tags_away() {
        for (subject, clean) in [
            ("[vertrouwelijk] Zaak 12", "Zaak 12"),
            ("RE: [Vertrouwelijk] Zaak  12", "RE: Zaak 12"),
            ("secure: Re: secure: [secure 14d] Zaak", "Re: Zaak"),
            ("Ａntw: ［secure］ Z\u{e9}ak", "Ａntw: Z\u{e9}ak"),
            ("Аntw: [vеrtrouvveIijk] Wіm", "Аntw: Wіm"),
            ("[secure]", ""),
            ("[[sec\u{301}ure]] [spoed, secure] Zaak", "Zaak"),
            ("Zaak [secure]", "Zaak [secure]"),
            ("İ: [secure] x", "İ: x"),
            ("Re: \u{200b}[sec\u{200b}ure] x", "Re: \u{200b} x"),
            ("[secure wachtwoord=a[b]c 14d] Zaak", "Zaak"),
            ("[x [secure] y] Zaak", "Zaak"),
        ] {
            assert_eq!(tags().strip(subject), clean, "{subject}");
        }
    }

    #[test]
    fn finds_what_stands_behind_a_tag() {
        for (subject, expected) in [
            ("[secure] x", vec![]),
            ("secure: 14d", vec![]),
            ("[other 14d] x", vec![]),
            ("[secure 14d] x", vec!["14d"]),
            ("RE: [x] [ Sec\u{200b}ure \u{a0} Wachtwoord=Ab\u{e9} 14D ] x", vec!["Wachtwoord=Ab\u{e9} 14D"]),
            ("［ｓｅｃｕｒｅ １４ｄ］ x", vec!["１４ｄ"]),
            ("[urgent, secure, 14d] x", vec![", 14d"]),
            ("[niet  vertrouwelijk 14d] x", vec!["14d"]),
            ("[secure a=b[c]d] x", vec!["a=b[c]d"]),
            ("[secure a=b[c]] x", vec!["a=b[c]"]),
            ("[[secure a=b[c]]] x", vec!["a=b[c]"]),
            ("[secure a=b[c] x", vec!["a=b[c"]),
            ("[[secure 14d]] [secure 7d] x", vec!["14d", "7d"]),
            ("[secure(14d)] x", vec!["(14d)"]),
            ("[[secure 14d] [secure a=b]] x", vec!["14d", "a=b"]),
            ("[[secure a=[secure 14d]] y [secure 7d]] x", vec!["a=[secure 14d]", "7d"]),
        ] {
            assert_eq!(tags().options(subject), expected, "{subject}");
        }
    }

    #[test]
    fn takes_options_away_and_leaves_the_tag() {
        for (subject, clean) in [
            ("[secure] x", "[secure] x"),
            ("RE: [Secure 14d a=b] x", "RE: [Secure] x"),
            ("[x] [[secure a=b[c]]] [secure 7d] y", "[x] [[secure]] [secure] y"),
            ("[urgent, secure, 14d] x", "[urgent, secure] x"),
            ("secure: [14d]", "secure: [14d]"),
            ("[[secure 14d] [secure a=b]] x", "[[secure] [secure]] x"),
        ] {
            assert_eq!(tags().strip_options(subject), clean, "{subject}");
        }
    }

    #[test]
    fn a_megabyte_of_prefixes_is_read_at_once() {
        for piece in ["re: ", "[x]", "[", "(", "{x}", ":;", "[:;", "[secure]", "secure:", "x", " "] {
            let subject = piece.repeat(1 << 20 >> 2);
            bears(&subject);
            tags().strip(&subject);
        }
        assert_eq!(bears(&"re:".repeat(1000)), Answer::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(subject: String, prefix in "(re: |\\[|\\]|secure|:| |İ|ﬃ){0,6}") {
            let subject = prefix + &subject;
            bears(&subject);
            tags().strip(&subject);
            tags().options(&subject);
        }

        /// C06: whatever stands behind the tag in its brackets, it is one, and all of it goes.
        #[test]
        fn options_hide_no_tag(options in "[^\\[\\]]{0,60}", rest in "[a-z ]{0,20}") {
            proptest::prop_assume!(!skeleton(&options).contains(['[', ']']));
            let subject = format!("[vertrouwelijk {options}] {rest}");
            proptest::prop_assert_eq!(bears(&subject), Answer::Yes);
            let bare = tags().strip_options(&subject);
            proptest::prop_assert_eq!(bears(&bare), Answer::Yes);
            proptest::prop_assert!(tags().options(&bare).is_empty(), "{}", bare);
            let words = rest.split_whitespace().collect::<Vec<_>>().join(" ");
            proptest::prop_assert_eq!(tags().strip(&subject), words);
        }

        /// H03: a password in brackets in brackets is none that stays.
        #[test]
        fn no_options_are_left(inside in "(\\[|\\]|secure|[a-z=, 0-9]){0,12}", rest in "[a-z ]{0,20}") {
            let bare = tags().strip_options(&format!("[{inside}] {rest}"));
            proptest::prop_assert!(tags().options(&bare).is_empty(), "{}", bare);
        }

        #[test]
        fn no_tag_is_left(start in "([sS]ecure|[\\[\\]: ,]|re:|\\[x\\]|é|\u{301}|\u{200b}|\u{a0}|ｓ){0,12}", rest: String) {
            let clean = tags().strip(&(start + &rest));
            proptest::prop_assert_eq!(bears(&clean), Answer::No, "{}", clean);
        }
    }
}
