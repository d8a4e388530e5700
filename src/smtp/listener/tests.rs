//! The server as a whole: limits, stopping, reloading. The protocol itself is shown in tests/dialogs.

use arc_swap::ArcSwap;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;
use crate::proxy_protocol::HeaderSenders;
use crate::proxy_protocol::testing::{CHECK, header};
use crate::smtp::inbox::Refusal;
use crate::smtp::peers::Allowed;
use crate::smtp::{SmtpSettings, fixture};

/// Keeps a message as soon as there is a permit for it, and tells that it has got one.
struct Gated {
    got: Semaphore,
    may_keep: Semaphore,
}

impl Inbox for Gated {
    type Kept = &'static str;
    type Snapshot = ();

    fn begin(&self, _: &ReversePath) -> Result<(), Refusal> {
        Ok(())
    }

    fn postmaster(&self, (): &()) -> Address {
        Address::parse("postmaster@voorbeeld.nl").unwrap()
    }

    async fn keep(&self, (): (), peer: Peer, _: Envelope, _: CrlfBytes) -> Result<&'static str, Refusal> {
        assert!(peer.extended && peer.helo == "client.example" && peer.tls.is_none());
        self.got.add_permits(1);
        self.may_keep.acquire().await.unwrap().forget();
        Ok("kept")
    }
}

struct Fixture {
    address: SocketAddr,
    settings: Arc<ArcSwap<SmtpSettings>>,
    inbox: Arc<Gated>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn start() -> Fixture {
    let settings = Arc::new(ArcSwap::from_pointee(fixture::settings()));
    let inbox = Arc::new(Gated { got: Semaphore::new(0), may_keep: Semaphore::new(0) });
    let current = Arc::clone(&settings);
    let current = Box::new(move || current.load_full());
    let any_port = ["127.0.0.1:0".parse().unwrap()];
    let server = Server::bind(&any_port, current, Arc::clone(&inbox)).unwrap();
    let address = server.addresses().unwrap()[0];
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.run(stop.clone()));
    Fixture { address, settings, inbox, stop, running }
}

impl Fixture {
    fn change(&self, change: impl FnOnce(&mut SmtpSettings)) {
        let mut settings = SmtpSettings::clone(&self.settings.load());
        change(&mut settings);
        self.settings.store(Arc::new(settings));
    }

    /// A connection, and the first line that it got.
    async fn connect(&self) -> (BufReader<TcpStream>, String) {
        let mut client = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        let greeting = line(&mut client).await;
        (client, greeting)
    }

    /// A connection that begins with these bytes, and the first line that it got.
    async fn connect_with(&self, first: &[u8]) -> (BufReader<TcpStream>, String) {
        let mut client = BufReader::new(TcpStream::connect(self.address).await.unwrap());
        client.write_all(first).await.unwrap();
        let greeting = line(&mut client).await;
        (client, greeting)
    }

    /// Has the peer of every test name its clients, of which these may relay.
    fn balance(&self, allowed: &str) {
        let (loopback, allowed) = (["127.0.0.1/32".parse().unwrap()], vec![allowed.parse().unwrap()]);
        self.change(|settings| {
            settings.header_senders = HeaderSenders::new(true, &loopback);
            settings.allowed = Allowed::new(allowed);
        });
    }

    /// A connection whose message has been sent but for its last byte.
    async fn connect_and_send(&self) -> BufReader<TcpStream> {
        let (mut client, _) = self.connect().await;
        client.write_all(b"EHLO client.example\r\n").await.unwrap();
        while !line(&mut client).await.starts_with("250 ") {}
        let batch = b"MAIL FROM:<>\r\nRCPT TO:<piet@example.org>\r\nDATA\r\n";
        client.write_all(batch).await.unwrap();
        while !line(&mut client).await.starts_with("354 ") {}
        client.write_all(b"Hallo\r\n.\r").await.unwrap();
        client
    }
}

async fn line(client: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).await.unwrap();
    line
}

#[tokio::test]
async fn says_250_only_when_the_inbox_has_kept_it() {
    let server = start().await;
    let mut client = server.connect_and_send().await;
    client.write_all(b"\n").await.unwrap();
    server.inbox.got.acquire().await.unwrap().forget();
    assert!(client.get_ref().try_read(&mut [0]).is_err(), "nothing is said yet (C02)");
    server.inbox.may_keep.add_permits(1);
    assert_eq!(line(&mut client).await, "250 2.0.0 Ok: queued as kept\r\n");
}

