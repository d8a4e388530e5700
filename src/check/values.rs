//! Values that are allowed, and that nobody means.

use std::net::IpAddr;
use std::time::Duration;

use super::Findings;
use crate::config::{Config, Scanner};

/// A gateway that gives up before a night is over returns mail that only a restart kept waiting.
const SHORT: Duration = Duration::from_hours(12);

pub fn look(config: &Config, found: &mut Findings) {
    names(config, found);
    url(config, found);
    limits(config, found);
    times(config, found);
    scanner(config, found);
}

fn names(config: &Config, found: &mut Findings) {
    let organisation = &config.organisation;
    if organisation.name.trim().is_empty() {
        let reason = "organisation.name is empty: recipients do not see whose mail it is";
        found.warning("organisation.name", reason, "write the name that residents know");
    }
    if organisation.phone.trim().is_empty() {
        let reason = "organisation.phone is empty: a recipient without a password knows nobody to call";
        found.note("organisation.phone", reason, "write the number of the helpdesk");
    }
    if !config.hostname.contains('.') || config.hostname.parse::<IpAddr>().is_ok() {
        let reason = format!(
            "hostname is \"{}\": other mail servers refuse a name without a domain in EHLO",
            config.hostname
        );
        found.warning("hostname", reason, "write the full name that DNS gives this machine");
    }
    let mut domains = organisation.domains.clone();
    domains.sort_unstable();
    domains.dedup();
    if domains.len() < organisation.domains.len() {
        let reason = "organisation.domains names a domain twice";
        found.note("organisation.domains", reason, "leave one of them out");
    }
}

fn url(config: &Config, found: &mut Findings) {
    const KEY: &str = "web.public_url";
    let url = config.web.public_url.as_str();
    let Some((scheme, authority)) = url.split_once("://") else { return };
    let host = host_of(authority);
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
    if is_here {
        let reason = format!("{KEY} is {url}: links in notifications open on this machine only");
        return found.warning(KEY, reason, "write the name under which residents reach the pages");
    }
    if host.parse::<IpAddr>().is_ok() || !host.contains('.') {
        let reason = format!(
            "{KEY} is {url}: residents can check no such name, and few certificates are given for it"
        );
        found.warning(KEY, reason, "write a full host name in your own domain");
    }
    if scheme == "http" {
        let reason =
            format!("{KEY} begins with http://: passwords and messages travel where others can read along");
        found.warning(KEY, reason, "write https://, with a certificate here or at the reverse proxy");
    }
}

/// The host of `host:port`, without brackets.
pub fn host_of(authority: &str) -> &str {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.trim_end_matches('.')
}

fn limits(config: &Config, found: &mut Findings) {
    let smtp = &config.smtp;
    for (key, value, what) in [
        ("smtp.max_recipients", smtp.max_recipients, "no message has so few recipients"),
        ("smtp.max_connections", smtp.max_connections, "every client is turned away"),
        ("smtp.max_connections_per_client", smtp.max_connections_per_client, "every client is turned away"),
        ("relay.max_connections", config.relay.max_connections, "nothing is ever delivered"),
    ] {
        if value == 0 {
            found.error(key, format!("{key} is 0: {what}"), "write a number, or leave the key out");
        }
    }
    if smtp.max_message_size.bytes() < 64 << 10 {
        let reason = format!(
            "smtp.max_message_size is {} bytes: nearly every mail is refused",
            smtp.max_message_size.bytes()
        );
        found.warning("smtp.max_message_size", reason, "sizes have a unit: \"50MiB\"");
    }
    let whole = config.reply.max_size.bytes();
    if config.reply.enabled && whole < 64 << 10 {
        let reason = format!("reply.max_size is {whole} bytes: hardly an answer fits");
        found.warning("reply.max_size", reason, "sizes have a unit: \"1GiB\"");
    }
}

fn times(config: &Config, found: &mut Findings) {
    let relay = &config.relay;
    if config.smtp.idle_timeout < Duration::from_secs(10) {
        let reason =
            "smtp.idle_timeout is below ten seconds: slow clients are cut off in the middle of a mail";
        found.warning("smtp.idle_timeout", reason, "RFC 5321 4.5.3.2 asks for five minutes: \"5m\"");
    }
    if relay.retry.contains(&Duration::ZERO) {
        let reason = "relay.retry holds a wait of no time: a server in trouble is asked again at once";
        found.warning("relay.retry", reason, "begin with \"1m\"");
    }
    let first = relay.retry.first().copied().unwrap_or(Duration::ZERO);
    if relay.give_up_after <= first {
        let reason =
            "relay.give_up_after is no longer than the first wait of relay.retry: nothing is tried twice";
        found.warning("relay.give_up_after", reason, "five days are usual: \"5d\"");
    } else if relay.give_up_after < SHORT {
        let reason = "relay.give_up_after is below twelve hours: a smarthost that is away for a night returns all mail to its senders";
        found.warning("relay.give_up_after", reason, "five days are usual: \"5d\"");
    }
    if relay.soft_bounce {
        let reason = "relay.soft_bounce is on: what the next hop refuses waits, and its sender hears only after relay.give_up_after";
        found.warning("relay.soft_bounce", reason, "set it to false once the first weeks have gone well");
    }
}

/// Without its scanner the gateway takes no file of an answer.
fn scanner(config: &Config, found: &mut Findings) {
    let Some(Scanner::Socket(socket)) = &config.reply.scanner else { return };
    if !socket.exists() {
        let reason = format!(
            "reply.scanner: {} is not there: until clamd listens, no file of an answer is taken",
            socket.display()
        );
        found.warning(
            "reply.scanner",
            reason,
            "start clamav-daemon, or name the socket that its LocalSocket says",
        );
    }
}
