//! The SMTP client: `connection` opens a connection, `transaction` sends one mail over it. Used by `smarthost`.

mod auth;
pub(super) mod command;
pub(super) mod connection;
pub(super) mod extensions;
pub mod reply;
pub mod stuffing;
pub(super) mod transaction;
mod wire;
