//! What an answer, or the lack of one, means for a recipient: delivered, deferred, or failed. Pure; the only
//! place that decides it. In doubt it is "deferred": nothing is given up that the next hop did not refuse.

use std::io;

use super::refusal::is_about_us;
use super::smtp_client::command::Lack;
use super::smtp_client::reply::{Garbage, Reply};
use crate::diagnostic::{Diagnostic, EnhancedCode, Outcome, Source, Stage};
use crate::store::{HopReport, Problem};

/// How an attempt to deliver one mail ended.
#[derive(Debug)]
pub struct Delivery {
    /// One for each recipient of the mail, in order.
    pub outcomes: Vec<Outcome>,
    /// What an administrator has to mend before those that wait can go.
    pub problem: Option<Problem>,
    /// The server takes no mail, whatever mail it is: it ended before anything of this one was said.
    pub is_away: bool,
    /// What is known of the connection that it took.
    pub hop: HopReport,
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
    #[error("{0}")]
    Answer(Reply),
    /// No answer in time (RFC 5321 4.5.3.2).
    #[error("no answer in time")]
    TimedOut,
    /// The server closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No connection was made.
    #[error("no connection: {0}")]
    Unreachable(io::Error),
    /// What came is not SMTP.
    #[error("{0}")]
    Garbage(#[from] Garbage),
    /// There is something behind the 220 of STARTTLS: somebody puts words into the server's mouth (C10).
    #[error("there is plain text behind the answer to STARTTLS; nothing was sent")]
    Injection,
    /// Encryption is required and cannot be had.
    #[error("no encryption: {0}")]
    NoTls(String),
    /// The connection is exposed, and the mail is not for everybody to read (C30).
    #[error(
        "this mail needs TLS and {smarthost} gives none ({reason}): turn STARTTLS on there, or name another next hop in \
         [relay] or [relay.inside]"
    )]
    NeedsTls {
        /// `host:port`
        smarthost: String,
        /// Why the connection is exposed.
        reason: String,
    },
    /// The user name and password cannot be used.
    #[error("cannot log in: {0}")]
    Credentials(String),
    /// Our own copy of the message cannot be read.
    #[error("the queued message cannot be read: {0}")]
    Content(io::Error),
}

impl Delivery {
    /// The same for each of so many recipients.
    pub fn same(outcome: Outcome, recipients: usize) -> Self {
        Self { outcomes: vec![outcome; recipients], problem: None, is_away: false, hop: HopReport::default() }
    }

    /// Why the first of those that wait does.
    pub fn deferred(&self) -> Option<&Diagnostic> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Deferred(diagnostic) => Some(diagnostic),
            Outcome::Delivered | Outcome::Failed(_) => None,
        })
    }
}

impl Failure {
    /// What it means for so many recipients.
    pub fn delivery(&self, recipients: usize) -> Delivery {
        Delivery {
            problem: self.problem(),
            is_away: self.is_away(),
            ..Delivery::same(self.outcome(), recipients)
        }
    }

    /// What it means for every recipient that was not yet settled.
    pub fn outcome(&self) -> Outcome {
        let status = match &self.cause {
            Cause::Answer(reply) => {
                return of_reply(self.stage, reply, is_about_us(self.stage, reply, false));
            }
            Cause::TimedOut | Cause::Closed | Cause::Io(_) => EnhancedCode::new(4, 4, 2),
            Cause::Unreachable(_) => EnhancedCode::new(4, 4, 1),
            Cause::Garbage(_) => EnhancedCode::new(4, 5, 0),
            Cause::Injection | Cause::NoTls(_) | Cause::NeedsTls { .. } => EnhancedCode::new(4, 7, 5),
            Cause::Credentials(_) => EnhancedCode::new(4, 7, 0),
            Cause::Content(_) => EnhancedCode::new(4, 3, 0),
        };
        Outcome::Deferred(Diagnostic::local(Some(self.stage), status, &self.cause.to_string()))
    }

