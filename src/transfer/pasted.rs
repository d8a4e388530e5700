//! A token somewhere in what people paste and mail programs make of a link: with words around it, a line broken in it,
//! or inside the address of a link scanner. Used by `transfer/access` and `sender`, which know what a genuine token is.
//!
//! What must never happen here: that something is made of a text which is not a token of ours. So every candidate is
//! proved before it is given back, and how many there are is bounded.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;

use crate::id::TransferId;

/// Bytes of a text that are looked through. A link that a scanner has rewritten has one or two thousand.
const LONGEST: usize = 8 * 1024;
/// Candidates that are proved; each costs one MAC.
const CANDIDATES: usize = 8 * 1024;
/// Characters of base64 that may hold a whole link.
const BASE64: usize = 60;

/// A genuine token, and what follows it in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub token: String,
    pub rest: String,
}

/// The transfer whose id this text is, and nothing else: in groups, in capitals, with the letters that people take for
/// others. It opens nothing.
pub fn reference(text: &str) -> Option<TransferId> {
    let is_between = |c: char| c.is_whitespace() || "-\u{2010}\u{2011}\u{2012}\u{2013}".contains(c);
    let mut letters = text.chars().filter(|c| !is_between(*c)).map(as_meant);
    let id: String = letters.by_ref().take(TransferId::LENGTH).collect();
    if letters.next().is_some() { None } else { id.parse().ok() }
}

/// The transfer that a text names: its id alone, or a link to it with whatever a mail program has put around that. For who may
/// see every transfer anyway: nothing is proved.
pub fn transfer_in(text: &str) -> Option<TransferId> {
    let id = |text: &str| {
        let letters = text.chars().filter(|c| !c.is_whitespace()).map(as_meant);
        letters.take(TransferId::LENGTH).collect::<String>().parse().ok()
    };
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text).trim();
    if let Some(id) = reference(text) {
        return Some(id);
    }
    // A token of a recipient or a sender, or its beginning.
    if text.len() >= TransferId::LENGTH && text.len() < 40 && text.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return id(text);
    }
    let behind = |text: &str, mark: &str| text.split_once(mark).and_then(|(_, rest)| id(rest));
    readings(text).iter().find_map(|text| behind(text, "/t/").or_else(|| behind(text, "/s/")))
}

/// What may be next to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// Anything: in a text that somebody pasted, blanks get lost.
    Anything,
    /// No letter and no digit: in an address, a longer token is none of ours.
    Marks,
}

/// The first token of `length` characters in a text that `is_genuine`.
pub fn find(text: &str, length: usize, around: Around, is_genuine: impl Fn(&str) -> bool) -> Option<Found> {
    let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text);
    let mut candidates = CANDIDATES;
    readings(text).iter().find_map(|text| {
        let text = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
        find_in(&text, length, around, |candidate| {
            candidates = candidates.saturating_sub(1);
            candidates > 0 && is_genuine(candidate)
        })
    })
}

/// The character that was meant where people type an identifier: its alphabet has no `i`, `l`, `o` and `u`.
pub fn as_meant(c: char) -> char {
    match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        'u' => 'v',
        c => c,
    }
}

/// Slides over the letters and digits, whatever is between them.
fn find_in(
    text: &str,
    length: usize,
    around: Around,
    mut is_genuine: impl FnMut(&str) -> bool,
) -> Option<Found> {
    let kept = text.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
    let (places, letters): (Vec<usize>, String) = kept.map(|(at, c)| (at, as_meant(c))).unzip();
    let are_apart = |one: usize, next: usize| match (places.get(one), places.get(next)) {
        (Some(one), Some(next)) => one + 1 < *next,
        _ => true,
    };
    let is_alone = |start: usize| {
        (start == 0 || are_apart(start - 1, start)) && are_apart(start + length - 1, start + length)
    };
    let mut starts = 0..=letters.len().checked_sub(length)?;
    let start = starts.find(|&start| {
        (around == Around::Anything || is_alone(start))
            && letters.get(start..start + length).is_some_and(&mut is_genuine)
    })?;
    let token = letters.get(start..start + length)?.to_owned();
    let rest = text.get(places.get(start + length - 1)? + 1..)?.to_owned();
    Some(Found { token, rest })
}

/// The text as it is, and as it was before somebody wrapped it: percent-encoded once or twice, quoted-printable
/// (RFC 2045 6.7), base64.
fn readings(text: &str) -> Vec<String> {
    let once = percent_decode_str(text).decode_utf8_lossy().into_owned();
    let twice = percent_decode_str(&once).decode_utf8_lossy().into_owned();
    let quoted =
        percent_decode_str(&text.replace('%', " ").replace('=', "%")).decode_utf8_lossy().into_owned();
    let packed: Vec<String> = once.split(|c: char| !is_base64(c)).filter_map(from_base64).collect();
    let mut readings = vec![text.to_owned(), once, twice, quoted];
    readings.dedup();
    readings.extend(packed);
    readings
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_".contains(c)
}

