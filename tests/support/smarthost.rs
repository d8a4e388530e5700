//! A next hop that does what a test tells it: well-behaved by default, and at any stage it can refuse, hang,
//! close or talk nonsense. It listens on port 0 of loopback, in threads of its own, and notes everything it
//! is told. Dots are undone here with code of its own, so that it can contradict the relay's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Everything that a well-behaved server offers, but for STARTTLS, AUTH and CHUNKING.
pub const USUAL: &[&str] =
    &["PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"];

/// Where a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connect,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// In the middle of the message.
    Content,
    /// After the final dot, or the last BDAT chunk.
    Dot,
    Rset,
}

/// What is done instead of the usual answer.
#[derive(Clone, Debug)]
pub enum Act {
    /// This reply, lines separated by LF. 2xx and 354 count as taken.
    Say(String),
    /// This reply, then the end.
    SayAndClose(String),
    /// Takes the mail for real, then closes without an answer. Only at [`Stage::Dot`].
    TakeAndClose,
    /// Never answers.
    Hang,
    /// Closes without an answer.
    Close,
}

pub fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

#[derive(Clone, Debug)]
struct Rule {
    stage: Stage,
    matching: String,
    act: Act,
    times: usize,
}

/// What the server is like.
#[derive(Clone, Default)]
pub struct Script {
    extensions: Vec<String>,
    tls: Option<Arc<ServerConfig>>,
    implicit: bool,
    /// Plain text behind the answer to STARTTLS.
    injection: Option<String>,
    credentials: Option<(String, String)>,
    rules: Vec<Rule>,
}

impl Script {
    /// Offers what is usual.
    pub fn usual() -> Self {
        Self::offering(USUAL)
    }

    /// Offers exactly this.
    pub fn offering(extensions: &[&str]) -> Self {
        Self { extensions: extensions.iter().map(|&keyword| keyword.to_owned()).collect(), ..Self::default() }
    }

    pub fn and_offering(mut self, keyword: &str) -> Self {
        self.extensions.push(keyword.to_owned());
        self
    }

    /// STARTTLS can be used (it is offered only if `and_offering` says so as well).
    pub fn with_tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    pub fn with_implicit_tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(config);
        self.implicit = true;
        self
    }

    pub fn injecting(mut self, text: &str) -> Self {
        self.injection = Some(text.to_owned());
        self
    }

    /// MAIL is refused with 530 before AUTH with these.
    pub fn with_credentials(mut self, username: &str, password: &str) -> Self {
        self.credentials = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// Always, at this stage.
    pub fn at(self, stage: Stage, act: Act) -> Self {
        self.when(stage, "", act, usize::MAX)
    }

    /// Only the first time.
    pub fn once(self, stage: Stage, act: Act) -> Self {
        self.when(stage, "", act, 1)
    }

    /// The first `times` commands of this stage that hold `matching`.
    pub fn when(mut self, stage: Stage, matching: &str, act: Act, times: usize) -> Self {
        self.rules.push(Rule { stage, matching: matching.to_owned(), act, times });
        self
    }
}

/// A mail that the server took responsibility for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which connection brought it, from 1.
    pub connection: usize,
    /// All of the MAIL line.
    pub mail: String,
    /// The RCPT lines that were taken.
    pub recipients: Vec<String>,
    /// The bytes, without stuffing and final dot.
    pub message: Vec<u8>,
    pub encrypted: bool,
    pub bdat: bool,
}

impl Taken {
    /// The bare addresses of [`Taken::recipients`].
    pub fn addresses(&self) -> Vec<&str> {
        let address = |line: &'_ str| {
            line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(a, _)| a.len())
        };
        self.recipients
            .iter()
            .map(|line| {
                let start = line.find('<').map_or(0, |at| at + 1);
                &line[start..start + address(line).unwrap_or(0)]
            })
            .collect()
    }
}

/// What the server has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub connections: usize,
    pub closed: usize,
    /// Every command with the number of its connection.
    pub commands: Vec<(usize, String)>,
    pub taken: Vec<Taken>,
    /// Commands that came before the answer to the one before.
    pub pipelined: usize,
    /// Every byte that came in clear.
    pub clear: Vec<u8>,
}

