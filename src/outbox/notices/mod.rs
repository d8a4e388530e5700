//! One file for each mail that zegel writes.

pub mod ask;
pub mod confirmation;
pub mod download;
pub mod failure;
pub mod lost;
pub mod notification;
pub mod recall;
pub mod receipt;
pub mod reminder;
pub mod reply;
pub mod reply_notice;
pub mod undelivered;
pub mod unopened;
pub mod verification;
