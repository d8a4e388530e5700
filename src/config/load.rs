//! From file and environment to a checked [`Config`]. Every fault names file, key and reason.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// Where `--config` points when it is not given.
pub const DEFAULT_PATH: &str = "/etc/zegel/zegel.toml";

/// A configuration that cannot be used; the text is what the administrator reads.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct ConfigError {
    file: PathBuf,
    message: String,
}

/// Reads `path`, lets `environment` override it (pass `std::env::vars()`), checks it.
/// Paths in it are relative to the file's folder.
pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError { file: path.to_owned(), message: error.to_string() })?;
    parse(path, &text, environment)
}

/// Like [`load`], of a text that is already there; `path` is for messages and relative paths.
pub fn parse(
    path: &Path,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let fault = |message: String| ConfigError { file: path.to_owned(), message };
    let mut table: Table = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
    for (name, value) in environment {
        if let Some(keys) = name.strip_prefix("ZEGEL_") {
            set(&mut table, &keys.to_lowercase(), value).map_err(|m| fault(format!("{name}: {m}")))?;
        }
    }
    check_names(&table).map_err(fault)?;
    drop_empty_paths(&mut table);
    let mut config = Config::deserialize_table(table).map_err(fault)?;
    config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
    config.check().map_err(fault)?;
    Ok(config)
}

/// Every section and key of contract 2, and what we added: for names that are off by a letter.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["hostname", "data_dir"]),
    ("organisation", &["name", "domains", "phone", "staff"]),
    (
        "smtp",
        &[
            "listen",
            "allow",
            "max_message_size",
            "max_recipients",
            "max_connections",
            "max_connections_per_client",
            "idle_timeout",
            "memory_budget",
            "tls_certificate",
            "tls_key",
            "require_tls",
        ],
    ),
    (
        "relay",
        &["smarthost", "tls", "username", "password_file", "max_connections", "retry", "give_up_after"],
    ),
    ("web", &["listen", "public_url", "tls_certificate", "tls_key", "trusted_proxies", "default_language"]),
    ("admin", &["listen"]),
    ("seal", &["expiry_days", "password", "subject", "max_password_attempts"]),
    ("reply", &["enabled", "delivery", "max_size"]),
    ("policy", &["files"]),
];

fn keys_of(section: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// An unknown name is an error that names the nearest known one.
fn check_names(table: &Table) -> Result<(), String> {
    let sections: Vec<&str> = KEYS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
    for (name, value) in table {
        match value {
            Value::Table(section) if sections.contains(&name.as_str()) => {
                for key in section.keys() {
                    check_name(key, keys_of(name), &format!("{name}."))?;
                }
            }
            _ => check_name(name, &[keys_of(""), &sections].concat(), "")?,
        }
    }
    Ok(())
}

fn check_name(name: &str, known: &[&str], prefix: &str) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = known.iter().min_by_key(|key| strsim::levenshtein(key, name)).copied().unwrap_or("");
    Err(format!("unknown key {prefix}{name}; did you mean {prefix}{nearest}?"))
}

/// Puts one environment value in: `section__key`, read as TOML where that works, else as text.
fn set(table: &mut Table, keys: &str, value: String) -> Result<(), String> {
    let (section, key) = keys.split_once("__").unwrap_or(("", keys));
    let value = match toml::from_str::<Table>(&format!("value = {value}")) {
        Ok(mut parsed) => parsed.remove("value").unwrap_or(Value::String(value)),
        Err(_) => Value::String(value),
    };
    if section.is_empty() {
        table.insert(key.to_owned(), value);
        return Ok(());
    }
    let entry = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    let inner = entry.as_table_mut().ok_or_else(|| format!("{section} is not a section"))?;
    inner.insert(key.to_owned(), value);
    Ok(())
}

/// In the file an empty path means "none"; inside, absent is `None`.
fn drop_empty_paths(table: &mut Table) {
    for section in table.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
        for key in ["staff", "tls_certificate", "tls_key", "password_file"] {
            if section.get(key).and_then(Value::as_str) == Some("") {
                section.remove(key);
            }
        }
    }
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, String> {
        // Section by section, so that a fault in a value can name its key.
        for (section, inner) in table.iter().filter_map(|(k, v)| Some((k, v.as_table()?))) {
            for (key, value) in inner {
                let mut only = table.clone();
                let fault = only
                    .get_mut(section)
                    .and_then(Value::as_table_mut)
                    .and_then(|t| t.remove(key))
                    .and_then(|_| Self::try_from_table(only).err());
                let whole = Self::try_from_table(table.clone()).err();
                if let (None, Some(reason)) = (&fault, whole) {
                    return Err(format!("{section}.{key} = {value}: {}", first_line(&reason)));
                }
            }
        }
        Self::try_from_table(table).map_err(|reason| first_line(&reason).to_owned())
    }

    fn try_from_table(table: Table) -> Result<Self, String> {
        table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    fn resolve_paths(&mut self, base: &Path) {
        let absolute = |path: &mut PathBuf| *path = base.join(&*path);
        absolute(&mut self.data_dir);
        self.policy.files.iter_mut().for_each(absolute);
        [
            &mut self.organisation.staff,
            &mut self.smtp.tls_certificate,
            &mut self.smtp.tls_key,
            &mut self.relay.password_file,
            &mut self.web.tls_certificate,
            &mut self.web.tls_key,
        ]
        .into_iter()
        .flatten()
        .for_each(absolute);
    }

    /// What the types alone cannot say.
    fn check(&mut self) -> Result<(), String> {
        for domain in &mut self.organisation.domains {
            *domain = domain.to_lowercase();
        }
        let pairs = [
            ("smtp", &self.smtp.tls_certificate, &self.smtp.tls_key),
            ("web", &self.web.tls_certificate, &self.web.tls_key),
        ];
        for (section, certificate, key) in pairs {
            if certificate.is_some() != key.is_some() {
                return Err(format!("{section}.tls_certificate and {section}.tls_key go together"));
            }
        }
        let url = self.web.public_url.trim_end_matches('/').to_owned();
        let rules = [
            (!self.organisation.domains.is_empty(), "organisation.domains must not be empty"),
            (!self.hostname.is_empty() && self.hostname.is_ascii(), "hostname must be a host name"),
            (
                url.starts_with("https://") || url.starts_with("http://"),
                "web.public_url must start with https:// or http://",
            ),
            ((1..=365).contains(&self.seal.expiry_days), "seal.expiry_days must be from 1 to 365"),
            (self.seal.max_password_attempts > 0, "seal.max_password_attempts must be 1 or more"),
            (self.relay.smarthost.contains(':'), "relay.smarthost must have the form host:port"),
            (
                !self.smtp.require_tls || self.smtp.tls_certificate.is_some(),
                "smtp.require_tls needs smtp.tls_certificate and smtp.tls_key",
            ),
            (
                self.smtp.memory_budget >= self.smtp.max_message_size,
                "smtp.memory_budget must not be below smtp.max_message_size",
            ),
        ];
        self.web.public_url = url;
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err((*reason).to_owned()),
            None => Ok(()),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
