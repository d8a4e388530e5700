//! Counts requests, by the template of their route, and how long their answer took to begin.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::visit;
use crate::metrics::{Metrics, NONE};
use crate::settings::CurrentSettings;

/// The outermost layer: whatever the others answer by themselves counts too.
pub async fn count(
    State((metrics, settings)): State<(Metrics, CurrentSettings)>,
    request: Request,
    next: Next,
) -> Response {
    let (method, begun) = (word(request.method()), Instant::now());
    let host = visit::named_host(request.uri(), request.headers());
    let organisation = settings.get().for_host(host).map(|organisation| organisation.id());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NONE, MatchedPath::as_str);
    let answered = (method, route, response.status().as_u16());
    metrics.request(organisation.as_ref(), answered, begun.elapsed());
    response
}

/// A method that nobody has registered is one of the client's own making.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
