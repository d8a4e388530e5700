//! Citizen service numbers in text: nine digits, or eight with the zero left out, that pass the eleven-test, near
//! a word that says what they are. One in eleven random numbers passes the test, so the word is needed. The
//! numbers themselves are never kept, returned or logged.

use super::fold::fold;

/// Characters that may stand between the word and the number. Of equal ones in a row, that align or indent, one counts.
const MAX_DISTANCE: usize = 60;

/// Words that say that a number is one; blanks and hyphens in them aside.
const WORDS: &[&str] = &[
    "bsn",
    "bsns",
    "bsnr",
    "bsnnr",
    "bsnnummer",
    "bsnnummers",
    "bsnnumer",
    "burgerservicenummer",
    "burgerservicenummers",
    "burgerservicenr",
    "sofinummer",
    "sofinummers",
    "sofinr",
    "boargerservicenûmer",
    "boargerservicenumer",
    "citizenservicenumber",
];

/// Blanks, dots and hyphens that may stand between two digits of a number; of blanks in a row one counts.
const MAX_GAP: usize = 3;

/// Words of one of [`WORDS`] that are written apart.
const MAX_WORDS: usize = 3;

/// Whether `text` holds a number that is called one.
pub fn mentions(text: &str) -> bool {
    let folded = fold(text);
    let mut search = Search::default();
    let mut at = 0;
    let mut rest = folded.as_str();
    while let Some(first) = rest.chars().next() {
        let class = Class::of(first);
        let length = rest.find(|c| Class::of(c) != class).unwrap_or(rest.len());
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let found = match class {
            Class::Digit => search.digits(token, at, after.chars().next()),
            Class::Letter => search.word(token, at),
            Class::Other => search.gap(token),
        };
        if found {
            return true;
        }
        at += match class {
            Class::Other => width(token, |_| true),
            _ => token.chars().count(),
        };
        rest = after;
    }
    false
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Digit,
    Letter,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            _ if c.is_ascii_digit() => Self::Digit,
            _ if c.is_alphanumeric() => Self::Letter,
            _ => Self::Other,
        }
    }
}

/// One pass over the words, numbers and gaps of a text.
#[derive(Default)]
struct Search {
    /// The last words, and where they begin, as long as only separators stand between them.
    words: Vec<(String, usize)>,
    /// The last groups of digits, and where they begin, as long as few separators stand between them.
    groups: Vec<(String, usize)>,
    /// Where the last word of [`WORDS`] ended, and the last sound number.
    word_end: Option<usize>,
    number_end: Option<usize>,
    /// What came just before: a letter would make the digits part of something else.
    after_word: bool,
    after_foreign_word: bool,
}

impl Search {
    fn gap(&mut self, token: &str) -> bool {
        let is_separation = token.chars().all(is_separator);
        if !is_separation {
            self.words.clear();
        }
        if !is_separation || width(token, |c| c == ' ') > MAX_GAP {
            self.groups.clear();
        }
        self.after_foreign_word = false;
        self.after_word = false;
        false
    }

    fn word(&mut self, token: &str, at: usize) -> bool {
        self.groups.clear();
        self.words.push((token.to_owned(), at));
        if self.words.len() > MAX_WORDS {
            self.words.remove(0);
        }
        let begins = (0..self.words.len()).filter(|&from| {
            let joined: String = self.words.iter().skip(from).map(|(word, _)| word.as_str()).collect();
            WORDS.contains(&joined.as_str())
        });
        let begin = begins.filter_map(|from| self.words.get(from)).map(|(_, begin)| *begin).min();
        self.after_word = true;
        self.after_foreign_word = begin.is_none();
        let Some(begin) = begin else { return false };
        self.word_end = Some(at + token.chars().count());
        self.number_end.is_some_and(|end| begin.saturating_sub(end) <= MAX_DISTANCE)
    }

    fn digits(&mut self, token: &str, at: usize, next: Option<char>) -> bool {
        let is_glued = self.after_foreign_word || next.is_some_and(|c| Class::of(c) == Class::Letter);
        (self.after_word, self.after_foreign_word) = (false, false);
        self.words.clear();
        if is_glued || token.len() > 9 {
            self.groups.clear();
            return false;
        }
        self.groups.push((token.to_owned(), at));
        if self.groups.len() > 9 {
            self.groups.remove(0);
        }
        let sound = (0..self.groups.len()).filter(|&from| self.is_number(from));
        let Some(begin) = sound.filter_map(|from| self.groups.get(from)).map(|(_, begin)| *begin).min()
        else {
            return false;
        };
        self.number_end = Some(at + token.len());
        self.word_end.is_some_and(|end| begin.saturating_sub(end) <= MAX_DISTANCE)
    }

    /// Whether the groups from this one on make a number. Of eight digits more is asked: they must be no date, and
    /// no mobile telephone number without its `06`.
    fn is_number(&self, from: usize) -> bool {
        let groups: Vec<&str> = self.groups.iter().skip(from).map(|(group, _)| group.as_str()).collect();
        let number = groups.concat();
        let before = from.checked_sub(1).and_then(|before| self.groups.get(before));
        let is_shortened = number.len() == 8
            && !is_date(&groups)
            && before.is_none_or(|(group, _)| group != "06" && group != "6");
        (number.len() == 9 || is_shortened) && passes_eleven_test(&number)
    }
}

