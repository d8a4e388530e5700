//! What was refused, in the log: a line each, so that "why does my copier not send" is one search (M25). Told by
//! `session`, `connection` and `listener`. A line names the client, the reason and the code; never more of the sender than
//! the domain, and nothing of the message.
//!
//! A client that tries again and again does not fill the log: what it repeats within a minute is one line, and one
//! more at its end that says how often. So is a flood of different refusals.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::response::Response;
use crate::diagnostic::EnhancedCode;
use crate::id::OrganisationId;
use crate::limits::client_key;
use crate::metrics::Metrics;

/// After this long, what was left out is told, and counting begins anew.
pub const MINUTE: Duration = Duration::from_mins(1);
/// Different lines of one client in a minute, and of all.
const MOST_OF_CLIENT: usize = 20;
const MOST_IN_ALL: usize = 500;

/// One refusal: of whom, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefusalLine {
    /// From where.
    pub client: IpAddr,
    /// What it called itself, once it has.
    pub helo: Option<String>,
    /// The domain in its MAIL command, `<>` for the null sender.
    pub sender: Option<String>,
    /// Whose mail it is, once that is known.
    pub organisation: Option<OrganisationId>,
    /// The code of the response; none where the connection ended without one.
    pub code: Option<u16>,
    /// The text of the response, or what ended the connection.
    pub reason: String,
}

impl RefusalLine {
    /// Of a client that nothing more is known of.
    pub fn of_client(client: IpAddr, response: &Response) -> Self {
        Self::because(client, response, response.text().to_owned())
    }

    /// The same for a reason that the client is not told.
    pub fn because(client: IpAddr, response: &Response, reason: String) -> Self {
        let (client, code) = (client.to_canonical(), Some(response.code()));
        Self { client, helo: None, sender: None, organisation: None, code, reason }
    }

    /// The enhanced status code, with which the text of a response begins.
    fn status(&self) -> Option<EnhancedCode> {
        self.reason.split(' ').next()?.parse().ok()
    }

    fn log(&self) {
        let Self { client, helo, sender, organisation, code, reason } = self;
        let (helo, sender) = (helo.as_deref(), sender.as_deref());
        let organisation = organisation.as_ref().map(OrganisationId::as_str);
        tracing::info!(%client, helo, sender, organisation, code, reason, "SMTP refused");
    }

    fn log_again(&self, times: u64) {
        let Self { client, helo, sender, organisation, code, reason } = self;
        let (helo, sender) = (helo.as_deref(), sender.as_deref());
        let organisation = organisation.as_ref().map(OrganisationId::as_str);
        tracing::info!(%client, helo, sender, organisation, code, reason, times, "SMTP refused again");
    }
}

/// The refusals of the last minute.
#[derive(Debug, Default)]
pub struct Refusals {
    minute: Mutex<Minute>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Minute {
    clients: HashMap<String, OfClient>,
    lines: usize,
    /// Of clients that have no line at all.
    left_out: u64,
}

#[derive(Debug, Default)]
struct OfClient {
    /// What has its line, and how often it came again.
    lines: HashMap<RefusalLine, u64>,
    /// What has none.
    left_out: u64,
}

impl Refusals {
    /// Counts every one of them there.
    pub fn counting(metrics: Metrics) -> Self {
        Self { minute: Mutex::default(), metrics }
    }

    /// Writes it to the log, or counts it where that is full.
    pub fn tell(&self, refusal: RefusalLine) {
        self.metrics.refused(refusal.organisation.as_ref(), refusal.code, refusal.status());
        if self.lock().counts(&refusal) {
            refusal.log();
        }
    }

    /// Tells what was left out, and begins a new minute.
    pub fn end_minute(&self) {
        let Minute { clients, left_out, .. } = std::mem::take(&mut *self.lock());
        for (client, OfClient { lines, left_out }) in clients {
            for (refusal, times) in lines.into_iter().filter(|(_, times)| *times > 0) {
                refusal.log_again(times);
            }
            if left_out > 0 {
                tracing::info!(
                    client,
                    times = left_out,
                    "SMTP refused for other reasons, left out of the log"
                );
            }
        }
        if left_out > 0 {
            tracing::info!(times = left_out, "SMTP refused to other clients, left out of the log");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Whether it has a line of its own.
    fn counts(&mut self, refusal: &RefusalLine) -> bool {
        let is_full = self.lines >= MOST_IN_ALL;
        let key = client_key(refusal.client);
        if is_full && !self.clients.contains_key(&key) {
            self.left_out += 1;
            return false;
        }
        let client = self.clients.entry(key).or_default();
        if let Some(times) = client.lines.get_mut(refusal) {
            *times += 1;
            return false;
        }
        if is_full || client.lines.len() >= MOST_OF_CLIENT {
            client.left_out += 1;
            return false;
        }
        client.lines.insert(refusal.clone(), 0);
        self.lines += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(client: &str, sender: &str) -> RefusalLine {
        let refusal = RefusalLine::of_client(client.parse().unwrap(), &Response::RELAY_DENIED);
        RefusalLine { sender: Some(sender.into()), ..refusal }
    }

    #[test]
    fn what_is_repeated_is_counted() {
        let mut minute = Minute::default();
        assert!(minute.counts(&refusal("192.0.2.1", "a.example")));
        assert!(minute.counts(&refusal("192.0.2.1", "b.example")));
        assert!(minute.counts(&refusal("192.0.2.2", "a.example")));
        for _ in 0..3 {
            assert!(!minute.counts(&refusal("192.0.2.1", "a.example")));
        }
        assert_eq!(minute.clients["192.0.2.1"].lines[&refusal("192.0.2.1", "a.example")], 3);
    }

    #[test]
    fn a_flood_is_bounded_and_counted() {
        let mut minute = Minute::default();
        let lines = (0..100).filter(|n| minute.counts(&refusal("192.0.2.1", &n.to_string()))).count();
        assert_eq!(lines, MOST_OF_CLIENT);
        assert_eq!(minute.clients["192.0.2.1"].left_out, 80);
        assert!(minute.counts(&refusal("192.0.2.2", "x")), "somebody else's has its line");
        let from = |n: u32| format!("10.0.{}.{}", n / 256, n % 256);
        let lines = (0..1000).filter(|&n| minute.counts(&refusal(&from(n), "x"))).count();
        assert_eq!(lines, MOST_IN_ALL - MOST_OF_CLIENT - 1);
        assert_eq!(minute.left_out, 1000 - lines as u64);
        assert!(minute.clients.len() <= MOST_IN_ALL);
    }
}
