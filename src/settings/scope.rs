//! What one request may see. A link, a session or a status page of one organisation is, on another's host, exactly what one
//! would be that never was: nobody learns there that it exists. Every page gets at transfers through `transfer/access` or
//! `sender`, and both ask [`Scope::sees`] as soon as they have the row; nothing else decides it.

use std::sync::Arc;

use super::{Organisation, Settings};
use crate::address::{Address, is_same_domain};
use crate::id::OrganisationId;
use crate::secret::ThreadKey;
use crate::store::Whose;

/// The organisation whose pages a request asks for, under the settings with which it began.
#[derive(Clone, Debug)]
pub struct Scope {
    settings: Arc<Settings>,
    organisation: Arc<Organisation>,
}

impl Scope {
    /// Of an organisation that these settings have.
    pub fn new(settings: Arc<Settings>, organisation: Arc<Organisation>) -> Self {
        Self { settings, organisation }
    }

    /// Those with which the request began.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Whose pages they are.
    pub fn organisation(&self) -> &Arc<Organisation> {
        &self.organisation
    }

    /// Whether a row that names its organisation so is there for this request.
    pub fn sees(&self, row: Option<&OrganisationId>) -> bool {
        self.settings.of(row).is_some_and(|of| of.domain() == self.organisation.domain())
    }

    /// The names under which the organisation has left marks.
    pub fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.settings.names_of(&self.organisation)
    }

    /// What a message of a sealed thread is marked with from now on. Alone, as ever: a node that is older finds it so.
    pub fn thread_mark(&self, key: &ThreadKey, message_id: &str) -> [u8; 32] {
        match self.settings.has_several() {
            true => key.hash_of(self.organisation.domain(), message_id),
            false => key.hash(message_id),
        }
    }

    /// What these messages may be marked with, if this organisation has sealed them or their threads.
    pub fn thread_marks(&self, key: &ThreadKey, message_ids: &[String]) -> Vec<[u8; 32]> {
        let mark = |key: &ThreadKey, id: &String, name: Option<&str>| {
            name.map_or_else(|| key.hash(id), |name| key.hash_of(name, id))
        };
        let mut marks = Vec::new();
        for key in key.each() {
            for id in message_ids {
                marks.extend(self.names().map(|name| mark(&key, id, name)));
            }
        }
        marks
    }

    /// Whether a genuine link whose transfer is forgotten may be said to have been one. Where several organisations are, nobody
    /// knows whose it was.
    pub fn knows_forgotten(&self) -> bool {
        !self.settings.has_several()
    }
}

impl Settings {
    /// The organisation that a mail from nobody is for, by its recipient's domain, which may be the name under which that
    /// organisation's gateway writes. What is for nobody here is the operator's.
    pub fn for_recipient(&self, recipient: &Address) -> &Arc<Organisation> {
        let has_name = |one: &&Arc<Organisation>| is_same_domain(&one.hostname, recipient.domain());
        let named = || self.organisations().find(has_name);
        self.for_sender(recipient).or_else(named).unwrap_or(self.operator())
    }

    /// What an administrator should know of the next hops, each thing once.
    pub fn relay_notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for note in self.organisations().flat_map(|organisation| organisation.relay.notes()) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }

    /// The organisation that sees to what a row stands for: its own, and the operator where that is in the configuration no
    /// more. What was accepted must leave, and what was promised must end.
    pub fn responsible(&self, row: Option<&OrganisationId>) -> &Arc<Organisation> {
        self.of(row).unwrap_or(self.operator())
    }

    /// The rows that an organisation is responsible for.
    pub fn rows_of(&self, organisation: &Organisation) -> Whose {
        let is_this = |one: &&Arc<Organisation>| one.domain() == organisation.domain();
        let domains = |one: &Arc<Organisation>| one.domains.clone();
        let listed =
            |domains: Vec<String>| domains.iter().map(|one| OrganisationId::of_domain(one)).collect();
        match organisation.domain() == self.operator().domain() {
            true => Whose::all_but(listed(
                self.organisations().filter(|one| !is_this(one)).flat_map(domains).collect(),
            )),
            false => Whose::of(listed(organisation.domains.clone())),
        }
    }
}
