//! Content-Transfer-Encoding (RFC 2045 6) and charsets, read as far as they can be: what is broken is left
//! out or taken literally, and the caller is told.

use mail_parser::decoders::charsets::map::charset_decoder;

/// All of ASCII that another charset may read in its own way: UTF-7, the wide ones, EBCDIC, ISO 646.
const PROBE: &str = "+AGE- &AGE- ~{aZ09 #$@[\\]^`{|}~";

/// Text in a charset; without a known one, UTF-8 where that is valid and else windows-1252.
pub fn charset(bytes: &[u8], label: Option<&str>) -> String {
    let label = label.map(usual);
    let joined =
        label.filter(|label| label.to_ascii_lowercase().starts_with("iso-2022-jp")).map(|_| unshifted(bytes));
    let bytes = joined.as_deref().unwrap_or(bytes);
    // UTF-8 is by far the most frequent, and valid UTF-8 is hardly ever anything else.
    if label.is_none_or(is_utf8)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return text.to_owned();
    }
    let decoder = label.and_then(|label| charset_decoder(label.as_bytes()));
    match (decoder, std::str::from_utf8(bytes)) {
        (Some(decoder), _) => decoder(bytes),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) if label.is_some_and(|label| label.eq_ignore_ascii_case("utf-8")) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        (None, Err(_)) => match charset_decoder(b"windows-1252") {
            Some(decoder) => decoder(bytes),
            None => String::from_utf8_lossy(bytes).into_owned(),
        },
    }
}

/// Without a shift to ASCII that is at once followed by another one: such pairs stand where two words were joined, and
/// are an error to a decoder.
fn unshifted(bytes: &[u8]) -> Vec<u8> {
    let mut unshifted = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, b"\x1b(B\x1b") {
        unshifted.extend_from_slice(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    unshifted.extend_from_slice(rest);
    unshifted
}

/// Whether this is a charset that every program reads alike, as far as its bytes are ASCII.
pub fn is_known(label: &str) -> bool {
    let label = usual(label);
    is_utf8(label)
        || charset_decoder(label.as_bytes()).is_some_and(|decoder| decoder(PROBE.as_bytes()) == PROBE)
}

/// Whether [`charset`] reads this one as what it is.
pub fn is_readable(label: &str) -> bool {
    let label = usual(label);
    // Where there is no decoder, there may be one that replaces everything.
    let is_real = |decoder: fn(&[u8]) -> String| !decoder(b"aa").contains(char::REPLACEMENT_CHARACTER);
    is_utf8(label) || charset_decoder(label.as_bytes()).is_some_and(is_real)
}

/// Whether this names a charset that there is a decoder for.
pub fn says_something(label: &str) -> bool {
    let label = usual(label);
    !label.is_empty() && (is_utf8(label) || charset_decoder(label.as_bytes()).is_some())
}

/// Whether this is UTF-8, or ASCII, which is read as UTF-8.
pub fn is_utf8(label: &str) -> bool {
    let plain = ["utf-8", "utf8", "us-ascii", "ascii"];
    label.is_empty() || plain.iter().any(|name| label.eq_ignore_ascii_case(name))
}

/// The name of a charset that mail programs call so; none for what says nothing.
fn usual(label: &str) -> &str {
    const NAMES: &[(&str, &str)] = &[
        ("big-5", "big5"),
        ("big5hkscs", "big5"),
        ("cp-1250", "windows-1250"),
        ("cp-1251", "windows-1251"),
        ("cp-1252", "windows-1252"),
        ("cp932", "shift_jis"),
        ("cp949", "euc-kr"),
        ("cp950", "big5"),
        ("euc-cn", "gb2312"),
        ("euckr", "euc-kr"),
        ("iso-2022-jp-ms", "iso-2022-jp"),
        ("latin-1", "windows-1252"),
        ("ms932", "shift_jis"),
        ("ms949", "euc-kr"),
        ("uhc", "euc-kr"),
        ("utf_8", "utf-8"),
        ("utf8mb4", "utf-8"),
        ("windows1251", "windows-1251"),
        ("windows1252", "windows-1252"),
        ("x-utf-8", "utf-8"),
        ("8bit", ""),
        ("ansi", ""),
        ("binary", ""),
        ("default", ""),
        ("none", ""),
        ("unknown", ""),
        ("unknown-8bit", ""),
        ("x-unknown", ""),
    ];
    let label = label.trim_matches(['"', '\'', ',', ';', ' ']);
    let named = NAMES.iter().find(|(name, _)| label.eq_ignore_ascii_case(name));
    named.map_or(label, |(_, usual)| usual)
}

/// The base64 of a header, and whether all of it was sound. Padding in the middle ends one run and starts another, as
/// some mailers join them.
pub fn base64(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits, mut sound) = (0u32, 0u32, true);
    for &c in text {
        let Some(six) = sextet(c) else {
            if c == b'=' {
                (buffer, bits) = (0, 0);
            }
            sound &= c == b'=' || c.is_ascii_whitespace();
            continue;
        };
        buffer = (buffer << 6) | six;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    (bytes, sound && bits < 6)
}

/// The base64 of a body (RFC 2045 6.8), and whether all of it was sound. Padding ends the data: what a scanner of viruses or a
/// list puts behind it is none of the file. Padding that completes no group of four is skipped like any other character
/// that does not belong there.
pub fn base64_body(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut count, mut padding, mut sound) = (0u32, 0u32, 0, true);
    for (at, &c) in text.iter().enumerate() {
        let Some(six) = sextet(c) else {
            padding += u32::from(c == b'=');
            sound &= c == b'=' && count >= 2 || c.is_ascii_whitespace();
            if c == b'=' && count >= 2 && count + padding >= 4 {
                let rest = text.get(at..).unwrap_or_default();
                sound &= rest.iter().all(|c| *c == b'=' || c.is_ascii_whitespace());
                return (bytes, sound);
            }
            continue;
        };
        sound &= padding == 0;
        (buffer, padding) = ((buffer << 6) | six, 0);
        if count > 0 {
            bytes.push((buffer >> (6 - 2 * count)) as u8);
        }
        count = (count + 1) % 4;
    }
    (bytes, sound && count != 1)
}