#[tokio::test]
async fn stops_idle_sessions_and_lets_messages_finish() {
    let server = start().await;
    let (mut idle, _) = server.connect().await;
    let mut busy = server.connect_and_send().await;
    server.stop.cancel();
    assert!(line(&mut idle).await.starts_with("421 4.3.2 "));
    assert_eq!(line(&mut idle).await, "");
    server.inbox.may_keep.add_permits(1);
    busy.write_all(b"\n").await.unwrap();
    assert!(line(&mut busy).await.starts_with("250 2.0.0 "));
    assert!(line(&mut busy).await.starts_with("421 4.3.2 "));
    drop((idle, busy));
    server.running.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn limits_the_connections_of_one_client() {
    let server = start().await;
    server.change(|settings| settings.max_connections_per_client = 2);
    let (first, greeting) = server.connect().await;
    assert!(greeting.starts_with("220 "));
    let (_second, greeting) = server.connect().await;
    assert!(greeting.starts_with("220 "));
    let (mut third, greeting) = server.connect().await;
    assert!(greeting.starts_with("421 4.7.0 "));
    assert_eq!(third.read(&mut [0]).await.unwrap(), 0);
    // One that has ended makes room, as soon as the server has noticed.
    drop(first);
    while !server.connect().await.1.starts_with("220 ") {}
}

#[tokio::test]
async fn new_settings_hold_for_new_connections() {
    let server = start().await;
    let (mut old, _) = server.connect().await;
    server.change(|settings| settings.allowed = Allowed::default());
    let (mut new, _) = server.connect().await;
    for (client, answer) in [(&mut old, "250 2.1.0 "), (&mut new, "550 5.7.1 ")] {
        client.write_all(b"HELO client.example\r\nMAIL FROM:<>\r\n").await.unwrap();
        assert!(line(client).await.starts_with("250 "));
        assert!(line(client).await.starts_with(answer), "{answer}");
    }
}

#[tokio::test]
async fn slow_clients_delay_nobody() {
    let server = start().await;
    server.inbox.may_keep.add_permits(1);
    let mut slow = Vec::new();
    for number in 0..150 {
        let mut client =
            if number % 2 == 0 { server.connect().await.0 } else { server.connect_and_send().await };
        client.write_all(b"N").await.unwrap();
        slow.push(client);
    }
    let mut client = server.connect_and_send().await;
    client.write_all(b"\n").await.unwrap();
    assert!(line(&mut client).await.starts_with("250 "), "H10");
}

/// The response to MAIL.
async fn mail(client: &mut BufReader<TcpStream>) -> String {
    client.write_all(b"HELO client.example\r\nMAIL FROM:<>\r\n").await.unwrap();
    assert!(line(client).await.starts_with("250 "));
    line(client).await
}

#[tokio::test]
async fn a_proxy_says_who_may_relay() {
    let server = start().await;
    server.balance("192.0.2.0/24");
    for (first, answer) in [
        (header([192, 0, 2, 7]), "250 2.1.0 "),
        (header([198, 51, 100, 7]), "550 5.7.1 "),
        (CHECK.to_vec(), "550 5.7.1 "),
    ] {
        let (mut client, greeting) = server.connect_with(&first).await;
        assert!(greeting.starts_with("220 "), "{greeting}");
        assert!(mail(&mut client).await.starts_with(answer), "{answer}");
    }
}

#[tokio::test]
async fn limits_hold_for_the_client_behind_the_proxy() {
    let server = start().await;
    server.balance("192.0.2.0/24");
    server.change(|settings| settings.max_connections_per_client = 1);
    let (_first, greeting) = server.connect_with(&header([192, 0, 2, 7])).await;
    assert!(greeting.starts_with("220 "));
    let (_again, greeting) = server.connect_with(&header([192, 0, 2, 7])).await;
    assert!(greeting.starts_with("421 4.7.0 "));
    let (_other, greeting) = server.connect_with(&header([192, 0, 2, 8])).await;
    assert!(greeting.starts_with("220 "));
}

#[tokio::test]
async fn a_proxy_without_a_header_is_told() {
    let server = start().await;
    server.balance("0.0.0.0/0");
    let version_1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\nEHLO a\r\n";
    for first in [&b"EHLO client.example\r\n"[..], version_1, b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"] {
        let (mut client, greeting) = server.connect_with(first).await;
        assert!(greeting.starts_with("421 4.3.5 "), "{greeting}");
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn nobody_else_names_a_client() {
    let server = start().await;
    server.balance("192.0.2.0/24");
    let others = ["10.0.0.9/32".parse().unwrap()];
    server.change(|settings| settings.header_senders = HeaderSenders::new(true, &others));
    let (mut client, greeting) = server.connect().await;
    assert!(greeting.starts_with("220 "), "it is not waited for");
    client.write_all(&header([192, 0, 2, 7])).await.unwrap();
    client.write_all(b"\r\nRSET\r\n").await.unwrap();
    while !line(&mut client).await.starts_with("250 2.0.0 ") {}
    assert!(mail(&mut client).await.starts_with("550 5.7.1 "));
}

/// A balancer that hears 421 takes the gateway for dead.
#[tokio::test]
async fn health_checks_are_answered_however_often_and_however_busy() {
    let server = start().await;
    server.balance("192.0.2.0/24");
    server.change(|settings| settings.max_connections = 2);
    let (_busy, greeting) = server.connect_with(&header([192, 0, 2, 7])).await;
    assert!(greeting.starts_with("220 "));
    for number in 0..3 * STRANGERS.burst {
        let mut check = server.connect_with(CHECK).await;
        assert!(check.1.starts_with("220 "), "{number}: {}", check.1);
        check.0.write_all(b"QUIT\r\n").await.unwrap();
        while !line(&mut check.0).await.is_empty() {}
    }
}

#[tokio::test]
async fn whoever_waits_for_a_header_is_told_of_the_end() {
    let server = start().await;
    server.balance("192.0.2.0/24");
    let mut waiting = BufReader::new(TcpStream::connect(server.address).await.unwrap());
    waiting.write_all(&header([192, 0, 2, 7])[..8]).await.unwrap();
    // One that came later is served, so the first is being waited for.
    assert!(server.connect_with(CHECK).await.1.starts_with("220 "));
    server.stop.cancel();
    assert!(line(&mut waiting).await.starts_with("421 4.3.2 "));
    server.running.await.unwrap();
}
