//! What survives of a mail's style: a short list of harmless properties, each in a form of our own. Nothing of it can
//! fetch, place, cover or move anything (docs/decisions/0017).

use std::collections::BTreeMap;
use std::fmt::Write;

use super::colour::Paint;
use super::value::Value;

/// The widest margin, padding and border that is kept, in pixels.
const MAX_SPACE: f32 = 64.0;
const MAX_BORDER: f32 = 8.0;
/// The sizes of letters that are kept, in pixels.
const SIZES: std::ops::RangeInclusive<f32> = 9.0..=48.0;
/// Pixels to a side of a picture that is not there to be seen.
const MAX_PIXEL: f32 = 3.0;

const SIDES: [&str; 4] = ["top", "right", "bottom", "left"];
const LISTS: [&str; 13] = [
    "none",
    "disc",
    "circle",
    "square",
    "decimal",
    "decimal-leading-zero",
    "lower-alpha",
    "upper-alpha",
    "lower-latin",
    "upper-latin",
    "lower-roman",
    "upper-roman",
    "lower-greek",
];

/// One thing that a declaration asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// The colour of the text; none: that of the element around.
    Ink(Option<Paint>),
    /// The colour behind it; none: what is below shows.
    Ground(Option<Paint>),
    /// Whether it is shown at all.
    Hidden(bool),
    /// A width or a height, in pixels.
    Extent(f32),
    /// What is beyond its box is not shown.
    Clipped(bool),
    /// A property and its value, as they are written.
    Other(&'static str, String),
}

/// How an element looks, by itself.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What was said of the colour of the text.
    pub ink: Option<Option<Paint>>,
    pub ground: Option<Paint>,
    hidden: Option<bool>,
    least_extent: Option<f32>,
    is_clipped: bool,
    others: BTreeMap<&'static str, String>,
}

impl Look {
    /// A later setting takes the place of an earlier one.
    pub fn set(&mut self, setting: Setting) {
        match setting {
            Setting::Ink(ink) => self.ink = Some(ink),
            Setting::Ground(ground) => self.ground = ground,
            Setting::Hidden(is_hidden) => self.hidden = Some(is_hidden),
            Setting::Extent(extent) => {
                self.least_extent = Some(self.least_extent.map_or(extent, |least| least.min(extent)));
            }
            Setting::Clipped(is_clipped) => self.is_clipped = is_clipped,
            Setting::Other(name, value) => {
                self.others.insert(name, value);
            }
        }
    }

    /// Whether every mail program hides it: not shown, or clipped to nothing, as the line is that programs show
    /// beside the subject ("preheader").
    pub fn is_hidden(&self) -> bool {
        self.hidden == Some(true) || self.is_clipped && self.least_extent.is_some_and(|extent| extent <= 0.0)
    }

    /// Whether it is as small as the pictures are that tell who has read a mail.
    pub fn is_pixel(&self) -> bool {
        self.least_extent.is_some_and(|extent| extent <= MAX_PIXEL)
    }

    /// Whether the mail gives it a direction.
    pub fn has_direction(&self) -> bool {
        self.others.contains_key("direction")
    }

    /// The element in which a page without colours shows what this look means.
    pub fn plain_marks(&self) -> impl Iterator<Item = &'static str> {
        let is = |name: &str, value: &str| self.others.get(name).is_some_and(|found| found.contains(value));
        let is_bold = is("font-weight", "bold")
            || self
                .others
                .get("font-weight")
                .and_then(|weight| weight.parse().ok())
                .is_some_and(|weight: u16| weight >= 600);
        let marks = [
            (is_bold, "b"),
            (is("font-style", "italic") || is("font-style", "oblique"), "i"),
            (is("text-decoration-line", "underline"), "u"),
            (is("text-decoration-line", "line-through"), "s"),
        ];
        marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark)
    }

    /// Its declarations but for colours and hiding.
    pub fn css(&self) -> String {
        let mut css = String::new();
        for (name, value) in &self.others {
            // Writing to a string does not fail.
            let _written = write!(css, "{name}:{value};");
        }
        css
    }
}

