//! The sealed way: the message becomes a transfer, each recipient gets a notification with an own link,
//! the sender one receipt. Blocking; called by `intake` on a thread that may wait.

use super::{Arrival, Intake, Refusal, Rules};
use crate::address::ReversePath;
use crate::audit::Action;
use crate::clock::days_later;
use crate::config::{PasswordMode, SubjectMode};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};
use crate::id::{Link, QueueId, TransferId};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::{mime, rewrite};
use crate::notify::SenderCard;
use crate::notify::notification::{NotificationFacts, notification};
use crate::notify::receipt::{ReceiptFacts, receipt};
use crate::queue::body;
use crate::secret::Secret;
use crate::store::{Acceptance, Kind, NewItem, NewTransfer};
use crate::transfer::sealing::{self, SealRequest, Sealed};

/// The fields of the original that the notification carries on, byte for byte (contract 4).
const KEPT_FIELDS: &[&str] = &["From", "To", "Cc", "Date", "Message-ID", "In-Reply-To", "References"];

/// How one message is sealed: of what the rules ask for its recipients, the strictest.
struct Terms {
    expiry_days: u32,
    password: PasswordMode,
    subject: SubjectMode,
}

/// Seals the message and adds transfer, notices and events to `acceptance`.
pub(super) fn seal(
    intake: &Intake,
    rules: &Rules,
    arrival: &Arrival,
    acceptance: &mut Acceptance,
) -> Result<(), Refusal> {
    let header = Header::parse(arrival.message.as_slice());
    let sender = receipt_address(arrival, &header);
    let terms = Terms::of(rules, arrival, sender.is_some());
    let subject = rules.policy.clean_subject(&header.subject());
    let sealed = sealing::seal(
        intake.blobs.as_ref(),
        &intake.keys.link,
        &SealRequest { },
    )?;
    Ok(())
}

impl Terms {
    /// Where recipients differ, the shortest time, a password, and the neutral subject win. Without
    /// anybody to tell the password to (an automatic message, a null reverse path) the link is all.
    fn of(rules: &Rules, arrival: &Arrival, password_can_be_told: bool) -> Self {
        let defaults = &rules.config.seal;
        let options = || arrival.seal.iter().map(|(_, options)| options);
        let expiry = options().map(|o| o.expiry_days.unwrap_or(defaults.expiry_days)).min();
        let wants_password =
            options().any(|o| o.password.unwrap_or(defaults.password) == PasswordMode::Generated);
        let keeps_subject = options().all(|o| o.subject.unwrap_or(defaults.subject) == SubjectMode::Keep);
        Self {
            expiry_days: expiry.unwrap_or(defaults.expiry_days),
            password: match wants_password && password_can_be_told {
                true => PasswordMode::Generated,
                false => PasswordMode::None,
            },
            subject: if keeps_subject { SubjectMode::Keep } else { SubjectMode::Generic },
        }
    }
}
