//! What is found out about a message: yes, no, or nothing.

/// Whether something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Yes,
    No,
    /// A limit, or damage to the message, kept us from finding out.
    Unknown,
}

impl From<bool> for Finding {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}
