//! RTF as text, and HTML that was put into RTF (MS-OXRTFEX) as HTML again; used by `tnef`. What it looks like is lost:
//! a mail program that wants more has the file. One pass; the groups that are open are counted (H13).

use std::collections::HashMap;

use super::super::decode;
use super::code_page;

/// Groups within one another. Word writes a dozen.
const MAX_GROUPS: usize = 1000;

/// Fonts of which the charset is noted.
const MAX_FONTS: usize = 1000;

/// Bytes from the start in which it is said that HTML is in it (MS-OXRTFEX 2.1.3.1).
const START: usize = 4096;

/// What was in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Text {
    /// Words
    Plain(String),
    /// HTML as it was before it was put into RTF.
    Html(String),
}

/// Reads RTF; `code_page` is that of the message, for RTF that names none. `None` where it is no RTF, or nothing that
/// anybody wrote.
pub fn read(rtf: &[u8], code_page: Option<u32>) -> Option<Text> {
    if !rtf.trim_ascii_start().starts_with(b"{\\rtf") {
        return None;
    }
    let start = rtf.get(..START).unwrap_or(rtf);
    let is_html = memchr::memmem::find(start, b"\\fromhtml1").is_some();
    let mut reader = RtfReader::new(is_html, code_page);
    let mut tokens = Tokens(rtf);
    while let Some(token) = tokens.next() {
        if reader.depth() > MAX_GROUPS {
            return None;
        }
        reader.take(&token, &mut tokens);
        if reader.is_done {
            break;
        }
    }
    reader.flush();
    Some(if is_html { Text::Html(reader.output) } else { Text::Plain(reader.output) })
}

/// A piece of RTF.
#[derive(Debug)]
enum Token<'a> {
    Open,
    Close,
    /// A word and its number.
    Word(&'a [u8], Option<i32>),
    /// `\` and something that is no letter.
    Symbol(u8),
    /// `\'e9`
    Byte(u8),
    Text(&'a [u8]),
}

struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.0.split_first()?;
        match first {
            b'{' => {
                self.0 = rest;
                Some(Token::Open)
            }
            b'}' => {
                self.0 = rest;
                Some(Token::Close)
            }
            b'\\' => {
                self.0 = rest;
                Some(self.control())
            }
            _ => {
                let end = self.0.iter().position(|c| b"{}\\".contains(c)).unwrap_or(self.0.len());
                Some(Token::Text(self.take(end)))
            }
        }
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, b""));
        self.0 = rest;
        taken
    }

    fn control(&mut self) -> Token<'a> {
        let letters = self.0.iter().take(32).take_while(|c| c.is_ascii_alphabetic()).count();
        if letters > 0 {
            let word = self.take(letters);
            let sign = usize::from(self.0.starts_with(b"-"));
            let digits = self.0.iter().skip(sign).take(10).take_while(|c| c.is_ascii_digit()).count();
            let number = if digits > 0 { self.take(sign + digits) } else { b"" };
            let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            self.take(usize::from(self.0.starts_with(b" ")));
            return Token::Word(word, number);
        }
        let symbol = self.take(1);
        let hex = |text: &[u8]| u8::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok();
        match (symbol, self.0.get(..2).and_then(hex)) {
            (b"'", Some(byte)) => {
                self.take(2);
                Token::Byte(byte)
            }
            (symbol, _) => Token::Symbol(symbol.first().copied().unwrap_or(b' ')),
        }
    }
}

/// Where the text of a group goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    Text,
    /// What is between `\*\htmltag` and the end of its group.
    Tag,
    Fonts,
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    destination: Destination,
    /// Characters behind `\u` that say the same to older programs.
    fallback: usize,
    code_page: Option<u32>,
    /// Only for programs that show RTF.
    is_rtf_only: bool,
    /// The next word says where its text goes, and may be left out if it is not known.
    is_optional: bool,
}

struct RtfReader {
    is_html: bool,
    groups: Vec<Group>,
    now: Group,
    default: Option<u32>,
    fonts: HashMap<i32, u32>,
    font: i32,
    /// What is to be skipped behind `\u`.
    skipped: usize,
    high: Option<u32>,
    bytes: Vec<u8>,
    output: String,
    is_done: bool,
}

