//! A resident at a real browser: from the notification to "Voltooien", with and without JavaScript, on a
//! desktop and on a telephone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::{Cursor, Read};
use std::path::Path;

use serde_json::{Value, json};
use support::browser::Browser;
use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::{Notice, as_opened, link_of, password_of, text_of};
use support::smarthost::{Script, Smarthost, Stage, Taken, say};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

/// A 2 x 1 PNG, and the smallest PDF that a viewer shows.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwMAAAAYAAf9SVe8AAAAASUVORK5CYII=";
const PDF: &str = "%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1\
    /MediaBox[0 0 200 100]>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// A confidential mail whose HTML tries everything that it must not do.
fn hostile_mail() -> Vec<u8> {
    let html = "<p>Beste Anna,</p><script>parent.hacked=1</script><img src=http://127.0.0.1:9/pixel>\
        <img src=x onerror=parent.hacked=1><a href=javascript:parent.hacked=1>klik</a>\
        <form action=http://127.0.0.1:9/><input></form><script>alert(1);open('http://127.0.0.1:9/open')</script>\
        <meta http-equiv=refresh content='0;url=http://127.0.0.1:9/meta'><base href=http://127.0.0.1:9/>\
        <link rel=stylesheet href=http://127.0.0.1:9/link><link rel=prefetch href=http://127.0.0.1:9/prefetch>\
        <iframe src=http://127.0.0.1:9/frame></iframe><iframe srcdoc='<script>top.hacked=1</script>'></iframe>\
        <video poster=http://127.0.0.1:9/poster autoplay></video><object data=http://127.0.0.1:9/object></object>\
        <svg><image href=http://127.0.0.1:9/svg /><script>parent.hacked=1</script></svg><p style=\"background:\
        url(http://127.0.0.1:9/style)\">Dag</p><details open ontoggle=parent.hacked=1></details><style>body{background:url(http://127.0.0.1:9/css)}</style>\
        <p>Het besluit staat in de bijlage.</p>";
    let file = |name: &str, kind: &str, encoding: &str, content: &str| {
        format!(
            "--m\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n{}\r\n",
            content.replace('\n', "\r\n")
        )
    };
    [
        format!(
            "From: Jan Jansen <{STAFF}>\r\nTo: {RESIDENT}\r\nSubject: [vertrouwelijk] Besluit\r\n\
             Message-ID: <pages@voorbeeld.nl>\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/mixed; boundary=m\r\n\r\n\
             --m\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n"
        ),
        file("kaart.png", "image/png", "base64", PICTURE),
        file("besluit.pdf", "application/pdf", "8bit", PDF),
        file("<img src=x onerror=hacked=1>.txt", "text/plain", "7bit", "een tekst"),
        file(
            "tekening.svg",
            "image/svg+xml",
            "7bit",
            "<svg xmlns='http://www.w3.org/2000/svg'><script>hacked=1</script></svg>",
        ),
        file(
            "kaart.html",
            "text/html",
            "7bit",
            "<script>alert(2);top.hacked=1</script><img src=http://127.0.0.1:9/file>",
        ),
        "--m--\r\n".to_owned(),
    ]
    .concat()
    .into_bytes()
}

/// A gateway with one transfer in it.
struct Scene {
    site: Site,
    gateway: Gateway,
    link: String,
    password: String,
    /// The sender's.
    status: String,
}

fn scene() -> Scene {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &hostile_mail());
    let notices: Vec<Notice> =
        smarthost.wait(|seen| seen.taken.len() == 2).taken.iter().map(Notice::of).collect();
    let text = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap().text.clone();
    let link = link_of(&text("notification"), &site.public_url());
    let receipt = text("receipt");
    let status = receipt.lines().find(|line| line.contains("/s/")).unwrap().to_owned();
    Scene { password: password_of(&receipt), link, status, site, gateway }
}

/// Types the password and goes on.
fn unlock(browser: &Browser, password: &str) {
    browser.type_into("input[name=password]", password);
    browser.click("main button.button[type=submit]");
}

