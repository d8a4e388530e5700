//! The only wiring: opens the store, starts every part, stops them in reverse. `zegel serve` and the
//! demo both stand on it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::{Action, Event};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError};
use crate::data_folder::{self, DataFolder};
use crate::delivery::Timeouts;
use crate::delivery::smarthost::TlsClients;
use crate::intake::Intake;
use crate::jobs::reminders::Reminders;
use crate::jobs::retention::Retention;
use crate::limits::TryRule;
use crate::queue::forget;
use crate::queue::worker::{Worker, WorkerParts};
use crate::reply::{self, ReplyService};
use crate::sender::SenderService;
use crate::settings::{CurrentSettings, Settings};
use crate::store::Store;
use crate::store::room::Share;
use crate::transfer::access::Access;
use crate::web::admin::Admin;
use crate::{sandbox, smtp, web};

/// A file has reached the size that the system allows us (`LimitFSIZE`, `ulimit -f`); the same number on every
/// Linux that we build for.
const SIGXFSZ: i32 = 25;
/// How long what was started may take to finish after SIGTERM.
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
        let gateway = Gateway::start(settings).await?;
        gateway.announce();
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => gateway.reload(path).await,
                () = watchdog() => {}
            }
        }
        gateway.stop().await;
        Ok(())
    })
}

/// Tells systemd now and then that we are alive, where it wants to know.
async fn watchdog() {
    match sd_notify::watchdog_enabled() {
        Some(limit) => {
            tokio::time::sleep(limit / 2).await;
            tell_systemd(&[sd_notify::NotifyState::Watchdog]);
        }
        None => std::future::pending().await,
    }
}

fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// A running gateway.
pub struct Gateway {
    /// Where mail comes in.
    pub smtp: Vec<SocketAddr>,
    /// Where the pages are.
    pub web: Vec<SocketAddr>,
    /// Where the administrator looks.
    pub admin: Vec<SocketAddr>,
    store: Arc<dyn Store>,
    settings: CurrentSettings,
    accepting: CancellationToken,
    relaying: CancellationToken,
    servers: TaskTracker,
    workers: TaskTracker,
}

impl Gateway {
    /// Starts everything; when it returns, every listener is bound.
    pub async fn start(settings: Settings) -> Result<Self> {
        // Unhandled it ends the process; handled (and it stays so), the write fails and its message is 451 (C03).
        drop(signal(SignalKind::from_raw(SIGXFSZ))?);
        let DataFolder { store, blobs, keys, before, .. } = DataFolder::open(&settings.data_dir)?;
        let clock = Clock::system();
        warn(&settings);
        let settings = CurrentSettings::new(settings);
        let worker = Worker::new(WorkerParts {
            store: store.clone(),
            blobs: Arc::new(blobs.shared(Share::Queue)),
            key: keys.body.clone(),
            link_key: keys.link.clone(),
            clock: clock.clone(),
            settings: settings.clone(),
            tls: TlsClients::system()?,
            timeouts: Timeouts::default(),
        });
        let intake = Intake::new(
            store.clone(),
            blobs.clone(),
            keys.clone(),
            clock.clone(),
            settings.clone(),
            worker.wake_handle(),
        );
        let replies = ReplyService::new(reply::Parts {
            store: store.clone(),
            blobs: Arc::new(blobs.shared(Share::Pages)),
            keys: keys.clone(),
            clock: clock.clone(),
            wake: worker.wake_handle(),
            largest: worker.largest_mail(),
        });
        let sender = SenderService::new(store.clone(), keys.clone(), clock.clone(), worker.wake_handle());
        let reminders = Reminders::new(store.clone(), sender.clone());
        let retention =
            Retention::new(store.clone(), blobs.clone(), clock.clone(), settings.clone(), reminders, before);
        let first = settings.get();
        let try_rule = TryRule { attempts: first.operator().seal.max_password_attempts, lock: FIRST_LOCK };
        let access = Arc::new(Access::new(store.clone(), blobs.clone(), keys, clock.clone(), try_rule));
        let pages = web::Parts::new(access, replies, sender, store.clone(), settings.clone(), clock.clone());
        let pages = web::router(pages);
        let admin = Admin { store: store.clone(), blobs: blobs.clone(), settings: settings.clone(), clock };
        let admin = web::admin::router(admin);

        let smtp = smtp::Server::bind(&first.smtp.listen, smtp_settings(&settings), Arc::new(intake))?;
        let web = web::http::server::Server::bind(&first.web.listen, pages, settings.clone(), |settings| {
            settings.certificates.web.clone()
        })?;
        let admin = web::http::server::Server::bind(&first.admin.listen, admin, settings.clone(), |_| None)?;

        // The addresses are ours, so no other gateway is at work here; and nothing has been taken in yet.
        match blobs.sweep_unfinished()? {
            0 => {}
            removed => tracing::info!(removed, "unfinished blobs of a former life were removed"),
        }
        let (accepting, relaying) = (CancellationToken::new(), CancellationToken::new());
        let (servers, workers) = (TaskTracker::new(), TaskTracker::new());
        let addresses = (smtp.addresses()?, web.addresses(), admin.addresses());
        servers.spawn(smtp.run(accepting.clone()));
        servers.spawn(web.run(accepting.clone()));
        workers.spawn(admin.run(relaying.clone()));
        workers.spawn(worker.run(relaying.clone()));
        workers.spawn(retention.run(relaying.clone()));
        workers.spawn(forget::run(store.clone(), relaying.clone()));
        let (smtp, web, admin) = addresses;
        Ok(Self { smtp, web, admin, store, settings, accepting, relaying, servers, workers })
    }

