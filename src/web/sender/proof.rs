//! The proof of a recall, as a page that prints well and as JSON: for the file of a data breach.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::Response;

use super::status::{self, as_json, file};
use crate::audit::{ADMIN, Action, Entry};
use crate::clock::Timestamp;
use crate::store::DeliveryReport;
use crate::transfer::recall::Proof;
use crate::transfer::status::{Fetched, RecipientStatus};
use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::SenderState;

/// The actions that have a text of their own.
const ACTIONS: &[(&str, &str)] = &[
    ("seal", "trail-seal"),
    ("notify", "trail-notify"),
    ("open", "trail-open"),
    ("lock", "trail-lock"),
    ("download", "trail-download"),
    ("read", "trail-read"),
    ("finish", "trail-finish"),
    ("recall", "trail-recall"),
    ("expire", "trail-expire"),
    ("extend", "trail-extend"),
    ("remind", "trail-remind"),
    ("resend", "trail-resend"),
    ("unlock", "trail-unlock"),
    ("ask", "trail-ask"),
    ("bounce", "trail-bounce"),
    ("report", "trail-report"),
    ("reply", "trail-reply"),
    ("scan", "trail-scan"),
    ("code", "trail-code"),
];
/// The results that are always the same.
const RESULTS: &[(&str, &str)] = &[
    ("ok", "result-ok"),
    ("ok, opened before", "result-opened"),
    ("ok, never opened", "result-unopened"),
    ("wrong password", "result-wrong-password"),
    ("closed", "result-closed"),
    ("failed", "result-failed"),
    ("delayed", "result-delayed"),
    ("delivered", "result-delivered"),
    ("relayed", "result-relayed"),
    ("expanded", "result-expanded"),
    ("forwarded copy", "result-copy"),
    ("download", "result-download"),
    ("unopened", "result-not-opened"),
    ("recall", "result-recall"),
    ("sent", "result-sent"),
    ("too many", "result-too-many"),
    ("verified", "result-verified"),
    ("wrong", "result-wrong"),
    ("expired", "result-expired"),
    ("too large", "result-too-large"),
    ("other type", "result-other-type"),
];
/// The actors that are no address.
const ACTORS: &[(&str, &str)] =
    &[("recipient", "actor-recipient"), (ADMIN, "actor-admin"), ("zegel", "actor-zegel")];

/// The origin that is no address.
const ORIGINS: &[(&str, &str)] = &[("local", "origin-local")];

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

    fn report(&self, report: &DeliveryReport) -> String {
        status::report(self.visit, report)
    }

    fn by(&self, by: &Option<String>) -> String {
        by.as_deref().map_or_else(|| "–".to_owned(), |actor| self.actor(actor))
    }

    /// An administrator has a name as well, but for what older versions wrote.
    fn actor(&self, actor: &str) -> String {
        match actor.split_once(' ') {
            Some((ADMIN, user)) => format!("{} ({user})", self.word(ACTORS, ADMIN)),
            _ => self.word(ACTORS, actor),
        }
    }

    fn action(&self, entry: &Entry) -> String {
        self.word(ACTIONS, &entry.action)
    }

    /// Some results hold a time, or the name of a mail.
    fn result(&self, entry: &Entry) -> String {
        match entry.result.strip_prefix("until ").map(str::parse) {
            Some(Ok(time)) => self.visit.with("result-until", "date", &self.visit.moment(&time)),
            _ if entry.action == Action::Reply.as_str() => self.word(RESULTS, "ok"),
            _ => self.word(RESULTS, &entry.result),
        }
    }

    fn origin(&self, entry: &Entry) -> String {
        self.word(ORIGINS, &entry.origin)
    }

    /// In the reader's language, where there is a text for it.
    fn word(&self, texts: &[(&str, &str)], word: &str) -> String {
        let known = texts.iter().find(|(known, _)| *known == word);
        known.map_or_else(|| word.to_owned(), |(_, key)| self.visit.text(key))
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
        for language in Language::ALL {
            for (_, key) in ACTIONS.iter().chain(ACTORS).chain(RESULTS).chain(ORIGINS) {
                assert_ne!(language.text(key), *key, "{language}");
            }
        }
    }
}
