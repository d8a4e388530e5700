//! The SMTP session as a state machine: bytes in, responses and the next step out. It does no I/O and
//! knows no clock; `connection` drives it. Here are its stages and what it reads in each; `table` knows the commands.
//!
//! Each state owns exactly what is valid in it and is moved by value, so that an envelope cannot outlive
//! RSET, EHLO or STARTTLS. One line gets one response; DATA gets a second one at the end of data, and
//! BDAT gets its only one after the chunk. What must never happen: a 250 for a message that the inbox has not kept.

mod table;
#[cfg(test)]
mod tests;

use std::mem;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use memchr::memmem;

use super::SmtpSettings;
use super::budget::{Account, Budget, Share};
use super::command::{Chunk, Command, CommandError};
use super::data::{DataDecoder, Incoming};
use super::refusals::{self, Refusals};
use super::response::Response;
use crate::envelope::{Envelope, Peer};
use crate::id::OrganisationId;
use crate::message::crlf::CrlfBytes;
use crate::metrics::Metrics;
use crate::smtp::inbox::{Inbox, Refusal};

/// Bytes of a command line with its CRLF: RFC 5321 4.5.3.1.4 asks for 512, and the extensions add to it.
pub const MAX_LINE: usize = 2048;
/// Bytes of a line without end after which the connection closes (H12).
const MAX_ENDLESS_LINE: usize = 1 << 20;
/// Errors of one connection; one more closes it.
const MAX_ERRORS: u32 = 20;
/// Bytes beyond the largest message that are still read to stay in step; then the connection closes.
const MAX_DISCARD: u64 = 1 << 30;
/// The first byte of a TLS record that starts a handshake (RFC 8446 5.1); no command starts with it (M05).
const TLS_HANDSHAKE: u8 = 0x16;

/// What all sessions have in common.
#[derive(Clone, Debug)]
pub struct Common {
    /// The memory for their messages.
    pub budget: Budget,
    /// Where they tell what they refuse.
    pub refusals: Arc<Refusals>,
    /// Counts what is kept and what is refused.
    pub metrics: Metrics,
}

impl Common {
    /// With so many bytes of memory for messages.
    pub fn new(memory_budget: u64) -> Self {
        Self::counting(memory_budget, Metrics::default())
    }

    /// The same, which counts there.
    pub fn counting(memory_budget: u64, metrics: Metrics) -> Self {
        let refusals = Arc::new(Refusals::counting(metrics.clone()));
        Self { budget: Budget::new(memory_budget), refusals, metrics }
    }
}

/// One client's session.
#[derive(Debug)]
pub struct Session<I: Inbox> {
    inbox: Arc<I>,
    settings: Arc<SmtpSettings>,
    account: Account,
    refusals: Arc<Refusals>,
    client: SocketAddr,
    tls: Option<String>,
    errors: u32,
    said: Said,
    stage: Stage<I::Snapshot>,
}

/// What the client said of itself last, for the log.
#[derive(Debug, Default)]
struct Said {
    /// In EHLO or HELO.
    name: Option<String>,
    /// The domain in MAIL.
    sender: Option<String>,
    /// Whose mail it is, once MAIL was accepted.
    organisation: Option<OrganisationId>,
}

/// What the connection has to do now. Responses written so far go to the client first.
#[derive(Debug)]
pub enum Next<T> {
    /// Read more.
    Read,
    /// Hand the message to the inbox, then call [`Session::kept`].
    Keep(Box<Delivery<T>>),
    /// Do the TLS handshake, then call [`Session::secured`].
    StartTls,
    /// Close the connection.
    Close,
}

/// A whole message with its envelope.
#[derive(Debug)]
pub struct Delivery<T> {
    /// What the inbox goes by for it.
    pub snapshot: T,
    /// Who handed it to us.
    pub peer: Peer,
    /// From whom, for whom.
    pub envelope: Envelope,
    pub message: CrlfBytes,
    /// Its share of the memory budget: to be held until the inbox is done.
    pub share: Share,
}

