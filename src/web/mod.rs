//! The pages on which recipients open their transfers and senders follow them. [`router`] makes them, [`http::server`]
//! serves them, `serve.rs` starts both. The way of a request: `http::server` -> `http::layers` -> one handler ->
//! `transfer::access`.
//!
//! What must never happen here: a GET that changes or counts something (H21), a password or a
//! name from a mail in a URL, a title or a log, a byte of mail shown outside a sandbox (C18, C19).

pub mod admin;
mod assets;
pub mod http;
mod info;
mod recipient;
mod reply;
mod sender;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;

use http::error::WebError;
use http::throttles::Throttles;
use http::tidy::Tokens;
use http::{forms, layers};
pub use state::WebState;

/// Every route there is; docs/reference.md has them for the outside. Whatever a browser sends is read before its handler sees it, uploads aside.
pub fn router(state: WebState) -> Router {
    let throttles = Arc::<Throttles>::default();
    let reply = state.reply(throttles.clone());
    let pages = Router::new()
        .merge(recipient::routes(state.recipient()))
        .merge(reply::routes(reply.clone()))
        .merge(sender::routes(state.sender()))
        .merge(info::routes(state.clock.clone()))
        .fallback(async || WebError::NotFound)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(forms::read_whole));
    let uploads = reply::uploads(reply).method_not_allowed_fallback(method_not_allowed);
    let tokens = Tokens { access: state.access, sender: state.sender };
    layers::around(pages.merge(uploads), state.settings, throttles, tokens, state.clock, state.metrics)
}

async fn method_not_allowed() -> WebError {
    WebError::MethodNotAllowed
}
