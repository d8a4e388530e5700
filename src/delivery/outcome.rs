//! What an answer, or the lack of one, means for a recipient: delivered, later, or never. Pure; the only
//! place that decides it. In doubt it is "later": nothing is given up that the next hop did not refuse.

use std::io;

use super::refusal::is_about_us;
use super::smtp_client::command::Lack;
use super::smtp_client::reply::{Garbage, Reply, is_enhanced_code};
use crate::store::{Delivery, Problem};

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

/// Why a delivery, or all of it that was left, came to an end.
#[derive(Debug)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// Why.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The server said so.
    #[error("{}", quote(.0))]
    Answer(Reply),
    /// No answer in time (RFC 5321 4.5.3.2).
    #[error("4.4.2 no answer in time")]
    TimedOut,
    /// The server closed the connection.
    #[error("4.4.2 the connection was closed")]
    Closed,
    /// The connection failed.
    #[error("4.4.2 {0}")]
    Io(#[from] io::Error),
    /// No connection was made.
    #[error("4.4.1 no connection: {0}")]
    Unreachable(io::Error),
    /// What came is not SMTP.
    #[error("4.5.0 {0}")]
    Garbage(#[from] Garbage),
    /// There is something behind the 220 of STARTTLS: somebody puts words into the server's mouth (C10).
    #[error("4.7.5 there is plain text behind the answer to STARTTLS; nothing was sent")]
    Injection,
    /// Encryption is required and cannot be had.
    #[error("4.7.5 no encryption: {0}")]
    NoTls(String),
    /// The connection is exposed, and the mail is not for everybody to read (C30).
    #[error(
        "4.7.5 this mail needs TLS and {smarthost} gives none ({reason}): turn STARTTLS on there, or name another next \
         hop in [relay] or [relay.inside]"
    )]
    NeedsTls {
        /// `host:port`
        smarthost: String,
        /// Why the connection is exposed.
        reason: String,
    },
    /// The user name and password cannot be used.
    #[error("4.7.0 cannot log in: {0}")]
    Credentials(String),
    /// Our own copy of the message cannot be read.
    #[error("4.3.0 the queued message cannot be read: {0}")]
    Content(io::Error),
}

impl Stage {
    /// What was said or awaited, for the reader of a report.
    fn name(self) -> &'static str {
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

/// How an attempt ended.
#[derive(Debug)]
pub struct Outcome {
    /// One for each recipient of the mail, in order.
    pub deliveries: Vec<Delivery>,
    /// What an administrator has to mend before those that wait can go.
    pub problem: Option<Problem>,
}

impl Outcome {
    /// None of so many recipients got it this time.
    pub fn put_off(reason: &str, recipients: usize) -> Self {
        let reason = one_line(reason);
        Self { deliveries: vec![Delivery::Later { reason }; recipients], problem: None }
    }

    /// Why the first of those that wait does.
    pub fn reason(&self) -> Option<&str> {
        self.deliveries.iter().find_map(|delivery| match delivery {
            Delivery::Later { reason } => Some(reason.as_str()),
            Delivery::Delivered | Delivery::Failed { .. } => None,
        })
    }
}

impl Failure {
    /// What it means for so many recipients.
    pub fn outcome(&self, recipients: usize) -> Outcome {
        Outcome { deliveries: vec![self.delivery(); recipients], problem: self.problem() }
    }

    fn problem(&self) -> Option<Problem> {
        match &self.cause {
            Cause::Answer(reply) => is_about_us(self.stage, reply, false).then_some(Problem::Refused),
            Cause::Credentials(_) => Some(Problem::Refused),
            Cause::NeedsTls { .. } | Cause::NoTls(_) | Cause::Injection => Some(Problem::NeedsTls),
            Cause::TimedOut
            | Cause::Closed
            | Cause::Io(_)
            | Cause::Unreachable(_)
            | Cause::Garbage(_)
            | Cause::Content(_) => None,
        }
    }

