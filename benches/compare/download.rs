//! A large file over TLS, decrypted on the way; beside nginx, which sends the plain file. And what the chunks cost: the
//! same bytes decrypted in memory only, beside OpenSSL alone.

use std::io::{self, Write};
use std::process::Command;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zegel::seal::keys::TransferKey;
use zegel::seal::{read, write};

use crate::Plan;
use crate::load::{FROM, TO};
use crate::measure::{Group, forget_peak, median, peak};
use crate::nginx::{CIPHER, Nginx};
use crate::report::{Line, Section, mib, number};
use crate::transfer::{Certificate, Transfer};

pub const SIZE: usize = 256 << 20;
/// What OpenSSL is asked to decrypt at once instead of a chunk.
const BULK: usize = 4 << 20;
const CHUNK: usize = 64 << 10;

/// One download.
pub struct Run {
    /// MB/s, as curl counts them.
    pub speed: f64,
    /// Milliseconds from the request to the first byte of the answer.
    first: f64,
    /// CPU seconds of the server.
    cpu: f64,
}

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let file: Vec<u8> = (0..SIZE / 32).flat_map(|_| zegel::secret::random::<32>()).collect();
    let certificate = Certificate::new();
    // The mail itself is larger than what the defaults let in.
    let settings = [("SMTP__MAX_MESSAGE_SIZE", "512MiB"), ("SMTP__MEMORY_BUDGET", "2GiB")];
    let transfer = Transfer::of(&mail(&file), Some(&certificate), &settings);
    let nginx = Nginx::start(&certificate.chain, &certificate.key);
    nginx.put("file", &file);
    drop(file);
    let cookie = unlock(&transfer);
    let sources = [
        (format!("{}/files/1", transfer.link), cookie, &transfer.zegel.group),
        (format!("https://{}/file", nginx.tls), String::new(), &nginx.group),
    ];
    forget_peak(transfer.zegel.id());
    let mut runs = [Vec::new(), Vec::new()];
    // The first of each only warms up.
    for round in 0..=plan.rounds.max(2) {
        for ((url, cookie, group), runs) in sources.iter().zip(&mut runs) {
            let run = download(url, cookie, group);
            if round > 0 {
                runs.push(run);
            }
        }
    }
    let of =
        |place: usize, figure: fn(&Run) -> f64| median(&runs[place].iter().map(figure).collect::<Vec<_>>());
    let beside = |figure| ("nginx", of(1, figure));
    let mut lines = vec![
        Line::at_least("speed", "MB/s", of(0, |run| run.speed), beside(|run| run.speed), 0.5),
        Line::at_most("first byte", "ms", of(0, |run| run.first), beside(|run| run.first), 2.0),
        Line::compare("CPU of the server for one download", "s", of(0, |run| run.cpu), beside(|run| run.cpu)),
        Line::alone("peak RSS while downloading", "MiB", mib(peak(transfer.zegel.id()))),
    ];
    let (chunks, limit) = chunks(of(1, |run| run.speed));
    lines.extend(chunks);
    let how = format!(
        "An attachment of 256 MiB, sealed; `curl --tlsv1.3 --http1.1` with {CIPHER} for both, one download at a time. {limit}"
    );
    Section { name: name.into(), how, lines }
}

