//! One rule: conditions that all must hold, and what then becomes of the message. Made by `load` only.

use super::content::Readings;
use super::finding::Finding;
use super::fold::fold;
use super::trigger::{Tags, unblanked};
use super::{ConditionTrace, RuleInput, RuleTrace, Verdict};
use crate::address::{Address, ReversePath};
use crate::config::ByteSize;

#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub name: String,
    pub conditions: Vec<Condition>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    SubjectTag(Tags),
    Header { name: String, any: Vec<Pattern> },
    Sender(Vec<Pattern>),
    Recipient(Vec<Pattern>),
    Internal(bool),
    MinSize(ByteSize),
    SealedThread,
    Automatic(bool),
    Bsn(bool),
}

/// A text in which `*` stands for anything.
#[derive(Clone, Debug)]
pub(super) struct Pattern(String);

impl Rule {
    /// For when there are no rules to go by: nothing passes.
    pub fn reject_everything() -> Self {
        let verdict = Verdict::Reject { text: "no policy".to_owned() };
        Self { name: "no-policy".to_owned(), conditions: Vec::new(), verdict }
    }

    /// Whether all conditions hold. Costly ones stand last and are asked only when they matter.
    pub fn answer(&self, facts: &RuleInput) -> Finding {
        let mut whole = Finding::Yes;
        for condition in &self.conditions {
            match condition.answer(facts, self.is_strict()) {
                Finding::No => return Finding::No,
                Finding::Unknown => whole = Finding::Unknown,
                Finding::Yes => {}
            }
        }
        whole
    }

    /// Every condition with its outcome.
    pub fn explain(&self, facts: &RuleInput, deciding: Option<&str>) -> RuleTrace {
        let conditions = self.conditions.iter().map(|condition| {
            let answer = condition.answer(facts, self.is_strict());
            let of_attached = answer != condition.answer_of_message(facts, self.is_strict());
            let why = condition.why(answer, self.is_strict());
            ConditionTrace {
                condition: condition.key(),
                matched: answer != Finding::No,
                why: if of_attached { format!("in an attached message: {why}") } else { why },
            }
        });
        RuleTrace {
            rule: self.name.clone(),
            then: self.verdict.as_str(),
            matched: self.answer(facts) != Finding::No,
            decides: deciding == Some(self.name.as_str()),
            conditions: conditions.collect(),
        }
    }

    /// A rule that lets mail pass believes the message only where it can be read in one way.
    fn is_strict(&self) -> bool {
        self.verdict == Verdict::Pass
    }
}

