//! A style sheet of an organisation: refused with lines of it, or colours that people can tell apart, in a sheet that
//! loses nothing of it and in which ours comes first.

use zegel::config::{Scheme, Theme};

pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (theme, faults) = Theme::of(text);
    let lines = text.matches('\n').count() + 1;
    for fault in &faults {
        let line = fault.strip_prefix("line ").and_then(|rest| rest.split_once(':'));
        let (line, _) = line.unwrap_or_else(|| panic!("no line: {fault}"));
        assert!((1..=lines).contains(&line.parse().unwrap()), "{fault}");
        assert!(crate::is_one_line(fault) && fault.len() < 400, "{fault:?}");
    }
    for scheme in [&theme.light, &theme.dark] {
        let Scheme { ink, card, muted, accent, button, on_button, heading, header, .. } = scheme;
        for (text, behind) in [
            (ink, card),
            (muted, card),
            (accent, card),
            (heading, card),
            (heading, header),
            (on_button, button),
        ] {
            assert!(!faults.is_empty() || text.contrast(*behind) >= 4.5, "{text} on {behind}");
        }
    }
    let sheet = std::str::from_utf8(&theme.style_sheet).unwrap();
    assert!(sheet.starts_with("/* The look"));
    let is_refused = faults.iter().any(|fault| fault.contains("clos") || fault.contains("block"));
    if !is_refused && !text.to_lowercase().contains("dark") {
        assert!(sheet.contains(text), "something is lost");
    }
}
