//! Opening a connection: address, TCP, greeting, EHLO, STARTTLS, AUTH, until the server is ready for MAIL.
//! Nothing of a mail is known here, so nothing of it can leak before the connection is as safe as
//! `[relay] tls` asks for (C10). Whether others could read along is said by [`Connection::exposed`] (C30).

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::auth::Credentials;
use super::extensions::Extensions;
use super::reply::Reply;
use super::wire::{Socket, Wire};
use crate::config::{Direction, NextHopSettings, RelayTls};
use crate::delivery::Timeouts;
use crate::delivery::outcome::{Cause, Failure};
use crate::diagnostic::Stage;
use crate::id::OrganisationId;
use crate::settings::Organisation;
use crate::tls::{TlsError, opportunistic_client, verifying_client};

/// Where to connect, how, and for whom: connections of the same settings can stand in for each other. No connection carries mail
/// of two organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    organisation: OrganisationId,
    hostname: String,
    hop: NextHopSettings,
}

impl ServerSettings {
    /// For an organisation's mail of this direction.
    pub fn of(organisation: &Organisation, direction: Direction) -> Self {
        let (hostname, hop) = (organisation.hostname.clone(), organisation.relay.next_hop(direction));
        Self { organisation: organisation.id(), hostname, hop }
    }

    /// The server, as `host:port`.
    pub fn smarthost(&self) -> &str {
        &self.hop.smarthost
    }

    /// The same with another way of encrypting.
    pub fn with_tls(mut self, tls: RelayTls) -> Self {
        self.hop.tls = tls;
        self
    }

    /// The name that the certificate must bear: the smarthost without port and brackets.
    fn server_name(&self) -> Result<ServerName<'static>, Failure> {
        let host = self.smarthost().rsplit_once(':').map_or(self.smarthost(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(host.to_owned())
            .map_err(|error| Failure { stage: Stage::StartTls, cause: Cause::NoTls(error.to_string()) })
    }
}

/// The two ways of trusting a server's certificate.
#[derive(Clone)]
pub struct TlsClients {
    verifying: Result<Arc<ClientConfig>, String>,
    opportunistic: Arc<ClientConfig>,
}

impl TlsClients {
    /// With the system's trusted roots; that there are none matters only once they are needed.
    pub fn system() -> Result<Self, TlsError> {
        let verifying = verifying_client().map_err(|error| error.to_string());
        Ok(Self { verifying, opportunistic: opportunistic_client()? })
    }

    /// With roots of the caller's choice for "required" and "implicit".
    pub fn with_verifier(verifying: Arc<ClientConfig>) -> Result<Self, TlsError> {
        Ok(Self { verifying: Ok(verifying), opportunistic: opportunistic_client()? })
    }
}

/// A connection that waits for MAIL.
pub struct Connection {
    /// The bytes.
    pub wire: Wire,
    /// What the server said first.
    pub greeting: String,
    /// What the server offers, as said under the encryption in force.
    pub offered: Extensions,
    /// Why others could read along. `None` where they cannot: it is encrypted, or does not leave this machine; or
    /// `tls = "off"` was written.
    pub exposed: Option<String>,
    /// How it is encrypted: version, cipher suite, and whether the certificate was verified.
    pub tls: Option<String>,
    /// Mails sent over it.
    pub mails: u32,
}

/// Opens a connection. With "opportunistic" a failed handshake is followed by one try in clear: whoever can
/// break the handshake could as well have hidden the offer, and mail must go on.
pub async fn open(
    settings: &ServerSettings,
    tls: &TlsClients,
    timeouts: &Timeouts,
) -> Result<Connection, Failure> {
    let mut opening = Opening { settings, tls, timeouts, failed: None };
    match opening.open().await {
        Err(Failure { cause: Cause::NoTls(reason), .. }) if settings.hop.tls == RelayTls::Opportunistic => {
            tracing::warn!(smarthost = settings.smarthost(), reason, "TLS failed; going on without it");
            opening.failed = Some(format!("TLS failed: {reason}"));
            opening.open().await
        }
        result => result,
    }
}

struct Opening<'a> {
    settings: &'a ServerSettings,
    tls: &'a TlsClients,
    timeouts: &'a Timeouts,
    /// Why TLS is not tried again.
    failed: Option<String>,
}

