//! What becomes of a message, per recipient: pass, seal or reject. Called by `intake` at the end of data and by
//! `zegel policy explain`; nobody else can make a [`Decision`].
//!
//! Rules are asked in order and the first that matches wins. What must never happen is that a message passes
//! because it was hard to read: a rule that seals or rejects matches when any reading of the message says
//! so, one that passes only when every reading does (C06); where a limit kept us from looking, the strictest
//! rule that could apply wins.

mod bsn;
mod content;
mod finding;
mod fold;
mod load;
mod options;
mod rules;
mod subject;
mod trigger;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::address::{Address, ReversePath};
use crate::config::{PasswordMode, SubjectMode};

pub use content::MessageContent;
use finding::Finding;
pub use fold::skeleton;
pub use load::{PolicyError, RuleFault};
pub use options::{TagOptions, TagPassword, TagReading};
use rules::{Condition, Rule};
use trigger::Tags;

/// The rules that the binary brings along.
const SHIPPED: &str = include_str!("../../policies/default.toml");

/// Rules, in the order in which they are asked.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    /// Those of the rules that seal.
    seal_tags: Tags,
    /// Those of the rules that seal or reject.
    tags: Tags,
    /// Those of the rules that let mail pass.
    pass_tags: Tags,
}

/// What the rules may ask about one message on its way to one recipient.
#[derive(Clone, Copy)]
pub struct RuleInput<'a> {
    /// The message; shared by all recipients, so that it is searched once.
    pub content: &'a MessageContent<'a>,
    /// The envelope's sender.
    pub sender: &'a ReversePath,
    /// One of the envelope's recipients.
    pub recipient: &'a Address,
    /// The recipient is in one of the organisation's domains.
    pub internal: bool,
    /// The message answers one that was sealed. Only looked up when [`Policy::needs_thread`].
    pub sealed_thread: bool,
}

/// What becomes of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    rule: Option<String>,
    verdict: Verdict,
}

/// The three things that can become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on unchanged.
    Pass,
    /// It is sealed into a transfer.
    Seal(SealOptions),
    /// It is refused.
    Reject {
        /// What the sender is told; printable and one line.
        text: String,
    },
}

/// Where a rule departs from the `[seal]` section of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealOptions {
    /// Days until the transfer is destroyed.
    pub expiry_days: Option<u32>,
    /// Whether the link needs a password.
    pub password: Option<PasswordMode>,
    /// What the notification's subject says.
    pub subject: Option<SubjectMode>,
    /// Whether the sender is told of downloads.
    pub download_notice: Option<bool>,
    /// Whether that mail names the files.
    pub file_names: Option<bool>,
}

/// How one rule looked upon a message, for `zegel policy explain`. Holds nothing of the message's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The rule's name.
    pub rule: String,
    /// `pass`, `seal` or `reject`.
    pub then: &'static str,
    /// Every condition holds, or may hold where that could not be found out.
    pub matched: bool,
    /// This rule made the decision.
    pub decides: bool,
    /// Its conditions; none: it always matches.
    pub conditions: Vec<ConditionTrace>,
}

/// How one condition turned out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConditionTrace {
    /// The key in the policy file.
    pub condition: &'static str,
    /// It holds, or may hold where that could not be found out.
    pub matched: bool,
    /// In plain English.
    pub why: String,
}

impl Decision {
    /// The rule that made it; none where no rule matched.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// What becomes of the message.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl Verdict {
    /// The word in the policy file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Seal(_) => "seal",
            Self::Reject { .. } => "reject",
        }
    }

    /// Pass is the weakest, reject the strictest.
    fn strictness(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Seal(_) => 1,
            Self::Reject { .. } => 2,
        }
    }
}

impl Policy {
    /// Reads policy files in order. No files: the rules that the binary brings along.
    pub fn load(files: &[PathBuf]) -> Result<Self, PolicyError> {
        if files.is_empty() {
            return Ok(Self::shipped());
        }
        let mut rules = Vec::new();
        for file in files {
            load::read(file, &mut rules)?;
        }
        Ok(Self::of(rules))
    }

    /// Reads one policy that is there as text; `file` is for messages.
    pub fn parse(file: &Path, text: &str) -> Result<Self, PolicyError> {
        let mut rules = Vec::new();
        load::parse(file, text, &mut rules)?;
        Ok(Self::of(rules))
    }

    /// All that is wrong with the texts of policy files, in their order, by the place of each file in the list.
    pub fn faults<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<(usize, RuleFault)> {
        let mut rules = Vec::new();
        let mut all = Vec::new();
        for (place, text) in texts.into_iter().enumerate() {
            all.extend(load::parse_rules(text, &mut rules).into_iter().map(|fault| (place, fault)));
        }
        all
    }

