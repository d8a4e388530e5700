//! The listener of the web pages, and of the administrator's: accepts, limits, speaks TLS, drains.
//! Called by `serve` and `demo`. Bounded whatever a client does (H10, H11, H36): every wait for a
//! client has an end, every buffer a size, every connection a slot.
//!
//! HTTP/2 only comes with TLS, as browsers have it; plain HTTP is for loopback and reverse proxies.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::stream::Stalling;
use crate::config::Config;
use crate::connections::{Connections, listen};

/// What ALPN offers; give it to `tls::server`.
pub const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Connections at once, and at once from one client.
const MAX_CONNECTIONS: usize = 1000;
const MAX_CONNECTIONS_PER_CLIENT: usize = 100;
/// For the TLS handshake, for a request's header, and between two requests.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets and fields of a request's header. Over it: 431.
const MAX_HEADER: usize = 32 * 1024;
const MAX_HEADER_FIELDS: usize = 64;
/// HTTP/2 streams of one connection. Resets and CONTINUATION floods are counted by h2 itself.
const MAX_STREAMS: u32 = 100;
/// After this long a connection is asked to finish; the browser opens a new one unnoticed.
const MAX_AGE: Duration = Duration::from_secs(15 * 60);
/// At shutdown: for what is being sent.
const DRAIN: Duration = Duration::from_secs(25);

/// Sockets that are bound and wait for [`Server::run`].
pub struct Server {
    listeners: Vec<TcpListener>,
    shared: Shared,
}

struct Shared {
    router: Router,
    tls: Arc<ArcSwapOption<ServerConfig>>,
    config: Arc<ArcSwap<Config>>,
    slots: Arc<Connections>,
    connections: TaskTracker,
}

impl Shared {
    /// A reverse proxy speaks for everybody: it has no limit of its own.
    fn most_of(&self, client: IpAddr) -> usize {
        let client = client.to_canonical();
        let config = self.config.load();
        let is_trusted = config.web.trusted_proxies.iter().any(|net| net.contains(&client));
        let is_proxy = client.is_loopback() || is_trusted;
        if is_proxy { MAX_CONNECTIONS } else { MAX_CONNECTIONS_PER_CLIENT }
    }
}

/// Where a request's connection comes from: an extension of every request.
#[derive(Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

impl Server {
    /// Binds every address. While `tls` holds a configuration new connections speak HTTPS, and take
    /// the newest one (M13); else plain HTTP. The `trusted_proxies` of `config` may hold as many
    /// connections as they need. Must be called within tokio's runtime.
    pub fn bind(
        addresses: &[SocketAddr],
        router: Router,
        tls: Arc<ArcSwapOption<ServerConfig>>,
        config: Arc<ArcSwap<Config>>,
    ) -> io::Result<Self> {
        let listeners = listen(addresses)?;
        let (slots, connections) = (Arc::default(), TaskTracker::new());
        Ok(Self { listeners, shared: Shared { router, tls, config, slots, connections } })
    }

    /// What was really bound: with port 0 the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Serves until `stop`, then finishes what was started.
    pub async fn run(self, stop: CancellationToken) {
        let accepting = TaskTracker::new();
        let kill = CancellationToken::new();
        let shared = Arc::new(self.shared);
        for listener in self.listeners {
            accepting.spawn(accept(listener, shared.clone(), stop.clone(), kill.clone()));
        }
        accepting.close();
        accepting.wait().await;
        shared.connections.close();
        if timeout(DRAIN, shared.connections.wait()).await.is_err() {
            kill.cancel();
            shared.connections.wait().await;
        }
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancellationToken,
    kill: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without a slot it is closed at once: that costs nothing and frees the backlog.
                if let Some(slot) = shared.slots.enter(peer.ip(), MAX_CONNECTIONS, shared.most_of(peer.ip()))
                {
                    let (shared, stop, kill) = (shared.clone(), stop.clone(), kill.clone());
                    let tracker = shared.connections.clone();
                    tracker.spawn(async move {
                        let _slot = slot;
                        tokio::select! {
                            () = connection(stream, peer, &shared, &stop) => {}
                            () = kill.cancelled() => {}
                        }
                    });
                }
            }
            Err(error) => {
                // Out of file descriptors, mostly: spinning would make it worse.
                tracing::warn!(%error, "cannot accept a web connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: &Shared, stop: &CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "web connection");
    }
    let stream = Stalling::new(stream);
    let Some(config) = shared.tls.load_full() else {
        return http(stream, peer, false, shared, stop).await;
    };
    match timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => {
            let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            http(stream, peer, h2, shared, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake of a web connection"),
        Err(_) => tracing::debug!("TLS handshake of a web connection took too long"),
    }
}

async fn http<S>(stream: S, peer: SocketAddr, h2: bool, shared: &Shared, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = shared.router.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(PeerAddress(peer));
        router.clone().call(request)
    });
    let builder = builder(h2);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = async { tokio::select! { () = stop.cancelled() => {}, () = sleep(MAX_AGE) => {} } } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "web connection");
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
