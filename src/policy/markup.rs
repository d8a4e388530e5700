//! HTML as a reader sees it, as far as looking for numbers needs: no tags, no comments, the entities that
//! matter resolved. Pure and linear; not for showing anything to anyone.

use memchr::memchr;
use memchr::memmem;

/// Tags inside a word, which leave no gap in the text; every other tag counts as a blank.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "code", "del", "em", "font", "i", "ins", "mark", "s", "small", "span",
    "strike", "strong", "sub", "sup", "u", "wbr",
];

/// The text of `html`.
pub(super) fn strip(html: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(html.len());
    let mut rest = html;
    let last_comment_end = memmem::rfind(html, b"-->").unwrap_or(0);
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'<' => match tag(after, html.len() - after.len() < last_comment_end) {
                Some((inside, after)) => {
                    if !is_inline(inside) {
                        text.push(b' ');
                    }
                    after
                }
                // Nothing closes this one, so nothing closes a later one either.
                None if memchr(b'>', after).is_none() => {
                    text.extend_from_slice(rest);
                    return text;
                }
                None => {
                    text.push(first);
                    after
                }
            },
            b'&' => match entity(after) {
                Some((c, after)) => {
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    after
                }
                None => {
                    text.push(first);
                    after
                }
            },
            _ => {
                text.push(first);
                after
            }
        };
    }
    text
}

/// The inside of a tag or comment whose `<` was read, and what follows its end.
/// `comments_end`: whether `-->` still comes, known beforehand so that it is not sought again and again.
fn tag(after: &[u8], comments_end: bool) -> Option<(&[u8], &[u8])> {
    let first = after.first()?;
    if !(first.is_ascii_alphabetic() || b"/!?".contains(first)) {
        return None;
    }
    // A comment may hold tags; an unclosed one ends where a tag would.
    let comment = after.strip_prefix(b"!--").filter(|_| comments_end);
    let (end, skip) = match comment.and_then(|comment| memmem::find(comment, b"-->")) {
        Some(end) => (end + 3, 3),
        None => (memchr(b'>', after)?, 1),
    };
    Some((after.get(..end)?, after.get(end + skip..)?))
}

fn is_inline(inside: &[u8]) -> bool {
    if inside.starts_with(b"!--") {
        return true;
    }
    let name = inside.strip_prefix(b"/").unwrap_or(inside);
    let end = name.iter().position(|c| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default();
    INLINE.iter().any(|inline| name.eq_ignore_ascii_case(inline.as_bytes()))
}

/// The character of an entity whose `&` was read, and what follows it.
fn entity(after: &[u8]) -> Option<(char, &[u8])> {
    let end = after.iter().take(12).position(|&c| c == b';')?;
    let name = std::str::from_utf8(after.get(..end)?).ok()?;
    let c = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => char::from_u32(u32::from_str_radix(hex, 16).ok()?)?,
            None => char::from_u32(number.parse().ok()?)?,
        },
        None => match name {
            "nbsp" | "ensp" | "emsp" | "thinsp" => ' ',
            "shy" | "zwnj" | "zwj" | "ZeroWidthSpace" => '\u{ad}',
            "period" => '.',
            "hyphen" | "dash" => '-',
            _ => return None,
        },
    };
    Some((c, after.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_tags() {
        for (html, expected) in [
            ("<p>BSN <b>123</b>456</p>", " BSN 123456 "),
            ("<td>BSN</td><td>1</td>", " BSN  1 "),
            ("1<!-- <b>2 -->3", "13"),
            ("a &lt b &nbsp;&#49;&#x32;", "a &lt b  12"),
            ("1 < 2 <b>3", "1 < 2 3"),
            ("open <a href", "open <a href"),
            ("&", "&"),
            ("<", "<"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8_lossy(&strip(html.as_bytes())), expected, "{html}");
        }
    }

    #[test]
    fn hostile_markup_costs_little() {
        for text in ["<!--", "<", "<a", "&#1", "<!-->", "<!-- >"] {
            strip(&text.repeat(1 << 18).into_bytes());
        }
    }
}
