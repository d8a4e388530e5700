//! One condition of one rule against the facts. The decision and its explanation both come from here,
//! so they cannot differ. Doubt (another reading, a second field, an unreadable part) counts for rules
//! that seal or reject and never for rules that pass.

use super::evidence::{BsnFinding, Evidence};
use super::pattern::Pattern;
use super::rules::Condition;
use super::{Facts, Verdict};

/// Whether a condition holds, and why in a few words.
pub(super) struct Outcome {
    pub holds: bool,
    pub why: String,
}

impl Outcome {
    fn new(holds: bool, yes: impl Into<String>, no: impl Into<String>) -> Self {
        Self { holds, why: if holds { yes.into() } else { no.into() } }
    }
}

pub(super) fn check(
    condition: &Condition,
    verdict: &Verdict,
    facts: &Facts<'_>,
    evidence: &Evidence<'_>,
) -> Outcome {
    let sure_only = matches!(verdict, Verdict::Pass);
    match condition {
        Condition::Internal(wanted) => {
            let which =
                if facts.internal { "the recipient is internal" } else { "the recipient is not internal" };
            Outcome::new(facts.internal == *wanted, which, which)
        }
        Condition::MinSize(least) => {
            let size = u64::try_from(facts.message.as_slice().len()).unwrap_or(u64::MAX);
            let why = format!("the message has {size} octets, the rule asks for {least}");
            Outcome::new(size >= *least, why.clone(), why)
        }
        Condition::Recipient(patterns) => {
            let holds = patterns.iter().any(|pattern| pattern.matches(facts.recipient));
            Outcome::new(holds, "the recipient is listed", "the recipient is not listed")
        }
        Condition::Sender(patterns) => {
            let holds = patterns.iter().any(|pattern| pattern.matches_path(facts.sender));
            Outcome::new(holds, "the sender is listed", "the sender is not listed")
        }
        Condition::SealedThread => Outcome::new(
            facts.sealed_thread,
            "the message answers one that was sealed",
            "the message does not answer one that was sealed",
        ),
        Condition::SubjectTag(tags) => subject_tag(tags, sure_only, evidence),
        Condition::Header { name, any } => header(name, any, sure_only, evidence),
        Condition::Bsn => bsn(sure_only, evidence),
    }
}

fn subject_tag(tags: &[String], sure_only: bool, evidence: &Evidence<'_>) -> Outcome {
    let found = evidence.subject_tags();
    let of = |list: &[&str]| tags.iter().find(|tag| list.contains(&tag.as_str()));
    match (of(&found.sure), of(&found.any)) {
        (Some(tag), _) => Outcome::new(true, format!("the subject has the tag \"{tag}\""), ""),
        (None, Some(tag)) if sure_only => Outcome::new(
            false,
            "",
            format!("the tag \"{tag}\" is not alone in its brackets, or not in every Subject field"),
        ),
        (None, Some(tag)) => {
            Outcome::new(true, format!("a reading of the subject has the tag \"{tag}\""), "")
        }
        (None, None) => Outcome::new(false, "", "the subject has none of the tags"),
    }
}

fn header(name: &str, any: &[Pattern], sure_only: bool, evidence: &Evidence<'_>) -> Outcome {
    let listed = |value: &String| any.iter().any(|pattern| pattern.matches(value));
    let (mut fields, mut plain, mut read) = (0, 0, 0);
    for (value, readings) in evidence.values(name) {
        fields += 1;
        plain += usize::from(listed(&value));
        read += usize::from(listed(&value) || readings.iter().any(listed));
    }
    let holds = if sure_only { fields > 0 && plain == fields } else { read > 0 };
    let no = match fields {
        0 => format!("there is no {name} field"),
        _ if read > 0 => format!("not every {name} field has a listed value"),
        _ => format!("no {name} field has a listed value"),
    };
    Outcome::new(holds, format!("{name} has a listed value"), no)
}

fn bsn(sure_only: bool, evidence: &Evidence<'_>) -> Outcome {
    match evidence.bsn() {
        BsnFinding::In(place) => Outcome::new(true, format!("{place} has a citizen service number"), ""),
        BsnFinding::Nowhere => Outcome::new(false, "", "no citizen service number was found"),
        BsnFinding::Unreadable => {
            let why = "the parts of the message cannot all be read, so one may be in them";
            Outcome::new(!sure_only, why, why)
        }
    }
}
