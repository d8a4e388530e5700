//! What a real browser fetches and shows: downloads that break off, ZIP, HEAD, ranges, dates in every language, and codes as
//! people bring them from their mail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use support::browser::Browser;
use support::client::submit;
use support::gateway::{Gateway, PATIENCE, Site, wait_for};
use support::mail::{Notice, link_of, password_of, with_file};
use support::resident::{RESIDENT, STAFF, code_to, noise};
use support::smarthost::{Script, Smarthost};

/// A gateway with one transfer, and perhaps something between it and the browser.
struct Scene {
    smarthost: Smarthost,
    site: Site,
    _gateway: Gateway,
    file: Vec<u8>,
    link: String,
    /// The sender's page.
    status: String,
    password: String,
    /// The notification's text.
    notification: String,
}

/// `before`: makes what stands before the gateway; gives its port.
fn scene(extra: &str, before: Option<&Cutter>) -> Scene {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), extra);
    if let Some(cutter) = before {
        site.publish_at(&format!("http://{}", cutter.address));
    }
    let gateway = site.start();
    if let Some(cutter) = before {
        *cutter.gateway.lock().unwrap() = Some(gateway.web);
    }
    let file = noise(6_000_000);
    submit(gateway.smtp, STAFF, &[RESIDENT], &with_file(STAFF, RESIDENT, &file));
    let seen = smarthost.wait(|seen| seen.taken.len() == 2);
    let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
    let text = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap().text.clone();
    let (notification, receipt) = (text("notification"), text("receipt"));
    let status = receipt.lines().find(|line| line.contains("/s/")).unwrap().to_owned();
    let link = link_of(&notification, &site.public_url());
    let password = password_of(&receipt);
    Scene { smarthost, site, _gateway: gateway, file, link, status, password, notification }
}

impl Scene {
    fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.link)
    }

    fn open(&self, browser: &Browser) {
        browser.goto(&self.at("?lang=nl"));
        browser.type_into("input[name=password]", &self.password);
        browser.click("main button.button[type=submit]");
        browser.wait_for_url(&self.at("/files"));
    }

    /// What the sender sees of the transfer.
    fn status(&self, browser: &Browser) -> String {
        browser.goto(&format!("{}?lang=nl", self.status));
        browser.text("main")
    }

    /// A time of the newest transfer, in milliseconds since 1970.
    fn time(&self, column: &str) -> i64 {
        let db = rusqlite::Connection::open(self.site.data().join("zegel.db")).unwrap();
        db.busy_timeout(PATIENCE).unwrap();
        let newest = format!("SELECT {column} FROM transfers ORDER BY number DESC LIMIT 1");
        let microseconds: i64 = db.query_row(&newest, [], |row| row.get(0)).unwrap();
        microseconds / 1000
    }
}

// ---- a download that breaks off

/// Between browser and gateway: ends the connection amid the first answer to `path`, as a telephone does that goes
/// from one network to another.
struct Cutter {
    address: SocketAddr,
    gateway: Arc<Mutex<Option<SocketAddr>>>,
    /// The head of every request for `path`.
    asked: Arc<Mutex<Vec<String>>>,
}

/// Bytes of an answer that get through before its connection ends.
const ENOUGH: usize = 2_000_000;

impl Cutter {
    fn before(path: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", support::gateway::free_port())).unwrap();
        let cutter =
            Self { address: listener.local_addr().unwrap(), gateway: Arc::default(), asked: Arc::default() };
        let (gateway, asked) = (cutter.gateway.clone(), cutter.asked.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(gateway.lock().unwrap().unwrap()).unwrap();
                let (is_cut, asked) = (Arc::new(AtomicBool::new(false)), asked.clone());
                let (from, to, cut) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), is_cut.clone());
                thread::spawn(move || pass_requests(from, to, path, &cut, &asked));
                thread::spawn(move || pass_answers(server, client, &is_cut));
            }
        });
        cutter
    }
}

fn pass_requests(
    mut from: TcpStream,
    mut to: TcpStream,
    path: &str,
    cut: &AtomicBool,
    asked: &Mutex<Vec<String>>,
) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if head.starts_with("GET ") && head.contains(&format!("{path} HTTP/1.1\r\n")) {
            let mut asked = asked.lock().unwrap();
            cut.store(asked.is_empty(), Ordering::SeqCst);
            asked.push(head);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(Shutdown::Both);
}

