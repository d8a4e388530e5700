//! What the tests share: the real binary, a plain client, a scripted smarthost, a browser.
#![allow(dead_code, reason = "every test file uses only some of it")]

pub mod browser;
pub mod client;
pub mod gateway;
pub mod mail;
pub mod postfix;
pub mod smarthost;
