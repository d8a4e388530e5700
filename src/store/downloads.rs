//! What is handed out of a transfer is noted before it is. Used by `web/note`.

use std::time::Duration;

use async_trait::async_trait;

use super::{NewItem, Result};
use crate::audit::Event;
use crate::clock::{Timestamp, earlier};
use crate::id::Link;
use crate::limits::Rate;

/// Requests for one thing in one session are one download until there was none for so long.
const PAUSE: Duration = Duration::from_secs(10 * 60);
/// What was noted within this is not noted again: the last time is known to the minute.
pub(super) const NOTED: Duration = Duration::from_secs(60);
/// Events of one link about what it has fetched before. What is new is always an event, and all of it is counted.
pub(super) const REPEATED: Rate = Rate::per(200, Duration::from_secs(24 * 3600));

/// Notes what is handed out.
#[async_trait]
pub trait DownloadStore: Send + Sync + 'static {
    /// Notes what is about to be handed out. Where there is a notice for the sender, and one of the parts is new, it is
    /// queued with that, unless the sender heard of this link since the moment beside it: then the rest is left for
    /// [`super::ReminderStore::due_downloads`]. [`StoreError::Gone`] when the session has ended meanwhile: nothing may be handed out.
    async fn note_download(&self, fetch: Fetch) -> Result<()>;
    /// Whether this was noted in this session within the last minute, whole if it is to be handed out whole: then it
    /// need not be noted again.
    async fn is_download_noted(
        &self,
        session: [u8; 32],
        what: String,
        whole: bool,
        now: Timestamp,
    ) -> Result<bool>;
}

/// The part under which it is noted that the message was shown on screen: the index, which is no file and is never
/// fetched by itself.
pub const SHOWN: u32 = 0;

/// Something of a transfer is about to be handed out, in one session.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Through this link.
    pub link: Link,
    /// [`super::Session::id`]
    pub session: [u8; 32],
    /// What it is: a number or a word of ours. In one session it is counted once, however many requests it takes,
    /// until there is a pause.
    pub what: String,
    /// The parts in it; [`SHOWN`] for the message on screen.
    pub parts: Vec<u32>,
    /// All of it, not a range.
    pub whole: bool,
    /// What the audit trail says, where it is counted.
    pub event: Event,
    /// The mail that tells the sender, if one of the parts is new, and since when there must have been none.
    pub notice: Option<(NewItem, Timestamp)>,
}

impl Fetch {
    /// Whether it counts as another download, when the same was last asked for in this session at `last`.
    pub fn counts(&self, last: Option<Timestamp>) -> bool {
        last.is_none_or(|last| last <= earlier(self.event.time, PAUSE))
    }

    /// What the events of its link are counted under, where nothing in it is new.
    pub fn bucket(&self) -> String {
        format!("downloads {}", self.link)
    }
}
