//! Between the first and the second screen, once per browser: the code from the mail. Pasting is allowed, and
//! telephones may offer it by themselves (L02).

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use serde::Deserialize;

use super::context::{Desk, read};
use super::problem::{Problem, Problems};
use super::who;
use crate::address::Address;
use crate::locale::Language;
use crate::reply::Browser;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::recipient::session;

/// What the address says: `?new` after another code was sent.
#[derive(Default, Deserialize)]
pub struct CodeQuery {
    new: Option<String>,
}

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeForm {
    #[serde(default)]
    code: String,
    /// Another code is wanted.
    again: Option<String>,
    /// A language button was pressed.
    lang: Option<Language>,
}

#[derive(Template)]
#[template(path = "reply-code.html")]
struct CodePage<'a> {
    visit: &'a Visit,
    token: &'a str,
    address: &'a str,
    code: &'a str,
    /// Another code was sent just now.
    is_new: bool,
    problems: &'a Problems,
}

/// `GET /t/{token}/reply/code`
pub async fn show(desk: Desk, query: Result<Query<CodeQuery>, QueryRejection>) -> Result<Response, WebError> {
    if desk.verified().await?.is_some() {
        return Ok(desk.go("/message"));
    }
    let Some((_, address)) = address(&desk).await? else { return Ok(desk.go("")) };
    let is_new = query.is_ok_and(|query| query.0.new.is_some());
    render(&desk, &address, "", is_new, &Problems::default())
}

/// `POST /t/{token}/reply/code`
pub async fn submit(desk: Desk, form: Result<Form<CodeForm>, FormRejection>) -> Result<Response, WebError> {
    let form = read(form)?;
    let Some((browser, address)) = address(&desk).await? else { return Ok(desk.go("")) };
    if let Some(language) = form.lang {
        let desk = Desk { visit: desk.visit.clone().in_language(language), ..desk };
        let mut response = render(&desk, &address, &form.code, false, &Problems::default())?;
        desk.visit.remember(&mut response);
        return Ok(response);
    }
    let done = if form.again.is_some() {
        who::code(&desk, &browser, address.clone()).await.map(|()| "/code?new")
    } else if form.code.trim().is_empty() {
        let empty = Problem::new("code", desk.visit.text("reply-error-code-empty"));
        return render(&desk, &address, "", false, &Problems::from(empty));
    } else {
        let tried = desk.replies().verify(&desk.grant, &browser, &form.code, desk.visit.client).await;
        tried.map(|_| "/message")
    };
    match done {
        Ok(screen) => {
            let mut response = desk.go(screen);
            session::remember_browser(&desk.visit, &browser, &mut response);
            Ok(response)
        }
        Err(error) => render(&desk, &address, &form.code, false, &Problems::from(desk.problem(error)?)),
    }
}

/// Where the code went, as far as this browser has come.
async fn address(desk: &Desk) -> Result<Option<(Browser, Address)>, WebError> {
    let Some(browser) = desk.browser.clone() else { return Ok(None) };
    let typed = desk.draft(&browser).await?.typed;
    Ok(Address::parse(typed.email.trim()).ok().map(|address| (browser, address)))
}

fn render(
    desk: &Desk,
    address: &Address,
    code: &str,
    is_new: bool,
    problems: &Problems,
) -> Result<Response, WebError> {
    let (visit, token, address) = (&desk.visit, desk.token.as_str(), address.as_str());
    problems.page(&CodePage { visit, token, address, code, is_new, problems })
}
