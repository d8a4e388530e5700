//! Texts as readers compare them: [`fold`] for what is written alike, [`skeleton`] for what looks alike.

use std::collections::HashMap;
use std::sync::LazyLock;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use crate::message::rewrite::is_invisible;

/// Looks like a blank, and is none by the book.
const BRAILLE_BLANK: char = '\u{2800}';

/// What looks like a character of ASCII in the letter faces of today, and is none, after UTS 39 ("confusables"): letters
/// of Greek, Cyrillic, Armenian, Cherokee, Coptic, Lisu and other scripts, small capitals, letters with a stroke; colons,
/// dashes and brackets. What has a compatible form in ASCII (NFKD) is not listed.
const ALIKE: &[(char, &str)] = &[
    ('a', "ɑΑαАаᎪᗅᴀ⍺ⱥꓮᗩ"),
    ('b', "ƀƄɓʙΒβВЬвѣҍᏏᏴᑲᖯᗷꓐꞴ"),
    ('c', "ƈȼСсҁᏟᴄⲤⲥꓚꮯᑕ"),
    ('d', "đɖɗԁᎠᏧᑯᗞᗪᴅꓒꓓ"),
    ('e', "ɇɛΕεЕеєҽҿᎬᴇ℮⋿ⴹꓰꬲ"),
    ('f', "ƒϜғքᖴẝꓝꜰꞘꞙꬵ"),
    ('g', "ƍǥɠɡɢԌԍցᏀᏳᶃꓖ"),
    ('h', "ħɦʜΗНнђћңһӈհᎻᏂᕼⲎꓧ"),
    ('i', "ıɨɩɪιіӏᎥᵻ⍳ꙇꭵ"),
    ('j', "ɉͿϳЈјյᎫᒍᴊꓙꞲ"),
    ('k', "ĸƙΚκКкқҝҡӄᏦᛕᴋⲔꓗ"),
    ('l', "łƖƚǀɫɭʟΙІӀ۱Ꮮᒪᛁ∣⏽ⲒⳐⵏꓡꓲ"),
    ('m', "ɱΜϺМмӎᎷᗰᛖᴍⲘꓟ"),
    ('n', "ŋƞɲɳɴΝηпӊոռⲚꓠᑎ"),
    ('o', "øɵΟοσОоѳөՕօ۵०০੦૦ଠ୦௦౦೦ഠ൦๐໐ဝ၀ჿዐᴏᴑⲞⲟⵔ〇ꓳꬽ"),
    ('p', "ƥΡρРрᏢᑭᴘᵽ⍴Ⲣⲣꓑ"),
    ('q', "ɋʠԛգզⵕᑫ"),
    ('r', "ƦɍɼɽɾʀгᎡᏒᖇᴦⲅꓣꭇꭈꮁ"),
    ('s', "ƽʂЅѕՏᏕᏚꓢꜱꮪᔕ"),
    ('t', "ŧƫʈΤτТтҭᎢᴛ⊤⟙Ⲧꓔ"),
    ('u', "ʉʋμυՍսሀᑌᴜ∪⋃ꓴꞟꭎꭒ"),
    ('v', "νѴѵ۷Ꮩᐯᴠ∨⋁ⴸꓦꛟꮩ"),
    ('w', "ɯωшѡԜԝաᎳᏔᴡꓪꮃᗯ"),
    ('x', "×ΧχХхҳᕁᕽ᙭᙮ᚷ╳⤫⤬⨯ⲬⵝꓫꞳ"),
    ('y', "ƴɏɣʏΥγУуҮүұყᎩᎽᶌỿⲨꓬꭚ"),
    ('z', "ƶȥʐΖζᏃᴢꓜꮓᘔ"),
    (':', "ː˸։᛬᠃᠉⁚∶ꓽ꞉"),
    ('-', "˗‐⁃−➖Ⲻ"),
    ('[', "⁅❲〔【〖〚⟦⦋⦍⦏"),
    (']', "⁆❳〕】〗〛⟧⦌⦎⦐"),
];

