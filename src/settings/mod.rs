//! What the gateway goes by: configuration, policy, staff list and certificates as one value that never changes. It is
//! read at start and at SIGHUP, and swapped as a whole ([`CurrentSettings`]). A message, a request and a turn of a job
//! take the value when they begin, and keep it to their end.
//!
//! What must never happen: that one of them mixes two values, or that anything of an organisation is reached but through
//! the sender, the host or the transfer that it belongs to.

mod certificates;
mod digests;
mod organisation;
mod scope;
mod shares;
#[cfg(test)]
pub mod testing;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::address::{Address, ascii};
use crate::config::{self, Config};
use crate::id::OrganisationId;
use crate::proxy_protocol::HeaderSenders;

pub use crate::config::authority_of;
pub use certificates::{Certificates, PROTOCOLS};
pub use organisation::Organisation;
pub use scope::Scope;

/// One state of everything that an administrator may change.
#[derive(Clone, Debug)]
pub struct Settings {
    operator: Arc<Organisation>,
    /// The others, where there are several.
    others: Vec<Arc<Organisation>>,
    /// Which of them has a domain, as the DNS has it: 0 is the operator.
    by_domain: HashMap<String, usize>,
    /// Which of them has its pages at an authority.
    by_authority: HashMap<String, usize>,
    /// Where database, blobs and keys are.
    pub data_dir: PathBuf,
    /// What several nodes share.
    pub store: config::StoreSection,
    /// The SMTP listener.
    pub smtp: config::Smtp,
    /// The next hops.
    pub relay: config::Relay,
    /// The listener of the pages.
    pub web: WebSettings,
    /// The administrator's listener.
    pub admin: config::Admin,
    /// Those in use.
    pub certificates: Certificates,
}

/// How the pages are served, whosever they are.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// The proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Those of them whose connections begin with a PROXY header: all or none.
    pub header_senders: HeaderSenders,
}

/// A fault in what the configuration points to: policies, staff list, certificates, usage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

impl Settings {
    /// Reads everything that the configuration names.
    pub fn read(config: Config) -> Result<Self, Misconfigured> {
        let certificates = Certificates::read(&config)?;
        let mut settings = Self::for_command(config)?;
        settings.certificates = certificates;
        Ok(settings)
    }

    /// The same without certificates, for a command that serves nobody and may not be able to read their keys.
    pub fn for_command(config: Config) -> Result<Self, Misconfigured> {
        if config.store.shared().is_some() && !cfg!(feature = "cluster") {
            return Err(Misconfigured(config::StoreSection::NOT_BUILT.to_owned()));
        }
        let read = |one| Ok(Arc::new(Organisation::read(one, config.organisations())?));
        let operator = read(&config)?;
        let others = config.others.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let Config { data_dir, smtp, relay, web, admin, store, .. } = config;
        let web = WebSettings {
            listen: web.listen,
            header_senders: HeaderSenders::new(web.proxy_protocol, &web.trusted_proxies),
            trusted_proxies: web.trusted_proxies,
        };
        let certificates = Certificates::default();
        let (by_domain, by_authority) = Default::default();
        let settings = Self {
            operator,
            others,
            by_domain,
            by_authority,
            data_dir,
            store,
            smtp,
            relay,
            web,
            admin,
            certificates,
        };
        Ok(settings.indexed())
    }

    /// With the indexes made anew.
    fn indexed(self) -> Self {
        let domains = self.organisations().enumerate().flat_map(|(index, organisation)| {
            organisation
                .domains
                .iter()
                .map(move |domain| (ascii(domain).unwrap_or_else(|| domain.clone()), index))
        });
        let by_domain = domains.collect();
        let pages = self.organisations().enumerate();
        let by_authority =
            pages.map(|(index, organisation)| (authority_of(&organisation.public_url), index)).collect();
        Self { by_domain, by_authority, ..self }
    }

    /// The organisation that runs this gateway, the first: it greets peers, and is told of what belongs to nobody else.
    pub fn operator(&self) -> &Arc<Organisation> {
        &self.operator
    }

    /// All of them.
    pub fn organisations(&self) -> impl Iterator<Item = &Arc<Organisation>> {
        std::iter::once(&self.operator).chain(&self.others)
    }

    /// Whether there is more than one.
    pub fn has_several(&self) -> bool {
        !self.others.is_empty()
    }

