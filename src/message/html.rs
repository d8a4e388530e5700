//! HTML as text, as far as searching and plain readers need it; used by `mime`. Linear, and not for showing HTML
//! to anyone.

/// Tags within a word; every other one parts words.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "s",
    "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// The text of HTML for searching and for plain readers: tags become blanks, those within a word nothing, and
/// entities what they stand for. More is kept than a browser shows, scripts and styles for instance.
pub fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let last_end = html.rfind('>').unwrap_or(0);
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
            let length = if is_tag { from.find('>').unwrap_or(0) + 1 } else { 1 };
            if !is_inline(from.get(1..length).unwrap_or("")) {
                text.push(' ');
            }
            at += length;
        }
    }
    text.push_str(html.get(at..).unwrap_or(""));
    text
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
    let end = from.bytes().take(12).position(|c| c == b';');
    let name = end.and_then(|end| from.get(1..end)).unwrap_or("");
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        },
        None => None,
    };
    let c = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => Some(' '),
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "shy" | "zwnj" | "zwj" | "ZeroWidthSpace" => Some('\u{200b}'),
        "hyphen" | "dash" | "ndash" => Some('-'),
        "period" => Some('.'),
        _ => number.and_then(char::from_u32),
    };
    match (c, end) {
        (Some(c), Some(end)) => (c, end + 1),
        _ => ('&', 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("&", "&"),
            ("<", " "),
            ("", ""),
        ] {
            assert_eq!(without_tags(html), text, "{html}");
        }
    }
}
