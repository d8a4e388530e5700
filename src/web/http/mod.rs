//! What HTTP asks of every page: connections, limits, the guard around every handler, streams, errors. It knows no page.

pub(super) mod activity;
pub(super) mod error;
mod linger;
pub mod multipart;
pub(super) mod page;
mod places;
pub(super) mod security;
pub mod server;
pub(super) mod stream;
pub(super) mod throttles;
pub mod tus;
