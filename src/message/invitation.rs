//! The invitation in a message (RFC 6047): a calendar that is no file. Used by `intake`, for the copy of a message that
//! its recipients keep.
//!
//! What must never happen: that a file is changed, or anything that is signed.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::calendar;
use super::crlf::CrlfBytes;
use super::decode::is_utf8;
use super::header::Header;
use super::leaf::SIGNATURES;
use super::rewrite::{Edit, edit_fields};
use super::walk::{Leaf, Survey, leaves};

/// Invitations of one message that are looked at, and bytes of one.
const MAX_INVITATIONS: usize = 10;
const MAX_INVITATION: usize = 1 << 20;

/// Characters of a line of base64 (RFC 2045 6.8).
const LINE: usize = 76;

/// Fields about the content as it was encoded before.
const ABOUT_CONTENT: &[&str] = &["Content-Transfer-Encoding", "Content-MD5", "Content-Length"];

/// The message with other names for the events of its invitations, where `rename` has one; `None` where it has none.
pub fn renamed(message: &CrlfBytes, rename: &dyn Fn(&str) -> Option<String>) -> Option<CrlfBytes> {
    let octets = message.as_slice();
    let kind = Header::parse(octets).structured("Content-Type").value;
    if kind != calendar::TYPE && !kind.starts_with("multipart/") {
        return None;
    }
    let leaves = leaves(octets, 0, &mut Survey::default());
    if leaves.iter().any(|leaf| SIGNATURES.contains(&leaf.media_type.as_str())) {
        return None;
    }
    let invitations = leaves.iter().filter(|leaf| is_invitation(leaf)).take(MAX_INVITATIONS);
    let mut changed = Vec::new();
    let mut from = 0;
    for (place, part) in invitations.filter_map(|leaf| changed_part(octets, leaf, rename)) {
        changed.extend_from_slice(octets.get(from..place.start)?);
        changed.extend(part);
        from = place.end;
    }
    if from == 0 {
        return None;
    }
    changed.extend_from_slice(octets.get(from..)?);
    CrlfBytes::check(changed).ok()
}

/// A part with a file name is a file, and nobody changes a file.
fn is_invitation(leaf: &Leaf) -> bool {
    leaf.media_type == calendar::TYPE
        && leaf.disposition.value != "attachment"
        && leaf.name().is_none()
        && leaf.encoded().len() <= MAX_INVITATION
}

/// Where the part is, and what takes its place.
fn changed_part(
    octets: &[u8],
    leaf: &Leaf,
    rename: &dyn Fn(&str) -> Option<String>,
) -> Option<(Range<usize>, Vec<u8>)> {
    let (header, body) = (leaf.header.as_bytes(), leaf.encoded());
    let (content, sound) = leaf.content();
    let charset = leaf.content_type.text("charset");
    let is_plain = |charset: &str| is_utf8(charset) || charset.eq_ignore_ascii_case("us-ascii");
    if !sound || leaf.header.is_oversized() || !charset.as_deref().is_none_or(is_plain) {
        return None;
    }
    let calendar = calendar::renamed(std::str::from_utf8(&content).ok()?, rename)?;
    let is_about_content = |name: &str| ABOUT_CONTENT.iter().any(|about| about.eq_ignore_ascii_case(name));
    let edit = |field: &super::header::Field<'_>| match is_about_content(&field.name()) {
        true => Edit::Remove,
        false => Edit::Keep,
    };
    let (mut part, rest) = edit_fields(header, edit).unwrap_or_default();
    part.extend_from_slice(header.get(rest..)?);
    part.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n\r\n");
    part.extend(in_lines(&calendar));
    if !body.ends_with(b"\r\n") {
        part.truncate(part.len() - 2);
    }
    Some((offset(octets, header)?..offset(octets, body)? + body.len(), part))
}

