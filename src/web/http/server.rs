//! The listener of the web pages, and of the administrator's: accepts, limits, speaks TLS, drains.
//! Called by `serve` and `demo`. Bounded whatever a client does (H10, H11, H36): every wait for a
//! client has an end, every buffer a size, every connection a slot.
//!
//! HTTP/2 only comes with TLS, as browsers have it; plain HTTP is for loopback and reverse proxies.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::activity::{Activity, ConnectionState, Outgoing, Patience};
use super::client::PeerAddress;
use super::connection_slots::OpenConnections;
use super::linger::Lingering;

use super::stalling::Stalling;
use crate::connections::{ClientLimit, Connections, Ticket, listen};
use crate::limits::{Rate, client_key};
use crate::proxy_protocol::{self, ProxyError};
use crate::settings::CurrentSettings;
use crate::throttle::Throttle;

/// What a listener speaks before HTTP.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// What the settings of the pages say: TLS where there is a certificate, behind the PROXY header of proxies that send
    /// one.
    AsConfigured,
    /// Nothing: the administrator's listener, and the mailbox of the demo.
    Plain,
}

/// Connections at once. Of them a client has no more than it leaves free.
const MAX_CONNECTIONS: usize = 1000;
/// From so many on, one that is idle leaves for each that comes.
const CROWDED: usize = 900;
/// New connections of one client: a whole town hall may sit behind it.
const NEW_CONNECTIONS: Rate = Rate { interval: Duration::from_millis(50), burst: 400 };
/// Lines of the log about one proxy that sends no header.
const COMPLAINTS: Rate = Rate { interval: Duration::from_mins(1), burst: 1 };
/// For the TLS handshake, for a request's header, and between two requests.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes and fields of a request's header. Over it: 431.
const MAX_HEADER: usize = 32 * 1024;
const MAX_HEADER_FIELDS: usize = 64;
/// HTTP/2 streams of one connection. Resets and CONTINUATION floods are counted by h2 itself.
const MAX_STREAMS: u32 = 100;
/// After this long a connection is asked to finish; the browser opens a new one unnoticed.
const MAX_AGE: Duration = Duration::from_mins(15);
/// Bytes that the kernel may hold of what is to be sent, before it has been on its way: with more of them nobody could
/// tell how fast a client reads.
const MOST_UNSENT: u32 = 256 * 1024;
/// At shutdown: for what is being sent.
const DRAIN: Duration = Duration::from_secs(25);

/// Sockets that are bound and wait for [`Server::run`].
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Shared,
}

struct Shared {
    router: Router,
    settings: CurrentSettings,
    transport: Transport,
    tickets: Arc<Connections>,
    /// Connections of proxies that have not said yet whose they are.
    unnamed: Arc<Connections>,
    complaints: Throttle,
    slots: OpenConnections,
    newcomers: Throttle,
    patience: Patience,
    connections: TaskTracker,
}

/// What ends connections: `stop` asks them to finish, `kill` ends those that have not.
#[derive(Clone)]
struct Ends {
    stop: CancellationToken,
    kill: CancellationToken,
}

impl Shared {
    /// Whether this peer must say first whose connection it is.
    fn must_send_header(&self, peer: IpAddr) -> bool {
        match self.transport {
            Transport::AsConfigured => self.settings.get().web.header_senders.contains(peer),
            Transport::Plain => false,
        }
    }

    /// Without it the listener speaks plain HTTP.
    fn certificate(&self) -> Option<Arc<ServerConfig>> {
        match self.transport {
            Transport::AsConfigured => self.settings.get().certificates.web.clone(),
            Transport::Plain => None,
        }
    }

    /// Admits the peer, or the client that it must name first.
    fn arrive(self: &Arc<Self>, mut stream: TcpStream, peer: SocketAddr, ends: &Ends) {
        if !self.must_send_header(peer.ip()) {
            return self.admit(stream, peer, ends);
        }
        let limit = ClientLimit::Fixed(MAX_CONNECTIONS);
        let Some(unnamed) = self.unnamed.enter(peer.ip(), MAX_CONNECTIONS, limit) else { return };
        let (shared, ends) = (Arc::clone(self), ends.clone());
        self.connections.spawn(async move {
            let named = tokio::select! {
                named = proxy_protocol::client(&mut stream, peer) => named,
                () = ends.stop.cancelled() => return,
            };
            match named {
                Ok(client) => shared.admit(stream, client, &ends),
                Err(error) => shared.complain(peer, &error),
            }
            drop(unnamed);
        });
    }

    fn complain(&self, peer: SocketAddr, error: &ProxyError) {
        match error {
            ProxyError::Nothing => tracing::debug!(%peer, %error, "web connection"),
            _ if self.complaints.allows(&client_key(peer.ip())) => {
                tracing::warn!(%peer, %error, "a proxy does not say whose web connection it is; nothing is served");
            }
            _ => tracing::debug!(%peer, %error, "web connection"),
        }
    }

