//! What residents type is never lost, at a real browser: the session ends, two windows write, the connection goes, a proxy lets
//! only GET, HEAD, POST and OPTIONS through, a folder is dropped, somebody else sits down at the computer.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail so")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use support::browser::Browser;
use support::gateway::{Gateway, Site, free_port, wait_for};
use support::resident::{RESIDENT, attachments, code_to, noise, seal};
use support::smarthost::{Script, Smarthost, Taken};

const NEXT: &str = "main .actions button[name=next]";
const PARTNER: &str = "bob@example.net";

struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Option<Gateway>,
    links: Vec<String>,
    password: String,
    folder: tempfile::TempDir,
}

fn scene(extra: &str) -> Scene {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), extra);
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT, PARTNER]);
    let folder = tempfile::tempdir().unwrap();
    Scene { smarthost, site, gateway: Some(gateway), links, password, folder }
}

impl Scene {
    fn at(&self, rest: &str) -> String {
        format!("{}{rest}", self.links[0])
    }

    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }

    /// Half an hour goes by in which nobody does anything.
    fn end_sessions(&self) {
        let db = rusqlite::Connection::open(self.site.data().join("zegel.db")).unwrap();
        db.busy_timeout(support::gateway::PATIENCE).unwrap();
        assert!(db.execute("UPDATE sessions SET used = 0", []).unwrap() > 0);
    }

    fn answer(&self) -> Taken {
        let is_answer = |taken: &&Taken| String::from_utf8_lossy(&taken.message).contains("\nReply-To:");
        let seen = self.smarthost.wait(|seen| seen.taken.iter().any(|taken| is_answer(&taken)));
        seen.taken.iter().rfind(is_answer).unwrap().clone()
    }

    /// From the link to the second screen; `base` is what the browser sees in place of the gateway.
    fn identify(&self, browser: &Browser, base: &str) {
        let link = self.links[0].replace(&self.site.public_url(), base);
        browser.goto(&format!("{link}/reply?lang=nl"));
        browser.type_into("input[name=password]", &self.password);
        browser.click("main button.button[type=submit]");
        browser.wait_for_url(&format!("{link}/reply"));
        self.prove(browser, &link);
    }

    /// From the first screen to the second.
    fn prove(&self, browser: &Browser, link: &str) {
        let before = self.smarthost.seen().taken.len();
        browser.script("document.getElementById('name').value = ''");
        browser.type_into("#name", "Anna de Vries");
        browser.click("main .actions button.button");
        browser.wait_for_url(&format!("{link}/reply/code"));
        browser.type_into("#code", &code_to(&self.smarthost, RESIDENT, before));
        browser.click("main .actions button.button");
        browser.wait_for_url(&format!("{link}/reply/message"));
    }

    fn at_the_message(&self, scripts: bool) -> Browser {
        let browser = Browser::open(1280, 900, scripts);
        self.identify(&browser, &self.site.public_url());
        browser
    }
}

fn message(browser: &Browser) -> String {
    browser.property("#message", "value").as_str().unwrap().to_owned()
}

