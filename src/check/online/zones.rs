//! Which questions `check --online` asks of DNS, and for which addresses. What the answers should be is in `records` and `spf`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::dns::{Dns, Names};
use super::{Questions, host, mta_sts, records, servers, spf};
use crate::check::Findings;
use crate::check::values::host_of;
use crate::config::Config;
use crate::settings::Settings;

/// Asks for all that a mail domain needs.
pub async fn look(
    config: &Config,
    settings: &Settings,
    questions: &Questions,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let dns = match Dns::new(questions.dns_server) {
        Ok(dns) => dns,
        Err(reason) => return found.error("hostname", reason, "name one with --dns-server"),
    };
    let organisation = settings.operator();
    if let Err(reason) = dns.mx(organisation.domain()).await {
        let reason = format!("organisation.domains: DNS does not answer: {reason}");
        return found.warning("organisation.domains", reason, "name another server with --dns-server");
    }
    // Notices come from an address at the host, and it is what we say in EHLO.
    let mut domains: Vec<&str> = organisation.domains.iter().map(String::as_str).collect();
    let is_own = domains.contains(&organisation.hostname.as_str());
    let sources = sources(&dns, settings, questions, found).await;
    let own_host = (!is_own).then_some(organisation.hostname.as_str());
    domains.extend(own_host);
    for domain in domains {
        spf::look(&dns, settings, domain, &sources, found, seen).await;
        records::dmarc(&dns, domain, organisation.domain(), found, seen).await;
    }
    for domain in &organisation.domains {
        records::dkim(&dns, domain, questions.dkim_selector.as_deref(), found, seen).await;
        mta_sts::look(&dns, domain, found, seen).await;
        servers::look(&dns, settings, domain, found, seen).await;
    }
    host::look(&dns, settings, found, seen).await;
    host::caa(&dns, settings, config.web.tls_certificate.as_deref(), found, seen).await;
}

/// The addresses that our mail leaves from, as far as they can be known: those that were named, or those of the smarthost.
async fn sources(
    dns: &Dns,
    settings: &Settings,
    questions: &Questions,
    found: &mut Findings,
) -> BTreeSet<IpAddr> {
    if !questions.sends_from.is_empty() {
        return questions.sends_from.iter().copied().collect();
    }
    let smarthost = settings.relay.smarthost.as_str();
    let host = host_of(smarthost);
    let all = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => dns.addresses(host).await.unwrap_or_default(),
    };
    let public: BTreeSet<IpAddr> = all.into_iter().filter(is_public).collect();
    let reason = match public.is_empty() {
        true => format!(
            "relay.smarthost: from which addresses {smarthost} sends our mail on cannot be seen from here, so SPF is read and not judged"
        ),
        false => format!(
            "relay.smarthost: SPF is judged for the addresses of {smarthost} itself; whether it sends our mail on from others cannot be seen from here"
        ),
    };
    found.note("relay.smarthost", reason, "ask its administrator, and name the addresses with --sends-from");
    public
}

fn is_public(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
        // fc00::/7 and fe80::/10
        IpAddr::V6(v6) => {
            let first = v6.segments().first().copied().unwrap_or(0);
            !(v6.is_loopback() || v6.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80)
        }
    }
}
