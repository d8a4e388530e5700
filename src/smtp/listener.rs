//! Accepts connections on every address, within the limits, and starts a `connection` for each; of a proxy that passes
//! connections on only once it has said whose this one is. Made and stopped by `serve` and `demo`. What must never happen:
//! an error that ends the accept loop, or a client that is left without an answer.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::refusals::{self, RefusalLine, Refusals};
use super::response::Response;
use super::session::{Common, Session};
use super::{SettingsSource, SmtpSettings, connection};
use crate::connections::{ClientLimit, Connections, listen};
use crate::limits::{Rate, client_key};
use crate::metrics::Metrics;
use crate::proxy_protocol::{self, ProxyError};
use crate::smtp::inbox::Inbox;
use crate::throttle::Throttle;

/// The pause after accept has failed for want of file descriptors or memory.
const PAUSE: Duration = Duration::from_millis(200);

/// Connections of a client that may not relay: enough to find out why.
const STRANGERS: Rate = Rate { interval: Duration::from_secs(2), burst: 60 };

/// The SMTP server: listening already, but serving only when it runs.
pub struct Server<I> {
    listeners: Vec<TcpListener>,
    shared: Shared<I>,
}

/// What all connections have in common.
struct Shared<I> {
    settings: SettingsSource,
    inbox: Arc<I>,
    connections: Arc<Connections>,
    /// Connections of proxies that have not said yet whose they are.
    unnamed: Arc<Connections>,
    common: Common,
    strangers: Throttle,
}

/// What the server does with everything that runs in it: waits for it, and tells it to stop.
#[derive(Clone)]
struct Running {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<I: Inbox> Server<I> {
    /// Binds every address. A connection goes by what `settings` gives when it begins;
    /// certificates and limits change so without a connection dropped. Must be called within tokio's runtime.
    pub fn bind(addresses: &[SocketAddr], settings: SettingsSource, inbox: Arc<I>) -> io::Result<Self> {
        let listeners = listen(addresses)?;
        let common = Common::new(settings().memory_budget);
        let (connections, unnamed, strangers) = (Arc::default(), Arc::default(), Throttle::new(STRANGERS));
        Ok(Self { listeners, shared: Shared { settings, inbox, connections, unnamed, common, strangers } })
    }

    /// Counts there.
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        let budget = (self.shared.settings)().memory_budget;
        self.shared.common = Common::counting(budget, metrics);
        self
    }

    /// The connections that are open, for monitoring.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.shared.connections)
    }

    /// The addresses that are bound, with their real ports.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until `stop`, and then until the last session has ended: one between commands is told to try
    /// again later, one within a message may finish it.
    pub async fn run(self, stop: CancellationToken) {
        let running = Running { tasks: TaskTracker::new(), stop };
        let shared = Arc::new(self.shared);
        for listener in self.listeners {
            running.tasks.spawn(accept(listener, Arc::clone(&shared), running.clone()));
        }
        running.tasks.close();
        tokio::select! {
            () = running.tasks.wait() => {}
            () = tell_by_the_minute(&shared.common.refusals) => {}
        }
        shared.common.refusals.end_minute();
    }
}

/// Never ends.
async fn tell_by_the_minute(refusals: &Refusals) {
    loop {
        tokio::time::sleep(refusals::MINUTE).await;
        refusals.end_minute();
    }
}

async fn accept<I: Inbox>(listener: TcpListener, shared: Arc<Shared<I>>, running: Running) {
    loop {
        let accepted = tokio::select! {
            () = running.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => shared.arrive(tcp, peer, &running),
            // The client went away before we came to it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept SMTP connections");
                tokio::select! {
                    () = running.stop.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

impl<I: Inbox> Shared<I> {
    /// Admits the peer, or the client that it must name first.
    fn arrive(self: &Arc<Self>, mut tcp: TcpStream, peer: SocketAddr, running: &Running) {
        let settings = (self.settings)();
        if !settings.header_senders.contains(peer.ip()) {
            return self.admit(tcp, peer, settings, running);
        }
        let most = settings.max_connections;
        let Some(unnamed) = self.unnamed.enter(peer.ip(), most, ClientLimit::Fixed(most)) else {
            return self.refuse(&tcp, peer);
        };
        let (shared, running) = (Arc::clone(self), running.clone());
        running.tasks.clone().spawn(async move {
            let named = tokio::select! {
                named = proxy_protocol::client(&mut tcp, peer) => named,
                () = running.stop.cancelled() => return say(&tcp, peer, &Response::SHUTDOWN),
            };
            match named {
                Ok(client) => shared.admit(tcp, client, settings, &running),
                Err(error) => shared.refuse_proxy(tcp, peer, &error).await,
            }
            drop(unnamed);
        });
    }

    fn admit(&self, tcp: TcpStream, client: SocketAddr, settings: Arc<SmtpSettings>, running: &Running) {
        let limit = ClientLimit::Fixed(settings.max_connections_per_client);
        // Strangers are refused in any case: they leave half of the connections to the others, and may not come
        // again and again. A proxy that asks for itself, to see whether we are well, is none.
        let may_come =
            settings.allowed.contains(client.ip()) || settings.header_senders.contains(client.ip());
        let is_stranger = !may_come;
        let total = if is_stranger { settings.max_connections.div_ceil(2) } else { settings.max_connections };
        let is_too_often = is_stranger && !self.strangers.allows(&client_key(client.ip()));
        let ticket = self.connections.enter(client.ip(), total, limit).filter(|_| !is_too_often);
        let Some(ticket) = ticket else { return self.refuse(&tcp, client) };
        let inbox = Arc::clone(&self.inbox);
        let session = Session::new(Arc::clone(&inbox), Arc::clone(&settings), self.common.clone(), client);
        let (stop, metrics) = (running.stop.clone(), self.common.metrics.clone());
        running.tasks.spawn(async move {
            // Answers are small and awaited: they must not wait for a full packet.
            let served = match tcp.set_nodelay(true) {
                Ok(()) => connection::serve(tcp, session, inbox, settings, metrics, stop).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::debug!(%client, %error, "SMTP connection ended");
            }
            drop(ticket);
        });
    }

    /// Says so at once and without waiting, so that those beyond the limit cost nothing.
    fn refuse(&self, tcp: &TcpStream, client: SocketAddr) {
        let response = Response::TOO_MANY_CONNECTIONS;
        say(tcp, client, &response);
        self.common.refusals.tell(RefusalLine::of_client(client.ip(), &response));
    }

    /// A client whom nobody names has no limits of its own and may not relay, so there is nothing to go on with.
    async fn refuse_proxy(&self, mut tcp: TcpStream, peer: SocketAddr, error: &ProxyError) {
        if matches!(error, ProxyError::Nothing) {
            return tracing::debug!(%peer, %error, "SMTP connection ended");
        }
        let response = Response::NO_PROXY_HEADER;
        say(&tcp, peer, &response);
        self.common.refusals.tell(RefusalLine::because(peer.ip(), &response, error.to_string()));
        if let Err(error) = connection::goodbye(&mut tcp).await {
            tracing::debug!(%peer, %error, "SMTP connection ended");
        }
    }
}

/// Without waiting: a new connection has room for one line.
fn say(tcp: &TcpStream, peer: SocketAddr, response: &Response) {
    let mut out = Vec::new();
    response.write_to(&mut out);
    if let Err(error) = tcp.try_write(&out) {
        tracing::debug!(%peer, %error, "SMTP client was not told");
    }
}
