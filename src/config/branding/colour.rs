//! One colour, and how well two of them can be told apart (WCAG 2.2).

use std::fmt;

/// An opaque colour of sRGB; written as `#rrggbb`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// `#rrggbb` or `#rgb`, `white` or `black`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let digits = match text.as_str() {
            "white" => "ffffff",
            "black" => "000000",
            hexadecimal => hexadecimal.strip_prefix('#')?,
        };
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, first, second, third] = value.to_be_bytes();
        match digits.len() {
            6 => Some(Self([first, second, third])),
            // Each digit stands for two.
            3 => Some(Self([second, third >> 4, third & 0xf].map(|digit| digit * 0x11))),
            _ => None,
        }
    }

    /// The contrast ratio of two colours: from 1 for the same to 21 for black and white.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Relative luminance.
    fn luminance(self) -> f64 {
        let linear = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        let [red, green, blue] = linear;
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_written() {
        for (text, written) in
            [("#07587A", "#07587a"), ("#0cf", "#00ccff"), ("white", "#ffffff"), ("Black", "#000000")]
        {
            assert_eq!(Colour::parse(text).unwrap().to_string(), written, "{text}");
        }
        for text in
            ["", "#", "#12", "#1234", "#12345", "#1234567", "#+12345", "#é1234", "#ggg", "07587a", "red"]
        {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    /// Pairs that WCAG and its checkers give as examples.
    #[test]
    fn contrast_is_that_of_wcag() {
        let contrast = |one, other| Colour::parse(one).unwrap().contrast(Colour::parse(other).unwrap());
        for (one, other, ratio) in [
            ("#ffffff", "#000000", 21.0),
            ("#777777", "#ffffff", 4.478),
            ("#767676", "#ffffff", 4.542),
            ("#ff0000", "#ffffff", 3.998),
            ("#154273", "#154273", 1.0),
        ] {
            assert!((contrast(one, other) - ratio).abs() < 0.001, "{one} {other}: {}", contrast(one, other));
            assert_eq!(contrast(one, other), contrast(other, one));
        }
    }
}
