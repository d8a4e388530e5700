//! Security events: who did what, to what, from where, and how it ended (BIO2, NTA 7516 6.4.2).
//! An event is kept by `store` in the same transaction as what it tells of, and logged once, when that
//! has happened. It never holds a password, token, code, subject, body, file name or BSN.

pub mod chain;
mod recorded;
pub mod verify;

use std::fmt;
use std::net::IpAddr;

use crate::address::ReversePath;
use crate::clock::Timestamp;
use crate::diagnostic::Codes;
use crate::envelope::Reported;
use crate::id::{OrganisationId, QueueId};

pub use recorded::{Entry, Recorded};

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
    /// A queue item is held by an administrator, or no longer.
    Hold,
    Release,
    /// A queue item is sent back by an administrator.
    SendBack,
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
    /// An administrator made another master key the current one, or had old ones destroyed.
    Key,
    /// An administrator had a person taken out of what is kept, or all of that written to files.
    Erase,
    Export,
}

macro_rules! words {
    ($($action:ident => $word:literal),* $(,)?) => {
        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$action),*];

            /// The word in the log.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $word),*
                }
            }
        }
    };
}

words! {
    Accept => "accept",
    Seal => "seal",
    Notify => "notify",
    Relay => "relay",
    Open => "open",
    Lock => "lock",
    Download => "download",
    Read => "read",
    Finish => "finish",
    Recall => "recall",
    Extend => "extend",
    Remind => "remind",
    Resend => "resend",
    Unlock => "unlock",
    Ask => "ask",
    Bounce => "bounce",
    Report => "report",
    Expire => "expire",
    Drop => "drop",
    Retry => "retry",
    Hold => "hold",
    Release => "release",
    SendBack => "send-back",
    Reply => "reply",
    Scan => "scan",
    Code => "code",
    Configuration => "configuration",
    Lost => "lost",
    Repair => "repair",
    Key => "key",
    Erase => "erase",
    Export => "export",
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
    /// How it ended.
    pub result: EventResult,
    /// By whom.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Whose it is. `None`: its transfer's or its item's, which the store finds out; or nobody's in particular.
    pub organisation: Option<OrganisationId>,
    /// The mails that it is about, for the log alone: a line for each of these.
    pub mails: Vec<MailLine>,
}

/// What a line of the log says of a mail. Nothing of its content, and of its header the Message-ID alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailLine {
    /// The message that it comes of: the same in every line about what it became.
    pub tracking: String,
    /// What it is, in the word of the queue.
    pub kind: Option<&'static str>,
    /// The reverse path.
    pub from: Option<String>,
    /// The recipients that the line is about: [`MailLine::for_all`] makes no line of too many.
    pub to: Vec<String>,
    /// Bounded and printable.
    pub message_id: Option<String>,
    pub size: Option<u64>,
    /// What was decided, and the rule that did.
    pub decision: Option<&'static str>,
    pub rule: Option<String>,
    pub transfer: Option<String>,
    /// How the connection was encrypted that it came or went by.
    pub tls: Option<String>,
    /// With what words the next hop took it.
    pub answer: Option<String>,
    /// Why it was not taken, or waits.
    pub reason: Option<String>,
}

/// Recipients in one line: the journal of systemd cuts lines of 48 KiB in two.
const MOST_RECIPIENTS: usize = 50;

impl MailLine {
    /// As many lines as these recipients need.
    pub fn for_all(&self, to: &[String]) -> Vec<Self> {
        to.chunks(MOST_RECIPIENTS).map(|some| Self { to: some.to_vec(), ..self.clone() }).collect()
    }
}

/// The actor of an event. Displayed as the log, the database and the export have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// What happens by itself.
    Zegel,
    /// Somebody at the command line of this machine: the user that the system knows them as.
    Admin(String),
    /// The process that made the gateway read its configuration again: a signal has no name.
    Signal,
    /// A person who has the link of a transfer.
    Recipient,
    /// The sender of a message, by its reverse path.
    Sender(ReversePath),
    /// A person who has the sender's link of a transfer that has no sender.
    UnknownSender,
}

/// Where somebody does it from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This machine.
    Local,
    /// This address.
    Client(IpAddr),
    /// The next hop, which it was done at.
    Server(String),
}

/// The actor of an event, and the address it acted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initiator {
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
}

/// What an administrator is called; the user's name follows.
pub const ADMIN: &str = "admin";

impl Initiator {
    /// Somebody at the command line of this machine.
    pub fn admin(user: &str) -> Self {
        Self { actor: Actor::Admin(user.to_owned()), origin: Origin::Local }
    }

    /// What happens by itself.
    pub fn zegel() -> Self {
        Self { actor: Actor::Zegel, origin: Origin::Local }
    }

    /// A person who has the link of a transfer.
    pub fn recipient(client: IpAddr) -> Self {
        Self { actor: Actor::Recipient, origin: Origin::Client(client.to_canonical()) }
    }

