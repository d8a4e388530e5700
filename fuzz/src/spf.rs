//! What strangers publish as SPF: whatever a zone says, the answer comes after a bounded number of questions.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use zegel::check::spf::{Asked, MOST_LOOKUPS, Names, evaluate};

/// Questions in all: a record for each lookup, and for each MX the addresses of ten hosts.
const MOST_QUESTIONS: usize = 2 + MOST_LOOKUPS * 12;

/// A zone: each line is a kind, a name and a value.
struct Zone<'a> {
    lines: Vec<(&'a str, &'a str, &'a str)>,
    asked: AtomicUsize,
}

impl Zone<'_> {
    fn all<T>(&self, kind: &str, name: &str, read: impl Fn(&str) -> Option<T>) -> Asked<T> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let of = self.lines.iter().filter(|(of, at, _)| *of == kind && *at == name);
        let all: Vec<T> = of.filter_map(|(_, _, value)| read(value)).collect();
        match self.lines.iter().any(|(of, at, _)| *of == "fail" && *at == name) {
            true => Err("no answer".to_owned()),
            false => Ok(all),
        }
    }
}

impl Names for Zone<'_> {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<String>> {
        ready(self.all("txt", name, |value| Some(value.to_owned()))).boxed()
    }

    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<(u16, String)>> {
        ready(self.all("mx", name, |value| Some((10, value.to_owned())))).boxed()
    }

    fn a<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>> {
        ready(self.all("a", name, |value| value.parse().ok().filter(IpAddr::is_ipv4))).boxed()
    }

    fn aaaa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>> {
        ready(self.all("a", name, |value| value.parse().ok().filter(IpAddr::is_ipv6))).boxed()
    }
}

pub fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let line = |line| {
        let mut words = str::splitn(line, 3, ' ');
        Some((words.next()?, words.next()?, words.next().unwrap_or("")))
    };
    let lines: Vec<_> = text.lines().filter_map(line).collect();
    for source in ["192.0.2.7", "2001:db8::7"] {
        let zone = Zone { lines: lines.clone(), asked: AtomicUsize::new(0) };
        let source = source.parse().expect("an address");
        let end = evaluate(&zone, "voorbeeld.nl", source).now_or_never();
        let (_, lookups) = end.expect("a table answers at once");
        assert!(lookups <= MOST_LOOKUPS + 1, "{lookups}");
        assert!(zone.asked.load(Ordering::Relaxed) <= MOST_QUESTIONS);
    }
}
