//! Reads the tokens of a style sheet: custom properties that are set for the whole document, in each of the two schemes.
//! It takes no part in what the other rules say. One pass, bounded depth, and every fault has its line.

use std::collections::BTreeMap;

/// Blocks within blocks; a theme has two.
const MAX_DEPTH: usize = 16;

/// A value, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Without blanks around it, and without comments.
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// Custom properties by their name, with the two hyphens.
pub type Tokens = BTreeMap<String, Declaration>;

/// A style sheet, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// All that is outside of the blocks for the dark scheme.
    pub usual: String,
    /// What is inside of them.
    pub dark: String,
    /// Tokens outside of them.
    pub usual_tokens: Tokens,
    /// Tokens inside of them.
    pub dark_tokens: Tokens,
}

/// What is wrong, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub struct SheetError {
    /// Counted from 1.
    pub line: usize,
    /// In words.
    pub reason: &'static str,
}

/// What a block is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    /// `@media (prefers-color-scheme: dark)`
    Dark,
    /// `:root` or `html`
    Root,
    /// Anything else.
    Other,
}

impl Sheet {
    /// Takes `text` apart.
    pub fn read(text: &str) -> Result<Self, SheetError> {
        let (words, blocks, sheet) = (String::new(), Vec::new(), Self::default());
        Reader { text, at: 0, line: 1, kept: 0, words, words_at: 0, words_line: 1, blocks, sheet }.read()
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Up to here the text is in one of the halves of the sheet.
    kept: usize,
    /// What was read since the last block or declaration, without comments.
    words: String,
    words_at: usize,
    words_line: usize,
    blocks: Vec<Block>,
    sheet: Sheet,
}

impl Reader<'_> {
    fn read(mut self) -> Result<Sheet, SheetError> {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '/' if self.rest().starts_with("/*") => self.comment()?,
                '"' | '\'' => self.string(c)?,
                '\\' => self.escaped(),
                '{' => self.open()?,
                '}' => self.close()?,
                ';' => {
                    self.declared();
                    self.step(c);
                }
                c => {
                    self.word(c);
                    self.step(c);
                }
            }
        }
        if !self.blocks.is_empty() {
            return Err(self.fault("a block is not closed: } is missing at the end"));
        }
        self.keep();
        Ok(self.sheet)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, reason: &'static str) -> SheetError {
        SheetError { line: self.line, reason }
    }

    fn step(&mut self, c: char) {
        self.line += usize::from(c == '\n');
        self.at += c.len_utf8();
    }

    /// Notes a character, unless it is a blank in front of everything.
    fn word(&mut self, c: char) {
        if self.words.is_empty() {
            (self.words_at, self.words_line) = (self.at, self.line);
        }
        if !self.words.is_empty() || !c.is_whitespace() {
            self.words.push(c);
        }
    }

    /// Goes on behind the next `count` bytes, which end between two characters.
    fn skip(&mut self, count: usize) {
        let skipped = self.rest().get(..count).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', skipped.as_bytes()).count();
        self.at += count;
    }

    fn comment(&mut self) -> Result<(), SheetError> {
        let inside = self.rest().get(2..).unwrap_or_default();
        let end = inside.find("*/").ok_or(self.fault("a comment is not closed"))?;
        self.skip(end + 4);
        Ok(())
    }

    /// A string is no name and no colour: only its end counts.
    fn string(&mut self, quote: char) -> Result<(), SheetError> {
        self.word(quote);
        self.step(quote);
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' => return Err(self.fault("a string is not closed on its line")),
                '\\' => self.escaped(),
                c => {
                    self.step(c);
                    if c == quote {
                        return Ok(());
                    }
                }
            }
        }
        Err(self.fault("a string is not closed"))
    }

    /// A backslash, and what is behind it whatever it is.
    fn escaped(&mut self) {
        self.word('\\');
        self.step('\\');
        if let Some(c) = self.rest().chars().next() {
            self.step(c);
        }
    }

    fn open(&mut self) -> Result<(), SheetError> {
        if self.blocks.len() == MAX_DEPTH {
            return Err(self.fault("there are too many blocks within blocks"));
        }
        let prelude: String =
            std::mem::take(&mut self.words).split_whitespace().collect::<String>().to_ascii_lowercase();
        let block = match prelude.as_str() {
            "@media(prefers-color-scheme:dark)" | "@mediascreenand(prefers-color-scheme:dark)"
                if self.blocks.is_empty() =>
            {
                Block::Dark
            }
            dark if dark.contains("prefers-color-scheme:dark") => {
                return Err(self.fault(
                    "what is for the dark scheme belongs into a block @media (prefers-color-scheme: dark) that is in no other",
                ));
            }
            selectors if selectors.split(',').any(|one| matches!(one, ":root" | "html")) => Block::Root,
            _ => Block::Other,
        };
        if block == Block::Dark {
            // The words of the block itself are in neither half.
            self.sheet.usual.push_str(self.text.get(self.kept..self.words_at).unwrap_or_default());
            self.kept = self.at + 1;
        }
        self.blocks.push(block);
        self.step('{');
        Ok(())
    }

    fn close(&mut self) -> Result<(), SheetError> {
        self.declared();
        match self.blocks.pop() {
            None => return Err(self.fault("} closes nothing")),
            Some(Block::Dark) => {
                self.sheet.dark.push_str(self.text.get(self.kept..self.at).unwrap_or_default());
                self.kept = self.at + 1;
            }
            Some(_) => {}
        }
        self.step('}');
        Ok(())
    }

    /// Puts the rest into the usual half.
    fn keep(&mut self) {
        self.sheet.usual.push_str(self.text.get(self.kept..).unwrap_or_default());
    }

    /// A declaration has ended, or there was none.
    fn declared(&mut self) {
        let words = std::mem::take(&mut self.words);
        let tokens = match self.blocks.as_slice() {
            [Block::Root] => &mut self.sheet.usual_tokens,
            [Block::Dark, Block::Root] => &mut self.sheet.dark_tokens,
            _ => return,
        };
        let Some((name, value)) = words.split_once(':').filter(|(name, _)| name.starts_with("--")) else {
            return;
        };
        let value = value.trim();
        let value = value.strip_suffix("!important").unwrap_or(value).trim_end().to_owned();
        tokens.insert(name.trim_end().to_owned(), Declaration { value, line: self.words_line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tokens: &Tokens) -> Vec<(&str, &str, usize)> {
        tokens.iter().map(|(name, found)| (name.as_str(), found.value.as_str(), found.line)).collect()
    }

    #[test]
    fn tokens_are_found_in_their_scheme() {
        let text = "@charset \"utf-8\"; /* --a: { */\n:root, .other { --a : #123 !important;\n --b:\"};\"; --a:#456 }\n\
                    .x { --c: 1 } @media print { :root { --d: 1 } }\n\
                    @media /* @ { */ (PREFERS-color-scheme : dark) { html { --a: /* x */ #789; } .y { color: red } }\n\
                    h1::before { content: '\\'}'; }\n";
        let sheet = Sheet::read(text).unwrap();
        assert_eq!(listed(&sheet.usual_tokens), [("--a", "#456", 3), ("--b", "\"", 3)]);
        assert_eq!(listed(&sheet.dark_tokens), [("--a", "#789", 5)]);
        assert_eq!(sheet.dark, " html { --a: /* x */ #789; } .y { color: red } ");
        let (before, after) = text.split_once("@media /*").unwrap();
        let after = after.split_once("} }\n").unwrap().1;
        assert_eq!(sheet.usual, format!("{before}\n{after}"), "nothing else is lost");
    }

    #[test]
    fn what_is_not_whole_is_told_with_its_line() {
        for (text, line, reason) in [
            (":root {\n--a: b", 2, "not closed"),
            ("a{}\n}", 2, "closes nothing"),
            ("\n/*/", 2, "comment"),
            ("a { content: \"x\n\" }", 1, "string"),
            ("a { content: 'x", 1, "string"),
            ("\n@layer a { @media (prefers-color-scheme: dark) { } }", 2, "dark scheme"),
            ("@media not all and (prefers-color-scheme: dark) { }", 1, "dark scheme"),
            (&"{".repeat(17), 1, "too many"),
        ] {
            let fault = Sheet::read(text).unwrap_err();
            assert_eq!(fault.line, line, "{text}: {fault:?}");
            assert!(fault.reason.contains(reason), "{text}: {fault:?}");
        }
        for odd in ["", "\\", "é", ";;;", "--a:b", "/**/", "a{}", "\\}", "@media"] {
            assert_eq!(Sheet::read(odd).unwrap().usual, odd);
        }
    }
}