    /// Without a ticket a connection is closed at once: that costs nothing and frees the backlog.
    fn admit(self: &Arc<Self>, stream: TcpStream, client: SocketAddr, ends: &Ends) {
        let Some(ticket) = self.ticket(client.ip()) else { return };
        let activity = Activity::new(self.patience);
        let slot = self.slots.enter(activity.clone());
        let (shared, ends) = (Arc::clone(self), ends.clone());
        self.connections.spawn(async move {
            let _ticket = ticket;
            tokio::select! {
                () = connection(stream, client, &shared, activity, &ends.stop) => {}
                () = ends.kill.cancelled() => {}
                () = slot.lost() => tracing::debug!("an idle web connection made room"),
            }
        });
    }

    /// Lets a connection of this client in, if there is room for it.
    fn ticket(&self, client: IpAddr) -> Option<Ticket> {
        let limit = match self.settings.get().is_proxy(client) {
            true => ClientLimit::Fixed(MAX_CONNECTIONS),
            false if self.newcomers.allows(&client_key(client)) => ClientLimit::AsManyAsFree,
            false => return None,
        };
        self.slots.make_room(CROWDED);
        self.tickets.enter(client, MAX_CONNECTIONS, limit)
    }
}

impl Server {
    /// Binds every address. New connections go by the settings of that moment (M13). Trusted proxies may hold as many
    /// connections as they need. Must be called within tokio's runtime.
    pub fn bind(
        addresses: &[SocketAddr],
        router: Router,
        settings: CurrentSettings,
        transport: Transport,
    ) -> io::Result<Self> {
        let listeners = listen(addresses)?;
        let shared = Shared {
            router,
            settings,
            transport,
            tickets: Arc::default(),
            unnamed: Arc::default(),
            complaints: Throttle::new(COMPLAINTS),
            slots: OpenConnections::default(),
            newcomers: Throttle::new(NEW_CONNECTIONS),
            patience: Patience::default(),
            connections: TaskTracker::new(),
        };
        Ok(Self { listeners, shared })
    }

    /// The same with another patience.
    #[cfg(test)]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.shared.patience = patience;
        self
    }

    /// The connections that are open, for monitoring.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.shared.tickets)
    }

    /// What was really bound: with port 0 the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then finishes what was started.
    pub async fn run(self, stop: CancellationToken) {
        let accepting = TaskTracker::new();
        let ends = Ends { stop, kill: CancellationToken::new() };
        let shared = Arc::new(self.shared);
        for listener in self.listeners {
            accepting.spawn(accept(listener, shared.clone(), ends.clone()));
        }
        accepting.close();
        accepting.wait().await;
        shared.connections.close();
        if timeout(DRAIN, shared.connections.wait()).await.is_err() {
            ends.kill.cancel();
            shared.connections.wait().await;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, ends: Ends) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ends.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => shared.arrive(stream, peer, &ends),
            Err(error) => {
                // Out of file descriptors, mostly: spinning would make it worse.
                tracing::warn!(%error, "cannot accept a web connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Shared,
    activity: Arc<Activity>,
    stop: &CancellationToken,
) {
    let set = stream.set_nodelay(true).and(SockRef::from(&stream).set_tcp_notsent_lowat(MOST_UNSENT));
    if let Err(error) = set {
        tracing::debug!(%error, "web connection");
    }
    let stream = Stalling::new(stream);
    let Some(config) = shared.certificate() else {
        return http(stream, peer, false, shared, activity, stop).await;
    };
    match timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            http(stream, peer, h2, shared, activity, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake of a web connection"),
        Err(_) => tracing::debug!("TLS handshake of a web connection took too long"),
    }
}

async fn http<S>(
    stream: S,
    peer: SocketAddr,
    h2: bool,
    shared: &Shared,
    activity: Arc<Activity>,
    stop: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (router, patience) = (shared.router.clone(), shared.patience);
    let requests = activity.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        let underway = requests.begin();
        let response = router.clone().call(Lingering::new(request));
        async move { response.await.map(|response| response.map(|body| Outgoing::new(body, underway))) }
    });
    let builder = builder(h2);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let mut looks = interval(patience.idle / 6);
    // When it was asked to finish, and when it will be.
    let (mut asked, age) = (None, Instant::now() + MAX_AGE);
    loop {
        let now = tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "web connection");
                }
                return;
            }
            () = stop.cancelled(), if asked.is_none() => age,
            now = looks.tick() => now,
        };
        match (activity.verdict(now), asked) {
            (ConnectionState::TooSlow, _) => {
                return tracing::debug!("a client that reads too slowly was let go");
            }
            (ConnectionState::Idle, Some(asked)) if now >= asked + patience.idle => return,
            (verdict, None) if verdict == ConnectionState::Idle || now >= age => {
                asked = Some(Instant::now());
                served.as_mut().graceful_shutdown();
            }
            _ => {}
        }
    }
}

fn builder(h2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEADER)
        .max_headers(MAX_HEADER_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER as u32)
        .max_send_buf_size(128 * 1024)
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    if h2 { builder.http2_only() } else { builder.http1_only() }
}
