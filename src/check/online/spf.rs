//! SPF (RFC 7208): whether a domain lets mail leave from our addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::dns::Dns;
use crate::check::Findings;
use crate::check::spf::{Verdict, evaluate, records};
use crate::settings::Settings;

pub async fn look(
    dns: &Dns,
    settings: &Settings,
    domain: &str,
    sources: &BTreeSet<IpAddr>,
    found: &mut Findings,
    seen: &mut Vec<String>,
) {
    let is_host = domain == settings.operator().hostname;
    let key = if is_host { "hostname" } else { "organisation.domains" };
    let record = match records(dns, domain).await {
        Ok(records) => records.into_iter().next().unwrap_or_default(),
        Err(reason) => {
            return found.warning(
                key,
                format!("{key}: SPF: {reason}"),
                "ask again later, or another server with --dns-server",
            );
        }
    };
    if sources.is_empty() {
        // From nowhere: every mechanism is looked at.
        let (verdict, lookups) = evaluate(dns, domain, IpAddr::from([0, 0, 0, 0])).await;
        match verdict {
            Verdict::None => missing(key, domain, &[], found),
            Verdict::Broken(reason) => broken(key, domain, &reason, found),
            _ => seen.push(format!("SPF of {domain} is \"{record}\" ({lookups} lookups)")),
        }
        return;
    }
    for source in sources {
        let (verdict, lookups) = evaluate(dns, domain, *source).await;
        let softly = |what: &str| format!("{key}: SPF of {domain} {what} mail from {source}");
        let add = with_mechanism(domain, &record, *source);
        match verdict {
            Verdict::Pass => seen.push(format!("SPF of {domain} lets {source} send ({lookups} lookups)")),
            Verdict::Fail => found.error(key, softly("forbids"), add),
            Verdict::SoftFail | Verdict::Neutral => found.warning(key, softly("does not vouch for"), add),
            Verdict::None => return missing(key, domain, &[*source], found),
            Verdict::Broken(reason) => return broken(key, domain, &reason, found),
            Verdict::Unknown(reason) => {
                let reason = format!("{key}: SPF of {domain} for {source} cannot be told: {reason}");
                found.note(key, reason, "send a message, and read Authentication-Results in what arrives");
            }
            Verdict::NoAnswer(reason) => {
                found.warning(
                    key,
                    format!("{key}: SPF: {reason}"),
                    "ask again later, or another server with --dns-server",
                );
            }
        }
    }
}

fn missing(key: &str, domain: &str, sources: &[IpAddr], found: &mut Findings) {
    let listed: Vec<String> = sources.iter().map(|source| mechanism(*source)).collect();
    let listed = if listed.is_empty() { "ip4:ADDRESS-OF-THE-SMARTHOST".to_owned() } else { listed.join(" ") };
    let reason = format!("{key}: {domain} has no SPF record: many servers refuse its mail");
    found.warning(key, reason, format!("{domain}. IN TXT \"v=spf1 {listed} -all\""));
}

fn broken(key: &str, domain: &str, reason: &str, found: &mut Findings) {
    let reason = format!("{key}: SPF of {domain} cannot be used: {reason}");
    found.error(key, reason, "leave out what is not needed; addresses (ip4:, ip6:) need no lookup");
}

fn mechanism(source: IpAddr) -> String {
    match source.to_canonical() {
        IpAddr::V4(v4) => format!("ip4:{v4}"),
        IpAddr::V6(v6) => format!("ip6:{v6}"),
    }
}

/// The record with one more mechanism, in front of what decides for everybody else.
fn with_mechanism(domain: &str, record: &str, source: IpAddr) -> String {
    let mut words: Vec<String> = record.split_ascii_whitespace().map(str::to_owned).collect();
    let is_last = |word: &String| {
        word.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all")
            || word.starts_with("redirect=")
    };
    let place = words.iter().position(is_last).unwrap_or(words.len()).max(1).min(words.len());
    words.insert(place, mechanism(source));
    format!("{domain}. IN TXT \"{}\"", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_stands_in_front_of_all() {
        let source = IpAddr::from([192, 0, 2, 7]);
        let with = |record: &str| with_mechanism("voorbeeld.nl", record, source);
        assert_eq!(with("v=spf1 mx -all"), "voorbeeld.nl. IN TXT \"v=spf1 mx ip4:192.0.2.7 -all\"");
        assert_eq!(
            with("v=spf1 redirect=x.nl"),
            "voorbeeld.nl. IN TXT \"v=spf1 ip4:192.0.2.7 redirect=x.nl\""
        );
        assert_eq!(with("v=spf1"), "voorbeeld.nl. IN TXT \"v=spf1 ip4:192.0.2.7\"");
    }
}
