//! The commands that the documents show, and what they show of their output, at the real binary: a page that says
//! something else than the program does is red.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use support::client::{SmtpClient, submit};
use support::document::{Shown, assert_shows, blocks, commands, log_lines, named, spans, table, words};
use support::gateway::{Gateway, Site, free_port, wait_for, zegel};
use support::mail::{Notice, link_of, password_of};
use support::smarthost::{Script, Smarthost, Stage, say};
use support::web::{get, get_as, post};

const PAGES: [&str; 4] = ["README.md", "docs/operations.md", "docs/privacy.md", "docs/scaling.md"];
const OPERATIONS: &str = "docs/operations.md";
const SENDER: &str = "s.devries@voorbeeld.nl";
const RESIDENT: &str = "anna.bakker@example.org";

/// The chapters whose commands are run below.
const PLAYED: &[(&str, &str)] = &[
    ("README.md", "Run it"),
    ("README.md", "Open a transfer by hand"),
    (OPERATIONS, "Installing"),
    (OPERATIONS, "Policies"),
    (OPERATIONS, "Where is my mail"),
    (OPERATIONS, "Audit"),
    (OPERATIONS, "Keys"),
    (OPERATIONS, "What we hold on somebody"),
    (OPERATIONS, "Backup"),
    (OPERATIONS, "Queue"),
    (OPERATIONS, "Transfers"),
];

/// What is not run here: how it begins, the file that runs it in its place, and a text in that file. The reason is
/// that it needs systemd and a package manager, PostgreSQL, a name server, or a gateway that has lost its key.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("apt install ./zegel_", ".ci/inside/unit", "apt-get install -y /root/zegel_now.deb"),
    ("systemctl enable --now zegel", ".ci/inside/unit", "systemctl enable --now zegel"),
    ("systemctl reload zegel", ".ci/inside/unit", "refuses 'failed' systemctl reload zegel"),
    ("zegel serve", "tests/support/gateway.rs", "\"serve\""),
    ("zegel manual target/package", ".ci/package", "manual target/package"),
    ("sudo -u zegel zegel check --online", "tests/check_online.rs", "--dkim-selector"),
    ("sudo -u zegel zegel move", "tests/moving.rs", "\"move\""),
    ("sudo -u zegel zegel repair key", "tests/data_folder.rs", "[\"repair\", \"key\"]"),
    ("zegel nodes", "tests/nodes.rs", "assert_as_documented(&text"),
];

fn is_elsewhere(shown: &Shown) -> bool {
    ELSEWHERE.iter().any(|(start, ..)| shown.line.starts_with(start))
}

fn all() -> impl Iterator<Item = (&'static str, Shown)> {
    PAGES.into_iter().flat_map(|page| commands(page).into_iter().map(move |shown| (page, shown)))
}

#[test]
fn every_command_is_one_that_there_is() {
    for (_, shown) in all() {
        let Some(words) = shown.zegel() else { continue };
        if is_hidden(&words[1]) {
            continue;
        }
        let words = words.iter().map(|word| word.replace("<transfer>", "jrnvbrrw91"));
        if let Err(error) = zegel::cli::command().try_get_matches_from(words) {
            panic!("{}: `{}`: {error}", shown.place, shown.line);
        }
    }
}

