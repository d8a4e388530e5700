//! The colours of an organisation in both schemes: ours, under what its style sheet sets. Pages take them from the style
//! sheet, mails from [`Scheme`]. Colours that somebody could not tell apart are a fault of the configuration.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::colour::Colour;
use super::sheet::{Declaration, Sheet, Tokens};

/// What pages wear without a theme; it names every token that there is.
const SHIPPED: &str = include_str!("../../../web/assets/theme.css");

/// Tokens that name each other, one behind the other.
const MAX_REFERENCES: usize = 16;

/// The style sheet of the pages, and the colours in it.
#[derive(Clone, Debug)]
pub struct Theme {
    /// Ours, and behind it that of the organisation.
    pub style_sheet: Bytes,
    /// What mails wear.
    pub light: Scheme,
    /// What mails wear in programs that ask for dark colours.
    pub dark: Scheme,
}

/// The colours of mails in one scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Behind everything
    pub page: Colour,
    /// Behind the text
    pub card: Colour,
    /// Behind what must stand out
    pub panel: Colour,
    /// Text
    pub ink: Colour,
    /// Less important text
    pub muted: Colour,
    /// Headings, and the name on top
    pub heading: Colour,
    /// Lines
    pub line: Colour,
    /// Links
    pub accent: Colour,
    /// The button
    pub button: Colour,
    /// Text on it
    pub on_button: Colour,
    /// Behind the name or the logo on top
    pub header: Colour,
    /// The line below it
    pub header_line: Colour,
}

/// The contrast that text needs (WCAG 2.2, 1.4.3), and what is no text (1.4.11).
const TEXT: f64 = 4.5;
const SHAPE: f64 = 3.0;

/// What must be told apart: the first on each of the second ones. All without `--utrecht-` and `-color`.
const PAIRS: &[(&str, f64, &[&str])] = &[
    (
        "document",
        TEXT,
        &[
            "document-background",
            "surface-background",
            "page-header-background",
            "form-control-background",
            "form-control-read-only-background",
            "alert-info-background",
            "alert-ok-background",
            "alert-warning-background",
            "alert-error-background",
        ],
    ),
    (
        "heading",
        TEXT,
        &[
            "document-background",
            "surface-background",
            "page-header-background",
            "alert-info-background",
            "alert-ok-background",
            "alert-warning-background",
            "alert-error-background",
        ],
    ),
    (
        "link",
        TEXT,
        &[
            "document-background",
            "surface-background",
            "page-header-background",
            "form-control-read-only-background",
            "alert-info-background",
            "alert-ok-background",
            "alert-warning-background",
            "alert-error-background",
        ],
    ),
    ("link-hover", TEXT, &["document-background", "surface-background", "page-header-background"]),
    ("focus", TEXT, &["focus-background"]),
    ("focus-outline", SHAPE, &["document-background", "surface-background", "page-header-background"]),
    (
        "button-primary-action",
        TEXT,
        &["button-primary-action-background", "button-primary-action-hover-background"],
    ),
    (
        "button-primary-action-danger",
        TEXT,
        &["button-primary-action-danger-background", "button-primary-action-danger-hover-background"],
    ),
    (
        "button-secondary-action",
        TEXT,
        &["button-secondary-action-background", "button-secondary-action-hover-background"],
    ),
    ("button-secondary-action-border", SHAPE, &["document-background", "surface-background"]),
    (
        "button-secondary-action-danger",
        TEXT,
        &["button-secondary-action-danger-background", "button-secondary-action-danger-hover-background"],
    ),
    ("button-subtle", TEXT, &["document-background", "surface-background", "button-subtle-hover-background"]),
    (
        "form-field-description",
        TEXT,
        &[
            "document-background",
            "surface-background",
            "form-control-read-only-background",
            "alert-info-background",
        ],
    ),
    (
        "form-field-error-message",
        TEXT,
        &["document-background", "surface-background", "alert-error-background"],
    ),
    ("form-field-invalid-border", SHAPE, &["surface-background"]),
    ("form-control-border", SHAPE, &["surface-background", "form-control-background"]),
    ("alert-info-border", SHAPE, &["alert-info-background"]),
    ("alert-ok-border", TEXT, &["alert-ok-background", "surface-background"]),
    ("alert-warning-border", TEXT, &["alert-warning-background"]),
    ("alert-error-border", TEXT, &["alert-error-background"]),
    ("page-footer", TEXT, &["page-footer-background"]),
];

impl Theme {
    /// Ours, under this style sheet. Beside it all that is wrong, each with its line.
    pub fn of(text: &str) -> (Self, Vec<String>) {
        match Sheet::read(text) {
            Ok(sheet) => Self::under(&sheet),
            Err(fault) => (Self::default(), vec![format!("line {}: {}", fault.line, fault.reason)]),
        }
    }

