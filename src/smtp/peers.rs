//! The clients that may relay through us (C11). Used by `session`.

use std::net::IpAddr;

use ipnet::IpNet;

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
}
