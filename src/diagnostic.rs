//! How a delivery ended for one recipient, and why. Made by `delivery` and `queue`, kept by `store`; reports, the log and
//! the command line turn it into text. Nothing is ever read back out of that text.

use std::fmt;
use std::str::FromStr;

/// How an attempt ended for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop took responsibility.
    Delivered,
    /// Not this time; it is tried again.
    Deferred(Diagnostic),
    /// Never; the sender is told.
    Failed(Diagnostic),
}

/// Why a recipient was not reached. Displayed as one line: the codes, the text, and the stage in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How far the delivery came; `None` where no step of it went wrong.
    pub stage: Option<Stage>,
    /// Which side found the fault.
    pub source: Source,
    /// The enhanced status code; a server may give none.
    pub status: Option<EnhancedCode>,
    /// One printable line without reply code and stage. The words of a server may quote the message.
    pub text: String,
}

/// Which side found the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The server, which gave this reply code (RFC 5321 4.2).
    Remote(u16),
    /// Zegel.
    Local,
}

/// How far a delivery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding the server and connecting to it.
    Connect,
    /// Its 220.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA, up to its 354.
    Data,
    /// The message itself, up to the final dot.
    Content,
    /// The answer after the final dot.
    Done,
}

/// An enhanced status code (RFC 3463 2), such as 5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u16,
    /// What it is about.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

/// The codes of a [`Diagnostic`]: nothing in them can quote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codes {
    /// The reply code, where a server gave one.
    pub source: Source,
    pub status: Option<EnhancedCode>,
}

/// A word that is no stage and no enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not part of a diagnostic")]
pub struct Unreadable;

impl Outcome {
    /// Why it was not delivered.
    pub fn diagnostic(&self) -> Option<&Diagnostic> {
        match self {
            Self::Delivered => None,
            Self::Deferred(diagnostic) | Self::Failed(diagnostic) => Some(diagnostic),
        }
    }
}

impl Source {
    /// The server's reply code.
    pub fn reply_code(self) -> Option<u16> {
        match self {
            Self::Remote(code) => Some(code),
            Self::Local => None,
        }
    }
}

impl Diagnostic {
    /// A server's reply: its code and the words after it.
    pub fn remote(stage: Stage, code: u16, words: &str) -> Self {
        let status = words.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
        Self::new(Some(stage), Source::Remote(code), status, words)
    }

    /// What zegel itself found.
    pub fn local(stage: Option<Stage>, status: EnhancedCode, text: &str) -> Self {
        Self::new(stage, Source::Local, Some(status), text)
    }

    /// The mail was tried for as long as it may be (RFC 5321 4.5.4.1); `last` is why it failed the last time.
    pub fn given_up(last: &Self) -> Self {
        let text = format!("given up after many tries; the last: {}", last.without_stage());
        let status = Some(EnhancedCode::new(4, 4, 7));
        Self { stage: last.stage, source: Source::Local, status, text }
    }

    /// Bounded and printable: what strangers send ends up in reports and on terminals (C13, H31).
    fn new(stage: Option<Stage>, source: Source, status: Option<EnhancedCode>, text: &str) -> Self {
        const LONGEST: usize = 300;
        let mut made = Self { stage, source, status, text: String::new() };
        let room = LONGEST.saturating_sub(made.prefix().len() + 1);
        let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        made.text.extend(printable.take(room));
        if text.chars().nth(room).is_some() {
            made.text.push('…');
        }
        made.text.truncate(made.text.trim_end().len());
        made
    }

    /// The codes alone, for the audit log.
    pub fn codes(&self) -> Codes {
        Codes { source: self.source, status: self.status }
    }

    /// As it may be written to the log and shown to monitoring: what a server says after the message can quote from it,
    /// so only its codes are (H31).
    pub fn for_log(&self) -> String {
        match self.stage {
            Some(stage @ Stage::Done) => {
                format!("{} ({}; the words: zegel queue show)", self.codes(), stage.as_str())
            }
            _ => self.to_string(),
        }
    }

    /// As it may be kept: what a server says after the message can quote from it, and is in the report to the sender.
    pub fn for_track(&self) -> String {
        match self.stage {
            Some(stage @ Stage::Done) => format!("{} ({})", self.codes(), stage.as_str()),
            _ => self.to_string(),
        }
    }

    fn without_stage(&self) -> String {
        let prefix = self.prefix();
        let space = if prefix.is_empty() || self.text.is_empty() { "" } else { " " };
        format!("{prefix}{space}{}", self.text)
    }

