//! The layer that leads from what mail programs, scanners and people make of a link to the link itself: `/t/<token>),`,
//! `/t/%20<TOKEN>`, `/t/<token>/?utm_source=x`. Only a token of ours leads anywhere, and only to its own pages; everything
//! else stays the page that is not there, like every token that is none (C15).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::percent_decode_str;

use super::admission::is_plain_path;
use super::error::WebError;
use super::visit::Visit;
use crate::sender::SenderService;
use crate::transfer::access::{Access, Around, Found};

/// Whoever knows what a token of ours is.
#[derive(Clone)]
pub struct Tokens {
    pub access: Arc<Access>,
    pub sender: SenderService,
}

/// What may follow a token. Of anything else only the token is kept.
const OF_TRANSFER: &[&str] = &["files", "message", "message.eml", "zip", "reply"];
const OF_SENDER: &[&str] = &["status.json", "proof", "proof.json", "recall", "extend", "resend", "unlock"];
/// Fields that we know in the query of a link.
const QUERY: &[&str] = &["lang", "next"];
/// Fields that others put there to follow people.
const TRACKING: &[&str] =
    &["fbclid", "gclid", "msclkid", "dclid", "yclid", "mc_cid", "mc_eid", "_hsenc", "_hsmi"];

/// Passes on every request, and leads on those that nothing is found for.
pub async fn lead(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    let asked = matches!(*request.method(), Method::GET | Method::HEAD).then(|| request.uri().clone());
    let asked = asked.filter(|asked| is_below_token(asked.path()));
    let Some((asked, visit)) = asked.zip(request.extensions().get::<Visit>().cloned()) else {
        return next.run(request).await;
    };
    if has_tracking(&asked) {
        match address(&tokens, &visit, &asked).await {
            Ok(Some(address)) => return Redirect::to(&address).into_response(),
            Ok(None) => {}
            Err(error) => return error.into_response(),
        }
    }
    let response = next.run(request).await;
    // The search costs more than most pages: only what is not there is worth it.
    if !matches!(response.extensions().get(), Some(WebError::NotFound)) {
        return response;
    }
    match address(&tokens, &visit, &asked).await {
        Ok(Some(address)) if address != asked.to_string() => Redirect::to(&address).into_response(),
        Ok(_) => response,
        Err(error) => error.into_response(),
    }
}

/// `/t/` and `/s/`, also where a slash stands twice or everything in capitals.
fn is_below_token(path: &str) -> bool {
    split(path).is_some()
}

fn split(path: &str) -> Option<(char, &str)> {
    let (kind, rest) = path.trim_start_matches('/').split_once('/')?;
    match kind {
        "t" | "T" => Some(('t', rest)),
        "s" | "S" => Some(('s', rest)),
        _ => None,
    }
}

fn has_tracking(uri: &Uri) -> bool {
    let fields = uri.query().unwrap_or("").split('&');
    let mut names = fields.map(|field| field.split('=').next().unwrap_or("").to_ascii_lowercase());
    names.any(|name| name.starts_with("utm_") || TRACKING.contains(&name.as_str()))
}

/// The clean address of what was asked, if there is a token in it that is of this organisation.
async fn address(tokens: &Tokens, visit: &Visit, asked: &Uri) -> Result<Option<String>, WebError> {
    let Some((kind, rest)) = split(asked.path()) else { return Ok(None) };
    let found = match kind {
        't' => {
            let found = tokens.access.find_token(&visit.scope(), rest, Around::Marks).await;
            found.map_err(|error| WebError::access(error, rest))?
        }
        _ => visit.actions(&tokens.sender).find_token(rest, Around::Marks).await?,
    };
    Ok(found.and_then(|found| clean(kind, asked, &found)))
}

