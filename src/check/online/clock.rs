//! Whether the clock here is right, as far as others tell the time: a smarthost in its greeting, the server of the pages in
//! the `Date` of an answer. SMTP itself has no answer with a time in it, and most greetings have none.

use crate::check::Findings;
use crate::clock::Timestamp;

/// Seconds that clocks may differ: answers travel, and these times have no fractions.
const SKEW: i64 = 5;
/// The words of a date as RFC 5322 3.3 has it, from the name of the day to the zone.
const WORDS: usize = 6;

/// Compares what somebody told with the time here before the question, and after the answer.
pub(super) fn compare(
    whose: &str,
    there: Timestamp,
    asked: Timestamp,
    answered: Timestamp,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let ahead = asked.as_second() - there.as_second();
    let behind = there.as_second() - answered.as_second();
    let (seconds, way) = match (ahead > SKEW, behind > SKEW) {
        (true, _) => (ahead, "ahead of"),
        (_, true) => (behind, "behind"),
        _ => return seen.push(format!("the clock of this machine agrees with {whose}")),
    };
    let reason = format!("hostname: the clock of this machine is {seconds} s {way} {whose}");
    found.warning("hostname", reason, "let chrony or systemd-timesyncd set the clock (`timedatectl`)");
}

/// Nobody who was asked told the time.
pub(super) fn nobody(found: &mut Findings) {
    let reason = "hostname: the clock of this machine was compared with nobody's: neither a greeting nor public_url told the time";
    found.note("hostname", reason, "see that NTP is on (`timedatectl`)");
}

/// The date in a greeting, where Sendmail, Exim and Exchange put one.
pub fn date_in(greeting: &str) -> Option<Timestamp> {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let words: Vec<&str> = greeting.split_ascii_whitespace().collect();
    let date = |words: &[&str]| {
        let day = words.first()?.trim_start_matches(['(', ';', '<']);
        names.contains(&day.strip_suffix(',')?).then_some(())?;
        let text = [&[day], words.get(1..)?].concat().join(" ");
        let text = text.trim_end_matches([')', ';', '>', ',', '.']);
        Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
    };
    words.windows(WORDS).find_map(date)
}

/// RFC 9110 5.6.7
pub fn http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_are_read() {
        let read = http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(|time| time.to_string());
        assert_eq!(read.as_deref(), Some("1994-11-06T08:49:37Z"));
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn dates_of_greetings_are_read() {
        for greeting in [
            "mx.voorbeeld.nl ESMTP Sendmail 8.17.1/8.17.1; Mon, 30 Nov 2026 22:19:58 +0100",
            "mx.voorbeeld.nl ESMTP Exim 4.98 Mon, 30 Nov 2026 22:19:58 +0100",
            "mx.voorbeeld.nl Microsoft ESMTP MAIL Service ready at Mon, 30 Nov 2026 21:19:58 +0000",
            "mx.voorbeeld.nl ESMTP (Mon, 30 Nov 2026 21:19:58 GMT)",
        ] {
            let read = date_in(greeting).map(|time| time.to_string());
            assert_eq!(read.as_deref(), Some("2026-11-30T21:19:58Z"), "{greeting}");
        }
        for greeting in [
            "",
            "mail.voorbeeld.nl ESMTP Postfix",
            "Mon,",
            "x Mon, 99 Nov 2026 22:19:58 +0100",
            "Mon, a b c d e f",
        ] {
            assert_eq!(date_in(greeting), None, "{greeting}");
        }
    }
}
