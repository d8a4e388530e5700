//! Style sheets and `style` attributes, read with a kept parser (`cssparser`): declarations, and the selectors that mail
//! programs write. What is not understood is left out: at-rules, pseudo-classes, combinators but the blank. What a
//! declaration is worth is decided in `look`.

use cssparser::{Delimiter, ParseError, Parser, Token};

use super::colour::{Colour, Paint};
use super::look::{Setting, settings};
use super::value::Value;

/// Parts of a value; those that are kept are short.
const MAX_VALUE: usize = 32;
/// Declarations of a rule or an attribute.
const MAX_DECLARATIONS: usize = 200;
/// Selectors of all style sheets of a mail, and the levels that one of them names.
const MAX_SELECTORS: usize = 1000;
const MAX_LEVELS: usize = 8;

/// What a rule or an attribute asks for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub normal: Vec<Setting>,
    /// Those with `!important`.
    pub important: Vec<Setting>,
}

/// One element as a selector names it. Nothing named is every element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compound {
    pub tag: Option<String>,
    pub id: Option<String>,
    pub classes: Vec<String>,
}

/// The element and those around it, the outermost first.
pub type Selector = Vec<Compound>;

/// A selector and its settings; a rule with several selectors is several of these.
#[derive(Clone, Debug)]
pub struct Rule {
    pub selector: Selector,
    /// Its place in [`Sheet::settings`].
    pub settings: usize,
}

/// All style sheets of a mail as one.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub rules: Vec<Rule>,
    pub settings: Vec<Settings>,
}

/// What a `style` attribute asks for.
pub fn attribute(css: &str) -> Settings {
    declarations(&mut Parser::new(css))
}

impl Sheet {
    /// Takes up the rules of one `<style>`.
    pub fn read(&mut self, css: &str) {
        let mut input = Parser::new(css);
        while self.rules.len() < MAX_SELECTORS {
            let Some(selectors) = prelude(&mut input) else { return };
            let Ok(found) = input.parse_nested_block(|block| Ok::<_, ParseError<()>>(declarations(block)))
            else {
                continue;
            };
            if found.normal.is_empty() && found.important.is_empty() {
                continue;
            }
            let settings = self.settings.len();
            self.settings.push(found);
            self.rules.extend(selectors.into_iter().map(|selector| Rule { selector, settings }));
        }
    }
}

/// Everything up to the next block; `None` at the end. What an at-rule has is passed over.
fn prelude(input: &mut Parser<'_>) -> Option<Vec<Selector>> {
    let mut prelude = Prelude::default();
    loop {
        match input.next_including_whitespace().ok()? {
            Token::CurlyBracketBlock => return Some(prelude.finish()),
            Token::AtKeyword(_) => {
                loop {
                    // The next token after a block is the one behind it.
                    let token = input.next_including_whitespace().ok()?;
                    if matches!(token, Token::Semicolon | Token::CurlyBracketBlock) {
                        break;
                    }
                }
                prelude = Prelude::default();
            }
            // Style sheets are hidden from browsers of the nineties in HTML comments.
            Token::CDO | Token::CDC => {}
            token => prelude.take(token),
        }
    }
}

/// The selectors in front of a block, token by token.
#[derive(Default)]
struct Prelude {
    whole: Vec<Selector>,
    levels: Selector,
    compound: Compound,
    /// Something has been said of the element.
    is_named: bool,
    is_class: bool,
    is_unknown: bool,
}

impl Prelude {
    fn take(&mut self, token: &Token<'_>) {
        match token {
            Token::WhiteSpace(_) => self.end_compound(),
            Token::Comma => self.end_selector(),
            Token::Delim('.') => self.is_class = true,
            Token::Delim('*') if !self.is_named => self.is_named = true,
            Token::Ident(name) if self.is_class => {
                self.compound.classes.push(name.to_string());
                (self.is_class, self.is_named) = (false, true);
            }
            Token::Ident(name) if !self.is_named => {
                self.compound.tag = Some(name.to_ascii_lowercase());
                self.is_named = true;
            }
            Token::IDHash(name) if self.compound.id.is_none() => {
                self.compound.id = Some(name.to_string());
                self.is_named = true;
            }
            _ => self.is_unknown = true,
        }
    }

    fn end_compound(&mut self) {
        self.is_unknown |= self.is_class;
        let compound = std::mem::take(&mut self.compound);
        if std::mem::take(&mut self.is_named) {
            self.levels.push(compound);
        }
    }

    fn end_selector(&mut self) {
        self.end_compound();
        let levels = std::mem::take(&mut self.levels);
        let is_unknown = std::mem::take(&mut self.is_unknown);
        if !is_unknown && (1..=MAX_LEVELS).contains(&levels.len()) && self.whole.len() < MAX_SELECTORS {
            self.whole.push(levels);
        }
        self.is_class = false;
    }

    fn finish(mut self) -> Vec<Selector> {
        self.end_selector();
        self.whole
    }
}

