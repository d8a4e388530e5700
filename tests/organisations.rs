//! Two organisations in one gateway, through the binary: whose mail goes which way, and under whose name; what one has sealed is
//! not there on the other's host; what comes back finds its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use serde_json::Value;

use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site};
use support::mail::{link_of, password_of, tagged, text_of};
use support::smarthost::{Script, Seen, Smarthost, Stage, Taken, say};
use support::web;

const JAN: &str = "jan@voorbeeld.nl";
const ELS: &str = "els@zuiderveen.nl";
const RESIDENT: &str = "anna@example.org";

/// The operator, and a second one, whose mail leaves through `other`.
fn two(smarthost: &Smarthost, other: &Smarthost) -> Site {
    let site = Site::new(smarthost.address(), "");
    add_second(&site, other);
    site
}

/// Adds Zuiderveen, whose mail leaves through this smarthost, to a configuration with one organisation.
fn add_second(site: &Site, other: &Smarthost) {
    let port = site.public_url().rsplit_once(':').unwrap().1.to_owned();
    site.replace("[organisation]", "[[organisation]]");
    let second = format!(
        "[admin]\n[[organisation]]\nname = \"Gemeente Zuiderveen\"\ndomains = [\"zuiderveen.nl\"]\n\
         hostname = \"veilig.zuiderveen.nl\"\npublic_url = \"http://localhost:{port}\"\n\
         [organisation.relay]\nsmarthost = \"{}\"\n",
        other.address()
    );
    let [head, second] =
        second.split_once('\n').map(|(head, rest)| [head.to_owned(), rest.to_owned()]).unwrap();
    let listen = "listen = [\"127.0.0.1:0\"]\n\n";
    site.replace(&format!("{head}\n{listen}"), &format!("{head}\n{listen}{second}"));
}

/// The name that the connection of a mail said EHLO with.
fn ehlo<'a>(seen: &'a Seen, taken: &Taken) -> &'a str {
    let said = |(number, line): &&(usize, String)| *number == taken.connection && line.starts_with("EHLO ");
    let (_, line) = seen.commands.iter().find(said).unwrap();
    line.trim_start_matches("EHLO ").trim()
}

fn to<'a>(seen: &'a Seen, address: &str) -> &'a Taken {
    seen.taken.iter().find(|taken| taken.addresses() == [address]).unwrap()
}

fn has(address: &'static str) -> impl Fn(&Seen) -> bool {
    move |seen| seen.copies(address) > 0
}

/// Seals a message of `from`: its link and its password.
fn sealed(gateway: &Gateway, smarthost: &Smarthost, from: &'static str, url: &str) -> (String, String) {
    submit(gateway.smtp, from, &[RESIDENT], &tagged(from, RESIDENT));
    let seen = smarthost.wait(|seen| seen.copies(RESIDENT) > 0 && seen.copies(from) > 0);
    let link = link_of(&text_of(to(&seen, RESIDENT)), url);
    (link, password_of(&text_of(to(&seen, from))))
}

/// Each goes by its own smarthost and says its own name, also where both have one smarthost.
#[test]
fn mail_leaves_in_the_name_of_its_own_organisation() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = two(&first, &second);
    let gateway = site.start();
    for (from, smarthost, name) in
        [(JAN, &first, "veilig.voorbeeld.nl"), (ELS, &second, "veilig.zuiderveen.nl")]
    {
        submit(gateway.smtp, from, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
        let seen = smarthost.wait(has(RESIDENT));
        let taken = to(&seen, RESIDENT);
        assert_eq!(ehlo(&seen, taken), name);
        assert!(String::from_utf8_lossy(&taken.message).contains(&format!("by {name}")));
    }
    assert_eq!((first.taken(), second.taken()), (1, 1));
    let (status, out, error) = site.command(&["queue", "list", "--json"]);
    assert_eq!(status, 0, "{error}");
    assert_eq!(serde_json::from_str::<Vec<Value>>(&out).unwrap(), [Value::Null; 0]);
}

