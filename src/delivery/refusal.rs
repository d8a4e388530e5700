//! Whom a refusal is about: us, or the mail and its recipients. Pure; used by `outcome` and `transaction`.
//!
//! A refusal of us ("relay access denied") concerns every mail alike, and an administrator can mend it: mail waits for
//! that. A refusal of a mail or a recipient is for good, and the sender is told of it. Servers tell the two apart in codes
//! and words of their own; where they leave it open, [`is_about_us`] decides by the stage.

use super::smtp_client::reply::Reply;
use crate::diagnostic::{EnhancedCode, Stage};

/// Whether the server takes no mail from us, whatever mail it is. `from_nobody`: the reverse path is null, so that no
/// sender's address can be at fault. What is said at RCPT must be said of every recipient to count: ask
/// [`are_all_about_us`].
pub fn is_about_us(stage: Stage, reply: &Reply, from_nobody: bool) -> bool {
    match (reply.code, stage) {
        // "Log in first", "encrypt first" (RFC 4954 6, RFC 3207 4).
        (530 | 534 | 535 | 538, _) => true,
        // "Try later" is for all kinds of reasons; only this one does not go away by itself.
        (400..=499, Stage::Mail | Stage::Recipient) => denies_relaying(&Said::of(reply)),
        (500..=599, Stage::Connect | Stage::Greeting | Stage::Hello | Stage::StartTls | Stage::Auth) => true,
        (500..=599, Stage::Mail) => {
            let said = Said::of(reply);
            !said.is_about_the_message() && (from_nobody || !said.is_about_the_sender())
        }
        (504 | 550 | 551 | 553 | 554 | 571, Stage::Recipient) => {
            let said = Said::of(reply);
            said.is_about_us() || (said.has_code_of_ours(POLICY) && !said.has(ABOUT_RECIPIENT_OR_MESSAGE))
        }
        (500..=599, Stage::Data | Stage::Content | Stage::Done) => {
            let said = Said::of(reply);
            denies_relaying(&said) || said.has_code_of_ours(IDENTITY)
        }
        _ => false,
    }
}

/// Whether nobody was taken, and every answer is about us.
pub fn are_all_about_us(recipients: &[Reply]) -> bool {
    let is = |reply: &Reply| !reply.is_positive() && is_about_us(Stage::Recipient, reply, false);
    !recipients.is_empty() && recipients.iter().all(is)
}

/// Details of 5.7 by which Exchange and Exchange Online say that they do not know us, or do not want us.
const IDENTITY: &[u16] = &[54, 57, 60, 64, 705, 708, 750];
/// The same, and "by policy", "log in", "no reverse DNS" (RFC 3463 3.8, RFC 7372), banned addresses of Exchange Online.
const POLICY: &[u16] = &[1, 3, 8, 9, 25, 54, 57, 60, 64, 606, 705, 708, 750];
/// Exchange Online numbers the reasons for which it bans an address.
const BANNED: std::ops::RangeInclusive<u16> = 606..=649;

/// With these a bare 5.7.1 is not about us.
const ABOUT_RECIPIENT_OR_MESSAGE: &[&str] =
    &["recipient", "mailbox", "user", "message", "content", "spam", "virus", "list", "group"];

/// What a server said, in words of small letters; a host name or an address is one word.
struct Said {
    text: String,
    code: Option<EnhancedCode>,
}

impl Said {
    fn of(reply: &Reply) -> Self {
        let text = reply.text().to_lowercase();
        // qmail and IronPort write it as `(#5.7.1)`.
        let trimmed = |word: &str| word.trim_matches(['(', ')', '#', ':', ',']).parse().ok();
        let code = text.split_ascii_whitespace().find_map(trimmed);
        Self { text, code }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let ends = |c: char| c.is_ascii_whitespace() || ",;:!?()[]<>\"".contains(c);
        self.text.split(ends).map(|word| word.trim_matches('.')).filter(|word| !word.is_empty())
    }

    fn has(&self, any: &[&str]) -> bool {
        self.words().any(|word| any.contains(&word))
    }

