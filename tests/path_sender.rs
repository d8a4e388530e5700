//! The sender's part through the real binary: receipt, status page, recall with its proof, a bounce, and the same
//! on the command line, beside a running gateway and without one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::Write;

use serde_json::Value;
use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site, all_bytes, wait_for};
use support::mail::{Notice, canaries, link_of, password_of, tagged, text_of};
use support::smarthost::{Script, Smarthost, Stage, Taken, say};
use support::web::{Answer, get, get_as, post};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";
const PARTNER: &str = "bob@example.net";

/// A gateway with a sealed mail that has reached its recipients.
struct Scene {
    smarthost: Smarthost,
    site: Site,
    gateway: Gateway,
    receipt: String,
    /// Of the resident and of the partner.
    links: [String; 2],
}

impl Scene {
    fn new() -> Self {
        Self::to(&[RESIDENT, PARTNER])
    }

    /// Sent to these addresses, which name two mailboxes.
    fn to(envelope: &[&str]) -> Self {
        let smarthost = Smarthost::start(Script::usual());
        let site = Site::new(smarthost.address(), "");
        let gateway = site.start();
        submit(gateway.smtp, STAFF, envelope, &tagged(STAFF, RESIDENT));
        let seen = smarthost.wait(|seen| seen.taken.len() >= 3);
        let notices: Vec<Notice> = seen.taken.iter().map(Notice::of).collect();
        let to = |address: &str| notices.iter().find(|notice| notice.to == [address]).unwrap();
        let links = [RESIDENT, PARTNER].map(|address| link_of(&to(address).text, &site.public_url()));
        let receipt = to(STAFF).text.clone();
        Self { smarthost, site, gateway, receipt, links }
    }

    fn id(&self) -> &str {
        &self.links[0].rsplit('/').next().unwrap()[..10]
    }

    /// The link that stands alone on a line of the receipt.
    fn status_link(&self) -> String {
        let start = format!("{}/s/", self.site.public_url());
        let alone = |line: &&str| line.starts_with(&start) && !line.contains(' ');
        self.receipt.lines().find(alone).unwrap().to_owned()
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&get(&format!("{}/status.json", self.status_link())).body).unwrap()
    }

    /// Until the next hop's answers are recorded.
    fn settled(&self) -> Value {
        wait_for("recorded deliveries", || {
            let status = self.status();
            let known = |one: &Value| !one["notified"].is_null() || !one["bounced"].is_null();
            status["recipients"].as_array().unwrap().iter().all(known).then_some(status)
        })
    }

    fn open(&self, link: usize) -> Answer {
        let answer = post(&self.links[link], &format!("password={}", password_of(&self.receipt)));
        if answer.status == 303 {
            assert_eq!(get_as(&format!("{}/files", self.links[link]), &answer.cookie()).status, 200);
        }
        answer
    }

    fn command(&self, arguments: &[&str]) -> Value {
        let (status, out, error) = self.site.command(&[arguments, &["--json"]].concat());
        assert_eq!(status, 0, "{arguments:?}: {error}");
        serde_json::from_str(&out).unwrap()
    }
}

#[test]
fn a_receipt_leads_to_what_happened() {
    let scene = Scene::new();
    assert!(scene.receipt.contains("- anna@example.org: beveiligd, achter een link"));
    assert!(scene.receipt.contains("Geef het wachtwoord telefonisch door"));
    let before = scene.settled();
    assert_eq!(before["recipients"][0]["state"], "waiting");

    let cookie = scene.open(0).cookie();
    assert_eq!(get_as(&format!("{}/files/1", scene.links[0]), &cookie).status, 200);
    let after = scene.status();
    let anna = &after["recipients"][0];
    assert_eq!((&anna["address"], &anna["state"]), (&RESIDENT.into(), &"opened".into()));
    assert_eq!(anna["downloads"][0]["file"], 1);
    let shown = scene.command(&["transfer", "show", scene.id()]);
    assert_eq!(shown, after, "page and command line say the same");
    let page = get(&scene.status_link()).text();
    assert!(page.contains("Bestand 1 van 1 gedownload") && page.contains(PARTNER));
    for canary in canaries() {
        assert!(!page.contains(canary), "{canary}");
    }
}

