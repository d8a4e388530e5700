//! Text in header fields: unfolding (RFC 5322 2.2.3) and encoded words (RFC 2047), read as leniently as any
//! mail program does, and, for the policy, in every other way that one might (C06).

use memchr::memmem;

use super::decode;

/// Encoded words that decode to encoded words are followed this often.
const MAX_NESTING: usize = 3;

/// Begins a shift to another charset (ISO 2022).
const ESCAPE: u8 = 0x1b;

/// The text of a field as a mail program shows it, without control characters.
pub fn decode(body: &[u8]) -> String {
    clean(&words(&unfold(body), Labels::Believed))
}

/// Every text that a field may be taken for; the first is [`decode`], none stands there twice.
pub fn readings(body: &[u8]) -> Vec<String> {
    let unfolded = unfold(body);
    let unblanked: String = unfolded.chars().filter(|c| !c.is_whitespace()).collect();
    let mut readings = vec![clean(&words(&unfolded, Labels::Believed))];
    // Octets that shift without a word around them, as mail from Japan once did.
    if body.contains(&ESCAPE) {
        readings.push(clean(&decode::charset(&without_line_ends(body), Some("iso-2022-jp"))));
    }
    if !unblanked.contains("=?") {
        return readings;
    }
    readings.push(clean(&words(&without_soft_breaks(&unfolded), Labels::Believed)));
    readings.push(clean(&words(&unfolded, Labels::Ignored)));
    readings.push(clean(&words(&joined(&unfolded), Labels::Believed)));
    readings.push(clean(&words(&unblanked, Labels::Believed)));
    readings.push(clean(&words(&unblanked, Labels::Ignored)));
    let mut again = words(&unfolded, Labels::Believed);
    for _ in 1..MAX_NESTING {
        again = words(&again, Labels::Believed);
        readings.push(clean(&again));
    }
    let mut seen = std::collections::HashSet::new();
    readings.retain(|reading| seen.insert(reading.clone()));
    readings
}

/// Whether a field has an encoded word in a charset that we do not know, and that may mean anything: another reader
/// may know it.
pub fn is_unreadable(body: &[u8]) -> bool {
    let unfolded = unfold(body);
    let mut rest = unfolded.as_str();
    while let Some(from_word) = rest.find("=?").and_then(|start| rest.get(start..)) {
        let word = Word::parse(from_word);
        if word
            .as_ref()
            .is_some_and(|word| !is_plain(&word.bytes) && !decode::is_known(&word.bytes, word.charset))
        {
            return true;
        }
        rest = word.map_or_else(|| from_word.get(2..).unwrap_or(""), |word| word.rest);
    }
    false
}

/// ASCII without a character that some charset shifts with: what it says it says in nearly every charset.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.is_ascii() && memchr::memchr3(b'\x1b', b'~', b'+', bytes).is_none()
}

/// Octets of a header as text: UTF-8 (RFC 6532), else what Windows programs send.
pub fn text(bytes: &[u8]) -> String {
    decode::charset(bytes, None)
}

fn unfold(body: &[u8]) -> String {
    text(&without_line_ends(body))
}

fn without_line_ends(body: &[u8]) -> Vec<u8> {
    body.iter().copied().filter(|c| !matches!(c, b'\r' | b'\n')).collect()
}

