//! Generated passwords (H28): made by `transfer/sealing`, told to the sender in the receipt, read out by
//! telephone, typed by the recipient. Never stored: not even a hash, only the key packet knows it.

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

/// What people make of a generated password when they type it, put right: spaces, capitals, dashes, and
/// the letters that were heard instead of the one that sounds like them. Anything else, such as a
/// password that somebody chose, stays as it is but for white space around it. Whoever locks something
/// with a chosen password must pass it through here as well.
pub fn normalise(typed: &str) -> Secret {
    let typed = typed.trim();
    let letters = || typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).map(as_heard);
    let generated = letters().count() == LENGTH && letters().all(|c| ALPHABET.contains(&c));
    if generated { grouped(letters().map(char::from)) } else { Secret::new(typed.to_owned()) }
}

/// Characters of a password that somebody chooses, at least (H28).
pub const MIN_CHOSEN: usize = 8;

/// What passwords are made of when nobody thinks: with digits or signs around it, or twice, it is no better.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "wachtwoord",
    "wachtwurd",
    "welkom",
    "welcome",
    "wolkom",
    "geheim",
    "secret",
    "vertrouwelijk",
    "fertroulik",
    "confidential",
    "qwerty",
    "qwertyuiop",
    "azerty",
    "asdfghjkl",
    "zxcvbnm",
    "iloveyou",
    "letmein",
    "admin",
    "administrator",
    "gemeente",
    "gemeinte",
    "inloggen",
    "login",
    "master",
    "monkey",
    "dragon",
    "football",
    "voetbal",
    "sunshine",
    "princess",
    "voorjaar",
    "lente",
    "zomer",
    "herfst",
    "najaar",
    "winter",
    "summer",
    "autumn",
    "spring",
    "januari",
    "februari",
    "maart",
    "april",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
    "maandag",
    "dinsdag",
    "woensdag",
    "donderdag",
    "vrijdag",
    "zaterdag",
    "zondag",
    "nederland",
    "amsterdam",
    "friesland",
    "fryslan",
    "ajax",
    "feyenoord",
    "heerenveen",
    "test",
    "tijdelijk",
    "changeme",
    "trustno",
    "superman",
    "batman",
    "computer",
    "abcabc",
];

/// Whether a chosen password is too easy to guess: too short, one of the common ones, or a row of the keyboard.
pub fn is_too_weak(chosen: &Secret) -> bool {
    let text = chosen.reveal();
    if text.chars().count() < MIN_CHOSEN {
        return true;
    }
    let lower = text.to_lowercase();
    let word = lower.trim_matches(|c: char| !c.is_alphabetic());
    let half = word.get(..word.len() / 2).filter(|half| half.repeat(2) == word);
    let is_common = |word: &str| COMMON.contains(&word);
    is_common(&lower) || is_common(word) || half.is_some_and(is_common) || is_row(&lower)
}

/// `aaaaaaaa`, `12345678`, `hgfedcba`: each character follows from the one before it.
fn is_row(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let following = codes.iter().skip(1);
    let mut steps = codes.iter().zip(following).map(|(one, next)| next - one);
    let Some(first) = steps.next() else { return true };
    first.abs() <= 1 && steps.all(|step| step == first || (first.abs() == 1 && step.abs() == 9))
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

/// Hyphens and dashes that word processors and mail programs put in place of `-`.
fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '_' | '.')
}

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
        ] {
            assert_eq!(normalise(typed).reveal(), "k7xp-3hmx-9fru-42km", "{typed}");
        }
        for _ in 0..100 {
            let password = generate();
            assert_eq!(normalise(password.reveal()).reveal(), password.reveal());
        }
    }

    #[test]
    fn refuses_what_is_easy_to_guess() {
        let weak = |text: &str| is_too_weak(&Secret::new(text.into()));
        for text in [
            "",
            "zes",
            "kort12!",
            "wachtwoord",
            "Wachtwoord123!",
            "Welkom2026",
            "P@ssw0rd",
            "zomer2026",
            "12345678",
            "1234567890",
            "aaaaaaaaaa",
            "abcdefgh",
            "87654321",
            "GeheimGeheim",
            "!!december!!",
        ] {
            assert!(weak(text), "{text}");
        }
        for text in [
            "Zomer in Gent 2026",
            "kamperfoelie-7",
            "пароль-é-é",
            "h7Gk2!pq",
            "90 fietsen",
            "abkwqsxz",
            "ajsajbsk",
        ] {
            assert!(!weak(text), "{text}");
        }
        assert!(!is_too_weak(&generate()));
    }

    #[test]
    fn leaves_other_passwords_alone() {
        for (typed, kept) in [
            ("Zomer in Gent 2026!", "Zomer in Gent 2026!"),
            (" wachtwoord ", "wachtwoord"),
            ("пароль-é", "пароль-é"),
            ("k7xp-3hmx-9fru-42k", "k7xp-3hmx-9fru-42k"),
            ("k7xp-3hmx-9fru-42kmm", "k7xp-3hmx-9fru-42kmm"),
            ("", ""),
        ] {
            assert_eq!(normalise(typed).reveal(), kept);
        }
    }
}
