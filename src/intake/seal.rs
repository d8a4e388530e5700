//! The sealed way: the message becomes a transfer, each recipient gets a notification with an own link,
//! the sender one receipt. Blocking; called by `intake` on a thread that may wait.

use super::{Arrival, Intake, Refusal, Rules};
use crate::address::{Address, ReversePath};
use crate::audit::Action;
use crate::clock::days_later;
use crate::config::{PasswordMode, SubjectMode};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};
use crate::id::{Link, QueueId};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::{mime, rewrite};
use crate::notify::SenderCard;
use crate::notify::notification::{NotificationFacts, notification};
use crate::notify::receipt::{ReceiptFacts, receipt};
use crate::policy::SealOptions;
use crate::queue::body;
use crate::secret::Secret;
use crate::store::{Acceptance, Kind, NewItem};
use crate::transfer::sealing::{self, SealRequest};

/// How one message is sealed: of what the rules ask for its recipients, the strictest.
struct Terms {
    expiry_days: u32,
    password: PasswordMode,
    subject: SubjectMode,
}
