//! Work that is done at intervals. `serve` starts and stops it.

pub mod chain;
pub mod heartbeat;
pub mod master_keys;
pub mod reminders;
pub mod retention;
pub mod tracking;
