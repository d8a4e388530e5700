//! The proof of a recall, as a page that prints well and as JSON: for the file of a data breach.

use std::fmt;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::Response;

use super::status::{self, as_json, file};
use crate::audit::{Action, Actor, Entry, EventResult, Origin, Recorded};
use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::store::DeliveryReport;
use crate::transfer::recall::Proof;
use crate::transfer::status::{Fetched, RecipientStatus};
use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::SenderState;

#[derive(Template)]
#[template(path = "proof.html")]
struct ProofPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    proof: &'a Proof,
}

impl ProofPage<'_> {
    fn opened(&self, first: &Timestamp) -> String {
        let keys = ["proof-first-password", "proof-first-link"];
        status::opened(self.visit, &self.proof.transfer, first, keys)
    }

    fn others(&self) -> Vec<&RecipientStatus> {
        self.proof.transfer.recipients.iter().filter(|one| one.recalled.is_none()).collect()
    }

    fn fetched(&self, fetched: &Fetched) -> String {
        file(self.visit, fetched, self.proof.transfer.files, "proof-file", "proof-message")
    }

    fn report(&self, of: &RecipientStatus, report: &DeliveryReport) -> String {
        status::report(self.visit, of, report)
    }

    /// `Tijd (Europe/Amsterdam)`
    fn time_label(&self) -> String {
        self.visit.with("proof-time", "zone", self.visit.organisation.zone.name())
    }

    fn by(&self, by: &Option<Recorded<Actor>>) -> String {
        by.as_ref().map_or_else(|| "–".to_owned(), |actor| self.actor(actor))
    }

    /// An administrator has a name as well, but for what older versions wrote.
    fn actor(&self, actor: &Recorded<Actor>) -> String {
        match actor.known() {
            Some(Actor::Admin(user)) => format!("{} ({user})", self.visit.text("actor-admin")),
            Some(Actor::Signal) => self.visit.text("actor-admin"),
            Some(Actor::Recipient) => self.visit.text("actor-recipient"),
            Some(Actor::Zegel) => self.visit.text("actor-zegel"),
            Some(Actor::Sender(_) | Actor::UnknownSender) | None => actor.to_string(),
        }
    }

    fn action(&self, entry: &Entry) -> String {
        self.text_of(entry.action.known().and_then(action_key), &entry.action)
    }

    /// Some results hold a time, or the name of a mail.
    fn result(&self, entry: &Entry) -> String {
        match entry.result.known() {
            Some(EventResult::Until(time)) => {
                self.visit.with("result-until", "date", &self.visit.moment(time))
            }
            known => self.text_of(known.and_then(result_key), &entry.result),
        }
    }

    fn origin(&self, entry: &Entry) -> String {
        let is_local = entry.origin == Origin::Local;
        self.text_of(is_local.then_some("origin-local"), &entry.origin)
    }

    /// In the reader's language, where there is a text for it; else as the trail has it.
    fn text_of(&self, key: Option<&str>, recorded: &dyn fmt::Display) -> String {
        key.map_or_else(|| recorded.to_string(), |key| self.visit.text(key))
    }

    /// The recipient in place of the number, and the part of the transfer behind it.
    fn about(&self, entry: &Entry) -> String {
        let mut object = entry.object.splitn(3, '/').skip(1);
        let number = object.next().and_then(|number| number.parse().ok());
        let address = number.and_then(|number| self.proof.transfer.recipient(number));
        match (address, object.next()) {
            (Some(one), Some(part)) => format!("{} – {part}", one.address),
            (Some(one), None) => one.address.to_string(),
            (None, _) => entry.object.clone(),
        }
    }
}