    /// The code in front of the text. A server's own text begins with its enhanced code already.
    fn prefix(&self) -> String {
        match self.source {
            Source::Remote(code) => format!("{code:03}"),
            Source::Local => self.codes().to_string(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_stage())?;
        self.stage.map_or(Ok(()), |stage| write!(f, " ({})", stage.as_str()))
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.source, self.status) {
            (Source::Remote(code), Some(status)) => write!(f, "{code:03} {status}"),
            (Source::Remote(code), None) => write!(f, "{code:03}"),
            (Source::Local, Some(status)) => status.fmt(f),
            (Source::Local, None) => Ok(()),
        }
    }
}

impl Stage {
    const ALL: [Self; 10] = [
        Self::Connect,
        Self::Greeting,
        Self::Hello,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Recipient,
        Self::Data,
        Self::Content,
        Self::Done,
    ];

    /// Whether nothing of a mail had been said by then.
    pub fn is_before_mail(self) -> bool {
        matches!(self, Self::Connect | Self::Greeting | Self::Hello | Self::StartTls | Self::Auth)
    }

    /// What was said or awaited, for the reader of a report; also the word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Content => "message text",
            Self::Done => "end of message",
        }
    }
}

impl FromStr for Stage {
    type Err = Unreadable;
    fn from_str(word: &str) -> Result<Self, Unreadable> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word).ok_or(Unreadable)
    }
}

impl EnhancedCode {
    /// `class.subject.detail`
    pub const fn new(class: u16, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for EnhancedCode {
    type Err = Unreadable;
    fn from_str(word: &str) -> Result<Self, Unreadable> {
        let number = |digits: &str| match digits.len() {
            1..=3 if digits.bytes().all(|c| c.is_ascii_digit()) => digits.parse().map_err(|_| Unreadable),
            _ => Err(Unreadable),
        };
        match word.split('.').collect::<Vec<_>>().as_slice() {
            [class @ ("2" | "4" | "5"), subject, detail] => {
                Ok(Self::new(number(class)?, number(subject)?, number(detail)?))
            }
            _ => Err(Unreadable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_says_codes_text_and_stage() {
        let greylisted = Diagnostic::remote(Stage::Recipient, 450, "4.2.0 greylisted");
        assert_eq!(greylisted.to_string(), "450 4.2.0 greylisted (RCPT TO)");
        assert_eq!(greylisted.codes().to_string(), "450 4.2.0");
        assert_eq!(Diagnostic::remote(Stage::Mail, 550, "no").codes().to_string(), "550");
        assert_eq!(Diagnostic::remote(Stage::Mail, 550, " ").to_string(), "550 (MAIL FROM)");
        let slow = Diagnostic::local(None, EnhancedCode::new(4, 4, 2), "the delivery took too long");
        assert_eq!(slow.to_string(), "4.4.2 the delivery took too long");
        let ended = Diagnostic::given_up(&greylisted);
        let text = "4.4.7 given up after many tries; the last: 450 4.2.0 greylisted (RCPT TO)";
        assert_eq!((ended.to_string().as_str(), ended.codes().to_string().as_str()), (text, "4.4.7"));
    }

    #[test]
    fn it_is_one_bounded_printable_line() {
        let words = format!("a\r\nBcc: x\u{1b}[2J{}", "y".repeat(5000));
        let line = Diagnostic::remote(Stage::Recipient, 550, &words).to_string();
        assert!(!line.contains(char::is_control) && line.chars().count() < 400);
        assert!(line.starts_with("550 a  Bcc: x") && line.ends_with("… (RCPT TO)"), "{line}");
    }

    #[test]
    fn what_may_quote_the_message_is_not_logged() {
        let denied = Diagnostic::remote(Stage::Recipient, 550, "5.7.1 relaying denied");
        assert_eq!(denied.for_log(), denied.to_string());
        let quoted = Diagnostic::remote(Stage::Done, 554, "5.7.1 no links as https://x/t/geheim");
        assert_eq!(quoted.for_log(), "554 5.7.1 (end of message; the words: zegel queue show)");
        let ended = Diagnostic::given_up(&quoted);
        assert_eq!(ended.for_log(), "4.4.7 (end of message; the words: zegel queue show)");
    }

    #[test]
    fn words_come_back_as_what_they_were() {
        for stage in Stage::ALL {
            assert_eq!(stage.as_str().parse(), Ok(stage));
        }
        for word in ["2.0.0", "4.7.1", "5.1.10", "5.321.1"] {
            assert_eq!(word.parse::<EnhancedCode>().unwrap().to_string(), word);
        }
        for word in ["", "3.0.0", "5.1", "5.1.1.1", "5.1.", "5.a.1", "5.1.1000", "5.+1.1"] {
            assert_eq!(word.parse::<EnhancedCode>(), Err(Unreadable), "{word}");
        }
    }
}
