//! `zegel check --online`: what the world says. Each file asks one party: the next hops, the virus scanner, the pages as
//! residents reach them, DNS. Nothing is ever sent but questions; every question has a time limit.

pub mod clock;
pub mod http;
mod pages;
mod scanner;
mod smarthost;

#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "dns")]
mod host;
#[cfg(feature = "dns")]
mod mta_sts;
#[cfg(feature = "dns")]
mod records;
#[cfg(feature = "dns")]
mod servers;
#[cfg(feature = "dns")]
mod spf;
#[cfg(feature = "dns")]
mod zones;

use std::net::{IpAddr, SocketAddr};

use super::Findings;
#[cfg(feature = "dns")]
use super::values::host_of;
use crate::address::Address;
use crate::config::{Config, NameServer};
use crate::settings::Settings;
#[cfg(feature = "dns")]
use crate::settings::authority_of;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The name server to ask; `None`: that of the configuration, else those of the system.
    pub dns_server: Option<SocketAddr>,
    /// The selector under which whoever signs our mail has published the key.
    pub dkim_selector: Option<String>,
    /// Addresses that our mail leaves from, where that is not the smarthost's own.
    pub sends_from: Vec<IpAddr>,
    /// Somebody outside, to whom the smarthost is asked to relay.
    pub outside: Address,
}

/// Asks one after the other. What is as it should be goes into `seen`.
pub(super) async fn look(
    config: &Config,
    settings: &Settings,
    questions: &Questions,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let asked = Questions {
        dns_server: questions.dns_server.or(config.admin.dns_server.map(NameServer::address)),
        ..questions.clone()
    };
    let questions = &asked;
    let mut tells_time = smarthost::look(settings, questions, found, seen).await;
    scanner::look(settings, found, seen).await;
    tells_time |= pages::look(settings, addresses_of_pages(settings, questions).await, found, seen).await;
    if !tells_time {
        clock::nobody(found);
    }
    #[cfg(feature = "dns")]
    zones::look(config, settings, questions, found, seen).await;
    #[cfg(not(feature = "dns"))]
    found.note(
        "hostname",
        "DNS was not asked: this zegel was built without the feature dns",
        "use the binary of the Debian package",
    );
}

/// Where a name server that was named sees the pages; `None`: where the system does.
async fn addresses_of_pages(settings: &Settings, questions: &Questions) -> Option<Vec<IpAddr>> {
    #[cfg(feature = "dns")]
    if let Some(server) = questions.dns_server {
        let authority = authority_of(&settings.operator().public_url);
        let host = host_of(&authority);
        return match host.parse() {
            Ok(address) => Some(vec![address]),
            Err(_) => Some(dns::Dns::new(Some(server)).ok()?.addresses(host).await.unwrap_or_default()),
        };
    }
    let _ = (settings, questions);
    None
}
