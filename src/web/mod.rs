//! The pages on which recipients open their transfers. [`router`] makes them, [`server`] serves them,
//! `serve.rs` starts both. The way of a request: `server` -> `security` -> one handler -> `transfer::access`.
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

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::clock::Clock;
use crate::reply::{Replies, ReplyService};
use crate::sender::{Actions, SenderService};
use crate::settings::CurrentSettings;
use crate::store::DownloadStore;
use crate::transfer::access::{Access, Grant};
use http::error::WebError;
use http::page::Visit;
use http::throttles::Throttles;
use recipient::{ask, download, message, preview, start, transfer, unlock, zip};
use sender::{proof, status};

/// What the pages stand on.
#[derive(Clone)]
pub struct Parts {
    /// Opens transfers; nobody else does.
    pub access: Arc<Access>,
    /// Takes answers in.
    pub replies: ReplyService,
    /// What senders do with their transfers.
    pub sender: SenderService,
    /// Notes what is handed out.
    pub downloads: Arc<dyn DownloadStore>,
    /// Taken once for every request.
    pub settings: CurrentSettings,
    /// For dates and Retry-After.
    pub clock: Clock,
    /// Streams at once; made by [`Parts::new`].
    streams: http::stream::Streams,
    /// How often; made by [`Parts::new`].
    throttles: Arc<Throttles>,
}

impl Parts {
    /// For a stream of what `grant` opens.
    fn watch(&self, visit: &Visit, grant: &Grant) -> http::stream::Watch {
        let (access, actions) = (self.access.clone(), self.actions(visit));
        http::stream::Watch { access, actions, grant: grant.clone(), client: visit.client }
    }

    /// What senders do, by the settings of this visit.
    fn actions(&self, visit: &Visit) -> Actions {
        self.sender.under(visit.settings.clone())
    }

    /// Answers to what `grant` opens, by the settings of this visit.
    fn replies(&self, visit: &Visit, grant: &Grant) -> Replies {
        self.replies.under(visit.settings.clone(), &grant.link().transfer)
    }

    /// Brings them together.
    pub fn new(
        access: Arc<Access>,
        replies: ReplyService,
        sender: SenderService,
        downloads: Arc<dyn DownloadStore>,
        settings: CurrentSettings,
        clock: Clock,
    ) -> Self {
        let (streams, throttles) = (http::stream::Streams::default(), Arc::default());
        Self { access, replies, sender, downloads, settings, clock, streams, throttles }
    }
}

/// Every route there is; docs/reference.md has them for the outside.
pub fn router(parts: Parts) -> Router {
    Router::new()
        .route("/", get(start::show))
        .route("/t/{token}", get(unlock::show).post(unlock::open))
        .route("/t/{token}/files", get(transfer::show))
        .route("/t/{token}/files/{number}", get(download::file))
        .route("/t/{token}/files/{number}/view", get(preview::view))
        .route("/t/{token}/files/{number}/preview", get(preview::content))
        .route("/t/{token}/message", get(message::show))
        .route("/t/{token}/message.eml", get(download::original))
        .route("/t/{token}/zip", get(zip::download))
        .route("/t/{token}/finish", post(transfer::finish))
        .route("/t/{token}/ask", post(ask::ask))
        .route("/s/{token}", get(status::show))
        .route("/s/{token}/status.json", get(status::json))
        .route("/s/{token}/proof", get(proof::show))
        .route("/s/{token}/proof.json", get(proof::json))
        .route("/s/{token}/{action}", get(status::confirm).post(status::act))
        .route("/s/{token}/{action}/{number}", get(status::confirm).post(status::act))
        .merge(reply::routes())
        .route("/help", get(info::help))
        .route("/privacy", get(info::privacy))
        .route("/accessibility", get(info::accessibility))
        .route("/.well-known/security.txt", get(info::security_txt))
        .route("/robots.txt", get(info::robots))
        .route("/favicon.ico", get(assets::favicon))
        .route("/assets/{name}", get(assets::serve))
        .fallback(async || WebError::NotFound)
        .method_not_allowed_fallback(async || WebError::MethodNotAllowed)
        .layer(from_fn_with_state(parts.clone(), http::security::guard))
        .with_state(parts)
}
