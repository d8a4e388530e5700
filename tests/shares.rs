//! Several organisations behind one gateway: a flood of one leaves the others their share, and every listing says whose what is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use serde_json::Value;
use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::tagged;
use support::smarthost::{Act, Script, Smarthost, Stage};

const NOORD: &str = "jan@voorbeeld.nl";
const ZUID: &str = "mien@zuid.nl";
const RESIDENT: &str = "anna@example.org";

/// Gemeente Voorbeeld, and Gemeente Zuiderveen with pages of its own.
fn two(smarthost: &Smarthost) -> Site {
    let site = Site::new(smarthost.address(), "");
    let pages = site.public_url().replace("127.0.0.1", "localhost");
    site.replace("[organisation]\n", "[[organisation]]\n");
    let other = format!(
        "[[organisation]]\nname = \"Gemeente Zuiderveen\"\ndomains = [\"zuiderveen.nl\", \"zuid.nl\"]\n\
         hostname = \"veilig.zuiderveen.nl\"\npublic_url = \"{pages}\"\n"
    );
    site.replace("[smtp]\n", &format!("{other}[smtp]\n"));
    site
}

fn plain(subject: &str) -> Vec<u8> {
    format!("Subject: {subject}\r\n\r\nhallo\r\n").into_bytes()
}

fn metrics(gateway: &Gateway) -> String {
    ureq::get(format!("http://{}/metrics", gateway.admin))
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap()
}

fn json(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let (status, out, error) = site.command(&[arguments, &["--json"]].concat());
    assert_eq!(status, 0, "{arguments:?}: {error}");
    match serde_json::from_str(&out) {
        Ok(Value::Array(rows)) => rows,
        Ok(one) => vec![one],
        Err(_) => out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

/// A server that answers nothing to the mail of one keeps connections, and not all of them.
#[test]
fn a_next_hop_that_hangs_for_one_leaves_connections_to_the_other() {
    let smarthost = Smarthost::start(Script::usual().when(Stage::Rcpt, "traag", Act::Hang, usize::MAX));
    let site = two(&smarthost);
    site.set("relay", "max_connections = 4");
    let gateway = site.start();
    for number in 0..20 {
        submit(gateway.smtp, NOORD, &["traag@example.org"], &plain(&number.to_string()));
    }
    wait_for("three connections", || (smarthost.seen_connections() == 3).then_some(()));
    for round in 1..=5 {
        submit(gateway.smtp, ZUID, &[RESIDENT], &plain("snel"));
        smarthost.wait(|seen| seen.copies(RESIDENT) == round);
    }
    assert_eq!(smarthost.seen_connections(), 4, "three of the one, and one of the other");
}

#[test]
fn everything_says_whose_it_is() {
    let smarthost = Smarthost::start(Script::usual());
    let site = two(&smarthost);
    let gateway = site.start();
    for sender in [NOORD, ZUID] {
        submit(gateway.smtp, sender, &[RESIDENT], &tagged(sender, RESIDENT));
    }
    submit(gateway.smtp, ZUID, &[RESIDENT], &plain("gewoon"));
    // Each a notification and a receipt.
    smarthost.wait(|seen| seen.taken.len() == 5);
    for (domain, transfers, tracked) in [("voorbeeld.nl", 1, 1), ("zuiderveen.nl", 1, 2), ("ZUID.NL", 1, 2)] {
        let of = |arguments: &[&str]| json(&site, &[arguments, &["--organisation", domain]].concat());
        assert_eq!(of(&["transfer", "list"]).len(), transfers, "{domain}");
        assert_eq!(
            of(&["track", "--from", "voorbeeld.nl", "--to", RESIDENT]).len(),
            usize::from(domain == "voorbeeld.nl")
        );
        // Rows of tracked mail are written behind.
        wait_for("the tracked mail", || (of(&["track", "--to", RESIDENT]).len() == tracked).then_some(()));
        let name = if domain == "voorbeeld.nl" { "voorbeeld.nl" } else { "zuiderveen.nl" };
        let events = of(&["audit", "list"]);
        // What happens to the gateway itself is the operator's.
        let is_own = |event: &&Value| event["organisation"] == name;
        let nameless = |event: &Value| name == "voorbeeld.nl" && event["organisation"].is_null();
        assert!(events.iter().all(|event| is_own(&event) || nameless(event)), "{events:?}");
        for action in ["accept", "seal", "notify"] {
            assert_eq!(events.iter().filter(|event| event["action"] == action).count(), 1, "{action}");
        }
        assert!(of(&["queue", "list"]).is_empty());
        let own = format!("zegel_transfers{{organisation=\"{name}\"}} 1\n");
        assert!(metrics(&gateway).contains(&own), "{}", metrics(&gateway));
    }
    let text = metrics(&gateway);
    for line in [
        "zegel_messages_accepted_total{organisation=\"voorbeeld.nl\"} 1\n",
        "zegel_messages_accepted_total{organisation=\"zuiderveen.nl\"} 2\n",
        "zegel_notices_total{kind=\"receipt\",organisation=\"zuiderveen.nl\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let (status, _, error) = site.command(&["audit", "list", "--organisation", "elders.nl"]);
    assert!(status != 0 && error.contains("voorbeeld.nl, zuiderveen.nl"), "{error}");
    let lines = gateway.log();
    let accepted = |name: &str| {
        let of = |line: &&String| {
            line.contains("\"action\":\"accept\"") && line.contains(&format!("\"organisation\":\"{name}\""))
        };
        lines.iter().filter(of).count()
    };
    assert_eq!((accepted("voorbeeld.nl"), accepted("zuiderveen.nl")), (1, 2));
    assert_eq!(json(&site, &["audit", "verify"])[0]["faults_in_all"], 0);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("anna");
    let exported =
        ["export", "--person", RESIDENT, "--organisation", "zuid.nl", "--out", out.to_str().unwrap()];
    assert_eq!(site.command(&exported).0, 0);
    let person: Value = serde_json::from_slice(&std::fs::read(out.join("person.json")).unwrap()).unwrap();
    assert_eq!(person["transfers"].as_array().unwrap().len(), 1);
    assert!(!person.to_string().contains(NOORD), "{person}");
}

/// The rules are the sender's own organisation's.
#[test]
fn policies_are_explained_by_the_sender() {
    let smarthost = Smarthost::start(Script::usual());
    let site = two(&smarthost);
    std::fs::write(
        site.config().with_file_name("alles.toml"),
        "[[rule]]\nname = \"alles\"\nwhen = { internal = false }\nthen = \"seal\"\n",
    )
    .unwrap();
    let mail = site.config().with_file_name("mail.eml");
    std::fs::write(&mail, plain("gewoon")).unwrap();
    site.replace(
        "domains = [\"zuiderveen.nl\"",
        "policy = { files = [\"alles.toml\"] }\ndomains = [\"zuiderveen.nl\"",
    );
    let explain = |from: &str| {
        site.command(&["policy", "explain", "--from", from, "--to", RESIDENT, mail.to_str().unwrap()])
    };
    assert!(explain(NOORD).1.contains("pass"), "{:?}", explain(NOORD));
    assert!(explain(ZUID).1.contains("seal (alles)"), "{:?}", explain(ZUID));
    let (status, _, error) = explain("piet@elders.nl");
    assert!(status != 0 && error.contains("no organisation here"), "{error}");
}
