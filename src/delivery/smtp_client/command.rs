//! MAIL and RCPT with the parameters that a server understands, and what it lacks to take a mail as it is
//! (H04): a mail is never changed to suit a server. Pure.

use super::extensions::{Extensions, Size};
use crate::delivery::OutgoingMail;
use crate::diagnostic::EnhancedCode;
use crate::envelope::{BodyType, EnvelopeRecipient, Notify, Ret};
use crate::message::traits::Traits;

/// What a server lacks: a failure for good, and the reason that the report will give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// RFC 6152 3: the only other way would be to convert the message.
    #[error("the message holds 8-bit text and the next mail server does not take that (8BITMIME)")]
    EightBitMime,
    /// RFC 6531 3.2
    #[error("the message needs internationalised mail and the next mail server lacks it (SMTPUTF8)")]
    SmtpUtf8,
    /// RFC 1870 6.1 (2)
    #[error("the message has {size} octets and the next mail server takes at most {limit}")]
    Size {
        /// Bytes of the message
        size: u64,
        /// What the server announces
        limit: u64,
    },
}

impl Lack {
    /// RFC 3463 3.4, 3.7
    pub fn status(self) -> EnhancedCode {
        match self {
            Self::EightBitMime => EnhancedCode::new(5, 6, 3),
            Self::SmtpUtf8 => EnhancedCode::new(5, 6, 7),
            Self::Size { .. } => EnhancedCode::new(5, 3, 4),
        }
    }
}

/// What keeps the mail as a whole from this server.
pub fn lack_for_mail(mail: &OutgoingMail<'_>, offered: &Extensions) -> Option<Lack> {
    let Traits { size, eight_bit, .. } = mail.traits;
    match offered.size {
        Size::AtMost(limit) if size > limit => return Some(Lack::Size { size, limit }),
        _ => {}
    }
    if needs_smtputf8(mail) && !offered.smtputf8 {
        return Some(Lack::SmtpUtf8);
    }
    (eight_bit && !offered.eight_bit_mime).then_some(Lack::EightBitMime)
}

/// What keeps one recipient of it from this server.
pub fn lack_for_recipient(recipient: &EnvelopeRecipient, offered: &Extensions) -> Option<Lack> {
    (recipient.address.needs_smtputf8() && !offered.smtputf8).then_some(Lack::SmtpUtf8)
}

/// RFC 6531 3.4: a mail that was announced with SMTPUTF8 but holds nothing of the kind travels without.
fn needs_smtputf8(mail: &OutgoingMail<'_>) -> bool {
    let from_utf8 = mail.reverse_path.address().is_some_and(|address| address.needs_smtputf8());
    from_utf8 || (mail.parameters.smtputf8 && mail.traits.eight_bit_header)
}

