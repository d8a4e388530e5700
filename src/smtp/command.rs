//! One line from the client -> one [`Command`] (RFC 5321 4.1.1 and the extensions that we offer).
//! Called by `session` with a line that ended in CRLF and nothing else; what is in the line is
//! checked here, once. Parameters that travel on with the message keep the text they came in.

#[cfg(test)]
mod tests;

use crate::address::{Address, ReversePath};
use crate::envelope::{BodyType, MailParameters, Notify, RcptParameters, Ret};

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EHLO with the client's name
    Ehlo(String),
    /// HELO with the client's name
    Helo(String),
    /// MAIL FROM
    Mail(ReversePath, MailParameters),
    /// RCPT TO
    Rcpt(ForwardPath, RcptParameters),
    /// DATA
    Data,
    /// BDAT (RFC 3030)
    Bdat(Chunk),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// VRFY
    Vrfy,
    /// HELP
    Help,
    /// STARTTLS (RFC 3207)
    StartTls,
    /// QUIT
    Quit,
}

/// Whom RCPT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 4.5.1)
    Postmaster,
    /// A mailbox
    Mailbox(Address),
}

/// What BDAT announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes that follow the line.
    pub size: u64,
    /// The message ends with them.
    pub last: bool,
}

/// Why a line is no command; `response` has a code and text for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such verb.
    #[error("unknown command")]
    Unknown,
    /// A verb of SMTP that we do not offer.
    #[error("command not offered")]
    NotOffered,
    /// HTTP (M05).
    #[error("another protocol")]
    ForeignProtocol,
    /// Control characters, a lone CR or LF, NUL or bad UTF-8 (M04).
    #[error("not text")]
    NotText,
    /// The verb's own form, as it should be.
    #[error("syntax: {0}")]
    Syntax(&'static str),
    /// Not a reverse path.
    #[error("bad sender address")]
    Sender,
    /// Not a forward path.
    #[error("bad recipient address")]
    Recipient,
    /// A parameter that we know, with a value that is wrong, or twice.
    #[error("bad parameter")]
    Parameter,
    /// A parameter that we do not know (RFC 5321 4.1.1.11).
    #[error("unknown parameter")]
    UnknownParameter,
    /// BDAT whose size cannot be read: nobody knows where the next command starts (H37).
    #[error("bad chunk size")]
    ChunkSize,
}

/// Methods of HTTP (RFC 9110, and `PRI` of RFC 9113) that a browser or proxy can be made to send here.
const HTTP_METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI"];

impl Command {
    /// Reads a line, without its CRLF.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let text = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if text.chars().any(char::is_control) {
            return Err(CommandError::NotText);
        }
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        // Blanks at the end are tolerated, as RFC 5321 4.1.1 asks.
        let argument = argument.trim_matches(' ');
        let bare =
            |command, form| if argument.is_empty() { Ok(command) } else { Err(CommandError::Syntax(form)) };
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => client_name(argument).map(Self::Ehlo).ok_or(CommandError::Syntax("EHLO hostname")),
            "HELO" => client_name(argument).map(Self::Helo).ok_or(CommandError::Syntax("HELO hostname")),
            "MAIL" => mail(argument),
            "RCPT" => rcpt(argument),
            "DATA" => bare(Self::Data, "DATA"),
            "BDAT" => chunk(argument).map(Self::Bdat).ok_or(CommandError::ChunkSize),
            "RSET" => bare(Self::Rset, "RSET"),
            "NOOP" => Ok(Self::Noop),
            "VRFY" if argument.is_empty() => Err(CommandError::Syntax("VRFY address")),
            "VRFY" => Ok(Self::Vrfy),
            "HELP" => Ok(Self::Help),
            "STARTTLS" => bare(Self::StartTls, "STARTTLS"),
            "QUIT" => bare(Self::Quit, "QUIT"),
            "AUTH" | "EXPN" | "TURN" | "ETRN" | "SEND" | "SOML" | "SAML" => Err(CommandError::NotOffered),
            method if HTTP_METHODS.contains(&method) => Err(CommandError::ForeignProtocol),
            _ => Err(CommandError::Unknown),
        }
    }
}

/// A name or address literal; strict enough to be in a `Received` field as it is.
fn client_name(argument: &str) -> Option<String> {
    let fine = |c: u8| c.is_ascii_alphanumeric() || b"-._:[]".contains(&c);
    (!argument.is_empty() && argument.len() <= 255 && argument.bytes().all(fine)).then(|| argument.to_owned())
}

/// `FROM:<reverse-path> [parameters]`
fn mail(argument: &str) -> Result<Command, CommandError> {
    let (path, parameters) =
        path(argument, "FROM:").ok_or(CommandError::Syntax("MAIL FROM:<address> [parameters]"))?;
    let sender = match path {
        "" => ReversePath::Null,
        path => ReversePath::Address(mailbox(path).ok_or(CommandError::Sender)?),
    };
    Ok(Command::Mail(sender, mail_parameters(parameters)?))
}

/// `TO:<forward-path> [parameters]`
fn rcpt(argument: &str) -> Result<Command, CommandError> {
    let (path, parameters) =
        path(argument, "TO:").ok_or(CommandError::Syntax("RCPT TO:<address> [parameters]"))?;
    let recipient = if path.eq_ignore_ascii_case("postmaster") {
        ForwardPath::Postmaster
    } else {
        ForwardPath::Mailbox(mailbox(path).ok_or(CommandError::Recipient)?)
    };
    Ok(Command::Rcpt(recipient, rcpt_parameters(parameters)?))
}

