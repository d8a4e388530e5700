//! Verification codes: proof that who answers reads mail at the address they give (C23). A code is eight digits
//! (26 bits), lives ten minutes, works once, and only in the browser, on the link and for the address that it was asked
//! for. The store counts tries and mails; a new code adds no tries (H18).

use std::net::IpAddr;
use std::time::Duration;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

use super::recipients::key;
use super::vault::{Vault, browser_hash};
use super::{Browser, Field, Replies, ReplyError, Result, Verified};
use crate::address::Address;
use crate::audit::{Action, Event};
use crate::clock::{days_later, later};
use crate::id::Link;
use crate::limits::{Rate, client_key};
use crate::locale::Language;
use crate::message::name::is_invisible;
use crate::outbox::notices::verification::Verification;
use crate::outbox::{Context, Outbox};
use crate::secret::{self, Secret};
use crate::store::{Author, BrowserRow, CodeLimits, CodeTry, NewCode, NewItem};
use crate::transfer::access::Grant;

/// How long a code works.
const LIFE: Duration = Duration::from_mins(10);
/// Days that a browser is remembered.
const REMEMBERED: u32 = 30;
/// Digits of a code.
const DIGITS: usize = 8;
/// C23, H18 and H42.
const LIMITS: CodeLimits = CodeLimits {
    tries: 5,
    per_address: 5,
    per_client: 20,
    per_link: Rate::per(10, HOUR),
    per_link_and_day: Rate::per(40, Duration::from_hours(24)),
    in_all: Rate::per(1000, HOUR),
};
const HOUR: Duration = Duration::from_hours(1);

/// Whom a code verifies; what the store has of it is sealed.
#[derive(Serialize, Deserialize)]
struct Person {
    name: String,
    address: Address,
    phone: String,
}

impl Replies {
    /// Mails a verification code to `address`. A former one is worth nothing from then on; its tries stay counted.
    pub async fn request_code(
        &self,
        grant: &Grant,
        browser: &Browser,
        address: Address,
        client: IpAddr,
        language: Language,
    ) -> Result<()> {
        self.check_enabled()?;
        let typed = self.draft(grant, browser).await?.typed;
        let (author, now) = (self.author(grant, browser), self.service.parts.clock.now());
        let code = new_code();
        let address = address.with_ascii_domain();
        if !is_plain(&address) {
            let (field, text) = (Field::Email, address.to_string());
            return Err(ReplyError::BadAddress { field, text });
        }
        let person = Person { name: typed.name, address, phone: typed.phone };
        let mail = self.code_mail(grant, &person.address, &code, language)?;
        let new = NewCode {
            facts: Vault::of_draft(grant, browser).seal("code", &person)?,
            hash: self.hash(&author, &person.address, code.reveal()),
            address: self.service.parts.keys.reply.hash_address(counted(&person.address).as_bytes()),
            client: client_key(client),
            now,
            expires: later(now, LIFE),
            mail,
            event: self.event(Action::Code, grant.link(), "sent", client),
            author,
        };
        match self.service.parts.store.add_code(new, LIMITS).await? {
            None => {
                self.service.parts.wake.wake();
                Ok(())
            }
            Some(until) => {
                let refused = self.event(Action::Code, grant.link(), "too many", client);
                self.service.parts.store.append_audit(refused).await?;
                Err(ReplyError::TooManyCodes(until))
            }
        }
    }

    /// The mail, ready for the queue.
    fn code_mail(&self, grant: &Grant, to: &Address, code: &Secret, language: Language) -> Result<NewItem> {
        let now = self.service.parts.clock.now();
        let context = Context { language, organisation: &self.organisation, now };
        Ok(self.outbox().item(&context, &Verification { to, transfer: &grant.transfer().id, code })?)
    }

