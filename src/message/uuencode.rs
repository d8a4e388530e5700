//! Files that uuencode wrote into a plain text (POSIX, "begin 644 name"), as mail did before MIME and as some scanners
//! and case systems still do. Used by `shown`, `walk`, `mime` and `attached`. What only looks like a block stays text: no
//! line of a text is lost.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::decode;

/// Files of one message that are looked for.
pub const MAX_FILES: usize = 200;

/// The shortest line of base64 by which a block without an end is known, and the shortest of uuencode: both are full.
const FULL_BASE64: usize = 60;
const FULL_LINE: usize = 45;

/// Bytes of one file that may be blanks which were lost on the way: a line of nothing else is a single letter.
const MAX_LOST: usize = 16 << 10;

/// What may follow the data in a line: a checksum, in some writers.
const MAX_CHECKSUM: usize = 2;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its name as it was written; may be empty.
    pub name: &'a [u8],
    pub data: Vec<u8>,
    /// It has an end, and nothing in it is damaged.
    pub is_whole: bool,
}

/// A text taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// The text without the blocks.
    pub text: Cow<'a, [u8]>,
    pub files: Vec<Block<'a>>,
}

/// Takes the files out of a text; beyond `most` they stay in it.
pub fn split(text: &[u8], most: usize) -> Split<'_> {
    let (mut rest, mut files, mut kept) = (Vec::new(), Vec::new(), 0);
    for at in memmem::find_iter(text, b"begin") {
        let is_line_start = at == 0 || text.get(at - 1) == Some(&b'\n');
        if at < kept || !is_line_start || files.len() >= most {
            continue;
        }
        let Some((block, length)) = Block::parse(text.get(at..).unwrap_or_default()) else { continue };
        rest.extend_from_slice(text.get(kept..at).unwrap_or_default());
        kept = at + length;
        files.push(block);
    }
    if files.is_empty() {
        return Split { text: text.into(), files };
    }
    rest.extend_from_slice(text.get(kept..).unwrap_or_default());
    Split { text: rest.into(), files }
}

/// Whether there is a file in a text.
pub fn is_in(text: &[u8]) -> bool {
    !split(text, 1).files.is_empty()
}

/// The files in a text, by name as text and content.
pub fn files(text: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
    split(text, MAX_FILES).files.into_iter().map(|block| (decode::charset(block.name, None), block.data))
}

/// The first file of a body whose transfer encoding is uuencode, and whether nothing else is there and nothing is missing.
pub fn body(text: &[u8]) -> Option<(Vec<u8>, bool)> {
    let Split { text, files } = split(text, MAX_FILES);
    let is_only = files.len() == 1 && text.trim_ascii().is_empty();
    files.into_iter().next().map(|block| (block.data, block.is_whole && is_only))
}

/// The name of that file; the file itself is not read.
pub fn name(text: &[u8]) -> Option<String> {
    let mut lines = Lines { text, at: 0 };
    let (name, _) = std::iter::from_fn(|| lines.take()).find_map(header)?;
    Some(decode::charset(name, None)).filter(|name| !name.is_empty())
}

impl<'a> Block<'a> {
    /// A block at the start of `text`, and its length there.
    fn parse(text: &'a [u8]) -> Option<(Self, usize)> {
        let mut lines = Lines { text, at: 0 };
        let (name, is_base64) = header(lines.take()?)?;
        let (data, is_whole) = if is_base64 { base64_lines(&mut lines)? } else { data_lines(&mut lines)? };
        Some((Self { name, data, is_whole }, lines.at))
    }
}

/// The name in `begin 644 name`, and whether base64 follows.
fn header(line: &[u8]) -> Option<(&[u8], bool)> {
    let header = line.strip_prefix(b"begin")?;
    let (header, is_base64) =
        header.strip_prefix(b"-base64").map_or((header, false), |header| (header, true));
    let header = header.strip_prefix(b" ")?;
    let end = memchr(b' ', header).unwrap_or(header.len());
    let (mode, name) = header.split_at_checked(end)?;
    let is_mode = (3..=6).contains(&mode.len()) && mode.iter().all(|c| matches!(c, b'0'..=b'7'));
    is_mode.then(|| (unquoted(name), is_base64))
}

