//! The rules as administrators write them (policies/README.md), read into checked values. Called by
//! [`Policy::load`](super::Policy::load) only. A rule with a mistake in it is never left out or
//! guessed at: the whole policy is refused with the file, the rule, the key and the reason.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::pattern::{AddressPattern, Pattern};
use super::trigger;
use super::{SealOptions, Verdict};
use crate::config::{ByteSize, PasswordMode, SubjectMode};

/// What [`Verdict::Reject`] says when the rule has no text.
const REJECT_TEXT: &str = "message refused by policy";

/// A policy that cannot be used; the text is what the administrator reads.
#[derive(Debug, thiserror::Error)]
#[error("{}: {place}{reason}", file.display())]
pub struct PolicyError {
    file: PathBuf,
    /// Rule and key, or empty.
    place: String,
    reason: String,
}

/// One `[[rule]]`.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: String,
    /// All must hold; in the order in which they are looked at, cheapest first.
    pub conditions: Vec<Condition>,
    pub verdict: Verdict,
}

impl Rule {
    /// Seals whatever comes.
    pub fn seal_all() -> Self {
        let verdict = Verdict::Seal(SealOptions::default());
        Self { name: "seal everything".to_owned(), conditions: Vec::new(), verdict }
    }
}

/// One key of `when`; one of its values must hold.
#[derive(Debug)]
pub(super) enum Condition {
    Internal(bool),
    MinSize(u64),
    Recipient(Vec<AddressPattern>),
    Sender(Vec<AddressPattern>),
    SealedThread,
    /// Folded with [`trigger::fold_tag`].
    SubjectTag(Vec<String>),
    Header {
        name: String,
        any: Vec<Pattern>,
    },
    /// Last: it is the only one for which the body is read.
    Bsn,
}

impl Condition {
    /// The key in `when`.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Internal(_) => "internal",
            Self::MinSize(_) => "min_size",
            Self::Recipient(_) => "recipient",
            Self::Sender(_) => "sender",
            Self::SealedThread => "thread",
            Self::SubjectTag(_) => "subject_tag",
            Self::Header { .. } => "header",
            Self::Bsn => "bsn",
        }
    }
}

/// A mistake inside one rule: the key, and why.
struct Fault {
    key: String,
    reason: String,
}

impl Fault {
    fn new(key: &str, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), reason: reason.into() }
    }
}

/// Reads the rules of one file; `file` is for messages only.
pub(super) fn parse(file: &Path, text: &str) -> Result<Vec<Rule>, PolicyError> {
    let fault = |place: String, reason: String| PolicyError { file: file.to_owned(), place, reason };
    let table: Table = toml::from_str(text).map_err(|error| fault(String::new(), error.to_string()))?;
    check_keys(&table, &["rule"], "").map_err(|f| fault(String::new(), f.reason))?;
    let rules = match table.get("rule") {
        None => &Vec::new(),
        Some(Value::Array(rules)) => rules,
        Some(_) => return Err(fault(String::new(), "rules are written under [[rule]]".to_owned())),
    };
    let mut parsed: Vec<Rule> = Vec::new();
    for (index, value) in rules.iter().enumerate() {
        let rule = parse_rule(value).map_err(|f| fault(place(index, value, &f.key), f.reason))?;
        if parsed.iter().any(|other| other.name == rule.name) {
            return Err(fault(place(index, value, "name"), "another rule has this name".to_owned()));
        }
        parsed.push(rule);
    }
    Ok(parsed)
}

/// A file that cannot be read, or clashes with another one.
pub(super) fn file_fault(file: &Path, reason: impl Into<String>) -> PolicyError {
    PolicyError { file: file.to_owned(), place: String::new(), reason: reason.into() }
}

fn place(index: usize, rule: &Value, key: &str) -> String {
    match rule.get("name").and_then(Value::as_str) {
        Some(name) if !name.is_empty() => format!("rule \"{name}\", {key}: "),
        _ => format!("rule number {}, {key}: ", index + 1),
    }
}

fn parse_rule(value: &Value) -> Result<Rule, Fault> {
    let table = value.as_table().ok_or_else(|| Fault::new("rule", "must be a table"))?;
    check_keys(table, &["name", "when", "then", "expiry_days", "password", "subject", "text"], "")?;
    let name: String = required(table, "name")?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(Fault::new("name", "must be a line of text"));
    }
    let when = match table.get("when") {
        Some(Value::Table(when)) => when,
        Some(_) => return Err(Fault::new("when", "must be a table, such as { internal = true }")),
        None => return Err(Fault::new("when", "is missing; for a rule that always holds write when = {}")),
    };
    Ok(Rule { name, conditions: conditions(when)?, verdict: verdict(table)? })
}

