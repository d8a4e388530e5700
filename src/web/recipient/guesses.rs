//! The layer around everything of an opened transfer: what a browser or a proxy fetches only because somebody might ask
//! for it gets nothing, so that there is nothing to note (C39). The page before the password has nothing to give.

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, NoContent, Response};

use super::session;
use crate::web::http::visit::Visit;

/// Fields in which a guess says that it is one, and their words: today's, and those of older browsers.
const GUESSES: [(&str, &[&str]); 4] = [
    ("sec-purpose", &["prefetch", "prerender", "preview"]),
    ("purpose", &["prefetch", "prerender", "preview"]),
    ("x-purpose", &["prefetch", "preview"]),
    ("x-moz", &["prefetch"]),
];

/// Passes on what somebody asks for.
pub async fn refuse(visit: Visit, request: Request, next: Next) -> Response {
    match is_guess(&visit, &request) {
        true => NoContent.into_response(),
        false => next.run(request).await,
    }
}

/// Whether the request says that it is one. Only a session has something to give.
fn is_guess(visit: &Visit, request: &Request) -> bool {
    let token = request.uri().path().split('/').nth(2).unwrap_or("");
    let says = |(name, words): &(&str, &[&str])| {
        let values = request.headers().get_all(*name).iter();
        let mut values = values.map(|value| value.to_str().unwrap_or("").to_ascii_lowercase());
        values.any(|value| words.iter().any(|word| value.contains(word)))
    };
    matches!(*request.method(), Method::GET | Method::HEAD)
        && !session::value(visit, token, request.headers()).is_empty()
        && GUESSES.iter().any(says)
}
