//! What is wrong with an answer, in the reader's language and beside the field where it can be mended. The only
//! place that turns a [`ReplyError`] into words.

use askama::Template;
use axum::response::Response;

use super::context::ReplyContext;
use crate::clock::Timestamp;
use crate::reply::{self, Browser, Field, LineFault, ReplyError, Typed};
use crate::web::http::error::{Refusal, WebError, seconds_until};
use crate::web::http::render;
use crate::web::http::visit::Visit;

/// One message beside one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The `id` of the field.
    pub field: &'static str,
    /// What to do about it.
    pub text: String,
    /// What a response that tells only this says (RFC 9110 15.5).
    pub refusal: Refusal,
}

impl FieldProblem {
    /// A problem that only the page knows of.
    pub fn new(field: &'static str, text: String) -> Self {
        Self { field, text, refusal: Refusal::INCOMPLETE }
    }

    /// The same beside another field.
    pub fn at(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    /// The same in other words.
    pub fn saying(self, text: String) -> Self {
        Self { text, ..self }
    }
}

/// All messages of one page, in the order of its fields.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<FieldProblem>);

impl From<FieldProblem> for Problems {
    fn from(problem: FieldProblem) -> Self {
        Self(vec![problem])
    }
}

impl Problems {
    /// Adds one; the same twice is one.
    pub fn push(&mut self, problem: FieldProblem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds them all.
    pub fn append(&mut self, others: Self) {
        others.0.into_iter().for_each(|problem| self.push(problem));
    }

    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the summary.
    pub fn iter(&self) -> std::slice::Iter<'_, FieldProblem> {
        self.0.iter()
    }

    /// Those of one field.
    pub fn of<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a FieldProblem> {
        self.0.iter().filter(move |problem| problem.field == field)
    }

    /// Whether a field has any.
    pub fn has(&self, field: &str) -> bool {
        self.of(field).next().is_some()
    }

    /// Whether two windows have changed a field.
    pub fn has_conflict(&self, field: &str) -> bool {
        self.of(field).any(|problem| problem.refusal == Refusal::TOO_LATE)
    }

    /// Those of the fields that stand on one screen.
    pub fn only(mut self, fields: &[&str]) -> Self {
        self.0.retain(|problem| fields.contains(&problem.field));
        self
    }

    /// Takes one out again.
    pub fn remove(&mut self, problem: &FieldProblem) {
        self.0.retain(|other| other != problem);
    }

    /// The page that shows them, with a status that fits the first one.
    pub fn page(&self, template: &impl Template) -> Result<Response, WebError> {
        match Refusal::of_all(self.0.iter().map(|problem| problem.refusal)) {
            Some(refusal) => render::refusal(refusal, template),
            None => render::page(template),
        }
    }
}

impl ReplyContext {
    /// Every fault in the draft.
    pub async fn faults(&self, browser: &Browser) -> Result<Problems, WebError> {
        self.problems(self.replies().check(&self.grant, browser).await)
    }

    /// Has the files looked at: every one that is refused, for it is gone, and nobody would tell of it later.
    pub async fn inspect(&self, browser: &Browser) -> Result<Problems, WebError> {
        self.problems(self.replies().inspect(&self.grant, browser, self.visit.client).await)
    }

    /// Two windows have changed one field.
    pub fn conflict(&self, field: Field, theirs: &Typed) -> FieldProblem {
        let visit = &self.visit;
        let other = match field {
            Field::To => &theirs.to,
            Field::Cc => &theirs.cc,
            Field::Bcc => &theirs.bcc,
            _ => &theirs.message,
        };
        let text = match field {
            Field::Message => visit.text("reply-conflict-message"),
            _ if other.trim().is_empty() => visit.text("reply-conflict-empty"),
            _ => visit.with("reply-conflict-field", "text", other.trim()),
        };
        FieldProblem { field: id(field), text, refusal: Refusal::TOO_LATE }
    }

    fn problems(&self, faults: reply::Result<Vec<ReplyError>>) -> Result<Problems, WebError> {
        let mut problems = Problems::default();
        for error in self.own(faults)? {
            problems.push(self.problem(error)?);
        }
        Ok(problems)
    }

