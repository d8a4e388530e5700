//! `zegel check --online` against real servers: Postfix, clamd, the gateway's own pages, and NSD with zones that are right
//! and zones that are wrong.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use serde_json::Value;
use support::clamd::Clamd;
use support::gateway::{Site, free_port, zegel};
use support::nsd::Nsd;
use support::postfix::Postfix;
use support::smarthost::{Script, Smarthost, Stage, say};

/// The finding of a severity that holds these words.
fn find<'r>(report: &'r Value, severity: &str, words: &str) -> Option<&'r Value> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| {
        finding["severity"] == severity && finding["reason"].as_str().unwrap().contains(words)
    })
}

fn assert_found(report: &Value, severity: &str, words: &str, remedy: &str) {
    let found =
        find(report, severity, words).unwrap_or_else(|| panic!("no {severity} with {words:?} in {report:#}"));
    assert!(found["remedy"].as_str().unwrap().contains(remedy), "{remedy:?} is missing in {found:#}");
}

fn assert_seen(report: &Value, words: &str) {
    let seen = report["seen"].as_array().unwrap();
    assert!(
        seen.iter().any(|line| line.as_str().unwrap().contains(words)),
        "{words:?} is missing in {report:#}"
    );
}

fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

fn online(site: &Site, arguments: &[&str]) -> (i32, Value) {
    let (status, out, error) = site.command(&[&["check", "--online", "--json"], arguments].concat());
    let report = serde_json::from_str(&out).unwrap_or_else(|fault| panic!("{fault}: {out}{error}"));
    (status, report)
}

/// A name server that knows nothing, so that no test asks the world.
fn empty() -> Nsd {
    Nsd::start(&[("voorbeeld.nl", "")])
}

