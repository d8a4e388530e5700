//! A file of 1 GiB over TLS into an answer, encrypted on the way in and flushed to disk; beside nginx, which writes the
//! plain file with WebDAV PUT and flushes nothing. And what that adds to the memory of an idle zegel.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use crate::Plan;
use crate::download::curl;
use crate::load::TO;
use crate::measure::{Group, forget_peak, median, memory, peak};
use crate::nginx::{CIPHER, Nginx};
use crate::report::{Line, Section, mib, number};
use crate::stop;
use crate::support::resident::code_to;
use crate::transfer::{Certificate, Transfer};

const SIZE: u64 = 1 << 30;
/// Uploads at the same time.
const CROWD: usize = 20;
const TUS: &str = "Tus-Resumable: 1.0.0";
const PIECE: &str = "Content-Type: application/offset+octet-stream";
const MAIL: &[u8] =
    b"From: <j.jansen@voorbeeld.nl>\r\nTo: <anna@example.org>\r\nSubject: [vertrouwelijk] vraag\r\n\
    Message-ID: <vraag@voorbeeld.nl>\r\n\r\nWilt u de film sturen?\r\n";

/// One upload.
struct Run {
    /// MB/s from the first byte of the request to the answer.
    speed: f64,
    /// CPU seconds of the server.
    cpu: f64,
}

/// The row.
pub fn row(plan: &Plan, name: &str) -> Section {
    let folder = tempfile::tempdir().expect("a folder");
    let file = noise(folder.path());
    let certificate = Certificate::new();
    let transfer = Transfer::of(MAIL, Some(&certificate), &[]);
    let nginx = Nginx::start(&certificate.chain, &certificate.key);
    let idle = memory(transfer.zegel.id(), "status", "VmRSS");
    let answer = Answer::begin(&transfer, &transfer.link, folder.path(), TO);
    let mut runs = [Vec::new(), Vec::new()];
    forget_peak(transfer.zegel.id());
    // The first of each only warms up.
    for round in 0..=plan.rounds {
        let both = [answer.upload(&file), put(&nginx, &file)];
        for (run, runs) in both.into_iter().zip(&mut runs) {
            if round > 0 {
                runs.push(run);
            }
        }
    }
    let of =
        |place: usize, figure: fn(&Run) -> f64| median(&runs[place].iter().map(figure).collect::<Vec<_>>());
    let beside = |figure| ("nginx", of(1, figure));
    let more = mib(peak(transfer.zegel.id()).saturating_sub(idle));
    let crowd = crowd(&certificate, &file, folder.path());
    let lines = vec![
        Line::at_least("speed", "MB/s", of(0, |run| run.speed), beside(|run| run.speed), 0.5),
        Line::compare("CPU of the server for one upload", "s", of(0, |run| run.cpu), beside(|run| run.cpu)),
        Line::limit(
            "peak RSS while uploading, over idle",
            "MiB",
            more,
            format!("idle: {} MiB", number(mib(idle))),
            64.0,
        ),
        crowd,
    ];
    let how = format!(
        "A file of 1 GiB; `curl --tlsv1.3 --http1.1` with {CIPHER} for both: to zegel one PATCH of the tus \
         protocol, to nginx one PUT. zegel encrypts, and flushes every 8 MiB to disk; nginx writes the plain file and leaves \
         flushing to the kernel. Idle is before anybody has opened the transfer."
    );
    Section { name: name.into(), how, lines }
}

/// Many people who answer the same transfer, each through a link of their own, all at once (H15).
fn crowd(certificate: &Certificate, file: &Path, folder: &Path) -> Line {
    let people: Vec<String> = (0..CROWD).map(|number| format!("anna{number}@example.org")).collect();
    let recipients: Vec<&str> = people.iter().map(String::as_str).collect();
    let transfer = Transfer::to(&recipients, MAIL, Some(certificate), &[]);
    let answers: Vec<Answer<'_>> = transfer
        .links
        .iter()
        .zip(&people)
        .map(|(link, person)| Answer::begin(&transfer, link, folder, person))
        .collect();
    forget_peak(transfer.zegel.id());
    thread::scope(|scope| {
        for answer in &answers {
            scope.spawn(|| answer.upload(file));
        }
    });
    let most = mib(peak(transfer.zegel.id()));
    Line::limit(format!("peak RSS, {CROWD} at once"), "MiB", most, String::new(), 256.0)
}