/// The link acts for its sender, so it is nowhere but in the receipt.
#[test]
fn the_senders_link_is_nowhere_else() {
    let scene = Scene::new();
    scene.settled();
    get(&scene.status_link());
    let token = scene.status_link().rsplit('/').next().unwrap().to_owned();
    let seen = scene.smarthost.seen();
    let holders =
        seen.taken.iter().filter(|mail| String::from_utf8_lossy(&mail.message).contains(&token[10..]));
    assert_eq!(holders.count(), 1);
    assert!(!scene.gateway.log().join("\n").contains(&token[10..]), "not in the log");
    for (path, bytes) in all_bytes(&scene.site.data()) {
        assert!(memchr::memmem::find(&bytes, &token.as_bytes()[10..]).is_none(), "{}", path.display());
    }
}

#[test]
fn a_recall_closes_what_is_open_and_proves_it() {
    let scene = Scene::new();
    scene.settled();
    let cookie = scene.open(0).cookie();
    let recall = post(&format!("{}/recall", scene.status_link()), "tell=yes");
    assert_eq!(recall.status, 303);
    let proof = get(&format!("{}{}", scene.site.public_url(), recall.field("location")));
    assert!(proof.text().contains("Ja, voor het eerst op") && proof.text().contains("Nee, nooit geopend"));
    for path in ["/files", "/files/1", "/zip", "/message.eml"] {
        assert_eq!(get_as(&format!("{}{path}", scene.links[0]), &cookie).status, 410, "{path}");
    }
    assert_eq!(scene.open(1).status, 410);

    let seen = scene.smarthost.wait(|seen| seen.taken.len() == 5);
    let told: Vec<Notice> = seen.taken[3..].iter().map(Notice::of).collect();
    for notice in told {
        assert_eq!((notice.kind.as_str(), notice.mail.contains("<>")), ("recall", true));
        assert!(notice.text.contains("ingetrokken") && !notice.text.contains("/t/"), "{}", notice.text);
    }
    // Retention takes the blobs away at its next turn; at a start at once.
    let Scene { site, gateway, .. } = scene;
    gateway.stop();
    let _gateway = site.start();
    wait_for("blobs to be gone", || {
        let left = all_bytes(&site.data().join("blobs"));
        left.is_empty().then_some(())
    });
}

#[test]
fn a_refused_address_is_closed_and_shown() {
    let refusing = say("550 5.1.1 no such user here");
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, PARTNER, refusing, usize::MAX));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT, PARTNER], &tagged(STAFF, RESIDENT));
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);
    let is_receipt = |mail: &&Taken| text_of(mail).contains("X-Zegel-Notice: receipt");
    let receipt = Notice::of(seen.taken.iter().find(is_receipt).unwrap());
    let link = receipt.text.lines().find(|line| line.contains("/s/")).unwrap().to_owned();
    let status = wait_for("a bounce", || {
        let status: Value = serde_json::from_slice(&get(&format!("{link}/status.json")).body).unwrap();
        (status["recipients"][1]["state"] == "bounced").then_some(status)
    });
    assert!(status["recipients"][1]["bounced"]["reason"].as_str().unwrap().contains("5.1.1"));
    assert!(get(&link).text().contains("no such user here"));
}

#[test]
fn the_command_line_does_the_same_beside_a_running_gateway() {
    let scene = Scene::new();
    scene.settled();
    let id = scene.id().to_owned();

    let extended = scene.command(&["transfer", "extend", &id, "--days", "60"]);
    assert_eq!(scene.status()["expires"], extended["expires"]);
    let sent = scene.command(&["transfer", "resend", &id, "--recipient", RESIDENT]);
    assert_eq!(sent["sent"][0], RESIDENT);
    let seen = scene.smarthost.wait(|seen| seen.taken.len() == 4);
    let again = Notice::of(&seen.taken[3]);
    assert_eq!(link_of(&again.text, &scene.site.public_url()), scene.links[0], "the same link");
    assert!(again.raw.contains(STAFF) && !again.raw.contains("kanarie"));
    // In the thread of the first: who answers it by mail, and whoever answers that, stays in the sealed thread.
    assert!(
        again
            .raw
            .contains("\r\nIn-Reply-To: <canary-1@voorbeeld.nl>\r\nReferences: <canary-1@voorbeeld.nl>\r\n")
    );
    let (status, _, error) = scene.site.command(&["transfer", "resend", &id, "--recipient", RESIDENT]);
    assert_eq!(status, 1);
    assert!(error.contains("a short while ago"), "{error}");

    let proof = scene.command(&["transfer", "recall", &id, "--recipient", PARTNER]);
    assert_eq!(proof["recalled"][0]["address"], PARTNER);
    assert!(proof["recalled"][0]["by"].as_str().unwrap().starts_with("admin "), "{proof}");
    assert_eq!(scene.open(1).status, 410);
    assert_eq!(scene.open(0).status, 303);
    let (status, out, _) = scene.site.command(&["transfer", "recall", &id, "--all"]);
    assert_eq!(status, 0);
    assert!(out.contains("anna@example.org recalled; opened before"), "{out}");
    let (status, out, _) = scene.site.command(&["transfer", "recall", &id, "--all"]);
    assert_eq!((status, out.contains("was recalled before")), (0, true), "{out}");
}

