//! Files with passwords and keys: there, readable by the service, by nobody else, and with something in them. Their content
//! is never told.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::Findings;
use super::access::{ServiceUser, Wish};
use crate::config::{Config, Direction, NextHopSettings};

pub fn look(config: &Config, user: &ServiceUser, found: &mut Findings) {
    logins(config, found);
    let inside = config.relay.inside.password_file.as_deref();
    for (key, file) in [
        ("relay.password_file", config.relay.password_file.as_deref()),
        ("relay.inside.password_file", inside),
        ("store.password_file", config.store.password_file.as_deref()),
    ] {
        if let Some(file) = file {
            password(key, file, user, found);
        }
    }
    if let Some(file) = config.store.credentials_file.as_deref() {
        readable("store.credentials_file", file, user, found);
    }
    database_password(config, found);
}

/// A user name without a password, and the other way round.
fn logins(config: &Config, found: &mut Findings) {
    for (section, direction) in [("relay", Direction::Outside), ("relay.inside", Direction::Inside)] {
        let is_written = direction == Direction::Outside
            || ["username", "password_file"]
                .iter()
                .any(|key| found.places.has(&format!("relay.inside.{key}")));
        let NextHopSettings { username, password_file, .. } = config.relay.next_hop(direction);
        match (username.is_empty(), password_file) {
            _ if !is_written => {}
            (false, None) => {
                let key = format!("{section}.username");
                let reason =
                    format!("{key} is set and {section}.password_file is not: nothing can be delivered");
                found.error(&key, reason, "name the file with the password, or leave both out");
            }
            (true, Some(_)) => {
                let key = format!("{section}.password_file");
                let reason =
                    format!("{key} is set and {section}.username is not: the password is never used");
                found.warning(&key, reason, "set the user name, or leave both out");
            }
            _ => {}
        }
    }
}

/// A file whose first line is a password.
fn password(key: &str, file: &Path, user: &ServiceUser, found: &mut Findings) {
    if !readable(key, file, user, found) {
        return;
    }
    let shown = file.display();
    let Ok(text) = fs::read(file).map(Zeroizing::new) else { return };
    let Ok(text) = std::str::from_utf8(&text) else {
        let reason = format!("{key}: {shown} is not UTF-8");
        return found.error(key, reason, "write the password into it as text, on the first line");
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("");
    if first.is_empty() {
        let reason = format!("{key}: the first line of {shown} is empty");
        found.error(key, reason, "write the password on the first line");
    } else if first.starts_with('\u{feff}') {
        let reason = format!(
            "{key}: {shown} begins with a byte order mark, which is taken for a part of the password"
        );
        found.error(key, reason, "save the file as UTF-8 without a byte order mark");
    } else if first.trim() != first {
        let reason = format!(
            "{key}: the password in {shown} begins or ends with a blank, which is taken for a part of it"
        );
        found.warning(key, reason, "remove the blank unless it belongs to the password");
    }
    if lines.any(|line| !line.trim().is_empty()) {
        let reason = format!("{key}: {shown} has more than one line; only the first counts");
        found.note(key, reason, "leave only the password in it");
    }
}

/// Whether the file is there and the service may read it. Tells of a file that everybody may read.
pub fn readable(key: &str, file: &Path, user: &ServiceUser, found: &mut Findings) -> bool {
    let shown = file.display();
    if let Err(denied) = user.may(file, Wish::Read) {
        let reason =
            format!("{key}: {shown}: the service runs as {} and cannot read it: {denied}", user.name);
        found.error(key, reason, format!("chgrp {0} {shown}; chmod 0640 {shown}", user.name));
        return false;
    }
    let data = match fs::File::open(file).and_then(|file| file.metadata()) {
        Ok(data) => data,
        Err(error) => {
            let remedy = "name a file that is there; paths are relative to the folder of the configuration";
            found.error(key, format!("{key}: {shown}: {error}"), remedy);
            return false;
        }
    };
    if data.is_dir() {
        found.error(key, format!("{key}: {shown} is a folder"), "name the file in it");
        return false;
    }
    if data.mode() & 0o004 != 0 {
        let reason =
            format!("{key}: everybody on this machine may read {shown} (mode {:04o})", data.mode() & 0o7777);
        found.warning(key, reason, format!("chown root:{0} {shown}; chmod 0640 {shown}", user.name));
    }
    true
}

/// A password in the configuration is read by everybody who reads that, and shown in the list of processes' environments.
fn database_password(config: &Config, found: &mut Findings) {
    let Some(url) = config.store.database.as_deref() else { return };
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let has_password = authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'));
    if has_password || url.contains("password=") {
        let reason = "store.database holds a password: whoever reads the configuration has it";
        found.warning("store.database", reason, "put it into a file and name that in store.password_file");
    }
}
