//! Messages (RFC 5322, MIME): a parsed view on octets that stay as they are, and the few new header
//! fields we write. Used by `intake`, `policy`, `transfer` and `notify`. Pure, and never the cause of a
//! crash: every octet here comes from strangers (H13).

pub mod crlf;
pub mod encoded;
pub mod header;
pub mod mailbox;
pub mod mime;
pub mod names;
mod parameters;
pub mod rewrite;
mod structure;
mod tnef;