/// The text of an action; none for those that are about no transfer.
fn action_key(action: &Action) -> Option<&'static str> {
    Some(match action {
        Action::Seal => "trail-seal",
        Action::Notify => "trail-notify",
        Action::Open => "trail-open",
        Action::Lock => "trail-lock",
        Action::Download => "trail-download",
        Action::Read => "trail-read",
        Action::Finish => "trail-finish",
        Action::Recall => "trail-recall",
        Action::Expire => "trail-expire",
        Action::Extend => "trail-extend",
        Action::Remind => "trail-remind",
        Action::Resend => "trail-resend",
        Action::Unlock => "trail-unlock",
        Action::Ask => "trail-ask",
        Action::Bounce => "trail-bounce",
        Action::Report => "trail-report",
        Action::Reply => "trail-reply",
        Action::Scan => "trail-scan",
        Action::Code => "trail-code",
        Action::Accept
        | Action::Relay
        | Action::Drop
        | Action::Retry
        | Action::Hold
        | Action::Release
        | Action::SendBack
        | Action::Configuration
        | Action::Lost
        | Action::Repair
        | Action::Key
        | Action::Erase
        | Action::Export => return None,
    })
}

/// The text of a result that is always the same.
fn result_key(result: &EventResult) -> Option<&'static str> {
    Some(match result {
        EventResult::Ok | EventResult::Answered { .. } => "result-ok",
        EventResult::OpenedBefore => "result-opened",
        EventResult::NeverOpened => "result-unopened",
        EventResult::WrongPassword => "result-wrong-password",
        EventResult::Closed => "result-closed",
        EventResult::Reported(Reported::Failed) => "result-failed",
        EventResult::Reported(Reported::Delayed) => "result-delayed",
        EventResult::Reported(Reported::Delivered) => "result-delivered",
        EventResult::Reported(Reported::Relayed) => "result-relayed",
        EventResult::Reported(Reported::Expanded) => "result-expanded",
        EventResult::ForwardedCopy => "result-copy",
        EventResult::DownloadNotice => "result-download",
        EventResult::UnopenedNotice => "result-not-opened",
        EventResult::RecallNotice => "result-recall",
        EventResult::CodeSent => "result-sent",
        EventResult::TooManyCodes => "result-too-many",
        EventResult::CodeVerified => "result-verified",
        EventResult::WrongCode => "result-wrong",
        EventResult::ExpiredCode => "result-expired",
        EventResult::TooLargeToScan => "result-too-large",
        EventResult::OtherType => "result-other-type",
        _ => return None,
    })
}

/// `GET /s/{token}/proof`
pub async fn show(
    State(state): State<SenderState>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    let proof = prove(&state, &visit, &token).await?;
    render::page(&ProofPage { visit: &visit, token: &token, proof: &proof })
}

/// `GET /s/{token}/proof.json`
pub async fn json(
    State(state): State<SenderState>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    let proof = prove(&state, &visit, &token).await?;
    let mut response = as_json(&proof)?;
    let name = format!("attachment; filename=\"zegel-{}-recall.json\"", proof.transfer.id);
    let name = HeaderValue::from_str(&name).map_err(|error| WebError::Trouble(error.to_string()))?;
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(response)
}

/// Where nothing was recalled there is nothing to prove, and no page.
async fn prove(state: &SenderState, visit: &Visit, token: &str) -> Result<Proof, WebError> {
    let actions = visit.actions(&state.sender);
    let status = actions.status_of(token).await?;
    Ok(actions.proof(&status.id).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Language;

    #[test]
    fn every_word_has_its_text() {
        let results = [
            "ok",
            "ok, opened before",
            "ok, never opened",
            "wrong password",
            "closed",
            "failed",
            "delayed",
            "delivered",
            "relayed",
            "expanded",
            "forwarded copy",
            "download",
            "unopened",
            "recall",
            "sent",
            "too many",
            "verified",
            "wrong",
            "expired",
            "too large",
            "other type",
        ];
        let keys = Action::ALL.iter().filter_map(action_key).chain(results.map(|text| {
            let recorded = Recorded::result(&Recorded::Known(Action::Report), text.to_owned());
            recorded.known().and_then(result_key).unwrap_or_else(|| panic!("{text} has no text"))
        }));
        let others = ["actor-admin", "actor-recipient", "actor-zegel", "origin-local"];
        for key in keys.chain(others) {
            for language in Language::ALL {
                assert_ne!(language.text(key), key, "{language}");
            }
        }
    }
}
