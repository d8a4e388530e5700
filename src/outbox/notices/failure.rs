//! The failure report (RFC 3464, RFC 6522): tells a sender who did not get which mail, why, and what to do, as text and as
//! HTML, in the language of the organisation and in English; and tells a machine the same. Called by `queue/bounce`.
//!
//! A report quotes strangers: next hops, addresses, the mail's own header. Nothing of theirs may start a line
//! or a field (C13), and of a sealed mail nothing but the header is ever quoted.

use super::{Context, Notice, NoticeError, wording};
use crate::address::Address;
use crate::cause::FailureCause;
use crate::clock::{Timestamp, rfc5322};
use crate::diagnostic::{Diagnostic, EnhancedCode, Source};
use crate::envelope::{BodyType, Envelope};
use crate::id::{QueueId, TransferId};
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::report::decode_xtext;
use crate::outbox::compose::{Fields, Original, report_mail};
use crate::outbox::envelopes::from_nobody;
use crate::outbox::text::one_line;
use crate::secret::Secret;
use crate::store::QueueItemKind;

/// A mail could not be delivered.
pub struct FailureReport<'a> {
    /// The sender of the mail that failed.
    pub to: &'a Address,
    /// When that mail was accepted.
    pub arrived: Timestamp,
    /// Its `ENVID=`, in xtext.
    pub envid: Option<&'a str>,
    /// The next hop, as `host:port`.
    pub smarthost: &'a str,
    /// What kind of mail it was.
    pub about: About,
    /// Its Message-ID, with or without angle brackets.
    pub message_id: Option<&'a str>,
    /// The transfer that it was about, and the sender's link to its status page: only for the sender inside.
    pub transfer: Option<(&'a TransferId, Secret)>,
    /// The recipients who did not get it.
    pub failed: &'a [FailedRecipient<'a>],
    /// What is returned of it.
    pub original: Option<Original<'a>>,
}

/// What failed, in the eyes of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A message of theirs.
    Message,
    /// The notification of one: its link is closed now, unless it was opened before.
    Notification,
    /// A reminder of one that arrived earlier.
    Reminder,
}

/// One recipient who did not get the mail.
#[derive(Clone, Copy, Debug)]
pub struct FailedRecipient<'a> {
    pub address: &'a Address,
    /// Its `ORCPT=`: type, semicolon, xtext.
    pub orcpt: Option<&'a str>,
    /// Why.
    pub diagnostic: &'a Diagnostic,
}

impl Notice for FailureReport<'_> {
    const KIND: QueueItemKind = QueueItemKind::Report;

    fn envelope(&self) -> Envelope {
        let is_eight_bit = matches!(self.original, Some(Original::Whole(message)) if !message.is_ascii());
        let mut envelope = from_nobody(self.to);
        envelope.parameters.body = is_eight_bit.then_some(BodyType::EightBitMime);
        envelope
    }

    fn transfer(&self) -> Option<&TransferId> {
        self.transfer.as_ref().map(|(transfer, _)| *transfer)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let failed = self.failed.iter().map(|failed| failed.address);
        let subject = context.subject("failure-subject", failed, &self.arrived);
        let wording =
            wording!(FailureReport: self, context, subject, "failure/text.txt", "failure/mail.html");
        let from = format!("postmaster@{}", context.organisation.hostname);
        let fields = Fields::default()
            // So that it is shown beside the message in the sender's mail program.
            .thread(self.message_id)
            .date(context.now)
            .mailbox("From", Some(&context.organisation_name()), &from)
            .mailbox("To", None, self.to.as_str())
            .free_text("Subject", &one_line(&wording.subject))
            .message_id(id.as_str(), &context.organisation.hostname)
            // RFC 3834 5: nobody answers this automatically.
            .exact("Auto-Submitted", "auto-replied")
            .exact("X-Zegel-Notice", "failure")
            .exact("MIME-Version", "1.0");
        Ok(report_mail(fields, id, (&wording, context), &status_fields(self, context), self.original))
    }
}

