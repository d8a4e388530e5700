//! Whether the time of an answer tells anything about a token that is wrong (C15, H20): one that was forged from a
//! genuine one, one that never was, and what is no token at all. In turn, over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Plan;
use crate::load::Mails;
use crate::measure::median;
use crate::report::{Line, Section};
use crate::sealed;
use crate::stop;
use crate::transfer::Transfer;

/// Of each question.
const PAIRS: usize = 500;
/// Milliseconds between two medians.
const MOST: f64 = 5.0;
const PATIENCE: Duration = Duration::from_secs(10);

/// The row.
pub fn row(_plan: &Plan, name: &str) -> Section {
    let transfer = Transfer::of(&Mails::new(sealed::SUBJECT, 1 << 10).one(1), None, &[]);
    let token = transfer.link.rsplit('/').next().expect("a token");
    let last = if token.ends_with('0') { '1' } else { '0' };
    let forged = format!("{}{last}", &token[..token.len() - 1]);
    let (never, malformed) = ("0".repeat(token.len()), "x".to_owned());
    let mut lines = Vec::new();
    for (method, what) in [("GET", "looking"), ("POST", "trying a password")] {
        let medians = medians(transfer.zegel.web, method, [&forged, &never, &malformed]);
        for (other, word) in [(medians[1], "one that never was"), (medians[2], "no token")] {
            let label = format!("{what}: forged, and {word}");
            let detail = format!("medians {:.3} and {other:.3} ms", medians[0]);
            lines.push(Line::limit(label, "ms", (medians[0] - other).abs(), detail, MOST));
        }
    }
    let how = format!(
        "The difference between the medians of {PAIRS} answers (404) to tokens that are wrong in different ways, asked in \
         turn over one connection; the first is a genuine one with another last letter."
    );
    Section { name: name.into(), how, lines }
}

/// Milliseconds, for each of these tokens.
fn medians(address: SocketAddr, method: &str, tokens: [&String; 3]) -> [f64; 3] {
    let mut asker = Asker::open(address);
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..PAIRS {
        stop::if_asked();
        for (token, times) in tokens.iter().zip(&mut times) {
            let start = Instant::now();
            asker.ask(method, &format!("/t/{token}"));
            times.push(start.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times.map(|times| median(&times))
}

/// A connection that stays open.
struct Asker {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Asker {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a connection");
        Self { address, stream: BufReader::new(stream) }
    }

    fn ask(&mut self, method: &str, path: &str) {
        let form = if method == "POST" { "password=fout" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.address,
            form.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("a request");
        let (mut line, mut length) = (String::new(), 0);
        self.stream.read_line(&mut line).expect("an answer");
        assert!(line.starts_with("HTTP/1.1 404"), "{line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        self.stream.read_exact(&mut vec![0; length]).expect("a page");
    }
}
