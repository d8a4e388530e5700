//! Which rows an administrator asks for: those of one organisation.

use crate::id::OrganisationId;

/// An organisation by what rows say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationFilter {
    /// All of its domains: it may have begun with any of them when a row was made.
    pub domains: Vec<String>,
    /// Rows that name nobody are its own: it is the operator.
    pub nameless: bool,
}

impl OrganisationFilter {
    /// Whether a row with this name is meant.
    pub fn is(&self, name: Option<&OrganisationId>) -> bool {
        self.is_named(name.map(OrganisationId::as_str))
    }

    /// The same of a text.
    pub fn is_named(&self, name: Option<&str>) -> bool {
        name.map_or(self.nameless, |name| self.domains.iter().any(|domain| domain == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_name_are_the_operators() {
        let domains = ["zuiderveen.nl", "zuid.nl"].map(str::to_owned).to_vec();
        let whose = OrganisationFilter { domains, nameless: false };
        let operator = OrganisationFilter { nameless: true, ..whose.clone() };
        for (name, is_meant) in
            [(Some("zuiderveen.nl"), true), (Some("zuid.nl"), true), (Some("veen.nl"), false)]
        {
            let name = name.map(OrganisationId::of_domain);
            assert_eq!((whose.is(name.as_ref()), operator.is(name.as_ref())), (is_meant, is_meant));
        }
        assert_eq!((whose.is(None), operator.is(None)), (false, true));
    }
}
