//! Which rows the timer means: each organisation has its own days and its own rules.

use crate::id::OrganisationId;

/// The rows of some organisations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    listed: Vec<OrganisationId>,
    is_listed: bool,
}

impl Whose {
    /// Everybody's.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// Those of an organisation that has these domains.
    pub fn of(domains: Vec<OrganisationId>) -> Self {
        Self { listed: domains, is_listed: true }
    }

    /// All but those of organisations that have these domains: rows too that name none, or one that is nobody's any more.
    pub fn all_but(domains: Vec<OrganisationId>) -> Self {
        Self { listed: domains, is_listed: false }
    }

    /// The domains as lines, in which SQLite looks for a row's own: with an end on both sides.
    pub(super) fn lines(&self) -> String {
        let lines = self.listed.iter().map(|domain| ["\n", domain.as_str()].concat());
        lines.chain(["\n".to_owned()]).collect()
    }

    /// The domains, and whether the rows are those that name one of them, or all others.
    pub(super) fn listed(&self) -> (&[OrganisationId], bool) {
        (&self.listed, self.is_listed)
    }
}