fn sextet(c: u8) -> Option<u32> {
    let value = match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

/// Quoted-printable (RFC 2045 6.7). Blanks at the end of a line came in on the way and are left out; an `=` that starts
/// nothing stands for itself.
pub fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'=', b' ', b'\t', rest) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, b""));
        bytes.extend_from_slice(plain);
        if let Some(after) = from.strip_prefix(b"=") {
            let next_line = line_end(after.get(blanks(after)..).unwrap_or_default());
            rest = next_line.unwrap_or_else(|| unescape(after, &mut bytes));
        } else {
            let (blank, after) = from.split_at_checked(blanks(from)).unwrap_or((from, b""));
            if line_end(after).is_none() {
                bytes.extend_from_slice(blank);
            }
            rest = after;
        }
    }
    bytes.extend_from_slice(rest);
    bytes
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|c| matches!(c, b' ' | b'\t')).count()
}

/// What follows the end of a line at the start of `text`.
fn line_end(text: &[u8]) -> Option<&[u8]> {
    let line = text.strip_prefix(b"\r\n").or_else(|| text.strip_prefix(b"\n"));
    line.or_else(|| text.is_empty().then_some(text))
}

/// Adds what an `=` before `after` stands for, and gives what follows it.
fn unescape<'a>(after: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let byte = hex(after);
    bytes.push(byte.unwrap_or(b'='));
    if byte.is_some() { after.get(2..).unwrap_or_default() } else { after }
}