fn from_base64(run: &str) -> Option<String> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if run.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    // A rest of one character is no byte.
    let whole = if run.len() % 4 == 1 { run.get(..run.len() - 1)? } else { run };
    let bytes = GeneralPurpose::new(&alphabet, lenient).decode(whole).ok().filter(|_| run.len() >= BASE64)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const TOKEN: &str = "k3m8xq2v7c001n4p6r8t0w2y4a6c8e0g2j4m6p8";

    fn found(text: &str) -> Option<Found> {
        find(text, TOKEN.len(), Around::Anything, |candidate| candidate == TOKEN)
    }

    #[test]
    fn a_token_is_found_in_what_scanners_make_of_its_link() {
        let link = format!("https://veilig.voorbeeld.nl/t/{TOKEN}");
        let encoded = link.replace(':', "%3A").replace('/', "%2F");
        let twice = encoded.replace('%', "%25");
        let base64 = base64::prelude::BASE64_STANDARD.encode(&link);
        for text in [
            format!(
                "https://eur03.safelinks.protection.outlook.com/?url={encoded}&data=05%7C02%7C&sdata=x%3D&reserved=0"
            ),
            format!(
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__veilig.voorbeeld.nl_t_{TOKEN}&d=DwMFaQ&c=x"
            ),
            format!("https://urldefense.com/v3/__{link}__;!!N11eV2iwtfs!abc$ "),
            format!("https://linkprotect.cudasvc.com/url?a={}&c=E,1,x&typo=1", encoded.to_lowercase()),
            format!("https://url.example/s/abc?domain=voorbeeld.nl&u={twice}"),
            format!("https://secure.example/1abc/{encoded}"),
            format!("https://eu-west-1.protection.example/?d=voorbeeld.nl&u={base64}&i=x"),
            format!("https://eu-west-1.protection.example/?u={}&i=x", base64.trim_end_matches('=')),
            format!("https://eu-west-1.protection.example/?u={}&i=x", base64.replace('=', "%3D")),
        ] {
            assert_eq!(found(&text).map(|found| found.token).as_deref(), Some(TOKEN), "{text}");
        }
    }

    #[test]
    fn a_reference_is_read_as_it_is_said() {
        let id: TransferId = "m65va0zt18".parse().unwrap();
        for text in [
            "m65va0zt18",
            "m65va-0zt18",
            " M65VA 0ZT18 ",
            "m65va\u{2011}0zt18",
            "m 6 5 v a - o z t l 8",
            "M65UA-OZTI8",
        ] {
            assert_eq!(reference(text), Some(id.clone()), "{text}");
            assert_eq!(transfer_in(text), Some(id.clone()), "{text}");
        }
        for text in
            ["", "m65va", "m65va-0zt1", "m65va-0zt18-0", "m65va/0zt18", "m65va_0zt18", &"-".repeat(9000)]
        {
            assert_eq!(reference(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_is_found_in_what_people_paste() {
        let (half, other) = TOKEN.split_at(20);
        for text in [
            TOKEN.to_owned(),
            format!("  {}\r\n", TOKEN.to_uppercase()),
            format!(
                "Zie https://veilig.voorbeeld.nl/t/{TOKEN} voor het besluit. Met vriendelijke groet, Jan Jansen"
            ),
            format!("> https://veilig.voorbeeld.nl/t/{half}\r\n> {other}\r\n> Groet"),
            format!("https://veilig.voorbeeld.nl/t/{half}=\r\n{other}"),
            format!("https://veilig.voorbeeld.nl/t/{half}%0D%0A{other}"),
            format!("https://veilig.voorbeeld.nl/t/{half}=0D=0A=20{other}=20"),
            format!("\u{201c}https://veilig.voorbeeld.nl/t/{half}\u{200b}{other}\u{201d}"),
            TOKEN.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect(),
            TOKEN.replace('0', "O").replace('1', "l"),
            format!("Transactie-ID{TOKEN}Deze link werkt tot"),
            format!("href=3D\"https://veilig.voorbeeld.nl/t/{TOKEN}\""),
        ] {
            assert_eq!(found(&text).map(|found| found.token).as_deref(), Some(TOKEN), "{text}");
        }
        assert_eq!(found(&TOKEN[1..]), None);
        assert_eq!(found(&TOKEN.replace('k', "h")), None);
    }

    #[test]
    fn what_follows_is_kept() {
        let found = found(&format!("<{TOKEN}>/reply).")).unwrap();
        assert_eq!((found.token.as_str(), found.rest.as_str()), (TOKEN, ">/reply)."));
    }

    #[test]
    fn in_an_address_a_longer_token_is_none() {
        let alone = |text: &str| find(text, TOKEN.len(), Around::Marks, |candidate| candidate == TOKEN);
        for text in [
            format!("{TOKEN}0"),
            format!("0{TOKEN}"),
            format!("{TOKEN}Groet/reply"),
            format!("a/{TOKEN}b {TOKEN}c"),
        ] {
            assert_eq!(alone(&text), None, "{text}");
        }
        for text in [
            format!("{TOKEN}=20"),
            format!("%3C{TOKEN}%3E"),
            format!("%253C{TOKEN}%2520"),
            format!("({TOKEN}é"),
        ] {
            assert_eq!(alone(&text).map(|found| found.token).as_deref(), Some(TOKEN), "{text}");
        }
    }

    #[test]
    fn a_long_text_costs_no_more_than_a_bound() {
        let asked = Cell::new(0);
        let count = |_: &str| {
            asked.set(asked.get() + 1);
            false
        };
        assert_eq!(find(&"%25a=41".repeat(100_000), 39, Around::Anything, count), None);
        assert!(asked.get() <= CANDIDATES);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_around_it_a_token_is_found(before in "[^a-zA-Z0-9%=\u{0}-\u{1f}]{0,40}", after in "[^a-zA-Z0-9]{0,40}") {
            let text = format!("{before}{TOKEN}{after}");
            proptest::prop_assert_eq!(found(&text).map(|found| found.token), Some(TOKEN.to_owned()));
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,200}") {
            let _ = find(&text, 3, Around::Anything, |candidate| candidate.len() != 3 || !candidate.is_ascii());
        }
    }
}
