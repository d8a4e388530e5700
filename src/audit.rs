//! Security events: who did what, to what, from where, and how it ended (BIO2, NTA 7516 6.4.2).
//! An event is kept by `store` in the same transaction as what it tells of, and logged once, when that
//! has happened. It never holds a password, token, code, subject, body, file name or BSN.

use std::net::IpAddr;

use crate::clock::Timestamp;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A message was taken in or refused at the end of data.
    Accept,
    /// A message was sealed into a transfer.
    Seal,
    /// A notice was put into the queue.
    Notify,
    /// The relay passed a message on, or gave up.
    Relay,
    /// A transfer was opened, or somebody tried to.
    Open,
    /// A link was closed for a while after too many wrong passwords.
    Lock,
    /// A file, the ZIP or the message was fetched.
    Download,
    /// The message was shown on screen.
    Read,
    /// A session was ended by its user.
    Finish,
    /// A recipient, or a whole transfer, was recalled.
    Recall,
    /// A transfer was given another date.
    Extend,
    /// A recipient who had not opened was reminded.
    Remind,
    /// A notification was sent again.
    Resend,
    /// The lock of a link was taken off.
    Unlock,
    /// The recipient of an expired link asked its sender for it.
    Ask,
    /// A notification came back: its link was closed.
    Bounce,
    /// A mail server reported what became of a notification, and its link stayed open.
    Report,
    /// A transfer reached its date: its keys were destroyed.
    Expire,
    /// A queue item was dropped by an administrator.
    Drop,
    /// A queue item, or the whole queue, was made due by an administrator.
    Retry,
    /// An answer was sent.
    Reply,
    /// A file of an answer was looked at and refused.
    Scan,
    /// A verification code was mailed, tried, or proved an address.
    Code,
    /// The configuration was read again.
    Configuration,
    /// Something that was kept was found to be missing or damaged.
    Lost,
    /// An administrator went on without what was lost.
    Repair,
}

impl Action {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Seal => "seal",
            Self::Notify => "notify",
            Self::Relay => "relay",
            Self::Open => "open",
            Self::Lock => "lock",
            Self::Download => "download",
            Self::Read => "read",
            Self::Finish => "finish",
            Self::Recall => "recall",
            Self::Extend => "extend",
            Self::Remind => "remind",
            Self::Resend => "resend",
            Self::Unlock => "unlock",
            Self::Ask => "ask",
            Self::Bounce => "bounce",
            Self::Report => "report",
            Self::Expire => "expire",
            Self::Drop => "drop",
            Self::Retry => "retry",
            Self::Reply => "reply",
            Self::Scan => "scan",
            Self::Code => "code",
            Self::Configuration => "configuration",
            Self::Lost => "lost",
            Self::Repair => "repair",
        }
    }
}

impl Action {
    /// Whether a visitor of the pages can bring it about as often as they like. Not so what happens to a link once, or
    /// what is counted by itself: recalls, and what was fetched, which the proof of a recall tells.
    fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::Open
                | Self::Lock
                | Self::Finish
                | Self::Extend
                | Self::Resend
                | Self::Unlock
                | Self::Ask
                | Self::Reply
                | Self::Scan
                | Self::Code
        )
    }
}

/// One security event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What was done.
    pub action: Action,
    /// To what: a transfer, link, queue item or file number. Never a name from the mail.
    pub object: String,
    /// How it ended: `ok`, `refused`, `wrong password` and the like.
    pub result: String,
    /// By whom: a mail address, `recipient`, `admin` with the user's name, `zegel` for what happens by itself.
    pub actor: String,
    /// From where: a network address, or `local`.
    pub origin: String,
}

/// [`Event::origin`] of what happens on this machine.
const LOCAL: &str = "local";

/// What [`Event::actor`] begins with where an administrator acts; the user's name follows.
pub const ADMIN: &str = "admin";

/// Who does something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// As in [`Event::actor`].
    pub who: String,
    /// As in [`Event::origin`].
    pub origin: String,
}

impl Actor {
    /// Somebody at the command line of this machine: the user that the system knows them as.
    pub fn admin(user: &str) -> Self {
        Self { who: format!("{ADMIN} {user}"), origin: LOCAL.into() }
    }

    /// A recipient at their browser.
    pub fn recipient(client: IpAddr) -> Self {
        Self { who: "recipient".into(), origin: client.to_canonical().to_string() }
    }

    /// What happens by itself.
    pub fn zegel() -> Self {
        Self { who: "zegel".into(), origin: LOCAL.into() }
    }

    /// What this one did.
    pub fn event(&self, time: Timestamp, action: Action, object: String, result: &str) -> Event {
        let (actor, origin) = (self.who.clone(), self.origin.clone());
        Event { time, action, object, result: result.to_owned(), actor, origin }
    }
}

/// An event as it was read back from the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// When.
    pub time: Timestamp,
    /// What was done: [`Action::as_str`].
    pub action: String,
    /// To what.
    pub object: String,
    /// How it ended.
    pub result: String,
    /// By whom.
    pub actor: String,
    /// From where.
    pub origin: String,
}

impl Event {
    /// The bucket that bounds how many rows of its kind a visitor makes; `None` where nobody can make many.
    pub fn bucket(&self) -> Option<String> {
        let is_visitor = self.origin != LOCAL && self.action.is_repeatable();
        is_visitor.then(|| format!("audit {} {}", self.action.as_str(), self.object))
    }

    /// Writes the event to the log: called once, by whoever knows that it has really happened.
    pub fn log(&self) {
        tracing::info!(
            target: "audit",
            action = self.action.as_str(),
            object = %self.object.escape_debug(),
            result = %self.result.escape_debug(),
            actor = %self.actor.escape_debug(),
            origin = %self.origin.escape_debug(),
            "{}", self.action.as_str()
        );
    }
}
