//! The names of all keys, and which of them somebody may have meant.

/// Every section and key, to suggest the right one for a misspelt name.
pub const KEYS: &[(&str, &[&str])] = &[
    ("", &["hostname", "data_dir"]),
    (
        ORGANISATION,
        &[
            "name",
            "domains",
            "partners",
            "phone",
            "website",
            "help",
            "privacy_url",
            "accessibility_url",
            "time_zone",
            "languages",
            "staff",
            "theme",
            "logo",
            "mail_logo",
            "favicon",
            "hostname",
            "public_url",
            "default_language",
            "tls_certificate",
            "tls_key",
        ],
    ),
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
    ("admin", &["listen", "audit_days", "tracking_days", "dns_server"]),
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
            "staff_subject",
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

/// The section of which there may be several.
pub const ORGANISATION: &str = "organisation";

/// The sections of which an organisation may have its own, over the common ones of the same names.
pub const OWN: [&str; 4] = ["relay", "seal", "reply", "policy"];

/// What is the gateway's in them: how long mail is tried, how many connections there are, and what locks a link.
const OF_THE_GATEWAY: &[&str] = &[
    "relay.max_connections",
    "relay.retry",
    "relay.give_up_after",
    "relay.soft_bounce",
    "seal.max_password_attempts",
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

/// The keys of a section, also of one that an organisation has of its own.
pub fn keys_of(section: &str) -> Vec<&'static str> {
    let of = |section: &str| KEYS.iter().find(|(name, _)| *name == section).map_or(&[][..], |(_, keys)| keys);
    match section.strip_prefix("organisation.") {
        None => of(section).to_vec(),
        Some(common) => {
            let is_own = |key: &&str| !OF_THE_GATEWAY.contains(&format!("{common}.{key}").as_str());
            of(common).iter().copied().filter(is_own).collect()
        }
    }
}

/// An unknown name is an error that names the nearest known one.
pub fn check_name(name: &str, known: &[&str], prefix: &str) -> Result<(), String> {
    if known.contains(&name) {
        return Ok(());
    }
    Err(format!("unknown key {prefix}{name}; did you mean {prefix}{}?", nearest(name, known)))
}

/// The known name that is most like it.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> &'a str {
    known.iter().min_by_key(|key| strsim::levenshtein(key, name)).copied().unwrap_or("")
}
