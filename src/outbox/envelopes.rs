//! The envelopes of mails that zegel writes: nothing else decides who is told when one of them cannot be delivered, and what
//! of it they are sent.

use crate::address::{Address, ReversePath};
use crate::envelope::{Envelope, EnvelopeRecipient, MailParameters, Ret};

/// To one person, from the null sender: nothing ever answers it (H08, H09).
pub fn from_nobody(to: &Address) -> Envelope {
    envelope(ReversePath::Null, vec![EnvelopeRecipient::from(to.clone())])
}

/// In the name of a person, who is told when it cannot be delivered, but without its content (RFC 3461 4.3).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn nobody_hears_of_mail_from_nobody() {
        let envelope = from_nobody(&address("jan@voorbeeld.nl"));
        assert_eq!((envelope.reverse_path, envelope.parameters.ret), (ReversePath::Null, None));
    }

    /// A notification holds the recipient's link, which is not its sender's.
    #[test]
    fn whoever_hears_is_not_sent_what_was_in_it() {
        let jan = ReversePath::Address(address("jan@voorbeeld.nl"));
        let envelope = from_somebody(jan, vec![address("piet@example.org").into()]);
        assert_eq!(envelope.parameters.ret, Some(Ret::Headers));
    }

    #[test]
    fn any_address_beyond_ascii_needs_smtputf8() {
        let (jan, jun) = (address("jan@voorbeeld.nl"), address("j\u{fc}n@example.org"));
        let needs = |from: &Address, to: &Address| {
            let reverse_path = ReversePath::Address(from.clone());
            from_somebody(reverse_path, vec![to.clone().into()]).parameters.smtputf8
        };
        assert!(needs(&jan, &jun) && needs(&jun, &jan) && !needs(&jan, &jan));
        assert!(from_nobody(&jun).parameters.smtputf8);
    }
}
