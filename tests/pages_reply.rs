//! A resident answers at a real browser: three photos from a telephone and from a desktop, with and without
//! JavaScript, for both ways of delivery.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::path::PathBuf;

use serde_json::json;
use support::browser::Browser;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::{Notice, link_of};
use support::resident::{RESIDENT, STAFF, attachments, code_to, noise, seal};
use support::smarthost::{Script, Smarthost, Taken};

const NEXT: &str = "main form#reply-form .actions button.button";

struct Scene {
    smarthost: Smarthost,
    site: Site,
    _gateway: Gateway,
    link: String,
    password: String,
    folder: tempfile::TempDir,
}

fn scene(extra: &str) -> Scene {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), extra);
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    let folder = tempfile::tempdir().unwrap();
    Scene { smarthost, site, _gateway: gateway, link: links[0].clone(), password, folder }
}

impl Scene {
    fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.link)
    }

    /// A file on the resident's disk.
    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    fn mail_with(&self, field: &str) -> Taken {
        let has = |taken: &&Taken| String::from_utf8_lossy(&taken.message).contains(field);
        let seen = self.smarthost.wait(|seen| seen.taken.iter().any(|taken| has(&taken)));
        seen.taken.iter().rfind(has).unwrap().clone()
    }
}

/// A page may be longer than the screen, not wider (WCAG 1.4.10), and what is pressed is large enough (2.5.8).
fn assert_fits(browser: &Browser, what: &str) {
    let width = browser.script("return window.innerWidth");
    assert!([json!(320), json!(1280)].contains(&width), "{width}");
    let overflow = browser.script("return document.documentElement.scrollWidth - window.innerWidth");
    assert!(overflow.as_i64().unwrap() <= 0, "{what} is {overflow} pixels too wide");
    let small = browser.script(
        "return [...document.querySelectorAll('main button, main a.button, main input, main select, summary')]
            .filter(e => e.checkVisibility({opacityProperty: true}) && !e.closest('[hidden]') && !e.classList.contains('default-button'))
            .filter(e => { const r = (e.closest('label') ?? e).getBoundingClientRect(); return r.height > 1 && (r.height < 24 || r.width < 24) })
            .map(e => e.outerHTML)",
    );
    assert_eq!(small, json!([]), "{what}");
    let unnamed = browser.script(
        "return [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]
            .filter(e => !e.labels?.length).map(e => e.outerHTML)",
    );
    assert_eq!(unnamed, json!([]), "{what}");
}

/// From the button in the mail to the second screen.
fn identify(browser: &Browser, scene: &Scene) {
    browser.goto(&scene.at("/reply?lang=nl"));
    browser.wait_for_url(&scene.at("?next=reply"));
    browser.type_into("input[name=password]", &scene.password);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&scene.at("/reply"));
    assert_fits(browser, "who");

    browser.click(NEXT);
    wait_for("a word about the name", || browser.has("#name-error").then_some(()));
    assert_fits(browser, "who with an error");
    browser.type_into("#name", "Anna de Vries");
    // Another language, and nothing that was typed is lost.
    browser.click("button[name=lang][value=fy]");
    browser.wait_for_url(&scene.at("/reply?lang=fy"));
    assert_eq!(browser.property("#name", "value"), "Anna de Vries");
    browser.click("button[name=lang][value=nl]");
    browser.wait_for_url(&scene.at("/reply?lang=nl"));
    assert_eq!(browser.property("#email", "value"), RESIDENT);
    let before = scene.smarthost.seen().taken.len();
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/code"));
    assert_fits(browser, "code");
    assert_eq!(browser.property("#code", "autocomplete"), "one-time-code");

    browser.type_into("#code", "00000000");
    browser.click(NEXT);
    wait_for("a word about the code", || browser.has("#code-error").then_some(()));
    browser.script("document.getElementById('code').value = ''");
    browser.type_into("#code", &code_to(&scene.smarthost, RESIDENT, before));
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/message"));
    assert_fits(browser, "message");
}

