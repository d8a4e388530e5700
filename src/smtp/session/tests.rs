//! Laws of the session that hold for any input. What it says to what is shown in tests/dialogs.

use proptest::prelude::*;

use super::*;
use crate::smtp::fixture::{self, Anything};

fn session() -> Session<Anything> {
    let client = "127.0.0.1:1000".parse().unwrap();
    Session::new(Arc::new(Anything), Arc::new(fixture::settings()), Common::new(1 << 20), client)
}

/// Feeds `input` in pieces of `step` bytes as a connection does: what is not used comes again with what follows it.
/// Gives the responses, and the messages that went to the inbox.
fn converse(input: &[u8], step: usize) -> (String, Vec<Vec<u8>>) {
    converse_with(&mut session(), input, step)
}

fn converse_with(session: &mut Session<Anything>, input: &[u8], step: usize) -> (String, Vec<Vec<u8>>) {
    let (mut buffer, mut out, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    'pieces: for piece in input.chunks(step.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            let (used, next) = session.receive(&buffer, &mut out);
            buffer.drain(..used);
            match next {
                Next::Read => break,
                Next::Close | Next::StartTls => break 'pieces,
                Next::Keep(delivery) => {
                    assert!(!delivery.envelope.recipients.is_empty());
                    messages.push(delivery.message.into_vec());
                    session.kept(Ok("kept"), &mut out);
                }
            }
        }
        assert!(buffer.len() < MAX_LINE, "no more than a line is left over");
    }
    (String::from_utf8(out).unwrap(), messages)
}

fn responses(text: &str) -> usize {
    text.split_terminator("\r\n").filter(|line| line.as_bytes()[3] == b' ').count()
}

/// Lines that a session may see, right and wrong, but none that starts a message.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("EHLO client.example".into()),
        Just("HELO client.example".into()),
        Just("MAIL FROM:<>".into()),
        Just("MAIL FROM:<jan@voorbeeld.nl> SIZE=50".into()),
        Just("MAIL FROM:<jan@voorbeeld.nl> SIZE=500".into()),
        Just("RCPT TO:<piet@example.org>".into()),
        Just("RCPT TO:<piet>".into()),
        Just("RSET".into()),
        Just("NOOP x".into()),
        Just("STARTTLS".into()),
        "[ -~]{0,30}".prop_filter("starts no message, ends no session", |text: &String| {
            let verb = text.split(' ').next().unwrap_or("").to_ascii_uppercase();
            !["DATA", "BDAT", "QUIT"].contains(&verb.as_str())
        }),
        (2040usize..5000).prop_map(|length| "x".repeat(length)),
    ]
}

/// Bytes as a client, a clumsy one or a hostile one may send them.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        line().prop_map(|line| format!("{line}\r\n").into_bytes()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"DATA\r\nSubject: x\r\n\r\n..x\r\n.\r\n".to_vec()),
        Just(b"BDAT 10\r\n".to_vec()),
        Just(b"BDAT 3 LAST\r\nQUI".to_vec()),
        Just(b"BDAT x\r\n".to_vec()),
        Just(b"\r\n.\r\n".to_vec()),
        Just(b"\n.\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    let opening = b"EHLO x\r\nMAIL FROM:<a@b.nl>\r\nRCPT TO:<c@d.nl>\r\n".to_vec();
    let start = prop_oneof![Just(Vec::new()), Just(opening)];
    (start, prop::collection::vec(piece, 0..12)).prop_map(|(start, pieces)| [start, pieces.concat()].concat())
}

