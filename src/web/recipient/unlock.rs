//! The unlock page. GET shows it and changes nothing, because link scanners open it before people do
//! (H21); only POST tries a password. The password is never put into a URL: the language
//! buttons of this page send the form too (C24).

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::session;
use crate::locale::Language;
use crate::outbox::SenderCard;
use crate::secret::Secret;
use crate::transfer::access::{AccessError, HeldSession, LinkPreview};
use crate::transfer::link::PUBLIC as LINK;
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

/// The form.
#[derive(Default, Deserialize)]
pub struct UnlockForm {
    #[serde(default)]
    password: String,
    /// A language button was pressed: show the page again, try nothing.
    lang: Option<Language>,
    next: Option<String>,
}

/// Where the reader wanted to go. A word of ours or nothing: no address that somebody could choose.
#[derive(Default, Deserialize)]
pub struct UnlockQuery {
    next: Option<String>,
    /// A page of ours sent the reader here, because the session was over.
    ended: Option<String>,
}

/// Whether the transfer is opened in order to answer it.
fn is_reply(next: Option<&str>) -> bool {
    next == Some("reply")
}

#[derive(Template)]
#[template(path = "unlock.html")]
struct UnlockPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    preview: &'a LinkPreview,
    sender: &'a SenderCard,
    /// What was typed, when only the language changes.
    password: &'a str,
    is_reply: bool,
    /// The key of why the reader is here again.
    notice: Option<&'static str>,
    /// The key of what is wrong with the password.
    problem: Option<&'static str>,
}

impl UnlockPage<'_> {
    /// Whom to call, and what to say, where there is doubt.
    fn call(&self) -> String {
        let reference = self.preview.transfer.grouped();
        let values = [("organisation", self.visit.organisation()), ("reference", reference.as_str())];
        self.visit.language.format("real-call", &values)
    }
}

/// `GET /t/{token}`
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    query: Result<Query<UnlockQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let preview = preview(&state, &visit, &token).await?;
    let sender = &sender_card(&preview, &visit);
    let query = query.map(|query| query.0).unwrap_or_default();
    let is_reply = is_reply(query.next.as_deref());
    let held = match session::value(&visit, &token, &headers) {
        "" => None,
        held => Some(state.access.look_at_session(&visit.scope(), &token, held).await),
    };
    let held = held.transpose().map_err(|error| WebError::access(error, &token))?;
    let is_awaited = state.awaited.has(link_of(&token), visit.client, state.clock.now());
    let notice = match held {
        Some(HeldSession::Own) => None,
        Some(HeldSession::Ended) => Some("unlock-ended"),
        Some(HeldSession::Other) | None if is_awaited => Some("unlock-cookies"),
        Some(HeldSession::Other) | None => query.ended.and(Some("unlock-ended")),
    };
    let problem = None;
    let page = UnlockPage {
        visit: &visit,
        token: &token,
        preview: &preview,
        sender,
        password: "",
        is_reply,
        notice,
        problem,
    };
    let mut response = render::page(&page)?;
    if held == Some(HeldSession::Ended) {
        session::end(&visit, &token, &mut response);
    }
    Ok(response)
}

/// `POST /t/{token}`
pub async fn open(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Result<Form<UnlockForm>, FormRejection>,
) -> Result<Response, WebError> {
    let form = match form {
        Ok(Form(form)) => form,
        // Nothing was sent at all: where no password is needed, that is a form as good as any.
        Err(_) if !headers.contains_key(CONTENT_TYPE) => UnlockForm::default(),
        Err(_) => return Err(WebError::BadRequest),
    };
    let typed = Secret::new(form.password);
    let preview = preview(&state, &visit, &token).await?;
    let sender = &sender_card(&preview, &visit);
    let is_reply = is_reply(form.next.as_deref());
    let refuse = |refusal: Refusal, problem| {
        let page = UnlockPage {
            visit: &visit,
            token: &token,
            preview: &preview,
            sender,
            password: "",
            is_reply,
            notice: None,
            problem: Some(problem),
        };
        render::refusal(refusal, &page)
    };
    if let Some(language) = form.lang {
        let visit = visit.clone().in_language(language);
        let password = typed.reveal();
        let (notice, problem) = (None, None);
        let page = UnlockPage {
            visit: &visit,
            token: &token,
            preview: &preview,
            sender,
            password,
            is_reply,
            notice,
            problem,
        };
        let mut response = render::page(&page)?;
        visit.remember(&mut response);
        return Ok(response);
    }
    if preview.password && typed.reveal().trim().is_empty() {
        return refuse(Refusal::INCOMPLETE, "unlock-empty");
    }
    let typed = preview.password.then_some(typed);
    match state.access.unlock(&visit.scope(), &token, typed, visit.visitor()).await {
        Ok(cookie) => {
            let screen = if is_reply { "reply" } else { "files" };
            let mut response = Redirect::to(&format!("/t/{token}/{screen}")).into_response();
            session::begin(&state.access, &visit, &token, cookie.value(), &headers, &mut response).await?;
            state.awaited.add(link_of(&token), visit.client, state.clock.now());
            Ok(response)
        }
        Err(AccessError::WrongPassword) => refuse(WebError::WrongPassword.refusal(), "unlock-wrong"),
        Err(error) => Err(WebError::access(error, &token)),
    }
}

/// The link without its secret.
pub(super) fn link_of(token: &str) -> &str {
    token.get(..LINK).unwrap_or("")
}

/// As in the mail with the link, as far as the row knows.
fn sender_card(preview: &LinkPreview, visit: &Visit) -> SenderCard {
    SenderCard::of_transfer(preview.sender.as_ref(), &preview.on_behalf_of, &visit.organisation)
}

async fn preview(state: &RecipientState, visit: &Visit, token: &str) -> Result<LinkPreview, WebError> {
    let found = state.access.preview(&visit.scope(), token).await;
    found.map_err(|error| WebError::access(error, token))
}
