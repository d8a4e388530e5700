//! Generated passwords (H28): made by `transfer/sealing`, told to the sender in the receipt, read out by
//! telephone, typed by the recipient. Never stored: not even a hash, only the key packet knows it.

use icu_normalizer::ComposingNormalizerBorrowed;
use zeroize::Zeroizing;

use crate::locale::digits;
use crate::message::name::is_invisible;
use crate::secret::{self, Secret};

/// Eight digits and eight letters that neither look nor sound alike, in Dutch, Frisian and English:
/// no 0/o, 1/i/l, 2/z, 5/s, 6/b, 9/g/q, u/v, w/vv; of m/n, f/s and b/d/p/t only one; no a beside h and k;
/// no vowel but u, so that no words arise.
const ALPHABET: &[u8; 16] = b"23456789fhkmprux";
/// Characters: four bits each, 64 bits in all.
const LENGTH: usize = 16;
/// Characters between dashes.
const GROUP: usize = 4;

/// A new password, as `k7xp-3hmx-9fru-42km`.
pub fn generate() -> Secret {
    let bytes = secret::random::<{ LENGTH / 2 }>();
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    grouped(nibbles.map(|four| ALPHABET.get(usize::from(four)).map_or('2', |&c| char::from(c))))
}

/// What people make of a password when they type or paste it, put right. Whoever locks something with a chosen password
/// must pass it through here as well.
///
/// Of a generated one everything counts for nothing but its letters and digits: capitals, width, the script of a digit,
/// blanks, dashes, quotes, what nobody sees, a word and a colon in front, and the letters that were heard instead of the
/// one that sounds like them. A chosen one is compared as RFC 8265 4.2 has it (OpaqueString): capitals count, every blank
/// is the blank of ASCII, the text is NFC. What that profile refuses because nobody sees it is left out here, and so
/// are the blanks around it.
pub fn normalise(typed: &str) -> Secret {
    generated(typed).unwrap_or_else(|| opaque(typed))
}

/// As [`normalise`] was until passwords were compared as RFC 8265 has it: transfers that were locked then open with it.
pub fn normalise_as_before(typed: &str) -> Secret {
    let is_dash = |c| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '_' | '.');
    let typed = typed.trim();
    let letters = || typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).map(as_heard);
    let generated = letters().count() == LENGTH && letters().all(|c| ALPHABET.contains(&c));
    if generated { grouped(letters().map(char::from)) } else { Secret::new(typed.to_owned()) }
}

/// The generated password that was meant, if one was.
fn generated(typed: &str) -> Option<Secret> {
    let text = Zeroizing::new(ComposingNormalizerBorrowed::new_nfkc().normalize(typed).into_owned());
    let behind_label = text.rsplit(':').next().filter(|rest| rest.len() < text.len());
    [Some(text.as_str()), behind_label].into_iter().flatten().find_map(|text| {
        let is_letter = |c: &char| c.is_alphanumeric() && *c != LONG_MARK;
        let letters = || text.chars().filter(is_letter).map(digits::as_ascii).map(as_heard);
        let is_one = letters().take(LENGTH + 1).count() == LENGTH && letters().all(|c| ALPHABET.contains(&c));
        is_one.then(|| grouped(letters().map(char::from)))
    })
}

fn opaque(typed: &str) -> Secret {
    let blank = |c: char| if c.is_whitespace() { ' ' } else { c };
    let kept = typed.chars().filter(|c| !is_invisible(*c)).map(blank).filter(|c| !c.is_control());
    // Room for all at once: text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(typed.len()));
    text.extend(kept);
    Secret::new(ComposingNormalizerBorrowed::new_nfc().normalize(text.trim()).into_owned())
}

fn grouped(characters: impl Iterator<Item = char>) -> Secret {
    // Room for all at once: text that grows leaves copies of itself behind.
    let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
    for (at, c) in characters.enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(c);
    }
    Secret::new(text)
}

/// A letter by the book, and what a Japanese keyboard gives for a hyphen.
const LONG_MARK: char = '\u{30fc}';