/// What a declaration is worth: nothing, in most cases.
pub fn settings(name: &str, value: &[Value]) -> Vec<Setting> {
    match name {
        "color" => ink(value).map(Setting::Ink).into_iter().collect(),
        "background-color" | "background" => ground(value).map(Setting::Ground).into_iter().collect(),
        "display" => words(value).map(|word| Setting::Hidden(word == "none")).take(1).collect(),
        "opacity" => number(value).map(|opacity| Setting::Hidden(opacity <= 0.0)).into_iter().collect(),
        "overflow" => words(value).map(|word| Setting::Clipped(word == "hidden")).take(1).collect(),
        "width" | "height" | "max-width" | "max-height" => {
            value.first().and_then(pixels).map(Setting::Extent).into_iter().collect()
        }
        "visibility" => one(name, value, &["visible", "hidden"]),
        "font-weight" => weight(value),
        "font-style" => one(name, value, &["normal", "italic", "oblique"]),
        "font" => font(value),
        "font-size" => size(value),
        "text-decoration" | "text-decoration-line" => decoration(value),
        "text-align" => one(name, value, &["left", "right", "center", "justify", "start", "end"]),
        "direction" => one(name, value, &["ltr", "rtl"]),
        "list-style-type" | "list-style" => one("list-style-type", value, &LISTS),
        "vertical-align" => one(
            name,
            value,
            &["baseline", "sub", "super", "top", "middle", "bottom", "text-top", "text-bottom"],
        ),
        "white-space" => white_space(value),
        "border-collapse" => one(name, value, &["collapse", "separate"]),
        "margin" | "padding" | "border" => sides(name, value),
        _ => side(name, value),
    }
}

fn words(value: &[Value]) -> impl Iterator<Item = &str> {
    value.iter().filter_map(|piece| match piece {
        Value::Word(word) => Some(word.as_str()),
        _ => None,
    })
}

fn number(value: &[Value]) -> Option<f32> {
    match value {
        [Value::Number(number)] => Some(*number),
        [Value::Percent(percent)] => Some(percent / 100.0),
        _ => None,
    }
}

fn paint(piece: &Value) -> Option<Paint> {
    match piece {
        Value::Paint(paint) => Some(*paint),
        Value::Word(word) => Paint::named(word),
        _ => None,
    }
}

/// `inherit` and its likes are what an element has of itself.
fn ink(value: &[Value]) -> Option<Option<Paint>> {
    match value {
        [Value::Word(word)] if ["inherit", "unset", "currentcolor"].contains(&word.as_str()) => Some(None),
        [piece] => paint(piece).map(Some),
        _ => None,
    }
}

/// Pictures and gradients go, and a colour that is named beside them stays.
fn ground(value: &[Value]) -> Option<Option<Paint>> {
    match value {
        [] => None,
        [Value::Word(word)] if ["inherit", "none", "initial", "unset"].contains(&word.as_str()) => Some(None),
        value => Some(value.iter().find_map(paint)),
    }
}

/// The first of its words that is in a list. They are written as they stand in the list.
fn one(name: &str, value: &[Value], list: &'static [&'static str]) -> Vec<Setting> {
    const NAMES: &[&str] = &[
        "visibility",
        "font-style",
        "text-align",
        "direction",
        "list-style-type",
        "vertical-align",
        "border-collapse",
    ];
    let name = NAMES.iter().find(|known| **known == name);
    let word = words(value).find_map(|word| list.iter().find(|known| **known == word));
    name.zip(word).map(|(name, word)| Setting::Other(name, (*word).to_owned())).into_iter().collect()
}

fn weight(value: &[Value]) -> Vec<Setting> {
    let weight = match value {
        [Value::Word(word)] if ["normal", "bold", "bolder", "lighter"].contains(&word.as_str()) => {
            word.clone()
        }
        [Value::Number(number)] if (1.0..=1000.0).contains(number) => format!("{}", number.round()),
        _ => return Vec::new(),
    };
    vec![Setting::Other("font-weight", weight)]
}

/// Of the shorthand only what may have a meaning, in front of the names of fonts.
fn font(value: &[Value]) -> Vec<Setting> {
    let is_size = |piece: &Value| matches!(piece, Value::Length(..) | Value::Percent(_));
    let front = value.split(is_size).next().unwrap_or_default();
    let of = |piece: &Value| {
        [
            weight(std::slice::from_ref(piece)),
            one("font-style", std::slice::from_ref(piece), &["italic", "oblique"]),
        ]
    };
    front.iter().flat_map(of).flatten().collect()
}

