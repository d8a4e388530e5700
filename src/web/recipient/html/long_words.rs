//! Where a long word in a table may be broken on a narrow screen. No column is narrower than its longest word, so two long
//! ones would make a table wider than a telephone; outside tables the style sheet alone breaks them.

/// A word of so many characters is long.
const LONG: usize = 13;
/// So many of them stay together at its start, and later on.
const START: usize = 8;
const STEP: usize = 4;
/// Says where; the style sheet, on which screens.
const BREAK: &str = "<wbr class=\"break\">";

/// Adds escaped text to `html`.
pub fn write(text: &str, html: &mut String) {
    for piece in text.split_inclusive(char::is_whitespace) {
        let mut left = characters(piece.trim_end()).count();
        if left < LONG {
            html.push_str(piece);
            continue;
        }
        for (number, character) in characters(piece).enumerate() {
            if number >= START && number % STEP == 0 && left >= STEP {
                html.push_str(BREAK);
            }
            html.push_str(character);
            left = left.saturating_sub(1);
        }
    }
}

/// The characters of escaped text, each as it is written.
fn characters(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let escape = if first == '&' { rest.find(';').map(|end| end + 1) } else { None };
        let (character, behind) = rest.split_at_checked(escape.unwrap_or(first.len_utf8()))?;
        rest = behind;
        Some(character)
    })
}

#[cfg(test)]
mod tests {
    use super::super::dress::dress;
    use super::super::pictures::Pictures;
    use super::*;

    #[test]
    fn long_words_may_be_broken_and_no_others() {
        for (text, expected) in [
            ("Zaaknummer Z-2026-0457", "Zaaknummer Z-2026-0457"),
            ("het Inrichtingskosten \n", "het Inrichti|ngsk|osten \n"),
            ("dertienletter", "dertienl|etter"),
            ("a&amp;b&lt;c&gt;d&quot;e&nbsp;f&amp;g", "a&amp;b&lt;c&gt;d&quot;|e&nbsp;f&amp;g"),
            ("éééééééééééé&", "éééééééé|éééé&"),
            ("", ""),
        ] {
            let mut html = String::new();
            write(text, &mut html);
            assert_eq!(html.replace(BREAK, "|"), expected);
        }
    }

    #[test]
    fn only_words_in_cells_are() {
        let word = "gehandicaptenparkeerkaart";
        let html =
            format!("<p>{word}</p><table><tbody><tr><td><p>{word}</p></td></tr></tbody></table>{word}");
        let dressed = dress(&html, &Pictures::default());
        assert_eq!(dressed.html.matches(BREAK).count(), 4, "{}", dressed.html);
        assert_eq!(dressed.html.matches(word).count(), 2, "{}", dressed.html);
        assert_eq!(dressed.plain.matches(word).count(), 3, "{}", dressed.plain);
    }
}
