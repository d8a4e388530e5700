//! What a TNEF file says of its message as fields of a header: those that the policy reads (`attached`), and those of a
//! message of its own that is made of it; used by `tnef`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::code_page::CodePages;
use super::message::{code_pages, date_sent};
use super::property::{Name, Property, id as property, properties, rows};
use super::stream::{Reader, attributes, id};
use crate::clock::rfc5322;

/// Properties of a message that are a field of its header (MS-OXCMAIL 2.1.3).
const FIELDS: &[(u16, &str)] = &[
    (0x0037, "Subject"),
    (0x0070, "Thread-Topic"),
    (0x1035, "Message-ID"),
    (0x1039, "References"),
    (0x1042, "In-Reply-To"),
];

/// Bytes of one encoded word before they are encoded (RFC 2047 2), and addresses that are written.
const MAX_WORD: usize = 42;
const MAX_ADDRESSES: usize = 500;

/// All that the file says, in UTF-8, whatever may stand there; for looking at only.
pub fn fields(file: &[u8]) -> Vec<u8> {
    let pages = code_pages(file);
    let mut fields = Vec::new();
    for (id, data) in attributes(file) {
        match id {
            id::SUBJECT => add_field(&mut fields, "Subject", &pages.attribute(data)),
            id::MESSAGE_PROPERTIES => {
                properties(data).iter().for_each(|found| add_fields(found, &pages, &mut fields));
            }
            // The attachments begin, and have a header of their own.
            id::ATTACHMENT_START => break,
            _ => {}
        }
    }
    fields
}

fn add_field(fields: &mut Vec<u8>, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    fields.extend_from_slice(format!("{name}: {}\r\n", value.trim()).as_bytes());
}

fn add_fields(found: &Property, pages: &CodePages, fields: &mut Vec<u8>) {
    let known = FIELDS.iter().find(|(id, _)| *id == found.id).map(|(_, name)| *name);
    // A field that Exchange knows nothing of is a property of its name (MS-OXCMAIL 2.1.3.2.1).
    let is_field = |name: &&str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic() && c != b':');
    let named = match &found.name {
        Some(Name::Text(name)) => Some(name.as_str()),
        _ => None,
    };
    let field = known.or_else(|| named.filter(is_field));
    match (found.id, field, found.text(pages)) {
        (property::HEADER, _, Some(header)) => {
            let lines = header.lines().filter(|line| !line.trim().is_empty());
            lines.for_each(|line| fields.extend_from_slice(format!("{line}\r\n").as_bytes()));
        }
        (_, Some(name), Some(text)) => add_field(fields, name, &text),
        (property::SENSITIVITY, ..) => {
            let words = ["Normal", "Personal", "Private", "Company-Confidential"];
            let word = found.value.first().and_then(|at| words.get(usize::from(*at)));
            word.into_iter().for_each(|word| add_field(fields, "Sensitivity", word));
        }
        (property::CONVERSATION, ..) => add_field(fields, "Thread-Index", &STANDARD.encode(found.value)),
        _ => {}
    }
}

/// The header of the message, to be written into a file: who, to whom, when, what; folded and in ASCII.
pub fn written(file: &[u8]) -> String {
    let pages = code_pages(file);
    let mut who = People::default();
    let (mut subject, mut message_id) = (None, None);
    for (id, data) in attributes(file).take_while(|(id, _)| *id != id::ATTACHMENT_START) {
        match id {
            id::SUBJECT => subject = subject.or(Some(pages.attribute(data))),
            id::FROM => who.old_from = old_from(data, &pages),
            id::RECIPIENTS => who.recipients = recipients(data, &pages),
            id::MESSAGE_PROPERTIES => {
                for found in properties(data) {
                    match found.id {
                        property::SUBJECT => subject = found.text(&pages).or(subject),
                        0x1035 => message_id = found.text(&pages).filter(|id| is_message_id(id)),
                        _ => who.take(&found, &pages),
                    }
                }
            }
            _ => {}
        }
    }
    let mut header = String::new();
    let mut add = |name: &str, value: Option<String>| {
        header.extend(value.filter(|value| !value.is_empty()).map(|value| format!("{name}: {value}\r\n")));
    };
    add("Date", date_sent(file).map(rfc5322));
    add("From", who.from());
    add("To", who.addressed(1));
    add("Cc", who.addressed(2));
    add("Subject", subject.map(|subject| words(&subject)));
    add("Message-ID", message_id);
    header
}

fn is_message_id(id: &str) -> bool {
    id.len() < 900 && id.starts_with('<') && id.ends_with('>') && id.bytes().all(|c| c.is_ascii_graphic())
}

