//! How many connections to next hops the mail of each organisation may have. Pure. Called by `worker`.

use std::collections::HashMap;

use super::in_flight::ConnectionSlots;
use crate::fair::Reserve;
use crate::id::OrganisationId;
use crate::settings::Settings;
use crate::store::{ClaimShares, Item, Sharer};

/// Whose connection a mail takes: its organisation's, by the name that it has today.
pub(super) fn sharer(settings: &Settings, item: &Item) -> Sharer {
    if !settings.has_several() {
        return None;
    }
    settings.label(item.organisation.as_ref()).or_else(|| item.organisation.clone())
}

/// How many more of `places` connections the mail of each organisation may take now. Where there is one, all of them.
pub(super) fn of(settings: &Settings, places: usize, slots: &ConnectionSlots) -> ClaimShares {
    if !settings.has_several() {
        return ClaimShares::unbounded();
    }
    let reserve = Reserve { places, sharers: settings.organisations().count() };
    let held = slots.held();
    let left = |sharer: &Sharer| {
        let others = held.iter().filter(|(one, _)| *one != sharer).map(|(_, count)| *count);
        reserve.left(held.get(sharer).copied().unwrap_or(0), others)
    };
    // Rows name an organisation by any of its domains.
    let mut of_some = HashMap::new();
    for organisation in settings.organisations().filter(|one| held.contains_key(&Some(one.id()))) {
        let left = left(&Some(organisation.id()));
        of_some
            .extend(settings.names_of(organisation).map(|name| (name.map(OrganisationId::of_domain), left)));
    }
    let named = held.keys().filter(|sharer| sharer.is_some());
    of_some.extend(named.map(|sharer| (sharer.clone(), left(sharer))));
    ClaimShares::new(reserve.left(0, held.values().copied()), of_some)
}