/// The Q encoding of a word (RFC 2047 4.2).
pub fn quoted_word(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|c| if *c == b'_' { b' ' } else { *c }).collect();
    // A soft line break has no place in a word, and is made by some.
    let mut rest = spaced.trim_ascii_end().strip_suffix(b"=").unwrap_or(&spaced);
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, b""));
        bytes.extend_from_slice(plain);
        rest = unescape(from.get(1..).unwrap_or_default(), &mut bytes);
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// `%41` (RFC 2231 4); a `%` that starts nothing stands for itself.
pub fn percent(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

fn hex(text: &[u8]) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match text {
        [high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_far_as_it_goes() {
        for (text, bytes, sound) in [
            ("aGFsbG8=", "hallo", true),
            ("aGFs\r\n bG8=\r\n", "hallo", true),
            ("aGFsbG8", "hallo", true),
            ("aGFsbG8=aGFsbG8=", "hallohallo", true),
            ("aGFs!bG8=", "hallo", false),
            ("aGFsb", "hal", false),
            ("", "", true),
        ] {
            assert_eq!(base64(text.as_bytes()), (bytes.as_bytes().to_vec(), sound), "{text}");
        }
        assert_eq!(base64(b"+/+/"), (vec![0xfb, 0xff, 0xbf], true));
    }

    /// What Python's `email` makes of them, but for "aGFsb", which it gives as it stands.
    #[test]
    fn base64_of_a_body_ends_at_its_padding() {
        for (text, bytes, sound) in [
            ("aGFsbG8=", "hallo", true),
            ("aGFs\r\n bG8=\r\n", "hallo", true),
            ("aGFsbG8", "hallo", true),
            ("aGFsbG8=\r\n\r\nGecontroleerd door de gemeente\r\n", "hallo", false),
            ("aGFsbG8=aGFsbG8=", "hallo", false),
            ("aGE=\r\nbG8=", "ha", false),
            ("aGFsbG8===\r\n", "hallo", true),
            ("aGVs=bG8=", "hello", false),
            ("aG=VsbG8=", "hello", false),
            ("=aGE=", "ha", false),
            ("aGFs!bG8=", "hallo", false),
            ("aGFsb", "hal", false),
            ("", "", true),
        ] {
            assert_eq!(base64_body(text.as_bytes()), (bytes.as_bytes().to_vec(), sound), "{text}");
        }
        assert_eq!(base64_body(b"+/+/"), (vec![0xfb, 0xff, 0xbf], true));
    }

    #[test]
    fn quoted_printable_as_far_as_it_goes() {
        for (text, bytes) in [
            ("a=3Db=\r\nc", "a=bc"),
            ("a= \t\r\nb", "ab"),
            ("a=zz=4", "a=zz=4"),
            ("einde=", "einde"),
            ("a\r\nb", "a\r\nb"),
            ("a;b  \r\nc;=64\t", "a;b\r\nc;d"),
            ("a =20 \r\n \t\r\nb =\r\nc= \nd=e9", "a  \r\n\r\nb cd\u{fffd}"),
            ("a==\r\nb", "a=b"),
        ] {
            let decoded = quoted_printable(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&decoded), bytes, "{text}");
        }
        assert_eq!(quoted_word(b"a_b_=20"), b"a b  ");
    }

    #[test]
    fn charsets_fall_back() {
        assert_eq!(charset(b"\xe9", Some("iso-8859-1")), "é");
        assert_eq!(charset("é".as_bytes(), Some("utf-8")), "é");
        assert_eq!(charset("é".as_bytes(), None), "é");
        assert_eq!(charset(b"\xe9", None), "é");
        assert_eq!(charset(b"\xe9", Some("us-ascii")), "é");
        assert_eq!(charset(b"\xe9", Some("")), "é");
        assert_eq!(charset(b"\xe9", Some("utf-8")), "\u{fffd}");
        assert_eq!(charset(b"a\x00b\x00", Some("utf-16le")), "ab");
        assert_eq!(charset(b"a", Some("")), "a");
        assert_eq!(charset(b"\x82\xa0", Some("CP932")), "あ");
        assert_eq!(charset(b"\xe9", Some("x-unknown")), "é");
        assert_eq!(charset(b"\xe9", Some("\"ISO-8859-1\";")), "é");
        assert_eq!(charset(b"\x1b$B!N\x1b(B\x1b$B#v\x1b(Bx", Some("ISO-2022-JP")), "［ｖx");
    }

    #[test]
    fn a_charset_is_known_where_ascii_means_itself() {
        for label in [
            "utf-8",
            "",
            "x-unknown",
            "iso-8859-15",
            "windows-1252",
            "koi8-r",
            "gb18030",
            "big5",
            "iso-2022-jp",
        ] {
            assert!(is_known(label), "{label}");
        }
        for label in
            ["cp037", "utf-7", "utf-16", "utf-16le", "utf-32", "hz-gb-2312", "iso-2022-kr", "iso646-fr", "x"]
        {
            assert!(!is_known(label), "{label}");
        }
        assert!(is_readable("utf-16le") && is_readable("utf-7") && is_readable("x-unknown"));
        assert!(!is_readable("cp037") && !is_readable("iso-2022-kr"));
    }
}
