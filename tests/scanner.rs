//! Files of an answer and a real clamd (M08): what it finds something in is refused, what it has not seen is not sent.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::browser::Browser;
use support::clamd::{Clamd, LARGEST, eicar};
use support::gateway::{Gateway, Site, wait_for};
use support::resident::{RESIDENT, Resident, STAFF, attachments, base64, noise, seal};
use support::smarthost::{Script, Smarthost, Taken};

const NAME: &str = "kanarie-naam.pdf";
/// Beside a file in the list; the script has the same words for itself.
const WAITING: &str = "\"file-state\">Nog niet op virussen gecontroleerd";

struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Gateway,
    link: String,
    password: String,
}

fn scene(scanner: &str) -> Scene {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), &format!("[reply]\nscanner = \"{scanner}\"\n"));
    let gateway = site.start();
    let (mut links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    Scene { smarthost, site, gateway, link: links.remove(0), password }
}

impl Scene {
    fn verified(&self) -> Resident {
        Resident::verified(&self.link, &self.password, &self.smarthost)
    }

    /// Names of the files that staff got, once the answer has come.
    fn arrived(&self) -> Vec<String> {
        let is_answer = |taken: &&Taken| String::from_utf8_lossy(&taken.message).contains("\nReply-To: ");
        let seen = self.smarthost.wait(|seen| seen.taken.iter().any(|taken| is_answer(&taken)));
        let mail = seen.taken.iter().find(is_answer).unwrap();
        attachments(mail).into_iter().map(|(name, _)| name).collect()
    }

    /// Nothing but the receipt.
    fn nothing_was_sent(&self) -> bool {
        self.gateway.is_idle() && self.smarthost.seen().copies(STAFF) == 1
    }

