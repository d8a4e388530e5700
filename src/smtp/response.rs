//! Every code, enhanced code (RFC 3463) and text that our SMTP server says, and nothing else. `session` says
//! them; the one other file that knows outward codes is the web's error map.

use std::borrow::Cow;
use std::fmt;

use super::command::CommandError;
use super::data::Fault;
use crate::smtp::inbox::Refusal;

/// One response (RFC 5321 4.2). Lines of the text are separated by `\n`; the enhanced code is part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    code: u16,
    text: Cow<'static, str>,
}

/// Longest text of a policy's refusal: a response line is at most 512 bytes (RFC 5321 4.5.3.1.5).
const MAX_TEXT: usize = 400;

impl Response {
    /// To RSET and NOOP.
    pub const OK: Self = Self::fixed(250, "2.0.0 Ok");
    /// To MAIL.
    pub const SENDER: Self = Self::fixed(250, "2.1.0 Sender ok");
    /// To RCPT.
    pub const RECIPIENT: Self = Self::fixed(250, "2.1.5 Recipient ok");
    /// To BDAT without LAST.
    pub const CHUNK: Self = Self::fixed(250, "2.0.0 Chunk ok");
    /// To DATA.
    pub const START_DATA: Self = Self::fixed(354, "End data with <CR><LF>.<CR><LF>");
    /// To VRFY: we never tell who exists (RFC 5321 3.5.3).
    pub const VERIFY: Self = Self::fixed(252, "2.0.0 Cannot verify the user, send some mail");
    /// To HELP.
    pub const HELP: Self =
        Self::fixed(214, "2.0.0 RFC 5321: EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS QUIT");
    /// To STARTTLS.
    pub const START_TLS: Self = Self::fixed(220, "2.0.0 Ready to start TLS");
    /// To QUIT.
    pub const BYE: Self = Self::fixed(221, "2.0.0 Bye");

    /// Before EHLO or HELO.
    pub const NO_GREETING: Self = Self::fixed(503, "5.5.1 Send EHLO first");
    /// MAIL within a transaction.
    pub const NESTED_MAIL: Self = Self::fixed(503, "5.5.1 A transaction is open, send RSET first");
    /// RCPT without MAIL.
    pub const NO_MAIL: Self = Self::fixed(503, "5.5.1 Send MAIL first");
    /// What was pipelined behind a MAIL that was refused. Not an error of its own.
    pub const MAIL_REFUSED: Self = Self::fixed(503, "5.5.1 MAIL was refused");
    /// DATA or BDAT without a recipient.
    pub const NO_RECIPIENTS: Self = Self::fixed(503, "5.5.1 No valid recipients");
    /// RCPT or DATA after BDAT (RFC 3030 2).
    pub const BDAT_BEGUN: Self = Self::fixed(503, "5.5.1 BDAT has begun, send more of it or RSET");
    /// STARTTLS when TLS is on.
    pub const TLS_IS_ON: Self = Self::fixed(503, "5.5.1 TLS is on already");
    /// STARTTLS without a certificate.
    pub const NO_TLS: Self = Self::fixed(502, "5.5.1 TLS is not available");
    /// Bytes behind STARTTLS before the handshake (RFC 3207 4.2, C09).
    pub const PLAINTEXT_BEHIND_STARTTLS: Self =
        Self::fixed(503, "5.5.1 Nothing may follow STARTTLS before TLS, closing connection");
    /// Anything but a few commands before STARTTLS (RFC 3207 4).
    pub const TLS_REQUIRED: Self = Self::fixed(530, "5.7.0 Must issue a STARTTLS command first");
    /// The client is not in `smtp.allow` (C11).
    pub const RELAY_DENIED: Self = Self::fixed(550, "5.7.1 This client may not relay");
    /// An address beyond ASCII without SMTPUTF8 (RFC 6531 3.5).
    pub const NEEDS_SMTPUTF8: Self = Self::fixed(553, "5.6.7 This address needs SMTPUTF8");
    /// More RCPT than `smtp.max_recipients`.
    pub const TOO_MANY_RECIPIENTS: Self = Self::fixed(452, "4.5.3 Too many recipients");
    /// The message is over `smtp.max_message_size`.
    pub const TOO_LARGE: Self = Self::fixed(552, "5.3.4 Message exceeds the maximum size");
    /// A command line over the limit.
    pub const LINE_TOO_LONG: Self = Self::fixed(500, "5.5.2 Line too long");