impl FailureReport<'_> {
    /// Nobody knows which language the sender reads: that of the organisation, and English.
    fn contexts<'c>(&self, context: &Context<'c>) -> Vec<Context<'c>> {
        let mut contexts = vec![*context];
        if context.language != Language::En {
            contexts.push(Context { language: Language::En, ..*context });
        }
        contexts
    }

    fn intro(&self, context: &Context<'_>) -> String {
        let date = context.date_and_time(&self.arrived);
        match self.about {
            About::Message => context.language.format("failure-intro", &[("date", &date)]),
            About::Notification => context.language.format("failure-intro-link", &[("date", &date)]),
            About::Reminder => context.language.format("failure-intro-reminder", &[("date", &date)]),
        }
    }

    /// What that means for the link.
    fn link(&self, context: &Context<'_>) -> Option<String> {
        match self.about {
            About::Message => None,
            About::Notification => Some(context.language.text("failure-link-closed")),
            About::Reminder => Some(context.language.text("failure-link-open")),
        }
    }

    fn status(&self) -> Option<&str> {
        self.transfer.as_ref().map(|(_, status)| status.reveal())
    }

    /// The subject of a mail that passes, which goes back with it anyway.
    fn shown_subject(&self) -> Option<String> {
        let (Original::Header(original) | Original::Whole(original)) = self.original?;
        let subject = Header::parse(original).first("Subject").map(|field| one_line(&field.value()))?;
        Some(subject).filter(|subject| self.about == About::Message && !subject.is_empty())
    }
}

impl FailedRecipient<'_> {
    /// In plain words, as far as the codes tell.
    fn why(&self, context: &Context<'_>) -> String {
        context.language.text(FailureCause::from(self.diagnostic).text())
    }
}

/// Of a refusal without an enhanced status code (RFC 3463 3.1).
const UNDEFINED: EnhancedCode = EnhancedCode::new(5, 0, 0);

/// For machines (RFC 3464 2).
fn status_fields(facts: &FailureReport<'_>, context: &Context<'_>) -> String {
    let mut fields = StatusFields::default();
    fields.add("Reporting-MTA", &format!("dns; {}", context.organisation.hostname));
    if let Some(envid) = facts.envid {
        fields.add("Original-Envelope-Id", &decode_xtext(envid));
    }
    fields.add("Arrival-Date", &rfc5322(facts.arrived));
    for failed in facts.failed {
        fields.end_group();
        if let Some((kind, address)) = failed.orcpt.and_then(|orcpt| orcpt.split_once(';')) {
            fields.add("Original-Recipient", &format!("{kind};{}", decode_xtext(address)));
        }
        fields.add("Final-Recipient", &typed_address(failed.address));
        fields.add("Action", "failed");
        let Diagnostic { status, source, .. } = failed.diagnostic;
        fields.add("Status", &status.unwrap_or(UNDEFINED).to_string());
        let kind = match source {
            Source::Remote(_) => {
                fields.add("Remote-MTA", &format!("dns; {}", facts.smarthost));
                "smtp"
            }
            Source::Local => "x-zegel",
        };
        fields.add("Diagnostic-Code", &format!("{kind}; {}", failed.diagnostic));
        fields.add("Last-Attempt-Date", &rfc5322(context.now));
    }
    fields.0
}

/// Fields of printable US-ASCII, one a line.
#[derive(Default)]
struct StatusFields(String);

impl StatusFields {
    fn add(&mut self, name: &str, value: &str) {
        let printable = value.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' });
        self.0.push_str(name);
        self.0.push_str(": ");
        self.0.extend(printable);
        self.0.push_str("\r\n");
    }

    fn end_group(&mut self) {
        self.0.push_str("\r\n");
    }
}