    /// What it means for every recipient that was not yet settled.
    pub fn delivery(&self) -> Delivery {
        match &self.cause {
            Cause::Answer(reply) => of_reply(self.stage, reply, is_about_us(self.stage, reply, false)),
            cause => later(self.stage, &cause.to_string()),
        }
    }
}

/// What a server's reply means for those it is about. `about_us`: it takes no mail from us, whatever mail it is
/// (`refusal`).
pub fn of_reply(stage: Stage, reply: &Reply, about_us: bool) -> Delivery {
    let text = quote(reply);
    match reply.code {
        200..=299 if stage == Stage::Done => Delivery::Delivered,
        500..=599 if !about_us && !is_too_many(stage, reply) => {
            Delivery::Failed { reason: reason(stage, &text) }
        }
        400..=599 => later(stage, &text),
        _ => later(stage, &format!("4.5.0 unexpected answer: {text}")),
    }
}

/// A server that lacks an extension will not have it tomorrow.
pub fn of_lack(lack: Lack) -> Delivery {
    Delivery::Failed { reason: lack.to_string() }
}

/// "Too many recipients" in the words of RFC 821 (RFC 5321 4.5.3.1.10).
fn is_too_many(stage: Stage, reply: &Reply) -> bool {
    stage == Stage::Recipient && reply.code == 552 && matches!(reply.enhanced(), None | Some("5.5.3"))
}

/// Whether some got the mail and others were only too many for one transaction: they may follow at once
/// (RFC 5321 4.5.3.1.10). Each such round delivers to somebody, so there is an end to it.
pub fn is_worth_another_round<'a>(outcomes: impl Iterator<Item = &'a Delivery> + Clone) -> bool {
    let mut delivered = outcomes.clone().filter(|outcome| **outcome == Delivery::Delivered);
    let too_many = |outcome: &Delivery| match outcome {
        Delivery::Later { reason } => {
            (reason.starts_with("452 ") || reason.starts_with("552 ")) && reason.ends_with("(RCPT TO)")
        }
        _ => false,
    };
    delivered.next().is_some() && outcomes.into_iter().any(too_many)
}

/// The enhanced status code of a reason that this module wrote (RFC 3463), for a failure report.
pub fn status(reason: &str) -> &str {
    let words = reason.split_ascii_whitespace().take(2);
    words.into_iter().find(|word| is_enhanced_code(word)).unwrap_or("5.0.0")
}

/// The server's own words in a reason, if it holds any: for `Diagnostic-Code: smtp;` (RFC 3464 2.3.6).
pub fn is_server_answer(reason: &str) -> bool {
    reason.split_ascii_whitespace().next().is_some_and(|word| word.len() == 3 && word.parse::<u16>().is_ok())
}

/// The first words of a reason: codes, and nothing that the server made up. For the audit trail.
pub fn codes(reason: &str) -> String {
    let is_code = |word: &&str| is_enhanced_code(word) || (word.len() == 3 && word.parse::<u16>().is_ok());
    reason.split_ascii_whitespace().take(2).filter(is_code).collect::<Vec<_>>().join(" ")
}

/// A reason as it may stand in the log and before an administrator: what a server says after the message can quote from
/// it, so only its codes do (H31).
pub fn for_log(reason: &str) -> String {
    match reason.ends_with(&format!("({})", Stage::Done.name())) {
        true => format!("{} ({}; the words: zegel queue show)", codes(reason), Stage::Done.name()),
        false => reason.to_owned(),
    }
}

fn later(stage: Stage, text: &str) -> Delivery {
    Delivery::Later { reason: reason(stage, text) }
}

fn reason(stage: Stage, text: &str) -> String {
    format!("{} ({})", one_line(text), stage.name())
}

fn quote(reply: &Reply) -> String {
    format!("{:03} {}", reply.code, reply.lines.join(" "))
}

