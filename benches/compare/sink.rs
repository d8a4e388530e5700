//! Where mail ends: `smtp-sink`, or a sink of our own that takes large mails faster than that. Both only count.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memchr::memmem;

use crate::peers::Process;
use crate::stop;
use crate::support::gateway::{free_port, wait_for};

/// So much patience with mail that does not come.
const LONGEST: Duration = Duration::from_secs(180);
/// How often we look whether it came.
const LOOK: Duration = Duration::from_millis(2);
const END: &[u8] = b"\r\n.\r\n";

/// Takes mail, throws it away and counts it.
pub struct Sink {
    pub address: SocketAddr,
    count: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    _process: Option<Process>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// `smtp-sink`
    pub fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut child = Command::new("smtp-sink")
            .args(["-c", "-u", "nobody", "-m", "1000", &address.to_string(), "1000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("smtp-sink (Debian: postfix)");
        let output = child.stdout.take().expect("a pipe");
        let sink = Self::run(address, Some(Process(child)), move |count, over| follow(output, &count, &over));
        wait_for("smtp-sink", || TcpStream::connect(address).ok());
        sink
    }

    /// Our own.
    pub fn own() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        Self::run(address, None, move |count, over| accept(&listener, &count, &over))
    }

    fn run(
        address: SocketAddr,
        process: Option<Process>,
        work: impl FnOnce(Arc<AtomicU64>, Arc<AtomicBool>) + Send + 'static,
    ) -> Self {
        let (count, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (count, over) = (count.clone(), over.clone());
            Some(thread::spawn(move || work(count, over)))
        };
        Self { address, count, over, _process: process, thread }
    }

    /// Mails so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits for so many in all, and says when the last one came.
    pub fn wait(&self, goal: u64) -> Instant {
        let start = Instant::now();
        while self.count() < goal {
            stop::if_asked();
            assert!(start.elapsed() < LONGEST, "only {} of {goal} mails arrived", self.count());
            thread::sleep(LOOK);
        }
        Instant::now()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Only to wake the listener up.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads `sess=1 quit=1 mesg=1` again and again. Not a wake-up for each mail: that would cost as much as the sink.
fn follow(mut output: impl Read + AsFd, count: &AtomicU64, over: &AtomicBool) {
    rustix::fs::fcntl_setfl(&output, rustix::fs::OFlags::NONBLOCK).expect("a pipe that does not block");
    let mut text = String::new();
    let mut buffer = vec![0; 1 << 16];
    while !over.load(Ordering::Relaxed) {
        while let Ok(read @ 1..) = output.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
            let Some((whole, rest)) = text.rsplit_once('\r') else { continue };
            let mails = whole.rsplit_once("mesg=").and_then(|(_, number)| number.trim().parse().ok());
            count.store(mails.unwrap_or(0), Ordering::Relaxed);
            text = rest.to_owned();
        }
        thread::sleep(LOOK);
    }
}

fn accept(listener: &TcpListener, count: &Arc<AtomicU64>, over: &AtomicBool) {
    for stream in listener.incoming() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let count = count.clone();
        // It ends when the client closes; nobody waits for it.
        thread::spawn(move || drop(serve(&stream, &count)));
    }
}

/// One connection: says yes to everything.
fn serve(stream: &TcpStream, count: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(256 << 10, stream);
    let mut output = stream;
    output.write_all(b"220 sink ESMTP\r\n")?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.to_ascii_uppercase().get(..4) {
            Some(b"EHLO") => b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n",
            Some(b"QUIT") => return output.write_all(b"221 bye\r\n"),
            Some(b"DATA") => {
                output.write_all(b"354 go on\r\n")?;
                skip_data(&mut input)?;
                count.fetch_add(1, Ordering::Relaxed);
                b"250 taken\r\n"
            }
            _ => b"250 yes\r\n",
        };
        output.write_all(answer)?;
    }
}

/// Reads to the end of data (RFC 5321 4.1.1.4) and no further.
fn skip_data(input: &mut impl BufRead) -> io::Result<()> {
    // The line before, as far as the end of data can reach back into it.
    let mut before = b"\r\n".to_vec();
    loop {
        let octets = input.fill_buf()?;
        if octets.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let seam = [&before[..], &octets[..octets.len().min(END.len() - 1)]].concat();
        let end = memmem::find(&seam, END)
            .map(|start| start + END.len() - before.len())
            .or_else(|| memmem::find(octets, END).map(|start| start + END.len()));
        if let Some(end) = end {
            input.consume(end);
            return Ok(());
        }
        before.extend_from_slice(&octets[octets.len().saturating_sub(END.len() - 1)..]);
        before.drain(..before.len().saturating_sub(END.len() - 1));
        let all = octets.len();
        input.consume(all);
    }
}
