//! Asks clamd whether there is a virus in a file (clamd(8), INSTREAM): the bytes go to it as they are read, and it says
//! what it found. Called by `inspect`. What must never happen: a file counts as clean of which clamd has not seen
//! every byte.

use std::io::{self, Read};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, split};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::config::Scanner;

/// Bytes that are sent at once, and how many such pieces wait for the network.
const PIECE: usize = 64 * 1024;
const AHEAD: usize = 4;
/// A working scanner says at once that it is there, busy or not. clamd itself gives up on a file after two minutes
/// (MaxScanTime), a proxy in front of us on the request after five (docs/operations.md).
const PATIENCE: Patience = Patience { hello: Duration::from_secs(5), in_all: Duration::from_secs(180) };
/// To say how it is.
const STATUS: Duration = Duration::from_secs(2);
/// Bytes of an answer.
const LONGEST: u64 = 4096;
/// Characters of what was found that are told.
const TOLD: usize = 100;

/// How long everything may take.
#[derive(Clone, Copy)]
struct Patience {
    /// To connect, or to be told that it is there.
    hello: Duration,
    /// One file, waiting for its turn included.
    in_all: Duration,
}

/// What clamd says of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum ScanVerdict {
    Clean,
    /// The name of what is in it.
    Found(String),
    /// It takes no file of this size (StreamMaxLength), or does not look at all of it (AlertExceedsMax).
    TooLarge,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The scanner does not answer, or nothing that can be understood.
    #[error("{0}")]
    Scanner(io::Error),
    /// The file cannot be read.
    #[error("{0}")]
    File(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Scanner(error)
    }
}

/// What clamd says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannerStatus {
    /// Its version.
    pub version: String,
    /// When its newest signatures were made, in its own time zone, which it does not name; unset where it tells of none.
    pub signatures: Option<Timestamp>,
}

/// Whether it is there, and how old its signatures are.
pub async fn status(scanner: &Scanner) -> io::Result<ScannerStatus> {
    within(STATUS, version(scanner)).await.map(|answer| status_of(&answer))
}

/// `ClamAV 1.0.7/27500/Mon Mar  3 09:45:17 2025`, or the version alone.
fn status_of(answer: &str) -> ScannerStatus {
    let mut parts = answer.split('/');
    let version = printable(parts.next().unwrap_or_default());
    let words: Vec<&str> = parts.nth(1).unwrap_or_default().split_ascii_whitespace().collect();
    let date = words.get(1..).unwrap_or_default().join(" ");
    let made = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", date).ok();
    // One without a base of its own names the beginning of time.
    let made = made.filter(|made| made.year() > 1970);
    let signatures = made.and_then(|made| jiff::tz::TimeZone::UTC.to_timestamp(made).ok());
    ScannerStatus { version, signatures }
}

/// A connection to clamd.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Which clamd it is and how old its signatures are, in its own words, and what it says of a test virus. For `check`.
pub async fn probe(scanner: &Scanner, virus: Vec<u8>) -> Result<(String, ScanVerdict), ScanError> {
    let version = within(PATIENCE.hello, version(scanner)).await?;
    let verdict = scan(scanner, std::future::ready(Some(())), io::Cursor::new(virus)).await?;
    Ok((version, verdict))
}

async fn version(scanner: &Scanner) -> io::Result<String> {
    let mut clamd = connect(scanner).await?;
    clamd.write_all(b"zVERSION\0").await?;
    Ok(printable(&answer(&mut clamd).await?))
}

/// Has a file scanned once `turn` has come; `None` from it means that the wait was too long.
pub(super) async fn scan<T>(
    scanner: &Scanner,
    turn: impl Future<Output = Option<T>>,
    file: impl Read + Send + 'static,
) -> Result<ScanVerdict, ScanError> {
    scan_within(PATIENCE, scanner, turn, file).await
}

async fn scan_within<T>(
    patience: Patience,
    scanner: &Scanner,
    turn: impl Future<Output = Option<T>>,
    file: impl Read + Send + 'static,
) -> Result<ScanVerdict, ScanError> {
    let scanned = async {
        let _turn = turn.await.ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut))?;
        within(patience.hello, ping(scanner)).await?;
        let clamd = within(patience.hello, connect(scanner)).await?;
        stream(clamd, file).await
    };
    timeout(patience.in_all, scanned).await.map_err(io::Error::from)?
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work).await?
}

