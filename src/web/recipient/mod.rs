//! The pages of a recipient: the link, the password, and what the transfer holds.

mod ask;
pub(super) mod awaited;
mod download;
pub(super) mod guesses;
pub(super) mod handouts;
mod html;
mod message;
mod notes;
mod parts;
mod preview;
pub(super) mod session;
mod start;
mod stay;
mod text;
mod transfer;
mod unlock;
pub(super) mod zip;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use super::state::RecipientState;

/// Everything under `/t/{token}` but the answer, and the page where a link is typed.
pub fn routes(state: RecipientState) -> Router {
    let opened = Router::new()
        .route("/t/{token}/files", get(transfer::show))
        .route("/t/{token}/files/{number}", get(download::file))
        .route("/t/{token}/files/{number}/view", get(preview::view))
        .route("/t/{token}/files/{number}/preview", get(preview::content))
        .route("/t/{token}/message", get(message::show))
        .route("/t/{token}/message.eml", get(download::original))
        .route("/t/{token}/zip", get(zip::download))
        .route("/t/{token}/finish", post(transfer::finish))
        .route("/t/{token}/stay", post(stay::stay))
        .layer(from_fn(guesses::refuse));
    Router::new()
        .route("/", get(start::show))
        .route("/t/{token}", get(unlock::show).post(unlock::open))
        .route("/t/{token}/ask", post(ask::ask))
        .merge(opened)
        .with_state(state)
}