/// The MAIL command, without its line end.
pub fn mail(mail: &OutgoingMail<'_>, offered: &Extensions) -> String {
    let given = mail.parameters;
    let mut line = format!("MAIL FROM:{}", mail.reverse_path);
    if offered.size != Size::Unknown {
        line.push_str(&format!(" SIZE={}", mail.traits.size));
    }
    if offered.eight_bit_mime {
        match given.body {
            _ if mail.traits.eight_bit => line.push_str(" BODY=8BITMIME"),
            Some(BodyType::EightBitMime) => line.push_str(" BODY=8BITMIME"),
            Some(BodyType::SevenBit) => line.push_str(" BODY=7BIT"),
            None => {}
        }
    }
    let utf8_recipient = || mail.recipients.iter().any(|recipient| recipient.address.needs_smtputf8());
    if offered.smtputf8 && (given.smtputf8 || needs_smtputf8(mail) || utf8_recipient()) {
        line.push_str(" SMTPUTF8");
    }
    if offered.dsn {
        match given.ret {
            Some(Ret::Full) => line.push_str(" RET=FULL"),
            Some(Ret::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        push_value(&mut line, "ENVID", given.envid.as_deref());
    }
    line
}

/// A RCPT command, without its line end.
pub fn rcpt(recipient: &EnvelopeRecipient, offered: &Extensions) -> String {
    let mut line = format!("RCPT TO:<{}>", recipient.address);
    if offered.dsn {
        let notify = recipient.parameters.notify.map(notify_list);
        push_value(&mut line, "NOTIFY", notify.as_deref());
        push_value(&mut line, "ORCPT", recipient.parameters.orcpt.as_deref());
    }
    line
}

/// RFC 3461 4.1
fn notify_list(notify: Notify) -> String {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let wanted: Vec<&str> = words.into_iter().filter_map(|(wanted, word)| wanted.then_some(word)).collect();
    if wanted.is_empty() { "NEVER".to_owned() } else { wanted.join(",") }
}

/// A value that would end its parameter or the line is left out, wherever it came from (C13).
fn push_value(line: &mut String, keyword: &str, value: Option<&str>) {
    let passable =
        |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if let Some(value) = value.filter(passable) {
        line.push_str(&format!(" {keyword}={value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Address, ReversePath};
    use crate::config::Direction;
    use crate::envelope::{MailParameters, RcptParameters};

    const NOTHING: Extensions = Extensions {
        pipelining: false,
        eight_bit_mime: false,
        smtputf8: false,
        size: Size::Unknown,
        dsn: false,
        chunking: false,
        starttls: false,
        auth_plain: false,
        auth_login: false,
    };
    const ALL: Extensions =
        Extensions { eight_bit_mime: true, smtputf8: true, size: Size::AtMost(1000), dsn: true, ..NOTHING };

    fn recipient(address: &str) -> EnvelopeRecipient {
        let notify = Some(Notify { failure: true, delay: true, success: false });
        let orcpt = Some("rfc822;piet+40example.org".to_owned());
        EnvelopeRecipient {
            address: Address::parse(address).unwrap(),
            parameters: RcptParameters { notify, orcpt },
        }
    }

    fn with_mail<T>(
        from: &str,
        parameters: &MailParameters,
        traits: Traits,
        look: impl Fn(&OutgoingMail<'_>) -> T,
    ) -> T {
        let reverse_path = ReversePath::Address(Address::parse(from).unwrap());
        let recipients = [recipient("piet@example.org")];
        look(&OutgoingMail {
            direction: Direction::Outside,
            reverse_path: &reverse_path,
            parameters,
            recipients: &recipients,
            traits,
            secret: false,
            open: &|| unreachable!("commands need no message"),
        })
    }

    #[test]
    fn parameters_go_to_those_who_know_them() {
        let parameters = MailParameters {
            body: Some(BodyType::SevenBit),
            smtputf8: true,
            size: Some(7),
            ret: Some(Ret::Headers),
            envid: Some("QQ314159".into()),
        };
        let traits = Traits { size: 42, ..Traits::default() };
        with_mail("jan@voorbeeld.nl", &parameters, traits, |m| {
            let all = "MAIL FROM:<jan@voorbeeld.nl> SIZE=42 BODY=7BIT SMTPUTF8 RET=HDRS ENVID=QQ314159";
            assert_eq!(mail(m, &ALL), all);
            assert_eq!(mail(m, &NOTHING), "MAIL FROM:<jan@voorbeeld.nl>");
            assert_eq!(lack_for_mail(m, &NOTHING), None);
        });
        let full = "RCPT TO:<piet@example.org> NOTIFY=FAILURE,DELAY ORCPT=rfc822;piet+40example.org";
        assert_eq!(rcpt(&recipient("piet@example.org"), &ALL), full);
        assert_eq!(rcpt(&recipient("piet@example.org"), &NOTHING), "RCPT TO:<piet@example.org>");
        let mut never = recipient("piet@example.org");
        never.parameters = RcptParameters { notify: Some(Notify::default()), orcpt: None };
        assert_eq!(rcpt(&never, &ALL), "RCPT TO:<piet@example.org> NOTIFY=NEVER");
    }

    /// RFC 6152 3, RFC 6531 3.4
    #[test]
    fn what_the_octets_are_like_is_said_whatever_we_were_told() {
        let eight_bit = Traits { size: 42, eight_bit: true, eight_bit_header: false };
        let header = Traits { eight_bit_header: true, ..eight_bit };
        let utf8 = MailParameters { smtputf8: true, ..MailParameters::default() };
        let plain = MailParameters::default();
        for (from, parameters, traits, end) in [
            ("jan@voorbeeld.nl", &plain, eight_bit, " BODY=8BITMIME"),
            ("jan@voorbeeld.nl", &plain, header, " BODY=8BITMIME"),
            ("jan@voorbeeld.nl", &utf8, eight_bit, " BODY=8BITMIME SMTPUTF8"),
            ("j\u{fc}n@voorbeeld.nl", &plain, eight_bit, " BODY=8BITMIME SMTPUTF8"),
        ] {
            let said = with_mail(from, parameters, traits, |m| mail(m, &ALL));
            assert_eq!(said, format!("MAIL FROM:<{from}> SIZE=42{end}"));
        }
    }

    #[test]
    fn a_server_that_lacks_what_the_mail_needs_gets_nothing() {
        let plain = MailParameters::default();
        let eight_bit = Traits { size: 42, eight_bit: true, eight_bit_header: true };
        let lack = |from: &str, parameters: &MailParameters, traits, offered: &Extensions| {
            with_mail(from, parameters, traits, |m| lack_for_mail(m, offered))
        };
        assert_eq!(lack("jan@voorbeeld.nl", &plain, eight_bit, &NOTHING), Some(Lack::EightBitMime));
        assert_eq!(lack("jan@voorbeeld.nl", &plain, eight_bit, &ALL), None);
        let utf8 = MailParameters { smtputf8: true, ..plain.clone() };
        assert_eq!(lack("jan@voorbeeld.nl", &utf8, eight_bit, &NOTHING), Some(Lack::SmtpUtf8));
        assert_eq!(lack("j\u{fc}n@voorbeeld.nl", &plain, Traits::default(), &NOTHING), Some(Lack::SmtpUtf8));
        let large = Traits { size: 1001, ..Traits::default() };
        let full = Traits { size: 1000, ..Traits::default() };
        assert_eq!(lack("jan@voorbeeld.nl", &plain, full, &ALL), None);
        let too_large = Some(Lack::Size { size: 1001, limit: 1000 });
        assert_eq!(lack("jan@voorbeeld.nl", &plain, large, &ALL), too_large);
        assert_eq!(lack_for_recipient(&recipient("j\u{fc}n@example.org"), &NOTHING), Some(Lack::SmtpUtf8));
        assert_eq!(lack_for_recipient(&recipient("j\u{fc}n@example.org"), &ALL), None);
    }

    #[test]
    fn no_value_adds_a_command() {
        for envid in ["x\r\nRCPT TO:<evil@example.org>", "a RET=FULL", "a\u{1}b", ""] {
            let evil = MailParameters { envid: Some(envid.into()), ..Default::default() };
            with_mail("jan@voorbeeld.nl", &evil, Traits::default(), |m| {
                let said = mail(m, &Extensions { dsn: true, ..NOTHING });
                assert_eq!(said, "MAIL FROM:<jan@voorbeeld.nl>", "{envid:?}");
            });
        }
    }
}
