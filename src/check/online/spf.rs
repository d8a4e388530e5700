//! SPF (RFC 7208): whether a domain lets mail leave from our addresses. Bounded as the RFC asks: ten lookups in all, two of
//! them void.

use std::collections::BTreeSet;
use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ipnet::IpNet;

use super::dns::Dns;
use crate::check::Findings;
use crate::settings::Settings;

/// RFC 7208 4.6.4
const MOST_LOOKUPS: usize = 10;
const MOST_VOID: usize = 2;
const MOST_MX: usize = 10;

/// What came of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    SoftFail,
    Neutral,
    /// There is no record.
    None,
    /// Everybody refuses to read it; why.
    Broken(String),
    /// It asks for something that only a real delivery shows.
    Unknown(String),
    /// No answer from DNS.
    NoAnswer(String),
}

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

async fn records(dns: &Dns, domain: &str) -> Result<Vec<String>, String> {
    let all = dns.txt(domain).await?;
    let is_spf = |text: &String| {
        let text = text.to_ascii_lowercase();
        text == "v=spf1" || text.starts_with("v=spf1 ")
    };
    Ok(all.into_iter().filter(is_spf).collect())
}

/// The verdict, and how many lookups it took.
pub async fn evaluate(dns: &Dns, domain: &str, source: IpAddr) -> (Verdict, usize) {
    let mut count = Count::default();
    let verdict = check_host(dns, domain.to_owned(), source.to_canonical(), &mut count).await;
    (verdict.unwrap_or_else(|end| end), count.lookups)
}

#[derive(Default)]
struct Count {
    lookups: usize,
    void: usize,
}

impl Count {
    fn lookup(&mut self) -> Result<(), Verdict> {
        self.lookups += 1;
        match self.lookups > MOST_LOOKUPS {
            true => {
                Err(Verdict::Broken(format!("it needs more than {MOST_LOOKUPS} lookups (RFC 7208 4.6.4)")))
            }
            false => Ok(()),
        }
    }

    fn answer<T>(&mut self, answer: Result<Vec<T>, String>) -> Result<Vec<T>, Verdict> {
        let all = answer.map_err(Verdict::NoAnswer)?;
        self.void += usize::from(all.is_empty());
        match self.void > MOST_VOID {
            true => Err(Verdict::Broken(format!("more than {MOST_VOID} of the names in it have no records"))),
            false => Ok(all),
        }
    }
}

/// An error is a verdict that ends everything.
fn check_host<'a>(
    dns: &'a Dns,
    domain: String,
    source: IpAddr,
    count: &'a mut Count,
) -> BoxFuture<'a, Result<Verdict, Verdict>> {
    async move {
        let all = records(dns, &domain).await.map_err(Verdict::NoAnswer)?;
        let record = match all.as_slice() {
            [] => return Ok(Verdict::None),
            [one] => one.clone(),
            _ => {
                return Err(Verdict::Broken(format!(
                    "{domain} has {} SPF records, and may have one",
                    all.len()
                )));
            }
        };
        let mut redirect = None;
        for term in record.split_ascii_whitespace().skip(1) {
            if let Some(other) = strip(term, "redirect=") {
                redirect = Some(plain_domain(other)?.to_owned());
                continue;
            }
            let (qualifier, mechanism) = match term.strip_prefix(['+', '-', '~', '?']) {
                Some(rest) => (term.chars().next().unwrap_or('+'), rest),
                None => ('+', term),
            };
            if mechanism.contains('=') && !mechanism.contains(':') {
                // `exp=` and what nobody knows yet (RFC 7208 6).
                continue;
            }
            if matches(dns, &domain, mechanism, source, count).await? {
                return Ok(match qualifier {
                    '-' => Verdict::Fail,
                    '~' => Verdict::SoftFail,
                    '?' => Verdict::Neutral,
                    _ => Verdict::Pass,
                });
            }
        }
        let Some(other) = redirect else { return Ok(Verdict::Neutral) };
        count.lookup()?;
        match check_host(dns, other.clone(), source, count).await? {
            Verdict::None => Err(Verdict::Broken(format!("redirect leads to {other}, which has no record"))),
            verdict => Ok(verdict),
        }
    }
    .boxed()
}

