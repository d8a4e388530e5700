//! What comes out of a transfer, in the hands of programs that people have: `unzip`, `funzip` and Python read the ZIP,
//! `curl` and `wget` go on with a download.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::client::submit;
use support::gateway::{Gateway, Site};
use support::mail::{Notice, link_of, password_of, with_file};
use support::smarthost::{Script, Smarthost};
use support::web::{get_as, post, send};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

struct Opened {
    link: String,
    cookie: String,
    file: Vec<u8>,
    _site: Site,
    _gateway: Gateway,
}

/// A mail with one file of 3 MB, opened.
fn opened() -> Opened {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let file: Vec<u8> = (0..3_000_000u32).map(|at| (at * 31 + at / 251) as u8).collect();
    submit(gateway.smtp, STAFF, &[RESIDENT], &with_file(STAFF, RESIDENT, &file));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    let link = link_of(text("notification"), &site.public_url());
    let answer = post(&link, &format!("password={}", password_of(text("receipt"))));
    Opened { cookie: answer.cookie(), link, file, _site: site, _gateway: gateway }
}

/// What a program makes of this on its standard input, in a folder of its own.
fn piped(program: &str, arguments: &[&str], input: &[u8], folder: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("TZ", "Europe/Amsterdam");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{program}: {error}"));
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // A program that has had enough closes its end.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn programs_read_the_zip() {
    let opened = opened();
    let zip = get_as(&format!("{}/zip", opened.link), &opened.cookie).body;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alles.zip");
    fs::write(&path, &zip).unwrap();

    let first = piped("funzip", &[], &zip, folder.path());
    assert!(
        first.status.success() && first.stdout == opened.file,
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );

    let tested = piped("unzip", &["-t", "alles.zip"], b"", folder.path());
    assert!(tested.status.success() && text(&tested).contains("No errors detected"), "{}", text(&tested));
    let listed = piped("unzip", &["-Z", "-T", "alles.zip"], b"", folder.path());
    assert_eq!(text(&listed).matches("20261120.093007").count(), 3, "{}", text(&listed));
    let unpacked = piped("unzip", &["-q", "alles.zip"], b"", folder.path());
    assert!(unpacked.status.success() && text(&unpacked).is_empty(), "{}", text(&unpacked));
    assert!(fs::read(folder.path().join("fôto.bin")).unwrap() == opened.file);

    let python = "import zipfile, sys; z = zipfile.ZipFile('alles.zip'); assert z.testzip() is None; \
        print([(i.filename, i.date_time) for i in z.infolist()])";
    let listed = piped("python3", &["-c", python], b"", folder.path());
    assert!(text(&listed).contains("('fôto.bin', (2026, 11, 20, 9, 30, 6))"), "{}", text(&listed));
}

#[test]
fn programs_go_on_with_a_download_and_never_with_a_page() {
    let opened = opened();
    let zip = get_as(&format!("{}/zip", opened.link), &opened.cookie).body;
    let cookie = format!("Cookie: {}", opened.cookie);
    for (rest, whole) in [("files/1", &opened.file), ("zip", &zip)] {
        let url = format!("{}/{rest}", opened.link);
        let programs: [(&str, Vec<&str>); 2] = [
            ("curl", vec!["-sS", "-C", "-", "-o", "bestand", &url]),
            ("wget", vec!["-q", "-c", "-O", "bestand", &url]),
        ];
        for (program, arguments) in &programs {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("bestand");
            let header = if *program == "curl" { ["-H", &cookie] } else { ["--header", &cookie] };
            let with_session: Vec<&str> = header.iter().copied().chain(arguments.iter().copied()).collect();
            fs::write(&path, &whole[..1_234_567]).unwrap();
            let output = piped(program, &with_session, b"", folder.path());
            assert!(output.status.success(), "{program} {rest}: {}", text(&output));
            assert!(fs::read(&path).unwrap() == **whole, "{program} {rest}");

            fs::write(&path, &whole[..1_234_567]).unwrap();
            let output = piped(program, arguments, b"", folder.path());
            assert!(!output.status.success(), "{program} {rest} without a session");
            assert!(fs::read(&path).unwrap() == whole[..1_234_567], "{program} {rest}: nothing was added");
            fs::remove_file(&path).unwrap();
            let fresh: Vec<&str> = match *program {
                "curl" => ["--fail"].into_iter().chain(arguments.iter().copied()).collect(),
                _ => arguments.clone(),
            };
            let output = piped(program, &fresh, b"", folder.path());
            assert!(!output.status.success(), "{program} {rest} from its start");
            let saved = fs::read(&path).unwrap_or_default();
            assert!(saved.is_empty(), "{program} {rest}: {}", String::from_utf8_lossy(&saved));
        }
    }
    let end = send("POST", &format!("{}/finish", opened.link), &[("Cookie", &opened.cookie)], Some(""));
    assert_eq!(end.status, 303);
    let url = format!("{}/files/1", opened.link);
    let ended =
        piped("curl", &["-sS", "-H", &cookie, "-o", "-", "-w", "%{http_code}", &url], b"", Path::new("/"));
    assert!(text(&ended).ends_with("403"), "{}", text(&ended));
}
