//! Delivery reports (RFC 3464, RFC 6533) that others send about our mail. Read by `intake`, which notes what they say of
//! a notification. What a report says is a stranger's word: a mark in it proves that its author has had that mail, and
//! nothing more.

use memchr::memmem;

use super::crlf::CrlfBytes;
use super::header::Header;
use super::walk::{Leaf, Survey, leaves};
use crate::address::Address;
use crate::cause::FailureCause;
use crate::diagnostic::EnhancedCode;
use crate::envelope::Reported;

/// Bytes of a report that are looked at.
const MAX_REPORT: usize = 1 << 20;
/// Marks in one report.
const MAX_MARKS: usize = 20;
/// Recipients in one report.
const MAX_RECIPIENTS: usize = 1000;
/// Characters of a reason.
const MAX_REASON: usize = 500;

/// What somebody reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of whom, and what; never empty.
    pub recipients: Vec<ReportedRecipient>,
    /// The values of the field that was looked for, in the mail that is quoted; none where it is not.
    pub marks: Vec<String>,
}

/// What a report says of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRecipient {
    /// Whom it is about, in every way in which the address can be read; none where it is no mail address.
    pub addresses: Vec<Address>,
    /// What has become of the mail.
    pub action: Reported,
    /// Why, as far as the codes tell.
    pub cause: FailureCause,
    /// Why, one line: what the last server said, else its code.
    pub reason: String,
}

impl ReportedRecipient {
    /// Whether it is about this mailbox, and not about another that a copy went on to.
    pub fn is(&self, address: &Address) -> bool {
        self.addresses.iter().any(|named| named.is_same_mailbox(address))
    }
}

/// Reads `message` as a delivery report, and looks for the field `mark` in what it quotes; `None` for any other mail.
pub fn read(message: &CrlfBytes, mark: &str) -> Option<Report> {
    let octets = message.as_slice();
    let octets = octets.get(..MAX_REPORT).unwrap_or(octets);
    let kind = Header::parse(octets).first("Content-Type")?.value().to_ascii_lowercase();
    if !kind.trim_start().starts_with("multipart/report") {
        return None;
    }
    let mut survey = Survey::default();
    let status = leaves(octets, 0, &mut survey).into_iter().find(is_status)?;
    let recipients = recipients(&status.content().0);
    (!recipients.is_empty()).then(|| Report { recipients, marks: marks(octets, mark) })
}

fn is_status(leaf: &Leaf<'_>) -> bool {
    matches!(leaf.media_type.as_str(), "message/delivery-status" | "message/global-delivery-status")
}

/// The groups of fields that tell of a recipient (RFC 3464 2.3). The first group, of the whole message, has no action.
fn recipients(status: &[u8]) -> Vec<ReportedRecipient> {
    let text = String::from_utf8_lossy(status).replace("\r\n", "\n");
    let groups = text.split("\n\n").map(str::trim_start).filter(|group| !group.is_empty());
    groups.filter_map(recipient).take(MAX_RECIPIENTS).collect()
}

fn recipient(group: &str) -> Option<ReportedRecipient> {
    let group = Header::parse(group.as_bytes());
    let field = |name| group.first(name).map(|field| field.value());
    let action = field("Action")?.split_whitespace().next()?.parse().ok()?;
    // A server that forwards mail may keep Original-Recipient (RFC 3461 5.2.7): it names whom the mail was first for, not
    // whose mailbox this is about.
    let named = field("Final-Recipient").or_else(|| field("Original-Recipient")).unwrap_or_default();
    let diagnostic = field("Diagnostic-Code").map(|text| match text.split_once(';') {
        Some((_, said)) => said.trim().to_owned(),
        None => text,
    });
    let status = field("Status");
    let cause = cause(status.as_deref(), diagnostic.as_deref());
    let reason = diagnostic.or(status).unwrap_or_default();
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_REASON).collect();
    Some(ReportedRecipient { addresses: addresses(&named), action, cause, reason })
}

