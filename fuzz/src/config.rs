//! The configuration (TOML and environment): refused by file and reason, or made of values that can stand where they are
//! used; and the environment says the same as the file.

use std::path::Path;

use toml::{Table, Value};
use zegel::config::{self, Config, ConfigError};

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let table = text.parse::<Table>().ok();
    if table.as_ref().is_some_and(reads_files) {
        return;
    }
    let config = parse(text, &[]);
    match &config {
        Ok(config) => is_usable(config),
        Err(error) => assert!(error.to_string().starts_with("/etc/zegel/zegel.toml: "), "{error}"),
    }
    if let Some(variables) = table.as_ref().and_then(variables) {
        let other = parse("", &variables);
        assert_eq!(config.is_ok(), other.is_ok(), "{config:?} {other:?}");
        if let (Ok(config), Ok(other)) = (config, other) {
            assert_eq!(format!("{config:?}"), format!("{other:?}"));
        }
    }
}

fn parse(text: &str, variables: &[(String, String)]) -> Result<Config, ConfigError> {
    config::parse(Path::new("/etc/zegel/zegel.toml"), text, variables.iter().cloned())
}

/// Style sheet and logo are read at once, and nobody wants to read what the fuzzer names.
fn reads_files(table: &Table) -> bool {
    let look = table.get("organisation").and_then(Value::as_table);
    look.is_some_and(|look| look.contains_key("theme") || look.contains_key("logo"))
}

/// Every key as a variable; `None` where a name has no spelling as one.
fn variables(table: &Table) -> Option<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                for (key, value) in section {
                    variables.push(variable(&[name, key], value)?);
                }
                // A section without keys has no variable, but is one.
                (!section.is_empty()).then_some(())?;
            }
            value => variables.push(variable(&[name], value)?),
        }
    }
    Some(variables)
}

fn variable(keys: &[&String], value: &Value) -> Option<(String, String)> {
    let plain = |key: &&String| {
        !key.is_empty() && !key.contains("__") && key.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
    };
    let name = keys.iter().map(|key| key.to_uppercase()).collect::<Vec<_>>().join("__");
    keys.iter().all(plain).then(|| (format!("ZEGEL_{name}"), value.to_string()))
}

/// What stands in headers, commands and links.
fn is_usable(config: &Config) {
    assert!(!config.hostname.contains(|c: char| c.is_whitespace() || !c.is_ascii_graphic()));
    assert!(is_one_line(&config.organisation.name) && is_one_line(&config.organisation.phone));
    assert!(!config.organisation.domains.is_empty());
    for domain in &config.organisation.domains {
        assert!(zegel::address::Address::parse(&format!("noreply@{domain}")).is_ok(), "{domain:?}");
    }
    let url = &config.web.public_url;
    assert!(!url.contains(|c: char| c.is_whitespace() || c.is_control()) && !url.ends_with('/'), "{url:?}");
    let port = config.relay.smarthost.rsplit_once(':').expect("host:port").1;
    assert!(port.parse::<u16>().is_ok(), "{:?}", config.relay.smarthost);
    assert!((1..=365).contains(&config.seal.expiry_days) && config.seal.max_password_attempts > 0);
    assert!(config.smtp.memory_budget >= config.smtp.max_message_size);
    assert_eq!(config.smtp.tls_certificate.is_some(), config.smtp.tls_key.is_some());
}