    /// Makes items of mails that are small enough for their rows: all but the answer itself.
    pub(super) fn outbox(&self) -> Outbox<'_> {
        let keys = &self.service.parts.keys;
        Outbox { body_key: &keys.body, link_key: &keys.link, blobs: None }
    }

    /// Tries a code. When it is right the browser is remembered for 30 days, on every link.
    pub async fn verify(
        &self,
        grant: &Grant,
        browser: &Browser,
        typed: &str,
        client: IpAddr,
    ) -> Result<Verified> {
        self.check_enabled()?;
        let (author, now) = (self.author(grant, browser), self.service.parts.clock.now());
        let row = self.service.parts.store.code(author.clone()).await?.ok_or(ReplyError::NoCode)?;
        let Person { name, address, phone } = Vault::of_draft(grant, browser).open("code", &row.facts)?;
        let hash = self.hash(&author, &address, &digits(typed));
        let verified = Verified { name, address, phone, until: days_later(now, REMEMBERED) };
        let remembered = self.remembered(browser, &verified)?;
        let event = |result: &str| self.event(Action::Code, grant.link(), result, client);
        let tried =
            self.service.parts.store.try_code(author, hash, LIMITS.tries, now, remembered, event("verified"));
        let (result, error) = match tried.await? {
            CodeTry::Right => return Ok(verified),
            CodeTry::Wrong(left) => ("wrong", ReplyError::WrongCode { left }),
            CodeTry::Expired => ("expired", ReplyError::ExpiredCode),
            CodeTry::None => return Err(ReplyError::NoCode),
        };
        self.service.parts.store.append_audit(event(result)).await?;
        Err(error)
    }

    fn remembered(&self, browser: &Browser, verified: &Verified) -> Result<BrowserRow> {
        let Verified { name, address, phone, until } = verified.clone();
        let facts = Vault::of_browser(&self.service.parts.keys, browser)
            .seal("browser", &Person { name, address, phone })?;
        Ok(BrowserRow { facts, until })
    }

    /// Who this browser belongs to, if that was proved within 30 days.
    pub async fn verified(&self, browser: &Browser) -> Result<Option<Verified>> {
        let (hash, now) = (browser_hash(browser), self.service.parts.clock.now());
        let Some(row) = self.service.parts.store.browser(hash, now).await? else { return Ok(None) };
        let person = Vault::of_browser(&self.service.parts.keys, browser).open("browser", &row.facts)?;
        let Person { name, address, phone } = person;
        Ok(Some(Verified { name, address, phone, until: row.until }))
    }

    /// Forgets who this browser belongs to: for a computer that others use.
    pub async fn forget(&self, browser: &Browser) -> Result<()> {
        Ok(self.service.parts.store.forget_browser(browser_hash(browser)).await?)
    }

    /// Everything that a code is bound to goes into its hash.
    fn hash(&self, author: &Author, address: &Address, code: &str) -> [u8; 32] {
        let Author { link, browser } = author;
        let bound = format!("{link}\n{}\n{code}\n", key(address));
        self.service.parts.keys.reply.hash_code(&[bound.as_bytes(), browser].concat())
    }

    /// What happened to an answer, for the audit trail; nothing that was typed is in it.
    pub(super) fn event(&self, action: Action, link: &Link, result: &str, client: IpAddr) -> Event {
        Event {
            time: self.service.parts.clock.now(),
            action,
            object: link.to_string(),
            result: result.to_owned(),
            actor: "recipient".to_owned(),
            origin: client.to_canonical().to_string(),
        }
    }
}

/// Whether staff read the address for what it is: `"jan@voorbeeld.nl"@example.net` is one that looks like another (C40).
fn is_plain(address: &Address) -> bool {
    let local_part = address.unquoted_local_part();
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(&local_part);
    let misleads =
        |c: char| c.is_control() || c.is_whitespace() || is_invisible(c) || "@<>(),;:\\\"[]".contains(c);
    !address.domain().starts_with('[') && !local_part.chars().chain(plain.chars()).any(misleads)
}

/// What the spellings have in common that reach one mailbox, at one provider or another: mails to it are counted
/// together. Who is counted with a neighbour so waits a little; nobody is taken for another.
fn counted(address: &Address) -> String {
    let mailbox = key(address);
    let (local_part, domain) = mailbox.rsplit_once('@').unwrap_or((&mailbox, ""));
    let bare = local_part.split('+').next().unwrap_or("").replace('.', "");
    let domain = if domain == "googlemail.com" { "gmail.com" } else { domain };
    format!("{bare}@{domain}")
}

/// Drawn evenly: numbers beyond the last whole multiple are drawn again.
fn new_code() -> Secret {
    const COUNT: u32 = 10u32.pow(DIGITS as u32);
    loop {
        let drawn = u32::from_be_bytes(secret::random());
        if drawn < u32::MAX - u32::MAX % COUNT {
            return Secret::new(format!("{:0width$}", drawn % COUNT, width = DIGITS));
        }
    }
}

/// What people make of a code when they paste or type it: spaces and dashes aside.
fn digits(typed: &str) -> String {
    typed
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C40
    #[test]
    fn an_address_that_looks_like_another_is_not_verified() {
        let is_plain = |text: &str| super::is_plain(&Address::parse(text).unwrap());
        for address in [
            "piet@example.org",
            "p.j+x@example.org",
            "\"piet\"@example.org",
            "renée@example.org",
            "o'neil@example.org",
        ] {
            assert!(is_plain(address), "{address}");
        }
        for address in [
            "\"jan@voorbeeld.nl\"@example.net",
            "\"Jan de Vries\"@example.net",
            "\"jan@voorbeeld.nl <x\"@example.net",
            "jan＠voorbeeld.nl@example.net",
            "jan\u{202e}x@example.net",
            "jan@[192.0.2.1]",
        ] {
            assert!(!is_plain(address), "{address}");
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

    #[test]
    fn codes_are_eight_digits_and_differ() {
        let codes: std::collections::HashSet<String> =
            (0..200).map(|_| new_code().reveal().to_owned()).collect();
        assert!(codes.len() > 190);
        assert!(codes.iter().all(|code| code.len() == 8 && code.bytes().all(|c| c.is_ascii_digit())));
    }

    #[test]
    fn a_code_may_be_pasted_with_blanks() {
        for typed in ["12345678", " 1234 5678\r\n", "1234-5678", "1234\u{a0}5678"] {
            assert_eq!(digits(typed), "12345678");
        }
        assert_eq!(digits(&"1".repeat(10_000)).len(), 64);
    }
}
