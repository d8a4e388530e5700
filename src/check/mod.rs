//! `zegel check`: everything that the gateway would stumble over, told before it does. Each file looks at one thing and adds
//! what it finds to the [`Report`]. Makes nothing: run by root, it would make it for the wrong user.
//!
//! What must never happen: that the content of a secret, or a word of a mail, gets into a finding.

mod access;
mod certificates;
mod folder;
mod network;
pub mod online;
mod people;
mod ports;
mod rules;
mod secrets;
mod sockets;
pub mod spf;
mod values;

use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::config::{self, Config, Finding, Loaded, OfOrganisation, Places, Severity, StandIns};
use crate::home::Home;
use crate::settings::Settings;
pub use access::ServiceUser;
pub use online::Questions;

/// What was found, the gravest first.
pub struct Report {
    /// The configuration file.
    pub file: PathBuf,
    /// All that was found.
    pub findings: Vec<Finding>,
    /// What the world says, where that is as it should be.
    pub seen: Vec<String>,
    /// What the gateway would go by; `None` where there is an error in what was written.
    pub settings: Option<Settings>,
    /// What it keeps; `None` where none has run yet, or with an error.
    pub home: Option<Home>,
}

impl Report {
    /// Whether something keeps the gateway from working.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The user that the service runs as; `None`: the owner of the data folder, or the user of the unit.
    pub user: Option<ServiceUser>,
    /// What to ask the world.
    pub online: Option<Questions>,
}

/// Looks at everything on this machine.
pub async fn run(
    file: &Path,
    environment: impl Iterator<Item = (String, String)>,
    options: Options,
) -> Report {
    let loaded = config::examine(file, environment);
    let config = loaded.config();
    let Loaded { organisations, findings } = loaded;
    let mut found = Findings { list: findings, ..Findings::default() };
    let mut report =
        Report { file: file.to_owned(), findings: Vec::new(), seen: Vec::new(), settings: None, home: None };
    if let Some(config) = config {
        let user = options.user.clone().unwrap_or_else(|| ServiceUser::find(&config.data_dir));
        // The first comes last: what is the gateway's is told at its places.
        for OfOrganisation { config, places, replaced } in organisations.into_iter().rev() {
            (found.places, found.replaced) = (places, replaced);
            look(&config, &user, &mut found);
        }
        look_at_machine(&config, &user, &mut found);
        report.home = open_home(&config, &mut found).await;
        if !found.has_errors() {
            // What `serve` reads, read in the same way: nothing that it refuses is called fine.
            match Settings::read(config.clone()) {
                Ok(settings) => {
                    if let Some(questions) = &options.online {
                        for (config, one) in config.organisations().zip(settings.organisations()) {
                            let settings = settings.of_one(one);
                            online::look(config, &settings, questions, &mut found, &mut report.seen).await;
                        }
                    }
                    report.settings = Some(settings);
                }
                Err(error) => found.error("", error.to_string(), "`zegel serve` refuses this"),
            }
        }
    }
    report.findings = found.list;
    report.findings.sort_by_key(|finding| finding.severity);
    let texts = report.findings.iter_mut().flat_map(|finding| [&mut finding.reason, &mut finding.remedy]);
    texts.chain(&mut report.seen).for_each(make_printable);
    report
}

/// Servers and zones choose some of the words, and a terminal obeys control characters.
fn make_printable(text: &mut String) {
    if text.contains(char::is_control) {
        *text = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    }
}

/// At one organisation.
fn look(config: &Config, user: &ServiceUser, found: &mut Findings) {
    values::look(config, found);
    network::look(config, found);
    certificates::look(config, user, Clock::system().now(), found);
    secrets::look(config, user, found);
    rules::look(config, found);
    people::look(config, found);
}

/// At what there is once, however many organisations.
fn look_at_machine(config: &Config, user: &ServiceUser, found: &mut Findings) {
    ports::look(config, user, found);
    folder::look(config, user, found);
    for reason in config.store.notes() {
        found.warning(
            "store.journal",
            reason,
            "take it out, unless the loss of a node's disk is provided for",
        );
    }
}

/// As `serve` does when it starts, without changing anything.
async fn open_home(config: &Config, found: &mut Findings) -> Option<Home> {
    if config.store.shared().is_some() && !cfg!(feature = "cluster") {
        let remedy = "use the binary of the Debian package, or build with --features cluster";
        found.error("store.database", config::StoreSection::NOT_BUILT, remedy);
        return None;
    }
    let (key, place) = match config.store.shared() {
        None => ("data_dir", config.data_dir.display().to_string()),
        Some((database, bucket)) => {
            ("store.database", format!("{} and {}", database.shown(), bucket.shown()))
        }
    };
    // Of a stand-in nothing is to be opened.
    if found.replaced.has(key) {
        return None;
    }
    match Home::check(&config.data_dir, &config.store).await {
        Ok(home) => {
            advise(config, found).await;
            home
        }
        Err(error) => {
            found.error(key, format!("{place}: {error:#}"), "see \"Backup\" in the operations manual");
            None
        }
    }
}

/// What could be better about a `[store]`.
async fn advise(config: &Config, found: &mut Findings) {
    match Home::advice(&config.store).await {
        Ok(advice) => {
            for reason in advice {
                found.warning("store.database", reason, "see docs/scaling.md");
            }
        }
        Err(error) => found.error("store.database", format!("{error:#}"), "look at the log of the database"),
    }
}

/// What the parts add to.
#[derive(Default)]
struct Findings {
    places: Places,
    replaced: StandIns,
    list: Vec<Finding>,
}

impl Findings {
    fn error(&mut self, key: &str, reason: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding::error(self.places.of(key), reason, remedy));
    }

    fn warning(&mut self, key: &str, reason: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding::warning(self.places.of(key), reason, remedy));
    }

    fn note(&mut self, key: &str, reason: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding::note(self.places.of(key), reason, remedy));
    }

    /// Nothing is said of a value that is a stand-in for a faulty one, of a file that has an error already, or twice.
    fn add(&mut self, finding: Finding) {
        let is_replaced = finding.place.key.as_ref().is_some_and(|key| self.replaced.has(key));
        if !is_replaced && !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    fn has_errors(&self) -> bool {
        self.has_errors_since(0)
    }

    fn has_errors_since(&self, start: usize) -> bool {
        self.list.iter().skip(start).any(|finding| finding.severity == Severity::Error)
    }
}
