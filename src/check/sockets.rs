//! Which addresses are ours, whether one is free, and who has it if not: asked of the kernel, by binding and by `/proc`.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// The state LISTEN in /proc/net/tcp.
const LISTEN: &str = "0A";

/// Who holds an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The name of the program and the number of its process, where they may be seen.
    pub program: Option<(String, u32)>,
    /// Whose it is.
    pub uid: Option<u32>,
}

/// Binds as the gateway does, and lets go of it at once. It does not listen, so nobody notices.
pub fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// Whether an address is one of this machine.
pub fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || bind(SocketAddr::new(address, 0)).is_ok()
}

/// Who listens on a port of this address, or of all addresses.
pub fn holder(address: SocketAddr) -> Option<Holder> {
    let entries =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let listening = entries.iter().flat_map(|text| text.lines().skip(1)).filter_map(entry);
    let matching = listening.filter(|(local, ..)| {
        let (local_ip, ip) = (local.ip().to_canonical(), address.ip().to_canonical());
        local.port() == address.port() && (local_ip == ip || local_ip.is_unspecified() || ip.is_unspecified())
    });
    let (_, uid, inode) = matching.into_iter().next()?;
    Some(Holder { program: program_of(&inode), uid: Some(uid) })
}

/// One line: local address, user and inode of a socket that listens.
fn entry(line: &str) -> Option<(SocketAddr, u32, String)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, _, LISTEN, _, _, _, uid, _, inode, ..] = fields.as_slice() else { return None };
    Some((local_address(local)?, uid.parse().ok()?, (*inode).to_owned()))
}

/// `0100007F:0019`: words of the address in the order of the machine, then the port.
fn local_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':').filter(|(address, _)| [8, 32].contains(&address.len()))?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut octets = Vec::new();
    for word in address.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        octets.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match (<[u8; 4]>::try_from(octets.as_slice()), <[u8; 16]>::try_from(octets.as_slice())) {
        (Ok(four), _) => IpAddr::from(four),
        (_, Ok(sixteen)) => IpAddr::from(sixteen),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The process that has a socket open.
fn program_of(inode: &str) -> Option<(String, u32)> {
    let wanted = format!("socket:[{inode}]");
    processes().find(|(_, process)| {
        let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
        open.flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))
    })
}

/// Every process that may be seen: the name of its program, and its number.
pub fn processes() -> impl Iterator<Item = (String, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let process: u32 = entry.file_name().to_str()?.parse().ok()?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((name.trim_end().to_owned(), process))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_one_who_listens_is_found() {
        for any in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let port = listener.local_addr().unwrap().port();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            assert_eq!(bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let holder = holder(address).unwrap();
            assert_eq!(holder.program.unwrap().1, std::process::id());
            drop(listener);
            assert_eq!(super::holder(address), None);
            bind(address).unwrap();
        }
    }

    #[test]
    fn addresses_of_the_kernel_are_read() {
        let six = if cfg!(target_endian = "little") {
            "00000000000000000000000001000000"
        } else {
            "00000000000000000000000000000001"
        };
        assert_eq!(local_address(&format!("{six}:0019")), Some("[::1]:25".parse().unwrap()));
        for wrong in ["", ":", "0100007F", "0100007F:x", "01:0019", "0100007F0100007F:0019", "é100007F:0019"]
        {
            assert_eq!(local_address(wrong), None, "{wrong}");
        }
    }
}
