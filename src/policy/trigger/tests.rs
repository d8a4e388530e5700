//! Which subjects bear a tag. `policies/cases` has the rest: what the shipped rules make of 500 ordinary subjects and of
//! slips of the pen.

use super::super::fold::{fold, skeleton};
use super::tag::cases;
use super::*;

fn tags() -> Tags {
    Tags::new(["vertrouwelijk", "secure", "niet vertrouwelijk"])
}

fn bears(subject: &str) -> Finding {
    tags().are_on(&skeleton(subject))
}

#[test]
fn finds_tags_in_every_spelling() {
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
        assert_eq!(bears(subject), Finding::Yes, "{subject}");
    }
}

/// C32: the form of the tag, its place, and a slip of the pen.
#[test]
fn finds_tags_in_every_form() {
    for subject in [
        "zaak [vertrouwelijk]",
        "zaak [secure] 12",
        "[vertrouwelijk zaak",
        "[secure zaak",
        "(secure 14d zaak",
        "[EXTERN, vertrouwelijk",
        "(vertrouwelijk) zaak",
        "{secure} zaak",
        "<vertrouwelijk> zaak",
        "[vertrouwelijk) zaak",
        "(secure 14d)",
        "(secure geen-wachtwoord)",
        "(secure, spoed)",
        "(vertrouwelijk stuk)",
        "[spoed vertrouwelijk]",
        "[persoonlijk en vertrouwelijk]",
        "[niet doorsturen, vertrouwelijk]",
        "[14d secure] zaak",
        "(14 dagen secure)",
        "(vertrouwelijk)Heidi: zaak",
        "[let op: secure]",
        "[vertouwelijk] zaak",
        "[vertrouwelijke] zaak",
        "(vertouwelijke) zaak",
        "[vertou welijk] zaak",
        "[sceure]",
        "{secur} zaak",
        "[veertrouwelijk Uw aanvraag",
        "vertrouwelijk] zaak",
        "(secure(zaak)",
        "zaak: secure: x",
        "Spoed: [secure] x",
        "Z2026-001234: secure: x",
        "Z2026-001234 - vertrouwelijk - x",
        "VERTROUWELIJK - zaak",
        "vertrouwelijk – zaak",
        "vertrouwelijk—zaak",
        "vertrouwelijk -- zaak",
        "vertrouwelijk- zaak",
        "vertrouwelijk | zaak",
        "secure | zaak",
        "secure - zaak",
        "Vertouwelijk: zaak",
        "secrue: zaak",
        "Vertrouwelijke - zaak",
        "vertrouwelijk, zaak",
        "*vertrouwelijk* zaak",
        "vertrouwelijk! zaak",
        "zaak #vertrouwelijk",
        "vertrouwelijk (concept): zaak",
        "vertrouwelijk",
        "zaak – Vertrouwelijk",
        "ver-trouwelijk: zaak",
        "***SPAM*** secure: zaak",
    ] {
        assert_eq!(bears(subject), Finding::Yes, "{subject}");
    }
}

#[test]
fn other_words_are_no_tags() {
    for subject in [
        "",
        "vertrouwelijkheid: zaak",
        "[vertrouwelijkheid] zaak",
        "[onvertrouwelijk] zaak",
        "Re: vertrouwelijk",
        "Re: vertrouwelijk document",
        "Re: zaak vertrouwelijk",
        "vertrouwelijke stukken: zaak",
        "[] zaak",
        ": zaak",
        "[spoed|x] zaak",
        "[secure-net] zaak",
        "[secure_net] zaak",
        "[zo secure] zaak",
        "[security] zaak",
        "(secure)ity",
        "(vertrouwelijk)heid",
        "(14 dagen secure werken)",
        "(secure werken) zaak",
        "{secured werken} zaak",
        "secure werken: zaak",
        "secure-werken: zaak",
        "zaak: secure",
        "zaak secure",
        "secure",
        "[zaak niet meer secure]",
        "(niet zo vertrouwelijk)x",
        "[nooit vertrouwelijk]",
        "(secure@voorbeeld.nl)",
        "x < 3 > secure werken",
        "(on)secure: x",
    ] {
        assert_eq!(bears(subject), Finding::No, "{subject}");
    }
}

