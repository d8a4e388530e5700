//! H26: what a scan of both doors finds, the pages' and the mail's. OpenSSL's client offers everything it has, old and
//! weak things too, and takes away what was chosen until nothing is left that we would take.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail so")]

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, NamedGroup, StreamOwned};
use support::client::SmtpClient;
use support::gateway::{Gateway, Site};

/// Everything that OpenSSL 3 can still speak.
const ALL: &str = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
const TLS13: [&str; 5] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
];

/// One of the two doors.
#[derive(Clone, Copy)]
struct Door {
    address: SocketAddr,
    is_mail: bool,
}

impl Door {
    fn of(gateway: &Gateway) -> [Self; 2] {
        [(gateway.web, false), (gateway.smtp, true)].map(|(address, is_mail)| Self { address, is_mail })
    }

    /// What OpenSSL says of a handshake with these options, to the end of the connection.
    fn ask(self, options: &[&str]) -> String {
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-ign_eof", "-nocommands", "-connect", &self.address.to_string()])
            .args(options);
        if self.is_mail {
            command.args(["-starttls", "smtp"]);
        }
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let mut child = command.stdin(input).stdout(output).stderr(Stdio::null()).spawn().unwrap();
        let farewell = if self.is_mail { "QUIT\r\n" } else { "GET / HTTP/1.0\r\n\r\n" };
        // After a failed handshake nobody reads it.
        let _ = child.stdin.take().unwrap().write_all(farewell.as_bytes());
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    }

    /// The suite that was chosen; none where the handshake failed.
    fn suite(self, options: &[&str]) -> Option<String> {
        let said = self.ask(options);
        let line = said.lines().find(|line| line.contains(", Cipher is ")).unwrap_or("").to_owned();
        let suite = line.rsplit(' ').next().unwrap_or("");
        (!suite.is_empty() && suite != "(NONE)").then(|| suite.to_owned())
    }

    /// Every suite that is taken, in the order in which they are chosen.
    fn suites(self, offer: impl Fn(&[String]) -> Vec<String>) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let options = offer(&taken);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            match self.suite(&options) {
                Some(suite) => taken.push(suite),
                None => return taken,
            }
        }
    }
}

/// Makes a certificate of this kind for this name, with OpenSSL: the lines that name its two files.
fn certificate(folder: &Path, name: &str, kind: &[&str]) -> String {
    let path = |ending: &str| folder.join(format!("{name}.{ending}")).to_str().unwrap().to_owned();
    let (certificate, key, subject) = (path("pem"), path("key"), format!("/CN={name}"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ])
        .args(kind)
        .output()
        .unwrap();
    assert!(made.status.success() && Path::new(&key).exists(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("tls_certificate = \"{certificate}\"\ntls_key = \"{key}\"")
}

/// A gateway with a certificate of this kind for both doors.
fn start(kind: &[&str]) -> (Site, Gateway) {
    let site = Site::new("127.0.0.1:9".parse().unwrap(), "");
    let folder = site.config().parent().unwrap().to_owned();
    let files = certificate(&folder, "localhost", kind);
    for section in ["smtp", "web"] {
        site.set(section, &files);
    }
    let config = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), config.replace("public_url = \"http:", "public_url = \"https:")).unwrap();
    let gateway = site.start();
    (site, gateway)
}

#[test]
fn both_doors_speak_what_ncsc_calls_good_and_nothing_else() {
    let rsa: &[&str] = &["-newkey", "rsa:2048"];
    let ecdsa: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    for (kind, name) in [(rsa, "RSA"), (ecdsa, "ECDSA")] {
        let (_site, gateway) = start(kind);
        for door in Door::of(&gateway) {
            let at = format!("{name}, {}", if door.is_mail { "mail" } else { "pages" });
            let mut found = door.suites(|taken| {
                let without: String = taken.iter().map(|suite| format!(":!{suite}")).collect();
                vec!["-tls1_2".into(), "-cipher".into(), format!("{ALL}{without}")]
            });
            found.sort();
            let good = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
            assert_eq!(found, good.map(|suite| format!("ECDHE-{name}-{suite}")), "{at}");
            let found = door.suites(|taken| {
                let left: Vec<&str> =
                    TLS13.into_iter().filter(|suite| !taken.iter().any(|t| t == suite)).collect();
                vec!["-tls1_3".into(), "-ciphersuites".into(), left.join(":")]
            });
            assert_eq!(found.len(), 3, "{at}: {found:?}");
            assert!(!found.iter().any(|suite| suite.contains("CCM")), "{at}: {found:?}");
            for old in ["-tls1", "-tls1_1"] {
                assert_eq!(door.suite(&[old, "-cipher", ALL]), None, "{at}: {old}");
            }
            let signed_by = |hash: &str| {
                let algorithms = format!("RSA+{hash}:ECDSA+{hash}");
                door.suite(&["-tls1_2", "-cipher", ALL, "-sigalgs", &algorithms])
            };
            assert_eq!(signed_by("SHA1"), None, "{at}");
            assert!(signed_by("SHA256").is_some(), "{at}: the question is well put");
            let said = door.ask(&["-tls1_3"]);
            assert!(
                said.contains("Max Early Data: 0") && !said.contains("Max Early Data: 1"),
                "{at}: {said}"
            );
            assert!(said.contains("Compression: NONE"), "{at}: {said}");
        }
    }
}