/// A file that nothing can compress.
fn noise(folder: &Path) -> PathBuf {
    let path = folder.join("film.mp4");
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    for _ in 0..SIZE / 4096 {
        file.write_all(&zegel::secret::random::<4096>()).expect("a file");
    }
    file.flush().expect("a file");
    path
}

/// Somebody who has opened the transfer and proved an address.
struct Answer<'a> {
    transfer: &'a Transfer,
    link: &'a str,
    /// Where curl keeps the cookies.
    jar: String,
}

impl<'a> Answer<'a> {
    fn begin(transfer: &'a Transfer, link: &'a str, folder: &Path, address: &str) -> Self {
        let answer = Self { transfer, link, jar: folder.join(address).display().to_string() };
        answer.post("", &format!("password={}", transfer.password));
        let before = transfer.smarthost.seen().taken.len();
        answer.post("/reply", &format!("name=Anna&email={address}"));
        let code = code_to(&transfer.smarthost, address, before);
        answer.post("/reply/code", &format!("code={code}"));
        answer
    }

    fn post(&self, rest: &str, form: &str) {
        let url = format!("{}{rest}", self.link);
        let (status, _) = self.curl(&["--data", form, &url]);
        assert_eq!(status, "303", "{url}");
    }

    /// Sends the file in one request, and takes it out again, so that the next one has room.
    fn upload(&self, file: &Path) -> Run {
        let files = format!("{}/reply/files", self.link);
        let length = format!("Upload-Length: {SIZE}");
        let (created, location) =
            self.curl(&["--request", "POST", "--header", TUS, "--header", &length, &files]);
        assert_eq!(created, "201");
        let url = format!("{files}/{}", location.rsplit('/').next().unwrap_or_default());
        let patch =
            ["--request", "PATCH", "--header", TUS, "--header", "Upload-Offset: 0", "--header", PIECE];
        let run = send(&self.transfer.zegel.group, file, &[&patch[..], &self.jar(), &[&url]].concat());
        assert_eq!(self.curl(&["--request", "DELETE", "--header", TUS, &url]).0, "204");
        run
    }

    /// Status and Location of the answer.
    fn curl(&self, arguments: &[&str]) -> (String, String) {
        let figures = ["--output", "/dev/null", "--write-out", "%{http_code} %header{location}"];
        let answer = curl(&[&figures, &self.jar()[..], arguments].concat());
        answer
            .split_once(' ')
            .map(|(status, rest)| (status.into(), rest.into()))
            .expect("an answer of curl's")
    }

    fn jar(&self) -> [&str; 4] {
        ["--cookie", &self.jar, "--cookie-jar", &self.jar]
    }
}

/// To nginx, over the file of the time before.
fn put(nginx: &Nginx, file: &Path) -> Run {
    send(&nginx.group, file, &[&format!("https://{}/upload/film.mp4", nginx.tls)])
}

/// One request with the file in it.
fn send(group: &Group, file: &Path, arguments: &[&str]) -> Run {
    stop::if_asked();
    let before = group.cpu();
    let file = file.to_str().expect("a path in UTF-8");
    let figures = "%{http_code} %{size_upload} %{time_pretransfer} %{time_total}";
    let answer = curl(
        &[
            &["--output", "/dev/null", "--header", "Expect:", "--upload-file", file, "--write-out", figures],
            arguments,
        ]
        .concat(),
    );
    let numbers: Vec<f64> = answer.split(' ').map(|word| word.parse().expect("a number of curl's")).collect();
    assert!((200.0..300.0).contains(&numbers[0]) && numbers[1] == SIZE as f64, "{answer}");
    Run { speed: SIZE as f64 / 1e6 / (numbers[3] - numbers[2]), cpu: (group.cpu() - before).as_secs_f64() }
}
