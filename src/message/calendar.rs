//! Calendars (RFC 5545) as far as a mail brings one: the name of the event, which is the subject of the invitation and
//! has its tag.

/// Its media type.
pub const TYPE: &str = "text/calendar";

/// Events of one calendar whose names are looked at.
const MAX_SUMMARIES: usize = 100;

/// Bytes of a line (RFC 5545 3.1).
const MAX_LINE: usize = 75;

/// The calendar with other names for its events, where `rename` has one; `None` where it has none. All other lines stay
/// as they are.
pub fn renamed(calendar: &str, rename: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (mut written, mut is_changed, mut left) =
        (String::with_capacity(calendar.len()), false, MAX_SUMMARIES);
    for line in content_lines(calendar) {
        let unfolded = unfolded(line);
        let (name, value) = property(&unfolded);
        let new = match name == "SUMMARY" && left > 0 {
            true => {
                left -= 1;
                rename(&unescaped(value))
            }
            false => None,
        };
        match new {
            Some(new) => {
                let start = unfolded.len() - value.len();
                let text = format!("{}{}", unfolded.get(..start).unwrap_or(""), escaped(&new));
                written.push_str(&folded(&text));
                is_changed = true;
            }
            None => written.push_str(line),
        }
    }
    is_changed.then_some(written)
}

/// Name, in capitals, and value of a line: `NAME;parameter="a:b":value`.
pub fn property(line: &str) -> (String, &str) {
    let name = line.split([';', ':']).next().unwrap_or("").trim().to_ascii_uppercase();
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    });
    (name, colon.and_then(|at| line.get(at + 1..)).unwrap_or(""))
}

/// The lines with those folded into them, line ends included (RFC 5545 3.1).
fn content_lines(calendar: &str) -> impl Iterator<Item = &str> {
    let mut rest = calendar;
    std::iter::from_fn(move || {
        let is_end = |end: &usize| !rest.get(end + 1..).is_some_and(|next| next.starts_with([' ', '\t']));
        let end = memchr::memchr_iter(b'\n', rest.as_bytes()).find(is_end).map_or(rest.len(), |end| end + 1);
        let line = rest.get(..end).filter(|line| !line.is_empty())?;
        rest = rest.get(end..).unwrap_or("");
        Some(line)
    })
}

fn unfolded(line: &str) -> String {
    let mut pieces = line.split('\n').map(|piece| piece.strip_suffix('\r').unwrap_or(piece));
    let mut text = pieces.next().unwrap_or("").to_owned();
    text.extend(pieces.map(|piece| piece.get(1..).unwrap_or("")));
    text
}

/// In lines that are short enough, cut between characters.
fn folded(text: &str) -> String {
    let (mut lines, mut length) = (String::with_capacity(text.len() + 2), 0);
    for c in text.chars() {
        if length + c.len_utf8() > MAX_LINE {
            lines.push_str("\r\n ");
            length = 1;
        }
        lines.push(c);
        length += c.len_utf8();
    }
    lines + "\r\n"
}

/// RFC 5545 3.3.11
fn unescaped(value: &str) -> String {
    let (mut text, mut is_escaped) = (String::with_capacity(value.len()), false);
    for c in value.chars() {
        match (std::mem::replace(&mut is_escaped, false), c) {
            (false, '\\') => is_escaped = true,
            (true, 'n' | 'N') => text.push('\n'),
            _ => text.push(c),
        }
    }
    text
}

fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
        match c {
            '\n' => value.push_str("\\n"),
            '\\' | ';' | ',' => value.extend(['\\', c]),
            _ => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_tag(summary: &str) -> Option<String> {
        summary.strip_prefix("[geheim] ").map(str::to_owned)
    }

    #[test]
    fn only_the_name_of_the_event_changes() {
        let calendar = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY;LANGUAGE=nl;X=\"a:b\":[geheim] Ove\r\n rleg\\, kort\r\n\
            DESCRIPTION:SUMMARY:[geheim] x\r\nEND:VEVENT\r\n";
        let expected = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY;LANGUAGE=nl;X=\"a:b\":Overleg\\, kort\r\n\
            DESCRIPTION:SUMMARY:[geheim] x\r\nEND:VEVENT\r\n";
        assert_eq!(renamed(calendar, &without_tag).as_deref(), Some(expected));
        assert_eq!(renamed(expected, &without_tag), None);
        let bare = "SUMMARY:[geheim] x\nUID:1\n\nrest";
        assert_eq!(renamed(bare, &without_tag).as_deref(), Some("SUMMARY:x\r\nUID:1\n\nrest"));
        let long = format!("summary:[geheim] {}\r\n", "é".repeat(100));
        let found = renamed(&long, &without_tag).unwrap();
        assert!(found.lines().all(|line| line.len() <= MAX_LINE) && found.ends_with("\r\n"));
        assert_eq!(unfolded(&found), format!("summary:{}", "é".repeat(100)));
        let many = "SUMMARY:[geheim] x\r\n".repeat(MAX_SUMMARIES + 1);
        assert_eq!(renamed(&many, &without_tag).unwrap().matches("geheim").count(), 1);
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_read_as_it_was_written(name in "[ -~é\n]{0,200}") {
            let calendar = format!("A:b\r\n{}C:d\r\n", folded(&format!("SUMMARY:{}", escaped(&name))));
            let found = std::cell::RefCell::new(String::new());
            renamed(&calendar, &|summary| { *found.borrow_mut() = summary.to_owned(); None });
            proptest::prop_assert_eq!(found.into_inner(), name);
        }

        #[test]
        fn nothing_else_is_touched(calendar: String) {
            let same = renamed(&calendar, &|summary| Some(summary.to_owned()));
            let lines = |text: &str| content_lines(text).filter(|line| property(&unfolded(line)).0 != "SUMMARY").map(str::to_owned).collect::<Vec<_>>();
            if let Some(same) = same {
                proptest::prop_assert_eq!(lines(&same), lines(&calendar));
            }
        }
    }
}
