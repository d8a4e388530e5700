//! A small S3 service that ignores every condition (`If-None-Match`) and every signature, and that has the troubles it is told
//! to have; and a line in front of a real one that breaks where it is told to.

#![allow(dead_code)]

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is refused with this status and code; the third says when to come again, in seconds.
    Refused(u16, &'static str, Option<u32>),
    /// After so many bytes of its body, the connection ends, and nothing is done.
    TornRequest(usize),
    /// It is done, but the answer ends after so many bytes of its body.
    TornAnswer(usize),
    /// It is done, but the connection ends before the answer.
    LostAnswer,
    /// Nothing happens.
    Silence,
    /// The object is removed while its answer is torn.
    Gone(usize),
}

/// A running service.
pub struct Double {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    uploads: Mutex<BTreeMap<String, Upload>>,
    troubles: Mutex<VecDeque<(String, Trouble)>>,
    requests: Mutex<Vec<String>>,
    ignores_start_after: AtomicBool,
    keeps_versions: AtomicBool,
    ended: AtomicBool,
}

struct Upload {
    key: String,
    parts: BTreeMap<usize, Vec<u8>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Double {
    /// A new one, empty.
    pub fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// A new one on this port.
    pub fn start_on(port: u16) -> Self {
        Self::listen(TcpListener::bind(("127.0.0.1", port)).expect("the port"))
    }

    fn listen(listener: TcpListener) -> Self {
        let port = listener.local_addr().expect("its address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&state, stream));
            }
        });
        Self { port, state }
    }

    /// Where it is, for `store.endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next request whose line begins so has this trouble: `PUT`, `GET /zegel/a`.
    pub fn trouble(&self, request: &str, trouble: Trouble) {
        lock(&self.state.troubles).push_back((request.to_owned(), trouble));
    }

    /// From now on `start-after` means nothing.
    pub fn ignore_start_after(&self) {
        self.state.ignores_start_after.store(true, Ordering::Relaxed);
    }

    /// From now on it says that what is removed is only marked.
    pub fn keep_versions(&self) {
        self.state.keeps_versions.store(true, Ordering::Relaxed);
    }

    /// The lines of all requests so far, each with its `Range`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.state.requests).clone()
    }

    /// The names of all objects, with the bucket's.
    pub fn objects(&self) -> Vec<String> {
        lock(&self.state.objects).keys().cloned().collect()
    }

    /// Removes every object.
    pub fn empty(&self) {
        lock(&self.state.objects).clear();
    }

    /// How many uploads in parts have begun and not ended.
    pub fn uploads(&self) -> usize {
        lock(&self.state.uploads).len()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    range: Option<usize>,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: String::new(), body: body.into() }
}

fn refusal(status: u16, code: &str) -> Answer {
    answer(
        status,
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><AWSAccessKeyId>KANARIE</AWSAccessKeyId></Error>"
        ),
    )
}

fn serve(state: &State, stream: TcpStream) {
    let mut input = BufReader::new(stream.try_clone().expect("the connection"));
    let mut output = stream;
    while let Ok(Some((line, range, length))) = head(&mut input) {
        let trouble = {
            lock(&state.requests).push(format!(
                "{line}{}",
                range.as_deref().map(|range| format!(" {range}")).unwrap_or_default()
            ));
            let mut troubles = lock(&state.troubles);
            let found = troubles.iter().position(|(request, _)| line.starts_with(request.as_str()));
            found.and_then(|found| troubles.remove(found)).map(|(_, trouble)| trouble)
        };
        if state.ended.load(Ordering::Relaxed) {
            return;
        }
        if let Some(Trouble::TornRequest(after)) = trouble {
            io::copy(&mut input.by_ref().take(after as u64), &mut io::sink()).ok();
            output.shutdown(Shutdown::Both).ok();
            return;
        }
        let mut body = vec![0; length];
        if input.read_exact(&mut body).is_err() {
            return;
        }
        let request = request(&line, range.as_deref(), body);
        let done = match trouble {
            Some(Trouble::Silence) => {
                // Until the client gives up.
                io::copy(&mut input, &mut io::sink()).ok();
                return;
            }
            Some(Trouble::Refused(status, code, wait)) => {
                let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
                Answer { headers: wait, ..refusal(status, code) }
            }
            _ => handle(state, &request),
        };
        let torn = match trouble {
            Some(Trouble::LostAnswer) => {
                output.shutdown(Shutdown::Both).ok();
                return;
            }
            Some(Trouble::TornAnswer(after)) => Some(after),
            Some(Trouble::Gone(after)) => {
                lock(&state.objects).remove(&request.path);
                Some(after)
            }
            _ => None,
        };
        if send(&mut output, &request, &done, torn).is_err() || torn.is_some() {
            output.shutdown(Shutdown::Both).ok();
            return;
        }
    }
}

