//! `zegel policy explain`: what the rules make of a message, and why. Needs no running gateway; whether
//! the message answers a sealed thread is looked up where a data folder is there.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::json;

use super::{ReportArgs, print_json};
use crate::address::{Address, ReversePath};
use crate::config::Config;
use crate::home::Home;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::policy::{Decision, MessageContent, RuleInput, RuleTrace, TagReading};
use crate::settings::{Misconfigured, Organisation, Scope, Settings};

/// Prints, for each recipient, every rule and the decision.
pub fn explain(report: &ReportArgs, from: &str, to: &[Address], file: &Path) -> Result<()> {
    let (all, sender) = (report.config()?, reverse_path(from)?);
    let config = sent_by(&all, &sender)?;
    let organisation = Organisation::read(config, all.organisations())?;
    let message = CrlfBytes::normalised(&read(file)?);
    let header = Header::parse(message.as_slice());
    let content = MessageContent::new(&header, &message);
    let sealed_thread = organisation.policy.needs_thread() && is_in_sealed_thread(&all, &sender, &content)?;
    let asked = organisation.policy.tag_options(&header.subject());
    let (options, reading) = (asked.describe(), asked.reading.as_ref());
    let mut answers = Vec::new();
    for recipient in to {
        let facts = RuleInput {
            content: &content,
            sender: &sender,
            recipient,
            internal: organisation.trusts(recipient),
            sealed_thread,
        };
        let (decision, trace) = (organisation.policy.decide(&facts), organisation.policy.explain(&facts));
        match report.json {
            true => answers.push(json!({
                "recipient": recipient,
                "decision": decision.verdict().as_str(),
                "rule": decision.rule(),
                "subject_read_as": reading.map(|reading| &reading.tag),
                "subject_written": reading.map(|reading| &reading.written),
                "options": options,
                "rules": trace,
            })),
            false => print(recipient, &decision, reading, &options, &trace),
        }
    }
    if report.json {
        print_json(&answers);
    }
    Ok(())
}

fn print(
    recipient: &Address,
    decision: &Decision,
    reading: Option<&TagReading>,
    options: &[String],
    trace: &[RuleTrace],
) {
    say!("{recipient}: {} ({})", decision.verdict().as_str(), decision.rule().unwrap_or("no rule matches"));
    if let Some(TagReading { written, tag, .. }) = reading {
        say!("  the subject was read as {tag}; it says {written}");
    }
    if !options.is_empty() {
        say!("  the tag asks for: {}", options.join(", "));
    }
    for rule in trace {
        say!("  {} {} -> {}", if rule.matched { "+" } else { "-" }, rule.rule, rule.then);
        for condition in &rule.conditions {
            let mark = if condition.matched { "+" } else { "-" };
            say!("      {mark} {}: {}", condition.condition, condition.why);
        }
    }
}

/// The organisation whose rules decide: the sender's, as when its mail comes in. Where there is only one, that.
fn sent_by<'a>(all: &'a Config, sender: &ReversePath) -> Result<&'a Config> {
    let Some(address) = sender.address().filter(|_| all.organisations().count() > 1) else { return Ok(all) };
    let found = all.organisations().find(|one| address.is_internal(&one.organisation.domains));
    found.with_context(|| {
        format!("--from {address}: no organisation here has this domain, and such mail is refused")
    })
}

fn reverse_path(text: &str) -> Result<ReversePath> {
    match text {
        "<>" | "" => Ok(ReversePath::Null),
        text => {
            let address =
                Address::parse(text).map_err(|error| Misconfigured(format!("--from {text}: {error}")))?;
            Ok(ReversePath::Address(address))
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| file.display().to_string())
}

fn is_in_sealed_thread(config: &Config, sender: &ReversePath, content: &MessageContent<'_>) -> Result<bool> {
    let settings = Arc::new(Settings::for_command(config.clone())?);
    let organisation = sender.address().and_then(|sender| settings.for_sender(sender));
    let organisation = organisation.unwrap_or(settings.operator()).clone();
    let scope = Scope::new(settings, organisation);
    tokio::runtime::Runtime::new()?.block_on(async {
        let Some(home) = Home::find(&config.data_dir, &config.store).await? else { return Ok(false) };
        let hashes = scope.thread_marks(&home.keys.thread, &content.answers());
        Ok(home.store.is_sealed_thread(hashes).await?)
    })
}
