//! What the gateway refuses is in its log: one search tells why a copier does not send (M25).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::net::TcpStream;

use serde_json::Value;
use support::client::SmtpClient;
use support::gateway::{Gateway, Site};
use support::smarthost::{Script, Smarthost};

const STAFF: &str = "j.jansen@voorbeeld.nl";
const ANNA: &str = "anna@example.org";

/// The lines about refusals: HELO name, sender's domain, code, reason.
fn refusals(gateway: &Gateway) -> Vec<String> {
    let lines = gateway.log();
    let parsed = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let refused = parsed.filter(|line| line["message"] == "SMTP refused");
    let field = |line: &Value, name: &str| match &line[name] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    refused
        .map(|line| {
            assert_eq!(line["client"], "127.0.0.1");
            ["helo", "sender", "code", "reason"].map(|name| field(&line, name)).join(" ")
        })
        .collect()
}

/// Does this over a connection of its own, and waits for the line that tells of it.
fn refused(gateway: &Gateway, line: &str, act: impl FnOnce(&mut SmtpClient)) {
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    act(&mut client);
    drop(client);
    support::gateway::wait_for(&format!("{line:?} in {:#?}", refusals(gateway)), || {
        refusals(gateway).iter().any(|known| known == line).then_some(())
    });
}

#[test]
fn every_refusal_is_a_line() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "[policy]\nfiles = [\"rules.toml\"]");
    site.set("smtp", "max_message_size = 65536\nmax_recipients = 1");
    let rule = "[[rule]]\nname = \"no\"\nwhen = { sender = [\"weg@voorbeeld.nl\"] }\nthen = \"reject\"\ntext = \"Niet zo\"\n";
    std::fs::write(site.config().with_file_name("rules.toml"), rule).unwrap();
    let gateway = site.start();
    let send = |from: &'static str, message: Vec<u8>| {
        move |client: &mut SmtpClient| {
            client.send(from, &[ANNA], &message).unwrap();
        }
    };
    let command = |line: &'static str| {
        move |client: &mut SmtpClient| {
            client.command(line).unwrap();
        }
    };
    let staff = "mail.voorbeeld.nl voorbeeld.nl";
    refused(
        &gateway,
        &format!("{staff} 550 5.6.0 The message holds a line feed without a carriage return"),
        send(STAFF, b"Subject: KANARIE\r\n\r\na\nb\r\n".to_vec()),
    );
    refused(
        &gateway,
        "mail.voorbeeld.nl example.org 550 5.7.1 This sender is not within the organisation",
        send("kanarie@example.org", Vec::new()),
    );
    refused(
        &gateway,
        &format!("{staff} 552 5.3.4 Message exceeds the maximum size"),
        send(STAFF, b"a\r\n".repeat(30_000)),
    );
    refused(&gateway, &format!("{staff} 550 5.7.1 Niet zo"), send("weg@voorbeeld.nl", b"x\r\n".to_vec()));
    refused(&gateway, &format!("{staff} 452 4.5.3 Too many recipients"), |client| {
        client.send(STAFF, &[ANNA, "bob@example.net"], b"x\r\n").unwrap();
    });
    refused(&gateway, "mail.voorbeeld.nl - 500 5.5.2 Command not recognized", command("KANARIE x"));
    refused(
        &gateway,
        "mail.voorbeeld.nl - 501 5.1.7 Bad sender address syntax",
        command("MAIL FROM:<ka@na@rie>"),
    );
    refused(&gateway, "mail.voorbeeld.nl - 502 5.5.1 TLS is not available", command("STARTTLS"));
    refused(&gateway, "mail.voorbeeld.nl <> - the client left within a message", |client| {
        for line in ["MAIL FROM:<>", "RCPT TO:<anna@example.org>", "DATA"] {
            client.command(line).unwrap();
        }
        client.write(b"Subject: KANARIE").unwrap();
    });
    let log = gateway.log().join("\n");
    assert!(!log.to_lowercase().contains("kanarie"), "no address, command or message: {log}");
    assert_eq!(gateway.stop(), 0);
}

#[test]
fn a_client_that_may_not_relay_is_a_line_and_a_number() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    site.set("smtp", "allow = [\"192.0.2.0/24\"]");
    let gateway = site.start();
    for _ in 0..5 {
        let reply = SmtpClient::connect(gateway.smtp).unwrap().send(STAFF, &[ANNA], b"x").unwrap();
        assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    }
    let line = "mail.voorbeeld.nl voorbeeld.nl 550 5.7.1 This client may not relay";
    assert_eq!(refusals(&gateway), [line]);
    gateway.terminate();
    let again = gateway.wait_for_log("SMTP refused again");
    assert_eq!(
        serde_json::from_str::<Value>(&again).unwrap()["times"],
        4,
        "the rest is told when it ends: {again}"
    );
}

#[test]
fn what_goes_wrong_with_tls_is_a_line() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let made = rcgen::generate_simple_self_signed(vec!["veilig.voorbeeld.nl".into()]).unwrap();
    std::fs::write(site.config().with_file_name("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(site.config().with_file_name("k.pem"), made.signing_key.serialize_pem()).unwrap();
    site.set("smtp", "tls_certificate = \"c.pem\"\ntls_key = \"k.pem\"\nrequire_tls = true");
    let gateway = site.start();
    let must = "mail.voorbeeld.nl <> 530 5.7.0 Must issue a STARTTLS command first";
    refused(&gateway, must, |client| {
        client.command("MAIL FROM:<>").unwrap();
    });
    SmtpClient::connect(gateway.smtp).unwrap().write(b"\x16\x03\x01").unwrap();
    gateway.wait_for_log("\"TLS without STARTTLS\"");
    let mut client = SmtpClient::connect(gateway.smtp).unwrap();
    client.command("STARTTLS").unwrap();
    client.write(b"this is no handshake").unwrap();
    gateway.wait_for_log("\"TLS handshake failed: ");
}

#[test]
fn what_ends_before_the_first_command_is_a_line_too() {
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    site.set("smtp", "max_connections = 1");
    let gateway = site.start();
    let first = SmtpClient::connect(gateway.smtp).unwrap();
    let _second = TcpStream::connect(gateway.smtp).unwrap();
    gateway.wait_for_log("4.7.0 Too many connections, try again later");
    drop(first);
}
