//! Reads file and environment into a checked [`Config`]. Every error names file, key and reason.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Branding, Config, Scanner};
use crate::address::Address;
use crate::limits::EXPIRY_DAYS;
use crate::secret::MASTER_KEY_VARIABLE;

/// The file that is read if `--config` is not given.
pub const DEFAULT_PATH: &str = "/etc/zegel/zegel.toml";

/// Why a configuration cannot be used, in the words that the administrator reads.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct ConfigError {
    file: PathBuf,
    message: String,
}

/// Reads and checks `path`. `environment` (usually `std::env::vars()`) overrides it. Paths in the file are relative to its
/// folder.
pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError { file: path.to_owned(), message: error.to_string() })?;
    parse(path, &text, environment)
}

/// The same for a text that was read already; `path` is for messages and relative paths.
pub fn parse(
    path: &Path,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let fault = |message: String| ConfigError { file: path.to_owned(), message };
    let mut table: Table = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
    for (name, value) in environment {
        // A secret manager may hand that to a node; it is kept in no settings.
        if name == MASTER_KEY_VARIABLE {
            continue;
        }
        if let Some(keys) = name.strip_prefix("ZEGEL_") {
            set(&mut table, &keys.to_lowercase(), value).map_err(|m| fault(format!("{name}: {m}")))?;
        }
    }
    check_names(&table).map_err(fault)?;
    drop_empty_paths(&mut table);
    let mut config: Config =
        table.try_into().map_err(|error: toml::de::Error| fault(error.to_string().trim().to_owned()))?;
    config.resolve_paths(path.parent().unwrap_or(Path::new(".")));
    config.check().map_err(fault)?;
    let organisation = &mut config.organisation;
    let branding =
        Branding::load(organisation.theme.as_deref(), organisation.logo.as_deref()).map_err(fault)?;
    organisation.branding = branding.into();
    Ok(config)
}

/// Every section and key, to suggest the right one for a misspelt name.
const KEYS: &[(&str, &[&str])] = &[
    ("", &["hostname", "data_dir"]),
    ("organisation", &["name", "domains", "phone", "time_zone", "staff", "theme", "logo"]),
    (
        "smtp",
        &[
            "listen",
            "allow",
            "proxy_protocol",
            "trusted_proxies",
            "max_message_size",
            "max_recipients",
            "max_connections",
            "max_connections_per_client",
            "idle_timeout",
            "memory_budget",
            "memory_budget_per_client",
            "tls_certificate",
            "tls_key",
            "require_tls",
        ],
    ),
    (
        "relay",
        &[
            "smarthost",
            "tls",
            "username",
            "password_file",
            "max_connections",
            "retry",
            "give_up_after",
            "soft_bounce",
            "inside",
        ],
    ),
    ("relay.inside", &["smarthost", "tls", "username", "password_file"]),
    (
        "store",
        &[
            "database",
            "password_file",
            "connections",
            "journal",
            "blobs",
            "endpoint",
            "region",
            "credentials_file",
        ],
    ),
    (
        "web",
        &[
            "listen",
            "public_url",
            "tls_certificate",
            "tls_key",
            "trusted_proxies",
            "proxy_protocol",
            "default_language",
        ],
    ),
    ("admin", &["listen", "audit_days"]),
    (
        "seal",
        &[
            "expiry_days",
            "password",
            "subject",
            "max_password_attempts",
            "reminders",
            "download_notice",
            "file_names",
            "grace_days",
            "retention_days",
            "return_path",
        ],
    ),
    (
        "reply",
        &[
            "enabled",
            "delivery",
            "max_size",
            "max_mail_size",
            "bounces",
            "scanner",
            "file_types",
            "programs",
            "recipients",
        ],
    ),
    ("policy", &["files"]),
];

