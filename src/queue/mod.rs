//! The queue: mail that is promised and not yet handed on. The rows are in `store`; here is what is done
//! with them.
//!
//! [`body`] encrypts what waits on disk, [`worker`] hands it to the relay, `flights` are its deliveries under way,
//! [`retry`] says when to try again and when to give up, `bounce` tells the sender. `intake` seals bodies and
//! wakes the worker; nobody else calls.

pub mod body;
mod bounce;
mod flights;
pub mod retry;
pub mod worker;