/// What stands in the list of files.
fn rows(browser: &Browser) -> Vec<String> {
    let rows = browser.script("return [...document.querySelectorAll('#uploads li')].map(e => e.innerText)");
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

/// What a live region says, once it is shown and says this.
fn wait_for_words(browser: &Browser, region: &str, words: &str) {
    wait_for(&format!("{words} in {region}"), || {
        let shown = browser.property(region, "hidden") == json!(false);
        (shown && browser.text(region).contains(words)).then_some(())
    });
    assert_eq!(
        browser.script(&format!("return document.querySelector('{region}').getAttribute('role')")),
        "alert"
    );
}

fn is_kept(browser: &Browser) {
    wait_for("the text to be kept", || {
        let kept = "return performance.getEntriesByType('resource').filter(e => e.name.endsWith('/reply/message') && e.responseStatus === 204).length";
        (browser.script(kept).as_u64().unwrap() > 0).then_some(())
    });
}

// ---- the session ends

fn a_text_comes_back(scripts: bool) {
    let scene = scene("");
    let browser = scene.at_the_message(scripts);
    browser.type_into("#message", "Beste Jan,\n\neen <lang> verhaal");
    scene.end_sessions();
    if scripts {
        // The page keeps it by itself, and says that it could not.
        wait_for_words(&browser, "#keep-news", "uw bezoek is afgelopen");
    }
    browser.click(NEXT);
    wait_for("the password page", || browser.has("#resume-form").then_some(()));
    assert!(browser.text("main").contains("Uw bezoek was afgelopen"));
    assert_eq!(message(&browser), "Beste Jan,\n\neen <lang> verhaal");
    browser.type_into("input[name=password]", "fout");
    browser.click("#resume-form .actions button.button");
    wait_for("a word about it", || browser.has("#password-error").then_some(()));
    browser.type_into("input[name=password]", &scene.password);
    browser.click("#resume-form .actions button.button");
    browser.wait_for_url(&scene.at("/reply/message"));
    assert_eq!(message(&browser), "Beste Jan,\n\neen <lang> verhaal");
}

#[test]
fn a_text_comes_back_after_the_session_with_javascript() {
    a_text_comes_back(true);
}

#[test]
fn a_text_comes_back_after_the_session_without_javascript() {
    a_text_comes_back(false);
}

/// WCAG 2.2.1: said before, in a live region, with one button, as often as somebody likes.
#[test]
fn the_end_of_a_visit_is_announced_and_can_be_put_off() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    browser.script("window.now = Date.now; window.late = 0; Date.now = () => window.now() + window.late");
    browser.script("document.getElementById('message').focus()");
    for time in 1..=12 {
        browser.script("window.late += 26.5 * 60_000");
        wait_for_words(&browser, "#visit-end", "Uw bezoek eindigt over een paar minuten");
        if time == 2 {
            // At least twenty seconds to answer: three minutes later it has not ended yet.
            browser.script("window.late += 3 * 60_000");
            wait_for_words(&browser, "#visit-end", "Uw bezoek eindigt over een paar minuten");
        }
        browser.click("#visit-end button");
        wait_for_words(&browser, "#visit-end", "Uw bezoek gaat door");
        assert_eq!(
            browser.script("return document.activeElement.id"),
            "message",
            "the focus is where it was"
        );
    }
    // Not in time, and the page keeps what is on it.
    browser.type_into("#message", "blijft staan");
    scene.end_sessions();
    browser.script("window.late += 31 * 60_000");
    wait_for_words(&browser, "#visit-end", "Uw bezoek is afgelopen");
    assert_eq!(message(&browser), "blijft staan");
    browser.script("window.late += 26 * 60_000");
    // A button that comes too late says so as well.
    let other = scene.at_the_message(true);
    other.goto(&scene.at("/files"));
    other.script("window.now = Date.now; Date.now = () => window.now() + 27 * 60_000");
    wait_for_words(&other, "#visit-end", "Uw bezoek eindigt");
    scene.end_sessions();
    other.click("#visit-end button");
    wait_for_words(&other, "#visit-end", "Uw bezoek is afgelopen");
}

/// Whoever writes in one window is not asked in another.
#[test]
fn a_visit_is_one_for_all_windows() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    browser.script("window.now = Date.now; Date.now = () => window.now() + 27 * 60_000");
    wait_for_words(&browser, "#visit-end", "Uw bezoek eindigt");
    let first = browser.window();
    browser.open_window();
    browser.goto(&scene.at("/files"));
    browser.switch_to(&first);
    wait_for("the warning to go", || (browser.property("#visit-end", "hidden") == json!(true)).then_some(()));
}

// ---- two windows