/// Every key, with its section in front: `relay.inside.smarthost`.
pub fn keys() -> impl Iterator<Item = String> {
    let is_section = |name: &str| KEYS.iter().any(|(section, _)| *section == name);
    let of_section = move |(section, keys): &(&str, &'static [&str])| {
        let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
        keys.iter().map(move |key| format!("{prefix}{key}"))
    };
    KEYS.iter().flat_map(of_section).filter(move |key| !is_section(key))
}

fn keys_of(section: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

fn check_names(table: &Table) -> Result<(), String> {
    let is_section = |name: &&str| !name.is_empty() && !name.contains('.');
    let sections: Vec<&str> = KEYS.iter().map(|(name, _)| *name).filter(is_section).collect();
    for (name, value) in table {
        match value {
            Value::Table(section) if sections.contains(&name.as_str()) => check_section(name, section)?,
            _ => check_name(name, &[keys_of(""), &sections].concat(), "")?,
        }
    }
    Ok(())
}

fn check_section(name: &str, section: &Table) -> Result<(), String> {
    for (key, value) in section {
        check_name(key, keys_of(name), &format!("{name}."))?;
        let inner = format!("{name}.{key}");
        if let (Value::Table(table), false) = (value, keys_of(&inner).is_empty()) {
            check_section(&inner, table)?;
        }
    }
    Ok(())
}

/// An unknown name is an error that names the nearest known one.
pub fn check_name(name: &str, known: &[&str], prefix: &str) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    let nearest = known.iter().min_by_key(|key| strsim::levenshtein(key, name)).copied().unwrap_or("");
    Err(format!("unknown key {prefix}{name}; did you mean {prefix}{nearest}?"))
}

/// Sets one value from the environment: `section__key`, or `section__section__key`. The value is TOML if it parses as
/// that, else text.
fn set(table: &mut Table, keys: &str, value: String) -> Result<(), String> {
    if let Some((section, rest)) = keys.split_once("__") {
        let entry = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        let inner = entry.as_table_mut().ok_or_else(|| format!("{section} is not a section"))?;
        return set(inner, rest, value);
    }
    let value = match toml::from_str::<Table>(&format!("value = {value}")) {
        Ok(mut parsed) => parsed.remove("value").unwrap_or(Value::String(value)),
        Err(_) => Value::String(value),
    };
    table.insert(keys.to_owned(), value);
    Ok(())
}

/// An empty path or address in the file means "none", which is `None` from here on.
fn drop_empty_paths(table: &mut Table) {
    for section in table.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
        for key in [
            "staff",
            "theme",
            "logo",
            "tls_certificate",
            "tls_key",
            "password_file",
            "credentials_file",
            "scanner",
        ] {
            if section.get(key).and_then(Value::as_str) == Some("") {
                section.remove(key);
            }
        }
        drop_empty_paths(section);
    }
}

impl Config {
    fn resolve_paths(&mut self, base: &Path) {
        let absolute = |path: &mut PathBuf| *path = base.join(&*path);
        absolute(&mut self.data_dir);
        self.policy.files.iter_mut().for_each(absolute);
        [
            &mut self.organisation.staff,
            &mut self.organisation.theme,
            &mut self.organisation.logo,
            &mut self.smtp.tls_certificate,
            &mut self.smtp.tls_key,
            &mut self.relay.password_file,
            &mut self.relay.inside.password_file,
            &mut self.store.password_file,
            &mut self.store.credentials_file,
            &mut self.web.tls_certificate,
            &mut self.web.tls_key,
        ]
        .into_iter()
        .flatten()
        .for_each(absolute);
    }

