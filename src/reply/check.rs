//! Everything that must be true of an answer before it can be sent, field by field. Pure. The same check shows the
//! messages beside the fields, and is made before the preview and before sending: nothing is taken on trust from a page.

use std::collections::HashSet;

use super::recipients::{self, AllowedRecipients, Excluded, Parsed};
use super::types::{Draft, ReplySettings, Typed, Upload, Verified};
use super::{Field, LineFault, MAX_FILES, ReplyError, Result};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::config::{Programs, ReplyDelivery};
use crate::limits::EXPIRY_DAYS;
use crate::message::kind::{ending, is_named_as_program};
use crate::message::name::is_invisible;
use crate::secret::Secret;
use crate::settings::Organisation;
use crate::transfer::password;
use crate::transfer::strength::strength;

/// Characters of a message; what is longer is a file.
const LONGEST_MESSAGE: usize = 100_000;
/// Characters of a name, and of a phone number.
const LONGEST_LINE: usize = 100;
/// Bytes of everything in the fields together: beyond that nothing is even kept.
const ENDLESS: usize = 1024 * 1024;
/// An answer goes to the people who handle a case; it is no way to reach everybody who works here (C40).
const MAX_RECIPIENTS: usize = 10;
/// Faults that are told at once.
const MOST_FAULTS: usize = 50;

/// What is true of an answer that can be sent.
pub(super) struct Checked {
    pub name: String,
    pub phone: String,
    pub verified: Verified,
    /// With line feeds, and no other control characters than tabs.
    pub message: String,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    /// Until when what becomes a transfer can be opened.
    pub expires: Timestamp,
    /// One that was chosen.
    pub password: Option<Secret>,
    pub settings: ReplySettings,
    /// The page that kept the message.
    pub page: String,
}

impl Checked {
    /// Everybody.
    pub fn recipients(&self) -> Vec<Address> {
        self.to.iter().chain(&self.cc).chain(&self.bcc).cloned().collect()
    }
}

/// Refuses what would fill the store.
pub(super) fn check_length(typed: &Typed) -> Result<()> {
    let Typed { name, email, phone, message, to, cc, bcc, settings, page, aside } = typed;
    let aside = aside.as_ref().map_or(0, |aside| aside.message.len());
    let all = [name, email, phone, message, to, cc, bcc, &settings.expiry_days, &settings.password, page];
    match all.iter().map(|text| text.len()).sum::<usize>().max(aside) > ENDLESS {
        true => Err(ReplyError::TooLong { max: LONGEST_MESSAGE }),
        false => Ok(()),
    }
}

/// Checks everything; all faults, in the order of the fields.
pub(super) fn check(
    draft: &Draft,
    verified: Option<&Verified>,
    allowed: &AllowedRecipients<'_>,
    organisation: &Organisation,
    now: Timestamp,
) -> std::result::Result<Checked, Vec<ReplyError>> {
    let (typed, mut faults) = (&draft.typed, Vec::new());
    let name = keep(&mut faults, line(&typed.name, Field::Name));
    let phone = if typed.phone.trim().is_empty() { Some(String::new()) } else { None };
    let phone = phone.or_else(|| keep(&mut faults, line(&typed.phone, Field::Phone)));
    let verified = keep(&mut faults, proved(typed, verified));
    let (to, cc, bcc) = all_recipients(typed, allowed, &mut faults);
    let message = clean(&typed.message);
    faults.extend(content_faults(&message, &draft.uploads, organisation));
    faults.extend(typed.aside.as_ref().map(|_| ReplyError::TwoTexts));
    let expires = keep(&mut faults, expiry(&typed.settings.expiry_days, organisation, now));
    let password = keep(&mut faults, chosen(typed, organisation));
    match (name, phone, verified, expires, password) {
        (Some(name), Some(phone), Some(verified), Some(expires), Some(password)) if faults.is_empty() => {
            let (settings, page) = (typed.settings.clone(), typed.page.clone());
            Ok(Checked { name, phone, verified, message, to, cc, bcc, expires, password, settings, page })
        }
        _ => Err(faults),
    }
}

fn keep<T>(faults: &mut Vec<ReplyError>, checked: Result<T>) -> Option<T> {
    checked.map_err(|fault| faults.push(fault)).ok()
}

/// A line that will be in a header field: refused rather than repaired, so that nobody is called what they did
/// not type (C13).
fn line(text: &str, field: Field) -> Result<String> {
    let text = text.trim();
    let fault = if text.is_empty() {
        LineFault::Empty
    } else if text.chars().any(char::is_control) {
        LineFault::Controls
    } else if text.contains(['<', '>']) {
        LineFault::Markup
    } else if text.chars().any(is_invisible) {
        LineFault::Invisible
    } else if text.chars().count() > LONGEST_LINE {
        LineFault::TooLong
    } else {
        return Ok(text.to_owned());
    };
    Err(ReplyError::BadLine { field, fault })
}

/// A resident who has typed another address since must prove that one.
fn proved(typed: &Typed, verified: Option<&Verified>) -> Result<Verified> {
    let verified = verified.ok_or(ReplyError::NotVerified)?;
    let email = typed.email.trim();
    let proved = recipients::key(&verified.address);
    let same = Address::parse(email).is_ok_and(|address| recipients::key(&address) == proved);
    if same { Ok(verified.clone()) } else { Err(ReplyError::NotVerified) }
}