fn pass_answers(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let (mut buffer, mut passed) = ([0; 65_536], 0);
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        passed = if cut.load(Ordering::SeqCst) { passed + length } else { 0 };
        if passed > ENOUGH {
            break;
        }
    }
    let _closed = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
}

/// Chromium goes on by itself, with a range of what it has not got; the sender is told of one download.
fn a_download_goes_on(path: &'static str, name: &str) -> Vec<u8> {
    let cutter = Cutter::before(path);
    let (scene, browser) = (scene("", Some(&cutter)), Browser::open(1280, 900, true));
    scene.open(&browser);
    browser.click(&format!("a[href$='{path}']"));
    let saved = browser.downloaded(name);
    let asked = cutter.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2, "{asked:#?}");
    let field = |name: &str| asked[1].lines().find(|line| line.to_lowercase().starts_with(name));
    let range = field("range: bytes=").unwrap().trim_end_matches('-').rsplit('=').next().unwrap();
    assert!((1..=ENOUGH + 65_536).contains(&range.parse().unwrap()), "{range}");
    assert!(field("if-range: \"").is_some(), "{}", asked[1]);
    if path.ends_with("/1") {
        assert!(saved == scene.file, "{} bytes", saved.len());
    }
    saved
}

#[test]
fn a_file_that_breaks_off_goes_on() {
    a_download_goes_on("/files/1", "fôto.bin");
}

/// The ZIP, when it is whole after a break: for `unzip`, and for Python.
#[test]
fn a_zip_that_breaks_off_goes_on_and_can_be_unpacked() {
    let zip = a_download_goes_on("/zip", ".zip");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alles.zip"), zip).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
        said
    };
    assert!(run("unzip", &["-t", "alles.zip"]).contains("No errors detected"));
    run("python3", &["-m", "zipfile", "-t", "alles.zip"]);
    let dates = "import zipfile; print({i.date_time for i in zipfile.ZipFile('alles.zip').infolist()})";
    assert_eq!(run("python3", &["-c", dates]).trim(), "{(2026, 11, 20, 9, 30, 6)}");
    run("unzip", &["-q", "alles.zip"]);
    assert!(std::fs::read(folder.path().join("fôto.bin")).unwrap() == noise(6_000_000));
    assert!(Path::new(&folder.path().join("message.eml")).exists());
}

// ---- HEAD and ranges

/// Status, these fields and the length of the body of a request that the page itself makes.
fn fetched(browser: &Browser, url: &str, method: &str, range: &str) -> Value {
    let script = format!(
        "return fetch('{url}', {{method: '{method}', headers: {range}}}).then(async (answer) => {{
           const body = new Uint8Array(await answer.arrayBuffer());
           const fields = ['content-length', 'content-range', 'accept-ranges', 'content-type'];
           return [answer.status, ...fields.map((name) => answer.headers.get(name)), body.length, [...body.slice(0, 4)]];
         }})"
    );
    browser.script(&script)
}

#[test]
fn head_and_range_say_what_get_gives_and_count_as_nothing() {
    let (scene, browser) = (scene("", None), Browser::open(1280, 900, true));
    scene.open(&browser);
    let file = scene.at("/files/1");
    for url in [&file, &scene.at("/zip"), &scene.at("/message.eml")] {
        let head = fetched(&browser, url, "HEAD", "{}");
        assert_eq!(
            (&head[0], &head[3], &head[5]),
            (&json!(200), &json!("bytes"), &json!(0)),
            "{url}: {head}"
        );
        let length: usize = head[1].as_str().unwrap().parse().unwrap();
        assert!(length >= 6_000_000, "{url}: {head}");
    }
    assert!(!scene.status(&browser).contains("gedownload"), "{}", browser.text("main"));

    browser.goto(&scene.at("/files"));
    for (range, part) in [("bytes=5-8", 5..9), ("bytes=-4", 5_999_996..6_000_000)] {
        let answer = fetched(&browser, &file, "GET", &format!("{{Range: '{range}'}}"));
        let content_range = format!("bytes {}-{}/6000000", part.start, part.end - 1);
        assert_eq!((&answer[0], &answer[2]), (&json!(206), &json!(content_range)), "{answer}");
        assert_eq!(answer[6], json!(scene.file[part]), "{range}");
    }
    let beyond = fetched(&browser, &file, "GET", "{Range: 'bytes=6000000-'}");
    assert_eq!((&beyond[0], &beyond[2]), (&json!(416), &json!("bytes */6000000")), "{beyond}");
    for url in [&file, &scene.at("/zip")] {
        let length = fetched(&browser, url, "HEAD", "{}")[1].clone();
        let whole = fetched(&browser, url, "GET", "{}");
        assert_eq!(
            (&whole[0], &whole[1], whole[5].to_string()),
            (&json!(200), &length, length.as_str().unwrap().into())
        );
    }
    assert!(scene.status(&browser).contains("gedownload"));

    // A page must never be taken for the rest of a file.
    browser.goto(&scene.at("/files"));
    browser.click("form.finish button");
    browser.wait_for_url(&format!("{}/", scene.site.public_url()));
    let ended = fetched(&browser, &file, "GET", "{Range: 'bytes=5-'}");
    assert_eq!(ended[0], 403, "{ended}");
}

