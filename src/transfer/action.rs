//! The token in a link on which a sender acts, `<public_url>/s/<token>`: which transfer, for what, and a
//! signature that only our action key can have made. It is in the sender's mail only.
//!
//! Nothing of it is stored: it can be made again for the next mail, and a stolen database acts on nothing.
//! A forged token is refused without a look at the database, like one that never was (C15).

use super::pasted::{self, Around, Found};
use crate::id::{self, TransferId};
use crate::secret::{self, ActionKey, Secret};

/// Characters of the signature: 130 bits (C15).
const SIGNATURE: usize = 26;
/// Characters of a token.
pub const LENGTH: usize = TransferId::LENGTH + SIGNATURE;

/// What a token is good for. One that was made for another purpose is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The status page of a transfer, with all that its sender can do there.
    Status,
}

impl Purpose {
    /// The word that is signed.
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
        }
    }
}

/// The token that lets its holder do `purpose` with `transfer`.
pub fn token(key: &ActionKey, purpose: Purpose, transfer: &TransferId) -> Secret {
    Secret::new([transfer.as_str(), signature(key, purpose, transfer).reveal()].concat())
}

/// The status page of `transfer`, as a whole link below `public_url` (C22).
pub fn status_link(key: &ActionKey, public_url: &str, transfer: &TransferId) -> Secret {
    Secret::new(format!("{public_url}/s/{}", token(key, Purpose::Status, transfer).reveal()))
}

/// The transfer that `token` lets its holder do `purpose` with. `None` for whatever we did not make for
/// that, malformed or forged; the comparison takes the same time for all of them.
pub fn parse(key: &ActionKey, purpose: Purpose, token: &str) -> Option<TransferId> {
    let (transfer, given) = token.split_at_checked(TransferId::LENGTH)?;
    let transfer = transfer.parse().ok()?;
    let is_ours = |key: &ActionKey| {
        secret::equal(given.as_bytes(), signature(key, purpose, &transfer).reveal().as_bytes())
    };
    // All of them are compared, so that the time does not tell which it was.
    let ours = key.each().iter().filter(|key| is_ours(key)).count();
    (ours > 0).then_some(transfer)
}

/// The first such token in what somebody pasted, or a mail program made of a link.
pub fn find(key: &ActionKey, purpose: Purpose, text: &str, around: Around) -> Option<Found> {
    pasted::find(text, LENGTH, around, |candidate| parse(key, purpose, candidate).is_some())
}

fn signature(key: &ActionKey, purpose: Purpose, transfer: &TransferId) -> Secret {
    let mut text = id::base32(&key.sign(format!("{}/{transfer}", purpose.as_str()).as_bytes()));
    text.truncate(SIGNATURE);
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Keys;

    fn key(seed: u8) -> ActionKey {
        Keys::derive(&[seed; 32]).action
    }

    #[test]
    fn a_token_reads_back_and_is_made_again_alike() {
        let transfer = TransferId::random();
        let made = token(&key(1), Purpose::Status, &transfer);
        assert_eq!(made.reveal().len(), LENGTH);
        assert_eq!(parse(&key(1), Purpose::Status, made.reveal()), Some(transfer.clone()));
        assert_eq!(token(&key(1), Purpose::Status, &transfer).reveal(), made.reveal());
        let link = status_link(&key(1), "https://veilig.voorbeeld.nl", &transfer);
        assert_eq!(link.reveal(), format!("https://veilig.voorbeeld.nl/s/{}", made.reveal()));
    }

    /// Links that are out there must open after an upgrade as well.
    #[test]
    fn a_token_is_what_it_always_was() {
        let transfer: TransferId = "0123456789".parse().unwrap();
        let made = token(&key(1), Purpose::Status, &transfer);
        assert_eq!(made.reveal(), "0123456789hnmjfv58z1fqjws72psxgf6c49");
    }

    #[test]
    fn every_altered_foreign_or_malformed_token_is_refused() {
        let transfer = TransferId::random();
        let made = token(&key(1), Purpose::Status, &transfer);
        assert_eq!(parse(&key(2), Purpose::Status, made.reveal()), None, "another installation's");
        for at in 0..LENGTH {
            let mut altered = made.reveal().as_bytes().to_vec();
            altered[at] = if altered[at] == b'7' { b'8' } else { b'7' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(parse(&key(1), Purpose::Status, &altered), None, "altered at {at}");
        }
        let short = &made.reveal()[..LENGTH - 1];
        let long = format!("{}0", made.reveal());
        let upper = made.reveal().to_uppercase();
        for wrong in ["", "a", short, &long, &upper, transfer.as_str(), "éééééééééé", "../../../etc/passwd"]
        {
            assert_eq!(parse(&key(1), Purpose::Status, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_recipients_link_is_no_sender_link() {
        let keys = Keys::derive(&[1; 32]);
        let link = crate::id::Link { transfer: TransferId::random(), recipient: 1 };
        let recipient = crate::transfer::link::token(&keys.link, &link);
        assert_eq!(parse(&keys.action, Purpose::Status, recipient.reveal()), None);
    }

    proptest::proptest! {
        /// M16, C15: nobody hits upon one.
        #[test]
        fn no_other_text_is_a_token(text in "[0-9a-z]{30,40}|.{0,40}") {
            proptest::prop_assert_eq!(parse(&key(1), Purpose::Status, &text), None);
        }
    }
}
