//! What an answer needs of the message that it answers: its place in the thread, and its author. Read through the
//! `Grant`, because subject and header lie only in sealed parts.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::task::spawn_blocking;

use super::{ReplyError, Result, recipients};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::message::header::Header;
use crate::outbox::notices::reply::Thread;
use crate::secret;
use crate::transfer::access::Grant;

/// Bytes of the original that are looked at: no header is longer.
const MOST_HEADER: u64 = 256 * 1024;
/// A Thread-Index: its first block, and the longest that is carried on (MS-OXOMSG 2.2.1.3).
const FIRST_BLOCK: usize = 22;
const LONGEST_INDEX: usize = FIRST_BLOCK + 5 * 200;
/// Between the epochs of FILETIME (1601) and of `Timestamp` (1970), in steps of 100 ns.
const FILETIME_EPOCH: i64 = 116_444_736_000_000_000;

/// The message that is answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Original {
    pub thread: Thread,
    /// The address in its From field.
    pub from: Option<Address>,
    /// Every address in From, Reply-To, To and Cc.
    pub people: Vec<Address>,
}

/// Fields that name the people who take part in a thread.
const PEOPLE: [&str; 4] = ["From", "Reply-To", "To", "Cc"];

/// Reads it.
pub(super) async fn read(grant: &Grant, now: Timestamp) -> Result<Original> {
    let grant = grant.clone();
    let read = spawn_blocking(move || {
        let index = grant.index()?;
        let mut start = Vec::new();
        let message = grant.open(index.message)?;
        let read = message.take(MOST_HEADER).read_to_end(&mut start);
        read.map_err(|error| grant.unreadable(index.message, &error))?;
        Ok(original(index.subject, &start, grant.transfer().message_id.clone(), now))
    });
    read.await.unwrap_or_else(|error| Err(ReplyError::Trouble(error.to_string())))
}

/// `given` is the Message-ID that the gateway gave a message without one.
fn original(subject: String, message: &[u8], given: Option<String>, now: Timestamp) -> Original {
    let header = Header::parse(message);
    let value = |name| header.first(name).map(|field| field.value());
    let own = header.message_id();
    let mut references = header.references_of_answer();
    references.extend(given.clone().filter(|_| own.is_none()));
    let topic = value("Thread-Topic").or_else(|| Some(subject.clone()));
    let thread = Thread {
        message_id: own.or(given),
        references,
        index: value("Thread-Index").and_then(|index| answer_index(&index, now)),
        topic,
        subject,
    };
    let lists =
        PEOPLE.iter().flat_map(|name| header.all(name)).map(|field| recipients::parse(&field.value()));
    Original { thread, from: header.from().address, people: lists.flat_map(|list| list.addresses).collect() }
}

/// The Thread-Index of an answer: the original's, and five bytes that tell how much later it was written
/// (MS-OXOMSG 2.2.1.3.2).
fn answer_index(original: &str, now: Timestamp) -> Option<String> {
    let mut index = STANDARD.decode(original.split_whitespace().collect::<String>()).ok()?;
    if index.len() < FIRST_BLOCK || index.len() > LONGEST_INDEX {
        return None;
    }
    let first: [u8; 6] = index.first_chunk().copied()?;
    let begun = first.iter().fold(0u64, |time, octet| time << 8 | u64::from(*octet)) << 16;
    let written = now.as_microsecond().saturating_mul(10).saturating_add(FILETIME_EPOCH);
    let later = u64::try_from(written).unwrap_or(0).saturating_sub(begun);
    // 31 bits of the difference: the lower ones where it is less than about 1.7 years, else coarser, and marked so.
    let fine = later & 0x00fe_0000_0000_0000 == 0;
    let difference =
        if fine { (later >> 18) as u32 & 0x7fff_ffff } else { (later >> 23) as u32 | 0x8000_0000 };
    index.extend_from_slice(&difference.to_be_bytes());
    index.extend_from_slice(&secret::random::<1>());
    Some(STANDARD.encode(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_message_without_an_id_is_named_as_its_notification_is() {
        let given = Some("<given@voorbeeld.nl>".to_owned());
        let thread = |message: &[u8]| original(String::new(), message, given.clone(), noon()).thread;
        let without = thread(b"References: <a@x>\r\n\r\n");
        assert_eq!(without.message_id, given);
        assert_eq!(without.references, ["<a@x>", "<given@voorbeeld.nl>"]);
        assert_eq!(thread(b"Message-ID: <own@x>\r\n\r\n").references, ["<own@x>"]);
    }

    #[test]
    fn an_answer_belongs_to_the_thread() {
        let message = b"From: Jan <jan@voorbeeld.nl>\r\nMessage-ID: <c@voorbeeld.nl>\r\n\
            To: \"Jansen, Piet\" <piet@example.org>,\r\n\t=?utf-8?q?Els_=40_werk?= <els@voorbeeld.nl>\r\n\
            In-Reply-To: <b@example.org>\r\nReferences: <a@voorbeeld.nl>\r\n\t<b@example.org>\r\n\r\nKANARIE\r\n";
        let Original { thread, from, people } = original("Besluit".into(), message, None, noon());
        assert_eq!(from.unwrap().as_str(), "jan@voorbeeld.nl");
        let people: Vec<&str> = people.iter().map(Address::as_str).collect();
        assert_eq!(people, ["jan@voorbeeld.nl", "piet@example.org", "els@voorbeeld.nl"]);
        assert_eq!(thread.message_id.as_deref(), Some("<c@voorbeeld.nl>"));
        assert_eq!(thread.references, ["<a@voorbeeld.nl>", "<b@example.org>", "<c@voorbeeld.nl>"]);
        assert_eq!((thread.topic.as_deref(), thread.index), (Some("Besluit"), None));
    }

    #[test]
    fn an_index_grows_by_five_octets() {
        // 2026-11-24T11:00:00Z as FILETIME, its upper six bytes.
        let begun: i64 =
            "2026-11-24T11:00:00Z".parse::<Timestamp>().unwrap().as_microsecond() * 10 + FILETIME_EPOCH;
        let mut first = begun.to_be_bytes()[..6].to_vec();
        first.extend_from_slice(&[7; 16]);
        let answer = STANDARD.decode(answer_index(&STANDARD.encode(&first), noon()).unwrap()).unwrap();
        assert_eq!(answer.len(), 27);
        assert_eq!(answer[..22], first);
        let difference = u32::from_be_bytes(answer[22..26].try_into().unwrap());
        let seconds = (u64::from(difference) << 18) / 10_000_000;
        assert!((3599..=3601).contains(&seconds), "{seconds}");
        for wrong in ["", "x", "AAAA", &STANDARD.encode([1; 21]), &STANDARD.encode(vec![1; 2000])] {
            assert_eq!(answer_index(wrong, noon()), None, "{wrong}");
        }
    }
}