    /// After so many errors.
    pub const TOO_MANY_ERRORS: Self = Self::fixed(421, "4.7.0 Too many errors, closing connection");
    /// The client said nothing, or too little, for too long.
    pub const TIMEOUT: Self = Self::fixed(421, "4.4.2 Timeout, closing connection");
    /// We are stopping.
    pub const SHUTDOWN: Self = Self::fixed(421, "4.3.2 Service is shutting down, try again later");
    /// Instead of the greeting.
    pub const TOO_MANY_CONNECTIONS: Self = Self::fixed(421, "4.7.0 Too many connections, try again later");
    /// Instead of the greeting: a proxy in `smtp.trusted_proxies` does not say who the client is.
    pub const NO_PROXY_HEADER: Self =
        Self::fixed(421, "4.3.5 The proxy in front sent no PROXY header of version 2");

    const fn fixed(code: u16, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text) }
    }

    fn made(code: u16, text: String) -> Self {
        Self { code, text: Cow::Owned(text) }
    }

    /// The greeting.
    pub fn greeting(hostname: &str) -> Self {
        Self::made(220, format!("{hostname} ESMTP zegel"))
    }

    /// To HELO.
    pub fn helo(hostname: &str) -> Self {
        Self::made(250, hostname.to_owned())
    }

    /// To EHLO: what we offer.
    pub fn ehlo(hostname: &str, max_message_size: u64, starttls: bool) -> Self {
        let starttls = if starttls { "\nSTARTTLS" } else { "" };
        Self::made(
            250,
            format!(
                "{hostname}\nPIPELINING\nSIZE {max_message_size}{starttls}\nENHANCEDSTATUSCODES\n8BITMIME\n\
                 SMTPUTF8\nDSN\nCHUNKING"
            ),
        )
    }

    /// The message is kept: the one promise we make (RFC 5321 6.1).
    pub fn kept(kept: &impl fmt::Display) -> Self {
        Self::made(250, format!("2.0.0 Ok: queued as {kept}"))
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// What follows them, enhanced code included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the client is refused something. What was pipelined behind a MAIL that was refused has been told already.
    pub fn is_refusal(&self) -> bool {
        self.code >= 400 && *self != Self::MAIL_REFUSED
    }

    /// Whether it counts towards the errors that a connection may make. Refusals of a message as
    /// such (its size, its number of recipients) are answers, not errors.
    pub fn is_error(&self) -> bool {
        matches!(self.code, 500..=504 | 530 | 550 | 553 | 555) && *self != Self::MAIL_REFUSED
    }

    /// Writes every line of it, with `-` after the code in all but the last.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(format!("{}{separator}{line}\r\n", self.code).as_bytes());
        }
    }
}

