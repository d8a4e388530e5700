//! The attachments in a winmail.dat (MS-OXTNEF), which only Outlook can open, and what it says of the message that it
//! came with; used by `mime` and `attached`. What is broken is left out: the file itself is always there too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::decode;

/// Attachments that are looked for, and properties of one.
const MAX_ATTACHMENTS: usize = 1000;
const MAX_PROPERTIES: u32 = 10_000;

const SIGNATURE: u32 = 0x223e_9f78;
const ATTACHMENT_START: u32 = 0x0006_9002;
const ATTACHMENT_TITLE: u32 = 0x0001_8010;
const ATTACHMENT_DATA: u32 = 0x0006_800f;
const ATTACHMENT_PROPERTIES: u32 = 0x0006_9005;
const SUBJECT: u32 = 0x0001_8004;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const DATA_PROPERTY: u16 = 0x3701;
const LONG_NAME_PROPERTY: u16 = 0x3707;

/// Properties of a message that are a field of its header (MS-OXCMAIL 2.1.3).
const FIELDS: &[(u16, &str)] = &[
    (0x0037, "Subject"),
    (0x0070, "Thread-Topic"),
    (0x1035, "Message-ID"),
    (0x1039, "References"),
    (0x1042, "In-Reply-To"),
];
const SENSITIVITY_PROPERTY: u16 = 0x0036;
const CONVERSATION_PROPERTY: u16 = 0x0071;
/// The header with which the message came in.
const HEADER_PROPERTY: u16 = 0x007d;

/// One attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The file name, empty where there is none.
    pub name: String,
    /// What is in it.
    pub data: Vec<u8>,
}

/// Every attachment with something in it.
pub fn attachments(file: &[u8]) -> Vec<Attachment> {
    let mut found = Vec::new();
    let mut reader = Reader(file);
    if reader.u32() != Some(SIGNATURE) || reader.u16().is_none() {
        return found;
    }
    while let Some((id, data)) = reader.attribute() {
        if id == ATTACHMENT_START {
            if found.len() >= MAX_ATTACHMENTS {
                break;
            }
            found.push(Attachment::default());
        }
        let Some(attachment) = found.last_mut() else { continue };
        match id {
            ATTACHMENT_TITLE if attachment.name.is_empty() => attachment.name = until_nul(data),
            ATTACHMENT_DATA => attachment.data = data.to_vec(),
            ATTACHMENT_PROPERTIES => {
                Reader(data).properties(&mut |property| attachment.take(&property));
            }
            _ => {}
        }
    }
    found.retain(|attachment| !attachment.data.is_empty());
    found
}

/// Whether this is such a file.
pub fn is_tnef(file: &[u8]) -> bool {
    file.starts_with(&SIGNATURE.to_le_bytes())
}

/// What the file says of the message that it is about, as fields of a header.
pub fn header(file: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut reader = Reader(file);
    if reader.u32() != Some(SIGNATURE) || reader.u16().is_none() {
        return fields;
    }
    while let Some((id, data)) = reader.attribute() {
        match id {
            SUBJECT => add_field(&mut fields, "Subject", &until_nul(data)),
            MESSAGE_PROPERTIES => {
                Reader(data).properties(&mut |property| property.add_fields(&mut fields));
            }
            // The attachments begin, and have a header of their own.
            ATTACHMENT_START => break,
            _ => {}
        }
    }
    fields
}

fn add_field(fields: &mut Vec<u8>, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    fields.extend_from_slice(format!("{name}: {}\r\n", value.trim()).as_bytes());
}

/// A MAPI property (MS-OXTNEF 2.1.3.4).
struct Property<'a> {
    id: u16,
    /// The name, of one that has no fixed id.
    name: Option<String>,
    kind: u16,
    value: &'a [u8],
}

impl Property<'_> {
    fn text(&self) -> Option<String> {
        match self.kind {
            0x1f => Some(decode::charset(self.value, Some("utf-16le"))),
            0x1e => Some(until_nul(self.value)),
            _ => None,
        }
    }

    fn add_fields(&self, fields: &mut Vec<u8>) {
        let known = FIELDS.iter().find(|(id, _)| *id == self.id).map(|(_, name)| *name);
        // A field that Exchange knows nothing of is a property of its name (MS-OXCMAIL 2.1.3.2.1).
        let is_field =
            |name: &&str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic() && c != b':');
        let field = known.or_else(|| self.name.as_deref().filter(is_field));
        match (self.id, field, self.text()) {
            (HEADER_PROPERTY, _, Some(header)) => {
                let lines = header.trim_end_matches('\0').lines().filter(|line| !line.trim().is_empty());
                lines.for_each(|line| fields.extend_from_slice(format!("{line}\r\n").as_bytes()));
            }
            (_, Some(name), Some(text)) => add_field(fields, name, text.trim_end_matches('\0')),
            (SENSITIVITY_PROPERTY, ..) => {
                let words = ["Normal", "Personal", "Private", "Company-Confidential"];
                let word = self.value.first().and_then(|at| words.get(usize::from(*at)));
                word.into_iter().for_each(|word| add_field(fields, "Sensitivity", word));
            }
            (CONVERSATION_PROPERTY, ..) => add_field(fields, "Thread-Index", &STANDARD.encode(self.value)),
            _ => {}
        }
    }
}

