//! The message that recipients keep: what the sender wrote, without what is not for them or not for others. Blind copies
//! (RFC 5322 3.6.3), which some programs leave in the header, would name people whom the others are not to see. A request
//! for a receipt of reading would have a mail program answer in the open, with the subject. The tag is for the gateway.
//!
//! What must never happen: that anything else changes, above all a file.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use crate::message::crlf::CrlfBytes;
use crate::message::header::Field;
use crate::message::invitation;
use crate::message::rewrite::{Edit, edit_fields};
use crate::outbox::compose::Fields;
use crate::policy::Policy;

/// The fields that name recipients whom the others are not to see.
const BLIND: &[&str] = &["Bcc", "Resent-Bcc"];

/// The fields by which programs ask for a receipt, of reading or of delivery (RFC 8098 2.1, RFC 2076 3.8, and what
/// Pegasus, Eudora, XMail and MailEnable write).
const RECEIPTS: &[&str] = &[
    "Disposition-Notification-To",
    "Disposition-Notification-Options",
    "Return-Receipt-To",
    "Return-Receipt-Requested",
    "Read-Receipt-To",
    "Receipt-Requested-To",
    "Notice-Requested-Upon-Delivery-To",
    "Registered-Mail-Reply-Requested-By",
    "Register-Mail-Reply-Requested-By",
    "Generate-Delivery-Report",
    "Delivery-Receipt-To",
    "X-Confirm-Reading-To",
    "X-Confirm-Delivery",
    "X-PMRQC",
    "X-Read-Receipt-To",
    "X-Return-Receipt-To",
    "X-Receipt-To",
    "X-MDRcpt-To",
    "X-MDSend-Notifications-To",
    "X-Chameleon-Return-To",
    "X-XMail-Receipt-To",
];

/// The subject, and the copy of it that Outlook makes.
const SUBJECTS: &[&str] = &["Subject", "Thread-Topic"];

/// Bytes of an event's name that is looked at.
const MAX_SUMMARY: usize = 4 << 10;

/// What recipients keep of one message.
pub(super) struct Copy<'a> {
    message: Cow<'a, CrlfBytes>,
    /// Its start, where that was edited, and where the rest goes on.
    edited: Option<(Vec<u8>, usize)>,
}

impl<'a> Copy<'a> {
    /// The copy of `message`, whose tags are those of `policy`.
    pub fn of(message: &'a CrlfBytes, policy: &Policy) -> Self {
        let name = |summary: &str| {
            Some(summary)
                .filter(|summary| summary.len() <= MAX_SUMMARY)
                .and_then(|text| untagged(policy, text))
        };
        let message = invitation::renamed(message, &name).map_or(Cow::Borrowed(message), Cow::Owned);
        let edited = edit_fields(message.as_slice(), |field| edit(policy, field));
        Self { message, edited }
    }

    /// The same parts, with the header as it came.
    pub fn message(&self) -> &CrlfBytes {
        &self.message
    }

    /// All of it.
    pub fn stream(&self) -> impl Read + Send + '_ {
        let (start, rest) = self.edited.as_ref().map_or((&[][..], 0), |(start, rest)| (&start[..], *rest));
        Cursor::new(start).chain(self.message.as_slice().get(rest..).unwrap_or_default())
    }
}

fn edit(policy: &Policy, field: &Field<'_>) -> Edit {
    let is_one_of = |names: &[&str]| names.iter().any(|name| field.is_named(name));
    if is_one_of(BLIND) || is_one_of(RECEIPTS) {
        return Edit::Remove;
    }
    let Some(name) = SUBJECTS.iter().find(|name| field.is_named(name)) else { return Edit::Keep };
    match untagged(policy, &field.value()) {
        Some(text) => Edit::Replace(Fields::default().free_text(name, &text).into_bytes()),
        None => Edit::Keep,
    }
}

/// The text without tags, where there are any.
fn untagged(policy: &Policy, text: &str) -> Option<String> {
    let clean = policy.clean_subject(text);
    (clean != text.split_whitespace().collect::<Vec<_>>().join(" ")).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(message: &str) -> String {
        let message = CrlfBytes::check(message.as_bytes().to_vec()).unwrap();
        let mut text = String::new();
        Copy::of(&message, &Policy::shipped()).stream().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn only_what_is_not_for_recipients_goes() {
        let message = "Received: x\r\nSUBJECT: Re:  [vertrouwelijk]\r\n Zaak 12\r\nBcc: a@b.nl,\r\n\tc@d.nl\r\nX-Y:  z\r\n\
            Disposition-Notification-To: a@b.nl\r\nreturn-receipt-to : a@b.nl\r\nThread-Topic: vertrouwelijk: Zaak 12\r\n\
            rubbish\r\nResent-Bcc: e@f.nl\r\nFrom: s@voorbeeld.nl\r\n\r\nSubject: [vertrouwelijk] x\r\nBcc: y\r\n";
        let expected = "Received: x\r\nSubject: Re: Zaak 12\r\nX-Y:  z\r\nThread-Topic: Zaak 12\r\n\
            rubbish\r\nFrom: s@voorbeeld.nl\r\n\r\nSubject: [vertrouwelijk] x\r\nBcc: y\r\n";
        assert_eq!(kept(message), expected);
        assert_eq!(kept(expected), expected);
    }

    #[test]
    fn every_request_for_a_receipt_goes() {
        for name in RECEIPTS {
            let message = format!(
                "{}: <s@voorbeeld.nl>,\r\n <t@voorbeeld.nl>\r\nFrom: s@voorbeeld.nl\r\n\r\nx\r\n",
                name.to_uppercase()
            );
            assert_eq!(kept(&message), "From: s@voorbeeld.nl\r\n\r\nx\r\n");
        }
    }

    #[test]
    fn what_has_no_tag_is_the_same_to_the_byte() {
        for message in [
            "",
            "\r\n",
            "rubbish",
            "Subject:  a \t b\r\n c\r\n\r\nx",
            "Subject: =?utf-8?q?a?=\r\nSubject: b\r\n\r\n",
        ] {
            assert_eq!(kept(message), message);
        }
    }

    #[test]
    fn an_encoded_tag_goes_as_well() {
        let text = kept("Subject: =?utf-8?q?=5Bvertrouwelijk=5D_Een_wat_langer_B=C3=A9zwaar?=\r\n\r\n");
        assert_eq!(text, "Subject: =?utf-8?Q?Een_wat_langer_B=C3=A9zwaar?=\r\n\r\n");
    }

    #[test]
    fn the_event_has_the_name_of_the_subject() {
        let text = kept(
            "Subject: [vertrouwelijk] Gesprek\r\nContent-Type: text/calendar; method=REQUEST\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nSUMMARY:[vertrouwelijk 14d] Gesprek=\r\n over x\r\n",
        );
        let message = CrlfBytes::check(text.into_bytes()).unwrap();
        let parts = crate::message::mime::parts(&message);
        assert_eq!(parts.files[0].data, b"SUMMARY:Gesprek over x\r\n".as_slice());
    }
}
