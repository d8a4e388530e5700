//! How strong a chosen password is, with advice in plain words (H28): the one rule for a sender who puts it behind the
//! tag, for an answer that is sent, and for the page while somebody types. zxcvbn counts how many tries somebody would
//! need who knows what people choose.

use zxcvbn::feedback::{Suggestion, Warning};
use zxcvbn::{Score, zxcvbn};

/// Characters of a password that somebody chooses, at least.
const MIN_CHOSEN: usize = 8;

/// Characters that are looked at: what is longer is strong, and costs time.
const LOOKED_AT: usize = 100;

/// Words about the message that are looked at.
const MOST_WORDS: usize = 200;

/// What people in the Netherlands make passwords of when they do not think; zxcvbn knows the English words.
const DUTCH: &[&str] = &[
    "wachtwoord",
    "wachtwurd",
    "welkom",
    "wolkom",
    "geheim",
    "vertrouwelijk",
    "fertroulik",
    "gemeente",
    "gemeinte",
    "inloggen",
    "voetbal",
    "tijdelijk",
    "voorjaar",
    "lente",
    "zomer",
    "herfst",
    "najaar",
    "winter",
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
];

/// What there is to say about a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0 (very weak) to 4 (very strong).
    pub score: u8,
    /// It may be used: long enough, and not a common one.
    pub accepted: bool,
    /// What would make it stronger: `longer`, `words`, `common`, `word`, `name`, `keyboard`, `repeat`, `sequence`, `date`,
    /// `capitals`, `substitution`, `reversed`. Most important first, each once.
    pub advice: Vec<&'static str>,
}

/// Measures a password. `about` are words that somebody who guesses would try first: names, addresses and
/// the subject of the message.
pub fn strength(password: &str, about: &[&str]) -> Strength {
    let start: String = password.chars().take(LOOKED_AT).collect();
    let words: Vec<&str> = about.iter().flat_map(|text| text.split(['@', '.', ' ', '-'])).collect();
    let inputs = about.iter().copied().chain(words).filter(|word| word.chars().count() > 2);
    let inputs: Vec<&str> = inputs.take(MOST_WORDS).chain(DUTCH.iter().copied()).collect();
    let whole = zxcvbn(&start, &inputs);
    let estimate = match word_in(&start).map(|word| zxcvbn(word, &inputs)) {
        Some(word) if word.score() < whole.score() => word,
        _ => whole,
    };
    let long_enough = start.chars().count() >= MIN_CHOSEN;
    let score = if long_enough { u8::from(estimate.score()) } else { 0 };
    let mut advice = Vec::new();
    let mut add = |word| {
        if !advice.contains(&word) {
            advice.push(word);
        }
    };
    if !long_enough {
        add("longer");
    }
    if let Some(feedback) = estimate.feedback() {
        feedback.warning().map(of_warning).into_iter().for_each(&mut add);
        feedback.suggestions().iter().filter_map(|suggestion| of_suggestion(*suggestion)).for_each(add);
    }
    Strength { score, accepted: long_enough && estimate.score() >= Score::Two, advice }
}

/// What is left without digits and signs around it, where that is the better half: `Wachtwoord` of `Wachtwoord123!`.
/// Those are the first that somebody tries who guesses.
fn word_in(password: &str) -> Option<&str> {
    let word = password.trim_matches(|c: char| !c.is_alphabetic());
    let (letters, all) = (word.chars().count(), password.chars().count());
    (letters < all && 2 * letters >= all).then_some(word)
}

fn of_warning(warning: Warning) -> &'static str {
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "keyboard"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "repeat"
        }
        Warning::ThisIsATop10Password
        | Warning::ThisIsATop100Password
        | Warning::ThisIsACommonPassword
        | Warning::ThisIsSimilarToACommonlyUsedPassword => "common",
        Warning::SequencesLikeAbcAreEasyToGuess => "sequence",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => "date",
        Warning::AWordByItselfIsEasyToGuess => "word",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "name",
    }
}

fn of_suggestion(suggestion: Suggestion) -> Option<&'static str> {
    Some(match suggestion {
        Suggestion::UseAFewWordsAvoidCommonPhrases | Suggestion::AddAnotherWordOrTwo => "words",
        Suggestion::CapitalizationDoesntHelpVeryMuch
        | Suggestion::AllUppercaseIsAlmostAsEasyToGuessAsAllLowercase => "capitals",
        Suggestion::ReversedWordsArentMuchHarderToGuess => "reversed",
        Suggestion::PredictableSubstitutionsDontHelpVeryMuch => "substitution",
        Suggestion::UseALongerKeyboardPatternWithMoreTurns => "keyboard",
        Suggestion::AvoidRepeatedWordsAndCharacters => "repeat",
        Suggestion::AvoidSequences => "sequence",
        Suggestion::AvoidRecentYears
        | Suggestion::AvoidYearsThatAreAssociatedWithYou
        | Suggestion::AvoidDatesAndYearsThatAreAssociatedWithYou => "date",
        // True, but no advice.
        Suggestion::NoNeedForSymbolsDigitsOrUppercaseLetters => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_and_short_passwords_are_refused_with_advice() {
        for (password, advice) in [
            ("", "longer"),
            ("xK9#q2L", "longer"),
            ("password", "common"),
            ("12345678", "common"),
            ("aaaaaaaaaa", "repeat"),
            ("qwertyuiop", "common"),
            ("jansen1234", "words"),
        ] {
            let strength = strength(password, &["Piet Jansen", "piet@example.org"]);
            assert!(!strength.accepted && strength.score < 2, "{password}: {strength:?}");
            assert!(strength.advice.contains(&advice), "{password}: {strength:?}");
        }
    }

    #[test]
    fn what_people_choose_without_thinking_is_refused() {
        for password in [
            "zes",
            "kort12!",
            "wachtwoord",
            "Wachtwoord123!",
            "Welkom2026",
            "P@ssw0rd",
            "zomer2026",
            "1234567890",
            "abcdefgh",
            "87654321",
            "GeheimGeheim",
            "!!december!!",
            "qwerty123",
            "Gemeente1!",
        ] {
            assert!(!strength(password, &[]).accepted, "{password}");
        }
        for password in
            ["Zomer in Gent 2026", "kamperfoelie-7", "h7Gk2!pq", "90 fietsen", "abkwqsxz", "ajsajbsk"]
        {
            assert!(strength(password, &[]).accepted, "{password}");
        }
    }

    #[test]
    fn any_characters_make_a_strong_one() {
        for password in
            ["correct paard batterij nietje", "пароль-é-ünïcödé-99", "x7$Kq!m2Pz", "k7xp-3hmx-9fru-42km"]
        {
            let strength = strength(password, &[]);
            assert!(strength.accepted && strength.score >= 3, "{password}: {strength:?}");
        }
    }

    #[test]
    fn an_endless_one_costs_no_time() {
        let start = std::time::Instant::now();
        assert!(strength(&"Zomer in Gent ".repeat(100_000), &[]).accepted);
        assert!(start.elapsed().as_secs() < 5);
    }
}
