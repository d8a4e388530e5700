//! The second screen: to whom, the message, the files. With JavaScript files go to [`super::upload`] one piece after
//! the other; without, they come along with the form.

use askama::Template;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, NoContent, Response};

use super::context::ReplyContext;
use super::form::{self, Button};
use super::gone;
use super::problem::Problems;
use crate::reply::{Browser, Draft, MAX_FILES, ReplyError, Upload, Verified};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;

#[derive(Template)]
#[template(path = "reply-message.html")]
struct MessagePage<'a> {
    visit: &'a Visit,
    token: &'a str,
    me: &'a Verified,
    draft: &'a Draft,
    max_files: String,
    max_size: u64,
    /// The same for people.
    size: String,
    /// For the script, which fills in the names in braces.
    too_large: String,
    percent: String,
    progress: String,
    /// Files are scanned before they count.
    has_scanner: bool,
    /// Endings of the files that are taken, where not all are.
    types: &'a [String],
    problems: &'a Problems,
}

/// Fields of this screen.
pub const FIELDS: &[&str] = &["to", "message", "files"];

/// `GET /t/{token}/reply/message`
pub async fn show(reply: ReplyContext) -> Result<Response, WebError> {
    let (Some(me), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return Ok(reply.go(""));
    };
    render(&reply, browser, &me, &Problems::default()).await
}

/// `POST /t/{token}/reply/message`
pub async fn submit(
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, WebError> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error @ (WebError::Gone | WebError::Expired(_))) => {
            return gone::page(&visit, error, &form::message(&headers, body).await);
        }
        Err(error) => return Err(error),
    };
    let (Some(me), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return Ok(reply.go(""));
    };
    let (action, mut problems) = form::receive(&reply, browser, &headers, body).await?;
    match &action {
        Button::Remove(id) => match reply.replies().remove_upload(&reply.grant, browser, id).await {
            // Pressed twice, or in two windows: it is gone, as was wanted.
            Err(ReplyError::UnknownUpload) => {}
            removed => reply.own(removed)?,
        },
        Button::Next => {
            for fault in reply.faults(browser).await?.only(FIELDS).iter() {
                problems.push(fault.clone());
            }
        }
        Button::Add | Button::Keep | Button::Language(_) => {}
    }
    if !problems.is_empty() {
        return render(&reply, browser, &me, &problems).await;
    }
    Ok(match action {
        Button::Next => reply.go("/check"),
        Button::Add | Button::Remove(_) => reply.go("/message"),
        Button::Keep => NoContent.into_response(),
        Button::Language(language) => reply.go_in("/message", language),
    })
}

async fn render(
    reply: &ReplyContext,
    browser: &Browser,
    me: &Verified,
    problems: &Problems,
) -> Result<Response, WebError> {
    let draft = reply.draft(browser).await?;
    let max_size = reply.visit.organisation.reply.max_size.bytes();
    let visit = &reply.visit;
    let size = visit.size(&max_size);
    let format = |key: &str, values: &[(&str, &str)]| visit.language.format(key, values);
    problems.page(&MessagePage {
        visit,
        token: &reply.token,
        me,
        draft: &draft,
        max_files: MAX_FILES.to_string(),
        max_size,
        too_large: format("reply-error-file-size", &[("name", "{name}"), ("size", &size)]),
        percent: format("reply-files-percent", &[("percent", "{percent}"), ("size", "{size}")]),
        progress: format("reply-files-progress", &[("name", "{name}"), ("percent", "{percent}")]),
        size,
        types: &visit.organisation.reply.file_types,
        has_scanner: visit.organisation.reply.scanner.is_some(),
        problems,
    })
}

impl MessagePage<'_> {
    /// How much of a file has come.
    fn percent_of(&self, upload: &Upload) -> String {
        let length = upload.length.unwrap_or(u64::MAX).max(1);
        (u128::from(upload.offset) * 100 / u128::from(length)).to_string()
    }

    /// For the browser's picker: `.pdf,.jpg`.
    fn accepted(&self) -> String {
        self.types.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(",")
    }

    /// Its size, as far as that is known.
    fn size_of(&self, upload: &Upload) -> String {
        self.visit.size(&upload.length.unwrap_or(upload.offset))
    }
}