impl Seen {
    /// The verbs of a connection, in order.
    pub fn verbs(&self, connection: usize) -> Vec<String> {
        let verb = |line: &String| line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        self.commands.iter().filter(|(number, _)| *number == connection).map(|(_, line)| verb(line)).collect()
    }

    /// How often each address got the mail.
    pub fn copies(&self, address: &str) -> usize {
        self.taken.iter().flat_map(Taken::addresses).filter(|taken| *taken == address).count()
    }
}

struct Shared {
    script: Mutex<Script>,
    seen: Mutex<Seen>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }

    fn rule(&self, stage: Stage, line: &str) -> Option<Act> {
        let mut script = self.script.lock().unwrap();
        let fits = |rule: &&mut Rule| rule.stage == stage && rule.times > 0 && line.contains(&rule.matching);
        let rule = script.rules.iter_mut().find(fits)?;
        rule.times -= usize::from(rule.times != usize::MAX);
        Some(rule.act.clone())
    }
}

/// The running server; it stops when dropped.
pub struct Smarthost {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// An address of this machine that is not loopback: for all that zegel can tell, others read along on the way there.
pub fn exposed_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Sends nothing; only the way there is looked up (RFC 5737).
    socket.connect("198.51.100.1:9").expect("a machine with a network beside loopback");
    socket.local_addr().unwrap().ip()
}

impl Smarthost {
    /// Where others could read along.
    pub fn start_exposed(script: Script) -> Self {
        Self::start_at(SocketAddr::new(exposed_address(), 0), script)
    }

    pub fn start(script: Script) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    pub fn start_at(address: SocketAddr, script: Script) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            seen: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &server));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on.
    pub fn change(&self, script: Script) {
        *self.shared.script.lock().unwrap() = script;
    }

    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap().clone()
    }

    /// How many mails it took.
    pub fn taken(&self) -> usize {
        self.shared.seen.lock().unwrap().taken.len()
    }

    /// The number of the last connection.
    pub fn seen_connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    /// Waits until what was seen satisfies `enough`; fails after 20 seconds.
    pub fn wait(&self, enough: impl Fn(&Seen) -> bool) -> Seen {
        let seen = self.shared.seen.lock().unwrap();
        let limit = Duration::from_secs(20);
        let (seen, waited) =
            self.shared.changed.wait_timeout_while(seen, limit, |seen| !enough(seen)).unwrap();
        assert!(!waited.timed_out(), "the smarthost waited in vain; it saw {:#?}", seen.commands);
        seen.clone()
    }
}

impl Drop for Smarthost {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Only to wake the listener up; when that fails it is gone already.
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            let mut number = 0;
            shared.note(|seen| {
                seen.connections += 1;
                number = seen.connections;
            });
            let script = shared.script.lock().unwrap().clone();
            let mut session = Session::new(Arc::clone(&shared), script, stream, number);
            // The client may go at any time: that is what tests are for.
            let _ended = session.run();
            drop(session);
            shared.note(|seen| seen.closed += 1);
        });
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Why a session ends before QUIT.
enum End {
    Closed,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

type Step = Result<(), End>;

struct Session {
    shared: Arc<Shared>,
    script: Script,
    tcp: TcpStream,
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    number: usize,
    encrypted: bool,
    authenticated: bool,
    mail: Option<String>,
    recipients: Vec<String>,
}

impl Session {
    fn new(shared: Arc<Shared>, script: Script, tcp: TcpStream, number: usize) -> Self {
        tcp.set_nodelay(true).unwrap();
        let stream = Box::new(tcp.try_clone().unwrap());
        Self {
            shared,
            script,
            tcp,
            stream,
            buffer: Vec::new(),
            number,
            encrypted: false,
            authenticated: false,
            mail: None,
            recipients: Vec::new(),
        }
    }

