//! The command line through the real binary: what it prints, what it exits with, and what the
//! signals do to a gateway that runs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use support::client::{SmtpClient, submit};
use support::demo::Demo;
use support::gateway::{Gateway, Site, free_port, wait_for, zegel};
use support::mail::{Notice, link_of, password_of, tagged};
use support::smarthost::{Script, Smarthost};
use support::web;

const STAFF: &str = "j.jansen@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";
/// Well-formed, but nobody has it.
const NO_QUEUE_ID: &str = "000000000000";
const NO_TRANSFER_ID: &str = "0000000000";

/// A site whose next hop is down.
fn site() -> Site {
    Site::new(SocketAddr::from(([127, 0, 0, 1], free_port())), "")
}

/// Status, standard output, standard error.
fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    told(zegel().args(arguments).output().unwrap())
}

/// Changes one thing in the configuration.
fn configure(site: &Site, from: &str, to: &str) {
    let text = std::fs::read_to_string(site.config()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    std::fs::write(site.config(), text.replacen(from, to, 1)).unwrap();
}

/// `serve` and `check` refuse the same things in the same words: status 2, file, key and reason.
#[test]
fn a_wrong_configuration_is_told_by_file_key_and_reason() {
    for (from, to, key, reason) in [
        ("hostname =", "host_name =", "host_name", "did you mean hostname?"),
        ("[smtp]", "[smpt]", "smpt", "did you mean smtp?"),
        ("[smtp]", "[smtp]\nmax_recipient = 5", "smtp.max_recipient", "did you mean smtp.max_recipients?"),
        ("[smtp]", "[smtp]\nmax_message_size = \"50MB\"", "max_message_size", "50MB"),
        ("[smtp]", "[smtp]\nrequire_tls = true", "smtp.require_tls", "smtp.tls_certificate"),
        ("[smtp]", "[smtp]\ntls_key = \"k.pem\"", "smtp.tls_key", "go together"),
        ("[smtp]", "[seal]\nexpiry_days = 366\n[smtp]", "seal.expiry_days", "365"),
        ("[smtp]", "[seal]\npassword = \"weak\"\n[smtp]", "password", "weak"),
        (
            "[smtp]",
            "[reply]\nscanner = \"clamd.ctl\"\n[smtp]",
            "reply.scanner",
            "absolute path of a Unix socket",
        ),
        ("[smtp]", "[reply]\nfile_types = [\".pdf\"]\n[smtp]", "reply.file_types", "without the dot"),
        ("retry = [\"1s\"]", "retry = [\"soon\"]", "retry", "soon"),
        ("domains = [\"voorbeeld.nl\"]", "domains = []", "organisation.domains", "empty"),
        ("name = \"Gemeente Voorbeeld\"", "", "name", "missing"),
        ("public_url = \"http://", "public_url = \"ftp://", "web.public_url", "https://"),
        ("[organisation]", "[organisation", "[organisation", "TOML"),
    ] {
        let site = site();
        configure(&site, from, to);
        for command in ["serve", "check"] {
            let (status, out, error) = site.command(&[command]);
            assert_eq!(status, 2, "{command} {to}: {error}");
            assert!(error.starts_with(&format!("zegel: {}: ", site.config().display())), "{error}");
            assert!(error.contains(key) && error.contains(reason), "{to}: {error}");
            assert_eq!(out, "", "{command} {to}");
        }
        assert!(!site.data().exists(), "{to}: nothing is made of a wrong configuration");
    }
}

#[test]
fn files_that_the_configuration_names_are_checked_too() {
    let rule = |text: &str| format!("[[rule]]\nname = \"een\"\n{text}\n");
    for (file, content, section, expected) in [
        ("regels.toml", None, "[policy]\nfiles = [\"regels.toml\"]", &["No such file"][..]),
        (
            "regels.toml",
            Some(rule("when = { subject_tags = [\"x\"] }\nthen = \"seal\"")),
            "[policy]\nfiles = [\"regels.toml\"]",
            &["een", "when", "unknown key subject_tags; did you mean subject_tag?"],
        ),
        (
            "regels.toml",
            Some(rule("then = \"zeal\"")),
            "[policy]\nfiles = [\"regels.toml\"]",
            &["een", "then", "\"zeal\""],
        ),
        ("regels.toml", Some("[[rule".into()), "[policy]\nfiles = [\"regels.toml\"]", &["TOML"]),
        (
            "staf.csv",
            Some("email,phone\nnobody,1\n".into()),
            "[organisation]\nstaff = \"staf.csv\"",
            &["line 2", "nobody"],
        ),
        ("staf.csv", None, "[organisation]\nstaff = \"staf.csv\"", &["No such file"]),
        ("c.pem", None, "[smtp]\ntls_certificate = \"c.pem\"\ntls_key = \"c.pem\"", &["No such file"]),
        (
            "c.pem",
            Some("no PEM".into()),
            "[smtp]\ntls_certificate = \"c.pem\"\ntls_key = \"c.pem\"",
            &["no certificate"],
        ),
        ("c.pem", None, "[web]\ntls_certificate = \"c.pem\"\ntls_key = \"c.pem\"", &["No such file"]),
    ] {
        let site = site();
        let (name, rest) = section.split_once('\n').unwrap();
        let key = format!("{}.{}", name.trim_matches(['[', ']']), rest.split(' ').next().unwrap());
        match section.starts_with("[policy]") {
            true => configure(&site, "[smtp]", &format!("{section}\n[smtp]")),
            false => configure(&site, name, section),
        }
        let path = site.config().with_file_name(file);
        if let Some(content) = &content {
            std::fs::write(&path, content).unwrap();
        }
        for command in ["serve", "check"] {
            let (status, _, error) = site.command(&[command]);
            assert_eq!(status, 2, "{command} {section} {content:?}: {error}");
            assert!(error.starts_with("zegel: ") && error.contains(path.to_str().unwrap()), "{error}");
            assert!(error.contains(&key), "{key} is missing in {error}");
            for part in expected {
                assert!(error.contains(part), "{part} is missing in {error}");
            }
        }
    }
}

/// A certificate and the key of another.
#[test]
fn a_certificate_and_a_foreign_key_are_refused() {
    let site = site();
    let folder = site.config().parent().unwrap().to_owned();
    let [mine, other] = [(), ()].map(|()| rcgen::generate_simple_self_signed(["localhost".into()]).unwrap());
    std::fs::write(folder.join("c.pem"), mine.cert.pem()).unwrap();
    std::fs::write(folder.join("k.pem"), other.signing_key.serialize_pem()).unwrap();
    configure(&site, "[web]", "[web]\ntls_certificate = \"c.pem\"\ntls_key = \"k.pem\"");
    for command in ["serve", "check"] {
        let (status, _, error) = site.command(&[command]);
        assert!(status == 2 && error.contains("web.tls_certificate") && error.contains("c.pem"), "{error}");
    }
    std::fs::write(folder.join("k.pem"), mine.signing_key.serialize_pem()).unwrap();
    assert_eq!(site.command(&["check"]).0, 0);
}

#[test]
fn a_missing_configuration_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weg.toml");
    let path = path.to_str().unwrap();
    for command in [&["serve"][..], &["check"], &["queue", "list"], &["transfer", "list"]] {
        let (status, _, error) = run(&[command, &["--config", path]].concat());
        assert_eq!(status, 2, "{command:?}: {error}");
        assert!(error.contains(path) && error.contains("No such file"), "{error}");
    }
}