/// The request's line, its `Range`, and how long its body is; nothing where the connection has ended.
fn head(input: &mut impl BufRead) -> io::Result<Option<(String, Option<String>, usize)>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut range, mut length) = (None, 0);
    loop {
        let mut header = String::new();
        input.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => range = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().expect("a length"),
            _ => {}
        }
    }
    Ok(Some((line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(), range, length)))
}

fn request(line: &str, range: Option<&str>, body: Vec<u8>) -> Request {
    let (method, target) = line.split_once(' ').expect("a request");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let first = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')?.0.parse().ok());
    Request {
        method: method.to_owned(),
        path: path.trim_start_matches('/').to_owned(),
        query: pairs.map(|(name, value)| (decoded(name), decoded(value))).collect(),
        range: first,
        body,
    }
}

fn send(output: &mut TcpStream, request: &Request, done: &Answer, torn: Option<usize>) -> io::Result<()> {
    let Answer { status, headers, body } = done;
    write!(output, "HTTP/1.1 {status} So\r\n{headers}Content-Length: {}\r\n\r\n", body.len())?;
    if request.method != "HEAD" {
        output.write_all(&body[..torn.unwrap_or(body.len()).min(body.len())])?;
    }
    output.flush()
}

fn handle(state: &State, request: &Request) -> Answer {
    let has = |name: &str| request.query.contains_key(name);
    match request.method.as_str() {
        "GET" if has("list-type") => list(state, request),
        "GET" if has("uploads") => list_uploads(state),
        "GET" if has("versions") => answer(200, "<ListVersionsResult/>"),
        "GET" if has("versioning") => versioning(state),
        "GET" | "HEAD" => get(state, request),
        "POST" if has("uploads") => begin(state, request),
        "PUT" if has("uploadId") => put_part(state, request),
        "POST" => complete(state, request),
        "DELETE" if has("uploadId") => {
            let ended = lock(&state.uploads).remove(&request.query["uploadId"]);
            if ended.is_some() { answer(204, "") } else { refusal(404, "NoSuchUpload") }
        }
        "PUT" => {
            lock(&state.objects).insert(request.path.clone(), request.body.clone());
            Answer { headers: "ETag: \"e\"\r\n".to_owned(), ..answer(200, "") }
        }
        "DELETE" => {
            lock(&state.objects).remove(&request.path);
            let marked = state.keeps_versions.load(Ordering::Relaxed);
            let headers = if marked { "x-amz-delete-marker: true\r\n" } else { "" };
            Answer { headers: headers.to_owned(), ..answer(204, "") }
        }
        _ => refusal(405, "MethodNotAllowed"),
    }
}

fn get(state: &State, request: &Request) -> Answer {
    let objects = lock(&state.objects);
    let Some(object) = objects.get(&request.path) else { return refusal(404, "NoSuchKey") };
    let facts = "ETag: \"e\"\r\nLast-Modified: Mon, 30 Nov 2026 16:00:00 GMT\r\n";
    match request.range {
        Some(first) if first >= object.len() => refusal(416, "InvalidRange"),
        Some(first) => {
            let range = format!("Content-Range: bytes {first}-{}/{}\r\n", object.len() - 1, object.len());
            Answer { headers: format!("{facts}{range}"), ..answer(206, &object[first..]) }
        }
        None => Answer { headers: facts.to_owned(), ..answer(200, &object[..]) },
    }
}

