//! One tag, and whether a word of a subject is it: in any letter case and in letters that look alike, or misspelt.
//! All texts here are skeletons (see [`skeleton`]).

use std::sync::LazyLock;

use super::super::fold::{fold, skeleton};

/// A tag with fewer letters must be spelt right: too many ordinary words are like it.
const MIN_MISSPELT: usize = 6;

/// A tag with fewer letters is an ordinary word as well, such as "veilig": it needs clearer signs around it.
const MIN_DISTINCT: usize = 8;

/// Characters that are searched for the end of a word; what is longer is no tag.
const MAX_WORD: usize = 400;

/// Endings of Dutch, Frisian, English and German. Not "-heid" and the like, which make another word.
const ENDINGS: &[&str] = &["e", "s", "d", "n", "r", "en", "er", "es", "em", "ed", "st", "ste", "te", "ly"];

/// Characters of the longest of them.
const LONGEST_ENDING: usize = 3;

/// Misspelt these would be tags, but in front of a colon they are subjects: an auction, and saints.
const OTHER_WORDS: &[&str] = &["veiling", "heilig"];

static ENDING_SKELETONS: LazyLock<Vec<String>> = LazyLock::new(|| skeletons(ENDINGS));
static OTHER_SKELETONS: LazyLock<Vec<String>> = LazyLock::new(|| skeletons(OTHER_WORDS));

/// A tag of a rule.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Tag {
    /// As the policy has it.
    written: String,
    /// Folded, and without blanks.
    folded: String,
    /// What it looks like in small letters and in capitals, without blanks.
    skeletons: Vec<String>,
    /// Their letters, where it may be misspelt; see [`forms`].
    letters: Vec<Vec<char>>,
    /// Which letters are in them; see [`kinds`].
    kinds: Vec<u64>,
    length: usize,
    longest: usize,
    words: usize,
}

/// How far a word of a subject is the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Spelling {
    Right,
    Misspelt,
}

impl Tag {
    pub fn new(written: String) -> Self {
        let folded = unblanked(&fold(&written));
        let mut skeletons: Vec<String> =
            cases(&written).iter().map(|tag| unblanked(&skeleton(tag))).collect();
        skeletons.sort_unstable();
        skeletons.dedup();
        let length = written.chars().filter(|c| c.is_alphabetic()).count();
        let may_be_misspelt = length >= MIN_MISSPELT;
        let letters: Vec<_> = match may_be_misspelt {
            true => skeletons.iter().flat_map(|tag| forms(tag)).collect(),
            false => Vec::new(),
        };
        let longest = letters.iter().map(Vec::len).max().unwrap_or(0) + LONGEST_ENDING + 1;
        let words = written.split_whitespace().count();
        let kinds = skeletons.iter().map(|tag| kinds(tag)).collect();
        Self { written, folded, skeletons, letters, kinds, length, longest, words }
    }

    /// As the policy has it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Whether a folded text without blanks is the tag, spelt as the policy has it.
    pub fn is_folded(&self, text: &str) -> bool {
        self.folded == text
    }

    /// What it looks like, without blanks.
    pub fn skeletons(&self) -> &[String] {
        &self.skeletons
    }

    /// Bytes that it may take where it is misspelt: a character has at most 4, and a blank behind it.
    pub fn longest(&self) -> usize {
        5 * self.longest
    }

    /// It is hardly ever written but as a mark.
    pub fn is_distinct(&self) -> bool {
        self.length >= MIN_DISTINCT
    }

    /// Where the tag ends that `text` starts with, blanks aside, if nothing goes on as part of it.
    pub fn end(&self, text: &str) -> Option<usize> {
        let rests = self.skeletons.iter().filter_map(|tag| after(text, tag));
        rests.filter(|rest| !goes_on(rest)).map(|rest| text.len() - rest.len()).max()
    }

    /// Where the tag ends that `text` starts with misspelt. `is_other` says which texts without blanks are something
    /// else.
    pub fn misspelt_end(&self, text: &str, is_other: &dyn Fn(&str) -> bool) -> Option<usize> {
        if self.letters.is_empty() {
            return None;
        }
        let is_it = |end: &usize| {
            let word = text.get(..*end).unwrap_or("");
            *end <= self.longest()
                && self.may_be(word)
                && !goes_on(text.get(*end..).unwrap_or(""))
                && self.is_like(&unblanked(word), is_other)
        };
        // A sign may end the word, or be the wrong letter in it; blanks may be in it.
        let letters = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        let all = text.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
        [Some(letters), words_end(text, self.words), Some(all)].into_iter().flatten().find(is_it)
    }