// ---- dates

const WEEKDAYS: [&str; 7] = ["snein", "moandei", "tiisdei", "woansdei", "tongersdei", "freed", "sneon"];
const MONTHS: [&str; 12] = [
    "jannewaris",
    "febrewaris",
    "maart",
    "april",
    "maaie",
    "juny",
    "july",
    "augustus",
    "septimber",
    "oktober",
    "novimber",
    "desimber",
];

/// The day of a moment in Amsterdam, as the browser's own calendar has it, or for Frisian, which it does not speak, as its numbers say.
fn day(browser: &Browser, milliseconds: i64, language: &str) -> String {
    let locale = if language == "en" { "en-GB" } else { "nl-NL" };
    let parts = browser.script(&format!(
        "const one = new Intl.DateTimeFormat('{locale}', {{timeZone: 'Europe/Amsterdam', dateStyle: 'full'}}).formatToParts({milliseconds});
         const of = (type) => one.find((part) => part.type === type).value;
         const there = new Date(new Date({milliseconds}).toLocaleString('en-US', {{timeZone: 'Europe/Amsterdam'}}));
         return [of('weekday'), of('day'), of('month'), of('year'), there.getDay(), there.getMonth()]"
    ));
    let text = |at: usize| parts[at].as_str().unwrap();
    let number = |at: usize| parts[at].as_u64().unwrap() as usize;
    match language {
        "fy" => format!("{} {} {} {}", WEEKDAYS[number(4)], text(1), MONTHS[number(5)], text(3)),
        _ => format!("{} {} {} {}", text(0), text(1), text(2), text(3)),
    }
}

/// A day that is named lasts to its end where the organisation is, and mail, pages and database name the same.
#[test]
fn a_day_is_the_same_in_every_language_and_lasts_to_its_end() {
    let (scene, browser) = (scene("", None), Browser::open(1280, 900, true));
    scene.open(&browser);
    let expires = scene.time("expires");
    let time = browser.script(&format!(
        "return new Date({expires}).toLocaleTimeString('nl-NL', {{timeZone: 'Europe/Amsterdam'}})"
    ));
    assert_eq!(time, "23:59:59");
    let days = browser.script(&format!("return Math.round(({expires} - Date.now()) / 86_400_000)"));
    assert!([30, 31].contains(&days.as_i64().unwrap()), "{days}");
    assert!(scene.notification.contains(&format!("tot en met {}", day(&browser, expires, "nl"))));
    for language in ["nl", "fy", "en"] {
        let sent = day(&browser, scene.time("created"), language);
        let last = day(&browser, expires, language);
        browser.goto(&scene.at(&format!("/files?lang={language}")));
        assert!(
            browser.text("main .lead").contains(&last),
            "{language}: {last} is not in {}",
            browser.text("main .lead")
        );
        assert!(browser.text("main").contains(&sent), "{language}: {}", browser.text("main"));
        browser.goto(&format!("{}?lang={language}", scene.status));
        assert!(browser.text("main").contains(&last), "{language}: {}", browser.text("main"));
    }
}

