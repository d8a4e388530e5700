//! Somebody who answers without a browser: keeps cookies, fills in forms, reads the code in the mail.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, MimeHeaders};

use super::client::submit;
use super::gateway::{Gateway, PATIENCE, Site};
use super::mail::{Notice, link_of, password_of, tagged};
use super::smarthost::{Script, Smarthost, Taken};
use super::web::{Answer, send, send_octets};

pub const STAFF: &str = "j.jansen@voorbeeld.nl";
pub const RESIDENT: &str = "anna@example.org";

/// A sealed mail from [`STAFF`] to `to`: the links in that order, and the password.
pub fn seal(smarthost: &Smarthost, site: &Site, gateway: &Gateway, to: &[&str]) -> (Vec<String>, String) {
    let before = smarthost.seen().taken.len();
    submit(gateway.smtp, STAFF, to, &tagged(STAFF, to[0]));
    let seen = smarthost.wait(|seen| seen.taken.len() > before + to.len());
    let notices: Vec<Notice> = seen.taken[before..].iter().map(Notice::of).collect();
    let notice_to = |address: &str| notices.iter().find(|notice| notice.to == [address]).unwrap();
    let links = to.iter().map(|to| link_of(&notice_to(to).text, &site.public_url())).collect();
    (links, password_of(&notice_to(STAFF).text))
}

/// A file in a form: name, type, bytes.
pub type File<'a> = (&'a str, &'a str, &'a [u8]);

/// A gateway, a smarthost behind it, and one transfer in it: a link for each recipient, and the password.
pub struct Scene {
    pub smarthost: Smarthost,
    pub site: Site,
    pub gateway: Gateway,
    pub links: Vec<String>,
    pub password: String,
}

impl Scene {
    /// With these lines behind the configuration.
    pub fn new(extra: &str, to: &[&str]) -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Site::new(smarthost.address(), extra);
        let gateway = site.start();
        let (links, password) = seal(&smarthost, &site, &gateway, to);
        Self { smarthost, site, gateway, links, password }
    }

    /// The first recipient, who has proved an address.
    pub fn verified(&self) -> Resident {
        Resident::verified(&self.links[0], &self.password, &self.smarthost)
    }

    /// The gateway's own, while it is running.
    pub fn database(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.site.data().join("zegel.db")).unwrap();
        db.busy_timeout(PATIENCE).unwrap();
        db
    }
}

/// A visit to one link.
pub struct Resident {
    pub link: String,
    pub cookies: BTreeMap<String, String>,
}

impl Resident {
    /// Gives the password, on the way to the answer.
    pub fn open(link: &str, password: &str) -> Self {
        let mut resident = Self { link: link.to_owned(), cookies: BTreeMap::new() };
        let answer = resident.post("", &format!("password={password}&next=reply"));
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert!(answer.field("location").ends_with("/reply"), "{}", answer.field("location"));
        resident
    }

    /// Opens the link and proves an address.
    pub fn verified(link: &str, password: &str, smarthost: &Smarthost) -> Self {
        let mut resident = Self::open(link, password);
        resident.prove(smarthost, "Anna de Vries", RESIDENT);
        resident
    }

    /// Asks for a code and gives it.
    pub fn prove(&mut self, smarthost: &Smarthost, name: &str, address: &str) {
        let code = self.ask_for_code(smarthost, name, address);
        self.give_code(&code);
    }

    /// Asks for a code; gives the one that comes.
    pub fn ask_for_code(&mut self, smarthost: &Smarthost, name: &str, address: &str) -> String {
        let before = smarthost.seen().taken.len();
        let answer = self.post("/reply", &form(&[("name", name), ("email", address), ("phone", "")]));
        assert_eq!((answer.status, self.tail(&answer)), (303, "/reply/code"), "{}", answer.text());
        code_to(smarthost, address, before)
    }

    /// Gives the right code.
    pub fn give_code(&mut self, code: &str) {
        let answer = self.post("/reply/code", &form(&[("code", code)]));
        assert_eq!((answer.status, self.tail(&answer)), (303, "/reply/message"), "{}", answer.text());
    }