#[test]
fn check_says_what_it_has_checked() {
    let site = site();
    let (status, out, error) = site.command(&["check"]);
    assert_eq!((status, error.as_str()), (0, ""));
    for part in [site.config().to_str().unwrap(), "fine", "127.0.0.1:0", &site.public_url()] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    assert!(!site.data().exists(), "checking makes nothing");
    std::fs::write(site.data(), "").unwrap();
    let (status, _, error) = site.command(&["check"]);
    assert!(
        status == 2 && error.contains(site.data().to_str().unwrap()),
        "a data folder that is none: {error}"
    );
}

/// `ZEGEL_SECTION__KEY` counts more than the file, and is checked like it.
#[test]
fn the_environment_overrides_the_file() {
    let site = site();
    let check = |name: &str, value: &str| {
        told(zegel().args(["check", "--config"]).arg(site.config()).env(name, value).output().unwrap())
    };
    let (status, out, _) = check("ZEGEL_RELAY__SMARTHOST", "10.0.0.1:2500");
    assert!(status == 0 && out.contains("out to 10.0.0.1:2500"), "{out}");
    let (status, out, _) = check("ZEGEL_WEB__LISTEN", "[\"127.0.0.1:1\", \"[::1]:2\"]");
    assert!(status == 0 && out.contains("pages on 127.0.0.1:1, [::1]:2"), "{out}");
    for (name, value, expected) in [
        ("ZEGEL_SEAL__EXPIRY_DAYS", "0", "seal.expiry_days"),
        ("ZEGEL_SMTP__LISTENS", "[]", "unknown key smtp.listens; did you mean smtp.listen?"),
        ("ZEGEL_SMTP__LISTEN", "nowhere", "smtp"),
    ] {
        let (status, _, error) = check(name, value);
        assert!(status == 2 && error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn wrong_usage_is_two() {
    let site = site();
    for arguments in [
        &["nonsense"][..],
        &["queue"],
        &["queue", "show"],
        &["queue", "show", "?"],
        &["queue", "retry"],
        &["queue", "retry", NO_QUEUE_ID, "--all"],
        &["transfer", "show", "x"],
        &["transfer", "export", NO_TRANSFER_ID],
        &["policy", "explain", "--from", STAFF, "-"],
        &["policy", "explain", "--from", STAFF, "--to", "nobody", "-"],
        &["policy", "explain", "--from", "nobody", "--to", RESIDENT, "-"],
        &["serve", "--loud"],
        &["serve", "--log", "xml"],
        &["demo", "--smtp", "here"],
    ] {
        let command = match arguments[0] {
            "demo" | "nonsense" => zegel().args(arguments).stdin(Stdio::null()).output(),
            _ => zegel().args(arguments).arg("--config").arg(site.config()).stdin(Stdio::null()).output(),
        };
        let (status, out, error) = told(command.unwrap());
        assert_eq!(status, 2, "{arguments:?}: {error}");
        assert!(out.is_empty() && !error.is_empty(), "{arguments:?}");
    }
    let (status, _, error) = run(&[]);
    assert!(status == 2 && error.contains("Usage: zegel"), "{error}");
    let (status, out, _) = run(&["--help"]);
    assert!(
        status == 0 && ["demo", "serve", "check", "policy", "queue"].iter().all(|name| out.contains(name))
    );
    let (status, out, _) = run(&["--version"]);
    assert_eq!((status, out), (0, format!("zegel {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn what_is_not_there_is_one() {
    let site = site();
    for command in [&["queue", "list"], &["transfer", "list"]] {
        let (status, _, error) = site.command(command);
        assert!(status == 1 && error.contains("no gateway has run here yet"), "{error}");
    }
    assert!(!site.data().exists(), "looking makes nothing");
    assert_eq!(site.start().stop(), 0);
    let out = site.data().join("out");
    for arguments in [
        &["queue", "show", NO_QUEUE_ID][..],
        &["queue", "retry", NO_QUEUE_ID],
        &["queue", "drop", NO_QUEUE_ID],
        &["transfer", "show", NO_TRANSFER_ID],
        &["transfer", "export", NO_TRANSFER_ID, "--out", out.to_str().unwrap()],
        &["policy", "explain", "--from", STAFF, "--to", RESIDENT, "/weg.eml"],
    ] {
        let (status, out, error) = site.command(arguments);
        assert_eq!((status, out.as_str()), (1, ""), "{arguments:?}: {error}");
        let named = arguments.iter().any(|argument| argument.len() > 7 && error.contains(argument));
        assert!(error.starts_with("zegel: ") && named, "{arguments:?}: {error}");
    }
    assert!(!out.exists());
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for section in ["smtp", "web", "admin"] {
        let site = site();
        let name = format!("ZEGEL_{}__LISTEN", section.to_uppercase());
        let mut serve = zegel();
        serve.args(["serve", "--config"]).arg(site.config()).env(name, format!("[\"{address}\"]"));
        let (status, _, error) = told(serve.output().unwrap());
        assert!(status == 1 && error.contains(&address), "{section}: {status} {error}");
    }
}

#[test]
fn policy_explain_tells_each_rule_for_each_recipient() {
    let site = site();
    let mail = site.config().with_file_name("mail.eml");
    std::fs::write(&mail, tagged(STAFF, RESIDENT)).unwrap();
    let people = ["--from", STAFF, "--to", RESIDENT, "--to", "collega@voorbeeld.nl"];
    let explain = |more: &[&str]| site.command(&[&["policy", "explain"], more, &people].concat());

    let (status, out, error) = explain(&[mail.to_str().unwrap()]);
    assert_eq!((status, error.as_str()), (0, ""));
    for line in [
        "anna@example.org: seal (tagged)",
        "collega@voorbeeld.nl: pass (internal)",
        "+ tagged -> seal",
        "- internal -> pass",
    ] {
        assert!(out.contains(line), "{line} is missing in {out}");
    }

    let (status, out, _) = explain(&["--json", mail.to_str().unwrap()]);
    let answers: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, answers.as_array().unwrap().len()), (0, 2));
    assert_eq!(answers[0]["recipient"], RESIDENT);
    assert_eq!((&answers[0]["decision"], &answers[0]["rule"]), (&json!("seal"), &json!("tagged")));
    assert_eq!((&answers[1]["decision"], &answers[1]["rule"]), (&json!("pass"), &json!("internal")));
    for answer in answers.as_array().unwrap() {
        let deciding = answer["rules"].as_array().unwrap().iter().filter(|rule| rule["decides"] == true);
        assert_eq!(deciding.map(|rule| &rule["rule"]).collect::<Vec<_>>(), [&answer["rule"]]);
    }
    assert!(!site.data().exists(), "explaining leaves nothing behind");

    let mut command = zegel();
    command.args(["policy", "explain", "--json", "--from", "<>", "--to", RESIDENT, "-", "--config"]);
    command.arg(site.config()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Subject: gewoon\n\nhallo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answers[0]["decision"], &answers[0]["rule"]), (&json!("pass"), &Value::Null));
}

/// The queue of a gateway that runs, with a next hop that does not.
#[test]
fn the_queue_can_be_looked_at_and_changed() {
    let site = site();
    let gateway = site.start();
    for number in 1..=3 {
        submit(
            gateway.smtp,
            STAFF,
            &[RESIDENT, "bob@example.net"],
            format!("X: {number}\r\n\r\n").as_bytes(),
        );
    }
    let listed = || -> Vec<Value> {
        let (status, out, error) = site.command(&["queue", "list", "--json"]);
        assert_eq!(status, 0, "{error}");
        serde_json::from_str(&out).unwrap()
    };
    let items = wait_for("first attempts", || {
        let items = listed();
        items.iter().all(|item| item["attempts"].as_u64() > Some(0)).then_some(items)
    });
    assert_eq!(items.len(), 3);
    assert_eq!((&items[0]["from"], &items[0]["kind"]), (&json!(STAFF), &json!("message")));
    let recipients = items[0]["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 2);
    assert_eq!((&recipients[0]["address"], &recipients[0]["state"]), (&json!(RESIDENT), &json!("waiting")));
    let created: Vec<&str> = items.iter().map(|item| item["created"].as_str().unwrap()).collect();
    assert!(created.is_sorted(), "oldest first: {created:?}");

    let filtered = |filter: &[&str]| {
        let (status, out, error) = site.command(&[&["queue", "list"], filter].concat());
        assert_eq!(status, 0, "{error}");
        out.lines().last().unwrap().to_owned()
    };
    for (filter, count) in [
        (&["--to", "Example.NET"][..], 3),
        (&["--to", RESIDENT, "--from", STAFF, "--kind", "message", "--since", "1h"], 3),
        (&["--from", "<>"], 0),
        (&["--kind", "receipt"], 0),
        (&["--problem", "frozen"], 0),
        (&["--since", "2999-01-01"], 0),
    ] {
        assert_eq!(filtered(filter), format!("{count} in the queue"), "{filter:?}");
    }
    assert_eq!(site.command(&["queue", "list", "--kind", "brief"]).0, 2);
    let ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    let (status, out, _) = site.command(&["queue", "list"]);
    assert!(status == 0 && ids.iter().all(|id| out.contains(id)) && out.contains("3 in the queue"), "{out}");
    let (status, out, _) = site.command(&["queue", "show", ids[1]]);
    assert!(status == 0 && out.contains(ids[1]) && out.contains(RESIDENT), "{out}");
    let (_, out, _) = site.command(&["queue", "show", ids[1], "--json"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&shown["id"], &shown["created"]), (&items[1]["id"], &items[1]["created"]));

    let (status, out, _) = site.command(&["queue", "retry", ids[1]]);
    assert_eq!((status, out.as_str()), (0, "1 due now\n"));
    let (_, out, _) = site.command(&["queue", "retry", "--all", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({"due": 3}));

    let (status, out, _) = site.command(&["queue", "drop", ids[0]]);
    // One that is being tried at this moment is said to be.
    assert!(status == 0 && out.starts_with(&format!("{} dropped", ids[0])), "{out}");
    let (_, out, _) = site.command(&["queue", "drop", ids[1], "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["dropped"], ids[1]);
    assert_eq!(site.command(&["queue", "drop", ids[0]]).0, 1, "it is gone");
    let left: Vec<Value> = listed().into_iter().map(|item| item["id"].clone()).collect();
    assert_eq!(left, [json!(ids[2])]);
    assert_eq!(gateway.stop(), 0);
}

#[test]
fn transfers_are_listed_and_shown() {
    let site = site();
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT, "bob@example.net"], &tagged(STAFF, RESIDENT));
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let (status, out, error) = site.command(&["transfer", "list", "--json"]);
    assert_eq!(status, 0, "{error}");
    let transfers: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(transfers.len(), 2);
    assert_eq!(transfers[0]["recipients"].as_array().unwrap().len(), 1, "newest first");
    for (filter, count) in [
        (&["--to", "bob@example.net"][..], 1),
        (&["--from", "voorbeeld.nl"], 2),
        (&["--since", "2999-01-01"], 0),
    ] {
        let (_, out, _) = site.command(&[&["transfer", "list"], filter].concat());
        assert!(out.ends_with(&format!("{count} transfers\n")), "{filter:?}: {out}");
    }
    let id = transfers[1]["id"].as_str().unwrap();
    let (status, out, _) = site.command(&["transfer", "list"]);
    assert!(status == 0 && out.contains(id) && out.contains("2 transfers"), "{out}");
    let (status, out, _) = site.command(&["transfer", "show", id]);
    assert_eq!(status, 0);
    for part in [id, STAFF, RESIDENT, "bob@example.net", "password  yes"] {
        assert!(out.contains(part), "{part} is missing in {out}");
    }
    assert!(!out.contains("kanarie"), "{out}");
}

/// `ready` comes when every listener is bound, and not before.
#[test]
fn ready_means_bound() {
    let site = site();
    let gateway = site.start();
    for address in [gateway.smtp, gateway.web, gateway.admin] {
        TcpStream::connect(address).unwrap();
    }
    let lines: Vec<Value> = gateway.log().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ready: Vec<&Value> = lines.iter().filter(|line| line["message"] == "ready").collect();
    assert_eq!(ready.len(), 1, "{lines:?}");
    assert!(ready[0]["time"].is_string() && ready[0]["level"] == "INFO", "{}", ready[0]);
}

/// SIGHUP, and the event that tells how it ended.
fn reload(gateway: &Gateway) -> Value {
    let before = gateway.log().len();
    gateway.reload();
    wait_for("the configuration event", || {
        let log = gateway.log().split_off(before);
        let mut events = log.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.find(|event| event["action"] == "configuration")
    })
}

/// What is reloaded in the middle of a message counts from the next one on, on the same connection too.
#[test]
fn a_message_is_judged_by_the_settings_that_it_began_with() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"regels.toml\"]\n");
    let rules = site.config().with_file_name("regels.toml");
    std::fs::write(&rules, "").unwrap();
    let gateway = site.start();
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    for line in [format!("MAIL FROM:<{STAFF}>"), format!("RCPT TO:<{RESIDENT}>")] {
        assert!(client.command(&line).unwrap().starts_with("250 "));
    }
    assert!(client.command("DATA").unwrap().starts_with("354 "));
    client.write(b"Subject: x\r\n").unwrap();

    let config = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), config.replace("voorbeeld.nl\"]", "elders.nl\"]")).unwrap();
    std::fs::write(&rules, "[[rule]]\nname = \"nee\"\nthen = \"reject\"\n").unwrap();
    assert_eq!(reload(&gateway)["result"], "ok");
    let kept = client.command("\r\nx\r\n.").unwrap();
    assert!(kept.starts_with("250 "), "{kept}");
    let refused = client.send(STAFF, &[RESIDENT], b"Subject: x\r\n\r\nx\r\n").unwrap();
    assert!(refused.starts_with("550 5.7.1 "), "not a sender any more: {refused}");
    let refused = client.send("x@elders.nl", &[RESIDENT], b"Subject: x\r\n\r\nx\r\n").unwrap();
    assert!(refused.starts_with("550 5.7.1 "), "the new rule: {refused}");
}

/// M12: what cannot be used is refused as a whole and by name, and the old rules go on.
#[test]
fn sighup_takes_a_good_configuration_and_refuses_a_broken_one() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"regels.toml\"]\n");
    let rules = site.config().with_file_name("regels.toml");
    let old = "[[rule]]\nname = \"oud\"\nwhen = { header = { name = \"X\", any = [\"oud\"] } }\nthen = \"reject\"\n";
    std::fs::write(&rules, old).unwrap();
    let gateway = site.start();
    let mut kept_open = SmtpClient::connect(gateway.smtp).unwrap();
    let config = std::fs::read_to_string(site.config()).unwrap();
    let says = |mail: &str| {
        let reply = SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[RESIDENT], mail.as_bytes());
        reply.unwrap()[..3].to_owned()
    };
    let (x_old, x_new) = ("X: oud\r\n\r\n", "X: nieuw\r\n\r\n");
    assert_eq!((says(x_old), says(x_new)), ("550".into(), "250".into()));

    // Half of it would show: the new rules come along, and may not count.
    let new = &*old.replace("oud", "nieuw");
    let path = rules.display().to_string();
    for (text, rule, reason) in [
        (config.replace("[smtp]", "[smtp]\nmax_recipient = 5"), new, "did you mean smtp.max_recipients?"),
        (config.replace("veilig.voorbeeld.nl", "x.voorbeeld.nl"), new, "hostname cannot change"),
        (
            config.replace("[web]", "[web]\ntls_certificate = \"c\"\ntls_key = \"c\""),
            new,
            "web.tls_certificate",
        ),
        (config.clone(), "[[rule]]\nname = \"x\"\nthen = \"zeal\"\n", path.as_str()),
        (
            config.replace("[smtp]", "[seal]\nmax_password_attempts = 3\n[smtp]"),
            new,
            "seal.max_password_attempts cannot change",
        ),
        (String::new(), new, "hostname"),
    ] {
        std::fs::write(site.config(), text).unwrap();
        std::fs::write(&rules, rule).unwrap();
        let event = reload(&gateway);
        let result = event["result"].as_str().unwrap();
        assert!(result.starts_with("refused: ") && result.contains(reason), "{reason}: {result}");
        assert_eq!((says(x_old), says(x_new)), ("550".into(), "250".into()), "{reason}");
    }

    std::fs::write(site.config(), config.replace("[smtp]", "[smtp]\nmax_message_size = \"1MiB\"")).unwrap();
    std::fs::write(&rules, new).unwrap();
    let event = reload(&gateway);
    assert_eq!((&event["result"], &event["object"]), (&json!("ok"), &json!(site.config())));
    assert_eq!((says(x_old), says(x_new)), ("250".into(), "550".into()));
    assert!(kept_open.send(STAFF, &[RESIDENT], b"X: y\r\n\r\n").unwrap().starts_with("250 "), "not dropped");
    let mut later = SmtpClient::connect(gateway.smtp).unwrap();
    assert!(later.command("EHLO x").unwrap().contains("SIZE 1048576"));
    assert_eq!(gateway.stop(), 0);
}

