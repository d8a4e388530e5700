//! The configuration: one TOML file, each key of which the environment may override (`ZEGEL_SECTION__KEY`). It is read and
//! checked at start and at SIGHUP. [`settings`](crate::settings) makes of it what the rest of the program goes by.

mod branding;
mod document;
mod finding;
mod keys;
mod kubernetes;
mod load;
mod organisations;
mod relay;
mod rules;
mod store;
mod table;
mod units;
mod url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::address::Address;
use crate::calendar::Zone;
use crate::id::OrganisationId;
use crate::locale::Language;

pub use branding::{Branding, Colour, Format, Picture, Scheme, Theme};
pub use finding::{Finding, Place, Places, Severity, StandIns};
pub use keys::{check_name, keys};
pub use load::{ConfigError, DEFAULT_PATH, Loaded, OfOrganisation, environment, examine, load, parse};
pub use relay::{Direction, Inside, NextHopSettings, Relay, RelayTls};
pub use store::{Bucket, Database, JournalPlace, StoreSection};
use units::duration;
pub use units::{ByteSize, NameServer, parse_duration};
pub use url::authority_of;

/// The whole configuration, as it is for one organisation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name in EHLO and `Received`, and the domain of zegel's own Message-IDs.
    pub hostname: String,
    /// The folder of database, blobs and `master.key`.
    pub data_dir: PathBuf,
    pub organisation: OrganisationSection,
    pub smtp: Smtp,
    pub relay: Relay,
    pub web: Web,
    /// `[admin]`
    #[serde(default)]
    pub admin: Admin,
    /// `[seal]`
    #[serde(default)]
    pub seal: Seal,
    /// `[reply]`
    #[serde(default)]
    pub reply: Reply,
    /// `[policy]`
    #[serde(default)]
    pub policy: PolicyFiles,
    /// `[store]`
    #[serde(default)]
    pub store: StoreSection,
    /// The same as it is for the others, where there are several organisations. What is the gateway's is the same in all.
    #[serde(skip)]
    pub others: Vec<Config>,
}

impl Config {
    /// As it is for each organisation; the first is the one that runs the gateway.
    pub fn organisations(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    /// As it is for the organisation that sees to a row which names its organisation so.
    pub fn of(&self, row: Option<&OrganisationId>) -> &Self {
        let is_named = |one: &&Self| {
            row.is_some_and(|row| one.organisation.domains.iter().any(|own| own == row.as_str()))
        };
        self.organisations().find(is_named).unwrap_or(self)
    }
}

/// `[organisation]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationSection {
    /// As shown to recipients.
    pub name: String,
    /// Senders must be in one of these; recipients in them are internal. Lower case.
    pub domains: Vec<String>,
    /// Domains of other organisations of this gateway, mail to which is not sealed: they count as internal.
    #[serde(default)]
    pub partners: Vec<String>,
    /// Shown to recipients for help; empty when there is none.
    #[serde(default)]
    pub phone: String,
    /// Its public site, named where a recipient checks whether a page is genuine; empty when there is none.
    #[serde(default)]
    pub website: String,
    /// Its own words on the help page; a blank line begins a new paragraph.
    #[serde(default)]
    pub help: String,
    /// Its own privacy statement, linked to from ours.
    #[serde(default)]
    pub privacy_url: String,
    /// Its own accessibility statement, linked to from ours.
    #[serde(default)]
    pub accessibility_url: String,
    /// Where its days begin and end.
    #[serde(default)]
    pub time_zone: Zone,
    /// Those of the pages' menu.
    #[serde(default = "default::languages")]
    pub languages: Vec<Language>,
    /// CSV with `email,name,phone,department`, relative to the configuration file.
    #[serde(default)]
    pub staff: Option<PathBuf>,
    /// Style sheet over ours, for pages; mails take the colours from it. Relative to the configuration file.
    #[serde(default)]
    pub theme: Option<PathBuf>,
    /// SVG or PNG in the head of pages, relative to the configuration file.
    #[serde(default)]
    pub logo: Option<PathBuf>,
    /// PNG on top of mails. Unset: `logo`, if that is a small PNG.
    #[serde(default)]
    pub mail_logo: Option<PathBuf>,
    /// SVG, PNG or ICO: the icon of the tab.
    #[serde(default)]
    pub favicon: Option<PathBuf>,
    /// The content of those files, which [`load`] reads.
    #[serde(skip)]
    pub branding: Arc<Branding>,
}

