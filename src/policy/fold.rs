//! Texts as readers compare them: [`fold`] for what is written alike, [`skeleton`] for what looks alike. Used by the
//! conditions of rules.
//!
//! What must never happen: that a text which a reader takes for the word of a rule that seals is another one here (C06).

use std::collections::HashMap;
use std::sync::LazyLock;

use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::message::name::is_invisible;

/// Looks like a blank, and is none by the book.
const BRAILLE_BLANK: char = '\u{2800}';

/// What looks like a character of ASCII in the letter faces of today, and is none, after UTS 39 ("confusables"): letters
/// of Greek, Cyrillic, Armenian, Cherokee, Coptic, Lisu and other scripts, small capitals, letters with a stroke, in
/// circles, squares and parentheses; colons, hyphens and brackets. Not listed: capitals whose small letter is, what has
/// a compatible form in ASCII (NFKD), and signs and digits, which are none of a word.
const ALIKE: &[(char, &str)] = &[
    ('a', "ɑαаᎪᗅᴀⱥꓮᗩ🅐🅰⒜🄐"),
    ('b', "ƀƄɓʙβвѣҍᏏᏴᑲᖯᗷꓐꞴь🅑🅱⒝🄑"),
    ('c', "ƈȼсҁᴄⲥꓚꮯᑕς🅒🅲ϲϹ⒞🄒"),
    ('d', "đɖɗԁᎠᏧᑯᗞᗪᴅꓒꓓ🅓🅳⒟🄓"),
    ('e', "ɇɛεеєҽҿᎬᴇⴹꓰꬲ🅔🅴⒠🄔"),
    ('f', "ƒϜғքᖴẝꓝꜰꞙꬵ🅕🅵⒡🄕"),
    ('g', "ƍǥɠɡɢԍցᏀᏳᶃꓖ🅖🅶⒢🄖"),
    ('h', "ħɦʜΗнђћңһӈհᎻᏂᕼⲎꓧ🅗🅷⒣🄗"),
    ('i', "ıɨɩɪιіӏᵻꙇꭵ🅘🅸⒤🄘"),
    ('j', "ɉϳјյᎫᒍᴊꓙꞲȷ🅙🅹⒥🄙"),
    ('k', "ĸƙκкқҝҡӄᏦᛕᴋⲔꓗ🅚🅺⒦🄚"),
    ('l', "łƖƚǀɫɭʟΙІӀᏞᒪᛁⲒⳐⵏꓡꓲ🅛🅻ꞁ⒧🄛"),
    ('m', "ɱΜϺмӎᎷᗰᛖᴍⲘꓟ🅜🅼⒨🄜"),
    ('n', "ŋƞɲɳɴΝηпӊոռⲚꓠᑎ🅝🅽⒩🄝"),
    ('o', "øɵοоѳөօଠഠဝჿዐᴏᴑⲟⵔꓳꬽ🅞🅾ꝋ⒪🄞"),
    ('p', "ƥρрᏢᑭᴘᵽⲣꓑ🅟🅿⒫🄟"),
    ('q', "ɋʠԛգզⵕᑫ🅠🆀⒬🄠"),
    ('r', "ɍɼɽɾʀгᎡᏒᖇᴦⲅꓣꭇꭈꮁ🅡🆁⒭🄡"),
    ('s', "ƽʂѕՏᏕꓢꜱꮪᔕ🅢🆂⒮🄢"),
    ('t', "ŧƫʈτтҭᎢᴛⲦꓔ🅣🆃⒯🄣"),
    ('u', "ʉʋμυսሀᑌᴜꓴꞟꭎꭒ🅤🆄⒰🄤"),
    ('v', "νѵᐯᴠⴸꓦꛟꮩ🅥🆅ⱱꝟʌ⒱🄥"),
    ('w', "ɯωшѡԝաᏔᴡꓪꮃᗯ🅦🆆⒲🄦"),
    ('x', "χхҳᕁᕽᚷⲬⵝꓫꞳ🅧🆇⒳🄧"),
    ('y', "ƴɏɣʏΥγуүұყᎩᎽᶌỿⲨꓬꭚ🅨🆈⒴🄨"),
    ('z', "ƶȥʐζᴢꓜꮓᘔ🅩🆉⒵🄩"),
    (':', "ː˸։᛬᠃᠉⁚∶ꓽ꞉׃܃܄፡⦂៖"),
    ('-', "˗‐⁃−➖Ⲻ"),
    ('[', "【〔⟦"),
    (']', "】〕⟧"),
];

static ASCII: LazyLock<HashMap<char, char>> =
    LazyLock::new(|| ALIKE.iter().flat_map(|(ascii, alike)| alike.chars().map(|c| (c, *ascii))).collect());

/// A text as readers compare it: letter case, width, invisible characters and the kind of blank aside.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.chars().map(blank).map(|c| c.to_ascii_lowercase()).collect();
    }
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    normal.chars().filter(|c| !is_invisible(*c)).map(blank).collect::<String>().to_lowercase()
}

