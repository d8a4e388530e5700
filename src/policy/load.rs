//! From a policy file to rules. Every fault names file, rule, key and reason.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::fold::{fold, skeleton};
use super::rules::{Condition, Pattern, Rule};
use super::trigger::Tags;
use super::{SealOptions, Verdict};
use crate::config::{ByteSize, check_name};
use crate::limits::EXPIRY_DAYS;

const FILE_KEYS: &[&str] = &["rule"];
const RULE_KEYS: &[&str] =
    &["name", "when", "then", "expiry_days", "password", "subject", "download_notice", "file_names", "text"];
const SEAL_KEYS: &[&str] = &["expiry_days", "password", "subject", "download_notice", "file_names"];
const CONDITION_KEYS: &[&str] =
    &["subject_tag", "header", "sender", "recipient", "internal", "min_size", "bsn", "thread", "automatic"];
const HEADER_KEYS: &[&str] = &["name", "any"];

/// What the sender is told when a rule does not say it.
const REJECTED: &str = "refused by the policy of this organisation";

/// Bytes of a rule's text: it has to fit into one response line (RFC 5321 4.5.3.1.5).
const MAX_TEXT: usize = 400;

/// Characters of a tag: a longer one would not be looked for in a subject.
const MAX_TAG: usize = 100;

/// A policy that cannot be used; the text is what the administrator reads.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", file.display())]
pub struct PolicyError {
    file: PathBuf,
    message: String,
}

/// What is wrong with one rule, or with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault {
    /// The place of the rule in its file, counted from 0; `None` where it is about the file.
    pub rule: Option<usize>,
    /// Names rule, key and reason.
    pub message: String,
}

impl RuleFault {
    fn of_file(message: impl Into<String>) -> Vec<Self> {
        vec![Self { rule: None, message: message.into() }]
    }
}

/// Reads one file and adds its rules.
pub(super) fn read(file: &Path, rules: &mut Vec<Rule>) -> Result<(), PolicyError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| PolicyError { file: file.to_owned(), message: error.to_string() })?;
    parse(file, &text, rules)
}

/// Adds the rules in `text`; `file` is for messages.
pub(super) fn parse(file: &Path, text: &str, rules: &mut Vec<Rule>) -> Result<(), PolicyError> {
    match parse_rules(text, rules).into_iter().next() {
        None => Ok(()),
        Some(fault) => Err(PolicyError { file: file.to_owned(), message: fault.message }),
    }
}

/// Adds the rules that can be used, and tells of all others.
pub(super) fn parse_rules(text: &str, rules: &mut Vec<Rule>) -> Vec<RuleFault> {
    let table: Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => return RuleFault::of_file(error.to_string()),
    };
    if let Err(message) = check_names(&table, FILE_KEYS) {
        return RuleFault::of_file(message);
    }
    let Some(list) = table.get("rule") else { return Vec::new() };
    let Some(list) = list.as_array() else {
        return RuleFault::of_file("rule: each rule starts with [[rule]]");
    };
    let mut faults = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let name = entry.get("name").and_then(Value::as_str);
        let label = name.map_or_else(|| format!("rule {}", index + 1), |name| format!("rule \"{name}\""));
        match add_rule(entry, rules) {
            Ok(()) => {}
            Err(message) => {
                faults.push(RuleFault { rule: Some(index), message: format!("{label}: {message}") })
            }
        }
    }
    faults
}

fn add_rule(entry: &Value, rules: &mut Vec<Rule>) -> Result<(), String> {
    let rule = parse_rule(entry.as_table().ok_or("each rule starts with [[rule]]")?)?;
    if rules.iter().any(|other| other.name == rule.name) {
        return Err("name: another rule has this name already".to_owned());
    }
    rules.push(rule);
    Ok(())
}

fn parse_rule(entry: &Table) -> Result<Rule, String> {
    check_names(entry, RULE_KEYS)?;
    let name: String = required(entry, "name")?;
    if name.trim().is_empty() || name.len() > 100 || name.contains(char::is_control) {
        return Err("name: must be one short line".to_owned());
    }
    let empty = Value::Table(Table::new());
    let when = entry.get("when").unwrap_or(&empty).as_table().ok_or("when: must be a table { ... }")?;
    check_names(when, CONDITION_KEYS).map_err(|message| format!("when: {message}"))?;
    let mut conditions = Vec::new();
    for (key, value) in when {
        conditions.push(condition(key, value).map_err(|message| format!("when.{key}: {message}"))?);
    }
    conditions.sort_by_key(Condition::is_costly);
    Ok(Rule { name, conditions, verdict: verdict(entry)? })
}