/// Where the session is.
#[derive(Debug)]
enum Stage<T> {
    /// Before EHLO or HELO, and again after STARTTLS.
    Start,
    /// Between transactions.
    Ready(Greeting),
    /// MAIL was refused: what the client pipelined behind it is answered, but no error of its own.
    MailRefused(Greeting),
    /// MAIL was accepted.
    Mail(Transaction<T>),
    /// DATA was accepted.
    Data(Transaction<T>, DataDecoder, Incoming),
    /// Between the chunks of a message.
    Chunked(Transaction<T>, Incoming),
    /// Within a chunk of which `chunk.size` bytes are still to come.
    Chunk(Transaction<T>, Incoming, Chunk),
    /// Within a chunk that nobody wants; `response` follows it, then `back` goes on.
    SkipChunk { left: u64, response: Response, back: Box<Stage<T>> },
    /// Within a line that is too long.
    SkipLine { skipped: usize, back: Box<Stage<T>> },
    /// The inbox has the message.
    Keeping(Greeting),
    /// STARTTLS was accepted.
    Handshake,
    /// Nothing more is read.
    Closed,
}

/// What EHLO or HELO told us.
#[derive(Debug)]
struct Greeting {
    name: String,
    extended: bool,
}

#[derive(Debug)]
struct Transaction<T> {
    greeting: Greeting,
    /// What the inbox goes by for this message, from MAIL to its end.
    snapshot: T,
    envelope: Envelope,
}

impl<I: Inbox> Session<I> {
    /// A session with a client that has just connected.
    pub fn new(inbox: Arc<I>, settings: Arc<SmtpSettings>, common: Common, client: SocketAddr) -> Self {
        let Common { budget, refusals, .. } = common;
        let account = budget.account(client.ip(), &settings);
        let (said, stage) = (Said::default(), Stage::Start);
        Self { inbox, settings, account, refusals, client, tls: None, errors: 0, said, stage }
    }

    /// The greeting.
    pub fn greet(&self, out: &mut Vec<u8>) {
        Response::greeting(&self.settings.hostname).write_to(out);
    }

