//! The only wiring: opens the store, starts every part, stops them in reverse. `zegel serve` and the
//! demo both stand on it.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::Address;
use crate::audit::{Action, Event};
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError};
use crate::delivery::Timeouts;
use crate::delivery::smarthost::TlsClients;
use crate::intake::{Intake, Rules};
use crate::jobs::reminders::Reminders;
use crate::jobs::retention::{Before, Retention};
use crate::limits::TryRule;
use crate::policy::Policy;
use crate::queue::forget;
use crate::queue::worker::{Worker, WorkerParts};
use crate::reply::{self, Replies};
use crate::secret::{Keys, MASTER_KEY};
use crate::sender::Actions;
use crate::staff::Directory;
use crate::store::files::LocalBlobs;
use crate::store::room::Share;
use crate::store::sqlite::{Alone, Database, Sqlite};
use crate::store::{Blobs, Store, identity};
use crate::transfer::access::Access;
use crate::web::admin::{Admin, Certificates};
use crate::{sandbox, smtp, tls, web};

/// A file has reached the size that the system allows us (`LimitFSIZE`, `ulimit -f`); the same number on every
/// Linux that we build for.
const SIGXFSZ: i32 = 25;
/// How long what was started may take to finish after SIGTERM.
const DRAIN: Duration = Duration::from_secs(30);
/// The first lock of a link after too many wrong passwords.
const FIRST_LOCK: Duration = Duration::from_mins(15);

/// Runs `zegel serve` until SIGTERM or SIGINT.
pub fn run(path: &Path) -> Result<()> {
    let rules = read_rules(load_config(path)?)?;
    make_folder(&rules.config.data_dir)?;
    // Before the runtime makes threads.
    sandbox::enter(&rules.config.data_dir);
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let gateway = Gateway::start(rules).await?;
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
    live: Live,
    accepting: CancellationToken,
    relaying: CancellationToken,
    servers: TaskTracker,
    workers: TaskTracker,
}

/// What SIGHUP swaps.
struct Live {
    rules: Arc<ArcSwap<Rules>>,
    config: Arc<ArcSwap<Config>>,
    smtp: Arc<ArcSwap<smtp::Settings>>,
    web_tls: Arc<ArcSwapOption<ServerConfig>>,
    certificates: Arc<ArcSwap<Certificates>>,
}

impl Gateway {
    /// Starts everything; when it returns, every listener is bound.
    pub async fn start(rules: Rules) -> Result<Self> {
        // Unhandled it ends the process; handled (and it stays so), the write fails and its message is 451 (C03).
        drop(signal(SignalKind::from_raw(SIGXFSZ))?);
        let config = rules.config.clone();
        let Foundation { store, blobs, keys, before, .. } = Foundation::open(&config)?;
        let clock = Clock::system();
        let live = Live::new(rules)?;
        let worker = Worker::new(WorkerParts {
            store: store.clone(),
            blobs: Arc::new(blobs.shared(Share::Queue)),
            key: keys.body.clone(),
            link_key: keys.link.clone(),
            clock: clock.clone(),
            config: live.config.clone(),
            tls: TlsClients::system()?,
            timeouts: Timeouts::default(),
        });
        let intake = Intake::new(
            store.clone(),
            blobs.clone(),
            keys.clone(),
            clock.clone(),
            live.rules.clone(),
            worker.wake_handle(),
        );
        let try_rule = TryRule { attempts: config.seal.max_password_attempts, lock: FIRST_LOCK };
        let replies = Replies::new(reply::Parts {
            store: store.clone(),
            blobs: Arc::new(blobs.shared(Share::Pages)),
            keys: keys.clone(),
            clock: clock.clone(),
            config: live.config.clone(),
            rules: live.rules.clone(),
            wake: worker.wake_handle(),
            largest: worker.largest_mail(),
        });
        let actions = Actions {
            store: store.clone(),
            keys: keys.clone(),
            clock: clock.clone(),
            rules: live.rules.clone(),
            wake: worker.wake_handle(),
        };
        let reminders = Reminders::new(actions.clone(), store.clone());
        let retention = Retention::new(actions.clone(), store.clone(), reminders, blobs.clone(), before);
        let access = Arc::new(Access::new(store.clone(), blobs.clone(), keys, clock.clone(), try_rule));
        let pages =
            web::Parts::new(access, replies, actions, store.clone(), live.config.clone(), clock.clone());
        let pages = web::router(pages);
        let (certificates, live_config) = (live.certificates.clone(), live.config.clone());
        let admin =
            Admin { store: store.clone(), blobs: blobs.clone(), certificates, config: live_config, clock };
        let admin = web::admin::router(admin);

        let smtp = smtp::Server::bind(&config.smtp.listen, live.smtp.clone(), Arc::new(intake))?;
        let web = web::http::server::Server::bind(
            &config.web.listen,
            pages,
            live.web_tls.clone(),
            live.config.clone(),
        )?;
        let admin = web::http::server::Server::bind(
            &config.admin.listen,
            admin,
            Arc::default(),
            live.config.clone(),
        )?;

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
        Ok(Self { smtp, web, admin, store, live, accepting, relaying, servers, workers })
    }