fn condition(key: &str, value: &Value) -> Result<Condition, String> {
    let addresses = || -> Result<Vec<Pattern>, String> {
        let texts = list(value)?;
        if let Some(text) = texts.iter().find(|text| !text.contains(['@', '*']) && *text != "<>") {
            return Err(format!("\"{text}\" is no address; write name@domain, @domain, or use *"));
        }
        Ok(texts.iter().map(|text| Pattern::of_address(text)).collect())
    };
    Ok(match key {
        "subject_tag" => Condition::SubjectTag(tags(value)?),
        "header" => header(value)?,
        "sender" => Condition::Sender(addresses()?),
        "recipient" => Condition::Recipient(addresses()?),
        "internal" => Condition::Internal(typed(value)?),
        "min_size" => Condition::MinSize(typed::<ByteSize>(value)?),
        "bsn" => Condition::Bsn(typed(value)?),
        "automatic" => Condition::Automatic(typed(value)?),
        _ => match value.as_str() {
            Some("sealed") => Condition::SealedThread,
            _ => return Err(format!("must be \"sealed\", not {value}")),
        },
    })
}

fn tags(value: &Value) -> Result<Tags, String> {
    let tags = list(value)?;
    for tag in &tags {
        if skeleton(tag).contains(['[', ']', ':']) {
            return Err(format!("\"{tag}\": write the tag without brackets or colon"));
        }
        if !fold(tag).contains(char::is_alphanumeric) || tag.chars().count() > MAX_TAG {
            return Err(format!("\"{tag}\" is no tag of at most {MAX_TAG} characters"));
        }
    }
    Ok(Tags::new(tags.iter().map(String::as_str)))
}

fn header(value: &Value) -> Result<Condition, String> {
    let table = value.as_table().ok_or("must be a table { name = \"...\", any = [...] }")?;
    check_names(table, HEADER_KEYS)?;
    let name: String = required(table, "name")?;
    if name.is_empty() || !name.bytes().all(|c| c.is_ascii_graphic() && c != b':') {
        return Err(format!("name: \"{name}\" is no field name"));
    }
    let any = table.get("any").ok_or("any: is missing")?;
    let any = list(any).map_err(|message| format!("any: {message}"))?;
    Ok(Condition::Header { name, any: any.iter().map(|text| Pattern::of_value(text)).collect() })
}

fn verdict(entry: &Table) -> Result<Verdict, String> {
    let then: String = required(entry, "then")?;
    let (verdict, options): (_, &[&str]) = match then.as_str() {
        "pass" => (Verdict::Pass, &[]),
        "seal" => (Verdict::Seal(seal_options(entry)?), SEAL_KEYS),
        "reject" => (Verdict::Reject { text: reject_text(entry)? }, &["text"]),
        other => return Err(format!("then: must be \"pass\", \"seal\" or \"reject\", not \"{other}\"")),
    };
    let stray = entry
        .keys()
        .find(|key| !["name", "when", "then"].contains(&key.as_str()) && !options.contains(&key.as_str()));
    match stray {
        Some(key) => Err(format!("{key}: does not go with then = \"{then}\"")),
        None => Ok(verdict),
    }
}

fn seal_options(entry: &Table) -> Result<SealOptions, String> {
    let expiry_days: Option<u32> = optional(entry, "expiry_days")?;
    if expiry_days.is_some_and(|days| !EXPIRY_DAYS.contains(&days)) {
        return Err("expiry_days: must be from 1 to 365".to_owned());
    }
    Ok(SealOptions {
        expiry_days,
        password: optional(entry, "password")?,
        subject: optional(entry, "subject")?,
        download_notice: optional(entry, "download_notice")?,
        file_names: optional(entry, "file_names")?,
    })
}

fn reject_text(entry: &Table) -> Result<String, String> {
    let text: String = optional(entry, "text")?.unwrap_or_else(|| REJECTED.to_owned());
    let is_plain = text.chars().all(|c| matches!(c, ' '..='~'));
    if !is_plain || text.trim().is_empty() || text.len() > MAX_TEXT {
        return Err(format!("text: must be one line of at most {MAX_TEXT} plain ASCII characters"));
    }
    Ok(text)
}

/// A text, or a list of texts; a list without any would never hold, which nobody means.
fn list(value: &Value) -> Result<Vec<String>, String> {
    let texts = match value {
        Value::String(text) => vec![text.clone()],
        _ => typed::<Vec<String>>(value)?,
    };
    if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        return Err("must not be empty".to_owned());
    }
    Ok(texts)
}

fn required<T: DeserializeOwned>(table: &Table, key: &str) -> Result<T, String> {
    optional(table, key)?.ok_or_else(|| format!("{key}: is missing"))
}

fn optional<T: DeserializeOwned>(table: &Table, key: &str) -> Result<Option<T>, String> {
    let typed = table.get(key).map(typed).transpose();
    typed.map_err(|message| format!("{key}: {message}"))
}

fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    value.clone().try_into().map_err(|error: toml::de::Error| error.message().trim().to_owned())
}

fn check_names(table: &Table, known: &[&str]) -> Result<(), String> {
    table.keys().try_for_each(|name| check_name(name, known, ""))
}
