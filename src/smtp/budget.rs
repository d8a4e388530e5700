//! The memory that messages take on their way in: how much there is in all, and how much of it one client, or one of several
//! organisations, may hold (H41). Used by `data` for every message. What must never happen: one of them that holds all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SmtpSettings;
use crate::id::OrganisationId;
use crate::limits::{bucket_of, client_key};

/// Memory is taken in steps of this many bytes: small, so that slow clients with hardly begun messages do not hold
/// it all.
pub const STEP: u64 = 4 << 10;

/// The bytes that all messages together may take in memory, and who holds them.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<Ledger>>);

#[derive(Debug)]
struct Ledger {
    free: u64,
    /// By client; a client that holds nothing is not in it.
    held: HashMap<String, u64>,
    /// The same by organisation, where several share it.
    of_organisations: HashMap<OrganisationId, u64>,
}

/// One client's claim on the budget.
#[derive(Clone, Debug)]
pub struct Account {
    budget: Budget,
    client: String,
    organisation: Option<OrganisationId>,
    /// `smtp.max_message_size`, in whole steps.
    largest: u64,
    /// `smtp.memory_budget_per_client`, in whole steps.
    most: Option<u64>,
}

/// What one message holds of the budget; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    account: Account,
    bytes: u64,
}

/// Why there is no memory for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMemory {
    /// All of it is taken.
    InAll,
    /// This client holds its share already.
    OfClient,
    /// The organisation does.
    OfOrganisation,
}

impl Budget {
    /// So many bytes, in whole steps.
    pub fn new(bytes: u64) -> Self {
        let bytes = bytes.next_multiple_of(STEP);
        Self(Arc::new(Mutex::new(Ledger {
            free: bytes,
            held: HashMap::new(),
            of_organisations: HashMap::new(),
        })))
    }

    /// The account of this client, with the limits that its connection goes by.
    pub fn account(&self, client: IpAddr, settings: &SmtpSettings) -> Account {
        Account {
            budget: self.clone(),
            client: client_key(client),
            organisation: None,
            largest: settings.max_message_size.next_multiple_of(STEP),
            most: settings.memory_budget_per_client.map(|most| most.next_multiple_of(STEP)),
        }
    }

    /// What nobody holds.
    #[cfg(test)]
    pub fn free(&self) -> u64 {
        self.lock().free
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// An empty share of it, for one message.
    pub fn share(&self) -> Share {
        Share { account: self.clone(), bytes: 0 }
    }

    /// The same for a message of one of several organisations.
    pub fn of(&self, organisation: Option<OrganisationId>) -> Self {
        // Their mail may come from the same relay host, where a flood of one must not use up the other's share.
        let client = bucket_of(&self.client, organisation.as_ref());
        Self { client, organisation, ..self.clone() }
    }

    /// A client may hold as much as is left free for the others then: alone half of the budget, beside one that does
    /// the same a third. So may an organisation, from however many clients. A newcomer always finds room so, and a relay host that carries all the mail has half of it.
    /// One message of the largest size is not too much for anybody.
    fn take(&self, more: u64) -> Result<(), NoMemory> {
        let mut ledger = self.budget.lock();
        let free = ledger.free.checked_sub(more).ok_or(NoMemory::InAll)?;
        let held = ledger.held.get(&self.client).copied().unwrap_or(0) + more;
        if held > self.most.unwrap_or_else(|| free.max(self.largest)) {
            return Err(NoMemory::OfClient);
        }
        if let Some(organisation) = &self.organisation {
            let of_it = ledger.of_organisations.get(organisation).copied().unwrap_or(0) + more;
            if of_it > free.max(self.largest) {
                return Err(NoMemory::OfOrganisation);
            }
            ledger.of_organisations.insert(organisation.clone(), of_it);
        }
        ledger.free = free;
        ledger.held.insert(self.client.clone(), held);
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        let mut ledger = self.budget.lock();
        ledger.free += bytes;
        give_back(&mut ledger.held, &self.client, bytes);
        if let Some(organisation) = &self.organisation {
            give_back(&mut ledger.of_organisations, organisation, bytes);
        }
    }
}

fn give_back<K: Clone + Eq + Hash>(held: &mut HashMap<K, u64>, key: &K, bytes: u64) {
    let left = held.get(key).map_or(0, |held| held.saturating_sub(bytes));
    match left {
        0 => held.remove(key),
        left => held.insert(key.clone(), left),
    };
}

impl Share {
    /// Makes it large enough for a message of so many bytes.
    pub fn grow(&mut self, bytes: u64) -> Result<(), NoMemory> {
        let missing = bytes.next_multiple_of(STEP).saturating_sub(self.bytes);
        if missing > 0 {
            self.account.take(missing)?;
            self.bytes += missing;
        }
        Ok(())
    }