/// Nothing where there is nothing to put right: what is not found then is not there.
fn clean(kind: char, asked: &Uri, found: &Found) -> Option<String> {
    let (path, token) = (asked.path(), &found.token);
    let page = page(kind, &found.rest);
    if let Some(below) = path
        .strip_prefix(&format!("/{kind}/{token}/"))
        .filter(|_| is_plain_path(path) && !has_tracking(asked))
    {
        let is_known = pages(kind).contains(&below.split('/').next().unwrap_or(""));
        if is_known || page.is_none() {
            return None;
        }
    }
    Some(format!("/{kind}/{token}{}{}", page.unwrap_or_default(), query(asked.query().unwrap_or(""))))
}

fn pages(kind: char) -> &'static [&'static str] {
    if kind == 't' { OF_TRANSFER } else { OF_SENDER }
}

/// The page below the token, where it is one of ours: `/files/3` of `>/Files/3).`
fn page(kind: char, rest: &str) -> Option<String> {
    let rest = decoded(&decoded(rest));
    let (_, rest) = rest.split_once('/')?;
    let segments = rest.split('/').map(name).take_while(|segment| !segment.is_empty());
    let segments: Vec<String> = segments.take(3).map(str::to_ascii_lowercase).collect();
    pages(kind).contains(&segments.first()?.as_str()).then(|| format!("/{}", segments.join("/")))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The name in a segment: up to the first character that no name of ours has.
fn name(segment: &str) -> &str {
    let is_odd = |c: char| !c.is_ascii_alphanumeric();
    segment.split(|c| is_odd(c) && c != '.').next().unwrap_or("").trim_end_matches(is_odd)
}

/// What we know of it.
fn query(query: &str) -> String {
    let is_known = |field: &&str| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        QUERY.contains(&name) && value.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    let kept: Vec<&str> = query.split('&').filter(is_known).take(QUERY.len()).collect();
    if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "k3m8xq2v7c001n4p6r8t0w2y4a6c8e0g2j4m6p8";

    fn cleaned(asked: &str, rest: &str) -> Option<String> {
        clean('t', &asked.parse().unwrap(), &Found { token: TOKEN.into(), rest: rest.into() })
    }

    #[test]
    fn only_pages_of_ours_follow_the_token() {
        let link = format!("/t/{TOKEN}");
        for (asked, rest, address) in [
            ("/t/TOKEN)", ")", Some(link.clone())),
            ("/t/TOKEN/", "/", Some(link.clone())),
            ("/t/TOKEN/reply).", "/reply).", Some(format!("{link}/reply"))),
            ("/T/TOKEN/FILES/3%3E", "/FILES/3>", Some(format!("{link}/files/3"))),
            ("/t/TOKEN/en%20verder", "/en verder", Some(link.clone())),
            ("/t/TOKEN//evil.example", "//evil.example", Some(link.clone())),
            ("/t/TOKEN/files/../../../help", "/files/../../../help", Some(format!("{link}/files"))),
            (
                "/t/TOKEN/?utm_source=a&next=reply&lang=nl&x=1",
                "/",
                Some(format!("{link}?next=reply&lang=nl")),
            ),
            ("/t/TOKEN/?next=//evil.example", "/", Some(link.clone())),
        ] {
            assert_eq!(cleaned(&asked.replace("TOKEN", TOKEN), rest), address, "{asked}");
        }
        for below in ["/nonsense", "/files/-1", "/files/2-", "/files/99", "/reply/nonsense"] {
            assert_eq!(cleaned(&format!("{link}{below}"), below), None, "{below}");
        }
    }

    proptest::proptest! {
        /// What is clean stays, so that nobody is led in a circle; and every address is one of this site.
        #[test]
        fn an_address_is_led_to_once(rest in "(/?(reply|files|[!-~]{0,4})){0,4}") {
            let asked = format!("/t/{TOKEN}{}", rest.replace(['#', '?', '"', '<', '>', '\\', '^', '`', '{', '|', '}', '%'], ")"));
            let first = cleaned(&asked, &asked[3 + TOKEN.len()..]);
            if let Some(address) = first {
                let link = ["/t/", TOKEN].concat();
                proptest::prop_assert!(address.starts_with(&link));
                let tail = address[3 + TOKEN.len()..].to_owned();
                proptest::prop_assert!(cleaned(&address, &tail).is_none_or(|again| again == address));
            }
        }
    }
}