/// clamd answers this even while all its threads scan, so a scanner that hangs is found out at once.
async fn ping(scanner: &Scanner) -> io::Result<()> {
    let mut clamd = connect(scanner).await?;
    clamd.write_all(b"zPING\0").await?;
    match answer(&mut clamd).await?.as_str() {
        "PONG" => Ok(()),
        other => Err(unexpected(other)),
    }
}

async fn stream(clamd: Box<dyn Stream>, file: impl Read + Send + 'static) -> Result<ScanVerdict, ScanError> {
    let (mut clamd, mut pen) = split(clamd);
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    spawn_blocking(move || read(file, &sender));
    let send = async {
        pen.write_all(b"zINSTREAM\0").await?;
        loop {
            let piece = pieces.recv().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
            let piece = piece.map_err(ScanError::File)?;
            pen.write_all(&(piece.len() as u32).to_be_bytes()).await?;
            pen.write_all(&piece).await?;
            // A piece of no bytes is the end, here and on the wire.
            if piece.is_empty() {
                return Ok(());
            }
        }
    };
    let answer = answer(&mut clamd);
    tokio::pin!(answer);
    // A clamd that refuses a file says so before all of it has come, and may hang up then.
    let (said, is_whole) = tokio::select! {
        biased;
        sent = send => match sent {
            Err(ScanError::File(error)) => return Err(ScanError::File(error)),
            sent => (answer.await?, sent.is_ok()),
        },
        said = &mut answer => (said?, false),
    };
    match verdict(&said)? {
        ScanVerdict::Clean if !is_whole => Err(unexpected(&said).into()),
        verdict => Ok(verdict),
    }
}

