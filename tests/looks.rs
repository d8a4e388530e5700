//! How a message looks in a real browser, and on paper: five mails as programs and machines write them, and long ones. And
//! how pages look that wear the colours and the logo of an organisation.
//!
//! Pictures for people are in `target/looks/` afterwards: each mail as its page and by itself, 360 and 1280 pixels wide.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::browser::Browser;
use support::client::submit;
use support::gateway::{Gateway, Site};
use support::mail::{Notice, link_of, password_of};
use support::resident::{Resident, seal};
use support::smarthost::{Script, Smarthost};

const STAFF: &str = "s.devries@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// A gateway that seals whatever it is given.
struct Scene {
    site: Site,
    gateway: Gateway,
    smarthost: Smarthost,
}

impl Scene {
    fn new() -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Site::new(smarthost.address(), "");
        let gateway = site.start();
        Self { site, gateway, smarthost }
    }

    /// Seals a mail and opens it in a browser.
    fn open(&self, browser: &Browser, mail: &[u8]) -> String {
        let before = self.smarthost.seen().taken.len();
        submit(self.gateway.smtp, STAFF, &[RESIDENT], mail);
        let seen = self.smarthost.wait(|seen| seen.taken.len() == before + 2);
        let notices: Vec<Notice> = seen.taken[before..].iter().map(Notice::of).collect();
        let text = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap().text.clone();
        let link = link_of(&text("notification"), &self.site.public_url());
        browser.goto(&link);
        browser.type_into("input[name=password]", &password_of(&text("receipt")));
        browser.click("main button.button[type=submit]");
        browser.wait_for_url(&format!("{link}/files"));
        link
    }
}

