//! Who may relay, who is believed, and whether mail would go round in circles.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Findings;
use super::sockets;
use super::values::host_of;
use crate::config::{Config, Direction};

/// A network with more addresses than an organisation has mail servers.
const WIDE_V4: u8 = 8;
const WIDE_V6: u8 = 32;

pub fn look(config: &Config, found: &mut Findings) {
    allow(config, found);
    proxies(config, found);
    if !found.replaced.has("relay.smarthost") {
        smarthosts(config, found);
        encryption(config, found);
    }
}

fn encryption(config: &Config, found: &mut Findings) {
    let relay = &config.relay;
    // `soft_bounce` has a finding of its own; the others are about encryption.
    let notes = relay.notes().into_iter().filter(|note| !note.starts_with("relay.soft_bounce"));
    for reason in notes.chain(relay.advice()) {
        let key = if reason.starts_with("relay.inside") { "relay.inside.tls" } else { "relay.tls" };
        found.warning(key, reason, "tls = \"required\", or \"implicit\" for port 465; the certificate must bear the name in smarthost");
    }
}

fn allow(config: &Config, found: &mut Findings) {
    const KEY: &str = "smtp.allow";
    let allow = &config.smtp.allow;
    if allow.is_empty() {
        return found.warning(KEY, "smtp.allow is empty: nobody may send mail", "name your mail server");
    }
    for net in allow {
        let is_everybody = net.prefix_len() == 0;
        let is_wide = net.prefix_len() < if net.network().is_ipv4() { WIDE_V4 } else { WIDE_V6 };
        if is_everybody || is_wide {
            let who = if is_everybody { "everybody" } else { "a large part of the internet" };
            let reason = format!(
                "{KEY} holds {net}: {who} may send mail in the name of {} through this gateway",
                config.organisation.domains.join(" and ")
            );
            found.warning(KEY, reason, "name the addresses of your own mail servers, no more");
        } else if net.addr() != net.network() {
            let reason = format!("{KEY} holds {net}, which is all of {}", net.trunc());
            found.note(
                KEY,
                reason,
                format!(
                    "write {}, or {}/{} for that one address",
                    net.trunc(),
                    net.addr(),
                    net.max_prefix_len()
                ),
            );
        }
    }
    let only_here = allow.iter().all(|net| net.network().is_loopback());
    let listens_outside = config.smtp.listen.iter().any(|address| !address.ip().is_loopback());
    if only_here && listens_outside && !config.smtp.proxy_protocol {
        let reason = "smtp.allow holds this machine only, and smtp.listen is open to others: they are all refused with 550 5.7.1";
        found.warning(KEY, reason, "name the address of your mail server");
    }
}

fn proxies(config: &Config, found: &mut Findings) {
    let is_everybody = |net: &IpNet| net.prefix_len() == 0;
    if !config.web.proxy_protocol && config.web.trusted_proxies.iter().any(is_everybody) {
        let reason = "web.trusted_proxies holds every address: any visitor says who they are by X-Forwarded-For, and so \
                      escapes every limit";
        found.warning("web.trusted_proxies", reason, "name the addresses of your reverse proxies");
    }
    let is_open = config.web.listen.iter().any(|address| !address.ip().is_loopback());
    let is_https = config.web.public_url.starts_with("https://");
    let has_tls = config.web.tls_certificate.is_some();
    if is_https && !has_tls && is_open && config.web.trusted_proxies.is_empty() {
        let reason = "web.listen is open to others and has no certificate, and no proxy is named in web.trusted_proxies: \
                      every visitor counts as the proxy";
        found.warning(
            "web.listen",
            reason,
            "listen on 127.0.0.1, or name the proxy, or set web.tls_certificate and web.tls_key",
        );
    }
    if has_tls && !is_https {
        let reason = "web.tls_certificate is set, and web.public_url begins with http://: no link in a notification opens";
        found.warning("web.public_url", reason, "write https://");
    }
}

/// A smarthost that is this gateway takes everything, and sends it to itself again.
fn smarthosts(config: &Config, found: &mut Findings) {
    for (key, direction) in
        [("relay.smarthost", Direction::Outside), ("relay.inside.smarthost", Direction::Inside)]
    {
        let smarthost = config.relay.next_hop(direction).smarthost;
        if direction == Direction::Inside && !found.places.has(key) {
            continue;
        }
        if let Some(listener) = own_listener(config, &smarthost) {
            let reason = format!(
                "{key} is {smarthost}, where this gateway itself listens ({listener}): mail goes round in a circle"
            );
            found.error(key, reason, "name the server that takes your outgoing mail");
        }
    }
}

/// The listener that a smarthost leads to. Names that stand for this machine are known without asking anybody; what DNS says
/// is for `--online`.
fn own_listener(config: &Config, smarthost: &str) -> Option<SocketAddr> {
    let (_, port) = smarthost.rsplit_once(':')?;
    let (host, port) = (host_of(smarthost), port.parse::<u16>().ok()?);
    let is_us = host.eq_ignore_ascii_case(&config.hostname);
    let address = match host.parse::<IpAddr>() {
        Ok(address) => Some(address),
        Err(_) if host.eq_ignore_ascii_case("localhost") => Some(IpAddr::from([127, 0, 0, 1])),
        Err(_) => None,
    };
    let leads_to = |listener: &&SocketAddr| {
        let is_address = address.is_some_and(|address| {
            let (address, own) = (address.to_canonical(), listener.ip().to_canonical());
            own == address || own.is_unspecified() && sockets::is_own(address)
        });
        listener.port() == port && port != 0 && (is_us || is_address)
    };
    config.smtp.listen.iter().find(leads_to).copied()
}
