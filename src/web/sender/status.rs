//! The sender's page about a transfer: who was told, who opened it, who fetched what, and what can still be done.
//! No login: the token in the link is the proof (`transfer/action`), and it is in the sender's mail only.
//!
//! Every GET only shows. Each action has a page that asks first, and a POST that does it through `sender`. An
//! unknown token and a forged one are one (C15). The link ends with the transfer: after the date there are no facts
//! here, but for what may be renewed within its grace, and the proof of what was recalled.

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::id::Link;
use crate::locale::Language;
use crate::sender::{ActionError, By};
use crate::store::DeliveryReport;
use crate::transfer::LinkState;
use crate::transfer::status::{Fetched, RecipientStatus, Status};
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::SenderState;

/// What was done just now, told on the page that follows.
const DONE: [(&str, &str); 3] =
    [("extend", "done-extend"), ("resend", "done-resend"), ("unlock", "done-unlock")];
/// What the field for the days holds before anything was typed.
const USUAL_DAYS: &str = "30";

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    status: &'a Status,
    /// The key of what was done.
    done: Option<&'static str>,
    /// The key of why it was not done.
    problem: Option<&'static str>,
}

impl StatusPage<'_> {
    /// `Bestand 2 van 3 gedownload`
    fn fetched(&self, fetched: &Fetched) -> String {
        file(self.visit, fetched, self.status.files, "status-file", "status-message")
    }

    fn times(&self, count: &u32, last: &Timestamp) -> String {
        let (count, last) = (count.to_string(), self.visit.moment(last));
        self.visit.language.format("status-times", &[("count", &count), ("date", &last)])
    }

    fn report(&self, report: &DeliveryReport) -> String {
        self::report(self.visit, report)
    }

    fn opened(&self, first: &Timestamp) -> String {
        self::opened(self.visit, self.status, first, ["status-opened-password", "status-opened-link"])
    }

    fn state(&self, recipient: &RecipientStatus) -> String {
        self.visit.text(match recipient.state {
            LinkState::Waiting => "state-waiting",
            LinkState::Opened if self.status.password => "state-opened",
            LinkState::Opened => "state-opened-link",
            LinkState::Expired => "state-expired",
            LinkState::Recalled => "state-recalled",
            LinkState::Bounced => "state-bounced",
        })
    }
}

/// A fetched part in words: the key of a file with its number, or that of the message; and whether it was in ranges.
pub fn file(visit: &Visit, fetched: &Fetched, files: u32, of_file: &str, of_message: &str) -> String {
    let what = match fetched.file {
        Some(number) => {
            let (number, total) = (number.to_string(), files.to_string());
            let values = [("number", number.as_str()), ("total", total.as_str())];
            visit.language.format(of_file, &values)
        }
        None => visit.text(of_message),
    };
    if fetched.partial { visit.with("status-partly", "what", &what) } else { what }
}

/// When it was opened, and what was seen of that: a password is known to its recipient only, a link to every program
/// that the mail came past. The keys are for the one and the other.
pub fn opened(visit: &Visit, status: &Status, first: &Timestamp, keys: [&str; 2]) -> String {
    let [with_password, with_link] = keys;
    visit.with(if status.password { with_password } else { with_link }, "date", &visit.moment(first))
}

/// What a server reported, in words.
pub fn report(visit: &Visit, report: &DeliveryReport) -> String {
    visit.text(match (report.own, report.action) {
        (true, Reported::Failed) => "report-failed",
        (true, Reported::Delayed) => "report-delayed",
        (true, Reported::Delivered) => "report-delivered",
        (true, Reported::Relayed) => "report-relayed",
        (true, Reported::Expanded) => "report-expanded",
        (false, Reported::Failed) => "report-copy-failed",
        (false, _) => "report-copy",
    })
}

#[derive(Template)]
#[template(path = "status-ended.html")]
struct EndedPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    status: &'a Status,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    status: &'a Status,
    act: Act,
    /// Where the form goes: this very page.
    path: String,
    form: &'a ActForm,
    /// The key of what is wrong with the days.
    problem: Option<&'static str>,
}

