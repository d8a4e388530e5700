//! Text in header fields: unfolding (RFC 5322 2.2.3) and encoded words (RFC 2047), read as leniently as any
//! mail program does, and, for the policy, in every other way that one might (C06).

use std::collections::HashSet;

use memchr::memmem;

use super::decode;

/// Encoded words that decode to encoded words are followed this often.
const MAX_NESTING: usize = 3;

/// Makes a text run backwards (UAX 9), and ends it for some programs.
const ODD: [char; 2] = ['\u{202e}', '\0'];

/// Makes a text run from right to left, as Arabic does: what stands last may be shown first.
const TURNS: [char; 2] = ['\u{202b}', '\u{2067}'];

/// Begins a shift to another charset (ISO 2022).
const ESCAPE: u8 = 0x1b;

/// The text of a field as a mail program shows it, without control characters.
pub fn decode(body: &[u8]) -> String {
    clean(&words(&unfold(body), Labels::Believed))
}

/// Every text that a field may be taken for; the first is [`decode`], none is there twice. Bytes that are no UTF-8
/// may be in the charset of the message, which is asked for only then.
pub fn readings(body: &[u8], charset: impl FnOnce() -> Option<String>) -> Vec<String> {
    let mut readings = Vec::new();
    let octets = without_line_ends(body);
    read(&text(&octets), &mut readings);
    // Bytes that shift without a word around them, as mail from Japan once did.
    if body.contains(&ESCAPE) {
        readings.push(clean(&decode::charset(&octets, Some("iso-2022-jp"))));
    }
    if std::str::from_utf8(&octets).is_err() {
        read(&String::from_utf8_lossy(&octets), &mut readings);
        read(&decode::charset(&octets, charset().as_deref()), &mut readings);
    }
    // Most have one reading.
    if readings.len() > 1 {
        let mut seen = HashSet::new();
        readings.retain(|reading| seen.insert(reading.clone()));
    }
    readings
}

/// Adds what a text may be taken for; first, what it says.
fn read(unfolded: &str, readings: &mut Vec<String>) {
    let unblanked: String = unfolded.chars().filter(|c| !c.is_whitespace()).collect();
    let mut add = |text: &str, labels| readings.push(clean(&words(text, labels)));
    add(unfolded, Labels::Believed);
    if !unblanked.contains("=?") {
        return;
    }
    add(&without_soft_breaks(unfolded), Labels::Believed);
    add(unfolded, Labels::Apart);
    add(unfolded, Labels::Ignored);
    add(&joined(unfolded), Labels::Believed);
    add(&unblanked, Labels::Believed);
    add(&unblanked, Labels::Ignored);
    let mut again = words(unfolded, Labels::Believed);
    for _ in 1..MAX_NESTING {
        again = words(&again, Labels::Believed);
        readings.push(clean(&again));
    }
}

/// Whether another reader may see another text: there is an encoded word that programs read in different ways, or a
/// character that they show in different ways.
pub fn is_unreadable(body: &[u8]) -> bool {
    let unfolded = unfold(body);
    let mut rest = unfolded.as_str();
    while let Some(from_word) = rest.find("=?").and_then(|start| rest.get(start..)) {
        let word = Word::parse(from_word);
        if word.as_ref().is_some_and(|word| word.is_odd || !decode::is_known(word.charset)) {
            return true;
        }
        rest = word.map_or_else(|| from_word.get(2..).unwrap_or(""), |word| word.rest);
    }
    let (text, is_damaged) = words_and_damage(&unfolded, Labels::Believed);
    let turned = text.split_once(TURNS).is_some_and(|(_, turned)| turned.contains(['[', ']', ':']));
    is_damaged || turned || text.contains(ODD)
}

/// Bytes of a header as text: UTF-8 (RFC 6532), else what Windows programs send.
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
    /// The same, but each word is read by itself, as some programs do.
    Apart,
    /// The charset named is taken for a lie; NUL bytes of wide charsets are dropped.
    Ignored,
}

/// Replaces encoded words wherever they stand: in quoted strings, without blanks around them, with blanks
/// in them, without an end. Blanks between two of them are not shown (RFC 2047 6.2), and a character may be
/// cut in two between words of one charset, which the standard forbids and mailers do.
fn words(text: &str, labels: Labels) -> String {
    words_and_damage(text, labels).0
}

