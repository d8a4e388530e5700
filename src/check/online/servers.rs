//! The mail servers of a domain, and their TLSA records (RFC 7672).

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use openssl::x509::X509;

use super::dns::{Dns, Names, Tlsa};
use super::records::{DOMAINS, answered};
use crate::check::Findings;
use crate::settings::Settings;

/// MX of a domain, and TLSA of each of them (RFC 7672).
pub async fn look(
    dns: &Dns,
    settings: &Settings,
    domain: &str,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let Some(mx) = answered(dns.mx(domain).await, DOMAINS, "MX", found) else { return };
    if mx.is_empty() {
        let reason = format!(
            "{DOMAINS}: {domain} has no MX: answers of residents by mail, and reports, find no server"
        );
        return found.warning(DOMAINS, reason, format!("{domain}. IN MX 10 YOUR-MAIL-SERVER."));
    }
    let own = settings.operator().hostname.to_lowercase();
    for (_, server) in mx {
        let name = format!("_25._tcp.{server}");
        let Some(all) = answered(dns.tlsa(&name).await, DOMAINS, "TLSA", found) else { continue };
        match all.as_slice() {
            [] => {
                let reason = format!(
                    "{DOMAINS}: {server} has no TLSA record: others cannot know that it speaks TLS (DANE)"
                );
                found.note(
                    DOMAINS,
                    reason,
                    format!("{name}. IN TLSA 3 1 1 SHA-256-OF-ITS-KEY, where the zone is signed (DNSSEC)"),
                );
            }
            all if server == own => ours(settings, &name, all, found, seen),
            _ => seen
                .push(format!("{server} has {} TLSA records; whether they fit is not asked here", all.len())),
        }
    }
}

/// The mail server is this gateway, so its certificate is known.
fn ours(settings: &Settings, name: &str, all: &[Tlsa], found: &mut Findings, seen: &mut Vec<String>) {
    let file = settings.smtp.tls_certificate.as_deref();
    let chain =
        file.and_then(|file| std::fs::read(file).ok()).and_then(|text| X509::stack_from_pem(&text).ok());
    let Some(leaf) = chain.and_then(|chain| chain.into_iter().next()) else {
        let reason = format!(
            "{DOMAINS}: {name} says that this gateway speaks TLS, and smtp.tls_certificate is not set"
        );
        return found.error(
            DOMAINS,
            reason,
            "set smtp.tls_certificate and smtp.tls_key, or take the record away",
        );
    };
    if all.iter().any(|tlsa| fits(tlsa, &leaf)) {
        return seen.push(format!("{name} fits the certificate in smtp.tls_certificate"));
    }
    let key = leaf.public_key().and_then(|key| key.public_key_to_der()).unwrap_or_default();
    let hash: String = digest(&SHA256, &key).as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    let reason = format!(
        "{DOMAINS}: no record at {name} fits the certificate in smtp.tls_certificate: others keep mail back"
    );
    found.error(DOMAINS, reason, format!("{name}. IN TLSA 3 1 1 {hash}"));
}

/// RFC 6698 2.1. Of certificates of authorities (usage 0 and 2) the file says too little.
fn fits(tlsa: &Tlsa, leaf: &X509) -> bool {
    let selected = match tlsa.selector {
        0 => leaf.to_der(),
        1 => leaf.public_key().and_then(|key| key.public_key_to_der()),
        _ => return false,
    };
    let Ok(selected) = selected else { return false };
    match (tlsa.usage, tlsa.matching) {
        (0 | 2, _) => true,
        (_, 0) => selected == tlsa.data,
        (_, 1) => digest(&SHA256, &selected).as_ref() == tlsa.data,
        (_, 2) => digest(&SHA512, &selected).as_ref() == tlsa.data,
        _ => false,
    }
}