    /// Takes what it can use from `input`, and adds the responses to `out`: those to a pipelined batch
    /// (RFC 2920) come together. Gives how many bytes are used up.
    pub fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Next<I::Snapshot>) {
        let mut rest = input;
        loop {
            if let ControlFlow::Break(next) = self.advance(&mut rest, out) {
                return (input.len() - rest.len(), next);
            }
        }
    }

    /// What became of the message of [`Next::Keep`].
    pub fn kept(&mut self, result: Result<I::Kept, Refusal>, out: &mut Vec<u8>) {
        if let Stage::Keeping(greeting) = mem::replace(&mut self.stage, Stage::Closed) {
            match result {
                Ok(kept) => Response::kept(&kept).write_to(out),
                Err(refusal) => self.tell(&Response::from(&refusal), out),
            }
            self.stage = Stage::Ready(greeting);
        }
    }

    /// The handshake is done: everything that was said before it is forgotten (RFC 3207 4.2, C09).
    pub fn secured(&mut self, tls: String) {
        self.tls = Some(tls);
        self.said = Said::default();
        self.stage = Stage::Start;
    }

    /// Says a response that does not answer a command: the connection ends with it.
    pub fn give_up(&mut self, response: &Response, out: &mut Vec<u8>) {
        self.tell(response, out);
        self.stage = Stage::Closed;
    }

    /// The connection has ended, and not by a response of ours.
    pub fn broken_off(&self, reason: String) {
        self.note(None, reason);
    }

    /// Whether the client is handing over a message, which is worth waiting for when we stop.
    pub fn in_message(&self) -> bool {
        matches!(
            self.stage,
            Stage::Data(..) | Stage::Chunked(..) | Stage::Chunk(..) | Stage::SkipChunk { .. }
        )
    }

    /// Whether this client may relay.
    pub fn may_relay(&self) -> bool {
        self.settings.allowed.contains(self.client.ip())
    }

    fn advance(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) -> ControlFlow<Next<I::Snapshot>> {
        match mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Data(transaction, decoder, incoming) => {
                self.data(transaction, decoder, incoming, rest, out)
            }
            Stage::Chunk(transaction, incoming, chunk) => self.chunk(transaction, incoming, chunk, rest, out),
            Stage::SkipChunk { left, response, back } => self.skip_chunk(left, response, back, rest, out),
            Stage::SkipLine { skipped, back } => self.skip_line(skipped, back, rest, out),
            Stage::Closed => ControlFlow::Break(Next::Close),
            Stage::Handshake => {
                self.stage = Stage::Handshake;
                ControlFlow::Break(Next::StartTls)
            }
            Stage::Keeping(greeting) => {
                self.stage = Stage::Keeping(greeting);
                ControlFlow::Break(Next::Read)
            }
            stage => self.line(stage, rest, out),
        }
    }

    /// One command line. Only CRLF ends it (M04).
    fn line(
        &mut self,
        stage: Stage<I::Snapshot>,
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        if rest.first() == Some(&TLS_HANDSHAKE) {
            self.broken_off("TLS without STARTTLS".to_owned());
            return ControlFlow::Break(Next::Close);
        }
        let window = rest.get(..MAX_LINE).unwrap_or(rest);
        let Some(end) = memmem::find(window, b"\r\n") else {
            if window.len() < MAX_LINE {
                self.stage = stage;
                return ControlFlow::Break(Next::Read);
            }
            self.stage = Stage::SkipLine { skipped: 0, back: Box::new(stage) };
            return ControlFlow::Continue(());
        };
        let line = rest.get(..end).unwrap_or_default();
        let command = Command::parse(line);
        self.said.listen(&command);
        let (stage, response) = self.command(stage, command);
        if let Stage::Mail(transaction) = &stage
            && self.said.organisation.is_none()
        {
            self.said.organisation = self.inbox.organisation(&transaction.snapshot);
        }
        *rest = rest.get(end + 2..).unwrap_or_default();
        if matches!(stage, Stage::Handshake) && !rest.is_empty() {
            self.say(Stage::Closed, Some(Response::PLAINTEXT_BEHIND_STARTTLS), out)
        } else {
            self.say(stage, response, out)
        }
    }

    /// Goes to `stage` with this response, or closes after too many errors.
    fn say(
        &mut self,
        stage: Stage<I::Snapshot>,
        response: Option<Response>,
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        self.stage = stage;
        let Some(response) = response else { return ControlFlow::Continue(()) };
        self.errors += u32::from(response.is_error());
        if self.errors > MAX_ERRORS {
            self.stage = Stage::Closed;
            self.tell(&Response::TOO_MANY_ERRORS, out);
        } else {
            self.tell(&response, out);
        }
        ControlFlow::Continue(())
    }

    /// Writes the response for the client, and a line of the log where it refuses something.
    fn tell(&self, response: &Response, out: &mut Vec<u8>) {
        response.write_to(out);
        if response.is_refusal() {
            self.note(Some(response.code()), response.text().to_owned());
        }
    }

    fn note(&self, code: Option<u16>, reason: String) {
        let Said { name, sender, organisation } = &self.said;
        self.refusals.tell(refusals::RefusalLine {
            client: self.client.ip().to_canonical(),
            helo: name.clone(),
            sender: sender.clone(),
            organisation: organisation.clone(),
            code,
            reason,
        });
    }

    fn data(
        &mut self,
        transaction: Transaction<I::Snapshot>,
        mut decoder: DataDecoder,
        mut incoming: Incoming,
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        let (used, ended) = decoder.decode(rest, |octets| incoming.push(octets));
        *rest = rest.get(used..).unwrap_or_default();
        if ended {
            return self.complete(transaction, incoming, out);
        }
        if incoming.size() > self.settings.max_message_size.saturating_add(MAX_DISCARD) {
            return self.say(Stage::Closed, Some(Response::TOO_LARGE), out);
        }
        self.stage = Stage::Data(transaction, decoder, incoming);
        ControlFlow::Break(Next::Read)
    }

    fn chunk(
        &mut self,
        transaction: Transaction<I::Snapshot>,
        mut incoming: Incoming,
        mut chunk: Chunk,
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        incoming.push(take(rest, &mut chunk.size));
        if chunk.size > 0 {
            self.stage = Stage::Chunk(transaction, incoming, chunk);
            return ControlFlow::Break(Next::Read);
        }
        if chunk.last {
            return self.complete(transaction, incoming, out);
        }
        // A message that cannot be taken any more is refused at each of its chunks.
        let response = incoming.fault().map_or(Response::CHUNK, Response::from);
        self.say(Stage::Chunked(transaction, incoming), Some(response), out)
    }

    fn skip_chunk(
        &mut self,
        mut left: u64,
        response: Response,
        back: Box<Stage<I::Snapshot>>,
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        take(rest, &mut left);
        if left > 0 {
            self.stage = Stage::SkipChunk { left, response, back };
            return ControlFlow::Break(Next::Read);
        }
        self.say(*back, Some(response), out)
    }

    fn skip_line(
        &mut self,
        skipped: usize,
        back: Box<Stage<I::Snapshot>>,
        rest: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        if let Some(end) = memmem::find(rest, b"\r\n") {
            *rest = rest.get(end + 2..).unwrap_or_default();
            return self.say(*back, Some(Response::LINE_TOO_LONG), out);
        }
        // A CR at the end stays: its LF may come with the next bytes.
        let used = if rest.ends_with(b"\r") { rest.len() - 1 } else { rest.len() };
        *rest = rest.get(used..).unwrap_or_default();
        let skipped = skipped + used;
        if skipped > MAX_ENDLESS_LINE {
            return self.say(Stage::Closed, Some(Response::LINE_TOO_LONG), out);
        }
        self.stage = Stage::SkipLine { skipped, back };
        ControlFlow::Break(Next::Read)
    }

    /// The message is there as a whole: the inbox decides, or it is refused for what it is.
    fn complete(
        &mut self,
        transaction: Transaction<I::Snapshot>,
        incoming: Incoming,
        out: &mut Vec<u8>,
    ) -> ControlFlow<Next<I::Snapshot>> {
        let Transaction { greeting, snapshot, envelope } = transaction;
        match incoming.finish() {
            Err(fault) => {
                self.tell(&Response::from(fault), out);
                self.stage = Stage::Ready(greeting);
                ControlFlow::Continue(())
            }
            Ok(received) => {
                let peer = Peer {
                    address: self.client,
                    helo: greeting.name.clone(),
                    extended: greeting.extended,
                    tls: self.tls.clone(),
                };
                self.stage = Stage::Keeping(greeting);
                let (message, share) = (received.message, received.share);
                ControlFlow::Break(Next::Keep(Box::new(Delivery {
                    snapshot,
                    peer,
                    envelope,
                    message,
                    share,
                })))
            }
        }
    }
}

impl Said {
    fn listen(&mut self, command: &Result<Command, CommandError>) {
        match command {
            Ok(Command::Ehlo(name) | Command::Helo(name)) => {
                *self = Self { name: Some(name.clone()), ..Self::default() };
            }
            Ok(Command::Mail(path, _)) => {
                let domain = path.address().map_or("<>".to_owned(), |address| address.domain().to_owned());
                (self.sender, self.organisation) = (Some(domain), None);
            }
            Err(CommandError::Sender) | Ok(Command::Rset) => {
                (self.sender, self.organisation) = (None, None);
            }
            _ => {}
        }
    }
}

/// Cuts at most `left` bytes off the front of `rest`, and counts them off.
fn take<'a>(rest: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
    let (taken, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    *rest = after;
    *left -= taken.len() as u64;
    taken
}