    /// Gives all of it back.
    pub fn clear(&mut self) {
        self.account.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::fixture;

    const KIB: u64 = 1 << 10;

    fn account(budget: &Budget, client: &str, most: Option<u64>) -> Account {
        let settings = SmtpSettings {
            max_message_size: 50 * KIB,
            memory_budget_per_client: most,
            ..fixture::settings()
        };
        budget.account(client.parse().unwrap(), &settings)
    }

    /// As many messages of 48 KiB as the account gives; the last of them is refused.
    fn fill(account: &Account) -> (Vec<Share>, NoMemory) {
        let mut shares = Vec::new();
        loop {
            let mut share = account.share();
            match share.grow(48 * KIB) {
                Ok(()) => shares.push(share),
                Err(refused) => return (shares, refused),
            }
        }
    }

    #[test]
    fn one_client_leaves_as_much_as_it_holds() {
        let budget = Budget::new(512 * KIB);
        let (first, refused) = fill(&account(&budget, "192.0.2.1", None));
        assert_eq!((first.len(), refused), (5, NoMemory::OfClient), "half of it");
        let (second, refused) = fill(&account(&budget, "192.0.2.2", None));
        assert_eq!((second.len(), refused), (2, NoMemory::OfClient), "half of what was left");
        let mut third = account(&budget, "192.0.2.3", None).share();
        assert_eq!(third.grow(50 * KIB), Ok(()), "and there is room for somebody else's");
        drop((first, second, third));
        assert_eq!(budget.free(), 512 * KIB);
        assert!(budget.lock().held.is_empty());
    }

    #[test]
    fn a_message_of_the_largest_size_is_never_too_much() {
        let budget = Budget::new(50 * KIB);
        let mut whole = account(&budget, "192.0.2.1", None).share();
        assert_eq!(whole.grow(50 * KIB), Ok(()));
        assert_eq!(account(&budget, "192.0.2.2", None).share().grow(1), Err(NoMemory::InAll));
    }

    #[test]
    fn a_share_may_be_set() {
        let budget = Budget::new(512 * KIB);
        assert_eq!(fill(&account(&budget, "192.0.2.1", Some(512 * KIB))).0.len(), 10, "all of it");
        assert_eq!(fill(&account(&budget, "192.0.2.1", Some(100 * KIB))).0.len(), 2);
    }

    /// From however many clients: the other's mail finds room.
    #[test]
    fn one_organisation_leaves_as_much_as_it_holds() {
        let budget = Budget::new(512 * KIB);
        let of = |client: u8, domain: &str| {
            account(&budget, &format!("192.0.2.{client}"), None).of(Some(OrganisationId::of_domain(domain)))
        };
        let (mut held, mut refused) = (Vec::new(), None);
        for client in 0..20 {
            let (shares, why) = fill(&of(client, "noorderveen.nl"));
            held.extend(shares);
            refused = Some(why);
        }
        assert_eq!((held.len(), refused), (5, Some(NoMemory::OfOrganisation)), "half of it");
        let mut other = of(99, "zuiderveen.nl").share();
        assert_eq!(other.grow(50 * KIB), Ok(()));
        assert_eq!(
            of(0, "zuiderveen.nl").share().grow(48 * KIB),
            Ok(()),
            "from the client of the flood, too"
        );
        drop((held, other));
        assert_eq!(budget.free(), 512 * KIB);
        assert!(budget.lock().held.is_empty() && budget.lock().of_organisations.is_empty());
    }

    /// Addresses of one subscriber are one client.
    #[test]
    fn many_addresses_of_one_network_have_one_share() {
        let budget = Budget::new(512 * KIB);
        let (_held, _) = fill(&account(&budget, "2001:db8::1", None));
        assert_eq!(fill(&account(&budget, "2001:db8::2", None)).0.len(), 0);
    }
}
