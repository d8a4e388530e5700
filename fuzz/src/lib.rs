//! Laws that hold whatever the input is. Each module has one function `holds`, which panics where its law is broken.
//!
//! libFuzzer tries them on inputs that it makes up (`fuzz_targets/`, `./run fuzz`), and `tests/seeds.rs` on every file
//! in `seeds/`. Only what the library shows to others is used here: what a stranger can reach.

#![forbid(unsafe_code)]

pub mod address;
pub mod config;
pub mod data;
pub mod decision;
pub mod flowed;
pub mod header;
pub mod http_answer;
pub mod master_keys;
pub mod mime;
pub mod openpgp;
pub mod picture;
pub mod pkcs7;
pub mod policy;
pub mod proxy_header;
pub mod rewrite;
pub mod rtf;
pub mod smtp_line;
pub mod smtp_reply;
pub mod smtp_session;
pub mod spf;
pub mod theme;
pub mod tnef;
pub mod token;
pub mod upload;
pub mod uuencode;

use zegel::message::crlf::CrlfBytes;

/// What panics where it does not hold.
pub type Law = fn(&[u8]);

/// Every target by its name: that of its module, its file in `fuzz_targets/` and its folder in `seeds/`.
pub const TARGETS: &[(&str, Law)] = &[
    ("address", address::holds),
    ("config", config::holds),
    ("data", data::holds),
    ("decision", decision::holds),
    ("flowed", flowed::holds),
    ("header", header::holds),
    ("http_answer", http_answer::holds),
    ("master_keys", master_keys::holds),
    ("mime", mime::holds),
    ("openpgp", openpgp::holds),
    ("picture", picture::holds),
    ("pkcs7", pkcs7::holds),
    ("policy", policy::holds),
    ("proxy_header", proxy_header::holds),
    ("rewrite", rewrite::holds),
    ("rtf", rtf::holds),
    ("smtp_line", smtp_line::holds),
    ("smtp_reply", smtp_reply::holds),
    ("smtp_session", smtp_session::holds),
    ("spf", spf::holds),
    ("theme", theme::holds),
    ("tnef", tnef::holds),
    ("token", token::holds),
    ("upload", upload::holds),
    ("uuencode", uuencode::holds),
];

/// A length to cut the input into, so that a seed needs no field for it: it follows from the bytes themselves.
fn step(input: &[u8]) -> usize {
    let sum = input.iter().fold(0usize, |sum, octet| sum.wrapping_mul(31).wrapping_add(usize::from(*octet)));
    1 + sum % 40
}

/// The input as a message that came through the door: lines that end in CRLF, without NUL.
fn message(input: &[u8]) -> CrlfBytes {
    CrlfBytes::normalised(input)
}

/// No line end or other control character: it can stand in a header, a response or a log line (C13).
fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
