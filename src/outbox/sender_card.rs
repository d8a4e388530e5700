//! What a recipient is shown of the person who sent a message.

use crate::address::Address;
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
}

impl SenderCard {
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
        }
    }
}