fn in_lines(text: &str) -> Vec<u8> {
    let encoded = STANDARD.encode(text);
    encoded.as_bytes().chunks(LINE).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// Where `part`, which is a part of `whole` in memory, starts in it.
fn offset(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    whole.get(at..at + part.len()).map(|_| at)
}

#[cfg(test)]
mod tests {
    use super::super::mime::parts;
    use super::*;

    fn rename(summary: &str) -> Option<String> {
        summary.strip_prefix("[geheim] ").map(str::to_owned)
    }

    /// An invitation whose calendar part has these fields and this body, with the same calendar as a file.
    fn invitation(fields: &str, body: &str) -> String {
        format!(
            "From: a@b.nl\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
             --a\r\nContent-Type: text/plain\r\n\r\ntekst\r\n--a\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n{fields}\r\n{body}\r\n--a--\r\n\
             --m\r\nContent-Type: text/calendar; name=invite.ics\r\n\r\nSUMMARY:[geheim] Overleg\r\n--m--\r\n"
        )
    }

    fn renamed_text(message: &str) -> Option<String> {
        let message = CrlfBytes::check(message.as_bytes().to_vec()).unwrap();
        renamed(&message, &rename).map(|renamed| String::from_utf8(renamed.into_vec()).unwrap())
    }

    #[test]
    fn the_invitation_changes_and_the_file_does_not() {
        let calendar = "BEGIN:VEVENT\r\nSUMMARY:[geheim] Overleg\r\nEND:VEVENT\r\n";
        let quoted = "BEGIN:VEVENT=0D=0ASUMMARY:[geheim] Over=\r\nleg=0D=0AEND:VEVENT=0D=0A";
        for (fields, body) in [
            ("", calendar.to_owned()),
            ("Content-Transfer-Encoding: 8bit\r\nX: y\r\n", calendar.to_owned()),
            ("Content-Transfer-Encoding: base64\r\n", STANDARD.encode(calendar)),
            ("Content-Transfer-Encoding: quoted-printable\r\n", quoted.to_owned()),
        ] {
            let changed = renamed_text(&invitation(fields, &body)).unwrap();
            let message = CrlfBytes::check(changed.clone().into_bytes()).unwrap();
            let files = parts(&message).files;
            assert_eq!(files[0].data, calendar.replace("[geheim] ", "").as_bytes(), "{changed}");
            assert_eq!(files[1].data, b"SUMMARY:[geheim] Overleg".as_slice(), "a file");
            assert_eq!(changed.matches("Content-Transfer-Encoding").count(), 1);
            assert!(changed.starts_with("From: a@b.nl\r\n") && changed.ends_with("\r\n--m--\r\n"));
            assert_eq!(changed.contains("X: y\r\n"), fields.contains("X: y\r\n"));
            assert_eq!(renamed_text(&changed), None, "once");
        }
        let alone = "Subject: x\r\nContent-Type: text/calendar\r\n\r\nSUMMARY:[geheim] a\r\n";
        let changed = renamed_text(alone).unwrap();
        assert_eq!(
            changed,
            format!(
                "Subject: x\r\nContent-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                STANDARD.encode("SUMMARY:a\r\n")
            )
        );
    }

    #[test]
    fn what_is_signed_or_no_invitation_stays() {
        let calendar = "SUMMARY:[geheim] a\r\n";
        for message in [
            format!("Content-Type: text/plain\r\n\r\n{calendar}"),
            format!("Content-Type: text/calendar; charset=utf-16\r\n\r\n{calendar}"),
            format!("Content-Type: text/calendar; name=a.ics\r\n\r\n{calendar}"),
            format!("Content-Type: text/calendar\r\nContent-Disposition: attachment\r\n\r\n{calendar}"),
            format!("Content-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n{calendar}"),
            "Content-Type: text/calendar\r\n\r\nSUMMARY:a\r\n".to_owned(),
            invitation("", calendar)
                .replace("--m--", "--m\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--m--"),
            "Content-Type: text/calendar".to_owned(),
        ] {
            assert_eq!(renamed_text(&message), None, "{message}");
        }
    }
}
