//! What a recipient is shown of the person who sent a message.

use crate::address::Address;
use crate::locale::Language;
use crate::message::header::Header;
use crate::message::mailbox::Mailbox;
use crate::outbox::text::one_line;
use crate::settings::Organisation;
use crate::staff::StaffMember;

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
    /// The author, where somebody else has sent it for them.
    pub on_behalf_of: Option<String>,
}

impl SenderCard {
    /// Only people of the organisation are shown as such: who sent the message, its author, or else whoever `envelope`
    /// names. A message without any of them is the postmaster's.
    pub fn of_message(header: &Header<'_>, envelope: Option<&Address>, organisation: &Organisation) -> Self {
        let is_ours = |one: &Mailbox| {
            one.address.as_ref().is_some_and(|address| address.is_internal(&organisation.domains))
        };
        let card = |address: &Address, name: Option<&str>| {
            Self::new(address, name, organisation.staff.find(address), organisation)
        };
        let of = |one: Mailbox| one.address.as_ref().map(|address| card(address, one.name.as_deref()));
        let author = header.mailboxes("From").find(is_ours).and_then(of);
        let agent = header.agent().filter(is_ours).and_then(of);
        match (agent, author) {
            (Some(agent), Some(author)) => Self { on_behalf_of: Some(author.name), ..agent },
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                let address = envelope.unwrap_or(&organisation.postmaster);
                // Whoever sends a message on may be named there (RFC 5322 3.6.6).
                let fields = ["Resent-Sender", "Resent-From"];
                let resent = fields
                    .iter()
                    .flat_map(|name| header.mailboxes(name))
                    .find(|one| one.address.as_ref().is_some_and(|other| other.is_same_mailbox(address)));
                card(address, resent.and_then(|one| one.name).as_deref())
            }
        }
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
            on_behalf_of: None,
        }
    }

    /// The name, and on whose behalf.
    pub fn full_name(&self, language: Language) -> String {
        match &self.on_behalf_of {
            None => self.name.clone(),
            Some(author) => language
                .format("mail-on-behalf", &[("sender", self.name.as_str()), ("author", author.as_str())]),
        }
    }
}
