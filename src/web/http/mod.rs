//! What HTTP asks of every page: connections, limits, the layers around every handler, streams, errors. It knows no page.

pub(super) mod activity;
mod admission;
pub(super) mod client;
mod connection_slots;
pub(super) mod cookies;
mod counted;
pub(crate) mod error;
mod error_page;
pub(super) mod forms;
pub(super) mod headers;
pub(super) mod layers;
mod linger;
pub mod multipart;
pub(super) mod ranges;
pub(super) mod render;
pub mod server;
mod stalling;
pub(super) mod stream;
pub(super) mod throttles;
pub(super) mod tidy;
pub mod tus;
pub(super) mod tus_response;
pub(super) mod visit;