    fn with_domain(&self, domain: &str) -> Option<&Arc<Organisation>> {
        self.numbered(*self.by_domain.get(&ascii(domain)?)?)
    }

    fn numbered(&self, index: usize) -> Option<&Arc<Organisation>> {
        index.checked_sub(1).map_or(Some(&self.operator), |other| self.others.get(other))
    }

    /// The same as they would be if this organisation were the operator, and alone.
    pub fn of_one(&self, organisation: &Arc<Organisation>) -> Self {
        let (operator, relay) = (Arc::clone(organisation), organisation.relay.clone());
        Self { operator, relay, others: Vec::new(), ..self.clone() }.indexed()
    }

    /// The organisation that a sender of mail is of; none for a stranger.
    pub fn for_sender(&self, sender: &Address) -> Option<&Arc<Organisation>> {
        self.with_domain(sender.domain()).filter(|organisation| sender.is_internal(&organisation.domains))
    }

    /// Whether an address is of an organisation here.
    pub fn is_internal(&self, address: &Address) -> bool {
        self.for_sender(address).is_some()
    }

    /// The organisation whose pages are at this host (and port, unless it is the scheme's own).
    pub fn for_host(&self, host: &str) -> Option<&Arc<Organisation>> {
        let host = host.to_lowercase();
        // Without the port too, which may be the scheme's own.
        let names = [host.as_str(), host.rsplit_once(':').map_or("", |(name, _)| name)];
        let found = names.into_iter().filter_map(|name| self.by_authority.get(name));
        found.filter_map(|index| self.numbered(*index)).find(|organisation| organisation.is_at(&host))
    }

    /// The organisation that a row belongs to: the one that has its domain today. A row that names none is from before there
    /// could be several, and belongs to the operator. None when the domain is nobody's any more.
    pub fn of(&self, id: Option<&OrganisationId>) -> Option<&Arc<Organisation>> {
        match id {
            None => Some(&self.operator),
            Some(id) => self.with_domain(id.as_str()),
        }
    }

    /// Whether a client speaks for many others, as a reverse proxy does.
    pub fn is_proxy(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback() || self.web.trusted_proxies.iter().any(|net| net.contains(&client))
    }

    /// The key of something that differs in `new` and cannot change while the gateway runs.
    fn fixed_key_changed(&self, new: &Self) -> Option<&'static str> {
        let (old_organisation, organisation) = (&self.operator, &new.operator);
        let attempts = |organisation: &Organisation| organisation.seal.max_password_attempts;
        let keys = [
            ("hostname", old_organisation.hostname != organisation.hostname),
            ("data_dir", self.data_dir != new.data_dir),
            ("store", self.store != new.store),
            ("smtp.listen", self.smtp.listen != new.smtp.listen),
            ("web.listen", self.web.listen != new.web.listen),
            ("admin.listen", self.admin.listen != new.admin.listen),
            ("smtp.memory_budget", self.smtp.memory_budget != new.smtp.memory_budget),
            ("seal.max_password_attempts", attempts(old_organisation) != attempts(organisation)),
        ];
        keys.into_iter().find(|(_, changed)| *changed).map(|(key, _)| key)
    }
}

/// The settings in force. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct CurrentSettings(Arc<ArcSwap<Settings>>);

impl CurrentSettings {
    /// With these to begin with.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// Those of now. Whoever begins something takes them once, and keeps them until it is done.
    pub fn get(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Puts others in their place, for everything that begins from now on.
    pub fn replace(&self, new: Settings) -> Result<(), Misconfigured> {
        if let Some(key) = self.0.load().fixed_key_changed(&new) {
            return Err(Misconfigured(format!("{key} cannot change while the gateway runs; restart it")));
        }
        self.0.store(Arc::new(new));
        Ok(())
    }

    /// As [`CurrentSettings::replace`], of some settings of the organisation.
    #[cfg(test)]
    pub fn change(&self, change: impl FnOnce(&mut Organisation)) {
        self.change_all(|settings| change(Arc::make_mut(&mut settings.operator)));
    }

    /// The same of any settings.
    #[cfg(test)]
    pub fn change_all(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(&self.get());
        change(&mut settings);
        self.0.store(Arc::new(settings.indexed()));
    }
}

/// The key leads to the place in the configuration, the error to the fault in what it names.
fn misconfigured<E: std::fmt::Display>(key: &'static str) -> impl FnOnce(E) -> Misconfigured {
    move |error| Misconfigured(format!("{key}: {error}"))
}
