//! Lines joined again (RFC 3676): whatever comes, nothing but blanks, line ends and marks of quotation is gone, nothing
//! but those has come, and what is no flowed text any more stays as it is.

use zegel::message::flowed::joined;

pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for delsp in [false, true] {
        let whole = joined(&text, delsp);
        assert!(letters(&text).eq(letters(&whole)), "{text:?} is {whole:?}");
        assert!(whole.len() <= 2 * text.len() + 2, "{text:?} is {whole:?}");
        assert!(whole.lines().count() <= text.lines().count(), "{text:?} is {whole:?}");
    }
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_whitespace() && *c != '>')
}
