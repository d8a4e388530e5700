//! Policy files: every fault with its line, and rules that say something else than their author thinks. The texts are looked
//! at as they were written: what a rule was meant to say is in its words.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Findings;
use crate::address::Address;
use crate::config::{ByteSize, Config, Finding, Place};
use crate::policy::Policy;

const KEY: &str = "policy.files";

/// A rule as it was written.
struct WrittenRule {
    file: PathBuf,
    line: Option<usize>,
    name: String,
    when: Table,
    then: String,
}

pub fn look(config: &Config, found: &mut Findings) {
    let Some(files) = config.policy.on_disk().filter(|files| !files.is_empty()) else { return };
    let mut texts = Vec::new();
    for file in files {
        match std::fs::read_to_string(file) {
            Ok(text) => texts.push((file.as_path(), text)),
            Err(error) => {
                let remedy =
                    "name a file that is there; paths are relative to the folder of the configuration";
                found.error(KEY, format!("{KEY}: {}: {error}", file.display()), remedy);
            }
        }
    }
    let before = found.list.len();
    let faults = Policy::faults(texts.iter().map(|(_, text)| text.as_str()));
    for (place, fault) in faults {
        if let Some((file, text)) = texts.get(place) {
            let (line, message) = match fault.rule {
                Some(rule) => (line_of(text, rule), fault.message),
                None => syntax(text).unwrap_or((None, fault.message)),
            };
            let reason = format!("{KEY}: {}", message.trim().replace('\n', " "));
            let remedy = "policies/README.md names every key; `zegel policy explain` shows what a rule makes of a message";
            found.add(Finding::error(at(file, line), reason, remedy));
        }
    }
    if !found.has_errors_since(before) && texts.len() == files.len() {
        let rules: Vec<WrittenRule> = texts.iter().flat_map(|(file, text)| written(file, text)).collect();
        meant(config, &rules, found);
    }
}

fn at(file: &Path, line: Option<usize>) -> Place {
    Place { file: file.to_owned(), line, key: Some(KEY.to_owned()), variable: None }
}

/// Line and message of the first thing that is no TOML.
fn syntax(text: &str) -> Option<(Option<usize>, String)> {
    let error = DeTable::parse(text).err()?;
    let line = error.span().map(|span| line_at(text, span.start));
    Some((line, format!("TOML parse error: {}", error.message())))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

fn line_of(text: &str, rule: usize) -> Option<usize> {
    lines(text).get(rule).copied()
}

/// The line of each rule.
fn lines(text: &str) -> Vec<usize> {
    let Ok(table) = DeTable::parse(text) else { return Vec::new() };
    let rules = table.get_ref().get("rule").and_then(|rules| rules.get_ref().as_array());
    let line = |rule: &toml::Spanned<DeValue<'_>>| {
        // The heading of a table has no place of its own; its first key stands right below.
        let first = rule.get_ref().as_table().and_then(|rule| rule.keys().map(|key| key.span().start).min());
        line_at(text, first.unwrap_or(rule.span().start))
    };
    rules.iter().flat_map(|rules| rules.iter()).map(line).collect()
}

fn written(file: &Path, text: &str) -> Vec<WrittenRule> {
    let table: Table = toml::from_str(text).unwrap_or_default();
    let rules = table.get("rule").and_then(Value::as_array).cloned().unwrap_or_default();
    let text_of = |rule: &Value, key: &str| rule.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let lines = lines(text);
    let rules = rules.iter().enumerate().map(|(place, rule)| WrittenRule {
        file: file.to_owned(),
        line: lines.get(place).copied(),
        name: text_of(rule, "name"),
        when: rule.get("when").and_then(Value::as_table).cloned().unwrap_or_default(),
        then: text_of(rule, "then"),
    });
    rules.collect()
}

fn meant(config: &Config, rules: &[WrittenRule], found: &mut Findings) {
    if rules.is_empty() {
        let reason = "policy.files hold no rule: every message passes in the open";
        return found.warning(
            KEY,
            reason,
            "leave the key out for the rules that zegel brings along, or write rules",
        );
    }
    if !rules.iter().any(|rule| rule.then == "seal") {
        let reason = "policy.files hold no rule with then = \"seal\": nothing is ever sealed";
        found.warning(KEY, reason, "add a rule that seals, such as \"tagged\" of policies/default.toml");
    }
    for (place, rule) in rules.iter().enumerate() {
        let earlier = rules.iter().take(place).find(|earlier| takes_all_of(earlier, rule));
        let told = match earlier {
            Some(earlier) => Some(shadowed(earlier)),
            None => never(config, rule),
        };
        let label = format!("{KEY}: rule \"{}\"", rule.name);
        if let Some((reason, remedy)) = told {
            found.add(Finding::warning(at(&rule.file, rule.line), format!("{label}: {reason}"), remedy));
        }
        for text in texts_in(&rule.when).into_iter().filter(|text| is_like_regex(text)) {
            let reason =
                format!("{label}: \"{}\" looks like a regular expression, and is none", text.escape_debug());
            let remedy = "only * has a meaning: it stands for anything; all else stands for itself";
            found.add(Finding::warning(at(&rule.file, rule.line), reason, remedy));
        }
    }
}