    /// Checks what the types cannot express.
    fn check(&mut self) -> Result<(), String> {
        for domain in &mut self.organisation.domains {
            *domain = domain.to_lowercase();
        }
        for ending in &mut self.reply.file_types {
            *ending = ending.to_lowercase();
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
            (
                self.organisation.domains.iter().all(|domain| is_domain(domain)),
                "organisation.domains must be domain names",
            ),
            (is_one_line(&self.organisation.name), "organisation.name must be one line"),
            (is_one_line(&self.organisation.phone), "organisation.phone must be one line"),
            (self.hostname.is_ascii() && is_domain(&self.hostname), "hostname must be a host name"),
            (
                url.starts_with("https://") || url.starts_with("http://"),
                "web.public_url must start with https:// or http://",
            ),
            (is_base_of_links(&url), "web.public_url must be a scheme, a host and perhaps a port, no more"),
            (EXPIRY_DAYS.contains(&self.seal.expiry_days), "seal.expiry_days must be from 1 to 365"),
            (self.seal.max_password_attempts > 0, "seal.max_password_attempts must be 1 or more"),
            (self.seal.grace_days <= 365, "seal.grace_days must be from 0 to 365"),
            (self.seal.retention_days <= 36_500, "seal.retention_days must be from 0 to 36500"),
            (self.admin.audit_days <= 36_500, "admin.audit_days must be from 0 (for ever) to 36500"),
            (
                !self.smtp.require_tls || self.smtp.tls_certificate.is_some(),
                "smtp.require_tls needs smtp.tls_certificate and smtp.tls_key",
            ),
            (
                self.smtp.memory_budget >= self.smtp.max_message_size,
                "smtp.memory_budget must not be below smtp.max_message_size",
            ),
            (
                self.smtp.memory_budget_per_client.is_none_or(|share| share >= self.smtp.max_message_size),
                "smtp.memory_budget_per_client must not be below smtp.max_message_size",
            ),
            // A bounce may quote the answer, so it must stay inside the organisation.
            (
                self.reply.bounces.as_ref().is_none_or(|to| to.is_internal(&self.organisation.domains)),
                "reply.bounces must be in one of organisation.domains",
            ),
            (
                self.reply.file_types.iter().all(|ending| is_ending(ending)),
                "reply.file_types must be endings of file names without the dot, such as \"pdf\"",
            ),
        ];
        self.web.public_url = url;
        if let Some((_, reason)) = rules.iter().find(|(holds, _)| !holds) {
            return Err((*reason).to_owned());
        }
        self.check_proxies()?;
        self.relay.check()?;
        self.store.check()
    }