#[test]
fn a_connection_carries_the_mail_of_one_organisation() {
    let smarthost = Smarthost::start(Script::usual());
    let site = two(&smarthost, &smarthost);
    let gateway = site.start();
    let senders = [JAN, ELS, JAN, ELS];
    for (count, from) in senders.iter().enumerate() {
        submit(gateway.smtp, from, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
        smarthost.wait(|seen| seen.taken.len() == count + 1);
    }
    let seen = smarthost.seen();
    for taken in &seen.taken {
        let name = if taken.mail.contains(JAN) { "veilig.voorbeeld.nl" } else { "veilig.zuiderveen.nl" };
        assert_eq!(ehlo(&seen, taken), name, "{}", taken.mail);
    }
}

/// A link is at its own organisation's address, and nowhere else; nor is its session.
#[test]
fn a_link_is_there_on_its_own_host_only() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = two(&first, &second);
    let gateway = site.start();
    let own = site.public_url();
    let other = own.replace("127.0.0.1", "localhost");
    for (from, smarthost, url, foreign) in [(JAN, &first, &own, &other), (ELS, &second, &other, &own)] {
        let (link, password) = sealed(&gateway, smarthost, from, url);
        let elsewhere = link.replace(url.as_str(), foreign);
        assert_eq!((web::get(&link).status, web::get(&elsewhere).status), (200, 404), "{from}");
        let form = format!("password={password}");
        let never = format!("{foreign}/t/{}", "0".repeat(39));
        let (tried, unknown) = (web::post(&elsewhere, &form), web::post(&never, &form));
        assert_eq!((tried.status, unknown.status), (404, 404));
        let token = link.rsplit_once('/').unwrap().1;
        assert_eq!(tried.text().replace(token, ""), unknown.text().replace(&"0".repeat(39), ""));
        let opened = web::post(&link, &form);
        assert_eq!(opened.status, 303);
        let files = |link: &str| web::get_as(&format!("{link}/files"), &opened.cookie()).status;
        assert_eq!((files(&link), files(&elsewhere)), (200, 404));
    }
}

/// Mail from nobody, such as a report, is the organisation's that it is for; one for both comes twice.
#[test]
fn what_comes_from_nobody_is_for_the_organisation_of_its_recipient() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = two(&first, &second);
    let gateway = site.start();
    let report = b"Subject: undelivered\r\n\r\nit came back\r\n";
    submit(gateway.smtp, "", &[ELS], report);
    let seen = second.wait(has(ELS));
    assert_eq!(ehlo(&seen, to(&seen, ELS)), "veilig.zuiderveen.nl");
    submit(gateway.smtp, "", &[JAN], report);
    first.wait(has(JAN));
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    for (line, code) in [
        ("MAIL FROM:<>".to_owned(), "250"),
        (format!("RCPT TO:<{ELS}>"), "250"),
        (format!("RCPT TO:<{JAN}>"), "452"),
        ("RCPT TO:<piet@zuiderveen.nl>".to_owned(), "250"),
        ("RSET".to_owned(), "250"),
        (format!("MAIL FROM:<{JAN}>"), "250"),
        (format!("RCPT TO:<{ELS}>"), "250"),
        (format!("RCPT TO:<{JAN}>"), "250"),
    ] {
        assert!(client.command(&line).unwrap().starts_with(code), "{line}");
    }
}

/// What one has sealed is no reason to seal what the other answers to it.
#[test]
fn a_thread_is_sealed_for_its_own_organisation() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = two(&first, &second);
    let gateway = site.start();
    let message = b"Subject: [vertrouwelijk] zaak\r\nMessage-ID: <zaak-1@voorbeeld.nl>\r\n\r\ninhoud\r\n";
    submit(gateway.smtp, JAN, &[RESIDENT], message);
    first.wait(|seen| seen.taken.len() == 2);
    let answer = b"Subject: zaak\r\nIn-Reply-To: <zaak-1@voorbeeld.nl>\r\n\r\nnog iets\r\n";
    submit(gateway.smtp, ELS, &["piet@example.org"], answer);
    let seen = second.wait(has("piet@example.org"));
    assert!(String::from_utf8_lossy(&to(&seen, "piet@example.org").message).contains("nog iets"));
    submit(gateway.smtp, JAN, &["piet@example.org"], answer);
    let seen = first.wait(has("piet@example.org"));
    assert!(!String::from_utf8_lossy(&to(&seen, "piet@example.org").message).contains("nog iets"));
}

/// Every command that takes `--organisation`, and what else it needs.
const COMMANDS: [&[&str]; 6] = [
    &["queue", "list"],
    &["transfer", "list"],
    &["track", "--to", RESIDENT],
    &["audit", "list"],
    &["export", "--person", RESIDENT],
    &["erase", "--person", RESIDENT],
];