impl From<CommandError> for Response {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Unknown => Self::fixed(500, "5.5.2 Command not recognized"),
            CommandError::NotOffered => Self::fixed(502, "5.5.1 Command not implemented"),
            CommandError::ForeignProtocol => Self::fixed(500, "5.5.1 This is SMTP, closing connection"),
            CommandError::NotText => Self::fixed(501, "5.5.2 Control characters or bad UTF-8 in the command"),
            CommandError::Syntax(form) => Self::made(501, format!("5.5.4 Syntax: {form}")),
            CommandError::Sender => Self::fixed(501, "5.1.7 Bad sender address syntax"),
            CommandError::Recipient => Self::fixed(501, "5.1.3 Bad recipient address syntax"),
            CommandError::Parameter => Self::fixed(501, "5.5.4 Bad or repeated parameter"),
            CommandError::UnknownParameter => Self::fixed(555, "5.5.4 Parameter not recognized"),
            CommandError::ChunkSize => Self::fixed(501, "5.5.4 Syntax: BDAT size [LAST], closing connection"),
        }
    }
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLarge => Self::TOO_LARGE,
            Fault::NoMemory => Self::fixed(452, "4.3.1 Too much mail at once, try again later"),
            Fault::ClientMemory => {
                Self::fixed(452, "4.3.1 Too much mail at once from this client, try again later")
            }
            Fault::OrganisationMemory => {
                Self::fixed(452, "4.3.1 Too much mail at once from this organisation, try again later")
            }
            Fault::Line(error) => Self::made(550, format!("5.6.0 The message holds {error}")),
        }
    }
}

impl From<&Refusal> for Response {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::ForeignSender => Self::fixed(550, "5.7.1 This sender is not within the organisation"),
            Refusal::Policy(text) => Self::made(550, format!("5.7.1 {}", one_line(text))),
            Refusal::NoSuchReturn => Self::fixed(550, "5.1.1 No notification went out from this address"),
            Refusal::Loop => Self::fixed(554, "5.4.6 The message loops"),
            Refusal::Unusable(_) => Self::fixed(554, "5.6.0 The message cannot be handled"),
            Refusal::Trouble(_) => Self::fixed(451, "4.3.0 Temporary trouble, try again later"),
        }
    }
}

/// A rule's text as one line of printable ASCII: whatever is in it, it cannot become a second response.
fn one_line(text: &str) -> String {
    let printable = |c: char| match c {
        ' '..='~' => c,
        c if c.is_control() || c.is_whitespace() => ' ',
        _ => '?',
    };
    let line: String = text.chars().take(MAX_TEXT).map(printable).collect();
    match line.trim() {
        "" => "Refused by policy".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response) -> String {
        let mut out = Vec::new();
        response.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_one_and_many_lines() {
        assert_eq!(written(&Response::OK), "250 2.0.0 Ok\r\n");
        let ehlo = written(&Response::ehlo("veilig.voorbeeld.nl", 1000, true));
        assert!(
            ehlo.starts_with(
                "250-veilig.voorbeeld.nl\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-STARTTLS\r\n"
            )
        );
        assert!(ehlo.ends_with("\r\n250 CHUNKING\r\n"));
        assert!(!written(&Response::ehlo("x", 1, false)).contains("STARTTLS"));
    }

    #[test]
    fn every_refusal_has_its_code() {
        for (refusal, start) in [
            (Refusal::ForeignSender, "550 5.7.1 "),
            (Refusal::Policy("no".into()), "550 5.7.1 no\r\n"),
            (Refusal::Loop, "554 5.4.6 "),
            (Refusal::NoSuchReturn, "550 5.1.1 "),
            (Refusal::Unusable("depth"), "554 5.6.0 "),
            (Refusal::Trouble("disk full at /var/lib".into()), "451 4.3.0 "),
        ] {
            let text = written(&Response::from(&refusal));
            assert!(text.starts_with(start), "{text}");
            assert!(!text.contains("/var/lib"), "the cause is for the log only");
        }
    }

    #[test]
    fn a_policy_text_stays_one_printable_line() {
        let text = written(&Response::from(&Refusal::Policy("Niet\r\n250 Ok\u{0}\u{202e} geëist".into())));
        assert_eq!(text, "550 5.7.1 Niet  250 Ok ? ge?ist\r\n");
        assert_eq!(
            written(&Response::from(&Refusal::Policy(" \n ".into()))),
            "550 5.7.1 Refused by policy\r\n"
        );
        let long = written(&Response::from(&Refusal::Policy("x".repeat(5000))));
        assert!(long.len() <= 512, "RFC 5321 4.5.3.1.5");
    }
}
