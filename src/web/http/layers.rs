//! The layers around every handler, and their order.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use super::throttles::{self, Throttles};
use super::tidy::{self, Tokens};
use super::{admission, counted, error_page, headers, visit};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::settings::CurrentSettings;

/// Around all routes, from the outside in: what is counted; the client, the language and the organisation; the security headers of whatever goes out;
/// the page of an error; the clean address of a link; how often somebody asks; what is meant for these pages at all.
pub fn around(
    routes: Router,
    settings: CurrentSettings,
    throttles: Arc<Throttles>,
    tokens: Tokens,
    clock: Clock,
    metrics: Metrics,
) -> Router {
    let sender = tokens.sender.clone();
    routes
        .layer(from_fn(admission::admit))
        .layer(from_fn_with_state(throttles, throttles::admit))
        .layer(from_fn_with_state(tokens, tidy::lead))
        .layer(from_fn_with_state((sender, clock), error_page::show))
        .layer(from_fn(headers::protect))
        .layer(from_fn_with_state(settings.clone(), visit::introduce))
        .layer(from_fn_with_state((metrics, settings), counted::count))
}
