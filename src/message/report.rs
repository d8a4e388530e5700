//! Delivery reports (RFC 3464) that others send about our mail. Read by `intake`, which closes the link of a
//! notification that did not arrive. What a report says is a stranger's word: a mark in it proves itself.

use memchr::memmem;

use super::crlf::CrlfBytes;
use super::header::Header;
use super::walk::{Survey, leaves};

/// Octets of a report that are looked at.
const MAX_REPORT: usize = 1 << 20;
/// Marks in one report.
const MAX_MARKS: usize = 20;

/// A report that something failed for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why, one line: what the last server said, else its code.
    pub reason: String,
    /// The values of the field that was looked for, in the mail that is quoted; none where it is not.
    pub marks: Vec<String>,
}

/// Reads `message` as a report of a failure, and looks for the field `mark` in what it quotes; `None` for any other
/// mail, and for reports of delay or success.
pub fn failure(message: &CrlfBytes, mark: &str) -> Option<Failure> {
    let octets = message.as_slice();
    let octets = octets.get(..MAX_REPORT).unwrap_or(octets);
    let kind = Header::parse(octets).first("Content-Type")?.value().to_ascii_lowercase();
    if !kind.trim_start().starts_with("multipart/report") {
        return None;
    }
    let mut survey = Survey::default();
    let status = leaves(octets, 0, &mut survey).into_iter().find(is_status)?;
    let (status, _) = status.content();
    Some(Failure { reason: reason(&status)?, marks: marks(octets, mark) })
}

fn is_status(leaf: &super::walk::Leaf<'_>) -> bool {
    matches!(leaf.media_type.as_str(), "message/delivery-status" | "message/global-delivery-status")
}

/// Of the first recipient group whose action is `failed` (RFC 3464 2.3.3).
fn reason(status: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(status).replace("\r\n", "\n");
    text.split("\n\n").find_map(|group| {
        let group = Header::parse(group.as_bytes());
        let field = |name| group.first(name).map(|field| field.value());
        if !field("Action")?.trim().eq_ignore_ascii_case("failed") {
            return None;
        }
        let diagnostic = field("Diagnostic-Code").map(|text| match text.split_once(';') {
            Some((_, said)) => said.trim().to_owned(),
            None => text,
        });
        let reason = diagnostic.or_else(|| field("Status")).unwrap_or_default();
        Some(reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect())
    })
}

/// Wherever a line starts with the field: what is quoted may be a part of its own, text, or a whole message.
fn marks(octets: &[u8], mark: &str) -> Vec<String> {
    let line = format!("\n{mark}:");
    let starts = memmem::find_iter(octets, line.as_bytes()).take(MAX_MARKS);
    let value = |start: usize| {
        let rest = octets.get(start + line.len()..)?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        Some(String::from_utf8_lossy(rest.get(..end)?).trim().to_owned())
    };
    starts.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(action: &str, quoted: &str) -> CrlfBytes {
        let text = format!(
            "From: MAILER-DAEMON@example.org\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\n\nniet gelukt\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n\
             Final-Recipient: rfc822; anna@example.org\nAction: {action}\nStatus: 5.1.1\n\
             Diagnostic-Code: smtp; 550 5.1.1 no\n such user\n\n--b\nContent-Type: {quoted}\n--b--\n"
        );
        CrlfBytes::check(text.replace('\n', "\r\n").into_bytes()).unwrap()
    }

    #[test]
    fn a_failure_says_why_and_about_what() {
        for quoted in [
            "text/rfc822-headers\n\nFrom: a@b\nX-Mark: 1.2\nSubject: x\n",
            "message/rfc822\n\nX-Mark:1.2\n\nbody\n",
            "text/plain\n\n> \nX-Mark: \t1.2 \n",
        ] {
            let failure = failure(&report("failed", quoted), "X-Mark").unwrap();
            assert_eq!(failure.reason, "550 5.1.1 no such user");
            assert_eq!(failure.marks, ["1.2"], "{quoted}");
        }
    }

    #[test]
    fn everything_else_is_none() {
        let quoted = "text/rfc822-headers\n\nX-Mark: 1\n";
        for action in ["delayed", "delivered", "relayed", ""] {
            assert_eq!(failure(&report(action, quoted), "X-Mark"), None, "{action}");
        }
        assert!(failure(&report("failed", "text/plain\n\nx\n"), "X-Mark").unwrap().marks.is_empty());
        for other in ["", "X-Mark: 1\r\n\r\n", "Content-Type: multipart/report\r\n\r\n"] {
            assert_eq!(failure(&CrlfBytes::check(other.as_bytes().to_vec()).unwrap(), "X-Mark"), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(body: String) {
            let text = format!("Content-Type: multipart/report; boundary=b\n\n{body}");
            failure(&CrlfBytes::normalised(text.as_bytes()), "X-Mark");
        }
    }
}
