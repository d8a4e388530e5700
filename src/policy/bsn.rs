//! Dutch citizen service numbers (burgerservicenummer, BSN) in running text: nine digits that pass the
//! eleven-test, with a word nearby that says what they are. Pure; asked by the evidence for the `bsn`
//! condition. The answer is yes or no: the number itself never leaves this file.

use std::ops::Range;

use super::trigger::fold;

/// Words that say that a number is a citizen service number; folded, `-` written as a blank.
const CONTEXT: &[&str] = &[
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
    "burgerservice nummer",
    "burger service nummer",
    "boargerservicenumer",
    "sofinummer",
    "sofinummers",
    "sofinr",
    "sofi nummer",
    "citizen service number",
];

/// How far (in characters, roughly) such a word may stand from the number.
const NEAR: usize = 60;

/// Text is looked at in pieces, so that a large file costs little memory; they overlap by more than a
/// number with its context can take, even where folding makes text shorter.
const PIECE: usize = 64 << 10;
const OVERLAP: usize = 2 << 10;

/// Whether `text` holds a citizen service number.
pub(super) fn found(text: &[u8]) -> bool {
    let mut from = 0;
    loop {
        let piece = text.get(from..text.len().min(from + PIECE)).unwrap_or_default();
        if found_in(&fold(&String::from_utf8_lossy(piece))) {
            return true;
        }
        if from + PIECE >= text.len() {
            return false;
        }
        from += PIECE - OVERLAP;
    }
}

fn found_in(folded: &str) -> bool {
    let contexts = contexts(&folded.replace('-', " "));
    !contexts.is_empty() && numbers(folded.as_bytes()).any(|number| is_near(&contexts, &number))
}

/// Where the context words stand as whole words, sorted.
fn contexts(text: &str) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for word in CONTEXT {
        let whole = |at: &usize| {
            let after = text.get(at + word.len()..).and_then(|rest| rest.chars().next());
            let before = text.get(..*at).and_then(|rest| rest.chars().next_back());
            ![before, after].into_iter().flatten().any(char::is_alphanumeric)
        };
        found.extend(text.match_indices(word).map(|(at, _)| at).filter(whole));
    }
    found.sort_unstable();
    found
}

/// `contexts` are sorted, so one look-up tells; hostile texts have thousands of both.
fn is_near(contexts: &[usize], number: &Range<usize>) -> bool {
    let longest = CONTEXT.iter().map(|word| word.len()).max().unwrap_or(0);
    let first = contexts.partition_point(|&at| at + longest + NEAR < number.start);
    contexts.get(first).is_some_and(|&at| at <= number.end + NEAR)
}

/// Where numbers stand that pass the test.
fn numbers(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        text.get(at).is_some_and(u8::is_ascii_digit) && !before.is_some_and(u8::is_ascii_alphanumeric)
    };
    (0..text.len()).filter(move |&at| begins(at)).filter_map(|at| number_at(text, at))
}

/// Nine digits, or eight whose leading zero was left out; dots, hyphens and blanks may part them.
fn number_at(text: &[u8], start: usize) -> Option<Range<usize>> {
    let mut digits: Vec<u8> = Vec::with_capacity(9);
    let mut groups: Vec<u8> = vec![0];
    let mut at = start;
    while digits.len() < 9 {
        let gap = text.get(at..)?.iter().take(3).take_while(|c| is_separator(c)).count();
        let Some(digit) = text.get(at + gap).filter(|c| c.is_ascii_digit()) else { break };
        if gap > 0 {
            groups.push(0);
        }
        if let Some(last) = groups.last_mut() {
            *last += 1;
        }
        digits.push(digit - b'0');
        at += gap + 1;
    }
    let is_date = groups.starts_with(&[2, 2, 4]) || groups.starts_with(&[4, 2, 2]);
    let goes_on = text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    if digits.len() == 8 && !is_tail(text, start) {
        digits.insert(0, 0);
    }
    (!is_date && !goes_on && passes_eleven_test(&digits)).then_some(start..at)
}

/// Whether the digits at `start` go on a longer number, such as 06-12345678.
fn is_tail(text: &[u8], start: usize) -> bool {
    let mut before = text.get(..start).unwrap_or_default().iter().rev();
    before.next().is_some_and(is_separator) && before.next().is_some_and(u8::is_ascii_digit)
}

fn is_separator(c: &u8) -> bool {
    matches!(c, b' ' | b'.' | b'-')
}

/// Nine digits with the weights 9 to 2 and -1; the sum is a multiple of eleven. Only zeros do not count.
fn passes_eleven_test(digits: &[u8]) -> bool {
    const WEIGHTS: [i32; 9] = [9, 8, 7, 6, 5, 4, 3, 2, -1];
    let sum: i32 = digits.iter().zip(WEIGHTS).map(|(&digit, weight)| i32::from(digit) * weight).sum();
    digits.len() == WEIGHTS.len() && digits.iter().any(|&digit| digit > 0) && sum % 11 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_context() {
        for text in [
            "BSN 111222333",
            "bsn: 123456782.",
            "BSN-nummer 1112.22.333",
            "uw burgerservicenummer is 123-456-782",
            "Burger Service Nummer (BSN): 123 456 782",
            "burger-service-nummer\r\n123456782",
            "123456782 is zijn sofinummer",
            "BSN 10000008", // 010000008
            "BSN １２３４５６７８２",
            "BSN 1234\u{200b}56782",
            "bsn 123456782 12",
            "geb. 12-05-1980, BSN 123456782",
        ] {
            assert!(found(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn near_misses() {
        let far = format!("BSN {} 123456782", "x".repeat(100));
        for text in [
            "123456782",
            "ordernummer 123456782",
            "BSN 123456783",
            "BSN 000000000",
            "BSN 1234567820",
            "BSN 0123456782",
            "BSN A123456782",
            "BSN volgt, bel 06-12345678 of 06 10000008",
            "BSN volgt; geboren op 10-00-0008",
            "het bsnx 123456782",
            "obsn 123456782",
            "BSN",
            "",
            &far,
        ] {
            assert!(!found(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn found_wherever_a_piece_ends() {
        for before in PIECE - 40..PIECE + 5 {
            let mut text = vec![b'x'; before];
            text.extend_from_slice(b" bsn 123456782 ");
            text.resize(2 * PIECE, b'y');
            assert!(found(&text), "{before}");
        }
    }

    #[test]
    fn utf16_text_is_read_too() {
        let text: Vec<u8> = "BSN 123456782".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(found(&text));
    }
}