    fn run(&mut self) -> Step {
        if self.script.implicit {
            self.encrypt();
        }
        self.answer(Stage::Connect, "", "220 smarthost.example.org ESMTP")?;
        loop {
            let line = self.line()?;
            if !self.buffer.is_empty() && !line.to_uppercase().starts_with("BDAT") {
                self.shared.note(|seen| seen.pipelined += 1);
            }
            let (number, noted) = (self.number, line.clone());
            self.shared.note(|seen| seen.commands.push((number, noted)));
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => self.ehlo(&line)?,
                "HELO" => drop(self.answer(Stage::Helo, &line, "250 smarthost.example.org")?),
                "STARTTLS" => self.starttls(&line)?,
                "AUTH" => self.auth(&line)?,
                "MAIL" => self.mail(&line)?,
                "RCPT" => self.rcpt(&line)?,
                "DATA" => self.data(&line)?,
                "BDAT" => self.bdat(&line)?,
                "RSET" => {
                    self.forget();
                    self.answer(Stage::Rset, &line, "250 2.0.0 ok")?;
                }
                "QUIT" => return self.say("221 2.0.0 bye"),
                _ => self.say("500 5.5.2 what?")?,
            }
        }
    }

    fn ehlo(&mut self, line: &str) -> Step {
        self.forget();
        let mut reply = String::from("250-smarthost.example.org");
        let extensions = self.script.extensions.clone();
        for keyword in extensions.iter().filter(|keyword| !(self.encrypted && *keyword == "STARTTLS")) {
            reply.push_str(&format!("\n250-{keyword}"));
        }
        let last = reply.rfind("250").unwrap();
        reply.replace_range(last..last + 4, "250 ");
        self.answer(Stage::Ehlo, line, &reply).map(drop)
    }

    fn starttls(&mut self, line: &str) -> Step {
        if let Some(text) = self.script.injection.clone() {
            self.stream.write_all(format!("220 2.0.0 go\r\n{text}\r\n").as_bytes())?;
            self.stream.flush()?;
        } else if !self.answer(Stage::StartTls, line, "220 2.0.0 go")? {
            return Ok(());
        }
        self.encrypt();
        Ok(())
    }

    fn encrypt(&mut self) {
        let config = self.script.tls.clone().expect("a TLS configuration in the script");
        let connection = ServerConnection::new(config).unwrap();
        self.stream = Box::new(StreamOwned::new(connection, self.tcp.try_clone().unwrap()));
        self.encrypted = true;
    }

    fn auth(&mut self, line: &str) -> Step {
        if let Some(act) = self.shared.rule(Stage::Auth, line) {
            return self.act(act).map(drop);
        }
        let words: Vec<&str> = line.split(' ').collect();
        let (username, password) = self.script.credentials.clone().unwrap_or_default();
        let right = match words.as_slice() {
            ["AUTH", "PLAIN", message] => *message == base64(&format!("\0{username}\0{password}")),
            ["AUTH", "LOGIN"] => {
                self.say("334 VXNlcm5hbWU6")?;
                let name = self.line()?;
                self.say("334 UGFzc3dvcmQ6")?;
                let word = self.line()?;
                name == base64(&username) && word == base64(&password)
            }
            _ => false,
        };
        self.authenticated = right;
        self.say(if right { "235 2.7.0 welcome" } else { "535 5.7.8 wrong" })
    }

    fn mail(&mut self, line: &str) -> Step {
        if self.script.credentials.is_some() && !self.authenticated {
            return self.say("530 5.7.0 authentication required");
        }
        if self.answer(Stage::Mail, line, "250 2.1.0 ok")? {
            self.mail = Some(line.to_owned());
        }
        Ok(())
    }

    fn rcpt(&mut self, line: &str) -> Step {
        if self.mail.is_none() {
            return self.say("503 5.5.1 MAIL first");
        }
        if self.answer(Stage::Rcpt, line, "250 2.1.5 ok")? {
            self.recipients.push(line.to_owned());
        }
        Ok(())
    }

