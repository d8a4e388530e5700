//! Runs every dialogue in tests/dialogs/*.smtp against the real listener: once with the client's bytes as they
//! stand between two responses in one write, and once with every byte in a write of its own.
//! tests/dialogs/README.md tells how to write one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test; clippy.toml lets only the test functions themselves panic"
)]

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use zegel::address::{Address, ReversePath};
use zegel::envelope::{BodyType, Envelope, MailParameters, Peer, RcptParameters, Ret};
use zegel::message::crlf::CrlfBytes;
use zegel::proxy_protocol::HeaderSenders;
use zegel::smtp::inbox::{Inbox, Refusal};
use zegel::smtp::peers::Allowed;
use zegel::smtp::{Server, SmtpSettings};
use zegel::tls;

/// How the client's bytes are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    Whole,
    OctetByOctet,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialogue_holds() {
    run_all(Writes::Whole).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialogue_holds_octet_by_octet() {
    run_all(Writes::OctetByOctet).await;
}

async fn run_all(writes: Writes) {
    let certificate = Certificate::make();
    let mut failures = Vec::new();
    let files = dialogues();
    assert!(files.len() > 30, "the dialogues are not there");
    for file in files {
        let dialogue = Dialogue::read(&file);
        if dialogue.only.is_some_and(|only| only != writes) {
            continue;
        }
        if let Err(failure) = run(&dialogue, &certificate, writes).await {
            failures.push(format!("{}:{failure}", file.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

fn dialogues() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogs");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "smtp"));
    files.sort();
    files
}

/// One file.
struct Dialogue {
    settings: SmtpSettings,
    tls: bool,
    only: Option<Writes>,
    steps: Vec<(usize, Step)>,
}

enum Step {
    /// The client sends bytes.
    Send(Vec<u8>),
    /// The server's next line starts so.
    Line(String),
    /// The server's next response has this code, and these lines or, with `!`, not.
    Response(String, Vec<String>),
    /// The server closes the connection.
    End,
    /// The client does the TLS handshake.
    Handshake,
    /// The handshake fails.
    NoHandshake,
    /// The inbox got one more message, from here.
    From(String),
    /// ... and to one more recipient.
    To(String),
    /// ... and it is this.
    Message(Vec<u8>),
}

impl Step {
    fn read(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "C:" => Self::Send([octets(rest), b"\r\n".to_vec()].concat()),
            "C~" => Self::Send(octets(rest)),
            "S:" => Self::Line(rest.to_owned()),
            "S*" => {
                let (code, lines) = rest.split_once(' ').unwrap_or((rest, ""));
                let lines = lines.split(", ").filter(|line| !line.is_empty()).map(str::to_owned);
                Self::Response(code.to_owned(), lines.collect())
            }
            "END" => Self::End,
            "TLS" if rest == "fails" => Self::NoHandshake,
            "TLS" => Self::Handshake,
            "->" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("from", rest) => Self::From(rest.to_owned()),
                ("to", rest) => Self::To(rest.to_owned()),
                ("message", rest) => Self::Message(octets(rest)),
                _ => return None,
            },
            _ => return None,
        })
    }
}

impl Dialogue {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let mut dialogue = Self { settings: settings(), tls: false, only: None, steps: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(setting) = line.strip_prefix("set ") {
                dialogue.set(setting);
                continue;
            }
            let (times, line) = match line.strip_prefix("repeat ").and_then(|rest| rest.split_once(' ')) {
                Some((times, line)) => (times.parse().unwrap(), line),
                None => (1, line),
            };
            let step =
                || Step::read(line).unwrap_or_else(|| panic!("{}:{}: {line}", file.display(), index + 1));
            dialogue.steps.extend((0..times).map(|_| (index + 1, step())));
        }
        dialogue
    }

    fn set(&mut self, setting: &str) {
        let (key, value) = setting.split_once(' ').unwrap_or((setting, ""));
        match key {
            "max_message_size" => self.settings.max_message_size = value.parse().unwrap(),
            "max_recipients" => self.settings.max_recipients = value.parse().unwrap(),
            "max_connections" => self.settings.max_connections = value.parse().unwrap(),
            "memory_budget" => self.settings.memory_budget = value.parse().unwrap(),
            "idle_timeout" => self.settings.idle_timeout = Duration::from_millis(value.parse().unwrap()),
            "allow" => self.settings.allowed = Allowed::new(vec![value.parse().unwrap()]),
            "tls" => self.tls = true,
            "require_tls" => self.settings.require_tls = true,
            "only" if value == "whole" => self.only = Some(Writes::Whole),
            "only" if value == "octets" => self.only = Some(Writes::OctetByOctet),
            _ => panic!("unknown setting {setting:?}"),
        }
    }
}

fn settings() -> SmtpSettings {
    SmtpSettings {
        hostname: "mx.voorbeeld.nl".into(),
        allowed: Allowed::new(vec!["127.0.0.0/8".parse().unwrap()]),
        header_senders: HeaderSenders::default(),
        max_message_size: 100_000,
        max_recipients: 1000,
        max_connections: 10,
        max_connections_per_client: 10,
        idle_timeout: Duration::from_secs(300),
        memory_budget: 1 << 20,
        memory_budget_per_client: None,
        tls: None,
        require_tls: false,
    }
}

/// Reads `\r \n \t \0 \\ \xNN` and `\*N{text}` (text, N times).
fn octets(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'\\' {
            out.push(octet);
            continue;
        }
        let (&escape, after) = rest.split_first().expect("something behind the backslash");
        rest = after;
        match escape {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                out.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                rest = &rest[2..];
            }
            b'*' => {
                let text = std::str::from_utf8(rest).unwrap();
                let (times, text) = text.split_once('{').unwrap();
                let (repeated, after) = text.split_once('}').unwrap();
                out.extend(octets(repeated).repeat(times.parse().unwrap()));
                rest = after.as_bytes();
            }
            other => panic!("unknown escape \\{}", char::from(other)),
        }
    }
    out
}