    /// What this one did.
    pub fn event(&self, time: Timestamp, action: Action, object: String, result: EventResult) -> Event {
        let (actor, origin) = (self.actor.clone(), self.origin.clone());
        Event { time, action, object, result, actor, origin, organisation: None, mails: Vec::new() }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zegel => f.write_str("zegel"),
            Self::Admin(user) => write!(f, "{ADMIN} {user}"),
            Self::Signal => f.write_str(ADMIN),
            Self::Recipient => f.write_str("recipient"),
            Self::Sender(ReversePath::Address(address)) => address.fmt(f),
            Self::Sender(ReversePath::Null) => f.write_str("<>"),
            Self::UnknownSender => f.write_str("sender"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Client(address) => address.fmt(f),
            Self::Server(name) => f.write_str(name),
        }
    }
}

/// How what was done ended. Displayed as the words in the log, the database and the export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "one comment for each group; the words are in `Display` below")]
pub enum EventResult {
    /// It was done.
    Ok,
    /// It has this date from now on, or is closed until then.
    Until(Timestamp),
    /// Why a message was refused.
    RefusedSender,
    RefusedPolicy,
    RefusedLoop,
    RefusedRecipient,
    RefusedStructure,
    /// A message could not be kept, and its peer keeps it.
    Trouble,
    WrongPassword,
    /// A link was taken back that somebody had opened, or nobody.
    OpenedBefore,
    NeverOpened,
    /// These mails were queued.
    UnopenedNotice,
    DownloadNotice,
    RecallNotice,
    /// A mail that tells of the failure of this queue item was queued.
    FailureReport(QueueId),
    PostmasterNotice(QueueId),
    /// How an attempt ended for one recipient, or for all that still wait.
    Delivered,
    Failed(Codes),
    Deferred {
        recipients: usize,
        last: Codes,
    },
    Frozen {
        recipients: usize,
        last: Codes,
    },
    /// What a mail server reported of a notification.
    Reported(Reported),
    ForwardedCopy,
    /// A link was closed, because its notification did not arrive.
    Closed,
    /// An answer went to so many recipients.
    Answered {
        answer: QueueId,
        recipients: usize,
    },
    /// What became of a verification code.
    CodeSent,
    TooManyCodes,
    CodeVerified,
    WrongCode,
    ExpiredCode,
    /// Why a file of an answer was refused.
    Program,
    OtherType,
    Virus(String),
    TooLargeToScan,
    /// What is missing or damaged.
    PartLost,
    UploadLost,
    /// The configuration was not replaced; the text is the fault.
    RefusedConfiguration(String),
    /// What an administrator went on without.
    OtherMasterKey,
    OtherBlobs {
        missing: usize,
        named: u64,
    },
    LeftoversRemoved(usize),
    /// What an administrator had taken away of a person.
    Erased {
        transfers: usize,
        rows: usize,
    },
}

impl fmt::Display for EventResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Until(time) => return write!(f, "until {time}"),
            Self::FailureReport(item) => return write!(f, "failure report on {item}"),
            Self::PostmasterNotice(item) => return write!(f, "notice to the postmaster on {item}"),
            Self::Failed(codes) => return write!(f, "failed {codes}"),
            Self::Deferred { recipients, last } => return write!(f, "later for {recipients}: {last}"),
            Self::Frozen { recipients, last } => return write!(f, "frozen for {recipients}: {last}"),
            Self::Answered { answer, recipients } => return write!(f, "ok {answer} to {recipients}"),
            Self::Virus(name) => return write!(f, "virus: {name}"),
            Self::RefusedConfiguration(fault) => return write!(f, "refused: {fault}"),
            Self::OtherBlobs { missing, named } => {
                return write!(
                    f,
                    "the database takes these blobs for its own from now on; {missing} of {named} are missing"
                );
            }
            Self::LeftoversRemoved(count) => {
                return write!(f, "{count} blobs that no row names were removed");
            }
            Self::Erased { transfers, rows } => {
                return write!(f, "in {transfers} transfers and {rows} rows of the audit trail");
            }
            Self::Reported(action) => action.as_str(),
            Self::Ok => "ok",
            Self::RefusedSender => "refused: sender",
            Self::RefusedPolicy => "refused: policy",
            Self::RefusedLoop => "refused: loop",
            Self::RefusedRecipient => "refused: recipient",
            Self::RefusedStructure => "refused: structure",
            Self::Trouble => "trouble",
            Self::WrongPassword => "wrong password",
            Self::OpenedBefore => "ok, opened before",
            Self::NeverOpened => "ok, never opened",
            Self::UnopenedNotice => "unopened",
            Self::DownloadNotice => "download",
            Self::RecallNotice => "recall",
            Self::Delivered => "delivered",
            Self::ForwardedCopy => "forwarded copy",
            Self::Closed => "closed",
            Self::CodeSent => "sent",
            Self::TooManyCodes => "too many",
            Self::CodeVerified => "verified",
            Self::WrongCode => "wrong",
            Self::ExpiredCode => "expired",
            Self::Program => "program",
            Self::OtherType => "other type",
            Self::TooLargeToScan => "too large",
            Self::PartLost => "missing or damaged",
            Self::UploadLost => "upload missing or damaged",
            Self::OtherMasterKey => {
                "the database takes this master.key for its own from now on; what was made with another stays closed"
            }
        };
        f.write_str(text)
    }
}

