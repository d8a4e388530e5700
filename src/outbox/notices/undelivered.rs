//! The notice to the postmaster that a mail could not be delivered and has no sender to tell: a report, a receipt, an
//! automatic answer. Plain text, for the administrator: what it was, why, and what to do. Called by
//! `queue/bounce`.
//!
//! It is no delivery report (RFC 3464): those go to senders, and never about mail from the null sender.

use super::{Context, Notice, NoticeError};
use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::envelope::Envelope;
use crate::id::QueueId;
use crate::message::crlf::CrlfBytes;
use crate::outbox::compose::{Fields, plain_mail};
use crate::outbox::envelopes::from_nobody;
use crate::outbox::text::one_line;
use crate::store::QueueItemKind;

/// Mail without a sender to tell could not be delivered.
pub struct Undelivered<'a> {
    /// The postmaster.
    pub to: &'a Address,
    /// The item that could not be delivered.
    pub item: &'a QueueId,
    /// Its kind, as `zegel queue list` has it.
    pub kind: &'a str,
    /// When it was accepted.
    pub arrived: Timestamp,
    /// The server it was for, as `host:port`.
    pub smarthost: &'a str,
    /// The recipients who did not get it, and why, without anything that could quote the mail.
    pub failed: &'a [(&'a Address, String)],
    /// It is frozen in the queue.
    pub kept: bool,
}

impl Notice for Undelivered<'_> {
    const KIND: QueueItemKind = QueueItemKind::Undelivered;

    fn envelope(&self) -> Envelope {
        from_nobody(self.to)
    }

    fn compose(&self, context: &Context<'_>, id: &QueueId) -> Result<CrlfBytes, NoticeError> {
        let subject = context.language.format("undelivered-subject", &[("item", self.item.as_str())]);
        let fields = Fields::own(context, self.to, &format!("{id}.undelivered"), None).about(
            "undelivered",
            context,
            None,
            &subject,
        );
        Ok(plain_mail(fields, &text(self, context)))
    }
}

fn text(facts: &Undelivered<'_>, context: &Context<'_>) -> String {
    let t = context.language;
    let mut lines = vec![t.text("mail-greeting"), String::new(), t.text("undelivered-intro"), String::new()];
    lines.extend([
        format!("{}: {}", t.text("undelivered-item"), facts.item),
        format!("{}: {}", t.text("undelivered-kind"), facts.kind),
        format!("{}: {}", t.text("undelivered-arrived"), rfc5322(facts.arrived)),
        format!("{}: {}", t.text("undelivered-server"), facts.smarthost),
        String::new(),
    ]);
    for (address, reason) in facts.failed {
        let reason = reason.replace(char::is_control, " ");
        lines.extend([
            format!("{}: {}", t.text("undelivered-recipient"), one_line(address.as_str())),
            format!("{}: {reason}", t.text("undelivered-reason")),
            String::new(),
        ]);
    }
    match facts.kept {
        true => {
            let command = |verb| format!("    zegel queue {verb} {}", facts.item);
            lines.extend([t.text("undelivered-kept"), String::new()]);
            lines.extend(["show", "retry", "drop"].map(command));
        }
        false => lines.push(t.text("undelivered-gone")),
    }
    lines.extend([String::new(), t.text("mail-automatic"), String::new()]);
    lines.join("\r\n")
}
