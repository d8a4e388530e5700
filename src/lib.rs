//! Zegel: an SMTP gateway that takes confidential mail out of the mail stream, seals it into a transfer,
//! and sends a notification with a link instead. See docs/architecture.md for the map.
//!
//! The modules from top to bottom; each uses only those below it.

pub mod cli;
pub mod demo;
pub mod serve;

pub mod check;
pub mod web;

pub mod reply;

pub mod jobs;
pub mod sender;

pub mod intake;
pub mod verification;

pub mod queue;
pub mod smtp;

pub mod delivery;

pub mod home;
#[cfg(feature = "cluster")]
pub mod moving;

pub mod backup;
pub mod data_folder;
pub mod inventory;
pub mod master_keys;
pub mod outbox;
pub mod person;
pub mod transfer;

pub mod settings;

pub mod policy;
pub mod seal;

pub mod message;
pub mod store;

pub mod audit;
pub mod config;
pub mod control;
pub mod locale;
pub mod log;
pub mod sandbox;
pub mod staff;

pub mod envelope;
pub mod metrics;
pub mod throttle;
pub mod tls;

pub mod address;
pub mod calendar;
pub mod cause;
pub mod connections;
pub mod diagnostic;
pub mod fair;
pub mod limits;
pub mod proxy_protocol;

pub mod id;

pub mod clock;
pub mod memory;
pub mod secret;
