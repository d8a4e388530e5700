//! Header surgery that leaves all other bytes alone: the one field that a message gets on its way through,
//! the hops on a notification, and what is taken out of a header. Called by `intake`.

use std::net::IpAddr;

use super::crlf::CrlfBytes;
use super::header::{Field, Header, Hop};
pub use super::name::safe_name;
use crate::clock::{Timestamp, rfc5322};
use crate::envelope::{Envelope, Peer};
use crate::id::QueueId;

/// The `Received` field (RFC 5321 4.4, keywords of RFC 3848 and RFC 6531 4.3). Nothing that the peer said can
/// add a line or a field to it (C13).
pub fn received(hostname: &str, peer: &Peer, envelope: &Envelope, id: &QueueId, now: Timestamp) -> CrlfBytes {
    let utf8 = envelope.parameters.smtputf8;
    let protocol = match (peer.extended, utf8, peer.tls.is_some()) {
        (false, _, _) => "SMTP",
        (true, false, false) => "ESMTP",
        (true, false, true) => "ESMTPS",
        (true, true, false) => "UTF8SMTP",
        (true, true, true) => "UTF8SMTPS",
    };
    let tls = peer.tls.as_deref().map(|tls| format!("\r\n\t({})", comment(tls))).unwrap_or_default();
    let field = format!(
        "Received: from {} ({})\r\n\tby {hostname} (zegel) with {protocol} id {id}{tls};\r\n\t{}\r\n",
        helo(&peer.helo, utf8),
        literal(peer.address.ip()),
        rfc5322(now),
    );
    // Nothing above can hold a stray line end; if it did, the message would do without the field.
    CrlfBytes::check(field.into_bytes()).unwrap_or_default()
}

/// The hops of the original and our own, for a mail that goes on in its place: so a loop through several gateways comes
/// to its end (RFC 5321 6.3, H07). Only the name and the time of each hop are kept: clients and addresses inside the organisation stay inside.
pub fn trace(hostname: &str, header: &Header, id: &QueueId, now: Timestamp) -> Vec<u8> {
    let mut trace = format!("Received: by {hostname} (zegel) id {id};\r\n\t{}\r\n", rfc5322(now));
    for Hop { host, time } in header.hops() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        let is_time = |c: char| c.is_ascii_alphanumeric() || " ,:+-()".contains(c);
        let known = |text: &str, most: usize, fits: &dyn Fn(char) -> bool| {
            !text.is_empty() && text.len() <= most && text.chars().all(fits)
        };
        let host = if known(&host, 255, &is_name) { host.as_str() } else { "unknown" };
        let time = if known(&time, 60, &is_time) { time } else { rfc5322(now) };
        trace.push_str(&format!("Received: by {host};\r\n\t{time}\r\n"));
    }
    trace.into_bytes()
}

/// What becomes of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It stays as it is.
    Keep,
    /// It goes, with the lines folded into it.
    Remove,
    /// Whole fields take its place.
    Replace(Vec<u8>),
}

/// The start of `message` with its fields edited, and where the rest goes on, which stays as it is; `None` where nothing
/// is edited.
pub fn edit_fields<'a>(
    message: &'a [u8],
    mut edit: impl FnMut(&Field<'a>) -> Edit,
) -> Option<(Vec<u8>, usize)> {
    let (mut edited, mut from) = (Vec::new(), 0);
    for (start, field) in Header::parse(message).places() {
        let replacement = match edit(&field) {
            Edit::Keep => continue,
            Edit::Remove => Vec::new(),
            Edit::Replace(fields) => fields,
        };
        edited.extend_from_slice(message.get(from..start).unwrap_or_default());
        edited.extend(replacement);
        from = start + field.raw().len();
    }
    (from > 0).then_some((edited, from))
}

/// The message with `replacement`, whole fields, in the place of the first field with one of these names, and
/// without the others. All other bytes stay as they are.
pub fn replace_fields(message: &CrlfBytes, names: &[&str], replacement: &CrlfBytes) -> CrlfBytes {
    let octets = message.as_slice();
    let mut replacement = Some(replacement.as_slice().to_vec());
    let edited = edit_fields(octets, |field| match names.iter().any(|name| field.is_named(name)) {
        true => replacement.take().map_or(Edit::Remove, Edit::Replace),
        false => Edit::Keep,
    });
    let Some((mut edited, rest)) = edited else { return message.clone() };
    edited.extend_from_slice(octets.get(rest..).unwrap_or_default());
    // Whole lines were taken out and whole lines put in; if it were otherwise, nothing would go on.
    CrlfBytes::check(edited).unwrap_or_default()
}

/// The name given in HELO, where it can be one.
fn helo(name: &str, utf8: bool) -> &str {
    let fits = |c: char| {
        c.is_ascii_alphanumeric() || "-._:[]".contains(c) || utf8 && !c.is_ascii() && c.is_alphanumeric()
    };
    if !name.is_empty() && name.len() <= 255 && name.chars().all(fits) { name } else { "unknown" }
}