    fn data(&mut self, line: &str) -> Step {
        if self.recipients.is_empty() && self.shared.rule(Stage::Data, "empty").is_none() {
            return self.say("554 5.5.1 no valid recipients");
        }
        if !self.answer(Stage::Data, line, "354 go on")? {
            return Ok(());
        }
        let mut message = Vec::new();
        loop {
            let line = self.raw_line()?;
            if line == b".\r\n" {
                break;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if let Some(act) = self.shared.rule(Stage::Content, "") {
                self.act(act)?;
            }
        }
        self.take(message, false)
    }

    fn bdat(&mut self, line: &str) -> Step {
        let words: Vec<&str> = line.split(' ').collect();
        let ["BDAT", size, "LAST"] = words.as_slice() else { return self.say("501 5.5.4 what?") };
        let size: usize = size.parse().unwrap();
        while self.buffer.len() < size {
            self.fill()?;
            if let Some(act) = self.shared.rule(Stage::Content, "") {
                self.act(act)?;
            }
        }
        let message = self.buffer.drain(..size).collect();
        if self.recipients.is_empty() {
            return self.say("554 5.5.1 no valid recipients");
        }
        self.take(message, true)
    }

    fn take(&mut self, message: Vec<u8>, bdat: bool) -> Step {
        let taken = Taken {
            connection: self.number,
            mail: self.mail.take().unwrap_or_default(),
            recipients: std::mem::take(&mut self.recipients),
            message,
            encrypted: self.encrypted,
            bdat,
        };
        let act = self.shared.rule(Stage::Dot, &taken.mail);
        let mine = match &act {
            None | Some(Act::TakeAndClose) => true,
            Some(Act::Say(text) | Act::SayAndClose(text)) => text.starts_with('2'),
            Some(Act::Hang | Act::Close) => false,
        };
        if mine && !taken.recipients.is_empty() {
            self.shared.note(|seen| seen.taken.push(taken));
        }
        self.act(act.unwrap_or_else(|| say("250 2.0.0 queued"))).map(drop)
    }

    fn forget(&mut self) {
        self.mail = None;
        self.recipients.clear();
    }

    /// The usual answer, or what a rule says; tells whether it was a yes.
    fn answer(&mut self, stage: Stage, line: &str, usual: &str) -> Result<bool, End> {
        self.act(self.shared.rule(stage, line).unwrap_or_else(|| say(usual)))
    }

    fn act(&mut self, act: Act) -> Result<bool, End> {
        match act {
            Act::Say(text) => {
                self.say(&text)?;
                Ok(text.starts_with('2') || text.starts_with("354"))
            }
            Act::SayAndClose(text) => {
                self.say(&text)?;
                Err(End::Closed)
            }
            Act::Close | Act::TakeAndClose => Err(End::Closed),
            Act::Hang => {
                // Until the client has had enough.
                while self.fill().is_ok() {}
                Err(End::Closed)
            }
        }
    }

    fn say(&mut self, text: &str) -> Step {
        self.stream.write_all(format!("{}\r\n", text.replace('\n', "\r\n")).as_bytes())?;
        Ok(self.stream.flush()?)
    }

    fn line(&mut self) -> Result<String, End> {
        let line = self.raw_line()?;
        Ok(String::from_utf8_lossy(&line).trim_end_matches("\r\n").to_owned())
    }

    /// Up to and with CRLF; an LF alone ends nothing.
    fn raw_line(&mut self) -> Result<Vec<u8>, End> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                return Ok(self.buffer.drain(..at + 2).collect());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Step {
        let mut octets = [0; 16 * 1024];
        let count = self.stream.read(&mut octets)?;
        if count == 0 {
            return Err(End::Closed);
        }
        if !self.encrypted {
            self.shared.note(|seen| seen.clear.extend_from_slice(&octets[..count]));
        }
        self.buffer.extend_from_slice(&octets[..count]);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Half-closed first, so that the last answer arrives even if something unread is in the way.
        let _gone = self.tcp.shutdown(std::net::Shutdown::Write);
    }
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text.bytes().map(|octet| format!("{octet:08b}")).collect();
    let symbol = |six: &[u8]| {
        let six = std::str::from_utf8(six).unwrap();
        char::from(ALPHABET[usize::from_str_radix(&format!("{six:0<6}"), 2).unwrap()])
    };
    let mut encoded: String = bits.as_bytes().chunks(6).map(symbol).collect();
    while !encoded.len().is_multiple_of(4) {
        encoded.push('=');
    }
    encoded
}
