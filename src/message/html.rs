//! HTML as text, as far as searching and plain readers need it; used by `mime`. Linear, and not for showing HTML
//! to anyone.

/// Tags within a word; every other one parts words.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "s",
    "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// Bytes of the name of an entity, with its zeros.
const MAX_ENTITY: usize = 38;

/// Characters of a tag in which quotes count.
const MAX_TAG: usize = 2000;

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
