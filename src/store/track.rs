//! What is kept of a mail so that it can be found: what goes with it through queue and journal, and a row for each recipient. How
//! it is kept and found is in `tracking`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{QueueItemKind, Result, StoreError};
use crate::clock::Timestamp;
use crate::id::{OrganisationId, QueueId, TransferId};

/// Characters of a Message-ID that are kept: those of RFC 5322 programs have less than a hundred.
const LONGEST_ID: usize = 250;
/// Characters of a next hop's answer.
const LONGEST_ANSWER: usize = 200;

/// What a queued mail is found by. It goes with the mail, through the journal too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// The message that it comes of. `None`: the one that its transfer was sealed from, or itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<QueueId>,
    /// The transfer that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferId>,
    /// Its Message-ID, as [`message_id`] bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Bytes of the mail.
    #[serde(default)]
    pub size: u64,
    /// Who brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// By the number of the recipient, the rule that let it pass. None for the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Option<String>>,
}

impl Track {
    /// The rule for this recipient.
    pub fn rule(&self, number: u32) -> Option<&str> {
        let place = (number as usize).checked_sub(1)?;
        self.rules.get(place)?.as_deref()
    }
}

/// A Message-ID as it is kept, logged and compared: printable, bounded, with its brackets.
pub fn message_id(text: &str) -> Option<String> {
    let is_around = |c: char| c.is_whitespace() || "<>".contains(c);
    let printable: String = text.chars().filter(|c| !c.is_control()).collect();
    let inside: String = printable.trim_matches(is_around).chars().take(LONGEST_ID).collect();
    let inside = inside.trim_end_matches(is_around);
    (!inside.is_empty()).then(|| format!("<{inside}>"))
}

/// The answer with which the next hop took a mail, such as "250 2.0.0 queued as 4Ym": one printable line. What looks like an
/// address of the web is left out: nobody needs it to find a mail, and ours are secret.
pub fn taken_answer(code: u16, text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| if word.contains("//") { "…" } else { word }).collect();
    format!("{code:03} {}", words.join(" ")).trim_end().chars().take(LONGEST_ANSWER).collect()
}

/// What became of a mail for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackState {
    /// It is in the queue.
    Waiting,
    /// It is in the queue, and not tried again by itself.
    Frozen,
    /// The next hop took it.
    Delivered,
    /// It was given up; its sender was told.
    Failed,
    /// It left the queue undelivered: an administrator dropped it, or its transfer was recalled.
    Removed,
    /// It was sealed: its notification is another mail.
    Sealed,
    /// It was never accepted.
    Refused,
}

impl TrackState {
    const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Frozen,
        Self::Delivered,
        Self::Failed,
        Self::Removed,
        Self::Sealed,
        Self::Refused,
    ];

    /// The word in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Frozen => "frozen",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Removed => "removed",
            Self::Sealed => "sealed",
            Self::Refused => "refused",
        }
    }
}

impl std::str::FromStr for TrackState {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or(StoreError::Corrupt("state of a tracked mail"))
    }
}

/// One recipient of one mail. Addresses are in the form in which all spellings of a mailbox are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrackRow {
    /// The message that it comes of: the id in the 250, and in every line of the log.
    pub tracking: QueueId,
    /// The item of the queue; `None` where there is none, because the message was sealed or refused.
    pub item: Option<QueueId>,
    /// The number within the item, or within the transfer.
    #[serde(skip)]
    pub number: u32,
    /// When it was accepted.
    pub time: Timestamp,
    pub kind: QueueItemKind,
    /// Empty: the null reverse path.
    pub sender: String,
    pub recipient: String,
    pub message_id: Option<String>,
    pub size: u64,
    /// Who brought it.
    pub client: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The transfer that it was sealed into, or is about.
    pub transfer: Option<TransferId>,
    /// Whose link of it.
    pub link: Option<u16>,
    pub state: TrackState,
    /// How often it was tried.
    pub attempts: u32,
    /// When that was last, or when the state became what it is.
    pub changed: Timestamp,
    /// The server that it was handed to, or is tried at.
    pub next_hop: Option<String>,
    /// How that connection was encrypted.
    pub tls: Option<String>,
    /// What it answered, or why the mail waits.
    pub answer: Option<String>,
    /// Whose it is; `None` in a row from before there could be several, and of a sender whom nobody here knows.
    pub organisation: Option<OrganisationId>,
}

/// What the next hop had to do with an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HopReport {
    /// With what words it took the mail, as [`taken_answer`] writes them.
    pub answer: Option<String>,
    /// Version, cipher suite, and whether its certificate was verified; `None` where nothing was sent, or in clear.
    pub tls: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_one_bounded_printable_word() {
        assert_eq!(message_id(" <a@b> ").as_deref(), Some("<a@b>"));
        assert_eq!(message_id("a@b").as_deref(), Some("<a@b>"));
        assert_eq!(message_id("<a\u{1b}[2J\0@b>").as_deref(), Some("<a[2J@b>"));
        assert_eq!(message_id("<>"), None);
        assert_eq!(message_id(&"x".repeat(5000)).map(|id| id.len()), Some(LONGEST_ID + 2));
    }

    #[test]
    fn an_answer_is_one_line_without_links() {
        assert_eq!(taken_answer(250, "2.0.0 Ok: queued as 4Ym"), "250 2.0.0 Ok: queued as 4Ym");
        assert_eq!(taken_answer(250, "ok https://x/t/geheim\r\n\u{7}bye"), "250 ok … bye");
        assert_eq!(taken_answer(250, ""), "250");
        assert_eq!(taken_answer(250, &"x ".repeat(500)).chars().count(), LONGEST_ANSWER);
    }
}
