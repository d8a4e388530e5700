//! The only wiring: it opens the data folder, starts every part, and stops them in reverse. `zegel serve` and the demo
//! both run a [`Gateway`].

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::{Action, Actor, EventResult, Initiator, Origin};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError};
use crate::control::{Control, ReloadRequest};
use crate::data_folder;
use crate::delivery::Timeouts;
use crate::delivery::smarthost::{Smarthost, TlsClients};
use crate::home::Home;
use crate::intake::Intake;
use crate::jobs::chain::AuditChain;
use crate::jobs::heartbeat::Heartbeat;
use crate::jobs::master_keys::MasterKeys;
use crate::jobs::reminders::Reminders;
use crate::jobs::retention::Retention;
use crate::jobs::tracking;
use crate::limits::TryRule;
use crate::master_keys::Place;
use crate::metrics::Metrics;
use crate::queue::forget;
use crate::queue::worker::{Worker, WorkerParts};
use crate::reply::{self, ReplyService};
use crate::sender::SenderService;
use crate::settings::{CurrentSettings, Settings};
use crate::store::Store;
use crate::transfer::access::Access;
use crate::web::WebState;
use crate::web::admin::AdminParts;
use crate::web::http::server::{Server as WebServer, Transport};
use crate::{sandbox, smtp, web};

/// The signal for a file that has reached the size that the system allows (`LimitFSIZE`, `ulimit -f`). It has the same
/// number on every Linux that we build for.
const SIGXFSZ: i32 = 25;
/// How long connections and deliveries may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(30);
/// The first lock of a link after too many wrong passwords.
const FIRST_LOCK: Duration = Duration::from_mins(15);

/// Runs `zegel serve` until SIGTERM or SIGINT.
pub fn run(path: &Path) -> Result<()> {
    let settings = Settings::read(load_config(path)?)?;
    data_folder::make(&settings.data_dir)?;
    // Before the runtime makes threads.
    sandbox::enter(&settings.data_dir);
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let folder = settings.data_dir.clone();
        let gateway = Gateway::start(settings).await?;
        // The folder is ours since the gateway has started.
        let mut control = Control::listen(&folder)
            .inspect_err(
                |error| tracing::warn!(%error, "no control socket: zegel reload will not work, SIGHUP does"),
            )
            .ok();
        gateway.announce();
        let mut watchdog = Watchdog::new();
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                // Told in the log.
                _ = hangup.recv() => drop(gateway.reload(path).await),
                request = asked(&mut control) => request.answer(gateway.reload(path).await),
                () = watchdog.tick() => tell_systemd(&[NotifyState::Watchdog]),
            }
        }
        drop(control);
        gateway.stop().await;
        Ok(())
    })
}

async fn asked(control: &mut Option<Control>) -> ReloadRequest {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

/// When systemd is to be told that the gateway is alive, if its unit asks for that. The times are kept whatever else happens
/// meanwhile, however often.
struct Watchdog(Option<Interval>);

impl Watchdog {
    fn new() -> Self {
        Self(sd_notify::watchdog_enabled().map(|limit| tokio::time::interval(limit / 3)))
    }

    async fn tick(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }
}

/// From here to the next "ready" `systemctl` shows the service as reloading.
fn tell_systemd_of_a_reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell_systemd(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd could not be told of the reload"),
    }
}

/// What `systemctl status` shows after a reload that changed nothing. A line break would begin another assignment.
fn refusal(reason: &str) -> String {
    let line: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("the configuration on disk is refused, an older one is in force: {line}")
}

fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// A running gateway.
pub struct Gateway {
    /// The addresses of the SMTP listener.
    pub smtp: Vec<SocketAddr>,
    /// The addresses of the pages.
    pub web: Vec<SocketAddr>,
    /// The addresses of the administrator's listener.
    pub admin: Vec<SocketAddr>,
    store: Arc<dyn Store>,
    settings: CurrentSettings,
    metrics: Metrics,
    accepting: CancellationToken,
    relaying: CancellationToken,
    leaving: CancellationToken,
    servers: TaskTracker,
    workers: TaskTracker,
    heartbeat: JoinHandle<()>,
}