    /// Whether a word is about as long, and of about the same letters. Most words are not, and this costs little.
    fn may_be(&self, word: &str) -> bool {
        let count = word.chars().filter(|c| *c != ' ').count();
        let kinds = kinds(word);
        // A slip changes three at most, an `m` to a `w`; an ending brings three.
        let most = if self.is_distinct() { 6 } else { 3 };
        (self.length.saturating_sub(2)..=self.longest).contains(&count)
            && self.kinds.iter().any(|tag| (tag ^ kinds).count_ones() <= most)
    }

    /// Whether a word without blanks is the tag with one letter wrong, missing, too many or swapped with the next, or
    /// with an ending.
    fn is_like(&self, word: &str, is_other: &dyn Fn(&str) -> bool) -> bool {
        if is_other(word) {
            return false;
        }
        let stems: Vec<&str> =
            ENDING_SKELETONS.iter().filter_map(|ending| word.strip_suffix(ending.as_str())).collect();
        let is_stem = |stem: &&str| self.skeletons.iter().any(|tag| tag == stem);
        let is_near = |text: &str| {
            let forms = forms(text);
            self.letters.iter().any(|tag| forms.iter().any(|form| differ_by_one(tag, form)))
        };
        stems.iter().any(is_stem)
            || is_near(word)
            || self.is_distinct() && stems.iter().any(|stem| is_near(stem))
    }
}

/// Whether a skeleton without blanks is this word with one letter wrong.
pub(in crate::policy) fn is_misspelt(seen: &str, word: &str) -> bool {
    let word: Vec<char> = skeleton(word).chars().collect();
    word.len() >= MIN_MISSPELT && differ_by_one(&word, &seen.chars().collect::<Vec<_>>())
}

/// Whether a misspelt word is another one that is in front of subjects.
pub(super) fn is_other_word(word: &str) -> bool {
    OTHER_SKELETONS.iter().any(|other| word == other)
}

/// Without blanks.
pub(in crate::policy) fn unblanked(text: &str) -> String {
    text.split(' ').collect()
}

/// Whether two words differ by one letter at most. Digits are never taken for others: `level 1` is not `level 2`.
fn differ_by_one(tag: &[char], word: &[char]) -> bool {
    let is_numbered = has_digit(tag);
    let start = tag.iter().zip(word).take_while(|(a, b)| a == b).count();
    let (tag, word) = (tag.get(start..).unwrap_or(&[]), word.get(start..).unwrap_or(&[]));
    let end = tag.iter().rev().zip(word.iter().rev()).take_while(|(a, b)| a == b).count();
    let tag = tag.get(..tag.len() - end).unwrap_or(&[]);
    let word = word.get(..word.len() - end).unwrap_or(&[]);
    if is_numbered && (has_digit(tag) || has_digit(word)) {
        return false;
    }
    match (tag, word) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

/// Which characters are in a text, one bit each; some share one.
fn kinds(text: &str) -> u64 {
    text.chars().filter(|c| *c != ' ').fold(0, |kinds, c| kinds | 1 << (u32::from(c) % 64))
}

fn has_digit(word: &[char]) -> bool {
    word.iter().any(|c| c.is_numeric())
}

/// The letters of a skeleton as they are, and with those as one that are one letter: an `m` looks like two, and the Dutch
/// `ij` may be a `y`.
fn forms(skeleton: &str) -> Vec<Vec<char>> {
    let packed = skeleton.replace("vv", "w").replace("rn", "m");
    // Of `vvv` the last two may be the w.
    let backwards: String = skeleton.chars().rev().collect();
    let backwards: String = backwards.replace("vv", "w").replace("nr", "m").chars().rev().collect();
    let mut forms = vec![skeleton.to_owned(), packed.replace("lj", "y"), backwards, packed];
    forms.dedup();
    forms.iter().map(|form| form.chars().collect()).collect()
}

pub(super) fn skeletons(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| skeleton(word)).collect()
}

/// A tag as it may be written where letter case does not matter; capitals need not look like their small letters.
pub(super) fn cases(tag: &str) -> [String; 4] {
    let small = tag.to_lowercase();
    let mut letters = small.chars();
    let capital = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters.clone()).collect();
    [tag.to_owned(), tag.to_uppercase(), capital, small]
}