/// The server's certificate, in files as a configuration names them.
struct Certificate(tempfile::TempDir);

impl Certificate {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["mx.voorbeeld.nl".into()]).unwrap();
        std::fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self(folder)
    }

    fn server(&self) -> Arc<rustls::ServerConfig> {
        let file = |name| self.0.path().join(name);
        let pair =
            tls::Pair { certificate: file("certificate.pem"), key: file("key.pem"), names: Vec::new() };
        tls::server(&pair, &[], &[]).unwrap()
    }
}

/// Remembers what it was given, and refuses what a dialogue wants refused.
#[derive(Default)]
struct TestInbox(Mutex<(usize, VecDeque<Kept>)>);

struct Kept {
    envelope: Envelope,
    message: Vec<u8>,
}

impl Inbox for TestInbox {
    type Kept = String;
    type Snapshot = ();

    fn begin(&self, path: &ReversePath) -> Result<(), Refusal> {
        match path.address() {
            Some(address) if !address.is_internal(&["voorbeeld.nl".into(), "[192.0.2.1]".into()]) => {
                Err(Refusal::ForeignSender)
            }
            _ => Ok(()),
        }
    }

    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@voorbeeld.nl").unwrap()
    }

    async fn keep(&self, (): (), _: Peer, envelope: Envelope, message: CrlfBytes) -> Result<String, Refusal> {
        let message = message.into_vec();
        let text = String::from_utf8_lossy(&message);
        match text.lines().find_map(|line| line.strip_prefix("X-Refuse: ")) {
            Some("loop") => return Err(Refusal::Loop),
            Some("trouble") => return Err(Refusal::Trouble("disk full".into())),
            Some("unusable") => return Err(Refusal::Unusable("nesting")),
            Some(text) => return Err(Refusal::Policy(text.to_owned())),
            None => {}
        }
        let mut inbox = self.0.lock().unwrap();
        inbox.0 += 1;
        inbox.1.push_back(Kept { envelope, message });
        Ok(format!("test{}", inbox.0))
    }
}

async fn run(dialogue: &Dialogue, certificate: &Certificate, writes: Writes) -> Result<(), String> {
    let mut settings = dialogue.settings.clone();
    settings.tls = dialogue.tls.then(|| certificate.server());
    let inbox = Arc::new(TestInbox::default());
    let any_port = ["127.0.0.1:0".parse().unwrap()];
    let settings = Arc::new(settings);
    let server = Server::bind(&any_port, Box::new(move || settings.clone()), Arc::clone(&inbox)).unwrap();
    let address = server.addresses().unwrap()[0];
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));

    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let mut client = Client { stream: BufReader::new(Box::new(tcp)), writes };
    let result = client.play(&dialogue.steps, &inbox).await;
    drop(client);
    stop.cancel();
    running.await.unwrap();
    result
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

struct Client {
    stream: BufReader<Box<dyn Stream>>,
    writes: Writes,
}