fn size(value: &[Value]) -> Vec<Setting> {
    let size = match value {
        [Value::Length(size, unit)] if unit == "em" => format!("{}em", size.clamp(0.7, 3.0)),
        [Value::Percent(percent)] => format!("{}%", percent.clamp(70.0, 300.0)),
        [piece] => match pixels(piece).filter(|size| *size > 0.0) {
            Some(size) => in_pixels(size.clamp(*SIZES.start(), *SIZES.end())),
            None => match piece {
                Value::Word(word)
                    if ["small", "medium", "large", "x-large", "smaller", "larger"]
                        .contains(&word.as_str()) =>
                {
                    word.clone()
                }
                _ => return Vec::new(),
            },
        },
        _ => return Vec::new(),
    };
    vec![Setting::Other("font-size", size)]
}

fn decoration(value: &[Value]) -> Vec<Setting> {
    const LINES: [&str; 4] = ["underline", "overline", "line-through", "none"];
    let lines: Vec<&str> = LINES.into_iter().filter(|line| words(value).any(|word| word == *line)).collect();
    // `none` stands alone, and a line more than once is the same line.
    let lines =
        if lines.len() > 1 { lines.into_iter().filter(|line| *line != "none").collect() } else { lines };
    if lines.is_empty() { Vec::new() } else { vec![Setting::Other("text-decoration-line", lines.join(" "))] }
}

/// Line breaks that mean something stay, and lines that would be wider than the screen are broken.
fn white_space(value: &[Value]) -> Vec<Setting> {
    let kept = words(value).find_map(|word| match word {
        "pre" | "pre-wrap" | "break-spaces" => Some("pre-wrap"),
        "pre-line" => Some("pre-line"),
        "normal" => Some("normal"),
        _ => None,
    });
    kept.map(|kept| Setting::Other("white-space", kept.to_owned())).into_iter().collect()
}

/// A length in pixels, never less than nothing. Sizes that depend on others are taken as those of usual letters.
fn pixels(piece: &Value) -> Option<f32> {
    let (length, unit) = match piece {
        Value::Length(length, unit) => (*length, unit.as_str()),
        Value::Number(number) => (*number, "px"),
        _ => return None,
    };
    let factor = match unit {
        "px" => 1.0,
        "pt" => 4.0 / 3.0,
        "pc" | "em" | "rem" => 16.0,
        "in" => 96.0,
        "cm" => 96.0 / 2.54,
        "mm" => 96.0 / 25.4,
        _ => return None,
    };
    Some((length * factor).max(0.0))
}

/// To a tenth.
fn in_pixels(length: f32) -> String {
    format!("{}px", (length * 10.0).round() / 10.0)
}

fn space(piece: &Value) -> Option<String> {
    match piece {
        Value::Word(word) if word == "auto" => Some(word.clone()),
        piece => pixels(piece).map(|length| in_pixels(length.min(MAX_SPACE))),
    }
}

/// All four at once, as CSS has them: top, right, bottom, left, and the opposite one for those that are not named.
fn sides(name: &str, value: &[Value]) -> Vec<Setting> {
    let of = |index: usize| match value {
        _ if name == "border" => value,
        [_] => value.get(..1).unwrap_or_default(),
        [_, _] => value.get(index % 2..=index % 2).unwrap_or_default(),
        [_, _, _] if index == 3 => value.get(1..2).unwrap_or_default(),
        _ => value.get(index..=index).unwrap_or_default(),
    };
    let each = SIDES.iter().enumerate();
    each.flat_map(|(index, side_name)| side(&format!("{name}-{side_name}"), of(index))).collect()
}

/// The margin, the padding or the border on one side.
fn side(name: &str, value: &[Value]) -> Vec<Setting> {
    const NAMES: [&str; 12] = [
        "margin-top",
        "margin-right",
        "margin-bottom",
        "margin-left",
        "padding-top",
        "padding-right",
        "padding-bottom",
        "padding-left",
        "border-top",
        "border-right",
        "border-bottom",
        "border-left",
    ];
    let Some(name) = NAMES.into_iter().find(|known| *known == name) else { return Vec::new() };
    let written = if name.starts_with("border") { border(value) } else { value.first().and_then(space) };
    written.map(|written| Setting::Other(name, written)).into_iter().collect()
}

