//! What monitoring asks for, on a listener of its own: never reachable through the web pages (C27).

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::clock::{Clock, Timestamp};
use crate::store::{Gauges, Store, StoreError};

/// What the figures come from.
#[derive(Clone)]
pub struct Admin {
    /// Asked at every request.
    pub store: Arc<dyn Store>,
    /// For ages.
    pub clock: Clock,
}

/// `/healthz`, `/readyz` and `/metrics`
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(admin)
}

/// Ready means: the store answers.
async fn ready(State(admin): State<Admin>) -> Response {
    match admin.store.gauges(admin.clock.now()).await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let now = admin.clock.now();
    match admin.store.gauges(now).await {
        Ok(gauges) => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4")], exposition(&gauges, now)).into_response()
        }
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &StoreError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("the store does not answer: {error}\n")).into_response()
}

/// The Prometheus text format, version 0.0.4.
fn exposition(gauges: &Gauges, now: Timestamp) -> String {
    let age = |time: Timestamp| u64::try_from(now.duration_since(time).as_secs()).unwrap_or(0);
    let oldest = gauges.oldest_queued.map_or(0, age);
    let figures = [
        ("zegel_queue_items", "Items in the queue.", gauges.queued),
        ("zegel_queue_oldest_seconds", "Age of the oldest item in the queue.", oldest),
        ("zegel_transfers", "Transfers that can still be opened.", gauges.transfers),
        ("zegel_locked_links", "Links that are closed after too many wrong passwords.", gauges.locked_links),
    ];
    let mut text = String::new();
    for (name, help, value) in figures {
        let line = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        debug_assert!(line.is_ok(), "writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_prometheus_format() {
        let mut gauges = Gauges { queued: 3, transfers: 2, locked_links: 1, ..Gauges::default() };
        let now = Timestamp::from_second(100).unwrap();
        gauges.oldest_queued = Some(Timestamp::from_second(40).unwrap());
        let text = exposition(&gauges, now);
        assert!(text.contains("\nzegel_queue_items 3\n") || text.contains("gauge\nzegel_queue_items 3\n"));
        assert!(text.contains("\nzegel_queue_oldest_seconds 60\n"));
        gauges.oldest_queued = None;
        assert!(exposition(&gauges, now).contains("\nzegel_queue_oldest_seconds 0\n"));
    }
}
