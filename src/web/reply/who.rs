//! The first screen: who answers. Once its code has been proved, the browser is remembered and comes past here
//! without stopping.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::Response;
use serde::Deserialize;

use super::carried::{self, Screen};
use super::context::{ReplyContext, read};
use super::form::Texts;
use super::problem::Problems;
use crate::address::Address;
use crate::locale::Language;
use crate::reply::{Browser, Field, ReplyChannel, ReplyError, Typed};
use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;
use crate::web::recipient::session;
use crate::web::state::ReplyState;

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhoForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    phone: String,
    /// Back to the transfer.
    back: Option<String>,
    /// A language button was pressed.
    lang: Option<Language>,
}

/// Who sits there now.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Who {
    Same,
    #[default]
    Other,
}

/// What "Is this not you?" is answered with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherForm {
    #[serde(default)]
    who: Who,
}

#[derive(Template)]
#[template(path = "reply-other.html")]
struct OtherPage<'a> {
    visit: &'a Visit,
    token: &'a str,
}

#[derive(Template)]
#[template(path = "reply-who.html")]
struct WhoPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    /// A code was mailed already, and still works.
    has_code: bool,
    typed: &'a Typed,
    problems: &'a Problems,
}

/// Fields of this screen.
const FIELDS: &[&str] = &["name", "email", "phone"];

/// `GET /t/{token}/reply`
pub async fn show(reply: ReplyContext) -> Result<Response, WebError> {
    let index = reply.grant.read_index().await.map_err(|error| WebError::access(error, &reply.token))?;
    if reply.replies().channel(&reply.grant, &index) == ReplyChannel::Mail {
        return Err(WebError::ReplyByMail);
    }
    if reply.verified().await?.is_some() {
        return Ok(reply.go("/message"));
    }
    // For a browser that is not known yet nothing is stored: this only fills in the form.
    let browser = reply.browser.clone().unwrap_or_else(Browser::new);
    let typed = reply.draft(&browser).await?.typed;
    show_page(&reply, &browser, &typed, &Problems::default()).await
}

/// `POST /t/{token}/reply`
pub async fn submit(
    State(state): State<ReplyState>,
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    form: Result<Form<WhoForm>, FormRejection>,
) -> Result<Response, WebError> {
    let reply = match (reply, &form) {
        (Err(WebError::NoReplySession(token)), Ok(Form(form))) => {
            let fields = [("name", &form.name), ("email", &form.email), ("phone", &form.phone)];
            return carried::ask(&state, &visit, &token, Screen::Who, Texts::of(&fields)).await;
        }
        (reply, _) => reply?,
    };
    let WhoForm { name, email, phone, back, lang } = read(form)?;
    let browser = reply.browser.clone().unwrap_or_else(Browser::new);
    let kept = reply.replies().keep_author(&reply.grant, &browser, &name, &email, &phone).await;
    let mut response = match kept {
        Ok(_) if back.is_some() => reply.go_to_transfer(),
        Ok(kept) => match lang {
            Some(language) => reply.go_in("", language),
            None => request_code(&reply, &browser, &kept.typed).await?,
        },
        Err(error) => {
            let typed = Typed { name, email, phone, ..Typed::default() };
            let problem = reply.problem(error)?.at("name");
            show_page(&reply, &browser, &typed, &Problems::from(problem)).await?
        }
    };
    session::remember_browser(&reply.visit, &browser, &mut response);
    Ok(response)
}

/// "Is this not you?": where something was written, which of the two it is must be said first.
pub async fn leave(reply: &ReplyContext, browser: &Browser) -> Result<Response, WebError> {
    let draft = reply.draft(browser).await?;
    match draft.typed.message.trim().is_empty() && draft.uploads.is_empty() {
        true => change(reply, Who::Other).await,
        false => render::page(&OtherPage { visit: &reply.visit, token: &reply.token }),
    }
}

/// `POST /t/{token}/reply/other`: somebody else sits at this browser now, and gets an empty draft; or the same person wants
/// another address, and keeps what was typed.
pub async fn forget(
    reply: ReplyContext,
    form: Result<Form<OtherForm>, FormRejection>,
) -> Result<Response, WebError> {
    change(&reply, read(form)?.who).await
}

async fn change(reply: &ReplyContext, who: Who) -> Result<Response, WebError> {
    let mut response = reply.go("");
    let Some(browser) = &reply.browser else { return Ok(response) };
    reply.own(reply.replies().forget(browser).await)?;
    match who {
        Who::Same => {
            let Typed { name, phone, .. } = reply.draft(browser).await?.typed;
            let kept = reply.replies().keep_author(&reply.grant, browser, &name, "", &phone).await;
            reply.own(kept)?;
        }
        Who::Other => session::remember_browser(&reply.visit, &Browser::new(), &mut response),
    }
    Ok(response)
}

/// Mails the code and goes on, or shows what is wrong.
async fn request_code(reply: &ReplyContext, browser: &Browser, typed: &Typed) -> Result<Response, WebError> {
    let mut problems = reply.faults(browser).await?.only(FIELDS);
    if problems.is_empty() && reply.verified().await?.is_some() {
        return Ok(reply.go("/message"));
    }
    // Nobody on this screen is verified yet: verifying is what it is for.
    let unverified = reply.problem(ReplyError::NotVerified)?;
    problems.remove(&unverified);
    match Address::parse(typed.email.trim()) {
        Ok(address) if problems.is_empty() => match code(reply, browser, address).await {
            Ok(()) => return Ok(reply.go("/code")),
            Err(error) => problems.push(reply.problem(error)?.at("email")),
        },
        Ok(_) => {}
        Err(_) => {
            let (field, text) = (Field::Email, typed.email.clone());
            problems.push(reply.problem(ReplyError::BadAddress { field, text })?);
        }
    }
    show_page(reply, browser, typed, &problems).await
}

/// Asks for a code in the reader's language.
pub async fn code(reply: &ReplyContext, browser: &Browser, address: Address) -> Result<(), ReplyError> {
    let Visit { client, language, .. } = reply.visit;
    reply.replies().request_code(&reply.grant, browser, address, client, language).await
}

async fn show_page(
    reply: &ReplyContext,
    browser: &Browser,
    typed: &Typed,
    problems: &Problems,
) -> Result<Response, WebError> {
    let has_code = reply.own(reply.replies().has_code(&reply.grant, browser).await)?;
    let page = WhoPage { visit: &reply.visit, token: &reply.token, has_code, typed, problems };
    problems.page(&page)
}
