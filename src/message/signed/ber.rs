//! BER (X.690), as much of it as signed data need: elements with their length, and those without, which end with a mark.
//! Used by `signed`. No length that is written anywhere is believed beyond the bytes that are there.

/// Elements without a length, within one another.
const MAX_OPEN: usize = 64;

/// Strings within a string that is written in pieces.
const MAX_PIECES_DEPTH: usize = 8;

pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const OID: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
/// In its context, with something in it: `[0]`, and so on.
pub const CONTEXT: u8 = 0xa0;

/// Says of a tag that there are elements in it.
const CONSTRUCTED: u8 = 0x20;

/// An element.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// With its tag and length.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// What is in it.
    pub fn elements(self) -> Ber<'a> {
        Ber(self.content)
    }

    /// The content of a string, whose pieces may be elements of their own (X.690 8.7.3).
    pub fn octets(self) -> Option<Vec<u8>> {
        let mut octets = Vec::new();
        self.collect(&mut octets, 0)?;
        Some(octets)
    }

    fn collect(self, octets: &mut Vec<u8>, depth: usize) -> Option<()> {
        if self.tag & CONSTRUCTED == 0 {
            octets.extend_from_slice(self.content);
            return Some(());
        }
        if depth > MAX_PIECES_DEPTH {
            return None;
        }
        let mut pieces = self.elements();
        while !pieces.is_empty() {
            let piece = pieces.next()?;
            if piece.tag & !CONSTRUCTED != OCTETS {
                return None;
            }
            piece.collect(octets, depth + 1)?;
        }
        Some(())
    }
}

/// Elements, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Ber<'a>(pub &'a [u8]);

impl<'a> Ber<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element.
    pub fn next(&mut self) -> Option<Element<'a>> {
        let before = self.0;
        let (tag, length) = self.head()?;
        let content = match length {
            Some(length) => self.take(length)?,
            None => {
                let content = self.take(open_length(self.0)?)?;
                self.take(2)?;
                content
            }
        };
        let whole = before.get(..before.len() - self.0.len())?;
        Some(Element { tag, content, whole })
    }

    /// The next element, where it has this tag; else none, and nothing is taken.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut rest = *self;
        let element = rest.next().filter(|element| element.tag == tag)?;
        *self = rest;
        Some(element)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Tag and length; no length where a mark ends it. Tags above 30 do not occur.
    fn head(&mut self) -> Option<(u8, Option<usize>)> {
        let &[tag, first] = self.take(2)? else { return None };
        if tag & 0x1f == 0x1f {
            return None;
        }
        let length = match first {
            0x80 if tag & CONSTRUCTED != 0 => None,
            0..0x80 => Some(usize::from(first)),
            0x81..=0x88 => {
                let digits = self.take(usize::from(first & 0x7f))?;
                let number = digits
                    .iter()
                    .try_fold(0u64, |sum, digit| Some(sum.checked_mul(256)? | u64::from(*digit)));
                Some(usize::try_from(number?).ok()?)
            }
            _ => return None,
        };
        Some((tag, length))
    }
}

/// How long the content of an element without a length is: one look at what is in it.
fn open_length(content: &[u8]) -> Option<usize> {
    let mut rest = Ber(content);
    let mut open = 1;
    loop {
        let left = rest.0.len();
        let (tag, length) = rest.head()?;
        match length {
            Some(0) if tag == 0 => {
                open -= 1;
                if open == 0 {
                    return Some(content.len() - left);
                }
            }
            Some(length) => {
                rest.take(length)?;
            }
            None if open < MAX_OPEN => open += 1,
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_with_and_without_a_length() {
        let bytes =
            [&[0x30, 0x80, 0x24, 0x80, 4, 1, b'a', 4, 1, b'b', 0, 0, 0, 0][..], &[4, 0x81, 1, b'c']].concat();
        let mut ber = Ber(&bytes);
        let first = ber.next().unwrap();
        assert_eq!((first.tag, first.whole.len()), (SEQUENCE, 14));
        assert_eq!(first.elements().next().unwrap().octets().unwrap(), b"ab");
        assert_eq!(ber.optional(INTEGER).map(|found| found.tag), None);
        assert_eq!(ber.optional(OCTETS).unwrap().content, b"c");
        assert!(ber.is_empty() && ber.next().is_none());
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 2, b'a'],
            &[4, 0x80, b'a', 0, 0],
            &[0x30, 0x80, 4, 1, b'a'],
            &[0x30, 0x80, 4, 1, b'a', 0],
            &[4, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[4, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'a'],
            &[0x1f, 0x81, 1, 1],
        ] {
            assert!(Ber(bytes).next().is_none(), "{bytes:x?}");
        }
        let deep = [0x24, 0x80].repeat(MAX_PIECES_DEPTH + 3);
        let deep = [deep, vec![0; 2 * (MAX_PIECES_DEPTH + 3)]].concat();
        assert!(Ber(&deep).next().unwrap().octets().is_none());
        assert!(Ber(&[0x30, 0x80].repeat(1_000_000)).next().is_none());
        assert!(Ber(&[4, 1, b'a', 2, 1, b'b']).next().unwrap().octets().is_some());
        assert!(Ber(&[0x24, 3, 2, 1, b'b']).next().unwrap().octets().is_none());
    }
}