fn declarations(input: &mut Parser<'_>) -> Settings {
    let mut found = Settings::default();
    for _ in 0..MAX_DECLARATIONS {
        if input.is_exhausted() {
            break;
        }
        if let Ok((name, value, is_important)) = input.parse_until_after(Delimiter::Semicolon, declaration) {
            let list = if is_important { &mut found.important } else { &mut found.normal };
            list.extend(settings(&name, &value));
        }
    }
    found
}

type Declaration = (String, Vec<Value>, bool);

fn declaration(input: &mut Parser<'_>) -> Result<Declaration, ParseError<()>> {
    let name = input.expect_ident()?.to_ascii_lowercase();
    input.expect_colon()?;
    let (mut value, mut is_important) = (Vec::new(), false);
    while let Ok(token) = input.next() {
        let piece = match token.clone() {
            Token::Delim('!') => {
                input.expect_ident_matching("important")?;
                is_important = true;
                continue;
            }
            Token::Ident(word) => Value::Word(word.to_ascii_lowercase()),
            Token::Number { value, .. } => Value::Number(value),
            Token::Percentage { unit_value, .. } => Value::Percent(unit_value * 100.0),
            Token::Dimension { value, unit, .. } => Value::Length(value, unit.to_ascii_lowercase()),
            Token::Hash(digits) | Token::IDHash(digits) => {
                Paint::hash(&digits).map_or(Value::Other, Value::Paint)
            }
            Token::Function(name)
                if name.eq_ignore_ascii_case("rgb") || name.eq_ignore_ascii_case("rgba") =>
            {
                let paint = input.parse_nested_block(|inner| Ok::<_, ParseError<()>>(rgb(inner)));
                paint.ok().flatten().map_or(Value::Other, Value::Paint)
            }
            Token::Comma => Value::Comma,
            _ => Value::Other,
        };
        if value.len() >= MAX_VALUE {
            return Err(ParseError::unexpected_token());
        }
        value.push(piece);
    }
    Ok((name, value, is_important))
}

/// `rgb(1, 2, 3)`, `rgb(1 2 3 / 50%)` and their likes.
fn rgb(input: &mut Parser<'_>) -> Option<Paint> {
    let mut parts = Vec::new();
    while let Ok(token) = input.next() {
        match token {
            // Percentages of a colour are of 255, that of the alpha is of 1.
            Token::Number { value, .. } => parts.push(*value),
            Token::Percentage { unit_value, .. } => {
                parts.push(unit_value * if parts.len() < 3 { 255.0 } else { 1.0 });
            }
            Token::Comma | Token::Delim('/') => {}
            _ => return None,
        }
        if parts.len() > 4 {
            return None;
        }
    }
    let part = |index: usize| parts.get(index).map(|part| part.clamp(0.0, 255.0).round() as u8);
    let alpha = parts.get(3).map_or(1.0, |alpha| alpha.clamp(0.0, 1.0));
    Some(Paint { colour: Colour(part(0)?, part(1)?, part(2)?), alpha })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selectors(css: &str) -> Vec<String> {
        let mut sheet = Sheet::default();
        sheet.read(css);
        let compound = |one: &Compound| {
            let classes: String = one.classes.iter().map(|class| format!(".{class}")).collect();
            let id = one.id.as_ref().map(|id| format!("#{id}")).unwrap_or_default();
            format!("{}{id}{classes}", one.tag.as_deref().unwrap_or("*"))
        };
        let selector = |rule: &Rule| rule.selector.iter().map(compound).collect::<Vec<_>>().join(" ");
        sheet.rules.iter().map(selector).collect()
    }

    #[test]
    fn reads_the_selectors_of_mail_programs() {
        let outlook = "<!-- /* Font Definitions */ @font-face {font-family:Calibri; src:url(x)} /* Style */\n\
            p.MsoNormal, LI.MsoNormal, div.MsoNormal {margin:0cm} a:link, span.MsoHyperlink {color:#0563C1}\
            span.E-mailStijl18 {color:windowtext} .MsoChpDefault {mso-style-type:export-only} @page WordSection1 \
            {size:612pt} div.WordSection1 {page:WordSection1} -->";
        assert_eq!(
            selectors(outlook),
            ["p.MsoNormal", "li.MsoNormal", "div.MsoNormal", "span.MsoHyperlink", "span.E-mailStijl18"]
        );
        let others = "#kop td.groot.rood, *, table   p{color:red} a>b{color:red} a+b, [x], p:hover, c{color:red}\
            @media (max-width:600px){ p{color:blue} i{color:blue} } .{color:red} p{} i{color:red";
        assert_eq!(selectors(others), ["*#kop td.groot.rood", "*", "table p", "c", "i"]);
    }

    #[test]
    fn hostile_sheets_are_read_in_linear_time() {
        let start = std::time::Instant::now();
        for piece in [
            "{",
            "a{",
            "a{b:(",
            "@",
            "@a{",
            "a,",
            ".a ",
            "a{color:red}",
            "a{color:rgb(",
            "/*",
            "'\n",
            "url(",
            "<!--",
            "a{;",
        ] {
            let css = piece.repeat((512 << 10) / piece.len());
            let mut sheet = Sheet::default();
            sheet.read(&css);
            assert!(sheet.rules.len() <= MAX_SELECTORS * 2, "{piece}");
            attribute(&css);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }
}