impl Opening<'_> {
    async fn open(&self) -> Result<Connection, Failure> {
        let tcp = self.connect().await.map_err(at(Stage::Connect))?;
        // What the name stands for is known only now.
        let is_local = tcp.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
        let mut wire = Wire::new(Box::new(tcp));
        let mode = self.settings.hop.tls;
        let mut tls = None;
        if mode == RelayTls::Implicit {
            (wire, tls) = self.handshake(wire).await?;
        }
        let greeting = wire.reply(self.timeouts.greeting).await.map_err(at(Stage::Greeting))?;
        let said = greeting.text();
        expect(greeting, 220, Stage::Greeting)?;
        let mut offered = self.hello(&mut wire).await?;
        let clear = match mode {
            RelayTls::Implicit => None,
            RelayTls::Off => Some("tls is \"off\"".to_owned()),
            RelayTls::Opportunistic | RelayTls::Required => self.starttls(&mut wire, &offered).await?,
        };
        if clear.is_none() && mode != RelayTls::Implicit {
            (wire, tls) = self.handshake(wire).await?;
            // What was said in clear is forgotten (RFC 3207 4.2).
            offered = self.hello(&mut wire).await?;
        }
        if !self.settings.hop.username.is_empty() {
            self.log_in(&mut wire, &offered, clear.is_none()).await.map_err(at(Stage::Auth))?;
        }
        let exposed = clear.filter(|_| !is_local && mode != RelayTls::Off);
        Ok(Connection { wire, greeting: said, offered, exposed, tls, mails: 0 })
    }

    /// Tries every address of the name, as RFC 5321 5.1 asks.
    async fn connect(&self) -> Result<TcpStream, Cause> {
        let limit = self.timeouts.connect;
        let addresses = timeout(limit, lookup_host(self.settings.smarthost())).await;
        let addresses: Vec<SocketAddr> =
            addresses.map_err(|_| Cause::TimedOut)?.map_err(Cause::Unreachable)?.collect();
        let mut last = Cause::Unreachable(std::io::Error::other("the name has no address"));
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    tcp.set_nodelay(true)?;
                    return Ok(tcp);
                }
                Ok(Err(error)) => last = Cause::Unreachable(error),
                Err(_) => last = Cause::TimedOut,
            }
        }
        Err(last)
    }

    /// EHLO, and HELO for a server that does not know it (RFC 5321 3.2).
    async fn hello(&self, wire: &mut Wire) -> Result<Extensions, Failure> {
        let limit = self.timeouts.command;
        let name = &self.settings.hostname;
        let reply = wire.ask(&format!("EHLO {name}"), limit).await.map_err(at(Stage::Hello))?;
        if reply.is_positive() {
            return Ok(Extensions::parse(&reply));
        }
        if !(500..600).contains(&reply.code) {
            return Err(Failure { stage: Stage::Hello, cause: Cause::Answer(reply) });
        }
        let reply = wire.ask(&format!("HELO {name}"), limit).await.map_err(at(Stage::Hello))?;
        expect(reply, 250, Stage::Hello)?;
        Ok(Extensions::default())
    }

    /// Asks for a handshake; gives the reason where there is none to come and the mode lets us go on in clear.
    async fn starttls(&self, wire: &mut Wire, offered: &Extensions) -> Result<Option<String>, Failure> {
        if self.failed.is_some() {
            return Ok(self.failed.clone());
        }
        let required = self.settings.hop.tls == RelayTls::Required;
        if !offered.starttls {
            let reason = "the server does not offer STARTTLS";
            return if required { Err(no_tls(reason)) } else { Ok(Some(reason.to_owned())) };
        }
        let reply = wire.ask("STARTTLS", self.timeouts.command).await.map_err(at(Stage::StartTls))?;
        match reply.code {
            220 => Ok(None),
            _ if required || reply.is_closing() => {
                Err(Failure { stage: Stage::StartTls, cause: Cause::Answer(reply) })
            }
            _ => Ok(Some(format!("the server refuses STARTTLS: {reply}"))),
        }
    }

    async fn handshake(&self, wire: Wire) -> Result<(Wire, Option<String>), Failure> {
        let socket: Box<dyn Socket> = wire.into_socket().map_err(at(Stage::StartTls))?;
        let config = match self.settings.hop.tls {
            RelayTls::Off | RelayTls::Opportunistic => &self.tls.opportunistic,
            RelayTls::Required | RelayTls::Implicit => {
                self.tls.verifying.as_ref().map_err(|reason| no_tls(reason))?
            }
        };
        let handshake = TlsConnector::from(Arc::clone(config)).connect(self.settings.server_name()?, socket);
        match timeout(self.timeouts.connect, handshake).await {
            Ok(Ok(stream)) => {
                let is_verified = matches!(self.settings.hop.tls, RelayTls::Required | RelayTls::Implicit);
                let tls = described(stream.get_ref().1, is_verified);
                Ok((Wire::new(Box::new(stream)), tls))
            }
            Ok(Err(error)) => Err(no_tls(&error.to_string())),
            Err(_) => Err(no_tls("the handshake took too long")),
        }
    }

    /// A password never crosses the net in clear, unless `tls = "off"` was chosen.
    async fn log_in(&self, wire: &mut Wire, offered: &Extensions, encrypted: bool) -> Result<(), Cause> {
        let NextHopSettings { tls, username, password_file, .. } = &self.settings.hop;
        if !encrypted && *tls != RelayTls::Off {
            return Err(Cause::Credentials("the connection is not encrypted".to_owned()));
        }
        let credentials = Credentials::read(username, password_file.as_deref()).await?;
        credentials.log_in(wire, offered, self.timeouts.command).await
    }
}

/// Version and cipher suite, and whether somebody else could have answered.
fn described(session: &rustls::ClientConnection, is_verified: bool) -> Option<String> {
    let version = match session.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let verified = if is_verified { "verified" } else { "not verified" };
    Some(format!("{version} {} {verified}", suite.unwrap_or("unknown")))
}

fn at(stage: Stage) -> impl Fn(Cause) -> Failure {
    move |cause| Failure { stage, cause }
}

fn no_tls(reason: &str) -> Failure {
    Failure { stage: Stage::StartTls, cause: Cause::NoTls(reason.to_owned()) }
}

fn expect(reply: Reply, code: u16, stage: Stage) -> Result<(), Failure> {
    if reply.code == code { Ok(()) } else { Err(Failure { stage, cause: Cause::Answer(reply) }) }
}
