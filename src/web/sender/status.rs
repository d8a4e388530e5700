//! The sender's page about a transfer: who was told, who opened it, who fetched what, and what can still be done.
//! No login: the token in the link is the proof (`transfer/action`), and it is in the sender's mail only.
//!
//! Every GET only shows; what can be done is in [`super::confirm`]. An unknown token and a forged one are one (C15). The
//! link ends with the transfer: after the date there are no facts here, but for what may be renewed within its grace, and
//! the proof of what was recalled.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::sender::ActionError;
use crate::store::DeliveryReport;
use crate::transfer::LinkState;
use crate::transfer::status::{Fetched, RecipientStatus, Status};
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::SenderState;

/// What was done just now, told on the page that follows.
const DONE: [(&str, &str); 4] = [
    ("extend", "done-extend"),
    ("extend-told", "done-extend-told"),
    ("resend", "done-resend"),
    ("unlock", "done-unlock"),
];

/// Up to so many recipients, each has what is known of them in the open.
const MOST_UNFOLDED: usize = 5;

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

    fn report(&self, of: &RecipientStatus, report: &DeliveryReport) -> String {
        self::report(self.visit, of, report)
    }

    /// Many recipients are a list to look through, not pages to scroll.
    fn is_folded(&self) -> bool {
        self.status.recipients.len() > MOST_UNFOLDED
    }

    /// How many recipients each pill is for: its class, its words and the number.
    fn counts(&self) -> Vec<(&'static str, String, usize)> {
        let mut counts: Vec<(&'static str, String, usize)> = Vec::new();
        for one in &self.status.recipients {
            match counts.iter_mut().find(|(pill, ..)| *pill == self.pill(one)) {
                Some((.., count)) => *count += 1,
                None => counts.push((self.pill(one), self.state(one), 1)),
            }
        }
        counts
    }

    fn opened(&self, first: &Timestamp) -> String {
        self::opened(self.visit, self.status, first, ["status-opened-password", "status-opened-link"])
    }

    fn pill(&self, recipient: &RecipientStatus) -> &'static str {
        pill(recipient)
    }

    fn state(&self, recipient: &RecipientStatus) -> String {
        state(self.visit, self.status, recipient)
    }
}

/// The class of the pill that says how far it has come with a recipient.
pub fn pill(recipient: &RecipientStatus) -> &'static str {
    if recipient.is_locked() { "locked" } else { recipient.state.as_str() }
}

/// What the pill says.
pub fn state(visit: &Visit, status: &Status, recipient: &RecipientStatus) -> String {
    visit.text(match recipient.state {
        _ if recipient.is_locked() => "state-locked",
        LinkState::Waiting => "state-waiting",
        LinkState::Opened if status.password => "state-opened",
        LinkState::Opened => "state-opened-link",
        LinkState::Expired => "state-expired",
        LinkState::Recalled => "state-recalled",
        LinkState::Bounced => "state-bounced",
    })
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

/// What a server reported, in words. A failure that closed nothing came after the link was opened, or another mail went
/// out since.
pub fn report(visit: &Visit, of: &RecipientStatus, report: &DeliveryReport) -> String {
    let was_opened = of.opened.is_some_and(|opened| opened <= report.time);
    visit.text(match (report.own, report.action) {
        (true, Reported::Failed) if was_opened => "report-failed",
        (true, Reported::Failed) => "report-failed-before",
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

/// The facts as they are now, with what was done or why it was not; after the date that there are none.
pub async fn overview(
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
pub async fn not_done(
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

/// JSON for people too: with line breaks.
pub fn as_json(value: &impl serde::Serialize) -> Result<Response, WebError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| WebError::Trouble(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}
