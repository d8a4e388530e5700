//! Why a mail did not arrive, as far as the codes of servers tell it. Every cause has its sentence for readers in
//! `web/locales`; what the server said itself is kept beside it. Read from codes where a delivery ends and where a report
//! comes in, never out of a server's words.

use std::convert::Infallible;
use std::str::FromStr;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, EnhancedCode};

/// Why a mail did not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCause {
    /// There is no such mailbox.
    UnknownAddress,
    /// There is no such domain, or it takes no mail.
    UnknownDomain,
    /// The mailbox is there, and takes no mail now.
    Disabled,
    /// The mailbox is full.
    MailboxFull,
    /// The mail is larger than the server, or the mailbox, takes.
    TooLarge,
    /// A server does not want it.
    Refused,
    /// No server could be reached.
    Unreachable,
    /// It was tried for as long as a mail is tried.
    GivenUp,
    /// The codes do not tell, or there are none.
    #[default]
    Other,
}

impl FailureCause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::UnknownAddress,
        Self::UnknownDomain,
        Self::Disabled,
        Self::MailboxFull,
        Self::TooLarge,
        Self::Refused,
        Self::Unreachable,
        Self::GivenUp,
        Self::Other,
    ];

    /// What the codes mean (RFC 3463 3); an enhanced code says more than a reply code (RFC 5321 4.2.3).
    pub fn of(status: Option<EnhancedCode>, reply: Option<u16>) -> Self {
        let Some(EnhancedCode { class, subject, detail }) = status else { return Self::of_reply(reply) };
        match (subject, detail) {
            // 5.1.10 is a domain without mail (RFC 7505), but Exchange says it of mailboxes.
            (1, 0 | 1 | 3 | 4 | 6 | 10) => Self::UnknownAddress,
            (1, 2) | (4, 4) => Self::UnknownDomain,
            (2, 1) => Self::Disabled,
            (2, 2) => Self::MailboxFull,
            (2, 3) | (3, 4) => Self::TooLarge,
            (4, 7) => Self::GivenUp,
            // Who says "for good" has answered.
            (4, 1) if class == 5 => Self::Refused,
            (4, 1 | 2) => Self::Unreachable,
            (1, 7 | 8) | (7, _) => Self::Refused,
            (0, _) => Self::of_reply(reply),
            _ => Self::Other,
        }
    }

    fn of_reply(reply: Option<u16>) -> Self {
        match reply {
            Some(551 | 553) => Self::UnknownAddress,
            // It takes no mail at all (RFC 7504).
            Some(521 | 556) => Self::UnknownDomain,
            Some(500..600) => Self::Refused,
            _ => Self::Other,
        }
    }

    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownAddress => "unknown-address",
            Self::UnknownDomain => "unknown-domain",
            Self::Disabled => "disabled",
            Self::MailboxFull => "mailbox-full",
            Self::TooLarge => "too-large",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::GivenUp => "given-up",
            Self::Other => "other",
        }
    }

    /// The key of its sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownAddress => "cause-unknown-address",
            Self::UnknownDomain => "cause-unknown-domain",
            Self::Disabled => "cause-disabled",
            Self::MailboxFull => "cause-mailbox-full",
            Self::TooLarge => "cause-too-large",
            Self::Refused => "cause-refused",
            Self::Unreachable => "cause-unreachable",
            Self::GivenUp => "cause-given-up",
            Self::Other => "cause-other",
        }
    }
}

impl From<&Diagnostic> for FailureCause {
    fn from(why: &Diagnostic) -> Self {
        Self::of(why.status, why.source.reply_code())
    }
}

impl FromStr for FailureCause {
    type Err = Infallible;

    /// A word of a newer release is one that this release cannot tell apart.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self::ALL.into_iter().find(|cause| cause.as_str() == word).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_why() {
        for (status, reply, cause) in [
            ("5.1.1", 550, FailureCause::UnknownAddress),
            ("5.1.10", 550, FailureCause::UnknownAddress),
            ("5.1.2", 550, FailureCause::UnknownDomain),
            ("5.4.4", 0, FailureCause::UnknownDomain),
            ("5.2.1", 550, FailureCause::Disabled),
            ("4.2.2", 452, FailureCause::MailboxFull),
            ("5.2.3", 552, FailureCause::TooLarge),
            ("5.3.4", 0, FailureCause::TooLarge),
            ("5.7.26", 550, FailureCause::Refused),
            ("5.1.8", 550, FailureCause::Refused),
            ("5.4.1", 550, FailureCause::Refused),
            ("4.4.1", 0, FailureCause::Unreachable),
            ("4.4.2", 421, FailureCause::Unreachable),
            ("4.4.7", 0, FailureCause::GivenUp),
            ("5.0.0", 550, FailureCause::Refused),
            ("5.0.0", 0, FailureCause::Other),
            ("5.6.7", 550, FailureCause::Other),
            ("", 550, FailureCause::Refused),
            ("", 553, FailureCause::UnknownAddress),
            ("", 556, FailureCause::UnknownDomain),
            ("", 451, FailureCause::Other),
            ("", 0, FailureCause::Other),
        ] {
            let reply = Some(reply).filter(|code| *code != 0);
            assert_eq!(FailureCause::of(status.parse().ok(), reply), cause, "{status} {reply:?}");
        }
    }

    #[test]
    fn words_come_back_as_what_they_were() {
        for cause in FailureCause::ALL {
            assert_eq!(cause.as_str().parse(), Ok(cause));
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
            assert_eq!(cause.text(), format!("cause-{}", cause.as_str()));
        }
        assert_eq!("written by a newer release".parse(), Ok(FailureCause::Other));
    }
}