/// To, Cc and Bcc; an address that is in two fields stays in the first of them.
fn all_recipients(
    typed: &Typed,
    allowed: &AllowedRecipients<'_>,
    faults: &mut Vec<ReplyError>,
) -> (Vec<Address>, Vec<Address>, Vec<Address>) {
    let mut seen = HashSet::new();
    let before = faults.len();
    let mut field = |text: &str, field: Field| -> Vec<Address> {
        let Parsed { addresses, faults: bad, .. } = recipients::parse(text);
        faults.extend(bad.into_iter().map(|text| ReplyError::BadAddress { field, text }));
        let mut found = Vec::new();
        for address in addresses {
            match allowed.admit(&address) {
                Ok(address) => {
                    if seen.insert(recipients::key(&address)) {
                        found.push(address);
                    }
                }
                Err(_) if faults.len() >= MOST_FAULTS => {}
                Err(excluded) => {
                    let address = address.to_string();
                    faults.push(match excluded {
                        Excluded::Outside => ReplyError::OutsideAddress { field, address },
                        Excluded::Stranger => ReplyError::Stranger { field, address },
                    });
                }
            }
        }
        found
    };
    let (to, cc, bcc) =
        (field(&typed.to, Field::To), field(&typed.cc, Field::Cc), field(&typed.bcc, Field::Bcc));
    if to.is_empty() && faults.len() == before {
        faults.push(ReplyError::NoRecipient);
    }
    if seen.len() > MAX_RECIPIENTS {
        faults.push(ReplyError::TooManyRecipients { max: MAX_RECIPIENTS });
    }
    (to, cc, bcc)
}

fn content_faults(message: &str, uploads: &[Upload], organisation: &Organisation) -> Vec<ReplyError> {
    let (mut faults, max) = (Vec::new(), organisation.reply.max_size.bytes());
    if message.trim().is_empty() && uploads.is_empty() {
        faults.push(ReplyError::Empty);
    }
    if message.chars().count() > LONGEST_MESSAGE {
        faults.push(ReplyError::TooLong { max: LONGEST_MESSAGE });
    }
    if uploads.len() > MAX_FILES {
        faults.push(ReplyError::TooManyFiles { max: MAX_FILES });
    }
    let octets: u64 = uploads.iter().map(|upload| upload.length.unwrap_or(upload.offset)).sum();
    if octets.saturating_add(message.len() as u64) > max {
        faults.push(ReplyError::TooLarge { max });
    }
    faults.extend(uploads.iter().filter_map(|upload| check_type(&upload.name, organisation).err()));
    let unfinished = uploads.iter().filter(|upload| !upload.is_complete());
    faults.extend(unfinished.map(|upload| ReplyError::Unfinished { name: upload.name.clone() }));
    faults
}

/// Whether files whose name ends so are taken (M08, C40). A list that names the ending of a program means it.
pub(super) fn check_type(name: &str, organisation: &Organisation) -> Result<()> {
    let allowed = &organisation.reply.file_types;
    let is_listed = allowed.contains(&ending(name));
    if !allowed.is_empty() && !is_listed {
        return Err(ReplyError::BadType { name: name.to_owned(), allowed: allowed.clone() });
    }
    if organisation.reply.programs == Programs::Refuse && !is_listed && is_named_as_program(name) {
        return Err(ReplyError::Program { name: name.to_owned() });
    }
    Ok(())
}

/// The end of the day that was typed, as a number of days or as a date within the year.
fn expiry(typed: &str, organisation: &Organisation, now: Timestamp) -> Result<Timestamp> {
    let (typed, zone) = (typed.trim(), &organisation.zone);
    if typed.is_empty() {
        return Ok(zone.end_of_day(now, organisation.seal.expiry_days));
    }
    let days = match typed.parse::<jiff::civil::Date>() {
        Ok(date) => zone.date(now).until(date).ok().and_then(|span| u32::try_from(span.get_days()).ok()),
        Err(_) => typed.parse().ok(),
    };
    let days = days.filter(|days| EXPIRY_DAYS.contains(days));
    let days = days.ok_or(ReplyError::BadExpiry { max: *EXPIRY_DAYS.end() })?;
    Ok(zone.end_of_day(now, days))
}

/// A password counts only where answers are transfers.
fn chosen(typed: &Typed, organisation: &Organisation) -> Result<Option<Secret>> {
    let password = password::normalise(&typed.settings.password);
    if organisation.reply.delivery == ReplyDelivery::Mail || password.reveal().is_empty() {
        return Ok(None);
    }
    let strength = strength(password.reveal(), &[&typed.name, &typed.email, &organisation.name]);
    if strength.accepted { Ok(Some(password)) } else { Err(ReplyError::WeakPassword(strength)) }
}

/// The message as it is sent: lines end in a line feed, and there is nothing in it that no reader sees.
pub(super) fn clean(message: &str) -> String {
    let lines = message.replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n");
    let kept: String = lines.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    kept.trim_end().to_owned()
}