fn border(value: &[Value]) -> Option<String> {
    const STYLES: [&str; 8] = ["solid", "dashed", "dotted", "double", "groove", "ridge", "inset", "outset"];
    let style = words(value).find_map(|word| STYLES.into_iter().find(|known| *known == word));
    let Some(style) = style else { return (!value.is_empty()).then(|| "none".to_owned()) };
    let width = value.iter().find_map(pixels).unwrap_or(3.0).min(MAX_BORDER);
    let colour = value.iter().find_map(paint).and_then(|paint| paint.over(super::colour::Colour::PAPER));
    // Thinner than a pixel is a pixel, as everywhere else.
    let width = if width > 0.0 { width.max(1.0) } else { 0.0 };
    Some(format!(
        "{} {style} {}",
        in_pixels(width),
        colour.map_or("currentcolor".to_owned(), |colour| colour.css())
    ))
}

#[cfg(test)]
mod tests {
    use super::super::css;
    use super::*;

    fn css_of(style: &str) -> String {
        let mut look = Look::default();
        css::attribute(style).normal.into_iter().for_each(|setting| look.set(setting));
        look.css()
    }

    #[test]
    fn what_is_harmless_stays_in_a_form_of_our_own() {
        for (style, expected) in [
            ("FONT-WEIGHT: Bold", "font-weight:bold;"),
            ("font-weight:700;font-style:italic", "font-style:italic;font-weight:700;"),
            ("font: italic bold 12px/30px Georgia, serif", "font-style:italic;font-weight:bold;"),
            ("text-decoration:line-through red underline", "text-decoration-line:underline line-through;"),
            ("text-decoration: none", "text-decoration-line:none;"),
            ("text-align:center;direction:rtl", "direction:rtl;text-align:center;"),
            ("list-style:square inside url(x.png)", "list-style-type:square;"),
            ("white-space:pre;vertical-align:super", "vertical-align:super;white-space:pre-wrap;"),
            ("margin:0cm 5.4pt", "margin-bottom:0px;margin-left:7.2px;margin-right:7.2px;margin-top:0px;"),
            ("margin-left:-500px;padding-top:9999px", "margin-left:0px;padding-top:64px;"),
            ("font-size:11.0pt", "font-size:14.7px;"),
            ("font-size:1px", "font-size:9px;"),
            ("border-left:solid blue 1.5pt", "border-left:2px solid #0000ff;"),
            ("border-top:none", "border-top:none;"),
            ("color:red;background:blue;color:re\\64", ""),
        ] {
            assert_eq!(css_of(style), expected, "{style}");
        }
    }

    #[test]
    fn what_is_not_on_the_list_goes() {
        for style in [
            "position:fixed;top:0;left:0;z-index:9;transform:scale(9);float:left;inset:0",
            "background-image:url(https://evil.example/a);cursor:url(x),auto;content:'x';filter:url(#a)",
            "width:expression(alert(1));behavior:url(x.htc);-moz-binding:url(x)",
            "--x:red;font-weight:var(--x);font-size:calc(99px*99);margin-top:env(x)",
            "animation:a 1s;transition:all 1s;font-family:\"}</style><script>\"",
            "text-align:}body{color;vertical-align:9999px;list-style-type:\"</style>\"",
        ] {
            assert_eq!(css_of(style), "", "{style}");
        }
    }

    #[test]
    fn hidden_is_what_every_mail_program_hides() {
        let look = |style: &str| {
            let mut look = Look::default();
            css::attribute(style).normal.into_iter().for_each(|setting| look.set(setting));
            look
        };
        for style in [
            "display:none",
            "DISPLAY : none",
            "opacity:0",
            "max-height:0;overflow:hidden",
            "height:0px;overflow:hidden",
        ] {
            assert!(look(style).is_hidden(), "{style}");
        }
        for style in
            ["display:none;display:block", "max-height:0", "height:10px;overflow:hidden", "opacity:.5"]
        {
            assert!(!look(style).is_hidden(), "{style}");
        }
        assert!(look("width:1px;height:1px").is_pixel() && !look("width:40px").is_pixel());
    }
}