/// The lines of a block up to "end". A block that has none must begin with a full line, or it is no block: people write
/// "begin 100 km" as well.
fn data_lines(lines: &mut Lines) -> Option<(Vec<u8>, bool)> {
    let (mut data, mut is_full, mut lost, mut lost_last) = (Vec::new(), None, 0, 0);
    loop {
        let (before, length) = (lines.at, data.len());
        let line = lines.take();
        let octets = line.and_then(|line| data_line(line, &mut data)).filter(|octets| octets.count > 0);
        if let Some(octets) = octets.filter(|octets| lost + octets.lost <= MAX_LOST) {
            is_full.get_or_insert(octets.count == FULL_LINE && octets.lost == 0);
            (lost, lost_last) = (lost + octets.lost, octets.lost);
            continue;
        }
        data.truncate(length);
        // The line of no bytes before it is left out by some, and its blank is lost on the way of others.
        let is_closed = line.is_some_and(|line| matches!(line.trim_ascii_end(), b"`" | b""));
        let line = if is_closed { lines.take() } else { line };
        if line.is_some_and(|line| line.trim_ascii_end() == b"end") {
            return Some((data, true));
        }
        lines.at = before;
        data.truncate(data.len() - lost_last);
        return is_full?.then_some((data, false));
    }
}

/// What a line of data says.
struct Octets {
    count: usize,
    /// How many of them are blanks that are not there any more.
    lost: usize,
}

/// Adds one line to the data; none where it is no such line.
fn data_line(line: &[u8], data: &mut Vec<u8>) -> Option<Octets> {
    let (first, text) = line.split_first()?;
    let count = usize::from(first.checked_sub(b' ')? & 0x3f);
    let length = count.div_ceil(3) * 4;
    let is_data = line.iter().all(|c| (b' '..=b'`').contains(c));
    if !is_data || text.trim_ascii_end().len() > length + MAX_CHECKSUM {
        return None;
    }
    // Blanks at the end of a line are data; where they were lost they are put back.
    let six = |at: usize| u32::from((text.get(at).unwrap_or(&b' ') - b' ') & 0x3f);
    let start = data.len();
    for at in (0..length).step_by(4) {
        let group = six(at) << 18 | six(at + 1) << 12 | six(at + 2) << 6 | six(at + 3);
        data.extend(group.to_be_bytes().into_iter().skip(1));
    }
    data.truncate(start + count);
    Some(Octets { count, lost: count.saturating_sub(text.len() * 3 / 4) })
}

/// The lines of a "begin-base64" block up to "====".
fn base64_lines(lines: &mut Lines) -> Option<(Vec<u8>, bool)> {
    let (mut text, mut is_full) = (Vec::new(), false);
    loop {
        let before = lines.at;
        let line = lines.take().map(<[u8]>::trim_ascii_end);
        let is_part = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=');
        match line {
            Some(b"====") => {
                let (data, is_sound) = decode::base64_body(&text);
                return Some((data, is_sound));
            }
            Some(line) if !line.is_empty() && line.iter().all(is_part) => {
                is_full |= text.is_empty() && line.len() >= FULL_BASE64;
                text.extend_from_slice(line);
            }
            _ => {
                lines.at = before;
                return is_full.then(|| (decode::base64_body(&text).0, false));
            }
        }
    }
}

fn unquoted(name: &[u8]) -> &[u8] {
    let name = name.trim_ascii();
    name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
}

/// Lines without their ends.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn take(&mut self) -> Option<&'a [u8]> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        self.at = (self.at + length + 1).min(self.text.len());
        let line = rest.get(..length).unwrap_or(rest);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// As POSIX uuencode writes it.