/// A name and an address; either may be empty.
type Person = (String, String);

#[derive(Default)]
struct People {
    old_from: Option<Person>,
    represented: Person,
    represented_smtp: String,
    sender: Person,
    sender_smtp: String,
    /// With what they are: 1 To, 2 Cc, 3 Bcc.
    recipients: Vec<(u32, Person)>,
}

impl People {
    fn take(&mut self, found: &Property, pages: &CodePages) {
        let slot = match found.id {
            property::REPRESENTED_NAME => &mut self.represented.0,
            property::REPRESENTED_ADDRESS => &mut self.represented.1,
            property::REPRESENTED_SMTP_ADDRESS => &mut self.represented_smtp,
            property::SENDER_NAME => &mut self.sender.0,
            property::SENDER_ADDRESS => &mut self.sender.1,
            property::SENDER_SMTP_ADDRESS => &mut self.sender_smtp,
            _ => return,
        };
        *slot = found.text(pages).unwrap_or_default();
    }

    fn from(&self) -> Option<String> {
        let [represented, sender] =
            [(&self.represented, &self.represented_smtp), (&self.sender, &self.sender_smtp)].map(
                |((name, address), smtp)| {
                    mailbox(&(name.clone(), if smtp.is_empty() { address } else { smtp }.clone()))
                },
            );
        represented.or(sender).or_else(|| self.old_from.as_ref().and_then(mailbox))
    }

    fn addressed(&self, kind: u32) -> Option<String> {
        let those = self.recipients.iter().filter(|(found, _)| *found == kind);
        let mailboxes: Vec<String> = those.filter_map(|(_, person)| mailbox(person)).collect();
        (!mailboxes.is_empty()).then(|| mailboxes.join(",\r\n "))
    }
}

/// `attFrom`: numbers of what follows, a name, and an address behind its type (MS-OXTNEF 2.1.3.3.2).
fn old_from(data: &[u8], pages: &CodePages) -> Option<Person> {
    let mut reader = Reader(data);
    reader.take(4)?;
    let (name, address) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
    let (name, address) = (pages.attribute(reader.take(name)?), pages.attribute(reader.take(address)?));
    let address = address.split_once(':').map_or(address.as_str(), |(_, address)| address);
    Some((name, address.to_owned()))
}

fn recipients(table: &[u8], pages: &CodePages) -> Vec<(u32, Person)> {
    let rows = rows(table);
    let person = |row: &Vec<Property>| {
        let find = |wanted| row.iter().find(|found| found.id == wanted);
        let text = |wanted| find(wanted).and_then(|found| found.text(pages)).unwrap_or_default();
        let kind = find(property::RECIPIENT_TYPE).and_then(Property::number).unwrap_or(1) & 0xf;
        let smtp = text(property::SMTP_ADDRESS);
        let address = if smtp.is_empty() { text(property::ADDRESS) } else { smtp };
        (kind, (text(property::DISPLAY_NAME), address))
    };
    rows.iter().take(MAX_ADDRESSES).map(person).collect()
}

/// A mailbox; somebody without an address is an empty group (RFC 5322 3.4), for the name alone would be one.
fn mailbox((name, address): &Person) -> Option<String> {
    let is_atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&c);
    let is_address = address.len() < 255
        && address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && address.bytes().filter(|c| *c == b'@').count() == 1
        && address.bytes().all(|c| is_atom(c) || c == b'@');
    let name = name.trim().trim_matches('\'');
    match (name.is_empty() || name == address, is_address) {
        (true, true) => Some(address.clone()),
        (false, true) => Some(format!("{} <{address}>", phrase(name))),
        (false, false) => Some(format!("{}:;", phrase(name))),
        (true, false) => None,
    }
}

/// A name: as it is where it is made of letters, else encoded, so that no sign in it means anything.
fn phrase(name: &str) -> String {
    match name.len() <= MAX_WORD && name.bytes().all(|c| c.is_ascii_alphanumeric() || b" -".contains(&c)) {
        true => name.to_owned(),
        false => encoded(name),
    }
}

/// Text of a field: as it is where it is short and plain, else encoded words, each on a line.
pub fn words(text: &str) -> String {
    let is_plain = text.len() <= 60 && text.bytes().all(|c| c.is_ascii_graphic() || c == b' ');
    if is_plain && !text.contains("=?") { text.trim().to_owned() } else { encoded(text) }
}

fn encoded(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if word.len() + c.len_utf8() > MAX_WORD {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let encode = |word: &String| format!("=?utf-8?B?{}?=", STANDARD.encode(word));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}
