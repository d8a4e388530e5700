//! The pages of a sender: what became of a transfer, what can be done with it, and the proof of a recall.

mod confirm;
mod proof;
pub(super) mod status;

use axum::Router;
use axum::routing::get;

use super::state::SenderState;

/// Everything under `/s/{token}`.
pub fn routes(state: SenderState) -> Router {
    Router::new()
        .route("/s/{token}", get(status::show))
        .route("/s/{token}/status.json", get(status::json))
        .route("/s/{token}/proof", get(proof::show))
        .route("/s/{token}/proof.json", get(proof::json))
        .route("/s/{token}/{action}", get(confirm::ask_first).post(confirm::act))
        .route("/s/{token}/{action}/{number}", get(confirm::ask_first).post(confirm::act))
        .with_state(state)
}
