//! What is done by the clock, not because somebody asks. Started and stopped by `serve`.

pub mod reminders;
pub mod retention;
