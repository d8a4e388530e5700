//! What a sender may ask for behind the tag: `[vertrouwelijk 14d wachtwoord=... taal=fy]`. Read from the subject
//! for `intake` and `zegel policy explain`.
//!
//! What must never happen: that an option, whatever it says, keeps a message from being sealed (that is
//! `trigger`'s matter), or that a password, or what may be one, is shown again.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::fold::{fold_plain, skeleton};
use super::trigger::is_misspelt;
use crate::limits::EXPIRY_DAYS;
use crate::locale::Language;
use crate::message::name::is_invisible;
use crate::secret::Secret;

/// Characters of a word that is shown again.
const MAX_SHOWN: usize = 40;

/// In Dutch, Frisian and English; without accents.
const NO_PASSWORD: &[&str] = &[
    "geen-wachtwoord",
    "geenwachtwoord",
    "zonder-wachtwoord",
    "gjin-wachtwurd",
    "gjinwachtwurd",
    "sunder-wachtwurd",
    "no-password",
    "nopassword",
    "without-password",
];
const PASSWORD: &[&str] =
    &["wachtwoord", "wachtwurd", "password", "paswoord", "passwoord", "passwort", "passwd"];
const SHORT_PASSWORD: &[&str] = &["pass", "pwd", "pw", "ww"];
/// Before a colon also a law, the Werkloosheidswet.
const LAW: &str = "ww";
/// Between a key and its value, and what looks so.
pub(super) const EQUALS: [char; 11] = ['=', ':', '＝', '：', '∶', '꞉', '˸', '︰', '﹕', '﹦', '꓿'];
/// Those of them that are not part of a sentence.
const EQUAL_SIGNS: [char; 4] = ['=', '＝', '﹦', '꓿'];
const LANGUAGE: &[&str] = &["taal", "language", "lang"];
const DAYS: &[&str] = &["d", "dag", "dagen", "dgn", "dei", "day", "days"];

/// What the tags of one subject ask for.
#[derive(Clone, Debug, Default)]
pub struct TagOptions {
    /// About the password.
    pub password: Option<TagPassword>,
    /// Days until the transfer expires, within [`EXPIRY_DAYS`].
    pub expiry_days: Option<u32>,
    /// Of the mails to the recipients.
    pub language: Option<Language>,
    /// What was not understood, fit to be shown to the sender: nothing that may be a password is in it.
    pub ignored: Vec<String>,
    /// There is, or may be, a password in the subject: it must not go on.
    pub has_password: bool,
    /// How the subject was read; none where there is no tag in it.
    pub reading: Option<TagReading>,
}

/// How the subject was read, for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagReading {
    /// The tag as it is written in the subject, with its brackets, without options.
    pub written: String,
    /// The tag of the policy, in square brackets.
    pub tag: String,
    /// It is written as the manual says, and nobody needs to be told.
    pub is_plain: bool,
}

/// What a tag says about the password.
#[derive(Clone, Debug)]
pub enum TagPassword {
    /// The link is to be enough.
    None,
    /// This one, as it was written.
    Chosen(Secret),
}

impl TagOptions {
    /// Reads texts that hold options.
    pub(super) fn parse<'a>(texts: impl IntoIterator<Item = Text<'a>>) -> Self {
        let mut reader = Reader::default();
        for text in texts {
            reader.read(text);
        }
        reader.options
    }

    /// For people, one line each; the password is not shown.
    pub fn describe(&self) -> Vec<String> {
        let password = self.password.as_ref().map(|password| match password {
            TagPassword::None => "no password".to_owned(),
            TagPassword::Chosen(_) => "a chosen password (not shown)".to_owned(),
        });
        let days = self.expiry_days.map(|days| format!("{days} days"));
        let language = self.language.map(|language| format!("language {language}"));
        let ignored = self.ignored.iter().map(|word| format!("not understood: {word}"));
        [password, days, language].into_iter().flatten().chain(ignored).collect()
    }
}

/// A text that holds options, and nothing else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub text: &'a str,
    /// A bracket says where it ends.
    pub is_closed: bool,
}

