//! Questions to DNS: one server's answers as values, and the lack of an answer in words.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

pub use crate::check::spf::{Asked, Names};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// DNS, as one server or the system's see it.
pub struct Dns(TokioResolver);

/// A TLSA record (RFC 6698 2.1): usage, selector, matching type, and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

impl Dns {
    pub fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let servers = match server {
            Some(server) => vec![server],
            None => system_servers(&fs::read_to_string(RESOLV_CONF).unwrap_or_default()),
        };
        if servers.is_empty() {
            return Err(format!("{RESOLV_CONF} names no name server"));
        }
        let one = |server: SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        };
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.into_iter().map(one).collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = Duration::from_secs(3);
        options.attempts = 2;
        options.use_hosts_file = ResolveHosts::Never;
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Asked<T> {
        let full = format!("{}.", name.trim_end_matches('.'));
        let full = Name::from_utf8(&full).map_err(|error| format!("{name}: {error}"))?;
        match self.0.lookup(full, kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| read(&record.data)).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(format!("{name} {kind}: {error}")),
        }
    }

    /// Both kinds of address.
    pub async fn addresses(&self, name: &str) -> Asked<IpAddr> {
        let (mut all, six) = (self.a(name).await?, self.aaaa(name).await?);
        all.extend(six);
        Ok(all)
    }

    pub async fn ptr(&self, address: IpAddr) -> Asked<String> {
        self.ask(&Name::from(address).to_ascii(), RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(plain(&name.0)),
            _ => None,
        })
        .await
    }

    pub async fn tlsa(&self, name: &str) -> Asked<Tlsa> {
        self.ask(name, RecordType::TLSA, |data| match data {
            RData::TLSA(tlsa) => Some(Tlsa {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        })
        .await
    }

    /// Tag and value.
    pub async fn caa(&self, name: &str) -> Asked<(String, String)> {
        self.ask(name, RecordType::CAA, |data| match data {
            RData::CAA(caa) => {
                Some((caa.tag.to_lowercase(), String::from_utf8_lossy(&caa.value).trim().to_lowercase()))
            }
            _ => None,
        })
        .await
    }
}

impl Names for Dns {
    /// Its pieces belong together (RFC 7208 3.3).
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<String>> {
        let read = |data: &RData| match data {
            RData::TXT(text) => {
                let whole: Vec<u8> = text.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect();
                Some(String::from_utf8_lossy(&whole).into_owned())
            }
            _ => None,
        };
        self.ask(name, RecordType::TXT, read).boxed()
    }

    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<(u16, String)>> {
        let read = |data: &RData| match data {
            RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
            _ => None,
        };
        async move {
            let mut all = self.ask(name, RecordType::MX, read).await?;
            all.sort();
            Ok(all)
        }
        .boxed()
    }

    fn a<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>> {
        let read = |data: &RData| match data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        };
        self.ask(name, RecordType::A, read).boxed()
    }

    fn aaaa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Asked<IpAddr>> {
        let read = |data: &RData| match data {
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        self.ask(name, RecordType::AAAA, read).boxed()
    }
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_lowercase()
}

fn system_servers(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then_some(())?;
        // `fe80::1%eth0`: a zone is of no use to the resolver.
        let ip: IpAddr = words.next()?.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(ip, 53))
    });
    servers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_of_the_system_are_read() {
        let text = "# no\nsearch voorbeeld.nl\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver x\n";
        let servers: Vec<String> = system_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[fe80::1]:53"]);
    }
}