/// SIGTERM lets the message that is on its way come in, and exits with 0.
#[test]
fn sigterm_finishes_what_was_started() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let address = gateway.smtp;
    let mut idle = SmtpClient::connect(address).unwrap();
    let mut busy = SmtpClient::connect(address).unwrap();
    for command in [&format!("MAIL FROM:<{STAFF}>"), &format!("RCPT TO:<{RESIDENT}>"), "DATA"] {
        assert!(busy.command(command).unwrap().starts_with(['2', '3']), "{command}");
    }
    let stopped = std::thread::spawn(move || gateway.stop());
    wait_for("closed doors", || TcpStream::connect(address).is_err().then_some(()));
    assert!(busy.command("Subject: nog net\r\n\r\nhallo\r\n.").unwrap().starts_with("250 "));
    assert!(idle.command("NOOP").map_or(true, |reply| reply.starts_with("421 ")), "it is told to go");
    assert_eq!(stopped.join().unwrap(), 0);
    let _gateway = site.start();
    assert_eq!(smarthost.wait(|seen| seen.copies(RESIDENT) > 0).copies(RESIDENT), 1);
}

#[test]
fn the_demo_shows_all_of_it_without_any_configuration() {
    let demo = Demo::start(&[]);
    assert!(demo.messages().is_empty());
    let sample = web::send("POST", &format!("{}/sample", demo.mailbox), &[], None);
    assert_eq!(sample.status, 303, "{}", sample.text());
    let messages = demo.wait_for_messages(2);
    let ids: Vec<u64> = messages.iter().map(|message| message["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2, 1], "newest first");
    let notices: Vec<Notice> = messages.iter().map(|message| demo.notice(message)).collect();
    let of = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap();
    let (link, password) =
        (link_of(&of("notification").text, &demo.web[0]), password_of(&of("receipt").text));
    let opened = web::post(&link, &format!("password={password}"));
    assert_eq!(opened.status, 303);
    let page = web::get_as(&format!("{link}/files"), &opened.cookie());
    assert!(page.status == 200 && page.text().contains("Sanne de Vries"), "{}", page.text());
    let list = web::get(&demo.mailbox);
    assert!(
        list.status == 200 && messages.iter().all(|m| list.text().contains(m["subject"].as_str().unwrap()))
    );

    // Ordinary mail arrives as it was, dots and all.
    let mail = b"Subject: gewoon\r\n\r\n.\r\n..punten\r\n.\r\nhallo\r\n";
    submit(demo.smtp, "s.devries@voorbeeld.nl", &[RESIDENT], mail);
    let newest = demo.wait_for_messages(3).remove(0);
    assert_eq!(
        (&newest["subject"], &newest["from"], &newest["to"]),
        (&json!("gewoon"), &json!("s.devries@voorbeeld.nl"), &json!([RESIDENT]))
    );
    let raw = demo.raw(&newest);
    let received = raw.strip_suffix(&mail[..]).expect("the message at the end, byte for byte");
    assert!(received.starts_with(b"Received: "));
    for id in ["99", "x"] {
        let missing = web::get(&format!("{}/api/messages/{id}/raw", demo.mailbox));
        assert!([400, 404].contains(&missing.status), "{id}: {}", missing.status);
    }

    assert!(std::fs::read_dir(demo.temporary()).unwrap().next().is_some());
    let (status, temporary) = demo.stop();
    assert_eq!(status, 0);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "it tidies up behind itself");
}

/// The line that the demo prints, taken word by word as a shell would: plain curl sends the sample with it.
#[test]
fn the_demo_prints_a_line_that_sends_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("demo");
    let demo = Demo::start(&["--dir", kept.to_str().unwrap()]);
    let words: Vec<&str> = demo.lines[0].iter().map(String::as_str).collect();
    let [url, "--mail-from", from, "--mail-rcpt", to, "--upload-file", file] = words.as_slice() else {
        panic!("{words:?}")
    };
    assert_eq!(*url, format!("smtp://{}", demo.smtp));
    assert!(Path::new(file).starts_with(&kept));
    submit(demo.smtp, from, &[to], &std::fs::read(file).unwrap());
    let to: Vec<Value> =
        demo.wait_for_messages(2).into_iter().map(|message| message["to"][0].clone()).collect();
    assert!(to.contains(&json!("anna.bakker@example.org")) && to.contains(&json!(from)), "{to:?}");
    assert_eq!(demo.stop().0, 0);
    assert!(kept.join("zegel.db").exists(), "a folder that was asked for stays");
}
