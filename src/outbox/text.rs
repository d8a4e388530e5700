//! Text from outside as it may be in a mail.

use crate::message::name::is_invisible;

/// The longest name or subject that is shown, in characters (M07).
const LONGEST_LINE: usize = 200;

/// A phone number as a `tel:` URI (RFC 3966): `+31 (0)511 54 81 00` is `tel:+31511548100`.
pub fn tel(phone: &str) -> Option<String> {
    let number: String =
        phone.replace("(0)", "").chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    number.contains(|c: char| c.is_ascii_digit()).then(|| format!("tel:{number}"))
}

/// Text from a mail, a list or the configuration as one line that shows all that is in it (C13, M07):
/// no control characters, nothing invisible, nothing that turns the writing direction, not endless.
pub fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|&c| !is_invisible(c))
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default().trim_end()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_phone_numbers_dialable() {
        assert_eq!(tel("14 0511").as_deref(), Some("tel:140511"));
        assert_eq!(tel("+31 (0)511-54 81 00").as_deref(), Some("tel:+31511548100"));
        assert_eq!(tel("javascript:alert()"), None);
        assert_eq!(tel(""), None);
    }
}
