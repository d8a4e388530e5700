//! What SPF (RFC 7208) makes of a domain's records and an address. Bounded as the RFC asks: ten lookups in all, two of them
//! void. Whom it asks is a [`Names`]: DNS, or a table. Used by `online/spf`.

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ipnet::IpNet;

/// That there is no such record is an answer, and an empty list; an error is the lack of one, in words.
pub type Asked<T> = Result<Vec<T>, String>;

/// Whom SPF asks.
pub trait Names: Sync {
    /// Each TXT record as one text.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<String>>;
    /// Preference and host, the best first.
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<(u16, String)>>;
    /// Addresses of IPv4.
    fn a<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>>;
    /// Addresses of IPv6.
    fn aaaa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>>;
}

/// RFC 7208 4.6.4
pub const MOST_LOOKUPS: usize = 10;
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

/// The SPF records of a domain; more than one is none.
pub async fn records(dns: &dyn Names, domain: &str) -> Result<Vec<String>, String> {
    let all = dns.txt(domain).await?;
    let is_spf = |text: &String| {
        let text = text.to_ascii_lowercase();
        text == "v=spf1" || text.starts_with("v=spf1 ")
    };
    Ok(all.into_iter().filter(is_spf).collect())
}

/// The verdict, and how many lookups it took.
pub async fn evaluate(dns: &dyn Names, domain: &str, source: IpAddr) -> (Verdict, usize) {
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
    dns: &'a dyn Names,
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
    dns: &dyn Names,
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

async fn addresses(dns: &dyn Names, name: &str, source: IpAddr) -> Result<Vec<IpAddr>, String> {
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