/// RFC 5321 4.1.3
fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

/// Printable ASCII without parentheses.
fn comment(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~') && !"()\\".contains(*c)).take(70).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ReversePath;
    use crate::envelope::MailParameters;

    fn envelope(smtputf8: bool) -> Envelope {
        let parameters = MailParameters { smtputf8, ..MailParameters::default() };
        Envelope { reverse_path: ReversePath::Null, parameters, recipients: Vec::new() }
    }

    fn peer(address: &str, helo: &str, tls: Option<&str>) -> Peer {
        let address = address.parse().unwrap();
        Peer { address, helo: helo.into(), extended: true, tls: tls.map(str::to_owned) }
    }

    #[test]
    fn writes_one_received_field() {
        let id: QueueId = "0123456789ab".parse().unwrap();
        let peer = peer("192.0.2.1:4711", "mail.voorbeeld.nl", Some("TLSv1.3 TLS_AES_256_GCM_SHA384"));
        let field = received("veilig.voorbeeld.nl", &peer, &envelope(false), &id, Timestamp::UNIX_EPOCH);
        let expected = "Received: from mail.voorbeeld.nl ([192.0.2.1])\r\n\
            \tby veilig.voorbeeld.nl (zegel) with ESMTPS id 0123456789ab\r\n\
            \t(TLSv1.3 TLS_AES_256_GCM_SHA384);\r\n\
            \tThu, 01 Jan 1970 00:00:00 +0000\r\n";
        assert_eq!(std::str::from_utf8(field.as_slice()).unwrap(), expected);
    }

    #[test]
    fn a_peer_adds_nothing_to_it() {
        let id = QueueId::random();
        for helo in ["x\r\nBcc: y@z", "a b", "a;b", "(", "", "é.nl", &"x".repeat(300)] {
            let peer = peer("[2001:db8::1]:25", helo, Some("x)\r\nSubject: y"));
            let field = received("h.nl", &peer, &envelope(false), &id, Timestamp::UNIX_EPOCH);
            let header = Header::parse(field.as_slice());
            assert_eq!(header.fields().count(), 1, "{helo:?}");
            assert!(field.as_slice().starts_with(b"Received: from unknown ([IPv6:2001:db8::1])\r\n"));
        }
        let peer = peer("192.0.2.1:25", "é.nl", None);
        let field = received("h.nl", &peer, &envelope(true), &id, Timestamp::UNIX_EPOCH);
        assert!(field.as_slice().starts_with("Received: from é.nl (".as_bytes()));
        assert!(String::from_utf8_lossy(field.as_slice()).contains(" with UTF8SMTP id "));
    }

    #[test]
    fn a_trace_tells_names_and_times_only() {
        let header = Header::parse(
            b"Received: from pc (10.0.0.7)\r\n\tby mail.voorbeeld.nl with ESMTP id 1 for <geheim@x>;\r\n\tMon, 23 Nov 2026 10:00:00 +0100 (CET)\r\n\
              Received: by a\xc3\xa9<x>; \xff\r\nReceived: (nothing known)\r\n\r\n",
        );
        let id: QueueId = "0123456789ab".parse().unwrap();
        let trace = trace("veilig.voorbeeld.nl", &header, &id, Timestamp::UNIX_EPOCH);
        let epoch = "\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n";
        let expected = format!(
            "Received: by veilig.voorbeeld.nl (zegel) id 0123456789ab;{epoch}Received: by mail.voorbeeld.nl;\r\n\
             \tMon, 23 Nov 2026 10:00:00 +0100 (CET)\r\nReceived: by unknown;{epoch}Received: by unknown;{epoch}"
        );
        assert_eq!(String::from_utf8(trace.clone()).unwrap(), expected);
        let again = Header::parse(&trace);
        assert!(again.was_received_by("veilig.voorbeeld.nl") && again.received_count() == 4);
    }

    #[test]
    fn replaces_fields_and_nothing_else() {
        let message =
            b"A: 1\r\nno field\r\nSUBJECT : x\r\n\ty\r\nThread-Topic: x\r\nB: 2\r\nSubject: z\r\n\r\n\
            Subject: body\r\n";
        let message = CrlfBytes::check(message.to_vec()).unwrap();
        let new = CrlfBytes::check(b"Subject: new\r\n".to_vec()).unwrap();
        let replaced = replace_fields(&message, &["Subject", "Thread-Topic"], &new);
        let expected = b"A: 1\r\nno field\r\nSubject: new\r\nB: 2\r\n\r\nSubject: body\r\n";
        assert_eq!(replaced.as_slice().escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(replace_fields(&message, &["X"], &new), message);
    }
}
