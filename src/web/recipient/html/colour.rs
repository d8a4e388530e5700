//! Colours of a mail, and whether text can be read on its ground.

use cssparser::color::{parse_hash_color, parse_named_color};

/// Below this ratio (WCAG 2.2 1.4.3) nobody reads it. It is no standard for a sender's taste: grey on white stays
/// grey, and only what was lost with its other half, or was never to be seen, gets a colour that shows.
const LEAST_CONTRAST: f32 = 2.0;

/// A colour without transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// A colour as it was written, which may let through what is below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    pub colour: Colour,
    pub alpha: f32,
}

impl Colour {
    /// Text, ground and links where the mail says nothing: those of message.css.
    pub const INK: Self = Self(0x1d, 0x27, 0x33);
    pub const PAPER: Self = Self(0xff, 0xff, 0xff);
    pub const LINK: Self = Self(0x07, 0x58, 0x7a);

    /// As CSS.
    pub fn css(self) -> String {
        let Self(red, green, blue) = self;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// This colour, or one that can be read on `ground` where this one cannot.
    pub fn legible_on(self, ground: Self) -> Self {
        if self.contrast(ground) >= LEAST_CONTRAST {
            self
        } else if Self::INK.contrast(ground) >= Self::PAPER.contrast(ground) {
            Self::INK
        } else {
            Self::PAPER
        }
    }

    fn contrast(self, other: Self) -> f32 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f32 {
        let linear = |part: u8| {
            let part = f32::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

impl Paint {
    pub fn solid(colour: Colour) -> Self {
        Self { colour, alpha: 1.0 }
    }

    /// A name of CSS.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "transparent" => Some(Self { colour: Colour::PAPER, alpha: 0.0 }),
            // What a program shows that was told no colour.
            "windowtext" | "canvastext" | "initial" => Some(Self::solid(Colour::INK)),
            "window" | "canvas" => Some(Self::solid(Colour::PAPER)),
            _ => parse_named_color(name).ok().map(|(red, green, blue)| Self::solid(Colour(red, green, blue))),
        }
    }

    /// What stands behind a `#`.
    pub fn hash(digits: &str) -> Option<Self> {
        let (red, green, blue, alpha) = parse_hash_color(digits.as_bytes()).ok()?;
        Some(Self { colour: Colour(red, green, blue), alpha })
    }

    /// The value of an attribute of old: a name, or digits with or without a `#` (HTML 2.4.6, as far as mail uses it).
    pub fn attribute(value: &str) -> Option<Self> {
        let value = value.trim();
        let digits = value.strip_prefix('#').unwrap_or(value);
        Self::named(&value.to_ascii_lowercase()).or_else(|| Self::hash(digits))
    }

    /// What is seen of it on `ground`; nothing where it is clear as glass.
    pub fn over(self, ground: Colour) -> Option<Colour> {
        if self.alpha <= 0.0 {
            return None;
        }
        let alpha = self.alpha.min(1.0);
        // Between 0 and 255, for both are.
        let mix =
            |top: u8, below: u8| (f32::from(top) * alpha + f32::from(below) * (1.0 - alpha)).round() as u8;
        let Colour(red, green, blue) = self.colour;
        Some(Colour(mix(red, ground.0), mix(green, ground.1), mix(blue, ground.2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_gets_another_colour() {
        let (white, navy, red) = (Colour::PAPER, Colour(0, 0, 0x80), Colour(0xff, 0, 0));
        assert_eq!(red.legible_on(white), red);
        assert_eq!(white.legible_on(white), Colour::INK);
        assert_eq!(Colour::INK.legible_on(navy), white);
        assert_eq!(navy.legible_on(Colour(0, 0, 0x60)), white);
        assert_eq!(Colour(0x99, 0x99, 0x99).legible_on(white), Colour(0x99, 0x99, 0x99));
    }

    #[test]
    fn reads_colours_as_they_are_written() {
        for (value, css) in [
            ("red", Some("#ff0000")),
            ("#F60", Some("#ff6600")),
            (" #336699 ", Some("#336699")),
            ("336699", Some("#336699")),
            ("RebeccaPurple", Some("#663399")),
            ("url(x)", None),
            ("", None),
            ("#12", None),
        ] {
            let colour = Paint::attribute(value).and_then(|paint| paint.over(Colour::PAPER));
            assert_eq!(colour.map(Colour::css).as_deref(), css, "{value}");
        }
        assert_eq!(Paint::named("transparent").unwrap().over(Colour::INK), None);
        let half = Paint { colour: Colour(0, 0, 0), alpha: 0.5 };
        assert_eq!(half.over(Colour::PAPER), Some(Colour(128, 128, 128)));
    }
}
