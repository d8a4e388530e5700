//! The pages over real sockets, on a real store, with a client that sends exactly what a test says.

mod cookies;
mod files;
mod genuine;
mod guard;
mod http2;
mod organisations;
mod proxy_header;
mod routes;
mod sessions;
mod status;
mod tls;

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::clock::{Clock, Timestamp, days_later};
use crate::config::{self, PasswordMode};
use crate::delivery::smarthost::LargestMail;
use crate::id::{OrganisationId, QueueId};
use crate::limits::TryRule;
use crate::metrics::Metrics;
use crate::queue::worker::WakeHandle;
use crate::reply::{self, ReplyService};
use crate::secret::{Keys, Secret};
use crate::sender::SenderService;
use crate::settings::{CurrentSettings, Settings};
use crate::store::files::LocalBlobs;
use crate::store::sqlite::Sqlite;
use crate::store::{Acceptance, Store};
use crate::transfer::access::Access;
use crate::transfer::sealing::{self, FileContent, SealRequest};
use crate::web::http::activity::Patience;
use crate::web::http::server::{Server, Transport};
use crate::web::{WebState, router};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nplaatje";
const CONFIG: &str = r#"
    hostname = "veilig.voorbeeld.nl"
    data_dir = "/nowhere"
    [organisation]
    name = "Gemeente <Voorbeeld>"
    domains = ["voorbeeld.nl"]
    phone = "14 0511"
    [smtp]
    listen = ["127.0.0.1:0"]
    [relay]
    smarthost = "127.0.0.1:25"
    [web]
    listen = ["127.0.0.1:0"]
    public_url = "https://veilig.voorbeeld.nl"
"#;

/// Pages with a store behind them; behind a reverse proxy that does HTTPS, as far as they know.
struct Site {
    runtime: Runtime,
    address: SocketAddr,
    clock: Clock,
    settings: CurrentSettings,
    store: Arc<dyn Store>,
    blobs: Arc<LocalBlobs>,
    keys: Keys,
    dir: TempDir,
    stop: CancellationToken,
}

/// A sealed transfer: a token per recipient, and the password.
struct Sealed {
    tokens: Vec<String>,
    password: String,
}

impl Site {
    fn start() -> Self {
        Self::start_with(None)
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start_patient(tls, Patience::default())
    }

