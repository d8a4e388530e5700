//! What is wrong or doubtful, where it was written, and what to do about it. Made while the configuration is read and by
//! `zegel check`, which prints all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The gateway does not start with it, or mail cannot flow.
    Error,
    /// It works, but not as an administrator means it, or not for long.
    Warning,
    /// Worth knowing.
    Note,
}

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Its line, counted from 1.
    pub line: Option<usize>,
    /// The key, with its sections in front.
    pub key: Option<String>,
    /// The environment variable that overrides the file.
    pub variable: Option<String>,
}

/// One thing that an administrator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it was written.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong; names the key.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Something that keeps the gateway from working.
    pub fn error(place: Place, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place, reason: reason.into(), remedy: remedy.into() }
    }

    /// Something that works, but not as meant.
    pub fn warning(place: Place, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, reason, remedy) }
    }

    /// Something worth knowing.
    pub fn note(place: Place, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(place, reason, remedy) }
    }
}

/// In one line, as `serve` says it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// A variable counts more than the file, so it is what must be changed.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match (&self.variable, self.line) {
            (Some(variable), _) => write!(f, ": {variable}"),
            (None, Some(line)) => write!(f, ": line {line}"),
            (None, None) => Ok(()),
        }
    }
}

impl Place {
    /// Of a file as a whole.
    pub fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }
}

/// Keys whose value is not what was written, because that was missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandIns(BTreeSet<String>);

impl StandIns {
    pub(super) fn add(&mut self, key: &str) {
        self.0.insert(key.to_owned());
    }

    /// Whether the key, or the section that it is in, is one.
    pub fn has(&self, key: &str) -> bool {
        let is_above =
            |known: &String| key.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.0.contains(key) || self.0.iter().any(is_above)
    }
}

/// Where each key of a configuration was written.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file: PathBuf,
    by_key: BTreeMap<String, Place>,
}

impl Places {
    /// Of this file; nothing in it is known yet.
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), by_key: BTreeMap::new() }
    }

    /// Notes where a key is: on a line of the file, or in a variable.
    pub(super) fn add(&mut self, key: &str, line: Option<usize>, variable: Option<&str>) {
        let place = Place {
            file: self.file.clone(),
            line,
            key: Some(key.to_owned()),
            variable: variable.map(str::to_owned),
        };
        self.by_key.insert(key.to_owned(), place);
    }

    /// Where a key is, or the section that it belongs into.
    pub fn of(&self, key: &str) -> Place {
        if let Some(place) = self.by_key.get(key) {
            return place.clone();
        }
        let section = key.rsplit_once('.').and_then(|(section, _)| self.by_key.get(section));
        let line = section.and_then(|place| place.line);
        Place { file: self.file.clone(), line, key: Some(key.to_owned()), variable: None }
    }

    /// Whether somebody wrote the key.
    pub fn has(&self, key: &str) -> bool {
        self.by_key.contains_key(key)
    }
}