/// A line end or other control character in a decoded word must not become one of ours (C13).
fn clean(text: &str) -> String {
    let blank = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    text.chars().map(blank).collect::<String>().trim().to_owned()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Labels {
    /// The charset is the one named in the word.
    Believed,
    /// The charset named is taken for a lie; NUL octets of wide charsets are dropped.
    Ignored,
}

/// Replaces encoded words wherever they stand: in quoted strings, without blanks around them, with blanks
/// in them, without an end. Blanks between two of them are not shown (RFC 2047 6.2), and a character may be
/// cut in two between words of one charset, which the standard forbids and mailers do.
fn words(text: &str, labels: Labels) -> String {
    let mut output = String::with_capacity(text.len());
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut rest = text;
    while let Some(start) = rest.find("=?") {
        let (between, from_word) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let Some(word) = Word::parse(from_word) else {
            flush(&mut output, &mut pending, labels);
            output.push_str(between);
            output.push_str("=?");
            rest = from_word.get(2..).unwrap_or("");
            continue;
        };
        let joined = pending.is_some() && between.chars().all(char::is_whitespace);
        match &mut pending {
            Some((charset, bytes)) if joined && charset.eq_ignore_ascii_case(word.charset) => {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                flush(&mut output, &mut pending, labels);
                if !joined {
                    output.push_str(between);
                }
                pending = Some((word.charset.to_owned(), word.bytes));
            }
        }
        rest = word.rest;
    }
    flush(&mut output, &mut pending, labels);
    output.push_str(rest);
    output
}

/// A line end behind `=`, with the blank that folds it, is nothing in quoted-printable, and might be taken for that in
/// a word (RFC 2045 6.7).
fn without_soft_breaks(unfolded: &str) -> String {
    let mut pieces = unfolded.split('=');
    let mut output = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        match piece.trim_start_matches([' ', '\t']) {
            continued if continued.len() < piece.len() && !output.ends_with('?') => {
                output.push_str(continued)
            }
            _ => output.extend(["=", piece]),
        }
    }
    output
}

/// Base64 that was cut in the middle of a quantum: `=?x?B?abc?= =?x?B?de==?=` becomes `=?x?B?abcde==?=`.
fn joined(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let (mut rest, mut in_base64) = (text, false);
    while let Some((before, after)) = rest.split_once("?=") {
        output.push_str(before);
        in_base64 |= before.rfind("=?").and_then(|start| base64_of(before.get(start..)?)).is_some();
        match base64_of(after.trim_start()) {
            Some(more) if in_base64 => rest = more,
            _ => {
                output.push_str("?=");
                (rest, in_base64) = (after, false);
            }
        }
    }
    output + rest
}

/// What stands behind `=?charset?B?`.
fn base64_of(word: &str) -> Option<&str> {
    let (_, rest) = upto(word.strip_prefix("=?")?, 80)?;
    let (encoding, rest) = upto(rest, 8)?;
    encoding.trim().eq_ignore_ascii_case("b").then_some(rest)
}

fn flush(output: &mut String, pending: &mut Option<(String, Vec<u8>)>, labels: Labels) {
    let Some((charset, mut bytes)) = pending.take() else { return };
    if labels == Labels::Ignored {
        bytes.retain(|byte| *byte != 0);
        let mark = |mark: &[u8; 2]| bytes.strip_prefix(mark.as_slice());
        let unmarked = mark(b"\xff\xfe").or_else(|| mark(b"\xfe\xff")).unwrap_or(&bytes);
        output.push_str(&decode::charset(unmarked, None));
    } else {
        output.push_str(&decode::charset(&bytes, Some(&charset)));
    }
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    rest: &'a str,
}

impl<'a> Word<'a> {
    /// `=?charset*language?encoding?text?=`, at the start of `from`.
    fn parse(from: &'a str) -> Option<Self> {
        // The bounds keep the search for question marks linear.
        let (charset, rest) = upto(from.strip_prefix("=?")?, 80)?;
        let (encoding, rest) = upto(rest, 8)?;
        // An end counts only before the next start, or the search for it would not be linear.
        let next = rest.find("=?");
        let until = next.map_or(rest.len(), |next| (next + 3).min(rest.len()));
        let end = memmem::find(rest.as_bytes().get(..until)?, b"?=");
        let (text, rest) = match (end, next) {
            (Some(end), _) => (rest.get(..end)?, rest.get(end + 2..)?),
            (None, Some(next)) => rest.split_at_checked(next)?,
            (None, None) => (rest, ""),
        };
        let bytes = match encoding.trim() {
            "b" | "B" => decode::base64(text.as_bytes()).0,
            "q" | "Q" => decode::quoted_word(text.as_bytes()),
            _ => return None,
        };
        let charset = charset.split('*').next().unwrap_or(charset).trim();
        Some(Self { charset, bytes, rest })
    }
}

