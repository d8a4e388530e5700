//! Pages per second over connections that stay open; beside nginx, which sends a file of the same size. Only GET:
//! it has no limit per client, and changes nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Plan;
use crate::load::Mails;
use crate::measure::median;
use crate::nginx::Nginx;
use crate::report::{Line, Section};
use crate::sealed;
use crate::stop;
use crate::support::web::get;
use crate::transfer::{Certificate, Transfer};

/// Below the limit of the gateway for one client.
const CONNECTIONS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Some seconds of asking.
struct Run {
    /// Requests per second.
    rate: f64,
    /// CPU seconds of the server for 1000 of them.
    cpu: f64,
}

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let certificate = Certificate::new();
    let transfer = Transfer::of(&Mails::new(sealed::SUBJECT, 1 << 10).one(1), None, &[]);
    let nginx = Nginx::start(&certificate.chain, &certificate.key);
    let token = transfer.link.rsplit('/').next().expect("a token");
    let mut lines = Vec::new();
    let mut sizes = Vec::new();
    for (page, path) in [("start page", "/".to_owned()), ("unlock page", format!("/t/{token}"))] {
        let body = get(&format!("http://{}{path}", transfer.zegel.web)).body;
        nginx.put("page.html", &body);
        sizes.push(body.len());
        let parties = [
            (transfer.zegel.web, path, &transfer.zegel.group),
            (nginx.plain, "/page.html".to_owned(), &nginx.group),
        ];
        let mut runs: [Vec<Run>; 2] = [Vec::new(), Vec::new()];
        for _ in 0..plan.rounds {
            for ((address, path, group), runs) in parties.iter().zip(&mut runs) {
                stop::if_asked();
                let before = group.cpu();
                let (rate, count) = requests(*address, path, body.len(), plan.seconds);
                runs.push(Run { rate, cpu: (group.cpu() - before).as_secs_f64() / count * 1000.0 });
            }
        }
        let of = |place: usize, figure: fn(&Run) -> f64| {
            median(&runs[place].iter().map(figure).collect::<Vec<_>>())
        };
        let [rate, cpu]: [fn(&Run) -> f64; 2] = [|run| run.rate, |run| run.cpu];
        lines.push(Line::at_least(page, "requests/s", of(0, rate), ("nginx", of(1, rate)), 0.3));
        let what = format!("{page}: CPU for 1000 requests");
        lines.push(Line::compare(what, "s", of(0, cpu), ("nginx", of(1, cpu))));
    }
    let how = format!(
        "GET over {CONNECTIONS} connections that stay open, plain HTTP; pages of {} and {} octets, made for each request, \
         beside files of the same size. The client has its share of the cores.",
        sizes[0], sizes[1]
    );
    Section { name: name.into(), how, lines }
}

/// Requests per second for the page with the password field of a transfer.
#[cfg(feature = "cluster")]
pub fn rate_of_unlock_page(plan: &Plan, transfer: &Transfer) -> f64 {
    let path = format!("/t/{}", transfer.link.rsplit('/').next().expect("a token"));
    let size = get(&format!("http://{}{path}", transfer.zegel.web)).body.len();
    let run = || requests(transfer.zegel.web, &path, size, plan.seconds).0;
    median(&(0..plan.rounds).map(|_| run()).collect::<Vec<_>>())
}

/// Asks for a page again and again; requests per second, and how many there were.
fn requests(address: SocketAddr, path: &str, size: usize, seconds: f64) -> (f64, f64) {
    let (over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut connection = Connection::open(address, path, size);
                while !over.load(Ordering::Relaxed) {
                    connection.get();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs_f64(seconds));
        over.store(true, Ordering::Relaxed);
    });
    let count = count.into_inner() as f64;
    (count / start.elapsed().as_secs_f64(), count)
}

/// A connection that always asks for the same, and knows how long the answer is.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr, path: &str, size: usize) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();
        let mut connection = Self { stream, request, answer: Vec::new() };
        connection.first(size);
        connection
    }

    /// The first answer tells the length of all.
    fn first(&mut self, size: usize) {
        self.stream.write_all(&self.request).expect("a request");
        let mut octet = [0];
        while !self.answer.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut octet).expect("a header");
            self.answer.push(octet[0]);
        }
        assert!(self.answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.answer));
        let header = self.answer.len();
        self.answer.resize(header + size, 0);
        self.stream.read_exact(&mut self.answer[header..]).expect("a page");
    }

    fn get(&mut self) {
        self.stream.write_all(&self.request).expect("a request");
        self.stream.read_exact(&mut self.answer).expect("a page");
        assert!(self.answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.answer));
    }
}
