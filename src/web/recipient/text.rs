//! Plain text for a page: words, and the addresses in it that can be followed, each as far as its real end. Linear.

/// A piece of a text; all together they are the text again.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Words(String),
    /// An address, to be followed by hand only.
    Link {
        /// As it was written.
        text: String,
        /// Where it leads.
        address: String,
    },
}

/// How an address begins, in any case, and what makes it whole.
const STARTS: [(&str, &str); 4] = [("https://", ""), ("http://", ""), ("mailto:", ""), ("www.", "https://")];
/// What ends a sentence, and not an address.
const PUNCTUATION: &[char] =
    &['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~', '…', '、', '。', '，', '．', '！', '？'];
/// What is never in an address: quotation marks of all languages, brackets that mean something else.
const ENDS: &[char] = &[
    '<', '>', '"', '|', '`', '“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '‹', '›', '「', '」', '『',
    '』', '（', '）', '【', '】',
];
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];

/// Characters in front of the `@` of a mailbox (RFC 5321 4.5.3.1.1 has 64).
const MAX_MAILBOX: usize = 128;

/// Finds the addresses in a text.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut copied, mut before) = (0, None);
    for (at, c) in text.char_indices() {
        let previous = before.replace(c);
        // In the middle of a word nothing begins.
        if at < copied || !"hHmMwW".contains(c) || previous.is_some_and(char::is_alphanumeric) {
            continue;
        }
        let Some((link, address)) = text.get(at..).and_then(link) else { continue };
        pieces.extend(
            text.get(copied..at)
                .filter(|words| !words.is_empty())
                .map(|words| Piece::Words(words.to_owned())),
        );
        pieces.push(Piece::Link { text: link.to_owned(), address });
        copied = at + link.len();
    }
    pieces.extend(
        text.get(copied..).filter(|words| !words.is_empty()).map(|words| Piece::Words(words.to_owned())),
    );
    pieces
}

/// The address at the start of a text, and where it leads.
fn link(text: &str) -> Option<(&str, String)> {
    let (start, scheme) = STARTS
        .iter()
        .find(|(start, _)| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)))?;
    if !is_whole(start, text.get(start.len()..)?) {
        return None;
    }
    let link = without_tail(text.get(..text.find(is_end).unwrap_or(text.len()))?);
    Some((link, format!("{scheme}{link}")))
}

/// Whether there is an address behind its beginning. Only that far is looked: what is none costs nothing.
fn is_whole(start: &str, rest: &str) -> bool {
    match start {
        "mailto:" => {
            let at = rest
                .char_indices()
                .take(MAX_MAILBOX)
                .take_while(|(_, c)| !is_end(*c))
                .find(|(_, c)| *c == '@');
            at.is_some_and(|(at, _)| at > 0 && rest.get(at + 1..).is_some_and(begins_name))
        }
        // "www.voorbeeld.nl" is a name, "www." and "www.klaar" are words.
        "www." => {
            let host = rest.split(|c: char| "/?#".contains(c) || is_end(c)).next().unwrap_or("");
            begins_name(host) && host.trim_end_matches('.').contains('.')
        }
        _ => begins_name(rest) || rest.starts_with('['),
    }
}

fn begins_name(text: &str) -> bool {
    text.starts_with(char::is_alphanumeric)
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_invisible(c) || ENDS.contains(&c)
}

/// Without the punctuation behind it, and without a closing bracket that was opened before the address.
fn without_tail(link: &str) -> &str {
    let mut open = BRACKETS.map(|(open, close)| {
        // More than there can be of either on one page.
        let count = |bracket: char| i64::try_from(link.matches(bracket).count()).unwrap_or(i64::MAX);
        count(open).saturating_sub(count(close))
    });
    let mut link = link;
    while let Some(last) = link.chars().next_back() {
        let bracket = BRACKETS.iter().position(|(_, close)| *close == last);
        match bracket.and_then(|index| open.get_mut(index)) {
            Some(open) if *open < 0 => *open += 1,
            None if PUNCTUATION.contains(&last) => {}
            _ => break,
        }
        link = link.get(..link.len() - last.len_utf8()).unwrap_or("");
    }
    link
}

/// What no one sees and programs put beside an address: zero-width characters, marks of direction, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<String> {
        let pieces = pieces(text);
        let whole: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Words(text) | Piece::Link { text, .. } => text.as_str(),
            })
            .collect();
        assert_eq!(whole, text, "no letter is lost");
        let link = |piece| match piece {
            Piece::Link { address, .. } => Some(address),
            Piece::Words(_) => None,
        };
        pieces.into_iter().filter_map(link).collect()
    }

    #[test]
    fn finds_links_by_their_real_ends() {
        for (text, expected) in [
            ("Zie https://voorbeeld.nl/a?b=1. Of", "https://voorbeeld.nl/a?b=1"),
            ("(http://x.nl)", "http://x.nl"),
            ("<https://y.nl>!", "https://y.nl"),
            (
                "https://nl.wikipedia.org/wiki/Stempel_(waarmerk), en",
                "https://nl.wikipedia.org/wiki/Stempel_(waarmerk)",
            ),
            (
                "(zie https://nl.wikipedia.org/wiki/Stempel_(waarmerk))",
                "https://nl.wikipedia.org/wiki/Stempel_(waarmerk)",
            ),
            ("[https://x.nl/a[1]].", "https://x.nl/a[1]"),
            ("“https://x.nl/a”", "https://x.nl/a"),
            ("„https://x.nl/a‟ of ‚https", "https://x.nl/a"),
            ("«https://x.nl/a»", "https://x.nl/a"),
            ("‘https://x.nl/a’s", "https://x.nl/a"),
            ("'https://x.nl/a'", "https://x.nl/a"),
            ("*https://x.nl/a*…", "https://x.nl/a"),
            ("HTTPS://X.NL/A", "HTTPS://X.NL/A"),
            ("HtTp://x.nl", "HtTp://x.nl"),
            ("www.voorbeeld.nl/loket.", "https://www.voorbeeld.nl/loket"),
            ("WWW.voorbeeld.nl:", "https://WWW.voorbeeld.nl"),
            ("mailto:info@voorbeeld.nl?subject=a.", "mailto:info@voorbeeld.nl?subject=a"),
            ("https://gemeente-súdwest.frl/frysk", "https://gemeente-súdwest.frl/frysk"),
            ("https://пример.рф/путь", "https://пример.рф/путь"),
            ("https://x.nl/a\u{200b}b", "https://x.nl/a"),
            ("https://x.nl/l'a?q={1}", "https://x.nl/l'a?q={1}"),
            ("见https://x.cn/a。", ""),
            ("：https://x.cn/a。", "https://x.cn/a"),
            ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
            ("https://x.nl/a#deel-2)", "https://x.nl/a#deel-2"),
        ] {
            let expected: Vec<&str> = [expected].into_iter().filter(|link| !link.is_empty()).collect();
            assert_eq!(links(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_no_links() {
        for text in [
            "https://",
            "http://)",
            "www.",
            "www.klaar",
            "awww.x.nl",
            "mailto:",
            "mailto:jan",
            "xhttps",
            "",
            "htt",
        ] {
            assert_eq!(links(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_read_in_linear_time() {
        let start = std::time::Instant::now();
        for piece in
            ["https://x.nl/)", "https://)", "www.", "www.a/", "https://", "hhh", "mailto:a@b", "mailto:", ")"]
        {
            links(&piece.repeat((1 << 17) / piece.len()));
        }
        links(&format!("https://x.nl/{}", ")".repeat(1 << 17)));
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }
}
