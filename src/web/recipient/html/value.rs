//! The value of a declaration in pieces, as `css` reads them and `look` judges them.

use super::colour::Paint;

/// A piece of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// In lower case.
    Word(String),
    Number(f32),
    /// A number and its unit, in lower case.
    Length(f32, String),
    Percent(f32),
    Paint(Paint),
    Comma,
    /// Text, addresses, functions, …
    Other,
}