    fn contains(&self, any: &[&str]) -> bool {
        any.iter().any(|phrase| self.text.contains(phrase))
    }

    /// `X.7.detail`
    fn has_code_of_ours(&self, details: &[u16]) -> bool {
        let is_ours = |detail| details.contains(&detail) || (details == POLICY && BANNED.contains(&detail));
        matches!(self.code, Some(EnhancedCode { subject: 7, detail, .. }) if is_ours(detail))
    }

    /// Relaying, the client's address or name, the login; some servers say at RCPT what they found at EHLO or MAIL.
    fn is_about_us(&self) -> bool {
        let phrases = &[
            "client host rejected",
            "client host [",
            "helo command rejected",
            "sending ip",
            "authentication required",
            "authentication is required",
            "requires authentication",
            "not authenticated",
            "authenticate first",
        ];
        denies_relaying(self) || self.contains(phrases)
    }

    /// Too large (RFC 1870 6.1), or of a kind that is not taken (RFC 3463 3.7, RFC 6531 3.5).
    fn is_about_the_message(&self) -> bool {
        self.code.is_some_and(|code| matches!((code.subject, code.detail), (6, _) | (3, 4) | (2, 3)))
            || self.contains(&["message size", "size exceeds", "too large", "too big"])
    }

    /// Whether the address in MAIL is at fault (RFC 3463 3.2), and not that we send for it.
    fn is_about_the_sender(&self) -> bool {
        match self.code {
            Some(EnhancedCode { subject: 1, .. }) => !denies_relaying(self),
            Some(_) => false,
            None => self.has(&["sender", "sender's"]) && !self.is_about_us(),
        }
    }
}

