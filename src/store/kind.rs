//! What kind of mail an item of the queue is.

use super::{Result, StoreError};

/// What a queue item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueItemKind {
    /// A message that passes unchanged.
    Message,
    /// To a recipient: there is a transfer for you.
    Notification,
    /// To the sender: it was sealed, and this is the password.
    Receipt,
    /// To the sender: it could not be delivered (RFC 3464).
    Report,
    /// To a recipient: the sender has taken it back.
    Recall,
    /// To the sender: a recipient came too late and asks for it.
    Ask,
    /// To a recipient who has not opened yet.
    Reminder,
    /// To the sender: these recipients have not opened yet.
    Unopened,
    /// To the sender: a recipient has downloaded something.
    Download,
    /// To the sender: a part of it was lost, and a recipient could not read it.
    Lost,
    /// To staff: the answer of a recipient. Its reverse path is the verified address of its author, and only our own
    /// failure reports go there (H08); it leaves with `reply.bounces` as its sender.
    Reply,
    /// To the author of an answer: it was sent.
    Confirmation,
    /// To a recipient who wants to answer: the code that proves the address.
    Verification,
    /// To the postmaster: a mail that has no sender to tell could not be delivered.
    Undelivered,
}

impl QueueItemKind {
    /// Each of them.
    pub const ALL: [Self; 14] = [
        Self::Message,
        Self::Notification,
        Self::Receipt,
        Self::Report,
        Self::Recall,
        Self::Ask,
        Self::Reminder,
        Self::Unopened,
        Self::Download,
        Self::Lost,
        Self::Reply,
        Self::Confirmation,
        Self::Verification,
        Self::Undelivered,
    ];

    /// The word in the database, in logs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Notification => "notification",
            Self::Receipt => "receipt",
            Self::Report => "report",
            Self::Recall => "recall",
            Self::Ask => "ask",
            Self::Reminder => "reminder",
            Self::Unopened => "unopened",
            Self::Download => "download",
            Self::Lost => "lost",
            Self::Reply => "reply",
            Self::Confirmation => "confirmation",
            Self::Verification => "verification",
            Self::Undelivered => "undelivered",
        }
    }
}

impl std::fmt::Display for QueueItemKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for QueueItemKind {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(StoreError::Corrupt("queue item kind"))
    }
}