/// Where so many words end.
fn words_end(text: &str, words: usize) -> Option<usize> {
    let mut left = words;
    let end = text.char_indices().take(MAX_WORD).find(|(_, c)| {
        left -= usize::from(*c == ' ');
        left == 0
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    let word = text.get(..end)?.trim_end_matches(|c: char| !c.is_alphanumeric());
    (!word.is_empty()).then_some(word.len())
}

/// What stands behind the tag that `text` starts with.
fn after<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    tag.chars().try_fold(text, |rest, c| {
        let rest = rest.trim_start_matches(' ');
        // A bar may stand for an l.
        rest.strip_prefix(c).or_else(|| rest.strip_prefix('|').filter(|_| c == 'l'))
    })
}

/// Whether a word goes on, or an address: `secure-net` is another word, `secure-14d` and `secure-language=en` are none.
fn goes_on(rest: &str) -> bool {
    let behind_hyphens = rest.trim_start_matches(['-', '_']);
    if behind_hyphens.len() == rest.len() {
        return rest.starts_with(|c: char| c.is_alphanumeric() || c == '@');
    }
    let word = behind_hyphens.split([' ', ',', ';']).next().unwrap_or("");
    word.starts_with(char::is_alphabetic) && !word.contains(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_like(tag: &str, word: &str) -> bool {
        let (tag, word) = (Tag::new(tag.to_owned()), skeleton(word));
        tag.misspelt_end(&word, &|_| false) == Some(word.len())
    }

    #[test]
    fn one_letter_may_be_wrong() {
        for (tag, word) in [
            ("vertrouwelijk", "vertouwelijk"),
            ("vertrouwelijk", "vertrouwwelijk"),
            ("vertrouwelijk", "vertrouelijk"),
            ("vertrouwelijk", "vertrouvelijk"),
            ("vertrouwelijk", "vwrtrouwelijk"),
            ("vertrouwelijk", "vertrowuelijk"),
            ("vertrouwelijk", "evrtrouwelijk"),
            ("vertrouwelijk", "vertrouwelij"),
            ("vertrouwelijk", "ertrouwelijk"),
            ("vertrouwelijk", "vertr0uwelijk"),
            ("vertrouwelijk", "vertouwelijke"),
            ("vertrouwelijk", "vertrouwelyk"),
            ("veilig", "veilg"),
            ("veilig", "veiig"),
            ("veilig", "vielig"),
            ("geheim", "gehei"),
            ("geheim", "geheimm"),
            ("geheim", "gehiem"),
            ("интерны", "интерна"),
            ("niveau 10", "nivaeu 10"),
        ] {
            assert!(is_like(tag, word), "{tag} {word}");
        }
        for (tag, word) in [
            ("vertrouwelijk", "vertrouwelijkheid"),
            ("vertrouwelijk", "onvertrouwelijk"),
            ("veilig", "veiligheid"),
            ("veilig", "beveiligd"),
            ("veilig", "onveilig"),
            ("veilig", "vlg"),
            ("secure", "security"),
            ("niveau 1", "niveau 2"),
            ("niveau 1", "niveau 12"),
            ("intern", "extern"),
            ("open", "opem"),
            ("confidential", "confidentiality"),
        ] {
            assert!(!is_like(tag, word), "{tag} {word}");
        }
    }

    /// C32: any letter wrong, missing, doubled or swapped with the next.
    #[test]
    fn every_single_slip_is_seen_through() {
        for tag in
            ["vertrouwelijk", "confidential", "fertroulik", "feilich", "veilig", "secure", "geheim", "intern"]
        {
            let letters: Vec<char> = tag.chars().collect();
            for at in 0..letters.len() {
                let slips = (b'a'..=b'z').map(|wrong| {
                    let mut word = letters.clone();
                    word[at] = char::from(wrong);
                    word
                });
                let (mut missing, mut doubled, mut swapped) =
                    (letters.clone(), letters.clone(), letters.clone());
                missing.remove(at);
                doubled.insert(at, letters[at]);
                swapped.swap(at, (at + 1).min(letters.len() - 1));
                for word in slips.chain([missing, doubled, swapped]) {
                    let word: String = word.into_iter().collect();
                    assert!(is_like(tag, &word), "{tag} {word}");
                }
            }
        }
    }

    #[test]
    fn endings_make_no_other_word() {
        for (tag, word) in [
            ("vertrouwelijk", "vertrouwelijke"),
            ("vertrouwelijk", "vertrouwelijks"),
            ("vertraulich", "vertrauliches"),
            ("vertraulich", "vertraulichem"),
            ("encrypt", "encrypted"),
            ("confidential", "confidentially"),
            ("veilig", "veilige"),
        ] {
            assert!(is_like(tag, word), "{tag} {word}");
        }
    }
}