    /// Says that everything is up: in the log, and to systemd.
    pub fn announce(&self) {
        tracing::info!(smtp = join(&self.smtp), web = join(&self.web), admin = join(&self.admin), "ready");
        tell_systemd(&[sd_notify::NotifyState::Ready]);
    }

    /// Reads configuration, policies, staff and certificates again. A fault changes nothing (M12).
    pub async fn reload(&self, path: &Path) {
        let result = match self.read_again(path) {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the new configuration is refused, the old one stays"
                );
                format!("refused: {error:#}")
            }
        };
        let event = Event {
            time: Clock::system().now(),
            action: Action::Configuration,
            object: path.display().to_string(),
            result,
            actor: "admin".into(),
            origin: "local".into(),
        };
        if let Err(error) = self.store.append_audit(event).await {
            tracing::error!(%error, "the audit trail could not be written");
        }
    }

    /// Everything new is read before anything old is let go.
    fn read_again(&self, path: &Path) -> Result<()> {
        self.settings.replace(Settings::read(load_config(path)?)?)?;
        warn(&self.settings.get());
        Ok(())
    }

    /// Stops in reverse: no new connections, then what was started is finished, for 30 seconds at most.
    pub async fn stop(self) {
        tell_systemd(&[sd_notify::NotifyState::Stopping]);
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
        if let Err(error) = self.store.destroy_keys().await {
            tracing::error!(%error, "keys of delivered mail are left for the next start");
        }
        tracing::info!("stopped");
    }
}

fn join(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// What new SMTP connections go by.
fn smtp_settings(settings: &CurrentSettings) -> smtp::SettingsSource {
    let settings = settings.clone();
    Box::new(move || {
        let now = settings.get();
        Arc::new(smtp::SmtpSettings::new(&now.operator().hostname, &now.smtp, now.certificates.smtp.clone()))
    })
}

/// Says what was chosen and may have to be chosen anew; `/readyz` says it as well.
fn warn(settings: &Settings) {
    settings.relay.notes().iter().for_each(|note| tracing::warn!("{note}"));
}

/// Reads the configuration with the environment on top.
pub fn load_config(path: &Path) -> Result<Config, ConfigError> {
    config::load(path, std::env::vars())
}
