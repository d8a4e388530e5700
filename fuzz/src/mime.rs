//! A message taken apart (H13, C20): safe names, all distinct; nothing that grows without bound; and a message that is
//! attached to another comes out of it byte by byte.

use std::collections::HashSet;

use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::message::invitation;
use zegel::message::mime::{self, MimePart};
use zegel::message::rewrite::safe_name;

use crate::message;

/// Bytes that come out for each that went in, at most: text in two forms, escaped, in UTF-8, with a winmail.dat beside
/// what is in it.
const GROWTH: usize = 64;

pub fn holds(input: &[u8]) {
    let message = message(input);
    let parts = mime::parts(&message);
    let all: Vec<&MimePart> = parts.text.iter().chain(&parts.html).chain(&parts.files).collect();
    let mut names = HashSet::new();
    for part in &all {
        assert_eq!(safe_name(&part.name), part.name);
        assert!(names.insert(part.name.to_lowercase()), "two of {:?}", part.name);
        assert!(!part.media_type.chars().any(|c| c.is_control() || c.is_ascii_uppercase()));
    }
    let most = 4096 + GROWTH * message.as_slice().len();
    assert!(all.iter().map(|part| part.data.len()).sum::<usize>() <= most);
    let mut length = 0;
    mime::texts(&message, &mut |text| length += text.len());
    assert!(length <= most, "{length}");
    comes_out_whole(&message);
    invitations_are_renamed_once(&message);
}

/// What has no name to change stays as it is, and what was changed has no other.
fn invitations_are_renamed_once(message: &CrlfBytes) {
    assert!(invitation::renamed(message, &|_| None).is_none());
    let rename = |name: &str| Some("x".to_owned()).filter(|_| name != "x");
    let Some(renamed) = invitation::renamed(message, &rename) else { return };
    assert!(CrlfBytes::check(renamed.as_slice().to_vec()).is_ok(), "C08");
    let named = Header::parse(renamed.as_slice()).fields().count();
    assert!(named <= Header::parse(message.as_slice()).fields().count() + 1);
}

fn comes_out_whole(message: &CrlfBytes) {
    let outer = [
        b"Content-Type: multipart/mixed; boundary=\"=_zegel_fuzz_7c1d\"\r\n\r\n--=_zegel_fuzz_7c1d\r\n"
            .as_slice(),
        b"Content-Type: message/rfc822\r\n\r\n",
        message.as_slice(),
        b"\r\n--=_zegel_fuzz_7c1d--\r\n",
    ];
    let outer = CrlfBytes::normalised(&outer.concat());
    if outer.as_slice().windows(16).filter(|window| window == b"_zegel_fuzz_7c1d").count() > 3 {
        return;
    }
    let parts = mime::parts(&outer);
    let file = parts.files.first().expect("the message is a file");
    assert_eq!(file.data.as_ref(), message.as_slice());
    assert!(file.name.to_lowercase().ends_with(".eml"), "{}", file.name);
}