/// Everything of product A.2 and A.3, one step after the other.
fn walk(browser: &Browser, scene: &Scene) {
    browser.goto(&format!("{}/?lang=nl", scene.site.public_url()));
    browser.type_into("input[name=transfer]", scene.link.rsplit('/').next().unwrap());
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&scene.link);

    unlock(browser, "fout");
    wait_for("a word about the password", || browser.has("[role=alert]").then_some(()));
    browser.wait_for_url(&scene.link);
    unlock(browser, &scene.password.to_uppercase().replace('-', " "));
    browser.wait_for_url(&format!("{}/files", scene.link));
    let page = browser.text("body");
    for expected in ["Besluit", "Jan Jansen", "kaart.png", "besluit.pdf", "tekening.svg", "ZIP"] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }

    browser.enter_frame("iframe");
    let message = browser.text("body");
    browser.leave_frame();
    assert!(message.contains("Beste Anna,") && message.contains("Het besluit staat in de bijlage."));

    browser.click("a[href$='/files/1/view']");
    assert!(browser.has("main img, main iframe, main object, main embed"));
    browser.goto(&format!("{}/files", scene.link));

    browser.click("a[href$='/files/2']");
    assert_eq!(browser.downloaded("besluit.pdf"), PDF.replace('\n', "\r\n").as_bytes());
    browser.click("a[href$='/zip']");
    let mut archive = zip::ZipArchive::new(Cursor::new(browser.downloaded(".zip"))).unwrap();
    let mut original = Vec::new();
    archive.by_name("message.eml").unwrap().read_to_end(&mut original).unwrap();
    assert_eq!(original, as_opened(&hostile_mail()));

    browser.click("form[action$='/finish'] button");
    browser.wait_for_url(&format!("{}/", scene.site.public_url()));
    browser.goto(&format!("{}/files", scene.link));
    browser.wait_for_url(&scene.link);
}

#[test]
fn a_resident_with_javascript_on_a_desktop() {
    let scene = scene();
    let browser = Browser::open(1280, 900, true);
    walk(&browser, &scene);
}

#[test]
fn a_resident_without_javascript_on_a_telephone() {
    let scene = scene();
    let browser = Browser::open(320, 640, false);
    walk(&browser, &scene);
}

/// The right password, and the page that asks for it again: with a word why.
#[test]
fn a_browser_without_cookies_is_told_so() {
    let scene = scene();
    let browser = Browser::open_without_cookies(1280, 900);
    browser.goto(&scene.link);
    assert!(!browser.has("main [role=status]"));
    for _ in 0..2 {
        unlock(&browser, &scene.password);
        browser.wait_for_url(&format!("{}?ended", scene.link));
        wait_for("a word about cookies", || browser.has("main [role=status]").then_some(()));
        // No cookie keeps its language either: it is that of the browser.
        let notice = browser.text("main [role=status]");
        assert!(notice.contains("keeps out our cookie") || notice.contains("houdt uw browser"), "{notice}");
    }
    browser.goto(&format!("{}?lang=nl", scene.status));
    assert!(browser.text("main").contains("Nog niet geopend"), "nobody has seen it");
}

/// What people paste: the link of a scanner with words around it, and the password as a chat shows it.
#[test]
fn what_was_pasted_opens() {
    let scene = scene();
    let browser = Browser::open(1280, 900, true);
    let wrapped = scene.link.replace(':', "%3A").replace('/', "%2F");
    let pasted =
        format!("Zie https://eur05.safelinks.example/?url={wrapped}&data=05%7C02&reserved=0 (graag vandaag)");
    browser.goto(&format!("{}/?lang=nl", scene.site.public_url()));
    browser.type_into("input[name=transfer]", &pasted);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&scene.link);
    browser.goto(&format!("{}/?utm_source=mail", scene.link.to_uppercase().replace("HTTP", "http")));
    browser.wait_for_url(&scene.link);
    unlock(&browser, &format!("*{}*,\u{200b}", scene.password.replace('-', "\u{2011}")));
    browser.wait_for_url(&format!("{}/files", scene.link));
}