/// Bytes of the options that a text starts with, up to the first word that is none: of `14d Uw aanvraag`, 3.
pub(super) fn leading(text: &str) -> usize {
    let all = words(text);
    let ends: Vec<usize> = all.iter().map(|word| word.end).collect();
    let count = all.len();
    let (mut words, mut read) = (all.into_iter().peekable(), 0);
    while let Some(word) = words.next() {
        match meaning(&word, &mut words, false) {
            Meaning::Unknown(_) => break,
            // Most likely the next word is the password.
            Meaning::Password(None) if key_and_value(&word.text).is_none() => drop(words.next()),
            _ => {}
        }
        read = count - words.len();
    }
    read.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0)
}

/// Whether the skeleton of a text starts with what may be an option.
pub(super) fn starts_with_option(seen: &str) -> bool {
    let seen = seen.trim_start_matches(' ');
    let (word, rest) = seen.split_once(' ').unwrap_or((seen, ""));
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let unit = if number.is_empty() { rest.split(' ').next().unwrap_or("") } else { number };
    let is_days =
        number.len() < word.len() && DAYS.iter().any(|day| skeleton(day) == unit.trim_matches(['-', ',']));
    let joined: String = seen.chars().take(MAX_SHOWN).filter(|c| c.is_alphanumeric()).collect();
    let is_without = |option: &&str| joined.starts_with(&skeleton(&option.replace('-', "")));
    is_days || word.contains(EQUALS) || NO_PASSWORD.iter().any(is_without)
}

/// What one word, or two of them, turned out to be.
enum Meaning {
    NoPassword,
    /// Without a value where it is missing, or its quotes do not close.
    Password(Option<String>),
    Days(u32),
    Language(Language),
    /// With what may be shown of it.
    Unknown(String),
}

#[derive(Default)]
struct Reader {
    options: TagOptions,
    /// Two passwords, or one whose end cannot be told: none of them counts.
    password_in_doubt: bool,
}

impl Reader {
    fn read(&mut self, Text { text, is_closed }: Text<'_>) {
        let mut words = words(text).into_iter().peekable();
        // What follows a password and is no option may be part of it.
        let mut after_password = false;
        while let Some(word) = words.next() {
            match meaning(&word, &mut words, is_closed) {
                Meaning::Password(value) => {
                    after_password = true;
                    self.password(value);
                }
                Meaning::Unknown(_) if after_password => self.doubt_password(),
                Meaning::Unknown(shown) => self.ignore(shown),
                Meaning::NoPassword => self.no_password(),
                Meaning::Days(days) => self.days(days),
                Meaning::Language(language) => self.language(language),
            }
        }
    }

    fn password(&mut self, value: Option<String>) {
        self.options.has_password = true;
        let again = matches!(self.options.password, Some(TagPassword::Chosen(_)));
        match value {
            Some(value) if !again && !self.password_in_doubt => {
                if self.options.password.is_some() {
                    self.ignore(NO_PASSWORD.first().copied().unwrap_or_default().to_owned());
                }
                self.options.password = Some(TagPassword::Chosen(Secret::new(value)));
            }
            _ => self.doubt_password(),
        }
    }

    fn doubt_password(&mut self) {
        if !self.password_in_doubt {
            self.password_in_doubt = true;
            self.options.password = None;
            self.ignore(format!("{}=…", PASSWORD.first().copied().unwrap_or_default()));
        }
    }

    /// The stricter wins: a password that was chosen stays.
    fn no_password(&mut self) {
        if self.options.has_password {
            self.ignore(NO_PASSWORD.first().copied().unwrap_or_default().to_owned());
        } else {
            self.options.password = Some(TagPassword::None);
        }
    }

    /// The shorter of two.
    fn days(&mut self, days: u32) {
        match self.options.expiry_days {
            Some(other) if other != days => {
                self.options.expiry_days = Some(days.min(other));
                self.ignore(format!("{}d", days.max(other)));
            }
            _ => self.options.expiry_days = Some(days),
        }
    }

    /// The first of two.
    fn language(&mut self, language: Language) {
        match self.options.language {
            Some(other) if other != language => self.ignore(format!("taal={language}")),
            _ => self.options.language = Some(language),
        }
    }