fn mail(kind: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Sanne <{STAFF}>\r\nTo: {RESIDENT}\r\nSubject: [vertrouwelijk] Lang\r\nMIME-Version: 1.0\r\n\
         Content-Type: {kind}\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

/// `property` of what `selector` names in the frame of the message.
fn style(browser: &Browser, selector: &str, property: &str) -> String {
    browser.enter_frame("iframe.message-frame");
    let script = format!(
        "return getComputedStyle(document.querySelector({selector:?})).getPropertyValue({property:?})"
    );
    let value = browser.script(&script);
    browser.leave_frame();
    value.as_str().unwrap_or_else(|| panic!("{selector} {property}: {value}")).to_owned()
}

/// The words on what the browser prints of the page that it shows.
fn printed(browser: &Browser) -> String {
    let mut program = Command::new("pdftotext")
        .args(["-layout", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pdftotext (Debian: poppler-utils)");
    let mut input = program.stdin.take().unwrap();
    input.write_all(&browser.print()).unwrap();
    drop(input);
    String::from_utf8(program.wait_with_output().unwrap().stdout).unwrap()
}

/// The numbers behind `word` in a text, each once.
fn numbers(text: &str, word: &str) -> Vec<usize> {
    let behind = text.split(word).skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
    let mut numbers: Vec<usize> = behind.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Whatever people print with, one after the other.
fn browsers() -> impl Iterator<Item = (&'static str, Browser)> {
    type Open = fn() -> Browser;
    let open: [(&'static str, Open); 3] = [
        ("Chromium", || Browser::open(1280, 900, true)),
        ("Chromium without JavaScript", || Browser::open(1280, 900, false)),
        ("Firefox", || Browser::open_firefox(1280, 900)),
    ];
    open.into_iter().map(|(name, open)| (name, open()))
}

fn paragraphs(word: &str, count: usize) -> String {
    (1..=count)
        .map(|n| format!("<p>{word} {n} van een lange brief, die op papier niet mag ophouden.</p>\r\n"))
        .collect()
}

#[test]
fn five_mails_look_as_they_were_written() {
    let scene = Scene::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/looks");
    fs::create_dir_all(&folder).unwrap();
    for (width, height) in [(1280, 1400), (360, 800)] {
        let browser = Browser::open(width, height, true);
        for (name, words, check) in MAILS {
            let source = fs::read(Path::new("tests/looks").join(format!("{name}.eml"))).unwrap();
            let link = scene.open(&browser, &source);
            browser.screenshot(&folder.join(format!("{name}-{width}.png")));
            assert_eq!(overflow(&browser), 0, "{name}: pixels too wide at {width}");
            let page = if browser.has("iframe.message-frame") {
                browser.enter_frame("iframe.message-frame");
                assert_eq!(overflow(&browser), 0, "{name}: pixels too wide in its frame at {width}");
                let text = browser.text("body");
                browser.leave_frame();
                text
            } else {
                browser.text("main")
            };
            for word in *words {
                assert!(page.contains(word), "{name}: {word} is missing in {page}");
            }
            for (selector, property, value) in *check {
                assert_eq!(&style(&browser, selector, property), value, "{name}: {selector} {property}");
            }
            if browser.has("iframe.message-frame") {
                browser.goto(&format!("{link}/message"));
                assert_eq!(overflow(&browser), 0, "{name}: pixels too wide by itself at {width}");
                browser.screenshot(&folder.join(format!("{name}-message-{width}.png")));
            }
        }
    }
}

/// How much wider the document is than its window.
fn overflow(browser: &Browser) -> i64 {
    let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    browser.script(script).as_i64().unwrap()
}

/// A mail in `tests/looks/`, words that are seen of it, and how some of it looks.
type Mail = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str, &'static str)]);

const MAILS: &[Mail] = &[
    (
        "outlook",
        &["Mijn antwoorden staan in rood.", "toegekend", "Sanne de Vries"],
        &[
            ("p:nth-of-type(3) span", "color", "rgb(255, 0, 0)"),
            ("p:nth-of-type(3) span:last-of-type", "text-decoration-line", "line-through"),
            ("tr:first-child td", "background-color", "rgb(31, 78, 121)"),
            ("tr:first-child td span", "color", "rgb(255, 255, 255)"),
            ("p", "margin-top", "0px"),
            ("img", "width", "120px"),
        ],
    ),
    ("apple", &["gemaakt op maandag", "Verstuurd vanaf mijn iPhone"], &[("b", "font-weight", "700")]),
    ("scanner", &["Number of Images: 3", "Scan_20261123_101112.pdf"], &[]),
    (
        "case",
        &["Uw zaak heeft een nieuwe status", "Bekijk uw zaak"],
        &[
            (".z0 > div", "display", "none"),
            ("h1", "color", "rgb(21, 66, 115)"),
            ("table table tr:first-child td", "color", "rgb(255, 255, 255)"),
            ("a", "background-color", "rgb(0, 123, 199)"),
            ("a", "color", "rgb(255, 255, 255)"),
        ],
    ),
    (
        "meeting",
        &["Neem uw legitimatie mee", "Nu deelnemen aan de vergadering"],
        &[("u", "text-decoration-line", "underline")],
    ),
];

#[test]
fn a_picture_of_elsewhere_is_told_of() {
    let scene = Scene::new();
    let browser = Browser::open(1280, 900, true);
    let source = fs::read("tests/looks/case.eml").unwrap();
    let link = scene.open(&browser, &source);
    browser.goto(&format!("{link}/files?lang=nl"));
    assert!(browser.text("main").contains("Afbeeldingen die op een andere server staan, tonen we niet."));
    browser.goto(&format!("{link}/files?lang=fy"));
    assert!(browser.text("main").contains("Ofbyldings dy't op in oare server steane"));
    scene.open(&browser, &mail("text/html", "<p>a<img src=https://x.example/o.gif width=1 height=1>"));
    assert!(
        !browser.text("main").contains("server steane") && !browser.text("main").contains("andere server")
    );
}

/// As long as it is, in every browser: a frame is cut at its height, paper is not.
#[test]
fn a_long_message_is_printed_whole() {
    let scene = Scene::new();
    let all: Vec<usize> = (1..=200).collect();
    for (name, browser) in browsers() {
        let html = format!("<p>Het was <s>oud</s> nieuw.</p>{}", paragraphs("Alinea", 200));
        let link = scene.open(&browser, &mail("text/html; charset=utf-8", &html));
        assert_eq!(numbers(&printed(&browser), "Alinea"), all, "{name}");
        browser.goto(&format!("{link}/message"));
        assert_eq!(numbers(&printed(&browser), "Alinea"), all);

        let files = format!(
            "--b\r\nContent-Type: text/plain\r\n\r\nZie de bijlagen.\r\n--b\r\nContent-Type: text/html; name=brief.html\r\n\
             Content-Disposition: attachment\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain; name=lijst.txt\r\n\
             Content-Disposition: attachment\r\n\r\n{}\r\n--b--",
            paragraphs("Blad", 200),
            (1..=200).map(|n| format!("Regel {n} van de lijst\r\n")).collect::<String>()
        );
        let link = scene.open(&browser, &mail("multipart/mixed; boundary=b", &files));
        for (number, word) in [(1, "Blad"), (2, "Regel")] {
            browser.goto(&format!("{link}/files/{number}/view"));
            assert_eq!(numbers(&printed(&browser), word), all, "{word}, {name}");
        }
    }
}

/// What will be sent is printed whole as well, from the page where it is checked.
#[test]
fn a_long_answer_is_printed_whole() {
    let scene = Scene::new();
    let (links, password) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[RESIDENT]);
    let mut resident = Resident::verified(&links[0], &password, &scene.smarthost);
    let text: String = (1..=200).map(|n| format!("Antwoord {n} is nog niet alles.\n\n")).collect();
    assert_eq!(resident.message("j.jansen@voorbeeld.nl", &text, &[], "next").status, 303);
    for (browser_name, browser) in browsers() {
        browser.goto(&links[0]);
        for (name, value) in &resident.cookies {
            browser.set_cookie(name, value);
        }
        browser.goto(&format!("{}/reply/check", links[0]));
        let printed = printed(&browser);
        assert_eq!(numbers(&printed, "Antwoord"), (1..=200).collect::<Vec<_>>(), "{browser_name}: {printed}");
    }
}

/// Every paragraph, subject and name by its own first letters.
#[test]
fn arabic_and_hebrew_run_from_right_to_left() {
    let scene = Scene::new();
    let browser = Browser::open(1280, 900, true);
    let html = "<p>السلام عليكم، هذا خطاب.</p><p>En dit is Nederlands.</p><ul><li>שלום</li></ul>";
    scene.open(&browser, &mail("text/html; charset=utf-8", html));
    for (selector, direction) in [("p", "rtl"), ("p + p", "ltr"), ("li", "rtl")] {
        assert_eq!(style(&browser, selector, "direction"), direction, "{selector}");
    }
    scene.open(
        &browser,
        &mail("text/plain; charset=utf-8", "السلام عليكم، هذا خطاب.\r\n\r\nEn dit is Nederlands."),
    );
    let computed = |property: &str| -> Value {
        browser
            .script(&format!("return getComputedStyle(document.querySelector('.message-text')).{property}"))
    };
    assert_eq!(computed("unicodeBidi"), "plaintext");
    // The first line starts at the right, the last at the left.
    let sides = browser.script(
        "const text = document.querySelector('.message-text').firstChild, box = text.parentElement.getBoundingClientRect();\
         const of = (from, to) => { const range = document.createRange(); range.setStart(text, from); range.setEnd(text, to);\
         const one = range.getBoundingClientRect(); return one.left - box.left < box.right - one.right ? 'left' : 'right' };\
         return [of(0, 5), of(text.length - 5, text.length - 1)]",
    );
    assert_eq!(sides, serde_json::json!(["right", "left"]));
}

/// A house style that somebody may copy, with a script in its logo.
fn in_house_style(site: &Site) {
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/zuiderveen");
    let logo = fs::read_to_string(house.join("logo.svg")).unwrap();
    let script =
        "<script>window.hacked = 1</script><script href=\"data:text/javascript,window.hacked=1\"/></svg>";
    fs::write(site.config().with_file_name("logo.svg"), logo.replace("</svg>", script)).unwrap();
    let [theme, icon] = ["theme.css", "favicon.svg"].map(|name| house.join(name));
    site.set("organisation", &format!("theme = {theme:?}\nfavicon = {icon:?}\nlogo = \"logo.svg\""));
}

#[test]
fn pages_wear_the_face_of_the_organisation() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    in_house_style(&site);
    let _gateway = site.start();
    let browser = Browser::open(360, 800, true);
    let look = |selector: &str, property: &str| {
        let script = format!(
            "return getComputedStyle(document.querySelector({selector:?})).getPropertyValue({property:?})"
        );
        browser.script(&script).as_str().unwrap().to_owned()
    };
    for (scheme, button, page, logo) in [
        ("light", "rgb(11, 93, 59)", "rgb(243, 245, 247)", "rgba(0, 0, 0, 0)"),
        ("dark", "rgb(127, 214, 168)", "rgb(18, 24, 31)", "rgb(255, 255, 255)"),
    ] {
        browser.prefer(scheme);
        browser.goto(&site.public_url());
        assert_eq!(look("main .button", "background-color"), button, "{scheme}");
        assert_eq!(look("body", "background-color"), page, "{scheme}");
        assert_eq!(look(".brand img", "background-color"), logo, "{scheme}");
        assert_eq!(overflow(&browser), 0);
    }
    let shown = "return [...document.images].map(image => image.complete && image.naturalWidth > 0)";
    assert_eq!(browser.script(shown), serde_json::json!([true, true]), "the logo, and our mark");
    let mark = browser.script("return document.querySelector('footer img').getAttribute('src')");
    assert!(mark.as_str().unwrap().starts_with("/assets/zegel.svg"), "{mark}");
    assert!(printed(&browser).contains("Gemeente Voorbeeld"));

    // Whoever opens the picture by itself.
    browser.goto(&format!("{}/assets/logo", site.public_url()));
    assert_eq!(browser.script("return document.querySelectorAll('script').length"), 2);
    assert_eq!(browser.script("return window.hacked ?? null"), Value::Null);
}

/// How many bytes `gzip` makes of these.
fn compressed(octets: &[u8]) -> usize {
    let mut program = Command::new("gzip")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip (Debian: gzip)");
    let mut input = program.stdin.take().unwrap();
    let octets = octets.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&octets).unwrap());
    let size = program.wait_with_output().unwrap().stdout.len();
    writing.join().unwrap();
    size
}

/// For a telephone where the network is slow: a page with its style and its scripts.
#[test]
fn pages_are_small() {
    let scene = Scene::new();
    let (links, password) = seal(&scene.smarthost, &scene.site, &scene.gateway, &[RESIDENT]);
    let browser = Browser::open(500, 800, true);
    browser.goto(&links[0]);
    browser.type_into("input[name=password]", &password);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&format!("{}/files", links[0]));
    let mut largest = 0;
    for path in ["/files", "/reply", "/reply/message", "/finish", ""] {
        browser.goto(&format!("{}{path}", links[0]));
        let all = browser.script(
            "return performance.getEntriesByType('resource').map(one => one.name).filter(name => name.includes('/assets/'))",
        );
        let all: Vec<_> =
            all.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        assert!(all.len() >= 3, "{path}: {all:?}");
        let fetched = |url: &String| ureq::get(url).call().unwrap().body_mut().read_to_vec().unwrap();
        let page = browser.script("return document.documentElement.outerHTML");
        let assets: usize = all.iter().map(|url| compressed(&fetched(url))).sum();
        largest = largest.max(assets + compressed(page.as_str().unwrap().as_bytes()));
    }
    assert!((5_000..30 << 10).contains(&largest), "{largest} bytes");
}