/// Bounded and printable: what strangers send ends up in reports and on terminals (C13, H31).
pub fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = printable.take(MOST).collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply { code, lines: vec![text.to_owned()] }
    }

    fn kind(delivery: &Delivery) -> &'static str {
        match delivery {
            Delivery::Delivered => "delivered",
            Delivery::Later { .. } => "later",
            Delivery::Failed { .. } => "failed",
        }
    }

    #[test]
    fn every_answer_has_one_meaning() {
        for (stage, code, text, expected) in [
            (Stage::Done, 250, "2.0.0 queued", "delivered"),
            (Stage::Done, 451, "4.3.0 try again", "later"),
            (Stage::Done, 554, "5.6.0 no", "failed"),
            (Stage::Done, 354, "what?", "later"),
            (Stage::Done, 552, "too large", "failed"),
            (Stage::Recipient, 550, "5.1.1 unknown", "failed"),
            (Stage::Recipient, 450, "greylisted", "later"),
            (Stage::Recipient, 552, "too many recipients", "later"),
            (Stage::Recipient, 552, "5.2.2 mailbox full", "failed"),
            (Stage::Recipient, 421, "bye", "later"),
            (Stage::Mail, 553, "5.1.8 sender", "failed"),
            (Stage::Mail, 530, "5.7.0 authentication required", "later"),
            (Stage::Mail, 550, "5.7.1 relaying denied", "later"),
            (Stage::Recipient, 554, "5.7.1 relay access denied", "later"),
            (Stage::Data, 250, "not 354", "later"),
            (Stage::Data, 554, "no", "failed"),
            (Stage::Greeting, 554, "no service", "later"),
            (Stage::Hello, 550, "who?", "later"),
            (Stage::StartTls, 501, "no", "later"),
            (Stage::Auth, 535, "5.7.8 wrong", "later"),
            (Stage::Done, 0, "", "later"),
            (Stage::Done, 999, "", "later"),
        ] {
            let reply = reply(code, text);
            let delivery = of_reply(stage, &reply, is_about_us(stage, &reply, false));
            assert_eq!(kind(&delivery), expected, "{stage:?} {code} {text}");
        }
    }

    #[test]
    fn a_reason_quotes_the_answer_and_says_where() {
        let soon = of_reply(Stage::Recipient, &reply(450, "4.2.0 greylisted"), false);
        assert_eq!(soon, Delivery::Later { reason: "450 4.2.0 greylisted (RCPT TO)".into() });
        let odd = of_reply(Stage::Done, &reply(354, "what?"), false);
        assert_eq!(
            odd,
            Delivery::Later { reason: "4.5.0 unexpected answer: 354 what? (end of message)".into() }
        );
    }

    #[test]
    fn only_too_many_recipients_are_worth_another_round() {
        let later = |reason: &str| Delivery::Later { reason: reason.into() };
        let too_many = later("452 4.5.3 too many (RCPT TO)");
        for (outcomes, expected) in [
            (vec![Delivery::Delivered, too_many.clone()], true),
            (vec![later("552 too many (RCPT TO)"), Delivery::Delivered], true),
            (vec![too_many], false),
            (vec![Delivery::Delivered], false),
            (vec![Delivery::Delivered, later("452 4.3.1 no room (MAIL FROM)")], false),
            (vec![Delivery::Delivered, later("450 4.2.0 greylisted (RCPT TO)")], false),
            (vec![Delivery::Delivered, Delivery::Failed { reason: "452 x (RCPT TO)".into() }], false),
            (vec![], false),
        ] {
            assert_eq!(is_worth_another_round(outcomes.iter()), expected, "{outcomes:?}");
        }
    }

    #[test]
    fn trouble_is_never_final() {
        for cause in [
            Cause::TimedOut,
            Cause::Closed,
            Cause::Injection,
            Cause::Garbage(Garbage::Shape),
            Cause::NoTls("not offered".into()),
            Cause::Io(io::ErrorKind::ConnectionReset.into()),
        ] {
            assert_eq!(kind(&Failure { stage: Stage::Done, cause }.delivery()), "later");
        }
    }

    #[test]
    fn reasons_are_one_bounded_printable_line() {
        let evil = reply(550, &format!("a\r\nBcc: x\u{1b}[2J{}", "y".repeat(5000)));
        let Delivery::Failed { reason } = of_reply(Stage::Recipient, &evil, false) else {
            panic!("a refusal")
        };
        assert!(!reason.contains(char::is_control));
        assert!(reason.chars().count() < 400);
        assert!(reason.starts_with("550 a  Bcc: x") && reason.ends_with("… (RCPT TO)"), "{reason}");
    }

    #[test]
    fn what_may_quote_the_message_is_not_logged() {
        assert_eq!(for_log("550 5.7.1 relaying denied (RCPT TO)"), "550 5.7.1 relaying denied (RCPT TO)");
        let quoted = for_log("554 5.7.1 no links as https://x/t/geheim (end of message)");
        assert_eq!(quoted, "554 5.7.1 (end of message; the words: zegel queue show)");
    }

    #[test]
    fn codes_come_back_out_of_a_reason() {
        assert_eq!(status("550 5.1.1 unknown (RCPT TO)"), "5.1.1");
        assert_eq!(status("550 unknown"), "5.0.0");
        assert_eq!(status(&Lack::SmtpUtf8.to_string()), "5.6.7");
        assert!(is_server_answer("550 5.1.1 unknown") && !is_server_answer("5.6.7 the message"));
        assert_eq!(codes("451 4.7.1 Vertrouwelijk: geheim"), "451 4.7.1");
        assert_eq!(codes("4.4.2 no answer"), "4.4.2");
        assert_eq!(codes("geheim 12345 678"), "");
        assert!(!is_server_answer("abc") && !is_server_answer("12345 x") && !is_server_answer(""));
    }
}