static LATIN: LazyLock<HashMap<char, char>> =
    LazyLock::new(|| ALIKE.iter().flat_map(|(latin, alike)| alike.chars().map(|c| (c, *latin))).collect());

/// A text as readers compare it: letter case, width, invisible characters and the kind of blank aside.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.chars().map(blank).map(|c| c.to_ascii_lowercase()).collect();
    }
    visible(&ComposingNormalizerBorrowed::new_nfkc().normalize(text)).collect::<String>().to_lowercase()
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
/// read: it has no `i`, `m` or `w`.
pub(super) fn skeleton(text: &str) -> String {
    let mut skeleton = String::with_capacity(text.len());
    let parts = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let letters = visible(&parts).filter(|c| !is_accent(*c));
    for c in letters.map(latin).flat_map(char::to_lowercase).map(latin) {
        match c {
            // A capital I is an l.
            'i' => skeleton.push('l'),
            'm' => skeleton.push_str("rn"),
            'w' => skeleton.push_str("vv"),
            c => skeleton.push(c),
        }
    }
    skeleton
}

/// The characters that a reader sees, each kind of blank as one.
fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !is_invisible(*c)).map(blank)
}

fn blank(c: char) -> char {
    if c.is_whitespace() || c.is_control() || c == BRAILLE_BLANK { ' ' } else { c }
}

/// Combining marks: above, below, through and around a letter.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// The character of ASCII that it looks like, if there is one.
fn latin(c: char) -> char {
    // Letters in circles and squares that have no compatible form, and those that flags are made of.
    let first = match c {
        '\0'..='\x7f' => return c,
        '\u{1f150}'..='\u{1f169}' => 0x1f150,
        '\u{1f170}'..='\u{1f189}' => 0x1f170,
        '\u{1f1e6}'..='\u{1f1ff}' => 0x1f1e6,
        _ => return LATIN.get(&c).copied().unwrap_or(c),
    };
    char::from_digit(10 + u32::from(c) - first, 36).unwrap_or(c)
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
    fn each_look_alike_is_listed_once_and_has_no_other_way() {
        let listed: Vec<char> = ALIKE.iter().flat_map(|(_, alike)| alike.chars()).collect();
        assert_eq!(LATIN.len(), listed.len(), "one is listed twice");
        for c in listed {
            let parts = DecomposingNormalizerBorrowed::new_nfkd();
            assert!(!c.is_ascii() && parts.is_normalized(&c.to_string()), "{c} is read without the list");
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
            ("vertrouwelijk", "🇻🇪🇷🇹🇷🇴🇺🇼🇪🇱🇮🇯🇰"),
            ("vertrouwelijk", "ᐯEᖇTᖇOᑌᗯEᒪIᒍK"),
            ("vertrouwelijk", "ᴠᴇʀᴛʀᴏᴜᴡᴇʟɪᴊᴋ"),
            ("vertrouwelijk", "𝓿𝓮𝓻𝓽𝓻𝓸𝓾𝔀𝓮𝓵𝓲𝓳𝓴"),
            ("secure", "Ѕёcúrе"),
            ("secure", "s\u{1ab0}e\u{1dc4}c\u{20dd}u\u{fe20}r\u{336}e"),
            ("geheim", "gehein\u{200b}".replace('n', "rn").as_str()),
            ("niet-open: [x]", "nİet‐open꞉ 【x〕"),
        ] {
            assert_eq!(skeleton(text), skeleton(alike), "{alike}");
        }
        for (text, other) in [("veilig", "velig"), ("14d", "ld"), ("open", "0pen"), ("nn", "m"), ("u", "v")] {
            assert_ne!(skeleton(text), skeleton(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_skeleton_is_its_own(text: String) {
            let once = skeleton(&text);
            proptest::prop_assert_eq!(skeleton(&once), once);
        }
    }
}