    fn under(theirs: &Sheet) -> (Self, Vec<String>) {
        let ours = shipped();
        let usual = [Layer::ours(&ours.usual_tokens), Layer::theirs(&theirs.usual_tokens)];
        let dark = [Layer::ours(&ours.dark_tokens), Layer::theirs(&theirs.dark_tokens)];
        let light = Colours::of("light", &usual);
        let dark = Colours::of("dark", &[usual, dark].concat());
        let mut faults: Vec<String> = light.unreadable.iter().chain(&dark.unreadable).cloned().collect();
        faults.dedup();
        if faults.is_empty() {
            faults = [light.too_alike(), dark.too_alike()].concat();
        }
        // What is for both schemes comes first, so that nothing of it counts more than what is for the dark one.
        let style_sheet = format!(
            "{}{}\n@media screen and (prefers-color-scheme: dark) {{{}{}}}\n",
            ours.usual, theirs.usual, ours.dark, theirs.dark
        );
        (Self { style_sheet: style_sheet.into(), light: light.scheme(), dark: dark.scheme() }, faults)
    }
}

/// Ours alone.
impl Default for Theme {
    fn default() -> Self {
        static THEME: LazyLock<Theme> = LazyLock::new(|| Theme::under(&Sheet::default()).0);
        THEME.clone()
    }
}

/// Nothing in it is wrong: a test reads it as well.
fn shipped() -> &'static Sheet {
    static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(SHIPPED).unwrap_or_default());
    &SHEET
}

/// Tokens of ours, or of the organisation.
#[derive(Clone, Copy)]
struct Layer<'a> {
    tokens: &'a Tokens,
    is_theirs: bool,
}

impl<'a> Layer<'a> {
    fn ours(tokens: &'a Tokens) -> Self {
        Self { tokens, is_theirs: false }
    }

    fn theirs(tokens: &'a Tokens) -> Self {
        Self { tokens, is_theirs: true }
    }
}

/// The values that count in a scheme, by the name of their token, and whether they are the organisation's.
type Values<'a> = BTreeMap<&'a str, (&'a Declaration, bool)>;

/// A colour, and the line of the organisation's style sheet that sets it.
#[derive(Clone, Copy, Default)]
struct Found {
    colour: Colour,
    line: Option<usize>,
}

/// All colours of one scheme.
struct Colours<'a> {
    name: &'static str,
    by_token: BTreeMap<&'a str, Found>,
    unreadable: Vec<String>,
}

impl<'a> Colours<'a> {
    /// A token has the value that the last layer gives it.
    fn of(name: &'static str, layers: &[Layer<'a>]) -> Self {
        let mut values = Values::new();
        for layer in layers {
            values.extend(layer.tokens.iter().map(|(name, found)| (name.as_str(), (found, layer.is_theirs))));
        }
        let mut colours = Self { name, by_token: BTreeMap::new(), unreadable: Vec::new() };
        for (token, ours) in &shipped().usual_tokens {
            if let Some((found, is_theirs)) =
                values.get(token.as_str()).filter(|_| ours.value.starts_with('#'))
            {
                let line = is_theirs.then_some(found.line);
                match resolved(&found.value, &values) {
                    Some(colour) => drop(colours.by_token.insert(token, Found { colour, line })),
                    None => colours.unreadable.push(unreadable(token, found)),
                }
            }
        }
        colours
    }

    fn get(&self, token: &str) -> Found {
        self.by_token.get(token).copied().unwrap_or_default()
    }

    /// What [`PAIRS`] asks for and is not so.
    fn too_alike(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (front, least, backs) in PAIRS {
            for back in *backs {
                let [front, back] = [front, back].map(|name| format!("--utrecht-{name}-color"));
                let [text, behind] = [&front, &back].map(|token| self.get(token));
                let ratio = text.colour.contrast(behind.colour);
                if ratio < *least {
                    let line =
                        text.line.max(behind.line).map_or_else(String::new, |line| format!("line {line}: "));
                    faults.push(format!(
                        "{line}in the {} scheme {front} ({}) on {back} ({}) has a contrast of {:.2}, and WCAG AA asks for {least}",
                        self.name,
                        text.colour,
                        behind.colour,
                        // Never rounded up to what is asked for.
                        (ratio * 100.0).floor() / 100.0
                    ));
                }
            }
        }
        faults
    }

    fn scheme(&self) -> Scheme {
        let colour = |name: &str| self.get(&format!("--utrecht-{name}-color")).colour;
        Scheme {
            page: colour("document-background"),
            card: colour("surface-background"),
            panel: colour("form-control-read-only-background"),
            ink: colour("document"),
            muted: colour("form-field-description"),
            heading: colour("heading"),
            line: colour("surface-border"),
            accent: colour("link"),
            button: colour("button-primary-action-background"),
            on_button: colour("button-primary-action"),
            header: colour("page-header-background"),
            header_line: colour("page-header-border"),
        }
    }
}

