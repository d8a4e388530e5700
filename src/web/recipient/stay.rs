//! "I am still here": what a page asks before half an hour without use ends the visit (WCAG 2.2.1).

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, NoContent, Response};

use super::session;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::state::RecipientState;

/// `POST /t/{token}/stay`: the session is used, and nothing else happens.
pub async fn stay(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    session::grant(&state.access, &visit, &token, &headers).await?;
    Ok(NoContent.into_response())
}