/// What is named in a sentence or a table has the name of a command, and options that this command has.
#[test]
fn every_command_that_is_named_is_one_that_there_is() {
    let mut seen = 0;
    let others = ["docs/architecture.md", "docs/security.md", "docs/performance.md", "policies/README.md"];
    for page in PAGES.into_iter().chain(others) {
        for span in named(page).iter().filter(|span| span.starts_with("zegel ")) {
            let words: Vec<&str> = span.split([' ', '=']).skip(1).collect();
            let mut command = zegel::cli::command();
            for word in &words {
                let Some(found) = command.find_subcommand(word).cloned() else { break };
                command = found;
            }
            assert!(command.get_name() != "zegel" || is_hidden(words[0]), "{page}: there is no `{span}`");
            let has = |option: &str| command.get_arguments().any(|arg| arg.get_long() == Some(option));
            for option in words.iter().filter_map(|word| word.strip_prefix("--")) {
                assert!(has(option) || option == "log", "{page}: `{span}` has no --{option}");
            }
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// Whether a command is not in this build.
fn is_hidden(word: &str) -> bool {
    word == "manual" && !cfg!(feature = "manual")
}

/// The map of docs/architecture.md names every module.
#[test]
fn every_module_is_on_the_map() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let page = read("docs/architecture.md");
    let (_, map) = page.split_once("\n## The map\n").unwrap();
    let map = map.split("\n## ").next().unwrap();
    let library = read("src/lib.rs");
    let modules: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 40, "{modules:?}");
    for module in modules {
        let is_linked =
            [".rs)", "/mod.rs)"].iter().any(|end| map.contains(&format!("(../src/{module}{end}")));
        assert!(is_linked, "{module} is not on the map");
    }
}

/// So that nothing is forgotten: neither a command that a page gets, nor the test that is named for one.
#[test]
fn every_command_is_run_here_or_elsewhere() {
    for (page, shown) in all() {
        let is_played = shown.zegel().is_some() && PLAYED.contains(&(page, &shown.chapter));
        assert!(is_played || is_elsewhere(&shown), "{}: nobody runs `{}`", shown.place, shown.line);
    }
    for (start, file, text) in ELSEWHERE {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert!(fs::read_to_string(path).unwrap().contains(text), "{file} does not run {start}");
        assert!(all().any(|(_, shown)| shown.line.starts_with(start)), "no page shows {start}");
    }
}

/// A gateway on which is what the page shows, and what its names are here.
struct Scene {
    site: Site,
    gateway: Option<Gateway>,
    smarthost: Option<Smarthost>,
    /// Where commands are typed.
    folder: tempfile::TempDir,
    names: Vec<(String, String)>,
}

impl Scene {
    fn new(site: Site, smarthost: Option<Smarthost>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { site, gateway: None, smarthost, folder, names: Vec::new() };
        scene.call("/etc/zegel/zegel.toml", scene.site.config().display());
        scene.call("/var/lib/zegel", scene.site.data().display());
        scene
    }

    /// Nobody takes mail from this gateway; three mails wait for that.
    fn waiting() -> Self {
        let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut scene = Self::new(Site::new(nobody, ""), None);
        scene.site.replace("retry = [\"1s\"]", "retry = [\"1h\"]");
        scene.start();
        scene.submit("[vertrouwelijk] Aanvraag", RESIDENT);
        wait_for("two mails that wait", || (scene.tried() == 2).then_some(()));
        scene.submit("Afspraak", "info@example.org");
        wait_for("three mails that wait", || (scene.tried() == 3).then_some(()));
        let items = scene.json(&["queue", "list"]);
        for (name, kind) in
            [("ptc4hchkb8cv", "notification"), ("s7xjq4z2zzhg", "receipt"), ("kfkmbpy63m81", "message")]
        {
            let item = items.as_array().unwrap().iter().find(|item| item["kind"] == kind).unwrap();
            scene.call(name, item["id"].as_str().unwrap());
        }
        scene.name_transfer();
        scene
    }

    /// A sealed message whose notification and receipt were taken by the next hop.
    fn delivered() -> Self {
        let script = Script::usual().at(Stage::Dot, say("250 2.0.0 Ok: queued as 4YmXY15kzQz3R"));
        let smarthost = Smarthost::start(script);
        let address = smarthost.address();
        let mut scene = Self::new(Site::new(address, ""), Some(smarthost));
        scene.site.listen_at_fixed_ports();
        scene.start();
        let tracking = scene.submit("[vertrouwelijk] Aanvraag", RESIDENT);
        scene.settle(3);
        scene.call("w4t9qk2m7xzd", tracking);
        scene.call("smarthost.voorbeeld.nl:25", address);
        scene.call("4YmXY16PRyz3S", "4YmXY15kzQz3R");
        scene.call("10.0.0.5", "127.0.0.1");
        scene.call("(TLSv1.3 TLS13_AES_256_GCM_SHA384 verified)", "(no TLS)");
        scene.name_transfer();
        scene
    }

    fn start(&mut self) {
        self.gateway = Some(self.site.start());
    }

    fn stop(&mut self) {
        assert_eq!(self.gateway.take().unwrap().stop(), 0);
    }

    /// What the page calls so is here called so.
    fn call(&mut self, page: &str, here: impl ToString) {
        self.names.push((page.to_owned(), here.to_string()));
    }

    fn name_transfer(&mut self) {
        let transfers = self.json(&["transfer", "list"]);
        let id = transfers[0]["id"].as_str().unwrap().to_owned();
        for name in ["jrnvbrrw91", "3k7wp9hmxt", "<transfer>"] {
            self.call(name, &id);
        }
    }

    fn real(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    /// Sends a message; gives the id in its 250.
    fn submit(&self, subject: &str, to: &str) -> String {
        let reply = submit(self.gateway.as_ref().unwrap().smtp, SENDER, &[to], &message(subject, to));
        reply.trim().rsplit(' ').next().unwrap().to_owned()
    }

    /// Waits until nothing waits, and until everything of so many mails is on record.
    fn settle(&self, mails: usize) {
        wait_for("deliveries on record", || {
            let found = self.json(&["track", "--since", "1h"]);
            let mails_of = |message: &Value| message["mails"].as_array().unwrap().clone();
            let states: Vec<Value> = found.as_array().unwrap().iter().flat_map(mails_of).collect();
            let is_done = |mail: &Value| mail["state"] == "delivered" || mail["state"] == "sealed";
            (states.len() == mails && states.iter().all(is_done)).then_some(())
        });
    }

    /// How many mails were tried in vain.
    fn tried(&self) -> usize {
        let items = self.json(&["queue", "list"]);
        items.as_array().unwrap().iter().filter(|item| item["attempts"].as_u64() > Some(0)).count()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (status, out, error) = self.site.command(&[arguments, &["--json"]].concat());
        assert_eq!(status, 0, "{arguments:?}: {error}");
        serde_json::from_str(&out).unwrap()
    }

    /// Its exit status, and what it prints.
    fn run(&self, words: &[String]) -> (i32, String) {
        let mut command = zegel();
        command.current_dir(self.folder.path()).args(words.iter().skip(1).map(|word| self.real(word)));
        if !words.iter().any(|word| word == "--config") {
            command.arg("--config").arg(self.site.config());
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn play_one(&self, shown: &Shown) {
        let (status, output) = self.run(&shown.zegel().unwrap());
        match shown.output.is_empty() {
            true => assert_eq!(status, 0, "{}: `{}`: {output}", shown.place, shown.line),
            false => {
                let expected: Vec<String> = shown.output.iter().map(|line| self.real(line)).collect();
                assert_shows(shown, &expected, &output);
            }
        }
    }

    fn play(&self, page: &str, chapter: &str) {
        chapter_of(page, chapter).iter().for_each(|shown| self.play_one(shown));
    }

    /// A path in the folder, which the page calls otherwise.
    fn place(&mut self, page: &str, here: &str) -> PathBuf {
        let path = self.folder.path().join(here);
        self.call(page, path.display());
        path
    }
}

/// The commands of a chapter that are run here.
fn chapter_of(page: &str, chapter: &str) -> Vec<Shown> {
    assert!(PLAYED.contains(&(page, chapter)), "{chapter}");
    let is_its = |shown: &Shown| shown.chapter == chapter && shown.zegel().is_some() && !is_elsewhere(shown);
    let found: Vec<Shown> = commands(page).into_iter().filter(is_its).collect();
    assert!(!found.is_empty(), "{chapter}");
    found
}

fn message(subject: &str, to: &str) -> Vec<u8> {
    format!(
        "From: Sanne de Vries <{SENDER}>\r\nTo: {to}\r\nSubject: {subject}\r\n\
         Date: Mon, 30 Nov 2026 10:12:20 +0100\r\nMessage-ID: <4f1c@voorbeeld.nl>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=m\r\n\r\n\
         --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
         --a\r\nContent-Type: text/plain\r\n\r\nHierbij.\r\n\
         --a\r\nContent-Type: text/html\r\n\r\n<p>Hierbij.</p>\r\n--a--\r\n\
         --m\r\nContent-Type: application/pdf; name=een.pdf\r\nContent-Disposition: attachment; filename=een.pdf\r\n\r\n%PDF-1\r\n\
         --m\r\nContent-Type: text/plain; name=twee.txt\r\nContent-Disposition: attachment; filename=twee.txt\r\n\r\ntwee\r\n\
         --m--\r\n"
    )
    .into_bytes()
}

/// The smallest configuration of the README, with free ports in place of those that it names.
#[test]
fn installing_and_the_smallest_configuration() {
    let mut scene = Scene::new(Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), ""), None);
    for address in ["10.0.0.5:25", "smarthost.voorbeeld.nl:25", "127.0.0.1:8080"] {
        scene.call(address, format!("127.0.0.1:{}", free_port()));
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, behind) = readme.split_once("```toml\n").unwrap();
    let smallest = scene.real(behind.split_once("```").unwrap().0);
    let right = format!("{smallest}[admin]\nlisten = [\"127.0.0.1:{}\"]\n", free_port());
    let wrong = right.replace("[relay]\n", "max_recipient = 100\n[relay]\n");
    let shown = chapter_of(OPERATIONS, "Installing");
    assert_eq!(shown.len(), 2, "{shown:#?}");
    for (shown, config) in shown.iter().zip([&wrong, &right]) {
        fs::write(scene.site.config(), config).unwrap();
        scene.play_one(shown);
    }
    scene.play("README.md", "Run it");
    assert!(!scene.site.data().exists(), "`check` makes no data folder");
}

#[test]
fn why_a_message_is_sealed() {
    let scene = Scene::new(Site::new(SocketAddr::from(([127, 0, 0, 1], 9)), ""), None);
    fs::write(scene.folder.path().join("message.eml"), message("(vertouwelijk) Aanvraag", RESIDENT)).unwrap();
    scene.play(OPERATIONS, "Policies");
}

#[test]
fn where_a_mail_is() {
    let scene = Scene::delivered();
    open(&scene);
    scene.play(OPERATIONS, "Where is my mail");
}

/// Opens the transfer as its recipient does.
fn open(scene: &Scene) {
    let notices: Vec<Notice> =
        scene.smarthost.as_ref().unwrap().seen().taken.iter().map(Notice::of).collect();
    let of = |kind: &str| &notices.iter().find(|notice| notice.kind == kind).unwrap().text;
    let link = link_of(of("notification"), &scene.site.public_url());
    let opened = post(&link, &format!("password={}", password_of(of("receipt"))));
    assert_eq!(get_as(&format!("{link}/files"), &opened.cookie()).status, 200);
}

#[test]
fn the_audit_trail() {
    let scene = Scene::delivered();
    wait_for("a whole chain", || (scene.json(&["audit", "verify"])["unchained"] == 0).then_some(()));
    scene.play(OPERATIONS, "Audit");
    assert!(scene.folder.path().join("trail.csv").exists());
}

#[test]
fn another_master_key() {
    let mut scene = Scene::delivered();
    let copy = scene.place("/root/copy-of-master.key", "copy.key");
    scene.place("/root/new-master.key", "new.key");
    assert_eq!(scene.site.command(&["key", "rotate"]).0, 0);
    fs::copy(scene.site.data().join("master.key"), copy).unwrap();
    // The page shows what there is after the first rotation, and its second command makes that.
    for name in ["3fa291c0", "77aa01bb", "2026-12-31T22:59:59Z", "2026-12-01T09:12:23.807410Z"] {
        scene.call(name, "…");
    }
    for (shown, number) in chapter_of(OPERATIONS, "Keys").into_iter().zip(0..) {
        if number == 1 {
            scene.call("key 2 (", "key 3 (");
            scene.call("key 1 stays", "key 2 stays");
        }
        scene.play_one(&shown);
    }
    assert!(scene.folder.path().join("new.key").exists());
}

#[test]
fn what_is_held_on_somebody() {
    let mut scene = Scene::delivered();
    scene.call("anna@example.org", RESIDENT);
    let out = scene.place("/var/tmp/anna", "anna");
    let id = scene.real("jrnvbrrw91");
    assert_eq!(scene.site.command(&["transfer", "recall", &id, "--all"]).0, 0);
    scene.play(OPERATIONS, "What we hold on somebody");
    assert!(fs::read_to_string(out.join("person.txt")).unwrap().contains(RESIDENT));
    let again = scene.site.command(&[
        "export",
        "--person",
        RESIDENT,
        "--out",
        out.with_extension("2").to_str().unwrap(),
    ]);
    assert_eq!(again.0, 0, "{again:?}");
    assert!(!fs::read_to_string(out.with_extension("2").join("person.txt")).unwrap().contains(&id));
}

#[test]
fn backups_and_what_does_not_fit() {
    let mut scene = Scene::delivered();
    let backup = scene.place("/backup/2026-11-30", "backup");
    let many = scene.place("/var/backups/zegel", "backups");
    let key = scene.place("/elsewhere/master.key", "kept.key");
    for name in ["7x2k9m…", "9c41hw…", "c0ffe3…", "3fa291c0"] {
        scene.call(name, "…");
    }
    for shown in chapter_of(OPERATIONS, "Backup") {
        if shown.line.contains("restore") {
            if scene.gateway.is_some() {
                scene.stop();
                fs::copy(backup.join("master.key"), &key).unwrap();
            }
            fs::remove_dir_all(scene.site.data()).unwrap();
        }
        if shown.line.contains("check --data") {
            damage(&scene.site);
        }
        scene.play_one(&shown);
    }
    let made: Vec<_> = fs::read_dir(many).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(made.len() == 1 && !made[0].join("master.key").exists(), "{made:?}");
}

/// Takes part 2 away, and all that is in part 3, and adds a file of yesterday that nobody knows.
fn damage(site: &Site) {
    let part = |number: u32| {
        let database = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
        let sql = "SELECT blob FROM parts WHERE number = ?1";
        let name: String = database.query_row(sql, [number], |row| row.get(0)).unwrap();
        site.data().join("blobs").join(&name[..2]).join(&name)
    };
    fs::remove_file(part(2)).unwrap();
    let damaged = part(3);
    File::options().write(true).open(&damaged).unwrap().set_len(0).unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let other: String = name.chars().rev().collect();
    let folder = site.data().join("blobs").join(&other[..2]);
    fs::create_dir_all(&folder).unwrap();
    let unknown = File::create_new(folder.join(&other)).unwrap();
    unknown.set_modified(SystemTime::now() - Duration::from_secs(24 * 3600)).unwrap();
}

#[test]
fn the_queue() {
    Scene::waiting().play(OPERATIONS, "Queue");
}

#[test]
fn transfers() {
    let scene = Scene::delivered();
    let report = delivery_report(&scene);
    let gateway = scene.gateway.as_ref().unwrap();
    submit(gateway.smtp, "", &[SENDER], report.as_bytes());
    scene.settle(4);
    scene.play(OPERATIONS, "Transfers");
    let scene = Scene::delivered();
    scene.play("README.md", "Open a transfer by hand");
    assert!(scene.folder.path().join("parts/part-0.pgp").exists());
}

/// A later server tells that it has delivered the notification.
fn delivery_report(scene: &Scene) -> String {
    let seen = scene.smarthost.as_ref().unwrap().seen();
    let notification =
        seen.taken.iter().map(Notice::of).find(|notice| notice.kind == "notification").unwrap();
    let header = notification.raw.split("\r\n\r\n").next().unwrap().to_owned();
    format!(
        "From: MAILER-DAEMON@example.org\r\nTo: {SENDER}\r\nSubject: bezorgd\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nbezorgd\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.org\r\n\r\n\
         Final-Recipient: rfc822; {RESIDENT}\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}\r\n--b--\r\n"
    )
}

/// The table of questions: each command is run on a gateway with one sealed and one ordinary message, and prints the first word that the
/// answer quotes.
#[test]
fn questions_and_answers() {
    let mut scene = Scene::delivered();
    scene.submit("Afspraak", "info@example.org");
    scene.settle(4);
    scene.place("/var/tmp/anna", "anna");
    fs::write(scene.folder.path().join("message.eml"), message("Afspraak", "info@example.org")).unwrap();
    let rows = table(OPERATIONS, "Questions and answers");
    assert!(rows.len() >= 10, "{rows:#?}");
    for row in rows {
        let [question, command, answer] = row.as_slice() else { panic!("{row:?}") };
        let line = &spans(command)[0];
        let quoted = scene.real(&spans(answer)[0]);
        let (status, output) = scene.run(&words(line));
        assert!(status == 0 && output.contains(&quoted), "{question} `{line}` lacks {quoted:?}:\n{output}");
    }
}

/// What the pages show of a configuration is one that the program reads.
#[test]
fn blocks_of_the_configuration() {
    let tables = |page: &str| {
        let blocks =
            blocks(page, "toml").into_iter().filter(|text| text.lines().any(|line| line.starts_with('[')));
        blocks.filter_map(|text| text.parse::<toml::Table>().ok()).collect::<Vec<_>>()
    };
    let whole = tables("README.md").remove(0);
    let mut seen = 0;
    for page in PAGES {
        for table in tables(page) {
            let mut merged = whole.clone();
            for (section, value) in table {
                match (merged.get_mut(&section), value) {
                    (Some(toml::Value::Table(keys)), toml::Value::Table(more)) => keys.extend(more),
                    (_, value) => drop(merged.insert(section, value)),
                }
            }
            if merged.get("organisation").is_some_and(toml::Value::is_array) {
                // Several need certificates; the page shows those of the others.
                for listener in ["smtp", "web"] {
                    if let Some(toml::Value::Table(keys)) = merged.get_mut(listener) {
                        keys.insert("tls_certificate".to_owned(), toml::Value::from("own.pem"));
                        keys.insert("tls_key".to_owned(), toml::Value::from("own.key"));
                    }
                }
            }
            if merged.contains_key("store") && !cfg!(feature = "cluster") {
                continue;
            }
            let text = merged.to_string();
            let read = zegel::config::parse(Path::new("/etc/zegel/zegel.toml"), &text, std::iter::empty());
            assert!(read.is_ok(), "{page}: {}\n{text}", read.err().unwrap());
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
}

/// `/readyz.json` has the members that the page shows, of the same kinds, and says the same of a next hop that is away.
#[test]
fn the_health_of_a_gateway_for_programs() {
    let mut scene = Scene::waiting();
    let away = scene.json(&["queue", "list"])[0]["recipients"][0]["answer"].as_str().unwrap().to_owned();
    assert!(away.contains("Connection refused"), "{away}");
    let gateway = scene.gateway.take().unwrap();
    let real = get(&format!("http://{}/readyz.json", gateway.admin)).body;
    let real: Value = serde_json::from_slice(&real).unwrap();
    let shown = blocks(OPERATIONS, "json");
    let mut shown = shown.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let shown: Value = shown.rfind(|value| value["checks"].is_array()).unwrap();
    assert_eq!(outline(&shown), outline(&real));
    assert_eq!(shown["status"], real["status"]);
    let of = |report: &Value| {
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "smarthost").unwrap();
        let words = check["reason"].as_str().unwrap().split_whitespace();
        let fixed = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
        (check["state"].clone(), words.filter(fixed).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(of(&shown), of(&real));
}

/// The names in it, and the kinds of what they name; of a list those of its first element, of what may be missing nothing.
fn outline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let always =
                members.iter().filter(|(name, _)| !["reason", "last_success"].contains(&name.as_str()));
            let member = |(name, value): (&String, &Value)| format!("{name}: {}", outline(value));
            format!("{{{}}}", always.map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(elements) => format!("[{}]", elements.first().map(outline).unwrap_or_default()),
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) => "yes or no".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "text".to_owned(),
    }
}

/// The lines of the log that the page shows have the members that such a line has.
#[test]
fn lines_of_the_log() {
    let scene = Scene::delivered();
    let gateway = scene.gateway.as_ref().unwrap();
    scene.submit("Afspraak", "piet@example.org");
    scene.settle(4);
    let greylisted = say("450 4.2.0 greylisted");
    let script = Script::usual().when(Stage::Rcpt, "info@", greylisted, usize::MAX);
    scene.smarthost.as_ref().unwrap().change(script);
    scene.submit("Afspraak", "info@example.org");
    gateway.wait_for_log("later for 1");
    let mut stranger = SmtpClient::connect(gateway.smtp).unwrap();
    let reply = stranger.send("kopie@copier.local", &[RESIDENT], b"Subject: x\r\n\r\n").unwrap();
    assert!(reply.starts_with("550 "), "{reply}");
    gateway.wait_for_log("SMTP refused");
    let real: Vec<Value> = gateway.log().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = log_lines(OPERATIONS);
    assert!(shown.len() > 5, "{shown:#?}");
    for line in shown {
        // A minute of waiting; tests/outage.rs has it.
        if line["message"] == "the next hop still takes no mail" {
            continue;
        }
        let alike: Vec<_> = real.iter().filter(|other| is_alike(&line, other)).map(members).collect();
        assert!(
            alike.contains(&members(&line)),
            "the page shows {:#?}, there are {alike:#?}",
            members(&line)
        );
    }
}

/// Whether both tell of the same kind of event, with the same end.
fn is_alike(one: &Value, other: &Value) -> bool {
    let end =
        |line: &Value| line["result"].as_str().and_then(|result| result.split(' ').next()).map(str::to_owned);
    one["message"] == other["message"] && one["kind"] == other["kind"] && end(one) == end(other)
}

/// The level, and what it is called that a line tells; over loopback there is no TLS.
fn members(line: &Value) -> Vec<String> {
    let names = line.as_object().unwrap().keys().filter(|name| *name != "tls").cloned();
    names.chain([line["level"].to_string()]).collect()
}
