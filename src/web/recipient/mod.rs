//! The pages of a recipient: the link, the password, and what the transfer holds.

pub(super) mod ask;
pub(super) mod download;
pub(super) mod message;
pub(super) mod note;
pub(super) mod preview;
pub(super) mod session;
pub(super) mod start;
pub(super) mod transfer;
pub(super) mod unlock;
pub(super) mod zip;
