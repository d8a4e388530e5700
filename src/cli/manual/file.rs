//! `zegel.toml` with every key: those that are required as examples, all others with their default, both behind `#`, so
//! that the file as it is shipped never starts a gateway by accident.

use super::keys::{Key, KeyDefault, Section};

const HEAD: &str = "\
# The configuration of zegel. Keys marked REQUIRED are missing yet: fill them in. All others stand here with their
# default; remove the # in front of a key to change it.
#
#   sudo -u zegel zegel check        says what is missing or wrong
#   systemctl enable --now zegel     starts the gateway
#   systemctl reload zegel           after a change; fails if the file is refused, and all stays as it was
#
# A key marked RESTART needs \"systemctl restart zegel\". Paths are relative to the folder of this file. Sizes are
# \"64KiB\", \"50MiB\", \"1GiB\" or a number of bytes, durations \"30s\", \"5m\", \"4h\", \"5d\". Titles in quotation marks
# are chapters of /usr/share/doc/zegel/operations.md. The same as a man page: zegel.toml(5).
";

/// The longest line of a comment.
const WIDTH: usize = 118;

/// Keys that have a value from the start: the folder that package and unit make.
const SET: &[(&str, &str)] = &[("data_dir", "\"/var/lib/zegel\"")];

/// What a value may look like where there is no default that could stand there.
const EXAMPLES: &[(&str, &str)] = &[
    ("hostname", "\"veilig.voorbeeld.nl\""),
    ("organisation.name", "\"Gemeente Voorbeeld\""),
    ("organisation.domains", "[\"voorbeeld.nl\"]"),
    ("organisation.phone", "\"14 0511\""),
    ("organisation.hostname", "\"veilig.voorbeeld.nl\""),
    ("organisation.public_url", "\"https://veilig.voorbeeld.nl\""),
    ("organisation.default_language", "\"nl\""),
    ("organisation.tls_certificate", "\"voorbeeld.pem\""),
    ("organisation.tls_key", "\"voorbeeld.key\""),
    ("organisation.website", "\"https://www.voorbeeld.nl\""),
    ("organisation.help", "\"Ons loket is open van 9 tot 17 uur.\""),
    ("organisation.privacy_url", "\"https://www.voorbeeld.nl/privacy\""),
    ("organisation.accessibility_url", "\"https://www.voorbeeld.nl/toegankelijkheid\""),
    ("organisation.staff", "\"staff.csv\""),
    ("organisation.theme", "\"theme.css\""),
    ("organisation.logo", "\"logo.svg\""),
    ("organisation.mail_logo", "\"logo.png\""),
    ("organisation.favicon", "\"favicon.svg\""),
    ("smtp.listen", "[\"10.0.0.5:25\"]"),
    ("smtp.memory_budget_per_client", "\"256MiB\""),
    ("smtp.tls_certificate", "\"smtp.pem\""),
    ("smtp.tls_key", "\"smtp.key\""),
    ("relay.smarthost", "\"smarthost.voorbeeld.nl:25\""),
    ("relay.username", "\"zegel\""),
    ("relay.password_file", "\"smarthost.password\""),
    ("relay.inside.smarthost", "\"mail.voorbeeld.nl:25\""),
    ("relay.inside.tls", "\"required\""),
    ("relay.inside.username", "\"zegel\""),
    ("relay.inside.password_file", "\"mail.password\""),
    ("web.listen", "[\"127.0.0.1:8080\"]"),
    ("web.public_url", "\"https://veilig.voorbeeld.nl\""),
    ("web.tls_certificate", "\"web.pem\""),
    ("web.tls_key", "\"web.key\""),
    ("reply.max_mail_size", "\"25MiB\""),
    ("reply.bounces", "\"postmaster@voorbeeld.nl\""),
    ("reply.scanner", "\"/run/clamav/clamd.ctl\""),
    ("store.database", "\"postgresql://zegel@db.voorbeeld.nl/zegel\""),
    ("store.password_file", "\"database.password\""),
    ("store.blobs", "\"s3://zegel\""),
    ("store.endpoint", "\"https://s3.voorbeeld.nl\""),
    ("store.credentials_file", "\"s3.credentials\""),
];