impl Condition {
    /// Its key in the policy file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::SubjectTag(_) => "subject_tag",
            Self::Header { .. } => "header",
            Self::Sender(_) => "sender",
            Self::Recipient(_) => "recipient",
            Self::Internal(_) => "internal",
            Self::MinSize(_) => "min_size",
            Self::SealedThread => "thread",
            Self::Automatic(_) => "automatic",
            Self::Bsn(_) => "bsn",
        }
    }

    /// The tags that it looks for.
    pub fn tags_mut(&mut self) -> Option<&mut Tags> {
        match self {
            Self::SubjectTag(tags) => Some(tags),
            _ => None,
        }
    }

    /// Whether the body of the message has to be read for it.
    pub fn is_costly(&self) -> bool {
        matches!(self, Self::Bsn(_) | Self::Automatic(_))
    }

    fn answer(&self, facts: &RuleInput, strict: bool) -> Finding {
        let answer = self.answer_of_message(facts, strict);
        // What is attached cannot make a message pass.
        if strict || answer == Finding::Yes {
            return answer;
        }
        match self.answer_of_attached(facts) {
            Finding::No => answer,
            attached => attached,
        }
    }

    fn answer_of_attached(&self, facts: &RuleInput) -> Finding {
        match self {
            Self::SubjectTag(tags) => has_tag(&facts.content.attached_readings("Subject"), tags, false),
            Self::Header { name, any } => has_value(&facts.content.attached_readings(name), any, false),
            Self::SealedThread if facts.content.attached().cut => Finding::Unknown,
            _ => Finding::No,
        }
    }

    fn answer_of_message(&self, facts: &RuleInput, strict: bool) -> Finding {
        match self {
            Self::SubjectTag(tags) => has_tag(&facts.content.readings("Subject"), tags, strict),
            Self::Header { name, any } => has_value(&facts.content.readings(name), any, strict),
            Self::Sender(patterns) => match facts.sender {
                ReversePath::Null => patterns.iter().any(|pattern| pattern.0 == "<>").into(),
                ReversePath::Address(address) => is_among(patterns, address, strict),
            },
            Self::Recipient(patterns) => is_among(patterns, facts.recipient, strict),
            Self::Internal(wanted) => (facts.internal == *wanted).into(),
            Self::MinSize(least) => (facts.content.size() >= least.bytes()).into(),
            Self::SealedThread => facts.sealed_thread.into(),
            Self::Automatic(wanted) => match facts.content.is_automatic(*facts.sender == ReversePath::Null) {
                Finding::Unknown if strict => Finding::No,
                Finding::Unknown => Finding::Unknown,
                found => ((found == Finding::Yes) == *wanted).into(),
            },
            Self::Bsn(wanted) => match facts.content.has_bsn() {
                Finding::Unknown => Finding::Unknown,
                found => ((found == Finding::Yes) == *wanted).into(),
            },
        }
    }

    /// Says why, without a word of the message.
    fn why(&self, answer: Finding, strict: bool) -> String {
        let say = |yes: &str, no: &str| {
            match answer {
                Finding::Yes => yes,
                Finding::No => no,
                Finding::Unknown => "could not be found out within limits, so it may hold",
            }
            .to_owned()
        };
        match self {
            Self::SubjectTag(tags) if strict => say(
                &format!("the subject starts with {}", listed(tags)),
                &format!("the subject does not start, in every reading, with {}", listed(tags)),
            ),
            Self::SubjectTag(tags) => say(
                &format!("the subject is tagged with {}", listed(tags)),
                &format!("the subject is not tagged with {}", listed(tags)),
            ),
            Self::Header { name, .. } => say(
                &format!("field {name} has one of the values"),
                &format!("field {name} is absent or has another value"),
            ),
            Self::Sender(_) => say("the sender is listed", "the sender is not listed"),
            Self::Recipient(_) => say("the recipient is listed", "the recipient is not listed"),
            Self::Internal(true) => say("the recipient is internal", "the recipient is external"),
            Self::Internal(false) => say("the recipient is external", "the recipient is internal"),
            Self::MinSize(_) => say("the message is as large", "the message is smaller"),
            Self::SealedThread => {
                say("it goes on with a message that was sealed", "it goes on with no message that was sealed")
            }
            Self::Automatic(true) => {
                say("a program answers, and quotes nothing", "no program answers, or it quotes something")
            }
            Self::Automatic(false) => {
                say("no program answers, or it quotes something", "a program answers, and quotes nothing")
            }
            Self::Bsn(true) => {
                say("a citizen service number was found", "no citizen service number was found")
            }
            Self::Bsn(false) => {
                say("no citizen service number was found", "a citizen service number was found")
            }
        }
    }
}

impl Pattern {
    /// Of a field's value: compared as readers do, blanks aside.
    pub fn of_value(text: &str) -> Self {
        Self(unblanked(&fold(text)))
    }

    /// Of an address: `@domain` stands for everybody there.
    pub fn of_address(text: &str) -> Self {
        let text = Address::parse(text).map_or_else(|_| text.to_owned(), |address| address.plain());
        let text = text.to_lowercase();
        Self(if text.starts_with('@') { format!("*{text}") } else { text })
    }

    fn matches(&self, text: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut text) = text.strip_prefix(start) else { return false };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
            let Some(at) = text.find(piece) else { return false };
            text = text.get(at + piece.len()..).unwrap_or("");
        }
        text.ends_with(end)
    }
}