impl Event {
    /// The bucket that bounds how many rows of its kind a visitor makes; `None` where nobody can make many.
    pub fn bucket(&self) -> Option<String> {
        let is_visitor = self.origin != Origin::Local && self.action.is_repeatable();
        is_visitor.then(|| format!("audit {} {}", self.action.as_str(), self.object))
    }

    /// The same, known to be of this organisation.
    pub fn of(self, organisation: Option<OrganisationId>) -> Self {
        Self { organisation, ..self }
    }

    /// The same about these mails.
    pub fn about(self, mails: Vec<MailLine>) -> Self {
        Self { mails, ..self }
    }

    /// Whether somebody may have to do something. A message that a rule refuses is no such thing, as with Postfix: it is what the
    /// rule is for, and the server in front tells its sender. A message that goes round in circles is a fault in the set-up.
    fn is_failure(&self) -> bool {
        matches!(
            self.result,
            EventResult::Failed(_)
                | EventResult::Frozen { .. }
                | EventResult::Trouble
                | EventResult::RefusedLoop
                | EventResult::RefusedConfiguration(_)
                | EventResult::PartLost
                | EventResult::UploadLost
        )
    }

    /// Writes the event to the log: called once, when it is certain that it has happened.
    pub fn log(&self) {
        if self.mails.is_empty() {
            return self.log_with(&MailLine::default());
        }
        self.mails.iter().for_each(|mail| self.log_with(mail));
    }

    fn log_with(&self, mail: &MailLine) {
        let escaped = |text: &str| text.escape_debug().to_string();
        let to = (!mail.to.is_empty()).then(|| escaped(&mail.to.join(" ")));
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "audit",
                    $level,
                    action = self.action.as_str(),
                    tracking = Some(mail.tracking.as_str()).filter(|id| !id.is_empty()),
                    object = escaped(&self.object),
                    result = escaped(&self.result.to_string()),
                    organisation = self.organisation.as_ref().map(|one| escaped(one.as_str())),
                    kind = mail.kind,
                    from = mail.from.as_deref().map(escaped),
                    to,
                    message_id = mail.message_id.as_deref().map(escaped),
                    size = mail.size,
                    decision = mail.decision,
                    rule = mail.rule.as_deref().map(escaped),
                    transfer = mail.transfer,
                    answer = mail.answer.as_deref().map(escaped),
                    reason = mail.reason.as_deref().map(escaped),
                    tls = mail.tls.as_deref().map(escaped),
                    actor = escaped(&self.actor.to_string()),
                    origin = escaped(&self.origin.to_string()),
                    "{}", self.action.as_str()
                )
            };
        }
        match self.is_failure() {
            true => line!(tracing::Level::WARN),
            false => line!(tracing::Level::INFO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::diagnostic::{Diagnostic, Stage};

    #[test]
    fn events_are_told_in_the_words_of_the_log() {
        let last = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 Vertrouwelijk: geheim").codes();
        for (result, words) in [
            (EventResult::Ok, "ok"),
            (EventResult::Until(Timestamp::UNIX_EPOCH), "until 1970-01-01T00:00:00Z"),
            (EventResult::Failed(last), "failed 450 4.2.0"),
            (EventResult::Deferred { recipients: 2, last }, "later for 2: 450 4.2.0"),
            (EventResult::Frozen { recipients: 1, last }, "frozen for 1: 450 4.2.0"),
            (EventResult::Virus("Eicar".to_owned()), "virus: Eicar"),
            (EventResult::RefusedConfiguration("no hostname".to_owned()), "refused: no hostname"),
        ] {
            assert_eq!(result.to_string(), words);
        }
        let jan = ReversePath::Address(Address::parse("jan@voorbeeld.nl").unwrap());
        for (actor, words) in [
            (Actor::Admin("beheer".to_owned()), "admin beheer"),
            (Actor::Signal, "admin"),
            (Actor::Sender(jan), "jan@voorbeeld.nl"),
            (Actor::Sender(ReversePath::Null), "<>"),
        ] {
            assert_eq!(actor.to_string(), words);
        }
        let mapped = Initiator::recipient("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(mapped.origin.to_string(), "192.0.2.1");
    }
}