/// "Relay access denied", "relaying denied", "unable to relay", "we do not relay", "relay not permitted" …
fn denies_relaying(said: &Said) -> bool {
    let no = &[
        "denied",
        "deny",
        "not",
        "no",
        "unable",
        "cannot",
        "can't",
        "don't",
        "won't",
        "refuse",
        "refused",
        "rejected",
        "prohibited",
        "forbidden",
        "disallowed",
        "invalid",
        "unauthorized",
        "unauthorised",
        "blocked",
        "disabled",
    ];
    // Postfix: a recipient who does not exist in a domain that it does relay for.
    let knows_the_domain = said.text.contains("relay recipient table");
    let relaying = said.has(&["relay", "relaying", "relayed"]) && said.has(no) && !knows_the_domain;
    // qmail: "sorry, that domain isn't in my list of allowed rcpthosts"
    relaying || said.has(&["rcpthosts"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        let (code, text) = text.split_at(3);
        Reply { code: code.parse().unwrap(), lines: vec![text.trim_start().to_owned()] }
    }

    /// Answers of real servers.
    #[test]
    fn who_does_not_relay_for_us_says_so_in_many_words() {
        for text in [
            // Postfix
            "554 5.7.1 <anna@example.org>: Relay access denied",
            "454 4.7.1 <anna@example.org>: Relay access denied",
            "554 5.7.1 <mx.voorbeeld.nl[192.0.2.1]>: Client host rejected: Access denied",
            "504 5.5.2 <zegel>: Helo command rejected: need fully-qualified hostname",
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
            "553 5.7.1 <jan@voorbeeld.nl>: Sender address rejected: not logged in",
            "530 5.7.0 Must issue a STARTTLS command first",
            // Exchange
            "550 5.7.1 Unable to relay",
            "550 5.7.1 Unable to relay for anna@example.org",
            "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "530 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM",
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
            // Exchange Online
            "550 5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is ''] [x.prod.outlook.com]",
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal visit https://sender.office.com",
            "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
            // Exim
            "550 relay not permitted",
            "550 authentication required",
            "550-rejected because 192.0.2.1 is not allowed to relay",
            // Sendmail
            "550 5.7.1 <anna@example.org>... Relaying denied",
            "550 5.7.1 <anna@example.org>... Relaying denied. Proper authentication required.",
            "550 5.7.1 Access denied",
            // qmail, IronPort, Google, Domino, Stalwart, and without a code
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.",
            "550 5.7.1 Invalid credentials for relay [192.0.2.1]. The IP address has not been registered",
            "554 Relay rejected for policy reasons.",
            "550 5.1.2 Relay not allowed.",
            "571 we do not relay",
            "551 we don't relay for you",
        ] {
            assert!(is_about_us(Stage::Recipient, &reply(text), false), "{text}");
            assert!(is_about_us(Stage::Mail, &reply(text), false), "{text}");
        }
    }

    #[test]
    fn a_recipient_who_is_refused_is_not_us() {
        for text in [
            "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown in virtual mailbox table",
            "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown in relay recipient table",
            "550 5.1.1 <anna@relay.example.org>: no such user, not known",
            "550 5.1.1 anna@example.org unknown, says relay1.voorbeeld.nl",
            "554 5.7.1 <anna@example.org>: Recipient address rejected: Access denied",
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
            "550 5.7.1 You are not allowed to post to this list",
            "550 5.7.1 Recipient not authorized",
            "550 5.1.8 <jan@voorbeeld.nl>: Sender address rejected: Domain not found",
            "550 unknown user",
            "550 no such mailbox",
            "552 5.2.2 mailbox full",
            "556 5.1.10 Recipient address has null MX",
            "250 2.1.5 ok, no relay here",
            "450 4.7.1 greylisted, the relay is new",
        ] {
            assert!(!is_about_us(Stage::Recipient, &reply(text), false), "{text}");
        }
    }

    #[test]
    fn at_mail_only_the_message_or_its_sender_can_be_at_fault() {
        for (text, message, sender) in [
            ("552 5.3.4 Message size exceeds fixed limit", true, false),
            ("552 message size exceeds fixed maximum message size", true, false),
            ("552 5.2.3 too long", true, false),
            ("554 5.6.7 SMTPUTF8 is required", true, false),
            ("501 5.1.7 Bad sender address syntax", false, true),
            ("553 5.1.8 <x@y>... Domain of sender address x@y does not exist", false, true),
            ("550 5.1.0 <x@y>: Sender address rejected: User unknown in local recipient table", false, true),
            ("550 Sender verify failed", false, true),
            ("550 5.7.1 <x@y>: Sender address rejected: Access denied", false, false),
            ("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)", false, false),
            ("550 sender may not relay, authentication required", false, false),
            ("550 5.7.1 Client does not have permissions to send as this sender", false, false),
            ("550 relay access denied", false, false),
            ("554 no", false, false),
            ("503 5.5.1 EHLO first", false, false),
            ("555 5.5.4 Unsupported option", false, false),
        ] {
            let reply = reply(text);
            assert_eq!(is_about_us(Stage::Mail, &reply, false), !message && !sender, "{text}");
            assert_eq!(is_about_us(Stage::Mail, &reply, true), !message, "<> {text}");
        }
    }

    #[test]
    fn the_content_is_at_fault_at_the_end_but_where_relaying_is_denied() {
        for (text, expected) in [
            ("550 5.7.64 TenantAttribution; Relay Access Denied", true),
            ("550 5.7.60 SMTP; Client does not have permissions to send as this sender", true),
            ("554 5.7.1 relaying denied", true),
            ("554 5.7.1 spam", false),
            ("550 5.7.1 Access denied", false),
            ("550 5.7.1 Message rejected as spam by Content Filtering", false),
            ("554 5.6.0 no", false),
        ] {
            for stage in [Stage::Data, Stage::Done] {
                assert_eq!(is_about_us(stage, &reply(text), false), expected, "{text}");
            }
        }
    }

    #[test]
    fn one_who_is_taken_shows_that_it_is_not_us() {
        let (denied, unknown, taken) =
            (reply("554 5.7.1 relay access denied"), reply("550 5.1.1 no"), reply("250 ok"));
        assert!(are_all_about_us(&[denied.clone(), denied.clone()]));
        assert!(!are_all_about_us(&[denied.clone(), taken]));
        assert!(!are_all_about_us(&[denied, unknown]));
        assert!(!are_all_about_us(&[]));
    }
}