/// Groups that hold no text of the message, besides all that begin with `\*`.
const HIDDEN: &[&[u8]] = &[
    b"colortbl",
    b"stylesheet",
    b"info",
    b"pict",
    b"object",
    b"header",
    b"headerl",
    b"headerr",
    b"headerf",
    b"footer",
    b"footerl",
    b"footerr",
    b"footerf",
    b"footnote",
    b"fldinst",
    b"filetbl",
    b"listtable",
    b"listoverridetable",
    b"revtbl",
    b"rsidtbl",
    b"generator",
    b"xmlnstbl",
    b"themedata",
    b"datastore",
    b"latentstyles",
    b"mhtmltag",
    b"bkmkstart",
    b"bkmkend",
    b"private",
    b"nonshppict",
    b"template",
    b"title",
    b"author",
];

impl RtfReader {
    fn new(is_html: bool, code_page: Option<u32>) -> Self {
        let now = Group {
            destination: Destination::Text,
            fallback: 1,
            code_page,
            is_rtf_only: false,
            is_optional: false,
        };
        Self {
            is_html,
            groups: Vec::new(),
            now,
            default: code_page,
            fonts: HashMap::new(),
            font: 0,
            skipped: 0,
            high: None,
            bytes: Vec::new(),
            output: String::new(),
            is_done: false,
        }
    }

    fn depth(&self) -> usize {
        self.groups.len()
    }

    fn take(&mut self, token: &Token, tokens: &mut Tokens) {
        let is_optional = std::mem::take(&mut self.now.is_optional);
        match token {
            Token::Open => {
                self.skipped = 0;
                self.groups.push(self.now);
            }
            Token::Close => {
                self.flush();
                self.skipped = 0;
                match self.groups.pop() {
                    Some(outer) => self.now = outer,
                    None => self.is_done = true,
                }
                self.is_done |= self.groups.is_empty();
            }
            Token::Word(word, number) => self.word(word, *number, is_optional, tokens),
            Token::Symbol(symbol) => self.symbol(*symbol),
            Token::Byte(byte) => match self.skipped {
                0 => self.byte(*byte),
                _ => self.skipped -= 1,
            },
            Token::Text(text) => {
                let plain = text.iter().filter(|c| !matches!(c, b'\r' | b'\n' | 0));
                let skipped = self.skipped.min(plain.clone().count());
                self.skipped -= skipped;
                plain.skip(skipped).for_each(|c| self.byte(*c));
            }
        }
    }

    fn word(&mut self, word: &[u8], number: Option<i32>, is_optional: bool, tokens: &mut Tokens) {
        let count = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
        match word {
            b"bin" => {
                tokens.take(count);
                return;
            }
            b"u" => return self.unicode(number.unwrap_or(0)),
            _ if self.skipped > 0 => {
                self.skipped -= 1;
                return;
            }
            _ => {}
        }
        match word {
            b"uc" => self.now.fallback = count,
            b"ansicpg" => self.set_default(u32::try_from(count).ok()),
            b"mac" => self.set_default(Some(10_000)),
            b"pca" => self.set_default(Some(850)),
            b"fonttbl" => self.now.destination = Destination::Fonts,
            b"f" if self.now.destination == Destination::Fonts => self.font = number.unwrap_or(0),
            b"fcharset" => self.font_charset(number.unwrap_or(0)),
            b"f" => self.choose_font(number.unwrap_or(0)),
            b"plain" => self.change_code_page(self.default),
            b"htmlrtf" => {
                self.flush();
                self.now.is_rtf_only = self.is_html && number != Some(0);
            }
            _ if self.now.destination == Destination::Nowhere => {}
            b"htmltag" if is_optional && self.is_html => {
                self.now.destination = Destination::Tag;
                self.now.is_rtf_only = false;
            }
            _ if is_optional || HIDDEN.contains(&word) => {
                self.flush();
                self.now.destination = Destination::Nowhere;
            }
            _ => self.character(word),
        }
    }

    /// Words that stand for a character.
    fn character(&mut self, word: &[u8]) {
        let text = match word {
            b"par" | b"line" | b"sect" | b"page" | b"row" | b"nestrow" => "\r\n",
            b"tab" | b"cell" | b"nestcell" => "\t",
            b"lquote" => "\u{2018}",
            b"rquote" => "\u{2019}",
            b"ldblquote" => "\u{201c}",
            b"rdblquote" => "\u{201d}",
            b"bullet" => "\u{2022}",
            b"endash" => "\u{2013}",
            b"emdash" => "\u{2014}",
            b"emspace" | b"enspace" | b"qmspace" => " ",
            _ => return,
        };
        self.text(text);
    }