/// [`words`], and whether one has bytes that its charset does not. UTF-8 is damaged in the same way for everybody.
fn words_and_damage(text: &str, labels: Labels) -> (String, bool) {
    let (mut output, mut is_damaged) = (String::with_capacity(text.len()), false);
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut rest = text;
    while let Some(start) = rest.find("=?") {
        let (between, from_word) = rest.split_at_checked(start).unwrap_or((rest, ""));
        let Some(word) = Word::parse(from_word) else {
            is_damaged |= flush(&mut output, &mut pending, labels);
            output.push_str(between);
            output.push_str("=?");
            rest = from_word.get(2..).unwrap_or("");
            continue;
        };
        let joined = pending.is_some() && between.chars().all(char::is_whitespace);
        match &mut pending {
            Some((charset, bytes))
                if joined && labels != Labels::Apart && charset.eq_ignore_ascii_case(word.charset) =>
            {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                is_damaged |= flush(&mut output, &mut pending, labels);
                if !joined {
                    output.push_str(between);
                }
                pending = Some((word.charset.to_owned(), word.bytes));
            }
        }
        rest = word.rest;
    }
    is_damaged |= flush(&mut output, &mut pending, labels);
    output.push_str(rest);
    (output, is_damaged)
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
    let (_, rest) = word.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    encoding.trim().eq_ignore_ascii_case("b").then_some(rest)
}

/// Appends what waited for more of the same; tells whether it is damaged.
fn flush(output: &mut String, pending: &mut Option<(String, Vec<u8>)>, labels: Labels) -> bool {
    let Some((charset, mut bytes)) = pending.take() else { return false };
    if labels == Labels::Ignored {
        bytes.retain(|byte| *byte != 0);
        let mark = |mark: &[u8; 2]| bytes.strip_prefix(mark.as_slice());
        let unmarked = mark(b"\xff\xfe").or_else(|| mark(b"\xfe\xff")).unwrap_or(&bytes);
        output.push_str(&decode::charset(unmarked, None));
        return false;
    }
    let text = decode::charset(&bytes, Some(&charset));
    output.push_str(&text);
    !decode::is_utf8(&charset) && text.contains(char::REPLACEMENT_CHARACTER)
}

struct Word<'a> {
    charset: &'a str,
    bytes: Vec<u8>,
    /// Programs do not agree what its bytes are.
    is_odd: bool,
    rest: &'a str,
}

impl<'a> Word<'a> {
    /// `=?charset*language?encoding?text?=`, at the start of `from`.
    fn parse(from: &'a str) -> Option<Self> {
        let (charset, rest) = from.strip_prefix("=?")?.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        // An end counts only before the next start, or the search for it would not be linear.
        let next = rest.find("=?");
        let until = next.map_or(rest.len(), |next| (next + 3).min(rest.len()));
        let end = memmem::find(rest.as_bytes().get(..until)?, b"?=");
        let (text, rest) = match (end, next) {
            (Some(end), _) => (rest.get(..end)?, rest.get(end + 2..)?),
            (None, Some(next)) => rest.split_at_checked(next)?,
            (None, None) => (rest, ""),
        };
        let (bytes, is_odd) = match encoding.trim() {
            "b" | "B" => (decode::base64(text.as_bytes()).0, !is_base64(text)),
            "q" | "Q" => (decode::quoted_word(text.as_bytes()), !text.is_ascii()),
            _ => return None,
        };
        let charset = charset.split('*').next().unwrap_or(charset).trim();
        Some(Self { charset, bytes, is_odd, rest })
    }
}

