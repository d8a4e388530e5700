//! Reads file and environment into a checked [`Config`]. Every error names file, line or variable, key and reason.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::document::{Document, NOT_UTF8, Variable};
use super::finding::{Finding, Place, Places, Severity, StandIns};
use super::organisations::conflicts;
use super::rules::{Fault, is_one_line};
use super::{Branding, Config, Scanner, kubernetes};
use crate::secret::MASTER_KEY_VARIABLE;

/// The file that is read if `--config` is not given.
pub const DEFAULT_PATH: &str = "/etc/zegel/zegel.toml";

/// Why a configuration cannot be used, in the words that the administrator reads: the first fault, and how many more there
/// are.
#[derive(Debug, thiserror::Error)]
#[error("{first}{}", more(*.others))]
pub struct ConfigError {
    first: Box<Finding>,
    others: usize,
}

fn more(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (`zegel check` names one more fault)".to_owned(),
        others => format!(" (`zegel check` names {others} more faults)"),
    }
}

/// What was read, with all that is wrong with it.
#[derive(Debug)]
pub struct Loaded {
    /// As it is for each organisation; none where nothing can be made of the file.
    pub organisations: Vec<OfOrganisation>,
    /// Errors, and notes about the environment.
    pub findings: Vec<Finding>,
}

/// What was read for one organisation.
#[derive(Debug)]
pub struct OfOrganisation {
    /// With stand-ins for what is wrong or missing.
    pub config: Config,
    /// Where each key was written.
    pub places: Places,
    /// Keys whose value is a stand-in: nothing else is to be said of them.
    pub replaced: StandIns,
}

impl Loaded {
    /// The configuration, with the one of every other organisation in it.
    pub fn config(&self) -> Option<Config> {
        let mut all = self.organisations.iter().map(|one| one.config.clone());
        let first = all.next()?;
        Some(Config { others: all.collect(), ..first })
    }
}

/// The environment of this process.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let text = |value: OsString| {
        let broken = |value: OsString| format!("{NOT_UTF8}{}", value.to_string_lossy());
        value.into_string().unwrap_or_else(broken)
    };
    // A name that is not UTF-8 is none of ours.
    std::env::vars_os().filter_map(move |(name, value)| Some((name.into_string().ok()?, text(value))))
}

/// Reads and checks `path`. `environment` overrides it. Paths in the file are relative to its folder.
pub fn load(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    into_config(examine(path, environment))
}

/// The same for a text that was read already; `path` is for messages and relative paths.
pub fn parse(
    path: &Path,
    text: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    into_config(examine_text(path, text, environment))
}

fn into_config(loaded: Loaded) -> Result<Config, ConfigError> {
    let config = loaded.config();
    let mut errors = loaded.findings.into_iter().filter(|finding| finding.severity == Severity::Error);
    match (errors.next(), config) {
        (None, Some(config)) => Ok(config),
        (Some(first), _) => Err(ConfigError { first: first.into(), others: errors.count() }),
        (None, None) => {
            let first = Finding::error(Place::default(), "nothing can be made of this file", "");
            Err(ConfigError { first: first.into(), others: 0 })
        }
    }
}

/// Reads `path` and names everything that is wrong.
pub fn examine(path: &Path, environment: impl Iterator<Item = (String, String)>) -> Loaded {
    match std::fs::read(path) {
        Ok(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => examine_text(path, text, environment),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = memchr::memchr_iter(b'\n', before).count() + 1;
                let place = Place { line: Some(line), ..Place::file(path) };
                unusable(Finding::error(place, "the file is not UTF-8", "save it in UTF-8"))
            }
        },
        Err(error) => {
            let remedy = "name the file with --config, and let the service's user read it";
            unusable(Finding::error(Place::file(path), error.to_string(), remedy))
        }
    }
}

fn unusable(finding: Finding) -> Loaded {
    Loaded { organisations: Vec::new(), findings: vec![finding] }
}

