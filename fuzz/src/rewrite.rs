//! Header surgery (H03): only what was meant to change has changed, whatever a peer said.

use zegel::address::ReversePath;
use zegel::clock::Timestamp;
use zegel::envelope::{Envelope, MailParameters, Peer};
use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::message::rewrite;

use crate::message;

const NAMES: &[&str] = &["Subject", "Thread-Topic"];

pub fn holds(input: &[u8]) {
    let message = message(input);
    replaces_only_these(&message);
    let (said, rest) = input.split_at(input.len().min(60));
    for (helo, tls) in [(said, rest), (rest, said)] {
        gets_one_field(&message, &String::from_utf8_lossy(helo), &String::from_utf8_lossy(tls));
    }
}

fn replaces_only_these(message: &CrlfBytes) {
    let new = CrlfBytes::check(b"Subject: new\r\n".to_vec()).expect("it is a line");
    let replaced = rewrite::replace_fields(message, NAMES, &new);
    assert_eq!(replaced.as_slice(), expected(message.as_slice(), new.as_slice()));
    let header = Header::parse(replaced.as_slice());
    assert!(header.all("Subject").count() <= 1 && header.first("Thread-Topic").is_none());
    assert_eq!(rewrite::replace_fields(&replaced, NAMES, &new), replaced, "twice is once");
}

/// The message with `new` in the place of the first of these fields and without the others, put together byte by byte.
fn expected(message: &[u8], new: &[u8]) -> Vec<u8> {
    let start = message.as_ptr() as usize;
    let header = Header::parse(message);
    let mut places: Vec<(usize, usize)> = NAMES
        .iter()
        .flat_map(|name| header.all(name))
        .map(|field| (field.raw().as_ptr() as usize - start, field.raw().len()))
        .collect();
    places.sort_unstable();
    let is_named = |at: usize| places.iter().any(|(from, length)| (*from..from + length).contains(&at));
    let mut expected = Vec::new();
    for (at, octet) in message.iter().enumerate() {
        if places.first().is_some_and(|(first, _)| *first == at) {
            expected.extend_from_slice(new);
        }
        if !is_named(at) {
            expected.push(*octet);
        }
    }
    expected
}

fn gets_one_field(message: &CrlfBytes, helo: &str, tls: &str) {
    for smtputf8 in [false, true] {
        let parameters = MailParameters { smtputf8, ..MailParameters::default() };
        let envelope = Envelope { reverse_path: ReversePath::Null, parameters, recipients: Vec::new() };
        let address = ([192, 0, 2, 1], 25).into();
        let peer = Peer { address, helo: helo.to_owned(), extended: true, tls: Some(tls.to_owned()) };
        let id = "0123456789ab".parse().expect("it is one");
        let field = rewrite::received("mx.voorbeeld.nl", &peer, &envelope, &id, Timestamp::UNIX_EPOCH);
        let header = Header::parse(field.as_slice());
        assert!(header.fields().count() == 1 && header.received_count() == 1, "{helo:?} {tls:?}");
        assert!(field.as_slice().split(|octet| *octet == b'\n').all(|line| line.len() <= 999));
        let relayed = message.clone().prepend(&field);
        assert_eq!(relayed.as_slice().strip_prefix(field.as_slice()), Some(message.as_slice()));
    }
}
