//! A whole session: one line gets one response, the same bytes mean the same however they are cut, and what comes out
//! is messages that may go on (C07, C08, H12).

use std::sync::Arc;
use std::time::Duration;

use zegel::address::{Address, ReversePath};
use zegel::envelope::{Envelope, Peer};
use zegel::message::crlf::CrlfBytes;
use zegel::proxy_protocol::HeaderSenders;
use zegel::smtp::SmtpSettings;
use zegel::smtp::inbox::{Inbox, Refusal};
use zegel::smtp::peers::Allowed;
use zegel::smtp::session::{Common, MAX_LINE, Next, Session};

use crate::step;

const MAX_MESSAGE: u64 = 100;
const MAX_RECIPIENTS: usize = 3;

pub fn holds(input: &[u8]) {
    let mut whole = Client::new();
    whole.send(input);
    let mut cut = Client::new();
    input.chunks(step(input)).for_each(|piece| cut.send(piece));
    let mut dripped = Client::new();
    for octet in input {
        dripped.drip(*octet);
    }
    assert_eq!(whole.seen(), cut.seen());
    assert_eq!(whole.seen(), dripped.seen());
    for message in whole.messages {
        assert!(message.len() as u64 <= MAX_MESSAGE);
        assert!(CrlfBytes::check(message).is_ok());
    }
}

struct Client {
    session: Session<Anything>,
    /// What the session has not used yet comes again with what follows it, as from a connection.
    unused: Vec<u8>,
    said: Vec<u8>,
    messages: Vec<Vec<u8>>,
    is_closed: bool,
}

impl Client {
    fn new() -> Self {
        let client = ([127, 0, 0, 1], 1000).into();
        let session = Session::new(Arc::new(Anything), Arc::new(settings()), Common::new(1 << 20), client);
        Self { session, unused: Vec::new(), said: Vec::new(), messages: Vec::new(), is_closed: false }
    }

    fn seen(&self) -> (String, &[Vec<u8>]) {
        (String::from_utf8(self.said.clone()).expect("responses are text"), &self.messages)
    }

    fn send(&mut self, piece: &[u8]) {
        self.unused.extend_from_slice(piece);
        while !self.is_closed {
            let (used, next) = self.session.receive(&self.unused, &mut self.said);
            self.unused.drain(..used);
            match next {
                Next::Read => break,
                Next::Close | Next::StartTls => self.is_closed = true,
                Next::Keep(delivery) => self.keep(delivery.envelope, delivery.message),
            }
        }
        assert!(self.is_closed || self.unused.len() < MAX_LINE, "no more than a line waits");
    }

    fn keep(&mut self, envelope: Envelope, message: CrlfBytes) {
        assert!((1..=MAX_RECIPIENTS).contains(&envelope.recipients.len()));
        self.messages.push(message.into_vec());
        self.session.kept(Ok("kept"), &mut self.said);
    }

    /// One byte; when it ends a command line, there is one response to it.
    fn drip(&mut self, octet: u8) {
        if self.is_closed {
            return;
        }
        let (in_message, said) = (self.session.in_message(), self.said.len());
        let ends_line = self.unused.ends_with(b"\r") && octet == b'\n';
        self.send(&[octet]);
        let responses = count_responses(self.said.get(said..).unwrap_or_default());
        assert!(responses <= 1, "one octet, {responses} responses");
        if ends_line && !in_message && !self.session.in_message() {
            assert_eq!(responses, 1, "one line, one response");
        }
    }
}

/// Lines that end a response; every line must have the form of one (RFC 5321 4.2).
fn count_responses(said: &[u8]) -> usize {
    let is_last = |line: &[u8]| match line {
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', ..] => true,
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b'-', ..] => false,
        _ => panic!("{:?} is no response", String::from_utf8_lossy(line)),
    };
    let lines = said.split_inclusive(|octet| *octet == b'\n');
    lines.filter(|line| is_last(line.strip_suffix(b"\r\n").expect("a response ends in CRLF"))).count()
}

fn settings() -> SmtpSettings {
    SmtpSettings {
        hostname: "mx.voorbeeld.nl".into(),
        allowed: Allowed::new(vec!["127.0.0.0/8".parse().expect("it is one")]),
        header_senders: HeaderSenders::default(),
        max_message_size: MAX_MESSAGE,
        max_recipients: MAX_RECIPIENTS,
        max_connections: 1,
        max_connections_per_client: 1,
        idle_timeout: Duration::from_secs(300),
        memory_budget: 1 << 20,
        memory_budget_per_client: None,
        tls: None,
        require_tls: false,
    }
}

struct Anything;

impl Inbox for Anything {
    type Kept = &'static str;
    type Snapshot = ();

    fn begin(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@voorbeeld.nl").expect("it is one")
    }

    async fn keep(&self, (): (), _: Peer, _: Envelope, _: CrlfBytes) -> Result<&'static str, Refusal> {
        Ok("kept")
    }
}
