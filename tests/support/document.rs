//! The commands of a page, and what it shows of their output.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A command in an indented block.
#[derive(Debug)]
pub struct Shown {
    /// File and line.
    pub place: String,
    /// The heading of second level that it is under.
    pub chapter: String,
    /// What is typed, without prompt and comment.
    pub line: String,
    /// What the page shows behind a line with a prompt; nothing is said where it shows none.
    pub output: Vec<String>,
}

impl Shown {
    /// The words of what is run as `zegel …`; none for another program.
    pub fn zegel(&self) -> Option<Vec<String>> {
        let line = self.line.strip_prefix("sudo -u zegel ").unwrap_or(&self.line);
        let line = line.split(" && ").next().unwrap_or_default();
        line.starts_with("zegel ").then(|| words(line))
    }
}

/// The lines of the indented blocks of a page that begin with a prompt, or with `zegel`.
pub fn commands(page: &str) -> Vec<Shown> {
    let text = text(page);
    let (mut found, mut chapter, mut is_open) = (Vec::<Shown>::new(), String::new(), false);
    for (number, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut chapter);
        }
        let Some(line) = line.strip_prefix("    ") else {
            is_open = false;
            continue;
        };
        let typed = line.strip_prefix("$ ");
        let begins = |start: &str| line.starts_with(start);
        if typed.is_some() || (!is_open && (begins("zegel ") || begins("sudo -u zegel zegel "))) {
            is_open = typed.is_some();
            found.push(Shown {
                place: format!("{page}, line {}", number + 1),
                chapter: chapter.clone(),
                line: typed.unwrap_or(line).split(" # ").next().unwrap_or_default().trim_end().to_owned(),
                output: Vec::new(),
            });
        } else if is_open && let Some(last) = found.last_mut() {
            last.output.push(line.to_owned());
        }
    }
    found
}

/// The cells of the rows of a table behind a heading, without the first two lines.
pub fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = text(page);
    let (_, chapter) = text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("{heading}"));
    let rows =
        chapter.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    rows.skip(2).map(cells).collect()
}

/// What is between backticks.
pub fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the sentences and tables of a page have between backticks.
pub fn named(page: &str) -> Vec<String> {
    text(page).lines().filter(|line| !line.starts_with("    ")).flat_map(spans).collect()
}

/// The lines in indented blocks of a page that are JSON objects each.
pub fn log_lines(page: &str) -> Vec<Value> {
    text(page)
        .lines()
        .filter_map(|line| serde_json::from_str(line.strip_prefix("    {\"").map(|_| line)?).ok())
        .collect()
}

/// Every indented block of a page, without what is in front of its lines, and every fenced one of this language. A blank line ends
/// no block that goes on behind it.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = text(page);
    let fence = format!("\n```{language}\n");
    let fenced = text.split(&fence).skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut found: Vec<String> = fenced.map(str::to_owned).collect();
    let mut block = String::new();
    for line in text.lines().chain(["the end"]) {
        match line.strip_prefix("    ") {
            Some(line) => block += &format!("{line}\n"),
            None if line.is_empty() && !block.is_empty() => block.push('\n'),
            None => found.extend(Some(std::mem::take(&mut block)).filter(|block| !block.is_empty())),
        }
    }
    found
}

fn text(page: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap()
}

/// As a shell splits a line that has no more than single quotes.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for letter in line.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            letter => word.push(letter),
        }
    }
    assert!(!is_quoted, "{line}");
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// Fails unless the output is what the page shows, but for times and counts; `…` stands for anything, and alone on a line for lines.
pub fn assert_shows(shown: &Shown, expected: &[String], output: &str) {
    let real: Vec<String> = output.lines().map(shape).collect();
    let expected: Vec<String> = expected.iter().map(|line| shape(line)).collect();
    let is_same = fits(&expected, &real, |expected, real| {
        let parts: Vec<&str> = expected.split('…').collect();
        line_fits(&parts, real)
    });
    assert!(
        is_same,
        "{}: `{}`\nthe page shows\n{expected:#?}\nand this came\n{real:#?}",
        shown.place, shown.line
    );
}

fn fits(expected: &[String], real: &[String], same: impl Fn(&str, &str) -> bool + Copy) -> bool {
    match expected.split_first() {
        None => real.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=real.len()).any(|skipped| fits(rest, &real[skipped..], same))
        }
        Some((first, rest)) => {
            real.split_first().is_some_and(|(line, more)| same(first, line) && fits(rest, more, same))
        }
    }
}

/// Whether a line consists of these parts in this order, with anything between them.
fn line_fits(parts: &[&str], line: &str) -> bool {
    let (first, rest) = parts.split_first().unwrap();
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let Some((last, between)) = rest.split_last() else { return line.is_empty() };
    for part in between {
        let Some((_, behind)) = line.split_once(part) else { return false };
        line = behind;
    }
    line.ends_with(last)
}

/// A line with blanks as one, and times and counts that are never twice the same as words for them.
fn shape(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<&str> = line.split_whitespace().collect();
    let shapes = words.iter().enumerate().map(|(at, word)| {
        let is_counted =
            words.get(at + 1).is_some_and(|unit| ["bytes", "rows", "blocks", "blobs"].contains(unit));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let bare = word.trim_end_matches([',', ':', ';']);
        match word.split_once(':') {
            _ if is_time(bare) => word.replace(bare, "TIME"),
            _ if is_counted && number(word) => "COUNT".to_owned(),
            Some((block, hash)) if number(block) && hash.len() == 64 => "BLOCK:HASH".to_owned(),
            _ => (*word).to_owned(),
        }
    });
    format!("{}{}", " ".repeat(indent), shapes.collect::<Vec<_>>().join(" "))
}

/// `2026-11-24T02:12:23.716777Z`, the fraction as long as you like
fn is_time(word: &str) -> bool {
    let digits: String =
        word.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let fraction = digits.strip_prefix("0000-00-00T00:00:00").and_then(|rest| rest.strip_suffix('Z'));
    fraction.is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('.').is_some_and(|rest| rest.bytes().all(|byte| byte == b'0'))
    })
}