    /// The rules of `policies/default.toml` as they were when the binary was built.
    pub fn shipped() -> Self {
        // The file is part of the binary, and a test reads it. If it could not be read, nothing may pass.
        Self::parse("policies/default.toml".as_ref(), SHIPPED)
            .unwrap_or_else(|_| Self::of(vec![Rule::reject_everything()]))
    }

    fn of(mut rules: Vec<Rule>) -> Self {
        let tags = |is_wanted: fn(&Verdict) -> bool| {
            let wanted = rules.iter().filter(|rule| is_wanted(&rule.verdict));
            let lists = wanted.flat_map(|rule| &rule.conditions).filter_map(|condition| match condition {
                Condition::SubjectTag(tags) => Some(tags.written()),
                _ => None,
            });
            Tags::new(lists.flatten())
        };
        let all = tags(|_| true);
        let mut seal_tags = tags(|verdict| matches!(verdict, Verdict::Seal(_)));
        let mut strict_tags = tags(|verdict| *verdict != Verdict::Pass);
        let pass_tags = tags(|verdict| *verdict == Verdict::Pass);
        let of_rules = rules.iter_mut().flat_map(|rule| &mut rule.conditions).filter_map(Condition::tags_mut);
        for tags in of_rules.chain([&mut seal_tags, &mut strict_tags]) {
            tags.tell_from(&all);
        }
        Self { seal_tags, tags: strict_tags, pass_tags, rules }
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Whether [`RuleInput::sealed_thread`] matters.
    pub fn needs_thread(&self) -> bool {
        self.conditions().any(|condition| matches!(condition, Condition::SealedThread))
    }

    /// The decision for one recipient. Total: what cannot be found out is decided for the stricter side.
    pub fn decide(&self, facts: &RuleInput) -> Decision {
        match self.deciding(facts) {
            Some(rule) => Decision { rule: Some(rule.name.clone()), verdict: rule.verdict.clone() },
            None => Decision { rule: None, verdict: Verdict::Pass },
        }
    }

    /// How each rule looks upon the message, also those after the one that decides.
    pub fn explain(&self, facts: &RuleInput) -> Vec<RuleTrace> {
        let deciding = self.deciding(facts).map(|rule| rule.name.as_str());
        self.rules.iter().map(|rule| rule.explain(facts, deciding)).collect()
    }

    /// A subject without the tags that this policy looks for, and without what they ask for.
    pub fn clean_subject(&self, subject: &str) -> String {
        subject::clean(&self.tags, &self.pass_tags, subject)
    }

    /// A subject with its tags, but without the options beside them: they may hold a password.
    pub fn subject_without_options(&self, subject: &str) -> String {
        let bare = subject::without_options(&self.tags, subject);
        if self.tag_options(&bare).has_password { self.clean_subject(subject) } else { bare }
    }

    /// What the tags in a subject ask for, where they are tags of rules that seal.
    pub fn tag_options(&self, subject: &str) -> TagOptions {
        subject::options(&self.seal_tags, subject)
    }

    /// The tag that a subject needs so that this policy seals the message: the first of the first rule that asks for
    /// nothing else, or for as little else as any.
    pub fn seal_tag(&self) -> Option<&str> {
        let sealing = self.rules.iter().filter(|rule| matches!(rule.verdict, Verdict::Seal(_)));
        let tags = sealing.filter_map(|rule| {
            let tag = rule.conditions.iter().find_map(|condition| match condition {
                Condition::SubjectTag(tags) => tags.written().next(),
                _ => None,
            });
            tag.map(|tag| (rule.conditions.len(), tag))
        });
        tags.min_by_key(|(conditions, _)| *conditions).map(|(_, tag)| tag)
    }

    /// The first rule that matches; where rules before it may match as well, the strictest of them all.
    fn deciding(&self, facts: &RuleInput) -> Option<&Rule> {
        let mut strictest: Option<&Rule> = None;
        for rule in &self.rules {
            let answer = rule.answer(facts);
            if answer == Finding::No {
                continue;
            }
            if strictest.is_none_or(|other| rule.verdict.strictness() > other.verdict.strictness()) {
                strictest = Some(rule);
            }
            if answer == Finding::Yes {
                return strictest;
            }
        }
        // No rule matches for certain: pass is possible too, and never stricter.
        strictest
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.rules.iter().flat_map(|rule| &rule.conditions)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