fn unreadable(token: &str, found: &Declaration) -> String {
    let value: String = found.value.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("line {}: {token}: \"{value}\" cannot be read: write the colour as #rrggbb", found.line)
}

/// The colour that a value is, or that the token has to which it refers.
fn resolved(value: &str, values: &Values<'_>) -> Option<Colour> {
    let mut value = value;
    for _ in 0..MAX_REFERENCES {
        match value.strip_prefix("var(").and_then(|rest| rest.strip_suffix(')')) {
            Some(token) => value = &values.get(token.trim())?.0.value,
            None => return Colour::parse(value),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        Theme::of(text).1
    }

    #[test]
    fn ours_can_be_read_in_both_schemes() {
        assert!(Sheet::read(SHIPPED).is_ok());
        assert_eq!(faults(""), [""; 0]);
        let colours: Vec<_> =
            shipped().usual_tokens.iter().filter(|(_, found)| found.value.starts_with('#')).collect();
        assert!(colours.len() > 40);
        for (token, _) in colours {
            assert!(token.ends_with("-color"), "{token}");
            assert!(shipped().dark_tokens.contains_key(token), "{token} has no dark colour");
        }
        for name in PAIRS.iter().flat_map(|(front, _, backs)| backs.iter().chain([front])) {
            let token = format!("--utrecht-{name}-color");
            assert!(shipped().usual_tokens.contains_key(&token), "{token} is no token");
        }
        let theme = Theme::default();
        assert_eq!(
            (theme.light.card.to_string(), theme.dark.card.to_string()),
            ("#ffffff".into(), "#1b232c".into())
        );
    }

    #[test]
    fn a_theme_replaces_what_it_names() {
        let (theme, faults) = Theme::of(
            ":root { --huis: #A00; --utrecht-link-color: var(--huis); --utrecht-button-primary-action-background-color: var( --utrecht-link-color ); }",
        );
        assert_eq!(faults, [""; 0]);
        assert_eq!(theme.light.accent.to_string(), "#aa0000");
        assert_eq!(theme.light.button, theme.light.accent);
        assert_eq!(theme.light.ink, Theme::default().light.ink);
        // Red on black cannot be read: what is not said for the dark scheme is ours there.
        assert_eq!(theme.dark, Theme::default().dark);
        let dark = "@media (prefers-color-scheme: dark) { :root { --utrecht-link-color: #f99; } }";
        let theme = Theme::of(&format!("{dark} :root {{ --utrecht-link-color: #a00; }}")).0;
        assert_eq!([theme.light.accent, theme.dark.accent].map(|c| c.to_string()), ["#aa0000", "#ff9999"]);
        let (usual, dark) = std::str::from_utf8(&theme.style_sheet).unwrap().rsplit_once("@media").unwrap();
        assert!(usual.contains("#a00") && !usual.contains("#f99") && dark.contains("#f99"));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, fault) in [
            (
                ":root {\n--utrecht-link-color: blauw; }",
                "line 2: --utrecht-link-color: \"blauw\" cannot be read",
            ),
            (
                ":root { --utrecht-link-color: var(--a); --a: var(--b); --b: var(--a) }",
                "\"var(--a)\" cannot be read",
            ),
            (":root { --utrecht-link-color: var(--none) }", "\"var(--none)\" cannot be read"),
            (":root { --utrecht-link-color: rgb(0 0 0 / 50%) }", "write the colour as #rrggbb"),
            ("\n}", "line 2: } closes nothing"),
        ] {
            let faults = faults(text);
            assert!(faults.len() == 1 && faults[0].contains(fault), "{text}: {faults:?}");
        }
        let others = ":root { --utrecht-surface-border-radius: 0; --utrecht-nothing-color: wit; --a: b }";
        assert_eq!(faults(others), [""; 0], "no colours of ours");
    }

    #[test]
    fn what_nobody_can_tell_apart_is_told() {
        let faults = faults(":root {\n\n  --utrecht-link-color: #8ac; }");
        assert_eq!(
            faults[0],
            "line 3: in the light scheme --utrecht-link-color (#88aacc) on --utrecht-document-background-color \
             (#f3f5f7) has a contrast of 2.21, and WCAG AA asks for 4.5"
        );
        assert!(faults.len() > 3 && faults.iter().all(|fault| fault.contains("light")), "{faults:?}");
        let dark =
            "@media (prefers-color-scheme: dark) { :root { --utrecht-surface-background-color: white } }";
        assert!(
            Theme::of(dark)
                .1
                .iter()
                .any(|fault| fault.starts_with("line 1: in the dark scheme --utrecht-document"))
        );
        // 4.499 is not 4.5.
        let grey =
            ":root { --utrecht-page-footer-background-color: #fff; --utrecht-page-footer-color: #777; }";
        assert!(Theme::of(grey).1[0].contains("contrast of 4.47"), "{:?}", Theme::of(grey).1);
    }
}
