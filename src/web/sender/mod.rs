//! The pages of a sender: what became of a transfer, what can be done with it, and the proof of a recall.

pub(super) mod proof;
pub(super) mod status;