impl Gateway {
    /// Starts everything; when it returns, every listener is bound.
    pub async fn start(settings: Settings) -> Result<Self> {
        // Without a handler this signal ends the process. With one, the write fails and the message is answered with 451
        // (C03). The handler stays when this value is dropped.
        drop(signal(SignalKind::from_raw(SIGXFSZ))?);
        let Home { store, blobs, keys, before, owner } =
            Home::open(&settings.data_dir, &settings.store).await?;
        let (clock, metrics) = (Clock::system(), Metrics::default());
        let place = Place { store: store.clone(), blobs: blobs.queue.clone(), keys: keys.clone() };
        let identity = store.known_identity().await?.context("the store has no id")?;
        metrics.reloaded(true, clock.now());
        warn(&settings);
        let settings = CurrentSettings::new(settings);
        let smarthost = Smarthost::new(TlsClients::system()?, Timeouts::default());
        let largest = smarthost.largest_mail();
        let worker = Worker::new(WorkerParts {
            owner: owner.context("the data folder has no id")?,
            store: store.clone(),
            blobs: blobs.queue,
            key: keys.body.clone(),
            link_key: keys.link.clone(),
            action_key: keys.action.clone(),
            clock: clock.clone(),
            settings: settings.clone(),
            next_hop: Arc::new(smarthost),
            metrics: metrics.clone(),
        });
        let intake = Intake::new(
            store.clone(),
            blobs.mail.clone(),
            keys.clone(),
            clock.clone(),
            settings.clone(),
            worker.wake_handle(),
        )
        .with_metrics(metrics.clone());
        let replies = ReplyService::new(reply::ReplyParts {
            store: store.clone(),
            blobs: blobs.pages,
            keys: keys.clone(),
            clock: clock.clone(),
            wake: worker.wake_handle(),
            largest,
        });
        let sender = SenderService::new(store.clone(), keys.clone(), clock.clone(), worker.wake_handle());
        let reminders = Reminders::new(store.clone(), sender.clone());
        let retention = Retention::new(
            store.clone(),
            blobs.mail.clone(),
            clock.clone(),
            settings.clone(),
            reminders,
            before,
        );
        let first = settings.get();
        let try_rule = TryRule { attempts: first.operator().seal.max_password_attempts, lock: FIRST_LOCK };
        let access = Access::new(store.clone(), blobs.mail.clone(), keys, clock.clone(), try_rule);
        let access = Arc::new(access.with_metrics(metrics.clone()));
        let pages = web::router(WebState {
            access,
            replies,
            sender,
            downloads: store.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        });

        let smtp = smtp::Server::bind(&first.smtp.listen, smtp_settings(&settings), Arc::new(intake))?
            .with_metrics(metrics.clone());
        let web = WebServer::bind(&first.web.listen, pages, settings.clone(), Transport::AsConfigured)?;
        let admin = web::admin::router(AdminParts {
            store: store.clone(),
            node: store.clone(),
            generations: place.keys.generations.clone(),
            blobs: blobs.mail.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            next_hops: worker.next_hops(),
            metrics: metrics.clone(),
            smtp: smtp.connections(),
            web: web.connections(),
        });
        let admin = WebServer::bind(&first.admin.listen, admin, settings.clone(), Transport::Plain)?;

        // The addresses are bound, so no other gateway uses this folder, and no message has been accepted yet.
        match blobs.mail.sweep_unfinished()? {
            0 => {}
            removed => tracing::info!(removed, "unfinished blobs of a former life were removed"),
        }
        let chain = AuditChain::new(store.clone(), clock.clone());
        let heartbeat = Heartbeat::begin(
            store.clone(),
            clock.clone(),
            settings.clone(),
            (identity.id, place.keys.folder.clone()),
        )
        .await?;
        let (accepting, relaying) = (CancellationToken::new(), CancellationToken::new());
        let (servers, workers) = (TaskTracker::new(), TaskTracker::new());
        let addresses = (smtp.addresses()?, web.addresses(), admin.addresses());
        servers.spawn(smtp.run(accepting.clone()));
        servers.spawn(web.run(accepting.clone()));
        workers.spawn(admin.run(relaying.clone()));
        workers.spawn(worker.run(relaying.clone()));
        workers.spawn(retention.run(chain, store.clone(), relaying.clone()));
        workers.spawn(forget::run(store.clone(), relaying.clone()));
        workers.spawn(tracking::run(store.clone(), relaying.clone()));
        workers.spawn(MasterKeys::new(place, clock).run(relaying.clone()));
        let leaving = CancellationToken::new();
        let heartbeat = tokio::spawn(heartbeat.run(accepting.clone(), leaving.clone()));
        let (smtp, web, admin) = addresses;
        Ok(Self {
            smtp,
            web,
            admin,
            store,
            settings,
            metrics,
            accepting,
            relaying,
            leaving,
            servers,
            workers,
            heartbeat,
        })
    }

