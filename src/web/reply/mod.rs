//! The pages on which a recipient answers: who you are, message and files, check and send, and the summary.
//! One file for each screen; [`upload`] takes files in pieces (tus), [`form`] takes them from a plain form.
//! What an answer is, and whom it may reach, is decided in `crate::reply` alone (C12).
//!
//! What must never happen here: a GET that changes something (H21), a request that acts without a session
//! for this very link (C17) — so every handler starts from a [`context::ReplyContext`], and there is no other way to one than
//! that check —, an upload that is held in memory.

mod carried;
mod check;
mod code;
mod context;
mod form;
mod gone;
mod incoming;
mod message;
mod problem;
mod resume;
mod sent;
mod settings;
mod upload;
mod who;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, head, post};

use super::recipient::guesses;
use super::state::ReplyState;

/// Everything under `/t/{token}/reply` that takes small forms.
pub fn routes(state: ReplyState) -> Router {
    Router::new()
        .route("/t/{token}/reply", get(who::show).post(who::submit))
        .route("/t/{token}/reply/other", post(who::forget))
        .route("/t/{token}/reply/code", get(code::show).post(code::submit))
        .route("/t/{token}/reply/check", get(check::show).post(check::save))
        .route("/t/{token}/reply/strength", post(check::strength))
        .route("/t/{token}/reply/preview", get(check::preview))
        .route("/t/{token}/reply/sent", get(sent::show).post(sent::send))
        .layer(from_fn(guesses::refuse))
        .with_state(state)
}

/// The rest, to which a large body may come: its handler reads it as a stream, after it has found out who sends it.
pub fn uploads(state: ReplyState) -> Router {
    let file = head(upload::status).patch(upload::append).delete(upload::remove).post(upload::overridden);
    Router::new()
        .route("/t/{token}/reply/message", get(message::show).post(message::submit))
        .route("/t/{token}/reply/resume", post(resume::submit))
        .route("/t/{token}/reply/files", post(upload::create).options(upload::options))
        .route("/t/{token}/reply/files/{id}", file)
        .layer(from_fn(guesses::refuse))
        .with_state(state)
}
