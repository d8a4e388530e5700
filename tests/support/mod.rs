//! What tests share. Each test file uses its own part of it.
#![allow(dead_code, missing_docs)]

pub mod queue;
pub mod smarthost;
