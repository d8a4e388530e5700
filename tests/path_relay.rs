//! Mail out, through the binary: which way it goes, what may be read on that way, and who is told when it cannot go.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;

use support::client::submit;
use support::gateway::{Gateway, Site, wait_for};
use support::mail::{Notice, password_of, tagged};
use support::smarthost::{Act, Script, Smarthost, Stage, say};

const STAFF: &str = "jan@voorbeeld.nl";
const RESIDENT: &str = "anna@example.org";

fn offering_tls() -> Script {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    Script::usual().and_offering("STARTTLS").with_tls(Arc::new(server))
}

/// Status and text of a page of the administrator.
fn look(gateway: &Gateway, path: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(format!("http://{}{path}", gateway.admin)).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

fn queue(site: &Site) -> Vec<Value> {
    let (status, out, error) = site.command(&["queue", "list", "--json"]);
    assert_eq!(status, 0, "{error}");
    serde_json::from_str(&out).unwrap()
}

/// C30: whoever reads along between here and the smarthost gets neither link nor password; the log and the queue say why
/// nothing comes, and it comes once there is TLS.
#[test]
fn link_and_password_wait_for_tls() {
    let smarthost = Smarthost::start_exposed(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    let ordinary = smarthost.wait(|seen| seen.taken.len() == 1).taken.remove(0);
    assert!(String::from_utf8_lossy(&ordinary.message).contains("gewoon"));

    let why = format!("this mail needs TLS and {} gives none", smarthost.address());
    let line = gateway.wait_for_log(&why);
    assert!(line.contains("\"level\":\"ERROR\"") && line.contains("does not offer STARTTLS"), "{line}");
    let listed = wait_for("both in the queue with the reason", || {
        let (_, out, _) = site.command(&["queue", "list"]);
        (out.matches(&why).count() == 2).then_some(out)
    });
    assert!(listed.contains("  notification  ") && listed.contains("  receipt  "), "{listed}");
    assert!(!String::from_utf8_lossy(&smarthost.seen().clear).contains("/t/"));
    let (status, text) = look(&gateway, "/readyz");
    assert!(status == 200 && text.starts_with("degraded\n") && text.contains(&why), "{text}");
    assert!(look(&gateway, "/metrics").1.contains("\nzegel_queue_problems{problem=\"tls\"} 2\n"));

    smarthost.change(offering_tls());
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);
    assert!(seen.taken[1..].iter().all(|taken| taken.encrypted));
    assert!(!String::from_utf8_lossy(&seen.clear).contains("Wachtwoord"));
}

#[test]
fn receipts_go_inside_and_notifications_outside() {
    let (outside, inside) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    let site = Site::new(outside.address(), &format!("[relay.inside]\nsmarthost = \"{}\"", inside.address()));
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let receipt = Notice::of(&inside.wait(|seen| seen.taken.len() == 1).taken[0]);
    let notification = Notice::of(&outside.wait(|seen| seen.taken.len() == 1).taken[0]);
    assert_eq!((receipt.kind.as_str(), receipt.to.as_slice()), ("receipt", &[STAFF.to_owned()][..]));
    assert_eq!(notification.kind, "notification");
    assert!(!notification.raw.contains(&password_of(&receipt.text)));
    assert!(!receipt.raw.contains("/t/"), "neither has both");
    wait_for("an empty queue", || queue(&site).is_empty().then_some(()));
}

/// What was chosen on purpose is no fault, but whoever looks is told.
#[test]
fn tls_off_is_told_at_the_start_and_to_monitoring() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[relay.inside]\ntls = \"off\"");
    let (status, out, _) = site.command(&["check"]);
    assert!(status == 0 && out.contains("warning: relay.inside.tls is \"off\""), "{out}");
    let address = smarthost.address();
    assert!(out.contains(&format!("out to {address} (tls \"opportunistic\")")), "{out}");
    assert!(out.contains(&format!("for people inside to {address} (tls \"off\")")), "{out}");
    let gateway = site.start();
    assert!(gateway.wait_for_log("relay.inside.tls is").contains("\"level\":\"WARN\""));
    let (status, text) = look(&gateway, "/readyz");
    assert!(status == 200 && text.starts_with("ok\nnote: relay.inside.tls is \"off\""), "{text}");

    let plain = Site::new(smarthost.address(), "");
    assert_eq!(look(&plain.start(), "/readyz"), (200, "ok\n".to_owned()));
    let elsewhere = Site::new("10.0.0.1:25".parse().unwrap(), "");
    let (_, out, _) = elsewhere.command(&["check"]);
    assert!(out.contains("warning: relay.tls is \"opportunistic\": the certificate of 10.0.0.1:25"), "{out}");
}

