//! Events as they are read back from the audit trail: of the same types as when they were written. A trail outlives
//! releases, so a text that this one would not write is kept as it is, and never lost.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ADMIN, Action, Actor, EventResult, Origin};
use crate::address::{Address, ReversePath};
use crate::clock::Timestamp;
use crate::diagnostic::{Codes, Source};

/// An event as it was read back from the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub time: Timestamp,
    /// What was done.
    pub action: Recorded<Action>,
    /// To what.
    pub object: String,
    /// How it ended.
    pub result: Recorded<EventResult>,
    /// By whom.
    pub actor: Recorded<Actor>,
    /// From where.
    pub origin: Recorded<Origin>,
}

/// What a text of the trail means. Displayed, and in JSON, as that text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded<T> {
    /// This.
    Known(T),
    /// Nothing that this release writes.
    Unknown(String),
}

impl<T> Recorded<T> {
    /// What it means, where that is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown(_) => None,
        }
    }
}

impl<T: fmt::Display> Recorded<T> {
    /// What does not give the same text again was not read.
    fn of(text: String, read: Option<T>) -> Self {
        match read {
            Some(known) if known.to_string() == text => Self::Known(known),
            _ => Self::Unknown(text),
        }
    }
}

impl Recorded<Action> {
    pub fn action(text: String) -> Self {
        let found = Action::ALL.iter().find(|action| action.as_str() == text).copied();
        Self::of(text, found)
    }
}

impl Recorded<EventResult> {
    /// A mail server reports in words that results of ours have as well.
    pub fn result(action: &Recorded<Action>, text: String) -> Self {
        let read = match action {
            Recorded::Known(Action::Report) => text.parse().ok().map(EventResult::Reported),
            _ => None,
        };
        let read = read.or_else(|| plain(&text)).or_else(|| with_values(&text));
        Self::of(text, read)
    }
}

impl Recorded<Actor> {
    pub fn actor(text: String) -> Self {
        let read = match text.as_str() {
            "zegel" => Some(Actor::Zegel),
            ADMIN => Some(Actor::Signal),
            "recipient" => Some(Actor::Recipient),
            "sender" => Some(Actor::UnknownSender),
            "<>" => Some(Actor::Sender(ReversePath::Null)),
            other => match other.split_once(' ') {
                Some((ADMIN, user)) => Some(Actor::Admin(user.to_owned())),
                _ => Address::parse(other).ok().map(|address| Actor::Sender(ReversePath::Address(address))),
            },
        };
        Self::of(text, read)
    }
}

impl Recorded<Origin> {
    pub fn origin(text: String) -> Self {
        let read = match (text.as_str(), text.parse::<IpAddr>()) {
            ("local", _) => Origin::Local,
            (_, Ok(client)) => Origin::Client(client),
            (server, Err(_)) => Origin::Server(server.to_owned()),
        };
        Self::of(text, Some(read))
    }
}

/// Results without values.
const PLAIN: &[EventResult] = &[
    EventResult::Ok,
    EventResult::RefusedSender,
    EventResult::RefusedPolicy,
    EventResult::RefusedLoop,
    EventResult::RefusedRecipient,
    EventResult::RefusedStructure,
    EventResult::Trouble,
    EventResult::WrongPassword,
    EventResult::OpenedBefore,
    EventResult::NeverOpened,
    EventResult::UnopenedNotice,
    EventResult::DownloadNotice,
    EventResult::RecallNotice,
    EventResult::Delivered,
    EventResult::ForwardedCopy,
    EventResult::Closed,
    EventResult::CodeSent,
    EventResult::TooManyCodes,
    EventResult::CodeVerified,
    EventResult::WrongCode,
    EventResult::ExpiredCode,
    EventResult::Program,
    EventResult::OtherType,
    EventResult::TooLargeToScan,
    EventResult::PartLost,
    EventResult::UploadLost,
    EventResult::OtherMasterKey,
];

fn plain(text: &str) -> Option<EventResult> {
    PLAIN.iter().find(|result| result.to_string() == text).cloned()
}

