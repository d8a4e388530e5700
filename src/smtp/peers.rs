//! Who may hand us mail (C11), and how many connections there are. Used by `session` and `listener`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::limits::client_key;

/// The clients that may relay (`smtp.allow`).
#[derive(Clone, Debug, Default)]
pub struct Allowed(Vec<IpNet>);

impl Allowed {
    /// Everyone in one of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this client may. An IPv4 client of an IPv6 socket (`::ffff:192.0.2.1`) counts as IPv4.
    pub fn contains(&self, client: IpAddr) -> bool {
        let canonical = client.to_canonical();
        self.0.iter().any(|network| network.contains(&canonical) || network.contains(&client))
    }
}

/// The connections that are open now. Not in the store: they live and die with this process.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_client: HashMap<String, usize>,
}

impl Connections {
    /// Counts one more connection, unless there are too many already.
    pub fn enter(self: &Arc<Self>, client: IpAddr, total: usize, per_client: usize) -> Option<Ticket> {
        let key = client_key(client);
        let mut counts = self.lock();
        let from_client = counts.per_client.get(&key).copied().unwrap_or(0);
        if counts.total >= total || from_client >= per_client {
            return None;
        }
        counts.total += 1;
        counts.per_client.insert(key.clone(), from_client + 1);
        Some(Ticket { connections: Arc::clone(self), key })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; dropping it counts it off again.
#[derive(Debug)]
pub struct Ticket {
    connections: Arc<Connections>,
    key: String,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.connections.lock();
        counts.total = counts.total.saturating_sub(1);
        let left = counts.per_client.get(&self.key).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            counts.per_client.remove(&self.key);
        } else {
            counts.per_client.insert(self.key.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_listed_networks_may_relay() {
        let allowed = Allowed::new(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for (client, may) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.3.7", false),
            ("::ffff:192.0.3.7", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::192.0.2.7", false),
        ] {
            assert_eq!(allowed.contains(ip(client)), may, "{client}");
        }
        assert!(!Allowed::default().contains(ip("127.0.0.1")));
    }

    #[test]
    fn a_network_written_as_mapped_ipv4_holds_as_well() {
        let allowed = Allowed::new(vec!["::ffff:192.0.2.0/120".parse().unwrap()]);
        assert!(allowed.contains(ip("::ffff:192.0.2.7")));
    }

    #[test]
    fn counts_connections_on_and_off() {
        let connections = Arc::new(Connections::default());
        let enter = |client: &str| connections.enter(ip(client), 3, 2);
        let first = enter("192.0.2.1").unwrap();
        let _second = enter("::ffff:192.0.2.1").unwrap();
        assert!(enter("192.0.2.1").is_none(), "two per client");
        let _third = enter("192.0.2.2").unwrap();
        assert!(enter("192.0.2.3").is_none(), "three in all");
        drop(first);
        let _again = enter("192.0.2.1").unwrap();
        drop((_again, _second, _third));
        let counts = connections.lock();
        assert_eq!((counts.total, counts.per_client.len()), (0, 0));
    }
}
