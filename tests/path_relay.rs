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
use support::smarthost::{Script, Smarthost};

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
