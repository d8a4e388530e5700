//! The pages of the demo's mailbox, and its small JSON API. They are served on loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use super::mailbox::{CaughtMail, DemoMailbox, View};
use super::sample::Sample;
use crate::web::http::error::PlainError;

/// What every page can use.
#[derive(Clone)]
pub struct Demo {
    pub mailbox: Arc<DemoMailbox>,
    /// Where the "Send a sample" buttons send their mail.
    pub gateway: SocketAddr,
    /// What they send.
    pub samples: &'static [Sample],
}

pub fn router(demo: Demo) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/style.css", get(style))
        .route("/messages/{id}", get(mail))
        .route("/messages/{id}/html", get(mail_html))
        .route("/sample", post(send_sample))
        .route("/api/messages", get(api_list))
        .route("/api/messages/{id}/raw", get(api_raw))
        .with_state(demo)
}

#[derive(Template)]
#[template(path = "mailbox_list.html")]
struct ListPage {
    samples: &'static [Sample],
    mails: Vec<Row>,
}

struct Row {
    id: u64,
    to: String,
    subject: String,
    author: String,
    notice: Option<String>,
}

#[derive(Template)]
#[template(path = "mailbox_mail.html")]
struct MailPage<'a> {
    mail: &'a CaughtMail,
    to: String,
    view: &'a View,
    lines: Vec<TextLine<'a>>,
}

/// A line of the text part. A line that is only a URL becomes a link.
struct TextLine<'a> {
    text: &'a str,
    link: bool,
}

async fn list(State(demo): State<Demo>) -> Response {
    let mails = demo.mailbox.all().iter().map(row).collect();
    page(&ListPage { samples: demo.samples, mails })
}

fn row(mail: &CaughtMail) -> Row {
    let View { subject, author, notice, .. } = mail.view();
    Row { id: mail.id, to: mail.to.join(", "), subject, author, notice }
}

async fn mail(State(demo): State<Demo>, Path(id): Path<u64>) -> Response {
    let Some(mail) = demo.mailbox.get(id) else { return missing() };
    let view = mail.view();
    let text = view.text.clone().unwrap_or_default();
    let lines = text
        .lines()
        .map(|text| TextLine { text, link: text.starts_with("http") && !text.contains(' ') })
        .collect();
    page(&MailPage { mail: &mail, to: mail.to.join(", "), view: &view, lines })
}

/// The HTML part with its pictures, sandboxed. Its links open in a new tab.
async fn mail_html(State(demo): State<Demo>, Path(id): Path<u64>) -> Response {
    let html = demo.mailbox.get(id).and_then(|mail| mail.html());
    let Some(html) = html else { return missing() };
    let sandbox = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                   style-src 'unsafe-inline'; img-src data:";
    let headers = [(header::CONTENT_SECURITY_POLICY, sandbox)];
    (headers, Html(format!("<base target=\"_blank\">{html}"))).into_response()
}

/// Which sample is sent: the first, where no number is given.
#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    number: usize,
}

async fn send_sample(State(demo): State<Demo>, Query(which): Query<Which>) -> Result<Redirect, PlainError> {
    let sample = demo.samples.get(which.number).ok_or(PlainError::Missing("no such sample"))?;
    match sample.send(demo.gateway).await {
        Ok(()) => Ok(Redirect::to("/")),
        Err(error) => Err(PlainError::Gateway(format!("the gateway did not take it: {error}"))),
    }
}

async fn api_list(State(demo): State<Demo>) -> Response {
    let entry = |mail: &CaughtMail| json!({"id": mail.id, "from": mail.from, "to": mail.to, "subject": mail.view().subject});
    let entries: Vec<_> = demo.mailbox.all().iter().map(entry).collect();
    ([(header::CONTENT_TYPE, "application/json")], json!(entries).to_string()).into_response()
}

async fn api_raw(State(demo): State<Demo>, Path(id): Path<u64>) -> Response {
    match demo.mailbox.get(id) {
        Some(mail) => ([(header::CONTENT_TYPE, "message/rfc822")], mail.raw.into_vec()).into_response(),
        None => missing(),
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css")], include_str!("../../web/demo/style.css")).into_response()
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => PlainError::Trouble(error.to_string()).into_response(),
    }
}

fn missing() -> Response {
    PlainError::Missing("no such mail").into_response()
}