impl ConfirmPage<'_> {
    fn title(&self) -> String {
        self.visit.text(match self.act {
            Act::Recall(_) => "confirm-recall-title",
            Act::Extend => "confirm-extend-title",
            Act::Resend(_) => "confirm-resend-title",
            Act::Unlock(_) => "confirm-unlock-title",
        })
    }

    fn yes(&self) -> String {
        self.visit.text(match self.act {
            Act::Recall(_) => "confirm-recall-yes",
            Act::Extend => "confirm-extend-yes",
            Act::Resend(_) => "confirm-resend-yes",
            Act::Unlock(_) => "confirm-unlock-yes",
        })
    }

    fn question(&self) -> String {
        let recipient = self.act.recipient().and_then(|number| self.status.recipient(number));
        let address = recipient.map_or("", |recipient| recipient.address.as_str());
        match self.act {
            Act::Recall(Some(_)) => self.visit.with("confirm-recall-one", "recipient", address),
            Act::Recall(None) => self.visit.text("confirm-recall-all"),
            Act::Extend => {
                let date = self.visit.last_day(&self.status.expires);
                match self.status.renewable {
                    None => self.visit.with("confirm-extend-text", "date", &date),
                    Some(_) => self.visit.with("confirm-extend-renew", "date", &date),
                }
            }
            Act::Resend(Some(_)) => self.visit.with("confirm-resend-one", "recipient", address),
            Act::Resend(None) => self.visit.text("confirm-resend-all"),
            Act::Unlock(_) => self.visit.with("confirm-unlock-text", "recipient", address),
        }
    }

    fn days(&self) -> &str {
        self.form.days.as_deref().unwrap_or(USUAL_DAYS)
    }
}

/// What can be done; a number is one recipient's, none means all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Recall(Option<u16>),
    Extend,
    Resend(Option<u16>),
    Unlock(u16),
}

impl Act {
    fn parse(action: &str, number: Option<&str>) -> Option<Self> {
        let number = number.map(str::parse).transpose().ok()?;
        match (action, number) {
            ("recall", number) => Some(Self::Recall(number)),
            ("extend", None) => Some(Self::Extend),
            ("resend", number) => Some(Self::Resend(number)),
            ("unlock", Some(number)) => Some(Self::Unlock(number)),
            _ => None,
        }
    }

    /// As in paths and keys.
    fn word(self) -> &'static str {
        match self {
            Self::Recall(_) => "recall",
            Self::Extend => "extend",
            Self::Resend(_) => "resend",
            Self::Unlock(_) => "unlock",
        }
    }

    fn recipient(self) -> Option<u16> {
        match self {
            Self::Recall(number) | Self::Resend(number) => number,
            Self::Extend => None,
            Self::Unlock(number) => Some(number),
        }
    }

    fn path(self, token: &str) -> String {
        match self.recipient() {
            Some(number) => format!("/s/{token}/{}/{number}", self.word()),
            None => format!("/s/{token}/{}", self.word()),
        }
    }

    /// Whether there is still something to do it with.
    fn is_possible(self, status: &Status) -> bool {
        match self {
            // What has expired can be taken back or renewed as a whole, while there is grace.
            Self::Recall(None) | Self::Extend => status.is_live() || status.renewable.is_some(),
            Self::Resend(None) => status.is_live(),
            Self::Recall(Some(number)) | Self::Resend(Some(number)) | Self::Unlock(number) => {
                status.recipient(number).is_some_and(RecipientStatus::is_live)
            }
        }
    }
}

/// `/s/{token}/{action}` and `/s/{token}/{action}/{number}`
#[derive(Deserialize)]
pub struct ActPath {
    token: String,
    action: String,
    #[serde(default)]
    number: Option<String>,
}

/// The forms of all actions in one; each uses its own fields.
#[derive(Default, Deserialize)]
pub struct ActForm {
    days: Option<String>,
    tell: Option<String>,
    /// A language button was pressed: show the page again, do nothing.
    lang: Option<Language>,
}

/// What the page that follows an action is told.
#[derive(Default, Deserialize)]
pub struct StatusQuery {
    #[serde(default)]
    done: String,
}

