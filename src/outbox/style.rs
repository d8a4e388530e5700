//! The colours and fonts of all mails, in one place. Mail programs know no style sheets to share, so
//! the templates write these into every element. Contrast is WCAG AA or better in both schemes.

/// Fonts that are there: a mail loads none.
pub const FONT: &str = "'Segoe UI',Helvetica,Arial,sans-serif";
/// For what is typed over: each character has its own shape.
pub const MONOSPACED: &str = "Consolas,Menlo,'Courier New',monospace";

/// The colours of one scheme.
pub struct Scheme {
    /// Behind everything
    pub page: &'static str,
    /// Behind the text
    pub card: &'static str,
    /// Behind what must stand out
    pub panel: &'static str,
    /// Text
    pub ink: &'static str,
    /// Less important text
    pub muted: &'static str,
    /// Lines
    pub line: &'static str,
    /// Links, the button and the bar on top
    pub accent: &'static str,
    /// Text on the accent
    pub on_accent: &'static str,
}

/// Written into the elements.
pub const LIGHT: Scheme = Scheme {
    page: "#eef1f5",
    card: "#ffffff",
    panel: "#f3f6fa",
    ink: "#1b2430",
    muted: "#4a5565",
    line: "#d3dae3",
    accent: "#154273",
    on_accent: "#ffffff",
};

/// For mail programs that ask for it (`prefers-color-scheme`).
pub const DARK: Scheme = Scheme {
    page: "#10151b",
    card: "#1a212a",
    panel: "#232c37",
    ink: "#f1f4f8",
    muted: "#b8c2cf",
    line: "#3a4553",
    accent: "#9ccbff",
    on_accent: "#0b1a2b",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn all_text_can_be_read() {
        for scheme in [LIGHT, DARK] {
            for (text, behind) in [
                (scheme.ink, scheme.card),
                (scheme.ink, scheme.panel),
                (scheme.muted, scheme.card),
                (scheme.muted, scheme.panel),
                (scheme.accent, scheme.card),
                (scheme.on_accent, scheme.accent),
            ] {
                assert!(contrast(text, behind) >= 4.5, "{text} on {behind}: {}", contrast(text, behind));
            }
        }
        assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 0.01);
    }
}
