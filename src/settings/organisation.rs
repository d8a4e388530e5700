//! Everything that belongs to one organisation.

use std::sync::Arc;

use super::{Misconfigured, misconfigured};
use crate::address::{Address, ReversePath, is_same_domain};
use crate::calendar::Zone;
use crate::config::{self, Branding, Config, authority_of};
use crate::id::OrganisationId;
use crate::locale::Language;
use crate::policy::Policy;
use crate::staff::Directory;

/// An organisation that sends through this gateway, such as a municipality, and how its mail is sealed and answered.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// As shown to recipients.
    pub name: String,
    /// Senders must be in one of these; recipients in them are internal. Lower case, never empty.
    pub domains: Vec<String>,
    /// Shown to recipients for help; empty when there is none.
    pub phone: String,
    /// Its public site; empty when there is none.
    pub website: String,
    /// Its own words on the help page; empty when there are none.
    pub help: String,
    /// Its own privacy statement; empty when there is none.
    pub privacy_url: String,
    /// Its own accessibility statement; empty when there is none.
    pub accessibility_url: String,
    /// Where its days begin and end.
    pub zone: Zone,
    /// What the pages wear.
    pub branding: Arc<Branding>,
    /// The name in EHLO, in `Received`, and behind the `@` of our own addresses and Message-IDs.
    pub hostname: String,
    /// What every link starts with; without a slash at the end.
    pub public_url: String,
    /// Those that the pages offer: [`Organisation::language`] among them.
    pub languages: Vec<Language>,
    /// The language of pages and mails where nobody chose another.
    pub language: Language,
    /// The address that is told what nobody else can be told (RFC 5321 4.5.1).
    pub postmaster: Address,
    /// Names and telephone numbers of those who work there.
    pub staff: Directory,
    /// What becomes of a message.
    pub policy: Policy,
    /// How messages are sealed where neither a rule nor the sender asks for something else.
    pub seal: config::Seal,
    /// How recipients answer.
    pub reply: config::Reply,
    /// The next hops of its mail.
    pub relay: config::Relay,
    /// Domains, mail to which is not sealed: its own, and all of its partners. Lower case.
    pub internal_domains: Vec<String>,
}

impl Organisation {
    /// Reads policy and staff list too, but no certificate. `all` is the configuration of each organisation here.
    pub fn read<'a>(config: &Config, all: impl Iterator<Item = &'a Config>) -> Result<Self, Misconfigured> {
        let policy = match config.policy.on_disk() {
            Some(files) => Policy::load(files).map_err(misconfigured("policy.files"))?,
            None => Policy::shipped(),
        };
        let section = config.organisation.clone();
        let config::OrganisationSection {
            name,
            domains,
            partners,
            phone,
            time_zone,
            languages,
            staff,
            branding,
            ..
        } = section;
        let is_partner = |other: &&Config| {
            let has =
                |partner: &String| other.organisation.domains.iter().any(|one| is_same_domain(one, partner));
            partners.iter().any(has)
        };
        let of_partners = all.filter(is_partner).flat_map(|other| other.organisation.domains.clone());
        let internal_domains = domains.iter().cloned().chain(of_partners).collect();
        let staff = match staff {
            Some(path) => Directory::load(&path).map_err(misconfigured("organisation.staff"))?,
            None => Directory::default(),
        };
        let domain = domains.first().unwrap_or(&config.hostname);
        let postmaster =
            Address::parse(&format!("postmaster@{domain}")).map(|address| address.with_ascii_domain());
        Ok(Self {
            postmaster: postmaster.map_err(misconfigured("organisation.domains"))?,
            name,
            domains,
            phone,
            website: section.website,
            help: section.help,
            privacy_url: section.privacy_url,
            accessibility_url: section.accessibility_url,
            zone: time_zone,
            languages,
            branding,
            hostname: config.hostname.clone(),
            public_url: config.web.public_url.clone(),
            language: config.web.default_language,
            staff,
            policy,
            seal: config.seal.clone(),
            reply: config.reply.clone(),
            relay: config.relay.clone(),
            internal_domains,
        })
    }

    /// The domain under which people know it: the first.
    pub fn domain(&self) -> &str {
        self.domains.first().unwrap_or(&self.hostname)
    }

    /// What the rows that it makes say whose they are.
    pub fn id(&self) -> OrganisationId {
        OrganisationId::of_domain(self.domain())
    }

    /// Whether a row with this name is its own: so it is as long as the domain is one of its domains, first or not.
    pub fn is_named(&self, id: &OrganisationId) -> bool {
        self.domains.iter().any(|domain| domain == id.as_str())
    }

    /// The address that is told when a server behind the smarthost refuses an answer that it had taken: `reply.bounces`, or else the
    /// postmaster.
    pub fn reply_bounces(&self) -> ReversePath {
        ReversePath::Address(self.reply.bounces.as_ref().unwrap_or(&self.postmaster).clone())
    }

    /// Whether mail to this address goes unsealed for being internal: to one of its own people, or of a partner's.
    pub fn trusts(&self, address: &Address) -> bool {
        address.is_internal(&self.internal_domains)
    }

    /// Whether its pages are at this host, and port if it is not the scheme's own.
    pub fn is_at(&self, host: &str) -> bool {
        let (scheme, _) = self.public_url.split_once("://").unwrap_or(("http", ""));
        authority_of(&format!("{scheme}://{host}")) == authority_of(&self.public_url)
    }
}