/// C38: a smarthost that does not know us makes mail wait, and tells whoever looks. It told nobody before.
#[test]
fn a_smarthost_that_does_not_relay_for_us_loses_nothing() {
    let denied = "554 5.7.1 <anna@example.org>: Relay access denied";
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say(denied)));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT, "bob@example.net"], b"Subject: gewoon\r\n\r\nhallo\r\n");
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let line = gateway.wait_for_log("Relay access denied");
    assert!(line.contains("\"level\":\"ERROR\""), "{line}");
    let text = wait_for("all of it refused", || {
        let (status, text) = look(&gateway, "/readyz");
        (status == 200 && text.starts_with("degraded\n") && text.contains(": 3, see")).then_some(text)
    });
    assert!(text.contains("takes no mail from us") && text.contains("Relay access denied"), "{text}");
    assert!(look(&gateway, "/metrics").1.contains("\nzegel_queue_problems{problem=\"refused\"} 3\n"));
    let (_, out, _) = site.command(&["queue", "list"]);
    assert_eq!(
        out.matches("(554 5.7.1 <anna@example.org>: Relay access denied (RCPT TO))").count(),
        3,
        "{out}"
    );
    assert!(
        !gateway.log().iter().any(|line| line.contains("failure report")),
        "nobody is told that it failed"
    );

    smarthost.change(Script::usual());
    let seen = smarthost.wait(|seen| seen.taken.len() == 3);
    assert_eq!((seen.copies(RESIDENT), seen.copies("bob@example.net"), seen.copies(STAFF)), (2, 1, 1));
    wait_for("readiness", || look(&gateway, "/readyz").1.starts_with("ok\n").then_some(()));
}

/// C38: with the receipt the password would be gone.
#[test]
fn a_receipt_that_is_refused_is_frozen_and_the_postmaster_told() {
    let (outside, inside) = (Smarthost::start(Script::usual()), Smarthost::start(Script::usual()));
    inside.change(Script::usual().when(Stage::Rcpt, STAFF, say("550 5.1.1 no such user"), usize::MAX));
    let site = Site::new(outside.address(), &format!("[relay.inside]\nsmarthost = \"{}\"", inside.address()));
    let gateway = site.start();
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let taken = inside.wait(|seen| seen.taken.len() == 1).taken.remove(0);
    assert_eq!(taken.addresses(), ["postmaster@voorbeeld.nl"]);
    assert_eq!(taken.mail.split(' ').nth(1), Some("FROM:<>"));
    let line = gateway.wait_for_log("is frozen");
    assert!(line.contains("\"level\":\"ERROR\"") && line.contains("550 5.1.1 no such user"), "{line}");

    let frozen = wait_for("the receipt alone", || match queue(&site).as_slice() {
        [item] => Some(item.clone()),
        _ => None,
    });
    assert_eq!((&frozen["kind"], &frozen["problem"]), (&"receipt".into(), &"frozen".into()));
    assert_eq!(frozen["recipients"][0]["state"], "frozen");
    let id = frozen["id"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&taken.message).contains(&format!("zegel queue show {id}")));
    let (_, out, _) = site.command(&["queue", "list"]);
    assert!(out.contains("(frozen: 550 5.1.1 no such user (RCPT TO))"), "{out}");
    let (_, out, _) = site.command(&["queue", "show", id]);
    assert!(out.contains("next attempt  never: frozen") && out.contains("(frozen) 550 5.1.1"), "{out}");
    let (status, text) = look(&gateway, "/readyz");
    assert!(status == 200 && text.starts_with("degraded\n") && text.contains("frozen"), "{text}");
    assert!(text.contains("550 5.1.1 no such user"), "{text}");
    assert!(look(&gateway, "/metrics").1.contains("\nzegel_queue_problems{problem=\"frozen\"} 1\n"));

    // Through a restart, and once more when it fails again.
    assert_eq!(gateway.stop(), 0);
    let gateway = site.start();
    assert_eq!(queue(&site)[0]["problem"], "frozen");
    assert_eq!(site.command(&["queue", "retry", id]).0, 0);
    inside.wait(|seen| seen.taken.len() == 2);
    wait_for("frost again", || (queue(&site).first()?["problem"] == "frozen").then_some(()));
    inside.change(Script::usual());
    assert_eq!(site.command(&["queue", "retry", "--all"]).0, 0);
    let receipt = Notice::of(&inside.wait(|seen| seen.taken.len() == 3).taken[2]);
    assert_eq!(receipt.kind, "receipt");
    password_of(&receipt.text);
    wait_for("readiness", || look(&gateway, "/readyz").1.starts_with("ok\n").then_some(()));
}