    /// The message for what the reader can mend; an error page for what they cannot.
    pub fn problem(&self, error: ReplyError) -> Result<FieldProblem, WebError> {
        let now = self.state.clock.now();
        problem(&self.visit, &error, now).ok_or_else(|| self.trouble(error))
    }
}

fn problem(visit: &Visit, error: &ReplyError, now: Timestamp) -> Option<FieldProblem> {
    let organisation = visit.organisation();
    let text = |key: &str| visit.text(key);
    let format = |key: &str, values: &[(&str, &str)]| visit.language.format(key, values);
    let count = |key: &str, count: &dyn ToString| visit.with(key, "count", &count.to_string());
    let minutes = |until: &Timestamp| seconds_until(*until, now).div_ceil(60);
    let words = match error {
        ReplyError::BadLine { field, fault } => text(line(*field, *fault)),
        ReplyError::BadAddress { text: typed, .. } if typed.trim().is_empty() => {
            text("reply-error-address-empty")
        }
        ReplyError::BadAddress { field: Field::Email, .. } => text("reply-error-address"),
        ReplyError::BadAddress { text, .. } => visit.with("reply-error-recipient", "address", text),
        ReplyError::OutsideAddress { address, .. } => {
            format("reply-error-outside", &[("address", address), ("organisation", organisation)])
        }
        ReplyError::Stranger { address, .. } => visit.with("reply-error-stranger", "address", address),
        ReplyError::NoRecipient => text("reply-error-recipient-empty"),
        ReplyError::TooManyRecipients { max } => count("reply-error-recipients", max),
        ReplyError::Empty => text("reply-error-empty"),
        ReplyError::TwoTexts => text("reply-conflict-message"),
        ReplyError::TooLong { max } => count("reply-error-message", max),
        ReplyError::TooLarge { max } => visit.with("reply-error-size", "size", &visit.size(max)),
        ReplyError::TooManyFiles { max } => count("reply-error-files", max),
        ReplyError::BadExpiry { max } => count("reply-error-expires", max),
        ReplyError::WeakPassword(strength) => advice(visit, strength),
        ReplyError::NotVerified => text("reply-error-not-verified"),
        ReplyError::WrongCode { left } => count("reply-error-code", left),
        ReplyError::ExpiredCode | ReplyError::NoCode => text("reply-error-code-expired"),
        ReplyError::TooManyCodes(until) => count("reply-error-codes", &minutes(until)),
        ReplyError::TooManyReplies(until) => count("reply-error-replies", &minutes(until)),
        ReplyError::DiskShort => text("reply-error-disk"),
        ReplyError::Unfinished { name } => visit.with("reply-error-unfinished", "name", name),
        ReplyError::BadType { name, allowed } => {
            format("reply-error-file-type", &[("name", name), ("types", &allowed.join(", "))])
        }
        ReplyError::Program { name } => visit.with("reply-error-program", "name", name),
        ReplyError::OtherType { name } => visit.with("reply-error-file-content", "name", name),
        ReplyError::Infected { name } => visit.with("reply-error-virus", "name", name),
        ReplyError::TooLargeToScan { name } => visit.with("reply-error-scan-size", "name", name),
        ReplyError::NotScanned { name } => visit.with("reply-error-scanner", "name", name),
        ReplyError::LostFile { name, .. } => visit.with("reply-error-lost-file", "name", name),
        ReplyError::UploadLocked | ReplyError::TooManyUploads | ReplyError::Busy => text("error-busy-text"),
        ReplyError::TooManyDrafts(until) => count("reply-error-drafts", &minutes(until)),
        ReplyError::UnknownUpload | ReplyError::WrongLength | ReplyError::WrongOffset { .. } => {
            text("reply-error-upload")
        }
        ReplyError::Broken { .. } => text("reply-error-broken"),
        ReplyError::Disabled
        | ReplyError::Closed
        | ReplyError::Access(_)
        | ReplyError::Store(_)
        | ReplyError::Trouble(_) => return None,
    };
    let refusal = Refusal::of_reply(error, now);
    Some(FieldProblem { field: error.field().map_or("form", id), text: words, refusal })
}

/// The `id` of a field on its page.
fn id(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Email => "email",
        Field::Phone => "phone",
        Field::Message => "message",
        Field::To => "to",
        Field::Cc => "cc",
        Field::Bcc => "bcc",
        Field::Expiry => "expiry",
        Field::Password => "password",
        Field::Files => "files",
        Field::Code => "code",
    }
}

fn line(field: Field, fault: LineFault) -> &'static str {
    match (field, fault) {
        (Field::Phone, _) => "reply-error-phone",
        (_, LineFault::Empty) => "reply-error-name-empty",
        (_, LineFault::Controls) => "reply-error-name-controls",
        (_, LineFault::Markup) => "reply-error-name-markup",
        (_, LineFault::Invisible) => "reply-error-name-invisible",
        (_, LineFault::TooLong) => "reply-error-name-long",
    }
}

/// How strong a password is and what would make it stronger, as sentences.
pub fn advice(visit: &Visit, strength: &crate::transfer::strength::Strength) -> String {
    let score = match strength.score {
        0 => "password-strength-0",
        1 => "password-strength-1",
        2 => "password-strength-2",
        3 => "password-strength-3",
        _ => "password-strength-4",
    };
    let keys = strength.advice.iter().map(|word| format!("password-advice-{word}"));
    let advice = keys.map(|key| visit.text(&key));
    std::iter::once(visit.text(score)).chain(advice).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::locale::Language;
    use crate::transfer::strength::strength;

    #[test]
    fn every_advice_has_its_words() {
        for password in [
            "",
            "password",
            "qwertyuiop",
            "abcdefgh",
            "aaaaaaaa",
            "drowssap",
            "19 11 1987",
            "P4ssw0rd",
            "anna",
        ] {
            for word in strength(password, &["anna"]).advice {
                let key = format!("password-advice-{word}");
                assert_ne!(Language::Nl.text(&key), key, "{password}");
            }
        }
    }
}
