//! What the organisations of one gateway share, and what is told of each: names for limits, metrics and listings.

use std::net::IpAddr;

use super::{Organisation, Settings};
use crate::id::OrganisationId;
use crate::limits::Visitor;

impl Settings {
    /// Whose part of what is shared something uses; `None` where one organisation has all of it.
    pub fn sharer(&self, organisation: &Organisation) -> Option<OrganisationId> {
        self.has_several().then(|| organisation.id())
    }

    /// Somebody at the pages of an organisation.
    pub fn visitor(&self, organisation: &Organisation, client: IpAddr) -> Visitor {
        Visitor { client, organisation: Some(organisation.id()), is_shared: self.has_several() }
    }

    /// The organisation that a row is of, by the name that it has today; `None`: it is nobody's any more. No other names are
    /// labels in metrics, so that there are as many as the configuration has.
    pub fn label(&self, id: Option<&OrganisationId>) -> Option<OrganisationId> {
        self.of(id).map(|organisation| organisation.id())
    }

    /// The names by which rows are an organisation's, and under which it has left marks: each of its domains, of which any may
    /// have been the first, and none, as the operator did while it was alone.
    pub fn names_of<'o>(
        &self,
        organisation: &'o Organisation,
    ) -> impl Iterator<Item = Option<&'o str>> + use<'o> {
        let alone = (organisation.domain() == self.operator().domain()).then_some(None);
        organisation.domains.iter().map(|domain| Some(domain.as_str())).chain(alone)
    }
}
