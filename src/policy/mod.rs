//! What happens to a message, per recipient: pass, seal or reject. Rules come from TOML files
//! (policies/README.md); `intake` and the `policy explain` command call this. Pure: no I/O after
//! loading, no clock. What must never happen: a doubtful reading of a message that leads to pass.

mod bsn;
mod check;
mod evidence;
mod markup;
mod pattern;
mod rules;
mod trigger;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::check::check;
use self::evidence::Evidence;
pub use self::rules::PolicyError;
use self::rules::{Condition, Rule};
use self::trigger::Tags;
use crate::address::{Address, ReversePath};
use crate::config::{PasswordMode, SubjectMode};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;

/// The rules that hold when the configuration names no policy file.
const SHIPPED: &str = include_str!("../../policies/default.toml");

/// Rules, in the order in which they are tried; the first that matches decides.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    tags: Tags,
}

/// What a decision is about: one message for one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The header of `message`.
    pub header: &'a Header<'a>,
    /// The message as it came in.
    pub message: &'a CrlfBytes,
    /// The envelope's sender.
    pub sender: &'a ReversePath,
    /// One of the envelope's recipients.
    pub recipient: &'a Address,
    /// Whether the recipient is in `organisation.domains`.
    pub internal: bool,
    /// Whether the message answers one that was sealed; looked up only if [`Policy::needs_thread`].
    pub sealed_thread: bool,
}

/// What to do with one message for one recipient, and which rule said so. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    rule: Option<String>,
    verdict: Verdict,
}

/// The three things that can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// On to the smarthost, unchanged.
    Pass,
    /// Sealed into a transfer.
    Seal(SealOptions),
    /// Refused in the SMTP dialogue.
    Reject {
        /// One line of ASCII for the SMTP response.
        text: String,
    },
}

/// What a rule says about sealing; absent means as `[seal]` in the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Days until the transfer is destroyed.
    pub expiry_days: Option<u32>,
    /// Whether the link needs a password.
    pub password: Option<PasswordMode>,
    /// What the notification's subject says.
    pub subject: Option<SubjectMode>,
}

/// How one rule fared, for `policy explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The rule's name.
    pub rule: String,
    /// `pass`, `seal` or `reject`
    pub then: &'static str,
    /// Whether all its conditions hold.
    pub matched: bool,
    /// Whether it is the first that matches, and so decides.
    pub decides: bool,
    /// Each of its conditions; none means that it always holds.
    pub conditions: Vec<ConditionTrace>,
}

/// How one condition fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// The key in `when`.
    pub condition: &'static str,
    /// Whether it holds.
    pub matched: bool,
    /// Why, in a few words; never anything from the message's text.
    pub why: String,
}

impl Policy {
    /// Reads the files in order; no files means the shipped rules.
    pub fn load(files: &[PathBuf]) -> Result<Self, PolicyError> {
        if files.is_empty() {
            return Ok(Self::shipped());
        }
        let mut rules: Vec<Rule> = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|e| rules::file_fault(file, e.to_string()))?;
            for rule in rules::parse(file, &text)? {
                if rules.iter().any(|other| other.name == rule.name) {
                    let reason =
                        format!("rule \"{}\", name: a rule in another file has this name", rule.name);
                    return Err(rules::file_fault(file, reason));
                }
                rules.push(rule);
            }
        }
        Ok(Self::new(rules))
    }

    /// The rules in policies/default.toml, which are part of the program.
    pub fn shipped() -> Self {
        let rules = rules::parse(Path::new("policies/default.toml"), SHIPPED);
        // A test proves that the file is right; were it not, sealing everything is the safe side.
        Self::new(rules.unwrap_or_else(|_| vec![Rule::seal_all()]))
    }

    fn new(rules: Vec<Rule>) -> Self {
        let tags =
            Tags::new(rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| match condition {
                Condition::SubjectTag(tags) => tags.as_slice(),
                _ => &[],
            }));
        Self { rules, tags }
    }

    /// Whether any rule asks for `thread = "sealed"`, so that the store must be asked.
    pub fn needs_thread(&self) -> bool {
        self.rules.iter().flat_map(|rule| &rule.conditions).any(|c| matches!(c, Condition::SealedThread))
    }

    /// The names of the rules, in order.
    pub fn rule_names(&self) -> Vec<&str> {
        self.rules.iter().map(|rule| rule.name.as_str()).collect()
    }

    /// The decision of the first rule that matches; none matches: pass.
    pub fn decide(&self, facts: &Facts<'_>) -> Decision {
        self.decide_with(facts, &Evidence::new(facts.header, facts.message, &self.tags))
    }

    /// Like [`Policy::decide`], for all recipients of one message, which is read only once.
    pub fn decide_all(&self, facts: &[Facts<'_>]) -> Vec<Decision> {
        let Some(first) = facts.first() else { return Vec::new() };
        let evidence = Evidence::new(first.header, first.message, &self.tags);
        facts
            .iter()
            .map(|facts| match std::ptr::eq(facts.message, first.message) {
                true => self.decide_with(facts, &evidence),
                false => self.decide(facts),
            })
            .collect()
    }

    fn decide_with(&self, facts: &Facts<'_>, evidence: &Evidence<'_>) -> Decision {
        let decides =
            |rule: &&Rule| rule.conditions.iter().all(|c| check(c, &rule.verdict, facts, evidence).holds);
        match self.rules.iter().find(decides) {
            Some(rule) => Decision { rule: Some(rule.name.clone()), verdict: rule.verdict.clone() },
            None => Decision { rule: None, verdict: Verdict::Pass },
        }
    }

    /// How every rule fares, in order; the one that decides is marked.
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<RuleTrace> {
        let evidence = Evidence::new(facts.header, facts.message, &self.tags);
        let mut decided = false;
        let mut traces = Vec::new();
        for rule in &self.rules {
            let conditions: Vec<ConditionTrace> = rule
                .conditions
                .iter()
                .map(|condition| {
                    let outcome = check(condition, &rule.verdict, facts, &evidence);
                    ConditionTrace { condition: condition.key(), matched: outcome.holds, why: outcome.why }
                })
                .collect();
            let matched = conditions.iter().all(|condition| condition.matched);
            let decides = matched && !decided;
            decided |= matched;
            traces.push(RuleTrace {
                rule: rule.name.clone(),
                then: rule.verdict.word(),
                matched,
                decides,
                conditions,
            });
        }
        traces
    }

    /// `subject` without any of the policy's tags at its start; reply prefixes stay.
    pub fn clean_subject(&self, subject: &str) -> String {
        self.tags.strip(subject)
    }
}

impl Decision {
    /// The rule that decided; `None` when no rule matched.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// What to do.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl Verdict {
    /// The word for it in rules and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Seal(_) => "seal",
            Self::Reject { .. } => "reject",
        }
    }
}