    /// Says that everything is up: in the log, and to systemd.
    pub fn announce(&self) {
        tracing::info!(smtp = join(&self.smtp), web = join(&self.web), admin = join(&self.admin), "ready");
        tell_systemd(&[sd_notify::NotifyState::Ready]);
    }

    /// Reads configuration, policies, staff and certificates again. A fault changes nothing (M12).
    pub async fn reload(&self, path: &Path) {
        let result = match self.live.reload(path) {
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

impl Live {
    fn new(rules: Rules) -> Result<Self> {
        warn(&rules.config);
        Ok(Self {
            config: Arc::new(ArcSwap::from_pointee(rules.config.clone())),
            smtp: Arc::new(ArcSwap::from_pointee(smtp_settings(&rules.config)?)),
            web_tls: Arc::new(ArcSwapOption::from(web_certificate(&rules.config)?)),
            certificates: Arc::new(ArcSwap::from_pointee(Certificates::read(&rules.config))),
            rules: Arc::new(ArcSwap::from_pointee(rules)),
        })
    }

    /// Everything new is read before anything old is let go.
    fn reload(&self, path: &Path) -> Result<()> {
        let rules = read_rules(load_config(path)?)?;
        let smtp = smtp_settings(&rules.config)?;
        let web_tls = web_certificate(&rules.config)?;
        let old = self.config.load();
        for (key, changed) in [
            ("hostname", old.hostname != rules.config.hostname),
            ("data_dir", old.data_dir != rules.config.data_dir),
            ("smtp.listen", old.smtp.listen != rules.config.smtp.listen),
            ("web.listen", old.web.listen != rules.config.web.listen),
            ("admin.listen", old.admin.listen != rules.config.admin.listen),
            ("smtp.memory_budget", old.smtp.memory_budget != rules.config.smtp.memory_budget),
            (
                "seal.max_password_attempts",
                old.seal.max_password_attempts != rules.config.seal.max_password_attempts,
            ),
        ] {
            if changed {
                bail!("{key} cannot change while the gateway runs; restart it");
            }
        }
        warn(&rules.config);
        self.certificates.store(Arc::new(Certificates::read(&rules.config)));
        self.config.store(Arc::new(rules.config.clone()));
        self.smtp.store(Arc::new(smtp));
        self.rules.store(Arc::new(rules));
        self.web_tls.store(web_tls);
        Ok(())
    }
}

/// Says what was chosen and may have to be chosen anew; `/readyz` says it as well.
fn warn(config: &Config) {
    config.relay.notes().iter().for_each(|note| tracing::warn!("{note}"));
}

/// Store, blobs and keys: what lies in the data folder, and belongs together.
pub struct Foundation {
    /// Rows
    pub store: Arc<dyn Store>,
    /// Sealed bytes
    pub blobs: Arc<LocalBlobs>,
    /// Everything that follows from `master.key`
    pub keys: Keys,
    /// Of the gateway that was here before.
    pub before: Before,
    /// Where all of it is.
    pub folder: PathBuf,
    /// Whether database, blobs and key have proved that they belong together.
    pub has_id: bool,
}

impl Foundation {
    /// For the gateway, of which there is one: opens the data folder, and makes it when it is not there.
    pub fn open(config: &Config) -> Result<Self> {
        make_folder(&config.data_dir)?;
        let Parts { database, keys, blobs, has_id } = Parts::open(config)?;
        if !has_id {
            identity::found(&database, &keys.folder, &blobs, &blobs_folder(config))?;
        }
        let (found, named) = (blobs.names()?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(config), named, found.len() as u64)?;
        let before = Before { alive: database.begin_life(Clock::system().now())?, named, found };
        let store = database.serve()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before, folder: config.data_dir.clone(), has_id: true })
    }

    /// Whether a gateway has used this data folder. Fails where there is much of one, but no database.
    pub fn exists(config: &Config) -> Result<bool> {
        let database = database(config);
        identity::refuse_remains(&config.data_dir, &database)?;
        Ok(Sqlite::exists(&database))
    }

    /// For the command line: a data folder that a gateway has used.
    pub fn open_existing(config: &Config) -> Result<Self> {
        if !Self::exists(config)? {
            bail!("{}: no gateway has run here yet", config.data_dir.display());
        }
        let Parts { database, keys, blobs, has_id } = Parts::open(config)?;
        let store = database.attach()?;
        let keys = keys.with_keyring(store.keyring());
        let (store, blobs) = (Arc::new(store), Arc::new(blobs));
        Ok(Self { store, blobs, keys, before: Before::default(), folder: config.data_dir.clone(), has_id })
    }

    /// The same for who asks whether a gateway would start: looks at every blob.
    pub fn open_to_check(config: &Config) -> Result<Self> {
        let Parts { database, blobs, .. } = Parts::open(config)?;
        let (found, named) = (blobs.names()?, database.count_blobs()?);
        identity::refuse_most_missing(&database, &blobs_folder(config), named, found.len() as u64)?;
        Self::open_existing(config)
    }

    /// No gateway is at work in the data folder, nor begins while this is held.
    pub fn keep_gateways_out(config: &Config) -> Result<Alone> {
        if !Self::exists(config)? {
            bail!("{}: no gateway has run here yet", config.data_dir.display());
        }
        Ok(Alone::beside(&database(config))?)
    }

    /// The master key that lies there is the database's from now on.
    pub fn adopt_key(config: &Config) -> Result<()> {
        let keys = Keys::open(&config.data_dir, false)?;
        Ok(identity::adopt_key(&Database::open(&database(config))?, &keys.folder)?)
    }

    /// The blobs that lie there are the database's from now on.
    pub fn adopt_blobs(config: &Config) -> Result<()> {
        let keys = Keys::open(&config.data_dir, false)?;
        let (database, blobs) =
            (Database::open(&database(config))?, LocalBlobs::open(&blobs_folder(config))?);
        Ok(identity::adopt_blobs(&database, &keys.folder, &config.data_dir.join(MASTER_KEY), &blobs)?)
    }
}

/// What a [`Foundation`] stands on: verified, and not at work yet.
struct Parts {
    database: Database,
    keys: Keys,
    blobs: LocalBlobs,
    has_id: bool,
}

impl Parts {
    fn open(config: &Config) -> Result<Self> {
        let (folder, path, blobs) = (&config.data_dir, database(config), blobs_folder(config));
        identity::refuse_remains(folder, &path)?;
        let database = Database::open(&path)?;
        let keys = Keys::open(folder, identity::is_new(&database, &blobs)?)?;
        let has_id = identity::verify(&database, &keys.folder, &folder.join(MASTER_KEY), &blobs)?;
        Ok(Self { database, keys, blobs: LocalBlobs::open(&blobs)?, has_id })
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| folder.display().to_string())
}

fn database(config: &Config) -> PathBuf {
    config.data_dir.join(identity::DATABASE)
}

fn blobs_folder(config: &Config) -> PathBuf {
    config.data_dir.join(identity::BLOBS)
}

/// A fault in what the configuration points to: policies, staff list, certificates, usage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// Reads the configuration with the environment on top.
pub fn load_config(path: &Path) -> Result<Config, ConfigError> {
    config::load(path, std::env::vars())
}

/// Reads what the configuration points to: rules and staff list.
pub fn read_rules(config: Config) -> Result<Rules> {
    let policy = match config.policy.on_disk() {
        Some(files) => Policy::load(files).map_err(misconfigured("policy.files"))?,
        None => Policy::shipped(),
    };
    let staff = match &config.organisation.staff {
        Some(path) => Directory::load(path).map_err(misconfigured("organisation.staff"))?,
        None => Directory::default(),
    };
    let domain = config.domain();
    let postmaster =
        Address::parse(&format!("postmaster@{domain}")).map_err(misconfigured("organisation.domains"))?;
    Ok(Rules { config, policy, staff, postmaster })
}

/// How the SMTP server is to behave, certificate included.
pub fn smtp_settings(config: &Config) -> Result<smtp::Settings> {
    let settings = smtp::Settings::new(&config.hostname, &config.smtp);
    Ok(settings.map_err(misconfigured("smtp.tls_certificate and smtp.tls_key"))?)
}

/// The certificate of the pages, where one is set.
pub fn web_certificate(config: &Config) -> Result<Option<Arc<ServerConfig>>> {
    let (Some(certificate), Some(key)) = (&config.web.tls_certificate, &config.web.tls_key) else {
        return Ok(None);
    };
    let server = tls::server(certificate, key, web::http::server::PROTOCOLS);
    Ok(Some(server.map_err(misconfigured("web.tls_certificate and web.tls_key"))?))
}

/// The key leads to the place in the configuration, the error to the fault in what it names.
fn misconfigured<E: std::fmt::Display>(key: &'static str) -> impl FnOnce(E) -> Misconfigured {
    move |error| Misconfigured(format!("{key}: {error}"))
}