/// From the second screen to the summary.
fn answer(browser: &Browser, scene: &Scene, scripts: bool, photos: &[(String, Vec<u8>)]) {
    browser.type_into("#message", "Beste Jan,\n\nHierbij de foto's.");
    let paths: Vec<String> =
        photos.iter().map(|(name, octets)| scene.file(name, octets).display().to_string()).collect();
    browser.type_into("#files", &paths.join("\n"));
    if scripts {
        wait_for("three files", || {
            (rows(browser).len() == 3 && rows(browser).iter().all(|row| is_in(row))).then_some(())
        });
        // One too many, removed again; the focus goes on to what is left.
        let extra = scene.file("weg.txt", b"weg").display().to_string();
        browser.type_into("#files", &extra);
        wait_for("a fourth", || {
            (rows(browser).len() == 4 && rows(browser).iter().all(|row| is_in(row))).then_some(())
        });
        browser.click("#uploads li:nth-child(4) button");
        wait_for("three again", || (rows(browser).len() == 3).then_some(()));
        assert_eq!(browser.script("return document.activeElement.name"), "remove");
    } else {
        browser.click("button[name=add].without-script");
        wait_for("three files", || (rows(browser).len() == 3).then_some(()));
        browser.wait_for_url(&scene.at("/reply/message"));
        let extra = scene.file("weg.txt", b"weg").display().to_string();
        browser.type_into("#files", &extra);
        browser.click("button[name=add].without-script");
        wait_for("a fourth", || (rows(browser).len() == 4).then_some(()));
        browser.click("#uploads li:nth-child(4) button");
        wait_for("three again", || (rows(browser).len() == 3).then_some(()));
    }
    assert_fits(browser, "message with files");
    browser.click("main .actions button[name=next]");
    browser.wait_for_url(&scene.at("/reply/check"));
    assert_fits(browser, "check");
    browser.enter_frame("iframe");
    let preview = browser.text("body");
    browser.leave_frame();
    assert!(!preview.is_empty());

    browser.click("details.settings summary");
    browser.type_into("#cc", "piet@example.org");
    assert_fits(browser, "settings");
    browser.click("button[formaction]");
    wait_for("a word about Cc", || browser.has("#cc-error").then_some(()));
    assert!(browser.text("#cc-error").contains("piet@example.org is geen adres van Gemeente Voorbeeld"));
    assert_eq!(browser.property("#cc", "value"), "piet@example.org");
    browser.script("document.querySelector('#cc').value = ''");
    browser.type_into("#cc", "Piet <piet@voorbeeld.nl>");
    browser.click("details.settings button[type=submit]");
    browser.wait_for_url(&scene.at("/reply/check"));
    assert!(browser.text("dl.facts").contains("piet@voorbeeld.nl"));
}

