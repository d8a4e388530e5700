//! What is wrong in the file itself, or in the environment.

use std::fs;

use crate::Case;

const SEVERAL: (&str, &str) = ("[organisation]", "[[organisation]]");
const TWO: &str = r#"[[organisation]]
name = "Gemeente Zuiderveen"
domains = ["zuiderveen.nl"]
public_url = "https://veilig.zuiderveen.nl"
[organisation.seal]
expiry_days = 14

[smtp]"#;

pub const CASES: &[Case] = &[
    Case {
        name: "organisations-with-one-domain",
        edits: &[
            SEVERAL,
            ("[smtp]", TWO),
            ("domains = [\"zuiderveen.nl\"]", "domains = [\"zuiderveen.nl\", \"Voorbeeld.NL\"]"),
        ],
        expected: ("error", "voorbeeld.nl is of \"Gemeente Voorbeeld\" already"),
        ..CASE
    },
    Case {
        name: "organisations-at-one-host",
        edits: &[SEVERAL, ("[smtp]", TWO), ("public_url = \"https://veilig.zuiderveen.nl\"\n", "")],
        expected: ("error", "one host cannot have two faces"),
        ..CASE
    },
    Case {
        name: "organisations-with-a-fault-each",
        edits: &[
            SEVERAL,
            ("[smtp]", TWO),
            ("phone = \"14 0511\"", "phone = 5"),
            ("expiry_days = 14", "expiry_days = 0\nexpiry_day = 3"),
        ],
        expected: ("error", "unknown key organisation.seal.expiry_day"),
        ..CASE
    },
    Case {
        name: "partner-that-is-nobody",
        edits: &[
            SEVERAL,
            ("[smtp]", TWO),
            ("name = \"Gemeente Zuiderveen\"", "name = \"Gemeente Zuiderveen\"\npartners = [\"elders.nl\"]"),
        ],
        expected: ("error", "no other organisation here has the domain"),
        ..CASE
    },
    Case {
        name: "variable-of-no-organisation-in-particular",
        edits: &[SEVERAL, ("[smtp]", TWO)],
        environment: &[("ZEGEL_ORGANISATION__PHONE", "14 0599")],
        expected: ("error", "organisation is not a section"),
        ..CASE
    },
    Case {
        name: "no-file",
        prepare: Some(|folder| {
            fs::remove_file(folder.join("zegel.toml")).unwrap();
            Vec::new()
        }),
        expected: ("error", "No such file"),
        ..CASE
    },
    Case {
        name: "not-utf-8",
        prepare: Some(|folder| {
            let file = folder.join("zegel.toml");
            let mut bytes = fs::read(&file).unwrap();
            bytes.extend_from_slice(b"# Frysl\xe2n\n");
            fs::write(file, bytes).unwrap();
            Vec::new()
        }),
        expected: ("error", "not UTF-8"),
        ..CASE
    },
    Case {
        name: "no-toml",
        edits: &[("[smtp]", "[smtp\n"), ("tls = \"required\"", "tls = required")],
        expected: ("error", "TOML parse error"),
        ..CASE
    },
    Case {
        name: "key-twice",
        edits: &[("phone = ", "name = \"Gemeente\"\nphone = ")],
        expected: ("error", "duplicate key"),
        ..CASE
    },
    Case {
        name: "unknown-key",
        edits: &[("[smtp]", "[smtp]\nmax_recipient = 5")],
        expected: ("error", "unknown key smtp.max_recipient; did you mean smtp.max_recipients?"),
        ..CASE
    },
    Case {
        name: "unknown-section",
        edits: &[("[smtp]", "[smpt]")],
        expected: ("error", "unknown key smpt; did you mean smtp?"),
        ..CASE
    },
    Case {
        name: "unknown-key-in-a-section-of-a-section",
        edits: &[("[web]", "[relay.inside]\nsmarthosts = \"x:25\"\n[web]")],
        expected: ("error", "did you mean relay.inside.smarthost?"),
        ..CASE
    },
    Case {
        name: "missing-key",
        edits: &[("hostname = \"veilig.voorbeeld.nl\"\n", "")],
        expected: ("error", "hostname is missing"),
        ..CASE
    },
    Case {
        name: "missing-section",
        edits: &[("[relay]\nsmarthost = \"smarthost.voorbeeld.nl:25\"\ntls = \"required\"\n", "")],
        expected: ("error", "relay.smarthost is missing"),
        ..CASE
    },
    Case {
        name: "text-for-a-list",
        edits: &[("listen = [\"127.0.0.1:0\"]", "listen = \"127.0.0.1:0\"")],
        expected: ("error", "smtp.listen: invalid type"),
        ..CASE
    },
    Case {
        name: "value-for-a-section",
        edits: &[("[web]", "[web2]"), ("hostname =", "web = \"https://veilig.voorbeeld.nl\"\nhostname =")],
        expected: ("error", "web: invalid type"),
        ..CASE
    },
    Case {
        name: "size-in-another-unit",
        edits: &[("[smtp]", "[smtp]\nmax_message_size = \"50MB\"")],
        expected: ("error", "smtp.max_message_size"),
        ..CASE
    },
    Case {
        name: "duration-without-a-unit",
        edits: &[("[smtp]", "[smtp]\nidle_timeout = 300")],
        expected: ("error", "smtp.idle_timeout"),
        ..CASE
    },
    Case {
        name: "word-that-is-none",
        edits: &[("\"required\"", "\"always\"")],
        expected: ("error", "relay.tls"),
        ..CASE
    },
    Case {
        name: "time-zone",
        edits: &[("phone =", "time_zone = \"Europe/Amsterdm\"\nphone =")],
        expected: ("error", "did you mean Europe/Amsterdam?"),
        ..CASE
    },
    Case {
        name: "no-address",
        edits: &[("[\"127.0.0.1:0\"]", "[\n  \"127.0.0.1:0\",\n  \"mail.voorbeeld.nl:25\",\n]")],
        expected: ("error", "smtp.listen"),
        ..CASE
    },
    Case {
        name: "no-network",
        edits: &[("[smtp]", "[smtp]\nallow = [\"10.0.0.0/33\"]")],
        expected: ("error", "smtp.allow"),
        ..CASE
    },
    Case {
        name: "all-at-once",
        edits: &[
            ("hostname = \"veilig.voorbeeld.nl\"\n", ""),
            ("phone = ", "fone = "),
            ("[smtp]", "[smtp]\nmax_recipients = \"many\"\nidle_timeout = 5"),
            ("tls = \"required\"", "tls = \"always\""),
            ("https://", "ftp://"),
        ],
        expected: ("error", "relay.tls"),
        ..CASE
    },
    Case {
        name: "host-name-with-a-blank",
        edits: &[("\"veilig.voorbeeld.nl\"\ndata", "\"veilig voorbeeld.nl\"\ndata")],
        expected: ("error", "hostname must be a host name"),
        ..CASE
    },
    Case {
        name: "domain-with-an-at-sign",
        edits: &[("[\"voorbeeld.nl\"]", "[\"@voorbeeld.nl\"]")],
        expected: ("error", "organisation.domains must be domain names"),
        ..CASE
    },
    Case {
        name: "no-domain",
        edits: &[("[\"voorbeeld.nl\"]", "[]")],
        expected: ("error", "must not be empty"),
        ..CASE
    },
    Case {
        name: "url-without-a-scheme",
        edits: &[("https://veilig", "veilig")],
        expected: ("error", "must start with https://"),
        ..CASE
    },
    Case {
        name: "url-with-a-path",
        edits: &[("https://veilig.voorbeeld.nl", "https://veilig.voorbeeld.nl/zegel")],
        expected: ("error", "no more"),
        ..CASE
    },
    Case {
        name: "smarthost-without-a-port",
        edits: &[("smarthost.voorbeeld.nl:25", "smarthost.voorbeeld.nl")],
        expected: ("error", "host:port"),
        ..CASE
    },
    Case {
        name: "half-a-login-inside",
        edits: &[(
            "[web]",
            "[relay.inside]\nsmarthost = \"exchange.voorbeeld.nl:25\"\nusername = \"zegel\"\n[web]",
        )],
        expected: ("error", "go together"),
        ..CASE
    },
    Case {
        name: "proxies-without-the-protocol",
        edits: &[("[smtp]", "[smtp]\ntrusted_proxies = [\"10.0.0.9/32\"]")],
        expected: ("error", "does nothing without"),
        ..CASE
    },
    Case {
        name: "protocol-without-proxies",
        edits: &[("[web]", "[web]\nproxy_protocol = true")],
        expected: ("error", "needs web.trusted_proxies"),
        ..CASE
    },
    Case {
        name: "every-proxy",
        edits: &[("[smtp]", "[smtp]\nproxy_protocol = true\ntrusted_proxies = [\"0.0.0.0/0\"]")],
        expected: ("error", "must not hold every address"),
        ..CASE
    },
    Case {
        name: "expiry-beyond-a-year",
        edits: &[("[web]", "[seal]\nexpiry_days = 400\n[web]")],
        expected: ("error", "from 1 to 365"),
        ..CASE
    },
    Case {
        name: "certificate-without-a-key",
        edits: &[("[web]", "[web]\ntls_certificate = \"cert.pem\"")],
        expected: ("error", "go together"),
        ..CASE
    },
    Case {
        name: "tls-required-without-a-certificate",
        edits: &[("[smtp]", "[smtp]\nrequire_tls = true")],
        expected: ("error", "smtp.require_tls needs"),
        ..CASE
    },
    Case {
        name: "less-memory-than-a-message",
        edits: &[("[smtp]", "[smtp]\nmax_message_size = \"1GiB\"")],
        expected: ("error", "smtp.memory_budget"),
        ..CASE
    },
    Case {
        name: "bounces-to-the-outside",
        edits: &[("[web]", "[reply]\nbounces = \"post@example.org\"\n[web]")],
        expected: ("error", "reply.bounces"),
        ..CASE
    },
    Case {
        name: "ending-with-a-dot",
        edits: &[("[web]", "[reply]\nfile_types = [\".pdf\"]\n[web]")],
        expected: ("error", "without the dot"),
        ..CASE
    },
    Case {
        name: "scanner-that-is-no-socket",
        edits: &[("[web]", "[reply]\nscanner = \"clamd.ctl\"\n[web]")],
        expected: ("error", "reply.scanner"),
        ..CASE
    },
    Case {
        name: "database-without-a-bucket",
        edits: &[("[web]", "[store]\ndatabase = \"postgresql://zegel@db/zegel\"\n[web]")],
        expected: ("error", "go together"),
        ..CASE
    },
    Case {
        name: "bucket-in-clear",
        edits: &[(
            "[web]",
            "[store]\ndatabase = \"mysql://db/zegel\"\nblobs = \"s3://zegel\"\nendpoint = \"http://s3.voorbeeld.nl\"\nconnections = 2\n[web]",
        )],
        expected: ("error", "http:// is for a service on this machine"),
        ..CASE
    },
    Case {
        name: "variable-misspelt",
        environment: &[("ZEGEL_SMTP__LISTN", "[\"127.0.0.1:0\"]")],
        expected: ("error", "did you mean smtp.listen?"),
        ..CASE
    },
    Case {
        name: "variable-with-one-underscore",
        environment: &[("ZEGEL_SMTP_LISTEN", "[\"127.0.0.1:0\"]")],
        expected: ("error", "unknown key smtp_listen"),
        ..CASE
    },
    Case {
        name: "variable-of-a-wrong-type",
        environment: &[("ZEGEL_SMTP__MAX_RECIPIENTS", "many")],
        expected: ("error", "smtp.max_recipients"),
        ..CASE
    },
    Case {
        name: "variable-below-a-value",
        environment: &[("ZEGEL_HOSTNAME__NAME", "x")],
        expected: ("error", "is not a section"),
        ..CASE
    },
    Case {
        name: "variable-against-a-rule",
        environment: &[("ZEGEL_SEAL__EXPIRY_DAYS", "0")],
        expected: ("error", "seal.expiry_days"),
        ..CASE
    },
    Case {
        name: "variables-of-kubernetes",
        environment: &[
            ("ZEGEL_PORT", "tcp://10.96.0.7:25"),
            ("ZEGEL_SERVICE_HOST", "10.96.0.7"),
            ("ZEGEL_SERVICE_PORT", "25"),
            ("ZEGEL_PORT_25_TCP", "tcp://10.96.0.7:25"),
            ("ZEGEL_PORT_25_TCP_PROTO", "tcp"),
            ("ZEGEL_PORT_25_TCP_PORT", "25"),
            ("ZEGEL_PORT_25_TCP_ADDR", "10.96.0.7"),
        ],
        expected: ("note", "set by Kubernetes"),
        ..CASE
    },
    Case {
        name: "key-of-nodes-for-a-folder",
        environment: &[("ZEGEL_MASTER_KEY", "x")],
        prepare: Some(|folder| {
            // What a gateway has left behind.
            fs::create_dir(folder.join("data")).unwrap();
            fs::write(folder.join("data/master.key"), "x").unwrap();
            crate::files::private(folder);
            Vec::new()
        }),
        expected: ("error", "the database is missing"),
        ..CASE
    },
];

const CASE: Case =
    Case { name: "", edits: &[], environment: &[], arguments: &[], prepare: None, expected: ("", "") };