    /// Whether other mail would have met with it as well. What needs TLS and finds none says nothing of the rest.
    fn is_away(&self) -> bool {
        self.stage.is_before_mail() && !matches!(self.cause, Cause::NeedsTls { .. })
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
}

/// What a server's reply means for those it is about. `about_us`: it takes no mail from us, whatever mail it is
/// (`refusal`).
pub fn of_reply(stage: Stage, reply: &Reply, about_us: bool) -> Outcome {
    let said = || Diagnostic::remote(stage, reply.code, &reply.text());
    match reply.code {
        200..=299 if stage == Stage::Done => Outcome::Delivered,
        500..=599 if !about_us && !is_too_many(stage, reply) => Outcome::Failed(said()),
        400..=599 => Outcome::Deferred(said()),
        _ => {
            let text = format!("unexpected answer: {reply}");
            Outcome::Deferred(Diagnostic::local(Some(stage), EnhancedCode::new(4, 5, 0), &text))
        }
    }
}

/// A server that lacks an extension will not have it tomorrow.
pub fn of_lack(lack: Lack) -> Outcome {
    Outcome::Failed(Diagnostic::local(None, lack.status(), &lack.to_string()))
}

/// "Too many recipients" in the words of RFC 821 (RFC 5321 4.5.3.1.10).
fn is_too_many(stage: Stage, reply: &Reply) -> bool {
    let status = reply.enhanced();
    stage == Stage::Recipient
        && reply.code == 552
        && status.is_none_or(|code| code == EnhancedCode::new(5, 5, 3))
}

/// Whether some got the mail and others were only too many for one transaction: they may follow at once
/// (RFC 5321 4.5.3.1.10). Each such round delivers to somebody, so there is an end to it.
pub fn is_worth_another_round<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> bool {
    let too_many = |outcome: &Outcome| match outcome {
        Outcome::Deferred(why) => {
            why.stage == Some(Stage::Recipient) && matches!(why.source, Source::Remote(452 | 552))
        }
        Outcome::Delivered | Outcome::Failed(_) => false,
    };
    outcomes.clone().any(|outcome| *outcome == Outcome::Delivered) && outcomes.into_iter().any(too_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, text: &str) -> Reply {
        Reply { code, lines: vec![text.to_owned()] }
    }

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Delivered => "delivered",
            Outcome::Deferred(_) => "deferred",
            Outcome::Failed(_) => "failed",
        }
    }

    #[test]
    fn every_answer_has_one_meaning() {
        for (stage, code, text, expected) in [
            (Stage::Done, 250, "2.0.0 queued", "delivered"),
            (Stage::Done, 451, "4.3.0 try again", "deferred"),
            (Stage::Done, 554, "5.6.0 no", "failed"),
            (Stage::Done, 354, "what?", "deferred"),
            (Stage::Done, 552, "too large", "failed"),
            (Stage::Recipient, 550, "5.1.1 unknown", "failed"),
            (Stage::Recipient, 450, "greylisted", "deferred"),
            (Stage::Recipient, 552, "too many recipients", "deferred"),
            (Stage::Recipient, 552, "5.2.2 mailbox full", "failed"),
            (Stage::Recipient, 421, "bye", "deferred"),
            (Stage::Mail, 553, "5.1.8 sender", "failed"),
            (Stage::Mail, 530, "5.7.0 authentication required", "deferred"),
            (Stage::Mail, 550, "5.7.1 relaying denied", "deferred"),
            (Stage::Recipient, 554, "5.7.1 relay access denied", "deferred"),
            (Stage::Data, 250, "not 354", "deferred"),
            (Stage::Data, 554, "no", "failed"),
            (Stage::Greeting, 554, "no service", "deferred"),
            (Stage::Hello, 550, "who?", "deferred"),
            (Stage::StartTls, 501, "no", "deferred"),
            (Stage::Auth, 535, "5.7.8 wrong", "deferred"),
            (Stage::Done, 0, "", "deferred"),
            (Stage::Done, 999, "", "deferred"),
        ] {
            let reply = reply(code, text);
            let outcome = of_reply(stage, &reply, is_about_us(stage, &reply, false));
            assert_eq!(word(&outcome), expected, "{stage:?} {code} {text}");
        }
    }

    #[test]
    fn a_diagnostic_quotes_the_answer_and_says_where() {
        let text = |outcome: Outcome| outcome.diagnostic().unwrap().to_string();
        let soon = of_reply(Stage::Recipient, &reply(450, "4.2.0 greylisted"), false);
        assert_eq!(text(soon), "450 4.2.0 greylisted (RCPT TO)");
        let odd = of_reply(Stage::Done, &reply(354, "what?"), false);
        assert_eq!(text(odd), "4.5.0 unexpected answer: 354 what? (end of message)");
        let empty = of_reply(Stage::Done, &reply(0, ""), false);
        assert_eq!(text(empty), "4.5.0 unexpected answer: 000 (end of message)");
        let closed = Failure { stage: Stage::Hello, cause: Cause::Closed }.outcome();
        assert_eq!(text(closed), "4.4.2 the connection was closed (EHLO)");
        let lack =
            "5.6.7 the message needs internationalised mail and the next mail server lacks it (SMTPUTF8)";
        assert_eq!(text(of_lack(Lack::SmtpUtf8)), lack);
    }

    #[test]
    fn only_too_many_recipients_are_worth_another_round() {
        let said = |stage, code| Diagnostic::remote(stage, code, "4.5.3 too many");
        let too_many = Outcome::Deferred(said(Stage::Recipient, 452));
        for (outcomes, expected) in [
            (vec![Outcome::Delivered, too_many.clone()], true),
            (vec![Outcome::Deferred(said(Stage::Recipient, 552)), Outcome::Delivered], true),
            (vec![too_many], false),
            (vec![Outcome::Delivered], false),
            (vec![Outcome::Delivered, Outcome::Deferred(said(Stage::Mail, 452))], false),
            (vec![Outcome::Delivered, Outcome::Deferred(said(Stage::Recipient, 450))], false),
            (vec![Outcome::Delivered, Outcome::Failed(said(Stage::Recipient, 452))], false),
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
            assert_eq!(word(&Failure { stage: Stage::Done, cause }.outcome()), "deferred");
        }
    }
}
