//! A form of the answer that came after the session had ended: half an hour went by, Finish was pressed in another window, or
//! another link was opened. What was typed is in the form and nowhere else, so the page that asks for the password carries
//! it, and [`super::resume`] brings it back to its screen.
//!
//! What must never happen: that anything is stored for somebody who has not given the password, or that the response tells
//! more than its request did. Without a genuine link nothing is read and nothing comes back.

use askama::Template;
use axum::response::Response;

use super::form::Texts;
use super::settings::CheckForm;
use crate::transfer::access::LinkPreview;
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::ReplyState;

/// In front of the name of every field that is carried: `password` is the link's here.
pub const CARRIED: &str = "kept-";

/// The screen that a form came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Who,
    Message,
    Check,
}

impl Screen {
    pub const ALL: [Self; 3] = [Self::Who, Self::Message, Self::Check];

    pub fn name(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Message => "message",
            Self::Check => "check",
        }
    }

    /// Fields that are carried. Not a password that was being chosen: it is typed again.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Who => &["name", "email", "phone"],
            Self::Message => &["to", "message", "version"],
            Self::Check => CheckForm::CARRIED,
        }
    }

    /// Fields of which one alone is worth the page: what people type, not what they leave as it is.
    fn typed(self) -> &'static [&'static str] {
        match self {
            Self::Who => &["name", "phone"],
            Self::Message => &["message"],
            Self::Check => &["cc", "bcc", "expiry"],
        }
    }
}

#[derive(Template)]
#[template(path = "reply-resume.html")]
struct ResumePage<'a> {
    visit: &'a Visit,
    token: &'a str,
    preview: &'a LinkPreview,
    screen: &'static str,
    /// Name and text of each field that is carried and not shown.
    fields: Vec<(String, &'a str)>,
    /// What was written; may be empty.
    message: &'a str,
    /// Files came along, and must be chosen again.
    has_files: bool,
    /// What is wrong with the password.
    problem: Option<String>,
}

/// Where a form without a session leads: to the page that carries what was typed, or, where nothing was, to the unlock page.
pub async fn ask(
    state: &ReplyState,
    visit: &Visit,
    token: &str,
    screen: Screen,
    texts: Texts,
) -> Result<Response, WebError> {
    if screen.typed().iter().all(|name| texts.get(name).trim().is_empty()) {
        return Err(WebError::NoReplySession(token.to_owned()));
    }
    let preview = preview(state, visit, token).await?;
    page(visit, token, &preview, screen, &texts, Refusal::UNPROVED, None)
}

/// What a script hears that keeps what is typed without anybody pressing a button.
pub fn refusal(visit: &Visit) -> Response {
    render::line(Refusal::UNPROVED, visit.text("reply-kept-session"))
}

/// The page, with what is wrong with the password.
pub fn page(
    visit: &Visit,
    token: &str,
    preview: &LinkPreview,
    screen: Screen,
    texts: &Texts,
    refusal: Refusal,
    problem: Option<String>,
) -> Result<Response, WebError> {
    let shown = |name: &str| name == "message" && screen == Screen::Message;
    let carried =
        texts.fields.iter().filter(|(name, _)| screen.fields().contains(&name.as_str()) && !shown(name));
    let template = ResumePage {
        visit,
        token,
        preview,
        screen: screen.name(),
        fields: carried.map(|(name, text)| (format!("{CARRIED}{name}"), text.as_str())).collect(),
        message: texts.get("message"),
        has_files: texts.has_files,
        problem,
    };
    render::refusal(refusal, &template)
}

/// What may be told before the password.
pub async fn preview(state: &ReplyState, visit: &Visit, token: &str) -> Result<LinkPreview, WebError> {
    let found = state.access.preview(&visit.scope(), token).await;
    found.map_err(|error| WebError::access(error, token))
}
