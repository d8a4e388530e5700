//! Work that is done at intervals. `serve` starts and stops it.

pub mod reminders;
pub mod retention;