/// The character of the alphabet that was meant; 0 for none.
fn as_heard(c: char) -> u8 {
    match c.to_ascii_lowercase() {
        'n' => b'm',
        's' => b'f',
        'b' | 'd' | 't' => b'p',
        'q' => b'u',
        c => u8::try_from(c).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// H28: every character is drawn evenly from 16, so a password carries 16 * 4 bits.
    #[test]
    fn carries_at_least_60_bits() {
        let distinct: HashSet<_> = ALPHABET.iter().collect();
        let bits = (distinct.len() as f64).log2() * LENGTH as f64;
        assert!(bits >= 60.0, "{bits}");

        let drawn: Vec<Secret> = (0..2000).map(|_| generate()).collect();
        let mut counts = std::collections::HashMap::new();
        for c in drawn.iter().flat_map(|password| password.reveal().bytes()).filter(|&c| c != b'-') {
            *counts.entry(c).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), ALPHABET.len());
        // 2000 each on average; a deviation of 300 is seven standard deviations.
        assert!(counts.values().all(|count| (1700..=2300).contains(count)), "{counts:?}");
    }

    #[test]
    fn can_be_read_out() {
        let password = generate();
        let groups: Vec<&str> = password.reveal().split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{}", password.reveal());
        for confusable in
            [b"0o".as_slice(), b"1il", b"2z", b"5s", b"6b", b"9gq", b"uv", b"mn", b"fs", b"bdpt"]
        {
            assert!(confusable.iter().filter(|c| ALPHABET.contains(c)).count() <= 1);
        }
    }

    #[test]
    fn forgives_what_people_type() {
        for typed in [
            "k7xp-3hmx-9fru-42km",
            "K7XP 3HMX 9FRU 42KM",
            "k7xp3hmx9fru42km",
            "  k7xp - 3hmx\u{2013}9fru\u{a0}42km\r\n",
            "k7xd-3hnx-9sru-42kn",
            "k7xt 3hmx 9frq 42km",
            "*k7xp-3hmx-9fru-42km*",
            "\u{201c}k7xp-3hmx-9fru-42km\u{201d},",
            "<k7xp-3hmx-9fru-42km>.",
            "k7xp\u{2011}3hmx\u{ad}9fru\u{30fc}42km",
            "\u{feff}k7xp\u{200b}-\u{200e}3hmx-\u{2060}9fru-42km\u{202c}",
            "k7xp\u{ff0d}3hmx\u{ff0d}9fru\u{ff0d}42km",
            "\u{ff4b}\u{ff17}\u{ff38}\u{ff50} 3hmx 9fru 42km",
            "k\u{667}xp-\u{663}hmx-\u{669}fru-\u{664}\u{662}km",
            "k\u{6f7}xp-\u{969}hmx-9fru-\u{1d7d2}\u{ff12}km",
            "Wachtwoord: k7xp-3hmx-9fru-42km",
            "Het wachtwoord is: \u{2018}K7XP 3HMX 9FRU 42KM\u{2019}",
            "k7xp / 3hmx / 9fru / 42km",
            "k7xp\n3hmx\n9fru\n42km\n",
        ] {
            assert_eq!(normalise(typed).reveal(), "k7xp-3hmx-9fru-42km", "{typed}");
        }
        for _ in 0..100 {
            let password = generate();
            assert_eq!(normalise(password.reveal()).reveal(), password.reveal());
        }
    }

    #[test]
    fn what_is_put_right_stays() {
        for typed in [
            "  Su\u{302}ker \u{200b} bo\u{302}le ",
            "Wachtwoord: k7xp 3hmx 9fru 42km",
            "e\u{301}:",
            "\u{200b}",
            "a\u{200d}\u{301}b",
        ] {
            let right = normalise(typed);
            assert_eq!(normalise(right.reveal()).reveal(), right.reveal(), "{typed}");
        }
    }

    #[test]
    fn the_rule_before_stays_what_it_was() {
        for (typed, kept) in [
            (" K7XP 3hmx\u{2013}9fru_42km ", "k7xp-3hmx-9fru-42km"),
            ("k7xp,3hmx 9fru 42km", "k7xp,3hmx 9fru 42km"),
            ("e\u{301}\u{a0}", "e\u{301}"),
        ] {
            assert_eq!(normalise_as_before(typed).reveal(), kept);
        }
    }

    #[test]
    fn leaves_other_passwords_alone() {
        for (typed, kept) in [
            ("Zomer in Gent 2026!", "Zomer in Gent 2026!"),
            (" wachtwoord ", "wachtwoord"),
            ("пароль-é", "пароль-é"),
            ("Su\u{302}kerbo\u{302}le yn Snits 7", "S\u{fb}kerb\u{f4}le yn Snits 7"),
            ("S\u{fb}kerb\u{f4}le\u{a0}yn\u{3000}Snits\u{2009}7", "S\u{fb}kerb\u{f4}le yn Snits 7"),
            ("\u{feff}Fiets\u{200b}pad 12!\r\n", "Fietspad 12!"),
            ("\u{ff26}iets", "\u{ff26}iets"),
            ("Fiets: pad", "Fiets: pad"),
            ("k7xp-3hmx-9fru-42k", "k7xp-3hmx-9fru-42k"),
            ("k7xp-3hmx-9fru-42kmm", "k7xp-3hmx-9fru-42kmm"),
            ("", ""),
        ] {
            assert_eq!(normalise(typed).reveal(), kept);
        }
    }
}