/// Held mail stays whatever happens, and nothing sounds an alarm; what is sent back is told to its sender.
#[test]
fn mail_is_held_released_and_sent_back() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("450 4.2.0 later")));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    for to in [RESIDENT, "bob@example.net"] {
        submit(gateway.smtp, STAFF, &[to], b"Subject: gewoon\r\n\r\nhallo\r\n");
    }
    wait_for("both tried", || queue(&site).iter().all(|item| item["attempts"] != 0).then_some(()));
    let done = |arguments: &[&str]| {
        let (status, out, error) = site.command(arguments);
        assert_eq!(status, 0, "{arguments:?}: {out}{error}");
        out
    };
    let fails = |arguments: &[&str]| {
        let (status, out, error) = site.command(arguments);
        assert_ne!(status, 0, "{arguments:?}: {out}{error}");
        error
    };
    let out = done(&["queue", "hold", "--to", RESIDENT, "--reason", "wacht op Jan"]);
    assert!(out.ends_with(" held\n"), "{out}");
    let held = || queue(&site).into_iter().filter(|item| item["problem"] == "held").collect::<Vec<_>>();
    wait_for("one that is held", || (held().len() == 1).then_some(()));
    let id = held()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&held()[0]["recipients"][0]["state"], &held()[0]["hold"]["reason"]),
        (&"held".into(), &"wacht op Jan".into())
    );
    assert!(fails(&["queue", "hold", &id]).contains("held already"));
    assert!(fails(&["queue", "retry", &id]).contains("wacht op Jan: zegel queue release"));
    assert!(fails(&["queue", "hold"]).contains("required"));
    assert!(fails(&["queue", "bounce", &id, "--reason", "a\nb"]).contains("one line"));
    assert!(done(&["queue", "show", &id]).contains("wacht op Jan"));
    assert!(done(&["track", "--to", RESIDENT]).contains("wacht op Jan"));
    assert!(look(&gateway, "/readyz").1.starts_with("ok\n"), "{}", look(&gateway, "/readyz").1);
    assert!(look(&gateway, "/metrics").1.contains("\nzegel_queue_problems{problem=\"held\"} 1\n"));

    smarthost.change(Script::usual());
    assert_eq!(gateway.stop(), 0);
    let _gateway = site.start();
    done(&["queue", "retry", "--all"]);
    smarthost.wait(|seen| seen.copies("bob@example.net") == 1);
    wait_for("the other one gone", || (queue(&site).len() == 1).then_some(()));
    assert_eq!((held().len(), smarthost.seen().copies(RESIDENT)), (1, 0));

    smarthost.change(Script::usual().at(Stage::Rcpt, say("450 4.2.0 later")));
    assert!(done(&["queue", "release", "--all"]).contains("released"));
    assert!(fails(&["queue", "release", &id]).contains("is not held"));
    let before = held().len();
    wait_for("another attempt", || (queue(&site)[0]["attempts"].as_u64() > Some(1)).then_some(()));
    assert_eq!(before, 0);
    smarthost.change(Script::usual().when(Stage::Rcpt, RESIDENT, say("450 4.2.0 later"), usize::MAX));
    done(&["queue", "bounce", &id, "--reason", "dubbel verzonden"]);
    let report = Notice::of(&smarthost.wait(|seen| seen.taken.len() == 2).taken[1]);
    assert_eq!((report.kind.as_str(), report.to.as_slice()), ("failure", &[STAFF.to_owned()][..]));
    assert!(report.raw.contains("5.7.1 sent back by the administrator: dubbel verzonden"), "{}", report.raw);
    wait_for("an empty queue", || queue(&site).is_empty().then_some(()));
    assert_eq!(smarthost.seen().copies(RESIDENT), 0);
    for action in ["hold", "release", "send-back"] {
        let trail = done(&["audit", "list", "--action", action]);
        assert!(trail.contains(&id) && trail.contains("by admin "), "{trail}");
    }
}