/// The whole file.
pub fn render(sections: &[Section]) -> String {
    let mut text = HEAD.to_owned();
    for section in sections {
        if !section.name.is_empty() {
            text += &format!("\n\n[{}]\n", section.name);
        }
        if !section.meaning.is_empty() {
            text += &comment(&sentence(&section.meaning));
        }
        for key in &section.keys {
            text.push('\n');
            text += &comment(&words(&section.name, key));
            text += &line(&section.name, key);
        }
    }
    text
}

/// What is said of a key.
fn words(section: &str, key: &Key) -> String {
    let is_missing = key.default == KeyDefault::Required && value_of(SET, section, key).is_none();
    let required = if is_missing { "REQUIRED. " } else { "" };
    let restart = if key.needs_restart { "RESTART. " } else { "" };
    let default = match &key.default {
        KeyDefault::Words(words) => format!(" Not set: {words}."),
        _ => String::new(),
    };
    format!("{required}{restart}{}{default}", sentence(&key.meaning))
}

fn line(section: &str, key: &Key) -> String {
    match (&key.default, value_of(SET, section, key)) {
        (_, Some(value)) => format!("{} = {value}\n", key.name),
        (KeyDefault::Value(value), None) => format!("#{} = {value}\n", key.name),
        (_, None) => format!("#{} = {}\n", key.name, value_of(EXAMPLES, section, key).unwrap_or_default()),
    }
}

fn value_of(table: &[(&str, &'static str)], section: &str, key: &Key) -> Option<&'static str> {
    let full = format!("{section}.{}", key.name);
    table.iter().find(|(name, _)| *name == full.trim_start_matches('.')).map(|(_, value)| *value)
}

/// With a capital at its beginning, unless that is code, and a full stop at its end.
pub(super) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '?', ':']) { "" } else { "." };
    format!("{first}{}{stop}", rest.as_str())
}

/// Lines that begin with `#` and break between words.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut line = "#".to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += &format!("{line}\n");
            line = "#".to_owned();
        }
        line.push(' ');
        line += word;
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::manual::keys;
    use crate::config;

    fn read(text: &str) -> Result<String, String> {
        let read = config::parse(Path::new("/etc/zegel/zegel.toml"), text, std::iter::empty());
        read.map(|config| format!("{config:#?}")).map_err(|error| error.to_string())
    }

    /// The file with the `#` in front of some keys taken away.
    fn with(chosen: impl Fn(&KeyDefault) -> bool) -> String {
        let sections = keys::sections();
        let mut text = render(&sections);
        for section in &sections {
            for key in section.keys.iter().filter(|key| chosen(&key.default)) {
                let line = line(&section.name, key);
                let (before, after) =
                    text.split_once(&format!("\n[{}]\n", section.name)).unwrap_or(("", &text));
                let heading = if before.is_empty() { "" } else { &format!("\n[{}]\n", section.name) };
                assert!(after.contains(&line), "{line}");
                text = format!("{before}{heading}{}", after.replacen(&line, line.trim_start_matches('#'), 1));
            }
        }
        text
    }

    #[test]
    fn the_file_as_it_is_shipped_is_not_complete() {
        let text = render(&keys::sections());
        assert!(read(&text).unwrap_err().contains("missing"), "{:?}", read(&text));
        let long = text.lines().find(|line| line.starts_with("# ") && line.chars().count() > WIDTH + 2);
        assert_eq!(long, None);
    }

    #[test]
    fn the_defaults_in_it_are_those_of_the_code() {
        let least = read(&with(|default| *default == KeyDefault::Required)).unwrap();
        let all = with(|default| !matches!(default, KeyDefault::Words(_)));
        assert_eq!(read(&all).unwrap(), least);
        assert!(all.contains("\nmax_message_size = \"50MiB\"\n"), "{all}");
    }

    #[test]
    fn the_examples_in_it_can_be_used() {
        // Two kinds of store and two sets of certificates do not go together with files that are not there.
        for (key, value) in EXAMPLES {
            assert!(format!("x = {value}").parse::<toml::Table>().is_ok(), "{key} = {value}");
            assert!(config::keys().any(|known| known == *key), "{key}");
        }
    }
}
