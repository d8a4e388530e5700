//! The first screen: who answers. Once its code has been proved, the browser is remembered and comes past here
//! without stopping.

use askama::Template;
use axum::extract::Form;
use axum::extract::rejection::FormRejection;
use axum::response::Response;
use serde::Deserialize;

use super::context::{Desk, read};
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
pub async fn show(desk: Desk) -> Result<Response, WebError> {
    let index = desk.grant.read_index().await.map_err(|error| WebError::access(error, &desk.token))?;
    if desk.replies().channel(&desk.grant, &index) == ReplyChannel::Mail {
        return Err(WebError::ReplyByMail);
    }
    if desk.verified().await?.is_some() {
        return Ok(desk.go("/message"));
    }
    // For a browser that is not known yet nothing is stored: this only fills in the form.
    let browser = desk.browser.clone().unwrap_or_else(Browser::new);
    let typed = desk.draft(&browser).await?.typed;
    render(&desk, &typed, &Problems::default())
}

/// `POST /t/{token}/reply`
pub async fn submit(desk: Desk, form: Result<Form<WhoForm>, FormRejection>) -> Result<Response, WebError> {
    let WhoForm { name, email, phone, lang } = read(form)?;
    let browser = desk.browser.clone().unwrap_or_else(Browser::new);
    let typed = Typed { name, email, phone, ..desk.draft(&browser).await?.typed };
    desk.own(desk.replies().save(&desk.grant, &browser, typed.clone()).await)?;
    let mut response = match lang {
        Some(language) => desk.go_in("", language),
        None => request_code(&desk, &browser, &typed).await?,
    };
    session::remember_browser(&desk.visit, &browser, &mut response);
    Ok(response)
}

/// `POST /t/{token}/reply/other`: somebody else sits at this browser now, and gets an empty draft.
pub async fn forget(desk: Desk) -> Result<Response, WebError> {
    if let Some(browser) = &desk.browser {
        desk.own(desk.replies().forget(browser).await)?;
    }
    let mut response = desk.go("");
    session::remember_browser(&desk.visit, &Browser::new(), &mut response);
    Ok(response)
}

/// Mails the code and goes on, or shows what is wrong.
async fn request_code(desk: &Desk, browser: &Browser, typed: &Typed) -> Result<Response, WebError> {
    let mut problems = desk.faults(browser).await?.only(FIELDS);
    if problems.is_empty() && desk.verified().await?.is_some() {
        return Ok(desk.go("/message"));
    }
    // Whoever is here is not verified: that is what this screen is for.
    let unverified = desk.problem(ReplyError::NotVerified)?;
    problems.remove(&unverified);
    match Address::parse(typed.email.trim()) {
        Ok(address) if problems.is_empty() => match code(desk, browser, address).await {
            Ok(()) => return Ok(desk.go("/code")),
            Err(error) => problems.push(desk.problem(error)?.at("email")),
        },
        Ok(_) => {}
        Err(_) => {
            let (field, text) = (Field::Email, typed.email.clone());
            problems.push(desk.problem(ReplyError::BadAddress { field, text })?);
        }
    }
    render(desk, typed, &problems)
}

/// Asks for a code in the reader's language.
pub async fn code(desk: &Desk, browser: &Browser, address: Address) -> Result<(), ReplyError> {
    let Visit { client, language, .. } = desk.visit;
    desk.replies().request_code(&desk.grant, browser, address, client, language).await
}

fn render(desk: &Desk, typed: &Typed, problems: &Problems) -> Result<Response, WebError> {
    let page = WhoPage { visit: &desk.visit, token: &desk.token, typed, problems };
    problems.page(&page)
}
