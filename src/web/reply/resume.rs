//! The password on the page that carries what was typed: right, it opens the session and brings the text back to its
//! screen; wrong, the page comes again with all that is on it.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::carried::{CARRIED, Screen, page, preview};
use super::context::ReplyContext;
use super::form::{self, Texts};
use super::problem::Problems;
use super::settings::{self, CheckForm};
use super::{check, gone, message};
use crate::locale::Language;
use crate::reply::Browser;
use crate::secret::Secret;
use crate::transfer::access::AccessError;
use crate::web::http::error::{Refusal, WebError};
use crate::web::http::visit::Visit;
use crate::web::recipient::session;
use crate::web::state::ReplyState;

/// `POST /t/{token}/reply/resume`
pub async fn submit(
    State(state): State<ReplyState>,
    visit: Visit,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, WebError> {
    // A token that is not ours makes us read nothing.
    let preview = match preview(&state, &visit, &token).await {
        Err(error @ (WebError::Gone | WebError::Expired(_))) => {
            let texts = form::texts(&headers, body).await;
            return gone::page(&visit, error, texts.get("kept-message"));
        }
        preview => preview?,
    };
    if !headers.contains_key(CONTENT_TYPE) {
        return Err(WebError::NoReplySession(token));
    }
    let form = form::texts(&headers, body).await;
    let screen = Screen::ALL.into_iter().find(|screen| screen.name() == form.get("screen"));
    let screen = screen.ok_or(WebError::BadRequest)?;
    let carried = form.fields.iter().filter_map(|(name, text)| Some((name.strip_prefix(CARRIED)?, text)));
    let carried = carried.filter(|(name, _)| screen.fields().contains(name));
    let fields = carried.map(|(name, text)| (name.to_owned(), text.clone())).collect();
    let texts = Texts { fields, has_files: !form.get("files").is_empty() };
    if let Ok(language) = form.get("lang").parse::<Language>() {
        let visit = visit.clone().in_language(language);
        let mut response = page(&visit, &token, &preview, screen, &texts, Refusal::UNPROVED, None)?;
        visit.remember(&mut response);
        return Ok(response);
    }
    let refuse = |refusal: Refusal, key: &str| {
        page(&visit, &token, &preview, screen, &texts, refusal, Some(visit.text(key)))
    };
    let typed = Secret::new(form.get("password").to_owned());
    if preview.password && typed.reveal().trim().is_empty() {
        return refuse(Refusal::INCOMPLETE, "unlock-empty");
    }
    let typed = preview.password.then_some(typed);
    match state.access.unlock(&visit.scope(), &token, typed, visit.visitor()).await {
        Ok(cookie) => {
            let browser = session::browser(&visit, &headers).unwrap_or_else(Browser::new);
            let value = Secret::new(cookie.value().to_owned());
            let (visit, token) = (visit.clone(), token.clone());
            let reply = ReplyContext::resume(&state, visit, token, value, Some(browser.clone())).await?;
            let mut response = bring_back(&reply, &browser, screen, texts).await?;
            let (visit, token) = (&reply.visit, &reply.token);
            session::begin(&state.access, visit, token, cookie.value(), &headers, &mut response).await?;
            session::remember_browser(&reply.visit, &browser, &mut response);
            Ok(response)
        }
        Err(AccessError::WrongPassword) => refuse(WebError::WrongPassword.refusal(), "unlock-wrong"),
        // Whatever keeps the link closed for now: what was typed stays on the page until it opens.
        Err(error) => {
            let error = WebError::access(error, &token);
            match error {
                WebError::Gone | WebError::Expired(_) => gone::page(&visit, error, texts.get("message")),
                WebError::Trouble(_) => Err(error),
                error => refuse(error.refusal(), error.texts().1),
            }
        }
    }
}

/// Puts what was carried where it belongs, and shows it there.
async fn bring_back(
    reply: &ReplyContext,
    browser: &Browser,
    screen: Screen,
    texts: Texts,
) -> Result<Response, WebError> {
    let (replies, grant, me) = (reply.replies(), &reply.grant, reply.verified().await?);
    match (screen, me) {
        (Screen::Who, _) => {
            let [name, email, phone] = ["name", "email", "phone"].map(|name| texts.get(name));
            reply.own(replies.keep_author(grant, browser, name, email, phone).await)?;
            Ok(reply.go(""))
        }
        (Screen::Message, None) => message::keep_for_later(reply, texts).await,
        (Screen::Message, Some(me)) => {
            let edit = texts.message();
            let (mut problems, unsaved) = match replies.keep_message(grant, browser, &edit).await {
                Ok(kept) if kept.conflicts.is_empty() => return Ok(reply.go("/message")),
                Ok(kept) => (Problems::default(), kept),
                Err(error) => {
                    let typed = edit.shown_over(reply.draft(browser).await?.typed);
                    (
                        Problems::from(reply.problem(error)?),
                        crate::reply::Kept { typed, ..Default::default() },
                    )
                }
            };
            let theirs = reply.draft(browser).await?.typed;
            for field in &unsaved.conflicts {
                problems.push(reply.conflict(*field, &theirs));
            }
            message::render(reply, browser, &me, &problems, Some(&unsaved.typed)).await
        }
        (Screen::Check, me) => {
            let form = CheckForm::of(|name| texts.get(name).to_owned());
            let checked = settings::keep(reply, browser, &form).await?;
            match me {
                Some(me) if checked.is_unsaved() => check::render(reply, browser, &me, checked).await,
                _ => Ok(reply.go("/check")),
            }
        }
    }
}