/// What stands before the next question mark, if it is near, and what stands after it.
fn upto(text: &str, limit: usize) -> Option<(&str, &str)> {
    let end = text.bytes().take(limit).position(|c| c == b'?')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_mail_programs_decode() {
        for (body, shown) in [
            (" gewoon", "gewoon"),
            ("=?utf-8?Q?J=C3=BCrgen_x?=", "Jürgen x"),
            ("=?UTF-8?B?SsO8cmdlbg==?=", "Jürgen"),
            ("=?iso-8859-1*nl?q?J=FCrgen?=", "Jürgen"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\r\n =?iso-8859-1?q?b?=", "ab"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("x=?utf-8?q?a?=y", "xay"),
            ("\"=?utf-8?q?a?=\"", "\"a\""),
            ("=?utf-8?q?=E2=82?= =?utf-8?q?=AC?=", "€"),
            ("=?utf-8?q?a b?=", "a b"),
            ("=?utf-8?q?open", "open"),
            ("=?utf-8?q?een =?utf-8?q?twee?=", "een twee"),
            ("=?utf-8?q?een twee drie =?utf-8?q?vier?=", "een twee drie vier"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
            ("=?utf-7?q?+AFs-a+AF0-?=", "[a]"),
            ("=?onbekend?q?a?=", "a"),
            ("=? = ?= ??", "=? = ?= ??"),
        ] {
            assert_eq!(decode(body.as_bytes()), shown, "{body}");
        }
        assert_eq!(decode(b"caf\xe9"), "café");
        assert_eq!(decode("café".as_bytes()), "café");
    }

    #[test]
    fn offers_every_reading_once() {
        assert_eq!(readings(b" gewoon "), ["gewoon"]);
        let twice = readings(b"=?utf-8?q?=3D=3Futf-8=3Fq=3Fdiep=3F=3D?=");
        assert!(twice.contains(&"diep".to_owned()), "{twice:?}");
        let lie = readings(b"=?utf-16be?q?geheim?=");
        assert!(lie.contains(&"geheim".to_owned()), "{lie:?}");
        let folded = readings(b"=?utf-8?\r\n q?geheim?=");
        assert!(folded.contains(&"geheim".to_owned()), "{folded:?}");
        let torn = readings(b"=\r\n ?utf-8?q?geheim?=");
        assert!(torn.contains(&"geheim".to_owned()), "{torn:?}");
        let soft = readings(b"=?utf-8?q?zeer_ge=\r\n heim?= =?utf-8?q?=41?=");
        assert!(soft.contains(&"zeer geheimA".to_owned()), "{soft:?}");
        let shifted = readings(b" \x1b$B#g#e#h#e#i#m\x1b(B");
        assert!(
            shifted.contains(&"\u{ff47}\u{ff45}\u{ff48}\u{ff45}\u{ff49}\u{ff4d}".to_owned()),
            "{shifted:?}"
        );
    }

    #[test]
    fn base64_may_be_cut_anywhere() {
        let cut = "=?utf-8?B?W3ZlcnRy?= =?utf-8?B?b3V3ZWx?=\r\n =?UTF-8?b?pamtdIHphYWs=?= rest";
        assert!(readings(cut.as_bytes()).contains(&"[vertrouwelijk] zaak rest".to_owned()));
        for text in ["", "?=", "=?a?q?b?= =?a?B?YQ==?=", "=?a?B?YQ==?= x =?a?B?YQ==?="] {
            assert_eq!(joined(text), text);
        }
    }

    #[test]
    fn a_charset_that_nobody_here_knows_is_unreadable() {
        for (body, unreadable) in [
            ("=?cp037?B?reWFmaOZlqSmhZOJkZK9?=", true),
            ("gewoon =?x?q?a?= =?hz-gb-2312?q?~{VPND~}?=", true),
            ("=?onbekend?q?gewoon?=", false),
            ("=?utf-8?q?=C3=A9?= =?iso-8859-1?q?=E9?= =?=", false),
            ("gewoon", false),
        ] {
            assert_eq!(is_unreadable(body.as_bytes()), unreadable, "{body}");
        }
    }

    #[test]
    fn a_megabyte_of_word_starts_is_read_at_once() {
        let body = "=?".repeat(500_000);
        assert_eq!(decode(body.as_bytes()).len(), body.len());
        for word in ["=?utf-8?q?", "=?a?q?x", "=?a?b?YQ==?= "] {
            readings(word.repeat(100_000).as_bytes());
            is_unreadable(word.repeat(100_000).as_bytes());
        }
    }
}