fn verdict(table: &Table) -> Result<Verdict, Fault> {
    let then: String = required(table, "then")?;
    let known = ["pass", "seal", "reject"];
    let allowed: &[&str] = match then.as_str() {
        "seal" => &["expiry_days", "password", "subject"],
        "reject" => &["text"],
        "pass" => &[],
        _ => {
            return Err(Fault::new(
                "then",
                format!("\"{then}\" is unknown; did you mean \"{}\"?", nearest(&then, &known)),
            ));
        }
    };
    for key in ["expiry_days", "password", "subject", "text"] {
        if table.contains_key(key) && !allowed.contains(&key) {
            return Err(Fault::new(key, format!("does not go with then = \"{then}\"")));
        }
    }
    match then.as_str() {
        "seal" => Ok(Verdict::Seal(seal_options(table)?)),
        "reject" => Ok(Verdict::Reject { text: reject_text(table)? }),
        _ => Ok(Verdict::Pass),
    }
}

fn seal_options(table: &Table) -> Result<SealOptions, Fault> {
    let expiry_days: Option<u32> = optional(table, "expiry_days")?;
    if expiry_days.is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(Fault::new("expiry_days", "must be from 1 to 365"));
    }
    let password: Option<PasswordMode> = optional(table, "password")?;
    let subject: Option<SubjectMode> = optional(table, "subject")?;
    Ok(SealOptions { expiry_days, password, subject })
}

/// The text goes into one line of an SMTP response, which holds 512 octets (RFC 5321 4.5.3.1.5).
fn reject_text(table: &Table) -> Result<String, Fault> {
    let text: String = optional(table, "text")?.unwrap_or_else(|| REJECT_TEXT.to_owned());
    let fits = (1..=400).contains(&text.len()) && text.chars().all(|c| (' '..='~').contains(&c));
    if fits {
        Ok(text)
    } else {
        Err(Fault::new("text", "must be one line of at most 400 plain ASCII characters"))
    }
}

fn conditions(when: &Table) -> Result<Vec<Condition>, Fault> {
    let known = ["internal", "min_size", "recipient", "sender", "thread", "subject_tag", "header", "bsn"];
    check_keys(when, &known, "when.")?;
    let mut conditions = Vec::new();
    for key in known {
        if let Some(value) = when.get(key) {
            let path = format!("when.{key}");
            conditions.push(condition(key, value).map_err(|reason| Fault::new(&path, reason))?);
        }
    }
    Ok(conditions)
}

fn condition(key: &str, value: &Value) -> Result<Condition, String> {
    match key {
        "internal" => Ok(Condition::Internal(read(value)?)),
        "min_size" => Ok(Condition::MinSize(read::<ByteSize>(value)?.bytes())),
        "recipient" => Ok(Condition::Recipient(each(value, AddressPattern::parse)?)),
        "sender" => Ok(Condition::Sender(each(value, AddressPattern::parse)?)),
        "subject_tag" => Ok(Condition::SubjectTag(each(value, trigger::fold_tag)?)),
        "header" => header(value),
        "thread" if value.as_str() == Some("sealed") => Ok(Condition::SealedThread),
        "thread" => Err("must be \"sealed\"".to_owned()),
        _ if value.as_bool() == Some(true) => Ok(Condition::Bsn),
        _ => Err("must be true".to_owned()),
    }
}

fn header(value: &Value) -> Result<Condition, String> {
    let shape = "must have the form { name = \"...\", any = [\"...\"] }";
    let table = value.as_table().ok_or(shape)?;
    check_keys(table, &["name", "any"], "header.").map_err(|fault| fault.reason)?;
    let name = table.get("name").and_then(Value::as_str).ok_or(shape)?;
    // RFC 5322 3.6.8: a field name is printable ASCII without the colon.
    if name.is_empty() || name.chars().any(|c| !c.is_ascii_graphic() || c == ':') {
        return Err(format!("\"{name}\" is not a field name (write it without the colon)"));
    }
    let any = each(table.get("any").ok_or(shape)?, |text| Ok(Pattern::new(text)))?;
    Ok(Condition::Header { name: name.to_owned(), any })
}

/// One text or a list of them; an empty list would be a rule that silently never holds.
fn each<T>(value: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let texts: Vec<String> = match value {
        Value::String(text) => vec![text.clone()],
        other => read(other)?,
    };
    if texts.is_empty() {
        return Err("must not be an empty list".to_owned());
    }
    texts.iter().map(|text| parse(text)).collect()
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    value.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
}

fn optional<T: DeserializeOwned>(table: &Table, key: &str) -> Result<Option<T>, Fault> {
    table.get(key).map(|value| read(value).map_err(|reason| Fault::new(key, reason))).transpose()
}

fn required<T: DeserializeOwned>(table: &Table, key: &str) -> Result<T, Fault> {
    optional(table, key)?.ok_or_else(|| Fault::new(key, "is missing"))
}

/// An unknown key is an error that names the nearest known one.
fn check_keys(table: &Table, known: &[&str], prefix: &str) -> Result<(), Fault> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let near = nearest(key, known);
            let reason = format!("unknown key {prefix}{key}; did you mean {prefix}{near}?");
            Err(Fault::new(&format!("{prefix}{key}"), reason))
        }
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> &'a str {
    known.iter().min_by_key(|key| strsim::levenshtein(key, name)).copied().unwrap_or("")
}