/// Two residents share a computer, and one transfer: neither ends the visit of the other.
#[test]
fn the_link_of_another_recipient_ends_no_visit() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    let (anna, other) = (browser.window(), scene.links[1].clone());
    browser.type_into("#message", "van Anna");
    browser.open_window();
    browser.goto(&format!("{other}?lang=nl"));
    browser.type_into("input[name=password]", &scene.password);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&format!("{other}/files"));
    let bob = browser.window();
    browser.switch_to(&anna);
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.goto(&scene.at("/files"));
    browser.click("form.finish button");
    browser.wait_for_url(&format!("{}/", scene.site.public_url()));
    browser.switch_to(&bob);
    browser.reload();
    browser.wait_for_url(&format!("{other}/files"));
    browser.goto(&scene.at("/files"));
    browser.wait_for_url(&scene.at(""));
}

#[test]
fn the_text_of_one_tab_and_the_photo_of_another_both_stay() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    let a = browser.window();
    browser.open_window();
    let b = browser.window();
    browser.goto(&scene.at("/reply/message"));
    let text = "Dit is een lange tekst. ".repeat(36);
    browser.switch_to(&a);
    browser.type_into("#message", &text);
    is_kept(&browser);
    browser.switch_to(&b);
    let photo = noise(50_000);
    browser.type_into("#files", &scene.file("foto.jpg", &photo).display().to_string());
    wait_for("the photo", || rows(&browser).iter().all(|row| row.contains("Binnen")).then_some(()));
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.enter_frame("iframe");
    assert!(browser.text("body").contains("Dit is een lange tekst."));
    browser.leave_frame();
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/sent"));
    assert!(attachments(&scene.answer()) == [("foto.jpg".to_owned(), photo)]);
    // Back in A everything has left already: it says so, and begins nothing anew.
    browser.switch_to(&a);
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/sent"));
}

fn two_texts(scripts: bool, button: &str, expected: &str) {
    let scene = scene("");
    let browser = scene.at_the_message(scripts);
    let a = browser.window();
    browser.open_window();
    let b = browser.window();
    browser.goto(&scene.at("/reply/message"));
    browser.switch_to(&a);
    browser.type_into("#message", "tekst van A");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.switch_to(&b);
    browser.type_into("#message", "tekst van B");
    if scripts {
        wait_for_words(&browser, "#keep-news", "In een ander venster of tabblad");
        browser.click("#keep-compare");
    } else {
        browser.click(NEXT);
    }
    wait_for("both texts", || browser.has("#theirs").then_some(()));
    assert_eq!(message(&browser), "tekst van B");
    assert_eq!(browser.property("#theirs", "value"), "tekst van A");
    assert!(browser.text(".error-summary").contains("Hieronder ziet u beide teksten"));
    if scripts {
        // Nothing is kept over the other text before somebody has chosen.
        browser.type_into("#message", ", langer");
        browser.open_window();
        browser.goto(&scene.at("/reply/message"));
        assert_eq!(browser.property("#theirs", "value"), "tekst van A");
        assert_eq!(message(&browser), "tekst van B");
        browser.switch_to(&b);
    }
    browser.click(button);
    wait_for("a choice", || (!browser.has("#theirs")).then_some(()));
    browser.goto(&scene.at("/reply/message"));
    assert_eq!(message(&browser), expected);
}

/// Whoever leaves the page with both, by a link and without JavaScript, finds both again, and sends neither unseen.
#[test]
fn of_two_texts_none_is_lost_when_the_page_is_left() {
    let scene = scene("");
    let browser = scene.at_the_message(false);
    let a = browser.window();
    browser.open_window();
    let b = browser.window();
    browser.goto(&scene.at("/reply/message"));
    browser.switch_to(&a);
    browser.type_into("#message", "tekst van A");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.switch_to(&b);
    browser.type_into("#message", "tekst van B");
    browser.click(NEXT);
    wait_for("both texts", || browser.has("#theirs").then_some(()));
    browser.click(".page-menu a[href='/help']");
    browser.wait_for_url(&format!("{}/help", scene.site.public_url()));
    // The window that did not see them does not send its own either.
    browser.switch_to(&a);
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/message"));
    for _ in 0..2 {
        assert_eq!(message(&browser), "tekst van B");
        assert_eq!(browser.property("#theirs", "value"), "tekst van A");
        browser.goto(&scene.at("/reply/check"));
        browser.wait_for_url(&scene.at("/reply/message"));
    }
    browser.click("button[name=both]");
    wait_for("a choice", || (!browser.has("#theirs")).then_some(()));
    assert_eq!(message(&browser), "tekst van A\n\ntekst van B");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
}

