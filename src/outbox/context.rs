//! What all mails of one moment have in common: the organisation, the language and the time.

use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::Scheme;
use crate::locale::{Language, last_day, long_date, long_date_and_time, short_time};
use crate::outbox::text::one_line;
use crate::secret::Secret;
use crate::settings::Organisation;

/// Characters of an address in a subject, so that what stands behind it is not cut off.
const ADDRESS_IN_SUBJECT: usize = 64;

/// The organisation, the language and the time of a mail.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Of our own words.
    pub language: Language,
    /// The organisation that writes.
    pub organisation: &'a Organisation,
    /// The moment of writing.
    pub now: Timestamp,
}

/// A picture in a mail: a PNG that HTML shows by its id.
pub struct Logo<'a> {
    /// Its Content-ID, without angle brackets.
    pub id: String,
    /// In pixels of CSS.
    pub width: u32,
    /// In pixels of CSS.
    pub height: u32,
    /// The file.
    pub octets: &'a [u8],
}

impl<'a> Context<'a> {
    /// In the language that somebody has chosen, or else in that of the organisation.
    pub fn new(organisation: &'a Organisation, language: Option<Language>, now: Timestamp) -> Self {
        Self { language: language.unwrap_or(organisation.language), organisation, now }
    }

    /// The organisation's name as one line.
    pub fn organisation_name(&self) -> String {
        one_line(&self.organisation.name)
    }

    /// The organisation's telephone number as one line, if it has one.
    pub fn phone(&self) -> Option<String> {
        Some(one_line(&self.organisation.phone)).filter(|phone| !phone.is_empty())
    }

    /// The colours for programs that ask for dark ones.
    pub fn dark(&self) -> &'a Scheme {
        &self.organisation.branding.theme.dark
    }

    /// The picture on top, if the organisation has one.
    pub fn logo(&self) -> Option<Logo<'a>> {
        let branding = &self.organisation.branding;
        let picture = branding.mail_logo.as_ref()?;
        let (width, height) = picture.mail_size()?;
        // Another file has another id: mail programs keep pictures by it (RFC 2392).
        let version = branding.version.get(..12).unwrap_or(&branding.version);
        let id = format!("logo.{version}@{}", self.organisation.hostname);
        Some(Logo { id, width, height, octets: &picture.octets })
    }

    /// The page that explains these mails. Every link is below the configured URL (C22).
    pub fn help_page(&self) -> String {
        format!("{}/help", self.organisation.public_url)
    }

    /// The link that opens a transfer.
    pub fn transfer_link(&self, token: &Secret) -> String {
        format!("{}/t/{}", self.organisation.public_url, token.reveal())
    }

    /// The page on which a transfer is answered.
    pub fn reply_link(&self, token: &Secret) -> String {
        format!("{}/reply", self.transfer_link(token))
    }

    /// A date as people write it.
    pub fn date(&self, time: &Timestamp) -> String {
        long_date(self.language, &self.organisation.zone, *time)
    }

    /// The day until whose end something lasts.
    pub fn last_day(&self, time: &Timestamp) -> String {
        last_day(self.language, &self.organisation.zone, *time)
    }

    /// A moment for a subject.
    pub fn short_time(&self, time: &Timestamp) -> String {
        short_time(self.language, &self.organisation.zone, *time)
    }

    /// Recipients in a subject: the first, and how many others there are.
    pub fn whom<'r>(&self, mut recipients: impl Iterator<Item = &'r Address>) -> String {
        let first = recipients.next().map(|one| one_line(one.as_str())).unwrap_or_default();
        let first = match first.char_indices().nth(ADDRESS_IN_SUBJECT) {
            Some((end, _)) => format!("{}…", first.get(..end).unwrap_or_default()),
            None => first,
        };
        match recipients.count() {
            0 => first,
            others => {
                let count = others.to_string();
                self.language.format("mail-recipients", &[("recipient", &first), ("count", &count)])
            }
        }
    }

    /// A subject that says which message it is about: for whom it was, and when it was sent.
    pub fn subject<'r>(
        &self,
        key: &str,
        recipients: impl Iterator<Item = &'r Address>,
        sent: &Timestamp,
    ) -> String {
        let (recipients, time) = (self.whom(recipients), self.short_time(sent));
        let values = [("recipients", recipients.as_str()), ("time", &time)];
        self.language.format(key, &values)
    }

    /// A date and the time of day as people write them.
    pub fn date_and_time(&self, time: &Timestamp) -> String {
        long_date_and_time(self.language, &self.organisation.zone, *time)
    }
}