/// The SMTP listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Clients that may relay.
    #[serde(default = "default::allow")]
    pub allow: Vec<IpNet>,
    /// Whether connections of `trusted_proxies` begin with a PROXY header.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// The proxies whose PROXY header is believed.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// The most bytes of one message, advertised in SIZE.
    #[serde(default = "default::max_message_size")]
    pub max_message_size: ByteSize,
    /// The most recipients of one message.
    #[serde(default = "default::max_recipients")]
    pub max_recipients: usize,
    /// The most connections at once.
    #[serde(default = "default::max_connections")]
    pub max_connections: usize,
    /// The most connections at once from one client address.
    #[serde(default = "default::max_connections_per_client")]
    pub max_connections_per_client: usize,
    /// How long a client may be silent.
    #[serde(default = "default::idle_timeout", deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// The most bytes of all messages in memory at once; beyond that the answer is 452.
    #[serde(default = "default::memory_budget")]
    pub memory_budget: ByteSize,
    /// The most of that for one client. Unset: as much as the client leaves free.
    #[serde(default)]
    pub memory_budget_per_client: Option<ByteSize>,
    /// PEM file with the certificate chain.
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// Refuse MAIL before STARTTLS.
    #[serde(default)]
    pub require_tls: bool,
}

/// The web pages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// The beginning of every link, without a slash at its end.
    pub public_url: String,
    /// PEM file with the certificate chain; with the key: HTTPS.
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// The proxies whose X-Forwarded-For is believed, and whose PROXY header.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether connections of `trusted_proxies` begin with a PROXY header.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Language of pages and mails where nobody chose another: `nl`, `fy` or `en`.
    #[serde(default)]
    pub default_language: Language,
}

/// Eighteen months: the longest that the months of a year and a half have days.
const AUDIT_DAYS: u32 = 549;

/// The administrator's listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where to listen: loopback by default (C27).
    pub listen: Vec<SocketAddr>,
    /// Days that the audit trail is kept; 0: for ever.
    pub audit_days: u32,
    /// Days for which `zegel track` finds a mail.
    pub tracking_days: u32,
    /// Whom `zegel check --online` asks of DNS; `None`: the name servers of the system.
    pub dns_server: Option<NameServer>,
}

/// Defaults for sealing; a policy rule may choose others.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seal {
    /// Days until the transfer is destroyed, within [`EXPIRY_DAYS`](crate::limits::EXPIRY_DAYS).
    pub expiry_days: u32,
    /// Whether the link needs a password.
    pub password: PasswordMode,
    /// What the notification's subject says.
    pub subject: SubjectMode,
    /// The number of wrong passwords that locks a link.
    pub max_password_attempts: u32,
    /// Whether recipients who have not opened a transfer are reminded, and its sender is warned.
    pub reminders: bool,
    /// Whether the sender is told of downloads.
    pub download_notice: bool,
    /// Whether that mail names the files.
    pub file_names: bool,
    /// Whether mails to the sender name the original subject.
    pub staff_subject: bool,
    /// Days after expiry in which the sender can still renew a transfer. Its link is closed meanwhile.
    pub grace_days: u32,
    /// Days after the destruction of a transfer for which its addresses and times are kept.
    pub retention_days: u32,
    /// Where delivery reports about notifications go.
    pub return_path: ReturnPath,
}

/// `[seal] password`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordMode {
    /// The link needs a generated password, which the sender is told.
    Generated,
    /// The link alone opens the transfer.
    None,
}

/// `[seal] subject`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectMode {
    /// "Confidential message from …"
    Generic,
    /// The original without its tag.
    Keep,
}

/// `[seal] return_path`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReturnPath {
    /// To the sender, as with any mail.
    Sender,
    /// To an address below `hostname` that names the link; the gateway closes it and passes the report on.
    Gateway,
}

