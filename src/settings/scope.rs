//! What one request may see. A link, a session or a status page of one organisation is, on another's host, exactly what one
//! would be that never was: nobody learns there that it exists. Every page gets at transfers through `transfer/access` or
//! `sender`, and both ask [`Scope::sees`] as soon as they have the row; nothing else decides it.

use std::sync::Arc;

use super::{Organisation, Settings};
use crate::id::OrganisationId;
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

    /// Whether a genuine link whose transfer is forgotten may be said to have been one. Where several organisations are, nobody
    /// knows whose it was.
    pub fn knows_forgotten(&self) -> bool {
        !self.settings.has_several()
    }
}

impl Settings {
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
