//! `format=flowed` (RFC 3676): lines that a mail program broke to fit a screen of its own are joined again. Used by
//! `mime` for the text that is shown, and for what the policy reads. Linear; no character is lost but the blanks that
//! the format itself put there.

/// What separates a signature from the text (RFC 3676 4.3): never the end of a soft line.
const SIGNATURE: &str = "-- ";

/// Levels of quotation that are told apart.
const MAX_QUOTES: usize = 100;

/// The text with its paragraphs on one line each. `delsp`: the blank before a soft line break was put there for the
/// break alone.
pub fn joined(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // The quotation level of the line that goes on, where one does.
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let end = line.trim_end_matches(['\r', '\n']).len();
        let (content, line_break) = line.split_at_checked(end).unwrap_or((line, ""));
        let (quotes, content) = quoted(content);
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_empty = content.trim().is_empty();
        // A paragraph ends where its level does, whatever its last line said (4.5); and at an empty line, although
        // the RFC has that one swallowed: programs that say so mean two paragraphs.
        let goes_on = open == Some(quotes) && content != SIGNATURE && !is_empty;
        if open.is_some() && !goes_on {
            end_line(&mut out);
        }
        if !goes_on {
            out.extend(std::iter::repeat_n('>', quotes));
            out.push_str(if quotes > 0 && !content.is_empty() { " " } else { "" });
        }
        // A line of blanks alone is an empty line that somebody padded.
        let is_soft = content.ends_with(' ') && content != SIGNATURE && !is_empty && !line_break.is_empty();
        match content.strip_suffix(' ').filter(|_| is_soft && delsp) {
            Some(without) => out.push_str(without),
            None => out.push_str(content),
        }
        open = is_soft.then_some(quotes);
        if !is_soft {
            out.push_str(line_break);
        }
    }
    out
}

/// Ends a paragraph that another one follows.
fn end_line(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push_str("\r\n");
}

/// The level of quotation of a line, and what stands behind its marks. Some programs put a blank between two marks,
/// which the format does not know.
fn quoted(line: &str) -> (usize, &str) {
    let (mut level, mut rest) = (0, line);
    while level < MAX_QUOTES {
        let next = rest.strip_prefix('>').or_else(|| rest.strip_prefix(" >").filter(|_| level > 0));
        let Some(next) = next else { break };
        (level, rest) = (level + 1, next);
    }
    (level, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_lines_are_joined_and_hard_ones_are_not() {
        for (text, expected) in [
            (
                "Een alinea \r\nin twee regels.\r\nEn een andere.\r\n",
                "Een alinea in twee regels.\r\nEn een andere.\r\n",
            ),
            ("een \r\n\r\ntwee\r\n", "een\r\n\r\ntwee\r\n"),
            ("een \r\n \r\ntwee\r\n", "een\r\n\r\ntwee\r\n"),
            ("een\r\n  \r\ntwee", "een\r\n \r\ntwee"),
            ("einde ", "einde "),
            ("", ""),
            ("een \ntwee", "een twee"),
            ("  ingesprongen\r\n", " ingesprongen\r\n"),
        ] {
            assert_eq!(joined(text, false), expected, "{text:?}");
        }
    }

    #[test]
    fn stuffing_is_undone() {
        assert_eq!(
            joined(" From hier\r\n > geen citaat\r\n  twee\r\n", false),
            "From hier\r\n> geen citaat\r\n twee\r\n"
        );
    }

    #[test]
    fn quotations_keep_their_level() {
        for (text, expected) in [
            ("> een \r\n> twee\r\n> drie\r\n", "> een twee\r\n> drie\r\n"),
            (">een \r\n>twee\r\n", "> een twee\r\n"),
            (">> een \r\n> twee\r\n", ">> een\r\n> twee\r\n"),
            ("> > een \r\n> > twee\r\n", ">> een twee\r\n"),
            ("> een \r\nantwoord\r\n", "> een\r\nantwoord\r\n"),
            (">\r\n> een\r\n", ">\r\n> een\r\n"),
        ] {
            assert_eq!(joined(text, false), expected, "{text:?}");
        }
    }

    #[test]
    fn a_signature_stays_apart() {
        assert_eq!(joined("Groet \r\n-- \r\nJan\r\n", false), "Groet\r\n-- \r\nJan\r\n");
        assert_eq!(joined("> Groet \r\n> -- \r\n> Jan\r\n", true), "> Groet\r\n> -- \r\n> Jan\r\n");
    }

    #[test]
    fn delsp_leaves_no_blank_in_an_address() {
        let text = "Zie https://voorbeeld.nl/zaken/2026/ \r\nbesluit?nummer=12 \r\n34 voor meer.\r\n";
        assert_eq!(
            joined(text, true),
            "Zie https://voorbeeld.nl/zaken/2026/besluit?nummer=1234 voor meer.\r\n"
        );
        assert_eq!(joined("日本 \r\n語\r\n", true), "日本語\r\n");
    }

    #[test]
    fn whatever_comes_stays() {
        let marks = ">".repeat(100_000);
        assert!(joined(&marks, true).len() >= marks.len());
        let lines = "> \r\n".repeat(50_000);
        assert!(joined(&lines, false).len() <= lines.len());
    }
}