    /// Tells the log and systemd that the gateway is ready.
    pub fn announce(&self) {
        tracing::info!(smtp = join(&self.smtp), web = join(&self.web), admin = join(&self.admin), "ready");
        tell_systemd(&[NotifyState::Ready]);
    }

    /// Reads configuration, policies, staff and certificates again. A fault changes nothing (M12), and is the reason in `Err`.
    pub async fn reload(&self, path: &Path) -> Result<(), String> {
        tell_systemd_of_a_reload();
        let end = self.read_again(path).map_err(|error| format!("{error:#}"));
        self.metrics.reloaded(end.is_ok(), Clock::system().now());
        let result = match &end {
            Ok(()) => EventResult::Ok,
            Err(reason) => {
                tracing::error!(error = reason, "the new configuration is refused, the old one stays");
                EventResult::RefusedConfiguration(reason.clone())
            }
        };
        let by = Initiator { actor: Actor::Signal, origin: Origin::Local };
        let object = path.display().to_string();
        let event = by.event(Clock::system().now(), Action::Configuration, object, result);
        if let Err(error) = self.store.append_audit(event).await {
            tracing::error!(%error, "the audit trail could not be written");
        }
        let status = end.as_ref().err().map(|reason| refusal(reason)).unwrap_or_default();
        tell_systemd(&[NotifyState::Ready, NotifyState::Status(&status)]);
        end
    }

    /// Reads everything before it replaces anything.
    fn read_again(&self, path: &Path) -> Result<()> {
        self.settings.replace(Settings::read(load_config(path)?)?)?;
        warn(&self.settings.get());
        Ok(())
    }

    /// Stops in reverse: it accepts no new connection, and then waits up to 30 seconds for those that are open.
    pub async fn stop(self) {
        tell_systemd(&[NotifyState::Stopping]);
        self.accepting.cancel();
        self.servers.close();
        self.workers.close();
        let drained = tokio::time::timeout(DRAIN, async {
            self.servers.wait().await;
            self.relaying.cancel();
            self.workers.wait().await;
        });
        if drained.await.is_err() {
            tracing::warn!("some connections did not finish in time; their mail stays in the queue");
        }
        if let Err(error) = self.store.write_tracks().await {
            tracing::error!(%error, "`zegel track` does not know of some mail that was delivered last");
        }
        if let Err(error) = self.store.destroy_keys().await {
            tracing::error!(%error, "keys of delivered mail are left for the next start");
        }
        // The last of all: until here other nodes leave alone what this one was delivering.
        self.leaving.cancel();
        if let Err(error) = self.heartbeat.await {
            tracing::error!(%error, "the signs of life have broken down");
        }
        tracing::info!("stopped");
    }
}

fn join(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Gives the settings of an SMTP connection that begins.
fn smtp_settings(settings: &CurrentSettings) -> smtp::SettingsSource {
    let settings = settings.clone();
    Box::new(move || {
        let now = settings.get();
        Arc::new(smtp::SmtpSettings::new(&now.operator().hostname, &now.smtp, now.certificates.smtp.clone()))
    })
}

/// Logs settings that work but are not safe for ever; `/readyz` shows them too.
fn warn(settings: &Settings) {
    let notes = settings.relay_notes().into_iter().chain(settings.store.notes());
    notes.for_each(|note| tracing::warn!("{note}"));
}

/// Reads the configuration; the environment overrides it.
pub fn load_config(path: &Path) -> Result<Config, ConfigError> {
    config::load(path, config::environment())
}
