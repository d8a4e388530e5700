//! Addresses and ports, who may relay, and values that nobody means.

use std::fs;
use std::net::TcpListener;
use std::sync::Mutex;

use crate::Case;
use crate::support::gateway::free_port;

pub const CASES: &[Case] = &[
    Case {
        name: "port-of-another-program",
        prepare: Some(|folder| {
            let port = free_port();
            HELD.lock().unwrap().push(TcpListener::bind(("127.0.0.1", port)).unwrap());
            let file = folder.join("zegel.toml");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(file, text.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1)).unwrap();
            let program = fs::read_to_string("/proc/self/comm").unwrap();
            vec![
                (format!(":{port}"), ":PORT".to_owned()),
                (program.trim_end().to_owned(), "PROGRAM".to_owned()),
                (format!("process {}", std::process::id()), "process NUMBER".to_owned()),
            ]
        }),
        expected: ("error", "listens already"),
        ..CASE
    },
    Case {
        name: "address-of-another-machine",
        edits: &[
            ("[\"127.0.0.1:0\"]", "[\"192.0.2.7:25\"]"),
            ("[smtp]", "[smtp]\nallow = [\"192.0.2.8/32\"]"),
        ],
        expected: ("warning", "no address of this machine"),
        ..CASE
    },
    Case {
        name: "address-twice",
        edits: &[
            ("[\"127.0.0.1:0\"]\n\n[relay]", "[\"127.0.0.1:19091\"]\n\n[relay]"),
            ("listen = [\"127.0.0.1:0\"]\npublic_url", "listen = [\"127.0.0.1:19091\"]\npublic_url"),
        ],
        expected: ("error", "which smtp.listen holds already"),
        ..CASE
    },
    Case {
        name: "no-listener-for-mail",
        edits: &[("[\"127.0.0.1:0\"]", "[]")],
        expected: ("warning", "smtp.listen is empty"),
        ..CASE
    },
    Case {
        name: "no-listener-for-the-pages",
        edits: &[("listen = [\"127.0.0.1:0\"]\npublic_url", "listen = []\npublic_url")],
        expected: ("warning", "web.listen is empty"),
        ..CASE
    },
    Case {
        name: "port-outside-of-the-unit",
        edits: &[("[\"127.0.0.1:0\"]", "[\"127.0.0.1:24\"]")],
        expected: ("note", "the unit allows"),
        ..CASE
    },
    Case {
        name: "administrator-for-everybody",
        edits: &[("[admin]\nlisten = [\"127.0.0.1:0\"]", "[admin]\nlisten = [\"0.0.0.0:0\"]")],
        expected: ("warning", "without a login"),
        ..CASE
    },
    Case {
        name: "relay-for-everybody",
        edits: &[("[smtp]", "[smtp]\nallow = [\"0.0.0.0/0\"]")],
        expected: ("warning", "everybody may send mail"),
        ..CASE
    },
    Case {
        name: "relay-for-many",
        edits: &[("[smtp]", "[smtp]\nallow = [\"64.0.0.0/4\", \"2000::/3\"]")],
        expected: ("warning", "a large part of the internet"),
        ..CASE
    },
    Case {
        name: "relay-for-nobody",
        edits: &[("[smtp]", "[smtp]\nallow = []")],
        expected: ("warning", "smtp.allow is empty"),
        ..CASE
    },
    Case {
        name: "relay-for-this-machine-only",
        edits: &[("[\"127.0.0.1:0\"]", "[\"0.0.0.0:0\"]")],
        expected: ("warning", "refused with 550 5.7.1"),
        ..CASE
    },
    Case {
        name: "network-with-host-bits",
        edits: &[("[smtp]", "[smtp]\nallow = [\"10.0.0.5/24\"]")],
        expected: ("note", "all of 10.0.0.0/24"),
        ..CASE
    },
    Case {
        name: "forwarded-by-everybody",
        edits: &[("[web]", "[web]\ntrusted_proxies = [\"::/0\"]")],
        expected: ("warning", "X-Forwarded-For"),
        ..CASE
    },
    Case {
        name: "pages-without-tls-or-proxy",
        edits: &[("listen = [\"127.0.0.1:0\"]\npublic_url", "listen = [\"0.0.0.0:0\"]\npublic_url")],
        expected: ("warning", "counts as the proxy"),
        ..CASE
    },
    Case {
        name: "smarthost-that-is-this-gateway",
        edits: &[
            ("[\"127.0.0.1:0\"]", "[\"0.0.0.0:19092\"]"),
            ("[smtp]", "[smtp]\nallow = [\"10.0.0.0/24\"]"),
            ("smarthost.voorbeeld.nl:25", "localhost:19092"),
        ],
        expected: ("error", "round in a circle"),
        ..CASE
    },
    Case {
        name: "smarthost-with-our-name",
        edits: &[
            ("[\"127.0.0.1:0\"]", "[\"127.0.0.1:19093\"]"),
            ("smarthost.voorbeeld.nl:25", "veilig.voorbeeld.nl:19093"),
        ],
        expected: ("error", "round in a circle"),
        ..CASE
    },
    Case {
        name: "tls-off",
        edits: &[("\"required\"", "\"off\"")],
        expected: ("warning", "relay.tls is \"off\""),
        ..CASE
    },
    Case {
        name: "tls-opportunistic",
        edits: &[("tls = \"required\"\n", "")],
        expected: ("warning", "relay.tls is \"opportunistic\""),
        ..CASE
    },
    Case {
        name: "soft-bounce",
        edits: &[("tls = ", "soft_bounce = true\ntls = ")],
        expected: ("warning", "relay.soft_bounce is on"),
        ..CASE
    },
    Case {
        name: "retry-without-a-wait",
        edits: &[("tls = ", "retry = [\"0s\", \"1m\"]\ntls = ")],
        expected: ("warning", "relay.retry"),
        ..CASE
    },
    Case {
        name: "gives-up-before-the-second-try",
        edits: &[("tls = ", "give_up_after = \"1m\"\ntls = ")],
        expected: ("warning", "nothing is tried twice"),
        ..CASE
    },
    Case {
        name: "gives-up-overnight",
        edits: &[("tls = ", "give_up_after = \"4h\"\ntls = ")],
        expected: ("warning", "twelve hours"),
        ..CASE
    },
    Case {
        name: "no-connections",
        edits: &[("tls = ", "max_connections = 0\ntls = ")],
        expected: ("error", "nothing is ever delivered"),
        ..CASE
    },
    Case {
        name: "no-time-for-clients",
        edits: &[("[smtp]", "[smtp]\nidle_timeout = \"1s\"")],
        expected: ("warning", "cut off"),
        ..CASE
    },
    Case {
        name: "size-without-a-unit",
        edits: &[("[smtp]", "[smtp]\nmax_message_size = 50")],
        expected: ("warning", "nearly every mail"),
        ..CASE
    },
    Case {
        name: "host-name-without-a-domain",
        edits: &[("\"veilig.voorbeeld.nl\"\ndata", "\"veilig\"\ndata")],
        expected: ("warning", "without a domain"),
        ..CASE
    },
    Case {
        name: "no-telephone",
        edits: &[("phone = \"14 0511\"\n", "")],
        expected: ("note", "organisation.phone"),
        ..CASE
    },
    Case {
        name: "no-name",
        edits: &[("\"Gemeente Voorbeeld\"", "\"\"")],
        expected: ("warning", "organisation.name is empty"),
        ..CASE
    },
    Case {
        name: "domain-twice",
        edits: &[("[\"voorbeeld.nl\"]", "[\"voorbeeld.nl\", \"Voorbeeld.NL\"]")],
        expected: ("note", "a domain twice"),
        ..CASE
    },
    Case {
        name: "url-of-this-machine",
        edits: &[("https://veilig.voorbeeld.nl", "http://localhost:8080")],
        expected: ("warning", "on this machine only"),
        ..CASE
    },
    Case {
        name: "url-that-is-an-address",
        edits: &[("https://veilig.voorbeeld.nl", "https://192.0.2.7")],
        expected: ("warning", "residents can check no such name"),
        ..CASE
    },
    Case {
        name: "url-in-clear",
        edits: &[("https://", "http://")],
        expected: ("warning", "read along"),
        ..CASE
    },
    Case {
        name: "scanner-without-a-socket",
        edits: &[("[web]", "[reply]\nscanner = \"/run/zegel-test/none.ctl\"\n[web]")],
        expected: ("warning", "no file of an answer is taken"),
        ..CASE
    },
];

const CASE: Case =
    Case { name: "", edits: &[], environment: &[], arguments: &[], prepare: None, expected: ("", "") };

/// Until the tests end.
static HELD: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
