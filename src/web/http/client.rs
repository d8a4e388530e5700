//! The client that sends a request: the address of its connection, or what a trusted proxy says of it (H19).

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use ipnet::IpNet;

/// Where a request's connection comes from: an extension of every request, put there by `server`.
#[derive(Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// The socket's address, or, behind trusted proxies only, the last address in X-Forwarded-For that is
/// not one of them: whatever stands further left the client could have written itself (H19).
pub fn address(request: &Request, trusted: &[IpNet]) -> IpAddr {
    let peer = request.extensions().get::<PeerAddress>();
    let mut client = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0.ip().to_canonical());
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|field| field.to_str().unwrap_or("").split(','))
        .collect();
    for address in forwarded.iter().rev() {
        match address.trim().parse::<IpAddr>() {
            Ok(address) if is_trusted(client) => client = address.to_canonical(),
            _ => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderValue;

    use super::*;

    fn forwarded(by: &str) -> Request {
        let mut request = Request::new(Body::empty());
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_str(by).unwrap());
        let peer: SocketAddr = "[::ffff:10.0.0.1]:999".parse().unwrap();
        request.extensions_mut().insert(PeerAddress(peer));
        request
    }

    #[test]
    fn believes_only_trusted_proxies() {
        let spoofed = forwarded("203.0.113.9, 198.51.100.7, 10.0.0.2");
        let none: &[IpNet] = &[];
        assert_eq!(address(&spoofed, none), IpAddr::from([10, 0, 0, 1]));
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        assert_eq!(address(&spoofed, &proxies), IpAddr::from([198, 51, 100, 7]));
        let garbage = forwarded("198.51.100.7, unknown");
        assert_eq!(address(&garbage, &proxies), IpAddr::from([10, 0, 0, 1]));
    }
}
