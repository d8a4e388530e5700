//! What the tests share: the real binary, a plain client, a scripted smarthost, Postfix, clamd, a browser.
//! Each test file uses its own part of it.
#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod browser;
pub mod clamd;
pub mod client;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod crash;
#[cfg(feature = "cluster")]
pub mod crash_cluster;
pub mod demo;
pub mod disk;
pub mod document;
pub mod firefox;
pub mod gateway;
pub mod haproxy;
pub mod load;
pub mod mail;
pub mod nsd;
pub mod outage;
pub mod place;
pub mod postfix;
pub mod postgresql;
pub mod proxy;
pub mod queue;
pub mod radosgw;
pub mod remains;
pub mod resident;
pub mod s3;
pub mod shared;
pub mod smarthost;
pub mod web;
