//! The notice to the postmaster that a mail could not be delivered which has no sender to tell: a report, a receipt, an
//! automatic answer. Plain text, for who looks after zegel: what it was, why, and what to do. Called by `queue/bounce`.
//!
//! It is no delivery report (RFC 3464): those go to senders, and never about mail from the null sender.

use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;

use crate::address::Address;
use crate::clock::{Timestamp, rfc5322};
use crate::id::QueueId;
use crate::locale::Language;
use crate::message::crlf::CrlfBytes;
use crate::outbox::NoticeError;
use crate::outbox::compose::{OwnHeader, one_line, write_field};
use crate::settings::Organisation;

/// All that it tells.
pub struct UndeliveredFacts<'a> {
    /// Of the mail.
    pub language: Language,
    /// Who runs this gateway; the mail is from it.
    pub organisation: &'a Organisation,
    /// `hostname`: the domain of our address and Message-ID.
    pub hostname: &'a str,
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
    /// Who did not get it, and why, without anything that could quote the mail.
    pub failed: &'a [(&'a Address, String)],
    /// It is frozen in the queue.
    pub kept: bool,
    /// Makes the Message-ID one of its own.
    pub id: &'a QueueId,
    /// The moment of writing.
    pub now: Timestamp,
}

/// Writes it.
pub fn undelivered(facts: &UndeliveredFacts<'_>) -> Result<CrlfBytes, NoticeError> {
    let header = OwnHeader {
        organisation: facts.organisation,
        hostname: facts.hostname,
        to: facts.to,
        message_id: &format!("{}.undelivered", facts.id),
        in_reply_to: None,
        now: facts.now,
    };
    let t = facts.language;
    let mut out = header.fields();
    let subject = t.format("undelivered-subject", &[("item", facts.item.as_str())]);
    write_field(&mut out, "Subject", &Text::new(one_line(&subject)));
    write_field(&mut out, "X-Zegel-Notice", &Text::new("undelivered"));
    write_field(&mut out, "MIME-Version", &Text::new("1.0"));
    write_field(&mut out, "Content-Language", &Text::new(t.as_str()));
    MimePart::new("text/plain", text(facts)).write_part(&mut out);
    Ok(CrlfBytes::normalised(&out))
}

fn text(facts: &UndeliveredFacts<'_>) -> String {
    let t = facts.language;
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
