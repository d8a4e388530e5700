//! How the database is reached: the URL as libpq has it, TLS, the password, and what every session is told.
//!
//! A connection over a network is encrypted, and the server's certificate and name are checked: `sslmode=verify-full`, which
//! is what it is when the URL does not say. `disable` is for a Unix socket and the same machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::change::database;
use crate::config::Database;
use crate::id::FolderId;
use crate::store::{Result, StoreError, at};
use crate::tls;

/// How long a connection may take to be made, and a caller waits for one to be free.
const CONNECT: Duration = Duration::from_secs(5);
/// After so long without an acknowledgement the operating system gives a connection up.
const SILENCE: Duration = Duration::from_secs(10);

/// What every session is told: that nothing it holds outlives a node that has gone. Which node it is for is said beside it, for
/// the trigger `keys_still_ours`.
const SESSION: &str = "-c statement_timeout=20s -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s \
     -c default_transaction_isolation=read\\ committed";

/// A commit is on disk, and with a synchronous standby on its disk as well, when it returns (C02): whatever the server's default
/// is, unless that promises more.
const DURABLE: &str = "
    SELECT set_config('synchronous_commit', 'on', FALSE)
    WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')";

/// What each session calls itself, before the name of its node.
pub(super) const NAME: &str = "zegel ";

/// A pool of a node, of so many connections. Nothing is connected yet.
pub(super) fn pool(settings: &Database, most: usize, node: &FolderId) -> Result<Pool> {
    let Url { mut config, tls } = Url::parse(&settings.url)?;
    if let Some(file) = &settings.password_file {
        config.password(first_line(file)?);
    } else if config.get_password().is_none()
        && let Some(password) = of_pgpass(&config)?
    {
        config.password(password);
    }
    config.application_name(format!("{NAME}{node}"));
    let given = config.get_options().unwrap_or_default();
    config.options(format!("{SESSION} -c zegel.node={node} {given}"));
    config.connect_timeout(CONNECT).tcp_user_timeout(SILENCE).keepalives_idle(SILENCE);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match tls {
        Some(files) => {
            let client =
                tls::client_of(files.roots.as_deref(), files.certificate.as_deref(), files.key.as_deref());
            let client = client.map_err(|error| database(&format!("store.database: {error}")))?;
            Manager::from_config(config, MakeRustlsConnect::new(client), recycling)
        }
        None => Manager::from_config(config, NoTls, recycling),
    };
    let timeouts = Timeouts { wait: Some(CONNECT), create: Some(CONNECT), recycle: Some(CONNECT) };
    let durable = Hook::async_fn(|client: &mut ClientWrapper, _| {
        Box::pin(async move { client.batch_execute(DURABLE).await.map_err(HookError::Backend) })
    });
    let pool = Pool::builder(manager).max_size(most).timeouts(timeouts).runtime(Runtime::Tokio1);
    pool.post_create(durable).build().map_err(|error| StoreError::Database(Box::new(error)))
}

/// The database's URL, without what only libpq knows.
struct Url {
    config: Config,
    /// `None`: no TLS.
    tls: Option<TlsFiles>,
}

#[derive(Default)]
struct TlsFiles {
    roots: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Url {
    fn parse(url: &str) -> Result<Self> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut files, mut rest) = ("verify-full", TlsFiles::default(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let path = || {
                let decoded = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
                Some(PathBuf::from(decoded.into_owned()))
            };
            match key {
                "sslmode" => mode = value,
                "sslrootcert" if value == "system" => files.roots = None,
                "sslrootcert" => files.roots = path(),
                "sslcert" => files.certificate = path(),
                "sslkey" => files.key = path(),
                _ => rest.push(pair),
            }
        }
        let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        // What was wrong may quote the URL, and that may hold a password.
        let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
            let reason =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            database(&format!("store.database is not a URL of PostgreSQL: {reason}"))
        })?;
        let tls = match mode {
            "verify-full" if config.get_hosts().iter().all(is_socket) && !config.get_hosts().is_empty() => {
                None
            }
            "verify-full" => Some(files),
            "disable" if config.get_hosts().iter().all(is_here) => None,
            "disable" => {
                return Err(database(
                    "store.database: sslmode=disable is for this machine alone; use verify-full",
                ));
            }
            other => {
                let text = format!(
                    "store.database: sslmode={other} does not check whom it speaks to; use verify-full"
                );
                return Err(database(&text));
            }
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Ok(Self { config, tls })
    }
}

fn is_socket(host: &Host) -> bool {
    matches!(host, Host::Unix(_))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

fn first_line(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).map_err(|error| at(file, error))?;
    Ok(text.lines().next().unwrap_or("").to_owned())
}

/// The password in `PGPASSFILE` or `~/.pgpass` (libpq's "The Password File") for this host, port, database and user.
fn of_pgpass(config: &Config) -> Result<Option<String>> {
    let in_home = || std::env::home_dir().map(|home| home.join(".pgpass"));
    let Some(file) = std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(in_home) else {
        return Ok(None);
    };
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| at(&file, error))?,
    };
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or("");
    let wanted = [&host[..], &port, config.get_dbname().unwrap_or(user), user];
    Ok(text.lines().find_map(|line| password_of(line, &wanted)))
}

fn password_of(line: &str, wanted: &[&str; 4]) -> Option<String> {
    let fields = fields(line);
    let (password, given) = fields.split_last()?;
    let fits =
        given.len() == 4 && given.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
    (fits && !line.starts_with('#')).then(|| password.clone())
}

/// Divided at colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut chars) = (vec![String::new()], line.chars());
    while let Some(c) = chars.next() {
        match c {
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => {
                let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> String {
        Url::parse(url).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn the_server_is_checked_unless_it_is_this_machine() {
        let files = |url: &str| Url::parse(url).unwrap().tls.map(|files| files.roots);
        assert_eq!(files("postgresql://zegel@db.example/zegel"), Some(None));
        assert_eq!(
            files("postgresql://zegel@db.example/zegel?sslmode=verify-full&sslrootcert=/a%20b"),
            Some(Some("/a b".into()))
        );
        assert_eq!(files("postgresql://zegel@127.0.0.1:5433/zegel?sslmode=disable"), None);
        assert_eq!(files("postgresql://zegel@%2Frun%2Fpostgresql/zegel"), None);
        assert!(fault("postgresql://zegel@db.example/zegel?sslmode=disable").contains("this machine alone"));
        assert!(fault("postgresql://zegel@db.example/zegel?sslmode=require").contains("use verify-full"));
    }

    #[test]
    fn a_fault_tells_no_password() {
        let fault = fault("postgresql://zegel:geheim@db.example:port/zegel");
        assert!(!fault.is_empty() && !fault.contains("geheim"), "{fault}");
    }

    #[test]
    fn the_password_file_is_read_as_libpq_does() {
        let wanted = ["db.example", "5432", "zegel", "zegel"];
        for (line, found) in [
            ("db.example:5432:zegel:zegel:open", Some("open")),
            ("*:*:*:zegel:a\\:b:c\\\\", Some("a:b:c\\")),
            ("other:5432:zegel:zegel:open", None),
            ("# db.example:5432:zegel:zegel:open", None),
            ("db.example:5432:zegel", None),
        ] {
            assert_eq!(password_of(line, &wanted).as_deref(), found, "{line}");
        }
    }
}
