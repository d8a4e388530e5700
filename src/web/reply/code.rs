//! Between the first and the second screen, once per browser: the code from the mail. Pasting is allowed, and
//! telephones may offer it by themselves (L02).

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query};
use axum::response::Response;
use serde::Deserialize;

use super::context::{ReplyContext, read};
use super::problem::{FieldProblem, Problems};
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
pub async fn show(
    reply: ReplyContext,
    query: Result<Query<CodeQuery>, QueryRejection>,
) -> Result<Response, WebError> {
    if reply.verified().await?.is_some() {
        return Ok(reply.go("/message"));
    }
    let Some((_, address)) = address(&reply).await? else { return Ok(reply.go("")) };
    let is_new = query.is_ok_and(|query| query.0.new.is_some());
    render(&reply, &address, "", is_new, &Problems::default())
}

/// `POST /t/{token}/reply/code`
pub async fn submit(
    reply: ReplyContext,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Result<Response, WebError> {
    let form = read(form)?;
    let Some((browser, address)) = address(&reply).await? else { return Ok(reply.go("")) };
    if let Some(language) = form.lang {
        let reply = ReplyContext { visit: reply.visit.clone().in_language(language), ..reply };
        let mut response = render(&reply, &address, &form.code, false, &Problems::default())?;
        reply.visit.remember(&mut response);
        return Ok(response);
    }
    let done = if form.again.is_some() {
        who::code(&reply, &browser, address.clone()).await.map(|()| "/code?new")
    } else if form.code.trim().is_empty() {
        let empty = FieldProblem::new("code", reply.visit.text("reply-error-code-empty"));
        return render(&reply, &address, "", false, &Problems::from(empty));
    } else {
        let tried = reply.replies().verify(&reply.grant, &browser, &form.code, reply.visit.client).await;
        tried.map(|_| "/message")
    };
    match done {
        Ok(screen) => {
            let mut response = reply.go(screen);
            session::remember_browser(&reply.visit, &browser, &mut response);
            Ok(response)
        }
        Err(error) => render(&reply, &address, &form.code, false, &Problems::from(reply.problem(error)?)),
    }
}

/// Where the code went, as far as this browser has come.
async fn address(reply: &ReplyContext) -> Result<Option<(Browser, Address)>, WebError> {
    let Some(browser) = reply.browser.clone() else { return Ok(None) };
    let typed = reply.draft(&browser).await?.typed;
    Ok(Address::parse(typed.email.trim()).ok().map(|address| (browser, address)))
}

fn render(
    reply: &ReplyContext,
    address: &Address,
    code: &str,
    is_new: bool,
    problems: &Problems,
) -> Result<Response, WebError> {
    let (visit, token, address) = (&reply.visit, reply.token.as_str(), address.as_str());
    problems.page(&CodePage { visit, token, address, code, is_new, problems })
}
