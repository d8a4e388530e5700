//! Arguments that several commands take: somebody, a time, a link.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::civil::Date;

use crate::address::{Address, is_same_domain};
use crate::calendar::Zone;
use crate::clock::{Timestamp, earlier};
use crate::config::{Config, parse_duration};
use crate::id::TransferId;
use crate::store::{OrganisationFilter, Who};
use crate::transfer::pasted::transfer_in;

/// From whom and to whom: a list shows what both hold for, as far as they are given.
#[derive(Debug, Args)]
pub(super) struct Correspondents {
    /// With this recipient: an address, or a whole domain; letter case aside
    #[arg(long, value_name = "ADDR", value_parser = parse_who)]
    to: Option<Who>,
    /// With this sender: an address, a whole domain, or '<>'
    #[arg(long, value_name = "ADDR", value_parser = parse_who)]
    from: Option<Who>,
}

impl Correspondents {
    /// `sender` is empty for the null reverse path.
    pub fn fit<'a>(&self, sender: &str, mut recipients: impl Iterator<Item = &'a Address>) -> bool {
        self.from.as_ref().is_none_or(|from| from.is(sender))
            && self.to.as_ref().is_none_or(|to| recipients.any(|one| to.is(&one.mailbox())))
    }
}

/// One of the organisations of the gateway.
#[derive(Debug, Args)]
pub(super) struct OrganisationArg {
    /// Of this organisation alone, by any of its domains
    #[arg(long, value_name = "DOMAIN")]
    organisation: Option<String>,
}

impl OrganisationArg {
    /// Its configuration, by whose days times are read, and the rows that are its own. Without one: the operator's configuration,
    /// and all rows.
    pub fn choose<'a>(&self, config: &'a Config) -> Result<(&'a Config, Option<OrganisationFilter>)> {
        let Some(domain) = &self.organisation else { return Ok((config, None)) };
        let has = |one: &&Config| one.organisation.domains.iter().any(|own| is_same_domain(own, domain));
        let Some(found) = config.organisations().find(has) else {
            let known = config.organisations().filter_map(|one| one.organisation.domains.first());
            let known: Vec<&str> = known.map(String::as_str).collect();
            bail!(
                "--organisation {domain}: no organisation here has this domain; there are {}",
                known.join(", ")
            )
        };
        let (domains, nameless) = (found.organisation.domains.clone(), std::ptr::eq(found, config));
        Ok((found, Some(OrganisationFilter { domains, nameless })))
    }
}

/// An address where there is an `@`; else a domain, with which it may also begin.
pub(super) fn parse_who(text: &str) -> Result<Who> {
    if text == "<>" {
        return Ok(Who::Mailbox(String::new()));
    }
    let domain = text.strip_prefix('@').unwrap_or(text);
    if domain.contains('@') {
        return Ok(Who::Mailbox(Address::parse(text)?.mailbox()));
    }
    let any = Address::parse(&format!("a@{domain}"))?.mailbox();
    any.rsplit_once('@').map(|(_, domain)| Who::Domain(domain.to_owned())).context("no domain")
}

/// As [`transfer_in`] finds it.
pub(super) fn parse_link(text: &str) -> Result<TransferId> {
    match transfer_in(text) {
        Some(transfer) => Ok(transfer),
        None => bail!("neither a transfer nor a link to one"),
    }
}

/// The moment from which on something is listed; without a text all of it is.
pub(super) fn since(text: Option<&str>, zone: &Zone, now: Timestamp) -> Result<Timestamp> {
    moment(text, Timestamp::MIN, zone, now)
}

/// The last moment that is listed; a day counts whole, and without a text all of it is.
pub(super) fn until(text: Option<&str>, zone: &Zone, now: Timestamp) -> Result<Timestamp> {
    let day_after = text.and_then(|text| text.parse::<Date>().ok()?.tomorrow().ok());
    match day_after.filter(|_| text.is_some_and(|text| !text.contains('T'))) {
        Some(day) => Ok(earlier(zone.first_moment(day), Duration::from_micros(1))),
        None => moment(text, Timestamp::MAX, zone, now),
    }
}

fn moment(text: Option<&str>, otherwise: Timestamp, zone: &Zone, now: Timestamp) -> Result<Timestamp> {
    let Some(text) = text else { return Ok(otherwise) };
    time_of(text, zone, now)
        .with_context(|| format!("{text:?} is no time: write 2h, 3d, 2026-11-30, or 2026-11-30T10:00:00Z"))
}

/// So long ago, the beginning of a day of the organisation, or a moment.
fn time_of(text: &str, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
    let ago = || parse_duration(text).map(|ago| earlier(now, ago));
    let day = || text.parse().ok().map(|day| zone.first_moment(day));
    text.parse().ok().or_else(ago).or_else(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_three_ways() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let zone = Zone::default();
        let at = |text| time_of(text, &zone, now).map(|time| time.to_string());
        assert_eq!(at("2h").as_deref(), Some("2026-11-30T10:00:00Z"));
        assert_eq!(at("2026-11-30T10:00:00Z").as_deref(), Some("2026-11-30T10:00:00Z"));
        assert_eq!(at("2026-11-30").as_deref(), Some("2026-11-29T23:00:00Z"));
        for wrong in ["", "yesterday", "2026-13-01", "5"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_counts_whole_on_both_sides() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let zone = Zone::default();
        let of = |text| until(text, &zone, now).unwrap().to_string();
        assert_eq!(of(Some("2026-11-30")), "2026-11-30T22:59:59.999999Z");
        assert_eq!(of(Some("2026-11-30T10:00:00Z")), "2026-11-30T10:00:00Z");
        assert_eq!(of(Some("2h")), "2026-11-30T10:00:00Z");
        assert_eq!(until(None, &zone, now).unwrap(), Timestamp::MAX);
        assert!(until(Some("9999-12-31"), &zone, now).is_ok() && until(Some("soon"), &zone, now).is_err());
    }

    #[test]
    fn somebody_is_an_address_or_a_domain() {
        let who = |text| parse_who(text).ok();
        assert_eq!(who("Jan@Voorbeeld.NL"), Some(Who::Mailbox("jan@voorbeeld.nl".into())));
        assert_eq!(who("Voorbeeld.NL"), Some(Who::Domain("voorbeeld.nl".into())));
        assert_eq!(who("@voorbeeld.nl"), Some(Who::Domain("voorbeeld.nl".into())));
        assert_eq!(who("<>"), Some(Who::Mailbox(String::new())));
        for wrong in ["", "a b@c", "@", "exa mple.org"] {
            assert_eq!(who(wrong), None, "{wrong}");
        }
    }
}