    fn events(&self) -> Vec<String> {
        let db = rusqlite::Connection::open(self.site.data().join("zegel.db")).unwrap();
        db.busy_timeout(support::gateway::PATIENCE).unwrap();
        let mut results =
            db.prepare("SELECT result FROM audit WHERE action = 'scan' ORDER BY number").unwrap();
        results.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

fn upload(anna: &Resident, name: &str, octets: &[u8]) -> (String, support::web::Answer) {
    let id = anna.begin(name, octets.len());
    let answer = anna.piece(&id, 0, octets);
    (id, answer)
}

#[test]
fn a_virus_is_refused_and_a_clean_file_arrives() {
    let clamd = Clamd::start();
    let scene = scene(clamd.socket().to_str().unwrap());
    let mut anna = scene.verified();

    let (id, answer) = upload(&anna, NAME, &eicar());
    assert_eq!(answer.status, 422);
    assert_eq!(answer.text(), format!("{NAME} lijkt een virus te bevatten en is niet toegevoegd"));
    assert_eq!(anna.tus("HEAD", &id, &[], None).status, 404, "it is gone");
    let (id, answer) = upload(&anna, "brief.txt", b"Beste Jan");
    assert_eq!(answer.status, 204);
    assert_eq!(anna.offset(&id), 9);

    // The same without JavaScript: the other file and what was typed are kept.
    let files: [(&str, &str, &[u8]); 2] =
        [(NAME, "application/pdf", &eicar()), ("foto.jpg", "image/jpeg", b"klik")];
    let page = anna.message(STAFF, "kanarie-tekst", &files, "next");
    assert_eq!(page.status, 422, "{}", page.text());
    let text = page.text();
    assert!(text.contains(&format!("<p class=\"field-error\">{NAME} lijkt een virus")), "{text}");
    assert!(text.contains("kanarie-tekst") && text.contains("foto.jpg"), "{text}");
    assert!(!anna.get("/reply/message").text().contains(NAME));

    let page = anna.message(STAFF, "kanarie-tekst", &[], "next");
    assert_eq!(anna.tail(&page), "/reply/check", "{}", page.text());
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    assert_eq!(scene.arrived(), ["brief.txt", "foto.jpg"]);

    let found = "virus: Zegel.Eicar.UNOFFICIAL";
    assert_eq!(scene.events(), [found, found]);
    let log = scene.gateway.log();
    let lines: Vec<&String> = log.iter().filter(|line| line.contains("Zegel.Eicar")).collect();
    assert_eq!(lines.len(), 2, "{log:?}");
    assert!(!log.iter().any(|line| line.contains("kanarie")), "{log:?}");
}

#[test]
fn while_the_scanner_is_down_nothing_is_sent_and_then_it_goes_on() {
    let mut clamd = Clamd::start();
    let scene = scene(&clamd.address.to_string());
    let mut anna = scene.verified();
    clamd.stop();

    let words = "Wij kunnen brief.txt nu niet op virussen controleren";
    let (id, answer) = upload(&anna, "brief.txt", b"Beste Jan");
    assert_eq!(answer.status, 503);
    assert!(answer.text().starts_with(words), "{}", answer.text());
    assert_eq!(anna.tus("HEAD", &id, &[], None).status, 503);
    assert_eq!(anna.piece(&id, 9, b"").status, 503, "nothing is left to come, but it was not scanned");
    // A client that is not told where its file is cannot ask again: it is not kept.
    let metadata = format!("filename {}", base64(b"los.txt"));
    let fields = [
        ("Upload-Length", "3"),
        ("Upload-Metadata", metadata.as_str()),
        ("Content-Type", "application/offset+octet-stream"),
    ];
    assert_eq!(anna.tus("POST", "", &fields, Some(b"los")).status, 503);

    let files: [(&str, &str, &[u8]); 1] = [("foto.jpg", "image/jpeg", b"klik")];
    let page = anna.message(STAFF, "kanarie-tekst", &files, "next");
    assert_eq!(page.status, 503);
    let text = page.text();
    assert!(text.contains(&format!("<p class=\"field-error\">{words}")), "{text}");
    assert!(text.contains("kanarie-tekst") && !text.contains("los.txt"), "{text}");
    assert_eq!(text.matches(WAITING).count(), 2, "{text}");
    // Who knows the address of the button may press it.
    let page = anna.send("");
    assert_eq!(page.status, 503);
    assert!(page.text().contains(words), "{}", page.text());
    assert!(scene.nothing_was_sent());
    assert!(scene.gateway.log().iter().any(|line| line.contains("the virus scanner cannot be asked")));

    clamd.again();
    assert_eq!(anna.offset(&id), 9);
    assert_eq!(anna.get("/reply/message").text().matches(WAITING).count(), 1);
    let page = anna.message(STAFF, "kanarie-tekst", &[], "next");
    assert_eq!(anna.tail(&page), "/reply/check", "{}", page.text());
    // What has its verdict is not scanned again.
    clamd.stop();
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    assert_eq!(scene.arrived(), ["brief.txt", "foto.jpg"]);
}

#[test]
fn files_from_before_the_scanner_are_scanned_when_they_are_sent() {
    let clamd = Clamd::start();
    let scene = scene("");
    let mut anna = scene.verified();
    assert_eq!(upload(&anna, NAME, &eicar()).1.status, 204);
    assert_eq!(upload(&anna, "brief.txt", b"Beste Jan").1.status, 204);
    assert_eq!(upload(&anna, "nog-een.txt", &eicar()).1.status, 204);
    let page = anna.message(STAFF, "kanarie-tekst", &[], "next");
    assert_eq!(anna.tail(&page), "/reply/check", "{}", page.text());

    let config = std::fs::read_to_string(scene.site.config()).unwrap();
    let scanner = format!("scanner = \"{}\"", clamd.address);
    std::fs::write(scene.site.config(), config.replace("scanner = \"\"", &scanner)).unwrap();
    scene.gateway.reload();
    wait_for("the reload", || anna.get("/reply/message").text().contains(WAITING).then_some(()));
    let page = anna.send("");
    assert_eq!(page.status, 422);
    // Both are gone, so both are told: nobody believes that one of them was sent.
    for name in [NAME, "nog-een.txt"] {
        assert!(page.text().contains(&format!("{name} lijkt een virus te bevatten")), "{}", page.text());
    }
    assert!(scene.nothing_was_sent());
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    assert_eq!(scene.arrived(), ["brief.txt"]);
}

#[test]
fn what_is_too_large_for_the_scanner_is_refused() {
    let clamd = Clamd::start();
    let scene = scene(clamd.socket().to_str().unwrap());
    let mut anna = scene.verified();
    assert_eq!(upload(&anna, "past.bin", &noise(LARGEST)).1.status, 204);
    // Of the smaller one clamd says that it looks at no such file, of the larger one that it takes no more.
    let words = "te-groot.bin is te groot om op virussen te controleren en is niet toegevoegd";
    let large = noise(3 * LARGEST);
    for octets in [&large[..], &large[..LARGEST + 1]] {
        let (id, answer) = upload(&anna, "te-groot.bin", octets);
        assert_eq!((answer.status, answer.text().as_str()), (413, words));
        assert_eq!(anna.tus("HEAD", &id, &[], None).status, 404);
    }
    let page = anna.message(STAFF, "", &[("te-groot.bin", "application/octet-stream", &large)], "add");
    assert_eq!(page.status, 413);
    assert!(page.text().contains(words) && page.text().contains("past.bin"), "{}", page.text());
    assert_eq!(scene.events(), ["too large"; 3]);
}

#[test]
fn a_scanner_that_hangs_is_given_up_and_holds_nobody_up() {
    // It takes connections, and that is all.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = scene(&hangs.local_addr().unwrap().to_string());
    let mut anna = scene.verified();
    let ids: Vec<String> = (0..4).map(|_| anna.begin("brief.txt", 9)).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let pieces: Vec<_> =
            ids.iter().map(|id| scope.spawn(|| anna.piece(id, 0, b"Beste Jan").status)).collect();
        let mut other = Resident { link: anna.link.clone(), cookies: anna.cookies.clone() };
        wait_for("all of them", || {
            let page = other.get("/reply/message").text();
            (page.matches(WAITING).count() == ids.len()).then_some(())
        });
        let asked = Instant::now();
        assert_eq!(other.get("/reply/message").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        assert!(pieces.iter().any(|piece| !piece.is_finished()), "they wait meanwhile");
        assert!(pieces.into_iter().all(|piece| piece.join().unwrap() == 503));
    });
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    // Of many files it is asked about one.
    let start = Instant::now();
    assert_eq!(anna.message(STAFF, "", &[], "next").status, 503);
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
}

/// H15: the scanner gets files in pieces, several at once.
#[test]
fn large_files_are_scanned_in_little_memory() {
    const SIZE: usize = 24 << 20;
    const AT_ONCE: usize = 4;
    let clamd = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = scene(&clamd.local_addr().unwrap().to_string());
    let given = Arc::new(AtomicUsize::new(0));
    let all = Arc::clone(&given);
    std::thread::spawn(move || {
        for connection in clamd.incoming() {
            let all = Arc::clone(&all);
            std::thread::spawn(move || find_nothing(connection.unwrap(), &all));
        }
    });
    let anna = scene.verified();
    let octets = vec![b'x'; SIZE];
    let ids: Vec<String> = (0..AT_ONCE).map(|_| anna.begin("groot.txt", SIZE)).collect();
    let before = scene.gateway.peak_memory();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| assert_eq!(anna.piece(id, 0, &octets).status, 204));
        }
    });
    assert_eq!(given.load(Ordering::Relaxed), AT_ONCE * SIZE);
    let grown = scene.gateway.peak_memory() - before;
    assert!(grown < SIZE, "{} MiB", grown >> 20);
}