#[cfg(test)]
pub(super) fn encoded(name: &str, data: &[u8]) -> String {
    let mut text = format!("begin 644 {name}\r\n");
    let six = |value: u32| char::from(if value == 0 { b'`' } else { b' ' + value as u8 });
    for line in data.chunks(45) {
        text.push(six(line.len() as u32));
        for group in line.chunks(3) {
            let octet = |at: usize| u32::from(*group.get(at).unwrap_or(&0));
            let value = octet(0) << 16 | octet(1) << 8 | octet(2);
            text.extend([18, 12, 6, 0].map(|shift| six(value >> shift & 0x3f)));
        }
        text.push_str("\r\n");
    }
    text + "`\r\nend\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text left, and `name: bytes, whole` of each file.
    fn taken(text: &str) -> (String, Vec<(String, Vec<u8>, bool)>) {
        let Split { text, files } = split(text.as_bytes(), MAX_FILES);
        let file = |block: Block| (String::from_utf8_lossy(block.name).into(), block.data, block.is_whole);
        (String::from_utf8_lossy(&text).into(), files.into_iter().map(file).collect())
    }

    #[test]
    fn files_come_out_whole_and_the_text_stays() {
        let all: Vec<u8> = (0..=255).collect();
        for length in [0, 1, 2, 3, 44, 45, 46, 90, 256] {
            let data = &all[..length];
            let block = encoded("Brief 1.pdf", data);
            let blank = block.replace('`', " ");
            let stripped: String = blank.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            for block in [block, blank, stripped] {
                let (text, files) = taken(&format!("voor\r\n{block}na\r\n"));
                assert_eq!(text, "voor\r\nna\r\n", "{length}");
                assert_eq!(files, [("Brief 1.pdf".to_owned(), data.to_vec(), true)], "{length}");
            }
        }
    }

    #[test]
    fn several_blocks_and_other_writers() {
        let two = format!("{}tussen\n{}", encoded("\"a b.txt\"", b"een"), encoded("", b"twee"));
        let file = |name: &str, data: &str, whole| (name.to_owned(), data.as_bytes().to_vec(), whole);
        assert_eq!(
            taken(&two),
            ("tussen\n".into(), vec![file("a b.txt", "een", true), file("", "twee", true)])
        );
        // A checksum behind the data; no line of no bytes; base64.
        for (text, name, data) in [
            ("begin 644 a\r\n#86)CX\r\n`\r\nend\r\n", "a", "abc"),
            ("begin 0644 a\n#86)C\nend", "a", "abc"),
            ("begin-base64 644 a.txt\naGFs\nbG8=\n====\n", "a.txt", "hallo"),
        ] {
            assert_eq!(taken(text), (String::new(), vec![file(name, data, true)]), "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_a_file_only_where_its_first_line_is_full() {
        let data: Vec<u8> = (0..100).collect();
        let whole = encoded("a.bin", &data);
        let cut = whole.split_inclusive('\n').take(3).collect::<String>();
        let expected = ("a.bin".to_owned(), data[..90].to_vec(), false);
        assert_eq!(taken(&cut), (String::new(), vec![expected.clone()]));
        assert_eq!(taken(&format!("{cut}Groet, Jan\r\n")), ("Groet, Jan\r\n".into(), vec![expected]));
        let base64 = format!("begin-base64 644 a\r\n{}\r\n", "QUJD".repeat(15));
        assert_eq!(taken(&base64).1, [("a".to_owned(), b"ABC".repeat(15), false)]);
    }

    #[test]
    fn prose_stays_text() {
        for text in [
            "begin 644 meter verderop\r\nGroet\r\n",
            "begin 644 A\r\nHALLO ALLEMAAL\r\n",
            "begin 999 a\r\n#86)C\r\n`\r\nend\r\n",
            "> begin 644 a\r\n> #86)C\r\n> `\r\n> end\r\n",
            "het begin 644 a\r\n#86)C\r\n`\r\nend\r\n",
            "begin-base64 644 a\r\naGFs\r\nGroet, Jan\r\n",
            "begin",
            "begin 644 a",
            "",
        ] {
            assert_eq!(taken(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn a_body_is_its_first_block() {
        let block = encoded("a", b"abc");
        assert_eq!(body(block.as_bytes()), Some((b"abc".to_vec(), true)));
        assert_eq!(body(format!("x\r\n{block}").as_bytes()), Some((b"abc".to_vec(), false)));
        assert_eq!(body(block.repeat(2).as_bytes()), Some((b"abc".to_vec(), false)));
        assert_eq!(body(b"x"), None);
    }

    #[test]
    fn what_was_lost_is_put_back_within_bounds() {
        let (_, files) = taken(&format!("begin 644 a\r\n{}`\r\nend\r\n", "M\r\n".repeat(300)));
        assert_eq!((files[0].1.len(), files[0].2), (13_500, true));
        let (text, files) = taken(&format!("begin 644 a\r\n{}`\r\nend\r\n", "M\r\n".repeat(400)));
        assert!(files.is_empty() && text.starts_with("begin 644 a"));
        let whole = encoded("a", &[7; 100]);
        for length in 0..whole.len() - 6 {
            let (_, files) = taken(&whole[..length]);
            assert!(
                files.iter().all(|(_, data, is_whole)| !is_whole && [7; 100].starts_with(data)),
                "{length}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_no_file_is_text(text in "(begin 644 a\n|M[ -`]{60}\n|`\n|end\n|#86\\)C\n|[a-z]{0,9}\n){0,12}") {
            let Split { text: rest, files } = split(text.as_bytes(), MAX_FILES);
            assert!(rest.len() <= text.len() && files.len() <= text.len() / 12);
            if files.is_empty() {
                assert_eq!(rest, text.as_bytes());
            }
        }
    }
}
