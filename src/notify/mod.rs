//! notify

pub mod failure;