/// A confidential mail with one attachment.
pub fn mail(file: &[u8]) -> Vec<u8> {
    let mut mail = format!(
        "From: <{FROM}>\r\nTo: <{TO}>\r\nSubject: [vertrouwelijk] groot\r\nMessage-ID: <groot@voorbeeld.nl>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
         --m\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: attachment; filename=groot.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    for line in file.chunks(57) {
        mail.extend_from_slice(STANDARD.encode(line).as_bytes());
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(b"--m--\r\n");
    mail
}

/// Gives the password; the cookie of the session.
pub fn unlock(transfer: &Transfer) -> String {
    let answer = curl(&[
        "--data",
        &format!("password={}", transfer.password),
        "--output",
        "/dev/null",
        "--write-out",
        "%header{set-cookie}",
        &transfer.link,
    ]);
    answer.split(';').next().unwrap_or_default().to_owned()
}

pub fn download(url: &str, cookie: &str, group: &Group) -> Run {
    let before = group.cpu();
    let figures = "%{http_code} %{size_download} %{speed_download} %{time_pretransfer} %{time_starttransfer}";
    let cookie = format!("Cookie: {cookie}");
    let answer = curl(&["--header", &cookie, "--output", "/dev/null", "--write-out", figures, url]);
    let numbers: Vec<f64> = answer.split(' ').map(|word| word.parse().expect("a number of curl's")).collect();
    assert_eq!((numbers[0], numbers[1]), (200.0, SIZE as f64), "{url}: {answer}");
    Run {
        speed: numbers[2] / 1e6,
        first: (numbers[4] - numbers[3]) * 1000.0,
        cpu: (group.cpu() - before).as_secs_f64(),
    }
}

/// What curl prints for a request over TLS 1.3 with the one cipher.
pub fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--http1.1", "--tlsv1.3", "--tls13-ciphers", CIPHER])
        .args(arguments)
        .output()
        .expect("curl (Debian: curl)");
    assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What decryption alone gives, and what that means for a download; `plain` is nginx's speed.
fn chunks(plain: f64) -> (Vec<Line>, String) {
    let [small, bulk] = [CHUNK, BULK].map(openssl);
    let library = library();
    let limit = |decryption: f64| 1.0 / (1.0 / plain + 1.0 / decryption);
    let lines = vec![
        Line::compare(
            "decrypt in memory, chunks of 64 KiB",
            "MB/s",
            library,
            ("OpenSSL's OCB, 64 KiB at once", small),
        ),
        Line::compare("the same", "MB/s", library, ("OpenSSL's OCB, 4 MiB at once", bulk)),
    ];
    let text = format!(
        "Decryption alone, in memory, on one core: through the library {} MB/s, OpenSSL's AES-256-OCB {} MB/s on 64 KiB and \
         {} MB/s on 4 MiB at once. nginx's time and one core's decryption, one after the other, would allow {} MB/s with the \
         library and {} MB/s with OpenSSL in bulk.",
        number(library),
        number(small),
        number(bulk),
        number(limit(library)),
        number(limit(bulk)),
    );
    let built =
        if cfg!(debug_assertions) { " (the library was built without optimisation here)" } else { "" };
    (lines, text + built)
}

/// MB/s of opening a sealed part that is in memory.
fn library() -> f64 {
    let key = TransferKey::random();
    let plain = vec![b'x'; SIZE / 4];
    let mut sealed = Vec::new();
    write::write(&key, &mut sealed, "1-groot.bin", &mut &plain[..]).expect("sealing");
    let start = Instant::now();
    let mut opened = read::read(&key, &sealed[..]).expect("opening");
    let size = io::copy(&mut opened, &mut Nothing).expect("opening");
    assert_eq!(size, plain.len() as u64);
    size as f64 / 1e6 / start.elapsed().as_secs_f64()
}

/// As `io::sink`, for which `io::copy` would take a short cut.
struct Nothing;

impl Write for Nothing {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// MB/s of `openssl speed`, decrypting blocks of this size.
fn openssl(size: usize) -> f64 {
    let output = Command::new("openssl")
        .args([
            "speed",
            "-evp",
            "aes-256-ocb",
            "-decrypt",
            "-seconds",
            "1",
            "-mr",
            "-bytes",
            &size.to_string(),
        ])
        .output()
        .expect("openssl (Debian: openssl)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure =
        text.lines().find_map(|line| line.strip_prefix("+F:")?.rsplit(':').next()?.parse::<f64>().ok());
    figure.unwrap_or_else(|| panic!("openssl speed: {text}")) / 1e6
}