/// A client that comes to another gateway with the session of the first shakes hands anew, and is served.
#[test]
fn a_session_of_another_gateway_begins_anew() {
    let (site, first) = start(&["-newkey", "rsa:2048"]);
    let folder = site.config().parent().unwrap().to_owned();
    let other = Site::new("127.0.0.1:9".parse().unwrap(), "");
    for section in ["smtp", "web"] {
        let path = |name: &str| folder.join(name).display().to_string();
        other.set(
            section,
            &format!(
                "tls_certificate = \"{}\"\ntls_key = \"{}\"",
                path("localhost.pem"),
                path("localhost.key")
            ),
        );
    }
    let second = other.start();
    let file = folder.join("session").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        for (own, foreign) in Door::of(&first).into_iter().zip(Door::of(&second)) {
            let at = format!("{version}, mail: {}", own.is_mail);
            let keep = ["-sess_out", &file];
            let bring = ["-sess_in", &file];
            let is_new = |said: &str| said.contains("\nNew, TLSv1") && said.contains("Verify return code");
            assert!(is_new(&own.ask(&[&[version], &keep[..]].concat())), "{at}");
            let again = own.ask(&[&[version], &bring[..], &keep[..]].concat());
            assert!(again.contains("\nReused, TLSv1"), "{at}: {again}");
            let elsewhere = foreign.ask(&[&[version], &bring[..]].concat());
            assert!(is_new(&elsewhere), "{at}: {elsewhere}");
            let served = if foreign.is_mail { "221 2.0.0 " } else { "HTTP/1.0 " };
            assert!(elsewhere.contains(served), "{at}: {elsewhere}");
        }
    }
}

/// The name in the certificate that is shown to whoever asks for this one, and its serial number.
fn shown(door: Door, name: Option<&str>) -> (String, String) {
    let asked = name.map_or_else(|| vec!["-noservername"], |name| vec!["-servername", name]);
    let said = door.ask(&[&["-tls1_3"][..], &asked].concat());
    let subject =
        said.lines().find_map(|line| line.strip_prefix("subject=CN = ")).unwrap_or(&said).to_owned();
    let start = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{said}"));
    (subject, said[start..].split("-----END").next().unwrap().to_owned())
}

#[test]
fn each_organisation_is_shown_with_its_own_certificate() {
    const EC: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let names = ["veilig.voorbeeld.nl", "veilig.zuiderveen.nl"];
    let site = Site::new("127.0.0.1:9".parse().unwrap(), "");
    let folder = site.config().parent().unwrap().to_owned();
    let [first, second] = names.map(|name| {
        format!(
            "hostname = \"{name}\"\npublic_url = \"https://{name}\"\n{}\n",
            certificate(&folder, name, EC)
        )
    });
    let text = std::fs::read_to_string(site.config()).unwrap();
    let text = text.replacen("[organisation]\n", &format!("[[organisation]]\n{first}"), 1);
    let second =
        format!("\n[[organisation]]\nname = \"Zuiderveen\"\ndomains = [\"zuiderveen.nl\"]\n{second}");
    std::fs::write(site.config(), text + &second).unwrap();
    let gateway = site.start();
    let subject = |door: Door, name: Option<&str>| shown(door, name).0;
    for door in Door::of(&gateway) {
        for name in names {
            assert_eq!(subject(door, Some(name)), name);
            assert_eq!(subject(door, Some(&name.to_uppercase())), name);
        }
        for other in [None, Some("elders.nl"), Some("zuiderveen.nl")] {
            assert_eq!(subject(door, other), names[0], "{other:?}: there is always one to show");
        }
    }
    // A new certificate of the second: it is shown from now on, the first's is as it was, and so is a connection to it.
    let before = Door::of(&gateway).map(|door| names.map(|name| shown(door, Some(name)).1));
    let mut idle = SmtpClient::connect(gateway.smtp).unwrap();
    certificate(&folder, names[1], EC);
    assert_eq!(site.command(&["reload"]).0, 0);
    for (door, [of_first, of_second]) in Door::of(&gateway).into_iter().zip(before) {
        assert_eq!(shown(door, Some(names[0])).1, of_first);
        assert_ne!(shown(door, Some(names[1])).1, of_second);
    }
    assert!(idle.command("NOOP").unwrap().starts_with("250"));
    // A broken one is refused with its name, and both stay as they are.
    std::fs::write(folder.join(format!("{}.pem", names[1])), "niets").unwrap();
    let (status, _, told) = site.command(&["reload"]);
    assert!(status != 0 && told.contains(names[1]) && told.contains("no certificate in this file"), "{told}");
    for door in Door::of(&gateway) {
        assert_eq!(names.map(|name| subject(door, Some(name))), names);
    }
}

/// OpenSSL has the hybrid key exchange from 3.5 on; here rustls asks for it.
#[test]
fn both_doors_offer_a_key_exchange_for_the_time_of_quantum_computers() {
    let (_site, gateway) = start(&["-newkey", "rsa:2048"]);
    for door in Door::of(&gateway) {
        let stream = match door.is_mail {
            true => {
                let mut client = SmtpClient::connect(door.address).unwrap();
                assert!(client.command("STARTTLS").unwrap().starts_with("220"));
                client.into_stream()
            }
            false => TcpStream::connect(door.address).unwrap(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(zegel::tls::opportunistic_client().unwrap(), name).unwrap();
        let mut stream = StreamOwned::new(client, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768, "mail: {}", door.is_mail);
    }
}
