//! Text in header fields: 8-bit text and encoded words (RFC 2047), read as widely as any mail client
//! does, because a trigger must not hide in an odd spelling (C06). Used by `header` and `mime`.

use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::{memchr, memmem};

/// A charset name is never longer than this; it bounds the search for the end of one.
const LONGEST_CHARSET: usize = 64;

/// Octets without a declared charset as text: UTF-8 if they are that, otherwise Windows-1252.
pub fn text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().map(|&octet| western(octet)).collect(),
    }
}

/// Octets in a declared charset as text; an unknown charset counts as none.
pub fn text_in(charset: &str, octets: &[u8]) -> String {
    let label = charset.trim_matches(|c: char| c == '"' || c == '\'' || c.is_whitespace());
    // Undeclared or wrongly declared UTF-8 is the most common mistake, so valid UTF-8 under these stays so.
    if ["utf-8", "utf8", "us-ascii", "ascii", ""].iter().any(|name| label.eq_ignore_ascii_case(name)) {
        return text(octets);
    }
    charset_decoder(label.as_bytes()).map_or_else(|| text(octets), |decode| decode(octets))
}

/// Latin-1, with the printable characters that Windows puts in 0x80 to 0x9F.
fn western(octet: u8) -> char {
    const EXTRA: [char; 32] = [
        '€', ' ', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', ' ', 'Ž', ' ', ' ', '‘', '’', '“',
        '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', ' ', 'ž', 'Ÿ',
    ];
    let extra = octet.checked_sub(0x80).and_then(|n| EXTRA.get(usize::from(n)));
    extra.copied().unwrap_or(char::from(octet))
}

/// One encoded word: `=?charset?Q?data?=`.
struct Word<'a> {
    charset: &'a str,
    octets: Vec<u8>,
    rest: &'a str,
}

/// Replaces every encoded word in `source` by what it stands for, also inside quoted strings and glued
/// to other text, where RFC 2047 5 forbids them but mail clients read them all the same.
pub fn decode_words(source: &str) -> String {
    // Nothing after the last `?=` can be a word; knowing that keeps the search linear.
    let last = memmem::rfind(source.as_bytes(), b"?=").map_or(0, |at| at + 2);
    let (mut rest, tail) = source.split_at_checked(last).unwrap_or(("", source));
    let mut out = String::with_capacity(source.len());
    // Octets of adjacent words in one charset, because a character may be split over two words.
    let mut run: Option<(&str, Vec<u8>)> = None;
    while let Some(at) = memmem::find(rest.as_bytes(), b"=?") {
        let (before, from_word) = rest.split_at_checked(at).unwrap_or((rest, ""));
        // White space between two words is not part of the text (RFC 2047 6.2).
        if run.is_none() || !before.trim().is_empty() {
            flush(&mut out, &mut run);
            out.push_str(before);
        }
        let Some(word) = word(from_word) else {
            flush(&mut out, &mut run);
            out.push_str("=?");
            rest = from_word.get(2..).unwrap_or("");
            continue;
        };
        match &mut run {
            Some((charset, octets)) if charset.eq_ignore_ascii_case(word.charset) => {
                octets.extend(word.octets)
            }
            _ => {
                flush(&mut out, &mut run);
                run = Some((word.charset, word.octets));
            }
        }
        rest = word.rest;
    }
    flush(&mut out, &mut run);
    out.push_str(rest);
    out.push_str(tail);
    out
}

fn flush(out: &mut String, run: &mut Option<(&str, Vec<u8>)>) {
    if let Some((charset, octets)) = run.take() {
        out.push_str(&text_in(charset, &octets));
    }
}

/// Takes the word that starts `source`.
fn word(source: &str) -> Option<Word<'_>> {
    let after = source.strip_prefix("=?")?;
    let charset_end = after.bytes().take(LONGEST_CHARSET).position(|c| c == b'?')?;
    let (label, after) = after.split_at_checked(charset_end)?;
    // RFC 2231 5: a language may follow the charset.
    let charset = label.split('*').next().unwrap_or(label);
    let mut head = after.chars();
    let (_, encoding, mark) = (head.next()?, head.next()?, head.next()?);
    let data = head.as_str();
    let decode = match encoding.to_ascii_lowercase() {
        'q' if mark == '?' => unquote,
        'b' if mark == '?' => from_base64,
        _ => return None,
    };
    let (data, rest) = data.split_at_checked(memmem::find(data.as_bytes(), b"?=")?)?;
    let octets = decode(data.as_bytes());
    Some(Word { charset, octets, rest: rest.get(2..).unwrap_or("") })
}

