//! HTML as text, as far as searching and plain readers need it, and the charset that it names itself; used by `mime`,
//! the charset by the pages too. Linear, and not for showing HTML to anyone.

use super::decode;

/// Tags within a word; every other one parts words.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "s",
    "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// Bytes of the name of an entity, with its zeros.
const MAX_ENTITY: usize = 38;

/// Characters of a tag in which quotes count.
const MAX_TAG: usize = 2000;

/// Bytes in which HTML says its charset; browsers look at 1024.
const MAX_PROLOGUE: usize = 4096;

/// HTML out of its bytes: in the charset that its Content-Type names, in the one that it names itself where the first
/// says nothing, or by a guess.
pub fn decoded(bytes: &[u8], label: Option<&str>) -> String {
    let own = || own_charset(bytes);
    let text = match label.filter(|label| decode::says_something(label)) {
        Some(label) => decode::charset(bytes, Some(label)),
        None => decode::charset(bytes, own().as_deref()),
    };
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// The charset of a byte order mark, an XML declaration or a `<meta>` (HTML 13.2.3.2). UTF-8 beyond ASCII is UTF-8
/// whatever it says: nothing else looks like it.
fn own_charset(bytes: &[u8]) -> Option<String> {
    let marks: [(&[u8], &str); 2] = [(b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be")];
    if let Some((_, label)) = marks.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        return Some((*label).to_owned());
    }
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let prologue = bytes.get(..MAX_PROLOGUE).unwrap_or(bytes).to_ascii_lowercase();
    let prologue = String::from_utf8_lossy(&prologue);
    let xml = prologue.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let metas = prologue.split("<meta").skip(1).map(|rest| rest.split('>').next().unwrap_or(""));
    let label = xml.and_then(|xml| value_of(xml, "encoding")).or_else(|| {
        metas.filter_map(|meta| value_of(meta, "charset")).find(|label| decode::says_something(label))
    })?;
    // It was read as ASCII to get here.
    Some(if label.starts_with("utf-16") { "utf-8".to_owned() } else { label })
}

/// What stands behind `name=`, with or without quotes.
fn value_of(tag: &str, name: &str) -> Option<String> {
    let behind = tag.split_once(name)?.1.trim_start().strip_prefix('=')?;
    let value = behind.trim_start().trim_start_matches(['"', '\'']).trim_start();
    let end = value.find(|c: char| c.is_whitespace() || "\"';/>".contains(c)).unwrap_or(value.len());
    value.get(..end).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// The text of HTML for searching and for plain readers: tags become blanks, those within a word nothing, and
/// entities what they stand for. More is kept than a browser shows, scripts and styles for instance.
pub fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    // What is known to end somewhere is looked for only then, and so never twice.
    let last_end = html.rfind('>').unwrap_or(0);
    let last_comment = html.rfind("-->").unwrap_or(0);
    let mut at = 0;
    while let Some(found) = html.get(at..).and_then(|rest| rest.find(['<', '&'])) {
        let from = html.get(at + found..).unwrap_or("");
        text.push_str(html.get(at..at + found).unwrap_or(""));
        at += found;
        if from.starts_with('&') {
            let (c, length) = entity(from);
            text.push(c);
            at += length;
        } else {
            // A "<" that starts no tag is text; so is one that is never closed.
            let starts = |c: char| "/!?".contains(c) || c.is_ascii_alphabetic();
            let is_tag = at < last_end && from.get(1..).is_some_and(|tag| tag.starts_with(starts));
            let length = match from.starts_with("<!--") && at < last_comment {
                true => from.find("-->").map_or(1, |end| end + 3),
                false if is_tag => closing_bracket(from).map_or(1, |end| end + 1),
                false => 1,
            };
            if !is_inline(from.get(1..length).unwrap_or("")) {
                text.push(' ');
            }
            at += length;
        }
    }
    text.push_str(html.get(at..).unwrap_or(""));
    text
}

/// The `>` that is in no quoted value, or the first where a quote does not close nearby.
fn closing_bracket(from: &str) -> Option<usize> {
    let mut quote = None;
    let outside = from.char_indices().take(MAX_TAG).find(|(_, c)| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (Some(open), c) if open == *c => {
            quote = None;
            false
        }
        (None, '>') => true,
        _ => false,
    });
    outside.map(|(at, _)| at).or_else(|| from.find('>'))
}

/// Whether what follows a `<` is a tag within a word, or a comment.
fn is_inline(tag: &str) -> bool {
    let name = tag.strip_prefix('/').unwrap_or(tag);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or("");
    tag.starts_with("!--") || INLINE_TAGS.iter().any(|inline| name.eq_ignore_ascii_case(inline))
}

/// The character that an entity at the start of `from` stands for, and its length.
fn entity(from: &str) -> (char, usize) {
    let is_part = |c: &u8| c.is_ascii_alphanumeric() || *c == b'#';
    let end = 1 + from.bytes().skip(1).take(MAX_ENTITY).take_while(is_part).count();
    let name = from.get(1..end).unwrap_or("");
    let has_end = from.get(end..).is_some_and(|rest| rest.starts_with(';'));
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        },
        None => None,
    };
    let c = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" | "hairsp" | "numsp" | "puncsp" | "Tab" | "NewLine" => Some(' '),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "shy" | "zwnj" | "zwj" | "lrm" | "rlm" | "NoBreak" | "ZeroWidthSpace" | "NegativeThinSpace" => {
            Some('\u{200b}')
        }
        "hyphen" | "dash" | "ndash" | "mdash" | "minus" => Some('-'),
        "period" => Some('.'),
        _ => number.and_then(char::from_u32),
    };
    // Browsers take numbers and the oldest names without a semicolon too.
    let is_open = number.is_some() || name == "nbsp";
    match c {
        Some(c) if has_end => (c, name.len() + 2),
        Some(c) if is_open => (c, name.len() + 1),
        _ => ('&', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_names_its_own_charset() {
        let hello = b"\xcf\xf0\xe8\xe2\xe5\xf2";
        for head in [
            "<meta charset=windows-1251>",
            "<META CHARSET = 'windows-1251' />",
            "<meta name=generator content=x><meta charset=\"windows-1251\">",
            "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\">",
            "<meta content='text/html;charset=windows-1251' http-equiv=content-type>",
            "<?xml version=\"1.0\" encoding=\"windows-1251\"?><html>",
        ] {
            let html = [head.as_bytes(), hello].concat();
            for label in [None, Some(""), Some("x-unknown"), Some("klaas")] {
                assert_eq!(decoded(&html, label), format!("{head}Привет"), "{label:?}");
            }
            assert!(decoded(&html, Some("iso-8859-1")).ends_with("Ïðèâåò"), "{head}");
        }
        let right = "<meta charset=windows-1251>é";
        assert_eq!(decoded(right.as_bytes(), None), right);
        assert_eq!(decoded(b"\xef\xbb\xbf<p>a", None), "<p>a");
        assert_eq!(decoded(b"\xff\xfe<\0p\0>\0a\0", None), "<p>a");
        assert_eq!(decoded(b"<meta charset=utf-16><p>a", None), "<meta charset=utf-16><p>a");
        assert_eq!(
            decoded(b"<meta charset=iso-2022-jp>\x1b$B$\"\x1b(B", None),
            "<meta charset=iso-2022-jp>あ"
        );
        assert_eq!(decoded(b"<meta charset", None), "<meta charset");
        assert_eq!(decoded(b"<p>\xe9", None), "<p>é");
    }

    #[test]
    fn tags_part_words_unless_they_stand_within_one() {
        for (html, text) in [
            ("<p>BSN <b>123</b>456</p>", " BSN 123456 "),
            ("<td>BSN</td><td>111&nbsp;<b>222</b>&#51;33</td>", " BSN  111 222333 "),
            ("1<SPAN class=x>2</Span >3<br>4", "123 4"),
            ("1<!-- x -->3", "13"),
            ("1<body>2<bx>3", "1 2 3"),
            ("1 < 2 <b>3", "1   2 3"),
            ("a &lt b &#x32;&ndash;&shy;", "a &lt b 2-\u{200b}"),
            ("&lt;&gt;&quot;a&period;nl", "<>\"a.nl"),
            ("open <a href", "open  a href"),
            ("1<!-- a > b -->2<!-->3", "123"),
            ("1<span title=\"a>b\">2<i title='>'>3<b title=\"4>5", "1235"),
            ("&#49&#0000000000050;&#x33&nbsp 4&lrm;5", "123  4\u{200b}5"),
            ("&#;&#x;&nbspx;&amp", "&#;&#x;&nbspx;&amp"),
            ("&", "&"),
            ("<", " "),
            ("", ""),
        ] {
            assert_eq!(without_tags(html), text, "{html}");
        }
    }
}
