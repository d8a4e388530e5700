//! What a recipient is shown of the person who sent a message.

use crate::address::Address;
use crate::locale::Language;
use crate::message::header::Header;
use crate::message::mailbox::Mailbox;
use crate::outbox::text::one_line;
use crate::settings::Organisation;
use crate::staff::StaffMember;

/// Authors that are named.
const MAX_AUTHORS: usize = 5;

/// The sender of a message, as its recipients are shown them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderCard {
    /// From the staff list, or else from the From field, or else the address.
    pub name: String,
    /// From the envelope or the From field.
    pub email: Address,
    /// As people write it.
    pub phone: Option<String>,
    /// Team or department.
    pub department: Option<String>,
    /// Its authors, where somebody else has sent it for them.
    pub on_behalf_of: Vec<String>,
}

impl SenderCard {
    /// Only people of the organisation are shown as such: who sent the message, its author, or else whoever `envelope`
    /// names. A message without any of them is the postmaster's.
    pub fn of_message(header: &Header<'_>, envelope: Option<&Address>, organisation: &Organisation) -> Self {
        let card = |address: &Address, name: Option<&str>| {
            Self::new(address, name, organisation.staff.find(address), organisation)
        };
        let of = |one: Mailbox| one.address.as_ref().map(|address| card(address, one.name.as_deref()));
        let mut authors = authors(header, organisation).into_iter().filter_map(of);
        let agent = header.agent().filter(|one| is_ours(one, organisation)).and_then(of);
        match agent {
            Some(agent) => Self { on_behalf_of: authors.map(|author| author.name).collect(), ..agent },
            None => authors.next().unwrap_or_else(|| {
                let address = envelope.unwrap_or(&organisation.postmaster);
                // Whoever sends a message on may be named there (RFC 5322 3.6.6).
                let fields = ["Resent-Sender", "Resent-From"];
                let resent = fields
                    .iter()
                    .flat_map(|name| header.mailboxes(name))
                    .find(|one| one.address.as_ref().is_some_and(|other| other.is_same_mailbox(address)));
                card(address, resent.and_then(|one| one.name).as_deref())
            }),
        }
    }

    /// As far as a row knows: by the staff list, or else by the address. A transfer without a sender is the postmaster's.
    pub fn of_transfer(sender: Option<&Address>, authors: &[Address], organisation: &Organisation) -> Self {
        let card = |address| Self::new(address, None, organisation.staff.find(address), organisation);
        match sender {
            Some(sender) => card(sender).for_authors(authors, organisation),
            None => card(&organisation.postmaster),
        }
    }

    /// The same for these authors, by the names that the staff list has. Nobody acts for themselves.
    pub fn for_authors(self, authors: &[Address], organisation: &Organisation) -> Self {
        if authors.iter().any(|author| author.is_same_mailbox(&self.email)) {
            return self;
        }
        let name = |author| Self::new(author, None, organisation.staff.find(author), organisation).name;
        Self { on_behalf_of: authors.iter().map(name).collect(), ..self }
    }

    /// The staff list knows best; the name in the From field is second. Somebody without a telephone number is reached
    /// through the organisation's.
    pub fn new(
        email: &Address,
        from_name: Option<&str>,
        person: Option<&StaffMember>,
        organisation: &Organisation,
    ) -> Self {
        let shown = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
        let listed = |field: fn(&StaffMember) -> &Option<String>| {
            person.and_then(|person| field(person).as_deref()).and_then(shown)
        };
        Self {
            name: listed(|person| &person.name)
                .or_else(|| from_name.and_then(shown))
                .unwrap_or_else(|| one_line(email.as_str())),
            email: email.clone(),
            phone: listed(|person| &person.phone).or_else(|| shown(&organisation.phone)),
            department: listed(|person| &person.department),
            on_behalf_of: Vec::new(),
        }
    }

    /// The name, and on whose behalf.
    pub fn full_name(&self, language: Language) -> String {
        let Some((last, others)) = self.on_behalf_of.split_last() else { return self.name.clone() };
        let authors = match others {
            [] => last.clone(),
            _ => language
                .format("mail-and", &[("others", others.join(", ").as_str()), ("last", last.as_str())]),
        };
        language.format("mail-on-behalf", &[("sender", self.name.as_str()), ("author", authors.as_str())])
    }
}

/// The authors for whom somebody else of the organisation has sent a message: those of its own people, each once.
pub fn represented(header: &Header<'_>, organisation: &Organisation) -> Vec<Address> {
    if !header.agent().is_some_and(|agent| is_ours(&agent, organisation)) {
        return Vec::new();
    }
    authors(header, organisation).into_iter().filter_map(|author| author.address).collect()
}

fn authors(header: &Header<'_>, organisation: &Organisation) -> Vec<Mailbox> {
    let mut authors: Vec<Mailbox> = Vec::new();
    for author in header.mailboxes("From").filter(|author| is_ours(author, organisation)) {
        let is_same = |other: &Mailbox| match (&other.address, &author.address) {
            (Some(other), Some(address)) => other.is_same_mailbox(address),
            _ => false,
        };
        if authors.len() == MAX_AUTHORS {
            break;
        }
        if !authors.iter().any(is_same) {
            authors.push(author);
        }
    }
    authors
}

fn is_ours(one: &Mailbox, organisation: &Organisation) -> bool {
    one.address.as_ref().is_some_and(|address| address.is_internal(&organisation.domains))
}
