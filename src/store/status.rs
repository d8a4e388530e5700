//! What is known of a transfer besides its keys: deliveries, downloads, the audit trail; and what can be done
//! with it after it was sent. Made by `sender` and `web/download`, read by `transfer/status`.

use serde::Serialize;

use super::NewItem;
use crate::audit::{Actor, Event};
use crate::clock::Timestamp;
use crate::envelope::Reported;
use crate::id::{Link, TransferId};
use crate::limits::Rate;

/// A notification that did not arrive. The link is closed until another one is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// Since when the link is closed.
    pub time: Timestamp,
    /// What the last server said, or our own trouble; one line.
    pub reason: String,
}

/// What delivery reports say of the notifications of a link: the last of each kind. Strangers' words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeliveryReport {
    /// It names the link's own address; else another, to which somebody sent a copy on.
    pub own: bool,
    /// What has become of the mail.
    pub action: Reported,
    /// When it came.
    pub time: Timestamp,
    /// What the last server said; one line.
    pub reason: String,
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
    /// What the events of its link are counted under, where nothing in it is new.
    pub fn bucket(&self) -> String {
        format!("downloads {}", self.link)
    }
}

/// A part of a transfer that a recipient has fetched, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Who, by number.
    pub recipient: u16,
    /// Which part.
    pub part: u32,
    /// When for the first time.
    pub first: Timestamp,
    /// When for the last time.
    pub last: Timestamp,
    /// How often.
    pub count: u32,
    /// All of it was asked for at once, at least once.
    pub whole: bool,
}

/// Takes back links of a transfer.
#[derive(Clone, Debug)]
pub struct Recall {
    /// Which transfer.
    pub transfer: TransferId,
    /// Whose, by number.
    pub recipients: Vec<u16>,
    /// When.
    pub now: Timestamp,
    /// A transfer whose date lies at or before this is gone for good.
    pub closed: Timestamp,
    /// Who does it.
    pub actor: Actor,
    /// Mails that tell recipients of it, each with its link. One goes out only if its link is taken back now,
    /// and if the recipient has heard of it at all.
    pub notices: Vec<NewItem>,
}

/// Gives a transfer another date.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Which transfer.
    pub transfer: TransferId,
    /// Its new date.
    pub expires: Timestamp,
    /// A transfer whose date lies at or before this is gone for good.
    pub closed: Timestamp,
    /// What the audit trail says of it.
    pub event: Event,
}

/// A mail about a link that may go out only so often.
#[derive(Clone, Debug)]
pub struct LimitedNotice {
    /// The link that it is about.
    pub link: Link,
    /// The mail.
    pub item: NewItem,
    /// It is to the recipient: only while the link can be opened, or could if it had arrived.
    pub invites: bool,
    /// What its sendings are counted under.
    pub bucket: String,
    /// How often.
    pub rate: Rate,
    /// The bucket of all mails of this kind, whatever link they are about, and how many there may be.
    pub in_all: (&'static str, Rate),
    /// What the audit trail says of it.
    pub event: Event,
}

/// What became of a [`LimitedNotice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is in the queue.
    Queued,
    /// One went out already; not before then.
    NotBefore(Timestamp),
    /// Its link is closed.
    Closed,
}