    fn symbol(&mut self, symbol: u8) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        match symbol {
            b'*' => self.now.is_optional = true,
            b'\\' | b'{' | b'}' => self.byte(symbol),
            b'~' => self.text("\u{a0}"),
            b'_' => self.text("\u{2011}"),
            b'-' => self.text("\u{ad}"),
            b'\r' | b'\n' => self.text("\r\n"),
            b'\t' => self.text("\t"),
            _ => {}
        }
    }

    /// A unit of UTF-16; negative where it is above 32767.
    fn unicode(&mut self, number: i32) {
        self.flush();
        self.skipped = self.now.fallback;
        let unit = (number & 0xffff) as u32;
        match (self.high.take(), unit) {
            (_, 0xd800..=0xdbff) => self.high = Some(unit),
            (Some(high), 0xdc00..=0xdfff) => {
                let c = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
                self.text(c.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]));
            }
            _ => {
                let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                self.text(c.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn is_shown(&self) -> bool {
        let is_text = match self.now.destination {
            Destination::Tag => true,
            Destination::Text => !self.now.is_rtf_only,
            Destination::Fonts | Destination::Nowhere => false,
        };
        // In the outermost group alone stands what was written.
        is_text && !self.groups.is_empty()
    }

    fn text(&mut self, text: &str) {
        self.flush();
        if self.is_shown() {
            self.output.push_str(text);
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.is_shown() && byte != 0 {
            self.bytes.push(byte);
        }
    }

    /// Bytes become text when their charset changes, or something else than bytes follows.
    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            let charset = self.now.code_page.and_then(code_page::charset);
            self.output.push_str(&decode::charset(&self.bytes, charset.or(Some("windows-1252"))));
            self.bytes.clear();
        }
    }

    fn set_default(&mut self, code_page: Option<u32>) {
        self.default = code_page;
        self.change_code_page(code_page);
    }

    fn change_code_page(&mut self, code_page: Option<u32>) {
        if self.now.code_page != code_page {
            self.flush();
            self.now.code_page = code_page;
        }
    }

    fn font_charset(&mut self, charset: i32) {
        if self.now.destination == Destination::Fonts
            && self.fonts.len() < MAX_FONTS
            && let Some((_, code_page)) = FONT_CHARSETS.iter().find(|(number, _)| *number == charset)
        {
            self.fonts.entry(self.font).or_insert(*code_page);
        }
    }

    fn choose_font(&mut self, number: i32) {
        self.change_code_page(self.fonts.get(&number).copied().or(self.default));
    }
}

