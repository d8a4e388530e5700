//! The end: sending, and the summary that proves what was sent. A generated password is in the answer to the
//! POST and nowhere else, for it is kept nowhere (C24); without one the browser is sent on to a page that can be
//! loaded again.

use askama::Template;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;

use super::check::{self, CheckForm};
use super::context::{ReplyContext, read};
use super::gone;
use super::problem::Problems;
use crate::config::ReplyDelivery;
use crate::reply::{Browser, SentReply};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;

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
    /// Staff need a password that was chosen, or was shown before.
    needs_password: bool,
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
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    form: Result<Form<CheckForm>, FormRejection>,
) -> Result<Response, WebError> {
    let sent = async { press(&reply?, read(form)?).await };
    sent.await.or_else(|error| gone::page(&visit, error, ""))
}

/// The button was pressed.
async fn press(reply: &ReplyContext, form: CheckForm) -> Result<Response, WebError> {
    let (Some(me), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return Ok(reply.go(""));
    };
    if is_sent_already(reply, browser).await? {
        return Ok(reply.go("/sent"));
    }
    let mut problems = check::keep(reply, browser, &form).await?;
    if problems.is_empty() {
        problems = reply.inspect(browser).await?;
    }
    if !problems.is_empty() {
        return check::render(reply, browser, &me, problems).await;
    }
    match reply.replies().send(&reply.grant, browser, reply.visit.client).await {
        Ok(sent) if sent.password.is_some() => render(reply, &sent),
        Ok(_) => Ok(reply.go("/sent")),
        Err(error) => {
            let problems = Problems::from(reply.problem(error)?);
            check::render(reply, browser, &me, problems).await
        }
    }
}

/// Whether somebody pressed the button twice, or loaded the summary again: nothing new was written since.
async fn is_sent_already(reply: &ReplyContext, browser: &Browser) -> Result<bool, WebError> {
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
    let needs_password =
        password.is_none() && reply.visit.organisation.reply.delivery == ReplyDelivery::Transfer;
    let (visit, token) = (&reply.visit, reply.token.as_str());
    Problems::default().page(&SentPage {
        visit,
        token,
        sent,
        lead,
        time,
        recipients,
        password,
        needs_password,
    })
}
