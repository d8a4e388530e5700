//! TNEF (`winmail.dat`): what Outlook wraps its attachments in (MS-OXTNEF). Reads the attachments and
//! nothing else; used by `mime`. Every length is checked against what is there; what does not add up ends
//! the reading, and the recipient still has `winmail.dat` itself.

use super::encoded;

const SIGNATURE: u32 = 0x223E_9F78;
const ATT_ATTACH_REND_DATA: u32 = 0x0006_9002;
const ATT_ATTACH_TITLE: u32 = 0x0001_8010;
const ATT_ATTACH_DATA: u32 = 0x0006_800F;
const ATT_ATTACHMENT: u32 = 0x0006_9005;
const PR_ATTACH_LONG_FILENAME: u16 = 0x3707;
const PR_ATTACH_DATA_BIN: u16 = 0x3701;
const STRING8: u16 = 0x001E;
const UNICODE: u16 = 0x001F;
const OBJECT: u16 = 0x000D;
const BINARY: u16 = 0x0102;

/// An attachment in TNEF.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The name, if there is one; not yet safe.
    pub name: Option<String>,
    /// The content.
    pub data: Vec<u8>,
}

/// The attachments, at most `limit`; none if the data is damaged.
pub fn attachments(tnef: &[u8], limit: usize) -> Vec<Attachment> {
    let mut found = read(tnef).unwrap_or_default();
    found.retain(|attachment| !attachment.data.is_empty());
    found.truncate(limit);
    found
}

fn read(tnef: &[u8]) -> Option<Vec<Attachment>> {
    let mut input = Input(tnef);
    if input.u32()? != SIGNATURE {
        return None;
    }
    input.u16()?;
    let mut found: Vec<Attachment> = Vec::new();
    while !input.0.is_empty() {
        input.take(1)?;
        let id = input.u32()?;
        let length = input.u32()?;
        let data = input.take(length)?;
        input.u16()?;
        match (id, found.last_mut()) {
            // Every attachment begins with this one (MS-OXTNEF 2.1.3.4.4).
            (ATT_ATTACH_REND_DATA, _) => found.push(Attachment::default()),
            (ATT_ATTACH_TITLE, Some(last)) if last.name.is_none() => last.name = name(encoded::text(data)),
            (ATT_ATTACH_DATA, Some(last)) => last.data = data.to_vec(),
            (ATT_ATTACHMENT, Some(last)) => properties(data, last)?,
            _ => {}
        }
    }
    Some(found)
}

/// The MAPI properties of an attachment (MS-OXTNEF 2.1.3.4.5 and MS-OXCDATA 2.11).
fn properties(data: &[u8], attachment: &mut Attachment) -> Option<()> {
    let mut input = Input(data);
    for _ in 0..input.u32()? {
        let (kind, id) = (input.u16()?, input.u16()?);
        if id >= 0x8000 {
            skip_name(&mut input)?;
        }
        match (id, kind, value(&mut input, kind)?) {
            (PR_ATTACH_LONG_FILENAME, STRING8, text) => attachment.name = name(encoded::text(text)),
            (PR_ATTACH_LONG_FILENAME, UNICODE, text) => attachment.name = name(utf16(text)),
            (PR_ATTACH_DATA_BIN, BINARY, data) => attachment.data = data.to_vec(),
            _ => {}
        }
    }
    Some(())
}

/// A named property: a GUID, then a number or a text.
fn skip_name(input: &mut Input<'_>) -> Option<()> {
    input.take(16)?;
    match input.u32()? {
        0 => input.take(4)?,
        _ => input.padded()?,
    };
    Some(())
}

/// Takes a value; of several values the last.
fn value<'a>(input: &mut Input<'a>, kind: u16) -> Option<&'a [u8]> {
    let single = kind & !0x1000;
    let variable = [STRING8, UNICODE, OBJECT, BINARY].contains(&single);
    let count = if variable || kind != single { input.u32()? } else { 1 };
    let mut last = &b""[..];
    for _ in 0..count {
        last = match single {
            _ if variable => input.padded()?,
            0x0002 | 0x0003 | 0x0004 | 0x000A | 0x000B => input.take(4)?,
            0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => input.take(8)?,
            0x0048 => input.take(16)?,
            _ => return None,
        };
    }
    Some(last)
}

fn name(text: String) -> Option<String> {
    let text = text.trim_end_matches('\0').trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn utf16(data: &[u8]) -> String {
    let units = data.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// What is left to read, little-endian.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: u32) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// A length, that many octets, and zeros up to a multiple of four.
    fn padded(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        let data = self.take(length)?;
        self.take(length.wrapping_neg() % 4)?;
        Some(data)
    }
}

/// Two attachments: one named in MAPI properties, one in the old way.
#[cfg(test)]
pub fn sample() -> Vec<u8> {
    fn attribute(id: u32, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        [&[2], &id.to_le_bytes()[..], &length.to_le_bytes(), data, &[0, 0]].concat()
    }
    fn variable(kind: u16, id: u16, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        let zeros = vec![0; (4 - data.len() % 4) % 4];
        [&kind.to_le_bytes(), &id.to_le_bytes(), &[1, 0, 0, 0][..], &length.to_le_bytes(), data, &zeros]
            .concat()
    }
    let long_name: Vec<u8> = "één.pdf\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let named = [&[0x1E, 0, 0x01, 0x80][..], &[7; 16], &[1, 0, 0, 0, 3, 0, 0, 0, b'a', 0, 0, 0]].concat();
    let named = [named, vec![1, 0, 0, 0, 2, 0, 0, 0, b'x', 0, 0, 0]].concat();
    let number = [&[0x03, 0, 0x20, 0x0E][..], &[9, 0, 0, 0]].concat();
    let properties =
        [vec![3, 0, 0, 0], number, named, variable(UNICODE, PR_ATTACH_LONG_FILENAME, &long_name)];
    [
        SIGNATURE.to_le_bytes().to_vec(),
        vec![1, 0],
        attribute(ATT_ATTACH_REND_DATA, &[0; 14]),
        attribute(ATT_ATTACH_TITLE, b"EEN~1.PDF\0"),
        attribute(ATT_ATTACH_DATA, b"inhoud"),
        attribute(ATT_ATTACHMENT, &properties.concat()),
        attribute(ATT_ATTACH_REND_DATA, &[0; 14]),
        attribute(ATT_ATTACH_TITLE, b"kort.txt\0"),
        attribute(
            ATT_ATTACHMENT,
            &[vec![1, 0, 0, 0], variable(BINARY, PR_ATTACH_DATA_BIN, b"tekst")].concat(),
        ),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_of_attachment() {
        let expected = [("één.pdf", b"inhoud".to_vec()), ("kort.txt", b"tekst".to_vec())];
        let found = attachments(&sample(), 10);
        let found: Vec<_> = found.into_iter().map(|found| (found.name.unwrap(), found.data)).collect();
        assert_eq!(found, expected.map(|(name, data)| (name.to_owned(), data)));
        assert_eq!(attachments(&sample(), 1).len(), 1);
    }

    #[test]
    fn damage_ends_the_reading() {
        let whole = sample();
        for length in 0..whole.len() {
            attachments(&whole[..length], 10);
        }
        for at in 0..whole.len() {
            for octet in [0, 0x7F, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = octet;
                attachments(&damaged, 10);
            }
        }
        assert!(attachments(&whole[..whole.len() - 1], 10).is_empty());
        assert!(attachments(b"geen tnef", 10).is_empty());
    }
}