    fn start_patient(tls: Option<Arc<ServerConfig>>, patience: Patience) -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&dir.path().join("zegel.db")).unwrap());
        let blobs = Arc::new(LocalBlobs::open(&dir.path().join("blobs")).unwrap());
        let keys = Keys::derive(&[7; 32]);
        let clock = Clock::movable("2026-11-23T10:00:00Z".parse().unwrap());
        let rule = TryRule { attempts: 3, lock: Duration::from_secs(900) };
        let access = Arc::new(Access::new(store.clone(), blobs.clone(), keys.clone(), clock.clone(), rule));
        let config = config::parse(Path::new("zegel.toml"), CONFIG, std::iter::empty()).unwrap();
        let mut settings = Settings::read(config).unwrap();
        settings.certificates.web = tls;
        let settings = CurrentSettings::new(settings);
        let replies = ReplyService::new(reply::ReplyParts {
            store: store.clone(),
            blobs: blobs.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
            wake: WakeHandle::default(),
            largest: LargestMail::default(),
        });
        let sender = SenderService::new(store.clone(), keys.clone(), clock.clone(), WakeHandle::default());
        let state = WebState {
            metrics: Metrics::default(),
            access,
            replies,
            sender,
            downloads: store.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
        };
        let listen = ["127.0.0.1:0".parse().unwrap()];
        let inside = runtime.enter();
        let server = Server::bind(&listen, router(state), settings.clone(), Transport::AsConfigured).unwrap();
        let server = server.with_patience(patience);
        drop(inside);
        let address = server.addresses()[0];
        let stop = CancellationToken::new();
        runtime.spawn(server.run(stop.clone()));
        Self { runtime, address, clock, settings, store, blobs, keys, dir, stop }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seals what `change` makes of a message with three files for two recipients.
    fn seal_with(&self, password: PasswordMode, change: impl FnOnce(&mut SealRequest<'_>)) -> Sealed {
        let mut request = SealRequest {
            original: b"Subject: Besluit\r\n\r\nKANARIE\r\n".as_slice().into(),
            subject: "Besluit <b>zaak</b> & co".into(),
            from_name: Some("Jan <script>alert(1)</script>".into()),
            from_address: Some("jan@voorbeeld.nl".into()),
            agent: None,
            message_id: None,
            date: None,
            text: Some(Cow::Borrowed(b"Regel <i>een</i>, zie https://voorbeeld.nl/x.")),
            html: Some(Cow::Borrowed(b"<p>KANARIE</p><img src=cid:p1><script>alert(2)</script>")),
            files: vec![
                content("besluit.pdf", "application/pdf", b"%PDF-1.7 KANARIE".as_slice().into()),
                content("plaatje.png", "image/png", PNG.into()),
                content(
                    "\"><script>alert(3)</script>é.html",
                    "text/html",
                    b"<b onclick=x>hoi</b>".as_slice().into(),
                ),
                content("tekening.svg", "image/svg+xml", b"<svg onload=alert(4)/>".as_slice().into()),
            ],
            notes: Vec::new(),
            organisation: OrganisationId::of_domain("voorbeeld.nl"),
            sender: Some(Address::parse("jan@voorbeeld.nl").unwrap()),
            recipients: ["piet@example.org", "els@example.org"].map(|a| Address::parse(a).unwrap()).into(),
            automatic: false,
            language: None,
            download_notice: true,
            file_names: false,
            created: self.now(),
            expires: days_later(self.now(), 30),
            zone: crate::calendar::Zone::default(),
            password,
            chosen: None,
            thread: Vec::new(),
            reply_to: Vec::new(),
            co_authors: Vec::new(),
            on_behalf_of: Vec::new(),
            answers: Vec::new(),
        };
        request.files[1].content_id = Some("p1".into());
        change(&mut request);
        let sealed = sealing::seal(&*self.blobs, &self.keys.link, request).unwrap();
        let acceptance = Acceptance { transfer: Some(sealed.transfer), ..Acceptance::new(QueueId::random()) };
        self.runtime.block_on(self.store.commit(acceptance)).unwrap();
        let reveal = |secret: &Secret| secret.reveal().to_owned();
        Sealed {
            tokens: sealed.tokens.iter().map(reveal).collect(),
            password: sealed.password.as_ref().map(reveal).unwrap_or_default(),
        }
    }

    fn seal(&self) -> Sealed {
        self.seal_with(PasswordMode::Generated, |_| {})
    }

    /// Sends a request as it stands, with a Host and `Connection: close`.
    fn send(&self, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
        let host =
            if fields.iter().any(|(name, _)| *name == "Host") { "" } else { "Host: veilig.voorbeeld.nl\r\n" };
        let mut text = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n");
        for (name, value) in fields {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            text += &format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        self.raw(format!("{text}\r\n{body}").as_bytes())
    }

    fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        // A refused request may be answered with a reset behind the answer.
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "")
    }

    /// Gives the password and returns the cookie.
    fn unlock(&self, token: &str, password: &str) -> String {
        let answer = self.send(&format!("POST /t/{token}"), &[], &format!("password={password}"));
        assert_eq!((answer.status, answer.field("location")), (303, format!("/t/{token}/files").as_str()));
        answer.field("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// The same, and a first look at the page behind it, as every browser takes.
    fn open(&self, token: &str, password: &str) -> String {
        let cookie = self.unlock(token, password);
        assert_eq!(self.get_with(&format!("/t/{token}/files"), &cookie).status, 200);
        cookie
    }

    fn get_with(&self, path: &str, cookie: &str) -> Answer {
        self.send(&format!("GET {path}"), &[("Cookie", cookie)], "")
    }

    /// How often the audit trail in the database names this action.
    fn audited(&self, action: &str) -> u32 {
        let count = "SELECT count(*) FROM audit WHERE action = ?1";
        self.database().query_row(count, [action], |row| row.get(0)).unwrap()
    }

    /// What a query for a number gives.
    fn count(&self, query: &str) -> u32 {
        self.database().query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// The database, as somebody beside the gateway has it.
    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("zegel.db")).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn content<'a>(name: &str, media_type: &str, data: Cow<'a, [u8]>) -> FileContent<'a> {
    FileContent {
        name: name.into(),
        media_type: media_type.into(),
        content_id: None,
        content_location: None,
        inline: false,
        data: data.into(),
    }
}

/// What came back.
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    /// The body is as long as it said, or ended as a chunked one must.
    is_whole: bool,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").unwrap_or_else(|| panic!("no answer: {bytes:?}"));
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let status = head[9..12].parse().unwrap();
        let fields: Vec<(String, String)> = head
            .lines()
            .skip(1)
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Self { status, fields, body: bytes[end + 4..].to_vec(), is_whole: true };
        if answer.field("transfer-encoding") == "chunked" {
            (answer.body, answer.is_whole) = dechunk(&answer.body);
        } else if let Ok(length) = answer.field("content-length").parse::<usize>() {
            answer.is_whole = answer.body.len() == length;
        }
        answer
    }

    /// Every value of a field.
    fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The field's value, or nothing.
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = memchr::memmem::find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(line + 2..line + 2 + size) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + size..).unwrap_or(&[]);
    }
    (body, false)
}