/// [`fold`], and without accents.
pub(super) fn fold_plain(text: &str) -> String {
    DecomposingNormalizerBorrowed::new_nfd()
        .normalize(&fold(text))
        .chars()
        .filter(|c| !is_accent(*c))
        .collect()
}

/// What a reader sees of a text: two texts that look alike have the same one (UTS 39, section 4). To be compared, not
/// read: it has no `i`, `m` or `w`. Letter case does not matter where a letter looks the same in both: it does in
/// `Η`, a capital like `H`, and `η`, a small letter like `n`.
pub fn skeleton(text: &str) -> String {
    let mut skeleton = String::with_capacity(text.len());
    see(text, &mut skeleton);
    skeleton
}

/// Appends the [`skeleton`] of a text.
pub(super) fn see(text: &str, skeleton: &mut String) {
    if text.is_ascii() {
        text.chars().for_each(|c| see_letter(c, skeleton));
    } else {
        // Of some look-alikes the decomposed form looks like something else, or is in parentheses.
        let parts = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars().map(ascii));
        parts.for_each(|c| see_letter(c, skeleton));
    }
}

fn see_letter(c: char, skeleton: &mut String) {
    if is_invisible(c) || is_accent(c) {
        return;
    }
    for c in ascii(blank(c)).to_lowercase().map(ascii) {
        match c {
            ' ' if skeleton.ends_with(' ') => {}
            // A capital I is an l.
            'i' => skeleton.push('l'),
            'm' => skeleton.push_str("rn"),
            'w' => skeleton.push_str("vv"),
            c => skeleton.push(c),
        }
    }
}

/// Each kind of blank is one.
fn blank(c: char) -> char {
    if c.is_whitespace() || c.is_control() || c == BRAILLE_BLANK { ' ' } else { c }
}

/// Combining marks, those around a letter as well.
fn is_accent(c: char) -> bool {
    let around = matches!(c, '\u{488}' | '\u{489}' | '\u{20dd}'..='\u{20e4}' | '\u{a670}'..='\u{a672}');
    around || CanonicalCombiningClassMapBorrowed::new().get_u8(c) != 0
}

/// The character of ASCII that it looks like, if there is one.
fn ascii(c: char) -> char {
    if c.is_ascii() { c } else { ASCII.get(&c).copied().unwrap_or(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_folded_as_it_is_among_other_letters() {
        for c in (0..128).map(char::from) {
            assert_eq!(format!("{}\u{e9}", fold(&c.to_string())), fold(&format!("{c}\u{e9}")), "{c:?}");
        }
    }

    #[test]
    fn each_look_alike_is_listed_once_and_where_it_is_needed() {
        let listed: Vec<char> = ALIKE.iter().flat_map(|(_, alike)| alike.chars()).collect();
        assert_eq!(ASCII.len(), listed.len(), "one is listed twice");
        for c in listed {
            let form: String = DecomposingNormalizerBorrowed::new_nfkd().normalize(&c.to_string()).into();
            assert!(!c.is_ascii() && form != ascii(c).to_string(), "{c} is read without the list");
            let small = c.to_lowercase().next().filter(|small| *small != c && form == c.to_string());
            assert!(small.is_none_or(|small| ascii(small) != ascii(c)), "{c} is read as a small letter");
        }
    }

    #[test]
    fn what_looks_alike_has_one_skeleton() {
        for (text, alike) in [
            ("vertrouwelijk", "vеrtrοuwеlіjk"),
            ("vertrouwelijk", "VΕRTRΟUWΕLΙJΚ"),
            ("vertrouwelijk", "vertrouweIijk"),
            ("vertrouwelijk", "vertrouvvelijk"),
            ("vertrouwelijk", "vertrouweĺĳk"),
            ("vertrouwelijk", "🅥🅔🅡🅣🅡🅞🅤🅦🅔🅛🅘🅙🅚"),
            ("vertrouwelijk", "🆅🅴🆁🆃🆁🅾🆄🆆🅴🅻🅸🅹🅺"),
            ("vertrouwelijk", "ᐯEᖇTᖇOᑌᗯEᒪIᒍK"),
            ("vertrouwelijk", "ᴠᴇʀᴛʀᴏᴜᴡᴇʟɪᴊᴋ"),
            ("vertrouwelijk", "𝓿𝓮𝓻𝓽𝓻𝓸𝓾𝔀𝓮𝓵𝓲𝓳𝓴"),
            ("secure", "Ѕёcúrе"),
            ("secure", "s\u{1ab0}e\u{1dc4}c\u{20dd}u\u{fe20}r\u{336}e"),
            ("geheim", "geheirn\u{200b}"),
            ("secure", "seϲur҉e"),
            ("secure", "⒮🄔ϹUʀҽ"),
            ("a b", "a \u{a0}\u{2003} b"),
            ("niet-open: [x]", "nİet‐open꞉ 【x〕"),
        ] {
            assert_eq!(skeleton(text), skeleton(alike), "{alike}");
        }
        for (text, other) in
            [("veilig", "velig"), ("14d", "ld"), ("open", "0pen"), ("nn", "m"), ("u", "v"), ("o", "๐")]
        {
            assert_ne!(skeleton(text), skeleton(other), "{other}");
        }
    }
}