#[test]
fn postfix_is_asked_and_gets_no_mail() {
    let (behind, dns) = (Postfix::with_mailbox(), empty());
    let site = Site::new(behind.address, "");
    let gateway = site.start();
    let (status, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    for line in [
        "answers \"mail.voorbeeld.nl ESMTP Postfix",
        "takes mail from <postmaster@voorbeeld.nl> to <postmaster@example.org>",
        "takes mail from <> to <postmaster@example.org>",
        "takes mail from <noreply@veilig.voorbeeld.nl> to <postmaster@voorbeeld.nl>",
        "takes mail from <> to <postmaster@voorbeeld.nl>",
        "leads to a zegel that calls itself so",
    ] {
        assert_seen(&report, line);
    }
    assert_eq!(status, 0, "{report:#}");
    assert!(behind.mails().is_empty() && !behind.log().contains("queue active"), "{}", behind.log());
    assert_eq!(gateway.stop(), 0);
    let (status, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    assert_eq!(status, 2);
    assert_found(&report, "error", "web.public_url: http://127.0.0.1:", "reverse proxy");
}

#[test]
fn a_smarthost_is_told_by_what_it_refuses() {
    let dns = empty();
    let smarthost = Smarthost::start(Script::offering(&["SIZE 1048576"]).when(
        Stage::Rcpt,
        "example.org",
        say("554 5.7.1 Relay access denied"),
        usize::MAX,
    ));
    let site = Site::new(smarthost.address(), "");
    let (status, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    assert_eq!(status, 2);
    assert_found(
        &report,
        "error",
        "does not take mail from <postmaster@voorbeeld.nl> to <postmaster@example.org>: 554 5.7.1 Relay access denied",
        "relay for this gateway",
    );
    assert_found(
        &report,
        "warning",
        "takes 1 MiB, and smtp.max_message_size is 50 MiB",
        "set smtp.max_message_size",
    );
    assert_found(&report, "note", "lacks 8BITMIME", "turn it on");
    assert_found(&report, "note", "lacks DSN", "turn it on");
    let commands = smarthost.seen().commands;
    assert!(
        !commands.iter().any(|(_, line)| line.starts_with("DATA") || line.starts_with("BDAT")),
        "{commands:?}"
    );
}

#[test]
fn every_step_to_a_smarthost_can_fail() {
    let dns = empty();
    let server = dns.address.to_string();
    for (script, words) in [
        (Script::usual().at(Stage::Connect, say("554 5.7.1 go away")), "at its greeting: 554 5.7.1 go away"),
        (Script::usual().at(Stage::Ehlo, say("421 4.3.2 busy")), "at EHLO: 421 4.3.2 busy"),
        (
            Script::usual().with_credentials("zegel", "geheim").and_offering("AUTH PLAIN"),
            "at AUTH: cannot log in",
        ),
    ] {
        let smarthost = Smarthost::start(script);
        let site = Site::new(smarthost.address(), "");
        if words.contains("AUTH") {
            site.set("relay", "tls = \"opportunistic\"\nusername = \"zegel\"\npassword_file = \"password\"");
            std::fs::write(site.config().with_file_name("password"), "geheim\n").unwrap();
        }
        let (status, report) = online(&site, &["--dns-server", &server]);
        assert_eq!(status, 2, "{words}");
        assert_found(&report, "error", words, "");
    }
    let site = Site::new(nobody(), "");
    let (status, report) = online(&site, &["--dns-server", &server]);
    assert_eq!(status, 2);
    assert_found(&report, "error", "at connecting: no connection", "firewalls");
    // Nobody answers as a certificate's owner in clear.
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    site.set("relay", "tls = \"required\"");
    let (_, report) = online(&site, &["--dns-server", &server]);
    assert_found(&report, "error", "at STARTTLS: no encryption", "certificate");
}

#[test]
fn clamd_must_find_the_test_virus() {
    let (dns, smarthost) = (empty(), Smarthost::start(Script::usual()));
    let server = dns.address.to_string();
    let mut clamd = Clamd::start();
    let site = Site::new(smarthost.address(), &format!("[reply]\nscanner = \"{}\"", clamd.address));
    let (_, report) = online(&site, &["--dns-server", &server]);
    assert_seen(&report, "it finds the test virus (Zegel.Eicar");
    clamd.stop();
    let (status, report) = online(&site, &["--dns-server", &server]);
    assert_eq!(status, 2);
    assert_found(&report, "error", "no file of an answer is taken", "clamav-daemon");
}

/// A web server that says one thing to everybody.
fn web(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn somebody_else_at_the_address_of_the_pages_is_noticed() {
    let (dns, smarthost) = (empty(), Smarthost::start(Script::usual()));
    for (answer, words) in [
        ("HTTP/1.1 200 OK\r\n\r\n<h1>Welcome to nginx!</h1>", "something else answers"),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://www.voorbeeld.nl/\r\n\r\n",
            "sends visitors on to https://www.voorbeeld.nl/",
        ),
        ("HTTP/1.1 421 Misdirected\r\n\r\n", "goes by another web.public_url"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "does not reach the gateway"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", "answers with status 404"),
        ("220 mail.voorbeeld.nl ESMTP\r\n", "what came is not HTTP"),
    ] {
        let site = Site::new(smarthost.address(), "");
        site.publish_at(&format!("http://{}", web(answer)));
        let (status, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
        assert_eq!(status, 2, "{answer}");
        assert_found(&report, "error", words, "");
    }
    let site = Site::new(smarthost.address(), "");
    site.publish_at(&format!(
        "http://{}",
        web("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")
    ));
    let (_, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    assert_found(&report, "warning", "the clock of this machine is", "chrony");
}

/// A DKIM key of 2048 bits is 294 bytes.
fn dkim_key(octets: usize) -> String {
    let text = format!("v=DKIM1; k=rsa; p={}=", "A".repeat((octets * 4).div_ceil(3) - 1));
    text.as_bytes()
        .chunks(200)
        .map(|piece| format!("\"{}\"", std::str::from_utf8(piece).unwrap()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Nobody can connect to an address of many, so that the pages are not reached at once.
const REVERSE: (&str, &str) = ("0.0.224.in-addr.arpa", "25 IN PTR veilig.voorbeeld.nl.");

#[test]
fn a_zone_that_is_right() {
    let zone = format!(
        "@ IN MX 10 mx.voorbeeld.nl.\n@ IN TXT \"v=spf1 a:oud.voorbeeld.nl include:_spf.provider.nl \" \"-all\"\n\
         oud IN A 192.0.2.1\n_dmarc IN TXT \"v=DMARC1; p=reject; sp=quarantine\"\ns2026._domainkey IN TXT {}\n\
         veilig IN A 224.0.0.25\nveilig IN AAAA ff0e::25\nveilig IN TXT \"v=spf1 redirect=_spf.provider.nl\"\n\
         mx IN A 192.0.2.26\n_25._tcp.mx IN TLSA 3 1 1 {}\n",
        dkim_key(294),
        "ab".repeat(32)
    );
    let provider = "_spf IN TXT \"v=spf1 ip4:192.0.2.0/28 ip6:2001:db8:1::/48 mx:provider.nl//64 ?all\"\n@ IN MX 5 out.provider.nl.\nout IN A 198.51.100.9\n";
    let six = format!("{}e.0.f.f.ip6.arpa", "0.".repeat(26));
    let reverse_six = (six.as_str(), "5.2 IN PTR veilig.voorbeeld.nl.");
    let dns = Nsd::start(&[("voorbeeld.nl", &zone), ("provider.nl", provider), REVERSE, reverse_six]);
    let report = asked(
        &dns,
        &["--dkim-selector", "s2026", "--sends-from", "192.0.2.9", "--sends-from", "198.51.100.9"],
    );
    for line in [
        "SPF of voorbeeld.nl lets 192.0.2.9 send (2 lookups)",
        "SPF of voorbeeld.nl lets 198.51.100.9 send (3 lookups)",
        "SPF of veilig.voorbeeld.nl lets 192.0.2.9 send (1 lookups)",
        "DMARC of voorbeeld.nl is \"reject\"",
        "DMARC of veilig.voorbeeld.nl is \"quarantine\"",
        "DKIM key of voorbeeld.nl is at s2026._domainkey.voorbeeld.nl",
        "mx.voorbeeld.nl has 1 TLSA records",
        "veilig.voorbeeld.nl has addresses of IPv4 and IPv6",
        "224.0.0.25 is called veilig.voorbeeld.nl both ways",
    ] {
        assert_seen(&report, line);
    }
    for words in ["SPF", "DMARC", "DKIM", "PTR", "TLSA record"] {
        for severity in ["error", "warning"] {
            assert_eq!(find(&report, severity, words).map(|found| &found["reason"]), None, "{words}");
        }
    }
    assert_found(&report, "note", "has no MTA-STS", "_mta-sts.voorbeeld.nl. IN TXT \"v=STSv1; id=1\"");
    assert_found(&report, "note", "has no CAA record", "veilig.voorbeeld.nl. IN CAA 0 issue");
}

#[test]
fn zones_that_are_wrong_and_the_lines_to_add() {
    for (zone, severity, words, remedy) in [
        (
            "",
            "warning",
            "voorbeeld.nl has no SPF record",
            "voorbeeld.nl. IN TXT \"v=spf1 ip4:192.0.2.9 -all\"",
        ),
        (
            "@ IN TXT \"v=spf1 mx -all\"\n@ IN MX 1 mx\nmx IN A 192.0.2.8",
            "error",
            "SPF of voorbeeld.nl forbids mail from 192.0.2.9",
            "voorbeeld.nl. IN TXT \"v=spf1 mx ip4:192.0.2.9 -all\"",
        ),
        (
            "@ IN TXT \"v=spf1 ip4:192.0.2.8 ~all\"",
            "warning",
            "does not vouch for mail from 192.0.2.9",
            "ip4:192.0.2.8 ip4:192.0.2.9 ~all",
        ),
        ("@ IN TXT \"v=spf1 -all\"\n@ IN TXT \"v=spf1 mx\"", "error", "has 2 SPF records", ""),
        ("@ IN TXT \"v=spf1 include:none.voorbeeld.nl -all\"", "error", "which has no SPF record", ""),
        ("@ IN TXT \"v=spf1 redirect=voorbeeld.nl\"", "error", "more than 10 lookups", ""),
        (
            "@ IN TXT \"v=spf1 a:x1.voorbeeld.nl a:x2.voorbeeld.nl a:x3.voorbeeld.nl -all\"",
            "error",
            "more than 2 of the names",
            "",
        ),
        ("@ IN TXT \"v=spf1 ip4:300.1.1.1 -all\"", "error", "is no address", ""),
        ("@ IN TXT \"v=spf1 ipv4:192.0.2.9 -all\"", "error", "is no mechanism", ""),
        (
            "@ IN TXT \"v=spf1 exists:%{i}.voorbeeld.nl -all\"",
            "note",
            "it uses macros",
            "Authentication-Results",
        ),
        ("", "warning", "voorbeeld.nl has no DMARC record", "_dmarc.voorbeeld.nl. IN TXT \"v=DMARC1; p=none"),
        ("_dmarc IN TXT \"v=DMARC1; p=none\"", "note", "others deliver what is forged", "p=quarantine"),
        ("_dmarc IN TXT \"v=DMARC1; rua=mailto:x@voorbeeld.nl\"", "error", "has no policy", ""),
        (
            "_dmarc IN TXT \"v=DMARC1; p=none\"\n_dmarc IN TXT \"v=DMARC1; p=reject\"",
            "error",
            "2 DMARC records",
            "",
        ),
        ("_dmarc IN TXT \"v=DMARC1; p=reject; aspf=s\"", "note", "aligns SPF strictly", "DKIM"),
        (
            "",
            "error",
            "s2026._domainkey.voorbeeld.nl has no DKIM key",
            "s2026._domainkey.voorbeeld.nl. IN TXT",
        ),
        ("s2026._domainkey IN TXT \"v=DKIM1; p=\"", "error", "is revoked", ""),
        ("s2026._domainkey IN TXT \"v=DKIM1; p=abc?def\"", "error", "is not base64", ""),
        ("s2026._domainkey IN TXT \"v=DKIM1; k=rsa; p=MIGfMA0G\"", "warning", "shorter than 2048 bits", ""),
        (
            "_mta-sts IN TXT \"v=STSv1; id=1\"",
            "error",
            "policy of voorbeeld.nl cannot be fetched",
            "https://mta-sts.voorbeeld.nl/.well-known/mta-sts.txt",
        ),
        ("_mta-sts IN TXT \"v=STSv1;\"", "error", "has no id", ""),
        ("", "warning", "voorbeeld.nl has no MX", "voorbeeld.nl. IN MX 10"),
        (
            "@ IN MX 10 mx\nmx IN A 192.0.2.8",
            "note",
            "mx.voorbeeld.nl has no TLSA record",
            "_25._tcp.mx.voorbeeld.nl. IN TLSA 3 1 1",
        ),
        (
            "@ IN MX 10 veilig\nveilig IN A 224.0.0.25\n_25._tcp.veilig IN TLSA 3 1 1 abababababababababababababababababababababababababababababababab",
            "error",
            "smtp.tls_certificate is not set",
            "",
        ),
        ("", "error", "DNS knows no veilig.voorbeeld.nl", "veilig.voorbeeld.nl. IN A"),
        ("veilig IN A 224.0.0.25", "note", "has no IPv6 address", "veilig.voorbeeld.nl. IN AAAA"),
        ("veilig IN AAAA ff0e::25", "warning", "has no IPv4 address", "veilig.voorbeeld.nl. IN A"),
        (
            "veilig IN A 224.0.0.24",
            "note",
            "224.0.0.24 of veilig.voorbeeld.nl is called back no name",
            "24.0.0.224.in-addr.arpa. IN PTR veilig.voorbeeld.nl.",
        ),
        ("veilig IN CAA 0 issue \"letsencrypt.org\"", "note", "names letsencrypt.org; whether", ""),
    ] {
        let dns = Nsd::start(&[("voorbeeld.nl", zone), REVERSE]);
        let report = asked(&dns, &["--dkim-selector", "s2026", "--sends-from", "192.0.2.9"]);
        assert_found(&report, severity, words, remedy);
    }
}

#[test]
fn what_cannot_be_known_is_said() {
    let dns = Nsd::start(&[("voorbeeld.nl", "@ IN TXT \"v=spf1 -all\"")]);
    let report = asked(&dns, &[]);
    assert_found(&report, "note", "cannot be seen from here", "--sends-from");
    assert_found(&report, "note", "cannot be seen without its selector", "--dkim-selector");
    // Nobody answers there.
    let site = Site::new(nobody(), "");
    let (_, report) = online(&site, &["--dns-server", &nobody().to_string()]);
    assert_found(&report, "warning", "DNS does not answer", "--dns-server");
}

/// A zone cannot talk to the administrator's terminal.
#[test]
fn no_control_character_is_printed() {
    let record = "veilig IN TXT \"v=spf1 include:\\027[2J.nl -all\"";
    let dns = Nsd::start(&[("voorbeeld.nl", record)]);
    let site = Site::new(nobody(), "");
    let server = dns.address.to_string();
    let arguments = ["check", "--online", "--dns-server", &server, "--sends-from", "192.0.2.9"];
    let (_, out, error) = site.command(&arguments);
    assert!(error.contains("?[2J"), "{error}");
    assert!(!format!("{out}{error}").contains(|c: char| c.is_control() && c != '\n'));
}

/// The certificate of this gateway is what others are told to expect.
#[test]
fn the_own_certificate_is_compared_with_tlsa() {
    let made = rcgen::generate_simple_self_signed(["veilig.voorbeeld.nl".to_owned()]).unwrap();
    let key = openssl::pkey::PKey::private_key_from_pem(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let hash = openssl::sha::sha256(&key.public_key_to_der().unwrap());
    let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    let site = Site::new(nobody(), "");
    site.set("smtp", "tls_certificate = \"c.pem\"\ntls_key = \"k.pem\"");
    std::fs::write(site.config().with_file_name("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(site.config().with_file_name("k.pem"), made.signing_key.serialize_pem()).unwrap();
    let zone = |hash: &str| {
        format!("@ IN MX 10 veilig\nveilig IN A 224.0.0.25\n_25._tcp.veilig IN TLSA 3 1 1 {hash}")
    };
    let dns = Nsd::start(&[("voorbeeld.nl", &zone(&hash))]);
    let (_, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    assert_seen(&report, "_25._tcp.veilig.voorbeeld.nl fits the certificate");
    let dns = Nsd::start(&[("voorbeeld.nl", &zone(&"cd".repeat(32)))]);
    let (_, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
    assert_found(
        &report,
        "error",
        "no record at _25._tcp.veilig.voorbeeld.nl fits",
        &format!("IN TLSA 3 1 1 {hash}"),
    );
}

/// As a site whose pages are at the name in its zone; they are not reached, which is not what these tests are about.
fn asked(dns: &Nsd, arguments: &[&str]) -> Value {
    let site = Site::new(nobody(), "");
    site.publish_at("https://veilig.voorbeeld.nl");
    online(&site, &[arguments, &["--dns-server", &dns.address.to_string()]].concat()).1
}

/// Most greetings have no time in them; what was compared is said.
#[test]
fn the_clock_is_compared_with_whoever_tells_the_time() {
    let dns = empty();
    let server = dns.address.to_string();
    let now = jiff::Timestamp::now();
    let greeting = |time: jiff::Timestamp| {
        let time = zegel::clock::rfc5322(time);
        let text = format!("220 mx.voorbeeld.nl Microsoft ESMTP MAIL Service ready at {time}");
        Script::usual().at(Stage::Connect, say(&text))
    };
    let late = now.saturating_sub(std::time::Duration::from_secs(3600)).unwrap();
    let early = now.saturating_add(std::time::Duration::from_secs(3600)).unwrap();
    for (script, severity, words) in [
        (greeting(late), "warning", "ahead of that of 127.0.0.1:"),
        (greeting(early), "warning", "behind that of 127.0.0.1:"),
        (Script::usual(), "note", "was compared with nobody's"),
    ] {
        let smarthost = Smarthost::start(script);
        let site = Site::new(smarthost.address(), "");
        let (_, report) = online(&site, &["--dns-server", &server]);
        assert_found(&report, severity, words, "timedatectl");
    }
    let smarthost = Smarthost::start(greeting(jiff::Timestamp::now()));
    let site = Site::new(smarthost.address(), "");
    let (_, report) = online(&site, &["--dns-server", &server]);
    assert_seen(&report, "the clock of this machine agrees with that of 127.0.0.1:");
    assert_eq!(find(&report, "note", "compared with nobody").map(|found| &found["reason"]), None);

    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (_, report) = online(&site, &["--dns-server", &server]);
    assert_seen(&report, "(the Date of its answer)");
    assert_eq!(gateway.stop(), 0);
}

/// `admin.dns_server` is asked where the command line names nobody.
#[test]
fn the_name_server_of_the_configuration_is_asked() {
    let dns = Nsd::start(&[("voorbeeld.nl", "@ IN TXT \"v=spf1 ip4:192.0.2.9 -all\"")]);
    let site = Site::new(nobody(), "");
    site.set("admin", &format!("dns_server = \"{}\"", dns.address));
    let (_, report) = online(&site, &["--sends-from", "192.0.2.9"]);
    assert_seen(&report, "SPF of voorbeeld.nl lets 192.0.2.9 send");
    let (_, report) = online(&site, &["--dns-server", &nobody().to_string()]);
    assert_found(&report, "warning", "DNS does not answer", "--dns-server");
    site.replace(&dns.address.to_string(), "ns1.voorbeeld.nl");
    let (status, _, error) = site.command(&["check"]);
    assert!(status == 2 && error.contains("admin.dns_server") && error.contains("192.0.2.53"), "{error}");
}

/// An authority of its own, and a certificate by it for a name.
fn issued(organisation: &str, name: &str) -> (String, rcgen::Certificate, rcgen::KeyPair) {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::OrganizationName, organisation);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "R1");
    let key = rcgen::KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let leaf =
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&own, &issuer).unwrap();
    (root.pem(), leaf, own)
}

/// RFC 8659: by the name that CAA knows the authority by.
#[test]
fn caa_is_compared_with_who_issued_the_certificate() {
    let (_, leaf, key) = issued("Let's Encrypt", "veilig.voorbeeld.nl");
    for (records, severity, words) in [
        (
            "veilig IN CAA 0 issue \"letsencrypt.org; validationmethods=dns-01\"",
            "seen",
            "names letsencrypt.org, which issued",
        ),
        ("@ IN CAA 0 issue \"letsencrypt.org\"", "seen", "names letsencrypt.org, which issued"),
        (
            "veilig IN CAA 0 issue \"digicert.com\"\n@ IN CAA 0 issue \"letsencrypt.org\"",
            "warning",
            "does not name letsencrypt.org",
        ),
        ("veilig IN CAA 0 issue \";\"", "warning", "does not name letsencrypt.org"),
    ] {
        let dns = Nsd::start(&[("voorbeeld.nl", &format!("veilig IN A 224.0.0.25\n{records}")), REVERSE]);
        let site = Site::new(nobody(), "");
        site.publish_at("https://veilig.voorbeeld.nl");
        site.set("web", "tls_certificate = \"c.pem\"\ntls_key = \"k.pem\"");
        std::fs::write(site.config().with_file_name("c.pem"), leaf.pem()).unwrap();
        std::fs::write(site.config().with_file_name("k.pem"), key.serialize_pem()).unwrap();
        let (_, report) = online(&site, &["--dns-server", &dns.address.to_string()]);
        match severity {
            "seen" => assert_seen(&report, words),
            _ => assert_found(&report, severity, words, "IN CAA 0 issue \"letsencrypt.org\""),
        }
    }
}

/// Policies are at port 443 of a name, so each has an address of its own.
const POLICIES: [&str; 5] = ["127.0.0.71", "127.0.0.72", "127.0.0.73", "127.0.0.74", "127.0.0.75"];

/// RFC 8461 3.2: the policy, over HTTPS that is believed.
#[test]
fn a_policy_of_mta_sts_is_fetched() {
    let (root, leaf, key) = issued("Test", "mta-sts.voorbeeld.nl");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
    let config = Arc::new(config);
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nversion: STSv1\r\n";
    for (address, answer, severity, words) in [
        (
            POLICIES[0],
            format!("{ok}mode: enforce\r\nmx: *.voorbeeld.nl\r\nmax_age: 86400\r\n"),
            "seen",
            "MTA-STS of voorbeeld.nl is enforced",
        ),
        (
            POLICIES[1],
            format!("{ok}mode: enforce\r\nmx: mx.elders.nl\r\n"),
            "error",
            "does not name its mail server mx.voorbeeld.nl",
        ),
        (POLICIES[2], format!("{ok}mode: testing\r\nmx: mx.voorbeeld.nl\r\n"), "note", "is in testing"),
        (POLICIES[3], "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(), "error", "is not there: status 404"),
        (POLICIES[4], format!("{ok}mx: mx.voorbeeld.nl\r\n"), "error", "has no mode"),
    ] {
        serve_policy(address, answer, Arc::clone(&config));
        let zone = format!(
            "@ IN MX 10 mx\nmx IN A 192.0.2.26\n_mta-sts IN TXT \"v=STSv1; id=20261130\"\nmta-sts IN A {address}\n"
        );
        let dns = Nsd::start(&[("voorbeeld.nl", &zone)]);
        let site = Site::new(nobody(), "");
        let roots = site.config().with_file_name("roots.pem");
        std::fs::write(&roots, &root).unwrap();
        let mut check = zegel();
        check.args(["check", "--online", "--json", "--dns-server", &dns.address.to_string(), "--config"]);
        check.arg(site.config());
        let report = |check: &mut Command| -> Value {
            serde_json::from_slice(&check.output().unwrap().stdout).unwrap()
        };
        assert_found(
            &report(&mut check),
            "error",
            "policy of voorbeeld.nl cannot be fetched: TLS",
            "with a certificate for that name",
        );
        let found = report(check.env("SSL_CERT_FILE", &roots));
        match severity {
            "seen" => assert_seen(&found, words),
            _ => assert_found(&found, severity, words, ""),
        }
    }
}

/// Says the same to everybody who asks for the policy.
fn serve_policy(address: &str, answer: String, config: Arc<rustls::ServerConfig>) {
    let listener = TcpListener::bind((address, 443)).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream =
                rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            if request[..length].starts_with(b"GET /.well-known/mta-sts.txt HTTP/1.") {
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
}
