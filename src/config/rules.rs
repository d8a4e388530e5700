//! What the types of the configuration cannot express. Every rule names its keys, what is wrong, and what to do about it; all
//! that are broken are told.

use super::finding::{Finding, Places};
use super::{ByteSize, Config, OrganisationSection};
use crate::address::Address;
use crate::limits::EXPIRY_DAYS;

/// A rule that a configuration breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The keys that it is about; the first that was written is where it is shown.
    pub keys: Vec<&'static str>,
    /// What is wrong; names the key.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    /// Of these keys.
    pub fn new(keys: &[&'static str], reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { keys: keys.to_vec(), reason: reason.into(), remedy: remedy.into() }
    }

    /// With the place in the file or in the environment.
    pub fn at(self, places: &Places) -> Finding {
        let written = self.keys.iter().find(|key| places.has(key)).or(self.keys.first());
        Finding::error(places.of(written.copied().unwrap_or("")), self.reason, self.remedy)
    }
}

/// A rule: whether it holds, its keys, what is said if not, and the remedy.
type Rule<'a> = (bool, &'a [&'static str], &'a str, &'a str);

/// The rules that do not hold.
pub fn broken(rules: &[Rule<'_>]) -> Vec<Fault> {
    let broken = rules.iter().filter(|(holds, ..)| !holds);
    broken.map(|(_, keys, reason, remedy)| Fault::new(keys, *reason, *remedy)).collect()
}

impl Config {
    /// Brings values into their one form, and names every rule that is broken.
    pub(super) fn check(&mut self) -> Vec<Fault> {
        let OrganisationSection { domains, partners, .. } = &mut self.organisation;
        for domain in domains.iter_mut().chain(partners) {
            *domain = domain.to_lowercase();
        }
        for ending in &mut self.reply.file_types {
            *ending = ending.to_lowercase();
        }
        self.web.public_url = self.web.public_url.trim_end_matches('/').to_owned();
        let mut faults = self.check_names();
        faults.extend(self.organisation.check_pages());
        faults.extend(self.check_numbers());
        faults.extend(self.check_tls());
        faults.extend(self.check_reply());
        faults.extend(self.check_proxies());
        faults.extend(self.relay.check());
        faults.extend(self.store.check());
        faults
    }

    fn check_names(&self) -> Vec<Fault> {
        let (organisation, url) = (&self.organisation, &self.web.public_url);
        let has_scheme = url.starts_with("https://") || url.starts_with("http://");
        broken(&[
            (
                !organisation.domains.is_empty(),
                &["organisation.domains"],
                "organisation.domains must not be empty",
                "write the domains of your mail addresses, such as [\"voorbeeld.nl\"]",
            ),
            (
                organisation.domains.iter().all(|domain| is_domain(domain)),
                &["organisation.domains"],
                "organisation.domains must be domain names",
                "write what stands behind the @ of your addresses, without @ and blanks",
            ),
            (
                organisation.languages.contains(&self.web.default_language),
                &["organisation.languages", "web.default_language"],
                "organisation.languages must hold the language where nobody chose another (default_language)",
                "name it in languages, or make one of those the default_language",
            ),
            (
                is_one_line(&organisation.name),
                &["organisation.name"],
                "organisation.name must be one line",
                "write it without line ends and other control characters",
            ),
            (
                is_one_line(&organisation.phone),
                &["organisation.phone"],
                "organisation.phone must be one line",
                "write it without line ends and other control characters",
            ),
            (
                self.hostname.is_ascii() && is_domain(&self.hostname),
                &["hostname"],
                "hostname must be a host name",
                "write a name that DNS knows, such as veilig.voorbeeld.nl",
            ),
            (
                has_scheme,
                &["web.public_url"],
                "web.public_url must start with https:// or http://",
                "write what residents see in their browser, such as https://veilig.voorbeeld.nl",
            ),
            (
                !has_scheme || is_base_of_links(url),
                &["web.public_url"],
                "web.public_url must be a scheme, a host and perhaps a port, no more",
                "leave out the path, the query, blanks and line ends",
            ),
        ])
    }

    fn check_numbers(&self) -> Vec<Fault> {
        let (smtp, seal) = (&self.smtp, &self.seal);
        let holds_a_message = |size: ByteSize| size >= smtp.max_message_size;
        broken(&[
            (
                EXPIRY_DAYS.contains(&seal.expiry_days),
                &["seal.expiry_days"],
                "seal.expiry_days must be from 1 to 365",
                "30 is the default",
            ),
            (
                seal.max_password_attempts > 0,
                &["seal.max_password_attempts"],
                "seal.max_password_attempts must be 1 or more",
                "5 is the default",
            ),
            (
                seal.grace_days <= 365,
                &["seal.grace_days"],
                "seal.grace_days must be from 0 to 365",
                "0 is the default",
            ),
            (
                seal.retention_days <= 36_500,
                &["seal.retention_days"],
                "seal.retention_days must be from 0 to 36500",
                "90 is the default",
            ),
            (
                self.admin.audit_days <= 36_500,
                &["admin.audit_days"],
                "admin.audit_days must be from 0 (for ever) to 36500",
                "write the number of days",
            ),
            (
                (1..=36_500).contains(&self.admin.tracking_days),
                &["admin.tracking_days"],
                "admin.tracking_days must be from 1 to 36500",
                "90 is the default",
            ),
            (
                holds_a_message(smtp.memory_budget),
                &["smtp.memory_budget", "smtp.max_message_size"],
                "smtp.memory_budget must not be below smtp.max_message_size",
                "give it room for several of the largest messages",
            ),
            (
                smtp.memory_budget_per_client.is_none_or(holds_a_message),
                &["smtp.memory_budget_per_client", "smtp.max_message_size"],
                "smtp.memory_budget_per_client must not be below smtp.max_message_size",
                "give it room for one of the largest messages, or leave it out",
            ),
        ])
    }

    fn check_tls(&self) -> Vec<Fault> {
        let (smtp, web) = (&self.smtp, &self.web);
        broken(&[
            (
                smtp.tls_certificate.is_some() == smtp.tls_key.is_some(),
                &["smtp.tls_certificate", "smtp.tls_key"],
                "smtp.tls_certificate and smtp.tls_key go together",
                "name both files, or none",
            ),
            (
                web.tls_certificate.is_some() == web.tls_key.is_some(),
                &["web.tls_certificate", "web.tls_key"],
                "web.tls_certificate and web.tls_key go together",
                "name both files, or none",
            ),
            (
                !smtp.require_tls || smtp.tls_certificate.is_some(),
                &["smtp.require_tls"],
                "smtp.require_tls needs smtp.tls_certificate and smtp.tls_key",
                "name certificate and key, or do not require TLS",
            ),
        ])
    }

    fn check_reply(&self) -> Vec<Fault> {
        broken(&[
            // A bounce may quote the answer, so it must stay inside the organisation.
            (
                self.reply.bounces.as_ref().is_none_or(|to| to.is_internal(&self.organisation.domains)),
                &["reply.bounces"],
                "reply.bounces must be in one of organisation.domains",
                "name a mailbox of the organisation: a bounce may quote the answer of a resident",
            ),
            (
                self.reply.file_types.iter().all(|ending| is_ending(ending)),
                &["reply.file_types"],
                "reply.file_types must be endings of file names without the dot, such as \"pdf\"",
                "write the last part only: \"gz\", not \".tar.gz\"",
            ),
        ])
    }

    /// Whoever may send a PROXY header says who the client is, and so who may relay.
    fn check_proxies(&self) -> Vec<Fault> {
        let (smtp, web) = (&self.smtp, &self.web);
        let mut faults = Vec::new();
        if !smtp.proxy_protocol && !smtp.trusted_proxies.is_empty() {
            faults.push(Fault::new(
                &["smtp.trusted_proxies"],
                "smtp.trusted_proxies does nothing without smtp.proxy_protocol = true",
                "set smtp.proxy_protocol, or remove the proxies",
            ));
        }
        for (keys, is_on, trusted) in [
            (["smtp.trusted_proxies", "smtp.proxy_protocol"], smtp.proxy_protocol, &smtp.trusted_proxies),
            (["web.trusted_proxies", "web.proxy_protocol"], web.proxy_protocol, &web.trusted_proxies),
        ] {
            let [list, switch] = keys;
            if is_on && trusted.is_empty() {
                let reason = format!("{switch} needs {list}");
                faults.push(Fault::new(&[switch], reason, "name the addresses of the balancers"));
            }
            if is_on && trusted.iter().any(|network| network.prefix_len() == 0) {
                let reason = format!(
                    "{list} must not hold every address: with {switch} whoever is in it says which client it is"
                );
                faults.push(Fault::new(&[list], reason, "name the addresses of the balancers, no more"));
            }
        }
        faults
    }
}

impl OrganisationSection {
    /// What the pages show and link to besides our own words.
    fn check_pages(&self) -> Vec<Fault> {
        let remedy =
            "write the whole address as a browser shows it, such as https://www.voorbeeld.nl/privacy";
        broken(&[
            (
                is_web_address(&self.website),
                &["organisation.website"],
                "organisation.website must be an address that starts with https:// or http://",
                "write the whole address, such as https://www.voorbeeld.nl",
            ),
            (
                is_web_address(&self.privacy_url),
                &["organisation.privacy_url"],
                "organisation.privacy_url must be an address that starts with https:// or http://",
                remedy,
            ),
            (
                is_web_address(&self.accessibility_url),
                &["organisation.accessibility_url"],
                "organisation.accessibility_url must be an address that starts with https:// or http://",
                remedy,
            ),
            (
                self.help.len() <= MAX_HELP,
                &["organisation.help"],
                "organisation.help must be at most 4000 bytes",
                "say the rest on the page of your own site that organisation.website names",
            ),
            (
                !self.help.contains(|c: char| c.is_control() && c != '\n' && c != '\r'),
                &["organisation.help"],
                "organisation.help must not hold control characters other than line ends",
                "write plain text; a blank line begins a new paragraph",
            ),
        ])
    }
}

/// The most bytes of `organisation.help`.
const MAX_HELP: usize = 4000;

/// Nothing, or the address of a page: a scheme of the web, a host, and nothing that a link cannot hold. No `@`, behind
/// which the true host could hide.
fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_host = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = |c: u8| c.is_ascii_graphic() && !b"\"<>\\^`{|}@".contains(&c);
    url.is_empty() || (url.len() <= 500 && rest.is_some_and(is_host) && url.bytes().all(fits))
}

/// Such a name is used in EHLO, in `Received` and behind the `@` of zegel's own addresses.
fn is_domain(text: &str) -> bool {
    Address::parse(&format!("noreply@{text}")).is_ok()
}

/// Such a text may be part of a header field.
pub fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// Whether it can be what follows the last dot of a file name; longer endings are cut (`message::name`).
fn is_ending(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Every link begins with it, and is alone on a line.
fn is_base_of_links(url: &str) -> bool {
    let host = url.split_once("://").map_or("", |(_, host)| host);
    !host.is_empty() && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:[]".contains(&c))
}