async fn matches(
    dns: &Dns,
    domain: &str,
    term: &str,
    source: IpAddr,
    count: &mut Count,
) -> Result<bool, Verdict> {
    let (name, rest) = match term.find([':', '/']) {
        Some(at) => term.split_at(at),
        None => (term, ""),
    };
    let (target, prefixes) = match rest.strip_prefix(':') {
        Some(value) => value.split_once('/').map_or((value, ""), |(target, prefixes)| (target, prefixes)),
        None => ("", rest.strip_prefix('/').unwrap_or("")),
    };
    let own = || if target.is_empty() { Ok(domain) } else { plain_domain(target) };
    match name.to_ascii_lowercase().as_str() {
        "all" => Ok(true),
        "ip4" | "ip6" => network(rest.strip_prefix(':').unwrap_or(""), source),
        "include" => {
            count.lookup()?;
            let other = plain_domain(target)?.to_owned();
            match check_host(dns, other.clone(), source, count).await? {
                Verdict::Pass => Ok(true),
                Verdict::None => {
                    Err(Verdict::Broken(format!("it includes {other}, which has no SPF record")))
                }
                _ => Ok(false),
            }
        }
        "a" => {
            count.lookup()?;
            let all = count.answer(addresses(dns, own()?, source).await)?;
            within(&all, prefixes, source)
        }
        "mx" => {
            count.lookup()?;
            let servers = count.answer(dns.mx(own()?).await)?;
            for (_, server) in servers.iter().take(MOST_MX) {
                let all = addresses(dns, server, source).await.map_err(Verdict::NoAnswer)?;
                if within(&all, prefixes, source)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "exists" => {
            count.lookup()?;
            Ok(!count.answer(dns.a(plain_domain(target)?).await)?.is_empty())
        }
        "ptr" => {
            count.lookup()?;
            Err(Verdict::Unknown("it uses ptr, which RFC 7208 5.5 advises against".to_owned()))
        }
        other => Err(Verdict::Broken(format!("\"{}\" is no mechanism", other.escape_debug()))),
    }
}

async fn addresses(dns: &Dns, name: &str, source: IpAddr) -> Result<Vec<IpAddr>, String> {
    if source.is_ipv4() { dns.a(name).await } else { dns.aaaa(name).await }
}

/// A macro is filled in with sender and client of each delivery.
fn plain_domain(text: &str) -> Result<&str, Verdict> {
    match text {
        "" => Err(Verdict::Broken("a mechanism lacks its domain".to_owned())),
        text if text.contains('%') => Err(Verdict::Unknown("it uses macros".to_owned())),
        text => Ok(text),
    }
}

fn strip<'t>(term: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = term.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn network(text: &str, source: IpAddr) -> Result<bool, Verdict> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let net = net.ok_or_else(|| Verdict::Broken(format!("\"{}\" is no address", text.escape_debug())))?;
    Ok(net.contains(&source))
}

/// `24//64`: bits of IPv4, then of IPv6.
fn within(all: &[IpAddr], prefixes: &str, source: IpAddr) -> Result<bool, Verdict> {
    let (four, six) = prefixes.split_once("//").unwrap_or(match prefixes.strip_prefix('/') {
        Some(six) => ("", six),
        None => (prefixes, ""),
    });
    let bits = if source.is_ipv4() { four } else { six };
    let most = if source.is_ipv4() { 32 } else { 128 };
    let bits =
        if bits.is_empty() { Some(most) } else { bits.parse::<u8>().ok().filter(|bits| *bits <= most) };
    let bits = bits.ok_or_else(|| {
        Verdict::Broken(format!("\"/{}\" is no length of a network", prefixes.escape_debug()))
    })?;
    Ok(all.iter().any(|address| IpNet::new(*address, bits).is_ok_and(|net| net.contains(&source))))
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

    #[test]
    fn lengths_of_networks_are_of_each_family() {
        let four = [IpAddr::from([192, 0, 2, 1])];
        let six: Vec<IpAddr> = vec!["2001:db8::1".parse().unwrap()];
        let (near, near_six) = (IpAddr::from([192, 0, 2, 77]), "2001:db8::77".parse().unwrap());
        assert_eq!(within(&four, "24", near), Ok(true));
        assert_eq!(within(&four, "", near), Ok(false));
        assert_eq!(within(&four, "/64", near), Ok(false));
        assert_eq!(within(&six, "24//64", near_six), Ok(true));
        assert_eq!(within(&six, "/64", near_six), Ok(true));
        for wrong in ["33", "x", "24//129", "-1"] {
            let source = if wrong.contains("//") { near_six } else { near };
            assert!(within(&four, wrong, source).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_networks_or_the_record_is_broken() {
        let source = IpAddr::from([192, 0, 2, 7]);
        assert_eq!(network("192.0.2.0/24", source), Ok(true));
        assert_eq!(network("192.0.2.8", source), Ok(false));
        assert!(network("192.0.2", source).is_err() && network("", source).is_err());
    }
}