proptest! {
    #[test]
    fn one_line_one_response(lines in prop::collection::vec(line(), 0..20)) {
        let input: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let (out, messages) = converse(input.as_bytes(), input.len());
        prop_assert!(messages.is_empty());
        if out.contains("closing connection") {
            prop_assert!(responses(&out) <= lines.len());
        } else {
            prop_assert_eq!(responses(&out), lines.len());
        }
    }

    /// Whatever is in it, a message that has its end leaves the session between transactions, or closed.
    #[test]
    fn data_ends_in_ready_or_closed(
        data in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..300),
        step in 1usize..40,
    ) {
        let opening = b"EHLO x\r\nMAIL FROM:<a@b.nl>\r\nRCPT TO:<c@d.nl>\r\nDATA\r\n".to_vec();
        let mut session = session();
        let (out, messages) = converse_with(&mut session, &[opening, data, b"\r\n.\r\n".to_vec()].concat(), step);
        prop_assert!(matches!(session.stage, Stage::Ready(_) | Stage::Closed), "{:?}", session.stage);
        prop_assert_eq!(out.matches("\r\n354 ").count(), 1);
        prop_assert!(messages.len() <= 1, "C07");
    }

    #[test]
    fn any_octets_mean_the_same_at_any_split(input in octets(), step in 1usize..50) {
        let whole = converse(&input, input.len());
        prop_assert_eq!(converse(&input, step), whole.clone());
        prop_assert!(responses(&whole.0) <= input.len());
        for message in whole.1 {
            prop_assert!(CrlfBytes::check(message).is_ok(), "C08");
        }
    }
}

/// Feeds `octets` of a line, or of a message, without an end.
fn flood(session: &mut Session<Anything>, octets: u64, out: &mut Vec<u8>) -> Next<()> {
    let piece = vec![b'x'; 8 << 20];
    let (mut left, mut next) = (octets, Next::Read);
    while left > 0 && matches!(next, Next::Read) {
        let (used, then) = session.receive(take(&mut piece.as_slice(), &mut left), out);
        assert!(used > 0 || !matches!(then, Next::Read));
        next = then;
    }
    next
}

#[test]
fn an_endless_line_is_bounded() {
    let (mut session, mut out) = (session(), Vec::new());
    assert!(matches!(flood(&mut session, MAX_ENDLESS_LINE as u64, &mut out), Next::Read));
    assert!(out.is_empty());
    assert!(matches!(flood(&mut session, 1, &mut out), Next::Close));
    assert!(out.starts_with(b"500 5.5.2 "));
}

const OPENING: &[u8] = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.nl>\r\n";

#[test]
fn data_far_beyond_the_limit_ends_the_session() {
    let (mut session, mut out) = (session(), Vec::new());
    session.receive(&[OPENING, b"DATA\r\n"].concat(), &mut out);
    out.clear();
    let limit = fixture::settings().max_message_size + MAX_DISCARD;
    assert!(matches!(flood(&mut session, limit, &mut out), Next::Read));
    assert!(out.is_empty());
    assert!(matches!(flood(&mut session, 1, &mut out), Next::Close));
    assert!(out.starts_with(b"552 5.3.4 "));
}

#[test]
fn a_chunk_far_beyond_the_limit_ends_the_session() {
    let limit = fixture::settings().max_message_size + MAX_DISCARD;
    for (size, closed) in [(limit, false), (limit + 1, true)] {
        let (mut session, mut out) = (session(), Vec::new());
        session.receive(&[OPENING, format!("BDAT {size}\r\n").as_bytes()].concat(), &mut out);
        assert_eq!(matches!(session.stage, Stage::Closed), closed, "{size}");
    }
}

#[test]
fn only_a_message_under_way_is_waited_for() {
    for (said, in_message) in [
        ("", false),
        ("NOOP", false),
        ("DATA\r\n", true),
        ("DATA\r\nx\r\n.\r\n", false),
        ("BDAT 2\r\nx", true),
        ("BDAT 2\r\nxy", true),
        ("BDAT 2\r\nxyRSET\r\n", false),
        ("RSET\r\nBDAT 2\r\nx", true),
        ("RSET\r\nBDAT 2\r\nxy", false),
    ] {
        let mut session = session();
        let (_, next) = session.receive(&[OPENING, said.as_bytes()].concat(), &mut Vec::new());
        assert!(matches!(next, Next::Read | Next::Keep(_)));
        assert_eq!(session.in_message(), in_message, "{said:?}");
    }
}