    /// Where an answer leads, behind the link.
    pub fn tail<'a>(&self, answer: &'a Answer) -> &'a str {
        let path = self.link.split("/t/").nth(1).unwrap();
        answer.field("location").split_once(path).map_or("", |(_, tail)| tail)
    }

    pub fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn get(&mut self, rest: &str) -> Answer {
        let answer = send("GET", &format!("{}{rest}", self.link), &[("Cookie", &self.cookie())], None);
        self.keep(answer)
    }

    pub fn post(&mut self, rest: &str, form: &str) -> Answer {
        let answer = send("POST", &format!("{}{rest}", self.link), &[("Cookie", &self.cookie())], Some(form));
        self.keep(answer)
    }

    /// The second screen as a browser without JavaScript sends it.
    pub fn message(&mut self, to: &str, message: &str, files: &[File<'_>], button: &str) -> Answer {
        let body = multipart(&[("to", to), ("message", message)], files, &[(button, "1")]);
        self.multipart(&body)
    }

    pub fn multipart(&mut self, body: &[u8]) -> Answer {
        let (url, cookie) = (format!("{}/reply/message", self.link), self.cookie());
        let fields = [("Cookie", cookie.as_str()), ("Content-Type", "multipart/form-data; boundary=grens")];
        let answer = send_octets("POST", &url, &fields, Some(body));
        self.keep(answer)
    }

    /// A request of a tus client to `/reply/files` and `rest` behind it.
    pub fn tus(&self, method: &str, rest: &str, fields: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let cookie = self.cookie();
        let fields = [&[("Cookie", cookie.as_str()), ("Tus-Resumable", "1.0.0")], fields].concat();
        send_octets(method, &format!("{}/reply/files{rest}", self.link), &fields, body)
    }

    /// Begins an upload; gives `/<id>`.
    pub fn begin(&self, name: &str, length: usize) -> String {
        let metadata = format!("filename {}", base64(name.as_bytes()));
        let fields = [("Upload-Length", length.to_string()), ("Upload-Metadata", metadata)];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.tus("POST", "", &fields, Some(b""));
        assert_eq!(answer.status, 201, "{}", answer.text());
        format!("/{}", answer.field("location").rsplit('/').next().unwrap())
    }

    /// Begins an upload whose length is told later, if that is taken.
    pub fn begin_deferred(&self) -> Option<String> {
        let answer = self.tus("POST", "", &[("Upload-Defer-Length", "1")], Some(b""));
        (answer.status == 201).then(|| format!("/{}", answer.field("location").rsplit('/').next().unwrap()))
    }

    /// Sends the first bytes of a piece of `length`, and then nothing more.
    pub fn drip(&self, id: &str, length: usize, octets: &[u8]) -> Drip {
        let address = self.link.split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let path = self.link.split_once(address).unwrap().1;
        let head = format!(
            "PATCH {path}/reply/files{id} HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\n\
             Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n",
            self.cookie()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Whoever is refused need not be read to the end.
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let _written = stream.write_all(octets);
        Drip(stream)
    }

    /// Sends a piece.
    pub fn piece(&self, id: &str, offset: usize, octets: &[u8]) -> Answer {
        let offset = offset.to_string();
        let fields =
            [("Upload-Offset", offset.as_str()), ("Content-Type", "application/offset+octet-stream")];
        self.tus("PATCH", id, &fields, Some(octets))
    }

    /// How much the server has.
    pub fn offset(&self, id: &str) -> usize {
        let answer = self.tus("HEAD", id, &[], None);
        assert_eq!(answer.status, 200);
        answer.field("upload-offset").parse().unwrap()
    }

    /// Sends with the defaults.
    pub fn send(&mut self, form: &str) -> Answer {
        self.post("/reply/sent", form)
    }

    fn keep(&mut self, answer: Answer) -> Answer {
        for cookie in answer.cookies() {
            let (name, value) = cookie.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// A request that does not end.
pub struct Drip(TcpStream);

impl Drip {
    /// The status with which it was refused; `None` when it was not within two seconds.
    pub fn refusal(&mut self) -> Option<u16> {
        self.0.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut start = [0; 12];
        self.0.read_exact(&mut start).ok()?;
        std::str::from_utf8(&start).ok()?.rsplit(' ').next()?.parse().ok()
    }
}

/// The code in the mail to `address` after the first `before` mails.
pub fn code_to(smarthost: &Smarthost, address: &str, before: usize) -> String {
    let is_code = |taken: &&Taken| {
        taken.addresses() == [address]
            && String::from_utf8_lossy(&taken.message).contains("X-Zegel-Notice: verification")
    };
    let seen = smarthost.wait(|seen| seen.taken[before..].iter().any(|taken| is_code(&taken)));
    let text = Notice::of(seen.taken[before..].iter().rfind(is_code).unwrap()).text;
    let alone = |line: &&str| line.len() == 8 && line.bytes().all(|c| c.is_ascii_digit());
    text.lines().map(str::trim).find(alone).unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// Attachments of a mail, in order: name and bytes.
pub fn attachments(taken: &Taken) -> Vec<(String, Vec<u8>)> {
    let message = MessageParser::default().parse(&taken.message).unwrap();
    message
        .attachments()
        .map(|part| (part.attachment_name().unwrap_or("").to_owned(), part.contents().to_vec()))
        .collect()
}

/// `application/x-www-form-urlencoded`
pub fn form(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let escape =
            |c: u8| if c.is_ascii_alphanumeric() { (c as char).to_string() } else { format!("%{c:02X}") };
        text.bytes().map(escape).collect::<String>()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

/// `multipart/form-data` with the boundary `grens`: fields, files, the button.
pub fn multipart(fields: &[(&str, &str)], files: &[File<'_>], after: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    let field = |body: &mut Vec<u8>, (name, value): &(&str, &str)| {
        let head = format!("--grens\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(head.as_bytes());
    };
    fields.iter().for_each(|one| field(&mut body, one));
    for (name, media_type, octets) in files {
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        body.extend(format!("--grens\r\n{disposition}\r\nContent-Type: {media_type}\r\n\r\n").as_bytes());
        body.extend_from_slice(octets);
        body.extend(b"\r\n");
    }
    after.iter().for_each(|one| field(&mut body, one));
    body.extend(b"--grens--\r\n");
    body
}

pub fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// Bytes that look like nothing, the same every time.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}
