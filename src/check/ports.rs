//! The addresses that the gateway listens on: there, free, and each named once.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use super::Findings;
use super::access::{ServiceUser, name_of};
use super::sockets::{self, Holder};
use crate::config::Config;

/// The program that may hold them: a gateway that runs already.
const OURSELVES: &str = "zegel";
/// Ports below 1024 that the unit lets the service bind (`SocketBindAllow=`).
const IN_UNIT: [u16; 4] = [25, 80, 443, 587];

pub fn look(config: &Config, user: &ServiceUser, found: &mut Findings) {
    let lists = [
        ("smtp.listen", &config.smtp.listen),
        ("web.listen", &config.web.listen),
        ("admin.listen", &config.admin.listen),
    ];
    let mut named: HashMap<SocketAddr, &str> = HashMap::new();
    for (key, addresses) in lists {
        empty(key, addresses, found);
        for &address in addresses {
            match named.insert(address, key) {
                Some(other) if address.port() != 0 => {
                    let reason = format!("{key} holds {address}, which {other} holds already");
                    found.error(key, reason, "give each listener an address or a port of its own");
                }
                _ => one(key, address, user, found),
            }
        }
    }
    for address in config.admin.listen.iter().filter(|address| !address.ip().is_loopback()) {
        let reason = format!(
            "admin.listen holds {address}: the state of the gateway is shown to whoever reaches it, without a login"
        );
        found.warning(
            "admin.listen",
            reason,
            "listen on 127.0.0.1, or let a firewall admit the monitoring only",
        );
    }
}

fn empty(key: &str, addresses: &[SocketAddr], found: &mut Findings) {
    if !addresses.is_empty() {
        return;
    }
    let (reason, remedy) = match key {
        "smtp.listen" => ("no mail comes in", "write an address, such as [\"10.0.0.5:25\"]"),
        "web.listen" => ("no link opens", "write an address, such as [\"127.0.0.1:8080\"]"),
        _ => ("no monitoring, no /readyz for a balancer", "leave the key out for 127.0.0.1:9090"),
    };
    found.warning(key, format!("{key} is empty: {reason}"), remedy);
}

fn one(key: &str, address: SocketAddr, user: &ServiceUser, found: &mut Findings) {
    if address.port() < 1024 && address.port() != 0 && !IN_UNIT.contains(&address.port()) {
        let reason =
            format!("{key} holds {address}: of the ports below 1024 the unit allows 25, 80, 443 and 587");
        let remedy = format!(
            "`systemctl edit zegel`: SocketBindAllow=tcp:{} below [Service], or another port",
            address.port()
        );
        found.note(key, reason, remedy);
    }
    let Err(error) = sockets::bind(address) else { return };
    match error.kind() {
        io::ErrorKind::AddrInUse => in_use(key, address, user, found),
        io::ErrorKind::AddrNotAvailable => {
            let reason = format!("{key} holds {address}, which is no address of this machine");
            found.warning(key, reason, "`ip address` lists them; check again on the machine of the gateway");
        }
        // The unit has the capability for it, and whoever checks has not.
        io::ErrorKind::PermissionDenied => {}
        _ => found.warning(key, format!("{key} holds {address}: {error}"), "name an address of this machine"),
    }
}

/// A running gateway has its ports; that is no fault.
fn in_use(key: &str, address: SocketAddr, user: &ServiceUser, found: &mut Findings) {
    let holder = sockets::holder(address).unwrap_or_default();
    match holder {
        Holder { program: Some((program, _)), .. } if program == OURSELVES => {}
        Holder { program: Some((program, process)), .. } => {
            let reason =
                format!("{key} holds {address}, where {program} listens already (process {process})");
            found.error(key, reason, format!("stop {program}, or give one of the two another address"));
        }
        // A gateway lets nobody see what it has open, not even its own user.
        Holder { uid: Some(uid), .. }
            if uid == user.uid && sockets::processes().any(|(name, _)| name == OURSELVES) => {}
        Holder { uid, .. } => {
            let whose = uid.map_or_else(String::new, |uid| format!(", of user {}", name_of(uid)));
            let reason = format!("{key} holds {address}, where another program listens already{whose}");
            found.warning(
                key,
                reason,
                format!("`ss -ltnp 'sport = :{}'`, run by root, names it", address.port()),
            );
        }
    }
}
