//! MAPI properties (MS-OXTNEF 2.1.3.4): numbers with a type, an id and a value; used by the rest of `tnef`.

use crate::clock::Timestamp;

use super::super::decode;
use super::code_page::CodePages;
use super::stream::Reader;

/// Properties of one list, and rows of one table.
const MAX_PROPERTIES: u32 = 10_000;
const MAX_ROWS: usize = 1000;

/// From here on an id means only what its name says.
const FIRST_NAMED: u16 = 0x8000;

/// The ids that are read (MS-OXPROPS 2).
pub mod id {
    pub const MESSAGE_CLASS: u16 = 0x001a;
    pub const SENSITIVITY: u16 = 0x0036;
    pub const SUBJECT: u16 = 0x0037;
    pub const SUBMIT_TIME: u16 = 0x0039;
    pub const REPRESENTED_NAME: u16 = 0x0042;
    pub const START_DATE: u16 = 0x0060;
    pub const END_DATE: u16 = 0x0061;
    pub const REPRESENTED_ADDRESS: u16 = 0x0065;
    pub const CONVERSATION: u16 = 0x0071;
    /// The header with which the message came in.
    pub const HEADER: u16 = 0x007d;
    pub const RECIPIENT_TYPE: u16 = 0x0c15;
    pub const SENDER_NAME: u16 = 0x0c1a;
    pub const SENDER_ADDRESS: u16 = 0x0c1f;
    pub const DELIVERY_TIME: u16 = 0x0e06;
    pub const BODY: u16 = 0x1000;
    pub const RTF: u16 = 0x1009;
    pub const HTML: u16 = 0x1013;
    pub const DISPLAY_NAME: u16 = 0x3001;
    pub const ADDRESS: u16 = 0x3003;
    pub const ATTACHMENT_DATA: u16 = 0x3701;
    pub const ATTACHMENT_EXTENSION: u16 = 0x3703;
    pub const ATTACHMENT_NAME: u16 = 0x3704;
    pub const ATTACHMENT_METHOD: u16 = 0x3705;
    pub const ATTACHMENT_LONG_NAME: u16 = 0x3707;
    pub const ATTACHMENT_TYPE: u16 = 0x370e;
    pub const ATTACHMENT_CONTENT_ID: u16 = 0x3712;
    pub const ATTACHMENT_LOCATION: u16 = 0x3713;
    pub const SMTP_ADDRESS: u16 = 0x39fe;
    pub const INTERNET_CODE_PAGE: u16 = 0x3fde;
    pub const MESSAGE_CODE_PAGE: u16 = 0x3ffd;
    pub const SENDER_SMTP_ADDRESS: u16 = 0x5d01;
    pub const REPRESENTED_SMTP_ADDRESS: u16 = 0x5d02;
}

/// What a property without a fixed id is called: a number or a text, in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Number { set: [u8; 16], number: u32 },
    Text(String),
}

/// One property.
#[derive(Clone, Debug)]
pub struct Property<'a> {
    pub id: u16,
    /// Of one that has no fixed id.
    pub name: Option<Name>,
    kind: u16,
    /// Of several, the first.
    pub value: &'a [u8],
}

impl<'a> Property<'a> {
    /// The value of one that is a text.
    pub fn text(&self, pages: &CodePages) -> Option<String> {
        match self.kind & 0x0fff {
            0x1f => {
                let text = decode::charset(self.value, Some("utf-16le"));
                Some(text.split('\0').next().unwrap_or_default().to_owned())
            }
            0x1e => Some(pages.text(self.value)),
            _ => None,
        }
    }

    /// The value of one that is a number or a truth.
    pub fn number(&self) -> Option<u32> {
        match self.kind & 0x0fff {
            0x02 => Reader(self.value).u16().map(u32::from),
            0x03 => Reader(self.value).u32(),
            0x0b => Reader(self.value).u16().map(u32::from),
            _ => None,
        }
    }

    /// The value of one that is bytes.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        (self.kind & 0x0fff == 0x102).then_some(self.value)
    }

    /// The value of one that is an object: its interface, and what it is made of.
    pub fn object(&self) -> Option<(&'a [u8], &'a [u8])> {
        (self.kind & 0x0fff == 0x0d).then(|| self.value.split_at_checked(16))?
    }

    /// The value of one that is a moment: tenths of a microsecond since 1601, in UTC.
    pub fn time(&self) -> Option<Timestamp> {
        const FROM_1601_TO_1970: i64 = 11_644_473_600;
        let ticks = i64::from_le_bytes(self.value.try_into().ok()?);
        let is_time = self.kind & 0x0fff == 0x40 && ticks > 0;
        let seconds = (ticks / 10_000_000).checked_sub(FROM_1601_TO_1970)?;
        is_time.then(|| Timestamp::from_second(seconds).ok())?
    }
}

/// The properties of a list, up to the first that cannot be read.
pub fn properties(list: &[u8]) -> Vec<Property<'_>> {
    Reader(list).properties().0
}

/// The rows of a table, each a list of properties, up to the first that cannot be read.
pub fn rows(table: &[u8]) -> Vec<Vec<Property<'_>>> {
    let mut reader = Reader(table);
    let count = reader.u32().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let (mut rows, mut seen) = (Vec::new(), 0);
    while rows.len() < count.min(MAX_ROWS) && seen < MAX_ROWS * 100 {
        let (row, is_whole) = reader.properties();
        seen += row.len();
        rows.push(row);
        if !is_whole {
            break;
        }
    }
    rows
}

impl<'a> Reader<'a> {
    /// A list of properties, and whether all of it was read.
    fn properties(&mut self) -> (Vec<Property<'a>>, bool) {
        let count = self.u32().unwrap_or(0);
        let mut properties = Vec::new();
        for _ in 0..count.min(MAX_PROPERTIES) {
            let Some(property) = self.property() else { return (properties, false) };
            properties.push(property);
        }
        (properties, count <= MAX_PROPERTIES)
    }

    fn property(&mut self) -> Option<Property<'a>> {
        let (kind, id) = (self.u16()?, self.u16()?);
        let name = if id >= FIRST_NAMED { Some(self.property_name()?) } else { None };
        Some(Property { id, name, kind, value: self.value(kind)? })
    }

    /// A set, and a number or a name in it.
    fn property_name(&mut self) -> Option<Name> {
        let set = self.take(16)?.try_into().ok()?;
        if self.u32()? == 0 {
            return Some(Name::Number { set, number: self.u32()? });
        }
        let name = decode::charset(self.padded()?, Some("utf-16le"));
        Some(Name::Text(name.trim_end_matches('\0').to_owned()))
    }

    /// A value; of several, the first.
    fn value(&mut self, kind: u16) -> Option<&'a [u8]> {
        let is_several = kind & 0x1000 != 0;
        let fixed = match kind & 0x0fff {
            0x00 | 0x01 => Some(0),
            0x02 | 0x03 | 0x04 | 0x0a | 0x0b => Some(4),
            0x05 | 0x06 | 0x07 | 0x14 | 0x40 => Some(8),
            0x48 => Some(16),
            0x0d | 0x1e | 0x1f | 0x102 => None,
            _ => return None,
        };
        let count = if is_several || fixed.is_none() { self.u32()? } else { 1 };
        let mut first = None;
        // Every value takes something, so that a count costs no more than the bytes that are there.
        for _ in 0..if fixed == Some(0) { 0 } else { count } {
            let value = match fixed {
                Some(length) => self.take(length)?,
                None => self.padded()?,
            };
            first.get_or_insert(value);
        }
        Some(first.unwrap_or_default())
    }
}