#[test]
fn of_two_texts_the_other_is_chosen() {
    two_texts(true, "button[name=theirs]", "tekst van A");
}

#[test]
fn of_two_texts_both_are_kept_without_javascript() {
    two_texts(false, "button[name=both]", "tekst van A\n\ntekst van B");
}

#[test]
fn of_two_texts_the_own_one_is_kept_without_javascript() {
    two_texts(false, NEXT, "tekst van B");
}

// ---- the connection

#[test]
fn without_a_connection_the_text_stays_on_the_page() {
    let mut scene = scene("");
    let browser = scene.at_the_message(true);
    browser.offline(true);
    wait_for_words(&browser, "#keep-news", "U hebt nu geen verbinding met internet");
    browser.type_into("#message", "blijft staan");
    browser.click(NEXT);
    assert_eq!(browser.url(), scene.at("/reply/message"));
    assert_eq!(message(&browser), "blijft staan");
    browser.offline(false);
    wait_for("the word to go", || (browser.property("#keep-news", "hidden") == json!(true)).then_some(()));
    is_kept(&browser);

    // The gateway is not there: no error page takes the place of what was typed.
    scene.gateway.take().unwrap().kill();
    browser.type_into("#message", ", ook nu");
    browser.click(NEXT);
    wait_for_words(&browser, "#keep-news", "Uw tekst staat nog op deze pagina");
    assert_eq!(browser.url(), scene.at("/reply/message"));
    scene.gateway = Some(scene.site.start());
    wait_for("the word to go", || (browser.property("#keep-news", "hidden") == json!(true)).then_some(()));
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.goto(&scene.at("/reply/message"));
    assert_eq!(message(&browser), "blijft staan, ook nu");
}

#[test]
fn without_a_connection_the_first_screen_stays_as_well() {
    let scene = scene("");
    let browser = Browser::open(1280, 900, true);
    browser.goto(&scene.at("/reply?lang=nl"));
    browser.type_into("input[name=password]", &scene.password);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&scene.at("/reply"));
    browser.type_into("#name", "Anna");
    browser.offline(true);
    browser.click("main .actions button.button");
    wait_for_words(&browser, "#unreachable", "Er is nu geen verbinding");
    assert_eq!(browser.property("#name", "value"), "Anna");
    browser.offline(false);
    browser.click("main .actions button.button");
    browser.wait_for_url(&scene.at("/reply/code"));
}

/// A page that is left by a link, before the three seconds are over.
#[test]
fn a_page_that_is_left_keeps_its_text() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    browser.type_into("#message", "net getypt");
    browser.click(".page-menu a[href='/help']");
    browser.wait_for_url(&format!("{}/help", scene.site.public_url()));
    browser.goto(&scene.at("/reply/message"));
    assert_eq!(message(&browser), "net getypt");
}

// ---- a proxy that knows few methods

