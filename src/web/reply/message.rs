//! The second screen: to whom, the message, the files. With JavaScript files go to [`super::upload`] one piece after
//! the other; without, they come along with the form.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, NoContent, Response};

use super::carried::{self, Screen};
use super::context::ReplyContext;
use super::form::{self, Button, Received, Texts, both};
use super::problem::Problems;
use super::{gone, sent, who};
use crate::reply::{Browser, Draft, Field, MAX_FILES, MessageEdit, ReplyError, Typed, Upload, Verified};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::recipient::session;
use crate::web::state::ReplyState;

#[derive(Template)]
#[template(path = "reply-message.html")]
struct MessagePage<'a> {
    visit: &'a Visit,
    token: &'a str,
    me: &'a Verified,
    draft: &'a Draft,
    /// What the fields hold: what was kept, or what could not be.
    typed: &'a Typed,
    /// Why what they hold was not kept, for the script: `conflict`, `refused`, or nothing.
    unsaved: &'static str,
    /// What another window has kept in place of it.
    theirs: Option<&'a str>,
    /// What the fields held when the page was made.
    version: String,
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
    render(&reply, browser, &me, &Problems::default(), None).await
}

/// `POST /t/{token}/reply/message`
pub async fn submit(
    State(state): State<ReplyState>,
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, WebError> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(error @ (WebError::Gone | WebError::Expired(_))) => {
            return gone::page(&visit, error, form::texts(&headers, body).await.get("message"));
        }
        Err(WebError::NoReplySession(token)) => {
            let texts = form::texts(&headers, body).await;
            // A script that is sent to a page would take that page for its answer.
            if texts.is_kept_by_script() {
                return Ok(carried::refusal(&visit));
            }
            return carried::ask(&state, &visit, &token, Screen::Message, texts).await;
        }
        Err(error) => return Err(error),
    };
    let (Some(me), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return keep_for_later(&reply, form::texts(&headers, body).await).await;
    };
    let Received { action, mut problems, unsaved, is_sent } =
        form::receive(&reply, browser, &headers, body).await?;
    if is_sent && action == Button::Next && sent::is_sent_already(&reply, browser).await? {
        return Ok(reply.go("/sent"));
    }
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
        _ => {}
    }
    if !problems.is_empty() {
        return render(&reply, browser, &me, &problems, unsaved.as_ref()).await;
    }
    Ok(match action {
        Button::Next => reply.go("/check"),
        Button::Add | Button::Remove(_) | Button::Theirs | Button::Both => reply.go("/message"),
        Button::Back => reply.go_to_transfer(),
        Button::Other => who::leave(&reply, browser).await?,
        Button::Keep => NoContent.into_response(),
        Button::Language(language) => reply.go_in("/message", language),
    })
}

/// Keeps a message for somebody who must prove an address first, again perhaps: Finish was pressed in another window, or "Is
/// that not you?". Of two texts both stay, for there is no page yet on which to choose.
pub async fn keep_for_later(reply: &ReplyContext, texts: Texts) -> Result<Response, WebError> {
    let browser = reply.browser.clone().unwrap_or_else(Browser::new);
    let (replies, grant, edit) = (reply.replies(), &reply.grant, texts.message());
    let kept = reply.own(replies.keep_message(grant, &browser, &edit).await)?;
    if !kept.conflicts.is_empty() {
        let theirs = reply.draft(&browser).await?.typed;
        let version = Some(MessageEdit::version_of(&theirs));
        let message = edit.message.map(|mine| both(&theirs.message, &mine));
        let edit = MessageEdit { message, version, to: None };
        reply.own(replies.keep_message(grant, &browser, &edit).await)?;
    }
    let mut response = match texts.is_kept_by_script() {
        true => NoContent.into_response(),
        false => reply.go(""),
    };
    session::remember_browser(&reply.visit, &browser, &mut response);
    Ok(response)
}

/// The screen. `unsaved`: what its fields hold in place of what was kept; or else, where two texts wait for somebody to choose,
/// the one that was set aside.
pub async fn render(
    reply: &ReplyContext,
    browser: &Browser,
    me: &Verified,
    problems: &Problems,
    unsaved: Option<&Typed>,
) -> Result<Response, WebError> {
    let draft = reply.draft(browser).await?;
    let set_aside = draft.typed.aside.as_ref().filter(|_| unsaved.is_none());
    let set_aside = set_aside.map(|aside| Typed { message: aside.message.clone(), ..draft.typed.clone() });
    let mut shown = problems.clone();
    if set_aside.is_some() {
        shown.push(reply.conflict(Field::Message, &draft.typed));
    }
    let unsaved = unsaved.or(set_aside.as_ref());
    let max_size = reply.visit.organisation.reply.max_size.bytes();
    let visit = &reply.visit;
    let size = visit.size(&max_size);
    let format = |key: &str, values: &[(&str, &str)]| visit.language.format(key, values);
    problems.page(&MessagePage {
        visit,
        token: &reply.token,
        me,
        draft: &draft,
        typed: unsaved.unwrap_or(&draft.typed),
        unsaved: match unsaved {
            Some(_) if FIELDS.iter().any(|field| shown.has_conflict(field)) => "conflict",
            Some(_) => "refused",
            None => "",
        },
        theirs: shown.has_conflict("message").then_some(draft.typed.message.as_str()),
        version: MessageEdit::version_of(&draft.typed).to_text(),
        max_files: MAX_FILES.to_string(),
        max_size,
        too_large: format("reply-error-file-size", &[("name", "{name}"), ("size", &size)]),
        percent: format("reply-files-percent", &[("percent", "{percent}"), ("size", "{size}")]),
        progress: format("reply-files-progress", &[("name", "{name}"), ("percent", "{percent}")]),
        size,
        types: &visit.organisation.reply.file_types,
        has_scanner: visit.organisation.reply.scanner.is_some(),
        problems: &shown,
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