fn shadowed(earlier: &WrittenRule) -> (String, String) {
    let remedy = format!("put it in front of \"{}\", or remove it", earlier.name);
    if earlier.when.is_empty() {
        return (format!("is never asked: \"{}\" above it matches every message", earlier.name), remedy);
    }
    (format!("is never asked: whatever it matches, \"{}\" above it has matched", earlier.name), remedy)
}

/// Whether a rule matches whatever the later one does. One that lets mail pass reads a message more strictly than one that
/// seals, so what the two have in common says nothing.
fn takes_all_of(earlier: &WrittenRule, later: &WrittenRule) -> bool {
    let reads_alike = earlier.then != "pass" || later.then == "pass" || earlier.when.is_empty();
    reads_alike
        && earlier
            .when
            .iter()
            .all(|(key, value)| later.when.get(key).is_some_and(|other| covers(value, other)))
}

fn covers(value: &Value, other: &Value) -> bool {
    let list = |value: &Value| match value {
        Value::String(text) => Some(vec![Value::String(text.clone())]),
        Value::Array(list) => Some(list.clone()),
        _ => None,
    };
    match (list(value), list(other)) {
        (Some(all), Some(some)) => some.iter().all(|one| all.contains(one)),
        _ => value == other,
    }
}

/// Why a rule can match no message at all.
fn never(config: &Config, rule: &WrittenRule) -> Option<(String, String)> {
    let domains = &config.organisation.domains;
    let internal = rule.when.get("internal").and_then(Value::as_bool);
    let is_inside = |text: &String| domain_of(text).map(|domain| is_domain_inside(&domain, domains));
    let all = |key: &str, wanted: bool| {
        let texts = rule.when.get(key).map(strings).unwrap_or_default();
        !texts.is_empty() && texts.iter().all(|text| is_inside(text) == Some(wanted))
    };
    if all("sender", false) {
        let reason = "can never match: its senders are in none of organisation.domains, and mail from others is refused";
        return Some((reason.to_owned(), "name senders of the organisation".to_owned()));
    }
    if internal == Some(true) && all("recipient", false) {
        let reason =
            "can never match: internal = true, and all its recipients are outside of organisation.domains";
        return Some((reason.to_owned(), "remove one of the two conditions".to_owned()));
    }
    if internal == Some(false) && all("recipient", true) {
        let reason = "can never match: internal = false, and all its recipients are in organisation.domains";
        return Some((reason.to_owned(), "remove one of the two conditions".to_owned()));
    }
    let least = rule.when.get("min_size").and_then(|size| size.clone().try_into::<ByteSize>().ok())?;
    (least > config.smtp.max_message_size).then(|| {
        let reason =
            "can never match: min_size is above smtp.max_message_size, and such messages are refused";
        (reason.to_owned(), "write a smaller size".to_owned())
    })
}

/// The domain that a pattern is about; `None` where a star or the null sender leaves it open.
fn domain_of(pattern: &str) -> Option<String> {
    let (_, domain) = pattern.rsplit_once('@')?;
    (!domain.contains('*')).then(|| domain.to_lowercase())
}

fn is_domain_inside(domain: &str, domains: &[String]) -> bool {
    Address::parse(&format!("x@{domain}")).is_ok_and(|address| address.is_internal(domains))
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Every text that is compared with something of a message.
fn texts_in(when: &Table) -> Vec<String> {
    let compared = |(key, value): (&String, &Value)| match key.as_str() {
        "header" => value.get("any").map(strings).unwrap_or_default(),
        "sender" | "recipient" | "subject_tag" => strings(value),
        _ => Vec::new(),
    };
    when.iter().flat_map(compared).collect()
}

fn is_like_regex(text: &str) -> bool {
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let is_choice = text.contains('(') && text.contains('|');
    // `jan.*@voorbeeld.nl` is everybody whose name begins with "jan.".
    let is_any = text.starts_with(".*") || text.ends_with(".*") || text.ends_with(".+");
    text.starts_with('^')
        || (text.ends_with('$') && text.len() > 1)
        || has(&["\\", "(?", "[^", "[a-z", "[A-Z", "[0-9", "@.*", "@.+", ".+@"])
        || is_choice
        || is_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_regular_expression() {
        for text in [
            "^jan@voorbeeld.nl",
            ".*@voorbeeld.nl",
            "jan@voorbeeld\\.nl",
            "(jan|piet)@voorbeeld.nl",
            "[a-z]*@voorbeeld.nl",
            "vertrouwelijk$",
            "priv.*",
            "jan@.*",
            ".+@voorbeeld.nl",
        ] {
            assert!(is_like_regex(text), "{text}");
        }
        for text in [
            "jan.*@voorbeeld.nl",
            "*@*.voorbeeld.nl",
            "priv*",
            "jan+x@voorbeeld.nl",
            "$",
            "*MSIP_Label_0-0_Enabled=true*",
            "<>",
        ] {
            assert!(!is_like_regex(text), "{text}");
        }
    }
}