fn has_tag(subjects: &Readings, tags: &Tags, strict: bool) -> Finding {
    if strict {
        let all = subjects.texts.iter().all(|subject| tags.begin(subject));
        return (all && !subjects.texts.is_empty() && !subjects.cut).into();
    }
    any(subjects.skeletons.iter().map(|subject| tags.are_on(subject)), subjects.cut)
}

fn has_value(fields: &Readings, patterns: &[Pattern], strict: bool) -> Finding {
    let matches = |text: &str| patterns.iter().any(|pattern| pattern.matches(text));
    if strict {
        let all = fields.texts.iter().all(|text| matches(&unblanked(text)));
        return (all && !fields.texts.is_empty() && !fields.cut).into();
    }
    let lenient = |text: &String| {
        let plain = unblanked(text);
        let bare = unblanked(&uncommented(text)).replace(['"', '\''], "");
        (matches(&plain) || matches(&bare)).into()
    };
    any(fields.texts.iter().map(lenient), fields.cut)
}

fn any(mut answers: impl Iterator<Item = Finding>, cut: bool) -> Finding {
    let mut whole = if cut { Finding::Unknown } else { Finding::No };
    let found = answers.any(|answer| {
        if answer == Finding::Unknown {
            whole = Finding::Unknown;
        }
        answer == Finding::Yes
    });
    if found { Finding::Yes } else { whole }
}

/// Quotes that an address does not need must not hide it. Those that it needs stay for a rule that lets mail
/// pass: `"x@y"@z` is nobody at `y`. Nor is `x%y@z`, which that server would send on, unless the rule names the whole address.
fn is_among(patterns: &[Pattern], address: &Address, strict: bool) -> Finding {
    let named = |pattern: &&Pattern| !strict || !address.is_routed_on() || !pattern.0.contains('*');
    let patterns: Vec<&Pattern> = patterns.iter().filter(named).collect();
    let mut spellings = vec![address.as_str().to_owned(), address.plain()];
    if !strict {
        spellings.push(format!("{}@{}", address.unquoted_local_part(), address.domain()));
    }
    spellings.iter().any(|text| patterns.iter().any(|pattern| pattern.matches(&text.to_lowercase()))).into()
}

/// A structured value without comments (RFC 5322 3.2.2), and without what follows a semicolon.
fn uncommented(text: &str) -> String {
    let (mut depth, mut is_quoted, mut plain) = (0u32, false, String::new());
    for c in text.chars() {
        match c {
            // A quoted pair: the character behind it means nothing.
            _ if is_quoted => is_quoted = false,
            '\\' => is_quoted = true,
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ';' if depth == 0 => break,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

fn listed(tags: &Tags) -> String {
    let tags: Vec<String> = tags.written().map(|tag| format!("[{tag}]")).collect();
    tags.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_brackets_without_a_partner_stay() {
        assert_eq!(uncommented("a) (b(c)) d; e"), "a)  d");
        assert_eq!(uncommented("a (b"), "a ");
        assert_eq!(uncommented("(a\\)b;c) d"), " d");
    }

    #[test]
    fn patterns_match_like_file_names() {
        for (pattern, text, matches) in [
            ("jan@voorbeeld.nl", "jan@voorbeeld.nl", true),
            ("Jan@Voorbeeld.NL", "jan@voorbeeld.nl", true),
            ("@voorbeeld.nl", "jan@voorbeeld.nl", true),
            ("@voorbeeld.nl", "jan@sub.voorbeeld.nl", false),
            ("@voorbeeld.nl", "\"x@voorbeeld.nl\"@elders.nl", false),
            ("*@*.voorbeeld.nl", "jan@sub.voorbeeld.nl", true),
            ("*@*.voorbeeld.nl", "jan@voorbeeld.nl", false),
            ("zaak-*@voorbeeld.nl", "zaak-12@voorbeeld.nl", true),
            ("zaak-*@voorbeeld.nl", "jan@voorbeeld.nl", false),
            ("a*a", "a", false),
            ("*", "x", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
        ] {
            assert_eq!(Pattern::of_address(pattern).matches(text), matches, "{pattern} {text}");
        }
    }
}