/// Charsets of fonts (RTF 1.9.1, "Font Table"); those of symbols and of the system say nothing.
const FONT_CHARSETS: &[(i32, u32)] = &[
    (77, 10_000),
    (128, 932),
    (129, 949),
    (134, 936),
    (136, 950),
    (161, 1253),
    (162, 1254),
    (163, 1258),
    (177, 1255),
    (178, 1256),
    (186, 1257),
    (204, 1251),
    (222, 874),
    (238, 1250),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(rtf: &str) -> String {
        match read(rtf.as_bytes(), None) {
            Some(Text::Plain(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_are_what_is_left() {
        for (rtf, text) in [
            (r"{\rtf1\ansi hallo}", "hallo"),
            (
                r"{\rtf1 {\fonttbl{\f0\fnil Arial;}}{\colortbl;\red0;}{\*\generator x;}a\par b\line c}",
                "a\r\nb\r\nc",
            ),
            (r"{\rtf1\ansicpg1252 caf\'e9 \{x\} \\ a\~b \endash  c}", "café {x} \\ a\u{a0}b – c"),
            (r"{\rtf1\ansicpg1251 \'c4\'ee\'e3}", "Дог"),
            (r"{\rtf1\ansicpg1252{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f1\'c4\'ee\f0\'e9}", "Доé"),
            (r"{\rtf1 \u8364?5 \u-10179?\u-8704? {\uc2\u8364\'80\'80x}{\uc0\u8364 y}}", "€5 😀 €x€y"),
            (r"{\rtf1 a{\pict 0a0b}{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}b}", "alinkb"),
            (r"{\rtf1 a\bin3 }}}b}", "ab"),
            (r"{\rtf1 a\cell b\row c}na}", "a\tb\r\nc"),
            ("{\\rtf1 een\r\ntwee\\\r\ndrie}", "eentwee\r\ndrie"),
            (r"{\rtf1 a", "a"),
            (r"{\rtf1 a\", "a "),
            (r"{\rtf1 a\'", "a"),
        ] {
            assert_eq!(plain(rtf).trim_end(), text.trim_end(), "{rtf}");
        }
        assert_eq!(read(b"geen rtf", None), None);
        assert_eq!(read(b"{\\rtf1 \\'e2}", Some(1251)), Some(Text::Plain("в".into())));
    }

    /// MS-OXRTFEX 4.1
    #[test]
    fn html_comes_out_as_it_went_in() {
        let rtf = r#"{\rtf1\ANSI\ansicpg1251\fromhtml1 \deff0
{\fonttbl {\f0\fmodern Courier New;}{\f1\fswiss Arial;}{\f2\fswiss\fcharset0 Arial;}}
{\colortbl\red0\green0\blue0;\red0\green0\blue255;}
{\*\htmltag64}
\uc1\pard\plain\deftab360 \f0\fs24
{\*\htmltag <HTML><head>\par
<style>\par
<!--\par
 /* Style Definitions */\par
 p.MsoNormal, li.MsoNormal \{font-family:Arial;\}\par
-->\par
</style>\par
\tab <!-- This is a HTML comment.\par
There is a horizontal tab (%x09) character before the comment, \par
and some new line inside the comment. -->\par
</head>\par
<body>\par
<p\par
class="MsoNormal">}
{\htmlrtf \f1 \htmlrtf0 Note the line break inside a P tag. {\*\htmltag <b>}{\htmlrtf \b \htmlrtf0 This is bold text{\*\htmltag </b>}} \htmlrtf\par\htmlrtf0}
\htmlrtf \par \htmlrtf0
{\*\htmltag </p>\par
<p class="MsoNormal">\par}
{\htmlrtf \f1 \htmlrtf0 This is a normal text with a character references:
{\*\htmltag &nbsp;}\htmlrtf \'a0\htmlrtf0  {\*\htmltag &lt;}\htmlrtf <\htmlrtf0  {\*\htmltag &uml;}\htmlrtf {\f2\'a8}\htmlrtf0{\*\htmltag <br>\par}\htmlrtf\line\htmlrtf0
characters which have special meaning in RTF: \{\}\\{\*\htmltag <br>\par}\htmlrtf\line\htmlrtf0\htmlrtf\par\htmlrtf0}
{\*\htmltag </p>\par
</body>\par
</HTML>\par }}"#;
        let html = "<HTML><head>\r\n<style>\r\n<!--\r\n /* Style Definitions */\r\n p.MsoNormal, li.MsoNormal {font-family:Arial;}\r\n-->\r\n</style>\r\n\t<!-- This is a HTML comment.\r\nThere is a horizontal tab (%x09) character before the comment, \r\nand some new line inside the comment. -->\r\n</head>\r\n<body>\r\n<p\r\nclass=\"MsoNormal\">Note the line break inside a P tag. <b>This is bold text</b> </p>\r\n<p class=\"MsoNormal\">\r\nThis is a normal text with a character references:&nbsp; &lt; &uml;<br>\r\ncharacters which have special meaning in RTF: {}\\<br>\r\n</p>\r\n</body>\r\n</HTML>\r\n";
        assert_eq!(read(rtf.as_bytes(), None), Some(Text::Html(html.into())));
    }

    /// H13
    #[test]
    fn hostile_rtf_is_bounded() {
        let start = std::time::Instant::now();
        assert_eq!(read(format!("{{\\rtf1 {}", "{".repeat(5_000_000)).as_bytes(), None), None);
        let texts = [
            "\\u1".repeat(1_000_000),
            "\\f1 x\\f2 y".repeat(500_000),
            "\\bin2147483647 ".repeat(100_000),
            "\\".repeat(3_000_000),
            "\\'".repeat(2_000_000),
            format!("{{\\fonttbl{}}}{}", "\\f1\\fcharset204 ".repeat(100_000), "\\f2 x".repeat(200_000)),
        ];
        for text in texts {
            let _ = read(format!("{{\\rtf1 {text}").as_bytes(), None);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(
            pieces in proptest::collection::vec(proptest::prop_oneof![
                proptest::sample::select(vec![
                    "{", "}", "\\", "\\*", "\\htmltag", "\\htmlrtf", "\\htmlrtf0 ", "\\u-1", "\\uc9", "\\'", "\\bin3 ",
                    "\\fonttbl", "\\fromhtml1", "\\fcharset128", "\\f1", "\\'82\\'a0", "\\ansicpg932",
                ]).prop_map(str::to_owned),
                "\\PC{0,6}",
            ], 0..60),
        ) {
            let rtf = format!("{{\\rtf1{}", pieces.concat());
            let read = read(rtf.as_bytes(), Some(1251));
            prop_assert!(read.is_some());
        }
    }
}