    fn ignore(&mut self, shown: String) {
        if !self.options.ignored.contains(&shown) {
            self.options.ignored.push(shown);
        }
    }
}

/// One word of the options, without invisible characters.
pub(super) struct Word {
    pub text: String,
    /// Where it is in the text.
    pub start: usize,
    pub end: usize,
    /// A quotation mark was opened and not closed.
    open: bool,
}

/// Words are separated by blanks and commas. A password goes to the next blank, or, behind a quotation mark, to the
/// next one of those. Its value may stand apart: `wachtwoord: ...`
pub(super) fn words(text: &str) -> Vec<Word> {
    let new = |at: usize| Word { text: String::new(), start: at, end: at, open: false };
    let mut words = vec![new(0)];
    let mut text = text.char_indices().filter(|(_, c)| !is_invisible(*c)).peekable();
    while let Some((at, c)) = text.next() {
        if EQUALS.contains(&c) && words.last().is_some_and(|word| word.text.is_empty()) {
            // `wachtwoord = ...`
            let is_key = words.iter().rev().nth(1).is_some_and(|word| is_key(&plain(&word.text), c));
            words.truncate(words.len() - usize::from(is_key));
        }
        let Some(word) = words.last_mut() else { break };
        let is_blank = c.is_whitespace() || c.is_control();
        if word.open {
            match is_quote(c) {
                true => word.open = false,
                false => word.text.push(c),
            }
        } else if is_quote(c) && word.text.ends_with(EQUALS) && is_password(&word.text) {
            word.open = true;
        } else if is_blank && word.text.ends_with(EQUALS) && is_password_anywhere(&word.text) {
            continue;
        } else if is_blank || is_separator(c, &word.text, text.peek().map(|(_, next)| *next)) {
            words.push(new(at + c.len_utf8()));
            continue;
        } else {
            if word.text.is_empty() {
                word.start = at;
            }
            word.text.push(c);
        }
        word.end = at + c.len_utf8();
    }
    words.retain(|word| word.open || !word.text.is_empty());
    words
}

/// A comma parts words; within a password only before a blank.
fn is_separator(c: char, word: &str, next: Option<char>) -> bool {
    ",;".contains(c) && (next.is_some_and(char::is_whitespace) || !is_password(word))
}

/// `WW: ...` may be about something else than a password.
fn is_law(word: &str) -> bool {
    let key = key_and_value(word).map(|(key, _)| key);
    key.as_deref() == Some(LAW) && word.find(EQUAL_SIGNS) != word.find(EQUALS)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

/// Whether a word is a password with its key.
fn is_password(word: &str) -> bool {
    let sign = word.chars().find(|c| EQUALS.contains(c));
    let key = key_and_value(word).map(|(key, _)| key);
    key.zip(sign).is_some_and(|(key, sign)| is_key(&key, sign))
}

/// Whether a word is a password with its key, also where no brackets say that it is an option.
pub(super) fn is_password_anywhere(word: &str) -> bool {
    is_password(word) && !is_law(word)
}

/// Whether a word is the key of a password, without one.
pub(super) fn is_password_key(word: &str) -> bool {
    PASSWORD.contains(&plain(word).as_str())
}

/// Whether a password stands behind this key, before an equals sign also where it is misspelt.
fn is_key(key: &str, sign: char) -> bool {
    let is_slip = || {
        let seen = skeleton(key);
        PASSWORD.iter().any(|word| skeleton(word) == seen || is_misspelt(&seen, word))
    };
    PASSWORD.contains(&key) || SHORT_PASSWORD.contains(&key) || EQUAL_SIGNS.contains(&sign) && is_slip()
}

/// `key=value` or `key:value`; the key folded, the value as it was written.
fn key_and_value(word: &str) -> Option<(String, &str)> {
    let (key, value) = word.split_once(EQUALS)?;
    Some((plain(key), value))
}

/// Letter case, accents, width and the kind of dash aside; without brackets and the like around it.
fn plain(word: &str) -> String {
    let dashes = |c| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '_');
    let text = fold_plain(word).replace(dashes, "-");
    text.trim_matches(|c: char| "(){}.,;:".contains(c)).to_owned()
}