/// Answers by recipients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reply {
    /// Whether recipients may answer.
    pub enabled: bool,
    /// How the answer reaches staff.
    pub delivery: ReplyDelivery,
    /// The most bytes of one answer, message and files together.
    pub max_size: ByteSize,
    /// The most bytes of one mail to staff; larger files go behind a link. Unset: what the smarthost announces.
    pub max_mail_size: Option<ByteSize>,
    /// Where a server behind the smarthost reports an answer that it refuses later; see `Organisation::reply_bounces`.
    pub bounces: Option<Address>,
    /// The virus scanner that must pass every file of an answer. Unset: files are not scanned.
    pub scanner: Option<Scanner>,
    /// The endings that names of files in an answer may have, in lower case. Empty: all but those of programs.
    pub file_types: Vec<String>,
    /// Whether programs may come with an answer.
    pub programs: Programs,
    /// Who in the organisation an answer may be sent to.
    pub recipients: ReplyRecipients,
}

/// `[reply] programs`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Programs {
    /// Refused by their first bytes, and by their ending unless `file_types` names it.
    Refuse,
    /// Accepted like any other file.
    Accept,
}

/// `[reply] recipients`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplyRecipients {
    /// Everybody in the staff list and in the thread; without a list everybody in `organisation.domains`.
    Organisation,
    /// The sender of the message that is answered, and everybody of the organisation in its header.
    Thread,
}

/// `[reply] scanner`: where clamd listens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Scanner {
    /// `host:port`
    Network(String),
    /// The absolute path of a Unix socket.
    Socket(PathBuf),
}

/// `[reply] delivery`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplyDelivery {
    /// As an ordinary message in the same thread.
    Mail,
    /// As a transfer of its own.
    Transfer,
}

/// `[policy]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyFiles {
    /// Read in order, relative to the configuration file.
    pub files: Vec<PathBuf>,
}

impl PolicyFiles {
    /// The files to read. `None` means the rules in the binary: the default, `policies/default.toml`, where no file of
    /// that name is beside the configuration.
    pub fn on_disk(&self) -> Option<&[PathBuf]> {
        let shipped =
            matches!(self.files.as_slice(), [only] if only.ends_with(SHIPPED_POLICY) && !only.exists());
        (!shipped).then_some(self.files.as_slice())
    }
}

/// The name of the rules that come with the binary.
const SHIPPED_POLICY: &str = "policies/default.toml";

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 9090))],
            audit_days: AUDIT_DAYS,
            tracking_days: 90,
            dns_server: None,
        }
    }
}

impl Default for Seal {
    fn default() -> Self {
        Self {
            expiry_days: 30,
            password: PasswordMode::Generated,
            subject: SubjectMode::Generic,
            max_password_attempts: 5,
            reminders: true,
            download_notice: true,
            file_names: false,
            staff_subject: true,
            grace_days: 0,
            retention_days: 90,
            return_path: ReturnPath::Sender,
        }
    }
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            enabled: true,
            delivery: ReplyDelivery::Mail,
            max_size: ByteSize::gib(1),
            max_mail_size: None,
            bounces: None,
            scanner: None,
            file_types: Vec::new(),
            programs: Programs::Refuse,
            recipients: ReplyRecipients::Organisation,
        }
    }
}

impl Default for PolicyFiles {
    fn default() -> Self {
        Self { files: vec![SHIPPED_POLICY.into()] }
    }
}

mod default {
    use super::{ByteSize, Duration, IpNet, Language};
    use std::net::{Ipv4Addr, Ipv6Addr};

    pub fn allow() -> Vec<IpNet> {
        let v4 = ipnet::Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        vec![v4.into(), ipnet::Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into()]
    }
    pub fn languages() -> Vec<Language> {
        Language::ALL.to_vec()
    }
    pub fn max_message_size() -> ByteSize {
        ByteSize::mib(50)
    }
    pub fn max_recipients() -> usize {
        1000
    }
    pub fn max_connections() -> usize {
        1000
    }
    pub fn max_connections_per_client() -> usize {
        100
    }
    pub fn idle_timeout() -> Duration {
        Duration::from_secs(300)
    }
    pub fn memory_budget() -> ByteSize {
        ByteSize::mib(512)
    }
}