/// Of its alphabet, blanks, and padding at the end.
fn is_base64(text: &str) -> bool {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || c == '+' || c == '/';
    text.trim_end_matches(|c: char| c == '=' || c.is_whitespace()).chars().all(alphabet)
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
        assert_eq!(readings(b" gewoon ", || None), ["gewoon"]);
        let twice = readings(b"=?utf-8?q?=3D=3Futf-8=3Fq=3Fdiep=3F=3D?=", || None);
        assert!(twice.contains(&"diep".to_owned()), "{twice:?}");
        let lie = readings(b"=?utf-16be?q?geheim?=", || None);
        assert!(lie.contains(&"geheim".to_owned()), "{lie:?}");
        let folded = readings(b"=?utf-8?\r\n q?geheim?=", || None);
        assert!(folded.contains(&"geheim".to_owned()), "{folded:?}");
        let torn = readings(b"=\r\n ?utf-8?q?geheim?=", || None);
        assert!(torn.contains(&"geheim".to_owned()), "{torn:?}");
        let soft = readings(b"=?utf-8?q?zeer_ge=\r\n heim?= =?utf-8?q?=41?=", || None);
        assert!(soft.contains(&"zeer geheimA".to_owned()), "{soft:?}");
        let apart =
            readings(b"=?iso-2022-jp?b?GyRCIU4jdiNlGyhC?= =?iso-2022-jp?b?GyRCI3cjZSNsGyhC?=", || None);
        assert!(apart.iter().any(|text| !text.contains('\u{fffd}')), "{apart:?}");
        let stray = readings(b"v\xc3\xa9r caf\xe9", || Some("koi8-r".to_owned()));
        assert!(stray.contains(&"v\u{e9}r caf\u{fffd}".to_owned()), "{stray:?}");
        let cyrillic = readings(b"v\xc5r", || Some("koi8-r".to_owned()));
        assert!(cyrillic.contains(&"v\u{435}r".to_owned()), "{cyrillic:?}");
        let shifted = readings(b" \x1b$B#g#e#h#e#i#m\x1b(B", || None);
        assert!(
            shifted.contains(&"\u{ff47}\u{ff45}\u{ff48}\u{ff45}\u{ff49}\u{ff4d}".to_owned()),
            "{shifted:?}"
        );
    }

    #[test]
    fn base64_may_be_cut_anywhere() {
        let cut = "=?utf-8?B?W3ZlcnRy?= =?utf-8?B?b3V3ZWx?=\r\n =?UTF-8?b?pamtdIHphYWs=?= rest";
        assert!(readings(cut.as_bytes(), || None).contains(&"[vertrouwelijk] zaak rest".to_owned()));
        for text in ["", "?=", "=?a?q?b?= =?a?B?YQ==?=", "=?a?B?YQ==?= x =?a?B?YQ==?="] {
            assert_eq!(joined(text), text);
        }
    }

    #[test]
    fn a_charset_that_nobody_here_knows_is_unreadable() {
        for (body, unreadable) in [
            ("=?cp037?B?reWFmaOZlqSmhZOJkZK9?=", true),
            ("gewoon =?x?q?a?= =?hz-gb-2312?q?~{VPND~}?=", true),
            ("=?onbekend?q?gewoon?=", true),
            ("=?x-unknown?q?gewoon?=", false),
            ("=?cp932?q?gewoon?=", false),
            ("=?utf-7?q?gewoon?=", true),
            ("=?utf-16?b?AGEAYg==?=", true),
            ("=?iso-2022-kr?q?gewoon?=", true),
            ("=?utf-8?b?Z2V3=b29u?=", true),
            ("=?utf-8?b?Pz8/Pj4+?=", false),
            ("=?utf-8?b?Z2V3_29u?=", true),
            ("=?utf-8?b?Z2V3\r\n b28=?=", false),
            ("=?utf-8?q?gewo\u{4e76}n?=", true),
            ("=?utf-8?q?gewo=00n?=", true),
            ("\u{202e}noowег", true),
            ("\u{200f}gewoon\u{200e}", false),
            ("\u{2067}\u{2066} x\u{2069}\u{2066}[gewoon]\u{2069}\u{2069}", true),
            ("Re: \u{202b}gewoon\u{202c}", false),
            (
                "=?iso-2022-jp?b?GyRCIU4jdiNlI3IjdCNyI28bKEI=?= =?iso-2022-jp?b?GyRCI3UjdyNlI2w=?= =?iso-2022-jp?b?I2kjaiNrIU8=?=",
                false,
            ),
            ("gewo\u{fffd}n", false),
            ("=?utf-8?q?gewo=FFn?=", false),
            ("=?gb2312?b?uw==?=\r\n =?gb2312?b?4dLpvM3SqrXayP20zg==?=", false),
            ("=?iso-2022-jp?b?GyRCIU4jdiNlGyhC?= =?iso-2022-jp?b?GyRCI3cjZSNsGyhC?=", false),
            ("=?gb2312?b?uw==?=", true),
            ("=?gb2312?b?uw==?= x =?utf-8?q?x?=", true),
            ("=?gb2312?b?uw==?= =? x", true),
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
            readings(word.repeat(100_000).as_bytes(), || None);
            is_unreadable(word.repeat(100_000).as_bytes());
        }
    }
}
