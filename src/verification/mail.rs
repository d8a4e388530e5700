//! Codes by mail, and when two addresses are one mailbox.

use icu_normalizer::ComposingNormalizerBorrowed;

use super::Channel;
use crate::address::Address;
use crate::id::TransferId;
use crate::message::name::is_invisible;
use crate::outbox::notices::verification::Verification;
use crate::outbox::{Context, NoticeError, Outbox};
use crate::secret::Secret;
use crate::store::NewItem;

/// Brings a code to one address.
pub struct MailChannel<'a> {
    /// Makes the queue item.
    pub outbox: Outbox<'a>,
    /// Organisation, language and time of the mail.
    pub context: Context<'a>,
    /// The address that is to be proved.
    pub to: &'a Address,
    /// What the code is for.
    pub transfer: &'a TransferId,
}

impl Channel for MailChannel<'_> {
    fn destination(&self) -> String {
        self.to.mailbox()
    }

    fn counted(&self) -> String {
        counted(self.to)
    }

    fn message(&self, code: &Secret) -> Result<NewItem, NoticeError> {
        self.outbox.item(&self.context, &Verification { to: self.to, transfer: self.transfer, code })
    }
}

/// Whether staff read the address for what it is: `"jan@voorbeeld.nl"@example.net` is one that looks like another (C40).
pub fn is_unambiguous(address: &Address) -> bool {
    let local_part = address.unquoted_local_part();
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(&local_part);
    let misleads =
        |c: char| c.is_control() || c.is_whitespace() || is_invisible(c) || "@<>(),;:\\\"[]".contains(c);
    !address.domain().starts_with('[') && !local_part.chars().chain(plain.chars()).any(misleads)
}

/// What the spellings have in common that reach one mailbox, at one provider or another. A person who is counted with a
/// neighbour so waits a little; nobody is taken for another.
fn counted(address: &Address) -> String {
    let mailbox = address.mailbox();
    let (local_part, domain) = mailbox.rsplit_once('@').unwrap_or((&mailbox, ""));
    let bare = local_part.split('+').next().unwrap_or("").replace('.', "");
    let domain = if domain == "googlemail.com" { "gmail.com" } else { domain };
    format!("{bare}@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C40
    #[test]
    fn an_address_that_looks_like_another_is_not_verified() {
        let is_unambiguous = |text: &str| super::is_unambiguous(&Address::parse(text).unwrap());
        for address in [
            "piet@example.org",
            "p.j+x@example.org",
            "\"piet\"@example.org",
            "renée@example.org",
            "o'neil@example.org",
        ] {
            assert!(is_unambiguous(address), "{address}");
        }
        for address in [
            "\"jan@voorbeeld.nl\"@example.net",
            "\"Jan de Vries\"@example.net",
            "\"jan@voorbeeld.nl <x\"@example.net",
            "jan＠voorbeeld.nl@example.net",
            "jan\u{202e}x@example.net",
            "jan@[192.0.2.1]",
        ] {
            assert!(!is_unambiguous(address), "{address}");
        }
    }

    /// H42
    #[test]
    fn spellings_of_one_mailbox_are_counted_together() {
        let counted = |text: &str| super::counted(&Address::parse(text).unwrap());
        for same in ["piet.jansen+1@gmail.com", "PIETJANSEN@gmail.com", "p.i.e.t.jansen+x+y@googlemail.com"] {
            assert_eq!(counted(same), "pietjansen@gmail.com");
        }
        assert_ne!(counted("piet@example.org"), counted("piet@example.net"));
    }
}