/// Characters, of those that may repeat one for each row of them.
fn width(token: &str, may_repeat: impl Fn(char) -> bool) -> usize {
    let mut last = None;
    token.chars().filter(|c| last.replace(*c) != Some(*c) || !may_repeat(*c)).count()
}

/// Blank, dot, the hyphens that there are, and what a no-break space in the wrong charset becomes.
fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '.' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fffd}')
}

/// Whether groups of eight digits in all are `24-11-2026` or `2026-11-24`.
fn is_date(groups: &[&str]) -> bool {
    let is_upto = |group: &str, most: u32| group.len() == 2 && group.parse().is_ok_and(|n: u32| n <= most);
    match groups {
        [first, month, last] => is_upto(month, 12) && (is_upto(first, 31) || is_upto(last, 31)),
        _ => false,
    }
}

/// Weights 9 to 2 and -1, the last for the last digit; the sum is a multiple of 11. Only zeros do not count.
fn passes_eleven_test(digits: &str) -> bool {
    let weights = [-1i64, 2, 3, 4, 5, 6, 7, 8, 9];
    let sum: i64 =
        digits.bytes().rev().zip(weights).map(|(digit, weight)| i64::from(digit - b'0') * weight).sum();
    sum % 11 == 0 && digits.bytes().any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    // Test numbers: 123456782, 111222333 and (0)12345672 pass the eleven-test.
    #[test]
    fn finds_numbers_that_are_called_one() {
        for text in [
            "BSN 123456782",
            "bsn: 1234.56.782.",
            "Het BSN is 123 456 782",
            "bsn:\r\n\r\n\t111222333",
            "burgerservicenummer 123456782",
            "Burger Service Nummer: 123456782",
            "burger-service-nummer 123456782",
            "sofi-nummer 123456782",
            "123456782 (bsn)",
            "BSN12345678 2",
            "bsn123456782",
            "bsn １２３４５６７８２",
            "b\u{200b}sn 1234\u{ad}56782",
            "BSN-nummer 12345672",
            "kenmerk 2026 bsn 12 123456782 x",
            "boargerservicenûmer 123456782",
            "telefoon 0612345678, bsn=123456782",
            "BSN 10000008",
            "Burger Service Nummer (BSN): 123 456 782",
            "bsnr\n123456782",
            "B\x00S\x00N\x00 \x001\x002\x003\x004\x005\x006\x007\x008\x002\x00",
            "BSN 123-456-782",
            "BSN 12345-6782",
            "BSN 123\u{2011}456\u{2011}782",
            "bsn 123 - 456 - 782",
            "BSN: 123 \r\n456 782",
            "B.S.N. 123456782",
            "bsn 123\u{fffd}456\u{fffd}782",
            "bsn volgnummer 01 12345672",
            "bsn 12345672 12-05-1980",
            "geboren 12-05-1980, bsn 12345672",
            "bsn 01-13-1990",
            "bsn 1990-13-06",
            "bsn 1990-01-32",
            "bsn 123-45-672",
            &format!("BSN{}123456782", " ".repeat(200)),
            &format!("BSN {} 123456782", ".".repeat(200)),
            &format!("BSN {} 123456782", "\u{e9}\u{e8}".repeat(25)),
            "bsn 123\r\n          456\r\n          782",
        ] {
            assert!(mentions(text), "{text}");
        }
        for text in [
            "",
            "123456782",
            "kenmerk 123456782",
            "BSN 123456789",
            "bsn onbekend",
            "bsn 000000000",
            "bsn 1234567820",
            "bsn 1234567",
            "absn 123456782",
            "bsnx 123456782",
            "btw NL123456782B01 bsn",
            "bsn 123456782x",
            "bsn 1234 .. 56782",
            "bsn 1234 - - 56782",
            "bsn 1234/56782",
            "bsn volgt, bel 06-10000008 of +31 6 12345672",
            "bsn volgt, geboren 02-01-1980 of 1980-01-01",
            "bsn volgt, geboren 08-01-1990 of 1990-01-07",
        ] {
            assert!(!mentions(text), "{text}");
        }
        for (between, is_near) in [(50, true), (80, false)] {
            let between = "x".repeat(between);
            for text in [
                format!("bsn {between} 123456782"),
                format!("geachte mevrouw, uw bsn {between} 123456782"),
                format!("123456782 {between} bsn"),
                format!("nr. 123456782 {between} bsn"),
            ] {
                assert_eq!(mentions(&text), is_near, "{text}");
            }
        }
    }

    #[test]
    fn a_megabyte_is_read_at_once() {
        for piece in ["1 ", "bsn ", "12345678 ", "a1", "1.", "-", "x"] {
            mentions(&piece.repeat(1 << 18));
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(text: String) {
            mentions(&text);
        }
    }
}