/// The resident's own choice: the day itself, on the page, in the mail to staff and in the database.
#[test]
fn a_day_that_was_chosen_lasts_to_its_end() {
    let scene = scene("[reply]\ndelivery = \"transfer\"\n", None);
    let browser = Browser::open(1280, 900, true);
    scene.open(&browser);
    at_the_code(&scene, &browser);
    give_code(&scene, &browser, |code| code.to_owned());
    browser.type_into("#message", "tot dan");
    browser.click("main .actions button[name=next]");
    browser.wait_for_url(&scene.at("/reply/check"));
    let chosen = browser.script(
        "const day = new Date(Date.now() + 10 * 86_400_000); return day.toLocaleDateString('sv', {timeZone: 'Europe/Amsterdam'})",
    );
    browser.click("details.settings summary");
    browser.script(&format!("document.getElementById('expiry').value = {chosen}"));
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/sent"));
    let expires = scene.time("expires");
    let moment = browser.script(&format!(
        "return new Date({expires}).toLocaleString('sv', {{timeZone: 'Europe/Amsterdam'}})"
    ));
    assert_eq!(moment, json!(format!("{} 23:59:59", chosen.as_str().unwrap())));
    let last = day(&browser, expires, "nl");
    let is_reply =
        |notice: &Notice| notice.kind == "reply" && notice.text.contains(&format!("tot en met {last}"));
    scene.smarthost.wait(|seen| seen.taken.iter().map(Notice::of).any(|notice| is_reply(&notice)));
}

// ---- codes

/// From the opened transfer to the page that asks for the code.
fn at_the_code(scene: &Scene, browser: &Browser) {
    browser.goto(&scene.at("/reply"));
    browser.type_into("#name", "Anna de Vries");
    browser.click("main .actions button.button");
    browser.wait_for_url(&scene.at("/reply/code"));
}

/// Pastes what becomes of the code on the way, and goes on.
fn give_code(scene: &Scene, browser: &Browser, way: impl Fn(&str) -> String) {
    let code = code_to(&scene.smarthost, RESIDENT, 2);
    browser.paste_into("#code", &way(&code));
    browser.click("main .actions button.button");
    wait_for(&format!("{:?} to be taken", way(&code)), || {
        browser.url().ends_with("/reply/message").then_some(())
    });
}

/// As mail programs, telephones and people make of it: copied with what is around it, in groups, in other digits.
#[test]
fn a_code_is_taken_however_it_was_copied() {
    let fullwidth =
        |code: &str| -> String { code.chars().map(|c| char::from_u32(c as u32 + 0xfee0).unwrap()).collect() };
    let arabic = |code: &str| -> String {
        code.chars().map(|c| char::from_u32(c as u32 - 0x30 + 0x660).unwrap()).collect()
    };
    let ways: [&dyn Fn(&str) -> String; 5] = [
        &|code| format!(" {} {}\t", &code[..4], &code[4..]),
        &|code| format!("\u{200b}{}\u{2011}{}\u{feff}", &code[..4], &code[4..]),
        &|code| format!("{}\u{a0}{}.", &code[..4], &code[4..]),
        &|code| format!("*{}*", fullwidth(code)),
        &|code| arabic(code),
    ];
    for way in ways {
        let (scene, browser) = (scene("", None), Browser::open(1280, 900, true));
        scene.open(&browser);
        at_the_code(&scene, &browser);
        give_code(&scene, &browser, way);
    }
}

/// Typed digit by digit with blanks and hyphens, without JavaScript; a wrong one stays in the field, with a word.
#[test]
fn a_code_is_typed_as_it_is_read_out() {
    let (scene, browser) = (scene("", None), Browser::open(320, 640, false));
    scene.open(&browser);
    at_the_code(&scene, &browser);
    let code = code_to(&scene.smarthost, RESIDENT, 2);
    browser.type_into("#code", "12 34");
    browser.click("main .actions button.button");
    wait_for("a word about it", || browser.has("#code-error").then_some(()));
    assert_eq!(browser.property("#code", "value"), "12 34");
    browser.script("document.getElementById('code').value = ''");
    let pairs: Vec<&str> = [0, 2, 4, 6].map(|at| &code[at..at + 2]).to_vec();
    browser.type_into("#code", &pairs.join(" - "));
    browser.click("main .actions button.button");
    browser.wait_for_url(&scene.at("/reply/message"));
}