/// Results whose text holds a value. Those that only the whole gateway is about are in no trail of a transfer.
fn with_values(text: &str) -> Option<EventResult> {
    let behind = |words: &str| text.strip_prefix(words);
    let attempt = |words: &str| {
        let (recipients, last) = behind(words)?.split_once(": ")?;
        Some((recipients.parse().ok()?, codes(last)?))
    };
    if let Some(time) = behind("until ") {
        return time.parse().ok().map(EventResult::Until);
    }
    if let Some(item) = behind("failure report on ") {
        return item.parse().ok().map(EventResult::FailureReport);
    }
    if let Some(item) = behind("notice to the postmaster on ") {
        return item.parse().ok().map(EventResult::PostmasterNotice);
    }
    if let Some((recipients, last)) = attempt("later for ") {
        return Some(EventResult::Deferred { recipients, last });
    }
    if let Some((recipients, last)) = attempt("frozen for ") {
        return Some(EventResult::Frozen { recipients, last });
    }
    if let Some(name) = behind("virus: ") {
        return Some(EventResult::Virus(name.to_owned()));
    }
    if let Some((answer, recipients)) = behind("ok ").and_then(|rest| rest.split_once(" to ")) {
        let (answer, recipients) = (answer.parse().ok()?, recipients.parse().ok()?);
        return Some(EventResult::Answered { answer, recipients });
    }
    codes(behind("failed ")?).map(EventResult::Failed)
}

fn codes(text: &str) -> Option<Codes> {
    let (code, status) = match text.split_once(' ') {
        Some((code, status)) => (code, Some(status)),
        None if text.contains('.') => {
            return Some(Codes { source: Source::Local, status: text.parse().ok() });
        }
        None if text.is_empty() => return Some(Codes { source: Source::Local, status: None }),
        None => (text, None),
    };
    let source = Source::Remote(code.parse().ok()?);
    match status.map(str::parse) {
        Some(status) => Some(Codes { source, status: Some(status.ok()?) }),
        None => Some(Codes { source, status: None }),
    }
}

impl<T: PartialEq> PartialEq<T> for Recorded<T> {
    fn eq(&self, other: &T) -> bool {
        self.known() == Some(other)
    }
}

impl<T: fmt::Display> fmt::Display for Recorded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded<Actor> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::actor)
    }
}

impl<T: fmt::Display> Serialize for Recorded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostic, Stage};
    use crate::envelope::Reported;
    use crate::id::QueueId;

    fn read(action: Action, text: &str) -> Recorded<EventResult> {
        Recorded::result(&Recorded::Known(action), text.to_owned())
    }

    #[test]
    fn what_was_written_is_read_back() {
        for action in Action::ALL {
            assert_eq!(Recorded::action(action.to_string()), *action);
        }
        let last = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 later").codes();
        let local = Diagnostic::local(None, "4.4.7".parse().unwrap(), "too long").codes();
        let bare = Codes { source: Source::Remote(554), status: None };
        let values = [
            EventResult::Until("2026-12-01T22:59:59Z".parse().unwrap()),
            EventResult::FailureReport(QueueId::random()),
            EventResult::PostmasterNotice(QueueId::random()),
            EventResult::Failed(last),
            EventResult::Failed(local),
            EventResult::Failed(bare),
            EventResult::Failed(Codes { source: Source::Local, status: None }),
            EventResult::Deferred { recipients: 2, last },
            EventResult::Frozen { recipients: 1, last: local },
            EventResult::Virus("Win.Test: EICAR_HDB-1".to_owned()),
            EventResult::Answered { answer: QueueId::random(), recipients: 3 },
        ];
        for result in PLAIN.iter().chain(&values) {
            assert_eq!(read(Action::Relay, &result.to_string()), *result);
        }
        assert_eq!(read(Action::Report, "delivered"), EventResult::Reported(Reported::Delivered));
        assert_eq!(read(Action::Report, "closed"), EventResult::Closed);
        let jan = Address::parse("Jan@voorbeeld.nl").unwrap();
        for actor in [
            Actor::Zegel,
            Actor::Admin("b. heer".to_owned()),
            Actor::Signal,
            Actor::Recipient,
            Actor::UnknownSender,
            Actor::Sender(ReversePath::Null),
            Actor::Sender(ReversePath::Address(jan)),
        ] {
            assert_eq!(Recorded::actor(actor.to_string()), actor);
        }
        for origin in [
            Origin::Local,
            Origin::Client("2001:db8::1".parse().unwrap()),
            Origin::Server("smarthost.voorbeeld.nl:25".to_owned()),
        ] {
            assert_eq!(Recorded::origin(origin.to_string()), origin);
        }
    }

    /// Of a later release, or of nobody.
    #[test]
    fn an_unknown_text_is_kept_as_it_is() {
        assert_eq!(Recorded::action("teleport".into()), Recorded::Unknown("teleport".into()));
        for text in
            ["until tomorrow", "until 2026-12-01", "later for x: 450", "ok  to 2", "OK", "failed 99999 1", ""]
        {
            assert_eq!(read(Action::Relay, text), Recorded::Unknown(text.into()));
            assert_eq!(serde_json::to_value(read(Action::Relay, text)).unwrap(), text);
        }
        for text in ["robot 7", "admin", "Admin x"] {
            assert_eq!(Recorded::actor(text.into()).to_string(), text);
        }
    }
}