struct Nginx(Child, #[allow(dead_code, reason = "it goes with the process")] tempfile::TempDir);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// nginx in front of the gateway, with this in its location.
fn nginx(gateway: &Gateway, rules: &str) -> (Nginx, String) {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .concat();
    let config = format!(
        "worker_processes 1;\ndaemon off;\npid {path}/pid;\nerror_log {path}/error.log;\nevents {{ worker_connections 64; }}\n\
         http {{\n{temporary}access_log off;\nserver {{ listen 127.0.0.1:{port}; client_max_body_size 20m;\n\
         location / {{ {rules} proxy_pass http://{gateway}; proxy_set_header Host {gateway}; proxy_request_buffering off; }} }} }}\n",
        gateway = gateway.web
    );
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let errors = folder.path().join("error.log");
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-e").arg(&errors).arg("-p").arg(folder.path()).arg("-c").arg(&file);
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("nginx", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    (Nginx(process, folder), format!("http://127.0.0.1:{port}"))
}

const FEW_METHODS: &str = "limit_except GET POST OPTIONS { deny all; }";
/// As a rule set does that knows neither the header nor the type.
const FORMS_ONLY: &str = "limit_except GET POST OPTIONS { deny all; }
    if ($http_x_http_method_override) { return 403; }
    if ($content_type = 'application/offset+octet-stream') { return 403; }";
const NO_TUS: &str = "if ($http_tus_resumable) { return 403; }";

fn behind(rules: &str) {
    let scene = scene("");
    let (_nginx, base) = nginx(scene.gateway.as_ref().unwrap(), rules);
    let link = scene.links[0].replace(&scene.site.public_url(), &base);
    let browser = Browser::open(1280, 900, true);
    scene.identify(&browser, &base);
    let files =
        [("foto 1.jpg", noise(3_000_000)), ("foto 2.jpg", noise(9_000_000)), ("weg.txt", b"weg".to_vec())];
    for (name, octets) in &files {
        browser.type_into("#files", &scene.file(name, octets).display().to_string());
    }
    wait_for("three files", || {
        let is_ready = |row: &String| row.contains("Binnen") || row.contains("Gaat mee als u verdergaat");
        (rows(&browser).len() == 3 && rows(&browser).iter().all(is_ready)).then_some(())
    });
    let weg = rows(&browser).iter().position(|row| row.contains("weg.txt")).unwrap() + 1;
    browser.click(&format!("#uploads li:nth-child({weg}) button"));
    wait_for("two files", || (rows(&browser).len() == 2).then_some(()));
    browser.type_into("#message", "met foto's");
    browser.click(NEXT);
    browser.wait_for_url(&format!("{link}/reply/check"));
    browser.click("button[formaction]");
    browser.wait_for_url(&format!("{link}/reply/sent"));
    let mut arrived = attachments(&scene.answer());
    arrived.sort();
    assert!(
        arrived
            == files[..2]
                .iter()
                .map(|(name, octets)| ((*name).to_owned(), octets.clone()))
                .collect::<Vec<_>>()
    );
}

#[test]
fn files_arrive_where_only_four_methods_get_through() {
    behind(FEW_METHODS);
}

#[test]
fn files_arrive_with_the_form_where_nothing_else_gets_through() {
    behind(FORMS_ONLY);
}

#[test]
fn files_arrive_where_no_upload_can_even_begin() {
    behind(NO_TUS);
}

#[test]
fn files_arrive_where_requests_must_be_small() {
    behind("client_max_body_size 3m;");
}

/// A rule set that takes what somebody writes for an attack: its page does not take the place of the text.
#[test]
fn a_text_that_is_refused_on_the_way_stays_on_the_page() {
    let scene = scene("");
    let rules = "set $refused \"\"; if ($request_uri ~ /reply/message$) { set $refused M; }
        if ($request_method = POST) { set $refused \"${refused}P\"; } if ($refused = MP) { return 403; }";
    let (_nginx, base) = nginx(scene.gateway.as_ref().unwrap(), rules);
    let browser = Browser::open(1280, 900, true);
    scene.identify(&browser, &base);
    browser.type_into("#message", "select * from bezwaar");
    browser.click(NEXT);
    wait_for_words(&browser, "#keep-news", "Wij konden uw tekst nu niet bewaren");
    assert!(browser.url().ends_with("/reply/message"));
    assert_eq!(message(&browser), "select * from bezwaar");
}

// ---- what is no file

#[test]
fn a_dropped_folder_is_explained_and_leaves_nothing() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    let folder = scene.folder.path().join("vakantie");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("foto.jpg"), b"foto").unwrap();
    let file = scene.file("brief.txt", b"brief");
    browser.drop_files("#upload", &[&folder, &file]);
    wait_for("the file", || rows(&browser).iter().any(|row| row.contains("Binnen")).then_some(()));
    assert!(
        browser.text(".upload-errors").contains("vakantie is een map"),
        "{}",
        browser.text(".upload-errors")
    );
    assert_eq!(rows(&browser).len(), 1);
    browser.goto(&scene.at("/reply/message"));
    assert_eq!(rows(&browser).len(), 1, "the server has no more either");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
}

/// It changes, or goes, while it is being sent.
#[test]
fn a_file_that_changes_meanwhile_is_taken_out_and_named() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    for (name, change) in [
        ("groeit.bin", (|path: &Path| std::fs::write(path, noise(21_000_000)).unwrap()) as fn(&Path)),
        ("weg.bin", |path| std::fs::remove_file(path).unwrap()),
    ] {
        let path = scene.file(name, &noise(20_000_000));
        browser.script(
            "const send = XMLHttpRequest.prototype.send; window.pieces = 0; window.held = null;
             XMLHttpRequest.prototype.send = function (body) {
                 if (++window.pieces === 2) window.held = () => this.dispatchEvent(new Event('error')); else send.call(this, body);
             }",
        );
        browser.type_into("#files", &path.display().to_string());
        wait_for("a second piece", || (browser.script("return window.pieces") == 2).then_some(()));
        change(&path);
        browser.script("window.held()");
        wait_for("a word about it", || browser.has(".upload-errors").then_some(()));
        assert!(browser.text(".upload-errors").contains(&format!("{name} is gewijzigd of verplaatst")));
        assert!(rows(&browser).is_empty());
        browser.goto(&scene.at("/reply/message"));
        assert!(rows(&browser).is_empty(), "nothing of it is in the way: {:?}", rows(&browser));
    }
    browser.type_into("#message", "zonder film");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
}