fn meaning(word: &Word, rest: &mut Peekable<IntoIter<Word>>, is_closed: bool) -> Meaning {
    let text = plain(&word.text);
    if let Some((key, value)) = key_and_value(&word.text) {
        return setting(&key, value, word, is_closed);
    }
    if PASSWORD.contains(&text.as_str()) {
        return Meaning::Password(None);
    }
    if NO_PASSWORD.contains(&text.as_str()) {
        return Meaning::NoPassword;
    }
    if let Some(days) = days(&text) {
        return days;
    }
    // "geen wachtwoord", "14 dagen"
    let next = rest.peek().map(|next| plain(&next.text)).unwrap_or_default();
    let both = match NO_PASSWORD.contains(&format!("{text}-{next}").as_str()) {
        true => Some(Meaning::NoPassword),
        false => days(&format!("{text}{next}")).filter(|_| DAYS.contains(&next.as_str())),
    };
    if let Some(both) = both {
        rest.next();
        return both;
    }
    match hints_at_password(&word.text) {
        true => Meaning::Password(None),
        false => Meaning::Unknown(shown(&word.text)),
    }
}

/// Whether a word that is not understood may hold a password, or come before one, in whatever spelling: it is not shown.
fn hints_at_password(word: &str) -> bool {
    let seen: String = skeleton(word).chars().filter(|c| c.is_alphanumeric()).collect();
    PASSWORD.iter().any(|key| seen.contains(&skeleton(key)))
}

fn setting(key: &str, value: &str, word: &Word, is_closed: bool) -> Meaning {
    if is_password(&word.text) {
        // Of a bracket without a partner nobody can say whether it ends the password or the tag.
        let is_whole = !word.open && !value.is_empty() && is_paired(value, is_closed);
        let value = is_whole.then(|| value.to_owned());
        return Meaning::Password(value);
    }
    if LANGUAGE.contains(&key)
        && let Some(language) = language(&plain(value))
    {
        return Meaning::Language(language);
    }
    if hints_at_password(key) {
        return Meaning::Password(None);
    }
    // The key may be a slip of the pen for the password's: its value is not shown.
    Meaning::Unknown(format!("{}=…", shown(key)))
}

fn is_paired(value: &str, is_closed: bool) -> bool {
    let seen = skeleton(value);
    let pairs = |open: char, close: char| seen.matches(open).count() == seen.matches(close).count();
    pairs('[', ']') && (is_closed || pairs('(', ')') && pairs('{', '}') && pairs('<', '>'))
}

/// `14d` and the like; a number of days that is too large or none is not understood.
fn days(text: &str) -> Option<Meaning> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    if number.is_empty() || !DAYS.contains(&unit.trim_start_matches('-')) {
        return None;
    }
    match number.parse() {
        Ok(days) if EXPIRY_DAYS.contains(&days) => Some(Meaning::Days(days)),
        _ => Some(Meaning::Unknown(shown(text))),
    }
}

fn language(text: &str) -> Option<Language> {
    match text {
        "nl" | "nederlands" | "nederlansk" | "dutch" => Some(Language::Nl),
        "fy" | "frysk" | "fries" | "frisian" => Some(Language::Fy),
        "en" | "engels" | "ingelsk" | "english" => Some(Language::En),
        _ => None,
    }
}

