//! What monitoring sees of a running gateway: the figures in the eyes of promtool, the dashboard and the alarms in `deploy/`
//! beside them, and what `/readyz` says when something is wrong.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use support::clamd::Clamd;
use support::client::{SmtpClient, submit};
use support::gateway::{Gateway, Site, free_port, wait_for};
use support::resident::{RESIDENT, STAFF, Scene, seal};
use support::smarthost::{Script, Smarthost};
use support::web::{Answer, get, get_as, post, send};

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn metrics(gateway: &Gateway) -> String {
    get(&format!("http://{}/metrics", gateway.admin)).text()
}

/// The value of a figure, by its name and labels as they are written.
fn figure(gateway: &Gateway, name: &str) -> Option<f64> {
    let text = metrics(gateway);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse().unwrap())
}

fn readyz(gateway: &Gateway) -> (u16, Value) {
    let answer = get(&format!("http://{}/readyz?format=json", gateway.admin));
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

/// The state of a check, and its reason.
fn check(report: &Value, name: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let check =
        checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report}"));
    (check["state"].as_str().unwrap().to_owned(), check["reason"].as_str().unwrap_or_default().to_owned())
}

/// A certificate for the SMTP listener from and until the first of January of these years.
fn certify(site: &Site, from: i32, until: i32) {
    let mut parameters = rcgen::CertificateParams::new(vec!["veilig.voorbeeld.nl".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let folder = site.config().parent().unwrap().to_owned();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
}

const CERTIFICATE: &str = "tls_certificate = \"certificate.pem\"\ntls_key = \"key.pem\"";

/// A gateway that has done a little of everything, so that every figure is there.
fn busy() -> (Smarthost, Site, Gateway) {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    certify(&site, 2020, 2099);
    site.set("smtp", CERTIFICATE);
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    smarthost.wait(|seen| seen.taken.len() == 1);
    let mut stranger = SmtpClient::connect(gateway.smtp).unwrap();
    assert!(stranger.command("MAIL FROM:<x@example.com>").unwrap().starts_with("550 "));
    let (links, password) = seal(&smarthost, &site, &gateway, &[RESIDENT]);
    assert_eq!(post(&links[0], "password=0000-0000-0000").status, 403);
    let cookie = post(&links[0], &format!("password={password}")).cookie();
    assert_eq!(get_as(&format!("{}/files/1", links[0]), &cookie).status, 200);
    wait_for("all deliveries to be recorded", || gateway.is_idle().then_some(()));
    (smarthost, site, gateway)
}

#[test]
fn the_figures_are_as_prometheus_wants_them() {
    let (_smarthost, _site, gateway) = busy();
    let text = metrics(&gateway);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let found =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && found.trim().is_empty(), "{found}\n{text}");

    let open = [("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let answer = send("GET", &format!("http://{}/metrics", gateway.admin), &open, None);
    assert_eq!(answer.field("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let open = answer.text();
    assert!(open.ends_with("# EOF\n") && open.contains("# UNIT zegel_smtp_data_seconds seconds\n"), "{open}");
    assert_eq!(names(&open), names(&text), "both formats have the same figures");
    for person in [STAFF, RESIDENT, "127.0.0.1", "example.com", "gewoon"] {
        assert!(!text.contains(person), "{person} is in\n{text}");
    }
}

#[test]
fn every_event_is_counted_once() {
    let (_smarthost, _site, gateway) = busy();
    for (name, value) in [
        ("zegel_messages_accepted_total{organisation=\"voorbeeld.nl\"}", 2.0),
        (
            "zegel_recipients_decided_total{decision=\"pass\",rule=\"none\",organisation=\"voorbeeld.nl\"}",
            1.0,
        ),
        ("zegel_smtp_refused_total{code=\"550\",status=\"5.7.1\",organisation=\"\"}", 1.0),
        ("zegel_smtp_accept_seconds_count", 2.0),
        ("zegel_smtp_data_seconds_count", 2.0),
        ("zegel_seal_seconds_count", 1.0),
        (
            "zegel_relayed_total{kind=\"message\",outcome=\"delivered\",code=\"2xx\",organisation=\"voorbeeld.nl\"}",
            1.0,
        ),
        (
            "zegel_relayed_total{kind=\"notification\",outcome=\"delivered\",code=\"2xx\",organisation=\"voorbeeld.nl\"}",
            1.0,
        ),
        ("zegel_delivery_seconds_count{kind=\"receipt\"}", 1.0),
        ("zegel_notices_total{kind=\"notification\",organisation=\"voorbeeld.nl\"}", 1.0),
        ("zegel_notices_total{kind=\"receipt\",organisation=\"voorbeeld.nl\"}", 1.0),
        ("zegel_unlocks_total{result=\"opened\",organisation=\"voorbeeld.nl\"}", 1.0),
        ("zegel_unlocks_total{result=\"wrong_password\",organisation=\"voorbeeld.nl\"}", 1.0),
        ("zegel_unlock_seconds_count", 2.0),
        ("zegel_downloads_total{what=\"file\",organisation=\"voorbeeld.nl\"}", 1.0),
        (
            "zegel_http_requests_total{method=\"POST\",route=\"/t/{token}\",status=\"403\",organisation=\"voorbeeld.nl\"}",
            1.0,
        ),
        ("zegel_next_hop_up{direction=\"outside\"}", 1.0),
        ("zegel_health{check=\"store\"}", 0.0),
        ("zegel_config_last_reload_successful", 1.0),
        ("zegel_queue_items", 0.0),
        ("zegel_queue_kind_items{kind=\"receipt\",organisation=\"voorbeeld.nl\"}", 0.0),
        ("zegel_queue_overdue_seconds{kind=\"message\",organisation=\"voorbeeld.nl\"}", 0.0),
        ("zegel_transfers{organisation=\"voorbeeld.nl\"}", 1.0),
        ("zegel_certificate_not_after_timestamp_seconds{section=\"smtp\"}", 4_070_908_800.0),
    ] {
        assert_eq!(figure(&gateway, name), Some(value), "{name}\n{}", metrics(&gateway));
    }
}

/// Names of figures, as queries use them.
fn names(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.is_empty()).collect()
}

/// What looks like the name of a figure of ours.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("zegel_") || word.starts_with("process_")).collect()
}

/// Figures of one of several gateways, which `nodes` looks at.
fn is_of_nodes(name: &str) -> bool {
    name.starts_with("zegel_node_") || name.starts_with("zegel_database_")
}

#[test]
fn dashboard_and_alarms_ask_for_figures_that_there_are() {
    let (_smarthost, _site, gateway) = busy();
    let text = metrics(&gateway);
    let there = names(&text);
    for file in ["grafana/zegel.json", "prometheus/alerts.yml"] {
        let asks = std::fs::read_to_string(deploy(file)).unwrap();
        let asked: Vec<_> = named(&asks).into_iter().filter(|name| !is_of_nodes(name)).collect();
        assert!(asked.len() > 8, "{asked:?}");
        let missing: Vec<_> = asked.into_iter().filter(|name| !there.contains(name)).collect();
        assert!(missing.is_empty(), "{file} asks for {missing:?}, and there are only {there:?}");
    }
    let dashboard: Value =
        serde_json::from_slice(&std::fs::read(deploy("grafana/zegel.json")).unwrap()).unwrap();
    let ids: Vec<_> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "every panel has an id of its own");
}

#[test]
fn alarms_sound_when_they_should_and_lead_to_a_chapter() {
    let promtool = |arguments: &[&str]| {
        let output =
            Command::new("promtool").args(arguments).current_dir(deploy("prometheus")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    };
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    let rules = std::fs::read_to_string(deploy("prometheus/alerts.yml")).unwrap();
    let tests = std::fs::read_to_string(deploy("prometheus/alerts_test.yml")).unwrap();
    let operations =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let alarms: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alarms.len() > 10);
    for alarm in alarms {
        let runbook = format!("runbook: docs/operations.md#{}\n", alarm.to_lowercase());
        assert!(rules.contains(&runbook), "{alarm} has no {runbook}");
        assert!(
            operations.contains(&format!("\n#### {alarm}\n")),
            "docs/operations.md says nothing of {alarm}"
        );
        let cases = tests.matches(&format!("alertname: {alarm}")).count();
        assert!(cases >= 2, "{alarm} needs a case in which it sounds and one in which it is silent");
    }
}

/// A balancer must not take all gateways out because of one server behind them.
#[test]
fn a_next_hop_that_is_away_degrades_and_its_return_is_seen() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let site = Site::new(address, "");
    let gateway = site.start();
    let (status, report) = readyz(&gateway);
    assert_eq!((status, report["status"].as_str().unwrap()), (200, "ok"), "{report}");
    assert_eq!(check(&report, "smarthost").0, "ok");
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    let report = wait_for("the outage to be seen", || {
        let (status, report) = readyz(&gateway);
        assert_eq!(status, 200, "{report}");
        (report["status"] == "degraded").then_some(report)
    });
    let (state, reason) = check(&report, "smarthost");
    assert_eq!(state, "degraded");
    assert!(reason.contains(&address.to_string()) && reason.contains("Connection refused"), "{reason}");
    let text = get(&format!("http://{}/readyz", gateway.admin));
    assert_eq!(text.status, 200);
    assert!(text.text().starts_with("degraded\n") && text.text().contains(&reason), "{}", text.text());
    assert_eq!(figure(&gateway, "zegel_next_hop_up{direction=\"outside\"}"), Some(0.0));
    assert_eq!(figure(&gateway, "zegel_health{check=\"smarthost\"}"), Some(1.0));

    let smarthost = Smarthost::start_at(address, Script::usual());
    smarthost.wait(|seen| seen.taken.len() == 1);
    let report = wait_for("the end of the outage", || {
        let (_, report) = readyz(&gateway);
        (report["status"] == "ok").then_some(report)
    });
    assert!(report["next_hops"][0]["last_success"].is_string(), "{report}");
    assert_eq!(figure(&gateway, "zegel_next_hop_up{direction=\"outside\"}"), Some(1.0));
}

#[test]
fn a_login_that_fails_is_told_as_such() {
    let script = Script::usual().and_offering("AUTH PLAIN").with_credentials("zegel", "goed");
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    std::fs::write(site.config().with_file_name("password"), "fout").unwrap();
    site.set("relay", "username = \"zegel\"\npassword_file = \"password\"\ntls = \"off\"");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    let report = wait_for("the login to fail", || {
        let (_, report) = readyz(&gateway);
        (check(&report, "auth").0 == "degraded").then_some(report)
    });
    assert!(check(&report, "auth").1.contains("535"), "{report}");
    assert_eq!(check(&report, "smarthost").0, "ok");
}

#[test]
fn certificates_that_begin_later_or_end_soon_are_told() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    certify(&site, 2098, 2099);
    site.set("smtp", CERTIFICATE);
    let gateway = site.start();
    let (status, report) = readyz(&gateway);
    let (state, reason) = check(&report, "certificates");
    assert_eq!((status, state.as_str()), (200, "degraded"));
    assert!(reason.contains("[smtp] is not valid before 2098-01-01"), "{reason}");
}

