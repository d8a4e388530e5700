//! Text that runs from right to left, among text that does not.

use std::borrow::Cow;

/// First strong isolate, and its end (UAX 9, 2.4): what is between them finds its own direction, and what is around them
/// is not moved by it.
const ISOLATE: char = '\u{2068}';
const END: char = '\u{2069}';

/// Hebrew, Arabic, Syriac, Thaana, N'Ko and their likes (Unicode's blocks of such scripts).
pub fn runs_from_the_right(c: char) -> bool {
    matches!(
        c,
        '\u{590}'..='\u{8ff}'
            | '\u{fb1d}'..='\u{fdff}'
            | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
    )
}

/// A name or another value as it goes into a sentence. All others stay as they are, without invisible marks.
pub fn in_a_sentence(value: &str) -> Cow<'_, str> {
    match value.chars().any(runs_from_the_right) {
        true => Cow::Owned(format!("{ISOLATE}{value}{END}")),
        false => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_from_the_right_is_marked() {
        assert_eq!(in_a_sentence("Jan Jansen (12)"), "Jan Jansen (12)");
        assert_eq!(in_a_sentence("Жан 日本 é"), "Жан 日本 é");
        assert_eq!(in_a_sentence("שרה כהן"), "\u{2068}שרה כהן\u{2069}");
        assert_eq!(in_a_sentence("Fatima فاطمة"), "\u{2068}Fatima فاطمة\u{2069}");
    }
}
