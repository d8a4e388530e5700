//! The third screen: everything once more, the mail as staff will get it, and what is folded away. Sending itself is
//! in [`super::sent`].

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::carried::{self, Screen};
use super::context::{ReplyContext, read};
use super::problem::{self, Problems};
use super::settings::{CheckForm, Outcome, keep};
use crate::address::Address;
use crate::config::ReplyDelivery;
use crate::id::base32;
use crate::limits::EXPIRY_DAYS;
use crate::locale::Language;
use crate::reply::{Browser, Draft, Preview, ReplySettings, SettingsEdit, Typed, Verified};
use crate::secret;
use crate::transfer::strength::strength as measure;
use crate::web::http::error::WebError;
use crate::web::http::headers;
use crate::web::http::visit::Visit;
use crate::web::state::ReplyState;

/// What the strength of a password is asked with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrengthForm {
    password: String,
}

/// What a script shows while somebody types.
#[derive(Serialize)]
struct StrengthAnswer {
    score: u8,
    text: String,
}

#[derive(Template)]
#[template(path = "reply-check.html")]
struct CheckPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    me: &'a Verified,
    draft: &'a Draft,
    /// What the fields hold: what was kept, or what could not be.
    typed: &'a Typed,
    version: String,
    settings: &'a ReplySettings,
    preview: Option<&'a Preview>,
    /// Staff open the answer with a password.
    is_transfer: bool,
    /// A password is chosen, not generated.
    is_chosen: bool,
    /// There is something in the settings that must be seen.
    is_open: bool,
    /// Dates as `2026-12-24`: the value of the field, and its bounds.
    expiry: String,
    first_day: String,
    last_day: String,
    /// Of the mail to the recipients.
    language: Language,
    problems: &'a Problems,
}

