//! The author of an answer: proved by a code that went to their address (C23), and remembered in their browser from then
//! on. The codes themselves are in `verification`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::vault::{BROWSER, Vault, browser_hash};
use super::{Browser, Field, Replies, ReplyError, Result, Verified};
use crate::address::Address;
use crate::audit::{Action, Event, EventResult, Initiator};
use crate::clock::days_later;
use crate::id::{Link, OrganisationId};
use crate::locale::Language;
use crate::outbox::{Context, Outbox};
use crate::store::BrowserRow;
use crate::transfer::access::Grant;
use crate::verification::{Asker, MailChannel, REMEMBERED_DAYS, Verifier, is_unambiguous};

/// Whom a code verifies; the store has it sealed.
#[derive(Serialize, Deserialize)]
struct VerifiedPerson {
    name: String,
    address: Address,
    phone: String,
    /// Who mailed the code: to any other organisation the browser is a stranger's.
    #[serde(default)]
    organisation: Option<OrganisationId>,
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
        let address = address.with_ascii_domain();
        if !is_unambiguous(&address) {
            let (field, text) = (Field::Email, address.to_string());
            return Err(ReplyError::BadAddress { field, text });
        }
        let organisation = Some(self.organisation.id());
        let person = VerifiedPerson { name: typed.name, address, phone: typed.phone, organisation };
        let facts = Vault::of_draft(grant, browser).seal("code", &person)?;
        let channel = MailChannel {
            outbox: self.outbox(),
            context: Context {
                language,
                organisation: &self.organisation,
                now: self.service.parts.clock.now(),
            },
            to: &person.address,
            transfer: &grant.transfer().id,
        };
        self.verifier(browser).send(self.asker(grant, browser, client), facts, &channel).await?;
        self.service.parts.wake.wake();
        Ok(())
    }

    /// Whether a code was mailed that may still be tried.
    pub async fn has_code(&self, grant: &Grant, browser: &Browser) -> Result<bool> {
        let parts = &self.service.parts;
        let code = parts.store.code(self.author(grant, browser)).await?;
        Ok(code.is_some_and(|code| code.expires > parts.clock.now()))
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
        let asker = self.asker(grant, browser, client);
        let facts = self.verifier(browser).facts(asker.author.clone()).await?;
        let person: VerifiedPerson = Vault::of_draft(grant, browser).open("code", &facts)?;
        let until = days_later(self.service.parts.clock.now(), REMEMBERED_DAYS);
        let facts = Vault::of_browser(&self.service.parts.keys.reply, browser).seal(BROWSER, &person)?;
        let destination = person.address.mailbox();
        self.verifier(browser).verify(&asker, &destination, typed, BrowserRow { facts, until }).await?;
        let VerifiedPerson { name, address, phone, .. } = person;
        Ok(Verified { name, address, phone, until })
    }

    /// The person to whom this browser belongs, if that was proved to this organisation within 30 days.
    pub async fn verified(&self, browser: &Browser) -> Result<Option<Verified>> {
        let (hash, now) = (browser_hash(browser), self.service.parts.clock.now());
        let Some(row) = self.service.parts.store.browser(hash, now).await? else { return Ok(None) };
        let person = Vault::open_of_browser(&self.service.parts.keys, browser, &row.facts)?;
        let VerifiedPerson { name, address, phone, organisation } = person;
        if !self.scope().sees(organisation.as_ref()) {
            return Ok(None);
        }
        Ok(Some(Verified { name, address, phone, until: row.until }))
    }

    /// The same as [`super::ReplyService::forget`].
    pub async fn forget(&self, browser: &Browser) -> Result<()> {
        self.service.forget(browser).await
    }

    fn verifier<'a>(&'a self, browser: &'a Browser) -> Verifier<'a> {
        let parts = &self.service.parts;
        let (key, browser) = (&parts.keys.reply, browser.reveal());
        Verifier { store: parts.store.as_ref(), key, browser, clock: &parts.clock }
    }

    fn asker(&self, grant: &Grant, browser: &Browser, client: IpAddr) -> Asker {
        Asker { author: self.author(grant, browser), by: self.visitor(client) }
    }

    /// Makes items of mails that are small enough for their rows: all but the answer itself.
    pub(super) fn outbox(&self) -> Outbox<'_> {
        let keys = &self.service.parts.keys;
        Outbox { body_key: &keys.body, link_key: &keys.link, blobs: None }
    }

    /// What happened to an answer, for the audit trail; nothing that was typed is in it.
    pub(super) fn event(&self, action: Action, link: &Link, result: EventResult, client: IpAddr) -> Event {
        Initiator::recipient(client).event(self.service.parts.clock.now(), action, link.to_string(), result)
    }
}