/// Of the field `Status`, behind which there may be a comment (RFC 3464 2.3.4), and of the reply that is quoted.
fn cause(status: Option<&str>, reply: Option<&str>) -> FailureCause {
    let code = status.and_then(|status| status.split_ascii_whitespace().next()?.parse::<EnhancedCode>().ok());
    let reply = reply.and_then(|reply| reply.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    FailureCause::of(code, reply)
}

/// An address with its type (RFC 3464 2.1.2), as it stands and with its escapes undone: of `rfc822` that is xtext
/// (RFC 3461 4), of `utf-8` what RFC 6533 3 has besides. Not every server writes what its type asks for.
fn addresses(typed: &str) -> Vec<Address> {
    let (kind, text) = typed.split_once(';').unwrap_or(("rfc822", typed));
    if !["rfc822", "utf-8"].iter().any(|known| known.eq_ignore_ascii_case(kind.trim())) {
        return Vec::new();
    }
    let text = text.trim().trim_start_matches('<').trim_end_matches('>').trim();
    let unescaped = decode_unicode(&decode_xtext(text));
    let mut addresses: Vec<Address> =
        [text, unescaped.as_str()].into_iter().filter_map(|text| Address::parse(text).ok()).collect();
    addresses.dedup();
    addresses
}

/// RFC 3461 4: `+` and two hexadecimal digits stand for a byte.
pub fn decode_xtext(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(octet) if first == b'+' => {
                octets.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                octets.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// RFC 6533 3: `\x{` and `}` around a number stand for a character.
fn decode_unicode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut pieces = text.split("\\x{");
    decoded.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let escaped = piece.split_once('}').and_then(|(number, rest)| {
            let character = char::from_u32(u32::from_str_radix(number, 16).ok()?)?;
            Some((character, rest))
        });
        match escaped {
            Some((character, rest)) => {
                decoded.push(character);
                decoded.push_str(rest);
            }
            None => decoded.extend(["\\x{", piece]),
        }
    }
    decoded
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

    fn report(groups: &str, quoted: &str) -> CrlfBytes {
        let text = format!(
            "From: MAILER-DAEMON@example.org\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\n\nniet gelukt\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n\
             {groups}\n--b\nContent-Type: {quoted}\n--b--\n"
        );
        CrlfBytes::check(text.replace('\n', "\r\n").into_bytes()).unwrap()
    }

    fn group(fields: &str, action: &str) -> String {
        format!(
            "{fields}\nAction: {action}\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n such user\n"
        )
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    const ANNA: &str = "Final-Recipient: rfc822; anna@example.org";

    #[test]
    fn a_report_says_why_and_about_what() {
        for quoted in [
            "text/rfc822-headers\n\nFrom: a@b\nX-Mark: 1.2\nSubject: x\n",
            "message/rfc822\n\nX-Mark:1.2\n\nbody\n",
            "text/plain\n\n> \nX-Mark: \t1.2 \n",
        ] {
            let report = read(&report(&group(ANNA, "failed"), quoted), "X-Mark").unwrap();
            assert_eq!((report.recipients[0].action, report.recipients.len()), (Reported::Failed, 1));
            assert_eq!(report.recipients[0].reason, "550 5.1.1 no such user");
            assert_eq!(report.recipients[0].cause, FailureCause::UnknownAddress);
            assert_eq!(report.marks, ["1.2"], "{quoted}");
        }
        let quoted = "text/plain\n\nx\n";
        for (word, action) in [
            ("delayed", Reported::Delayed),
            ("Delivered", Reported::Delivered),
            ("relayed (to mx2)", Reported::Relayed),
            ("EXPANDED", Reported::Expanded),
        ] {
            let report = read(&report(&group(ANNA, word), quoted), "X-Mark").unwrap();
            assert_eq!((report.recipients[0].action, report.marks.len()), (action, 0), "{word}");
        }
        for word in ["", "lost"] {
            assert_eq!(read(&report(&group(ANNA, word), quoted), "X-Mark"), None, "{word}");
        }
        for other in ["", "X-Mark: 1\r\n\r\n", "Content-Type: multipart/report\r\n\r\n"] {
            assert_eq!(read(&CrlfBytes::check(other.as_bytes().to_vec()).unwrap(), "X-Mark"), None);
        }
    }

    #[test]
    fn a_cause_is_read_from_codes() {
        for (fields, cause) in [
            ("Status: 5.2.2 (mailbox full)", FailureCause::MailboxFull),
            ("Status: 5.0.0\nDiagnostic-Code: smtp; 553-sorry", FailureCause::UnknownAddress),
            ("Diagnostic-Code: smtp; 556", FailureCause::UnknownDomain),
            ("Diagnostic-Code: x-unix; user unknown", FailureCause::Other),
            ("Status: five\nDiagnostic-Code: smtp; 99999999999", FailureCause::Other),
            ("X: y", FailureCause::Other),
        ] {
            let groups = format!("{ANNA}\nAction: failed\n{fields}\n");
            let report = read(&report(&groups, "text/plain\n\nx\n"), "X-Mark").unwrap();
            assert_eq!(report.recipients[0].cause, cause, "{fields}");
        }
    }

    /// H45: a report may tell of several, and each group is about its own address only.
    #[test]
    fn every_group_is_about_its_own_address() {
        let forwarded =
            "Original-Recipient: rfc822;anna@example.org\nFinal-Recipient: rfc822;prive@example.net";
        let groups = [group(ANNA, "delivered"), group(forwarded, "failed")].join("\n");
        let report = read(&report(&groups, "text/plain\n\nx\n"), "X-Mark").unwrap();
        let said: Vec<_> =
            report.recipients.iter().map(|one| (one.action, one.is(&address("anna@example.org")))).collect();
        assert_eq!(said, [(Reported::Delivered, true), (Reported::Failed, false)]);
        assert!(report.recipients[1].is(&address("Prive@EXAMPLE.net")));
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        for (field, named) in [
            ("Final-Recipient: RFC822;Anna@EXAMPLE.org", "anna@example.org"),
            ("Final-Recipient: rfc822; <anna@example.org>", "anna@example.org"),
            ("Final-Recipient: anna@example.org", "anna@example.org"),
            ("Original-Recipient: rfc822;anna+2Bzaak@example.org", "anna+zaak@example.org"),
            ("Final-Recipient: rfc822; anna+bc@example.org", "anna+bc@example.org"),
            ("Final-Recipient: utf-8; j\\x{FC}rgen@xn--mnchen-3ya.example", "jürgen@münchen.example"),
            ("Final-Recipient: utf-8; jürgen@münchen.example", "jürgen@münchen.example"),
        ] {
            let report = read(&report(&group(field, "failed"), "text/plain\n\nx\n"), "X-Mark").unwrap();
            assert!(report.recipients[0].is(&address(named)), "{field}: {:?}", report.recipients);
        }
        for field in ["Final-Recipient: x400; anna@example.org", "Final-Recipient: rfc822; anna", "X: y"] {
            let report = read(&report(&group(field, "failed"), "text/plain\n\nx\n"), "X-Mark").unwrap();
            assert!(report.recipients[0].addresses.is_empty(), "{field}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_it(body: String, address: String) {
            let text = format!("Content-Type: multipart/report; boundary=b\n\n{body}");
            read(&CrlfBytes::normalised(text.as_bytes()), "X-Mark");
            addresses(&address);
        }
    }
}