    /// Whoever may send a PROXY header says who the client is, and so who may relay.
    fn check_proxies(&self) -> Result<(), String> {
        let (smtp, web) = (&self.smtp, &self.web);
        if !smtp.proxy_protocol && !smtp.trusted_proxies.is_empty() {
            return Err("smtp.trusted_proxies does nothing without smtp.proxy_protocol = true".to_owned());
        }
        for (section, is_on, trusted) in [
            ("smtp", smtp.proxy_protocol, &smtp.trusted_proxies),
            ("web", web.proxy_protocol, &web.trusted_proxies),
        ] {
            if is_on && trusted.is_empty() {
                return Err(format!("{section}.proxy_protocol needs {section}.trusted_proxies"));
            }
            if is_on && trusted.iter().any(|network| network.prefix_len() == 0) {
                return Err(format!(
                    "{section}.trusted_proxies must not hold every address: with {section}.proxy_protocol whoever is in it \
                     says which client it is"
                ));
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Scanner {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // The kernel keeps the path of a socket in 108 bytes, with a NUL behind it (unix(7)).
        let is_path = text.starts_with('/') && text.len() < 108 && is_one_line(&text);
        match text {
            path if is_path => Ok(Self::Socket(path.into())),
            address if is_host_and_port(&address) => Ok(Self::Network(address)),
            other => Err(format!("{other:?} is neither host:port nor the absolute path of a Unix socket")),
        }
    }
}

/// Such a name is used in EHLO, in `Received` and behind the `@` of zegel's own addresses.
fn is_domain(text: &str) -> bool {
    Address::parse(&format!("noreply@{text}")).is_ok()
}

/// Such a text may be part of a header field.
fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// Whether it can be what follows the last dot of a file name; longer endings are cut (`message::name`).
fn is_ending(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Every link begins with it, and is alone on a line.
fn is_base_of_links(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, host)| host);
    !host.is_empty() && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:[]".contains(&c))
}

pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_name = host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:[]".contains(&c));
    !host.is_empty() && is_name && port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;

    const SMALL: &str = r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = "data"
        [organisation]
        name = "Gemeente Voorbeeld"
        domains = ["Voorbeeld.nl"]
        [smtp]
        listen = ["127.0.0.1:2525"]
        [relay]
        smarthost = "127.0.0.1:25"
        [web]
        listen = ["127.0.0.1:8080"]
        public_url = "https://veilig.voorbeeld.nl/"
    "#;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let pairs = environment.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        parse(Path::new("/etc/zegel/zegel.toml"), text, pairs).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let config = read(SMALL, &[]).unwrap();
        assert_eq!(config.data_dir, Path::new("/etc/zegel/data"));
        assert_eq!(config.organisation.domains, ["voorbeeld.nl"]);
        assert_eq!(config.web.public_url, "https://veilig.voorbeeld.nl");
        assert_eq!(config.smtp.max_message_size.bytes(), 50 << 20);
        assert_eq!((config.smtp.max_recipients, config.smtp.max_connections), (1000, 1000));
        assert_eq!(config.relay.retry.len(), 6);
        assert_eq!(config.organisation.time_zone, Zone::try_from("Europe/Amsterdam".to_owned()).unwrap());
        assert_eq!(config.seal.expiry_days, 30);
        assert_eq!(
            (config.seal.grace_days, config.seal.retention_days, config.admin.audit_days),
            (0, 90, 549)
        );
        assert!(config.seal.reminders && config.seal.download_notice && !config.seal.file_names);
        assert_eq!(config.admin.listen[0].to_string(), "127.0.0.1:9090");
        assert_eq!(config.smtp.tls_certificate, None);
        assert_eq!(config.reply.scanner, None);
    }