fn list(state: &State, request: &Request) -> Answer {
    let bucket = request.path.split('/').next().unwrap_or_default();
    let of = |name: &str| request.query.get(name).map(String::as_str);
    let after = if state.ignores_start_after.load(Ordering::Relaxed) { None } else { of("start-after") };
    let after = of("continuation-token").or(after).unwrap_or_default();
    let limit: usize = of("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
    let objects = lock(&state.objects);
    let keys = objects.keys().filter_map(|key| key.strip_prefix(bucket)?.strip_prefix('/'));
    let mut found = keys.filter(|key| key.starts_with(of("prefix").unwrap_or_default()) && *key > after);
    let page: Vec<&str> = found.by_ref().take(limit).collect();
    let mut xml = "<ListBucketResult>".to_owned();
    for key in &page {
        let facts = "<Size>1</Size><LastModified>2026-11-30T16:00:00.000Z</LastModified><ETag>\"e\"</ETag>";
        xml += &format!("<Contents><Key>{key}</Key>{facts}</Contents>");
    }
    if let (Some(_), Some(last)) = (found.next(), page.last()) {
        xml +=
            &format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>");
    }
    answer(200, xml + "</ListBucketResult>")
}

fn versioning(state: &State) -> Answer {
    let status = if state.keeps_versions.load(Ordering::Relaxed) { "<Status>Enabled</Status>" } else { "" };
    answer(200, format!("<VersioningConfiguration>{status}</VersioningConfiguration>"))
}

fn list_uploads(state: &State) -> Answer {
    let mut xml = "<ListMultipartUploadsResult>".to_owned();
    for (id, upload) in &*lock(&state.uploads) {
        let key = upload.key.split_once('/').map_or("", |(_, key)| key);
        xml += &format!(
            "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>2026-11-30T16:00:00.000Z</Initiated></Upload>"
        );
    }
    answer(200, xml + "</ListMultipartUploadsResult>")
}

fn begin(state: &State, request: &Request) -> Answer {
    let mut uploads = lock(&state.uploads);
    let id = format!("upload-{}-{}", uploads.len(), request.path.len() + lock(&state.requests).len());
    uploads.insert(id.clone(), Upload { key: request.path.clone(), parts: BTreeMap::new() });
    answer(
        200,
        format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"),
    )
}

fn put_part(state: &State, request: &Request) -> Answer {
    let number = request.query["partNumber"].parse().expect("a number");
    match lock(&state.uploads).get_mut(&request.query["uploadId"]) {
        Some(upload) => {
            upload.parts.insert(number, request.body.clone());
            Answer { headers: format!("ETag: \"e{number}\"\r\n"), ..answer(200, "") }
        }
        None => refusal(404, "NoSuchUpload"),
    }
}

fn complete(state: &State, request: &Request) -> Answer {
    let Some(upload) = lock(&state.uploads).remove(&request.query["uploadId"]) else {
        return refusal(404, "NoSuchUpload");
    };
    let whole = upload.parts.into_values().flatten().collect();
    lock(&state.objects).insert(upload.key, whole);
    answer(200, "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
}

/// A line to a service, which breaks.
pub struct Line {
    pub port: u16,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
    /// Turned to true, it makes the connections of its time silent for ever, and those that follow.
    silence: Arc<Mutex<Arc<AtomicBool>>>,
}

/// After how many bytes a connection ends, up to the service or down from it.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Up(u64),
    Down(u64),
}

impl Line {
    /// A line to this port of loopback.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let cuts = Arc::<Mutex<VecDeque<Cut>>>::default();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let (cuts_of_all, all) = (Arc::clone(&cuts), Arc::clone(&open));
        let silence = Arc::<Mutex<Arc<AtomicBool>>>::default();
        let silence_of_all = Arc::clone(&silence);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(open) = &mut *lock(&all) else { continue };
                let (up, down) = match lock(&cuts_of_all).pop_front() {
                    Some(Cut::Up(after)) => (after, u64::MAX),
                    Some(Cut::Down(after)) => (u64::MAX, after),
                    None => (u64::MAX, u64::MAX),
                };
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let silence = Arc::clone(&lock(&silence_of_all));
                carry(&client, &server, up, &silence);
                carry(&server, &client, down, &silence);
                open.push(client);
            }
        });
        Self { port, cuts, open, silence }
    }

    /// Every connection ends, and every new one at once, until [`Line::mend`].
    pub fn down(&self) {
        for client in lock(&self.open).take().into_iter().flatten() {
            client.shutdown(Shutdown::Both).ok();
        }
    }

    /// As where every packet is dropped: from now on nothing comes through, not even the end of a connection, and nobody is told.
    /// New connections are as silent, until [`Line::mend`].
    pub fn silence(&self) {
        lock(&self.silence).store(true, Ordering::SeqCst);
    }

    /// All is as before, but for connections that have fallen silent: those stay so.
    pub fn mend(&self) {
        *lock(&self.silence) = Arc::default();
        lock(&self.open).get_or_insert_default();
    }

    /// The next connection breaks here. Those that are open go on.
    pub fn cut(&self, cut: Cut) {
        lock(&self.cuts).push_back(cut);
    }

    /// How many cuts have not happened yet.
    pub fn left(&self) -> usize {
        lock(&self.cuts).len()
    }
}

fn carry(from: &TcpStream, to: &TcpStream, most: u64, silence: &Arc<AtomicBool>) {
    let (from, to) = (from.try_clone().expect("a connection"), to.try_clone().expect("a connection"));
    let silence = Arc::clone(silence);
    thread::spawn(move || {
        let mut to = Silenced { to, silence };
        io::copy(&mut (&from).take(most), &mut to).ok();
        while to.silence.load(Ordering::SeqCst) {
            thread::park();
        }
        from.shutdown(Shutdown::Both).ok();
        to.to.shutdown(Shutdown::Both).ok();
    });
}

/// What is written while there is silence is gone.
struct Silenced {
    to: TcpStream,
    silence: Arc<AtomicBool>,
}

impl Write for Silenced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.silence.load(Ordering::SeqCst) { Ok(bytes.len()) } else { self.to.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
