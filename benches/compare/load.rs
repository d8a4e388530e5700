//! A client with many sessions that notes how long each mail waited for its 250; `smtp-source` only counts, and reads
//! and writes large mails slowly.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Whose mail it is, and to whom.
pub const FROM: &str = "j.jansen@voorbeeld.nl";
pub const TO: &str = "anna@example.org";
const LINE: &str = "Geachte mevrouw, hierbij ontvangt u de stukken waar u om vroeg.\r\n";

/// Mails that differ in their Message-ID only.
#[derive(Clone)]
pub struct Mails {
    subject: String,
    body: Arc<Vec<u8>>,
}

impl Mails {
    /// Of about `size` bytes.
    pub fn new(subject: &str, size: u64) -> Self {
        let header = Self { subject: subject.to_owned(), body: Arc::default() }.header(0).len() as u64;
        let lines = size.saturating_sub(header).div_ceil(LINE.len() as u64);
        Self { subject: subject.to_owned(), body: Arc::new(LINE.repeat(lines as usize).into_bytes()) }
    }

    /// The one with this number.
    pub fn one(&self, number: u64) -> Vec<u8> {
        [self.header(number).as_bytes(), &self.body].concat()
    }

    fn header(&self, number: u64) -> String {
        format!(
            "From: <{FROM}>\r\nTo: <{TO}>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\nSubject: {}\r\n\
             Message-ID: <{number}.{}@voorbeeld.nl>\r\n\r\n",
            self.subject,
            std::process::id()
        )
    }
}

/// Sends `count` mails over `sessions` connections; seconds from DATA to 250 of each.
pub fn send(to: SocketAddr, sessions: u64, count: u64, mails: &Mails) -> Vec<f64> {
    let next = Arc::new(AtomicU64::new(0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let clients: Vec<_> = (0..sessions)
            .map(|_| {
                let (next, mails) = (next.clone(), mails.clone());
                tokio::spawn(async move { session(to, &next, count, &mails).await })
            })
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.expect("a session").unwrap_or_else(|error| panic!("{to}: {error}")));
        }
        all
    })
}

async fn session(to: SocketAddr, next: &AtomicU64, count: u64, mails: &Mails) -> io::Result<Vec<f64>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    reply(&mut stream).await?;
    command(&mut stream, b"EHLO mail.voorbeeld.nl\r\n").await?;
    let mut waits = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            break;
        }
        command(&mut stream, format!("MAIL FROM:<{FROM}>\r\n").as_bytes()).await?;
        command(&mut stream, format!("RCPT TO:<{TO}>\r\n").as_bytes()).await?;
        // No line of it starts with a dot.
        let wire = [&mails.one(number)[..], b".\r\n"].concat();
        let start = Instant::now();
        command(&mut stream, b"DATA\r\n").await?;
        command(&mut stream, &wire).await?;
        waits.push(start.elapsed().as_secs_f64());
    }
    command(&mut stream, b"QUIT\r\n").await?;
    Ok(waits)
}

async fn command(stream: &mut BufReader<TcpStream>, octets: &[u8]) -> io::Result<()> {
    stream.get_mut().write_all(octets).await?;
    reply(stream).await
}

async fn reply(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !line.starts_with(['2', '3']) {
            return Err(io::Error::other(line));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
