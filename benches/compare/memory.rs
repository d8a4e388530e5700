//! Memory: at rest, with a store that has been used, and with very many connections that say nothing.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Plan;
use crate::fill;
use crate::measure::{family, memory, peak};
use crate::peers::{Rival, Source, Zegel};
use crate::report::{Line, Section, mib, number};
use crate::sink::Sink;

const TRANSFERS: u64 = 10_000;
const QUEUED: u64 = 10_000;
const IDLE: usize = 10_000;
/// Each of which needs a process of Postfix.
const IDLE_POSTFIX: usize = 200;
/// Connections from one address: more would be refused by `smtp.max_connections_per_client`.
const FROM_ONE: usize = 500;
/// So much patience until a visitor is served.
const LONGEST: Duration = Duration::from_secs(60);
/// What was started has come to rest.
const SETTLED: Duration = Duration::from_secs(3);

/// The row.
pub fn row(_plan: &Plan, name: &str) -> Section {
    let mut lines = vec![at_rest()];
    lines.extend(used());
    lines.extend(connections());
    lines.extend(visitors());
    let how = "zegel: VmRSS of its process. Postfix: the sum over all its processes, each page divided by those who \
               share it (Pss), and with shared pages counted for each (Rss)."
        .into();
    Section { name: name.into(), how, lines }
}

fn at_rest() -> Line {
    let sink = Sink::start();
    let (zegel, rival) = (Zegel::start(sink.address, &[]), Rival::start(sink.address, ""));
    thread::sleep(SETTLED);
    Line::limit("at rest", "MiB", resident(&zegel), postfix(&rival), 30.0)
}

fn used() -> Vec<Line> {
    let settings = [("RELAY__RETRY", r#"["1m"]"#)];
    let zegel = Zegel::at(fill::site(fill::nobody(), TRANSFERS, true), &settings);
    fill::queue(&zegel, QUEUED);
    thread::sleep(SETTLED);
    let (then, most) = (resident(&zegel), mib(peak(zegel.id())));
    let site = zegel.stop();
    let zegel = Zegel::at(site, &settings);
    thread::sleep(SETTLED);
    let again = resident(&zegel);
    drop(zegel);

    let rival = Rival::start(fill::nobody(), "");
    let source = Source { own: false, sessions: 10, size: 1 << 10, subject: "gewone post", kept: true };
    source.send(rival.postfix.address, QUEUED);
    thread::sleep(SETTLED);
    let beside = postfix(&rival);
    vec![
        Line::limit("10,000 transfers, 10,000 queued: after taking the mail", "MiB", then, beside, 60.0),
        Line::limit("the same: peak meanwhile", "MiB", most, String::new(), 60.0),
        Line::limit("the same: after a new start", "MiB", again, String::new(), 60.0),
    ]
}

fn connections() -> Vec<Line> {
    let sink = Sink::start();
    let settings = [("SMTP__MAX_CONNECTIONS", "11000"), ("SMTP__MAX_CONNECTIONS_PER_CLIENT", "1000")];
    let (zegel, rival) = (Zegel::start(sink.address, &settings), Rival::start(sink.address, ""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (before, postfix_before) = (resident(&zegel), shares(&rival));
    let held = runtime.block_on(connect(zegel.smtp, IDLE));
    thread::sleep(SETTLED);
    let with = resident(&zegel);
    // Somebody with something to say is served all the same.
    let source = Source { own: false, sessions: 1, size: 1 << 10, subject: "gewone post", kept: false };
    let goal = sink.count() + 1;
    source.send(zegel.smtp, 1);
    sink.wait(goal);
    drop(held);

    let held = runtime.block_on(connect(rival.postfix.address, IDLE_POSTFIX));
    thread::sleep(SETTLED);
    let postfix_with = shares(&rival);
    drop(held);
    let each = (postfix_with - postfix_before) / IDLE_POSTFIX as f64;
    let beside = format!(
        "Postfix with {IDLE_POSTFIX}: {} MiB Pss, {} MiB for each: a process, so 10,000 would be {} MiB",
        number(postfix_with),
        number(each),
        number(each * IDLE as f64)
    );
    let each = (with - before) / IDLE as f64 * 1024.0;
    vec![
        Line::limit("10,000 idle connections", "MiB", with, beside, 512.0),
        Line::alone("the same: for each", "KiB", each),
    ]
}

/// The same at the pages: what is beyond their limit is closed, and a visitor is served within the patience with the rest.
fn visitors() -> Vec<Line> {
    let zegel = Zegel::start(Sink::start().address, &[]);
    let mut held = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        let stream = std::net::TcpStream::connect(zegel.web);
        held.push(stream.unwrap_or_else(|error| panic!("connection {number}: {error}")));
    }
    let with = resident(&zegel);
    let begun = Instant::now();
    while !is_served(zegel.web) {
        assert!(begun.elapsed() < LONGEST, "the pages did not recover");
        thread::sleep(Duration::from_millis(50));
    }
    let served = begun.elapsed().as_secs_f64();
    drop(held);
    vec![
        Line::limit("10,000 idle connections at the pages", "MiB", with, String::new(), 512.0),
        Line::limit("the same: until a visitor is served", "s", served, String::new(), 20.0),
    ]
}

fn is_served(web: SocketAddr) -> bool {
    let ask = || {
        let mut stream = std::net::TcpStream::connect(web)?;
        stream.write_all(format!("GET / HTTP/1.1\r\nHost: {web}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// Connections that have said EHLO and say nothing more.
async fn connect(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(count);
    for number in 0..count {
        let client = SocketAddr::from(([127, 0, 1, (number / FROM_ONE + 1) as u8], 0));
        let open = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(client)?;
            let mut stream = socket.connect(to).await?;
            hear(&mut stream).await?;
            stream.write_all(b"EHLO mail.voorbeeld.nl\r\n").await?;
            hear(&mut stream).await?;
            io::Result::Ok(stream)
        };
        let limit = "is `ulimit -n` above 10,100?";
        held.push(open.await.unwrap_or_else(|error| panic!("connection {number}: {error}; {limit}")));
    }
    held
}

/// Something was said.
async fn hear(stream: &mut TcpStream) -> io::Result<()> {
    if stream.read(&mut [0; 1024]).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn resident(zegel: &Zegel) -> f64 {
    mib(memory(zegel.id(), "status", "VmRSS"))
}

/// Pss of all of Postfix.
fn shares(rival: &Rival) -> f64 {
    sum(rival, "Pss")
}

fn postfix(rival: &Rival) -> String {
    format!("Postfix: {} MiB Pss, {} MiB Rss", number(sum(rival, "Pss")), number(sum(rival, "Rss")))
}

fn sum(rival: &Rival, name: &str) -> f64 {
    let processes = family(&[rival.postfix.process()]);
    mib(processes.into_iter().map(|process| memory(process, "smaps_rollup", name)).sum())
}
