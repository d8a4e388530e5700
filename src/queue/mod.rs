//! The queue: mail that is promised and not yet handed on. The rows are in `store`; here is what is done
//! with them.
//!
//! `outbox/body` encrypts what waits on disk, [`worker`] hands it to the next hop, `queued_message` is what that reads, `in_flight` are its deliveries under way,
//! `routing` says which way a mail goes, `shares` how many connections an organisation may have, [`outage`] which next hops take no mail, `alarm` what an administrator must mend, [`retry`] says when to try again and when to
//! give up, `bounce` tells the sender, [`forget`] ends the keys of what is gone. `intake` seals bodies and wakes the
//! worker; nobody else calls.

mod alarm;
mod bounce;
pub mod forget;
mod in_flight;
pub mod outage;
mod queued_message;
pub mod retry;
mod routing;
mod shares;
pub mod worker;
