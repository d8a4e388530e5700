//! What monitoring asks for, on a listener of its own: never reachable through the web pages (C27). [`observed`] looks at the
//! gateway, `checks` says whether mail can flow, `ready` and `figures` write it down.

mod checks;
mod clock_watch;
mod figures;
mod observed;
mod ready;
mod scanner_watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::Response;
use axum::routing::get;
use prometheus_client::registry::Registry;

use self::checks::checks;
use self::clock_watch::ClockWatch;
use self::figures::figures;
use self::observed::Observed;
use self::scanner_watch::ScannerWatch;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::metrics::exposition::{self, Format};
use crate::metrics::{Metrics, process};
use crate::queue::outage::NextHops;
use crate::secret::masters::Generations;
use crate::settings::CurrentSettings;
use crate::store::{Blobs, GaugeStore, NodeStore};

/// What is looked at.
pub struct AdminParts {
    /// Asked at every request.
    pub store: Arc<dyn GaugeStore>,
    /// How this node is.
    pub node: Arc<dyn NodeStore>,
    /// The master keys.
    pub generations: Generations,
    /// For the room on the disk.
    pub blobs: Arc<dyn Blobs>,
    /// For certificates, and for what is worth a note.
    pub settings: CurrentSettings,
    /// For ages.
    pub clock: Clock,
    /// What the worker has learnt of them.
    pub next_hops: NextHops,
    /// What the parts count.
    pub metrics: Metrics,
    /// Connections of the SMTP listener.
    pub smtp: Arc<Connections>,
    /// Connections of the pages.
    pub web: Arc<Connections>,
}

/// The same, with what was seen at the last look.
#[derive(Clone)]
struct AdminState {
    parts: Arc<AdminParts>,
    clock_watch: Arc<ClockWatch>,
    scanner: Arc<ScannerWatch>,
}

/// `/healthz`, `/readyz` and `/metrics`
pub fn router(parts: AdminParts) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/readyz.json", get(ready_json))
        .route("/metrics", get(metrics))
        .with_state(AdminState {
            parts: Arc::new(parts),
            clock_watch: Arc::default(),
            scanner: Arc::default(),
        })
}

async fn ready(State(admin): State<AdminState>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asks = query.is_some_and(|query| query.split('&').any(|pair| pair == "format=json"));
    let observed = Observed::of(&admin).await;
    let checks = checks(&observed);
    match asks || accept(&headers).contains("application/json") {
        true => ready::as_json(&observed, &checks),
        false => ready::as_text(&checks),
    }
}

async fn ready_json(State(admin): State<AdminState>) -> Response {
    let observed = Observed::of(&admin).await;
    ready::as_json(&observed, &checks(&observed))
}

/// What cannot be asked just now is left out: the rest is worth most then.
async fn metrics(
    State(admin): State<AdminState>,
    headers: HeaderMap,
) -> ([(axum::http::HeaderName, &'static str); 1], String) {
    let observed = Observed::of(&admin).await;
    let now = figures(&observed, &checks(&observed));
    let mut process = Registry::default();
    process::register(&mut process);
    let format = Format::accepted(accept(&headers));
    let text = exposition::text(format, &[admin.parts.metrics.registry(), &now, &process]);
    ([(CONTENT_TYPE, format.content_type())], text)
}

fn accept(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default()
}
