//! The envelopes of mails that zegel writes: nothing else decides who hears when one of them cannot be delivered, and what
//! of it they are sent.

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};

/// To one person, from the null sender: nothing ever answers it (H08, H09).
pub fn from_nobody(to: &Address) -> Envelope {
    envelope(ReversePath::Null, vec![EnvelopeRecipient::from(to.clone())])
}

/// In the name of somebody, who hears when it cannot be delivered, but is not sent what stands in it (RFC 3461 4.3).
pub fn from_somebody(reverse_path: ReversePath, recipients: Vec<EnvelopeRecipient>) -> Envelope {
    let mut envelope = envelope(reverse_path, recipients);
    envelope.parameters.ret = Some(Ret::Headers);
    envelope
}

fn envelope(reverse_path: ReversePath, recipients: Vec<EnvelopeRecipient>) -> Envelope {
    let addresses = recipients.iter().map(|recipient| &recipient.address).chain(reverse_path.address());
    let smtputf8 = addresses.into_iter().any(Address::needs_smtputf8);
    Envelope {
        reverse_path,
        parameters: MailParameters { smtputf8, ..MailParameters::default() },
        recipients,
    }
}
