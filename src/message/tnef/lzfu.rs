//! Compressed RTF (MS-OXRTFCP): a dictionary of 4 KiB that begins with what is in every RTF, literals, and references of
//! up to 17 bytes; used by `tnef`. Eight bytes come out for each that goes in, at most; what is announced counts for nothing.

use std::borrow::Cow;

use super::stream::Reader;

const COMPRESSED: u32 = 0x7546_5a4c;
const UNCOMPRESSED: u32 = 0x414c_454d;
const DICTIONARY: usize = 4096;

/// Bytes of RTF, beyond which nobody reads it.
const MAX_RTF: usize = 16 << 20;

/// What the dictionary begins with (MS-OXRTFCP 2.1.2.1).
const PREFIX: &[u8] =
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
    \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
    \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// The RTF; none where the checksum says that it is not what was written, or where it is too long.
pub fn decompressed(data: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut reader = Reader(data);
    // The length counts from behind itself.
    let length = usize::try_from(reader.u32()?).ok()?.checked_sub(12)?;
    let announced = usize::try_from(reader.u32()?).ok()?;
    let (kind, checksum) = (reader.u32()?, reader.u32()?);
    let content = reader.0.get(..length)?;
    match kind {
        UNCOMPRESSED if content.len() <= MAX_RTF => Some(content.get(..announced).unwrap_or(content).into()),
        COMPRESSED if crc(content) == checksum => Some(expanded(content)?.into()),
        _ => None,
    }
}

/// CRC-32 without the inversions at begin and end (MS-OXRTFCP 2.1.3.1.2).
fn crc(content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(u32::MAX);
    hasher.update(content);
    !hasher.finalize()
}

fn expanded(content: &[u8]) -> Option<Vec<u8>> {
    let mut window = Window::new();
    let mut input = content.iter().copied();
    while let Some(control) = input.next() {
        if window.output.len() > MAX_RTF {
            return None;
        }
        for bit in 0..8 {
            let Some(first) = input.next() else { return Some(window.output) };
            if control >> bit & 1 == 0 {
                window.put(first);
                continue;
            }
            let Some(second) = input.next() else { return Some(window.output) };
            let reference = usize::from(first) << 8 | usize::from(second);
            let (offset, length) = (reference >> 4, (reference & 0xf) + 2);
            // The end refers to where the next byte would be written.
            if offset == window.at {
                return Some(window.output);
            }
            for from in offset..offset + length {
                window.put(window.byte(from));
            }
        }
    }
    Some(window.output)
}

/// The last bytes that were written, in a ring.
struct Window {
    bytes: [u8; DICTIONARY],
    at: usize,
    output: Vec<u8>,
}

impl Window {
    fn new() -> Self {
        let mut bytes = [b' '; DICTIONARY];
        bytes.iter_mut().zip(PREFIX).for_each(|(slot, byte)| *slot = *byte);
        Self { bytes, at: PREFIX.len(), output: Vec::new() }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at % DICTIONARY).copied().unwrap_or(b' ')
    }

    fn put(&mut self, byte: u8) {
        self.output.push(byte);
        if let Some(slot) = self.bytes.get_mut(self.at) {
            *slot = byte;
        }
        self.at = (self.at + 1) % DICTIONARY;
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// RTF as literals only, which every reader takes.
    pub fn compressed(rtf: &[u8]) -> Vec<u8> {
        let mut content: Vec<u8> = rtf.chunks(8).flat_map(|chunk| [&[0][..], chunk].concat()).collect();
        if rtf.len().is_multiple_of(8) {
            content.push(1);
        } else if let Some(control) = content.get_mut(rtf.len() / 8 * 9) {
            *control = 1 << (rtf.len() % 8);
        }
        let end = ((PREFIX.len() + rtf.len()) % DICTIONARY) << 4;
        content.extend((end as u16).to_be_bytes());
        file(COMPRESSED, rtf.len(), crc(&content), &content)
    }

    fn file(kind: u32, announced: usize, checksum: u32, content: &[u8]) -> Vec<u8> {
        let numbers = [(content.len() + 12) as u32, announced as u32, kind, checksum];
        let header: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        [header, content.to_vec()].concat()
    }

    /// MS-OXRTFCP 4.1 and 4.2
    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(PREFIX.len(), 207);
        let simple = b"\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3\x20hel\
            \x09\x00\x20bw\x05\xb0ld}\x0a\x80\x0f\xa0";
        assert_eq!(
            decompressed(simple).unwrap().as_ref(),
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
        );
        let crossing = b"\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0";
        assert_eq!(decompressed(crossing).unwrap().as_ref(), b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let rtf = b"{\\rtf1 twaalf tekens}";
        let whole = compressed(rtf);
        assert_eq!(decompressed(&whole).unwrap().as_ref(), rtf);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            let read = decompressed(&changed);
            assert!((4..8).contains(&at) || read.is_none(), "{at}");
            assert!(decompressed(&whole[..at]).is_none(), "{at}");
        }
        let plain = file(UNCOMPRESSED, rtf.len(), 0, rtf);
        assert_eq!(decompressed(&plain).unwrap().as_ref(), rtf);
        assert!(decompressed(&file(7, rtf.len(), 0, rtf)).is_none());
    }

    /// H13: what grows most.
    #[test]
    fn it_grows_eightfold_at_most() {
        // Eight references of 17 bytes, to where nothing ends.
        let content = [&[0xff][..], &[0x00, 0x0f].repeat(8)].concat().repeat(1000);
        let bomb = file(COMPRESSED, 1, crc(&content), &content);
        let read = decompressed(&bomb).unwrap().len();
        assert!(read > content.len() && read <= content.len() * 8, "{read}");
        assert!(decompressed(&compressed(&vec![b'x'; MAX_RTF])).is_some());
        assert!(decompressed(&compressed(&vec![b'x'; MAX_RTF + 9])).is_none());
    }
}
