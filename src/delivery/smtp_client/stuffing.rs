//! Dot-stuffing (RFC 5321 4.5.2): a dot at the start of a line gets another one in front, in the header as
//! in the body (C08). The message itself is already lines that end in CRLF and in nothing else
//! (`message/crlf`), so that "start of a line" means the same to every reader.

use memchr::memmem;

/// Encodes one message that comes in blocks, cut anywhere.
#[derive(Debug, Default)]
pub struct Stuffing {
    place: Place,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    AfterCr,
    Within,
}

impl Stuffing {
    /// Appends `block`, stuffed, to `out`.
    pub fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut rest = self.cross_the_cut(block, out);
        while let Some(at) = memmem::find(rest, b"\r\n.") {
            let (line, after) = rest.split_at_checked(at + 2).unwrap_or((rest, b""));
            out.extend_from_slice(line);
            out.push(b'.');
            rest = after;
        }
        out.extend_from_slice(rest);
        if !block.is_empty() {
            self.place = self.place_after(block);
        }
    }

    /// Ends the message: with CRLF only if it does not end in one already, then the final dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.place != Place::LineStart {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }

    /// A dot whose line start, or part of it, was in the block before.
    fn cross_the_cut<'a>(&self, block: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        match (self.place, block) {
            (Place::LineStart, [b'.', ..]) => out.push(b'.'),
            (Place::AfterCr, [b'\n', b'.', after @ ..]) => {
                out.extend_from_slice(b"\n..");
                return after;
            }
            _ => {}
        }
        block
    }

    fn place_after(&self, block: &[u8]) -> Place {
        match block {
            [.., b'\r', b'\n'] => Place::LineStart,
            [b'\n'] if self.place == Place::AfterCr => Place::LineStart,
            [.., b'\r'] => Place::AfterCr,
            _ => Place::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::crlf::CrlfBytes;

    #[test]
    fn only_crlf_ends_a_line() {
        let (mut stuffing, mut out) = (Stuffing::default(), Vec::new());
        for block in [b"a".as_slice(), b"\n", b".", b""] {
            stuffing.push(block, &mut out);
        }
        stuffing.finish(&mut out);
        assert_eq!(out, b"a\n.\r\n.\r\n");
    }

    fn stuff(blocks: &[&[u8]]) -> Vec<u8> {
        let (mut stuffing, mut out) = (Stuffing::default(), Vec::new());
        for block in blocks {
            stuffing.push(block, &mut out);
        }
        stuffing.finish(&mut out);
        out
    }

    /// The receiving side, written as differently as possible: line by line.
    fn unstuff(wire: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        let text = String::from_utf8(wire.to_vec()).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        let end = lines.iter().position(|line| *line == ".").expect("a final dot");
        assert_eq!(lines[end + 1..], [""], "nothing follows the final dot");
        for line in &lines[..end] {
            message.extend_from_slice(line.strip_prefix('.').unwrap_or(line).as_bytes());
            message.extend_from_slice(b"\r\n");
        }
        message
    }

    #[test]
    fn ends_lines_only_where_they_have_no_end() {
        assert_eq!(stuff(&[b""]), b".\r\n");
        assert_eq!(stuff(&[b"a"]), b"a\r\n.\r\n");
        assert_eq!(stuff(&[b"a\r\n"]), b"a\r\n.\r\n");
        assert_eq!(stuff(&[b".\r\n", b".", b"\r\n..x"]), b"..\r\n..\r\n...x\r\n.\r\n");
        assert_eq!(stuff(&[b"a\r", b"\n.b"]), b"a\r\n..b\r\n.\r\n");
        assert_eq!(stuff(&[b"a\r", b"\n", b".b"]), b"a\r\n..b\r\n.\r\n");
    }

    proptest! {
        /// M16: whatever the text and wherever it is cut, the receiver gets it back.
        #[test]
        fn unstuffing_gives_it_back(lines in prop::collection::vec("[.a]{0,4}", 0..8),
                                    open in "[.a]{0,3}", cuts in prop::collection::vec(0usize..40, 0..4)) {
            let mut text: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            text.extend_from_slice(open.as_bytes());
            let text = CrlfBytes::check(text).unwrap().into_vec();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let blocks: Vec<&[u8]> = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            let mut expected = text.clone();
            if !text.is_empty() && !text.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuff(&stuff(&blocks)), expected);
        }
    }
}