impl Attachment {
    fn take(&mut self, property: &Property) {
        match (property.id, property.kind) {
            (LONG_NAME_PROPERTY, 0x1e | 0x1f) => self.name = property.text().unwrap_or_default(),
            // An embedded object starts with the 16 bytes of its interface.
            (DATA_PROPERTY, 0x0d) => self.data = property.value.get(16..).unwrap_or_default().to_vec(),
            (DATA_PROPERTY, 0x102) => self.data = property.value.to_vec(),
            _ => {}
        }
        self.name = self.name.trim_end_matches('\0').to_owned();
    }
}

fn until_nul(text: &[u8]) -> String {
    decode::charset(text.split(|c| *c == 0).next().unwrap_or_default(), None)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }

    /// Level, id, length, data, checksum (MS-OXTNEF 2.1.3.1).
    fn attribute(&mut self) -> Option<(u32, &'a [u8])> {
        self.take(1)?;
        let id = self.u32()?;
        let length = self.length()?;
        let data = self.take(length)?;
        self.take(2)?;
        Some((id, data))
    }

    /// Hands MAPI properties to `each`, up to one that is not understood (MS-OXTNEF 2.1.3.4).
    fn properties(&mut self, each: &mut dyn FnMut(Property<'a>)) -> Option<()> {
        for _ in 0..self.u32()?.min(MAX_PROPERTIES) {
            let (kind, id) = (self.u16()?, self.u16()?);
            let name = if id >= 0x8000 { self.property_name()? } else { None };
            let value = self.value(kind)?;
            each(Property { id, name, kind, value });
        }
        Some(())
    }

    /// A set, and a number or a name in it.
    fn property_name(&mut self) -> Option<Option<String>> {
        self.take(16)?;
        if self.u32()? == 0 {
            self.take(4)?;
            return Some(None);
        }
        let name = decode::charset(self.padded()?, Some("utf-16le"));
        Some(Some(name.trim_end_matches('\0').to_owned()))
    }

    /// A value; of several, the first.
    fn value(&mut self, kind: u16) -> Option<&'a [u8]> {
        let is_several = kind & 0x1000 != 0;
        let fixed = match kind & 0x0fff {
            0x02 | 0x03 | 0x04 | 0x0a | 0x0b => Some(4),
            0x05 | 0x06 | 0x07 | 0x14 | 0x40 => Some(8),
            0x48 => Some(16),
            0x0d | 0x1e | 0x1f | 0x102 => None,
            _ => return None,
        };
        let count = if is_several || fixed.is_none() { self.u32()? } else { 1 };
        let mut first = None;
        for _ in 0..count {
            let value = match fixed {
                Some(length) => self.take(length)?,
                None => self.padded()?,
            };
            first.get_or_insert(value);
        }
        Some(first.unwrap_or_default())
    }

    /// A length, so many bytes, and filling up to a multiple of four.
    fn padded(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let data = self.take(length)?;
        self.take((4 - length % 4) % 4)?;
        Some(data)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn attribute(id: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2];
        bytes.extend(id.to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.extend([0, 0]);
        bytes
    }

    /// A winmail.dat with one attachment "kort.txt", in full "lange náám.txt".
    pub fn sample() -> Vec<u8> {
        let long: Vec<u8> = "lange náám.txt\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut properties = 2u32.to_le_bytes().to_vec();
        properties.extend([3, 0, 0x05, 0x37, 1, 0, 0, 0]);
        properties.extend([0x1f, 0, 0x07, 0x37, 1, 0, 0, 0]);
        properties.extend((long.len() as u32).to_le_bytes());
        properties.extend(&long);
        properties.resize(properties.len().next_multiple_of(4), 0);
        let mut file = SIGNATURE.to_le_bytes().to_vec();
        file.extend([1, 0]);
        file.extend(attribute(0x0001_8004, b"onderwerp\0"));
        file.extend(attribute(ATTACHMENT_START, &[0; 14]));
        file.extend(attribute(ATTACHMENT_TITLE, b"kort.txt\0"));
        file.extend(attribute(ATTACHMENT_DATA, b"inhoud"));
        file.extend(attribute(ATTACHMENT_PROPERTIES, &properties));
        file
    }

    #[test]
    fn takes_out_what_is_in_it() {
        let expected = [Attachment { name: "lange náám.txt".into(), data: b"inhoud".to_vec() }];
        assert_eq!(attachments(&sample()), expected);
        assert_eq!(attachments(b"no such thing"), []);
        let mut changed = sample();
        changed[0] ^= 1;
        assert_eq!(attachments(&changed), []);
    }

    /// An attachment; `is_message`: one within the message, its data being an object.
    pub fn attachment(name: &str, data: &[u8], is_message: bool) -> Vec<u8> {
        let title = attribute(ATTACHMENT_TITLE, format!("{name}\0").as_bytes());
        let kind = if is_message { 0x0d } else { 0x102 };
        let data = properties(&[property(kind, DATA_PROPERTY, &several(&[padded(data)]))]);
        [attribute(ATTACHMENT_START, &[]), title, data].concat()
    }

    pub fn message_properties(all: &[Vec<u8>]) -> Vec<u8> {
        let list = [&(all.len() as u32).to_le_bytes()[..], &all.concat()].concat();
        attribute(MESSAGE_PROPERTIES, &list)
    }

    /// A property of text.
    pub fn text(id: u16, text: &str) -> Vec<u8> {
        let units: Vec<u8> = format!("{text}\0").encode_utf16().flat_map(u16::to_le_bytes).collect();
        property(0x1f, id, &several(&[padded(&units)]))
    }

    /// A property that is a number.
    pub fn number(id: u16, value: &[u8; 4]) -> Vec<u8> {
        property(0x03, id, value)
    }

    pub fn file(attributes: &[Vec<u8>]) -> Vec<u8> {
        [&SIGNATURE.to_le_bytes()[..], &[1, 0], &attributes.concat()].concat()
    }

    fn properties(all: &[Vec<u8>]) -> Vec<u8> {
        attribute(ATTACHMENT_PROPERTIES, &[&(all.len() as u32).to_le_bytes()[..], &all.concat()].concat())
    }

    fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &id.to_le_bytes(), value].concat()
    }

    /// A length, the bytes, and filling.
    fn padded(value: &[u8]) -> Vec<u8> {
        let mut bytes = [&(value.len() as u32).to_le_bytes()[..], value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// How many values, then those.
    fn several(values: &[Vec<u8>]) -> Vec<u8> {
        [&(values.len() as u32).to_le_bytes()[..], &values.concat()].concat()
    }

    /// MS-OXTNEF 2.1.3.4
    #[test]
    fn every_kind_of_property_is_as_long_as_it_is() {
        let (object, number) = ([&[7; 16][..], b"inhoud!"].concat(), vec![9; 4]);
        let mut others: Vec<_> =
            [(4, &[0x02, 0x03, 0x04, 0x0a, 0x0b][..]), (8, &[0x05, 0x06, 0x07, 0x14, 0x40])]
                .into_iter()
                .chain([(16, &[0x48][..])])
                .flat_map(|(length, kinds)| {
                    kinds.iter().map(move |kind| property(*kind, 1, &vec![9; length]))
                })
                .collect();
        others.push(property(0x1003, 1, &several(&[number.clone(), number.clone()])));
        others.push(property(0x101f, 1, &several(&[padded(b"een"), padded(b"twee")])));
        let numbered = [vec![7; 16], vec![0; 4], number.clone(), number.clone()].concat();
        others.push(property(0x03, 0x8000, &numbered));
        let named = [vec![7; 16], 1u32.to_le_bytes().to_vec(), padded(b"n"), number].concat();
        others.push(property(0x03, 0x8001, &named));
        for other in others {
            let name = property(0x1e, LONG_NAME_PROPERTY, &several(&[padded(b"ab.txt\0")]));
            let data = property(0x0d, DATA_PROPERTY, &several(&[padded(&object)]));
            let file = file(&[attribute(ATTACHMENT_START, &[]), properties(&[name, other.clone(), data])]);
            let expected = [Attachment { name: "ab.txt".into(), data: b"inhoud!".to_vec() }];
            assert_eq!(attachments(&file), expected, "{other:x?}");
        }
        let data = || property(0x102, DATA_PROPERTY, &several(&[padded(b"inhoud"), padded(b"anders")]));
        let unknown = property(0x33, 1, &[9; 4]);
        let file = file(&[attribute(ATTACHMENT_START, &[]), properties(&[data(), unknown, data()])]);
        assert_eq!(attachments(&file)[0].data, b"inhoud", "what stands before it counts");
    }

    #[test]
    fn the_long_name_counts_wherever_it_stands() {
        let start = || attribute(ATTACHMENT_START, &[]);
        let (title, data) = (attribute(ATTACHMENT_TITLE, b"kort\0"), attribute(ATTACHMENT_DATA, b"x"));
        let long = properties(&[property(0x1e, LONG_NAME_PROPERTY, &several(&[padded(b"lang\0")]))]);
        let pieces = [start(), title.clone(), data.clone(), start(), long, title, data, start()];
        let names: Vec<_> = attachments(&file(&pieces)).into_iter().map(|found| found.name).collect();
        assert_eq!(names, ["kort", "lang"], "and one without content is none");
    }

    #[test]
    fn so_many_attachments_and_no_more() {
        let one = [attribute(ATTACHMENT_START, &[]), attribute(ATTACHMENT_DATA, b"x")].concat();
        assert_eq!(attachments(&file(&vec![one; MAX_ATTACHMENTS + 1])).len(), MAX_ATTACHMENTS);
    }

    #[test]
    fn no_cut_or_changed_octet_breaks_it() {
        let file = sample();
        for at in 0..file.len() {
            attachments(&file[..at]);
            let mut changed = file.clone();
            changed[at] = 0xff;
            attachments(&changed);
        }
    }
}
