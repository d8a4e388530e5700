//! The host of the pages and of EHLO: its addresses, their names, and who may issue its certificate.

use std::net::IpAddr;
use std::path::Path;

use openssl::nid::Nid;
use openssl::x509::X509;

use super::dns::{Dns, Names};
use super::http::{Target, get};
use super::records::answered;
use crate::check::Findings;
use crate::check::values::host_of;
use crate::settings::{Settings, authority_of};

/// Authorities by the organisation in their certificates, and the name that CAA knows them by.
const AUTHORITIES: [(&str, &str); 10] = [
    ("let's encrypt", "letsencrypt.org"),
    ("internet security research group", "letsencrypt.org"),
    ("digicert", "digicert.com"),
    ("quovadis", "digicert.com"),
    ("sectigo", "sectigo.com"),
    ("zerossl", "sectigo.com"),
    ("globalsign", "globalsign.com"),
    ("google trust services", "pki.goog"),
    ("kpn", "kpn.com"),
    ("harica", "harica.gr"),
];

/// The host that residents and other mail servers know.
pub async fn look(dns: &Dns, settings: &Settings, found: &mut Findings, seen: &mut Vec<String>) {
    const URL: &str = "web.public_url";
    let authority = authority_of(&settings.operator().public_url);
    let host = host_of(&authority);
    if host.parse::<IpAddr>().is_err() {
        let Some(four) = answered(dns.a(host).await, URL, "A", found) else { return };
        let Some(six) = answered(dns.aaaa(host).await, URL, "AAAA", found) else { return };
        match (four.is_empty(), six.is_empty()) {
            (true, true) => found.error(
                URL,
                format!("{URL}: DNS knows no {host}: no link opens"),
                format!("{host}. IN A ADDRESS"),
            ),
            (false, true) => found.note(
                URL,
                format!("{URL}: {host} has no IPv6 address"),
                format!("{host}. IN AAAA ADDRESS"),
            ),
            (true, false) => found.warning(
                URL,
                format!("{URL}: {host} has no IPv4 address: many residents cannot reach it"),
                format!("{host}. IN A ADDRESS"),
            ),
            _ => seen.push(format!("{host} has addresses of IPv4 and IPv6")),
        }
    }
    let hostname = settings.operator().hostname.as_str();
    let Some(all) = answered(dns.addresses(hostname).await, "hostname", "A", found) else { return };
    if all.is_empty() {
        let reason =
            format!("hostname: DNS knows no {hostname}: servers that look up the name in EHLO refuse us");
        return found.warning("hostname", reason, format!("{hostname}. IN A ADDRESS"));
    }
    for address in all {
        let Some(names) = answered(dns.ptr(address).await, "hostname", "PTR", found) else { continue };
        let is_it = names.iter().any(|name| name.eq_ignore_ascii_case(hostname));
        if !is_it {
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            let reason = format!(
                "hostname: {address} of {hostname} is called back {names}: matters where we deliver without a smarthost"
            );
            found.note("hostname", reason, format!("{} IN PTR {hostname}.", reverse(address)));
        } else {
            seen.push(format!("{address} is called {hostname} both ways"));
        }
    }
}

fn reverse(address: IpAddr) -> String {
    hickory_resolver::proto::rr::Name::from(address).to_ascii()
}

/// RFC 8659: whether the authority may go on issuing for the host of the pages.
pub async fn caa(
    dns: &Dns,
    settings: &Settings,
    certificate: Option<&Path>,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    const URL: &str = "web.public_url";
    let organisation = settings.operator();
    let target = Target::of(&organisation.public_url, "/robots.txt").filter(|target| target.is_https);
    let Some(mut target) = target else { return };
    target.addresses = dns.addresses(target.host).await.ok();
    let host = target.host.to_owned();
    let mut name = host.as_str();
    let records = loop {
        let Some(all) = answered(dns.caa(name).await, URL, "CAA", found) else { return };
        match name.split_once('.') {
            Some((_, above)) if all.is_empty() && above.contains('.') => name = above,
            _ => break all,
        }
    };
    let file = certificate.and_then(|file| std::fs::read(file).ok());
    let own =
        file.and_then(|text| X509::stack_from_pem(&text).ok()).and_then(|chain| chain.into_iter().next());
    let leaf = match own {
        Some(leaf) => Some(leaf),
        None => get(&target).await.ok().and_then(|answer| X509::from_der(&answer.certificate?).ok()),
    };
    let issuer = leaf.as_ref().map(issuer_of).unwrap_or_default();
    let known =
        AUTHORITIES.iter().find(|(name, _)| issuer.to_lowercase().contains(name)).map(|(_, domain)| *domain);
    judge_caa(URL, &host, &issuer, known, &records, found, seen);
}

fn judge_caa(
    key: &str,
    host: &str,
    issuer: &str,
    known: Option<&str>,
    records: &[(String, String)],
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let line = |domain: &str| format!("{host}. IN CAA 0 issue \"{domain}\"");
    let issue: Vec<&str> =
        records.iter().filter(|(tag, _)| tag == "issue").map(|(_, value)| value.as_str()).collect();
    let is_named =
        |domain: &str| issue.iter().any(|value| value.split(';').next().unwrap_or("").trim() == domain);
    match known {
        _ if issue.is_empty() => {
            let reason =
                format!("{key}: {host} has no CAA record: every authority may issue a certificate for it");
            found.note(key, reason, line(known.unwrap_or("AUTHORITY")));
        }
        Some(domain) if is_named(domain) => {
            seen.push(format!("CAA of {host} names {domain}, which issued its certificate"))
        }
        Some(domain) => {
            let reason = format!(
                "{key}: CAA of {host} does not name {domain}, which issued its certificate: it will not be renewed"
            );
            found.warning(key, reason, line(domain));
        }
        None => {
            let reason = format!(
                "{key}: CAA of {host} names {}; whether that is who issued its certificate (\"{}\") is not known here",
                issue.join(", "),
                issuer.escape_debug()
            );
            found.note(key, reason, "ask the authority by which name CAA knows it");
        }
    }
}

/// The organisation that signed, else its name.
fn issuer_of(certificate: &X509) -> String {
    let name = certificate.issuer_name();
    let of = |nid| name.entries_by_nid(nid).next().and_then(|entry| entry.data().to_string().ok());
    let text = of(Nid::ORGANIZATIONNAME).or_else(|| of(Nid::COMMONNAME));
    text.unwrap_or_default()
}