impl Client {
    async fn play(&mut self, steps: &[(usize, Step)], inbox: &TestInbox) -> Result<(), String> {
        let mut expected = steps.iter().peekable();
        let mut pending = Vec::new();
        let mut envelope = None;
        while let Some((number, step)) = expected.next() {
            let failed = |what: String| Err(format!("{number}: {what}"));
            if let Step::Send(octets) = step {
                pending.extend_from_slice(octets);
                if !matches!(expected.peek(), Some((_, Step::Send(_)))) {
                    self.send(&std::mem::take(&mut pending)).await;
                }
                continue;
            }
            match step {
                Step::Send(_) => {}
                Step::Line(start) => {
                    let line = self.line().await;
                    if !line.starts_with(start.as_str()) {
                        return failed(format!("expected {start:?}, got {line:?}"));
                    }
                }
                Step::Response(code, lines) => {
                    if let Err(what) = self.response(code, lines).await {
                        return failed(what);
                    }
                }
                Step::End => match self.line().await.as_str() {
                    "<end>" => {}
                    line => return failed(format!("expected the end, got {line:?}")),
                },
                Step::Handshake => self.handshake().await.or_else(|error| failed(error.to_string()))?,
                Step::NoHandshake if self.handshake().await.is_ok() => {
                    return failed("the handshake should fail".into());
                }
                Step::NoHandshake => {}
                Step::From(text) => {
                    let Some(kept) = inbox.0.lock().unwrap().1.pop_front() else {
                        return failed("the inbox got no message".into());
                    };
                    let got = from(&kept.envelope);
                    if got != *text {
                        return failed(format!("expected from {text:?}, got {got:?}"));
                    }
                    envelope = Some((kept.envelope.recipients.into_iter(), kept.message));
                }
                Step::To(text) => {
                    let Some((recipients, _)) = &mut envelope else { return failed("first 'from'".into()) };
                    let got = recipients.next().map(|one| to(&one.address, &one.parameters));
                    if got.as_deref() != Some(text.as_str()) {
                        return failed(format!("expected to {text:?}, got {got:?}"));
                    }
                }
                Step::Message(octets) => {
                    let Some((mut recipients, message)) = envelope.take() else {
                        return failed("first 'from'".into());
                    };
                    if let Some(more) = recipients.next() {
                        return failed(format!("one more recipient: {}", more.address));
                    }
                    if message != *octets {
                        let got = String::from_utf8_lossy(&message).into_owned();
                        return failed(format!("the message is {got:?}"));
                    }
                }
            }
        }
        match inbox.0.lock().unwrap().1.len() {
            0 => Ok(()),
            left => Err(format!("end: {left} messages that were not expected")),
        }
    }

    /// What the server does not want any more is not an error: its response, or the end, comes next.
    async fn send(&mut self, octets: &[u8]) {
        let step = if self.writes == Writes::Whole { octets.len() } else { 1 };
        for piece in octets.chunks(step.max(1)) {
            let written = self.stream.write_all(piece).await;
            if written.is_err() || self.stream.flush().await.is_err() {
                return;
            }
        }
    }

    /// The next line without its CRLF, or `<end>`.
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        match tokio::time::timeout(Duration::from_secs(5), read).await {
            Err(_) => "<nothing for 5 seconds>".into(),
            Ok(Err(_) | Ok(0)) => "<end>".into(),
            Ok(Ok(_)) => {
                let text = String::from_utf8(line).unwrap();
                text.strip_suffix("\r\n").expect("a line ends in CRLF").to_owned()
            }
        }
    }

    async fn response(&mut self, code: &str, expected: &[String]) -> Result<(), String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            match line.strip_prefix(code) {
                Some(rest) if rest.starts_with(['-', ' ']) => lines.push(rest[1..].to_owned()),
                _ => return Err(format!("expected {code}, got {line:?}")),
            }
            if line[code.len()..].starts_with(' ') {
                break;
            }
        }
        for line in expected {
            let (line, wanted) = line.strip_prefix('!').map_or((line.as_str(), true), |line| (line, false));
            if lines.iter().any(|got| got == line) != wanted {
                return Err(format!("expected {line:?}: {wanted}, in {lines:?}"));
            }
        }
        Ok(())
    }

    async fn handshake(&mut self) -> std::io::Result<()> {
        let (gone, _) = tokio::io::duplex(1);
        let plain = std::mem::replace(&mut self.stream, BufReader::new(Box::new(gone)));
        assert!(plain.buffer().is_empty(), "the server spoke before the handshake");
        let connector = TlsConnector::from(tls::opportunistic_client().unwrap());
        let name = ServerName::try_from("mx.voorbeeld.nl").unwrap();
        let tls = connector.connect(name, plain.into_inner()).await?;
        self.stream = BufReader::new(Box::new(tls));
        Ok(())
    }
}

/// `<address>` and the parameters of MAIL, in the order of the structure.
fn from(envelope: &Envelope) -> String {
    let MailParameters { body, smtputf8, size, ret, envid } = &envelope.parameters;
    let mut words = vec![envelope.reverse_path.to_string()];
    words.extend(body.map(|body| match body {
        BodyType::SevenBit => "BODY=7BIT".to_owned(),
        BodyType::EightBitMime => "BODY=8BITMIME".to_owned(),
    }));
    words.extend(smtputf8.then(|| "SMTPUTF8".to_owned()));
    words.extend(size.map(|size| format!("SIZE={size}")));
    words.extend(ret.map(|ret| if ret == Ret::Full { "RET=FULL".into() } else { "RET=HDRS".into() }));
    words.extend(envid.as_ref().map(|envid| format!("ENVID={envid}")));
    words.join(" ")
}

/// `<address>` and the parameters of RCPT.
fn to(address: &Address, RcptParameters { notify, orcpt }: &RcptParameters) -> String {
    let mut words = vec![format!("<{address}>")];
    words.extend(notify.map(|notify| {
        let names = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
        let named: Vec<_> = names.into_iter().filter(|(wanted, _)| *wanted).map(|(_, name)| name).collect();
        format!("NOTIFY={}", if named.is_empty() { "NEVER".to_owned() } else { named.join(",") })
    }));
    words.extend(orcpt.as_ref().map(|orcpt| format!("ORCPT={orcpt}")));
    words.join(" ")
}