/// What is being delivered just now is delivered once, and the administrator is told.
#[test]
fn what_is_being_delivered_is_not_taken_away() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Data, Act::Hang));
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let ask = |verb: &str, id: &str| site.command(&["queue", verb, id]);
    submit(gateway.smtp, STAFF, &[RESIDENT], &tagged(STAFF, RESIDENT));
    let notification =
        wait_for("the notification", || queue(&site).into_iter().find(|item| item["kind"] == "notification"));
    let id = notification["id"].as_str().unwrap();
    smarthost.wait(|seen| seen.commands.iter().filter(|(_, line)| line == "DATA").count() >= 2);
    let (status, out, _) = ask("hold", id);
    assert!(status == 0 && out.contains("is being delivered just now"), "{out}");
    let (status, out, _) = ask("bounce", id);
    assert!(status == 0 && out.contains("is being delivered just now"), "{out}");
    let (status, out, _) = ask("drop", id);
    assert!(status == 0 && out.contains("it was being delivered"), "{out}");
    assert_eq!(ask("drop", id).0, 1);
}

/// What others have written without a sender goes on being reported to nobody but the postmaster.
#[test]
fn an_automatic_answer_that_fails_does_not_vanish() {
    let script = Script::usual().when(Stage::Rcpt, RESIDENT, say("550 5.1.1 no such user"), usize::MAX);
    let smarthost = Smarthost::start(script);
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    submit(gateway.smtp, "", &[RESIDENT], b"Subject: afwezig\r\n\r\nhallo\r\n");
    let taken = smarthost.wait(|seen| seen.taken.len() == 1).taken.remove(0);
    let text = String::from_utf8_lossy(&taken.message).into_owned();
    assert_eq!(taken.addresses(), ["postmaster@voorbeeld.nl"]);
    assert!(text.contains(RESIDENT) && text.contains("550 5.1.1 no such user"), "{text}");
    assert!(!text.contains("afwezig") && !text.contains("multipart/report"), "{text}");
    wait_for("an empty queue", || queue(&site).is_empty().then_some(()));
    assert_eq!(look(&gateway, "/readyz"), (200, "ok\n".to_owned()));
}

#[test]
fn soft_bounce_is_told_and_makes_refusals_wait() {
    let smarthost = Smarthost::start(Script::usual().at(Stage::Rcpt, say("550 5.1.1 no such user")));
    let site = Site::new(smarthost.address(), "");
    site.set("relay", "soft_bounce = true");
    let (_, out, _) = site.command(&["check"]);
    assert!(out.contains("warning: relay.soft_bounce is on"), "{out}");
    let gateway = site.start();
    gateway.wait_for_log("relay.soft_bounce is on");
    submit(gateway.smtp, STAFF, &[RESIDENT], b"Subject: gewoon\r\n\r\nhallo\r\n");
    gateway.wait_for_log("later for 1: 550 5.1.1");
    let (status, text) = look(&gateway, "/readyz");
    assert!(status == 200 && text.contains("note: relay.soft_bounce is on"), "{text}");
    smarthost.change(Script::usual());
    smarthost.wait(|seen| seen.taken.len() == 1);
}