/// What stands in the list of files.
fn rows(browser: &Browser) -> Vec<String> {
    let rows = browser.script("return [...document.querySelectorAll('#uploads li')].map(e => e.innerText)");
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

fn is_in(row: &str) -> bool {
    row.contains("Binnen")
}

fn photos() -> Vec<(String, Vec<u8>)> {
    [1, 2, 3].map(|n| (format!("foto {n}.jpg"), noise(200_000 * n))).into()
}

fn by_mail(width: u32, height: u32, scripts: bool) {
    let scene = scene("");
    let browser = Browser::open(width, height, scripts);
    let photos = photos();
    identify(&browser, &scene);
    answer(&browser, &scene, scripts, &photos);
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/sent"));
    assert_fits(&browser, "sent");
    let summary = browser.text("main");
    assert!(summary.contains("Uw antwoord is verstuurd") && summary.contains("foto 3.jpg"), "{summary}");
    assert_eq!(browser.property("main .actions [data-print]", "hidden"), json!(!scripts));

    let arrived = attachments(&scene.mail_with("\nReply-To: "));
    assert_eq!(arrived, photos);
    // Going back shows an empty answer, not the old one.
    browser.goto(&scene.at("/reply"));
    browser.wait_for_url(&scene.at("/reply/message"));
    assert_eq!(browser.property("#message", "value"), "");
}

fn by_transfer(width: u32, height: u32, scripts: bool) {
    let scene = scene("[reply]\ndelivery = \"transfer\"\n");
    let browser = Browser::open(width, height, scripts);
    let photos = photos();
    identify(&browser, &scene);
    answer(&browser, &scene, scripts, &photos);
    browser.click("details.settings summary");
    browser.click("input[value=choose]");
    browser.type_into("#password", "wachtwoord");
    if scripts {
        wait_for("its strength", || {
            let words = browser.text("#password-strength");
            (words.contains("Zwak") || words.contains("Zeer zwak")).then_some(())
        });
        // What is shown in clear is typed once.
        browser.click("[data-reveal=password]");
        assert_eq!(browser.property("#password-again-field", "hidden"), true);
    } else {
        browser.type_into("#password-again", "wachtwoord");
    }
    assert_fits(&browser, "password");
    browser.click("button[formaction]");
    wait_for("a word about the password", || browser.has("#password-error").then_some(()));
    browser.click("input[value=generate]");
    browser.click("button[formaction]");
    wait_for("the password", || browser.has("code#password").then_some(()));
    assert_fits(&browser, "sent with a password");
    let password = browser.text("code#password");
    if scripts {
        assert_copied_for_five_minutes(&browser, &password);
    }
    browser.goto(&scene.at("/reply/sent"));
    assert!(browser.text("main").contains("foto 1.jpg"));
    assert_eq!(browser.text("code#password"), password, "it is shown again while the visit lasts");

    let notice = Notice::of(&scene.mail_with("X-Zegel-Notice: reply\r\n"));
    browser.goto(&link_of(&notice.text, &scene.site.public_url()));
    browser.type_into("input[name=password]", &password);
    browser.click("main button.button[type=submit]");
    wait_for("the answer", || browser.url().ends_with("/files").then_some(()));
    let opened = browser.text("main");
    assert!(opened.contains("Hierbij de foto's.") && opened.contains("foto 2.jpg"), "{opened}");
    assert!(opened.contains("Beantwoord dan de e-mail met de link"), "{opened}");
    assert_fits(&browser, "the answer as staff open it");
}

/// The button copies the password; five minutes later it is off the clipboard.
fn assert_copied_for_five_minutes(browser: &Browser, password: &str) {
    browser.script(
        "window.written = []; navigator.clipboard.writeText = async (text) => { window.written.push(text) };
         const later = window.setTimeout;
         window.setTimeout = (work, time) => later(work, time === 300_000 ? 0 : time)",
    );
    browser.click("[data-copy=password]");
    wait_for("a copy, and its end", || {
        (browser.script("return window.written") == json!([password, ""])).then_some(())
    });
    assert_eq!(browser.text("[data-copy=password]"), "Gekopieerd");
}

#[test]
fn by_mail_with_javascript_on_a_desktop() {
    by_mail(1280, 900, true);
}

#[test]
fn by_mail_with_javascript_on_a_telephone() {
    by_mail(320, 640, true);
}

#[test]
fn by_mail_without_javascript_on_a_desktop() {
    by_mail(1280, 900, false);
}

#[test]
fn by_mail_without_javascript_on_a_telephone() {
    by_mail(320, 640, false);
}

#[test]
fn by_transfer_with_javascript_on_a_desktop() {
    by_transfer(1280, 900, true);
}

#[test]
fn by_transfer_with_javascript_on_a_telephone() {
    by_transfer(320, 640, true);
}

#[test]
fn by_transfer_without_javascript_on_a_desktop() {
    by_transfer(1280, 900, false);
}

#[test]
fn by_transfer_without_javascript_on_a_telephone() {
    by_transfer(320, 640, false);
}

/// After a reload somebody chooses the same file again, and only the rest is sent.
#[test]
fn an_upload_goes_on_after_a_reload() {
    let scene = scene("");
    let browser = Browser::open(1280, 900, true);
    identify(&browser, &scene);
    let file = noise(20_000_000);
    let path = scene.file("film.mp4", &file).display().to_string();
    // The second piece never gets through.
    browser.script(
        "const send = XMLHttpRequest.prototype.send; window.pieces = 0;
         XMLHttpRequest.prototype.send = function (body) { if (++window.pieces < 2) send.call(this, body) }",
    );
    browser.type_into("#files", &path);
    wait_for("a second piece", || (browser.script("return window.pieces") == 2).then_some(()));
    browser
        .script("window.addEventListener('beforeunload', (event) => event.stopImmediatePropagation(), true)");
    browser.goto(&scene.at("/reply/message"));
    let row = rows(&browser).remove(0);
    assert!(row.contains("film.mp4") && row.contains("(41%)") && row.contains("hetzelfde bestand"), "{row}");

    browser.script(
        "window.offsets = []; const set = XMLHttpRequest.prototype.setRequestHeader;
         XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
             if (name === 'Upload-Offset') window.offsets.push(value); set.call(this, name, value) }",
    );
    browser.type_into("#files", &path);
    wait_for("all of it", || rows(&browser).iter().all(|row| is_in(row)).then_some(()));
    assert_eq!(rows(&browser).len(), 1, "the same file is not there twice");
    assert_eq!(browser.script("return window.offsets"), json!([8_388_608, 16_777_216]));
    browser.type_into("#message", "de film");
    browser.click("main .actions button[name=next]");
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/sent"));
    assert!(attachments(&scene.mail_with("\nReply-To: ")) == [("film.mp4".to_owned(), file)]);
}

/// What cannot be sent is said at once, before a byte goes out.
#[test]
fn files_that_do_not_fit_are_refused_while_choosing() {
    let scene = scene("[reply]\nmax_size = \"1MiB\"\n");
    let browser = Browser::open(320, 640, true);
    identify(&browser, &scene);
    for (name, octets, words) in
        [("leeg.txt", vec![], "leeg.txt is leeg"), ("groot.bin", noise(1_100_000), "groot.bin is te groot")]
    {
        let path = scene.file(name, &octets).display().to_string();
        browser.type_into("#files", &path);
        wait_for(words, || browser.text(".upload-errors").contains(words).then_some(()));
        assert!(rows(&browser).is_empty());
        assert_fits(&browser, name);
    }
    assert!(browser.text("#upload").contains("1,0 MB"));
    assert_eq!(scene.smarthost.seen().copies(STAFF), 1, "only the receipt");
}
