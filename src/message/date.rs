//! The Date field (RFC 5322 3.3), read as it is written in practice.

use jiff::fmt::rfc2822::{DateTimeParser, to_string};

const PARSER: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Names of zones that RFC 5322 does not know and programs in Europe write.
const ZONES: &[(&str, &str)] = &[
    ("WET", "+0000"),
    ("WEST", "+0100"),
    ("BST", "+0100"),
    ("CET", "+0100"),
    ("MET", "+0100"),
    ("MEZ", "+0100"),
    ("CEST", "+0200"),
    ("MEST", "+0200"),
    ("MESZ", "+0200"),
    ("EET", "+0200"),
    ("EEST", "+0300"),
];

/// The date anew in the form of RFC 5322, with the same time and zone; `None` where it is no date.
pub fn canonical(value: &str) -> Option<String> {
    let words: Vec<&str> = value.split('(').next()?.split_whitespace().collect();
    let written = words.join(" ");
    let (start, zone) = written.rsplit_once(' ')?;
    let known = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone));
    let offset =
        zone.strip_prefix("GMT").or_else(|| zone.strip_prefix("UTC")).filter(|rest| !rest.is_empty());
    let zone = known.map(|(_, offset)| *offset).or(offset).unwrap_or(zone).replace(':', "");
    let is_zone = zone.starts_with(['+', '-']) || zone.starts_with(|c: char| c.is_ascii_alphabetic());
    let candidates = match is_zone {
        true => [format!("{start} {zone}"), written],
        // Without a zone nobody knows the place; the time is taken for that of UTC (RFC 5322 3.3).
        false => [format!("{written} -0000"), written],
    };
    let parsed = candidates.iter().find_map(|text| PARSER.parse_zoned_datetime(text).ok())?;
    let canonical = to_string(&parsed).ok()?;
    // A day of one digit may have a zero before it.
    let is_same = without_zero(value.trim()) == without_zero(&canonical);
    Some(if is_same { value.trim().to_owned() } else { canonical })
}

fn without_zero(date: &str) -> String {
    date.replacen(", 0", ", ", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_anew() {
        for (written, expected) in [
            ("Mon, 23 Nov 2026 10:11:12 +0100", "Mon, 23 Nov 2026 10:11:12 +0100"),
            (" 23 Nov 2026 10:11 +0100", "Mon, 23 Nov 2026 10:11:00 +0100"),
            ("Tue, 23  Nov 2026 10:11:12 +0100 (CET)", "Mon, 23 Nov 2026 10:11:12 +0100"),
            ("Mon, 23 Nov 2026 10:11:12 GMT", "Mon, 23 Nov 2026 10:11:12 +0000"),
            ("Mon, 23 Nov 2026 10:11:12 CET", "Mon, 23 Nov 2026 10:11:12 +0100"),
            ("Mon, 23 Nov 2026 10:11:12 +01:00", "Mon, 23 Nov 2026 10:11:12 +0100"),
            ("Mon, 23 Nov 2026 10:11:12 GMT+0100", "Mon, 23 Nov 2026 10:11:12 +0100"),
            ("Mon, 23 Nov 26 10:11:12 -0500", "Mon, 23 Nov 2026 10:11:12 -0500"),
            ("Mon, 23 Nov 2026 10:11:12", "Mon, 23 Nov 2026 10:11:12 +0000"),
            ("Tue, 3 Nov 2026 01:02:03 -0500", "Tue, 3 Nov 2026 01:02:03 -0500"),
            ("Tue, 03 Nov 2026 01:02:03 -0500", "Tue, 03 Nov 2026 01:02:03 -0500"),
        ] {
            assert_eq!(canonical(written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for written in [
            "",
            "now",
            "23-11-2026",
            "Mon, 31 Feb 2026 10:11:12 +0100",
            "Mon, 23 Nov 2026 99:11:12 +0100",
            "(",
            "\u{e9} +",
        ] {
            assert_eq!(canonical(written), None, "{written}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_it_says_it_is_read_again(written in "[a-zA-Z0-9:+, -]{0,40}") {
            if let Some(date) = canonical(&written) {
                proptest::prop_assert_eq!(canonical(&date), Some(date));
            }
        }
    }
}
