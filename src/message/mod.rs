//! Messages (RFC 5322, RFC 2045): a parsed view of what came in. Called by `policy`, `transfer`, `notify`
//! and `intake`; pure and without I/O.
//!
//! The relay path sends the bytes themselves, never anything that was made here (H03).
//! Nothing here may panic, recurse without bound or take more than linear time, whatever the message (H13).

pub mod attached;
pub mod automatic;
mod blank;
mod calendar;
pub mod crlf;
pub mod date;
mod decode;
mod encoded;
pub mod flowed;
pub mod header;
pub mod html;
pub mod invitation;
pub mod kind;
mod leaf;
pub mod mailbox;
mod media_type;
pub mod mime;
pub mod name;
pub mod note;
mod opened;
mod parameter;
mod placing;
pub mod references;
pub mod report;
pub mod rewrite;
mod shown;
mod signed;
mod tnef;
pub mod traits;
mod uuencode;
mod walk;
