//! The server as a whole: limits, stopping, reloading. The protocol itself is shown in tests/dialogs.

use arc_swap::ArcSwap;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, Peer};
use crate::message::crlf::CrlfBytes;
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