/// H44: whoever is named twice has one link, and one command takes it back.
#[test]
fn a_mailbox_that_is_named_twice_has_one_link() {
    let scene = Scene::to(&[RESIDENT, "anna@EXAMPLE.org", PARTNER, "Anna@example.org", RESIDENT]);
    let status = scene.settled();
    let addresses: Vec<&str> =
        status["recipients"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, [RESIDENT, PARTNER], "as they were named first");
    assert_eq!(scene.smarthost.seen().taken.len(), 3, "one mail to each, and the receipt");
    assert_eq!(scene.receipt.to_lowercase().matches("- anna@example.org: ").count(), 1, "{}", scene.receipt);

    let recall = ["transfer", "recall", scene.id(), "--recipient", "ANNA@Example.ORG"];
    let (status, out, error) = scene.site.command(&recall);
    assert_eq!(status, 0, "{error}");
    assert!(out.contains("anna@example.org recalled; never opened"), "{out}");
    assert_eq!((scene.open(0).status, scene.open(1).status), (410, 303));
}

/// H44: what passes is nobody's to tidy up; but beside a link nothing goes out in clear to the same mailbox.
#[test]
fn ordinary_mail_keeps_its_envelope() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let twice = [RESIDENT, "Anna@EXAMPLE.org", RESIDENT];
    submit(gateway.smtp, STAFF, &twice, b"Subject: gewoon\r\n\r\nhallo\r\n");
    let seen = smarthost.wait(|seen| !seen.taken.is_empty());
    assert_eq!(seen.taken[0].addresses(), twice);
}

/// H44: of two spellings of one mailbox, one of which a rule lets pass, both are sealed for.
#[test]
fn nothing_goes_in_clear_beside_a_link() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"own.toml\"]\n");
    let rules = "[[rule]]\nname = \"pass\"\nwhen = { recipient = [\"anna@xn--mnchen-3ya.example\"] }\nthen = \"pass\"\n\
        [[rule]]\nname = \"tagged\"\nwhen = { subject_tag = [\"vertrouwelijk\"] }\nthen = \"seal\"\n";
    std::fs::write(site.config().with_file_name("own.toml"), rules).unwrap();
    let gateway = site.start();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    let sender = format!("MAIL FROM:<{STAFF}> SMTPUTF8");
    for command in [&sender, "RCPT TO:<anna@xn--mnchen-3ya.example>", "RCPT TO:<anna@münchen.example>"] {
        assert!(client.command(command).unwrap().starts_with("250 "), "{command}");
    }
    client.command("DATA").unwrap();
    client.write(&[tagged(STAFF, RESIDENT).as_slice(), b".\r\n"].concat()).unwrap();
    let seen = smarthost.wait(|seen| seen.taken.len() >= 2);
    let mut kinds: Vec<String> = seen.taken.iter().map(|mail| Notice::of(mail).kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["notification", "receipt"]);
}

/// H44: all is taken back only by who says so.
#[test]
fn a_recall_of_everybody_is_asked_for() {
    let scene = Scene::new();
    scene.settled();
    let id = scene.id().to_owned();
    let recall = ["transfer", "recall", id.as_str()];
    let (status, _, error) = scene.site.command(&recall);
    assert_eq!(status, 2, "nobody can be asked: {error}");
    assert!(error.contains("--recipient ADDR") && error.contains("--all"), "{error}");
    assert_eq!(scene.site.command(&[&recall[..], &["--all", "--recipient", RESIDENT]].concat()).0, 2);

    for (answer, expected, states) in [
        ("", 1, ["waiting", "waiting"]),
        ("nee", 1, ["waiting", "waiting"]),
        ("ja", 0, ["recalled", "recalled"]),
    ] {
        let (status, shown) = on_a_terminal(&scene.site, &recall, answer);
        assert_eq!(status, expected, "{answer:?}: {shown}");
        assert!(shown.contains(RESIDENT) && shown.contains(PARTNER), "whom it is about: {shown}");
        let now = scene.status();
        let state = |number: usize| now["recipients"][number]["state"].as_str().unwrap().to_owned();
        assert_eq!([state(0), state(1)], states, "{answer:?}");
    }
}

