//! New header fields on top of octets that stay as they are (security decision 2): the `Received` of a
//! message we pass on, and the fields of an original that its notification takes over.
//! Used by `intake` and `notify`. Nothing a client says may start a line of its own here (C07).

use super::crlf::CrlfBytes;
use super::header::{Field, Header};
use crate::clock::{self, Timestamp};
use crate::envelope::{Envelope, Peer};
use crate::id::QueueId;

/// A longer EHLO name is cut.
const LONGEST_NAME: usize = 200;

/// One `Received` field (RFC 5321 4.4). It has no `for`: that would show recipients to each other.
pub fn received(hostname: &str, peer: &Peer, envelope: &Envelope, id: &QueueId, now: Timestamp) -> CrlfBytes {
    let text = format!(
        "Received: from {} ({})\r\n\tby {} with {} id {id};\r\n\t{}\r\n",
        harmless(&peer.helo),
        literal(peer.address.ip()),
        harmless(hostname),
        protocol(peer, envelope),
        clock::rfc5322(now),
    );
    // Every part of the text is checked above, so the fallback is never taken.
    CrlfBytes::check(text.into_bytes()).unwrap_or_default()
}

/// The first field of each name, in the order of `names`, folded as it was, each ending in CRLF.
pub fn copy_fields(header: &Header<'_>, names: &[&str]) -> Vec<u8> {
    names.iter().filter_map(|name| header.first(name)).flat_map(|field| copy(&field)).collect()
}

/// A field without the blanks before its colon, and without blank lines that some readers take for the
/// end of the header.
fn copy(field: &Field<'_>) -> Vec<u8> {
    let mut text = [field.name().as_bytes(), b":"].concat();
    let mut lines = field.body().split_inclusive(|&c| c == b'\n');
    text.extend_from_slice(lines.next().unwrap_or_default().trim_ascii_end());
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(line.trim_ascii_end());
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// A name in graphic ASCII, without the characters that mean something in a field.
fn harmless(name: &str) -> String {
    let safe = |c: &char| c.is_ascii_graphic() && !"()<>;,\\\"@".contains(*c);
    let name: String = name.chars().filter(safe).take(LONGEST_NAME).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// An address as RFC 5321 4.1.3 writes it; IPv4 that arrived over an IPv6 socket is IPv4.
fn literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => format!("[{v4}]"),
        std::net::IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// The protocol's name (RFC 3848, RFC 6531 4.3).
fn protocol(peer: &Peer, envelope: &Envelope) -> &'static str {
    match (envelope.parameters.smtputf8, peer.extended, peer.tls.is_some()) {
        (true, _, true) => "UTF8SMTPS",
        (true, _, false) => "UTF8SMTP",
        (false, true, true) => "ESMTPS",
        (false, true, false) => "ESMTP",
        (false, false, _) => "SMTP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ReversePath;
    use crate::envelope::MailParameters;

    fn field(helo: &str, address: &str, extended: bool, tls: bool, smtputf8: bool) -> String {
        let peer = Peer {
            address: address.parse().unwrap(),
            helo: helo.to_owned(),
            extended,
            tls: tls.then(|| "TLS 1.3".to_owned()),
        };
        let parameters = MailParameters { smtputf8, ..MailParameters::default() };
        let envelope = Envelope { reverse_path: ReversePath::Null, parameters, recipients: Vec::new() };
        let id = "0123456789ab".parse().unwrap();
        let field = received("zegel.voorbeeld.nl", &peer, &envelope, &id, Timestamp::UNIX_EPOCH);
        String::from_utf8(field.into_vec()).unwrap()
    }

    #[test]
    fn received_tells_who_and_how() {
        assert_eq!(
            field("mail.voorbeeld.nl", "192.0.2.1:25", true, true, false),
            "Received: from mail.voorbeeld.nl ([192.0.2.1])\r\n\tby zegel.voorbeeld.nl with ESMTPS \
             id 0123456789ab;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
        );
        assert!(field("a", "[::ffff:192.0.2.1]:25", false, false, false).contains("from a ([192.0.2.1])"));
        assert!(field("a", "[2001:db8::1]:25", false, false, false).contains("([IPv6:2001:db8::1])\r\n\tby"));
        assert!(field("a", "192.0.2.1:25", false, false, false).contains(" with SMTP id"));
        assert!(field("a", "192.0.2.1:25", true, true, true).contains(" with UTF8SMTPS id"));
    }

    #[test]
    fn a_client_adds_no_text_of_its_own() {
        for helo in ["x\r\nBcc: a@b", "x (y) <z>; \u{202e}", "[192.0.2.9]", "", "\u{e9}", &"a".repeat(9000)] {
            let field = field(helo, "192.0.2.1:25", true, false, false);
            assert_eq!(field.lines().count(), 3, "{field}");
            assert_eq!((field.matches('(').count(), field.matches(';').count()), (1, 1), "{field}");
            assert!(field.is_ascii() && field.lines().all(|line| line.len() < 998), "{field}");
        }
    }

    #[test]
    fn copies_fields_as_they_were() {
        let text = "Subject : a\r\n =?x\r\n \r\n\ty\r\nTo: b\r\nTo: c\r\nFrom: J\u{fc}rgen <d@e>";
        let header = Header::parse(text.as_bytes());
        let copied = String::from_utf8(copy_fields(&header, &["from", "subject", "Cc", "to"])).unwrap();
        assert_eq!(copied, "From: J\u{fc}rgen <d@e>\r\nSubject: a\r\n =?x\r\n\ty\r\nTo: b\r\n");
    }
}