    #[test]
    fn the_environment_overrides() {
        let environment = [
            ("ZEGEL_SMTP__LISTEN", r#"["127.0.0.1:0"]"#),
            ("ZEGEL_SEAL__EXPIRY_DAYS", "7"),
            ("ZEGEL_RELAY__SMARTHOST", "10.0.0.1:25"),
            ("ZEGEL_RELAY__INSIDE__SMARTHOST", "10.0.0.2:25"),
            ("ZEGEL_RELAY__INSIDE__PASSWORD_FILE", ""),
            ("ZEGEL_HOSTNAME", "mx.voorbeeld.nl"),
            ("HOME", "/root"),
        ];
        let config = read(SMALL, &environment).unwrap();
        assert_eq!(config.smtp.listen[0].port(), 0);
        assert_eq!(config.seal.expiry_days, 7);
        assert_eq!(config.relay.smarthost, "10.0.0.1:25");
        assert_eq!(config.relay.inside.smarthost.as_deref(), Some("10.0.0.2:25"));
        assert_eq!(config.relay.inside.password_file, None);
        assert_eq!(config.hostname, "mx.voorbeeld.nl");
    }

    #[test]
    fn a_scanner_is_a_socket_or_a_port() {
        let scanner = |text: &str| {
            let config = read(&format!("{SMALL}\n[reply]\nscanner = \"{text}\""), &[]);
            config.unwrap().reply.scanner
        };
        assert_eq!(scanner(""), None);
        let socket = Scanner::Socket("/run/clamav/clamd.ctl".into());
        assert_eq!(scanner("/run/clamav/clamd.ctl"), Some(socket.clone()));
        for address in ["127.0.0.1:3310", "[::1]:3310", "clamd:3310"] {
            assert_eq!(scanner(address), Some(Scanner::Network(address.to_owned())));
        }
        let environment = [("ZEGEL_REPLY__SCANNER", "/run/clamav/clamd.ctl")];
        assert_eq!(read(SMALL, &environment).unwrap().reply.scanner, Some(socket));
    }

    #[test]
    fn proxies_are_named_where_they_send_a_header() {
        let proxies = "proxy_protocol = true\ntrusted_proxies = [\"10.0.0.9/32\", \"2001:db8::/64\"]";
        let text = SMALL.replace("[smtp]", &format!("[smtp]\n{proxies}"));
        let config = read(&text.replace("[web]", &format!("[web]\n{proxies}")), &[]).unwrap();
        assert!(config.smtp.proxy_protocol && config.web.proxy_protocol);
        assert_eq!(config.smtp.trusted_proxies, config.web.trusted_proxies);
        let config = read(&SMALL.replace("[web]", "[web]\ntrusted_proxies = [\"0.0.0.0/0\"]"), &[]).unwrap();
        assert!(!config.smtp.proxy_protocol && !config.web.proxy_protocol, "off unless it is asked for");
    }

    #[test]
    fn endings_are_kept_in_small_letters() {
        let config = read(&format!("{SMALL}\n[reply]\nfile_types = [\"PDF\", \"jpg\"]"), &[]).unwrap();
        assert_eq!(config.reply.file_types, ["pdf", "jpg"]);
        assert!(read(SMALL, &[]).unwrap().reply.file_types.is_empty());
    }

    #[test]
    fn every_fault_names_file_key_and_reason() {
        for (from, to, expected) in [
            ("listen = [\"127.0.0.1:2525\"]", "listen = [\"x\"]", "smtp.listen"),
            ("[smtp]", "[smtp]\nmax_recipient = 5", "did you mean smtp.max_recipients?"),
            ("[smtp]", "[smpt]\n", "did you mean smtp?"),
            ("[smtp]", "[smtp]\nmax_message_size = \"50MB\"", "smtp.max_message_size"),
            ("[smtp]", "[smtp]\nidle_timeout = 5", "smtp.idle_timeout"),
            ("[smtp]", "[smtp]\nproxy_protocol = true", "smtp.proxy_protocol needs smtp.trusted_proxies"),
            ("[web]", "[web]\nproxy_protocol = true", "web.proxy_protocol needs web.trusted_proxies"),
            ("[web]", "[web]\nproxy_protocol = \"v2\"", "web.proxy_protocol"),
            ("[web]", "[web]\nproxy_protocols = true", "did you mean web.proxy_protocol?"),
            (
                "[smtp]",
                "[smtp]\ntrusted_proxies = [\"10.0.0.9/32\"]",
                "smtp.trusted_proxies does nothing without smtp.proxy_protocol",
            ),
            (
                "[smtp]",
                "[smtp]\nproxy_protocol = true\ntrusted_proxies = [\"10.0.0.9/32\", \"::/0\"]",
                "smtp.trusted_proxies must not hold every address",
            ),
            (
                "[web]",
                "[web]\nproxy_protocol = true\ntrusted_proxies = [\"0.0.0.0/0\"]",
                "web.trusted_proxies must not hold every address",
            ),
            ("[smtp]", "[smtp]\ntls_key = \"k.pem\"", "smtp.tls_certificate and smtp.tls_key"),
            ("[smtp]", "[seal]\nexpiry_days = 0\n[smtp]", "seal.expiry_days"),
            ("[smtp]", "[seal]\ngrace_days = 366\n[smtp]", "seal.grace_days"),
            ("[smtp]", "[seal]\nretention_day = 1\n[smtp]", "did you mean seal.retention_days?"),
            ("[smtp]", "[seal]\npassword = \"weak\"\n[smtp]", "seal.password"),
            ("hostname", "host_name", "did you mean hostname?"),
            ("[smtp]", "time_zone = \"Europe/Amsterdm\"\n[smtp]", "did you mean Europe/Amsterdam?"),
            ("[smtp]", "time_zone = \"Bonaire\"\n[smtp]", "time_zone"),
            ("[smtp]", "timezone = \"UTC\"\n[smtp]", "did you mean organisation.time_zone?"),
            ("[smtp]", "[reply]\nbounces = \"x@example.org\"\n[smtp]", "reply.bounces"),
            ("[smtp]", "[reply]\nscanner = \"clamd.ctl\"\n[smtp]", "reply.scanner"),
            ("[smtp]", "[reply]\nscanner = \"127.0.0.1\"\n[smtp]", "host:port nor the absolute path"),
            ("[smtp]", "[reply]\nscanner = \":3310\"\n[smtp]", "reply.scanner"),
            ("[smtp]", "[reply]\nscanner = \"/a\\nb\"\n[smtp]", "reply.scanner"),
            ("[smtp]", "[reply]\nscanner = 3310\n[smtp]", "reply.scanner"),
            ("[smtp]", "[reply]\nfile_types = [\".pdf\"]\n[smtp]", "reply.file_types"),
            ("[smtp]", "[reply]\nfile_types = [\"pdf\", \"\"]\n[smtp]", "reply.file_types"),
            ("[smtp]", "[reply]\nfile_types = [\"tar.gz\"]\n[smtp]", "reply.file_types"),
            ("[smtp]", "[reply]\nfile_types = \"pdf\"\n[smtp]", "reply.file_types"),
            ("[smtp]", "[reply]\nrecipients = \"everybody\"\n[smtp]", "reply.recipients"),
            ("[smtp]", "[reply]\nprograms = false\n[smtp]", "reply.programs"),
            ("[smtp]", "[reply]\nfile_type = []\n[smtp]", "did you mean reply.file_types?"),
            ("smarthost = \"127.0.0.1:25\"", "", "smarthost"),
            ("[web]", "[relay.inside]\nsmarthosts = \"x:25\"\n[web]", "did you mean relay.inside.smarthost?"),
            ("[web]", "[relay.inside]\nsmarthost = \"x\"\n[web]", "relay.inside.smarthost must have"),
            ("[web]", "[relay.inside]\ntls = \"on\"\n[web]", "relay.inside"),
            ("[web]", "[relay.insides]\n[web]", "did you mean relay.inside?"),
            ("[relay]", "[relay]\ninside = \"x:25\"", "relay.inside"),
            ("hostname = \"", "hostname = ", "TOML"),
            ("hostname = \"", "hostname = \"a b.", "hostname must be"),
            ("hostname = \"", "hostname = \"a\\r\\nb.", "hostname must be"),
            ("\"Gemeente Voorbeeld\"", "\"G\\r\\nBcc: x\"", "organisation.name must be one line"),
            ("domains = [", "phone = \"1\\n2\"\ndomains = [", "organisation.phone must be one line"),
            ("\"Voorbeeld.nl\"", "\"voorbeeld.nl\", \"a b\"", "organisation.domains must be"),
            ("127.0.0.1:25\"", "127.0.0.1:smtp\"", "host:port"),
            ("127.0.0.1:25\"", ":25\"", "host:port"),
            ("https://veilig", "https://a b\\n.veilig", "web.public_url must be"),
            ("https://veilig.voorbeeld.nl/", "https://veilig.voorbeeld.nl/x?y", "web.public_url must be"),
            ("https://veilig.voorbeeld.nl/", "https://", "web.public_url must"),
        ] {
            let error = read(&SMALL.replacen(from, to, 1), &[]).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
            assert!(error.starts_with("/etc/zegel/zegel.toml: "), "{error}");
        }
        let error = read(SMALL, &[("ZEGEL_SMTP__LISTENS", "[]")]).unwrap_err();
        assert!(error.contains("did you mean smtp.listen?"), "{error}");
    }
}