/// A command that is asked of one organisation shows nothing of the other: neither its people nor its transfers.
#[test]
fn a_command_for_one_organisation_shows_nothing_of_the_other() {
    let sources = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli")).unwrap();
    let sources = sources.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let taking = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter(|line| line.trim_end().ends_with("OrganisationArg,")).count()
    };
    assert_eq!(sources.map(taking).sum::<usize>(), COMMANDS.len(), "a command without a row");

    let later = Script::usual().at(Stage::Rcpt, say("451 4.2.0 later"));
    let (first, second) = (Smarthost::start(later.clone()), Smarthost::start(later));
    let site = two(&first, &second);
    let gateway = site.start();
    for from in [JAN, ELS] {
        submit(gateway.smtp, from, &[RESIDENT], &tagged(from, RESIDENT));
    }
    let (_, all, _) = site.command(&["transfer", "list", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&all).unwrap();
    let id = |from: &str| {
        let own = all.iter().find(|transfer| transfer["sender"] == from).unwrap();
        own["id"].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    for (domain, own, other) in [("voorbeeld.nl", JAN, ELS), ("zuiderveen.nl", ELS, JAN)] {
        for command in COMMANDS {
            let out = folder.path().join(domain);
            let mut arguments = [command, &["--organisation", domain]].concat();
            if command[0] == "export" {
                arguments.extend(["--out", out.to_str().unwrap()]);
            }
            let (_, mut said, error) = site.command(&arguments);
            if command[0] == "export" {
                said += &std::fs::read_to_string(out.join("person.json")).unwrap();
            }
            said += &error;
            for foreign in [other, &id(other)] {
                assert!(!said.contains(foreign), "{domain} {command:?}: {said}");
            }
            // What would be erased is told by its number.
            let is_named = said.contains(own) || said.contains(&id(own)) || command[0] == "erase";
            assert!(is_named, "{domain} {command:?}: {said}");
        }
    }
}

/// A partner's people count as internal, in one direction.
#[test]
fn a_partner_is_trusted_by_who_says_so() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = two(&first, &second);
    let rule = "[[rule]]\nname = \"buiten\"\nwhen = { internal = false }\nthen = \"seal\"\n";
    std::fs::write(site.config().with_file_name("buiten.toml"), rule).unwrap();
    site.replace("[relay]\n", "[policy]\nfiles = [\"buiten.toml\"]\n[relay]\n");
    site.replace(
        "domains = [\"voorbeeld.nl\"]",
        "domains = [\"voorbeeld.nl\"]\npartners = [\"zuiderveen.nl\"]",
    );
    let gateway = site.start();
    submit(gateway.smtp, JAN, &[ELS], b"Subject: overleg\r\n\r\nopen en bloot\r\n");
    let seen = first.wait(has(ELS));
    assert!(text_of(to(&seen, ELS)).contains("open en bloot"), "it goes the way that ordinary mail goes");
    submit(gateway.smtp, ELS, &[JAN], b"Subject: overleg\r\n\r\nniet open\r\n");
    let seen = second.wait(|seen| seen.copies(JAN) > 0 && seen.copies(ELS) > 0);
    let notification = text_of(to(&seen, JAN));
    assert!(notification.contains("/t/") && !notification.contains("niet open"), "{notification}");
}

/// What one organisation had sealed goes on when another is added: it is the first one's.
#[test]
fn a_gateway_of_one_becomes_one_of_two() {
    let (first, second) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = Site::new(first.address(), "");
    let gateway = site.start();
    let (link, password) = sealed(&gateway, &first, JAN, &site.public_url());
    assert_eq!(gateway.stop(), 0);
    // As a gateway left it that knew of no organisations.
    let db = rusqlite::Connection::open(site.data().join("zegel.db")).unwrap();
    assert_eq!(db.execute("UPDATE transfers SET organisation = NULL", []).unwrap(), 1);
    drop(db);
    add_second(&site, &second);
    let _gateway = site.start();
    let elsewhere = link.replace("127.0.0.1", "localhost");
    assert_eq!((web::get(&link).status, web::get(&elsewhere).status), (200, 404));
    assert_eq!(web::post(&link, &format!("password={password}")).status, 303);
    for (domain, count) in [("voorbeeld.nl", 1), ("zuiderveen.nl", 0)] {
        let (status, out, error) = site.command(&["transfer", "list", "--json", "--organisation", domain]);
        assert_eq!(status, 0, "{error}");
        assert_eq!(serde_json::from_str::<Vec<Value>>(&out).unwrap().len(), count, "{domain}");
    }
}
