//! Listening, and how many connections a listener has, in all and from one client (H10, H11). Used by `smtp/listener` and
//! `web/server`, each with a count and limits of its own.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpSocket};

use crate::limits::client_key;

/// Connections that wait until we accept them; the kernel's `somaxconn` may allow fewer. One that finds no place
/// comes back after a second, so a burst must fit: the usual 128 are soon full.
const BACKLOG: u32 = 4096;

/// Listens on every address. Must be called within tokio's runtime.
pub fn listen(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let one = |&address: &SocketAddr| {
        listen_on(address).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
    };
    addresses.iter().map(one).collect()
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait for the connections of its predecessor to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The connections that are open now. Not in the store: they live and die with this process.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_client: HashMap<String, usize>,
}

/// How many connections one client may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientLimit {
    /// So many.
    Fixed(usize),
    /// As many as it leaves free for others: alone half of all, beside one that does the same a third (H40).
    AsManyAsFree,
}

impl Connections {
    /// Counts one more connection, unless there are too many already.
    pub fn enter(self: &Arc<Self>, client: IpAddr, total: usize, limit: ClientLimit) -> Option<Ticket> {
        let key = client_key(client);
        let mut counts = self.lock();
        let from_client = counts.per_client.get(&key).copied().unwrap_or(0);
        let free = total.checked_sub(counts.total + 1)?;
        let most = match limit {
            ClientLimit::Fixed(most) => most,
            ClientLimit::AsManyAsFree => free,
        };
        if from_client >= most {
            return None;
        }
        counts.total += 1;
        counts.per_client.insert(key.clone(), from_client + 1);
        Some(Ticket { connections: Arc::clone(self), key })
    }

    /// How many there are.
    pub fn open(&self) -> usize {
        self.lock().total
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
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// More at once than are accepted just then: each still gets its connection, and not a second later.
    #[tokio::test]
    async fn a_burst_waits_for_us() {
        let listener = listen(&["127.0.0.1:0".parse().unwrap()]).unwrap().remove(0);
        let address = listener.local_addr().unwrap();
        let connect = || timeout(Duration::from_secs(20), TcpStream::connect(address));
        let mut clients = Vec::new();
        for number in 0..500 {
            let client = connect().await;
            clients.push(client.unwrap_or_else(|_| panic!("client {number} finds no place")).unwrap());
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let listener = listen(&["127.0.0.1:0".parse().unwrap()]).unwrap().remove(0);
        let taken = listener.local_addr().unwrap();
        let error = listen(&[taken]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{taken}: ")), "{error}");
    }

    #[test]
    fn counts_connections_on_and_off() {
        let connections = Arc::new(Connections::default());
        let enter = |client: &str| connections.enter(ip(client), 3, ClientLimit::Fixed(2));
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

    /// H40
    #[test]
    fn whoever_comes_finds_a_place() {
        let connections = Arc::new(Connections::default());
        let mut held = Vec::new();
        let mut fill = |client: &str| {
            let enter = || connections.enter(ip(client), 100, ClientLimit::AsManyAsFree);
            let before = held.len();
            held.extend(std::iter::from_fn(enter));
            held.len() - before
        };
        assert_eq!([fill("192.0.2.1"), fill("192.0.2.2"), fill("2001:db8::1")], [50, 25, 12]);
        assert_eq!(fill("2001:db8::2"), 0, "another address of the same network");
        assert!(fill("192.0.2.3") > 0);
    }
}