/// A rule's own tag is never another's, misspelt.
#[test]
fn tags_of_other_rules_stand_for_themselves() {
    let mut tags = Tags::new(["intern"]);
    assert_eq!(tags.are_on(&skeleton("[interne] x")), Finding::Yes);
    tags.tell_from(&Tags::new(["intern", "interne"]));
    assert_eq!(tags.are_on(&skeleton("[interne] x")), Finding::No);
    assert_eq!(tags.are_on(&skeleton("[intenr] x")), Finding::Yes);
    assert_eq!(tags.are_on(&skeleton("[intern] x")), Finding::Yes);
}

#[test]
fn letter_case_does_not_matter_in_other_alphabets() {
    for tag in ["конфиденциально", "КОНФИДЕНЦИАЛЬНО", "απόρρητο", "ΑΠΟΡΡΗΤΟΣ", "Νέα"]
    {
        let tags = Tags::new([tag]);
        for subject in cases(tag) {
            assert_eq!(tags.are_on(&skeleton(&format!("[{subject}] x"))), Finding::Yes, "{tag} {subject}");
        }
    }
}

#[test]
fn a_first_tag_is_first() {
    let first = |subject: &str| tags().begin(&fold(subject));
    assert!(first("[secure] x") && first(" niet vertrouwelijk: x") && first("\"[secure] x\""));
    for other in [
        "RE: [secure] x",
        "[x] [secure] x",
        "[secure data] x",
        "[secure, x] x",
        "[[secure]] x",
        "[secure/] x",
        "【secure】 x",
        "[sеcure] x",
        "[s\u{e9}cure] x",
        "(secure) x",
        "[secure x",
        "[secrue] x",
        "secure - x",
        "secure",
        "x [secure]",
    ] {
        assert!(!first(other), "{other}");
    }
}

#[test]
fn what_is_long_is_read_at_once() {
    for piece in [
        "re: ",
        "[x]",
        "[",
        "]",
        "(",
        "{x}",
        ":;",
        "[:;",
        "[secure]",
        "secure:",
        "x",
        " ",
        "#a",
        " -a",
        "x ",
        "[x ",
        "(x,",
        "vertrouwelij",
        "vertrouwelij ",
        "**a",
        "|",
        "niet ",
    ] {
        for subject in [piece.repeat(1 << 12), format!("[{}]", piece.repeat(1 << 12))] {
            bears(&subject);
            tags().find(&subject);
        }
    }
    assert_eq!(bears(&"[x]".repeat(1001)), Finding::Unknown);
    assert_ne!(bears(&format!("{}secure: x", "re:".repeat(1 << 18))), Finding::No);
    assert_eq!(bears(&format!("{}[secure] x", "re:".repeat(1 << 18))), Finding::Yes);
}

proptest::proptest! {
    #[test]
    fn nothing_breaks_it(subject: String, prefix in "(re: |\\[|\\]|\\(|\\)|secure|vertouwelijk|:| |-|İ|ﬃ){0,6}") {
        let subject = prefix + &subject;
        bears(&subject);
        tags().find(&subject);
    }

    /// C06: whatever stands behind the tag in its brackets, it is one.
    #[test]
    fn options_hide_no_tag(before in "([a-z0-9]{1,8}[: ] ?){0,3}", options in "[^\\[\\]]{0,60}", rest in "[a-z ]{0,20}") {
        proptest::prop_assume!(!skeleton(&options).contains(['[', ']']));
        proptest::prop_assert_eq!(bears(&format!("{before}[vertrouwelijk {options}] {rest}")), Finding::Yes);
    }

    /// C32: one letter of a word of six or more is wrong, missing, doubled or swapped.
    #[test]
    fn a_slip_of_the_pen_hides_no_tag(at in 0..12usize, slip in 0..4, wrong in "[a-z]", form in 0..6) {
        let mut letters: Vec<char> = "vertrouwelijk".chars().collect();
        match slip {
            0 => letters[at] = wrong.chars().next().unwrap(),
            1 => drop(letters.remove(at)),
            2 => letters.insert(at, letters[at]),
            _ => letters.swap(at, at + 1),
        }
        let word: String = letters.into_iter().collect();
        let subject = match form {
            0 => format!("[{word}] zaak"),
            1 => format!("Spoed: ({word} 14d) zaak"),
            2 => format!("zaak {{{word}}}"),
            3 => format!("[{word} zaak"),
            4 => format!("FYI: {word} - zaak"),
            _ => format!("{word}: zaak"),
        };
        proptest::prop_assert_eq!(bears(&subject), Finding::Yes, "{}", subject);
    }
}
