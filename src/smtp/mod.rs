//! SMTP in (RFC 5321): the server that peers hand their mail to, for any [`Inbox`](inbox::Inbox).
//!
//! A connection walks from top to bottom: [`listener`] accepts it, `connection` moves its bytes and
//! watches the deadlines, [`session`] is the protocol itself (a state machine without I/O and without a clock),
//! [`command`] turns a line into a command, [`data`] takes the message off the wire, [`response`] holds
//! every code and text that we say, [`peers`] knows who may relay, [`budget`] who holds how much memory, and
//! [`refusals`] tells the log what was refused.
//!
//! What must never happen here: a 250 for a message that the inbox has not kept; two messages where the
//! peer sent one (C07); a byte changed on its way in (H03).

pub mod budget;
pub mod command;
mod connection;
pub mod data;
#[cfg(test)]
mod fixture;
pub mod inbox;
pub mod listener;
pub mod peers;
pub mod refusals;
pub mod response;
pub mod session;

use std::sync::Arc;
use std::time::Duration;

use crate::config::{self, ByteSize};
use crate::proxy_protocol::HeaderSenders;
use peers::Allowed;

pub use listener::Server;

/// Gives the settings of a connection that begins now.
pub type SettingsSource = Box<dyn Fn() -> Arc<SmtpSettings> + Send + Sync>;

/// What a connection goes by; one that is open keeps the settings it began with.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Our name in the greeting and in the EHLO response.
    pub hostname: String,
    /// Clients that may relay.
    pub allowed: Allowed,
    /// Proxies whose connections begin with a PROXY header.
    pub header_senders: HeaderSenders,
    /// Bytes of one message.
    pub max_message_size: u64,
    /// Recipients of one message.
    pub max_recipients: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one client.
    pub max_connections_per_client: usize,
    /// How long a client may say nothing.
    pub idle_timeout: Duration,
    /// Bytes of all messages in memory at once. Read when the server is bound, never again.
    pub memory_budget: u64,
    /// Bytes of it that one client may hold; unset: as many as it leaves free.
    pub memory_budget_per_client: Option<u64>,
    /// With it STARTTLS is offered.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// No mail before STARTTLS.
    pub require_tls: bool,
}

impl SmtpSettings {
    /// From the configuration, with the certificate that it names.
    pub fn new(hostname: &str, smtp: &config::Smtp, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        Self {
            hostname: hostname.to_owned(),
            allowed: Allowed::new(smtp.allow.clone()),
            header_senders: HeaderSenders::new(smtp.proxy_protocol, &smtp.trusted_proxies),
            max_message_size: smtp.max_message_size.bytes(),
            max_recipients: smtp.max_recipients,
            max_connections: smtp.max_connections,
            max_connections_per_client: smtp.max_connections_per_client,
            idle_timeout: smtp.idle_timeout,
            memory_budget: smtp.memory_budget.bytes(),
            memory_budget_per_client: smtp.memory_budget_per_client.map(ByteSize::bytes),
            tls,
            require_tls: smtp.require_tls,
        }
    }
}
