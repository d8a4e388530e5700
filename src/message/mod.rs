//! Messages (RFC 5322).

pub mod crlf;