#[cfg(test)]
mod tests {
    use crate::address::Address;
    use crate::id::OrganisationId;
    use crate::settings::CurrentSettings;
    use crate::settings::testing::{organisation, settings};

    #[test]
    fn bounces_of_answers_go_to_the_postmaster_unless_another_is_named() {
        assert_eq!(organisation().reply_bounces().to_string(), "<postmaster@voorbeeld.nl>");
        let named = settings("[reply]\nbounces = \"post@voorbeeld.nl\"");
        assert_eq!(named.operator().reply_bounces().to_string(), "<post@voorbeeld.nl>");
    }

    #[test]
    fn a_row_is_found_by_any_domain_of_today() {
        let settings = settings("");
        let of = |domain: &str| settings.of(Some(&OrganisationId::of_domain(domain))).is_some();
        assert!(settings.of(None).is_some(), "rows from before are the operator's");
        assert!(of("voorbeeld.nl") && of("Voorbeeld.NL"));
        assert!(!of("zuiderveen.nl") && !of("") && !of("nl"));
        let renamed = CurrentSettings::new(settings.clone());
        renamed.change(|one| one.domains = ["nieuw.nl", "voorbeeld.nl"].map(String::from).to_vec());
        let renamed = renamed.get();
        assert_eq!(renamed.operator().id().as_str(), "nieuw.nl");
        assert!(renamed.of(Some(&settings.operator().id())).is_some(), "made under the name of before");
    }

    #[test]
    fn each_of_several_is_found_by_what_is_its_own() {
        let settings = settings(
            "[[organisation]]\nname = \"Zuid\"\ndomains = [\"zuiderveen.nl\", \"münster.nl\"]\n\
             public_url = \"http://zuid.nl:8080\"\npartners = [\"voorbeeld.nl\"]",
        );
        let names = |found: Option<&std::sync::Arc<crate::settings::Organisation>>| {
            found.map(|one| one.domain().to_owned())
        };
        let address = |text: &str| Address::parse(text).unwrap();
        for (sender, expected) in [
            ("jan@voorbeeld.nl", Some("voorbeeld.nl")),
            ("jan@ZUIDERVEEN.nl", Some("zuiderveen.nl")),
            ("jan@xn--mnster-3ya.nl", Some("zuiderveen.nl")),
            ("jan@beeld.nl", None),
        ] {
            assert_eq!(names(settings.for_sender(&address(sender))).as_deref(), expected, "{sender}");
        }
        for (host, expected) in [
            ("veilig.voorbeeld.nl", Some("voorbeeld.nl")),
            ("veilig.voorbeeld.nl:443", Some("voorbeeld.nl")),
            ("Zuid.nl:8080", Some("zuiderveen.nl")),
            ("zuid.nl", None),
            ("zuid.nl:80", None),
            ("veilig.voorbeeld.nl:8080", None),
            (":443", None),
        ] {
            assert_eq!(names(settings.for_host(host)).as_deref(), expected, "{host}");
        }
        let of = |domain: &str| names(settings.of(Some(&OrganisationId::of_domain(domain))));
        assert_eq!(of("münster.nl").as_deref(), Some("zuiderveen.nl"));
        assert_eq!((names(settings.of(None)).as_deref(), of("weg.nl")), (Some("voorbeeld.nl"), None));
        let second = settings.for_sender(&address("x@zuiderveen.nl")).unwrap();
        assert!(second.trusts(&address("jan@voorbeeld.nl")) && second.trusts(&address("jan@zuiderveen.nl")));
        assert!(!settings.operator().trusts(&address("jan@zuiderveen.nl")), "trust goes one way");
        let alone = settings.of_one(second);
        assert!(!alone.has_several() && alone.for_sender(&address("jan@voorbeeld.nl")).is_none());
    }

    #[test]
    fn is_found_by_its_senders_and_by_its_host() {
        let settings = settings("");
        let is_sender = |text: &str| settings.for_sender(&Address::parse(text).unwrap()).is_some();
        assert!(is_sender("jan@Voorbeeld.NL"));
        assert!(!is_sender("jan@example.org") && !is_sender("piet%example.org@voorbeeld.nl"));
        for host in ["veilig.voorbeeld.nl", "Veilig.Voorbeeld.nl:443"] {
            assert!(settings.for_host(host).is_some(), "{host}");
        }
        for host in ["voorbeeld.nl", "veilig.voorbeeld.nl:80", "veilig.voorbeeld.nl.example.org", ""] {
            assert!(settings.for_host(host).is_none(), "{host}");
        }
    }
}
