//! The way to the next hop: one SMTP transaction for each message and envelope, with an outcome for every
//! recipient. Called by `queue/worker` only, which knows the trait [`NextHop`].
//!
//! [`smarthost::Smarthost`] keeps the connections, `smtp_client` opens one (greeting, EHLO, STARTTLS, AUTH),
//! sends one mail over it, and [`outcome`] alone says what an answer or a broken connection means.
//! What must never happen: a changed byte of the message (H03), clear text where TLS is required (C10), two
//! deliveries where one was acknowledged (H06).

mod mail;
mod next_hop;
pub mod outcome;
pub mod probe;
pub mod refusal;
pub mod smarthost;
pub mod smtp_client;

use std::time::Duration;

pub use mail::{MessageBlocks, OutgoingMail};
pub use next_hop::NextHop;

/// How long each stage may take (RFC 5321 4.5.3.2); tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until the TCP connection stands, and until TLS does.
    pub connect: Duration,
    /// For the 220 greeting.
    pub greeting: Duration,
    /// For the answer to EHLO, STARTTLS, AUTH, MAIL, RCPT, RSET.
    pub command: Duration,
    /// For the answer to DATA.
    pub data: Duration,
    /// For each block of the message to leave.
    pub block: Duration,
    /// For the answer after the final dot.
    pub done: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            connect: minutes(1),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            block: minutes(3),
            done: minutes(10),
        }
    }
}
