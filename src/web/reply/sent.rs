//! The end: sending, and the summary that proves what was sent, on a page that can be loaded again. A generated password is
//! on it as long as the session lasts in which it was made, and for nobody after that (C24).

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::Response;

use super::carried::{self, Screen};
use super::context::{ReplyContext, read};
use super::problem::Problems;
use super::settings::{self, CheckForm};
use super::{check, gone};
use crate::config::ReplyDelivery;
use crate::reply::{Browser, SentReply};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::state::ReplyState;

#[derive(Template)]
#[template(path = "reply-sent.html")]
struct SentPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    sent: &'a SentReply,
    time: String,
    lead: String,
    recipients: String,
    password: Option<&'a str>,
    /// Staff need one that was generated, and shown in a session that has ended.
    is_password_gone: bool,
    /// Staff need one that was chosen.
    is_password_chosen: bool,
}

/// `GET /t/{token}/reply/sent`
pub async fn show(reply: ReplyContext) -> Result<Response, WebError> {
    let Some(browser) = &reply.browser else { return Ok(reply.go("")) };
    match reply.own(reply.replies().sent(&reply.grant, browser).await)? {
        Some(sent) => render(&reply, &sent),
        None => Ok(reply.go("")),
    }
}

/// `POST /t/{token}/reply/sent`
pub async fn send(
    State(state): State<ReplyState>,
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    form: Result<Form<CheckForm>, FormRejection>,
) -> Result<Response, WebError> {
    if let (Err(WebError::NoReplySession(token)), Ok(Form(form))) = (&reply, &form) {
        return carried::ask(&state, &visit, token, Screen::Check, form.texts()).await;
    }
    let sent = async { press(&reply?, read(form)?).await };
    sent.await.or_else(|error| gone::page(&visit, error, ""))
}

/// The button was pressed.
async fn press(reply: &ReplyContext, form: CheckForm) -> Result<Response, WebError> {
    let Some(browser) = &reply.browser else { return Ok(reply.go("")) };
    if is_sent_already(reply, browser).await? {
        return Ok(reply.go("/sent"));
    }
    let mut outcome = settings::keep(reply, browser, &form).await?;
    let Some(me) = reply.verified().await? else { return Ok(reply.go("")) };
    if outcome.problems.is_empty() {
        outcome.problems = reply.inspect(browser).await?;
    }
    if !outcome.problems.is_empty() {
        return check::render(reply, browser, &me, outcome).await;
    }
    match reply.replies().send(&reply.grant, browser, reply.visit.client).await {
        Ok(_) => Ok(reply.go("/sent")),
        Err(error) => {
            let problems = Problems::from(reply.problem(error)?);
            check::render(reply, browser, &me, problems.into()).await
        }
    }
}

/// Whether somebody pressed the button twice, or loaded the summary again: nothing new was written since.
pub async fn is_sent_already(reply: &ReplyContext, browser: &Browser) -> Result<bool, WebError> {
    let draft = reply.draft(browser).await?;
    let is_empty = draft.typed.message.trim().is_empty() && draft.uploads.is_empty();
    Ok(is_empty && reply.own(reply.replies().sent(&reply.grant, browser).await)?.is_some())
}

fn render(reply: &ReplyContext, sent: &SentReply) -> Result<Response, WebError> {
    let time = reply.visit.moment(&sent.at);
    let values = [("organisation", reply.visit.organisation()), ("date", time.as_str())];
    let lead = reply.visit.language.format("reply-sent-lead", &values);
    let recipients = sent.recipients.iter().map(|address| address.as_str()).collect::<Vec<_>>().join(", ");
    let password = sent.password.as_ref().map(|password| password.reveal());
    let is_password_gone = password.is_none() && sent.sealed_password.is_some();
    let is_transfer = reply.visit.organisation.reply.delivery == ReplyDelivery::Transfer;
    let is_password_chosen = is_transfer && sent.sealed_password.is_none();
    let (visit, token) = (&reply.visit, reply.token.as_str());
    Problems::default().page(&SentPage {
        visit,
        token,
        sent,
        lead,
        time,
        recipients,
        password,
        is_password_gone,
        is_password_chosen,
    })
}