/// From the button in the receipt to the proof that it was never opened.
fn take_back(browser: &Browser, scene: &Scene) {
    let status = &scene.status;
    browser.goto(&format!("{status}?lang=nl"));
    wait_for("a delivered notification", || {
        browser.goto(status);
        browser.text("main").contains("E-mail met de link aan onze mailserver gegeven").then_some(())
    });
    browser.click("a[href$='/extend']");
    choose(browser, "2001-02-03");
    wait_for("a word about the date", || browser.has("#until-error").then_some(()));
    assert!(browser.text("#until-error").starts_with("Kies een dag van "));
    let last = browser.property("#until", "max");
    choose(browser, last.as_str().unwrap());
    browser.wait_for_url(&format!("{status}?done=extend-told"));
    assert!(browser.text("[role=status]").contains("De einddatum is gewijzigd."));
    browser.goto(&format!("{status}/resend/1"));
    browser.click("main button.button[type=submit]");
    assert_eq!(browser.text("[role=status]"), "De e-mail staat opnieuw klaar om te versturen.");
    browser.click("a[href$='/recall/1']");
    assert!(
        browser.text("main table").contains("Nog niet geopend"),
        "who has opened it, before it is taken back"
    );
    browser.click("label[for=tell]");
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&format!("{status}/proof"));
    assert!(browser.text("main").contains("Nee, nooit geopend"));
    browser.goto(&scene.link);
    assert!(browser.text("main").contains("niet meer beschikbaar"));
}

/// Chooses a day in the date picker and sends the form.
fn choose(browser: &Browser, day: &str) {
    browser.script(&format!("document.getElementById('until').value = '{day}'"));
    browser.click("main button.button[type=submit]");
}

#[test]
fn a_sender_with_javascript_on_a_desktop() {
    take_back(&Browser::open(1280, 900, true), &scene());
}

#[test]
fn a_sender_without_javascript_on_a_telephone() {
    take_back(&Browser::open(320, 640, false), &scene());
}

/// An address of 254 characters without a place where it could be broken.
fn longest(number: usize) -> String {
    let (local, label) = (format!("{number:02}{}", "l".repeat(62)), "d".repeat(61));
    format!("{local}@{label}.{label}.{label}d.nl")
}

/// M21 and reflow: the sender's pages ask no other host, and none is wider than a telephone, whoever the recipients are.
#[test]
fn the_senders_pages_fit_a_telephone() {
    let smarthost = Smarthost::start(Script::usual().when(
        Stage::Rcpt,
        &longest(7),
        say(&format!("550 5.1.1 {}", "x".repeat(280))),
        usize::MAX,
    ));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let everybody: Vec<String> = (0..50).map(longest).collect();
    assert_eq!(everybody[0].len(), 254);
    submit(gateway.smtp, STAFF, &everybody.iter().map(String::as_str).collect::<Vec<_>>(), &hostile_mail());
    let is_receipt = |mail: &&Taken| text_of(mail).contains("X-Zegel-Notice: receipt");
    let seen = smarthost.wait(|seen| seen.taken.iter().any(|mail| is_receipt(&mail)));
    let receipt = Notice::of(seen.taken.iter().find(is_receipt).unwrap()).text;
    let status = receipt.lines().find(|line| line.contains("/s/")).unwrap().to_owned();
    let telephone = Browser::open(320, 640, true);
    wait_for("the bounce and all deliveries", || {
        telephone.goto(&format!("{status}?lang=nl"));
        let counts = telephone.text(".state-counts");
        (counts.contains("Nog niet geopend 49") && counts.contains("E-mail niet aangekomen 1")).then_some(())
    });
    let desktop = Browser::open(1280, 900, true);
    telephone.goto(&format!("{status}/recall/1"));
    telephone.click("main button.button[type=submit]");
    telephone.wait_for_url(&format!("{status}/proof"));
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/looks/sender");
    std::fs::create_dir_all(&pictures).unwrap();
    for (browser, size) in [(&telephone, "telephone"), (&desktop, "desktop")] {
        for path in ["", "/proof", "/extend", "/resend", "/resend/8", "/recall", "/recall/2"] {
            browser.goto(&format!("{status}{path}?lang=nl"));
            let asked = browser.script("return performance.getEntriesByType('resource').map(e => e.name)");
            for name in asked.as_array().unwrap() {
                assert!(name.as_str().unwrap().starts_with(&site.public_url()), "{path} asks {name}");
            }
            browser.script("document.querySelectorAll('details').forEach(one => { one.open = true })");
            let overflow = browser.script("return document.documentElement.scrollWidth - window.innerWidth");
            assert!(overflow.as_i64().unwrap() <= 0, "{path} on a {size} is {overflow} pixels too wide");
            let cut = browser.script(
                "return [...document.querySelectorAll('main *')].filter(one => one.scrollWidth > one.clientWidth + 1
                 && getComputedStyle(one).display !== 'inline' && !one.closest('.for-readers, thead, .default-button')).length",
            );
            assert_eq!(cut, 0, "{path} on a {size}: nothing is cut off or scrolls sideways");
            let name = format!("{size}{}.png", path.replace('/', "-"));
            browser.screenshot(&pictures.join(name));
        }
    }
    desktop.goto(&format!("{status}/proof?lang=nl"));
    std::fs::write(pictures.join("proof.pdf"), desktop.print()).unwrap();
}