/// Separates what is in the angle brackets from the parameters behind them.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = argument.split_at_checked(keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    // A blank behind the colon is wrong, but common.
    let rest = rest.trim_start_matches(' ').strip_prefix('<')?;
    let (path, after) = rest.split_at_checked(closing_bracket(rest)?)?;
    let parameters = after.strip_prefix('>')?;
    (parameters.is_empty() || parameters.starts_with(' ')).then_some((path, parameters))
}

/// The first `>` that is not within a quoted string.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|octet| {
        let was_escaped = std::mem::take(&mut escaped);
        match octet {
            _ if was_escaped => {}
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'>' => return !quoted,
            _ => {}
        }
        false
    })
}

/// A mailbox; a source route before it (`@a,@b:user@c`) is accepted and ignored (RFC 5321 4.1.1.3, appendix C).
fn mailbox(path: &str) -> Option<Address> {
    let mailbox = if path.starts_with('@') {
        let (route, mailbox) = path.split_once(':')?;
        let hop = |hop: &str| hop.strip_prefix('@').is_some_and(|domain| client_name(domain).is_some());
        route.split(',').all(hop).then_some(mailbox)?
    } else {
        path
    };
    Address::parse(mailbox).ok()
}

fn mail_parameters(text: &str) -> Result<MailParameters, CommandError> {
    let mut found = MailParameters::default();
    for (keyword, value) in parameters(text) {
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => set(&mut found.size, size(value)),
            ("BODY", Some(value)) => set(&mut found.body, body(value)),
            ("SMTPUTF8", None) if !found.smtputf8 => {
                found.smtputf8 = true;
                Ok(())
            }
            ("RET", Some(value)) => set(&mut found.ret, ret(value)),
            ("ENVID", Some(value)) => set(&mut found.envid, envid(value)),
            ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID", _) => Err(CommandError::Parameter),
            _ => Err(CommandError::UnknownParameter),
        }?;
    }
    Ok(found)
}

fn rcpt_parameters(text: &str) -> Result<RcptParameters, CommandError> {
    let mut found = RcptParameters::default();
    for (keyword, value) in parameters(text) {
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => set(&mut found.notify, notify(value)),
            ("ORCPT", Some(value)) => set(&mut found.orcpt, orcpt(value)),
            ("NOTIFY" | "ORCPT", None) => Err(CommandError::Parameter),
            _ => Err(CommandError::UnknownParameter),
        }?;
    }
    Ok(found)
}

/// `keyword[=value]`, separated by blanks.
fn parameters(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    })
}

/// A parameter may be given once, and must be valid.
fn set<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), CommandError> {
    if slot.is_some() || value.is_none() {
        return Err(CommandError::Parameter);
    }
    *slot = value;
    Ok(())
}

/// 1 to 20 digits (RFC 1870 6.1); what does not fit 64 bits is certainly too large.
fn size(value: &str) -> Option<u64> {
    let fine = (1..=20).contains(&value.len()) && value.bytes().all(|c| c.is_ascii_digit());
    fine.then(|| value.parse().unwrap_or(u64::MAX))
}

fn body(value: &str) -> Option<BodyType> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(BodyType::SevenBit),
        "8BITMIME" => Some(BodyType::EightBitMime),
        _ => None,
    }
}

fn ret(value: &str) -> Option<Ret> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Ret::Full),
        "HDRS" => Some(Ret::Headers),
        _ => None,
    }
}

/// xtext of at most 100 characters (RFC 3461 4.4)
fn envid(value: &str) -> Option<String> {
    (value.len() <= 100 && is_xtext(value)).then(|| value.to_owned())
}

/// `NEVER` alone, or any of the three others (RFC 3461 4.1)
fn notify(value: &str) -> Option<Notify> {
    let mut notify = Notify::default();
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return None,
        }
    }
    Some(notify)
}

/// Address type, semicolon, xtext, at most 500 characters (RFC 3461 4.2); with the type `utf-8` the address
/// may be in UTF-8 as it is (RFC 6533 3).
fn orcpt(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let atom = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let fine = match kind.eq_ignore_ascii_case("utf-8") {
        true => !address.is_empty() && !address.contains('='),
        false => is_xtext(address),
    };
    (value.len() <= 500 && !kind.is_empty() && kind.bytes().all(atom) && fine).then(|| value.to_owned())
}

/// Printable ASCII, with `+`, `=` and the rest written as `+` and two upper-case hexadecimal digits (RFC 3461 4).
fn is_xtext(text: &str) -> bool {
    let hexadecimal = |c: u8| c.is_ascii_digit() || (b'A'..=b'F').contains(&c);
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let fine = match octet {
            b'+' => octets.next().is_some_and(hexadecimal) && octets.next().is_some_and(hexadecimal),
            b'=' => false,
            octet => octet.is_ascii_graphic(),
        };
        if !fine {
            return false;
        }
    }
    !text.is_empty()
}

/// `size [LAST]` (RFC 3030 2)
fn chunk(argument: &str) -> Option<Chunk> {
    let (digits, last) = match argument.split_once(' ') {
        None => (argument, false),
        Some((digits, word)) if word.trim_start_matches(' ').eq_ignore_ascii_case("LAST") => (digits, true),
        Some(_) => return None,
    };
    let fine = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    fine.then(|| digits.parse().ok()).flatten().map(|size| Chunk { size, last })
}