fn examine_text(path: &Path, text: &str, environment: impl Iterator<Item = (String, String)>) -> Loaded {
    let (variables, notes) = variables(path, environment);
    let documents = match Document::parse(path, text, &variables) {
        Ok(documents) => documents,
        Err(findings) => return Loaded { organisations: Vec::new(), findings },
    };
    let (mut findings, mut organisations) = (Vec::new(), Vec::new());
    for mut document in documents {
        let places = document.places();
        let config = document.config();
        let Document { findings: found, replaced, .. } = document;
        findings.extend(found);
        if let Some(config) = config {
            let mut one = OfOrganisation { config, places, replaced };
            let faults = one.config.finish(path.parent().unwrap_or(Path::new(".")));
            one.tell(faults, &mut findings);
            organisations.push(one);
        }
    }
    let all: Vec<_> = organisations.iter().map(|one| one.config.clone()).collect();
    for (index, fault) in conflicts(&all) {
        if let Some(one) = organisations.get(index) {
            one.tell(vec![fault], &mut findings);
        }
    }
    findings.extend(notes);
    Loaded { organisations, findings: each_once(findings) }
}

/// What is common is read, and found wrong, once for each organisation.
fn each_once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut once: Vec<Finding> = Vec::new();
    for finding in findings {
        if !once.contains(&finding) {
            once.push(finding);
        }
    }
    once
}

impl OfOrganisation {
    /// Nothing is said of a value that is a stand-in for a faulty one.
    fn tell(&self, faults: Vec<Fault>, findings: &mut Vec<Finding>) {
        let told = faults.into_iter().filter(|fault| !fault.keys.iter().any(|key| self.replaced.has(key)));
        findings.extend(told.map(|fault| fault.at(&self.places)));
    }
}

/// The variables that set a key, and a note for those that something else has set.
fn variables(
    path: &Path,
    environment: impl Iterator<Item = (String, String)>,
) -> (Vec<Variable>, Vec<Finding>) {
    let (mut variables, mut foreign) = (Vec::new(), Vec::new());
    for (name, value) in environment {
        match name.strip_prefix("ZEGEL_") {
            // A secret manager may hand the master key to a node; it is kept in no settings.
            Some(_) if name == MASTER_KEY_VARIABLE => {}
            Some(rest) if kubernetes::is_service_variable(rest, &value) => foreign.push(name),
            Some(rest) => variables.push(Variable { key: rest.to_lowercase(), name, value }),
            None => {}
        }
    }
    // The environment has no order; findings do.
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    foreign.sort();
    let notes = foreign.first().map(|first| {
        let place = Place { variable: Some(first.clone()), ..Place::file(path) };
        let others = match foreign.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} others"),
        };
        Finding::note(
            place,
            format!("{first}{others} were set by Kubernetes for a service of this name; they are ignored"),
            "enableServiceLinks: false in the pod keeps them away",
        )
    });
    (variables, notes.into_iter().collect())
}

impl Config {
    /// Brings values into their one form, reads the small files, and names every rule that is broken.
    fn finish(&mut self, folder: &Path) -> Vec<Fault> {
        self.resolve_paths(folder);
        let (branding, branding_faults) = Branding::load(&self.organisation);
        self.organisation.branding = branding.into();
        let mut faults = self.check();
        faults.extend(branding_faults);
        faults
    }

    fn resolve_paths(&mut self, base: &Path) {
        let absolute = |path: &mut PathBuf| *path = base.join(&*path);
        absolute(&mut self.data_dir);
        self.policy.files.iter_mut().for_each(absolute);
        [
            &mut self.organisation.staff,
            &mut self.organisation.theme,
            &mut self.organisation.logo,
            &mut self.organisation.mail_logo,
            &mut self.organisation.favicon,
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
            ("domains = [", "website = \"www.voorbeeld.nl\"\ndomains = [", "organisation.website must be"),
            ("domains = [", "website = \"https://\"\ndomains = [", "organisation.website must be"),
            ("domains = [", "privacy_url = \"javascript:x\"\ndomains = [", "organisation.privacy_url must"),
            ("domains = [", "privacy_url = \"https://a@b.nl\"\ndomains = [", "organisation.privacy_url must"),
            (
                "domains = [",
                "accessibility_url = \"https://x/ y\"\ndomains = [",
                "organisation.accessibility_url must",
            ),
            ("domains = [", "help = \"\\u0007\"\ndomains = [", "organisation.help must not hold"),
            ("domains = [", "web_site = \"\"\ndomains = [", "did you mean organisation.website?"),
            ("[smtp]", "[seal]\nstaff_subjects = true\n[smtp]", "did you mean seal.staff_subject?"),
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