/// Before the password: who sent it, whom to call and what to say. What is said on the telephone opens nothing.
#[test]
fn a_reader_can_find_out_whether_it_is_genuine() {
    let scene = scene();
    let id = scene.link.rsplit('/').next().unwrap().get(..10).unwrap().to_uppercase();
    let reference = format!("{}-{}", &id[..5], &id[5..]);
    for (width, scripts) in [(320, false), (1280, true)] {
        let browser = Browser::open(width, 800, scripts);
        browser.goto(&format!("{}?lang=nl", scene.link));
        let page = browser.text("main");
        for shown in ["Is dit echt?", STAFF, "Gemeente Voorbeeld", &reference.to_lowercase(), "DigiD"] {
            assert!(page.contains(shown), "{shown} is missing in {page}");
        }
        assert!(
            page.find("Wachtwoord").unwrap() < page.find("Is dit echt?").unwrap(),
            "the form comes first"
        );
        let wide = |name| browser.property("html", name).as_u64().unwrap();
        assert!(wide("scrollWidth") <= wide("clientWidth"), "it is wider than the screen");
        browser.goto(&scene.site.public_url());
        browser.type_into("input[name=transfer]", &reference);
        browser.click("main button.button[type=submit]");
        wait_for("a kind word", || browser.has("[role=alert]").then_some(()));
        assert!(browser.text("main").contains("alleen met de link uit de e-mail"));
        assert_eq!(browser.property("input[name=transfer]", "value"), reference, "what was typed is kept");
    }
}

/// Where something from the mail is shown, or may be. What is never shown is 415.
const INSIDE: [&str; 11] = [
    "/files",
    "/message",
    "/files/1/view",
    "/files/2/view",
    "/files/3/view",
    "/files/4/view",
    "/files/5/view",
    "/files/1/preview",
    "/files/3/preview",
    "/files/4/preview",
    "/files/5/preview",
];

/// Every request that the browser began, also those that failed or that its policy stopped, and every dialogue.
fn assert_asks_only(events: &[(String, Value)], scene: &Scene, path: &str) {
    let mut requests = 0;
    for (method, parameters) in events {
        assert_ne!(method, "Page.javascriptDialogOpening", "{path}: {parameters}");
        if method == "Network.requestWillBeSent" {
            let url = parameters["request"]["url"].as_str().unwrap();
            // The viewer of PDF files is a part of the browser.
            let is_own = url.starts_with(&format!("{}/", scene.site.public_url()))
                || url.starts_with("chrome-extension://")
                || url.starts_with("data:");
            assert!(is_own, "{path} asks {url}");
            requests += 1;
        }
    }
    assert!(requests > 0, "{path}: nothing was recorded");
}

/// C18, C19: nothing from the mail runs, nothing asks another host, no page is wider than the screen.
#[test]
fn nothing_from_the_mail_runs() {
    let scene = scene();
    let browser = Browser::open(500, 800, true);
    browser.goto(&scene.link);
    unlock(&browser, &scene.password);
    browser.events();
    for path in INSIDE {
        browser.goto(&format!("{}{path}", scene.link));
        let hacked = browser.script(
            "return [window.hacked, ...[...document.querySelectorAll('iframe')].map(f => { try { return \
             f.contentWindow.hacked } catch (e) { return null } })].filter(x => x)",
        );
        assert_eq!(hacked, json!([]), "{path}");
        let overflow = browser.script("return document.documentElement.scrollWidth - window.innerWidth");
        assert!(overflow.as_i64().unwrap() <= 0, "{path} is {overflow} pixels too wide");
        assert_asks_only(&browser.events(), &scene, path);
    }
    assert_eq!(browser.windows(), 1);
    assert!(scene.gateway.log().iter().all(|line| !line.contains(&scene.password)));
}