async fn connect(scanner: &Scanner) -> io::Result<Box<dyn Stream>> {
    Ok(match scanner {
        Scanner::Network(address) => Box::new(TcpStream::connect(address).await?),
        Scanner::Socket(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Piece after piece, and an empty one at the end; ends early when nobody listens any more.
fn read(mut file: impl Read, pieces: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut piece).map(|_| piece);
        let is_last = read.as_ref().map_or(true, Vec::is_empty);
        if pieces.blocking_send(read).is_err() || is_last {
            return;
        }
    }
}

/// One answer, which ends in NUL: a torn one is none.
async fn answer(clamd: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut octets = Vec::new();
    BufReader::new(clamd.take(LONGEST)).read_until(0, &mut octets).await?;
    match octets.pop() {
        Some(0) => Ok(String::from_utf8_lossy(&octets).into_owned()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// `stream: OK`, `stream: <name> FOUND`, or `<why> ERROR`.
fn verdict(answer: &str) -> io::Result<ScanVerdict> {
    let found = answer.strip_prefix("stream: ").and_then(|answer| answer.strip_suffix(" FOUND"));
    match found {
        Some(name) if name.starts_with("Heuristics.Limits.Exceeded") => Ok(ScanVerdict::TooLarge),
        Some(name) => Ok(ScanVerdict::Found(printable(name))),
        None if answer == "stream: OK" => Ok(ScanVerdict::Clean),
        None if answer.starts_with("INSTREAM size limit exceeded") => Ok(ScanVerdict::TooLarge),
        None => Err(unexpected(answer)),
    }
}

fn unexpected(answer: &str) -> io::Error {
    io::Error::other(format!("clamd says {:?}", printable(answer)))
}

/// It goes to the log and the audit trail.
fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn only_what_clamd_says_of_a_clean_file_is_clean() {
        let verdict = |answer: &str| verdict(answer).ok();
        assert_eq!(verdict("stream: OK"), Some(ScanVerdict::Clean));
        let name = "Win.Test.EICAR_HDB-1";
        assert_eq!(verdict(&format!("stream: {name} FOUND")), Some(ScanVerdict::Found(name.into())));
        assert_eq!(verdict("stream: OK FOUND"), Some(ScanVerdict::Found("OK".into())));
        assert_eq!(verdict("stream: a\r\n\u{202e}b FOUND"), Some(ScanVerdict::Found("ab".into())));
        assert_eq!(verdict("INSTREAM size limit exceeded. ERROR"), Some(ScanVerdict::TooLarge));
        let limit = "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND";
        assert_eq!(verdict(limit), Some(ScanVerdict::TooLarge));
        for wrong in [
            "",
            "OK",
            "stream: ok",
            "stream: OK ",
            "stream: OK\n",
            "stream: ERROR",
            "stream: Can't allocate memory ERROR",
            "UNKNOWN COMMAND",
            "PONG",
        ] {
            assert_eq!(verdict(wrong), None, "{wrong:?}");
        }
    }

    /// A clamd that says this to PING, and then this to a file of which it has read `octets`.
    async fn clamd(pong: &'static str, octets: usize, said: &'static str) -> Scanner {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut command = [0; 6];
                stream.read_exact(&mut command).await.unwrap();
                let (read, said) = if &command == b"zPING\0" { (0, pong) } else { (octets, said) };
                stream.read_exact(&mut vec![0; read]).await.unwrap();
                stream.write_all(said.as_bytes()).await.unwrap();
                if said.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        Scanner::Network(address)
    }

    async fn scanned(scanner: &Scanner, size: usize) -> Result<ScanVerdict, ScanError> {
        scan(scanner, ready(Some(())), io::Cursor::new(vec![7; size])).await
    }

    /// What comes of ten bytes: the rest of `zINSTREAM`, lengths, and bytes.
    const OF_SMALL: usize = "EAM\0".len() + 4 + 10 + 4;

    #[tokio::test]
    async fn every_octet_must_have_been_seen() {
        let whole = clamd("PONG\0", OF_SMALL, "stream: OK\0").await;
        assert_eq!(scanned(&whole, 10).await.unwrap(), ScanVerdict::Clean);
        let early = clamd("PONG\0", OF_SMALL, "stream: OK\0").await;
        assert!(matches!(scanned(&early, 50_000_000).await, Err(ScanError::Scanner(_))));
        let torn = clamd("PONG\0", OF_SMALL, "stream: OK").await;
        assert!(matches!(scanned(&torn, 10).await, Err(ScanError::Scanner(_))));
        let full = clamd("PONG\0", 1000, "INSTREAM size limit exceeded. ERROR\0").await;
        assert_eq!(scanned(&full, 50_000_000).await.unwrap(), ScanVerdict::TooLarge);

        struct Damaged(usize);
        impl Read for Damaged {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
                Ok(buffer.len())
            }
        }
        assert!(matches!(scan(&whole, ready(Some(())), Damaged(3)).await, Err(ScanError::File(_))));
    }

    #[tokio::test]
    async fn a_scanner_that_is_not_there_is_known_at_once() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let nobody = Scanner::Network(port.to_string());
        assert!(matches!(scanned(&nobody, 10).await, Err(ScanError::Scanner(_))));
        let nowhere = Scanner::Socket("/nowhere/clamd.ctl".into());
        assert!(matches!(scanned(&nowhere, 10).await, Err(ScanError::Scanner(_))));
        let other = clamd("220 mail.example.org ESMTP\0", OF_SMALL, "stream: OK\0").await;
        assert!(matches!(scanned(&other, 10).await, Err(ScanError::Scanner(_))));
    }

    #[test]
    fn the_age_of_the_signatures_is_in_the_version() {
        let told = |answer| status_of(answer).signatures.map(|time| time.to_string());
        let march = Some("2025-03-03T09:45:17Z".to_owned());
        assert_eq!(told("ClamAV 1.0.7/27500/Mon Mar  3 09:45:17 2025"), march);
        assert_eq!(status_of("ClamAV 1.4.3").version, "ClamAV 1.4.3");
        for unknown in [
            "ClamAV 1.4.3",
            "",
            "/",
            "//",
            "a/b/c",
            "a/b/Mon Mar 99 09:45:17 2025",
            "a/0/Thu Jan  1 00:00:00 1970",
            "a/b/\u{1b}[2J",
        ] {
            assert_eq!(told(unknown), None, "{unknown}");
        }
        assert!(!status_of("Clam\u{1b}[2J/1/x").version.contains('\u{1b}'));
    }

    #[tokio::test]
    async fn one_that_hangs_is_given_up() {
        let (soon, late) = (Duration::from_millis(50), Duration::from_hours(1));
        for (pong, hello, in_all) in [("", soon, late), ("PONG\0", late, soon)] {
            let (hangs, turns) = (clamd(pong, 0, "").await, tokio::sync::Semaphore::new(1));
            let turn = async { turns.acquire().await.ok() };
            let given_up =
                scan_within(Patience { hello, in_all }, &hangs, turn, io::Cursor::new(vec![7; 10])).await;
            assert!(matches!(given_up, Err(ScanError::Scanner(_))), "{given_up:?}");
            assert_eq!(turns.available_permits(), 1, "the next one has its turn");
        }
    }
}