fn shown(word: &str) -> String {
    word.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_password_is_not_shown() {
        for text in [
            "wachtwoord->geheim123",
            "wachtwoordgeheim123",
            "•wachtwoord geheim123",
            "14d|wachtwoord=geheim123",
            "Passwort geheim123",
            "--password geheim123",
            "vvachtwoord(geheim123)",
        ] {
            let options = parse(text);
            assert!(options.has_password && options.password.is_none(), "{text}");
            assert!(!options.describe().iter().any(|line| line.contains("geheim")), "{text}");
        }
        for text in ["wachtwoord꞉geheim123", "wаchtwооrd=geheim123"] {
            assert!(matches!(parse(text).password, Some(TagPassword::Chosen(_))), "{text}");
        }
        assert!(!parse("woordenboek").has_password);
    }

    fn parse(text: &str) -> TagOptions {
        TagOptions::parse([Text { text, is_closed: true }])
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn chosen(text: &str) -> Option<String> {
        match parse(text).password {
            Some(TagPassword::Chosen(password)) => Some(password.reveal().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn every_option_in_every_language() {
        for text in [
            "geen-wachtwoord",
            "Geen Wachtwoord",
            "zonder wachtwoord",
            "gjin-wachtwurd",
            "sûnder wachtwurd",
            "no-password",
            "NO\u{2011}PASSWORD",
            ", geen-wachtwoord",
        ] {
            let options = parse(text);
            assert!(matches!(options.password, Some(TagPassword::None)), "{text}");
            assert!(options.ignored.is_empty() && !options.has_password, "{text}");
        }
        for text in ["14d", "14D", "(14d)", "14dagen", "14 dagen", "14 days", "14-d", "１４ｄ", "14 dei,"]
        {
            assert_eq!(parse(text).expiry_days, Some(14), "{text}");
            assert!(parse(text).ignored.is_empty(), "{text}");
        }
        for (text, language) in [
            ("taal=fy", Language::Fy),
            ("Taal: x taal=Frysk", Language::Fy),
            ("language=en", Language::En),
            ("lang=NL", Language::Nl),
            ("taal:engels", Language::En),
        ] {
            assert_eq!(parse(text).language, Some(language), "{text}");
        }
        for text in [
            "wachtwoord=Zomer-2026!",
            "Wachtwurd=Zomer-2026!",
            "password:Zomer-2026!",
            "wachtwoord: Zomer-2026!",
            "wachtwoord = Zomer-2026!",
            "Wachtwoord : \"Zomer-2026!\"",
            "wachtwoord= Zomer-2026! 14d",
            "wachtword=Zomer-2026!",
            "paswoord=Zomer-2026!",
            "ww=Zomer-2026!",
            "WW = Zomer-2026!",
            "pass=Zomer-2026!",
            "pwd:Zomer-2026!",
        ] {
            assert_eq!(chosen(text).as_deref(), Some("Zomer-2026!"), "{text}");
        }
    }

    #[test]
    fn where_no_bracket_ends_them_they_end_at_the_first_other_word() {
        for (text, options) in [
            (" 14d geen-wachtwoord Uw aanvraag", " 14d geen-wachtwoord"),
            (" wachtwoord=Zomer-2026 taal=fy Uw aanvraag", " wachtwoord=Zomer-2026 taal=fy"),
            (
                " wachtwoord: \"Zomer in Gent\", 14 dagen Uw aanvraag",
                " wachtwoord: \"Zomer in Gent\", 14 dagen",
            ),
            (" wachtwoord Zomer-2026 Uw aanvraag", " wachtwoord Zomer-2026"),
            (" Uw aanvraag 14d", ""),
            ("", ""),
        ] {
            assert_eq!(text.get(..leading(text)), Some(options), "{text}");
        }
    }

    #[test]
    fn what_may_be_an_option_is_seen_from_afar() {
        for text in [" 14d", "14 dagen", " wachtwoord=x", "geen-wachtwoord x", "geen wachtwoord", "14-d, x"] {
            assert!(starts_with_option(&skeleton(text)), "{text}");
        }
        for text in ["", " 2026", "thuis", "geen idee", "14 wijken"] {
            assert!(!starts_with_option(&skeleton(text)), "{text}");
        }
    }

    #[test]
    fn they_go_together() {
        let options = parse("14d, wachtwoord=\"Zomer in Gent, 2026\"; taal=fy");
        assert_eq!((options.expiry_days, options.language), (Some(14), Some(Language::Fy)));
        let Some(TagPassword::Chosen(password)) = &options.password else { panic!("{options:?}") };
        assert_eq!(password.reveal(), "Zomer in Gent, 2026");
        assert!(options.ignored.is_empty() && options.has_password);
        assert!(!format!("{options:?} {:?}", options.describe()).contains("Zomer"));
        let close = parse("14d,taal=fy,geen-wachtwoord");
        assert_eq!((close.expiry_days, close.language), (Some(14), Some(Language::Fy)));
        assert!(matches!(close.password, Some(TagPassword::None)) && close.ignored.is_empty());
        assert_eq!(chosen("wachtwoord=Zomer,2026;x, 14d").as_deref(), Some("Zomer,2026;x"));
        assert_eq!(chosen("wachtwoord=Zomer=2026 14d").as_deref(), Some("Zomer=2026"));
        assert_eq!(chosen("wachtwoord=Zo\u{200b}mer2026").as_deref(), Some("Zomer2026"));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (text, ignored) in [
            ("14x", "14x"),
            ("0d", "0d"),
            ("366d", "366d"),
            ("99999999999d", "99999999999d"),
            ("taal=de", "taal=…"),
            ("kenmerk=Geheim-2026", "kenmerk=…"),
            ("spoed", "spoed"),
        ] {
            let options = parse(text);
            assert_eq!(options.ignored, [ignored], "{text}");
            assert!(options.expiry_days.is_none() && options.language.is_none(), "{text}");
        }
    }

    #[test]
    fn of_two_the_shorter_time_and_the_first_language_count() {
        for (text, days, ignored) in
            [("14d 7d", 7, vec!["14d"]), ("7d 14d", 7, vec!["14d"]), ("7d 7 dagen", 7, vec![])]
        {
            assert_eq!(
                (parse(text).expiry_days, parse(text).ignored),
                (Some(days), owned(&ignored)),
                "{text}"
            );
        }
        for (text, ignored) in [("taal=fy taal=en", vec!["taal=en"]), ("taal=fy lang=fy", vec![])] {
            assert_eq!(
                (parse(text).language, parse(text).ignored),
                (Some(Language::Fy), owned(&ignored)),
                "{text}"
            );
        }
    }

    #[test]
    fn people_are_told_all_but_the_password() {
        let said = parse("spoed 14d wachtwoord=Zomer-2026 taal=fy").describe();
        let told = ["a chosen password (not shown)", "14 days", "language fy", "not understood: spoed"];
        assert_eq!(said, told);
        assert_eq!(parse("geen-wachtwoord").describe(), ["no password"]);
        assert!(parse("").describe().is_empty());
    }

    /// A password is taken as it was meant, or not at all, and never shown.
    #[test]
    fn a_password_in_doubt_is_none() {
        for text in [
            "wachtwoord=Zomer in Gent",
            "wachtwoord=Zomer2026 in Gent 14d",
            "wachtwoord Zomer2026",
            "wachtwoord=\"Zomer in Gent",
            "ww: Zomer2026",
            "wachtwoord=Zomer2026 wachtwoord=Winter2026",
            "wachtwoord=Zomer[2026",
        ] {
            let options = parse(text);
            assert!(options.password.is_none() && options.has_password, "{text}");
            assert_eq!(options.ignored, ["wachtwoord=…"], "{text}");
        }
        let both = parse("geen-wachtwoord wachtwoord=Zomer-2026");
        assert!(matches!(both.password, Some(TagPassword::Chosen(_))));
        assert_eq!(both.ignored, ["geen-wachtwoord"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(text: String) {
            parse(&text);
        }

        #[test]
        fn no_password_is_shown(
            before in "(14d |taal=fy |x |, ){0,3}",
            password in "[A-Z][a-z!-]{7,20}",
            after in "( 14d| taal=en| KANARIE|,|, x){0,3}",
        ) {
            let options = parse(&format!("{before}wachtwoord={password}{after}"));
            proptest::prop_assert!(options.has_password);
            let shown = format!("{:?} {:?}", options, options.describe());
            proptest::prop_assert!(!shown.contains(&password) && !shown.contains("KANARIE"), "{}", shown);
            if let Some(TagPassword::Chosen(chosen)) = options.password {
                proptest::prop_assert_eq!(chosen.reveal().trim_end_matches(','), password);
            }
        }
    }
}