#[test]
fn a_configuration_that_was_refused_is_told_until_a_good_one_is_taken() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let good = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), format!("{good}\n[nothing]\n")).unwrap();
    gateway.reload();
    wait_for("the refusal", || {
        let (status, report) = readyz(&gateway);
        (status == 200 && check(&report, "configuration").0 == "degraded").then_some(())
    });
    assert_eq!(figure(&gateway, "zegel_config_last_reload_successful"), Some(0.0));
    std::fs::write(site.config(), good).unwrap();
    gateway.reload();
    wait_for("the good one", || (readyz(&gateway).1["status"] == "ok").then_some(()));
}

/// Every way to ask for JSON, and what there is for those who do not.
#[test]
fn json_is_for_those_who_ask() {
    let scene = Scene::new("", &[RESIDENT]);
    let ask = |path: &str, accept: &str| -> Answer {
        send("GET", &format!("http://{}{path}", scene.gateway.admin), &[("Accept", accept)], None)
    };
    for (path, accept) in
        [("/readyz.json", "*/*"), ("/readyz?format=json", "*/*"), ("/readyz", "application/json")]
    {
        let answer = ask(path, accept);
        assert_eq!(answer.field("content-type"), "application/json", "{path} {accept}");
        let report: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(report["checks"].as_array().unwrap().len(), 11, "{report}");
    }
    for (path, accept) in [("/readyz", "*/*"), ("/readyz?format=text", "text/plain"), ("/readyz", "")] {
        assert_eq!(ask(path, accept).text(), "ok\n", "{path} {accept}");
    }
}

#[test]
fn a_scanner_is_asked_how_it_is() {
    let mut clamd = Clamd::start();
    let scene = Scene::new(&format!("[reply]\nscanner = \"{}\"\n", clamd.address), &[RESIDENT]);
    let (status, report) = readyz(&scene.gateway);
    assert_eq!((status, check(&report, "scanner").0.as_str()), (200, "ok"), "{report}");
    clamd.stop();
    let report = wait_for("the scanner to be missed", || {
        let (status, report) = readyz(&scene.gateway);
        assert_eq!(status, 200);
        (check(&report, "scanner").0 == "degraded").then_some(report)
    });
    assert!(check(&report, "scanner").1.contains("files of answers are refused"), "{report}");
}