/// The Q encoding (RFC 2047 4.2); a `=` that no two hex digits follow stands for itself.
fn unquote(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (b'_', _) => out.push(b' '),
            _ => out.push(*first),
        }
    }
    out
}

/// The quoted-printable encoding (RFC 2045 6.7), with the same tolerance.
pub(super) fn from_quoted_printable(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((before, [_, after @ ..])) = memchr(b'=', rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(before);
        rest = match after {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                after
            }
            _ => soft_break(after).unwrap_or_else(|| {
                out.push(b'=');
                after
            }),
        };
    }
    out.extend_from_slice(rest);
    out
}

/// What follows a line end that is not part of the text.
fn soft_break(text: &[u8]) -> Option<&[u8]> {
    let blanks = text.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
    let text = text.get(blanks..)?;
    text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n")).or(text.is_empty().then_some(text))
}

/// Percent encoding (RFC 2231 4, RFC 3986 2.1).
pub(super) fn from_percent(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0)
}

/// Base64 (RFC 4648 4) with or without padding; white space and foreign characters are skipped, and
/// padding in the middle (two encodings joined) starts afresh.
pub(super) fn from_base64(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for &c in data {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                (buffer, bits) = (0, 0);
                continue;
            }
            _ => continue,
        };
        (buffer, bits) = ((buffer << 6) | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            out.extend(u8::try_from((buffer >> bits) & 0xff));
            buffer &= (1 << bits) - 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_encoded_words_as_mail_clients_do() {
        for (source, expected) in [
            ("gewoon", "gewoon"),
            ("=?utf-8?Q?J=C3=BCrgen?=", "Jürgen"),
            ("=?ISO-8859-1?q?J=FCrgen_=28x=29?=", "Jürgen (x)"),
            ("=?iso-8859-1*nl?q?J=FCrgen?=", "Jürgen"),
            ("=?UTF-8?B?SsO8cmdlbg==?=", "Jürgen"),
            ("=?UTF-8?B?SsO8cmdlbg?=", "Jürgen"),
            ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
            ("=?utf-8?q?a?=\t =?iso-8859-1?q?=FC?= c", "aü c"),
            ("a=?utf-8?q?b?=c", "abc"),
            ("\"=?utf-8?q?b?=\"", "\"b\""),
            // one character over two words
            ("=?utf-8?q?=E2=82?= =?UTF-8?b?rA==?=", "€"),
            ("=?x-nooit-van-gehoord?q?=C3=BC?=", "ü"),
            ("=?x-nooit-van-gehoord?q?=FC?=", "ü"),
            ("=?utf-8?q?=FC?=", "ü"),
            ("=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"),
            ("=?utf-7?q?+AFs-beveiligd+AF0-?=", "[beveiligd]"),
            ("=?utf-8?q?a b?=", "a b"),
            ("=?utf-8?q?100=_=zz?=", "100= =zz"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?geen einde", "=?utf-8?q?geen einde"),
            ("=?=?utf-8?q?b?=", "=?b"),
            ("=?", "=?"),
            ("=??=", "=??="),
        ] {
            assert_eq!(decode_words(source), expected, "{source}");
        }
    }

    #[test]
    fn text_without_a_charset_is_utf8_or_western() {
        assert_eq!(text("Jürgen €".as_bytes()), "Jürgen €");
        assert_eq!(text(b"J\xFCrgen \x80"), "Jürgen €");
    }

    #[test]
    fn time_stays_linear() {
        for piece in ["=?", "=?a", "=?a?q?", "=?a?x?", "?=", "=?a?q?x?=", "=?a?q?=", "=?a?b?x?= "] {
            let started = std::time::Instant::now();
            decode_words(&format!("{}?=", piece.repeat(1_000_000 / piece.len())));
            assert!(started.elapsed().as_secs() < 5, "{piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read(octets: Vec<u8>, words in "(=\\?(utf-8|gb2312|x)?\\?[qQbBx]?\\?[=a-f0-9 ]{0,9}\\??=? ?){0,5}") {
            decode_words(&text(&octets));
            decode_words(&words);
        }
    }
}