/// `GET /s/{token}`
pub async fn show(
    State(state): State<SenderState>,
    visit: Visit,
    Path(token): Path<String>,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Response, WebError> {
    let word = query.map(|query| query.0.done).unwrap_or_default();
    let done = DONE.iter().find(|(known, _)| *known == word).map(|(_, key)| *key);
    overview(&state, &visit, &token, done, None).await
}

/// `GET /s/{token}/status.json`
pub async fn json(
    State(state): State<SenderState>,
    visit: Visit,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    let status = visit.actions(&state.sender).status_of(&token).await?;
    if status.has_ended(state.clock.now()) { Err(WebError::Gone) } else { as_json(&status) }
}

/// `GET /s/{token}/{action}[/{number}]`: asks first, changes nothing.
pub async fn confirm(
    State(state): State<SenderState>,
    visit: Visit,
    Path(path): Path<ActPath>,
) -> Result<Response, WebError> {
    let (act, status) = read(&state, &visit, &path).await?;
    if !act.is_possible(&status) {
        return not_done(&state, &visit, &path.token, ActionError::Closed).await;
    }
    ask(&visit, &path.token, &status, act, &ActForm::default(), None)
}

/// `POST /s/{token}/{action}[/{number}]`: does it.
pub async fn act(
    State(state): State<SenderState>,
    visit: Visit,
    Path(path): Path<ActPath>,
    headers: HeaderMap,
    form: Result<Form<ActForm>, FormRejection>,
) -> Result<Response, WebError> {
    let form = match form {
        Ok(Form(form)) => form,
        // Nothing was sent at all: that is a form without choices.
        Err(_) if !headers.contains_key(CONTENT_TYPE) => ActForm::default(),
        Err(_) => return Err(WebError::BadRequest),
    };
    let (act, status) = read(&state, &visit, &path).await?;
    if let Some(language) = form.lang {
        let visit = visit.in_language(language);
        let mut response = ask(&visit, &path.token, &status, act, &form, None)?;
        visit.remember(&mut response);
        return Ok(response);
    }
    match perform(&state, &visit, &status, act, &form).await {
        Ok(()) if matches!(act, Act::Recall(_)) => to(&format!("/s/{}/proof", path.token)),
        Ok(()) => to(&format!("/s/{}?done={}", path.token, act.word())),
        Err(ActionError::Days) => ask(&visit, &path.token, &status, act, &form, Some("problem-days")),
        Err(error) => not_done(&state, &visit, &path.token, error).await,
    }
}

async fn perform(
    state: &SenderState,
    visit: &Visit,
    status: &Status,
    act: Act,
    form: &ActForm,
) -> Result<(), ActionError> {
    let (actions, by, id) = (visit.actions(&state.sender), By::Sender(visit.client), &status.id);
    match act {
        Act::Recall(recipient) => {
            actions.recall(by, id, recipient, form.tell.is_some()).await?;
        }
        Act::Extend => {
            let days = form.days.as_deref().unwrap_or("").trim().parse().map_err(|_| ActionError::Days)?;
            actions.extend(by, id, days).await?;
        }
        Act::Resend(recipient) => {
            actions.resend(by, id, recipient).await?;
        }
        Act::Unlock(recipient) => {
            actions.unlock(by, &Link { transfer: id.clone(), recipient }).await?;
        }
    }
    Ok(())
}

fn ask(
    visit: &Visit,
    token: &str,
    status: &Status,
    act: Act,
    form: &ActForm,
    problem: Option<&'static str>,
) -> Result<Response, WebError> {
    let path = act.path(token);
    let page = ConfirmPage { visit, token, status, act, path, form, problem };
    match problem {
        Some(_) => render::refusal(Refusal::INCOMPLETE, &page),
        None => render::page(&page),
    }
}

/// The facts as they are now, with what was done or why it was not; after the date that there are none.
async fn overview(
    state: &SenderState,
    visit: &Visit,
    token: &str,
    done: Option<&'static str>,
    refused: Option<(Refusal, &'static str)>,
) -> Result<Response, WebError> {
    let status = &visit.actions(&state.sender).status_of(token).await?;
    if status.has_ended(state.clock.now()) {
        return render::refusal(WebError::Gone.refusal(), &EndedPage { visit, token, status });
    }
    let problem = refused.map(|(_, problem)| problem);
    let page = StatusPage { visit, token, status, done, problem };
    match refused {
        Some((refusal, _)) => render::refusal(refusal, &page),
        None => render::page(&page),
    }
}

/// The facts as they are now, and why nothing was done.
async fn not_done(
    state: &SenderState,
    visit: &Visit,
    token: &str,
    error: ActionError,
) -> Result<Response, WebError> {
    let refused = match error {
        ActionError::NotBefore(again) => (Refusal::until(again, state.clock.now()), "problem-before"),
        ActionError::Closed => (Refusal::TOO_LATE, "problem-closed"),
        error => return Err(error.into()),
    };
    overview(state, visit, token, None, Some(refused)).await
}

async fn read(state: &SenderState, visit: &Visit, path: &ActPath) -> Result<(Act, Status), WebError> {
    let status = visit.actions(&state.sender).status_of(&path.token).await?;
    let act = Act::parse(&path.action, path.number.as_deref()).ok_or(WebError::NotFound)?;
    let is_there = act.recipient().is_none_or(|number| status.recipient(number).is_some());
    if is_there { Ok((act, status)) } else { Err(WebError::NotFound) }
}

/// JSON for people too: with line breaks.
pub fn as_json(value: &impl serde::Serialize) -> Result<Response, WebError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| WebError::Trouble(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

fn to(path: &str) -> Result<Response, WebError> {
    Ok(Redirect::to(path).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_actions_are_read() {
        assert_eq!(Act::parse("recall", None), Some(Act::Recall(None)));
        assert_eq!(Act::parse("recall", Some("2")), Some(Act::Recall(Some(2))));
        assert_eq!(Act::parse("unlock", Some("1")), Some(Act::Unlock(1)));
        for (action, number) in [
            ("unlock", None),
            ("extend", Some("1")),
            ("recall", Some("x")),
            ("recall", Some("-1")),
            ("recall", Some("65536")),
            ("destroy", None),
        ] {
            assert_eq!(Act::parse(action, number), None, "{action} {number:?}");
        }
    }
}