impl CheckPage<'_> {
    /// Addresses as one line.
    fn list(&self, addresses: &[Address]) -> String {
        addresses.iter().map(Address::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// `GET /t/{token}/reply/check`
pub async fn show(reply: ReplyContext) -> Result<Response, WebError> {
    let (Some(me), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return Ok(reply.go(""));
    };
    let problems = reply.faults(browser).await?;
    render(&reply, browser, &me, problems.into()).await
}

/// `POST /t/{token}/reply/check`: keeps the settings, and shows everything again or goes back.
pub async fn save(
    State(state): State<ReplyState>,
    visit: Visit,
    reply: Result<ReplyContext, WebError>,
    form: Result<Form<CheckForm>, FormRejection>,
) -> Result<Response, WebError> {
    let reply = match (reply, &form) {
        (Err(WebError::NoReplySession(token)), Ok(Form(form))) => {
            return carried::ask(&state, &visit, &token, Screen::Check, form.texts()).await;
        }
        (reply, _) => reply?,
    };
    let form = read(form)?;
    let Some(browser) = &reply.browser else { return Ok(reply.go("")) };
    let outcome = keep(&reply, browser, &form).await?;
    let Some(me) = reply.verified().await? else { return Ok(reply.go("")) };
    match form.lang {
        _ if outcome.is_unsaved() => render(&reply, browser, &me, outcome).await,
        Some(language) => Ok(reply.go_in("/check", language)),
        None if form.back.is_some() => Ok(reply.go("/message")),
        None if outcome.problems.is_empty() => Ok(reply.go("/check")),
        None => render(&reply, browser, &me, outcome).await,
    }
}

/// `POST /t/{token}/reply/strength`
pub async fn strength(
    reply: ReplyContext,
    form: Result<Form<StrengthForm>, FormRejection>,
) -> Result<Response, WebError> {
    let form = read(form)?;
    reply.state.throttles.check_strength(reply.grant.link(), &reply.visit.visitor())?;
    let me = reply.verified().await?;
    let about: Vec<&str> = me.iter().flat_map(|me| [me.name.as_str(), me.address.as_str()]).collect();
    let strength = measure(&form.password, &about);
    let text = problem::advice(&reply.visit, &strength);
    let answer = serde_json::to_string(&StrengthAnswer { score: strength.score, text });
    let answer = answer.map_err(|error| WebError::Trouble(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], answer).into_response())
}

/// `GET /t/{token}/reply/preview`: the mail itself, in a sandbox. It is of our own making, what was typed in it
/// escaped; mails carry their colours in `style` attributes, which no page of ours may (H24), so they
/// become rules of one style sheet that the policy names.
pub async fn preview(reply: ReplyContext) -> Result<Response, WebError> {
    let (Some(_), Some(browser)) = (reply.verified().await?, &reply.browser) else {
        return Ok(reply.go(""));
    };
    let preview = match reply.replies().preview(&reply.grant, browser).await {
        Ok(preview) => preview,
        // What is wrong stands on the screen itself.
        Err(error) => return reply.problem(error).map(|_| reply.go("/check")),
    };
    let nonce = base32(&secret::random::<16>());
    let mut response = Html(with_style_sheet(&preview.html, &nonce)).into_response();
    let policy = format!("sandbox; default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'self'");
    headers::sandbox(&mut response, &policy)?;
    Ok(response)
}

/// The whole screen; without a preview as long as something is wrong.
pub async fn render(
    reply: &ReplyContext,
    browser: &Browser,
    me: &Verified,
    outcome: Outcome,
) -> Result<Response, WebError> {
    let (visit, organisation) = (&reply.visit, &reply.visit.organisation);
    let draft = reply.draft(browser).await?;
    let Outcome { problems, unsaved } = outcome;
    // Two texts are shown where somebody can choose.
    if problems.has_conflict("message") && unsaved.is_none() {
        return Ok(reply.go("/message"));
    }
    let typed = unsaved.as_ref().unwrap_or(&draft.typed);
    let settings = &typed.settings;
    let preview = match problems.is_empty() {
        true => Some(reply.own(reply.replies().preview(&reply.grant, browser).await)?),
        false => None,
    };
    let (zone, now) = (&organisation.zone, reply.state.clock.now());
    let day = |days| zone.date(zone.end_of_day(now, days)).to_string();
    let expiry = match settings.expiry_days.as_str() {
        "" => day(organisation.seal.expiry_days),
        typed => typed.parse().map_or_else(|_| typed.to_owned(), day),
    };
    let folded = ["cc", "bcc", "expiry", "password", "password-again"];
    problems.page(&CheckPage {
        visit,
        token: &reply.token,
        me,
        draft: &draft,
        typed,
        version: SettingsEdit::version_of(&draft.typed).to_text(),
        settings,
        preview: preview.as_ref(),
        is_transfer: organisation.reply.delivery == ReplyDelivery::Transfer,
        is_chosen: !settings.password.is_empty() || problems.has("password"),
        is_open: folded.iter().any(|field| problems.has(field)),
        expiry,
        first_day: day(1),
        last_day: day(*EXPIRY_DAYS.end()),
        language: settings.language.unwrap_or(organisation.language),
        problems: &problems,
    })
}

/// Moves every `style` attribute of a mail into its style sheet. In a mail of ours the text `style="` stands nowhere
/// else: quotes in what was typed are escaped.
fn with_style_sheet(html: &str, nonce: &str) -> String {
    const ATTRIBUTE: &str = " style=\"";
    let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut pieces = html.split(ATTRIBUTE);
    let mut body = pieces.next().unwrap_or("").to_owned();
    for piece in pieces {
        let (style, rest) = piece.split_once('"').unwrap_or(("", piece));
        let next = classes.len();
        let number = *classes.entry(style).or_insert(next);
        body.push_str(&format!(" data-style=\"{number}\"{rest}"));
    }
    let rules: String = classes
        .iter()
        .filter(|(style, _)| !style.contains(['<', '{', '}']))
        .map(|(style, number)| format!("[data-style=\"{number}\"]{{{style}}}\n"))
        .collect();
    let sheet = format!("<style nonce=\"{nonce}\">\n{rules}");
    match body.contains("<style>") {
        // Before the mail's own rules, as attributes would be, those marked important aside.
        true => body.replacen("<style>", &sheet, 1),
        false => body.replacen("</head>", &format!("{sheet}</style></head>"), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_keeps_its_looks_without_style_attributes() {
        let html = "<head><style>\n.x { color: red }\n</style></head><p style=\"margin:0\">a &#34;style=b</p>\
            <p class=\"x\" style=\"margin:0\">c</p><p style=\"x}<b>\">d</p>";
        let page = with_style_sheet(html, "n1");
        assert!(
            page.contains("<style nonce=\"n1\">\n[data-style=\"0\"]{margin:0}\n\n.x { color: red }"),
            "{page}"
        );
        assert!(page.contains("<p class=\"x\" data-style=\"0\">c</p>"), "{page}");
        assert!(!page.contains(" style=\"") && !page.contains("x}<b>"), "{page}");
        assert!(with_style_sheet("<head></head><p style=\"a:b\">", "n").contains("{a:b}\n</style></head>"));
    }
}
