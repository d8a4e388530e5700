//! What DNS should say of a domain besides SPF: DMARC and DKIM. Every finding has the line to add to the zone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::dns::{Asked, Dns, Names};
use crate::check::Findings;

/// The key that domains are written at.
pub const DOMAINS: &str = "organisation.domains";
/// Bytes of an RSA key of 1024 bits in a DKIM record; a longer one has more.
const SHORT_KEY: usize = 200;
/// The records, or a finding that DNS did not answer.
pub fn answered<T>(asked: Asked<T>, key: &str, what: &str, found: &mut Findings) -> Option<Vec<T>> {
    match asked {
        Ok(all) => Some(all),
        Err(reason) => {
            found.warning(
                key,
                format!("{key}: {what}: {reason}"),
                "ask again later, or another server with --dns-server",
            );
            None
        }
    }
}

/// The value of a tag in `v=…; p=…`.
pub fn tag<'t>(record: &'t str, name: &str) -> Option<&'t str> {
    record.split(';').find_map(|part| {
        let (tag, value) = part.split_once('=')?;
        tag.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// RFC 7489: what others do with mail that only claims to be ours.
pub async fn dmarc(dns: &Dns, domain: &str, first: &str, found: &mut Findings, seen: &mut Vec<String>) {
    let mut name = domain;
    // A domain without a record of its own has that of the nearest above it.
    let (at, records) = loop {
        let Some(all) = answered(dns.txt(&format!("_dmarc.{name}")).await, DOMAINS, "DMARC", found) else {
            return;
        };
        let records: Vec<String> =
            all.into_iter().filter(|text| text.to_ascii_lowercase().starts_with("v=dmarc1")).collect();
        match name.split_once('.') {
            Some((_, above)) if records.is_empty() && above.contains('.') => name = above,
            _ => break (name, records),
        }
    };
    let line =
        |policy: &str| format!("_dmarc.{domain}. IN TXT \"v=DMARC1; p={policy}; rua=mailto:dmarc@{first}\"");
    let record = match records.as_slice() {
        [] => {
            let reason = format!(
                "{DOMAINS}: {domain} has no DMARC record: anybody can send mail that seems to come from it"
            );
            return found.warning(DOMAINS, reason, line("none"));
        }
        [one] => one,
        many => {
            let reason = format!("{DOMAINS}: {at} has {} DMARC records, and so none", many.len());
            return found.error(DOMAINS, reason, "leave one of them");
        }
    };
    let own = tag(record, "p").unwrap_or("");
    let policy = if at == domain { own } else { tag(record, "sp").unwrap_or(own) };
    match policy.to_ascii_lowercase().as_str() {
        "quarantine" | "reject" => seen.push(format!("DMARC of {domain} is \"{policy}\"")),
        "none" => {
            let reason = format!("{DOMAINS}: DMARC of {domain} is \"none\": others deliver what is forged");
            found.note(DOMAINS, reason, line("quarantine"));
        }
        _ => {
            let reason = format!("{DOMAINS}: DMARC of {domain} has no policy (p=): it counts for nothing");
            found.error(DOMAINS, reason, line("none"));
        }
    }
    // Reports of deliveries come from a name below the domain, and a strict alignment wants the very same.
    if tag(record, "aspf").is_some_and(|mode| mode.eq_ignore_ascii_case("s")) && at != domain {
        let reason = format!(
            "{DOMAINS}: DMARC of {at} aligns SPF strictly (aspf=s): SPF of {domain} counts only for mail from {domain}"
        );
        found.note(DOMAINS, reason, "sign with DKIM for the domain in From, or leave aspf out");
    }
}

/// RFC 6376 3.6: zegel does not sign; whoever does has a selector.
pub async fn dkim(
    dns: &Dns,
    domain: &str,
    selector: Option<&str>,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let Some(selector) = selector else {
        let reason = format!(
            "{DOMAINS}: whether mail of {domain} is signed with DKIM cannot be seen without its selector"
        );
        return found.note(
            DOMAINS,
            reason,
            "--dkim-selector NAME: it is s= in the DKIM-Signature of a mail that arrived",
        );
    };
    let name = format!("{selector}._domainkey.{domain}");
    let Some(all) = answered(dns.txt(&name).await, DOMAINS, "DKIM", found) else { return };
    let keys: Vec<&String> = all.iter().filter(|text| tag(text, "p").is_some()).collect();
    let Some(key) = keys.first().and_then(|text| tag(text, "p")) else {
        let reason = format!("{DOMAINS}: {name} has no DKIM key: signatures of {domain} count for nothing");
        return found.error(
            DOMAINS,
            reason,
            format!("{name}. IN TXT \"v=DKIM1; k=rsa; p=…\", with the key of the server that signs"),
        );
    };
    let octets = STANDARD.decode(key.replace([' ', '\t'], ""));
    match octets {
        _ if key.is_empty() => {
            let reason = format!("{DOMAINS}: the key at {name} is revoked (p= is empty)");
            found.error(DOMAINS, reason, "let the server sign with a key that is published");
        }
        Err(_) => {
            let reason = format!("{DOMAINS}: the key at {name} is not base64: it was cut or misspelt");
            found.error(
                DOMAINS,
                reason,
                "publish it as the server shows it; texts above 255 characters are several in a row",
            );
        }
        Ok(octets) => {
            let is_rsa = keys
                .first()
                .and_then(|text| tag(text, "k"))
                .is_none_or(|kind| kind.eq_ignore_ascii_case("rsa"));
            if is_rsa && octets.len() < SHORT_KEY {
                let reason = format!("{DOMAINS}: the key at {name} is shorter than 2048 bits");
                found.warning(DOMAINS, reason, "have the server make a key of 2048 bits, and publish that");
            } else {
                seen.push(format!("DKIM key of {domain} is at {name}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_however_they_are_spaced() {
        let record = "v=DMARC1;p = reject ; rua=mailto:a@b.nl?x=y";
        assert_eq!((tag(record, "p"), tag(record, "sp")), (Some("reject"), None));
        assert_eq!(tag(record, "rua"), Some("mailto:a@b.nl?x=y"));
    }
}