// ---- the password for staff

#[test]
fn the_password_is_shown_again_while_the_visit_lasts() {
    let scene = scene("[reply]\ndelivery = \"transfer\"\n");
    let browser = scene.at_the_message(true);
    browser.type_into("#message", "tekst");
    browser.click(NEXT);
    browser.wait_for_url(&scene.at("/reply/check"));
    browser.click("button[formaction]");
    browser.wait_for_url(&scene.at("/reply/sent"));
    let password = browser.text("code#password");
    browser.reload();
    assert_eq!(browser.text("code#password"), password);
    browser.click(".language-menu a[lang=fy]");
    browser.wait_for_url(&scene.at("/reply/sent?lang=fy"));
    assert_eq!(browser.text("code#password"), password);
    // The telephone has thrown the tab away.
    browser.open_window();
    browser.goto(&scene.at("/reply/sent?lang=nl"));
    assert_eq!(browser.text("code#password"), password);
    browser.click("form.finish button");
    browser.wait_for_url(&format!("{}/", scene.site.public_url()));
    browser.goto(&scene.at("/reply"));
    browser.type_into("input[name=password]", &scene.password);
    browser.click("main button.button[type=submit]");
    browser.wait_for_url(&scene.at("/reply"));
    browser.goto(&scene.at("/reply/sent"));
    assert!(!browser.has("code#password"), "another visit");
    assert!(browser.text("main").contains("Wij kunnen het niet nog een keer laten zien"));
}

// ---- somebody else sits down

#[test]
fn the_next_one_at_the_computer_is_not_taken_for_the_last() {
    let scene = scene("");
    let browser = scene.at_the_message(true);
    for finishes in [true, false] {
        if finishes {
            browser.goto(&scene.at("/files"));
            browser.click("form.finish button");
            browser.wait_for_url(&format!("{}/", scene.site.public_url()));
        } else {
            scene.identify(&browser, &scene.site.public_url());
        }
        browser.goto(&format!("{}/reply", scene.links[1]));
        browser.type_into("input[name=password]", &scene.password);
        browser.click("main button.button[type=submit]");
        browser.wait_for_url(&format!("{}/reply", scene.links[1]));
        assert_eq!(browser.property("#name", "value"), "");
        assert_eq!(browser.property("#email", "value"), PARTNER);
        assert!(!browser.text("body").contains("Anna"));
        browser.goto(&format!("{}/files", scene.links[1]));
        browser.click("form.finish button");
        browser.wait_for_url(&format!("{}/", scene.site.public_url()));
    }
}
