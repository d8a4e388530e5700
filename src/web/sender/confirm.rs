//! What a sender can do with a transfer, each with a page that asks first and a POST that does it through `sender`.
//!
//! No GET changes anything: link scanners follow every link (H21).

use std::ops::RangeInclusive;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::Date;
use serde::Deserialize;

use super::status::{self, not_done};
use crate::calendar::read_day;
use crate::clock::Timestamp;
use crate::id::Link;
use crate::locale::Language;
use crate::sender::{ActionError, By, NewDate, new_dates};
use crate::store::DeliveryReport;
use crate::transfer::status::{RecipientStatus, Status};
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::SenderState;

/// How long it lasts from today, where nothing else was chosen.
const USUAL_DAYS: u32 = 30;

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
    now: Timestamp,
    /// The day that was chosen cannot be.
    is_wrong: bool,
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

    /// What was typed, else a date that is not before the present one.
    fn until(&self) -> String {
        if let Some(typed) = &self.form.until {
            return typed.clone();
        }
        let (dates, zone) = (self.dates(), &self.visit.organisation.zone);
        let usual = zone.date(zone.days_later(self.now, USUAL_DAYS));
        zone.date(self.status.expires).max(usual).min(*dates.end()).to_string()
    }

    fn dates(&self) -> RangeInclusive<Date> {
        new_dates(&self.visit.organisation.zone, self.now)
    }

    /// The first and the last of these days in words.
    fn bounds(&self, key: &str) -> String {
        let words = |day: &Date| self.visit.date(&self.visit.organisation.zone.first_moment(*day));
        let (first, last) = (words(self.dates().start()), words(self.dates().end()));
        let values = [("first", first.as_str()), ("last", last.as_str())];
        self.visit.language.format(key, &values)
    }

    /// Those whom it is about: a mailbox may have several links (H44).
    fn meant(&self) -> Vec<&RecipientStatus> {
        let mailbox = self.act.recipient().and_then(|number| self.status.recipient(number));
        let is_meant = |one: &&RecipientStatus| match mailbox {
            Some(meant) => one.address.is_same_mailbox(&meant.address),
            None => one.recalled.is_none(),
        };
        self.status.recipients.iter().filter(is_meant).collect()
    }

    fn opened_count(&self) -> String {
        let meant = self.meant();
        let opened = meant.iter().filter(|one| one.opened.is_some()).count().to_string();
        let total = meant.len().to_string();
        self.visit.language.format("confirm-recall-count", &[("count", &opened), ("total", &total)])
    }

    fn opened(&self, first: &Timestamp) -> String {
        status::opened(self.visit, self.status, first, ["status-opened-password", "status-opened-link"])
    }

    /// What they have seen of it, in few words: they may have fetched hundreds of files.
    fn fetched(&self, one: &RecipientStatus) -> Vec<String> {
        let (files, message): (Vec<_>, Vec<_>) = one.downloads.iter().partition(|one| one.file.is_some());
        let mut seen = Vec::new();
        if one.read.is_some() {
            seen.push(self.visit.text("status-read"));
        }
        if !message.is_empty() {
            seen.push(self.visit.text("status-message"));
        }
        if !files.is_empty() {
            let (number, total) = (files.len().to_string(), self.status.files.to_string());
            let values = [("number", number.as_str()), ("total", total.as_str())];
            seen.push(self.visit.language.format("confirm-recall-files", &values));
        }
        if seen.is_empty() {
            seen.push(self.visit.text("proof-nothing"));
        }
        seen
    }

    fn pill(&self, one: &RecipientStatus) -> &'static str {
        status::pill(one)
    }

    fn state(&self, one: &RecipientStatus) -> String {
        status::state(self.visit, self.status, one)
    }

    fn report(&self, of: &RecipientStatus, report: &DeliveryReport) -> String {
        status::report(self.visit, of, report)
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

    /// Nobody can undo it.
    fn is_final(self) -> bool {
        matches!(self, Self::Recall(_))
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
    /// The new date: a day.
    until: Option<String>,
    /// Or how many days from today, as scripts may send it.
    days: Option<String>,
    tell: Option<String>,
    /// A language button was pressed: show the page again, do nothing.
    lang: Option<Language>,
}

impl ActForm {
    fn date(&self) -> Option<NewDate> {
        match &self.until {
            Some(day) => read_day(day).map(NewDate::On),
            None => self.days.as_deref()?.trim().parse().ok().map(NewDate::InDays),
        }
    }
}

/// `GET /s/{token}/{action}[/{number}]`: asks first, changes nothing.
pub async fn ask_first(
    State(state): State<SenderState>,
    visit: Visit,
    Path(path): Path<ActPath>,
) -> Result<Response, WebError> {
    let (act, status) = read(&state, &visit, &path).await?;
    if !act.is_possible(&status) {
        return not_done(&state, &visit, &path.token, ActionError::Closed).await;
    }
    // Recipients are told of a new date unless the sender wants otherwise.
    let tell = (act == Act::Extend).then(|| "yes".to_owned());
    let form = ActForm { tell, ..ActForm::default() };
    ask(&state, &visit, &path.token, &status, (act, &form), false)
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
        let mut response = ask(&state, &visit, &path.token, &status, (act, &form), false)?;
        visit.remember(&mut response);
        return Ok(response);
    }
    match perform(&state, &visit, &status, act, &form).await {
        Ok(()) if matches!(act, Act::Recall(_)) => to(&format!("/s/{}/proof", path.token)),
        Ok(()) if act == Act::Extend && form.tell.is_some() => {
            to(&format!("/s/{}?done=extend-told", path.token))
        }
        Ok(()) => to(&format!("/s/{}?done={}", path.token, act.word())),
        Err(ActionError::Days) => ask(&state, &visit, &path.token, &status, (act, &form), true),
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
            actions.extend(by, id, form.date().ok_or(ActionError::Days)?, form.tell.is_some()).await?;
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
    state: &SenderState,
    visit: &Visit,
    token: &str,
    status: &Status,
    (act, form): (Act, &ActForm),
    is_wrong: bool,
) -> Result<Response, WebError> {
    let (path, now) = (act.path(token), state.clock.now());
    let page = ConfirmPage { visit, token, status, act, path, form, now, is_wrong };
    match is_wrong {
        true => render::refusal(Refusal::INCOMPLETE, &page),
        false => render::page(&page),
    }
}

async fn read(state: &SenderState, visit: &Visit, path: &ActPath) -> Result<(Act, Status), WebError> {
    let status = visit.actions(&state.sender).status_of(&path.token).await?;
    let act = Act::parse(&path.action, path.number.as_deref()).ok_or(WebError::NotFound)?;
    let is_there = act.recipient().is_none_or(|number| status.recipient(number).is_some());
    if is_there { Ok((act, status)) } else { Err(WebError::NotFound) }
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