/// A clamd that finds nothing (clamd(8): PING, INSTREAM); adds up what it was given.
fn find_nothing(connection: TcpStream, given: &AtomicUsize) {
    let mut reader = BufReader::new(&connection);
    let mut command = Vec::new();
    reader.read_until(0, &mut command).unwrap();
    if command == b"zPING\0" {
        (&connection).write_all(b"PONG\0").unwrap();
        return;
    }
    assert_eq!(command, b"zINSTREAM\0");
    loop {
        let mut length = [0; 4];
        reader.read_exact(&mut length).unwrap();
        let mut piece = vec![0; u32::from_be_bytes(length) as usize];
        reader.read_exact(&mut piece).unwrap();
        given.fetch_add(piece.len(), Ordering::Relaxed);
        if piece.is_empty() {
            break;
        }
    }
    (&connection).write_all(b"stream: OK\0").unwrap();
}

#[test]
fn a_browser_shows_it_beside_the_file() {
    let mut clamd = Clamd::start();
    let scene = scene(&clamd.address.to_string());
    let anna = scene.verified();
    let browser = Browser::open(1280, 900, true);
    browser.goto(&scene.link);
    for (name, value) in &anna.cookies {
        browser.script(&format!("document.cookie = '{name}={value}; path=/'"));
    }
    browser.goto(&format!("{}/reply/message?lang=nl", scene.link));
    let folder = tempfile::tempdir().unwrap();
    let choose = |name: &str, octets: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        browser.type_into("#files", path.to_str().unwrap());
    };
    let row = |number: usize, words: &str| {
        let selector = format!("#uploads li:nth-child({number}) .file-state");
        wait_for(words, || browser.text(&selector).contains(words).then_some(()));
    };
    choose("virus.txt", &eicar());
    row(1, "virus.txt lijkt een virus te bevatten");
    choose("brief.txt", b"Beste Jan");
    row(2, "Binnen");
    clamd.stop();
    choose("foto.txt", b"klik");
    row(3, "Wij kunnen foto.txt nu niet op virussen controleren");
    clamd.again();
    browser.type_into("#message", "Hierbij");
    browser.click("[name=next]");
    browser.wait_for_url(&format!("{}/reply/check", scene.link));
    let page = browser.text("#files");
    assert!(page.contains("brief.txt") && page.contains("foto.txt") && !page.contains("virus"), "{page}");
}
