//! The first screen: who answers. Once its code has been proved, the browser is remembered and comes past here
//! without stopping.

use askama::Template;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use serde::Deserialize;

use super::context::{ReplyContext, read};
use super::problem::Problems;
use crate::address::Address;
use crate::locale::Language;
use crate::reply::{Browser, Field, ReplyChannel, ReplyError, Typed};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::recipient::session;

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
    /// A language button was pressed.
    lang: Option<Language>,
}

#[derive(Template)]
#[template(path = "reply-who.html")]
struct WhoPage<'a> {
    visit: &'a Visit,
    token: &'a str,
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
    render(&reply, &typed, &Problems::default())
}

/// `POST /t/{token}/reply`
pub async fn submit(
    reply: ReplyContext,
    form: Result<Form<WhoForm>, FormRejection>,
) -> Result<Response, WebError> {
    let WhoForm { name, email, phone, lang } = read(form)?;
    let browser = reply.browser.clone().unwrap_or_else(Browser::new);
    let typed = Typed { name, email, phone, ..reply.draft(&browser).await?.typed };
    reply.own(reply.replies().save(&reply.grant, &browser, typed.clone()).await)?;
    let mut response = match lang {
        Some(language) => reply.go_in("", language),
        None => request_code(&reply, &browser, &typed).await?,
    };
    session::remember_browser(&reply.visit, &browser, &mut response);
    Ok(response)
}

/// `POST /t/{token}/reply/other`: somebody else sits at this browser now, and gets an empty draft.
pub async fn forget(reply: ReplyContext) -> Result<Response, WebError> {
    if let Some(browser) = &reply.browser {
        reply.own(reply.replies().forget(browser).await)?;
    }
    let mut response = reply.go("");
    session::remember_browser(&reply.visit, &Browser::new(), &mut response);
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
    render(reply, typed, &problems)
}

/// Asks for a code in the reader's language.
pub async fn code(reply: &ReplyContext, browser: &Browser, address: Address) -> Result<(), ReplyError> {
    let Visit { client, language, .. } = reply.visit;
    reply.replies().request_code(&reply.grant, browser, address, client, language).await
}

fn render(reply: &ReplyContext, typed: &Typed, problems: &Problems) -> Result<Response, WebError> {
    let page = WhoPage { visit: &reply.visit, token: &reply.token, typed, problems };
    problems.page(&page)
}