/// Runs a command on a terminal, with a line typed into it: its status, and what the terminal showed.
fn on_a_terminal(site: &Site, arguments: &[&str], line: &str) -> (i32, String) {
    let zegel = support::gateway::zegel();
    let program = zegel.get_program().to_str().unwrap();
    let command = format!("{program} {} --config {}", arguments.join(" "), site.config().display());
    let mut child = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_remove("RUST_BACKTRACE")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// H44: the trail names who acted, whatever they acted as.
#[test]
fn the_trail_names_the_administrator() {
    let scene = Scene::new();
    scene.settled();
    let id = scene.id().to_owned();
    let as_user = |name: &str, arguments: &[&str]| {
        let mut command = support::gateway::zegel();
        command.env("SUDO_USER", name);
        let (status, out, error) = scene.site.command_as(command, arguments);
        assert_eq!(status, 0, "{arguments:?}: {error}");
        out
    };
    as_user("k.beheer", &["transfer", "extend", &id, "--days", "9"]);
    as_user("a\nb; drop", &["transfer", "resend", &id, "--recipient", PARTNER]);
    let proof = as_user("k.beheer", &["transfer", "recall", &id, "--all", "--json"]);
    let proof: Value = serde_json::from_str(&proof).unwrap();
    assert_eq!(proof["recalled"][0]["by"], "admin k.beheer");
    let actor = |action: &str| {
        let trail = proof["trail"].as_array().unwrap();
        trail.iter().find(|entry| entry["action"] == action).unwrap()["actor"].as_str().unwrap().to_owned()
    };
    assert_eq!(actor("extend"), "admin k.beheer");
    assert!(
        actor("resend").starts_with("admin ") && !actor("resend").contains("drop"),
        "{}",
        actor("resend")
    );
    assert!(get(&format!("{}/proof", scene.status_link())).text().contains("beheerder (k.beheer)"));
}

/// H44: of the queue as well.
#[test]
fn the_trail_names_who_changed_the_queue() {
    let unreachable = "127.0.0.1:9".parse().unwrap();
    let site = Site::new(unreachable, "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    let item = wait_for("a queued mail", || {
        let queue: Value = serde_json::from_str(&site.command(&["queue", "list", "--json"]).1).unwrap();
        queue[0]["id"].as_str().map(str::to_owned)
    });
    let as_user = |arguments: &[&str]| {
        let mut command = support::gateway::zegel();
        command.env("SUDO_USER", "k.beheer");
        site.command_as(command, arguments).0
    };
    assert_eq!(as_user(&["queue", "retry", "--all"]), 0);
    assert_eq!(as_user(&["queue", "drop", &item]), 0);
    assert_eq!(as_user(&["queue", "retry", "--all"]), 0, "nothing is due: nothing is noted");
    let database = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    let query =
        "SELECT action || ' ' || object || ' ' || actor FROM audit WHERE actor LIKE 'admin%' ORDER BY number";
    let mut rows = database.prepare(query).unwrap();
    let noted: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(noted, ["retry queue admin k.beheer".to_owned(), format!("drop {item} admin k.beheer")]);
}

#[test]
fn the_command_line_works_without_a_gateway_too() {
    let scene = Scene::new();
    scene.settled();
    let id = scene.id().to_owned();
    let Scene { smarthost, site, gateway, .. } = scene;
    assert_eq!(gateway.stop(), 0);
    assert_eq!(site.command(&["transfer", "resend", &id]).0, 0);
    let (status, out, _) = site.command(&["transfer", "show", &id]);
    assert_eq!(status, 0);
    assert!(
        out.contains("to        anna@example.org (waiting)") && out.contains("handed to the mail server"),
        "{out}"
    );
    for (arguments, expected) in [
        (vec!["transfer", "recall", "0000000000"], "no such transfer"),
        (vec!["transfer", "recall", &id, "--recipient", "x@example.org"], "is not one of its recipients"),
    ] {
        let (status, _, error) = site.command(&arguments);
        assert_eq!(status, 1, "{arguments:?}");
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(site.command(&["transfer", "extend", &id, "--days", "366"]).0, 2);
    let _gateway = site.start();
    smarthost.wait(|seen| seen.taken.len() == 5);
}

/// `zegel transfer list | head -c 1`: who has read enough is no fault.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scene = Scene::new();
    for _ in 0..5 {
        let mut child = support::gateway::zegel()
            .args(["transfer", "show", scene.id(), "--json", "--config"])
            .arg(scene.site.config())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}