/// RFC 3464 2.1.2; beyond ASCII the form of RFC 6533 3, which is ASCII as well.
fn typed_address(address: &Address) -> String {
    if !address.needs_smtputf8() {
        return format!("rfc822; {address}");
    }
    let mut text = String::from("utf-8; ");
    for c in address.as_str().chars() {
        match c {
            c if c.is_ascii() && c != '\\' && c != '+' && c != '=' => text.push(c),
            c => text.push_str(&format!("\\x{{{:X}}}", u32::from(c))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders};

    use super::*;
    use crate::diagnostic::Stage;
    use crate::settings::testing::organisation;

    fn report(words: &str, original: Option<Original<'_>>) -> String {
        let to = Address::parse("jan@voorbeeld.nl").unwrap();
        let (piet, jun) =
            (Address::parse("piet@example.org").unwrap(), Address::parse("j\u{fc}n@example.org").unwrap());
        let unknown = Diagnostic::remote(Stage::Recipient, 550, words);
        let lack = Diagnostic::local(None, EnhancedCode::new(5, 6, 7), "no");
        let failed = [
            FailedRecipient {
                address: &piet,
                orcpt: Some("rfc822;Piet+2Bx@example.org"),
                diagnostic: &unknown,
            },
            FailedRecipient { address: &jun, orcpt: None, diagnostic: &lack },
        ];
        let report = FailureReport {
            to: &to,
            arrived: Timestamp::UNIX_EPOCH,
            envid: Some("QQ+3D1"),
            smarthost: "mx.example.org:25",
            about: About::Notification,
            message_id: Some("<origineel@voorbeeld.nl>"),
            transfer: None,
            failed: &failed,
            original,
        };
        let organisation = organisation();
        let context = Context::new(&organisation, None, Timestamp::UNIX_EPOCH);
        let mail = report.compose(&context, &QueueId::random());
        String::from_utf8(mail.unwrap().into_vec()).unwrap()
    }

    #[test]
    fn is_a_report_of_three_parts_for_readers_and_machines() {
        let text = report("5.1.1 unknown", Some(Original::Header(b"Subject: caf\xc3\xa9\r\nX: y\r\n")));
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        let kind = message.content_type().unwrap();
        assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")));
        assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
        let kinds: Vec<_> = message
            .parts
            .iter()
            .filter_map(|part| part.content_type())
            .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
            .collect();
        assert_eq!(
            kinds,
            [
                "multipart/report",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "message/delivery-status",
                "text/rfc822-headers"
            ]
        );
        assert_eq!(message.in_reply_to().as_text(), Some("origineel@voorbeeld.nl"));
        assert_eq!(message.references().as_text(), Some("origineel@voorbeeld.nl"));
        for line in [
            "Reporting-MTA: dns; veilig.voorbeeld.nl\r\nOriginal-Envelope-Id: QQ=1\r\n",
            "\r\n\r\nOriginal-Recipient: rfc822;Piet+x@example.org\r\nFinal-Recipient: rfc822; piet@example.org\r\n",
            "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.org:25\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 unknown (RCPT TO)\r\n",
            "\r\n\r\nFinal-Recipient: utf-8; j\\x{FC}n@example.org\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "X-Zegel-Notice: failure\r\n",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
        assert!(text.is_ascii(), "travels without 8BITMIME");
        let human = message.body_text(0).unwrap();
        assert!(human.contains("niet aangekomen bij:") && human.contains("not delivered to:"));
        assert!(human.contains("piet@example.org") && human.contains("550 5.1.1 unknown"));
        assert!(human.contains("Dit e-mailadres bestaat niet.") && human.contains("does not exist"));
        let html = message.body_html(0).unwrap();
        assert!(html.contains("piet@example.org") && html.contains("550 5.1.1 unknown (RCPT TO)"));
        assert!(human.contains("vertrouwelijk"));
    }

    #[test]
    fn returns_a_message_untouched() {
        let original = "Subject: x\r\n\r\n\u{e9}=20\r\n.\r\n";
        let text = report("no", Some(Original::Whole(original.as_bytes())));
        assert!(text.contains(&format!("\r\n\r\n{original}")));
        assert!(text.contains("Content-Transfer-Encoding: 8bit\r\n"));
    }

    #[test]
    fn a_reason_adds_no_field() {
        let text = report("x\r\nBcc: evil@example.org\r\n\r\n<img src=//evil.example>body", None);
        assert!(!text.contains("\r\nBcc:"), "{text}");
        let message = MessageParser::default().parse(text.as_bytes()).unwrap();
        assert!(!message.body_html(0).unwrap().contains("<img"), "{text}");
    }
}
